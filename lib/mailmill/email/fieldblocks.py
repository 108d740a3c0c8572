"""Blocks of header fields above an earlier message ("From: … Sent: … To: … Subject: …") that programs write as text.

Forms, journeys and memos have fields like them; and above the first field a program may have written more: a row of
dashes, a name, a date.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from mailmill.email.banners import field_of, is_form_field, is_sent_field
from mailmill.email.lines import EDGE, Lines, fold
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import is_sentence

_DATE_LINE: Final = re.compile(
    r"[^\n]{0,90}?(?:\b\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}\b|\b\d{1,2}\.? \w{3,9}\.? \d{4}\b|\b\w{3,9} \d{1,2}, \d{4}\b)"
    r"[^\n]{0,30}\b\d{1,2}[:.]\d{2}"
)
_TIME_LINE: Final = re.compile(
    r"\W{0,3}\d{1,2}[:.]\d{2}(?::\d{2})?\s?(?:[ap]\.?m\.?)?(?:\s\w{2,5})?\W{0,40}$", re.IGNORECASE
)
_TIME: Final = re.compile(r"\d[:.h]\d\d")
# "Sent: Thursday, June 26, 2014 3:05 PM": two words, a year, a time of day.
_LONG_DATE: Final = re.compile(
    r"[^:]{2,20}:\s?[^\W\d_]{3,15}\b.{1,20}\b[^\W\d_]{3,15}\b.{1,20}\b(?:19|20)\d\d\b.{0,16}\b\d{1,2}[:.h]\d\d"
)
_RULE_LINE: Final = re.compile(r"[_=*-]{5,200}$")
#: What git writes: a patch's title ("Subject: [RFC PATCH v2 1/3] …"), and the line above its fields.
_PATCH: Final = re.compile(r"Subject: \[[^\[\]]{0,60}\bPATCH\b[^\[\]]{0,30}\]")
_MBOX: Final = re.compile(r"From [0-9a-f]{40} ")
#: The roles of a header that lacks nothing.
_WHOLE: Final = frozenset({"from", "date", "to", "subject"})
_SENT: Final = frozenset({"from", "date"})
#: Characters of a header that stands in one line.
_SHORTEST, _LONGEST = 40, 600
_MAX_MESSAGE: Final = 200  # lines of what a patch says, above who signed it or what it changes
_MAX_BARE: Final = 20  # lines, blank ones included, of a header whose fields have lines of their own
_MAX_FIELD_LINES: Final = 120  # recipients' lists can run over dozens of lines


class Header(NamedTuple):
    """Lines `start` to `end` (exclusive) introduce an earlier message.

    `kind` is attribution, banner, forward, fields or patch (whose fields head no message); `rule` the pattern that
    decided. Where the author's words open the first line, `own` is the place in it of the blank that ends them.
    """

    start: int
    end: int
    kind: str
    rule: str
    own: int = 0


def notes_fields(lines: Lines, start: int) -> int:
    """Index of the first field below the few lines of name and date that Notes writes, or 0."""
    for i in range(start, min(start + 12, len(lines))):
        if i in lines.depths:
            return 0
        if ":" in lines.bares[i][1:40] and field_of(lines.bares[i]):
            return i
    return 0


def field_block(lines: Lines, first: int, floor: int, least: int = 2, upward: bool = True) -> tuple[Header | None, int]:
    """The block of header fields that starts at `first`; at least `least` different roles.

    Without one, the line from which another block may start (no part of a barren block is one).
    """
    hit = field_of(lines.bares[first])
    if hit is None or hit[0] == "other":
        return None, first + 1
    roles = _flat_roles(lines.bares[first]) or {hit[0]}
    last_role = hit[0]
    end = first + 1
    blanks = 0
    parted: tuple[int, set[str]] | None = None  # the first field below a blank line, and the roles from there on
    sent = False  # are the fields above it a header, too?
    table = hit[0] == "from" and "@" in lines.bares[first] and ": | " in lines.bares[first][:44]
    for i in range(first + 1, min(first + _MAX_FIELD_LINES, len(lines))):
        bare = _as_field(lines.bares[i]) if table else lines.bares[i]
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
            if blanks and parted is None:
                parted, sent = (i, set()), _is_sent(lines.bares[first:i], roles, last_role)
            last_role = hit[0]
            roles.add(last_role)
            if parted:
                parted[1].add(last_role)
        elif blanks or not _continues(lines.texts[i], bare, last_role):
            break
        end, blanks = i + 1, 0
    if parted and parted[1] >= _WHOLE and not sent:
        return field_block(lines, parted[0], floor, least, upward)  # above it, the author: "Cc: my lawyer"
    roles.discard("other")
    people = roles & {"from", "to"}
    # "from: title" maps, or configures, and "from: London" is a journey's.
    proven = roles >= _WHOLE and (not upward or "@" in " ".join(lines.bares[first:end]) or _is_timed(lines, first))
    maps = lines.bares[first][0].islower() and not proven
    if maps or len(roles) < least or not people or (least > 1 and not roles & {"subject", "date", "cc"}):
        return None, end
    if (table and not _is_notes(lines, first, end, roles)) or (upward and not _mailed(lines, first, end, roles)):
        return None, end
    rule = f"{(field_of(lines.bares[first]) or ('', 'field'))[1]}"
    start = _rise(lines, first, floor, dated="date" in roles) if upward else first
    if upward and not roles & {"to", "cc"} and _heads_patch(lines, first, end):
        return Header(start - (start > 0 and _MBOX.match(lines.bares[start - 1]) is not None), end, "patch", rule), end
    return Header(start, end, "fields", rule), end


def bare_fields(lines: Lines, date: int, floor: int) -> Header | None:
    """Notes' header with the names of its fields in lines of their own ("To", "Ada", "cc", "", "Subject", "Re: x").

    Above them stand a name with an address and, in the line `date`, day and time.
    """
    bares = lines.bares
    if not _DATE_LINE.match(bares[date]):
        return None
    top = next((i for i in range(date - 1, max(floor, date - 4) - 1, -1) if not bares[i] or "@" in bares[i]), date)
    if top == date or not bares[top] or top in lines.depths:
        return None
    rule = ""
    for i in range(date + 1, min(date + _MAX_BARE, len(lines))):
        role, named = PATTERNS.fields.get(bares[i].lower(), ("", ""))
        if role == "to":
            rule = named
        elif role == "subject" and rule and i not in lines.depths:
            return Header(top, i + 1 + (i + 1 < len(lines) and bares[i + 1] != ""), "fields", rule)
    return None


def _heads_patch(lines: Lines, first: int, end: int) -> bool:
    """Are the fields those that git writes above a patch, to say whose it is?"""
    fields = lines.bares[first:end]
    if not any([bare.startswith("Date: ") for bare in fields]):
        return False
    titled = any([bare.startswith("Subject: [") and _PATCH.match(bare) is not None for bare in fields])
    below = lines.bares[end : end + _MAX_MESSAGE]
    return titled or any([bare.startswith(("diff --git ", "Signed-off-by: ")) for bare in below])


def _flat_roles(line: str) -> set[str]:
    """The roles of a header that lacks nothing, where it stands in one line and says when it was sent; or none.

    "Date:" is a field of journeys, logs and lists of mail, too.
    """
    roles: set[str] = set()
    sent = False
    if not _SHORTEST <= len(line) <= _LONGEST or not _TIME.search(line):
        return roles
    for piece in line.split(":")[:-1]:
        words = piece.rsplit(None, 2)[-2:]
        for name in [name.strip(EDGE) for name in (" ".join(words), *words[-1:])]:
            if name.lower() in PATTERNS.form_fields:  # "Message: …"
                return set()
            if name[:1].isupper() and (hit := PATTERNS.fields.get(name.lower())):
                roles.add(hit[0])
                sent = sent or name.lower() in PATTERNS.sent_fields
    return roles if sent and roles >= _WHOLE else set()


def _is_sent(fields: list[str], roles: set[str], last_role: str) -> bool:
    """Do the fields name an address, or sender, time of day and, last, recipients? A journey ends with its date."""
    passage = " ".join(fields)
    return "@" in passage or (roles >= _SENT and last_role in ("to", "cc") and _TIME.search(passage) is not None)


def _below(lines: Lines, first: int) -> str:
    """The first text below the line `first`, or '': a header in one line may be a mail's last."""
    i = lines.next_solid(first + 1)
    return lines.bares[i] if i < len(lines) else ""


def _is_timed(lines: Lines, first: int) -> bool:
    """Has the field below that of the sender date and time of day? In a journey that is "to: Paris"."""
    below = _below(lines, first)
    return (field_of(below) or ("",))[0] == "date" and _TIME.search(below) is not None


def _mailed(lines: Lines, first: int, end: int, roles: set[str]) -> bool:
    """Do the fields name an address, a Notes name or a time of day, or does a rule part them from what stands above?

    Those of a journey ("From: Mumbai") do not, nor those of a memo, which begins with "To: All staff". Those of a form
    have its message below them, as one of them.
    """
    below = lines.next_solid(end)
    if below < len(lines) and not (below > end and roles >= _WHOLE) and is_form_field(_as_field(lines.bares[below])):
        return False
    if first and _RULE_LINE.match(lines.bares[first - 1]):
        return True
    passage = " ".join(lines.bares[first:end])
    if "@" in passage:
        return roles - {"from", "subject"} != set()
    if "to" in roles:
        memo = "from" not in roles or (field_of(lines.bares[first]) or ("",))[0] == "to"
        dated = any(len(bare) < 60 and _DATE_LINE.match(bare) for bare in lines.bares[max(0, first - 5) : first])
        if "subject" not in roles:
            return not memo and _is_dispatched(lines, first, end)
        return not memo or dated or _TIME.search(passage) is not None
    return _TIME.search(passage) is not None


def _is_dispatched(lines: Lines, first: int, end: int) -> bool:
    """Windows Mail: three fields and a blank line, and below the sender when it was sent, written out. A parcel's form
    names no day of the week, or goes on."""
    below = _below(lines, first)
    apart = end == len(lines) or not lines.bares[end]
    return apart and is_sent_field(below) and _LONG_DATE.match(below) is not None


def _as_field(row: str) -> str:
    """A field out of a table's row: Notes sets no colon behind some names ("An | Ada")."""
    return row.replace(" | ", ": ", 1)


def _is_notes(lines: Lines, first: int, end: int, roles: set[str]) -> bool:
    """Do the rows have their colons, or lack nothing, time of day included? A form, or its settings, goes on."""
    rows = lines.bares[first:end]
    if all([field_of(row) is not None for row in rows]):
        return True
    near = [*lines.bares[max(0, first - 1) : first], *lines.bares[end : end + 1]]
    return roles >= _WHOLE and _TIME.search(" ".join(rows)) is not None and not any([" | " in row for row in near])


def _continues(text: str, bare: str, role: str) -> bool:
    """May an unnamed line be the rest of the field above it: more recipients, or an indented line."""
    if role in ("to", "cc") and any(mark in bare for mark in "@/;,<"):
        return True
    return role in ("subject", "from", "date") and not (bare[:1].isalpha() and text[:1].isalpha())


def _rise(lines: Lines, first: int, floor: int, *, dated: bool) -> int:
    """How far above its first field a header reaches: a rule, a date, the sender's name, a letterhead.

    Where it is `dated` by a field, what stands above with a date is the author's.
    """
    start = first
    seen_date = False  # in the lines above: right on a field that holds a date the author's last line may stand
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
        dates = len(text) < 120 and (_DATE_LINE.match(text) or _TIME_LINE.match(text)) is not None
        if "---" not in text:  # Notes: "Ada Byron---03/03/2025 16:01:12---The first words of a mail"
            dates = dates and not dated and not is_sentence(text)
        named = not dated and " ".join(text.split()[:3]).lower() in PATTERNS.fields  # "Please respond to Ada": no colon
        hit = field_of(text)
        field = hit is not None and (hit[0] == "other" or not dated)
        if (dates and blanks <= 1) or (field and (dates or not blanks)):
            seen_date = seen_date or dates
        elif (indented or (named and blanks <= 1)) and len(text) < 60 and not text.endswith((".", "?", "!")):
            pass
        elif seen_date and not blanks and start == i + 1 and len(text) < 80 and not text.endswith((".", "?", "!")):
            start = i
            break
        else:
            break
        start, blanks, i = i, 0, i - 1
    return start
