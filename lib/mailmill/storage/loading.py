"""Loading: objects of any kind in, rows of the raw table out, a batch of objects a task."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mailmill import schemas
from mailmill.errors import MailmillError
from mailmill.storage import forgotten, ledger
from mailmill.storage.containers import Limits, Rejected, read_container
from mailmill.storage.filesystems import SMALL, Storage
from mailmill.storage.fragments import Sink, SinkWriter, Written
from mailmill.storage.refused import of_one_object
from mailmill.storage.sources import SourceObject, printable

FLUSH_ROWS, FLUSH_BYTES = 1000, 4 * 2**20


def message_key(raw: bytes) -> str:
    """A message's key: 32 hex digits of BLAKE2b-128 over its bytes. The same bytes are the same message."""
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Batch:
    """A task: objects to read, and the task's number."""

    number: int
    objects: tuple[SourceObject, ...]


#: Objects that could not be read at all, and the kind of error.
UNREAD = pa.schema([pa.field("source", pa.string(), nullable=False), pa.field("why", pa.string(), nullable=False)])
#: Objects that hold forgotten mail.
NAMELESS = pa.schema([pa.field("source", pa.string(), nullable=False)])
SCRATCH = {"unread": UNREAD, "nameless": NAMELESS}


@dataclass(frozen=True)
class Unread:
    """An object that could not be read at all."""

    source: str
    why: str


@dataclass(frozen=True)
class Loading:
    """What every task needs: where to read, where to write (outputs "raw", "raw_rejects" and `SCRATCH`), and limits.

    `folder`: the partition, below the run's folder. `forgotten`: hashes of what is not taken any more.
    """

    storage: Storage
    sink: Sink
    limits: Limits
    folder: str
    forgotten: frozenset[str] = frozenset()


def load_batch(batch: Batch, loading: Loading) -> list[Written]:
    """Read every message of the batch's objects into the sink; what cannot be used becomes a reject.

    An object that is gone, or not ours to read, is no reject but `UNREAD`: a later run may find it readable. What is
    forgotten is left out, and its object among `NAMELESS`.
    """
    with loading.sink.open(batch.number, prefix=f"{loading.folder}/part") as writer:
        rows = _Rows(writer)
        for container, found in _messages(batch.objects, loading):
            if isinstance(found, Unread):
                row = {"source": found.source, "why": found.why}
                writer.write("unread", pa.RecordBatch.from_pylist([row], UNREAD))
                continue
            source, content = (found.source, found.source.encode()) if isinstance(found, Rejected) else found
            key = message_key(content)
            if loading.forgotten and _is_forgotten(loading, container, source, found, key):
                writer.write("nameless", pa.RecordBatch.from_pylist([{"source": container.name}], NAMELESS))
            elif isinstance(found, Rejected):
                rows.reject(key, found)
            else:
                rows.add(key, source, content)
        rows.flush()
    return writer.written


def _is_forgotten(
    loading: Loading, container: SourceObject, source: str, found: tuple[str, bytes] | Rejected, key: str
) -> bool:
    """By a message's key, or by its place; a reject's key says nothing of its mail."""
    if not isinstance(found, Rejected) and key in loading.forgotten:
        return True
    return forgotten.knows_place(loading.forgotten, source, [ledger.identity(container)])


def _messages(
    objects: Sequence[SourceObject], loading: Loading
) -> Iterator[tuple[SourceObject, tuple[str, bytes] | Rejected | Unread]]:
    """An object, and what is in it."""
    small = {found.path: found for found in objects if found.size <= SMALL}
    for path, content in loading.storage.read_many(list(small)):
        if isinstance(content, bytes):
            for item in read_container(io.BytesIO(content), printable(path), loading.limits):
                yield small[path], item
        else:
            yield small[path], Unread(printable(path), type(content).__name__)
    for found in objects:
        if found.size > SMALL:
            try:
                with loading.storage.open(found.path) as stream:
                    for item in read_container(stream, found.name, loading.limits):
                        yield found, item
            except MailmillError as error:
                if (reason := of_one_object(error)) is None:
                    raise
                yield found, Unread(found.name, type(reason).__name__)


class _Rows:
    """Collects rows and hands them to the writer in batches of bounded size."""

    def __init__(self, writer: SinkWriter) -> None:
        self._writer = writer
        self._rows: list[tuple[str, str, bytes]] = []
        self._bytes = 0

    def add(self, key: str, source: str, raw: bytes) -> None:
        self._rows.append((key, source, raw))
        self._bytes += len(raw)
        if len(self._rows) >= FLUSH_ROWS or self._bytes >= FLUSH_BYTES:
            self.flush()

    def reject(self, key: str, rejected: Rejected) -> None:
        row = {
            "key": key,
            "source": rejected.source,
            "stage": "ingest",
            "reason": rejected.reason,
            "detail": rejected.detail,
        }
        self._writer.write("raw_rejects", pa.RecordBatch.from_pylist([row], schemas.REJECTS))

    def flush(self) -> None:
        if self._rows:
            columns = [
                pa.array(column, f.type) for column, f in zip(zip(*self._rows, strict=True), schemas.RAW, strict=True)
            ]
            self._writer.write("raw", pa.RecordBatch.from_arrays(columns, schema=schemas.RAW))
            self._rows, self._bytes = [], 0
