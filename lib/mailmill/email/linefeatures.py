"""What the learned labeller sees of a line at the edge of the author's own text.

A rule asks one question; a labeller weighs many weak ones. A feature is a short name ("words=2",
"below=header"): a line has it or not. Names are constants wherever possible, so that making one costs an
index and no formatting; the words, the shape and the pattern hits of a line are found once and serve its
neighbours as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mailmill.email.greetings import heading
from mailmill.email.lines import Line, Lines
from mailmill.email.names import are_names, plain
from mailmill.email.patterns import PATTERNS
from mailmill.email.signatures import ITEM
from mailmill.email.tails import Marks

#: The lowest so many lines of a segment are looked at, down from the last running text, and its first line.
BOTTOM: Final = 10

#: So many of a segment's lowest lines settle every feature of those: numbers are counted up to seven.
SEEN: Final = BOTTOM + 2

#: A line longer than this is running text.
LONG: Final = 60

_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_DIGIT: Final = re.compile(r"\d")
_TITLES: Final = PATTERNS.titles


_SIGNS: Final = ("prose", "name", "thanks", "signoff", "contact", "address", "phone", "sender", "title")
_ABOVE_HAS: Final = {sign: f"above:{sign}" for sign in _SIGNS}
_NEXT_HAS: Final = {sign: f"next:{sign}" for sign in _SIGNS}

#: Features that speak for a greeting, a sign-off or a signature by themselves.
PROOF: Final = frozenset(_SIGNS) - {"prose"}


def _bins(name: str, edges: Sequence[int], size: int) -> tuple[str, ...]:
    """`name=edge` for 0 ... size - 1, with the largest edge that is not above the number."""
    return tuple(f"{name}={max(edge for edge in edges if edge <= n)}" for n in range(size))


_WORDS: Final = _bins("words", (0, 1, 2, 3, 4, 5, 7, 10, 14), 61)
_CHARS: Final = _bins("chars", (0, 3, 5, 8, 12, 16, 60), 101)
_FROM_END: Final = _bins("from_end", (0, 1, 2, 3, 4, 7), 61)
_SOLID: Final = _bins("solid", (0, 1, 2, 3, 4, 7), 61)
_ABOVE: Final = ("gap_above=0", "gap_above=1", "gap_above=2")
_BELOW: Final = ("gap_below=0", "gap_below=1", "gap_below=2")
_HEADS: Final = dict.fromkeys("-–—~/_", "head=dash") | dict.fromkeys("*•·(<[", "head=bullet")
_TAILS = {".": "tail=stop", ",": "tail=comma"}
_TAILS |= dict.fromkeys("!?", "tail=excited") | dict.fromkeys(":;", "tail=colon") | dict.fromkeys("-–—", "tail=dash")
_ENDS: Final = dict.fromkeys(".!?)…", "above=stop") | dict.fromkeys(":,;", "above=colon")


def _head(char: str) -> str:
    if char.isalpha():
        return "head=upper" if char.isupper() else "head=lower"
    return _HEADS.get(char) or ("head=digit" if char.isdigit() else "head=other")


def _tail(char: str) -> str:
    if char.isalpha():
        return "tail=letter"
    return _TAILS.get(char) or ("tail=digit" if char.isdigit() else "tail=other")


_ASCII_HEADS: Final = {chr(code): _head(chr(code)) for code in range(33, 127)}
_ASCII_TAILS: Final = {chr(code): _tail(chr(code)) for code in range(33, 127)}


def window(lines: Lines, marks: Marks, solid: list[int], first: bool) -> list[int]:
    """Positions within `solid` worth labelling: the short or already marked lines at its end, and of a
    first segment the first line.

    The first line counts when it has few words and no pattern has named it a greeting.
    """
    count = len(solid)
    k = count
    lowest = max(0, count - BOTTOM)
    while k > lowest and (marks[solid[k - 1]] is not None or not _running(lines[solid[k - 1]])):
        k -= 1
    chosen = list(range(k, count))
    if first and k:
        line, mark = lines[solid[0]], marks[solid[0]]
        opens = len(line.bare) <= LONG and line.shape.words <= 6 and line.bare[0] not in "[(" and not heading(line.bare)
        if opens and (mark is None or not mark[1].startswith("greeting.")):
            chosen.insert(0, 0)
    return chosen


def _running(line: Line) -> bool:
    """A paragraph's line, a short answer ("OK"), a question, an announcement: no line of a sign-off or a signature."""
    if len(line.bare) > LONG or line.bare[-1] in "?:" or ITEM.match(line.bare):
        return True
    shape = line.shape
    if shape.words > 2:
        return shape.prose
    word = _WORD.match(line.bare)
    return word is not None and word[0].lower() in PATTERNS.interjections


def features(
    lines: Lines,
    marks: Marks,
    solid: list[int],
    chosen: list[int],
    names: frozenset[str],
    first: bool,
    below: str,
) -> list[list[str]]:
    """The features of the lines `chosen` (ascending positions within `solid`), in their order.

    `solid` are the segment's lines that are not blank, `marks` the rules' decisions, `names` parts of the
    sender's name, `below` the zone of what follows the segment ("end" where nothing does).
    """
    count = len(solid)
    out: list[list[str]] = []
    before: tuple[int, list[str]] | None = None  # position and signs of the chosen line before
    for k in chosen:
        line = lines[solid[k]]
        found, signs = _own(line, names)
        end = count - 1 - k
        found.append(_FROM_END[min(end, 60)])
        found.append(_SOLID[min(count, 60)])
        found.append(_decision(marks[solid[k]]))
        if first and not k:
            found.append("opens")
        if not end:
            found.append(f"below={below}")
        if k:
            above = lines.bares[solid[k - 1]]
            found.append(_ABOVE[min(solid[k] - solid[k - 1] - 1, 2)])
            found.append(_ENDS.get(above[-1], "above=open"))
            if len(above) > LONG:
                found.append("above=long")
        else:
            found.append("above=none")
        if before is not None and before[0] == k - 1:
            found.extend([_ABOVE_HAS[sign] for sign in before[1]])
            out[-1].append(_BELOW[min(solid[k] - solid[k - 1] - 1, 2)])
            out[-1].extend([_NEXT_HAS[sign] for sign in signs])
        before = (k, signs)
        out.append(found)
    return out


def _own(line: Line, names: frozenset[str]) -> tuple[list[str], list[str]]:
    """The features of one line alone, and the few of them that its neighbours see as well."""
    bare, shape = line.bare, line.shape
    head, tail, size = bare[0], bare[-1], shape.chars
    found = [
        "bias",
        _WORDS[min(shape.words, 60)],
        _CHARS[min(size, 100)],
        _ASCII_HEADS.get(head) or _head(head),
        _ASCII_TAILS.get(tail) or _tail(tail),
    ]
    signs = []
    digits = len(_DIGIT.findall(bare)) if _DIGIT.search(bare) else 0
    if shape.words > 2 and shape.prose:
        signs.append("prose")
    elif shape.name:
        signs.append("name")
    signs += [kind for kind in line.kinds("thanks", "signoff", "contact") if line.rule(kind)]
    if ("." in bare or digits) and shape.address:
        signs.append("address")
    if ":" in bare:
        found.append("colon")
    words = _WORD.findall(bare.lower() if bare.isascii() else bare.lower().replace("’", "'"))
    if digits:
        found.append("digits=most" if digits * 5 >= size * 2 else "digits=some")
        if digits > 4 and shape.phone:
            signs.append("phone")
    if words:
        if names and len(words) <= 4 and are_names([plain(word) for word in words], names):
            signs.append("sender")
        if words[0] in PATTERNS.interjections:
            found.append("interjection")
        found.append("first=" + words[0])
        found.append("last=" + words[-1])
        if len(words) <= 8:
            found.extend(["word=" + word for word in words])
            if not _TITLES.isdisjoint(words):
                signs.append("title")
    else:
        found.append("wordless")
    found.extend(signs)
    return found, signs


def _decision(mark: tuple[str, str] | None) -> str:
    """ "rule=signoff.thanks": the zone, and the rule's name without language and number."""
    if mark is None:
        return "rule=body"
    zone, rule = mark
    head = rule.partition(".")[0]
    return f"rule={zone}.{rule}" if head in ("name", "vocative", "signature") else f"rule={zone}.{head}"
