"""Where an earlier message begins: attributions, banners and blocks of header fields.

    On Tue, 4 Mar 2025, Ada wrote:        an attribution: usually '>' lines follow
    -----Original Message-----            a banner: all that follows is the earlier message
    From: … Sent: … To: … Subject: …      a block of fields: the same
    Ada Byron/LON/Firm                    a Notes header: a name, a date, then fields
    07/26/2000 05:20 PM
    To: …

Only lines that can open or end such a passage are looked at; words come from the pattern tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mailmill.email.banners import banner_of, desk_rule, field_of, framed_desk_rule, is_glued
from mailmill.email.cautions import is_first
from mailmill.email.evidence import UNDECIDED
from mailmill.email.fieldblocks import Header, bare_fields, field_block, notes_fields
from mailmill.email.lines import Line, Lines, fold
from mailmill.email.matching import heads
from mailmill.email.patterns import PATTERNS
from mailmill.email.stamps import ADDRESS, CLOCK, DATED, DAY, introduces, is_listed, is_stamped

_EMAIL: Final = re.compile(rf"{ADDRESS}|\d{{1,2}}[:.]\d{{2}}")
#: Words that signs join into a name: "mein-shop.de", "book-my-flight".
_JOINED: Final = re.compile(r"\b\w{1,40}(?:[-._]\w{1,40}){1,8}")
_RULES: Final = "-_=*~#+"
#: What else help desks draw around their line.
_FRAMES: Final = "[—"
_DIGIT: Final = re.compile(r"\d")
#: An attribution behind words of the author's, where HTML was flattened: "Yes. On Tue, 4 Mar 2025, Ada wrote:".
_OPENING: Final = re.compile(
    rf"(?:On|Am|Le|El|Em|Il|Op) (?<=\W...)(?=[^\d<>@!?:]{{0,30}}\d)(?=[^<>@]{{0,60}}?(?:{DATED.pattern}))"
)
#: "… <ada@…> wrote", with nothing behind it.
_VERB_LAST: Final = re.compile(rf"<{ADDRESS}>(?: [^\W\d_]{{1,12}}){{1,2}}$")

#: Marks around what somebody said, and in how many lines they close.
_SPEECH: Final = "\"“”„«»‘‚'"
_SPEECH_ENDS: Final = frozenset("\"“”»«’'")
MAX_SPEECH: Final = 30
#: "“We will refund you” - and nothing happened."
_GOES_ON: Final = re.compile(r".[^\"“”»’']{1,400}[\"“”»’'] ?[-–—,;:(…] ?\w")

#: "Ada Byron:" right above her words.
_NAME_COLON: Final = re.compile(r"[A-ZÀ-Þ][\w.'-]{1,15}(?: [A-ZÀ-Þ][\w.'-]{0,15}){1,3} ?:")

#: The rule of headers that are known by their form alone.
_SHAPE: Final = "attribution.shape"
#: Attribution rules that start with a word of their own ("on …", "am …"); the others need more proof.
_ANCHORED: Final = frozenset(f.name for f in PATTERNS.matchers["attribution"].fragments if "" not in heads(f.text))


def candidates(lines: Lines) -> list[int]:
    """The lines that can open or end a header: by their first and last characters, a colon, or marks right below."""
    bares = lines.bares
    found = [
        i
        for i, bare in enumerate(bares)
        if bare
        and (
            ":" in bare
            or bare[0] in _RULES
            or bare[-1] in "-=_>®"
            or (bare[0] in _FRAMES and framed_desk_rule(bares, i) != "")
        )
    ]
    depths = lines.depths
    above = [i - 1 for i in depths if i and i - 1 not in depths and bares[i - 1]] if depths else []
    return sorted({*found, *above}) if above else found


def find_headers(lines: Lines, worth: list[int]) -> Iterator[Header]:
    """The headers among unquoted lines, from the top; `worth`: their `candidates`.

    After a banner or a block of fields, unless a patch's, everything belongs to the earlier message: the search ends.
    """
    floor, barren = 0, 0
    bares, depths = lines.bares, lines.depths
    top, alone = lines.next_solid(0), all(depth >= 3 and bares[i][-1:] in (":", ">") for i, depth in depths.items())
    for i in worth:
        if i < floor or lines.evidence[i] not in UNDECIDED:
            continue
        bare = bares[i]
        if i in depths:
            if depths[i] >= 3 and _is_angled(lines, i, alone and i > top):
                yield Header(i, i + 1, "banner", "banner.angles")
                return
            continue
        header = None
        if bare[0] in _RULES or bare[-1] in ":-=_" or bare[0] in _FRAMES:
            header = _banner(lines, i, floor)
        if header is None and i >= barren and ":" in bare[1:40]:
            header, barren = field_block(lines, i, floor)
        if header is None and len(bare) < 40 and ":" in bare and bare[bare.rfind(":") - 1].isdigit():
            header = bare_fields(lines, i, floor)
        if header is None and (bare[-1] == ":" or bare[-2:] in (":*", ":_", ": ")):
            header = _attribution(lines, i, floor)
        elif header is None and ":   " in bare and is_glued(bare):
            header = Header(i, i + 1, "banner", "attribution.glued")
        elif header is None and i + 1 < len(lines):
            header = _without_colon(lines, i)
        if header is None:
            continue
        yield header
        if header.kind not in ("attribution", "patch"):
            return
        floor = header.end


def _is_angled(lines: Lines, i: int, alone: bool) -> bool:
    """GroupWise: ">>> Ada <ada@firm.example> 2/16/01 10:41 >>>", or ">>> On …, Ada <ada@firm.example> wrote:", where
    such lines `alone` bear marks."""
    bare = lines.bares[i]
    if _EMAIL.search(bare) is None:
        return False
    if lines.texts[i].rstrip().endswith(">>>"):
        return True
    return alone and bare[-1] == ":" and "@" in bare and PATTERNS.matchers["attribution"].rule(fold(bare)) in _ANCHORED


def _attribution(lines: Lines, last: int, floor: int) -> Header | None:
    match = PATTERNS.matchers["attribution"].rule
    text, found = "", None
    follow = lines.next_solid(last + 1)
    bares = lines.bares
    quoted = follow < len(lines) and (follow in lines.depths or lines.evidence[follow] != "")
    near = "" if quoted else " ".join(bares[max(floor, last - 3) : last + 1])
    if not quoted and "@" not in near and not (_DIGIT.search(near) and DATED.search(near)):
        return None
    for start in range(last, max(floor, last - 3) - 1, -1):
        if not _is_open(lines, start):
            break
        bare, below = bares[start], text
        text = f"{bare} {text}" if text else bare
        own, rest = _shared(lines.texts[start])
        if rest and (rule := match(fold(f"{rest} {below}"))) in _ANCHORED:
            if len(lines.texts[start]) == len(own) + len(rest):
                return None  # "Yes.On Tue, …": the line cannot be parted, and is the author's as well
            found = Header(start, last + 1, "attribution", rule, len(own))
            break
        rule = match(fold(text))
        if not rule and follow in lines.depths and start == last:
            rule = "attribution.name" if _NAME_COLON.fullmatch(bare) or introduces(bare) else ""
        if not rule and len(text) < 200:
            shaped = _is_shaped(text) if quoted else "@" in text and is_stamped(text)
            rule = _SHAPE if shaped and (quoted or not is_listed(lines, start, last + 1)) else ""
        if not rule:
            continue
        if rule in _ANCHORED:
            found = Header(start, last + 1, "attribution", rule)
            break
        # "Ada <ada@…> schrieb am Di., 4." / "März 2025, 21:08:" is one header, though its end has the form of one.
        wrapped = found is not None and found.rule == _SHAPE != rule and "@" in bare and "@" not in bares[last]
        if found is None or (wrapped and DAY.search(text)):
            found = Header(start, last + 1, "attribution", rule)
    if found is not None and _is_addressed(lines, found, floor):
        found = found._replace(start=found.start - 1)
    if found is None or quoted:
        return found
    passage = " ".join([lines.texts[found.start][found.own :], *bares[found.start + 1 : found.end]])
    below_own = found.own > 0 or any(bares[: found.start])
    if _is_own(found.rule, passage) or (follow == len(lines) and not (below_own and _is_dated(passage))):
        return None  # what the author tells; with nothing below, only a program's line below own words is one
    named = found.rule in _ANCHORED and not found.own and DATED.search(passage)
    return found if "@" in passage or (named and not _told(lines, found, passage)) else None


def _shared(text: str) -> tuple[str, str]:
    """Words of the author's, none of them an address, and the attribution with its date behind them; or '' twice."""
    starts = [found.start() for found in _OPENING.finditer(text)] if _DIGIT.search(text) else []
    if not starts or "@" in (own := text[: starts[-1]]) or not any(map(str.isalpha, own)):
        return "", ""
    return own[:-1] if own[-1].isspace() else own, text[starts[-1] :]


def _is_open(lines: Lines, i: int) -> bool:
    """Is the line neither blank nor quoted, and does HTML structure leave it open?"""
    return lines.bares[i] != "" and i not in lines.depths and lines.evidence[i] in UNDECIDED


def _is_addressed(lines: Lines, header: Header, floor: int) -> bool:
    """Does a header open with an address ("<ada@…> wrote:"), right below a line that says when, and whose it is?"""
    address, above = lines.bares[header.start].partition(" ")[0].rstrip(":"), header.start - 1
    if address[:1] not in ("<", "(") or "@" not in address or above < floor or not _is_open(lines, above):
        return False
    return is_stamped(f"{lines.bares[above]} {address}:")


def _is_dated(text: str) -> bool:
    """Does a text say day and time?"""
    return CLOCK.search(text) is not None and DAY.search(text) is not None


def _is_own(rule: str, text: str) -> bool:
    """Does what matches the rule speak of its author, or say whose somebody is: "schrieb ich an", "my boss"? A name has
    a capital or joins its words, and in an address anything may stand."""
    language, words = rule.split(".")[1], _JOINED.sub("", _EMAIL.sub("", text))
    owns = [kind[language] for kind in (PATTERNS.first_person, PATTERNS.possessives) if language in kind]
    return any([own.search(words) is not None for own in owns])


def _is_shaped(text: str) -> bool:
    """Does a line above a quote name an address or a time of day, and hold a digit?"""
    return _EMAIL.search(text) is not None and _DIGIT.search(text) is not None


def _told(lines: Lines, header: Header, passage: str) -> bool:
    """Does the author tell what somebody wrote? `passage` names "your agent", opens a speech in quotation marks, or
    only a greeting stands above it, which ends in a comma where it is none by itself, and then no program says when.

    Nor does one where nothing stands above it, and then no line below bears a mark, of whatever kind.
    """
    said = _JOINED.sub("", passage.lower())
    if PATTERNS.possessives[header.rule.split(".")[1]].search(said) or _is_quotation(lines, header.end):
        return True
    above = [bare for bare in lines.bares[: header.start] if bare]
    if not above:
        below = lines.bares[lines.next_solid(header.end)]
        return not (lines.depths or CLOCK.search(passage)) and below[0].isalnum()
    if len(above) > 1 or "," in above[0][:-1]:
        return False
    return Line(above[0]).rule("greeting") != "" or (above[0][-1] == "," and not CLOCK.search(passage))


def _is_quotation(lines: Lines, start: int) -> bool:
    """Do lines from `start` on stand between quotation marks, with more below or behind? A quoted mail may open so."""
    opened = lines.next_solid(start)
    if opened == len(lines) or lines.bares[opened][:1] not in _SPEECH:
        return False
    if _GOES_ON.match(lines.bares[opened]):
        return True
    for i in range(opened, min(len(lines), opened + MAX_SPEECH)):
        if lines.bares[i].rstrip(".,!?")[-1:] in _SPEECH_ENDS:
            return lines.next_solid(i + 1) < len(lines)
    return False


def _without_colon(lines: Lines, i: int) -> Header | None:
    """A line that needs no colon at its end: right above marked quotes "On … wrote", or "From: Ada" alone; above any
    text one that says when, has an address and then the verb, or a program's sign ("… processed by david®")."""
    bare, match = lines.bares[i], PATTERNS.matchers["attribution"].rule
    tight, rule = i + 1 in lines.depths, ""
    below = lines.next_solid(i + 1)
    dated = "@" in bare and _is_dated(bare)
    verb_last = dated and _VERB_LAST.search(bare) is not None
    if below in lines.depths:
        hit = field_of(bare)
        rule = hit[1] if hit is not None and hit[0] == "from" else match(fold(bare))
        ends = bare[0].isupper() and (bare[-1] == ">" or verb_last or (tight and bare[-1].isalpha()))
    elif bare[-1] == "®":
        rule, ends = match(fold(bare)), False
    else:
        ends = verb_last and not (below < len(lines) and lines.bares[below][:1].islower())
    if not rule and ends and (tight or dated):  # Nabble: "Ada Byron wrote"
        rule = match(f"{fold(bare)}:")
        if rule and (not (tight or rule in _ANCHORED) or _is_own(rule, bare)):
            rule = ""
    above = i > 0 and lines.bares[i - 1] != "" and i - 1 not in lines.depths
    return Header(i - (above and bare.startswith("news:")), i + 1, "attribution", rule) if rule else None


def _banner(lines: Lines, i: int, floor: int) -> Header | None:
    bares = lines.bares
    hit = banner_of(bares[i])
    end = i + 1
    if (
        hit is None
        and i + 1 < len(lines)
        and bares[i][:3] in ("---", "___", "***", "===")
        and bares[i + 1][-3:] in ("---", "--=", "***", "===")
    ):
        # The banner was wrapped: "---- Forwarded by … on" / "01/05/2000 01:16 PM ----"
        hit, end = banner_of(f"{bares[i]} {bares[i + 1]}"), i + 2
    if hit is None:
        framed, end = framed_desk_rule(bares, i), end + (bares[i][0] != "[")
        return Header(i, end, "banner", framed) if framed and any(bares[:i]) else None  # at the top: its own mail
    kind, rule = hit
    while end < len(lines) and bares[end] and not bares[end].strip("-=_ "):
        end += 1
    fields = lines.next_solid(end)
    if kind == "banner" and fields in lines.depths and bares[i][0] in _RULES:
        return Header(i, end, "attribution", rule)  # all that it introduces is marked
    block, _ = field_block(lines, fields, floor, least=1, upward=False) if fields < len(lines) else (None, 0)
    if block is None:
        probe = notes_fields(lines, fields)
        block, _ = field_block(lines, probe, floor, least=1, upward=False) if probe else (None, 0)
    if block is None and (
        bares[i][0] not in _RULES  # "Forwarded message:" alone may be anybody's words
        or (desk_rule(bares[i]) and is_first(lines, i))  # its own mail: "##- Reply above this line -##"
    ):
        return None
    return Header(i, block.end if block else end, kind, rule)
