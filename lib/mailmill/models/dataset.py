"""The features table as training sees it: fragments that become arrays on the worker that reads them.

An iterative fit reads the same fragments again and again, so a worker process keeps what it has read
and derived, least recently used out first, up to `CACHE_BYTES`. What does not fit is read again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mailmill.models.data import TrainingArrays
from mailmill.storage.fragments import Scan
from mailmill.storage.tables import Table

CACHE_BYTES = 128 * 2**20


@dataclass(frozen=True)
class TableFragment:
    """Some row groups of a features table. `version` is the table's fingerprint: part of the cache's key."""

    scan: Scan
    classes: tuple[str, ...]
    version: str

    def arrays(self, split: str) -> TrainingArrays:
        """The labelled rows of `split`: X float32 (n, d), y int64 (n,), ids uint64 (n,)."""
        X, y, row_ids = _cache.get((self, split), lambda: self._read(split))
        return TrainingArrays(X, y, row_ids)

    def cached(self, name: str, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """What `make` gives, kept in this process under `name`."""
        (codes,) = _cache.get((self, name), lambda: (make(),))
        return codes

    def _read(self, split: str) -> tuple[NDArray[Any], ...]:
        table = self.scan.read(["key", "label", "split", "vector"])
        wanted = pc.and_(pc.equal(table["split"], split), pc.is_valid(table["label"]))
        table = table.filter(wanted)
        y = pc.index_in(table["label"], value_set=pa.array(self.classes, pa.string()))
        return matrix(table["vector"]), y.fill_null(-1).to_numpy().astype(np.int64), ids(table["key"])


def fragments(table: Table, classes: Sequence[str], task_bytes: int, at_least: int) -> list[TableFragment]:
    """The tasks of one pass over a features table."""
    return [TableFragment(scan, tuple(classes), table.fingerprint) for scan in table.scans(task_bytes, at_least)]


def matrix(vectors: pa.ChunkedArray | pa.Array) -> NDArray[np.float32]:
    """A list or fixed-size-list column of float32 as a C-contiguous matrix (n, d)."""
    array = vectors.combine_chunks() if isinstance(vectors, pa.ChunkedArray) else vectors
    flat = array.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    width = len(flat) // len(array) if len(array) else getattr(array.type, "list_size", 0)
    return np.ascontiguousarray(flat.reshape(len(array), width))


def ids(keys: pa.ChunkedArray | pa.Array) -> NDArray[np.uint64]:
    """The first 64 bits of keys of 32 hex digits: what a row's random draws are hashed from."""
    digits = "".join(key[:16] for key in keys.to_pylist())
    return np.frombuffer(bytes.fromhex(digits), dtype=">u8").astype(np.uint64)


class _Cache:
    """Least recently used arrays of one process, bounded in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[object, tuple[NDArray[Any], ...]] = OrderedDict()
        self._bytes = 0

    def get(self, name: object, make: Callable[[], tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        made = make()
        size = _size(made)
        while self._kept and self._bytes + size > self._limit:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        if size <= self._limit:
            self._kept[name] = made
            self._bytes += size
        return made


def _size(arrays: tuple[NDArray[Any], ...]) -> int:
    return sum(array.nbytes for array in arrays)


_cache = _Cache(CACHE_BYTES)
