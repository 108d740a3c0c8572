"""Footers, disclaimers and the tags of mobile programs below a text: whole sentences that somebody else wrote.

What they say is told by the tables; where they stand, and what stands around them, tells whether it is the author's.
"""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.banners import is_form_field
from mailmill.email.disclaimers import disclaimer_end, disclaims, personal, speaks_law
from mailmill.email.lines import LONG_KINDS, Line, Lines
from mailmill.email.links import unlinked
from mailmill.email.mobile import names_device
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import announces
from mailmill.email.tails import NOTHING, RULED, Marks, is_row, mark, opens_postscript

_MAX_FOOTER_SEARCH: Final = 60
#: Words of a footer's sentence that is nothing but a link's text: "Unsubscribe from this list.".
_BRIEF: Final = 6
_FIELD: Final = re.compile(r"[^\W\d_]{2,30}: \S")
#: What parts the registers of a line: "KvK 12345678 - BTW NL123456789B01".
_PARTS: Final = re.compile(r"(?<=\w\w)\. | [-–|·•/] ")
#: A link, an address, or the name of what follows ("Managing director: …").
_LEADS: Final = re.compile(r"@|://|www\.|^[^:.!?,]{2,40}:")


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
        above, ruled = ruled, not bare[0].isalnum() and (RULED.match(bare) is not None or not bare.strip("_"))
        opens = i > previous + 1 or ruled or above
        previous = i
        if not opens and size - k > 12:
            continue
        below = k > 0 or not first
        zone, rule = _below_rule(lines, solid, k) if ruled else NOTHING
        if not rule and below:
            zone, rule = "disclaimer", disclaims(lines, solid, k, opens)
        if not rule and below:
            zone, rule = "footer", _foots(lines, solid, k, opens)
        if rule:
            stop = _foot(lines, solid, k, zone)
            if zone == "disclaimer":
                signed = _below_signature(lines, solid, k)
                stop = disclaimer_end(lines, solid, k, stop, first=first, signed=signed)
            mark(marks, solid[k:stop], zone, rule)
            if stop == size:
                return [i for i in solid[:k] if marks[i] is None]
        elif size - k <= 8 and (rule := _tags(lines, solid, k)):
            drawn = above and _is_lone_row(bares, solid[k - 1])
            mark(marks, solid[k - 1 if drawn else k : k + 1], "mobile", rule)
    return [i for i in solid if marks[i] is None]


def _below_rule(lines: Lines, solid: list[int], k: int) -> tuple[str, str]:
    """(zone, rule) of what the row of signs `solid[k]`, or one of the two lines below it, opens."""
    for j in range(k, min(k + 3, len(solid))):
        rule = footer_rule(lines, solid, j)
        if rule:
            return "footer", rule
        rule = lines[solid[j]].rule("disclaimer") if j > k else ""
        if rule and speaks_law(lines, solid, k):
            return "disclaimer", rule
    return NOTHING


def _foots(lines: Lines, solid: list[int], k: int, opens: bool) -> str:
    """The rule by which `solid[k]` opens a footer: in the lower half, or as one of the last paragraphs; or ''."""
    size = len(solid)
    if not (k * 2 >= size or (opens and size - k <= 3) or _reachable(lines, solid, k)):
        return ""
    rule = footer_rule(lines, solid, k)
    if not rule or personal(lines.bares[solid[k]], rule) or _announced(lines, solid, k) or _signed(lines, solid, k):
        return ""
    return "" if _answers(lines, solid, k) else rule


def _answers(lines: Lines, solid: list[int], k: int) -> bool:
    """Is `solid[k]` nothing but a link, and no line right above or below it says in words what footers say?

    Pages of an author's have "/lists/" in their addresses, too; a list's own page ends a mail alone.
    """
    bare = lines.bares[solid[k]]
    if " " in bare or "://" not in bare or (k + 1 == len(solid) and "/listinfo/" in bare):
        return False
    near = [lines[i] for i in (*solid[max(0, k - 1) : k], *solid[k + 1 : k + 2]) if abs(i - solid[k]) == 1]
    return not any([" " in line.bare and (line.rule("footer") or line.rule("topic")) for line in near])


def _signed(lines: Lines, solid: list[int], k: int) -> bool:
    """Does somebody sign below `solid[k]`, and nobody above, or is it all that stands below a greeting? Without a link
    it then only begins like a footer ("For additional help we called the shop.")."""
    if _LEADS.search(lines.bares[solid[k]]) or _below_signature(lines, solid, k):
        return False
    for j in range(k + 1, len(solid)):
        if solid[j] > solid[j - 1] + 1 and len(solid) - j <= 4 and lines[solid[j]].rule("signoff"):
            return True
    alone = k == 1 and lines[solid[0]].rule("greeting") != ""
    return alone and not any([lines[i].shape.address for i in solid])


def footer_rule(lines: Lines, solid: list[int], k: int) -> str:
    """The rule by which `solid[k]` says what footers say, speaks of what they do and tells nothing, or names, below a
    signature, where a firm is registered or a scanner ("Checked by AVG"); or ''."""
    line = lines[solid[k]]
    if rule := line.rule("footer"):
        return rule
    if (topic := line.rule("topic")) and not (_tells(lines, solid, k) or _has_text_below(lines, solid, k)):
        return topic
    register = line.rule("register")
    return register if register and not _consents(lines, solid, k) and _below_signature(lines, solid, k) else ""


def _has_text_below(lines: Lines, solid: list[int], k: int) -> bool:
    """Does text stand in a paragraph below that of `solid[k]`, and no signature above?"""
    end = next((j for j in range(k + 1, len(solid)) if solid[j] > solid[j - 1] + 1), len(solid))
    return _hold_text([lines[i] for i in solid[end:]]) and not _below_signature(lines, solid, k)


def _below_signature(lines: Lines, solid: list[int], k: int) -> bool:
    """Is a sign-off, a way to reach somebody or a row of signs above; or a name, with no text below; or are two
    registers all there is?

    A customer's answer may be "VAT number GB123456789", too.
    """
    below = [lines[i] for i in solid[k + 1 :]]
    for j in range(k - 1, max(-1, k - 7), -1):
        line = lines[solid[j]]
        if line.rule("register") or opens_postscript(lines, solid[j]):
            continue
        if line.shape.prose or line.rule("greeting"):
            break
        if line.rule("signoff") or line.rule("contact") or line.shape.address or RULED.match(line.bare):
            return True
        if line.shape.name and not any(map(str.isdigit, line.bare)) and not _hold_text(below):
            return True
    greeted = k > 0 and lines[solid[k - 1]].rule("greeting") != ""
    if len(below) > 5 or greeted or not all(line.rule("register") for line in below):
        return False
    return sum(Line(part).rule("register") != "" for i in solid[k:] for part in _PARTS.split(lines.bares[i])) > 1


def _tells(lines: Lines, solid: list[int], k: int) -> bool:
    """Does the sentence that opens at `solid[k]` tell something ("To unsubscribe is impossible on your site.")?

    A footer's leads somewhere, by a link or an address, or says what to do ("click"). The link may stand below it where
    a signature is above or nothing else follows; under a signature a brief one may be a link's text (in HTML).
    """
    if _consents(lines, solid, k):
        return True
    passage: list[str] = []
    for i in solid[k : k + 6]:
        if passage and passage[-1][-1] != ":" and not lines.bares[i - 1]:
            break
        if passage and (lines[i].rule("disclaimer") or lines[i].rule("footer")):
            break
        passage.append(lines.bares[i])
        if passage[-1][-1] in ".!?":
            break
    text = " ".join(passage)
    shape = Line(text).shape
    if not (shape.ends in ".!?" and shape.words > 2 and shape.lower * 3 >= shape.words):
        return False
    if _LEADS.search(text) or PATTERNS.instructions.search(text.lower()):
        return False
    below = [lines[i] for i in solid[k + len(passage) :]]
    if _hold_text(below):
        return True
    links = [line.shape.words == 1 and line.shape.address for line in below]
    verbless = PATTERNS.sentence_words.isdisjoint(text.lower().rstrip(".!?").split())
    if _below_signature(lines, solid, k):
        return not (links[:1] == [True] or (verbless and shape.words <= _BRIEF))
    return not (verbless and links and all(links))


def _hold_text(below: list[Line]) -> bool:
    """Is one of the lines a sentence that no gateway and no list writes?"""
    return any([line.shape.prose and not any([line.rule(kind) for kind in LONG_KINDS]) for line in below])


def _consents(lines: Lines, solid: list[int], k: int) -> bool:
    """Is `solid[k]` a field of a web form like others ("Privacy policy: accepted"), above or beside what is sent by it?

    Below that it is one by its colon, unless it leads somewhere, or by that of a field below it.
    """
    bare = lines.bares[solid[k]]
    last = next((i for i in reversed(solid[-_MAX_FOOTER_SEARCH:]) if is_form_field(lines.bares[i])), None)
    if last is None:
        return False
    if last > solid[k] or all(lines.bares[last : solid[k]]) or (":" in bare and not lines[solid[k]].shape.address):
        return True
    if k + 1 == len(solid):
        return False
    below = lines[solid[k + 1]]
    return _FIELD.match(below.bare) is not None and not (below.shape.address or below.rule("register"))


def _announced(lines: Lines, solid: list[int], k: int) -> bool:
    """Does `solid[k]` stand in a paragraph that a line of the author's announces ("Our details:")?"""
    while k and solid[k] == solid[k - 1] + 1 and not announces(lines.bares[solid[k - 1]]):
        k -= 1
    return k > 0 and announces(lines.bares[solid[k - 1]])


def _tags(lines: Lines, solid: list[int], k: int) -> str:
    """The rule by which `solid[k]` is a program's tag, no sentence of the author's ("Sent from Leeds on Monday") nor
    right above one; or ''.

    A tag names a device or a program, or says whose it is.
    """
    bare = lines.bares[solid[k]]
    line = Line(unlinked(bare)) if "](" in bare else lines[solid[k]]
    rule = line.rule("mobile")
    if not rule or not names_device(line.bare, rule, prose=line.shape.prose):
        return ""
    for i in solid[k + 1 :]:
        below = lines[i]
        if any([below.rule(kind) for kind in (*LONG_KINDS, "mobile")]):
            break
        if below.shape.words > 2 and below.shape.ends in ".?!":
            return ""
    return rule


def _is_lone_row(bares: list[str], i: int) -> bool:
    """Is line `i` nothing but signs, and not the lower edge of what the same row opens?"""
    return is_row(bares[i]) and bares[i] not in bares[:i]


def _reachable(lines: Lines, solid: list[int], k: int) -> bool:
    """Do the own lines begin at `solid[k]`, below a quote, with an address among the first of them?"""
    return not k and any(lines[i].shape.address for i in solid[:6])


def _foot(lines: Lines, solid: list[int], k: int, zone: str) -> int:
    """Where a footer or disclaimer from `solid[k]` on stops: at a postscript, or the end if that is near."""
    end = next(
        (j for j in range(k + 1, len(solid)) if opens_postscript(lines, solid[j]) and not _printed(lines, solid[j])),
        len(solid),
    )
    if zone == "disclaimer" or end - k <= 12:
        return end
    return next((j for j in range(k + 1, end) if solid[j] > solid[j - 1] + 1), end)


def _printed(lines: Lines, i: int) -> bool:
    """Does a postscript belong to a disclaimer: "P.S. Please consider the environment before printing this e-mail."?"""
    text = lines.bares[i].lower()
    return PATTERNS.legal.search(text) is not None or PATTERNS.legal_weak.search(text) is not None
