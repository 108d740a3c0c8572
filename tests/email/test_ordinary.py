"""Ordinary mail in seven languages, as people and their programs write it: nothing but the author's words is left.

The parts stand in `ordinary/`, a file a language; `LAYOUTS` says how programs put them together. What annotated mail
cannot tell, because it is English and old, shows here, and so does what a new rule takes from mail that nobody thought
of when it was written.
"""

from __future__ import annotations

import html
import tomllib
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mailmill.email import clean_message
from mailmill.email.patterns import LANGUAGES
from tests.email.samples import html_mail, raw_mail

FOLDER = Path(__file__).parent / "ordinary"
QUOTED = "We are sorry to hear that.\n\nRegards\nShop"
ADA, DESK = "Ada Byron <ada@firm.example>", "Support Team <desk@firm.example>"


class Parts(NamedTuple):
    """One mail in parts. `headers` are the quoted mail's, as Outlook writes them; `footer` is a mailing list's."""

    greeting: str
    body: str
    signoff: str
    signature: str
    postscript: str
    disclaimer: str
    mobile: str
    attribution: str
    headers: str
    forwarded: str
    footer: str
    caution: str

    @property
    def letter(self) -> str:
        """The mail down to the author's name."""
        return f"{self.greeting}\n\n{self.body}\n\n{self.signoff}\nAda Byron"

    @property
    def signed(self) -> str:
        return f"{self.letter}\n{self.signature}"

    @property
    def outlook(self) -> str:
        """The quoted mail below its headers."""
        return f"{self.headers}\n\n{QUOTED}"


def marked(text: str) -> str:
    return "".join(f"> {line}".rstrip() + "\n" for line in text.split("\n"))


def markup(text: str, attributes: str = "") -> str:
    """Paragraphs of HTML for those of a text."""
    lines = [html.escape(paragraph).replace("\n", "<br>") for paragraph in text.split("\n\n")]
    return "\n".join(f"<p{attributes}>{line}</p>" for line in lines)


def divisions(text: str) -> str:
    """A <div> a line, as Gmail and Apple Mail write."""
    return "".join(f"<div>{html.escape(line) or '<br>'}</div>" for line in text.split("\n"))


def table(text: str) -> str:
    """A signature as designers make it: a logo beside rows."""
    rows = "".join(f"<tr><td>{html.escape(line)}</td></tr>" for line in text.split("\n") if line)
    logo = '<img src="cid:logo" alt="logo">'
    return f"<table><tr><td>{logo}</td><td><table>{rows}</table></td></tr></table>"


def gmail(p: Parts) -> bytes:
    attribution = f'<div dir="ltr" class="gmail_attr">{html.escape(p.attribution)}<br></div>'
    quote = f'<blockquote class="gmail_quote" style="margin:0 0 0 .8ex">{divisions(QUOTED)}</blockquote>'
    own = f'<div dir="ltr">{divisions(p.signed)}</div><br>'
    return html_mail(f'{own}<div class="gmail_quote">{attribution}{quote}</div>')


def apple(p: Parts) -> bytes:
    quote = f'<blockquote type="cite"><div>{html.escape(p.attribution)}</div><br>{divisions(QUOTED)}</blockquote>'
    return html_mail(f"<html><body>{divisions(p.signed)}<div><br>{quote}</div></body></html>")


def thunderbird(p: Parts) -> bytes:
    prefix = f'<div class="moz-cite-prefix">{html.escape(p.attribution)}<br></div>'
    signature = f'<div class="moz-signature">-- <br>{markup(p.signature)}</div>'
    quote = f'<blockquote type="cite" cite="mid:1@x">{markup(QUOTED)}</blockquote>'
    return html_mail(f"{markup(p.letter)}{prefix}{quote}{signature}")


def outlook(p: Parts) -> bytes:
    border = "border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"
    own = f'<div class="WordSection1">{markup(p.signed, " class=MsoNormal")}'
    return html_mail(f'{own}<div><div style="{border}">{markup(p.headers)}</div></div>{markup(QUOTED)}</div>')


def outlook_table(p: Parts) -> bytes:
    reply = f'<div id="divRplyFwdMsg">{markup(p.headers)}</div>{markup(QUOTED)}'
    return html_mail(f"{divisions(p.letter)}{table(p.signature)}<hr>{reply}")


def yahoo(p: Parts) -> bytes:
    quote = f'<div class="yahoo_quoted"><div>{html.escape(p.attribution)}</div>{divisions(QUOTED)}</div>'
    return html_mail(f'<div class="ydp1">{divisions(p.signed)}</div>{quote}')


#: How the parts stand in a mail, a name each.
LAYOUTS: dict[str, Callable[[Parts], bytes]] = {
    "letter": lambda p: raw_mail(p.letter),
    "letter, HTML": lambda p: html_mail(markup(p.letter)),
    "first name, tight": lambda p: raw_mail(f"{p.greeting}\n{p.body}\n\n{p.signoff}\nAda"),
    "nobody's name": lambda p: raw_mail(f"{p.greeting}\n\n{p.body}\n\n{p.signoff}"),
    "no greeting": lambda p: raw_mail(f"{p.body}\n\n{p.signoff}\nAda"),
    "signature": lambda p: raw_mail(p.signed),
    "signature apart": lambda p: raw_mail(f"{p.letter}\n\nAda Byron\n{p.signature}"),
    "signature in a table": lambda p: html_mail(divisions(p.letter) + table(p.signature)),
    "delimiter": lambda p: raw_mail(f"{p.letter}\n-- \nAda Byron\n{p.signature}"),
    "phone": lambda p: raw_mail(f"{p.letter}\n\n{p.mobile}"),
    "phone, quote": lambda p: raw_mail(f"{p.letter}\n\n{p.mobile}\n\n{p.attribution}\n\n{marked(QUOTED)}"),
    "disclaimer": lambda p: raw_mail(f"{p.signed}\n\n{p.disclaimer}"),
    "disclaimer, tight": lambda p: raw_mail(f"{p.signed}\n{p.disclaimer}"),
    "shared mailbox": lambda p: raw_mail(f"{p.signed}\n{p.disclaimer}", sender=DESK),
    "shared mailbox, quote": lambda p: raw_mail(f"{p.signed}\n\n{p.attribution}\n\n{marked(QUOTED)}", sender=DESK),
    "mailing list": lambda p: raw_mail(f"{p.letter}\n\n{'_' * 47}\n{p.footer}"),
    "gateway's warning": lambda p: raw_mail(f"{p.caution}\n\n{p.letter}"),
    "quote": lambda p: raw_mail(f"{p.signed}\n\n{p.attribution}\n\n{marked(QUOTED)}"),
    "answer below": lambda p: raw_mail(f"{p.attribution}\n\n{marked(QUOTED)}\n{p.signed}"),
    "headers": lambda p: raw_mail(f"{p.signed}\n\n{p.outlook}"),
    "headers below a line": lambda p: raw_mail(f"{p.signed}\n\n{'_' * 32}\n{p.outlook}"),
    "forward": lambda p: raw_mail(f"{p.letter}\n\n{p.forwarded}\n{p.outlook}"),
    "Gmail": gmail,
    "Apple Mail": apple,
    "Thunderbird": thunderbird,
    "Outlook": outlook,
    "Outlook on the web": outlook_table,
    "Yahoo": yahoo,
}
POSTSCRIPTS: dict[str, Callable[[Parts], bytes]] = {
    "letter": lambda p: raw_mail(f"{p.letter}\n\n{p.postscript}"),
    "signature": lambda p: raw_mail(f"{p.signed}\n\n{p.postscript}"),
    "delimiter": lambda p: raw_mail(f"{p.letter}\n-- \nAda Byron\n{p.signature}\n\n{p.postscript}"),
    "Gmail": lambda p: html_mail(f'<div dir="ltr">{divisions(p.signed)}<div><br></div>{markup(p.postscript)}</div>'),
}


def mails(language: str) -> list[Parts]:
    """Every text, greeting and sign-off of a language, in turns."""
    given: dict[str, Any] = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    bodies, greetings, signoffs = (given.pop(name) for name in ("bodies", "greetings", "signoffs"))
    most = max(len(bodies), len(greetings), len(signoffs))
    turns = zip(range(most), cycle(bodies), cycle(greetings), cycle(signoffs), strict=False)
    return [Parts(body=body, greeting=greeting, signoff=signoff, **given) for _, body, greeting, signoff in turns]


def left_wrong(language: str, layout: Callable[[Parts], bytes], *, postscript: bool = False) -> list[tuple[str, ...]]:
    """(greeting, sign-off, what is left) of the mails of which it is not the author's words, white space aside.

    Sentences above a sign-off ("Thank you for your help.") may stay: they are the author's, too.
    """
    wrong = []
    for parts in mails(language):
        courtesy, _, _ = parts.signoff.rpartition("\n")
        added = parts.postscript if postscript else ""
        text = clean_message(layout(parts)).text
        if text.split() not in [f"{parts.body} {may} {added}".split() for may in ("", courtesy)]:
            wrong.append((parts.greeting, parts.signoff, text))
    return wrong


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_the_authors_words_are_left(language: str, layout: str) -> None:
    assert left_wrong(language, LAYOUTS[layout]) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("layout", POSTSCRIPTS)
def test_a_postscript_is_the_authors(language: str, layout: str) -> None:
    assert left_wrong(language, POSTSCRIPTS[layout], postscript=True) == []
