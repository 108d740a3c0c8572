"""Disclaimers: what nobody but the addressee may do, in whole paragraphs; and authors' own words like them.

"This email is confidential" opens a letter to an insurer, too. A disclaimer says more than that, and what stands below
its last legal word is the author's again.
"""

from __future__ import annotations

from typing import Final

from mailmill.email.lines import LONG_KINDS, Line, Lines
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import of_oneself
from mailmill.email.tails import MAX_LEGAL, STOP, is_legal

#: So many different legal words are not the author's.
_MANY: Final = 3
#: Words of a brief sentence: "This email is confidential.".
_BRIEF: Final = 8
#: A letterhead, or a greeting, has fewer lines.
_NEAR: Final = 8


def disclaims(lines: Lines, solid: list[int], k: int, opens: bool) -> str:
    """The rule by which `solid[k]` opens a disclaimer, in a paragraph of its own or right below a signature; or ''."""
    rule = lines[solid[k]].rule("disclaimer") or _wrapped(lines, solid, k)
    if rule and not opens:
        above = lines[solid[k - 1]]
        reaches = above.shape.address or above.rule("contact") != ""
        opens = reaches and not above.shape.prose and above.bare[-1] != ":"
    return rule if rule and opens and speaks_law(lines, solid, k) and not personal(lines.bares[solid[k]], rule) else ""


def disclaimer_end(lines: Lines, solid: list[int], k: int, end: int, *, first: bool, signed: bool) -> int:
    """Where the disclaimer that `solid[k]` opens ends, at `end` at the latest; `k` if its words are the author's.

    `first`: in the message's first segment; `signed`: a signature stands above. Unsigned, a sentence of few legal words
    is the author's above text or a sign-off, and below nothing but a greeting.
    """
    named = k > 0 and lines[solid[k - 1]].shape.name and _is_thick(lines, solid[k : k + _NEAR])
    text = _text_below(lines, solid, k, end, sure=(signed or named) and _told_above(lines, solid, k))
    if signed or _is_thick(lines, solid[k:text]):
        return text
    greeted = first and k < _NEAR and all([lines[i].rule("greeting") for i in solid[:k]])
    return k if greeted or text < end or _closes(lines, solid[k + 1 : end]) else text


def speaks_law(lines: Lines, solid: list[int], k: int) -> bool:
    """Does the text from `solid[k]` on speak of what disclaimers do? "Important: …" alone opens a complaint, too."""
    below = solid[k : k + 30]
    if len(below) > 1 and lines[below[0]].shape.words <= 6 and lines.bares[below[0]][-1] != ":":
        below = below[1:]  # what a heading says ("Privileged and confidential") must be said below it
    return is_legal(" ".join([lines.bares[i] for i in below]))


def personal(bare: str, rule: str) -> bool:
    """Does the line speak of its author, in the language of the footer's `rule`? "To be removed I called twice."."""
    return PATTERNS.first_person[rule.split(".")[1]].search(bare.lower()) is not None


def _wrapped(lines: Lines, solid: list[int], k: int) -> str:
    """The rule by which `solid[k]` and the next line together open a disclaimer, where the text is wrapped, or ''.

    Its first characters, which are those of `solid[k]`, tell whether it may.
    """
    bare = lines.bares[solid[k]]
    if len(bare) < 50 or k + 1 == len(solid) or solid[k + 1] > solid[k] + 1 or not lines[solid[k]].kinds("disclaimer"):
        return ""
    return Line(f"{bare} {lines.bares[solid[k + 1]]}").rule("disclaimer")


def _told_above(lines: Lines, solid: list[int], k: int) -> bool:
    """Does text, or a sign-off, stand above `solid[k]`, and not a letterhead alone?"""
    if k >= _NEAR:
        return True
    above = [lines[i] for i in solid[:k]]
    return any([line.shape.prose or line.rule("signoff") or line.rule("thanks") for line in above])


def _text_below(lines: Lines, solid: list[int], k: int, end: int, *, sure: bool) -> int:
    """Place of the first passage below a disclaimer that is text: it tells something in two sentences (in one below
    a brief one), or of its author, or is signed, below the last legal word and what a firm says of its customers' data.
    `sure`: sentences alone do not suffice."""
    start, told = end, ""
    least = 1 if lines[solid[k]].shape.words <= _BRIEF and lines.bares[solid[k]][-1] in ".!" else 2
    below = k + 2 if lines.bares[solid[k]][-1] == ":" else k + 1  # "Disclaimer:" opens what stands right below it
    for j in range(below, end):
        gap = solid[j] > solid[j - 1] + 1
        if not (gap or lines.bares[solid[j - 1]][-1] in ".!?:"):
            continue
        if start < end and lines[solid[j]].rule("signoff"):
            return start
        stop = next((m for m in range(j + 1, end) if solid[m] > solid[m - 1] + 1), end)
        passage = " ".join([lines.bares[i] for i in solid[j:stop]])[:MAX_LEGAL]
        foreign = is_legal(passage) or PATTERNS.notices.search(passage.lower()) is not None
        if foreign or any([lines[solid[j]].rule(kind) for kind in LONG_KINDS]):
            start, told = end, ""
            continue
        if not lines[solid[j]].shape.prose or (start == end and not gap and _is_thick(lines, solid[k:j])):
            continue
        start = min(start, j)
        told = f"{told} {passage}"
        if of_oneself(passage):
            return start
        if not sure and len(STOP.findall(told)) >= least:
            return start
    return end


def _is_thick(lines: Lines, passage: list[int]) -> bool:
    """Does a passage hold more legal words than a letter that is confidential?"""
    text = " ".join([lines.bares[i] for i in passage])[:MAX_LEGAL].lower()
    return len({*PATTERNS.legal.findall(text), *PATTERNS.legal_weak.findall(text)}) >= _MANY


def _closes(lines: Lines, below: list[int]) -> bool:
    """Does a sign-off stand below?"""
    return any([lines[i].rule("signoff") for i in below])
