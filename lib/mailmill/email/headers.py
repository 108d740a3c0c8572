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
from typing import Final, NamedTuple

from mailmill.email.banners import banner_of, field_of, is_glued
from mailmill.email.evidence import UNDECIDED
from mailmill.email.lines import Lines, fold
from mailmill.email.matching import heads
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import says

_DATE_LINE: Final = re.compile(
    r"[^\n]{0,90}?(?:\b\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}\b|\b\d{1,2}\.? \w{3,9}\.? \d{4}\b|\b\w{3,9} \d{1,2}, \d{4}\b)"
    r"[^\n]{0,30}\b\d{1,2}[:.]\d{2}"
)
_TIME_LINE: Final = re.compile(
    r"\W{0,3}\d{1,2}[:.]\d{2}(?::\d{2})?\s?(?:[ap]\.?m\.?)?(?:\s\w{2,5})?\W{0,40}$", re.IGNORECASE
)
_TIME: Final = re.compile(r"\d[:.h]\d\d")
_RULE_LINE: Final = re.compile(r"[_=*-]{5,200}$")
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w.-]{2,80}|\d{1,2}[:.]\d{2}")
_RULES: Final = "-_=*~#+"
_DIGIT: Final = re.compile(r"\d")
#: A date or a time of day: "Solr 6.6" and "Order 637" are none.
_DATED: Final = re.compile(
    r"\b(?:19|20)\d\d\b|\b\d{1,2}[:h]\d\d|\b\d{1,4}[/.-]\d{1,2}[/.-]\d|\b\d{1,2}\.? [^\W\d_]{3,9},|"
    r"\b[A-Z]\w{2,8} \d{1,2},"
)

#: "Ada Byron:" right above her words.
_NAME_COLON: Final = re.compile(r"[A-ZÀ-Þ][\w.'-]{1,15}(?: [A-ZÀ-Þ][\w.'-]{0,15}){1,3} ?:")

#: Attribution rules that start with a word of their own ("on …", "am …"); the others need more proof.
_ANCHORED: Final = frozenset(f.name for f in PATTERNS.matchers["attribution"].fragments if "" not in heads(f.text))

MAX_FIELD_LINES: Final = 120  # recipients' lists can run over dozens of lines


class Header(NamedTuple):
    """Lines `start` to `end` (exclusive) introduce an earlier message.

    `kind` is attribution, banner, forward or fields; `rule` the pattern that decided.
    """

    start: int
    end: int
    kind: str
    rule: str


def candidates(lines: Lines) -> list[int]:
    """The lines that can open or end a header: by their first and last characters, a colon, or marks right below."""
    found = [
        i for i, bare in enumerate(lines.bares) if bare and (":" in bare or bare[0] in _RULES or bare[-1] in "-=_>")
    ]
    depths = lines.depths
    above = [i - 1 for i in depths if i and i - 1 not in depths and lines.bares[i - 1]] if depths else []
    return sorted({*found, *above}) if above else found


def find_headers(lines: Lines, worth: list[int]) -> Iterator[Header]:
    """The headers among unquoted lines, from the top; `worth`: their `candidates`. All but attributions end the search.

    After a banner or a block of fields everything belongs to the earlier message.
    """
    floor, barren = 0, 0
    bares, depths = lines.bares, lines.depths
    for i in worth:
        if i < floor or lines.evidence[i] not in UNDECIDED:
            continue
        bare = bares[i]
        if i in depths:
            if depths[i] >= 3 and lines.texts[i].rstrip().endswith(">>>") and _EMAIL.search(bare):
                # GroupWise: >>> Ada <ada@firm.example> 2/16/01 10:41 >>>
                yield Header(i, i + 1, "banner", "banner.angles")
                return
            continue
        header = None
        if bare[0] in _RULES or bare[-1] in ":-=_":
            header = _banner(lines, i, floor)
        if header is None and i >= barren and ":" in bare[1:40]:
            header, barren = _fields(lines, i, floor)
        if header is None and (bare[-1] == ":" or bare[-2:] in (":*", ":_", ": ")):
            header = _attribution(lines, i, floor)
        elif header is None and ":   " in bare and is_glued(bare):
            header = Header(i, i + 1, "banner", "attribution.glued")
        elif header is None and lines.next_solid(i + 1) in depths:
            header = _above_marks(lines, i)
        if header is None:
            continue
        yield header
        if header.kind != "attribution":
            return
        floor = header.end


def _attribution(lines: Lines, last: int, floor: int) -> Header | None:
    match = PATTERNS.matchers["attribution"].rule
    text, found = "", None
    follow = lines.next_solid(last + 1)
    bares = lines.bares
    quoted = follow < len(lines) and (follow in lines.depths or lines.evidence[follow] != "")
    near = "" if quoted else " ".join(bares[max(floor, last - 3) : last + 1])
    if not quoted and "@" not in near and not _DATED.search(near):
        return None
    for start in range(last, max(floor, last - 3) - 1, -1):
        bare = bares[start]
        if not bare or start in lines.depths or lines.evidence[start] not in UNDECIDED:
            break
        text = f"{bare} {text}" if text else bare
        rule = match(fold(text))
        if not rule and follow in lines.depths and start == last and _NAME_COLON.fullmatch(bare):
            rule = "attribution.name"
        if not rule and quoted and _EMAIL.search(text) and _DIGIT.search(text) and len(text) < 200:
            rule = "attribution.shape"
        if not rule:
            continue
        if rule in _ANCHORED:
            found = Header(start, last + 1, "attribution", rule)
            break
        found = found or Header(start, last + 1, "attribution", rule)
    if found is None:
        return None
    if quoted:
        return found
    passage = " ".join(bares[found.start : found.end])
    dated = found.rule in _ANCHORED and _DATED.search(passage) is not None
    proof = "@" in passage or (dated and not PATTERNS.possessives[found.rule.split(".")[1]].search(passage.lower()))
    return found if proof and follow < len(lines) else None


def _above_marks(lines: Lines, i: int) -> Header | None:
    """A line right above marked quotes that needs no colon at its end: "On … wrote", or "From: Ada" alone."""
    bare, match = lines.bares[i], PATTERNS.matchers["attribution"].rule
    hit = field_of(bare)
    rule = hit[1] if hit is not None and hit[0] == "from" else match(fold(bare))
    if not rule and i + 1 in lines.depths and bare[-1].isalpha() and bare[0].isupper():  # Nabble: "Ada Byron wrote"
        rule = match(f"{fold(bare)}:")
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
        return None
    kind, rule = hit
    while end < len(lines) and bares[end] and not bares[end].strip("-=_ "):
        end += 1
    fields = lines.next_solid(end)
    block, _ = _fields(lines, fields, floor, least=1, upward=False) if fields < len(lines) else (None, 0)
    if block is None:
        probe = _notes_fields(lines, fields)
        block, _ = _fields(lines, probe, floor, least=1, upward=False) if probe else (None, 0)
    if (
        block is None
        and (
            bares[i][0] not in _RULES  # "Forwarded message:" alone may be anybody's words
            or (bares[i][:2] == "##" and not any(bares[:i]))  # a help desk's own mail: "##- Reply above this line -##"
        )
    ):
        return None
    return Header(i, block.end if block else end, kind, rule)


def _notes_fields(lines: Lines, start: int) -> int:
    """Index of the first field below the few lines of name and date that Notes writes, or 0."""
    for i in range(start, min(start + 12, len(lines))):
        if i in lines.depths:
            return 0
        if ":" in lines.bares[i][1:40] and field_of(lines.bares[i]):
            return i
    return 0


def _fields(lines: Lines, first: int, floor: int, least: int = 2, upward: bool = True) -> tuple[Header | None, int]:
    """The block of header fields that starts at `first`; at least `least` different roles.

    Without one, the line from which another block may start (no part of a barren block is one).
    """
    hit = field_of(lines.bares[first])
    if hit is None or hit[0] == "other":
        return None, first + 1
    roles = {hit[0]}
    last_role = hit[0]
    end = first + 1
    blanks = 0
    for i in range(first + 1, min(first + MAX_FIELD_LINES, len(lines))):
        bare = lines.bares[i]
        if i in lines.depths:
            break
        if not bare:
            blanks += 1
            if blanks > 2 or "subject" in roles:
                break
            continue
        hit = field_of(bare) if ":" in bare[1:40] else None
        if hit is not None and hit[0] == last_role and hit[0] in ("from", "subject"):
            break
        if hit is not None:
            last_role = hit[0]
            roles.add(last_role)
        elif blanks or not _continues(lines.texts[i], bare, last_role):
            break
        end, blanks = i + 1, 0
    roles.discard("other")
    people = roles & {"from", "to"}
    maps = lines.bares[first][0].islower() and not roles >= {"from", "to", "date", "subject"}  # "from: title"
    if maps or len(roles) < least or not people or (least > 1 and not roles & {"subject", "date", "cc"}):
        return None, end
    if upward and not _mailed(lines, first, end, roles):
        return None, end
    rule = f"{(field_of(lines.bares[first]) or ('', 'field'))[1]}"
    return Header(_rise(lines, first, floor) if upward else first, end, "fields", rule), end


def _mailed(lines: Lines, first: int, end: int, roles: set[str]) -> bool:
    """Do the fields name an address, a Notes name or a time of day, or does a rule part them from what stands above?

    Those of a form or a journey ("From: Mumbai") do not, nor those of a memo, which begins with "To: All staff".
    """
    if first and _RULE_LINE.match(lines.bares[first - 1]):
        return True
    passage = " ".join(lines.bares[first:end])
    if "@" in passage:
        return roles - {"from", "subject"} != set()
    if "to" in roles:
        memo = "from" not in roles or (field_of(lines.bares[first]) or ("",))[0] == "to"
        dated = any(len(bare) < 60 and _DATE_LINE.match(bare) for bare in lines.bares[max(0, first - 5) : first])
        return "subject" in roles and (not memo or dated or _TIME.search(passage) is not None)
    return _TIME.search(passage) is not None


def _continues(text: str, bare: str, role: str) -> bool:
    """May an unnamed line be the rest of the field above it: more recipients, or an indented line."""
    if role in ("to", "cc") and any(mark in bare for mark in "@/;,<"):
        return True
    return role in ("subject", "from", "date") and not (bare[:1].isalpha() and text[:1].isalpha())


def _rise(lines: Lines, first: int, floor: int) -> int:
    """How far above its first field a header reaches: a rule, a date, the sender's name, a letterhead."""
    start = first
    seen_date = _DATE_LINE.match(lines.bares[first]) is not None
    i, blanks = first - 1, 0
    while i >= max(floor, first - 10):
        text = lines.bares[i]
        if i in lines.depths or lines.evidence[i]:
            break
        if not text:
            blanks += 1
            if blanks > 5:
                break
            i -= 1
            continue
        if PATTERNS.matchers["forward"].rule(fold(text)):  # "This is a forwarded message", without any dashes
            start = i
            break
        indented = lines.texts[i][:1] in "\t" or lines.texts[i].startswith("=09")
        if _RULE_LINE.match(text) and not seen_date:
            start = i
            break
        dated = len(text) < 120 and (_DATE_LINE.match(text) or _TIME_LINE.match(text)) is not None and not says(text)
        named = " ".join(text.split()[:3]).lower() in PATTERNS.fields  # "Please respond to Ada" has no colon
        if (dated and blanks <= 1) or (field_of(text) is not None and (dated or not blanks)):
            seen_date = seen_date or dated
        elif (indented or (named and blanks <= 1)) and len(text) < 60 and not text.endswith((".", "?", "!")):
            pass
        elif seen_date and not blanks and start == i + 1 and len(text) < 80 and not text.endswith((".", "?", "!")):
            start = i
            break
        else:
            break
        start, blanks, i = i, 0, i - 1
    return start
