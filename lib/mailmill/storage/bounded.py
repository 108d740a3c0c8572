"""What an object may cost and what comes of it: limits, the streams that hold to them, messages and rejects.

Every reader of containers (`archives`, `mailboxes`, `rows`) takes its bytes through these streams and
hands its messages out through `one_message`, so a limit is stated and kept in one place.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

from mailmill.storage.sources import printable

#: Bytes that are asked of a stream at once.
CHUNK = 1 << 18

_NAME_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one object may be, in bytes. `max_ratio` of bytes out to bytes in holds beyond `grace_bytes` out."""

    max_message_bytes: int = 50 * 2**20
    max_archive_bytes: int = 2**40
    max_ratio: float = 250.0
    grace_bytes: int = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message or object that cannot be used. `reason` is one of `schemas.REJECT_REASONS`."""

    source: str
    reason: str
    detail: str = ""


#: A message as (source, raw bytes), or what cannot be one.
Item = tuple[str, bytes] | Rejected


class Refused(Exception):
    """A limit was passed; the message says which."""


class Source(io.RawIOBase):
    """The storage's stream: counts bytes read, and remembers a failure, which parsers may take for damage."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.count = 0
        self.failure: Exception | None = None

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.stream.read(len(buffer))
        except Exception as error:
            self.failure = error
            raise
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.stream.seekable()


class Meter:
    """What was unpacked of one object, in bytes, held against the limits."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source, self.limits, self.count = source, limits, 0

    def spend(self, size: int) -> None:
        """Count `size` more bytes. Raises Refused beyond a limit."""
        self.count += size
        if self.count > self.limits.max_archive_bytes:
            raise Refused("unpacks to more than ingest.max_archive_bytes")
        self.foresee(self.count, self.source.count)

    def foresee(self, unpacked: int, packed: int) -> None:
        """Raises Refused where so many bytes may not come of so few: asked before what is unpacked whole."""
        if unpacked > self.limits.grace_bytes and unpacked > self.limits.max_ratio * packed:
            raise Refused(f"unpacks to more than {self.limits.max_ratio:g} times its size")


class Unpacked(io.RawIOBase):
    """What a decompressor gives, metered."""

    def __init__(self, stream: Any, meter: Meter) -> None:
        self.stream, self.meter = stream, meter

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read1(len(buffer))
        buffer[: len(data)] = data
        self.meter.spend(len(data))
        return len(data)

    def readable(self) -> bool:
        return True


class Bounded(io.RawIOBase):
    """A stream that raises Refused when read beyond byte `end`, which its reader moves on member by member."""

    def __init__(self, stream: io.BufferedReader, end: int) -> None:
        self.stream, self.position, self.end = stream, 0, end

    def readinto(self, buffer: Any) -> int:
        count = self.stream.readinto(buffer)
        self.position += count
        if self.position > self.end:
            raise Refused("headers of unreasonable length")
        return count

    def readable(self) -> bool:
        return True


def one_message(source: str, raw: bytes | None, limits: Limits) -> Item:
    """The item that `raw` is: a message, or `Rejected` as "empty" if it is nothing, "too_large" if too much or None."""
    if raw is None or len(raw) > limits.max_message_bytes:
        return Rejected(source, "too_large", f"more than {limits.max_message_bytes} bytes")
    if not raw or raw.isspace():
        return Rejected(source, "empty")
    return source, raw


def read_up_to(stream: Any, limit: int) -> bytes:
    """At most `limit` bytes. A single read of so much would reserve that much for every small message."""
    parts = []
    while limit > 0 and (part := stream.read(min(limit, CHUNK))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def clean_name(name: str) -> str:
    """A name that any table can hold: valid Unicode, of bounded length."""
    return printable(name[:_NAME_LENGTH])


def describe(error: Exception) -> str:
    """What may be told of an error: the words of a limit, else only the error's type, lest it quote a mail."""
    return str(error) if isinstance(error, Refused) else type(error).__name__
