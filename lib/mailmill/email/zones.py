"""Which zone each line belongs to, and by which rule: first what is quoted, then the author's own lines.

The order is that of certainty. HTML structure and '>' marks speak for themselves; a header says that
what follows is somebody else's; what is left is the author's and falls into runs ("segments") between
quotes, whose edges may hold a greeting, a sign-off, a signature, a footer (see `edges.py`). Every
decision carries the name of its rule, so that each character removed can be accounted for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailmill.email.edges import mark_edges
from mailmill.email.evidence import EVIDENCE_ZONES
from mailmill.email.headers import Header, find_headers, next_solid
from mailmill.email.lines import Line, field_of
from mailmill.email.tails import Marks

#: Rules that prove somebody else wrote it; other removals may be undone when nothing would be left.
_CLEAR = ("quote.", "field.", "banner.", "forward.", "attribution.", "mime.")
_WORDS = ("thanks.", "closing.")  # a sign-off that says something: kept even above a quoted message
_CLEAR_EVIDENCE = frozenset({"html.blockquote_cite", "html.gmail_attr", "html.moz_cite_prefix"})

#: How sure a rule is by the first part of its name; `confidence` is their mean over characters.
CERTAINTY = {
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
    "footer": 0.88,
    "mobile": 0.97,
}

_LOWER_START = re.compile(r"[^A-Za-zÀ-ÿ]{0,3}[a-zà-ÿ]|\W")


@dataclass(frozen=True, slots=True)
class Zoned:
    """`marks`: (zone, rule) a line; `kept_low_confidence`: removals were undone; `foreign`: a header was found."""

    marks: list[tuple[str, str]]
    kept_low_confidence: bool
    foreign: bool


def assign_zones(lines: Sequence[Line], names: frozenset[str] = frozenset()) -> Zoned:
    """The zone and rule of every line.

    `names`: lower-cased parts of the sender's name, used to tell a name under a message from its last line.
    When nothing would be left although some removed lines are not clearly somebody else's, those are kept.
    """
    marks: Marks = [None] * len(lines)
    weak = _mark_evidence(lines, marks)
    headers = _mark_quotes(lines, marks)
    if weak:
        _mark_weak_quotes(lines, marks, bool(headers))
    segments = _segments(lines, marks)
    for position, (start, end) in enumerate(segments):
        mark_edges(lines, marks, start, end, names, first=position == 0, last=position == len(segments) - 1)
    kept = False
    if not any(mark is None and line.bare for line, mark in zip(lines, marks, strict=True)):
        kept = _keep_something(lines, marks, bool(headers))
        if not kept and headers:
            _rename_forward(marks, headers)
    return Zoned(_settle(lines, marks), kept, bool(headers))


def _mark_evidence(lines: Sequence[Line], marks: Marks) -> bool:
    """Mark what HTML structure says; True when plain block quotes wait for a decision."""
    weak = False
    for i, line in enumerate(lines):
        evidence = line.evidence
        if evidence:
            if evidence == "html.blockquote":
                weak = True
            elif line.bare:
                marks[i] = (EVIDENCE_ZONES[evidence], evidence)
    return weak


def _mark_quotes(lines: Sequence[Line], marks: Marks) -> list[Header]:
    """Mark '>' lines, headers, and all that follows a header that does not mark its quotes."""
    size = len(lines)
    armour = colons = False
    for i, line in enumerate(lines):
        if line.depth:
            marks[i] = marks[i] or ("quoted", "quote.mark")
        elif line.bare[:2] == ": ":
            colons = colons or field_of(Line(line.bare[2:], 0)) is not None or _below_colon(lines, i)
        elif line.bare[:10] == "-----BEGIN":
            armour = True
    if armour:
        _mark_armour(lines, marks)
    if colons:
        for i, line in enumerate(lines):
            if line.bare[:1] == ":":
                marks[i] = marks[i] or ("quoted", "quote.colon")
    headers = []
    for header in find_headers(lines):
        headers.append(header)
        for i in range(header.start, header.end):
            if lines[i].bare:
                marks[i] = ("header", header.rule)
        follow = next_solid(lines, header.end)
        if header.kind == "attribution" and _is_marked(lines, follow):
            continue
        for i in range(header.end, size):
            if marks[i] is None and lines[i].bare:
                marks[i] = ("quoted", f"quote.after.{header.rule}")
        break
    _mark_wrapped(lines, marks)
    return headers


def _below_colon(lines: Sequence[Line], i: int) -> bool:
    """Does an attribution ("…:") stand right above the passage of ": " lines that begins at `i`?"""
    above = [line.bare for line in lines[max(0, i - 2) : i] if line.bare]
    return bool(above) and above[-1][:1] != ":" and above[-1][-1] == ":" and "@" in above[-1]


def _mark_armour(lines: Sequence[Line], marks: Marks) -> None:
    """OpenPGP armour (RFC 9580, section 6): header lines of a signed text, and signatures and keys as a whole."""
    inside = ""
    for i, line in enumerate(lines):
        bare = line.bare
        if bare.startswith("-----BEGIN PGP "):
            inside = "text" if "SIGNED MESSAGE" in bare else "block"
        if inside and bare:
            marks[i] = marks[i] or ("signature", "signature.armour")
        if bare.startswith("-----END PGP ") or (inside == "text" and not bare):
            inside = ""


def _is_marked(lines: Sequence[Line], follow: int) -> bool:
    """Do quote marks (or HTML quotes) follow within the first lines below an attribution?"""
    return any(line.depth or line.evidence for line in lines[follow : follow + 4])


def _mark_wrapped(lines: Sequence[Line], marks: Marks) -> None:
    """Mark the rest of a quoted line that some program wrapped without repeating the quote mark.

    It hangs directly below a quoted line, and either that line is long or quotes go on right after it
    or it starts in the middle of a sentence.
    """
    previous: Line | None = None
    run = 0
    for i, line in enumerate(lines):
        if line.depth:
            previous, run = line, 0
        elif previous is not None:
            if not line.bare or marks[i] is not None or run > 3:
                previous = None
                continue
            after = lines[i + 1] if i + 1 < len(lines) else None
            wrapped = (
                len(previous.text) >= 80
                or (len(previous.text) >= 64 and len(line.bare) < 60)
                or (after is not None and after.depth > 0 and len(line.bare) < 50)
                or _LOWER_START.match(line.bare) is not None
            )
            if wrapped or run:
                marks[i] = ("quoted", "quote.wrapped")
                run += 1
            else:
                previous = None


def _mark_weak_quotes(lines: Sequence[Line], marks: Marks, headers: bool) -> None:
    """A plain <blockquote> may be an indented paragraph: it is a quote where own lines stand beside it
    and a header introduces it or the message."""
    own = any(line.bare and marks[i] is None and not line.evidence for i, line in enumerate(lines))
    for i, line in enumerate(lines):
        if line.evidence == "html.blockquote" and line.bare and marks[i] is None and own and headers:
            marks[i] = ("quoted", "html.blockquote")


def _segments(lines: Sequence[Line], marks: Marks) -> list[tuple[int, int]]:
    """Runs of undecided lines (start, end), without blank lines at their edges."""
    runs = []
    start, end = -1, -1
    for i, line in enumerate(lines):
        if marks[i] is not None:
            if start >= 0:
                runs.append((start, end))
            start = -1
        elif line.bare:
            if start < 0:
                start = i
            end = i + 1
    if start >= 0:
        runs.append((start, end))
    return runs


def _keep_something(lines: Sequence[Line], marks: Marks, headers: bool) -> bool:
    """Undo removals of lines that may be the author's; True when there were any."""
    kept = False
    for i, mark in enumerate(marks):
        if mark is None or not lines[i].bare:
            continue
        zone, rule = mark
        if zone in ("greeting", "signoff", "signature") and not rule.startswith("html."):
            keep = not headers or rule.startswith(_WORDS)
        elif zone in ("quoted", "header"):
            keep = rule.startswith("html.") and rule not in _CLEAR_EVIDENCE and not headers and not _has_clear(marks)
        else:
            keep = False
        if keep:
            marks[i] = ("body", "body.kept")
            kept = True
    return kept


def _has_clear(marks: Marks) -> bool:
    return any(m is not None and (m[1].startswith(_CLEAR) or m[1] in _CLEAR_EVIDENCE) for m in marks)


def _rename_forward(marks: Marks, headers: Sequence[Header]) -> None:
    """Without words of the author's own, what follows the first header was passed on: forwarded."""
    for i in range(headers[0].end, len(marks)):
        mark = marks[i]
        if mark is not None and mark[0] == "quoted":
            marks[i] = ("forwarded", mark[1])


def _settle(lines: Sequence[Line], marks: Marks) -> list[tuple[str, str]]:
    """Undecided lines are body; blank lines between two body lines are body as well, others are blank."""
    settled: list[tuple[str, str]] = []
    body, blank = ("body", "body"), ("blank", "blank")
    pending = 0
    before_body = False
    for line, mark in zip(lines, marks, strict=True):
        if mark is None and not line.bare:
            pending += 1
            continue
        now = body if mark is None else mark
        if pending:
            settled.extend([body if before_body and now[0] == "body" else blank] * pending)
            pending = 0
        settled.append(now)
        before_body = now[0] == "body"
    settled.extend([blank] * pending)
    return settled
