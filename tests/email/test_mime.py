"""Bytes to text parts: charsets that lie, broken structure, alternatives, format=flowed."""

from __future__ import annotations

from base64 import b64encode, encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.email import clean_message
from mailmill.email.charsets import decode_text
from mailmill.email.flowed import unflow
from mailmill.email.mime import read_message
from mailmill.errors import RejectedMessage
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
        (b"\x1b$B-!$4CmJ8-j\x1b(B a\x1b(I1;\x1b(B", "ISO-2022-JP", "①ご注文㈱ aｱｻ"),
        (b"\x1b$B-!F|K\\8l\x1b(B", "", "①日本語"),
        (b"\x1b$B|b\x1b(B", "csISO2022JP", "髙"),
        ("日本語".encode(), "iso-2022-jp", "日本語"),
        (b"a \x1b$ costs", "us-ascii", "a \x1b$ costs"),
        (b"ab~{xx", "hz-gb-2312", "ab\ufffd\ufffd"),
        *(("für läuft".encode(), name, "für läuft") for name in ("iso-8859-15", "iso-8859-2", "iso-8859-9")),
        *(("für läuft".encode(), name, "für läuft") for name in ("windows-1250", "windows-1251", "koi8-r")),
        ("สวัสดี".encode("cp874"), "windows-874", "สวัสดี"),
        ("Привет".encode("mac_cyrillic"), "x-mac-cyrillic", "Привет"),
        ("łóżko".encode("mac_latin2"), "x-mac-ce", "łóżko"),
        *(("Привет".encode("cp1251"), name, "Привет") for name in ("x-cp1251", "win-1251", "cp-1251")),
        ("日本語".encode("euc_jp"), "x-euc-jp", "日本語"),
        ("日本語".encode("utf-16-le"), "ucs-2", "日本語"),
        ("안녕".encode("cp949"), "x-windows-949", "안녕"),
        ('<meta charset="koi8-r"><p>Привет'.encode("koi8-r"), "", '<meta charset="koi8-r"><p>Привет'),
        (
            "<meta content='text/html; charset=iso-8859-2'>łóżko".encode("iso-8859-2"),
            "",
            "<meta content='text/html; charset=iso-8859-2'>łóżko",
        ),
        ("<meta charset=koi8-r>für".encode(), "", "<meta charset=koi8-r>für"),
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
    assert (mail.subject, mail.text, mail.flags) == ("café", "It does not work.", ("lenient_mime",))


def test_broken_structure_goes_to_the_lenient_parser() -> None:
    raw = b"From: a@b\nSubject: x\nContent-Type: multipart/mixed; boundary=never\n\nThe text without any boundary.\n"
    mail = clean_message(raw)
    assert mail.text == "The text without any boundary."
    assert "lenient_mime" in mail.flags
    assert mail.subject == "x"


def test_mbox_line_is_skipped() -> None:
    assert clean_message(b"From a@b Mon Mar  3 16:01:00 2025\n" + raw_mail("Some text.")).text == "Some text."


SAID = "The scanner broke on Monday."
PLAIN, HTML = f"Content-Type: text/plain\n\n{SAID}\n", f"Content-Type: text/html\n\n<p>{SAID}</p>\n"


def multipart(kind: str, boundary: str, *parts: str) -> str:
    inside = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n{inside}--{boundary}--\n'


def cleaned(entity: str) -> str:
    return clean_message(f"From: a@b\n{entity}".encode()).rendering.strip()


@pytest.mark.parametrize(
    "plain",
    [
        "\u200b\n\u200b\ufeff",
        "This message requires an HTML viewer.",
        "Ihr Mailprogramm kann diese Nachricht nicht anzeigen.",
    ],
)
@pytest.mark.parametrize("html", [SAID, f"{SAID} Ihr Freund kann diese Nachricht lesen, this message is long. " * 40])
def test_a_stub_is_not_the_message(plain: str, html: str) -> None:
    """It holds no words, or says that the other alternative does."""
    assert chosen(alternative(plain, f"<p>{html}</p>")) == "html"


@pytest.mark.parametrize(
    "plain", ["Your viewer cannot show my scan.", "The browser does not open it.", "I need the HTML file."]
)
def test_who_writes_of_html_writes_no_stub(plain: str) -> None:
    """An author's words stand in both alternatives."""
    assert chosen(alternative(plain, f"<p>{plain}</p>")) == "plain"


def test_a_named_body_is_no_attachment() -> None:
    """Some programs give a file's name to each part; in an alternative, and where nothing else is text, it is body."""
    named = [part.replace("\n\n", "; name=body\n\n", 1) for part in (PLAIN, HTML)]
    log = "Content-Type: text/plain; name=log\nContent-Disposition: attachment\n\nnot mine\n"
    assert cleaned(multipart("mixed", "m", multipart("alternative", "a", *named), log)) == SAID
    assert cleaned(multipart("mixed", "m", multipart("related", "r", named[1]), log)) == SAID
    related = multipart("alternative", "a", multipart("related", "r", named[1]))
    assert cleaned(multipart("mixed", "m", related, log)) == SAID
    related = multipart("related", "r", *reversed(named)).replace(
        "plain; name=body\n\nThe", "plain; name=body\n\nNot mine: the"
    )
    assert cleaned(multipart("alternative", "a", PLAIN.replace(SAID, ""), related)) == SAID
    assert cleaned(multipart("mixed", "m", PLAIN, named[0].replace(SAID, "not mine"))) == SAID
    cited = HTML.replace("</p>", "</p><blockquote type=cite>Old words.</blockquote>")
    related = multipart("related", "r", cited, named[0].replace(SAID, "not mine"))
    assert cleaned(multipart("alternative", "a", PLAIN, related)).removesuffix("Old words.").strip() == SAID


@pytest.mark.parametrize(
    "kind",
    [
        "rtf", "directory", "x-vcalendar", "javascript", "ics", "x-moz-deleted", "watch-html", "calendar", "x-patch",
    ],
)  # fmt: skip
def test_text_that_nobody_wrote_is_no_body(kind: str) -> None:
    """Beside a body; of other types of text, one that stands alone is the message."""
    other = f"Content-Type: text/{kind}\n\nnot mine\n"
    assert cleaned(multipart("mixed", "m", PLAIN, other)) == SAID
    assert cleaned(multipart("alternative", "a", other, HTML)) == SAID


def test_an_unknown_text_alone_is_the_message() -> None:
    assert cleaned(PLAIN.replace("plain", "x-unknown")) == SAID


@pytest.mark.parametrize("kind", ["text/html charset=utf-8", "html", "text/plain,text/html", "TEXT/HTML", "html;"])
def test_types_are_named_carelessly(kind: str) -> None:
    """Markup is not the author's text."""
    assert cleaned(f"Content-Type: {kind}\n\n<p>{SAID}</p>\n") == SAID
    assert cleaned(multipart("mixed", "m", f"Content-Type: {kind}\n\n<p>{SAID}</p>\n")) == SAID


@pytest.mark.parametrize("kind", ["", "Content-Type: text/plain\n", "Content-Type: text\n", "Content-Type:\n"])
def test_a_page_without_its_type_is_a_page(kind: str) -> None:
    for begin in ("<html>", "\n<!DOCTYPE html><html>"):
        assert cleaned(f"{kind}\n{begin}<body><p>{SAID}</p></body></html>\n") == SAID
    assert cleaned(f"{kind}\n<b> is a tag.\n") == "<b> is a tag."


@pytest.mark.parametrize(("outer", "inner"), [("----=_Part_1", "----=_Part_12"), ("p", "p1"), ("abc", "abc--x")])
def test_a_boundary_may_begin_with_another_one(outer: str, inner: str) -> None:
    """Then the standard library's parser tells them apart."""
    two = multipart("alternative", inner, PLAIN, HTML)
    assert cleaned(multipart("mixed", outer, two)) == SAID
    forwarded = f"Content-Type: message/rfc822\n\nFrom: c@d\n{two.replace(SAID, 'Theirs.')}"
    mail = clean_message(f"From: a@b\n{multipart('mixed', outer, PLAIN, forwarded)}".encode())
    assert (mail.text, mail.rendering.count("Theirs.")) == (SAID, 1)


QUOTED = "Content-Type: text/{0}; charset={1}\nContent-Transfer-Encoding: Quoted-Printable\n\n{2}\n"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_bytes_in_quoted_printable_that_are_not_encoded_stay(charset: str, newline: str) -> None:
    """Scripts and gateways copy the field, not the encoding."""
    said = "Grüße aus Zürich, natürlich 100=25."
    read = said.replace("=25", "%")
    fields = QUOTED.format("plain", charset, said).replace("Zürich", "Z=\nürich")
    swapped = "\n".join(reversed(fields.split("\n\n")[0].split("\n"))) + "\n\n" + said + "\n"
    page = QUOTED.format("html", charset, f"<p>{said}</p>")
    for entity in (fields, swapped, page, multipart("mixed", "m", fields), multipart("alternative", "a", "", page)):
        raw = f"From: a@b\n{entity}".replace("\n", newline).encode(charset)
        assert clean_message(raw).rendering.strip() == read


def test_letters_outside_of_quoted_printable_are_no_damage() -> None:
    """Not in the header, and not in a part beside it."""
    quoted = QUOTED.format("plain", "utf-8", "Gr=C3=BCne Lampe.")
    beside = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüne Lampe.\n"
    named = f'Content-Type: text/plain; charset=utf-8; format="für"\n{beside.partition(chr(10))[2]}'
    for entity in (
        f"Subject: Grüße\n{quoted}",
        f"X-MIME-Autoconverted: from quoted-printable to 8bit by x\n{beside}",
        multipart("mixed", "m", quoted, beside),
        multipart("mixed", "m", beside, quoted),
        multipart("mixed", "m", quoted, named),
    ):
        mail = clean_message(f"From: a@b\n{entity}".encode())
        assert (set(mail.text.split()), mail.flags) == ({"Grüne", "Lampe."}, ())


@pytest.mark.parametrize("end", ["", ".", ".."])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_a_list_wrote_below_base64_is_cut(end: str, newline: str) -> None:
    """It has no encoding, and read as base64 it spoils what stands above it, where that ends without padding."""
    text = "Für uns läuft der Drucker nicht. " * 5 + end
    footer = "_______________________________________________\nSupport mailing list\nSupport@lists.example.org\n"
    head = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    for below in ("", footer, "\n" + footer, footer + "+" * 70 + "\n"):
        raw = f"From: a@b\n{head}{encodebytes(text.encode()).decode()}{below}".replace("\n", newline).encode()
        assert clean_message(raw).rendering.strip() == text.strip()


def _from_base64(body: str) -> str:
    head = "From: a@b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    return clean_message(f"{head}{body}".encode()).rendering.strip()


@pytest.mark.parametrize("size", [42, 45, 57, 58, 114, 270])
@pytest.mark.parametrize(
    "below",
    [
        "lamps@x.example\n", "\nhttps://groups.example/lamps\n", "\nDISCLAIMER:\nThis mail is confidential.\n",
        "[EXTERN]", "\n#####\nlist\n", "***\nThis\n", "\nUnsubscribe\nhttps://x.example/u\n", "++++++++\nlist\n",
        "\nid=4711\n", "\n.\n",
    ],
)  # fmt: skip
def test_a_line_of_one_word_below_base64_is_none(size: int, below: str) -> None:
    """A line that nothing fills up ("=") does not stop decoders, which skip the signs that are no base64."""
    text = ("Die Lampe ist kaputt. " * 20)[:size]
    for body in (encoded := encodebytes(text.encode()).decode(), encoded.replace("\n", "\n\n")):
        assert _from_base64(body + below) == text.strip()


@pytest.mark.parametrize("size", [*range(111, 118), 170])
@pytest.mark.parametrize("widths", [(76, 76, 76, 76), (57, 57, 57, 57, 57), (76, 40, 40, 4, 76), (40, 76, 20, 20, 76)])
@pytest.mark.parametrize("below", ["\n____\nlamps@x.example\n", "\n\nUnsubscribe\nhttps://x.example/u\n"])
def test_base64_without_padding_is_read_to_its_end(size: int, widths: tuple[int, ...], below: str) -> None:
    text = ("Die Lampe ist kaputt. " * 20)[:size]
    encoded = b64encode(text.encode()).decode().rstrip("=")
    body = "\n".join(filter(None, [encoded[sum(widths[:k]) :][:width] for k, width in enumerate(widths)]))
    for newline in ("\n", "\r\n"):
        assert _from_base64(f"{body}{below}".replace("\n", newline)) == text.strip()


@pytest.mark.parametrize("odd", ["\n ", "!\n ", "\0", "\f\n", "\n\n", "\n- \n"])
@pytest.mark.parametrize("below", ["", "_____\nSupport mailing list\n", "\n-- \nTo unsubscribe, write to us.\n"])
def test_what_is_no_base64_within_it_cuts_nothing(odd: str, below: str) -> None:
    """Text stands below the last line of base64's length and a shorter one."""
    text = "Für uns läuft der Drucker nicht. " * 12
    encoded = encodebytes(text.encode()).decode()
    assert _from_base64(f"{encoded[:200]}{odd}{encoded[200:]}{below}") == text.strip()


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


TRACE = "Return-Path: <a@b>\nReceived: from c\n by d; Mon, 27 Feb 2017 13:21:44 +0930\nResent-From: <p@b>\n"
HEAD = "Message-Id: <1@b>\nFrom: Ann <ann@b>\nSubject: Invoice\nDate: Mon, 27 Feb 2017 04:51:29 +0100\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_header_may_go_on_below_a_blank_line(gap: str, newline: str) -> None:
    """What passes mail on may end with one what it adds above the header."""
    for body in (PLAIN, HTML, multipart("mixed", "m", PLAIN)):
        mail = clean_message(f"{TRACE}{gap}{HEAD}{body}".replace("\n", newline).encode())
        found = (mail.text, mail.subject, mail.message_id, str(mail.date))
        assert found == (SAID, "Invoice", "1@b", "2017-02-27 03:51:29+00:00")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (TRACE, f"Hello,\n\n{SAID}"),
        (TRACE, f"From: Mumbai\nTo: Pune\nDate: 12 March\n\n{SAID}"),
        (f"{TRACE}Subject: x\n", f"{HEAD}\n{SAID}"),
        (f"{TRACE}Content-Type: message/rfc822\n", f"{HEAD}\n{SAID}"),
    ],
)
def test_a_text_that_opens_with_fields_is_no_header(header: str, text: str) -> None:
    mail = clean_message(f"{header}\n{text}".encode())
    assert SAID in mail.rendering
    assert mail.subject != "Invoice"


NOTICE = "Messaggio di posta certificata\n\nIl messaggio originale è incluso in allegato."
PROVIDER = (
    "From: Per conto di: m@pec.example.it <posta-certificata@pec.example.it>\nSubject: POSTA CERTIFICATA: Offerta\n"
)
CARRIED = "Accettiamo la vostra offerta del 20 settembre."


def certified(field: str, name: str = "postacert.eml", body: str = f"{PLAIN.replace(SAID, CARRIED)}") -> bytes:
    """A provider's mail, signed by it, that carries another one."""
    inner = f"From: Mario Rossi <m@firm.example.it>\nSubject: Offerta\nDate: Mon, 2 Oct 2017 12:13:40 +0200\n{body}"
    parts = (
        multipart("alternative", "a", PLAIN.replace(SAID, NOTICE), HTML.replace(SAID, NOTICE)),
        'Content-Type: application/xml; name="daticert.xml"\n\n<xml/>\n',
        f"Content-Type: message/rfc822; name={name}\nContent-Disposition: inline; filename={name}\n\n{inner}",
    )
    signature = "Content-Type: application/pkcs7-signature; name=smime.p7s\n\nMIAG\n"
    return f"{field}{PROVIDER}{multipart('signed', 's', multipart('mixed', 'm', *parts), signature)}".encode()


@pytest.mark.parametrize("kind", ["posta-certificata", "errore", "Posta-Certificata"])
def test_certified_mail_is_the_one_that_its_provider_carries(kind: str) -> None:
    mail = clean_message(certified(f"X-Trasporto: {kind}\n"))
    assert (mail.text, mail.subject, mail.rendering.strip()) == (CARRIED, "Offerta", CARRIED)
    assert (str(mail.date), mail.sender_domain) == (
        "2017-10-02 10:13:40+00:00",
        clean_message(b"From: m@firm.example.it\n\nx").sender_domain,
    )
    with pytest.raises(RejectedMessage, match="no_text"):
        clean_message(certified(f"X-Trasporto: {kind}\n", body="Content-Type: application/pdf\n\nx\n"))


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("X-Ricevuta: avvenuta-consegna\n", "postacert.eml"),
        ("X-Trasporto: posta-certificata\nX-Ricevuta: avvenuta-consegna\n", "postacert.eml"),
        ("", "postacert.eml"),
        ("X-Trasporto: posta-certificata\n", "other.eml"),
    ],
)
def test_a_receipt_for_certified_mail_is_its_providers(field: str, name: str) -> None:
    """So is what only holds a file of that name, or another mail."""
    mail = clean_message(certified(field, name))
    assert (mail.text, mail.subject) == (NOTICE, "POSTA CERTIFICATA: Offerta")
    assert CARRIED in mail.rendering
