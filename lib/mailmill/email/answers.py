"""Answers that are announced and stand inside the quote below, often in a colour: "See my answers in red."."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mailmill.email.elements import ROLES
from mailmill.email.evidence import EVIDENCE_ZONES, WEAK, evidence_of
from mailmill.email.markup import Token
from mailmill.email.patterns import PATTERNS

#: So many characters of a text, at its beginning and at its end, may announce answers below it, and so many beside an
#: announcement belong to it.
_EDGE: Final = 400
_BESIDE: Final = 20
#: What ends a sentence or a line.
_ENDS: Final = ("\n", ".", "!", "?", ":", ";")
#: The hue of an announcement that names none.
ANY: Final = "any"
_HUES: Final = ("red", "green", "blue")
#: How much more of one than of the others makes a hue, of 255: black, grey, and Word's own dark blue have none.
_STRONG: Final = 60
_NAMED: Final = {
    "red": "red", "crimson": "red", "firebrick": "red", "darkred": "red", "maroon": "red",
    "green": "green", "darkgreen": "green", "forestgreen": "green", "seagreen": "green", "limegreen": "green",
    "blue": "blue", "mediumblue": "blue", "darkblue": "blue", "navy": "blue", "royalblue": "blue", "dodgerblue": "blue",
}  # fmt: skip
_COLOUR: Final = re.compile(
    r"(?<![\w-])color(?:: ?|=\"?)"
    r"(?:#?([0-9a-f]{6})\b|#([0-9a-f]{3})\b|rgba?\( ?(\d{1,3}), ?(\d{1,3}), ?(\d{1,3})|([a-z]{3,12}))"
)
#: Elements that hold a whole quote, or whose colour says something else.
_OTHERS: Final = frozenset({"blockquote", "body", "html", "table", "tbody", "tr"})
_MARK: Final = ' data-marker="answer"'


def announced(text: str) -> str:
    """The hue in which answers are announced to stand in what is quoted below the text, `ANY`, or ''."""
    text = (text if len(text) <= 2 * _EDGE else f"{text[:_EDGE]}\n{text[-_EDGE:]}").lower()
    for stem, words in PATTERNS.answers.items():  # "recommend" holds a stem of "comments"
        if stem in text and any([word in text for word in words]):
            break
    else:
        return ""
    found = PATTERNS.answers_inside.search(text)
    while found is not None:
        start = found.start()
        above = text[max(0, start - _BESIDE) : start]
        if not f" {above}".rstrip().endswith(PATTERNS.answered):
            below = text[found.end() : found.end() + _BESIDE]
            said = found[0] + below
            hue = next((hue for hue in _HUES if PATTERNS.hues[hue].search(said)), "")
            if hue or _announces(above.rstrip(" "), below.lstrip(" ")):
                return hue or ANY
        found = PATTERNS.answers_inside.search(text, found.end())
    return ""


def _announces(above: str, below: str) -> bool:
    """Are answers the author's, of whose colour nothing is said: "see answers", "my answers", or nothing else between
    `above` and `below` them? "I read the answers below" speaks of the reader's."""
    if any([word in PATTERNS.answering for word in above.replace("\n", " ").split(" ")[-2:]]):
        return True
    return (not above or above.endswith((*_ENDS, ","))) and (not below or below.startswith(_ENDS))


def announced_above(lines: Sequence[str], evidence: Sequence[str]) -> str:
    """The same of what stands above the first quoted one of the lines; '' where none is."""
    for i, mark in enumerate(evidence):
        if mark and mark != WEAK and EVIDENCE_ZONES[mark] == "quoted":
            return announced("\n".join(lines[:i]))
    return ""


def coloured(tokens: Sequence[Token], hue: str) -> list[Token]:
    """The tokens of a page; the elements whose letters have the hue, of links aside, bear the mark of answers."""
    marked: list[Token] = []
    links = 0
    for token in tokens:
        slash, tag, attributes, text = token
        if tag == "a":
            links = max(0, links + (-1 if slash else 1))
        elif "color" in attributes and not links and tag not in _OTHERS and ROLES.get(tag) not in ("void", "dropped"):
            seen = hue_of(attributes)
            if seen and hue in (seen, ANY) and not evidence_of(attributes):
                token = (slash, tag, attributes + _MARK, text)
        marked.append(token)
    return marked


def hue_of(attributes: str) -> str:
    """The hue of an element's letters, '' where they have none or the element says nothing of it."""
    found = _COLOUR.search(attributes.lower())
    if found is None:
        return ""
    six, three, red, green, blue, name = found.groups()
    if name:
        return _NAMED.get(name, "")
    if three:
        six = "".join([digit * 2 for digit in three])
    parts = [int(six[i : i + 2], 16) for i in (0, 2, 4)] if six else [int(red), int(green), int(blue)]
    weak, strong = sorted(parts)[1:]
    return _HUES[parts.index(strong)] if strong - weak >= _STRONG else ""
