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
        "Thu, 1 Jan 1970 00:00:00 +0200",
        "Wed, 1 Jan 2200 00:00:00 +0000",
    ],
)
def test_what_is_no_date_is_none(value: str) -> None:
    assert date_of(value) is None


def test_without_an_offset_it_is_utc() -> None:
    assert date_of("Thu, 22 Aug 2002 12:36:23") == datetime(2002, 8, 22, 12, 36, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "Tue, 4 Mar 2025 11:30:00 +01:00",
        "Tue, 4 Mar 2025 11:30:00 GMT+0100",
        "Tue, 4 Mar 2025 11:30:00 GMT+0100 (Central European Standard Time)",
        "Tue, 4 Mar 2025 11:30:00 UTC+1",
        "Tue, 4 Mar 2025 10:30:00 UTC",
        "Tue, 4 Mar 2025 05:30 -0500 (EST)",
        "Tue (Tuesday), 4 Mar (March) 2025 11:30:00 (half) +0100",
        "4 Mar 2025 11:30:00 +01",
        "Tue, 4 Mar 2025 11:30:00 +0100Received: from a by b; Wed, 5 Mar 2025 09:00:00 -0500",
        "Tue, 4 Mar 2025 05:30:00 -0500X-Mailer: y",
    ],
)
def test_zones_and_comments_of_any_form(value: str) -> None:
    """An unknown zone would be an hour wrong, a comment no date at all."""
    assert date_of(value) == datetime(2025, 3, 4, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["+0000", "GMT"])
def test_a_leap_second_is_the_one_before(zone: str) -> None:
    assert date_of(f"Sat, 31 Dec 2016 23:59:60 {zone}") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)
