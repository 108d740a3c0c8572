"""A sorted, memory-mapped table of key -> string, shared by all processes of a machine.

Labels and the winners among duplicates are looked up by row on every engine. A dictionary in each
worker, or a shuffle, would cost memory or time in proportion to the data; here the keys lie sorted
in one file and the strings in another, the pages are shared, and a lookup is a binary search over a
whole batch at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill.storage.filesystems import Storage, is_s3, join
from mailmill.storage.fragments import Scan

WIDTH = 32  # keys are 32 hex digits
_ROW = np.dtype([("key", f"S{WIDTH}"), ("code", "<i4")])
_PIECE = 1 << 16


@dataclass(frozen=True)
class Lookup:
    """A published lookup. Picklable: it is only a name; files are mapped where they are used."""

    storage: Storage
    uri: str

    @classmethod
    def build(
        cls, storage: Storage, uri: str, keys: NDArray[np.bytes_], codes: NDArray[np.int32], words: Sequence[str]
    ) -> Lookup:
        """Write the lookup of `words[codes[i]]` by `keys[i]`; |S32 (n,), distinct hex digits, and int32 (n,)."""
        return cls._of_parts(storage, uri, [(keys, codes)], words)

    @classmethod
    def of(cls, storage: Storage, uri: str, values: Mapping[str, str]) -> Lookup:
        """The lookup of a mapping."""
        words: dict[str, int] = {}
        codes = np.array([words.setdefault(word, len(words)) for word in values.values()], np.int32)
        return cls.build(storage, uri, np.array(list(values), f"S{WIDTH}"), codes, list(words))

    @classmethod
    def of_scans(cls, storage: Storage, uri: str, scans: Iterable[Scan], column: str) -> Lookup:
        """The lookup of a table's `column`, of few distinct strings, by its `key`, in memory of 1/256 of its rows.

        Keys are hashes: two hex digits cut them into 256 parts of like size, a file each until all rows are read.
        """
        words: dict[str, int] = {}
        with tempfile.TemporaryDirectory(prefix="mailmill-") as name:
            for table in _pieces(scans, ["key", column]):
                coded = table[column].combine_chunks().dictionary_encode()
                number = [words.setdefault(word, len(words)) for word in coded.dictionary.to_pylist()]
                rows = np.empty(len(table), _ROW)
                rows["key"], rows["code"] = _padded(table["key"]), np.array(number, np.int32)[coded.indices.to_numpy()]
                first = rows["key"].astype("S2")
                order = np.argsort(first, kind="stable")
                parts, starts = np.unique(first[order], return_index=True)
                for part, own in zip(parts, np.split(rows[order], starts[1:]), strict=False):
                    with open(Path(name) / part.decode(), "ab") as file:
                        file.write(own.tobytes())  # ndarray.tofile says nothing of a disk that fills as it closes
            cut = (np.fromfile(file, _ROW) for file in sorted(Path(name).iterdir()))
            return cls._of_parts(storage, uri, ((part["key"], part["code"]) for part in cut), list(words))

    @classmethod
    def _of_parts(
        cls, storage: Storage, uri: str, parts: Iterable[tuple[np.ndarray, np.ndarray]], words: Sequence[str]
    ) -> Lookup:
        """Write parts of ascending keys, each in any order itself."""
        with storage.create(join(uri, "keys.bin")) as keys_file, storage.create(join(uri, "codes.bin")) as codes_file:
            for keys, codes in parts:
                order = np.argsort(keys, kind="stable")
                keys_file.write(keys[order].tobytes())
                codes_file.write(codes.astype("<i4", copy=False)[order].tobytes())
        texts = pa.record_batch([pa.array(words, pa.large_string())], names=["word"])
        with storage.create(join(uri, "words.arrow")) as stream, pa.ipc.new_file(stream, texts.schema) as writer:
            writer.write_batch(texts)
        return cls(storage, uri)

    def find(self, keys: Sequence[str]) -> list[str | None]:
        """The value of each key, or None. Time O(m log n) for m keys in a lookup of n."""
        table, codes, words = _mapped(self.storage, self.uri)
        if not len(table) or not len(keys):
            return [None] * len(keys)
        wanted = np.asarray(keys, dtype=f"S{WIDTH}")
        at = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
        chosen: list[str | None] = words.take(pa.array(codes[at], mask=table[at] != wanted)).to_pylist()
        return chosen


def _pieces(scans: Iterable[Scan], columns: list[str]) -> Iterator[pa.Table]:
    """The rows of all scans, `_PIECE` and a few more at a time."""
    held: list[pa.RecordBatch] = []
    for batch in (batch for scan in scans for batch in scan.batches(columns)):
        held.append(batch)
        if sum(one.num_rows for one in held) >= _PIECE:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def keys_of(scan: Scan, column: str = "key") -> NDArray[np.bytes_]:
    """A column of keys as |S32."""
    return _padded(scan.read([column])[column])


def _padded(keys: pa.ChunkedArray) -> NDArray[np.bytes_]:
    return np.array(keys.to_pylist(), f"S{WIDTH}")


@lru_cache(maxsize=4)
def _mapped(storage: Storage, uri: str) -> tuple[np.ndarray, np.ndarray, pa.LargeStringArray]:
    with localized(storage, uri, ("keys.bin", "codes.bin", "words.arrow")) as folder:
        words = pa.ipc.open_file(pa.memory_map(str(folder / "words.arrow"))).get_batch(0).column(0)
        if not (folder / "keys.bin").stat().st_size:
            return np.empty(0, f"S{WIDTH}"), np.empty(0, "<i4"), words
        keys = np.memmap(folder / "keys.bin", dtype=f"S{WIDTH}", mode="r")
        return keys, np.memmap(folder / "codes.bin", dtype="<i4", mode="r"), words


@contextmanager
def localized(storage: Storage, uri: str, names: Sequence[str]) -> Iterator[Path]:
    """A local folder with the files `names` of the folder `uri`: itself, or a copy that goes with the block.

    What is mapped meanwhile can be read for as long as it is mapped; its place on the disk is free after that, also
    where the process is killed.
    """
    if not is_s3(uri):
        yield Path(uri.removeprefix("file://"))
        return
    with tempfile.TemporaryDirectory(prefix="mailmill-", ignore_cleanup_errors=True) as name:
        for file in names:
            storage.fetch(join(uri, file), Path(name) / file)
        yield Path(name)
