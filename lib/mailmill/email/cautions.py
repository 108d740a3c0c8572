"""What gateways and programs put above a text: warnings of strangers' mail, tags ("[EXTERNAL]"), how it was sent.

Several may stand above one mail, each in a paragraph or a line of its own, between rows of signs or below a picture.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from mailmill.email.lines import Line, Lines, fold
from mailmill.email.patterns import PATTERNS
from mailmill.email.tails import MAX_LEGAL, Marks, is_row, mark

_MAX_TAG: Final = 200
_STOP: Final = re.compile(r"[.!?] ")
_PICTURE: Final = re.compile(r"\[(?:image|cid):[^\[\]]{1,120}\]$", re.IGNORECASE)


class _Put(NamedTuple):
    """Places `start` to `end` (exclusive) of the solid lines were put there, says `rule`."""

    start: int
    end: int
    rule: str


def strip_caution(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """What gateways and programs put above the text; what is left, a picture among it included."""
    put = _put_above(lines, solid)
    if not put or put[-1].end == len(solid):
        return solid
    for start, end, rule in put:
        mark(marks, solid[start:end], "disclaimer", rule)
    return [i for i in solid if marks[i] is None]


def is_first(lines: Lines, i: int) -> bool:
    """Does nothing stand above line `i` but what gateways and programs put there?"""
    above = [j for j in range(i) if lines.bares[j]]
    put = _put_above(lines, above)
    return not above or (bool(put) and put[-1].end == len(above))


def _put_above(lines: Lines, solid: list[int]) -> list[_Put]:
    """Warnings and tags, from the first line on."""
    found: list[_Put] = []
    k, row = 0, -2  # `row`: place of one that may open a box around a warning
    while k < len(solid):
        bare = lines.bares[solid[k]]
        if is_row(bare):
            if found and found[-1].start == row and lines.bares[solid[row]] == bare:
                found[-1] = _Put(row, k + 1, found[-1].rule)
                row = -2
            else:
                row = k
            k += 1
            continue
        if bare[0] == "[" and _PICTURE.match(bare):
            k += 1
            continue
        end, rule = k + 1, "" if _is_headline(lines, solid, k) else _tag(bare)
        if not rule:
            end, rule = _warning(lines, solid, k)
        if not rule:
            break
        found.append(_Put(row if row == k - 1 else k, end, rule))
        k = end
    return found


def _is_headline(lines: Lines, solid: list[int], k: int) -> bool:
    """Does the line `solid[k]` go on below ("Attention: external sender / gets through."), or does all stand in
    capitals, as it does?"""
    bare = lines.bares[solid[k]]
    if k + 1 == len(solid) or not (bare[0].isalnum() and bare[-1].isalnum()):
        return False
    below = lines[solid[k + 1]]
    if bare.isupper():
        return bare.isalpha() and below.bare.isupper() and not (below.rule("caution") or _tag(below.bare))
    return below.bare[0].islower() and not below.rule("greeting")


def _tag(bare: str) -> str:
    """The rule by which the whole line is a program's, or ''. A word alone is one in capitals or between signs."""
    if len(bare) > _MAX_TAG or (bare.isalpha() and not any(map(str.isupper, bare[1:]))):
        return ""
    return PATTERNS.matchers["tag"].rule(fold(_unsigned(bare)))


def _warning(lines: Lines, solid: list[int], k: int) -> tuple[int, str]:
    """(end, rule) of a warning of mail from outside that opens at place `k`; the rule is '' where none does.

    It is a paragraph, or what of one speaks of links and senders: the author's words may stand right below a full stop.
    Who says "I", or nothing of where the mail comes from, warns of something else.
    """
    bare = lines.bares[solid[k]]
    rule = (lines[solid[k]] if bare[0].isalnum() else Line(_unsigned(bare))).rule("caution")
    if not rule:
        return k, ""
    end = k + 1
    while end < len(solid) and solid[end] == solid[end - 1] + 1 and not _resumes(lines, solid[end]):
        end += 1
    text = " ".join([lines.bares[i] for i in solid[k:end]])[:MAX_LEGAL].lower()
    other = PATTERNS.outside.search(text) is None or PATTERNS.gateway.search(text) is None
    if other or _gives_reasons(text) or ("@" not in text and PATTERNS.first_person[rule.split(".")[1]].search(text)):
        return k, ""
    return end, rule


def _gives_reasons(text: str) -> bool:
    """Does one sentence without a heading say why ("This mail comes from outside because …"), or go on behind a comma,
    with nothing that a gateway says?"""
    if ":" in text or _STOP.search(text):
        return False
    found = PATTERNS.causes.search(text)
    rest = text[found.end() :] if found else text.partition(",")[2]
    return rest != "" and PATTERNS.gateway.search(rest) is None and PATTERNS.outside.search(rest) is None


def _resumes(lines: Lines, i: int) -> bool:
    """Does the author go on at line `i` of a paragraph: with a greeting, or, below a full stop, of something else?"""
    bare, above = lines.bares[i], lines.bares[i - 1]
    if is_row(bare) or lines[i].rule("greeting"):
        return True
    text = bare.lower()
    told = PATTERNS.gateway.search(text) is None and PATTERNS.outside.search(text) is None
    return above[-1] in ".!?:|*]>" and told


def _unsigned(bare: str) -> str:
    """A line without the signs that it opens with."""
    k = 0
    while k < len(bare) and not bare[k].isalnum():
        k += 1
    return bare[k:]
