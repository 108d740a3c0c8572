"""Single header fields from bytes."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.email import clean_message
from mailmill.email.envelope import domain_of
from mailmill.email.header_values import decode_value, first_identifier, header_block, header_value, message_id

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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?UTF-8?B?Zm/D?= =?UTF-8?B?vA==?=", "foü"),
        (b"=?utf-8*de?Q?f=C3=BCr?= uns", "für uns"),
        (b"=?gb2312?B?" + b64encode("镕你好".encode("gb18030")) + b"?=", "镕你好"),
        (b"=?iso-2022-jp?B?" + b64encode(b"\x1b$B-!-j\x1b(B") + b"?=", "①㈱"),
        (b"=?iso-8859-1?Q?=93x=94_=80?=", "“x” €"),
        (b"=?utf-8?Q?2+2=?= =?utf-8?Q?_4?=", "2+2= 4"),
        (b"=?windows-874?B?" + b64encode("สวัสดี".encode("cp874")) + b"?=", "สวัสดี"),
        (b"Re: =?utf-8?q?a?=\r\n =?utf-8?q?_b?= c =?x?", "Re: a b c =?x?"),
        (b"=?utf-8?q?Really??= =?koi8-r?b?8NLJ18XU?=", "Really?Привет"),
        (b"=?utf-8?q?2+2=?= =?utf-8?q?caf=C3?= =?utf-8?q?=A9=?=", "2+2=café="),
        (b"=?utf-8?b?Zm9v!?= =?utf-8?b?Zg?= =?utf-8?b?Z?=", "foofZ"),
        ("日本 =?utf-8?q?x?=".encode(), "日本 x"),
    ],
)
def test_encoded_words(value: bytes, text: str) -> None:
    """A character may be split between two words, and charsets are named as carelessly as those of bodies."""
    assert decode_value(value) == text
    assert clean_message(b"Subject: " + value + b"\n\nIt broke.\n").subject == text


@pytest.mark.parametrize(
    ("value", "identifier"),
    [
        ("<a@b> <c@d>", "a@b"),
        ("a@b", "a@b"),
        ("a@b c@d", "a@b"),
        ("12345", "12345"),
        ('Your message of "Tue, 4 Mar 2025"', ""),
        ('Your message of "Tue" <a@b>', "a@b"),
        ("ada@firm.example's message of Tuesday", ""),
        ("", ""),
    ],
)
def test_a_phrase_is_no_identifier(value: str, identifier: str) -> None:
    """Else all mails that answer "Your message" would be of one thread."""
    assert first_identifier(value) == identifier


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


@pytest.mark.parametrize(
    "sender",
    [
        "ada@firm.example",
        "Ada <ada@firm.example>",
        '"Byron, Ada" <ada@firm.example>',
        '"ada@old.example via Desk" <ada@firm.example>',
        '"Ada <ada@old.example>" <ada@firm.example>',
        '"Ada \\"<a@b.example>\\" B" <ada@firm.example>',
        "ada@old.example via Desk <ada@firm.example>",
        "<ada@old.example> via Desk <ada@firm.example>",
        "Ada (c@d.example) <ada@firm.example>",
        "Ada (<c@d.example>) <ada@firm.example>",
        "ada@firm.example (c@d.example)",
        "Ada <ada@firm.example>, Bob <bob@other.example>",
        "Ada <ada@firm.example>; Bob <bob@other.example>",
        '"ada@firm.example"',
    ],
)
def test_the_domain_is_that_of_the_address(sender: str) -> None:
    """A name or a comment may hold another address."""
    assert domain_of(sender, "keep") == "firm.example"


def test_a_domain_keeps_its_hash() -> None:
    """Else a firm is another one in the mail of next year, and drift is seen where there is none."""
    assert domain_of("ada@firm.example", "hash") == "c16cda75da23c76d"
