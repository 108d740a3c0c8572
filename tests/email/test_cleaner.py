"""The whole cleaner: golden mails of common programs, and what holds for every message."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill import schemas
from mailmill.email import CleanMessage, CleanOptions, clean_message, clean_messages, clean_text
from mailmill.email.cleaner import TOGETHER, TOGETHER_BYTES
from mailmill.errors import RejectedMessage
from tests.email.samples import html_mail, raw_mail

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.eml"))
#: name, kind, raw (bytes as Latin-1), expected (texts that are right) and missed (none of them comes out, yet).
CLIENTS = [
    pytest.param(mail, id=mail["name"], marks=[pytest.mark.xfail(strict=True)] if "missed" in mail else [])
    for mail in map(json.loads, (Path(__file__).parent / "golden" / "clients.jsonl").read_text("utf-8").splitlines())
]


def check(mail: CleanMessage) -> None:
    """What is promised of every cleaned message."""
    position = 0
    for span in mail.spans:
        assert span.zone in schemas.ZONES
        assert span.start == position < span.end
        assert span.rule
        position = span.end
    assert position == len(mail.rendering)
    for value in (mail.text, mail.rendering, mail.subject, mail.sender_domain, mail.message_id):
        value.encode("utf-8")
    assert "\n" not in mail.subject
    assert 0.0 <= mail.confidence <= 1.0
    assert mail.date is None or mail.date.tzinfo is UTC
    runs = groupby(mail.spans, key=lambda span: span.zone == "body")
    bodies = ["".join(mail.rendering[s.start : s.end] for s in run).strip("\n") for body, run in runs if body]
    assert mail.text == "\n\n".join(bodies).strip()


def outcome(raw: bytes) -> CleanMessage | str:
    """The cleaned message, checked, or the reason of its rejection."""
    try:
        mail = clean_message(raw)
    except RejectedMessage as error:
        return error.reason
    check(mail)
    return mail


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_mail(path: Path) -> None:
    mail = clean_message(path.read_bytes())
    check(mail)
    assert mail.text == path.with_suffix(".txt").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("mail", CLIENTS)
def test_mail_of_many_programs(mail: dict[str, Any]) -> None:
    """Whole mails in seven languages and more, written to trap a cleaner; those that do are marked as missed."""
    try:
        found = clean_message(mail["raw"].encode("latin-1"))
    except RejectedMessage:
        assert "" in mail["expected"]
        return
    check(found)
    assert found.text in mail["expected"]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (
            '<div class="moz-cite-prefix">On 4/3/2025 10:00, Bob wrote:</div><blockquote type="cite"><p>Earlier.</p>'
            '<div id="divRplyFwdMsg">From: Ada</div><p>Old.</p></blockquote><p>My answer stands here.</p>',
            "My answer stands here.",
        ),
        (
            '<div id="Signature"><p>Dear Bob,</p><p>The lamp broke on Monday and nobody answers.</p><p>Ada</p></div>',
            "The lamp broke on Monday and nobody answers.",
        ),
        (
            '<div>\u200b</div><div class="gmail_quote"><div class="gmail_attr">On Tue Bob wrote:</div>'
            '<blockquote class="gmail_quote">Old words of Bob here.</blockquote></div>',
            "",
        ),
        (
            '<p>I agree with this.</p><blockquote><blockquote type="cite">Earlier words.</blockquote></blockquote>',
            "I agree with this.",
        ),
        (
            '<p>We want <a id="q" href="https://app.example/stopspelling">it</a> returned.</p><p>All of it.</p>',
            "We want it returned.\n\nAll of it.",
        ),
        (
            '<div>It broke.<div name="quote"><b>Von:</b> Bob &lt;b@x.example&gt;<br><b>An:</b> Ada<br><b>Betreff:</b> x'
            '<div name="quoted-content">Old words.</div></div></div><p>My <a name="quote">answer</a> is here.</p>'
            '<h2 name="quote">My quote</h2><table name="quote"><tr><td>Ten pounds.</td></tr></table>',
            "It broke.\n\nMy answer is here.\n\nMy quote\n\nTen pounds.",
        ),
        (
            '<p>The lamp broke.</p><p><img src="cid:1" alt="A lamp&#10;&#10;Description automatically generated"></p>',
            "The lamp broke.",
        ),
        (
            '<div name="messageBodySection">It broke.</div><div name="messageSignatureSection">The small red house, by '
            'the lake</div><div name="messageReplySection">On Sep 29, 2025 at 7:25 PM -0400, Bob &lt;b@x.example&gt;, '
            'wrote:<br><blockquote type="cite">When did it break?</blockquote><div>It broke on Monday.</div></div>',
            "It broke.\n\nIt broke on Monday.",
        ),
        (
            '<div name="messageReplySection"><div>All I wrote stands in here, below nothing.</div></div>',
            "All I wrote stands in here, below nothing.",
        ),
        (
            '<p>Dear Bob,</p><div class="domino-section"><div class="domino-section-head">Lamp</div>'
            '<div class="domino-section-body">It broke on Monday, and nobody answers.</div></div>',
            "It broke on Monday, and nobody answers.",
        ),
        (
            '<p>We agree.</p><div style="padding-top:5px;border-top-color:rgb(229, 229, 229);border-top-width:1px">'
            "<b>Från:</b> Bob<br><b>Skickat:</b> den 3 mars 2025 10:00</div><p>Old words.</p>",
            "We agree.",
        ),
        (
            '<p>It broke.</p><div id="mail-editor-reference-message-container"><div id="divRplyFwdMsg">From: S<br>'
            "Sent: Monday<br>To: Ada<br>Subject: x</div><p>When?</p></div><p>On Monday.</p>",
            "It broke.\n\nOn Monday.",
        ),
        (
            '<div class="ms-outlook-mobile-reference-message skipProofing"><b>Od:</b> Bob<br>When?</div>On Monday.',
            "On Monday.",
        ),
        (
            '<p>It broke.</p><div class="freshdesk_quote"><div>Od: Bob</div><blockquote class="freshdesk_quote">When?'
            "</blockquote>On Monday.</div>",
            "It broke.\n\nOn Monday.",
        ),
        (
            '<p>It broke.</p><div class="sh-quoted-content"><p>Bob, 4 marca:</p><p>When did it break?</p></div>',
            "It broke.",
        ),
        (
            '<p>Elle casse.</p><blockquote style="padding-left:5px;margin-left:5px;border-left:2px solid #ff6600;">'
            "<p>&gt; Message du 04/03/25 09:14<br>&gt; De : Bob &lt;b@x.example&gt;</p><p>Vieux mots.</p></blockquote>",
            "Elle casse.",
        ),
    ],
    ids=[
        "answer-below-outlook",
        "within-signature",
        "zero-width-above-quote",
        "quote-in-quote",
        "address",
        "answer-below-gmx",
        "picture",
        "spark",
        "spark-reply-alone",
        "notes-section",
        "windows-mail",
        "answer-below-new-outlook",
        "answer-below-outlook-on-telephones",
        "answer-below-freshdesk",
        "superhuman",
        "orange",
    ],
)
def test_the_authors_words_of_markup(markup: str, text: str) -> None:
    mail = outcome(html_mail(markup))
    assert isinstance(mail, CleanMessage)
    assert mail.text == text


REFERENCE_ID = 'id="mail-editor-reference-message-container"'
SAID = "The lamp broke on Monday and nobody answers."


@pytest.mark.parametrize(
    "markup",
    [
        f'<div><br></div><div id="ms-outlook-mobile-signature">{SAID}<br><br>Get <a href="x">Outlook for iOS</a></div>',
        f'<div id="Signature"><p>Hello,</p><p>{SAID}</p></div><div>Sent from my iPhone</div>',
        f'<div id="Signature"><p>{SAID}</p></div><div id="ms-outlook-mobile-signature">Get Outlook for iOS</div>',
        f'<div>Hi,</div><div id="AppleMailSignature" dir="ltr">{SAID}<br><br>Sent from my iPhone</div>',
        f'<div>Hi Bob,<div class="gmail_signature">{SAID}<br>Ada</div></div>',
        f'<div id="Signature"><p>Bob,</p><p>{SAID}</p></div><p>This e-mail is confidential and intended for you.</p>',
    ],
)
@pytest.mark.parametrize(
    "quote",
    [
        "",
        '<hr><div id="divRplyFwdMsg">From: S<br>Sent: Monday<br>To: Ada<br>Subject: x</div><div>Old words.</div>',
        '<p>On Mar 3, 2025, at 10:00, S &lt;s@x.example&gt; wrote:</p><blockquote type="cite">Old words.</blockquote>',
        "<p>From: S &lt;s@x.example&gt;<br>Date: 3 Mar 2025 at 10:00<br>To: Ada<br>Subject: x</p><p>Old words.</p>",
    ],
    ids=["new", "outlook", "apple", "fields"],
)
def test_a_message_typed_into_a_signature_is_one(markup: str, quote: str) -> None:
    assert clean_message(html_mail(markup + quote)).text == SAID


@pytest.mark.parametrize("name", ['class="ms-outlook-mobile-reference-message"', REFERENCE_ID])
@pytest.mark.parametrize(
    "header",
    [
        "<b>Von: </b>b@x.example<br><b>Gesendet: </b>Freitag, 4. September 2026 11:30<br><b>Betreff: </b>Lampe",
        "<hr><p><b>From:</b> Bob<br><b>Date:</b> Friday<br><b>To:</b> Ada<br><b>Subject:</b> Lamp</p>",
        "<b>Od: </b>Bob &lt;b@x.example&gt;<br><b>Data: </b>wtorek, 4 marca 2025 09:14<br><b>Temat: </b>Lampa",
    ],
)
@pytest.mark.parametrize("said", ["Danke!", "It broke on Monday, and I want my money back."])
def test_what_stands_below_a_header_that_outlooks_telephones_name_is_quoted(name: str, header: str, said: str) -> None:
    head = f"<div>{said}</div><div {name}>{header}</div>"
    assert clean_message(html_mail(f"{head}<div>Old words of theirs.</div><div>More of them.</div>")).text == said
    quote = f"<div {REFERENCE_ID}><div {name}>{header}</div><div>Old words of theirs.</div></div>"
    assert clean_message(html_mail(f"{quote}<div>The lid, too.</div>")).text == "The lid, too."


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("<p>Hi Bob,</p><p>Refund please!</p><p>Ada</p>", "Refund please!"),
        ("<p>Ada Byron</p><p>We work from Monday to Friday, from nine to five.</p>", ""),
        ("<p>Kind regards,</p><p>We work from Monday to Friday, from nine to five.</p>", ""),
        ("<p>Liebe Grüße</p><p>Dr. A. B.</p>", ""),
        ("<p>We build engines, and have done so for years.</p><p>Tel. 030 123456</p></div><div>It broke.", "It broke."),
        ("<p>Sent from my phone, so please excuse what it makes of my words.</p>", ""),
    ],
)
def test_a_signature_alone_is_a_message_where_it_says_something(signature: str, text: str) -> None:
    assert clean_message(html_mail(f'<div id="Signature">{signature}</div>')).text == text


CARD = "Ada Byron<br>07700 900123"
ELEMENTS = [
    'class="gmail_signature"',
    'id="Signature"',
    'class="moz-signature"',
    'id="ms-outlook-mobile-signature"',
    'id="AppleMailSignature"',
    'class="protonmail_signature_block"',
    'name="messageSignatureSection"',
    'data-marker="__SIG_PRE__"',
]


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("signature", ["<p>{}</p><p>{}</p>", "{1}<br><br>{0}", "{}<br>Kind regards<br>{}"])
def test_what_is_typed_into_a_signature_goes_on_with_the_text(element: str, signature: str) -> None:
    markup = f"<div>Hello,</div><p>First the good news.</p><div {element}>{signature.format(SAID, CARD)}</div>"
    assert " ".join(clean_message(html_mail(markup)).text.split()) == f"First the good news. {SAID}"


@pytest.mark.parametrize(
    "said",
    [
        "Is that normal?",
        "Die Lampe ist kaputt.",
        "Je veux un remboursement.",
        "La lámpara no funciona.",
        "Voglio i miei soldi indietro.",
        "A luminária não funciona.",
        "De lamp is kapot.",
    ],
)
def test_what_is_typed_below_a_telephones_tag_stays(said: str) -> None:
    tag = '<div id="AppleMailSignature">Sent from my iPhone{}</div>'
    assert clean_message(html_mail(f"It came.{tag.format('<br>' + said)}")).text.split("\n")[-1] == said
    below = tag.format("") + f'<div id="AppleMailSignature"><br></div><div id="AppleMailSignature">{said}</div>'
    assert clean_message(html_mail(f"It came.{below}")).text.split("\n")[-1] == said


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(
    "below",
    [
        "",
        "<br>I work from Monday to Wednesday.",
        "<br><br>“Be yourself; everyone else is already taken.”<br>Oscar Wilde",
        "<br><br>Please consider the environment before printing this e-mail.",
        "<br><br>This e-mail is confidential. If it is not for you, delete it.<br><br>We are not liable for its loss.",
        "<br><br>My office is at 12 High Street, London SW1A 1AA",
    ],
)
def test_what_a_signature_holds_below_a_text_goes(element: str, below: str) -> None:
    assert clean_message(html_mail(f"<p>{SAID}</p><div {element}>{CARD}{below}</div>")).text == SAID


@pytest.mark.parametrize("element", ELEMENTS[:3])
@pytest.mark.parametrize(
    "card",
    [
        "Ada Byron<br>Sales Manager, Firm Ltd<br>Tel. 020 7946 0018",
        "Ada Byron<br>Firm<br>Tel. 020 7946 0018",
        "Ada Byron<br>www.firm.example",
        "Ada Byron<br>Vertrieb<br><br>Tel. 030 1234567",
    ],
)
@pytest.mark.parametrize(
    "slogan",
    [
        "We are hiring! Check our open positions.",
        "Did you know that we plant a tree for every order?",
        "I work flexibly and do not expect an answer outside your hours.",
        "Ich arbeite von Montag bis Mittwoch.",
        "Life is short. Eat the cake.<br><br>We are sorry for delays.",
    ],
)
def test_a_firms_slogans_below_its_card_go(element: str, card: str, slogan: str) -> None:
    markup = f"<p>{SAID}</p><div {element}>{card}<br><br>{slogan}</div>"
    assert clean_message(html_mail(markup)).text == SAID
    tagged = f"<p>{SAID}</p><div {element}>{card}<br><br>Sent from my iPhone<br><br>The lid is missing.</div>"
    assert clean_message(html_mail(tagged)).text == f"{SAID}\n\nThe lid is missing."


@pytest.mark.parametrize(
    "mark", ["\u200b", "\ufeff", "\u2060 ", "\u200e", " \u200b\u200d", "\u202a", "\u202b", "\u2068"]
)
def test_zero_width_characters_at_the_edge_of_a_line_hide_nothing(mark: str) -> None:
    body = f"The lamp broke on Monday and nobody answers my letters.\n\nنمی\u200cخواهم{mark}"
    quote = f"{mark}On Tue, Mar 4, 2025 at 9:14 AM Bob <b@x.example> wrote:\n{mark}\n> Old words of Bob.\n"
    text = f"{mark}Dear Bob,\n\n{body}\n\n{mark}Kind regards,\n{mark}Ada\n{mark}\n{quote}"
    assert clean_text(text, "Ada Byron <ada@firm.example>") == body.strip()
    assert clean_text(f"{mark}\n\n{quote}") == ""


def test_marks_of_direction_around_names_hide_no_quote() -> None:
    header = "\u202bOn Tue, Mar 4, 2025 at 9:14 AM \u202aShop\u202c <s@shop.example> \u2068wrote\u2069:\u202c"
    for words in ("> Old words.", "\u202b> Old words.\u202c", "Old words."):
        assert clean_text(f"\u202aThe lamp broke.\u202c\n\n{header}\n\n{words}\n") == "\u202aThe lamp broke.\u202c"


def test_many_messages_come_out_one_by_one_as_each_alone() -> None:
    large = raw_mail("word " * (TOGETHER_BYTES // 4))
    some = [*(path.read_bytes() for path in GOLDEN), b"", large, b"no header", large, raw_mail("Well.\n\nAda")]
    raws = (some * TOGETHER)[: 3 * TOGETHER + 1]
    together = list(clean_messages(iter(raws), CleanOptions(sender_domain="keep")))
    assert len(together) == len(raws)
    for raw, found in zip(raws, together, strict=True):
        if isinstance(found, RejectedMessage):
            assert found.reason == outcome(raw)
        else:
            assert found == clean_message(raw, CleanOptions(sender_domain="keep"))
    assert {found.reason for found in together if isinstance(found, RejectedMessage)} == {"empty", "not_mail"}
    assert list(clean_messages([])) == []


def test_header_fields() -> None:
    path = next(path for path in GOLDEN if path.stem == "gmail")
    mail = clean_message(path.read_bytes(), CleanOptions(sender_domain="keep"))
    assert mail.message_id == "CA+1@mail.gmail.example"
    assert mail.date == datetime(2025, 3, 4, 8, 12, 44, tzinfo=UTC)
    assert mail.sender_domain == "gmail.example"
    assert mail.subject == "Re: Your order 4711"
    assert mail.language == "en"


def test_sender_domain_is_hashed_unless_asked_otherwise() -> None:
    raw = raw_mail("Hello world, this is a test.", sender="Ada <ada@Firm.Example>")
    hashed = clean_message(raw).sender_domain
    assert len(hashed) == 16
    assert "firm" not in hashed
    assert clean_message(raw, CleanOptions(sender_domain="keep")).sender_domain == "firm.example"
    assert clean_message(raw, CleanOptions(sender_domain="drop")).sender_domain == ""
    assert clean_message(raw_mail("Some text.", sender="nobody")).sender_domain == ""


def test_thread_is_the_root_message() -> None:
    root = clean_message(raw_mail("First.", Message_ID="<root@x>"))
    reply = clean_message(raw_mail("Second.", Message_ID="<b@x>", In_Reply_To="<root@x>"))
    third = clean_message(raw_mail("Third.", Message_ID="<c@x>", References="<root@x>\n <b@x>"))
    lone = clean_message(raw_mail("Without an identifier."))
    assert root.thread == reply.thread == third.thread != lone.thread
    assert len(lone.thread) == 32


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\n\t ", "empty"),
        (b"just some words\nwithout any header\n", "not_mail"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504) + b"\nFrom: a@b\nSubject: x\n\nProperties", "not_mail"),
        (b"From: a@b\nSubject: x\n\n", "no_text"),
        (b"From: a@b\nSubject: x\n\n \n\n", "no_text"),
        (b"From: a@b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n", "no_text"),
        (html_mail("<style>p {}</style><p>&nbsp;</p><img src=x width=1 height=1>"), "no_text"),
    ],
)
def test_rejects(raw: bytes, reason: str) -> None:
    with pytest.raises(RejectedMessage) as caught:
        clean_message(raw)
    assert caught.value.reason == reason
    assert reason in schemas.REJECT_REASONS


def test_too_large_is_rejected_and_long_text_is_cut() -> None:
    raw = raw_mail("word " * 1000)
    with pytest.raises(RejectedMessage) as caught:
        clean_message(raw, CleanOptions(max_message_bytes=1000))
    assert caught.value.reason == "too_large"
    mail = clean_message(raw, CleanOptions(max_rendered_chars=100))
    assert "truncated" in mail.flags
    assert len(mail.rendering) == 100


def test_a_text_of_many_parts_is_cut() -> None:
    part = b"--q\nContent-Type: text/%s\n\n<p>Words here.</p>\n"
    for kinds in ((b"plain", b"plain", b"plain"), (b"html", b"plain", b"html")):
        parts = b"".join(part % kind for kind in kinds)
        raw = b"From: a@x.org\nContent-Type: multipart/mixed; boundary=q\n\n" + parts + b"--q--\n"
        mail = clean_message(raw, CleanOptions(max_rendered_chars=30))
        assert (len(mail.rendering), mail.flags) == (30, ("truncated",))
        assert mail.spans[-1].end == 30


def test_a_wrapping_quote_element_does_not_delete_the_reply() -> None:
    mail = clean_message(html_mail('<div class="gmail_quote"><p>All I wrote stands in here.</p></div>'))
    check(mail)
    assert mail.text == "All I wrote stands in here."
    assert "kept_low_confidence" in mail.flags
    assert mail.confidence < 0.6


@pytest.mark.parametrize(
    "quote", ['<blockquote type="cite">{}</blockquote>', "<blockquote>{}</blockquote>", "<p>{}</p>"]
)
@pytest.mark.parametrize("blank", [" ", "&nbsp;"])
def test_a_line_shared_with_an_attribution_is_parted(blank: str, quote: str) -> None:
    attribution = "On Tue, Mar 4, 2025 at 10:12 AM Bob &lt;b@x.example&gt; wrote:"
    mail = clean_message(html_mail(f"<div>{SAID}{blank}<span>{attribution}</span>{quote.format('When?')}</div>"))
    check(mail)
    assert mail.text == SAID
    assert [span.zone for span in mail.spans if span.zone != "blank"] == ["body", "header", "quoted"]


def test_thanks_alone_is_kept() -> None:
    mail = clean_message(raw_mail("Thanks!\n\nAda\n"))
    assert mail.text.startswith("Thanks!")
    assert "kept_low_confidence" in mail.flags


def test_attached_message_is_forwarded() -> None:
    raw = (
        b"From: a@b.example\nContent-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: text/plain\n\n"
        b"What do you make of this?\n--q\nContent-Type: message/rfc822\n\nFrom: c@d.example\n\nTheir words.\n--q--\n"
    )
    mail = clean_message(raw)
    check(mail)
    assert mail.text == "What do you make of this?"
    assert any(s.zone == "forwarded" and "Their words." in mail.rendering[s.start : s.end] for s in mail.spans)


def test_same_bytes_same_result() -> None:
    for path in GOLDEN:
        assert clean_message(path.read_bytes()) == clean_message(path.read_bytes())


WORDS = [
    "river",
    "meeting",
    "budget",
    "green",
    "Tuesday",
    "because",
    "they",
    "found",
    "old",
    "report",
    "Straße",
    "été",
    "42",
    "3.5",
]
sentence = st.lists(st.sampled_from(WORDS), min_size=7, max_size=14).map(lambda w: "We " + " ".join(w) + ".")
paragraph = st.lists(sentence, min_size=1, max_size=4).map("\n".join)


@given(st.lists(paragraph, min_size=1, max_size=5).map("\n\n".join))
def test_clean_text_is_left_alone(text: str) -> None:
    assert clean_text(text) == text
    assert clean_text(f"\n\n{text}\n \n") == text


def test_clean_text_takes_the_sender() -> None:
    assert clean_text.wants_sender is True
    text = "Please send the file again, it was empty.\n\nada b"
    assert clean_text(text) == text
    assert clean_text(text, "Ada B <ada@firm.example>") == "Please send the file again, it was empty."


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(noise: bytes) -> None:
    for raw in (noise, b"Subject: x\n\n" + noise, b"Content-Type: text/html\n\n" + noise, b"Content-Type: " + noise):
        found = outcome(raw)
        assert isinstance(found, CleanMessage) or found in schemas.REJECT_REASONS


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    clean_text(text).encode("utf-8")


FRAGMENTS = [
    b"\r\n\r\n", b"--", b"\0", b"\xff\xfe", b"=?utf-8?b?", b"=?x", b"charset=utf-7", b"charset=utf-16", b"charset=idna",
    b"\nContent-Transfer-Encoding: base64\n", b"\n>", b"<div>", b"<!--", b"&#x110000;", b"\xed\xa0\x80", b"+2AA-",
    b"\nContent-Type: message/rfc822\n\n", b"\nDate: Mon, 99 Foo 99999 99:99:99 +9999\n", b"format=flowed",
    b"\nOn x wrote:\n",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(GOLDEN))
def test_mutated_mail(seed: int, path: Path) -> None:
    draw = random.Random(seed)
    raw = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 10)):
        at = draw.randrange(len(raw) + 1)
        choice = draw.random()
        if choice < 0.4:
            raw[at:at] = draw.choice(FRAGMENTS)
        elif choice < 0.7:
            del raw[at : at + draw.randint(0, 150)]
        else:
            raw[at : at + 20] = draw.randbytes(20)
    found = outcome(bytes(raw))
    assert isinstance(found, CleanMessage) or found in schemas.REJECT_REASONS


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "body",
    [
        "x" * 500_000,
        ">" * 100_000,
        "> a\n" * 50_000,
        "To: a@b.example\n" * 20_000,
        "On x@y.example wrote\n" * 20_000 + "wrote:",
        "a:\n" * 50_000,
        "-" * 200_000,
        "thanks " * 50_000,
        "Thanks,\n" * 20_000,
        "( " * 100_000,
        "@" * 100_000,
        "1-" * 100_000,
        "x\n\n[1] y\n\n" * 80_000,
        "x\n\n" + "[1] y\n\n" * 80_000,
        "x\n\n" * 40_000 + "see [a]\n\n" + "[a] y\n\n" * 40_000,
        "| a |\n" * 80_000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_long_and_repetitive_bodies_take_linear_time(body: str) -> None:
    check(clean_message(raw_mail(body)))


@pytest.mark.timeout(60)
def test_deep_multiparts_do_not_crash() -> None:
    raw = b"From: a@b\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(2000)
    )
    found = outcome(raw + b"Content-Type: text/plain\n\ndeep\n")
    assert isinstance(found, CleanMessage) or found == "no_text"


def test_real_mail(shared_data: Path) -> None:
    column = pq.read_table(shared_data / "spamassassin.parquet", columns=["raw"]).column("raw")
    found = [outcome(raw) for raw in column.to_pylist()]
    mails = [mail for mail in found if isinstance(mail, CleanMessage)]
    assert {reason for reason in found if isinstance(reason, str)} <= {"no_text"}
    assert len(found) - len(mails) < 10
    assert sum(bool(mail.text) for mail in mails) > 4350
