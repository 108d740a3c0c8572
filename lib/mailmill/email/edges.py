"""The edges of the author's own lines: greeting, sign-off, signature, disclaimer, footer, mobile tag.

A phrase alone proves little: "Thanks" opens one mail and closes the next. Position decides. A greeting is
the first line of the first segment; a sign-off has nothing below it but short lines; a signature is the
short lines with names, titles and numbers at the very end. Tests run from the edge inwards and stop at the
first sentence, so a long mail costs no more than a short one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailmill.email.lines import Line

#: (zone, rule) of a line, None while undecided.
Marks = list[tuple[str, str] | None]

MAX_SIGNATURE = 25
MAX_CLOSING = 14
_MAX_FOOTER_SEARCH = 60

_DELIMITER = re.compile(r"[-–—]{2,3}\s*$")
_RULED = re.compile(r"\W{0,3}[-_=*~+#]{5,}")
_DASHED_NAME = re.compile(r"[-–—~*=]{1,4}>?\s{0,2}(?=[^\W\d_])[^.!?:,]{1,30}\.?$")
_WORD = re.compile(r"[^\W\d_]+")
_VOCATIVE = re.compile(r"[^\W\d_][\w.'’&/-]{0,20}(?:(?:,? (?:and |& ?|et al)?|, ?|/| ?& ?)[^\W\d_][\w.'’/-]{0,20}){0,4}\s?(?:[,:;]|--?|–|—|\.{2,4}|!)\s*$")
_TRAILER = re.compile(r".*(?:--|[-–—] ?)\s?[A-Z][a-z]{1,14}\.?$")


def mark_edges(lines: Sequence[Line], marks: Marks, start: int, end: int, names: frozenset[str], *, first: bool, last: bool) -> None:
    """Mark the edges of the own lines `start` to `end` in place.

    `first` and `last`: the segment is the message's first or last; between quotes only clear rules apply.
    """
    solid = [i for i in range(start, end) if lines[i].bare]
    if first:
        solid = _caution(lines, marks, solid)
    solid = _tails(lines, marks, solid)
    solid = _delimiter(lines, marks, solid)
    if first or last:
        solid = _closing(lines, marks, solid, names)
    if first:
        _greeting(lines, marks, solid, names)


def _mark(lines: Sequence[Line], marks: Marks, indices: Sequence[int], zone: str, rule: str) -> None:
    for i in indices:
        marks[i] = (zone, rule)


def _caution(lines: Sequence[Line], marks: Marks, solid: list[int]) -> list[int]:
    """A warning that a mail gateway put above the text ("External email: …"), one paragraph."""
    if not solid:
        return solid
    rule = lines[solid[0]].rule("caution")
    if not rule:
        return solid
    cut = next((k for k in range(1, len(solid)) if solid[k] > solid[k - 1] + 1), len(solid))
    if cut == len(solid):
        return solid
    _mark(lines, marks, solid[:cut], "disclaimer", rule)
    return solid[cut:]


def _tails(lines: Sequence[Line], marks: Marks, solid: list[int]) -> list[int]:
    """Footers, disclaimers and mobile tags at the end; what is left above them."""
    low = max(0, len(solid) - _MAX_FOOTER_SEARCH)
    for k in range(low, len(solid)):
        line = lines[solid[k]]
        ruled = _RULED.match(line.bare) is not None
        opens = k == 0 or solid[k] > solid[k - 1] + 1 or ruled or _RULED.match(lines[solid[k - 1]].bare) is not None
        zone, rule = "", ""
        if ruled:
            for j in solid[k : k + 3]:
                rule = lines[j].rule("footer") or ""
                zone = "footer" if rule else ""
                if not rule and j != solid[k]:
                    rule = lines[j].rule("disclaimer")
                    zone = "disclaimer" if rule else ""
                if rule:
                    break
        if not rule and k and opens:
            rule = line.rule("disclaimer")
            zone = "disclaimer" if rule else ""
        if not rule and (opens or k * 2 > len(solid)):
            rule = line.rule("footer")
            zone = "footer" if rule else ""
        if not rule:
            rule = line.rule("mobile")
            zone = "mobile" if rule else ""
        if not rule:
            continue
        if zone == "mobile":
            if len(solid) - k <= 8:
                marks[solid[k]] = (zone, rule)
            continue
        stop = _foot(lines, solid, k, zone)
        _mark(lines, marks, solid[k:stop], zone, rule)
        if stop == len(solid):
            return [i for i in solid[:k] if marks[i] is None]
    return [i for i in solid if marks[i] is None]


def _foot(lines: Sequence[Line], solid: list[int], k: int, zone: str) -> int:
    """Where a footer or disclaimer that starts at `solid[k]` stops: to the end if that is near or little is left."""
    if zone == "disclaimer" or len(solid) - k <= 12:
        return len(solid)
    return next((j for j in range(k + 1, len(solid)) if solid[j] > solid[j - 1] + 1), len(solid))


def _delimiter(lines: Sequence[Line], marks: Marks, solid: list[int]) -> list[int]:
    """The signature below a line of two dashes (RFC 3676, section 4.3)."""
    for k in range(max(0, len(solid) - MAX_SIGNATURE - 1), len(solid)):
        if k and _DELIMITER.match(lines[solid[k]].bare):
            _mark(lines, marks, solid[k:], "signature", "delimiter")
            return solid[:k]
    return solid


def _closing(lines: Sequence[Line], marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """Sign-off, name and signature at the end; what is left above them."""
    solid = _before_postscript(lines, solid)
    best = -1
    signature = len(solid)
    for k in range(len(solid) - 1, max(-1, len(solid) - 1 - MAX_CLOSING), -1):
        line = lines[solid[k]]
        rule = line.rule("signoff") or line.rule("thanks")
        if rule:
            best = k
            continue
        if best >= 0 and k < best - 1:
            break
        if line.rule("closing"):
            if best < 0 or best == k + 1:
                best = k
            break
        if line.shape.prose:
            break
    if best > 0:
        line = lines[solid[best]]
        rule = line.rule("signoff") or line.rule("thanks") or line.rule("closing")
        signature = _name_lines(lines, solid, best)
        _mark(lines, marks, solid[best:signature], "signoff", rule)
        _mark(lines, marks, solid[signature:], "signature", "signature.below")
        return solid[:best]
    if best == 0 and len(solid) > 1:
        return solid
    solid = _signature_block(lines, marks, solid, names)
    return _last_name(lines, marks, solid, names)


def _before_postscript(lines: Sequence[Line], solid: list[int]) -> list[int]:
    for k in range(max(1, len(solid) - MAX_CLOSING), len(solid)):
        if lines[solid[k]].bare[:1] in "PpNn" and lines[solid[k]].rule("postscript"):
            return solid[:k]
    return solid


def _name_lines(lines: Sequence[Line], solid: list[int], signoff: int) -> int:
    """Index into `solid` after the sign-off, further sign-offs and at most two lines with a name."""
    names = 0
    k = signoff + 1
    while k < len(solid):
        line = lines[solid[k]]
        if line.rule("signoff") or line.rule("thanks"):
            k += 1
            continue
        shape = line.shape
        if names == 2 or shape.words > 4 or shape.phone or shape.address or (shape.title and names):
            break
        names += 1
        k += 1
    return k


def _signature_block(lines: Sequence[Line], marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """A block of short lines with a name on top and contact details below, at the very end."""
    low = len(solid)
    contacts = 0
    for k in range(len(solid) - 1, max(0, len(solid) - 1 - MAX_CLOSING), -1):
        line = lines[solid[k]]
        shape = line.shape
        if shape.prose or shape.words > 9:
            break
        if shape.contact or line.rule("contact"):
            contacts += 1
            low = k
        elif shape.name or _is_sender(line, names):
            low = k
            if contacts and _is_sender(line, names):
                break
        else:
            break
    if not contacts or low == len(solid) or low == 0:
        return solid
    top = lines[solid[low]]
    opens = solid[low] > solid[low - 1] + 1 or lines[solid[low - 1]].bare[-1:] in ".!?"
    if not (top.shape.name or _is_sender(top, names)) and not (opens and contacts * 2 >= len(solid) - low):
        return solid
    if not opens and not _is_sender(top, names):
        return solid
    _mark(lines, marks, solid[low:], "signature", "signature.block")
    return solid[:low]


def _last_name(lines: Sequence[Line], marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """The author's name alone on the last line."""
    if len(solid) < 2:
        return solid
    line = lines[solid[-1]]
    previous = lines[solid[-2]]
    gap = solid[-1] > solid[-2] + 1
    shape = line.shape
    if _is_sender(line, names):
        rule = "name.sender"
    elif shape.words <= 3 and _DASHED_NAME.match(line.bare):
        rule = "name.dashed"
    elif shape.name and shape.words <= 3 and line.bare[-1] not in "?!:;)" and not any(map(str.isdigit, line.bare)):
        if not gap and not previous.shape.prose:
            return solid
        rule = "name.shape"
    else:
        return solid
    marks[solid[-1]] = ("signoff", rule)
    rest = solid[:-1]
    above = lines[rest[-1]]
    if len(rest) > 1:
        rule = above.rule("closing") or above.rule("thanks") or above.rule("signoff")
        if rule:
            marks[rest[-1]] = ("signoff", rule)
            return rest[:-1]
    return rest


def _is_sender(line: Line, names: frozenset[str]) -> bool:
    """Only parts of the sender's name (or initials), at most four words."""
    if not names or len(line.bare) > 40:
        return False
    words = _WORD.findall(line.bare.lower())
    if not 0 < len(words) <= 4:
        return False
    return any(w in names for w in words) and all(w in names or len(w) <= 2 for w in words)


def _greeting(lines: Sequence[Line], marks: Marks, solid: list[int], names: frozenset[str]) -> None:
    """The greeting on the first line, when something follows it."""
    if len(solid) < 2:
        return
    line = lines[solid[0]]
    bare = line.bare
    if len(bare) > 70:
        return
    rule = line.rule("greeting")
    if not rule:
        shape = line.shape
        thanks = line.rule("thanks")
        if thanks and shape.words <= 4:
            rule = thanks
        elif shape.words <= 5 and shape.capitals and shape.capitals * 2 >= shape.words and _VOCATIVE.match(bare):
            rule = "vocative.mark"
        elif shape.words == 1 and shape.capitals and bare.isalpha() and len(bare) <= 14:
            rule = "vocative.word"
    if rule:
        marks[solid[0]] = ("greeting", rule)
