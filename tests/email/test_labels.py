"""Single header fields from bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailmill.email.labels import header_value, message_id

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
