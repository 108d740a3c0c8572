"""HTML mail as plain lines, each with the structural evidence that stands behind it.

Mail programs wrap what they quote in elements that name it (`gmail_quote`, `divRplyFwdMsg`,
`<blockquote type="cite">`, `moz-signature`), in every language alike; flattening HTML to text throws
that away. Here each line of the plain rendering keeps it. Tags and texts (see `markup`) are read once from
left to right with an explicit stack, so nesting costs no recursion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Final

from mailmill.email.attached import words_of
from mailmill.email.banners import is_header_alone
from mailmill.email.elements import PIXEL, PREFORMATTED, ROLES, TIGHT
from mailmill.email.evidence import EVIDENCE_ZONES, FRAME, HEADERS, LASTING, UNSEEN, WEAK, evidence_of, is_sized
from mailmill.email.markup import Token, tokens_of

# What `_hidden` may be: shown, dropped with all that is in it, too small to be read.
_SHOWN: Final = 0
_GONE: Final = 1
_TINY: Final = 2
_LISTED: Final = frozenset({"ol", "ul", "li"})
_PREFORMATTED: Final = frozenset({"pre", "listing", "textarea"})

# Zero-width characters and the like, with which editors and advertisers fill what is empty.
_FILLER: Final = re.compile(r"[\s\xad\u034f\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
#: A line of more characters is no cell of a table, but a paragraph of a layout made with one.
_SHORT: Final = 80
_START: Final = re.compile(r"\bstart=\"(\d{1,6})\"")


def render(markup: str) -> tuple[list[str], list[str]]:
    """`markup` as (lines, evidence a line); '' is no evidence.

    Paragraphs are parted by one blank line, list items open with a bullet or a number, cells of a table
    row share a line, links are their text, preformatted text stays as it is. Scripts, styles, hidden
    elements (preheaders) and tracking pixels are dropped. Never raises, time linear in `markup`.
    """
    return lay_out(tokens_of(markup))


def lay_out(tokens: Sequence[Token], tiny: int = _TINY) -> tuple[list[str], list[str]]:
    """What a document of these tokens shows, as `render` gives it; where that is nothing, also what is `tiny`."""
    page = _Page(tiny)
    for slash, tag, attributes, text in tokens:
        if slash:
            page.close(tag)
        elif tag:
            page.open(tag, attributes)
        if text:
            page.text(text)
    page.end()
    if tiny != _SHOWN and not any(map(str.strip, page.lines)):
        return lay_out(tokens, _SHOWN)
    while page.lines and not page.lines[-1]:
        page.lines.pop()
        page.evidence.pop()
    return page.lines, page.evidence


class _Page:
    """The rendering in the making: finished lines, the line being written, the open elements."""

    __slots__ = (
        "_begins",
        "_blanks",
        "_cell",
        "_counters",
        "_held",
        "_hidden",
        "_lasting",
        "_parts",
        "_pre",
        "_space",
        "_stack",
        "_tiny",
        "evidence",
        "lines",
        "now",
    )

    def __init__(self, tiny: int) -> None:
        self._tiny = tiny
        self.lines: list[str] = []
        self.evidence: list[str] = []
        self.now = ""  # evidence of the open elements
        self._lasting = ""
        self._parts: list[str] = []
        self._space = False
        self._blanks = False
        self._cell = False  # what is written next stands in another cell of the same line
        self._begins = -1  # the line at which the cell begins that was opened last in this row
        self._held = False  # a bullet, or the line of the cells before, waits for the text that follows
        self._hidden = _SHOWN
        self._pre = 0
        # Tag, role, with blank lines around it?, what it was within.
        self._stack: list[tuple[str, str | None, bool, str, int, int]] = []
        self._counters: list[int] = []

    def end(self) -> None:
        """Nothing follows."""
        self._held = False
        self.flush()

    def text(self, raw: str) -> None:
        if self._hidden:
            return
        if "&" in raw:
            raw = raw.replace("&nbsp;", "\xa0")  # nearly all of them
            if "&" in raw:
                raw = unescape(raw)
        if self._pre:
            first, *rest = raw.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            if first and not first.isspace():
                self._write(first, self._space)
            else:
                self._parts.append(first)
            for piece in rest:
                self.flush(keep=True)
                self._parts.append(piece)
            return
        if not raw or raw.isspace():
            self._space = True
            self._blanks = self._blanks or "\xa0" in raw
            return
        if not raw.isascii() and _FILLER.fullmatch(raw):
            self._space = self._space or raw[0].isspace() or raw[-1].isspace()
            self._blanks = True
            return
        self._write(" ".join(raw.split()), self._space or raw[0].isspace())
        self._space = raw[-1].isspace()

    def _write(self, words: str, apart: bool) -> None:
        """On in the line, where there is one `apart` from what stands in it."""
        self._held = False
        if self._parts:
            if self._cell:
                self._parts.append(" | ")
            elif apart:
                self._parts.append(" ")
        self._parts.append(words)
        self._cell = self._space = False

    def open(self, tag: str, attributes: str) -> None:
        mark = evidence_of(attributes) if len(attributes) > 4 else ""
        role = ROLES.get(tag)
        if role == "void":
            self._void(tag, attributes, mark)
            return
        apart = role == "paragraph" and not (tag == "p" and attributes and TIGHT(attributes))
        if len(self._stack) < 100_000:
            self._stack.append((tag, role, apart, self.now, self._hidden, self._pre))
        pre = "white-space" in attributes and PREFORMATTED(attributes) is not None
        if self._hidden == _TINY and is_sized(attributes):
            self._hidden = _SHOWN
        if not mark and role is None and not pre:
            return
        if (mark in UNSEEN and tag in ("body", "html")) or (mark == "html.gmx_quote" and tag != "div"):
            mark = ""
        if self._hidden == _GONE or role == "dropped" or mark == "hidden":
            self._hidden = _GONE
            return
        if apart:
            self._blank()
        elif role == "cell":
            self._rejoin()
        elif role is not None:
            self._break(tag)
        if mark == "tiny":
            self._hidden = self._tiny
        elif mark:
            self._enter(tag, mark)
        elif tag == "blockquote" and not self.now:
            self.now = WEAK
        if tag in _LISTED:
            self._list(tag, attributes)
        if pre or tag in _PREFORMATTED:
            self._pre = 1

    def close(self, tag: str) -> None:
        stack = self._stack
        if not stack:
            return
        if stack[-1][0] == tag:
            _, role, apart, outer, outer_hidden, outer_pre = stack.pop()
        else:  # after lexbor's repair the last element is always the one; unrepaired markup may skip a few
            for back in range(2, min(len(stack), 16) + 1):
                if stack[-back][0] == tag:
                    break
            else:
                return
            _, role, apart, outer, outer_hidden, outer_pre = stack[-back]
            del stack[-back:]
        if self._hidden != _GONE:
            if apart:
                self._blank()
            elif (role is not None and role != "cell") or outer != self.now:
                self._break(tag)
            if tag in ("ul", "ol") and self._counters:
                self._counters.pop()
        within, self.now, self._hidden, self._pre = self.now, outer, outer_hidden, outer_pre
        if within != outer and is_header_alone(self.lines, self.evidence, within):
            self._last(within)

    def _break(self, tag: str) -> None:
        """The line ends at a block's border; that of an item or a row ends what waits for text within it, too."""
        if tag == "tr":
            self._held, self._begins = False, -1
        elif tag == "li":
            self._held = False
        self.flush()

    def _rejoin(self) -> None:
        """Into a cell: it shares its line with the one before, also where that was a paragraph of one line."""
        if not self._parts and self._begins >= 0:
            filled = [i for i in range(self._begins, len(self.lines)) if self.lines[i]]
            last = filled[-1] if len(filled) == 1 else -1
            if last >= 0 and len(self.lines[last]) <= _SHORT and self.evidence[last] == (self.now or self._lasting):
                self._parts = [self.lines[last]]
                del self.lines[last:], self.evidence[last:]
                self._held = True
        self._begins = len(self.lines)
        self._cell = bool(self._parts)

    def _enter(self, tag: str, mark: str) -> None:
        """Into an element whose attributes are evidence."""
        if mark in LASTING:
            self._last(mark)
        elif not self.now or self.now == FRAME or mark in HEADERS or self._sharpens(mark):
            self.flush()
            self.now = FRAME if mark == "html.gmail_quote" and tag == "div" else mark

    def _last(self, mark: str) -> None:
        """All that follows is the earlier message's, except within a quote: the answer may stand below that."""
        self.flush()
        if self.now == WEAK or EVIDENCE_ZONES.get(self.now) != "quoted":
            self._lasting = self._lasting or mark

    def _sharpens(self, mark: str) -> bool:
        """Is it a quote by name, within an element that may only be indented?"""
        return self.now == WEAK and EVIDENCE_ZONES.get(mark) == "quoted"

    def _list(self, tag: str, attributes: str) -> None:
        if tag == "ol":
            start = _START.search(attributes)
            self._counters.append(int(start[1]) if start else 1)
        elif tag == "ul":
            self._counters.append(0)
        elif self._hidden:
            return
        else:
            number = self._counters[-1] if self._counters else 0
            self._parts.append(f"{number}." if number else "•")
            if number:
                self._counters[-1] += 1
            self._held = self._space = True

    def flush(self, keep: bool = False) -> None:
        """End the line being written; an empty one only counts when `keep` is set or no-break spaces filled it."""
        if self._held and not keep:
            return
        if self._parts or keep:
            text = "".join(self._parts).replace("\xa0", " ")
            self.lines.append(text if self._pre else text.strip())
            self.evidence.append(self.now or self._lasting)
            self._parts = []
        elif self._blanks and self.lines and self.lines[-1].strip():
            self.lines.append("")
            self.evidence.append("")
        self._space = self._cell = self._blanks = False

    def _blank(self) -> None:
        self.flush()
        if self.lines and self.lines[-1].strip() and not self._held:
            self.lines.append("")
            self.evidence.append("")

    def _void(self, tag: str, attributes: str, mark: str) -> None:
        if mark in LASTING:
            self._last(mark)
        if self._hidden == _GONE:
            return
        if tag == "br":
            if self._parts or not self.lines or self.lines[-1].strip():
                self.flush(keep=True)
        elif self._hidden:
            return
        elif tag == "hr":
            self._held = False
            self.flush()
            outer, self.now = self.now, mark if mark in HEADERS else self.now
            self._parts.append("_" * 32)
            self.flush()
            self.now = outer
        elif tag == "img" and mark not in UNSEEN and not PIXEL(attributes) and (words := words_of(attributes)):
            self.text(f" {words} ")
