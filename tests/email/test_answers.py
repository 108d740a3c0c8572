"""Answers inside a quote: told by their colour where they are announced, and else a flag."""

from __future__ import annotations

import pytest

from mailmill.email import clean_message
from mailmill.email.answers import ANY, announced, hue_of
from tests.email.linear import assert_doubles
from tests.email.samples import html_mail, raw_mail

QUOTES = [
    '<blockquote type="cite">{}</blockquote>',
    '<div class="gmail_quote"><blockquote class="gmail_quote">{}</blockquote></div>',
    '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">From: S<br>Sent: Monday<br>To: Ada<br>Subject: x</div>{}',
    '<div id="mail-editor-reference-message-container"><b>From:</b> S<br><b>Sent:</b> Monday<br>{}</div>',
    '<div style="border:none;border-top:solid #E1E1E1 1.0pt"><p>From: S<br>Sent: Monday<br>To: Ada</p></div>{}',
]
ANSWERED = (
    '<p>What colour is it?</p><p style="color:red">It is <b>black</b>.</p><p>When did it break?</p>'
    '<p><span style="font-size:11pt; color: rgb(192, 0, 0)">On Monday.</span></p>'
    '<p><a href="https://x.example"><font color="#ff0000">Our shop</font></a></p><p style="color:#1F497D">Regards</p>'
)
ANNOUNCED = {
    "See my answers in red.": "red",
    "Hi Bob, please find our replies below in red, and call me.": "red",
    "Comments inline": ANY,
    "Hi Bob,\nsee comments below, please.": ANY,
    "Siehe Kommentare unten": ANY,
    "Voir mes commentaires ci-dessous, merci": ANY,
    "Mis respuestas abajo.": ANY,
    "Le mie risposte sono qui sotto.": ANY,
    "Veja os comentários abaixo.": ANY,
    "Siehe meine Antworten in rot.": "red",
    "Meine Antworten stehen unten, in blau.": "blue",
    "Mes réponses en rouge ci-dessous.": "red",
    "Respuestas en rojo.": "red",
    "Vedi risposte in verde.": "green",
    "As respostas estão abaixo, em vermelho.": "red",
    "Zie mijn antwoorden in het rood.": "red",
    "Mijn opmerkingen staan hieronder.": ANY,
}


@pytest.mark.parametrize(("text", "hue"), ANNOUNCED.items())
def test_answers_are_announced_in_every_language(text: str, hue: str) -> None:
    assert announced(text) == hue


@pytest.mark.parametrize(
    "text",
    [
        "Your answers below are wrong.",
        "I ordered the lamp in red.",
        "I expect answers within 14 days.",
        "I read your comments. The lamp in red is fine.",
        "Ihre Antworten unten sind falsch.",
        "Vos réponses ci-dessous sont fausses.",
        "Thanks for the responses below. I disagree.",
        "I read all the comments below and I am angry.",
        "Look at the remarks below, they are an insult.",
        "Responses below, they are an insult.",
        "Keine der Antworten unten hilft mir.",
        "Les réponses ci-dessous ne m'aident pas.",
        "Las respuestas abajo no me sirven.",
        "Le risposte qui sotto non aiutano.",
        "As respostas abaixo não ajudam.",
        "De antwoorden hieronder helpen niet.",
        "See below.",
        "",
    ],
)
def test_what_announces_no_answers(text: str) -> None:
    assert announced(text) == ""


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize("text", [text for text, hue in ANNOUNCED.items() if hue in ("red", ANY)])
def test_announced_answers_in_a_colour_are_the_authors(quote: str, text: str) -> None:
    mail = clean_message(html_mail(f"<p>{text}</p>{quote.format(ANSWERED)}"))
    assert mail.text.removeprefix(text).split("\n\n")[-2:] == ["It is black.", "On Monday."]
    assert "What colour" not in mail.text
    assert "answers_unseen" not in mail.flags


@pytest.mark.parametrize("quote", QUOTES)
def test_a_colour_says_nothing_where_no_answers_are_announced_in_it(quote: str) -> None:
    assert clean_message(html_mail(f"<p>It broke again.</p>{quote.format(ANSWERED)}")).text == "It broke again."
    mail = clean_message(html_mail(f"<p>My answers are in blue.</p>{quote.format(ANSWERED)}"))
    assert mail.text == "My answers are in blue."
    assert "answers_unseen" in mail.flags
    assert mail.confidence < 0.5


def test_a_colour_above_the_quote_keeps_no_signature() -> None:
    signed = '<p>My answers are in red.</p><p style="color:red">Kind regards<br>Ada</p>'
    text = clean_message(html_mail(signed + QUOTES[0].format(ANSWERED))).text
    assert text == "My answers are in red.\n\nIt is black.\n\nOn Monday."


def test_answers_that_nothing_marks_are_flagged() -> None:
    header = "From: S <s@x.example>\nSent: 4 March 2025 09:14\nTo: Ada\nSubject: x\n\n"
    mail = clean_message(raw_mail(f"My answers are below.\n\n{header}When did it break?\nOn Monday.\n"))
    assert "answers_unseen" in mail.flags
    marked = clean_message(raw_mail("My answers are below.\n\nBob wrote:\n> When did it break?\n\nOn Monday.\n"))
    assert "answers_unseen" not in marked.flags


@pytest.mark.parametrize(
    ("attributes", "hue"),
    [
        (' style="color:#F00"', "red"),
        (' style="background:#fff;color:#00B050"', "green"),
        (' color="0070C0"', "blue"),
        (' style="color:rgba(0, 0, 255, 1)"', "blue"),
        (' style="background-color:red"', ""),
        (' bgcolor="red"', ""),
        (' style="color:#500050"', ""),
        (' style="color:#1F497D"', ""),
        (' style="color:windowtext"', ""),
    ],
)
def test_hues(attributes: str, hue: str) -> None:
    assert hue_of(attributes) == hue


@pytest.mark.parametrize("piece", ["answers ", "your answers below ", "answers in re", "réponses en "])
def test_announcements_take_linear_time(piece: str) -> None:
    assert_doubles(announced, piece * 400, piece * 800)
