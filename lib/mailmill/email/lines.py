"""The lines of the plain rendering, and what can be said about each of them alone.

Zones are decided line by line. What a rule sees of one line (its quote depth, the HTML evidence, which
pattern kinds it hits, how much it looks like prose or like a name) is gathered here; what depends on
the neighbours is `zones.py`'s. Most lines are never asked for more than their first character, so
everything beyond it is computed when first asked for and then kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mailmill.email.links import closes_link
from mailmill.email.matching import Index, Ways
from mailmill.email.patterns import MAX_LINE, PATTERNS
from mailmill.email.quotemarks import marks_of_from, prompting, quoting_names, unquote
from mailmill.email.shape import Shape
from mailmill.email.speech import goes_on

# Quoted-printable that some archive never decoded: "=20" and "=" at the end, "=09" for tabs.
_SOFT: Final = re.compile(r"(?:=09|=20)+|=$")
# What shows nothing; Gmail and Outlook set marks of direction around lines and names.
_UNSEEN: Final = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF])
_ODD: Final = [*">|=", *map(chr, _UNSEEN)]
EDGE: Final = ' \t*_>|«»"“”'
_LEADING: Final = ' \t-–—_=*~#+.>|«»"“”[(<!¡¿'

#: Hits and shapes that a line can have, in the order of their bits; rules and features refer to them by name.
KINDS: Final = (
    "greeting", "thanks", "signoff", "closing", "disclaimer", "mobile", "footer", "contact", "postscript", "caution",
    "topic", "register",
)  # fmt: skip

#: Kinds of standard texts, whose lines may be as long as a paragraph, as a postscript may; the others are short, formal
#: sign-offs a sentence.
LONG_KINDS: Final = frozenset({"disclaimer", "footer", "topic", "register", "caution"})
#: So many words has a line of a list without bullets.
LISTED: Final = 4
_LONGEST: Final = {kind: 180 if kind == "signoff" else 110 for kind in KINDS if kind not in {*LONG_KINDS, "postscript"}}

_INDEX: Final = Index({kind: PATTERNS.matchers[kind].fragments for kind in KINDS})


class Line:
    """What one stripped text without quote marks says by itself, wherever it stands."""

    __slots__ = ("_folded", "_rules", "_shape", "_ways", "bare")

    def __init__(self, bare: str) -> None:
        self.bare = bare
        self._rules: dict[str, str] | None = None  # of the kinds that were asked for and worth a try
        self._ways: Ways | None = None  # `_folded` is set together with it
        self._shape: Shape | None = None

    def _opened(self) -> Ways:
        self._folded = fold(self.bare)
        self._ways = _INDEX.ways(self._folded)
        return self._ways

    def kinds(self, *asked: str) -> list[str]:
        """Those of the kinds `asked` that this line may be."""
        ways = self._opened() if self._ways is None else self._ways
        return [kind for kind in asked if kind in ways] if ways else []

    def rule(self, kind: str) -> str:
        """The name of the rule of one of `KINDS` that this line alone matches, or ''."""
        ways = self._opened() if self._ways is None else self._ways
        way = ways.get(kind)
        if way is None or len(self._folded) > _LONGEST.get(kind, MAX_LINE):
            return ""
        known = self._rules
        if known is None:
            known = self._rules = {}
        rule = known.get(kind)
        if rule is None:
            rule = way.rule(self._folded)
            known[kind] = rule = "" if rule and goes_on(self.bare, kind) else rule
        return rule

    @property
    def shape(self) -> Shape:
        """Counts and signs that do not need a pattern table."""
        if self._shape is None:
            self._shape = Shape(self.bare)
        return self._shape


def fold(text: str) -> str:
    """Lower case, straight apostrophes, no decoration at the edges; at most `MAX_LINE` characters."""
    text = text[:MAX_LINE]
    if not text.isascii():
        text = text.replace("’", "'").replace("\xa0", " ")
    if "=20" in text:
        text = text.replace("=20", "")
    return text.lstrip(_LEADING).rstrip(EDGE).lower()


class Lines:
    """The lines of a rendering, column by column; `lines[i]` is what the i-th says, found when first asked for.

    `texts`: without newlines; `bares`: stripped, without quote marks; `depths`: line -> number of quote marks before
    it, of those that have any, ascending; `evidence`: what the HTML said of each ('' for nothing); `structured`:
    whether it said anything.
    """

    __slots__ = ("_made", "bares", "depths", "evidence", "structured", "texts")

    def __init__(self, texts: list[str], evidence: list[str] | None) -> None:
        self.texts = texts
        self.evidence = [""] * len(texts) if evidence is None else evidence
        self.structured = evidence is not None and any(evidence)
        self.bares = [text.strip() for text in texts]
        self.depths: dict[int, int] = {}
        self._made: list[Line | None] = [None] * len(texts)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, i: int) -> Line:
        line = self._made[i]
        if line is None:
            line = self._made[i] = Line(self.bares[i])
        return line

    def quote(self, i: int, depth: int, bare: str) -> None:
        """The text of the i-th line is `bare`, what stands before it are `depth` quote marks."""
        self.depths[i] = depth
        self.read(i, bare)

    def read(self, i: int, bare: str) -> None:
        """The text of the i-th line is `bare`, whatever a program put before it."""
        self.bares[i] = bare
        self._made[i] = None

    def part(self, places: Mapping[int, int]) -> None:
        """Part the i-th line in two at the blank `places[i]`, for each i of `places`."""
        depths, self.depths = self.depths, {}
        texts, bares, evidence = self.texts, self.bares, self.evidence
        self.texts, self.bares, self.evidence = [], [], []
        for i, text in enumerate(texts):
            if i in depths:
                self.depths[len(self.texts)] = depths[i]
            at = places.get(i)
            pieces = [text] if at is None else [text[:at], text[at + 1 :]]
            self.texts += pieces
            self.bares += [bares[i]] if at is None else [piece.strip() for piece in pieces]
            self.evidence += [evidence[i]] * len(pieces)
        self._made = [None] * len(self.texts)

    def next_solid(self, start: int) -> int:
        """Index of the first line from `start` that is not blank, or the number of lines."""
        while start < len(self) and not self.bares[start] and start not in self.depths:
            start += 1
        return start


def split_lines(rendering: str, evidence: list[str] | None = None) -> Lines:
    """The lines of `rendering`; `evidence` gives one entry a line where there is any."""
    texts = rendering.split("\n")
    if evidence is not None and len(evidence) != len(texts):
        raise ValueError(f"{len(evidence)} entries of evidence for {len(texts)} lines")
    lines = Lines(texts, evidence)
    bares = lines.bares
    odd: list[int] = []
    if present := [sign for sign in _ODD if sign in rendering]:
        for i, bare in enumerate(bares):
            for sign in present:
                if sign in bare:
                    odd.append(i)
                    break
    names = quoting_names(texts, bares, odd)
    prompts = prompting(bares, odd) if ">>>" in rendering else frozenset()
    last = len(texts) - 1
    for i in odd:
        if i in prompts:
            continue
        text = texts[i] if texts[i].isascii() else texts[i].translate(_UNSEEN)
        bare, depth = unquote(text, text.strip(), names)
        below = texts[i + 1] if i < last else ""
        if not depth and bare[:1] == ">":
            depth = marks_of_from(bare, below)
            bare = bare[depth:]
        if "=" in bare and (bare[-1] in "0=" or bare[0] == "=") and _SOFT.search(bare):
            bare = _SOFT.sub(" ", bare).strip()
        bares[i] = bare
        if depth and not (i and i - 1 not in lines.depths and closes_link(bares[i - 1], text, below)):
            lines.depths[i] = depth
    return lines
