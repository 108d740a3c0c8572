"""The author's name alone under the text, by which mail ends that has no sign-off, and what little stands around it."""

from __future__ import annotations

import re
from typing import Final, Literal

from mailmill.email.lines import Line, Lines, fold
from mailmill.email.names import (
    DASHED_NAME,
    DASHED_NICK,
    GIVEN,
    PARTICLES,
    is_initial,
    is_like_sender,
    is_sender,
    plain,
)
from mailmill.email.patterns import PATTERNS
from mailmill.email.tails import Marks, is_item, is_nested, mark

#: "Ada Byron and Mary Hill" under what they announce together.
_TWO_NAMES: Final = re.compile(
    r"(?:[A-ZÀ-Þ][\w'’.-]{0,15} ){1,3}(?:and|&|und|et|y|e|en) [A-ZÀ-Þ][\w'’.-]{1,15}(?: [A-ZÀ-Þ][\w'’.-]{0,15}){0,2}"
)

#: What ends a sentence as a sign does: "(:", ":D", "LOL".
_SMILE: Final = re.compile(r"(?:[(\[]-?[:;]|(?<!\w)[:;]-?[DPp]|\b(?i:lol))$")

#: The rule of a name and what is below it that are all between a quote and the end: the answer, where nothing else is.
ALONE: Final = "name.alone"
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
#: How a line stands below a thank-you: as who signs does; parted by a blank line; with nothing above the thanks.
Stand = Literal["below", "apart", "alone"]
#: Words of sentences, none of them a part of a name.
_TOLD: Final = PATTERNS.sentence_words.difference(PARTICLES)


def speaks(line: Line, names: frozenset[str], stands: Stand) -> bool:
    """Does a line of a few words below a thank-you say something ("Tuesday works."), and not who signs?

    "apart": so do numbers, and words in small letters behind a capital, where the sender's name is known and not among
    them. "alone": so do numbers, and whatever does not look like a name.
    """
    bare, shape = line.bare, line.shape
    if is_sender(bare, names) or shape.contact or bare[0] in "-–—~/":
        return False
    if any([line.rule(kind) for kind in ("signoff", "thanks", "closing", "mobile", "contact")]):
        return False
    numbered = any(map(str.isdigit, bare))
    words = _WORD.findall(bare)
    stranger = len(names) > 0 and names.isdisjoint([plain(word) for word in words])
    if stranger and stands != "below" and opens_sentence(bare):
        return True  # "Kein Gutschein"
    if shape.name and shape.words > 1 and not (numbered or stands == "alone"):
        return False  # "Help Desk"
    if words and words[0].lower() in PATTERNS.interjections:
        return True
    if not PATTERNS.groups.isdisjoint(words) or not PATTERNS.places.isdisjoint(words[1:2]):
        return False  # "your friends at the shop", "Sue from Accounts"
    if shape.name or (shape.words == 1 and bare[0].isalpha()):
        return stands != "below" and numbered
    small = [word for word in words if len(word) > 1 and word[0].islower()]
    if stands == "alone" or (small and shape.ends in ".?!:") or not _TOLD.isdisjoint(small):
        return True
    return stands == "apart" and bare[0].isupper() and bool(small) and stranger


def remarks(line: Line) -> bool:
    """Does a line below the author's name open with a word that says something ("Order 4711"), and is no firm?"""
    words, shape = _WORD.findall(line.bare), line.shape
    if not words or words[0].lower() not in PATTERNS.interjections or shape.contact or line.rule("contact"):
        return False
    return not shape.name or any(map(str.isdigit, line.bare))


def opens_sentence(bare: str) -> bool:
    """Is the first one a word of sentences, no first name and no letters: "Will do", but "Will Jones", "IT Support"?"""
    words = _WORD.findall(bare)
    if not words or (word := words[0].lower()) not in _TOLD:
        return False
    if words[0].isupper() and len(word) > 1 and not bare.isupper():
        return False
    if word not in GIVEN and len(word) > 1:
        return True
    return len(words) > 1 and words[1][0].islower() and words[1] not in PARTICLES  # "Han de Vries"


def last_name(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """Mark the author's name alone on the last of the lines `solid`; what is left above it."""
    if not solid:
        return solid
    line = lines[solid[-1]]
    if len(solid) == 1:
        if is_sender(line.bare, names):
            asked = _is_asked(lines, marks, solid[0])
            marks[solid[0]] = ("body", "body.answer") if asked else ("signoff", "name.sender")
            return []
        return solid
    rule = _rule_of_name(lines, solid, names)
    if not rule:
        return _name_above(lines, marks, solid, names)
    rest = solid[:-1]
    above = lines[rest[-1]]
    if rule == "name.shape" and len(rest) == 1 and line.bare[-1] == "." and above.rule("greeting"):
        marks[solid[-1]] = ("body", "body.only")
        return rest  # "Hi Bob, / Inline." says something, and nothing else does
    marks[solid[-1]] = ("signoff", rule)
    if len(rest) > 1:
        rule = above.rule("closing") or above.rule("thanks") or above.rule("signoff")
        if rule:
            marks[rest[-1]] = ("signoff", rule)
            return rest[:-1]
    return rest


def _is_asked(lines: Lines, marks: Marks, i: int) -> bool:
    """Does line `i` stand between two quotes, the upper of which ends with a question?"""
    above, below = i - 1, lines.next_solid(i + 1)
    while above > 0 and not lines.bares[above]:
        above -= 1
    if above < 0 or below == len(lines) or lines.bares[above][-1:] != "?":
        return False
    return all([mark is not None and mark[0] == "quoted" for mark in (marks[above], marks[below])])


def _rule_of_name(lines: Lines, solid: list[int], names: frozenset[str]) -> str:
    """By which rule the last of two lines or more is a name; '' where it is none."""
    line = lines[solid[-1]]
    bare, shape = line.bare, line.shape
    place = solid[-1] - 1
    while not lines.bares[place]:  # up to the line above, which may be decided already
        place -= 1
    previous = lines[place]
    before, gap = previous.bare[-1], solid[-1] > place + 1
    if before in ":;DPpLl" and _SMILE.search(previous.bare):
        before = ")"
    if is_item(lines, solid[-1]):
        return ""
    if is_sender(bare, names):
        return "name.sender"
    listed = previous.bare[0] in "-–—~" or is_nested(lines, solid[-1])
    if shape.words <= 3 and DASHED_NAME.match(bare) and (gap or not listed):
        return "name.dashed"
    if (gap or before in ".!?)") and is_initial(bare, names):
        return "name.initial"
    if gap and before in ".!?)…" and not listed and DASHED_NICK.match(bare):
        return "name.dashed"
    if gap and before in ".!?" and previous.shape.prose and _TWO_NAMES.fullmatch(bare):
        return "name.two"
    if gap and before in ".!)…" and _is_team(bare):
        return "name.team"
    if not shape.name or shape.words > 3 or bare[-1] in '?!:;)"”»' or ": " in bare or any(map(str.isdigit, bare)):
        return ""
    if bare.partition(" ")[0].rstrip(".").lower() in PATTERNS.interjections:
        return ""
    if shape.words > 1 and opens_sentence(bare):
        return ""
    if bare[-1] in ".…" and names and not (line.rule("thanks") or is_like_sender(bare, names)):
        return ""  # "Ruined."
    if gap:
        return "name.shape" if before != ":" else ""
    ended = before in ".!?)…" and previous.shape.prose
    return "name.shape" if ended or (len(solid) > 2 and _parts_with(lines, solid[:-1])) else ""


def _is_team(bare: str) -> bool:
    """Is it who signs for a team ("Your Blue Sky Helpdesk Team", "El equipo de Acme"), and no sentence about one?

    The capitals at its end are the team's name, or whose it is: "The team from DHL lost Parcel B" says something.
    """
    words = bare.split(None, 9)
    if len(words) > 9 or not (bare[0].isupper() and words[-1][0].isupper()):
        return False
    said = not _TOLD.isdisjoint(words)
    before = next((word for word in reversed(words) if word.islower()), "team")
    known = before in PARTICLES or before in PATTERNS.places or before in PATTERNS.groups
    return known and not said and PATTERNS.matchers["team"].rule(fold(bare)) != ""


def _parts_with(lines: Lines, solid: list[int]) -> bool:
    """Is the last line up to four words and a comma, set off from a text above it: "Disappointed,"?"""
    line = lines[solid[-1]]
    return (
        line.bare[-1] == ","
        and line.shape.words <= 4
        and solid[-1] > solid[-2] + 1
        and lines.bares[solid[-2]][-1] in ".!?)"
    )


def _name_above(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """The author's name, set off from the text, with one or two short lines right below it: a place, a firm.

    Where nothing but a quote stands above, and a blank line, one of them is a title or a firm: an address answers it.
    """
    for k in range(len(solid) - 2, max(-1, len(solid) - 4), -1):
        if solid[-1] - solid[k] >= len(solid) - k:
            return solid  # a blank line parts what is below
        if k and solid[k] == solid[k - 1] + 1:
            continue
        below, bare = solid[k + 1 :], lines.bares[solid[k]]
        if any(map(str.isdigit, bare)):
            continue  # a row of a table: "Ada Byron  1000"
        if is_sender(bare, names) or is_initial(bare, names):
            shapes = [lines[i].shape for i in below]
            if is_item(lines, solid[k]) or any(s.prose or s.words > 6 or s.ends in ".?!:;,)" for s in shapes):
                return solid
            if not k and (lines.bares[solid[0] - 1] or not any([shape.title for shape in shapes])):
                return solid
            marks[solid[k]] = ("signoff", "name.sender" if k else ALONE)
            if k and not any([shape.contact for shape in shapes]) and any([remarks(lines[i]) for i in below]):
                mark(marks, below, "body", "body.says")
                return solid[:k]
            mark(marks, below, "signature", "signature.below" if k else ALONE)
            return solid[:k]
    return solid
