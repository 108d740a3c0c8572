"""Exact duplicates: of the messages with the same bytes, the one with the smallest source stays.

Keys are counted in one shuffle of (key, place), never of the messages; only files that hold a
superfluous copy are written again. Sources may repeat, as rows of one name do: of a key's messages in one
place the first stays. Of a table that grows, the message that was there first stays.
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

#: A key, the smallest of its places (source and file), and how many messages have it.
COPIES = pa.schema([schemas.KEY, pa.field("place", pa.string()), pa.field("copies", pa.int64())])


def emit_keys(scan: Scan) -> pa.Table:
    """(key, place, 1) for every row: the input of the shuffle."""
    table = scan.read(["key", "source"])
    ones = pa.repeat(pa.scalar(1, pa.int64()), table.num_rows)
    return pa.table([table["key"], _places(table["source"], scan), ones], schema=COPIES)


def repeated(groups: list[Scan]) -> Iterator[tuple[str, str]]:
    """(key, the place where one stays) of every key that more than one message has."""
    for scan in groups:
        for batch in scan.batches():
            several = batch.filter(pc.greater(batch.column("copies"), 1))
            yield from zip(several.column("key").to_pylist(), several.column("place").to_pylist(), strict=True)


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
    """What every task needs: the place where one stays of each repeated key, and where rewritten files go."""

    winners: Lookup
    sink: Sink
    folder: str


def originals(table: Table) -> list[Original]:
    """One task a file."""
    scans = table.scans(target_bytes=2**62)
    return [Original(n, scan, file) for n, (scan, file) in enumerate(zip(scans, table.manifest.files, strict=True))]


def drop_duplicates(original: Original, job: Dropping) -> list[Written]:
    """The file itself where it has no superfluous copy, else a new file without them."""
    if all(stays.true_count == len(stays) for _, stays in _judged(original.scan, job.winners, ["key", "source"])):
        return [("raw", original.file)]
    with job.sink.open(original.number, prefix=f"{job.folder}/distinct") as writer:
        for batch, stays in _judged(original.scan, job.winners):
            writer.write("raw", batch.filter(stays))
    return writer.written


def _judged(
    scan: Scan, winners: Lookup, columns: list[str] | None = None
) -> Iterator[tuple[pa.RecordBatch, pa.BooleanArray]]:
    """Each batch of a file, and which of its rows stay."""
    taken: set[str] = set()
    for batch in scan.batches(columns):
        keys = batch.column("key").to_pylist()
        places = _places(batch.column("source"), scan).to_pylist()
        stays = []
        for key, place, winner in zip(keys, places, winners.find(keys), strict=True):
            stays.append(winner is None or (winner == place and key not in taken))
            if winner == place:
                taken.add(key)
        yield batch, pa.array(stays, pa.bool_())


def _places(sources: pa.Array | pa.ChunkedArray, scan: Scan) -> pa.Array | pa.ChunkedArray:
    """Each row's source and the name of its file, which the file's task and number make."""
    return pc.binary_join_element_wise(sources, scan.uri.rpartition("/")[2], "\0")
