"""What is quoted: by HTML structure, by marks before the lines, by a header above them.

Marks are trusted more than headers: below "On … wrote:" only the marked lines are somebody else's, so an
answer below or between them stays the author's. Where a header's quotes carry no marks at all
(Outlook, Notes), everything below it is the earlier message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from mailmill.email.evidence import EVIDENCE_ZONES, FRAME
from mailmill.email.headers import Header, find_headers, next_solid
from mailmill.email.lines import Line, banner_of, field_of
from mailmill.email.tails import Marks

_LOWER_START = re.compile(r"[^A-Za-zÀ-ÿ]{0,3}[a-zà-ÿ]|\W")
# One tuple for all lines, so that comparing them takes no time.
QUOTED = ("quoted", "quote.mark")
# Home-made quote marks below an attribution: "--]", ")", "}", "%" and the like.
_OWN_PREFIX = re.compile(r"[-=+*#%:;~^!]{0,3}[\])}>%+~^]")


def mark_evidence(lines: Sequence[Line], marks: Marks) -> bool:
    """Mark what HTML structure says; True when plain block quotes wait for a decision."""
    weak = False
    answers: bool | None = None
    for i, line in enumerate(lines):
        evidence = line.evidence
        if evidence:
            if evidence == "html.blockquote":
                weak = True
            elif line.bare and not (evidence == FRAME and answers):
                if evidence == "html.gmail_quote" and answers is None:
                    answers = _answerable(lines[:i])
                marks[i] = (EVIDENCE_ZONES[evidence], evidence)
    return weak


def _answerable(above: Sequence[Line]) -> bool:
    """Do the lines above Gmail's <blockquote> only introduce it, so that what its frame holds below is an answer?"""
    framed = [line for line in above if line.bare and line.evidence in (FRAME, "html.gmail_attr")]
    return len(framed) <= 3 and not any((banner_of(line) or ("",))[0] == "forward" for line in framed)


def mark_quotes(lines: Sequence[Line], marks: Marks) -> list[Header]:
    """Mark '>' lines, headers, and all that follows a header that does not mark its quotes."""
    size = len(lines)
    armour = colons = False
    marked = []
    for i, line in enumerate(lines):
        if line.depth:
            marks[i] = marks[i] or QUOTED
            marked.append(i)
        elif (bare := line.bare) and bare[0] in ":-":
            if bare.startswith(": "):
                colons = colons or field_of(Line(bare[2:], 0)) is not None or _below_colon(lines, i)
            elif bare.startswith("-----BEGIN"):
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
        if header.kind == "attribution":
            if _is_marked(lines, follow):
                continue
            adopted = _adopt_prefix(lines, marks, follow)
            if adopted:
                marked = sorted({*marked, *adopted})
                continue
        after = ("quoted", f"quote.after.{header.rule}")
        for i in range(header.end, size):
            if marks[i] is None and lines[i].bare:
                marks[i] = after
        break
    if marked:
        _mark_wrapped(lines, marks, marked)
    return headers


def _adopt_prefix(lines: Sequence[Line], marks: Marks, follow: int) -> list[int]:
    """Treat an unusual prefix that the first line below an attribution shares with others as a quote mark.

    Returns the lines that are quoted so.
    """
    found = _OWN_PREFIX.match(lines[follow].bare) if follow < len(lines) else None
    if not found:
        return []
    prefix = found[0]
    quoted = [i for i in range(follow, len(lines)) if lines[i].bare.startswith(prefix) and not lines[i].depth]
    if len(quoted) < 2 and len(prefix) < 3:
        return []
    for i in quoted:
        lines[i].depth = 1
        lines[i].bare = lines[i].bare[len(prefix) :].strip()
        marks[i] = marks[i] or ("quoted", "quote.prefix")
    return quoted


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


def _mark_wrapped(lines: Sequence[Line], marks: Marks, marked: Sequence[int]) -> None:
    """Mark the rest of a quoted line (one of `marked`) that some program wrapped without repeating the quote mark.

    It is what hangs directly below a quoted line, when that line is long, or quotes go on right after it,
    or it starts in the middle of a sentence; more than a few such lines are an answer, not a rest.
    """
    for last, after in pairwise([*marked, len(lines)]):
        i = last + 1
        if i == after or i == len(lines) or not lines[i].bare or marks[i] is not None:
            continue
        previous, line = lines[last], lines[i]
        end = i
        while end < len(lines) and lines[end].bare and not lines[end].depth and marks[end] is None:
            end += 1
        length, run, first = len(previous.text), end - i, line.bare
        goes_on = end < len(lines) and lines[end].depth > 0
        wrapped = (
            (length >= 80 and run <= 12)
            or (length >= 64 and len(first) < 60 and run <= 2)
            or (goes_on and run == 1 and len(first) < 50)
            or (_LOWER_START.match(first) is not None and run <= 3)
        )
        if wrapped:
            for k in range(i, end):
                marks[k] = ("quoted", "quote.wrapped")


def mark_weak_quotes(lines: Sequence[Line], marks: Marks, headers: bool) -> None:
    """A plain <blockquote> may be an indented paragraph: it is a quote where own lines stand beside it
    and a header introduces it or the message."""
    own = any(line.bare and marks[i] is None and not line.evidence for i, line in enumerate(lines))
    for i, line in enumerate(lines):
        if line.evidence == "html.blockquote" and line.bare and marks[i] is None and own and headers:
            marks[i] = ("quoted", "html.blockquote")
