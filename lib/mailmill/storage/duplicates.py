"""Exact duplicates: of the messages with the same bytes, the one with the smallest source stays.

Keys are counted in one shuffle of (key, source), never of the messages; only files that hold a
superfluous copy are written again. Of a table that grows, the message that was there first stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mailmill import schemas
from mailmill.storage.fragments import Scan, Sink, Written
from mailmill.storage.lookup import Lookup
from mailmill.storage.manifests import File
from mailmill.storage.tables import Table

#: A key, the smallest of its sources, and how many messages have it.
COPIES = pa.schema([schemas.KEY, pa.field("source", pa.string()), pa.field("copies", pa.int64())])


def emit_keys(scan: Scan) -> pa.Table:
    """(key, source, 1) for every row: the input of the shuffle."""
    table = scan.read(["key", "source"])
    return table.append_column("copies", pa.repeat(pa.scalar(1, pa.int64()), table.num_rows)).cast(COPIES)


def repeated(groups: list[Scan]) -> Iterator[tuple[str, str]]:
    """(key, the source that stays) of every key that more than one message has."""
    for scan in groups:
        for batch in scan.batches():
            several = batch.filter(pc.greater(batch.column("copies"), 1))
            yield from zip(several.column("key").to_pylist(), several.column("source").to_pylist(), strict=True)


def known(scan: Scan, fresh: Lookup) -> list[str]:
    """The keys of a table's part that are among the fresh ones: the only ones that a growing table looks for."""
    found = []
    for batch in scan.batches(["key"]):
        keys = batch.column("key").to_pylist()
        found += [key for key, hit in zip(keys, fresh.find(keys), strict=True) if hit is not None]
    return found


@dataclass(frozen=True)
class Original:
    """A task: one written file of the raw table, and its number."""

    number: int
    scan: Scan
    file: File


@dataclass(frozen=True)
class Dropping:
    """What every task needs: the source that stays for each repeated key, and where rewritten files go."""

    winners: Lookup
    sink: Sink
    folder: str


def originals(table: Table) -> list[Original]:
    """One task a file."""
    scans = table.scans(target_bytes=2**62)
    return [Original(n, scan, file) for n, (scan, file) in enumerate(zip(scans, table.manifest.files, strict=True))]


def drop_duplicates(original: Original, job: Dropping) -> list[Written]:
    """The file itself where it has no superfluous copy, else a new file without them."""
    kept = [_stays(batch, job.winners) for batch in original.scan.batches(["key", "source"])]
    if all(pc.all(mask).as_py() is not False for mask in kept):
        return [("raw", original.file)]
    with job.sink.open(original.number, prefix=f"{job.folder}/distinct") as writer:
        for batch in original.scan.batches():
            writer.write("raw", batch.filter(_stays(batch, job.winners)))
    return writer.written


def _stays(batch: pa.RecordBatch, winners: Lookup) -> pa.Array:
    sources = batch.column("source").to_pylist()
    found = winners.find(batch.column("key").to_pylist())
    return pa.array([w is None or w == s for w, s in zip(found, sources, strict=True)], pa.bool_())
