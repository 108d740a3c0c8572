"""Rows as a forest reads them: bins by column, ids to hash, classes; as one run of bytes that a file can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mailmill.models.binning import Bins
from mailmill.models.data import CachingFragment, Fragment

#: Bytes of a row besides its bins: id and class.
ROW_BYTES = 10


@dataclass(frozen=True)
class BinnedRows:
    """codes uint8 (d, n), see `Bins.encode`; ids uint64 (n,); y uint16 (n,)."""

    codes: NDArray[np.uint8]
    ids: NDArray[np.uint64]
    y: NDArray[np.uint16]

    @classmethod
    def view(cls, data: NDArray[np.uint8], columns: int) -> BinnedRows:
        """Rows that lie in `data` uint8 ((columns + 10) n,): all ids, all classes, then the codes, column by column."""
        rows = len(data) // (columns + ROW_BYTES)
        ids, y = data[: 8 * rows].view(np.uint64), data[8 * rows : ROW_BYTES * rows].view(np.uint16)
        return cls(data[ROW_BYTES * rows :].reshape(columns, rows), ids, y)


def bin_rows(fragment: Fragment, split: str, bins: Bins, threads: int) -> NDArray[np.uint8]:
    """The fragment's rows of `split`, in the bytes of `BinnedRows.view`."""
    arrays = fragment.arrays(split)
    columns = len(bins.counts)
    data = np.empty(len(arrays.ids) * (columns + ROW_BYTES), np.uint8)
    if len(data):
        rows = BinnedRows.view(data, columns)
        rows.ids[:], rows.y[:] = arrays.ids, arrays.y
        bins.encode(arrays.X, out=rows.codes, threads=threads)
    return data


def binned(fragment: Fragment, split: str, bins: Bins, threads: int = 1) -> BinnedRows:
    """The fragment's binned rows, from its cache where it has one: values are read and binned once a fit."""
    columns = len(bins.counts)
    if isinstance(fragment, CachingFragment):
        name = f"binned-{split}-{bins.fingerprint}"
        kept = fragment.cached(name, lambda: {"codes": bin_rows(fragment, split, bins, threads)})
        return BinnedRows.view(kept["codes"], columns)
    return BinnedRows.view(bin_rows(fragment, split, bins, threads), columns)


@dataclass(frozen=True)
class BinnedFile:
    """Binned rows in a file that workers of one box map into their memory."""

    path: Path
    columns: int

    def open(self) -> BinnedRows:
        """The rows, mapped and not to be written. Raises OSError where the file is gone."""
        return BinnedRows.view(np.memmap(self.path, np.uint8, mode="r"), self.columns)

    @property
    def rows(self) -> int:
        """How many rows there are, from the size in bytes: size / (columns + 10)."""
        return self.path.stat().st_size // (self.columns + ROW_BYTES)


@dataclass(frozen=True)
class Joining:
    """The files to join, in order, and the file to fill."""

    parts: tuple[BinnedFile, ...]
    whole: BinnedFile


def allocate(path: Path, parts: Sequence[BinnedFile], columns: int) -> Joining:
    """An empty file with room for the rows of all parts."""
    with path.open("wb") as file:
        file.truncate(sum(part.rows for part in parts) * (columns + ROW_BYTES))
    return Joining(tuple(parts), BinnedFile(path, columns))


def join_columns(span: tuple[int, int], joining: Joining) -> None:
    """Copy the columns span[0] .. span[1] of all parts; with the first columns also ids and classes."""
    start, stop = span
    whole = BinnedRows.view(np.memmap(joining.whole.path, np.uint8, mode="r+"), joining.whole.columns)
    at = 0
    for part in joining.parts:
        rows = part.open()
        after = at + len(rows.ids)
        whole.codes[start:stop, at:after] = rows.codes[start:stop]
        if start == 0:
            whole.ids[at:after], whole.y[at:after] = rows.ids, rows.y
        at = after
