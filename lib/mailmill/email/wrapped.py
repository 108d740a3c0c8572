"""The rests of quoted lines that a program wrapped without repeating the mark, and answers that look like them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from mailmill.email.lines import Lines
from mailmill.email.links import ends_link
from mailmill.email.patterns import PATTERNS
from mailmill.email.tails import Marks

_LOWER_START: Final = re.compile(r"[^A-Za-zÀ-ÿ]{0,3}[a-zà-ÿ]|\W")
# One tuple for all lines, so that comparing them takes no time.
_WRAPPED: Final = ("quoted", "quote.wrapped")
#: The rest of a wrapped line, below what ends a sentence: an answer, where nothing else is one.
UNSURE: Final = ("quoted", "quote.wrapped.unsure")
# Lengths, quote marks included, of lines that programs wrapped.
_NARROWEST, _WIDEST = 48, 110
# What stands for left out text: "[...]", "<snip>", "|".
_OMISSION: Final = re.compile(r"[\W_]*+(?:snip(?:ped)?[\W_]*+)?", re.IGNORECASE)
# What ends as a sentence does, and not with an initial ("R. / A."), nor opens within a word ("non / -spam.").
_SENTENCE: Final = re.compile(r"(?!-\w)(?:.*[^.\w])?[^\W_]{2,}[)\"”»']{0,2}[.!?…]{1,5}$")


def mark_wrapped(lines: Lines, marks: Marks, marked: Sequence[int]) -> None:
    """Mark the rest of a quoted line (one of `marked`) that some program wrapped without repeating the quote mark.

    It hangs directly below a quoted line that may have been wrapped: one long enough, and no longer than programs leave
    lines. More than a few such lines are an answer, not a rest; so is what stands below a question, a sentence below a
    sentence, and a value below one ("4711") where nothing else was wrapped.
    """
    bares, depths, size = lines.bares, lines.depths, len(lines)
    rests: list[tuple[int, int, tuple[str, str]]] = []
    valued = False
    for last, after in pairwise([*marked, size]):
        i = last + 1
        if i in (after, size) or not bares[i] or marks[i] is not None:
            continue
        end = i
        while end < size and bares[end] and end not in depths and marks[end] is None:
            end += 1
        quoted, run, first = lines.texts[last].rstrip(), end - i, bares[i]
        length, goes_on = len(quoted), end in depths
        lower = _LOWER_START.match(first) is not None
        if length < _NARROWEST or quoted[-1] == "?" or first == "--":
            wrapped = first[0] == ">" or _OMISSION.fullmatch(first) is not None
            wrapped = wrapped or (run == 1 and ends_link(quoted, first))
        elif length > _WIDEST:
            wrapped = lower
        else:
            wrapped = (
                (length >= 80 and run <= 12)
                or (length >= 64 and len(first) < 60 and run <= 2)
                or (goes_on and run == 1 and len(first) < 50)
                or (lower and run <= 3)
            )
        if wrapped and quoted[-1] in ".!:…":
            if run <= 2 and _SENTENCE.match(" ".join(bares[i:end])):
                continue
            valued = valued or (run == 1 and _is_value(first))
        if wrapped:
            whole = not (goes_on or lower) and quoted[-1] in ".!…"
            rests.append((i, end, UNSURE if whole else _WRAPPED))
    if valued and len(rests) == 1:
        return
    for i, end, rest in rests:
        for k in range(i, end):
            marks[k] = rest


def _is_value(bare: str) -> bool:
    """Is it what a question asks for: a few words with a number, an address of mail, "yes"?"""
    words = bare.split(None, 6)
    if len(words) > 6 or "://" in bare:
        return False
    said = len(words) <= 2 and words[0].strip(",").lower() in PATTERNS.interjections
    return said or "@" in bare or any(map(str.isdigit, bare))
