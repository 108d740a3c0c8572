"""The messages inside a file: one mail, an mbox, an archive, JSON lines or a table; hostile ones too.

Archives come from outside. Whatever one holds, reading it streams, stays within `Limits`, extracts
nothing to disk, and ends in messages and counted rejects, never in an exception: one damaged file must
not stop a night's run. Only a failure of the storage itself is raised, for that can be tried again.
"""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, cast

from mailmill.storage.archives import read_tar, read_zip
from mailmill.storage.bounded import (
    CHUNK,
    Item,
    Limits,
    Meter,
    Rejected,
    Source,
    Unpacked,
    describe,
    one_message,
    read_up_to,
)
from mailmill.storage.mailboxes import read_mbox
from mailmill.storage.rows import read_json_lines, read_parquet
from mailmill.storage.sources import HEAD_BYTES, kind_of

__all__ = ["Item", "Limits", "Rejected", "read_container"]


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
    source = Source(stream)
    meter = Meter(source, limits)
    try:
        yield from _read(io.BufferedReader(source, CHUNK), name, name, meter)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - hostile bytes make parsers raise anything
        if source.failure is None:
            yield Rejected(name, "unreadable_archive", describe(error))
    if source.failure is not None:
        raise source.failure


def _read(
    reader: io.BufferedReader, path: str, source: str, meter: Meter, inside: bool = False, packed: bool = False
) -> Iterator[Item]:
    """Dispatch on what `path` and the first bytes say. `inside` an archive; `packed`: unpacked once."""
    head = reader.peek(HEAD_BYTES)[:HEAD_BYTES]
    kind = kind_of(path, head)
    if not head:
        yield Rejected(source, "empty")
    elif kind == "message":
        yield one_message(source, read_up_to(reader, meter.limits.max_message_bytes + 1), meter.limits)
    elif kind == "unsupported":
        yield Rejected(source, "unreadable_archive", "not a kind of archive that is read: tar, zip, gz, bz2")
    elif (inside and kind in ("tar", "zip", "parquet")) or (packed and kind in ("zip", "parquet", "compressed")):
        yield Rejected(source, "unreadable_archive", f"{kind} inside something {'packed' if packed else 'archived'}")
    elif kind == "compressed":
        opened = bz2.BZ2File(reader) if head.startswith(b"BZh") else gzip.GzipFile(fileobj=reader, mode="rb")
        unpacked = cast(io.BufferedReader, io.BufferedReader(Unpacked(opened, meter), CHUNK))
        yield from _read(unpacked, _unpacked_name(path), source, meter, inside, packed=True)
    elif kind == "mbox":
        yield from read_mbox(reader, path, source, meter.limits)
    elif kind == "jsonl":
        yield from read_json_lines(reader, source, meter.limits)
    elif kind == "tar":
        yield from read_tar(reader, source, meter, partial(_read, inside=True))
    elif kind == "zip":
        yield from read_zip(reader, source, meter, partial(_read, inside=True))
    else:
        yield from read_parquet(reader, source, meter)


def _unpacked_name(path: str) -> str:
    """What a compressed file is called once it is unpacked."""
    lowered = path.lower()
    if lowered.endswith((".tgz", ".tbz2")):
        return path.rpartition(".")[0] + ".tar"
    return path.rpartition(".")[0] if lowered.endswith((".gz", ".bz2")) else path
