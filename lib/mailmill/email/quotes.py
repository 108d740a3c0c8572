"""What is quoted: by HTML structure, by marks before the lines, by a header above them.

Marks are trusted more than headers: below "On … wrote:" only the marked lines are somebody else's, so an
answer below or between them stays the author's. Where a header's quotes carry no marks at all
(Outlook, Notes), everything below it is the earlier message.
"""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.banners import banner_of, field_of
from mailmill.email.evidence import ANSWER, EVIDENCE_ZONES, FRAME, WEAK
from mailmill.email.fieldblocks import Header
from mailmill.email.greetings import heading
from mailmill.email.headers import candidates, find_headers
from mailmill.email.lines import Line, Lines, fold
from mailmill.email.patterns import PATTERNS
from mailmill.email.stamps import ADDRESS
from mailmill.email.tails import RULED, Marks
from mailmill.email.wrapped import mark_wrapped

# One tuple for all lines, so that comparing them takes no time.
QUOTED: Final = ("quoted", "quote.mark")
_COLON: Final = ("quoted", "quote.colon")
# What stands for left out text between brackets or stars: "<snip>", "[...]".
_SNIPPED: Final = re.compile(r"[\[(<{*]{1,5} ?(?:snip(?:ped)?|\.{2,5}|…) ?[\])>}*]{1,5}$", re.IGNORECASE)
# An address whose bracket is not closed in its line, and how long the rest of its attribution may be.
_UNCLOSED: Final = re.compile(rf"<(?:mailto:)?{ADDRESS}$")
_MAX_REST: Final = 60
# Lines of text that its author may frame with two rows of signs.
_MAX_FRAMED: Final = 100
# What OpenPGP puts "- " before.
_ESCAPED: Final = ("- -", "- From ")
# A row of scissors ("-----8<-----"), which opens and closes what its author pasted.
_SCISSORS: Final = re.compile(r"[-=_~ ]{2,60}(?:8<|>8)[-=_~ ]{2,60}$")
# Home-made quote marks below an attribution: "--]", ")", "}", "%" and the like.
_OWN_PREFIX: Final = re.compile(r"[-=+*#%:;~^!]{0,3}[\])}>%+~^]")


def mark_evidence(lines: Lines, marks: Marks) -> bool:
    """Mark what HTML structure says; True when plain block quotes wait for a decision."""
    weak = quoted = False
    answers: bool | None = None
    for i, evidence in enumerate(lines.evidence):
        if evidence:
            if evidence == WEAK:
                weak = True
            elif evidence == ANSWER and not quoted:
                continue  # the author's, as all above the quote
            elif lines.bares[i] and not (evidence == FRAME and answers):
                if evidence == "html.gmail_quote" and answers is None:
                    answers = _answerable(lines, i)
                marks[i] = (EVIDENCE_ZONES[evidence], evidence)
                quoted = quoted or EVIDENCE_ZONES[evidence] == "quoted"
    return weak


def mark_rules(lines: Lines, marks: Marks) -> None:
    """A row of dashes right above a header was drawn with it: one of HTML structure, or a row apart from the text."""
    below, shown = "", False
    for i in range(len(lines) - 1, -1, -1):
        mark, bare = marks[i], lines.bares[i]
        if mark is not None:
            shown = lines.evidence[i] != ""
            below = mark[1] if mark[0] == "header" or (shown and mark[0] == "quoted") else ""
        elif bare:
            if below and RULED.fullmatch(bare) and (shown or _is_apart(lines, i)):
                marks[i] = ("header", below)
            below = ""


def _is_apart(lines: Lines, i: int) -> bool:
    """Is the row `i` of underscores, or below a blank line, and not the lower edge of what the same row opens?"""
    above = lines.bares[max(0, i - _MAX_FRAMED) : i]
    return (lines.bares[i][0] == "_" or not (above and above[-1])) and lines.bares[i] not in above


def _answerable(lines: Lines, end: int) -> bool:
    """Do the lines above Gmail's <blockquote> only introduce it, so that what its frame holds below is an answer?"""
    above = zip(lines.bares[:end], lines.evidence, strict=False)
    framed = [bare for bare, evidence in above if bare and evidence in (FRAME, "html.gmail_attr")]
    return len(framed) <= 3 and not any((banner_of(bare) or ("",))[0] == "forward" for bare in framed)


def mark_quotes(lines: Lines, marks: Marks) -> list[Header]:
    """Mark '>' lines, headers, and all that follows a header that does not mark its quotes."""
    bares = lines.bares
    armour = colons = False
    _close_brackets(lines)
    for i in lines.depths:
        marks[i] = marks[i] or QUOTED
    worth = candidates(lines)
    for i in worth:
        bare = bares[i]
        if bare[0] in ":-" and i not in lines.depths:
            if bare.startswith(": "):
                colons = colons or field_of(bare[2:].strip()) is not None or _below_colon(lines, i)
            elif bare.startswith("-----BEGIN"):
                armour = True
    if armour:
        _mark_armour(lines, marks)
    if colons:
        for i, bare in enumerate(bares):
            if bare[:1] == ":":
                marks[i] = marks[i] or _COLON
    marked = list(lines.depths)
    headers = []
    for header in find_headers(lines, worth):
        headers.append(header)
        if header.own:  # its line is parted first, see `zones`
            continue
        for i in range(header.start, header.end):
            if bares[i]:
                marks[i] = ("header", header.rule)
        if header.kind == "patch":
            continue
        follow = lines.next_solid(header.end)
        if header.kind == "attribution" or _answered_below(lines, header, follow):
            if _is_marked(lines, follow) or (colons and marks[follow : follow + 1] == [_COLON]):
                continue
            adopted = _adopt_prefix(lines, marks, follow)
            if adopted:
                marked = sorted({*marked, *adopted})
                continue
        elif lines.evidence[header.start]:
            break  # the block quote around it says how far it reaches
        after = ("quoted", f"quote.after.{header.rule}")
        for i in range(header.end, _pasted(lines, header)):
            if marks[i] is None and bares[i]:
                marks[i] = after
        break
    if marked:
        mark_wrapped(lines, marks, marked)
        _mark_snipped(lines, marks)
    return headers


def _close_brackets(lines: Lines) -> None:
    """What a program wrapped before a bracket is no quote: "On …, Ada <ada@firm.example" / "> wrote:"."""
    bares, depths, match = lines.bares, lines.depths, PATTERNS.matchers["attribution"].rule
    rests = [i for i in depths if bares[i][-1:] == ":" and i and i - 1 not in depths and len(bares[i]) <= _MAX_REST]
    for i in rests:
        if _UNCLOSED.search(bares[i - 1]) and (bares[i] == ":" or match(fold(f"{bares[i - 1]}> {bares[i]}"))):
            lines.quote(i, 0, lines.texts[i].strip())
            del depths[i]


def _answered_below(lines: Lines, header: Header, follow: int) -> bool:
    """Does the message open with this header, not of a forward, and go on with marked quotes? What bears no mark below
    it is an answer then. A greeting may stand above it."""
    if header.kind == "forward" or follow not in lines.depths:
        return False
    return all(not bare or _greets(lines[i]) for i, bare in enumerate(lines.bares[: header.start]))


def _greets(line: Line) -> bool:
    """Is it a greeting, or one that consists of a name ("Bob,", not "Done," or "Best,")?"""
    if line.rule("greeting"):
        return True
    if line.bare[-1] != "," or line.shape.words > 2 or not line.shape.name or heading(line.bare):
        return False
    return not any([line.rule(kind) for kind in ("thanks", "signoff", "closing")])


def _pasted(lines: Lines, header: Header) -> int:
    """Where the message below a header ends: behind a row of scissors that repeats the one right above, or at last."""
    row = lines.bares[header.start - 1] if header.start else ""
    if "8" not in row or not _SCISSORS.match(row):
        return len(lines)
    return next((i + 1 for i in range(header.end, len(lines)) if lines.bares[i] == row), len(lines))


def _adopt_prefix(lines: Lines, marks: Marks, follow: int) -> list[int]:
    """Treat an unusual prefix that the first line below an attribution shares with others as a quote mark.

    Returns the lines that are quoted so.
    """
    found = _OWN_PREFIX.match(lines.bares[follow]) if follow < len(lines) else None
    if not found:
        return []
    prefix = found[0]
    quoted = [i for i in range(follow, len(lines)) if lines.bares[i].startswith(prefix) and i not in lines.depths]
    if len(quoted) < 2 and len(prefix) < 3:
        return []
    for i in quoted:
        lines.quote(i, 1, lines.bares[i][len(prefix) :].strip())
        marks[i] = marks[i] or ("quoted", "quote.prefix")
    return quoted


def _below_colon(lines: Lines, i: int) -> bool:
    """Does an attribution ("…:") stand right above the passage of ": " lines that begins at `i`?"""
    above = [bare for bare in lines.bares[max(0, i - 2) : i] if bare]
    return bool(above) and above[-1][:1] != ":" and above[-1][-1] == ":" and "@" in above[-1]


def _mark_armour(lines: Lines, marks: Marks) -> None:
    """OpenPGP armour (RFC 9580, section 6): header lines of a signed text, and signatures and keys as a whole.

    A signed text's lines are read without the "- " before a dash, or mbox's "From " (section 7.2): "- -- ".
    """
    inside, signed = "", False
    for i, bare in enumerate(lines.bares):
        if bare.startswith("-----BEGIN PGP "):
            inside = "text" if "SIGNED MESSAGE" in bare else "block"
            signed = inside == "text" and i not in lines.depths
        elif signed and bare.startswith(_ESCAPED) and i not in lines.depths:
            lines.read(i, bare[2:])
        if inside and bare:
            marks[i] = marks[i] or ("signature", "signature.armour")
        if bare.startswith("-----END PGP ") or (inside == "text" and not bare):
            inside = ""


def _is_marked(lines: Lines, follow: int) -> bool:
    """Do quote marks (or HTML quotes) follow within the first lines below an attribution?"""
    return any(i in lines.depths or lines.evidence[i] for i in range(follow, min(follow + 4, len(lines))))


def _mark_snipped(lines: Lines, marks: Marks) -> None:
    """A line that stands for left out text is quoted next to a quote, which blank lines may part from it."""
    solid = [i for i, bare in enumerate(lines.bares) if bare]
    for k, i in enumerate(solid):
        if marks[i] is None and lines.bares[i][0] in "[(<{*" and _SNIPPED.match(lines.bares[i]):
            near = (marks[solid[k - 1]] if k else None, marks[solid[k + 1]] if k + 1 < len(solid) else None)
            if any([mark is not None and mark[0] == "quoted" for mark in near]):
                marks[i] = ("quoted", "quote.snipped")


def mark_weak_quotes(lines: Lines, marks: Marks, headers: bool) -> None:
    """A plain <blockquote> may be an indented paragraph: it is a quote where own lines stand beside it
    and a header introduces it or the message."""
    waiting = [i for i, bare in enumerate(lines.bares) if bare and marks[i] is None]
    if headers and not all(lines.evidence[i] for i in waiting):
        for i in waiting:
            if lines.evidence[i] == WEAK:
                marks[i] = ("quoted", WEAK)
