"""The fields that cleaning reads, and messages of one text, beside what a parser makes of the whole message."""

from __future__ import annotations

import re
from pathlib import Path

import fast_mail_parser
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.email.fields import FIELDS, as_one_text, cut_fields, decoded, without_unread

_NAMES = [
    "From",
    "to",
    "Subject",
    "SUBJECT",
    "Date",
    "Message-ID",
    "References",
    "Received",
    "X-Spam",
    "Content-Length",
]
_MIME = [
    b"Content-Type: text/plain",
    b"content-type: TEXT/HTML; charset=utf-8",
    b"Content-Type: text/plain;\n\tformat=flowed;\r\n charset=us-ascii",
    b"Content-Transfer-Encoding: 7bit",
    b"Content-Transfer-Encoding: 8BIT ",
    b"Content-Type: multipart/mixed; boundary=x",
    b"Content-Transfer-Encoding: base64",
    b"Content-Disposition: attachment",
    b"Content-Type: text/plain charset=x",
    b"Content-Type:",
]
_text = st.text("ab<>@.,;: \t=?", max_size=20)
_folds = st.lists(_text, min_size=1, max_size=3).map("\n\t".join)
_field = st.builds(lambda name, value: f"{name}: {value}".encode(), st.sampled_from(_NAMES), _folds)
_header = st.lists(_field | st.sampled_from(_MIME), min_size=1, max_size=6)
_body = st.binary(max_size=60) | st.text("ab >\n\r-x=", max_size=60).map(str.encode)


def _agrees(message: bytes) -> bool:
    """Whether a message of one text is to `fast_mail_parser` what it is here; False for any other message."""
    cut = cut_fields(message)
    found = as_one_text(cut.fields) if cut else None
    if found is None or cut is None:
        return False
    parsed = fast_mail_parser.parse_email_tree(message, mode="lazy")
    assert (parsed.content_type.lower(), parsed.content) == (found.kind, message[cut.start :])
    assert (parsed.children, parsed.disposition or "", parsed.filename or "") == ([], "", "")
    theirs: dict[str, str] = {}
    for name, values in parsed.headers.items():
        if name.lower() in {*FIELDS, "content-type"}:
            theirs.setdefault(name.lower(), values[0].strip())
    assert theirs.pop("content-type", "") == found.declared
    assert theirs == found.headers
    return True


@given(_header, _body, st.sampled_from([b"\n", b"\r\n"]))
def test_a_message_of_one_text_is_what_a_parser_reads(header: list[bytes], body: bytes, newline: bytes) -> None:
    """Kind, content and fields are those of the parser, whatever the fields and the text."""
    _agrees(newline.join([*header, b"", body]))


def test_real_messages_of_one_text_are_what_a_parser_reads(shared_data: Path) -> None:
    """Most mail that people write to lists is of one text."""
    raws = pq.read_table(shared_data / "spamassassin.parquet", columns=["raw"])["raw"].to_pylist()
    assert sum(map(_agrees, raws)) > len(raws) / 2


@pytest.mark.parametrize(
    "field", [b"Subject: =?utf-8?Q?a?=", "Subject: ä".encode(), *_MIME[5:], _MIME[0] + b"\n" + _MIME[1]]
)
def test_what_needs_a_parser_is_left_to_it(field: bytes) -> None:
    """Encoded words, parts, encodings and dispositions."""
    cut = cut_fields(b"From: a@b.example\n" + field + b"\n\ntext")
    assert cut is not None
    assert as_one_text(cut.fields) is None


def test_what_nothing_reads_is_cut_out() -> None:
    """The fields that are read stay, folded lines with them, and so does everything below the empty line."""
    message = b"Received: by x\n\tfor y\nSubject: a\n b\nX-Mailer: z\nContent-Type: text/html\n\nReceived: by z\n"
    cut = cut_fields(message)
    assert cut is not None
    kept = b"Subject: a\n b\nContent-Type: text/html\n\nReceived: by z\n"
    assert without_unread(message, cut) == kept


_PIECES = [
    b"\n",
    b"\r",
    b":",
    b" ",
    b"\t",
    b"From",
    b"date",
    b"Dat",
    b"x",
    b"Content-Type",
    b"\0",
    b"in-reply-to",
    b"\n\n",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=16).map(b"".join))
def test_fields_are_cut_as_their_definition_has_it(message: bytes) -> None:
    """A name at the beginning of a line, its colon, and lines below that begin with white space; no line without."""
    empty = re.search(rb"\n\r?\n", message)
    head = b"\n" + message[: empty.start() + 1] if empty else b""
    names = "|".join([*FIELDS, "content-(?:type|transfer-encoding|disposition)"]).encode()
    fields = re.findall(rb"\n((?i:" + names + rb")[ \t]*):([^\n]*(?:\n[ \t][^\n]*)*)", head)
    cut = cut_fields(message)
    if empty is None or re.search(rb"\n[^: \t\n][^:\n]*\n", head):
        assert cut is None
    else:
        assert cut == (fields, empty.start(), empty.end())


@pytest.mark.parametrize("message", [b"From: a@b.example", b"From: a@b.example\nno field\n\ntext"])
def test_what_may_be_the_text_is_not_cut(message: bytes) -> None:
    """A header without an end, and one with lines that are no fields."""
    assert cut_fields(message) is None


def test_the_first_of_each_field_is_decoded() -> None:
    """Names in any case, with white space before the colon, values folded."""
    fields = [
        (b"SUBJECT ", b" =?utf-8?q?a=C3=A4?=\r\n b\r"),
        (b"Subject", b"c"),
        (b"Content-Type", b"d"),
        (b"From", b""),
    ]
    assert decoded(fields) == {"subject": "aä b", "from": ""}
