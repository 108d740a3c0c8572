"""The features table as training sees it: fragments that become arrays on the worker that reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.arrays import Arrays
from mailmill.models.cache import DEFAULT, Cache
from mailmill.models.data import SparseRows, TrainingArrays
from mailmill.models.reading import READING
from mailmill.storage.fragments import Scan
from mailmill.storage.tables import Table

INDICES, VALUES = "ngram_indices", "ngram_values"


@dataclass(frozen=True)
class TableFragment:
    """Some row groups of some files of a features table. `version` is the table's fingerprint and part of the cache's
    key; table_rows: of the whole table; sparse_columns: the width of its n-grams, 0 where it has none."""

    scans: tuple[Scan, ...]
    classes: tuple[str, ...]
    version: str
    table_rows: int
    sparse_columns: int = 0
    cache: Cache = DEFAULT

    def arrays(self, split: str) -> TrainingArrays:
        """The labelled rows of `split`: X float32 (n, d), y int64 (n,), ids uint64 (n,), and n-grams if there are."""
        found = self.cache.get(self.version, f"arrays-{split}", self._name, lambda: self._read(split))
        sparse = None
        if self.sparse_columns:
            sparse = SparseRows(found["indptr"], found["indices"], found["values"], self.sparse_columns)
        return TrainingArrays(found["X"], found["y"], found["ids"], sparse)

    def read(self, columns: list[str]) -> pa.Table:
        """All rows at once, whatever their split."""
        return pa.concat_tables([scan.read(columns) for scan in self.scans])

    def cached(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """What `make` gives, kept on this machine's disk under `name`."""
        return self.cache.get(self.version, name, self._name, make)

    @property
    def _name(self) -> str:
        places = [part for scan in self.scans for part in (scan.uri, repr(scan.row_groups))]
        text = "\n".join([*places, *self.classes, str(self.sparse_columns)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _read(self, split: str) -> dict[str, NDArray[Any]]:
        """Batch by batch: decoded all at once, a fragment takes six times the memory of its arrays."""
        columns = ["key", "label", "split", "vector", *([INDICES, VALUES] if self.sparse_columns else [])]
        READING.source_bytes += sum(_stored_bytes(scan, columns) for scan in self.scans)
        parts = [self._of_batch(batch, split) for scan in self.scans for batch in scan.batches(columns)]
        found = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
        if self.sparse_columns:
            found["indptr"] = np.concatenate([[0], np.cumsum(found.pop("lengths"))]).astype(np.int64)
        return found

    def _of_batch(self, batch: pa.RecordBatch, split: str) -> dict[str, NDArray[Any]]:
        """The arrays of a batch's labelled rows of `split`, with the rows' lengths for their bounds."""
        rows = batch.filter(pc.and_(pc.equal(batch["split"], split), pc.is_valid(batch["label"])))
        y = pc.index_in(rows["label"], value_set=pa.array(self.classes, pa.string()))
        found: dict[str, NDArray[Any]] = {
            "X": matrix(rows["vector"]),
            "y": y.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64),
            "ids": ids(rows["key"]),
        }
        if self.sparse_columns:
            sparse = sparse_rows(rows[INDICES], rows[VALUES], self.sparse_columns)
            found |= {"lengths": np.diff(sparse.indptr), "indices": sparse.indices, "values": sparse.values}
        return found


def _stored_bytes(scan: Scan, columns: Sequence[str]) -> int:
    """Compressed bytes of some columns of the row groups."""
    with scan.storage.open(scan.uri) as stream:
        metadata = pq.ParquetFile(stream).metadata
    groups = [metadata.row_group(number) for number in scan.row_groups]
    chunks = [group.column(at) for group in groups for at in range(group.num_columns)]
    return sum(c.total_compressed_size for c in chunks if c.path_in_schema.split(".")[0] in columns)


def fragments(
    table: Table, classes: Sequence[str], task_bytes: int, at_least: int, cache: Cache = DEFAULT
) -> list[TableFragment]:
    """The tasks of one pass over a features table: parts of large files, and small files together.

    A table that grew night by night has many small files, and each fragment costs a pass a gradient of its own.
    """
    width, total = sparse_width(table), sum(file.bytes for file in table.manifest.files)
    most = table.rows * min(task_bytes / max(total, 1), 1 / max(at_least, 1))
    groups: list[list[Scan]] = []
    rows = 0  # of the last group
    for scan in table.scans(task_bytes, at_least):
        if groups and rows + scan.rows <= most:
            groups[-1].append(scan)
            rows += scan.rows
        else:
            groups.append([scan])
            rows = scan.rows
    return [
        TableFragment(tuple(group), tuple(classes), table.fingerprint, table.rows, width, cache) for group in groups
    ]


def sparse_width(table: Table) -> int:
    """How many sparse columns a features table has, by its specification; 0: none."""
    if INDICES not in table.schema.names:
        return 0
    return int(table.manifest.statistics["specification"]["sparse_columns"])


def matrix(vectors: pa.ChunkedArray | pa.Array) -> NDArray[np.float32]:
    """A list or fixed-size-list column of float32 as a C-contiguous matrix (n, d)."""
    array = vectors.combine_chunks() if isinstance(vectors, pa.ChunkedArray) else vectors
    flat = array.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    width = len(flat) // len(array) if len(array) else getattr(array.type, "list_size", 0)
    return np.ascontiguousarray(flat.reshape(len(array), width))


def sparse_rows(indices: pa.ChunkedArray | pa.Array, values: pa.ChunkedArray | pa.Array, columns: int) -> SparseRows:
    """Two list columns of equal lengths as `SparseRows`.

    Raises:
        DataError: the lengths differ, or an index lies outside the columns.
    """
    first, second = (
        column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column for column in (indices, values)
    )
    lengths = pc.list_value_length(first).to_numpy(zero_copy_only=False).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    at = first.flatten().to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    stored = second.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    if len(at) != len(stored) or not pc.list_value_length(second).equals(pc.list_value_length(first)):
        raise DataError(f"{INDICES} and {VALUES} differ in length")
    if len(at) and not 0 <= int(at.min()) <= int(at.max()) < columns:
        raise DataError(f"{INDICES} has a column outside 0 .. {columns - 1}")
    return SparseRows(indptr, at, stored, columns)


def ids(keys: pa.ChunkedArray | pa.Array) -> NDArray[np.uint64]:
    """The first 64 bits of keys of 32 hex digits: what a row's random draws are hashed from."""
    digits = "".join(key[:16] for key in keys.to_pylist())
    return np.frombuffer(bytes.fromhex(digits), dtype=">u8").astype(np.uint64)
