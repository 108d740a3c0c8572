"""The date of a message: the direct path for the common form agrees with the standard library's parser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.email import clean_message

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1), timezones=offsets)


def date_of(value: str) -> datetime | None:
    raw = f"Date: {value}\r\nMessage-ID: <a@b>\r\nContent-Type: text/plain\r\n\r\nThe parcel is late.\r\n"
    return clean_message(raw.encode("utf-8", "surrogateescape")).date


@given(moments)
def test_every_moment_comes_back_in_utc(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    for value in (format_datetime(moment), format_datetime(moment) + " (CEST)"):
        assert date_of(value) == parsedate_to_datetime(value).astimezone(UTC) == moment


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "Thu, 32 Aug 2002 12:00:00 +0000",
        "Thu, 22 Aug 2002 25:00:00 +0000",
        "Mon, 1 Jan 1900 00:00:00 +0000",
    ],
)
def test_what_is_no_date_is_none(value: str) -> None:
    assert date_of(value) is None


def test_without_an_offset_it_is_utc() -> None:
    assert date_of("Thu, 22 Aug 2002 12:36:23") == datetime(2002, 8, 22, 12, 36, 23, tzinfo=UTC)
