"""Single header fields from bytes."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mailmill.email.header_values import header_block, header_value, message_id

RAW = (
    b"Received: from x\r\nMessage-Id: <a.b@c>\r\nSubject: =?utf-8?q?J=C3=B6rg?=\r\n writes\r\nX-Label: one\r\n"
    b"X-Label: two\r\nBad: caf\xe9\r\n\r\nSubject: body\r\nOnly-Body: x\r\n"
)


def test_fields() -> None:
    assert header_value(RAW, "subject") == "Jörg writes"
    assert header_value(RAW, "X-LABEL") == "one"
    assert header_value(RAW, "bad") == "café"
    assert header_value(RAW, "Only-Body") is None
    assert header_value(RAW, "Label") is None
    assert message_id(RAW) == "a.b@c"
    assert message_id(b"Subject: x\n\n") == ""


@given(st.binary(max_size=300))
def test_never_raises(noise: bytes) -> None:
    for raw in (noise, b"X: " + noise, b"X: =?" + noise + b"?=\n\n"):
        value = header_value(raw, "X")
        assert value is None or "\n" not in value
        message_id(raw).encode("utf-8")


@given(st.text("a\r\n \t", max_size=14).map(str.encode))
def test_a_header_ends_where_its_definition_says(raw: bytes) -> None:
    """At the first empty line, be it ended by LF, CR LF, both, or CR alone."""
    head = raw.lstrip(b"\r\n \t")
    end = re.search(rb"\r?\n[ \t]*\r?\n|\r[ \t]*\r(?!\n)", head)
    assert header_block(raw) == (head[: end.start()] if end else head)
