"""What stands around a text without being part of it: help desks' lines, "-- " signatures.

Each function takes the indices of the author's lines that are not blank, marks what it recognises at their edge, and
returns the indices that are left; so do those of `cautions.py` and `footers.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mailmill.email.banners import desk_rule
from mailmill.email.lines import LONG_KINDS, Line, Lines
from mailmill.email.names import is_sender
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import announces, of_oneself

#: (zone, rule) of a line, None while undecided.
Marks = list[tuple[str, str] | None]

NOTHING: Final = ("", "")
MAX_SIGNATURE: Final = 25
#: So many lines above a rule may be a heading.
MAX_HEADING: Final = 3
#: Characters of a passage in which a disclaimer shows.
MAX_LEGAL: Final = 2000

_DELIMITER: Final = re.compile(r"[-–—]{2,3}\s*$")
#: What has a name and a value, as what announces, parallel to another.
_FIELD: Final = re.compile(r"[^\W\d_][^:]{1,40}: [^\s/]")
#: What opens a document of settings (YAML), whose documents begin with "---".
_KEY: Final = re.compile(r"[a-z][\w.-]{2,40}:(?!//)(?: |$)")
#: What stands below git's three dashes: which files changed, and how.
_PATCH: Final = re.compile(r"diff --git |@@ -\d|index [0-9a-f]{6,40}\.\.|\d{1,6} files? changed[,;]")
_RULE_OF_DASHES: Final = re.compile(r"[-–—]{4,5}\s*$|_{2,5}\s*$")
#: A bullet, or a number, and what it stands before; a line in bold ("*Ada Byron*") has none.
_ITEM: Final = re.compile(r"(?:([-–—~•·+]|\*(?!\w[^*]*\*$))|\(?\d{1,2}[.)]) ?\w")
#: Bullets that do not stand before who signs, too.
_BULLETS: Final = ("*", "•", "·", "+")
STOP: Final = re.compile(r"[.!?…](?:\s|$)")
#: Kinds of lines that no author writes into a passage.
_OTHERS: Final = (*LONG_KINDS, "contact")
#: What opens a quotation.
QUOTATION: Final = "\"“”„«»‘‚'"
_DRAWN: Final = frozenset("#-–—=*_~")
#: Number and title of a request: "… #12345 "Report"".
_TITLED: Final = re.compile(r"[^#]{8,100} #\d{1,12}:? [\"“„«][^\"”“»]{1,150}[\"”“»]$")
RULED: Final = re.compile(r"\W{0,3}[-_=*~+#]{5,}")


def mark(marks: Marks, indices: Sequence[int], zone: str, rule: str) -> None:
    """Give the lines `indices` a zone and the rule that decided."""
    for i in indices:
        marks[i] = (zone, rule)


def strip_desk_lines(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """What a help desk wrote above its own mail: "##- Please reply above this line -##", "Your request has been …".

    Signs around the first line, a row of them above it, or number and title of a request, show that a program wrote it.
    """
    k = 0
    while k + 1 < len(solid):
        bare = lines.bares[solid[k]]
        drawn = bare[0] in _DRAWN and bare[-1] in _DRAWN
        if not (k or drawn or ("#" in bare and _TITLED.match(bare))):
            break
        read = solid[1 if not k and is_row(bare) else k]
        rule = desk_rule(lines.bares[read])
        if not rule:
            break
        marks[solid[k]] = ("footer", rule)
        k += 1
    return solid[k:]


def signs(line: Line) -> bool:
    """Is a line a sign-off, thanks, or one of a signature: a name, a title, a way to reach somebody?"""
    shape = line.shape
    if shape.name or shape.title or _reaches(line):
        return True
    return any([line.rule(kind) for kind in ("contact", "signoff", "thanks")])


def strip_signature_below_delimiter(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """The signature below a line of two dashes (RFC 3676, section 4.3), as far as a postscript; what is left.

    Telephones make one long dash of the two; below that stands the sender's name, or a name and a way to reach it.
    """
    parted = False
    for k in range(max(0, len(solid) - MAX_SIGNATURE - 1), len(solid)):
        bare = lines.bares[solid[k]]
        if bare[0] in "-–—_" and (
            _DELIMITER.match(bare)
            or (k and 1 < len(solid) - k <= 6 and _RULE_OF_DASHES.match(bare) and lines[solid[k + 1]].shape.name)
            or (k and 1 < len(solid) - k <= 6 and bare == "—" and _owns(lines, solid[k + 1 :], names))
        ):
            if _is_code(lines, solid, k):
                continue
            if _parts(lines, solid, k, parted, names):
                parted = True
                continue
            if bare != "--" and k + 1 < len(solid) and _KEY.match(lines.bares[solid[k + 1]]):
                continue
            end = _postscript(lines, solid, k + 2)
            mark(marks, solid[k:end], "signature", "delimiter")
            return solid[:k] + solid[end:]
    return solid


def _is_code(lines: Lines, solid: list[int], k: int) -> bool:
    """Does git part its patch from the text by the rule `solid[k]`, or is it an empty comment (SQL, Lua, Haskell)?

    Another comment stands right above or below that; a single name ("-- Ann Lee") signs there, and below a signature's
    blank anything may.
    """
    if lines.bares[solid[k]] == "---":
        return any([_PATCH.match(lines.bares[i]) for i in solid[k + 1 :]])
    if lines.texts[solid[k]].endswith("-- "):
        return False
    near = [lines[i] for i in (*solid[max(0, k - 1) : k], *solid[k + 1 : k + 2]) if abs(i - solid[k]) == 1]
    comments = [line for line in near if line.bare.startswith("-- ")]
    if not comments:
        return False
    return not comments[0].shape.name or sum([lines.bares[i].startswith("--") for i in solid]) > 2


def _owns(lines: Lines, below: list[int], names: frozenset[str]) -> bool:
    """Is the first of a few lines the sender's name, or a name above a title or a way to reach its owner?

    Below it nothing is told, but by a postscript.
    """
    top, *rest = [lines[i] for i in below[: _postscript(lines, below, 1)]]
    told = [line for line in rest if not (line.shape.contact or line.rule("contact") or line.bare[0] == "@")]
    if not all([line.shape.name and not any(map(str.isdigit, line.bare)) for line in told]):
        return False
    headed = not PATTERNS.interjections.isdisjoint(top.bare.lower().split())  # "New Address"
    return is_sender(top.bare, names) or (top.shape.name and len(told) < len(rest) and not headed)


def _postscript(lines: Lines, solid: list[int], k: int) -> int:
    """Place of the first line from place `k` on that opens a postscript, or the number of lines."""
    return next((j for j in range(k, len(solid)) if opens_postscript(lines, solid[j])), len(solid))


def opens_postscript(lines: Lines, i: int) -> bool:
    """Does line `i` open a postscript, below a blank line? A signature holds "PS: think before you print"."""
    return not lines.bares[i - 1] and lines[i].rule("postscript") != ""


def _parts(lines: Lines, solid: list[int], k: int, parted: bool, names: frozenset[str]) -> bool:
    """Does the rule `solid[k]` only part a passage from the next, which is text, as one above did (`parted`)?

    Text stands below a blank line. Below two dashes without a signature's blank behind them it is all that follows, to
    a sign-off, and reaches nobody, below nobody's name; without a blank line they part more than two: a saying may be a
    signature. Three dashes are a rule for people (Markdown), no delimiter.
    """
    below = solid[k + 1 :]
    if not below:
        return False
    gap, prose = below[0] > solid[k] + 1, lines[below[0]].shape.prose
    padded = lines.texts[solid[k]].endswith("-- ")
    if not padded and _continues(lines, solid, k, names):
        return True
    if lines.bares[solid[k]] != "--":
        return (gap and prose) or _is_own_passage(lines, below, parted, names)
    if not prose:
        return parted and not padded and _is_own_passage(lines, below, parted, names)
    if padded or any([lines[below[0]].rule(kind) for kind in LONG_KINDS]):
        return False
    signed = k > 0 and signs(lines[solid[k - 1]])
    if signed or (not gap and sum([lines.bares[i] == "--" for i in solid]) < 2):
        return False
    said = [lines[i] for i in below if not _DELIMITER.match(lines.bares[i])]
    end = next((j for j, line in enumerate(said) if _ends(line)), len(said))
    return all([line.shape.prose and not (line.shape.address or line.shape.phone) for line in said[:end]])


def _continues(lines: Lines, solid: list[int], k: int, names: frozenset[str]) -> bool:
    """Does what stands above the rule `solid[k]` want what stands below it, who signs nothing?

    A greeting does, what announces, a field above another ("Ordered: brass"), and a heading that is all there is.
    """
    if not k or k + 1 == len(solid):
        return False
    above, below = lines[solid[k - 1]], lines[solid[k + 1]]
    if _FIELD.match(above.bare) and _FIELD.match(below.bare):
        return not any([line.shape.address or line.shape.phone or line.rule("contact") for line in (above, below)])
    if is_sender(below.bare, names) or signs(below) or any([below.rule(kind) for kind in LONG_KINDS]):
        return False
    if is_sender(above.bare, names) or above.rule("signoff") or above.rule("thanks") or above.rule("contact"):
        return False
    if above.rule("greeting") or announces(above.bare):
        return True
    if k > MAX_HEADING or not above.bare[-1].isalnum() or any([lines[i].shape.prose for i in solid[:k]]):
        return False
    if above.shape.name and not (names or above.bare.lower() in PATTERNS.interjections):
        return False
    several = sum([lines.bares[i] == lines.bares[solid[k]] for i in solid]) > 1
    return several or lines.bares[solid[k]] != "--" or (below.shape.words > 1 and not below.shape.prose)


def _is_own_passage(lines: Lines, below: list[int], parted: bool, names: frozenset[str]) -> bool:
    """Is what stands below a rule the author's: more than a saying of one sentence, without a way to reach anybody?

    One sentence speaks of its author, stands below a heading with a number ("Order 4712"), or where rules part more
    than two passages; below one that parted it needs no sentence. A sign-off ends it. What opens with the sender's
    name is none, nor a quotation with the name of whose it is.
    """
    end = next((k for k, i in enumerate(below) if _ends(lines[i])), len(below))
    if not end:
        return False
    told = [lines[i] for i in below[:end]]
    opening = told[0]
    item = parted and not opening.shape.name
    reached = [_reaches(line) if item else line.shape.contact for line in told]  # "box open"
    others = any(reached) or any([line.rule(kind) for line in told for kind in _OTHERS])
    if others or is_legal(" ".join([line.bare for line in told])) or is_sender(opening.bare, names):
        return False
    if _is_personal(opening):
        return True
    if _is_ascribed([line.bare for line in told], names):
        return False
    prose = [line.bare for line in told if line.shape.prose]
    parted = parted or (end + 1 < len(below) and _DELIMITER.match(lines.bares[below[end]]) is not None)
    headed = parted or (not opening.shape.prose and any(map(str.isdigit, opening.bare)))
    told_more = (parted or len(told) > 1) and len(STOP.findall(" ".join(prose))) > (0 if headed else 1)
    return item or told_more or len(prose) > 2


def _reaches(line: Line) -> bool:
    """Is a line an address or a telephone number, and no sentence ("Call me at 020 7946 0018 in the evening.")?"""
    return (line.shape.address or line.shape.phone) and not line.shape.prose


def _is_personal(line: Line) -> bool:
    """Does a sentence speak of its author, and not of where to reach them ("My new address is …")?"""
    if not line.shape.prose or line.shape.address or line.shape.phone or line.bare[0] in QUOTATION:
        return False
    return of_oneself(line.bare)


def _is_ascribed(said: list[str], names: frozenset[str]) -> bool:
    """Does the last line name whose words stand above it, between quotation marks, who is not the sender
    ("- Aristotle")? Without the marks a name may be that of who tells something: many senders give none."""
    if len(said) < 2 or said[0][0] not in QUOTATION or said[-2].rstrip(".,")[-1:] not in QUOTATION:
        return False
    name = said[-1].lstrip("-–— ")
    return Line(name).shape.name and not is_sender(name, names)


def _ends(line: Line) -> bool:
    """Does a passage end with the line?"""
    return _DELIMITER.match(line.bare) is not None or line.rule("signoff") != "" or line.rule("thanks") != ""


def is_row(bare: str) -> bool:
    """Is a line nothing but signs?"""
    return not (bare[:1].isalnum() or bare[-1:].isalnum() or any(map(str.isalnum, bare)))


def is_item(lines: Lines, i: int) -> bool:
    """Is line `i` one of a list: does one right above or below open with the same bullet, or a number, too?"""
    found = _ITEM.match(lines.bares[i])
    near = [_ITEM.match(bare) for bare in (*lines.bares[max(0, i - 1) : i], *lines.bares[i + 1 : i + 2])]
    return found is not None and any([other is not None and other[1] == found[1] for other in near])


def is_nested(lines: Lines, i: int) -> bool:
    """Is line `i` right below an item of a list with another bullet ("* Sun Apr 28 2002 / - Initial release")?"""
    above = _ITEM.match(lines.bares[i - 1]) if i else None
    return above is not None and above[1] in _BULLETS and lines.bares[i][0] != above[1]


def is_legal(text: str) -> bool:
    """Does a passage speak of what disclaimers do?"""
    text = text[:MAX_LEGAL].lower()
    return PATTERNS.legal.search(text) is not None or len(set(PATTERNS.legal_weak.findall(text))) > 1
