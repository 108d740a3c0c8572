"""The greeting: the first line of a message's own words, where it greets or names somebody."""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.lines import LISTED, Line, Lines
from mailmill.email.names import PARTICLES
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import TELLING, announces, strangers
from mailmill.email.tails import Marks

_WORD: Final = re.compile(r"[^\W\d_]+")
_VOCATIVE: Final = re.compile(
    r"[^\W\d_][\w.'’&/-]{0,20}(?:(?:,? (?:and |& ?|et al)?|, ?|/| ?& ?)[^\W\d_][\w.'’/-]{0,20}){0,4}"
    r"\s?(?:[,:;]|--?|–|—|\.{2,4}|!)\s*$"
)
# "Jean, Brad and Nelson", "susan:": names, in a mail that is signed.
_NAMES: Final = re.compile(
    r"[A-ZÀ-Þ][a-zà-ÿ]{1,14}(?:, [A-ZÀ-Þ][a-zà-ÿ]{1,14}){0,4},? and [A-ZÀ-Þ][a-zà-ÿ]{1,14}$|[a-z]{2,12} ?[,:-]{1,2}$"
)
# What opens with a bullet or a number.
_ROW: Final = re.compile(r"[-–•*+] {0,3}\w|\(?\d")
# What opens with a day or a time.
_DATED: Final = re.compile(r"\(?\d{1,4}[./:-]\d")
_DRAWN_OUT: Final = re.compile(r"([^\W\d_])\1\1", re.IGNORECASE)
#: So many lines, with addresses, a date and a subject, may stand above the greeting of a letter.
_MAX_HEAD: Final = 20
_INITIALS: Final = re.compile(r"[A-Z]{1,2},")
_NAME_LIST: Final = re.compile(r"[A-ZÀ-Þ][a-zà-ÿ]{1,14}(?:(?:, ?|/| ?& ?)[A-ZÀ-Þ][a-zà-ÿ]{1,14}){1,5}\s?$")


def mark_greeting(lines: Lines, marks: Marks, own: list[int], solid: list[int], *, last: bool) -> None:
    """The greeting on the first of the lines `solid`, what is undecided of a segment's lines `own`, when something
    follows it: below a quote where the segment is not the `last`, or a sign-off."""
    if not solid or (len(solid) < 2 and last and not _signed(marks, own)):
        return
    line = lines[solid[0]]
    bare = line.bare
    if len(bare) > 70:
        return
    rule = _rule_of_greeting(line)
    if not rule and bare[-1] == ":" and _lists(lines, solid[0], [i for i in own if i > solid[0]]):
        marks[solid[0]] = ("body", "body.heading")
        return
    word = None if rule else _WORD.search(bare.lower())
    if word and word[0] not in PATTERNS.interjections and not _lacks(bare):
        shape = line.shape
        thanks = line.rule("thanks")
        if thanks and shape.words <= 4 and (shape.capitals > 1 or bare[-1] != "."):  # "Thanks." alone is a sentence
            rule = thanks
        elif (
            shape.words <= 5
            and shape.capitals
            and (shape.capitals * 2 >= shape.words or _group(bare))
            and (shape.words > 1 or shape.mixed or _INITIALS.fullmatch(bare))
            and _VOCATIVE.match(bare)
            and not any(_is_common(word) for word in _WORD.findall(bare))
            and not (bare[-1] in ":!" and heading(bare))
            and not (cries(bare) and not _quoted_from(lines, marks, bare.rstrip(" !")))
            and not (bare[-1] == ":" and len(solid) > 1 and _heads(lines, solid))
        ):
            rule = "vocative.mark"
        elif _NAME_LIST.match(bare) and PATTERNS.interjections.isdisjoint(_WORD.findall(bare.lower())):
            rule = "vocative.list"
        elif _NAMES.match(bare) and len(solid) > 1 and not _heads(lines, solid) and _signed(marks, own):
            rule = "vocative.signed"
        elif shape.words == 1 and shape.capitals and shape.mixed and bare.isalpha() and len(bare) <= 14:
            signed = _signed(marks, own) and not _opens_list(lines, solid)
            rule = "vocative.word" if signed or _quoted_from(lines, marks, bare) else ""
    if rule:
        marks[solid[0]] = ("greeting", rule)
        if len(solid) > 2 or (len(solid) > 1 and not last):
            _once_more(lines, marks, solid)
    else:
        _below_heading(lines, marks, solid)


def _rule_of_greeting(line: Line) -> str:
    """The rule by which a line greets and announces nothing ("Hi, my new address is:"), or ''."""
    return "" if announces(line.bare) and len(strangers(line.bare)) > 2 else line.rule("greeting")


def _once_more(lines: Lines, marks: Marks, solid: list[int]) -> None:
    """A second greeting below the first, with a sign at its end or one or two words set off: "Prezados, / Bom dia!".

    Without a comma or colon, all its words greet, or name whom: "Evening works." says something.
    """
    i, bare = solid[1], lines.bares[solid[1]]
    if len(bare) > 70 or not (rule := _rule_of_greeting(lines[i])):
        return
    brief = lines[i].shape.words < 3 and lines.next_solid(i + 1) > i + 1
    ended = bare[-1] in ",:" or ((bare[-1] in ";!." or brief) and not strangers(bare))
    if ended and PATTERNS.sentence_words.isdisjoint(_WORD.findall(bare.lower())):
        marks[i] = ("greeting", rule)


def _below_heading(lines: Lines, marks: Marks, solid: list[int]) -> None:
    """A greeting below a heading, "FYI" or the head of a letter, set off by blank lines: "Dear Customer,"."""
    bares = lines.bares
    for k in range(1, min(_MAX_HEAD, len(solid) - 1)):
        i = solid[k]
        bare = bares[i]
        if bare[-1] not in ",:" or len(bare) > 70 or i == solid[k - 1] + 1 or solid[k + 1] == i + 1:
            continue
        if any(lines[j].shape.prose for j in solid[:k]):
            return
        if k > 3 and not _heads_letter(lines, solid, k):
            return
        rule = lines[i].rule("greeting")
        if not rule and bare[-1] == "," and k == 1 and lines[solid[0]].shape.words <= 2 and _VOCATIVE.match(bare):
            rule = "vocative.mark"
        if rule:
            marks[i] = ("greeting", rule)
            return


def _heads_letter(lines: Lines, solid: list[int], k: int) -> bool:
    """Are the lines above `solid[k]` a letter's head, with a date or an address of some kind, and is text below?"""
    bares = lines.bares
    if bares[solid[k]][-1] == ":" or announces(bares[solid[k - 1]]) or not lines[solid[k + 1]].shape.prose:
        return False
    return any([lines[i].shape.contact or _DATED.match(bares[i]) is not None for i in solid[:k]])


def _signed(marks: Marks, own: list[int]) -> bool:
    """Does a sign-off end these lines?"""
    return any(mark is not None and mark[0] == "signoff" for mark in [marks[i] for i in own])


def _opens_list(lines: Lines, solid: list[int]) -> bool:
    """Do two lines of few words or more stand right below the first, as in a list ("Delay / Wet box / Scratches")?"""
    if len(solid) < 3 or solid[2] > solid[0] + 2:
        return False
    items = [lines[i] for i in solid[1:3]]
    return all([item.shape.words <= LISTED and item.bare[0].isupper() and item.bare[-1].isalnum() for item in items])


def _quoted_from(lines: Lines, marks: Marks, name: str) -> bool:
    """Does a header of what is quoted name whom the message answers?"""
    return any(mark is not None and mark[0] == "header" and name in lines.bares[i] for i, mark in enumerate(marks))


def cries(bare: str) -> bool:
    """Is it one word with an exclamation mark, or with a letter three times over as no name has ("Oooops:")?"""
    word = bare.rstrip(" !")
    return " " not in word and (bare[-1] == "!" or _DRAWN_OUT.search(word) is not None)


def _heads(lines: Lines, solid: list[int]) -> bool:
    """Is the first line the heading of what stands right below it ("Address:"), or of a table of two rows or more?"""
    below = solid[1:3]
    if any(lines[i].shape.prose for i in below):
        return below[0] == solid[0] + 1 and not lines[below[0]].shape.prose
    table = len(below) > 1 and below[1] == below[0] + 1 and all(any(map(str.isdigit, lines.bares[i])) for i in below)
    return below[0] == solid[0] + 1 or (table and " " in lines.bares[solid[0]])


def _lists(lines: Lines, first: int, below: list[int]) -> bool:
    """Is the line `first` the heading of rows that open with a bullet or a number ("Symptoms:"), not somebody's name?

    Whoever is named may be asked in rows, too, mostly below a blank line ("Anna: / 1. When does it come?"), and a group
    be told something: below what is no known heading ("Questions:"), sentences without dates.
    """
    rows = [lines.bares[i] for i in below[:2]]
    if len(rows) < 2 or not all(map(_ROW.match, rows)):
        return False
    words = _WORD.findall(lines.bares[first].lower())
    group = not PATTERNS.groups.isdisjoint(words[:1])  # "Mr Hill:"
    if below[0] == first + 1:
        return len(words) < 2 or not group
    sentences = all([row[-1] in ".?!" and not _DATED.match(row) for row in rows])
    asks = any([row[-1] == "?" for row in rows])
    return heading(lines.bares[first]) or not (sentences and (asks or group))


def heading(bare: str) -> bool:
    """Does the line name what a text is, not a person ("Weekly Update:", "Missing:")?"""
    return _lacks(bare) or not PATTERNS.interjections.isdisjoint(_WORD.findall(bare.lower()))


def _lacks(bare: str) -> bool:
    """Is it one word of sentences and a colon, not a first name: "Missing:"?"""
    return bare[-1] == ":" and bare[:-1].rstrip().lower() in TELLING


def _group(bare: str) -> bool:
    """Does the line name a group of people ("Traders et al:")?"""
    return any(word in PATTERNS.groups for word in _WORD.findall(bare.lower()))


def _is_common(word: str) -> bool:
    """Is it a word of the language rather than a name, a particle of one ("van", "de") or a group's ("all")?"""
    return word.islower() and word not in PATTERNS.groups and word not in PARTICLES
