"""The edges of the author's own lines: greeting, sign-off, signature, disclaimer, footer, mobile tag.

A phrase alone proves little: "Thanks" opens one mail and closes the next. Position decides. A greeting is
the first line of the first segment; a sign-off has nothing below it but short lines; a signature is the
short lines with names, titles and numbers at the very end. Tests run from the edge inwards and stop at the
first sentence, so a long mail costs no more than a short one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mailmill.email.attached import strip_attachments, strip_pictures, strip_scrubbed
from mailmill.email.cautions import strip_caution
from mailmill.email.footers import strip_footers
from mailmill.email.greetings import mark_greeting
from mailmill.email.introduced import keep_added, keep_footnotes, keep_introduced
from mailmill.email.lines import Lines, fold
from mailmill.email.names import DASHED_FIRM, DASHED_NAME, is_sender
from mailmill.email.patterns import PATTERNS
from mailmill.email.signatures import MAX_CLOSING, owned_signature, reaches, ruled_signature, signature_block
from mailmill.email.signing import Stand, last_name, speaks
from mailmill.email.speech import bilingual
from mailmill.email.tails import (
    Marks,
    is_nested,
    is_row,
    mark,
    strip_desk_lines,
    strip_signature_below_delimiter,
)

#: A signature of more lines than this says how to reach its owner.
MAX_UNTITLED: Final = 8


def mark_edges(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str], *, first: bool, last: bool) -> None:
    """Mark the edges of the own lines `solid` (those of a segment that are not blank) in place.

    `first` and `last`: the segment is the message's first or last; between quotes only clear rules apply.
    """
    own = solid
    if first:
        solid = strip_desk_lines(lines, marks, strip_caution(lines, marks, solid))
    solid = strip_footers(lines, marks, strip_scrubbed(lines, marks, solid), first=first)
    solid = strip_attachments(lines, marks, strip_pictures(lines, marks, solid))
    solid = strip_signature_below_delimiter(lines, marks, solid, names)
    if first or last:
        solid = keep_footnotes(lines, marks, solid)
        solid = _closing(lines, marks, solid, names, first=first)
    if first:
        mark_greeting(lines, marks, own, solid, last=last)


def _closing(
    lines: Lines, marks: Marks, solid: list[int], names: frozenset[str], *, first: bool, again: bool = False
) -> list[int]:
    """Sign-off, name and signature at the end; what is left above them. `again`: above the sender's own signature."""
    solid = keep_added(lines, marks, keep_introduced(lines, marks, solid, names), names)
    solid = ruled_signature(lines, marks, solid, names)
    above = _before_postscript(lines, solid)
    if len(above) < len(solid):
        _sign_added(lines, marks, solid[len(above) :], names)
        solid = above
    top = _signoff(lines, solid, names)
    if top >= 0:
        alone = first and (top == 0 or (top == 1 and lines[solid[0]].rule("greeting") != ""))
        signature = _name_lines(lines, solid, top)
        said = _said_below(lines, solid, range(top + 1, signature), names, alone=alone)
        if said < len(solid):
            _sign_added(lines, marks, solid[said:], names)
            mark(marks, solid[top if alone else said : said + 1], "body", "body.says")
            if alone:  # "Thanks! / Tuesday works."
                return solid[: said + 1] if top else []
            solid, signature = solid[:said], said
        if not _is_list(lines, solid[signature:]):
            rule = _signs_off(lines, solid, top) or lines[solid[top]].rule("closing")
            mark(marks, solid[top:signature], "signoff", rule)
            mark(marks, solid[signature:], "signature", "signature.below")
            return solid[:top]
    owned = solid if again else owned_signature(lines, marks, solid, names)
    if len(owned) < len(solid):
        return _closing(lines, marks, owned, names, first=first, again=True)
    left = _inner_signoff(lines, marks, solid, names)
    if len(left) < len(solid):
        return signature_block(lines, marks, left, names)
    solid = signature_block(lines, marks, solid, names)
    return last_name(lines, marks, solid, names)


def _signoff(lines: Lines, solid: list[int], names: frozenset[str]) -> int:
    """Place of the first line of the sign-off that has nothing but a signature below it, -1 where there is none."""
    top = -1
    for k in range(len(solid) - 1, max(-1, len(solid) - 1 - MAX_CLOSING), -1):
        line = lines[solid[k]]
        if _signs_off(lines, solid, k):
            top = k
        elif top >= 0 and k < top - 1:
            break
        elif line.rule("closing"):
            return k if top < 0 or top == k + 1 else top
        elif line.shape.prose or line.shape.remark:
            return top if top >= 0 else _signed_above(lines, solid, k, names)
    return top


def _sign_added(lines: Lines, marks: Marks, added: list[int], names: frozenset[str]) -> None:
    """The name or signature below what somebody adds below a sign-off, which stays."""
    added = signature_block(lines, marks, added, names)
    if len(added) > 1:
        last_name(lines, marks, added, names)


def _signed_above(lines: Lines, solid: list[int], k: int, names: frozenset[str]) -> int:
    """Index of the sign-off and the sender's name above a sentence of the signature, -1 where there is none.

    Nothing parts them from the end: "Kind regards, / Kim Noll / Payroll Officer / I work from Monday to Wednesday.".
    """
    for j in range(k - 1, max(0, k - MAX_CLOSING), -1):
        if solid[j + 1] > solid[j] + 1:
            break
        if is_sender(lines.bares[solid[j]], names) and _signs_off(lines, solid, j - 1):
            between, shape = [lines[i].shape for i in solid[j + 1 : k]], lines[solid[k]].shape
            signs = not any(each.prose for each in between) if between else shape.address or shape.phone or shape.title
            return j - 1 if signs else -1
    return -1


def _is_list(lines: Lines, below: Sequence[int]) -> bool:
    """Many lines without any contact details are a list that a thank-you introduces, not a signature below it."""
    return len(below) > MAX_UNTITLED and not any(lines[i].shape.contact or lines[i].rule("contact") for i in below)


def _signs_off(lines: Lines, solid: list[int], k: int) -> str:
    """The rule by which line `k` of the solid lines is a sign-off by itself, or ''."""
    line = lines[solid[k]]
    rule = line.rule("signoff")
    if rule and line.shape.words > 1 and line.shape.lower and _is_longer_sentence(line.bare):
        rule = ""
    rule = rule or bilingual(line.bare)
    if not rule and not (line.bare[-1] == "." and _glued(lines, solid, k)):
        rule = line.rule("thanks")
    if (
        not rule
        and k
        and line.bare[0] in "-–—~"
        and (DASHED_NAME.match(line.bare) or (k + 1 == len(solid) and DASHED_FIRM.match(line.bare)))
        and not any(lines.bares[i][0] in "-–—~" for i in (solid[k - 1], *solid[k + 1 : k + 2]))
        and not is_nested(lines, solid[k])
    ):
        rule = "name.dashed"
    return rule


def _is_longer_sentence(bare: str) -> bool:
    """Is it a sentence whose first words may sign off ("Best price is 2.50."), without a comma or a name?"""
    last = bare.rstrip(".!? ").rpartition(" ")[2]
    return (
        (last.islower() or last[-1:].isdigit())
        and "," not in bare
        and not PATTERNS.matchers["signoff_alone"].rule(fold(bare))
    )


def _glued(lines: Lines, solid: list[int], k: int) -> bool:
    """Does running text stand right above line `k` of the solid lines, so that "Thanks." is its last sentence?"""
    return k > 0 and solid[k] == solid[k - 1] + 1 and lines[solid[k - 1]].shape.prose


def _inner_signoff(lines: Lines, marks: Marks, solid: list[int], names: frozenset[str]) -> list[int]:
    """A sign-off, a name and what says more of its owner, with more text below them (an unmarked postscript, a survey,
    a letter that was pasted): only they go."""
    bares = lines.bares
    low = max(0, len(solid) - MAX_CLOSING * 3)
    for k in range(len(solid) - 3, 0, -1):
        if solid[k] == solid[k - 1] + 1 or len(bares[solid[k]]) > 30:
            continue
        ruled = is_row(bares[solid[k + 1]])  # "Thanks, / ____ / Ada Byron / Sales / ____"
        top = k + 2 if ruled else k + 1
        known = is_sender(bares[solid[top]], names)
        if not known and (k <= low or not lines[solid[top]].shape.name):
            continue
        rule = lines[solid[k]].rule("signoff") or lines[solid[k]].rule("thanks")
        if not rule:
            continue
        end = _owner(lines, solid, top + 1)
        # Where it is known who wrote, a stranger's address goes only right below what is a sign-off beyond doubt.
        clear = solid[k + 1] == solid[k] + 1 and (bares[solid[k]][-1] == "," or lines[solid[k]].shape.words > 1)
        reached = any(lines[i].rule("contact") or "@" in bares[i] for i in solid[top + 1 : end])
        if names and not (known or clear or reached):
            end = top + 1
        if (end > top + 1 and not reaches(lines, solid[top + 1 : end])) or (ruled and not (known or reached)):
            continue
        row = end < len(solid) and is_row(bares[solid[end]])
        if row or (end < len(solid) and solid[end] > solid[end - 1] + 1):
            end += ruled and row
            mark(marks, solid[k : top + 1], "signoff", rule)
            mark(marks, solid[top + 1 : end], "signature", "signature.below")
            return solid[:k] + solid[end:]
    return solid


def _owner(lines: Lines, solid: list[int], k: int) -> int:
    """Where the lines end that stand right below a name, from place `k` on, and say who it is and where."""
    most = min(len(solid), k + MAX_UNTITLED)
    while k < most and solid[k] == solid[k - 1] + 1:
        line = lines[solid[k]]
        named = line.shape.name and line.shape.ends not in ".?!:"
        if line.shape.ends in '"”“»' or not (named or line.shape.contact or line.rule("contact")):
            break  # a letter in quotation marks is another's
        k += 1
    return k


def _before_postscript(lines: Lines, solid: list[int]) -> list[int]:
    for k in range(max(1, len(solid) - MAX_CLOSING), len(solid)):
        if lines[solid[k]].rule("postscript"):
            return solid[:k]
    return solid


def _said_below(lines: Lines, solid: list[int], closing: range, names: frozenset[str], *, alone: bool) -> int:
    """Place of the first line of few words that says something below a sign-off, the number of lines where none does.

    `closing`: the places of what would be names below the sign-off; what stands right below a whole name is its
    owner's. `alone`: nothing but a greeting stands above the sign-off.
    """
    named = False
    for k in closing:
        line = lines[solid[k]]
        owned = named and solid[k] == solid[k - 1] + 1
        if not owned and speaks(line, names, "alone" if alone else _stands(lines, solid, k, names)):
            return k
        named = line.shape.words > 1 and (line.shape.name or is_sender(line.bare, names))
    return len(solid)


def _stands(lines: Lines, solid: list[int], k: int, names: frozenset[str]) -> Stand:
    """Apart, where a blank line parts `solid[k]` from the thanks above it, or from the sender's name below it."""
    if not names or not lines[solid[k - 1]].rule("thanks"):
        return "below"
    below = solid[k + 1] if k + 1 < len(solid) else 0
    signed = below > solid[k] + 1 and is_sender(lines.bares[below], names)
    return "apart" if signed or solid[k] > solid[k - 1] + 1 else "below"


def _name_lines(lines: Lines, solid: list[int], signoff: int) -> int:
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
