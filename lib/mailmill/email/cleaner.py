"""The story of one mail: bytes -> parts -> plain rendering -> lines -> zones -> spans -> the author's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeVar

from mailmill.email.answers import announced
from mailmill.email.charsets import normalise
from mailmill.email.envelope import date_of, domain_of, thread_of
from mailmill.email.header_values import decode_words, first_identifier
from mailmill.email.labeller import Referee
from mailmill.email.lines import Lines, split_lines
from mailmill.email.mime import Message, read_message
from mailmill.email.names import sender_names
from mailmill.email.page import Page, lay_out
from mailmill.email.words import count_words, guess_language
from mailmill.email.zones import Run, assign_own, assign_zones, certainty, mark_foreign
from mailmill.errors import RejectedMessage

A = TypeVar("A")
B = TypeVar("B")


class CleanOptions(NamedTuple):
    """What is kept of the sender and where bounds lie.

    `sender_domain`: "hash" keeps a BLAKE2b of the domain (16 hex digits; it has no key, so whoever tries domains can
    undo it), "keep" the domain, "drop" nothing. Messages over `max_message_bytes` are rejected; renderings are cut at
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


#: The fields of spans, column by column, in the order of `Span`.
Tiles = tuple[list[str], list[int], list[int], list[str]]


class CleanMessage(NamedTuple):
    """One cleaned mail. The spans tile the rendering: contiguous from 0 to its length, no overlap."""

    message_id: str
    thread: str
    date: datetime | None
    sender_domain: str
    subject: str
    text: str
    rendering: str
    tiles: Tiles
    language: str
    words: int
    confidence: float
    flags: tuple[str, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans one by one; `tiles` holds them as columns, because so they go into tables."""
        return tuple(map(Span._make, zip(*self.tiles, strict=True)))


DEFAULTS: Final = CleanOptions()
#: So many messages, and no more than about so many bytes, go through each stage together.
TOGETHER, TOGETHER_BYTES = 64, 2**20


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
    (mail,) = _clean([raw], options, labeller)
    if isinstance(mail, RejectedMessage):
        raise mail
    return mail


def clean_messages(
    raws: Iterable[bytes],
    options: CleanOptions = DEFAULTS,
    labeller: Referee | Literal["shipped"] | None = "shipped",
) -> Iterator[CleanMessage | RejectedMessage]:
    """`clean_message` of each of many messages, in order; what cannot be used comes as the error it would raise.

    A few messages go through each stage together, so that its code and tables are still in the processor's cache
    for the next one: a sixth faster than one message after the other, a fifth where it is compiled.
    """
    together: list[bytes] = []
    size = 0
    for raw in raws:
        together.append(raw)
        size += len(raw)
        if len(together) == TOGETHER or size > TOGETHER_BYTES:
            yield from _clean(together, options, labeller)
            together, size = [], 0
    yield from _clean(together, options, labeller)


def _clean(
    raws: Sequence[bytes], options: CleanOptions, labeller: Referee | Literal["shipped"] | None
) -> list[CleanMessage | RejectedMessage]:
    """The story itself, for a few messages side by side; each stage keeps them by their number."""
    rejected: dict[int, RejectedMessage] = {}

    def usable(step: Callable[[A], B], given: Mapping[int, A]) -> dict[int, B]:
        done = {}
        for number, each in given.items():
            try:
                done[number] = step(each)
            except RejectedMessage as error:
                rejected[number] = error
        return done

    def read(raw: bytes) -> Message:
        return read_message(raw, options.max_message_bytes, options.max_rendered_chars)

    def page(message: Message) -> Page:
        return lay_out(message, options.max_rendered_chars)

    messages = usable(read, dict(enumerate(raws)))
    pages = usable(page, messages)
    lines = {n: split_lines(each.rendering, each.evidence) for n, each in pages.items()}
    names = {n: sender_names(messages[n].headers.get("from", "")) for n in lines}
    foreign = {n: mark_foreign(each) for n, each in lines.items()}
    zoned = {n: assign_own(each, foreign[n], names[n], labeller) for n, each in lines.items()}
    tiles = {n: _tiles(lines[n], each.runs, len(pages[n].rendering)) for n, each in zoned.items()}
    mails: dict[int, CleanMessage | RejectedMessage] = {
        n: _mail(raws[n], messages[n], pages[n], each, zoned[n].kept_low_confidence, options)
        for n, each in tiles.items()
    }
    mails |= rejected
    return [mails[n] for n in range(len(raws))]


def _mail(raw: bytes, message: Message, page: Page, tiles: Tiles, kept: bool, options: CleanOptions) -> CleanMessage:
    """One row of what the stages found."""
    headers, rendering = message.headers, page.rendering
    text = _text(rendering, tiles)
    identifier = first_identifier(decode_words(headers.get("message-id", "")))
    unseen = _has_unseen_answers(text, tiles[0])
    raised = (("truncated", page.cut), ("kept_low_confidence", kept), ("answers_unseen", unseen))
    own = [flag for flag, holds in raised if holds]
    flags = tuple(sorted({*message.flags, *own})) if own else message.flags
    thread = thread_of(headers.get("references", ""), headers.get("in-reply-to", ""), identifier, raw)
    domain = domain_of(headers.get("from", ""), options.sender_domain)
    subject = decode_words(headers.get("subject", ""))
    language, words = guess_language(text or rendering), count_words(text)
    # By position: naming twelve fields takes four times as long.
    return CleanMessage(
        identifier, thread, date_of(headers.get("date", "")), domain, subject, text, rendering, tiles, language, words,
        _confidence(tiles, flags), flags,
    )  # fmt: skip


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
        return _text(rendering, _tiles(lines, runs, len(rendering)))


clean_text = CleanText()


def _tiles(lines: Lines, runs: list[Run], size: int) -> Tiles:
    """The runs of lines as characters; newlines belong to the line before them."""
    zones, rules = [run[0] for run in runs], [run[1] for run in runs]
    texts, starts, at = lines.texts, list[int](), 0
    for run in runs:
        starts.append(at)
        for line in range(run[2], run[3]):
            at += len(texts[line]) + 1
    ends = [*starts[1:], size]
    if starts[-1] == size:  # an empty last line
        for column in (zones, starts, ends, rules):
            column.pop()
    return zones, starts, ends, rules


def _text(rendering: str, tiles: Tiles) -> str:
    """Runs of body, whatever rules decided on them, parted by one blank line where something was removed."""
    runs: list[str] = []
    first, last = 0, -1
    for zone, start, end in zip(tiles[0], tiles[1], tiles[2], strict=True):
        if zone != "body":
            continue
        if start != last:
            if last >= 0:
                runs.append(rendering[first:last].strip("\n"))
            first = start
        last = end
    if last >= 0:
        runs.append(rendering[first:last].strip("\n"))
    return "\n\n".join(runs).strip()


def _has_unseen_answers(text: str, zones: Sequence[str]) -> bool:
    """Does the text announce answers in what is quoted below it, where none were found?"""
    if "quoted" not in zones or "body" in zones[zones.index("quoted") :]:
        return False
    return announced(text) != ""


def _confidence(tiles: Tiles, flags: Sequence[str]) -> float:
    """Mean certainty of the rules over the rendering's characters, lower where flags say so; in [0, 1]."""
    total, weighted = 0, 0.0
    zones, starts, ends, rules = tiles
    for k, zone in enumerate(zones):
        if zone != "blank":
            size = ends[k] - starts[k]
            total += size
            weighted += certainty(rules[k]) * size
    if not total:
        return 0.0
    mean = weighted / total
    if "kept_low_confidence" in flags or "answers_unseen" in flags:
        mean *= 0.5
    if "lenient_mime" in flags:
        mean *= 0.9
    return round(mean, 4)


__all__ = [
    "DEFAULTS",
    "CleanMessage",
    "CleanOptions",
    "CleanText",
    "Message",
    "Span",
    "clean_message",
    "clean_messages",
    "clean_text",
    "sender_names",
]
