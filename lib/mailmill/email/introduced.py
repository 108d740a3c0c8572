"""What an author puts at the end of a text though it looks like an edge: numbered notes, and what a line announces."""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.lines import Line, Lines
from mailmill.email.names import is_sender
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import announces
from mailmill.email.tails import Marks, is_item, mark

#: So many of the lowest lines may be a paragraph that was announced.
MAX_INTRODUCED: Final = 14
#: "[1] https://…", "2. http://…", and what a note says. Authors put them below all else, even below their names.
_NOTE: Final = re.compile(r"\[\d{1,2}\]:?\s{0,4}\S|\d{1,2}[.)]?\s{1,4}(?:https?|ftp)://\S")
#: "[*] What it says", "(1) https://…": a note where the text above bears its sign.
_SIGN: Final = re.compile(r"(\[(?:[a-z*]|\d{1,2})\]|\(\d{1,2}\)|[¹²³])\s{0,4}\S|(\*)\s{1,4}(?:https?|ftp)://\S")
#: So many of the lowest lines may be such notes: each is looked up in all lines above.
_MAX_SIGNED: Final = 60
_FIRST_NOTE: Final = re.compile(r"\[?[01]\D")


def keep_footnotes(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """The author's notes at the end are body, whatever their links look like; what is left above them.

    They open with the number 0 or 1, or with a sign of the text above, below a blank line, or a name above which the
    text bears the number; each goes on until the next.
    """
    bares, first = lines.bares, len(solid)
    for k in range(len(solid) - 1, 0, -1):
        if solid[k] > solid[k - 1] + 1 or (bares[solid[k]][0] == "[" and _refers(lines, solid, k)):
            bare = bares[solid[k]]
            numbered = _NOTE.match(bare) is not None
            if not (numbered or _refers(lines, solid, k)):
                break
            if not numbered or _FIRST_NOTE.match(bare):
                first = k
    mark(marks, solid[first:], "body", "body.footnote")
    return solid[:first]


def _refers(lines: Lines, solid: list[int], k: int) -> bool:
    """Does line `solid[k]` open with a sign of a note that a line above bears, and is no telephone number?"""
    found = _SIGN.match(lines.bares[solid[k]])
    if found is None or len(solid) - k > _MAX_SIGNED:
        return False
    sign = found[1] or found[2]
    return any([sign in lines.bares[i][1:] for i in solid[:k]]) and not lines[solid[k]].shape.phone


def keep_introduced(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """A paragraph near the end that a line with a colon announces ("Please send it to:"), or above a blank line one
    that breaks off ("I live at"), is body, though it looks like a signature; what is left without it."""
    bares = lines.bares
    stop = len(solid)
    for k in range(stop - 1, max(0, stop - MAX_INTRODUCED), -1):
        above = lines[solid[k - 1]]
        announced = announces(above.bare)
        if k >= stop or not (announced or (solid[k] > solid[k - 1] + 1 and breaks_off(above))):
            continue
        if above.rule("greeting") and above.shape.lower < 3:
            continue
        end = next((j for j in range(k + 1, stop) if solid[j] > solid[j - 1] + 1), stop)
        passage = [lines[i] for i in solid[k:end]]
        numbered = any(map(str.isdigit, " ".join([line.bare for line in passage])))
        if not announced and _is_signature(passage, names):
            continue
        if passage[0].shape.prose or (above.shape.lower < (2 if k > 1 else 3) and not numbered):
            continue  # text, or perhaps a greeting: "Mr and Mrs Hill:"
        if any(line.rule(kind) for line in passage for kind in ("signoff", "thanks", "closing")):
            break
        if end == len(solid) and is_sender(bares[solid[-1]], names) and not is_item(lines, solid[-1]):
            end -= 1
        stop = k if announced else k - 1  # "Mi dirección es" looks like a name itself
        mark(marks, solid[stop:end], "body", "body.introduced")
        solid = solid[:stop] + solid[end:]
    return solid


def breaks_off(line: Line) -> bool:
    """Does a line end with a word that more must follow ("is", "at")? Subordinate clauses may, in some languages."""
    bare = line.bare
    if bare.rpartition(" ")[2] not in PATTERNS.breaking or "," in bare:
        return False
    return not any([line.rule(kind) for kind in ("signoff", "thanks", "closing")])


def _is_signature(passage: list[Line], names: frozenset[str]) -> bool:
    """Is it a name with ways to reach its owner, or the sender's own name above words?"""
    named = is_sender(passage[0].bare, names)
    if named and not any(map(str.isdigit, " ".join([line.bare for line in passage]))):
        return True
    own = named or not names  # a stranger's address is what was announced
    reach = [line.rule("contact") != "" or (own and (line.shape.phone or "@" in line.bare)) for line in passage[1:]]
    return any(reach) and (named or passage[0].shape.name)
