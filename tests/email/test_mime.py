"""Bytes to text parts: charsets that lie, broken structure, alternatives, format=flowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.email import clean_message
from mailmill.email.charsets import decode_text
from mailmill.email.mime import read_message, unflow
from tests.email.samples import html_mail, raw_mail


@pytest.mark.parametrize(
    ("payload", "charset", "text"),
    [
        ("café".encode(), "us-ascii", "café"),
        ("café “x”".encode("cp1252"), "iso-8859-1", "café “x”"),
        ("café".encode("latin-1"), "utf-8", "café"),
        ("café".encode(), "iso-8859-1", "café"),
        ("Привет".encode("koi8-r"), "koi8-r", "Привет"),
        ("你好".encode("gb18030"), "gb2312", "你好"),
        ("안녕".encode("cp949"), "ks_c_5601-1987", "안녕"),
        ("héllo".encode("utf-16"), "", "héllo"),
        ("hello there".encode("utf-16-le"), "us-ascii", "hello there"),
        ("日本語".encode("iso-2022-jp"), "ISO-2022-JP", "日本語"),
        (b"a\0b\r\nc\rd", "", "ab\nc\nd"),
        (b"plain", "no-such-charset", "plain"),
        ("é".encode(), "no-such-charset", "é"),
        (b"\\u0041", "unicode_escape", "\\u0041"),
        (b"\xef\xbb\xbfx", "utf-8", "x"),
    ],
)
def test_charsets(payload: bytes, charset: str, text: str) -> None:
    assert decode_text(payload, charset)[0] == text


@given(
    st.binary(max_size=60), st.sampled_from(["", "utf-8", "utf-7", "utf-16", "hz", "idna", "x-y", "base64", "gb2312"])
)
def test_decoding_never_fails(payload: bytes, charset: str) -> None:
    decode_text(payload, charset)[0].encode("utf-8")


def test_a_wrong_charset_is_flagged() -> None:
    raw = b"From: a@b\nContent-Type: text/plain; charset=us-ascii\n\ncaf\xc3\xa9 is a word in this sentence.\n"
    mail = clean_message(raw)
    assert mail.text.startswith("café")
    assert "charset_guessed" in mail.flags


def alternative(plain: str, html: str) -> bytes:
    return (
        "From: a@b\nContent-Type: multipart/alternative; boundary=q\n\n--q\nContent-Type: text/plain\n\n"
        f"{plain}\n--q\nContent-Type: text/html\n\n{html}\n--q--\n"
    ).encode()


def chosen(raw: bytes) -> str:
    (part,) = read_message(raw, 10**6, 10**6).parts
    return "html" if part.html else "plain"


def test_the_better_alternative_is_chosen() -> None:
    assert chosen(alternative("the words", "<p>the words</p>")) == "plain"
    assert chosen(alternative("the words", '<p>the words</p><blockquote type="cite">x</blockquote>')) == "html"
    assert chosen(alternative("", "<p>the words</p>")) == "html"
    assert chosen(alternative("Please view in an HTML browser.", "<p>" + "the words " * 200)) == "html"


def test_the_lenient_parser_reads_fields_that_declare_no_charset() -> None:
    """Python gives such a field as a Header, not as text: compiled code refused it, and all fields were lost."""
    raw = b"Subject: caf\xe9\r\nX-Many: " + b"=?" * 10_000 + b"\r\n\r\nIt does not work.\r\n"
    mail = clean_message(raw)
    assert (mail.subject, mail.text, mail.flags) == ("caf\ufffd", "It does not work.", ("lenient_mime",))


def test_broken_structure_goes_to_the_lenient_parser() -> None:
    raw = b"From: a@b\nSubject: x\nContent-Type: multipart/mixed; boundary=never\n\nThe text without any boundary.\n"
    mail = clean_message(raw)
    assert mail.text == "The text without any boundary."
    assert "lenient_mime" in mail.flags
    assert mail.subject == "x"


def test_mbox_line_is_skipped() -> None:
    assert clean_message(b"From a@b Mon Mar  3 16:01:00 2025\n" + raw_mail("Some text.")).text == "Some text."


def test_attachments_are_not_read() -> None:
    raw = (
        b"From: a@b\nContent-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: text/plain\n\nMine.\n--q\n"
        b"Content-Type: text/plain; name=log\nContent-Disposition: attachment; filename=log\n\nnot mine\n--q--\n"
    )
    assert clean_message(raw).rendering.strip() == "Mine."


@pytest.mark.parametrize("size", [1_300_000, 6_000_000])
@pytest.mark.parametrize("line", [76, 10_000_000])
def test_pictures_within_the_markup_leave_room_for_its_words(size: int, line: int) -> None:
    base64 = "\r\n".join(["iVBORw0KGgo+/" * (line // 13)] * (size // line)) or "QUJD" * (size // 4)
    mail = html_mail(f'<p>Hi,</p><img alt="a" src="data:image/png;base64,{base64}x="> <p>The lamp is broken.</p>')
    message = read_message(mail, 50 * 2**20, 1_000_000)
    assert message.parts[0].text == '<p>Hi,</p><img alt="a" src="data:"> <p>The lamp is broken.</p>'
    assert message.flags == ("html_only",)
    words = "See data:x,y and " + "data:" * 200_000 + "words " * 400_000
    assert read_message(html_mail(words), 50 * 2**20, 1_000_000).parts[0].text == words[:1_000_000]


def test_unflow() -> None:
    assert unflow("a \nb\nc\n-- \nme") == "a b\nc\n-- \nme"
    assert unflow("> a \n> b\n>> c \nd") == "> a b\n>> c \nd"
    assert unflow("sch \nön", delete_space=True) == "schön"
    assert unflow(" >stuffed") == ">stuffed"
