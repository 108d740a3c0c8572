"""What an author puts at the end of a text though it looks like an edge: notes, order numbers, what is announced."""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.lines import Line, Lines, fold
from mailmill.email.names import is_sender
from mailmill.email.patterns import PATTERNS
from mailmill.email.signing import remarks
from mailmill.email.speech import announces
from mailmill.email.tails import Marks, is_item, is_row, mark

#: So many of the lowest lines may be a paragraph that was announced.
MAX_INTRODUCED: Final = 14
#: "[1] https://…", "2. http://…", and what a note says. Authors put them below all else, even below their names.
_NOTE: Final = re.compile(r"\[\d{1,2}\]:?\s{0,4}\S|\d{1,2}[.)]?\s{1,4}(?:https?|ftp)://\S")
#: "[*] What it says", "(1) https://…": a note where the text above bears its sign.
_SIGN: Final = re.compile(r"(\[(?:[a-z*]|\d{1,2})\]|\(\d{1,2}\)|[¹²³])\s{0,4}\S|(\*)\s{1,4}(?:https?|ftp)://\S")
#: So many of the lowest lines may be such notes: each is looked up in all lines above.
_MAX_SIGNED: Final = 60
_FIRST_NOTE: Final = re.compile(r"\[?[01]\D")
_DIGIT: Final = re.compile(r"\d")


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


def keep_added(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """What authors add below what signs off, or below their names, is body: orders and accounts ("Order 88120"), and
    remarks right below a whole name ("Refund please"), with what stands around those and reaches nobody. What is left
    without it; a firm's card holds numbers, too."""
    opening = len(solid)
    for k in range(len(solid) - 1, max(0, len(solid) - 1 - MAX_INTRODUCED), -1):
        line = lines[solid[k]]
        if opening < len(solid) and (is_sender(line.bare, names) or _closes(line)):
            if k and ((k == 1 and lines[solid[0]].rule("greeting")) or is_row(lines.bares[solid[k - 1]])):
                return solid
            while is_sender(line.bare, names) and opening > k + 1 and _is_said(lines[solid[opening - 1]], names):
                opening -= 1  # "Green lamp / Order 4711"
            added = [i for i in solid[opening:] if _is_reference(lines[i]) or not _is_card(lines[i], names)]
            mark(marks, added, "body", "body.added")
            return [i for i in solid if i not in added]
        if line.shape.prose and not line.rule("postscript"):
            return solid
        if _is_reference(line) or _is_remark(lines, solid, k):
            opening = k
        elif _is_firm(line):
            return solid
    return solid


def _is_reference(line: Line) -> bool:
    """Does a line of a few words hold a number and what whoever gave it calls it, and no way to reach anybody?"""
    if _DIGIT.search(line.bare) is None or line.shape.title or line.shape.address or line.rule("contact"):
        return False
    return PATTERNS.matchers["reference"].rule(fold(line.bare)) != ""


def _is_remark(lines: Lines, solid: list[int], k: int) -> bool:
    """Does a remark without a number stand right below a name of two words or more?"""
    if solid[k] > solid[k - 1] + 1 or _DIGIT.search(lines.bares[solid[k]]) is not None:
        return False
    above = lines[solid[k - 1]].shape
    return above.words > 1 and above.name and remarks(lines[solid[k]])


def _is_card(line: Line, names: frozenset[str]) -> bool:
    """Does a line name its sender, or a way to reach them?"""
    return line.shape.contact or line.shape.title or line.rule("contact") != "" or is_sender(line.bare, names)


def _is_said(line: Line, names: frozenset[str]) -> bool:
    """Does a line between a name and an order say something, and is no name of a place or a firm?"""
    return not (line.shape.name or is_row(line.bare) or _is_card(line, names))


def _is_firm(line: Line) -> bool:
    """Does a line hold a title, or a page of the web? A title and a number may be a street of anybody's."""
    if "://" in line.bare or "www." in line.bare:
        return True
    return line.shape.title and not line.shape.prose and _DIGIT.search(line.bare) is None


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
        headed = numbered or above.bare.partition(" ")[0].rstrip(":").lower() in PATTERNS.interjections  # "Problems:"
        if passage[0].shape.prose or (above.shape.lower < (2 if k > 1 else 3) and not headed):
            continue  # text, or perhaps a greeting: "Mr and Mrs Hill:"
        if any(_closes(line) for line in passage):
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
    return not _closes(line)


def _closes(line: Line) -> bool:
    """Is a line a sign-off or thanks?"""
    return any([line.rule(kind) for kind in ("signoff", "thanks", "closing")])


def _is_signature(passage: list[Line], names: frozenset[str]) -> bool:
    """Is it a name with ways to reach its owner, or the sender's own name above words?"""
    named = is_sender(passage[0].bare, names)
    if named and not any(map(str.isdigit, " ".join([line.bare for line in passage]))):
        return True
    own = named or not names  # a stranger's address is what was announced
    reach = [line.rule("contact") != "" or (own and (line.shape.phone or "@" in line.bare)) for line in passage[1:]]
    return any(reach) and (named or passage[0].shape.name)
