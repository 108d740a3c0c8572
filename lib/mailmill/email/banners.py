"""Single lines that open an earlier message: a header field ("From: …"), a banner ("-----Original Message-----")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mailmill.email.evidence import REFERENCE
from mailmill.email.lines import EDGE, fold
from mailmill.email.patterns import PATTERNS

_GLUED: Final = re.compile(r"-{4,12}[^-:]{8,60}-{4,12}(?=[\w ]{2,20}:)")
# Yahoo on telephones: "On Tue, Mar 4, 2025 at 9:14, Ada<ada@firm.example> wrote:   Hello Bob, …".
_ATTRIBUTED: Final = re.compile(r"(?:On|Am|Le|El|Em|Il|Op) .{8,120}<[\w.+-]{1,64}@[\w.-]{2,80}>[^:]{0,20}: {3}")
_ROW: Final = re.compile(r"[\W_]+$")
_DASHES: Final = " \t-_=*~#+.>"
#: In so many lines stands the header of what Outlook quotes.
_MAX_HEADER: Final = 16


def field_of(text: str) -> tuple[str, str] | None:
    """(role, rule) when the stripped `text` opens with a header field's name ("From: …", "Gesendet: …")."""
    return PATTERNS.fields.get(_label(text))


def is_form_field(text: str) -> bool:
    """Does the stripped `text` open with the name under which web forms send what somebody says ("Message: …")?"""
    return _label(text) in PATTERNS.form_fields


def is_sent_field(text: str) -> bool:
    """Does the stripped `text` open with the name of a date that only mail has: that of its sending ("Sent: …")?"""
    return _label(text) in PATTERNS.sent_fields


def _label(text: str) -> str:
    """What stands before the first colon, in small letters, or ''."""
    colon = text.find(":", 1, 40)
    return text[:colon].replace("\xa0", " ").strip(EDGE).lower() if colon > 0 else ""


def is_header_alone(lines: Sequence[str], evidence: Sequence[str], mark: str) -> bool:
    """Has an element with this mark ended that held a header's fields, in whatever language, and nothing else?

    Outlook's telephones put the name of what they quote around its header, and the rest below.
    """
    if mark != REFERENCE:
        return False
    fields = 0
    for i in range(len(lines) - 1, max(-1, len(lines) - 1 - _MAX_HEADER), -1):
        line = lines[i]
        if line and evidence[i] != mark:
            break
        if ":" in line[1:40]:
            fields += 1
        elif any(map(str.isalnum, line)):
            return False
    return fields > 1


def banner_of(text: str) -> tuple[str, str] | None:
    """("banner" | "forward", rule) for the stripped `text` "-----Original Message-----" and its kin.

    Banners stand between dashes, or alone on a line that ends with a colon ("Begin forwarded message:").
    """
    if text[:4] == "----" and (glued := _GLUED.match(text)):  # some programs write the fields into the same line
        text = glued[0]
    if len(text) > 160 or not text:
        return None
    if text[0] in "-_=*~#+" or text[-1] in ":-=_":
        core = text.strip(_DASHES + "<|").removesuffix(":").lower().replace("’", "'")
        if not 8 <= len(core) <= 140:
            return None
        for kind in ("forward", "banner"):
            rule = PATTERNS.matchers[kind].rule(core)
            if rule:
                return kind, rule
        if text[:5] == "-----" and text.endswith(": -----"):  # Notes on the web: "-----Ada/LON/Firm wrote: -----"
            rule = PATTERNS.matchers["attribution"].rule(f"{core}:")
            return ("banner", rule) if rule else None
    return None


def desk_rule(text: str) -> str:
    """The rule by which help desks write `text` above their own mail, whatever signs are around it; or ''."""
    return PATTERNS.matchers["desk"].rule(fold(text.strip(_DASHES)))


def framed_desk_rule(bares: Sequence[str], i: int) -> str:
    """The same of a line in brackets ("[Please reply above this line]"), or right below a row of signs; or ''.

    It speaks of a reply, and nobody announces it: forms and receipts that its author pasted have frames, too.
    """
    bare = bares[i]
    if bare[0] == "[":
        framed = bare if bare[-1] == "]" else ""
    elif bare[0].isalnum() or bare[-1].isalnum() or i + 1 == len(bares) or _ROW.match(bare) is None:
        framed = ""
    else:
        framed = bares[i + 1]
    rule = desk_rule(framed) if framed else ""
    if not rule or PATTERNS.replying.search(framed.lower()) is None:
        return ""
    above = next((bares[k] for k in range(i - 1, max(-1, i - 3), -1) if bares[k]), "")
    return "" if above[-1:] == ":" else rule


def is_glued(text: str) -> bool:
    """Does the stripped `text` hold an attribution and, behind three spaces, the beginning of what it introduces?"""
    found = _ATTRIBUTED.match(text)
    return found is not None and PATTERNS.matchers["attribution"].rule(fold(found[0].strip())) != ""
