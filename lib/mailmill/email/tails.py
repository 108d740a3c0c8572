"""What stands around a text without being part of it: warnings, footers, disclaimers, "-- " signatures.

Each function takes the indices of the author's lines that are not blank, marks what it recognises at
their edge, and returns the indices that are left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mailmill.email.banners import is_form_field
from mailmill.email.lines import LONG_KINDS, Line, Lines, fold
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import announces

#: (zone, rule) of a line, None while undecided.
Marks = list[tuple[str, str] | None]

NOTHING: Final = ("", "")
MAX_SIGNATURE: Final = 25
_MAX_FOOTER_SEARCH: Final = 60
#: Characters of a passage in which a disclaimer shows.
MAX_LEGAL: Final = 2000

_DELIMITER: Final = re.compile(r"[-–—]{2,3}\s*$")
#: What opens a document of settings (YAML), whose documents begin with "---".
_KEY: Final = re.compile(r"[a-z][\w.-]{2,40}:(?!//)(?: |$)")
_RULE_OF_DASHES: Final = re.compile(r"[-–—]{4,5}\s*$|_{2,5}\s*$")
_DRAWN: Final = frozenset("#-–—=*_~")
RULED: Final = re.compile(r"\W{0,3}[-_=*~+#]{5,}")
#: A link, an address, or the name of what follows ("Managing director: …").
_LEADS: Final = re.compile(r"@|://|www\.|^[^:.!?,]{2,40}:")


def mark(marks: Marks, indices: Sequence[int], zone: str, rule: str) -> None:
    """Give the lines `indices` a zone and the rule that decided."""
    for i in indices:
        marks[i] = (zone, rule)


def strip_caution(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """A warning that a mail gateway put above the text ("External email: …"), one paragraph."""
    if not solid:
        return solid
    rule = lines[solid[0]].rule("caution")
    if not rule:
        return solid
    cut = next((k for k in range(1, len(solid)) if solid[k] > solid[k - 1] + 1), len(solid))
    text = " ".join([lines.bares[i] for i in solid[:cut]])[:MAX_LEGAL].lower()
    if cut == len(solid) or len(set(PATTERNS.gateway.findall(text))) < 2:
        return solid
    mark(marks, solid[:cut], "disclaimer", rule)
    return solid[cut:]


def strip_desk_lines(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """What a help desk wrote above its own mail: "##- Please reply above this line -##", "Your request has been …".

    Signs around the first line, or a row of them above it, show that a program drew it.
    """
    k = 0
    while k + 1 < len(solid):
        bare = lines.bares[solid[k]]
        if not k and (bare[0] not in _DRAWN or bare[-1] not in _DRAWN):
            break
        read = solid[k if k or any(map(str.isalnum, bare)) else 1]
        rule = PATTERNS.matchers["desk"].rule(fold(lines.bares[read]))
        if not rule:
            break
        marks[solid[k]] = ("footer", rule)
        k += 1
    return solid[k:]


def strip_footers(lines: Lines, marks: Marks, solid: list[int], *, first: bool = True) -> list[int]:
    """Footers, disclaimers and mobile tags at the end; what is left above them.

    Only a segment that is not the message's `first` may be nothing else: what a gateway appends below a quote.
    """
    size, bares = len(solid), lines.bares
    ruled = False
    previous = -2
    for k in range(max(0, size - _MAX_FOOTER_SEARCH), size):
        i = solid[k]
        bare = bares[i]
        above, ruled = ruled, not bare[0].isalnum() and RULED.match(bare) is not None
        opens = i > previous + 1 or ruled or above
        previous = i
        if not opens and size - k > 12:
            continue
        below = k > 0 or not first
        zone, rule = _below_rule(lines, solid, k) if ruled else NOTHING
        if not rule and below:
            zone, rule = "disclaimer", _disclaims(lines, solid, k, opens)
        if not rule and below:
            zone, rule = "footer", _foots(lines, solid, k, opens)
        if rule:
            stop = _foot(lines, solid, k, zone)
            mark(marks, solid[k:stop], zone, rule)
            if stop == size:
                return [i for i in solid[:k] if marks[i] is None]
        elif size - k <= 8 and (rule := lines[i].rule("mobile")) and _tags(lines, solid, k, rule):
            marks[i] = ("mobile", rule)
    return [i for i in solid if marks[i] is None]


def _below_rule(lines: Lines, solid: list[int], k: int) -> tuple[str, str]:
    """(zone, rule) of what the row of signs `solid[k]`, or one of the two lines below it, opens."""
    for j in range(k, min(k + 3, len(solid))):
        rule = footer_rule(lines, solid, j)
        if rule:
            return "footer", rule
        rule = lines[solid[j]].rule("disclaimer") if j > k else ""
        if rule and _legal(lines, solid, k):
            return "disclaimer", rule
    return NOTHING


def _disclaims(lines: Lines, solid: list[int], k: int, opens: bool) -> str:
    """The rule by which `solid[k]` opens a disclaimer, in a paragraph of its own or right below a signature; or ''."""
    rule = lines[solid[k]].rule("disclaimer") or _wrapped(lines, solid, k)
    if rule and not opens:
        opens = lines[solid[k - 1]].shape.address or lines[solid[k - 1]].rule("contact") != ""
    return rule if rule and opens and _legal(lines, solid, k) and not _personal(lines.bares[solid[k]], rule) else ""


def _foots(lines: Lines, solid: list[int], k: int, opens: bool) -> str:
    """The rule by which `solid[k]` opens a footer: in the lower half, or as one of the last paragraphs; or ''."""
    size = len(solid)
    if not (k * 2 >= size or (opens and size - k <= 3) or _reachable(lines, solid, k)):
        return ""
    rule = footer_rule(lines, solid, k)
    return "" if not rule or _personal(lines.bares[solid[k]], rule) or _announced(lines, solid, k) else rule


def footer_rule(lines: Lines, solid: list[int], k: int) -> str:
    """The rule by which `solid[k]` says what footers say, or speaks of what they do and tells nothing; or ''."""
    line = lines[solid[k]]
    return line.rule("footer") or ("" if not (topic := line.rule("topic")) or _tells(lines, solid, k) else topic)


def _tells(lines: Lines, solid: list[int], k: int) -> bool:
    """Does the sentence that opens at `solid[k]` tell something ("To unsubscribe is impossible on your site.")?

    A footer's leads somewhere, by a link or an address, or says what to do ("click"); a register ("VAT: 123") is none.
    In a web form consent is a field like others ("Privacy policy: accepted").
    """
    if any([is_form_field(lines.bares[i]) for i in solid[-_MAX_FOOTER_SEARCH:]]):  # noqa: C419 - mypyc compiles lists
        return True
    passage: list[str] = []
    for i in solid[k : k + 6]:
        if passage and passage[-1][-1] != ":" and not lines.bares[i - 1]:
            break
        if passage and (lines[i].rule("disclaimer") or lines[i].rule("footer")):
            break  # "KvK 12345678", right above a disclaimer
        passage.append(lines.bares[i])
        if passage[-1][-1] in ".!?":
            break
    text = " ".join(passage)
    shape = Line(text).shape
    sentence = shape.ends in ".!?" and shape.words > 2 and shape.lower * 3 >= shape.words
    return sentence and _LEADS.search(text) is None and PATTERNS.instructions.search(text.lower()) is None


def _announced(lines: Lines, solid: list[int], k: int) -> bool:
    """Does `solid[k]` stand in a paragraph that a line of the author's announces ("Our details:")?"""
    while k and solid[k] == solid[k - 1] + 1 and not announces(lines.bares[solid[k - 1]]):
        k -= 1
    return k > 0 and announces(lines.bares[solid[k - 1]])


def _tags(lines: Lines, solid: list[int], k: int, rule: str) -> bool:
    """Is `solid[k]` no sentence of the author's ("Sent from Leeds on Monday"), nor one right below it?

    A tag names a device or a program, or says whose it is.
    """
    bare = lines.bares[solid[k]]
    if not (PATTERNS.devices.search(bare.lower()) or (_personal(bare, rule) and not lines[solid[k]].shape.prose)):
        return False
    for i in solid[k + 1 :]:
        below = lines[i]
        if below.rule("disclaimer") or below.rule("footer") or below.rule("topic") or below.rule("mobile"):
            break
        if below.shape.words > 2 and below.shape.ends in ".?!":
            return False
    return True


def _legal(lines: Lines, solid: list[int], k: int) -> bool:
    """Does the text from `solid[k]` on speak of what disclaimers do? "Important: …" alone opens a complaint, too."""
    below = solid[k : k + 30]
    if len(below) > 1 and lines[below[0]].shape.words <= 6 and lines.bares[below[0]][-1] != ":":
        below = below[1:]  # what a heading says ("Privileged and confidential") must be said below it
    text = " ".join([lines.bares[i] for i in below])[:MAX_LEGAL].lower()
    return PATTERNS.legal.search(text) is not None or len(set(PATTERNS.legal_weak.findall(text))) > 1


def _reachable(lines: Lines, solid: list[int], k: int) -> bool:
    """Do the own lines begin at `solid[k]`, below a quote, with an address among the first of them?"""
    return not k and any(lines[i].shape.address for i in solid[:6])


def _personal(bare: str, rule: str) -> bool:
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


def signs(line: Line) -> bool:
    """Is a line a sign-off, thanks, or one of a signature: a name, a title, a way to reach somebody?"""
    shape = line.shape
    if shape.name or shape.title or ((shape.address or shape.phone) and not shape.prose):
        return True
    return any([line.rule(kind) for kind in ("contact", "signoff", "thanks")])  # noqa: C419 - mypyc compiles lists


def _foot(lines: Lines, solid: list[int], k: int, zone: str) -> int:
    """Where a footer or disclaimer from `solid[k]` on stops: at a postscript, or the end if that is near."""
    end = next((j for j in range(k + 1, len(solid)) if _adds(lines, solid[j])), len(solid))
    if zone == "disclaimer" or end - k <= 12:
        return end
    return next((j for j in range(k + 1, end) if solid[j] > solid[j - 1] + 1), end)


def strip_signature_below_delimiter(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """The signature below a line of two dashes (RFC 3676, section 4.3), as far as a postscript; what is left."""
    for k in range(max(0, len(solid) - MAX_SIGNATURE - 1), len(solid)):
        bare = lines.bares[solid[k]]
        if bare[0] in "-–—_" and (
            (_DELIMITER.match(bare) and not _parts(lines, solid, k))
            or (1 < len(solid) - k <= 6 and k and _RULE_OF_DASHES.match(bare) and lines[solid[k + 1]].shape.name)
        ):
            if bare != "--" and k + 1 < len(solid) and _KEY.match(lines.bares[solid[k + 1]]):
                continue
            end = next((j for j in range(k + 2, len(solid)) if _adds(lines, solid[j])), len(solid))
            mark(marks, solid[k:end], "signature", "delimiter")
            return solid[:k] + solid[end:]
    return solid


def _adds(lines: Lines, i: int) -> bool:
    """Does line `i` open a postscript, below a blank line? A signature holds "PS: think before you print"."""
    return not lines.bares[i - 1] and lines[i].rule("postscript") != ""


def _parts(lines: Lines, solid: list[int], k: int) -> bool:
    """Does the rule `solid[k]` only part a passage from the next, which is text?

    Text stands below a blank line. Below two dashes without a signature's blank behind them it is all that follows and
    reaches nobody, below nobody's name; without a blank line they part more than two: a saying may be a signature.
    """
    below = solid[k + 1 :]
    if not below or not lines[below[0]].shape.prose:
        return False
    gap = below[0] > solid[k] + 1
    if lines.bares[solid[k]] != "--":
        return gap
    if lines.texts[solid[k]].endswith("-- ") or any([lines[below[0]].rule(kind) for kind in LONG_KINDS]):  # noqa: C419
        return False
    signed = k > 0 and signs(lines[solid[k - 1]])
    if signed or (not gap and sum([lines.bares[i] == "--" for i in solid]) < 2):
        return False
    shapes = [lines[i].shape for i in below if not _DELIMITER.match(lines.bares[i])]
    return all([shape.prose and not (shape.address or shape.phone) for shape in shapes])  # noqa: C419 - as above
