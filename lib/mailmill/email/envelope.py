"""What a message's header says of it as a whole: its thread, its date, the domain of its sender."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from mailmill.email.header_values import clean_line, first_identifier

_ADDRESS: Final = re.compile(r"[^\s<>@]{1,128}@([\w.-]{1,255})")
_BRACKETED: Final = re.compile(r"<[^<>@\s]{1,128}@([^<>\s]{1,255})>")
# "Ada <ada@firm.example>", as nearly every program writes it.
_NAMED: Final = re.compile(
    r"(?:[^<>@\"(]{0,300}|\"[^<>@\"]{0,300}\" {0,9})" + _BRACKETED.pattern + r"\s{0,9}(?:[,;]|$)"
)
# A quoted string and a comment, which may hold an address that is not the sender's.
_ASIDE: Final = re.compile(r'"(?:[^"\\]|\\.){0,500}"|\([^()]{0,500}\)')
# A date as nearly every program writes it (RFC 5322, section 3.3), with its offset from UTC.
_DATE: Final = re.compile(
    r"(?:[A-Z][a-z]{2}, )?([0-9]{1,2}) ([A-Z][a-z]{2}) ((?:19[7-9]|20[0-9])[0-9]) "
    r"((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]) ([+-][01][0-9][0-5][0-9])(?: \([A-Z]{1,5}\))?$"
)
# A comment in a date, a leap second, and a zone as programs make it up ("+01:00", "GMT+0100", "UTC+1"), whatever is
# stuck to it.
_REMARK: Final = re.compile(r"\s?\([^()]{0,200}\)")
_LEAP: Final = re.compile(r"(\d{1,2}:\d{2}):60\b")
_ZONE: Final = re.compile(r"(?:\s|\b(?:GMT|UTC|UT))([+-])([01]?\d)(?::?([0-5]\d))?(?![\d:])", re.IGNORECASE)
_MONTHS: Final = {
    name: f"{month:02}"
    for month, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}


def thread_of(references: str, reply_to: str, identifier: str, raw: bytes) -> str:
    """BLAKE2b-16 of the thread's root identifier: the first of References, else In-Reply-To, else the Message-ID
    `identifier`, else a hash of the bytes."""
    root = first_identifier(references) or first_identifier(reply_to) or identifier
    seed = root.encode("utf-8", "replace") if root else blake2b(raw, digest_size=16).hexdigest().encode()
    return blake2b(seed, digest_size=16).hexdigest()


def date_of(value: str) -> datetime | None:
    """A Date field, in UTC; None where it is missing, no date, or outside of 1970 to 2199."""
    if not value:
        return None
    try:
        found = _DATE.match(value)
        if found and found[2] in _MONTHS:
            day, month, year, clock, offset = found.groups()
            day = day if len(day) == 2 else f"0{day}"
            date = datetime.fromisoformat(f"{year}-{_MONTHS[month]}-{day}T{clock}+00:00")
            if offset != "+0000":
                date -= _ahead(offset)
            return date if date.year >= 1970 else None
        date = parsedate_to_datetime(_usual(value[:200]))
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return date if 1970 <= date.year < 2200 else None


def _usual(value: str) -> str:
    """A date as the standard library reads it; it takes a zone that it does not know for UTC."""
    plain = _LEAP.sub(r"\1:59", _REMARK.sub("", value)).strip()
    zone = _ZONE.search(plain)
    return f"{plain[: zone.start()]} {zone[1]}{zone[2]:0>2}{zone[3] or '00'}" if zone else plain


@lru_cache(maxsize=256)
def _ahead(offset: str) -> timedelta:
    """How far a zone ("+0130") is ahead of UTC."""
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return -ahead if offset[0] == "-" else ahead


def domain_of(sender: str, mode: str) -> str:
    """The domain of a From field as `CleanOptions.sender_domain` has it ("hash", "keep" or "drop"); '' for none."""
    if mode == "drop":
        return ""
    found = _NAMED.match(sender)
    domain = clean_line(found[1] if found else _domain(sender[:1000])).lower().strip(".")
    if mode == "keep" or not domain:
        return domain
    return _hashed_domain(domain)


def _domain(sender: str) -> str:
    """The domain of the last address in brackets, else of the first address: outside of asides if there is one."""
    for text in (_ASIDE.sub(" ", sender), sender):
        found = _BRACKETED.findall(text)[-1:] or _ADDRESS.findall(text)[:1]
        if found:
            return str(found[0])
    return ""


@lru_cache(maxsize=4096)
def _hashed_domain(domain: str) -> str:
    return blake2b(domain.encode("utf-8", "replace"), digest_size=8, person=b"mailmill.domain").hexdigest()
