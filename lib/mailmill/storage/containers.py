"""The messages inside a file: one mail, an mbox, an archive, JSON lines or a table; hostile ones too.

Archives come from outside. Whatever one holds, reading it streams, stays within `Limits`, extracts
nothing to disk, and ends in messages and counted rejects, never in an exception: one damaged file must
not stop a night's run. Only a failure of the storage itself is raised, for that can be tried again.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import json
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from mailmill.storage.sources import HEAD_BYTES, is_junk, kind_of

_CHUNK = 1 << 18
_HEADERS = 1 << 21  # a tar's headers between two members are never this long
_NAME_LENGTH = 1024
_NAME_COLUMNS = ("name", "source", "path")
_TAR_END: type[Exception] = cast(Any, tarfile).EOFHeaderError
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


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


Item = tuple[str, bytes] | Rejected


def read_container(stream: BinaryIO, name: str, limits: Limits) -> Iterator[Item]:
    """The messages of one object, each as (source, raw bytes), and what was rejected, in the object's order.

    What the object is, its name's ending says, else its first bytes; in doubt it is one message:

    | object | `source` of a message |
    |---|---|
    | .eml or another single message | name |
    | mbox | name#000001, counted from 1; name alone if the file is called otherwise and holds one message |
    | tar, zip | name!member |
    | .jsonl, .parquet with a column `raw` | name!x where a column name, source or path holds x, else name#row |

    gzip and bzip2 around any of them but zip and Parquet are undone. An mbox or JSON lines inside an
    archive are read; an archive inside an archive is rejected. In JSON, `raw_base64` holds exact bytes, and
    `raw` text, encoded as UTF-8 or as the field `encoding` says (utf-8 or latin-1). Links, devices and
    litter (`sources.is_junk`) in archives are skipped. zip and Parquet need a stream that seeks.

    Messages read before a damage are kept, then one `Rejected` with reason `unreadable_archive` follows.
    Raises OSError, or what else `stream` raises, only when the storage fails.
    """
    source = _Source(stream)
    meter = _Meter(source, limits)
    try:
        yield from _read(io.BufferedReader(source, _CHUNK), name, name, meter)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - hostile bytes make parsers raise anything
        if source.failure is None:
            yield Rejected(name, "unreadable_archive", _describe(error))
    if source.failure is not None:
        raise source.failure


class _Refused(Exception):
    """A limit was passed; the message says which."""


class _Source(io.RawIOBase):
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


class _Meter:
    """What was unpacked of one object, held against the limits."""

    def __init__(self, source: _Source, limits: Limits) -> None:
        self.source, self.limits, self.count = source, limits, 0

    def spend(self, size: int) -> None:
        self.count += size
        if self.count > self.limits.max_archive_bytes:
            raise _Refused("unpacks to more than ingest.max_archive_bytes")
        if self.count > self.limits.grace_bytes and self.count > self.limits.max_ratio * self.source.count:
            raise _Refused(f"unpacks to more than {self.limits.max_ratio:g} times its size")


class _Unpacked(io.RawIOBase):
    """What a decompressor gives, metered."""

    def __init__(self, stream: Any, meter: _Meter) -> None:
        self.stream, self.meter = stream, meter

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read1(len(buffer))
        buffer[: len(data)] = data
        self.meter.spend(len(data))
        return len(data)

    def readable(self) -> bool:
        return True


class _Bounded(io.RawIOBase):
    """A stream that refuses to be read beyond `end`, which moves on member by member."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self.stream, self.position, self.end = stream, 0, _HEADERS

    def readinto(self, buffer: Any) -> int:
        count = self.stream.readinto(buffer)
        self.position += count
        if self.position > self.end:
            raise _Refused("headers of unreasonable length")
        return count

    def readable(self) -> bool:
        return True


def _read(
    reader: io.BufferedReader, path: str, source: str, meter: _Meter, inside: bool = False, packed: bool = False
) -> Iterator[Item]:
    """Dispatch on what `path` and the first bytes say. `inside` an archive; `packed`: unpacked once."""
    head = reader.peek(HEAD_BYTES)[:HEAD_BYTES]
    kind = kind_of(path, head)
    if not head:
        yield Rejected(source, "empty")
    elif kind == "message":
        yield _message(source, _up_to(reader, meter.limits.max_message_bytes + 1), meter.limits)
    elif kind == "unsupported":
        yield Rejected(source, "unreadable_archive", "not a kind of archive that is read: tar, zip, gz, bz2")
    elif (inside and kind in ("tar", "zip", "parquet")) or (packed and kind in ("zip", "parquet", "compressed")):
        yield Rejected(source, "unreadable_archive", f"{kind} inside something {'packed' if packed else 'archived'}")
    elif kind == "compressed":
        opened = bz2.BZ2File(reader) if head.startswith(b"BZh") else gzip.GzipFile(fileobj=reader, mode="rb")
        unpacked = cast(io.BufferedReader, io.BufferedReader(_Unpacked(opened, meter), _CHUNK))
        yield from _read(unpacked, _unpacked_name(path), source, meter, inside, packed=True)
    elif kind == "mbox":
        yield from _mbox(reader, path, source, meter.limits)
    elif kind == "jsonl":
        yield from _jsonl(reader, source, meter.limits)
    elif kind == "tar":
        yield from _tar(reader, source, meter)
    elif kind == "zip":
        yield from _zip(reader, source, meter)
    else:
        yield from _parquet(reader, source, meter)


def _message(source: str, raw: bytes | None, limits: Limits) -> Item:
    """One message, unless it is nothing or, as None, too much."""
    if raw is None or len(raw) > limits.max_message_bytes:
        return Rejected(source, "too_large", f"more than {limits.max_message_bytes} bytes")
    if not raw or raw.isspace():
        return Rejected(source, "empty")
    return source, raw


def _up_to(stream: Any, limit: int) -> bytes:
    """At most `limit` bytes. A single read of so much would reserve that much for every small message."""
    parts = []
    while limit > 0 and (part := stream.read(min(limit, _CHUNK))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


# Archives


def _tar(reader: io.BufferedReader, source: str, meter: _Meter) -> Iterator[Item]:
    stream = _Bounded(reader)
    opened = tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|", tarinfo=_TarMember)  # noqa: SIM115
    with opened as archive:
        while (member := archive.next()) is not None:
            cast(Any, archive).members = []  # else the tarfile remembers every member of millions
            stream.end = archive.offset + _HEADERS
            if not member.isreg():
                continue
            label = f"{source}!{_clean(member.name)}"
            if _is_unsafe(member.name):
                yield Rejected(label, "unsafe_path")
            elif is_junk(member.name):
                continue
            elif member.issparse():
                yield Rejected(label, "unreadable_object", "sparse member")
            else:
                content = archive.extractfile(member)
                assert content is not None, "a regular member has content"
                yield from _member(content, member.name, label, member.size, meter)
        stream.end = 2**63
        while tail := cast(Any, archive.fileobj).read(_CHUNK):
            if tail.strip(b"\0"):
                raise tarfile.ReadError("data after the end")


class _TarMember(tarfile.TarInfo):
    """A member's header; a damaged one is an error, where tarfile would take it for the archive's end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _TarMember:
        try:
            member = super().fromtarfile(archive)
        except _TAR_END:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(type(error).__name__) from None
        if member.size < 0:
            raise tarfile.ReadError("negative size")
        return member


def _zip(reader: io.BufferedReader, source: str, meter: _Meter) -> Iterator[Item]:
    if not reader.seekable():
        raise _Refused("a zip needs a stream that seeks")
    with zipfile.ZipFile(reader) as archive:
        for info in archive.infolist():
            name = info.orig_filename
            is_link = info.create_system == 3 and stat.S_ISLNK(info.external_attr >> 16)
            if info.is_dir() or is_link:
                continue
            label = f"{source}!{_clean(name)}"
            if _is_unsafe(name):
                yield Rejected(label, "unsafe_path")
            elif is_junk(name):
                continue
            elif info.flag_bits & 1:
                yield Rejected(label, "unreadable_object", "encrypted")
            elif info.compress_type not in _ZIP_METHODS:
                yield Rejected(label, "unreadable_object", f"compression method {info.compress_type}")
            else:
                try:
                    with archive.open(info) as packed:
                        content = io.BufferedReader(
                            _Unpacked(packed, meter), max(HEAD_BYTES, min(_CHUNK, info.file_size))
                        )
                        yield from _member(content, name, label, info.file_size, meter)
                except (_Refused, MemoryError):
                    raise
                except Exception as error:
                    if meter.source.failure is not None:
                        raise
                    yield Rejected(label, "unreadable_archive", _describe(error))


def _member(content: Any, name: str, label: str, size: int, meter: _Meter) -> Iterator[Item]:
    """An archive's member. One that may be a message is read first, so that only its own damage is its own."""
    if size > meter.limits.max_message_bytes:
        if kind_of(name, content.peek(HEAD_BYTES)[:HEAD_BYTES]) == "message":
            yield _message(label, None, meter.limits)
        else:
            yield from _read(content, name, label, meter, inside=True)
        return
    raw = _up_to(content, meter.limits.max_message_bytes + 1)
    if kind_of(name, raw[:HEAD_BYTES]) == "message":
        yield _message(label, raw, meter.limits)
        return
    try:
        yield from _read(cast(io.BufferedReader, _Peekable(raw)), name, label, meter, inside=True)
    except (_Refused, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - hostile bytes make parsers raise anything
        yield Rejected(label, "unreadable_archive", _describe(error))


class _Peekable(io.BytesIO):
    """Bytes in memory, read like a buffered file."""

    def peek(self, size: int) -> bytes:
        return self.getvalue()[self.tell() : self.tell() + size]


def _is_unsafe(name: str) -> bool:
    """Whether a member's name would leave the folder in which an archive is unpacked."""
    absolute = name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", name)
    return bool(absolute) or "\0" in name or ".." in re.split(r"[\\/]", name)


# Mailboxes

_DATED = re.compile(rb"From .*?\b\d{1,2}:\d\d.*?\b(?:19|20)\d\d\b")
_BARE = re.compile(rb"From ?\S*[ \r]*\Z")
_HEADER = re.compile(rb">?[!-9;-~]{1,76}:|>From ")
_LOOKAHEAD = 512  # bytes that decide on a postmark: its line, and the beginning of the next


def _mbox(reader: io.BufferedReader, path: str, source: str, limits: Limits) -> Iterator[Item]:
    """The messages of an mbox, unescaped as mboxrd says: one `>` comes off every `>From `, `>>From `, ..."""
    number, held = 0, None
    for raw in _split_mbox(reader, limits.max_message_bytes):
        number += 1
        if number == 2 and held is not None:
            yield _message(f"{source}#000001", held, limits)
        if number == 1 and raw is not None and not path.lower().endswith((".mbox", ".mbx")):
            held = raw  # perhaps a single message in its own file, which then keeps the file's name
        else:
            yield _message(f"{source}#{number:06d}", raw, limits)
    if number == 1 and held is not None:
        yield _message(source, held, limits)
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
            chunk = reader.read1(_CHUNK)
            buffer += chunk
            ended = not chunk
            continue
        end = at + 1 if at >= 0 else len(buffer)
        yield from [None] if dropped else _unescaped(bytes(buffer[:end]))
        del buffer[:end]
        searched, dropped = 0, False


def _is_postmark(buffer: bytearray, at: int) -> bool:
    """Whether the line after the line end at `at` begins a message. Programs differ, and bodies hold "From " too.

    A line with time and year is one after a blank line or before a header; a line with no more than an
    address is one only if both hold.
    """
    end = buffer.find(b"\n", at + 1, at + _LOOKAHEAD)
    line = bytes(buffer[at + 1 : end if end >= 0 else at + _LOOKAHEAD])
    after_blank = buffer[:at][-1:] == b"\n" or buffer[max(0, at - 2) : at] == b"\n\r"
    before_header = end >= 0 and _HEADER.match(buffer, end + 1) is not None
    if _DATED.match(line):
        return after_blank or before_header
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


# Rows


def _jsonl(reader: io.BufferedReader, source: str, limits: Limits) -> Iterator[Item]:
    longest = 2 * limits.max_message_bytes + 2**16  # escapes and base64 make a message longer
    number = 0
    while line := reader.readline(longest):
        number += 1
        if len(line) == longest and not line.endswith(b"\n"):
            while (rest := reader.readline(_CHUNK)) and not rest.endswith(b"\n"):
                pass
            yield _message(f"{source}#{number:06d}", None, limits)
        elif not line.isspace():
            yield _json_row(line, source, number, limits)


def _json_row(line: bytes, source: str, number: int, limits: Limits) -> Item:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return Rejected(f"{source}#{number:06d}", "bad_row", "not JSON")
    if not isinstance(row, dict):
        return Rejected(f"{source}#{number:06d}", "bad_row", "not a JSON object")
    label = _row_label(source, number, row)
    try:
        if isinstance(row.get("raw_base64"), str):
            return _message(label, base64.b64decode(row["raw_base64"]), limits)
        if isinstance(row.get("raw"), str) and row.get("encoding", "utf-8") in ("utf-8", "latin-1"):
            return _message(label, row["raw"].encode(row.get("encoding", "utf-8"), "surrogateescape"), limits)
    except (binascii.Error, ValueError):  # a UnicodeEncodeError is a ValueError
        return Rejected(label, "bad_row", "raw cannot be decoded")
    return Rejected(label, "bad_row", "no usable field raw or raw_base64")


def _parquet(reader: io.BufferedReader, source: str, meter: _Meter) -> Iterator[Item]:
    # Read as a dictionary, a large value repeated a million times stays one value.
    file = pq.ParquetFile(
        pa.PythonFile(reader, mode="r"), read_dictionary=["raw"], pre_buffer=False, buffer_size=_CHUNK
    )
    schema = file.schema_arrow
    if "raw" not in schema.names or not _is_text(schema.field("raw").type):
        yield Rejected(source, "bad_row", "the table has no column raw of type binary or string")
        return
    named = [name for name in _NAME_COLUMNS if name in schema.names and _is_text(schema.field(name).type)][:1]
    number = 0
    for group in range(file.num_row_groups):
        shape = file.metadata.row_group(group)
        rows = max(1, min(1024, 2**24 * shape.num_rows // max(1, shape.total_byte_size)))
        for batch in file.iter_batches(rows, row_groups=[group], columns=["raw", *named], use_threads=False):
            names = batch.column(named[0]).to_pylist() if named else [None] * len(batch)
            for raw, name in zip(_values(batch.column("raw")), names, strict=True):
                number += 1
                label = _row_label(source, number, {"name": name})
                if raw is None:
                    yield Rejected(label, "bad_row", "raw is null")
                else:
                    meter.spend(len(raw))
                    yield _message(label, raw, meter.limits)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return kind in (pa.binary(), pa.large_binary(), pa.string(), pa.large_string())


def _values(column: pa.Array) -> Iterator[bytes | None]:
    """Each value's bytes, one at a time."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values = column.dictionary.cast(pa.large_binary())
    return (None if at is None else values[at].as_py() for at in column.indices.to_pylist())


def _row_label(source: str, number: int, row: Mapping[str, object]) -> str:
    found = (row.get(name) for name in _NAME_COLUMNS)
    name = next((value for value in found if isinstance(value, str) and value), None)
    return f"{source}#{number:06d}" if name is None else f"{source}!{_clean(name)}"


# Names and words


def _clean(name: str) -> str:
    """A name that any table can hold: valid Unicode, of bounded length."""
    return name[:_NAME_LENGTH].encode("utf-8", "replace").decode()


def _unpacked_name(path: str) -> str:
    """What a compressed file is called once it is unpacked."""
    lowered = path.lower()
    if lowered.endswith((".tgz", ".tbz2")):
        return path.rpartition(".")[0] + ".tar"
    return path.rpartition(".")[0] if lowered.endswith((".gz", ".bz2")) else path


def _describe(error: Exception) -> str:
    """What may be told of an error: the words of a limit, else only the error's type, lest it quote a mail."""
    return str(error) if isinstance(error, _Refused) else type(error).__name__
