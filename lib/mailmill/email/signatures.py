"""A signature by its looks: short lines with a name on top and a way to reach its owner below, at the very end."""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.introduced import breaks_off
from mailmill.email.lines import LONG_KINDS, Line, Lines
from mailmill.email.names import PARTICLES, is_like_sender, is_sender
from mailmill.email.speech import TELLING, of_oneself
from mailmill.email.tails import RULED, Marks, mark

#: So many of the lowest lines may belong to a sign-off and a signature.
MAX_CLOSING: Final = 14
#: So many sentences may hang on a signature, and so many lines stand below it in a paragraph of their own.
MAX_ADDED: Final = 2

#: An item of a list is content, however much its words look like a name or a place.
ITEM: Final = re.compile(r"(?:\(?\d{1,2}[.)]|[*•+]) {1,6}[^\s\d]|\+ {1,4}\*")
_ENTRY: Final = re.compile(r"[A-ZÀ-Þ][\w'’-]{1,15},? [A-ZÀ-Þ][\w.'’-]{1,15}[\s:–-]{1,30}[x(+]{0,2}\d[\d\s()./-]{2,20}$")
_WORD: Final = re.compile(r"[^\W\d_]+")
LINK: Final = re.compile(r"[<(\[]?(?:https?:|www\.|mailto:)", re.IGNORECASE)


def signature_block(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """A block of short lines with a name on top and contact details below, at the very end."""
    low = len(solid)
    contacts = 0
    for k in range(len(solid) - 1, max(-1, len(solid) - 1 - MAX_CLOSING), -1):
        line = lines[solid[k]]
        shape = line.shape
        if contacts and RULED.match(line.bare) and not any(map(str.isalnum, line.bare)):
            if k and _underlines(lines, solid, k):
                return solid
            low = k
            break
        if shape.prose or shape.lettered > 9 or ITEM.match(line.bare):
            break
        if shape.words > 6 and shape.ends in ".?!" and "," not in line.bare:
            break  # a sentence, however many of its words have capitals
        contact = line.rule("contact")
        if ":" in line.bare[1:30].replace("://", "") and not contact and not LINK.match(line.bare):
            break
        if shape.contact or contact:
            contacts += 1
            low = k
        elif shape.name or is_sender(line.bare, names) or (contacts and shape.words == 1 and shape.chars <= 14):
            low = k
            if contacts and (is_sender(line.bare, names) or (shape.name and k and solid[k] > solid[k - 1] + 1)):
                break
        elif contacts and ((shape.words <= 3 and shape.chars <= 24) or _is_number(line.bare)):
            low = k
        else:
            break
    if not contacts or low == len(solid):
        return solid
    if _is_directory(lines, solid[low:]):
        mark(marks, solid[low:], "body", "body.directory")
        return solid[:low]
    top = lines[solid[low]]
    numbered = any(map(str.isdigit, top.bare))  # "Order 4711" is no name, "Ada Byron 0171 …" holds one
    named = (top.shape.name and (not numbered or _ENTRY.match(top.bare) is not None)) or is_sender(top.bare, names)
    if low == 0:
        opens = contacts >= 2 and named
        if not opens:
            return solid
    else:
        opens = (
            solid[low] > solid[low - 1] + 1
            or lines.bares[solid[low - 1]][-1:] in ".!?"
            or RULED.match(top.bare) is not None
        )
    if not _is_reached(lines, solid[low:]) and not _is_titled(lines, solid[low:], names):
        return solid
    if not named and not (opens and contacts >= 2 and contacts * 2 >= len(solid) - low and reaches(lines, solid[low:])):
        return solid
    if (not opens and not is_sender(top.bare, names)) or _is_anothers(lines, solid[low:], names):
        return solid
    mark(marks, solid[low:], "signature", "signature.block")
    return solid[:low]


def _is_reached(lines: Lines, block: list[int]) -> bool:
    """Does a line hold an address, a telephone number or what it names as one?"""
    return any([lines[i].shape.address or lines[i].shape.phone or lines[i].rule("contact") for i in block])


def _is_titled(lines: Lines, block: list[int], names: frozenset[str]) -> bool:
    """Are titles those of the sender, of a name of two words, or, where nobody knows the sender, written as titles are?

    In lists they are other words: "Late / Open box".
    """
    top = lines[block[0]]
    if is_sender(top.bare, names) or (top.shape.name and top.shape.words > 1):
        return True
    shapes = [lines[i].shape for i in block]
    return not names and all([shape.name for shape in shapes if shape.title])


def owned_signature(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """The sender's whole name, set off, a title or a way to reach them among the three lines below, and all that hangs
    on it, slogans included where there is a title; what is left above, which is text.

    Below all ways to reach them what says something stays. Without a title, a sentence among them, or text in a
    paragraph below, tells that the author writes of them ("to my new address.").
    """
    for k in range(max(1, len(solid) - MAX_CLOSING), len(solid) - 1) if names else ():
        if not _is_owner(lines, solid, k, names):
            continue
        stop = next((j for j in range(k + 1, len(solid)) if solid[j] > solid[j - 1] + 1), len(solid))
        last = stop - 1
        while last > k and not _leads(lines[solid[last]]):
            last -= 1
        block = [lines[i] for i in solid[k + 1 : last + 1]]
        if not any([_leads(line) for line in block[:3]]):
            return solid
        titled = any([line.shape.title for line in block[:3]])
        if not titled and (stop < len(solid) or any([_may_say(line) for line in block])):
            return solid
        if stop < len(solid) and not _has_text(lines, solid[stop:]):
            return solid
        says = tells if titled else _may_say
        end = next((j for j in range(last + 1, stop) if says(lines[solid[j]])), stop)
        sentences = sum([lines[i].shape.prose for i in solid[k + 1 : end]])
        if max(sentences, len(solid) - end) > MAX_ADDED or not _has_text(lines, solid[:k]):
            return solid
        mark(marks, solid[k:end], "signature", "signature.block")
        mark(marks, solid[end:], "body", "body.says")
        return solid[:k]
    return solid


def _leads(line: Line) -> bool:
    """Does it hold a title or a way to reach somebody, and is no sentence?"""
    return not line.shape.prose and (line.shape.contact or line.rule("contact") != "")


def _may_say(line: Line) -> bool:
    """Is it a sentence, or formed like one or like a field ("Kettle: leaks"), and no standard text nor what leads?"""
    bare, shape = line.bare, line.shape
    if not (shape.prose or shape.remark or bare[-1] in ".?!" or ": " in bare) or _leads(line):
        return False
    return not any([line.rule(kind) for kind in LONG_KINDS])


def _is_owner(lines: Lines, solid: list[int], k: int, names: frozenset[str]) -> bool:
    """Is the line `solid[k]` the sender's name of two words or more, with degrees behind it, below a blank line or what
    signs off?"""
    bare = lines.bares[solid[k]]
    if bare[-1] in ".?!:;" or not bare[0].isupper():
        return False
    words: list[str] = []
    for word in bare.replace(",", " ").split():
        if word[0].isalpha():
            if not (word[0].isupper() or word in PARTICLES):
                return False
            words.append(word)
    if len(words) < 2:
        return False
    above = lines[solid[k - 1]]
    if lines.bares[solid[k] - 1] and not (above.rule("signoff") or above.rule("thanks")):
        return False
    if any(map(str.isdigit, bare)) or breaks_off(above):
        return False  # "I live at"
    return any([is_sender(" ".join(words[:size]), names) for size in (2, 3) if size <= len(words)])


def tells(line: Line) -> bool:
    """Does it ask, speak of its author or hold a word of sentences ("The lid is missing."), and is no standard text?"""
    if not (line.shape.prose or line.shape.remark) or any([line.rule(kind) for kind in LONG_KINDS]):
        return False
    said = line.bare.lower()
    if line.bare[-1] == "?" or not TELLING.isdisjoint(_WORD.findall(said)):
        return True
    return of_oneself(said)


def _has_text(lines: Lines, above: list[int]) -> bool:
    """Does one of the lines say something, not only greet?"""
    return any((lines[i].shape.prose or lines[i].shape.remark) and not lines[i].rule("greeting") for i in above)


def reaches(lines: Lines, block: list[int]) -> bool:
    """Does a line hold an address, a title, or a number that no other word names ("Order 302-1234567-1234567")?"""
    for i in block:
        line = lines[i]
        shape = line.shape
        if (
            shape.address
            or shape.title
            or line.rule("contact")
            or (shape.phone and line.bare.lstrip("+( xX")[:1].isdigit())
        ):
            return True
    return False


def ruled_signature(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """A name and, below a row of dashes, ways to reach its owner: "James / ------- / http://…"; what is left above."""
    bares = lines.bares
    for k in range(max(2, len(solid) - MAX_CLOSING), len(solid) - 1):
        bare = bares[solid[k]]
        if bare[0].isalnum() or RULED.match(bare) is None or any(map(str.isalnum, bare)):
            continue
        name, above = lines[solid[k - 1]], lines[solid[k - 2]]
        signs = above.bare[-1] == "," or above.rule("signoff") or above.rule("thanks")
        if solid[k - 1] == solid[k - 2] + 1 and not signs:
            break
        if not name.shape.name or name.shape.words > 3 or name.bare[-1] in ":?!" or _underlines(lines, solid, k):
            break
        if not signs and not is_sender(name.bare, names):
            break  # "Orders / ------- / http://…": a heading, whatever it is underlined with
        below = [lines[i].shape for i in solid[k + 1 :]]
        if any(s.prose and not s.address for s in below) or not any(s.address or s.phone for s in below):
            break
        mark(marks, solid[k - 1 :], "signature", "signature.ruled")
        return solid[: k - 1]
    return solid


def _underlines(lines: Lines, solid: list[int], k: int) -> bool:
    """Is the row of signs `solid[k]` as long as the line right above it, a heading?"""
    above, row = lines.bares[solid[k - 1]], lines.bares[solid[k]]
    return solid[k] == solid[k - 1] + 1 and abs(len(above) - len(row)) < 2


def _is_directory(lines: Lines, block: list[int]) -> bool:
    """Do two lines or more hold a name and a number each ("Ada Byron  x1111"): people to call, not a signature?"""
    return sum([_ENTRY.match(lines.bares[i]) is not None and not lines[i].rule("contact") for i in block]) > 1


def _is_anothers(lines: Lines, block: list[int], names: frozenset[str]) -> bool:
    """Is it somebody else's name and number above the sender's name alone: "Mary Day / 07700 900123", then "Jo"?"""
    top = lines[block[0]]
    if lines.bares[block[-1] - 1] or not is_sender(lines.bares[block[-1]], names) or top.shape.title:
        return False
    return top.shape.name and top.shape.words > 1 and not is_like_sender(top.bare.partition(" ")[0], names)


def _is_number(bare: str) -> bool:
    """Are two fifths of the characters digits (coordinates, an account, a register's number)?"""
    return 5 * sum(map(str.isdigit, bare)) >= 2 * (len(bare) - bare.count(" "))
