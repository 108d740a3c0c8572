"""The messages of an mbox, which many programs write and each a little differently.

Nothing but a line that begins with "From " parts one message from the next, and bodies hold such lines
too. What decides is written here once, and holds for a mailbox of any size in little memory.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from mailmill.storage.bounded import CHUNK, Item, Limits, Rejected, one_message

_DATED = re.compile(rb"From .*?(?:\b\d{1,2}:\d\d.*?\b(?:19|20)\d\d\b|\b(?:19|20)\d\d-\d\d-\d\d.\d{1,2}:\d\d)")
#: As programs date them; "From 10:30 on 4 March 2025 nobody answered." is a sentence.
_BY_PROGRAM = re.compile(rb"From (?:\S{0,320}@|.{0,320}?\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b)")
_BARE = re.compile(rb"From ?\S*[ \r]*\Z")
_HEADER = re.compile(rb">?[!-9;-~]{1,76}:|>From ")
_LOOKAHEAD = 512  # bytes that decide on a postmark: its line, and the beginning of the next


def read_mbox(reader: io.BufferedReader, path: str, source: str, limits: Limits) -> Iterator[Item]:
    """The messages of an mbox, unescaped as mboxrd says: one `>` comes off every `>From `, `>>From `, ...

    Each is `source`#000001, counted from 1; the only one of a file whose `path` does not end as a mailbox's
    is `source` alone. One longer than the limit is rejected and its neighbours kept. Memory stays within a
    few times that limit, whatever the mailbox's size. Format: RFC 4155 and the mboxrd convention.
    """
    number, held = 0, None
    for raw in _split_mbox(reader, limits.max_message_bytes):
        number += 1
        if number == 2 and held is not None:
            yield one_message(f"{source}#000001", held, limits)
        if number == 1 and raw is not None and not path.lower().endswith((".mbox", ".mbx")):
            held = raw  # perhaps a single message in its own file, which then keeps the file's name
        else:
            yield one_message(f"{source}#{number:06d}", raw, limits)
    if number == 1 and held is not None:
        yield one_message(source, held, limits)
    elif number == 0:
        yield Rejected(source, "empty")


def _split_mbox(reader: io.BufferedReader, limit: int) -> Iterator[bytes | None]:
    """The messages between postmarks, None for one longer than `limit`; holds little more than that in memory."""
    buffer, searched, dropped, ended = bytearray(), 0, False, False
    while not ended or buffer:
        at = buffer.find(b"\nFrom ", searched)
        sure = ended or (
            at >= 0 and (buffer.count(b"\n", at + 1, at + _LOOKAHEAD) > 1 or at + 2 * _LOOKAHEAD < len(buffer))
        )
        if at >= 0 and sure:
            if not _is_postmark(buffer, at):
                searched = at + 1
                continue
        elif not ended:
            searched = at if at >= 0 else max(0, len(buffer) - len(b"\nFrom"))
            if searched > limit + _LOOKAHEAD:
                dropped = True
                del buffer[: searched - 2]  # the line end before stays: it may make a blank line
                searched = 2
            chunk = reader.read1(CHUNK)
            buffer += chunk
            ended = not chunk
            continue
        end = at + 1 if at >= 0 else len(buffer)
        yield from [None] if dropped else _unescaped(bytes(buffer[:end]))
        del buffer[:end]
        searched, dropped = 0, False


def _is_postmark(buffer: bytearray, at: int) -> bool:
    """Whether the line after the line end at `at` begins a message. Programs differ, and bodies hold "From " too.

    A line with time and year is one before a header, or, with an address or a weekday, after a blank line; a line
    with no more than an address is one only if both hold.
    """
    end = buffer.find(b"\n", at + 1, at + _LOOKAHEAD)
    line = bytes(buffer[at + 1 : end if end >= 0 else at + _LOOKAHEAD])
    after_blank = buffer[max(0, at - 1) : at] == b"\n" or buffer[max(0, at - 2) : at] == b"\n\r"
    before_header = end >= 0 and _HEADER.match(buffer, end + 1) is not None
    if _DATED.match(line):
        return before_header or (after_blank and _BY_PROGRAM.match(line) is not None)
    return after_blank and before_header and _BARE.match(line) is not None


def _unescaped(text: bytes) -> list[bytes]:
    """The message in the text from one postmark to the next; none in white space before the first."""
    if text.startswith(b"From "):
        text = text.partition(b"\n")[2]
    elif text.isspace():
        return []
    for blank in (b"\r\n", b"\n"):
        if text.endswith(b"\n" + blank):
            text = text[: -len(blank)]
            break
    return [re.sub(rb"(?m)^>(>*From )", rb"\1", text) if b">From " in text else text]
