"""Mail programs as data, and the HTML each of them makes of a body.

A `Client` is a table of markup; one walker serves them all and writes, beside each line of HTML,
the line a reader sees and its zone. The plain shapes are in `plain.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from mailmill.corpus import envelope
from mailmill.corpus.data import table
from mailmill.corpus.draw import Draw
from mailmill.corpus.thread import Body, Letter, own_parts

Pair = tuple[str, str]
Zones = list[tuple[str, str]]


@dataclass(frozen=True)
class Client:
    """A mail program: what opens and closes each part of its mails. Pairs are (before, after).

    `weight` is its share of the corpus, `alternative` how often its HTML comes with a plain part,
    `posting` the weights of top, bottom and interleaved replies, `header` "wrote" or "fields",
    `plain` how its plain part quotes ("prefix", "original", "rule", "indent") and `width` where it
    wraps (0: never). `header_inside`: the attribution stands inside the quote.
    """

    name: str
    weight: int
    agent: str
    message_id: str
    boundary: str
    html: bool
    posting: tuple[int, int, int]
    header: str
    plain: str
    width: int
    alternative: float = 0.0
    flowed: bool = False
    dash: bool = False
    smart_quotes: bool = False
    wrap_source: bool = False
    compact: bool = False
    head: str = ""
    own_close: str = ""
    foot: str = ""
    line: Pair = ("", "")
    blank: str = ""
    signature: Pair = ("", "")
    signature_line: Pair | None = None
    mobile: tuple[str, ...] = ()
    mobile_share: float = 0.0
    mobile_markup: Pair = ("", "")
    thread: Pair = ("", "")
    header_inside: bool = False
    header_markup: Pair = ("", "")
    wrote: str = "gmail"
    banner: bool = False
    banner_key: str = "original"
    field: str = ""
    quote: Pair = ("", "")


@cache
def clients() -> tuple[Client, ...]:
    """All clients of `data/clients.toml`, in its order."""
    made = []
    for name, entry in table("clients").items():
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        made.append(Client(name=name, **values))
    return tuple(made)


@cache
def weights() -> tuple[int, ...]:
    """The clients' shares, in the order of `clients()`."""
    return tuple(client.weight for client in clients())


def fill_ids(template: str, draw: Draw, domain: str) -> str:
    """Replace {hexN}, {HEXN}, {decN}, {b} and {domain} in a Message-ID or boundary template by drawn characters."""
    pieces = []
    for place, piece in enumerate(template.replace("}", "{").split("{")):
        if place % 2 == 0:
            pieces.append(piece)
        elif piece == "domain":
            pieces.append(domain)
        elif piece == "b":
            pieces.append(
                "".join(draw.pick("abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789") for _ in range(20))
            )
        elif piece.startswith("dec"):
            pieces.append(str(draw.bits() * draw.bits() + 10**18)[-int(piece[3:]) :])
        else:
            digits = draw.hex(int(piece[3:]))
            pieces.append(digits.upper() if piece.startswith("HEX") else digits)
    return "".join(pieces)


def render_html(client: Client, body: Body, draw: Draw, language: str, logo: str = "") -> tuple[str, Zones]:
    """The HTML part of a body and (line, zone) of every line a reader sees; `logo` is a Content-ID or "".

    The document still holds the placeholder {charset} where the client's head has it.
    """
    page = _Page(client, draw, language, logo)
    letter, quoted = body.letter, body.quoted
    page.html.append(client.head.replace("{hex7}", draw.hex(7)) if "{hex7}" in client.head else client.head)
    if body.posting == "top":
        page.own(letter, letter.paragraphs, True, True)
        page.html.append(client.own_close)
        if quoted:
            page.open_thread()
            page.quote(quoted)
            page.html.append(client.thread[1])
    elif body.posting == "bottom":
        page.open_thread()
        page.quote(quoted)
        page.own(letter, letter.paragraphs, True, True)
        page.html.append(client.thread[1])
        page.html.append(client.own_close)
    else:
        first = quoted[0].paragraphs
        if letter.greeting:
            page.own(letter, [], True, False)
        page.open_thread()
        page.quote(quoted[:1], first[:1], parts=(True, False))
        page.own(letter, letter.paragraphs[:1], False, False)
        page.quote(quoted, first[1:], parts=(False, True))
        page.own(letter, letter.paragraphs[1:], False, True)
        page.html.append(client.thread[1])
        page.html.append(client.own_close)
    if body.last_line:
        page.blank()
        page.line(body.last_line, body.last_zone)
    page.html.append(client.foot)
    return ("" if client.compact else "\n").join(page.html), page.zones


class _Page:
    """Collects markup and, in step with it, the lines that a reader sees."""

    def __init__(self, client: Client, draw: Draw, language: str, logo: str) -> None:
        self.client = client
        self.draw = draw
        self.language = language
        self.logo = logo
        self.html: list[str] = []
        self.zones: Zones = []

    def blank(self) -> None:
        self.html.append(self.client.blank)
        self.zones.append(("", "blank"))

    def line(self, text: str, zone: str, around: Pair | None = None) -> None:
        before, after = around or self.client.line
        markup = escape(text, quote=False)
        if self.client.wrap_source and len(markup) > 76:
            markup = "\n".join(wrap(markup, 76))
        self.html.append(f"{before}{markup}{after}")
        self.zones.append((text, zone))

    def own(self, letter: Letter, paragraphs: list[str], opening: bool, ending: bool) -> None:
        client = self.client
        for number, (zone, lines) in enumerate(own_parts(letter, paragraphs, opening, ending)):
            if zone == "signature":
                self._signature(lines)
            elif zone == "mobile":
                self.zones.append(("", "blank"))
                self.line(lines[0], zone, client.mobile_markup)
            else:
                if number or paragraphs is not letter.paragraphs:
                    self.blank()
                for line in lines:
                    self.line(line, zone)

    def _signature(self, lines: list[str]) -> None:
        client = self.client
        self.zones.append(("", "blank"))
        self.html.append(client.signature[0])
        if client.dash:
            self.zones.append(("-- ", "signature"))
        for line in lines:
            self.line(line, "signature", client.signature_line)
        if self.logo:
            self.html.append(f'<img src="cid:{self.logo}" width="16" height="16" alt="">')
        self.html.append(client.signature[1])

    def open_thread(self) -> None:
        markup = self.client.thread[0]
        self.html.append(fill_ids(markup, self.draw, "") if "{" in markup else markup)
        self.zones.append(("", "blank"))

    def header(self, letter: Letter) -> None:
        client = self.client
        before, after = client.header_markup
        if client.header == "wrote":
            text = envelope.wrote(client.wrote, self.language, letter.who, letter.date)
            address = letter.who.address
            link = f'<a href="mailto:{address}">{address}</a>'
            self.html.append(before + escape(text, quote=False).replace(address, link) + after)
            self.zones.append((text, "header"))
            return
        markup = [before]
        if client.banner:
            text = envelope.words(self.language)[client.banner_key]
            markup.append(f"{escape(text, quote=False)}<br>")
            self.zones.append((text, "header"))
        fields = envelope.field_lines(self.language, letter.who, letter.to, letter.date, letter.subject)
        for label, value in fields:
            shown = client.field.replace("{label}", label).replace("{value}", escape(value, quote=False))
            markup.append(shown)
            self.zones.append((f"{label} {value}", "header"))
        self.html.append("".join([*markup, after]))

    def quote(
        self, letters: list[Letter], paragraphs: list[str] | None = None, parts: tuple[bool, bool] = (True, True)
    ) -> None:
        """Quote the first letter (only `paragraphs` of it, its begin and end by `parts`) and nest the others in it."""
        client, letter = self.client, letters[0]
        opening, ending = parts
        before = client.quote[0]
        before = fill_ids(before, self.draw, "") if "{" in before else before
        if opening and not client.header_inside:
            self.header(letter)
        self.html.append(before)
        if opening and client.header_inside:
            self.header(letter)
        text = letter.paragraphs if paragraphs is None else paragraphs
        for _, lines in own_parts(letter, text, opening, ending):
            self.blank()
            for line in lines:
                self.line(line, "quoted")
        if ending and len(letters) > 1:
            self.blank()
            self.quote(letters[1:])
        self.html.append(client.quote[1])


def wrap(text: str, width: int) -> list[str]:
    """Break `text` at spaces into lines of at most `width` characters (0: no limit; a longer word stands alone)."""
    if not width:
        return [text]
    lines, start = [], 0
    while len(text) - start > width:
        cut = text.rfind(" ", start, start + width + 1)
        if cut <= start:
            cut = text.find(" ", start + width)
            if cut < 0:
                break
        lines.append(text[start:cut])
        start = cut + 1
    lines.append(text[start:])
    return lines
