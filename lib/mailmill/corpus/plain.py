"""The plain-text part of a body as each mail program writes it: wrapped, flowed, with '>' or a header block."""

from __future__ import annotations

from mailmill.corpus import envelope
from mailmill.corpus.clients import Client, Zones, wrap
from mailmill.corpus.thread import Body, Letter, own_parts


def render_plain(client: Client, body: Body, language: str) -> tuple[str, Zones]:
    """The plain part of a body, and (line, zone) of every line as wrapped.

    Flowed text (RFC 3676) ends soft lines in a space and stuffs lines that begin with a space, '>'
    or "From "; the zones show its lines without both.
    """
    page = _Plain(client, language)
    letter, quoted = body.letter, body.quoted
    if body.posting == "top":
        page.own(letter, letter.paragraphs, True, True)
        if quoted:
            page.blank()
            page.quote(quoted, 1)
    elif body.posting == "bottom":
        page.quote(quoted, 1)
        page.blank()
        page.own(letter, letter.paragraphs, True, True)
    else:
        first = quoted[0].paragraphs
        if letter.greeting:
            page.own(letter, [], True, False)
            page.blank()
        page.quote(quoted[:1], 1, first[:1], parts=(True, False))
        page.blank()
        page.own(letter, letter.paragraphs[:1], False, False)
        page.blank()
        page.quote(quoted, 1, first[1:], parts=(False, True))
        page.blank()
        page.own(letter, letter.paragraphs[1:], False, True)
    if body.last_line:
        page.blank()
        page.write(body.last_line, body.last_zone)
    return "\n".join(page.lines) + "\n", page.zones


class _Plain:
    """Collects the lines as sent, and the same lines as read with their zones."""

    def __init__(self, client: Client, language: str) -> None:
        self.client = client
        self.language = language
        self.lines: list[str] = []
        self.zones: Zones = []

    def blank(self) -> None:
        self.lines.append("")
        self.zones.append(("", "blank"))

    def write(self, text: str, zone: str, depth: int = 0) -> None:
        """Wrap `text` into lines of `zone`, quoted `depth` times."""
        client = self.client
        prefix = ""
        if depth and client.plain == "prefix":
            prefix = ">" * depth + " "
        elif depth and client.plain == "indent":
            prefix = "  " * depth
        pieces = wrap(text, client.width - len(prefix) if client.width else 0)
        for number, piece in enumerate(pieces, 1):
            line = prefix + piece
            self.zones.append((line, zone))
            if client.flowed:
                if not prefix and line.startswith((" ", ">", "From ")):
                    line = f" {line}"
                if number < len(pieces):
                    line += " "
            self.lines.append(line)

    def own(self, letter: Letter, paragraphs: list[str], opening: bool, ending: bool) -> None:
        for number, (zone, lines) in enumerate(own_parts(letter, paragraphs, opening, ending)):
            if number:
                self.blank()
            if zone == "signature" and self.client.dash:
                self.lines.append("-- ")
                self.zones.append(("-- ", "signature"))
            for line in lines:
                self.write(line, zone)

    def header(self, letter: Letter, depth: int) -> None:
        client, words = self.client, envelope.words(self.language)
        if client.plain in ("prefix", "indent"):
            text = envelope.wrote(client.wrote, self.language, letter.who, letter.date)
            self.write(text, "header", depth - 1)
            return
        rule = "_" * 32 if client.plain == "rule" else words[client.banner_key]
        self.write(rule, "header")
        for label, value in envelope.field_lines(self.language, letter.who, letter.to, letter.date, letter.subject):
            self.write(f"{label} {value}", "header")
        self.blank()

    def quote(
        self,
        letters: list[Letter],
        depth: int,
        paragraphs: list[str] | None = None,
        parts: tuple[bool, bool] = (True, True),
    ) -> None:
        """Quote the first letter (only `paragraphs` of it, its begin and end by `parts`) and the others below it."""
        letter = letters[0]
        opening, ending = parts
        if opening:
            self.header(letter, depth)
        text = letter.paragraphs if paragraphs is None else paragraphs
        for number, (_, lines) in enumerate(own_parts(letter, text, opening, ending)):
            if number:
                self._quoted_blank(depth)
            for line in lines:
                self.write(line, "quoted", depth)
        if ending and len(letters) > 1:
            self._quoted_blank(depth)
            self.quote(letters[1:], depth + 1)

    def _quoted_blank(self, depth: int) -> None:
        if self.client.plain == "prefix":
            self.lines.append(">" * depth)
            self.zones.append((">" * depth, "quoted"))
        else:
            self.blank()
