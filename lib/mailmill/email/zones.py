"""Which zone each line belongs to, and by which rule: first what is quoted, then the author's own lines.

The order is that of certainty. HTML structure and '>' marks speak for themselves; a header says that
what follows is somebody else's; what is left is the author's and falls into runs ("segments") between
quotes, whose edges may hold a greeting, a sign-off, a signature, a footer (see `edges.py`). Every
decision carries the name of its rule, so that each character removed can be accounted for.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from mailmill.email.edges import mark_edges
from mailmill.email.fieldblocks import Header
from mailmill.email.kept import keep_something
from mailmill.email.labeller import Referee, shipped
from mailmill.email.lines import Lines
from mailmill.email.quotes import mark_evidence, mark_quotes, mark_rules, mark_weak_quotes
from mailmill.email.tails import Marks
from mailmill.email.typed import typed_in

_APPENDED: Final = frozenset({"footer", "disclaimer", "mobile"})  # below what its author ended

#: How sure a rule is by the first part of its name; `confidence` is their mean over characters.
CERTAINTY: Final = {
    "body": 0.9,
    "blank": 1.0,
    "quote": 0.98,
    "banner": 0.98,
    "forward": 0.98,
    "field": 0.95,
    "attribution": 0.96,
    "html": 0.97,
    "mime": 0.99,
    "greeting": 0.92,
    "signoff": 0.92,
    "thanks": 0.85,
    "closing": 0.75,
    "delimiter": 0.96,
    "signature": 0.8,
    "name": 0.75,
    "vocative": 0.75,
    "disclaimer": 0.9,
    "caution": 0.95,
    "tag": 0.95,
    "footer": 0.88,
    "mobile": 0.97,
    "model": 0.8,
}

_certain: dict[str, float] = {}  # by the rule's whole name; of those there are some hundred

#: (zone, rule, start, end): lines `start` to `end` (exclusive) have one zone, by one rule.
Run = tuple[str, str, int, int]


class Foreign(NamedTuple):
    """`marks` of somebody else's lines, the `headers` that introduce them, and the `segments`: the lines between them
    that are neither decided nor blank."""

    marks: Marks
    headers: list[Header]
    segments: list[list[int]]


class Zoned(NamedTuple):
    """`runs` tile the lines; `kept_low_confidence`: removals were undone."""

    runs: list[Run]
    kept_low_confidence: bool

    @property
    def marks(self) -> list[tuple[str, str]]:
        """(zone, rule) of every line."""
        return [(zone, rule) for zone, rule, start, end in self.runs for _ in range(start, end)]


def certainty(rule: str) -> float:
    """How sure the rule of this name is; 0.8 for the names that `CERTAINTY` does not list."""
    known = _certain.get(rule)
    if known is None:
        known = _certain[rule] = CERTAINTY.get(rule.partition(".")[0], 0.8)
    return known


def assign_zones(
    lines: Lines,
    names: frozenset[str] = frozenset(),
    labeller: Referee | Literal["shipped"] | None = "shipped",
) -> Zoned:
    """The zone and rule of every line; `lines` are one more for each that `mark_foreign` parts.

    `names`: lower-cased parts of the sender's name, used to tell a name under a message from its last line.
    `labeller`: the learned referee over the rules at the edges; None leaves the rules alone.
    When nothing would be left although some removed lines are not clearly somebody else's, those are kept.
    """
    return assign_own(lines, mark_foreign(lines), names, labeller)


def mark_foreign(lines: Lines) -> Foreign:
    """What somebody else wrote, by HTML structure, marks and headers; the author's own lines are left undecided.

    A line that the author's words share with an attribution becomes two.
    """
    foreign = _mark_foreign(lines)
    shared = {header.start: header.own for header in foreign.headers if header.own}
    if shared:
        lines.part(shared)
        foreign = _mark_foreign(lines)
    return foreign


def _mark_foreign(lines: Lines) -> Foreign:
    marks: Marks = [None] * len(lines)
    weak = lines.structured and mark_evidence(lines, marks)
    headers = mark_quotes(lines, marks)
    if weak:
        mark_weak_quotes(lines, marks, bool(headers))
    if lines.structured or headers:
        mark_rules(lines, marks)
    if lines.structured:
        solid = [i for i, bare in enumerate(lines.bares) if bare]
        for i in typed_in(lines, marks, solid):
            marks[i] = None
    return Foreign(marks, headers, _segments(lines, marks))


def assign_own(
    lines: Lines, foreign: Foreign, names: frozenset[str], labeller: Referee | Literal["shipped"] | None
) -> Zoned:
    """The second half of `assign_zones`: the edges of the author's own segments, and what is body."""
    marks, headers, segments = foreign
    if labeller == "shipped":
        labeller = shipped()
    last = True
    for position, solid in reversed(list(enumerate(segments))):
        first = position == 0
        mark_edges(lines, marks, solid, names, first=first, last=last)
        if labeller is not None and (first or last):
            labeller.referee(lines, marks, solid[0], solid[-1] + 1, names, first=first)
        last = last and _appended(marks, solid)
    own = [marks[i] for solid in segments for i in solid]
    kept = None not in own and keep_something(lines, marks, headers, own, names)
    return Zoned(_runs(lines, marks), kept)


def _appended(marks: Marks, solid: list[int]) -> bool:
    """Is all of a segment what something appended?"""
    for i in solid:
        mark = marks[i]
        if mark is None or mark[0] not in _APPENDED:
            return False
    return True


def _segments(lines: Lines, marks: Marks) -> list[list[int]]:
    """The undecided lines that are not blank, parted where decided lines lie between."""
    bares = lines.bares
    segments: list[list[int]] = []
    segment: list[int] = []
    for i, mark in enumerate(marks):
        if mark is None:
            if bares[i]:
                segment.append(i)
        elif segment:
            segments.append(segment)
            segment = []
    return [*segments, segment] if segment else segments


def _runs(lines: Lines, marks: Marks) -> list[Run]:
    """Undecided lines are body; blank lines between two body lines are body as well, others are blank.

    A line of remains of an encoding ("=20") is blank, but no rule removes it: below body it stays.
    """
    texts, bares = lines.texts, lines.bares
    runs: list[Run] = []
    zone = rule = ""  # of the run that goes from line `start` to line `end`; none yet
    start = end = 0
    for i, mark in enumerate(marks):
        if mark is not None:
            own_zone, own_rule = mark
        elif bares[i] or (zone == "body" and texts[i] and not texts[i].isspace()):
            own_zone = own_rule = "body"
        else:
            continue
        same = own_zone == zone and own_rule == rule
        if same and (i == end or zone == "body"):
            end = i + 1
            continue
        if zone:
            runs.append((zone, rule, start, end))
        if i > end:
            if zone == own_zone == "body":  # blank lines between lines kept by different rules
                if own_rule == "body":
                    rule, start, end = "body", end, i + 1
                    continue
                runs.append(("body", "body", end, i))
            else:
                runs.append(("blank", "blank", end, i))
        zone, rule, start, end = own_zone, own_rule, i, i + 1
    if zone:
        runs.append((zone, rule, start, end))
    if end < len(marks):
        runs.append(("blank", "blank", end, len(marks)))
    return runs
