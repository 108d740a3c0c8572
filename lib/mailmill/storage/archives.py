"""The members of a tar or a zip, read in a stream and never extracted: archives come from outside.

Names that lead out of the archive, links, devices, headers without end and overlapping members are the
old ways to harm whoever unpacks. What a member holds, this file leaves to a `ReadMember`, so it knows
archives alone.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from mailmill.storage.bounded import (
    CHUNK,
    Bounded,
    Item,
    Meter,
    Refused,
    Rejected,
    Unpacked,
    clean_name,
    describe,
    one_message,
    read_up_to,
)
from mailmill.storage.sources import HEAD_BYTES, is_junk, kind_of

#: Reads the items of a member that is more than one message, from its stream, name, source and meter.
ReadMember = Callable[[io.BufferedReader, str, str, Meter], Iterator[Item]]

_HEADERS = 1 << 21  # a tar's headers between two members are never this long
_TAR_END: type[Exception] = cast(Any, tarfile).EOFHeaderError
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


def read_tar(reader: io.BufferedReader, source: str, meter: Meter, read_member: ReadMember) -> Iterator[Item]:
    """The items of a tar's regular members, in order, each from `source`!member; links, devices and litter skipped.

    `reader` need not seek, and memory does not grow with the number of members. Raises Refused past a
    limit, and what tarfile raises where a header is damaged; ReadError too where data follow the end.
    Format: POSIX ustar and pax, and GNU tar.
    """
    stream = Bounded(reader, _HEADERS)
    opened = tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|", tarinfo=_TarMember)  # noqa: SIM115
    with opened as archive:
        while (member := archive.next()) is not None:
            cast(Any, archive).members = []  # else the tarfile remembers every member of millions
            stream.end = archive.offset + _HEADERS
            if not member.isreg():
                continue
            label = f"{source}!{clean_name(member.name)}"
            if _is_unsafe(member.name):
                yield Rejected(label, "unsafe_path")
            elif is_junk(member.name):
                continue
            elif member.issparse():
                yield Rejected(label, "unreadable_object", "sparse member")
            else:
                content = archive.extractfile(member)
                assert content is not None, "a regular member has content"
                yield from _member(content, member.name, label, member.size, meter, read_member)
        stream.end = 2**63
        while tail := cast(Any, archive.fileobj).read(CHUNK):
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


def read_zip(reader: io.BufferedReader, source: str, meter: Meter, read_member: ReadMember) -> Iterator[Item]:
    """The items of a zip's files, in its directory's order, each from `source`!member; links and litter skipped.

    A damaged, encrypted or strangely compressed member is rejected alone. Raises Refused past a limit or
    where `reader` cannot seek, and what zipfile raises where the directory is damaged. Format: PKWARE's APPNOTE.
    """
    if not reader.seekable():
        raise Refused("a zip needs a stream that seeks")
    with zipfile.ZipFile(reader) as archive:
        for info in archive.infolist():
            name = info.orig_filename
            is_link = info.create_system == 3 and stat.S_ISLNK(info.external_attr >> 16)
            if info.is_dir() or is_link:
                continue
            label = f"{source}!{clean_name(name)}"
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
                            Unpacked(packed, meter), max(HEAD_BYTES, min(CHUNK, info.file_size))
                        )
                        yield from _member(content, name, label, info.file_size, meter, read_member)
                except (Refused, MemoryError):
                    raise
                except Exception as error:
                    if meter.source.failure is not None:
                        raise
                    yield Rejected(label, "unreadable_archive", describe(error))


def _member(content: Any, name: str, label: str, size: int, meter: Meter, read_member: ReadMember) -> Iterator[Item]:
    """An archive's member. One that may be a message is read first, so that only its own damage is its own."""
    if size > meter.limits.max_message_bytes:
        if kind_of(name, content.peek(HEAD_BYTES)[:HEAD_BYTES]) == "message":
            yield one_message(label, None, meter.limits)
        else:
            yield from read_member(content, name, label, meter)
        return
    raw = read_up_to(content, meter.limits.max_message_bytes + 1)
    if kind_of(name, raw[:HEAD_BYTES]) == "message":
        yield one_message(label, raw, meter.limits)
        return
    try:
        yield from read_member(cast(io.BufferedReader, _Peekable(raw)), name, label, meter)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - hostile bytes make parsers raise anything
        yield Rejected(label, "unreadable_archive", describe(error))


class _Peekable(io.BytesIO):
    """Bytes in memory, read like a buffered file."""

    def peek(self, size: int) -> bytes:
        return self.getvalue()[self.tell() : self.tell() + size]


def _is_unsafe(name: str) -> bool:
    """Whether a member's name would leave the folder in which an archive is unpacked."""
    absolute = name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", name)
    return bool(absolute) or "\0" in name or ".." in re.split(r"[\\/]", name)
