"""The story of one mail: bytes -> parts -> plain rendering -> lines -> zones -> spans -> the author's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import Literal, NamedTuple

from mailmill.email.charsets import normalise
from mailmill.email.html import render
from mailmill.email.labeller import Referee
from mailmill.email.labels import clean_line, decode_words, first_identifier
from mailmill.email.lines import Lines, split_lines
from mailmill.email.mime import Message, Part, read_message
from mailmill.email.names import sender_names
from mailmill.email.patterns import guess_language
from mailmill.email.zones import Run, assign_zones, certainty
from mailmill.errors import RejectedMessage

_ADDRESS = re.compile(r"<[^<>@\s]{1,128}@([^<>\s]{1,255})>|[^\s<>@]{1,128}@([\w.-]{1,255})")
# "Ada <ada@firm.example>", as nearly every program writes it.
_NAMED = re.compile(r"[^<>@]{0,300}<[^<>@\s]{1,128}@([^<>\s]{1,255})>")
# A date as nearly every program writes it (RFC 5322, section 3.3), with its offset from UTC.
_DATE = re.compile(
    r"(?:[A-Z][a-z]{2}, )?([0-9]{1,2}) ([A-Z][a-z]{2}) ((?:19[7-9]|20[0-9])[0-9]) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-][01][0-9][0-5][0-9])(?: \([A-Z]{1,5}\))?$"
)
_MONTHS = {
    name: month
    for month, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}


@dataclass(frozen=True, slots=True)
class CleanOptions:
    """What is kept of the sender and where bounds lie.

    `sender_domain`: "hash" keeps a keyed-by-purpose BLAKE2b of the domain (16 hex digits), "keep" the
    domain, "drop" nothing. Messages over `max_message_bytes` are rejected; renderings are cut at
    `max_rendered_chars` (flag "truncated").
    """

    sender_domain: Literal["hash", "keep", "drop"] = "hash"
    max_message_bytes: int = 50 * 2**20
    max_rendered_chars: int = 1_000_000


class Span(NamedTuple):
    """Characters `start` to `end` (exclusive) of the rendering belong to `zone`, decided by `rule`."""

    zone: str
    start: int
    end: int
    rule: str


@dataclass(frozen=True, slots=True)
class CleanMessage:
    """One cleaned mail. The spans tile the rendering: contiguous from 0 to its length, no overlap."""

    message_id: str
    thread: str
    date: datetime | None
    sender_domain: str
    subject: str
    text: str
    rendering: str
    spans: tuple[Span, ...]
    language: str
    words: int
    confidence: float
    flags: tuple[str, ...] = field(default=())


DEFAULTS = CleanOptions()


def clean_message(
    raw: bytes, options: CleanOptions = DEFAULTS, labeller: Referee | Literal["shipped"] | None = "shipped"
) -> CleanMessage:
    """The author's own words of one raw message, and what became of every other character.

    raw: an RFC 5322 message (an mbox "From " line before it is skipped). The result's `thread` is
    BLAKE2b-16 of the thread's root identifier: the first of References, else In-Reply-To, else the
    Message-ID, else a hash of the bytes; `date` is aware, in UTC. `labeller` is that of
    `zones.assign_zones`; None measures the rules alone.

    Raises RejectedMessage and nothing else: reasons empty, not_mail, no_text, too_large.
    """
    message = read_message(raw, options.max_message_bytes, options.max_rendered_chars)
    headers = message.headers
    rendering, evidence = _render(message.parts)
    if not rendering or rendering.isspace():
        raise RejectedMessage("no_text", "nothing visible")
    lines = split_lines(rendering, evidence)
    sender = headers.get("from", "")
    zoned = assign_zones(lines, sender_names(sender), labeller)
    spans = _spans(lines, zoned.runs, len(rendering))
    text = _text(rendering, spans)
    opening, words = _words(text)
    identifier = first_identifier(decode_words(headers.get("message-id", "")))
    flags = message.flags
    if zoned.kept_low_confidence:
        flags = tuple(sorted({*flags, "kept_low_confidence"}))
    return CleanMessage(
        message_id=identifier,
        thread=_thread(headers.get("references", ""), headers.get("in-reply-to", ""), identifier, raw),
        date=_date(headers.get("date", "")),
        sender_domain=_domain(sender, options.sender_domain),
        subject=decode_words(headers.get("subject", "")),
        text=text,
        rendering=rendering,
        spans=spans,
        language=guess_language(opening if text else _words(rendering)[0]),
        words=words,
        confidence=_confidence(spans, flags),
        flags=flags,
    )


class CleanText:
    """`clean_text` with its attribute `wants_sender`, which tells an evaluator to pass the sender.

    `labeller` is that of `zones.assign_zones`: another one, or None for the rules alone, in measurements.
    """

    wants_sender = True
    __name__ = "clean_text"

    def __init__(self, labeller: Referee | Literal["shipped"] | None = "shipped") -> None:
        self.labeller = labeller

    def __call__(self, text: str, sender: str = "") -> str:
        """The author's own new text of one plain-text mail body, outer white space removed.

        sender: the From field (name, address or both), '' when unknown; it helps to tell a name under
        the message from its last line. Text that is the author's own throughout comes back unchanged.
        """
        rendering = normalise(text)
        lines = split_lines(rendering)
        runs = assign_zones(lines, sender_names(sender), self.labeller).runs
        return _text(rendering, _spans(lines, runs, len(rendering)))


clean_text = CleanText()


def _render(parts: Sequence[Part]) -> tuple[str, list[str] | None]:
    """The parts one below the other as plain text, and the evidence of each line where there is any."""
    if len(parts) == 1 and not parts[0].html and not parts[0].forwarded:
        return parts[0].text, None
    lines: list[str] = []
    evidence: list[str] = []
    for part in parts:
        if part.html:
            page, marks = render(part.text)
        else:
            page = part.text.split("\n")
            marks = [""] * len(page)
        if part.forwarded:
            marks = ["mime.rfc822"] * len(page)
        if lines and page:
            lines.append("")
            evidence.append("")
        lines.extend(page)
        evidence.extend(marks)
    # A stray newline inside a rendered line would part lines from their evidence.
    return "\n".join(line.replace("\n", " ") for line in lines), evidence if lines else None


def _spans(lines: Lines, runs: Sequence[Run], size: int) -> tuple[Span, ...]:
    """The runs of lines as characters; newlines belong to the line before them."""
    ends = list(accumulate(map(len, lines.texts), initial=0))
    starts = [ends[start] + start for _, _, start, _ in runs]
    spans = [
        Span(zone, start, end, rule)
        for (zone, rule, _, _), start, end in zip(runs, starts, [*starts[1:], size], strict=True)
    ]
    if starts[-1] == size:  # an empty last line
        spans.pop()
    return tuple(spans)


def _text(rendering: str, spans: Sequence[Span]) -> str:
    """Runs of body, whatever rules decided on them, parted by one blank line where something was removed."""
    runs: list[list[int]] = []
    for zone, start, end, _ in spans:
        if zone != "body":
            continue
        if runs and runs[-1][1] == start:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    return "\n\n".join([rendering[start:end].strip("\n") for start, end in runs]).strip()


def _words(text: str, size: int = 1200) -> tuple[list[str], int]:
    """The lower-cased words of the first `size` characters, and how many the whole text has."""
    head, rest = text[:size], text[size:]
    opening = head.lower().split()
    if not rest:
        return opening, len(opening)
    goes_on = not (head[-1].isspace() or rest[0].isspace())
    return opening, len(opening) + len(rest.split()) - goes_on


def _confidence(spans: Sequence[Span], flags: Sequence[str]) -> float:
    """Mean certainty of the rules over the rendering's characters, lower where flags say so; in [0, 1]."""
    total, weighted = 0, 0.0
    for zone, start, end, rule in spans:
        if zone != "blank":
            total += end - start
            weighted += certainty(rule) * (end - start)
    if not total:
        return 0.0
    mean = weighted / total
    if "kept_low_confidence" in flags:
        mean *= 0.5
    if "lenient_mime" in flags:
        mean *= 0.9
    return round(mean, 4)


def _thread(references: str, reply_to: str, identifier: str, raw: bytes) -> str:
    root = first_identifier(references) or first_identifier(reply_to) or identifier
    seed = root.encode("utf-8", "replace") if root else blake2b(raw, digest_size=16).hexdigest().encode()
    return blake2b(seed, digest_size=16).hexdigest()


def _date(value: str) -> datetime | None:
    if not value:
        return None
    try:
        found = _DATE.match(value)
        if found and found[2] in _MONTHS:
            day, month, year, hour, minute, second, offset = found.groups()
            date = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            if offset != "+0000":
                date -= _ahead(offset)
            return date if date.year >= 1970 else None
        date = parsedate_to_datetime(value[:200])
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return date if 1970 <= date.year < 2200 else None


@lru_cache(maxsize=256)
def _ahead(offset: str) -> timedelta:
    """How far a zone ("+0130") is ahead of UTC."""
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return -ahead if offset[0] == "-" else ahead


def _domain(sender: str, mode: str) -> str:
    if mode == "drop":
        return ""
    found = _NAMED.match(sender) or _ADDRESS.search(sender[:1000])
    domain = clean_line(found[found.lastindex or 0] if found else "").lower().strip(".")
    if mode == "keep" or not domain:
        return domain
    return _hashed_domain(domain)


@lru_cache(maxsize=4096)
def _hashed_domain(domain: str) -> str:
    return blake2b(domain.encode("utf-8", "replace"), digest_size=8, person=b"mailmill.domain").hexdigest()


__all__ = [
    "DEFAULTS",
    "CleanMessage",
    "CleanOptions",
    "CleanText",
    "Message",
    "Span",
    "clean_message",
    "clean_text",
    "sender_names",
]
