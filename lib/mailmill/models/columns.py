"""Sparse columns by their rank: a pass reads them in order, and carries those that occur.

Hashed n-grams fill millions of columns thinly. Row by row, each value would take its parameter from another place of
an array that no cache holds, and add to another place of a second one. Column by column both are read from end to end,
and what is touched at random are the margins of a block of rows, which do lie in a cache. Columns that occur nowhere
are neither sent nor added up; the most frequent come first, so that most values belong to neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mailmill.models.arrays import Arrays
from mailmill.models.data import CachingFragment, Fragment, SparseRows

#: Rows of a block, unless said otherwise: one margin of each is 128 KiB.
BLOCK = 16_384


def ranked(squares: NDArray[np.floating]) -> NDArray[np.int32]:
    """The columns with Σ x² > 0, largest first, ties in ascending order; int32 (s',), as it travels with each pass."""
    found = np.flatnonzero(squares)
    return found[np.argsort(-squares[found], kind="stable")].astype(np.int32)


def renumbered(rows: SparseRows, active: NDArray[np.integer]) -> SparseRows:
    """`rows` with the place of each column in `active` as its number, no longer ascending within a row; what stands in
    other columns is left out."""
    indices, indptr, values = _places(rows.columns, active)[rows.indices], rows.indptr, rows.values
    kept = indices >= 0
    if not kept.all():
        indptr = np.concatenate([[0], np.cumsum(kept)])[indptr]
        indices, values = indices[kept], values[kept]
    return SparseRows(indptr, indices, values, len(active))


def _places(columns: int, active: NDArray[np.integer]) -> NDArray[np.int32]:
    """Where each of so many columns stands in `active`, -1: nowhere; int32 (columns,)."""
    place = np.full(columns, -1, np.int32)
    place[active] = np.arange(len(active), dtype=np.int32)
    return place


def name_of(active: NDArray[np.integer]) -> str:
    """16 hex digits over the columns and their order."""
    return blake2b(np.ascontiguousarray(active, "<i8").tobytes(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class SparseColumns:
    """Sparse rows column by column, within blocks of `block` rows (the last may have fewer).

    Block b has the runs bounds[b] <= r < bounds[b + 1] (int64). Run r is the column columns[r] (int32, ascending within
    a block): its values values[starts[r]:starts[r + 1]] (float32; starts int64) stand in the rows rows[...] (uint16,
    ascending, counted from the block's first).
    """

    block: int
    bounds: NDArray[np.int64]
    columns: NDArray[np.int32]
    starts: NDArray[np.int64]
    rows: NDArray[np.uint16]
    values: NDArray[np.float32]

    def add_margins(self, number: int, V: NDArray[np.float64], Z: NDArray[np.float64]) -> None:
        """Z += S V for the rows S of a block. V (columns, q), Z (rows of the block, q)."""
        from mailmill.models.native.linear import sparse_margins

        sparse_margins(*self._runs(number), self.rows, self.values, V, Z)

    def add_gradient(self, number: int, R: NDArray[np.float64], units: float, G: NDArray[np.int64]) -> None:
        """G += Sᵀ R in whole units, rint(units s_ij R_ik) a value: a sum that no order of the rows changes.

        S: the rows of a block. R (rows of the block, q), G (columns, q).
        """
        from mailmill.models.native.linear import sparse_gradient

        sparse_gradient(*self._runs(number), self.rows, self.values, R, units, G)

    def put(self, number: int, wanted: NDArray[np.integer], A: NDArray[np.float64]) -> None:
        """A[i, k] = the value of a block's row i in the column wanted[k] (ascending), where it has one."""
        columns, starts = self._runs(number)
        for k, run in enumerate(np.searchsorted(columns, wanted)):
            if run < len(columns) and columns[run] == wanted[k]:
                stored = slice(starts[run], starts[run + 1])
                A[self.rows[stored], k] = self.values[stored]

    def _runs(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The columns of a block's runs, and their bounds in `rows` and `values`: one more."""
        first, last = self.bounds[number : number + 2]
        return self.columns[first:last], self.starts[first : last + 1]


def by_column(rows: SparseRows, active: NDArray[np.integer] | None, block: int = BLOCK) -> SparseColumns:
    """`rows` with the place of each column in `active` as its number; what stands in other columns is left out.

    active None: all columns, in order. block <= 65,536.
    """
    from mailmill.models.native.linear import turn

    place = np.arange(rows.columns, dtype=np.int32) if active is None else _places(rows.columns, active)
    lengths = np.zeros(rows.columns if active is None else len(active), np.int32)
    bounds, columns, starts, numbers, values = [0], [], [], [], []
    count, stored = len(rows.indptr) - 1, 0
    for start in range(0, count, block):
        found = turn(rows.indptr[start : min(start + block, count) + 1], rows.indices, rows.values, place, lengths)
        bounds.append(bounds[-1] + len(found[0]))
        columns.append(found[0])
        starts.append(found[1] + stored)
        numbers.append(found[2])
        values.append(found[3])
        stored += len(found[2])
    return SparseColumns(
        block,
        np.array(bounds, np.int64),
        np.concatenate([np.empty(0, np.int32), *columns]),
        np.concatenate([*starts, [stored]]).astype(np.int64),
        np.concatenate([np.empty(0, np.uint16), *numbers]),
        np.concatenate([np.empty(0, np.float32), *values]),
    )


def fragment_columns(
    fragment: Fragment, split: str, rows: SparseRows, active: NDArray[np.integer] | None, name: str = ""
) -> SparseColumns:
    """`by_column`, made once a fragment that keeps derived arrays, under `name`, see `name_of`."""
    if not name or not isinstance(fragment, CachingFragment):
        return by_column(rows, active)

    def make() -> Arrays:
        made = vars(by_column(rows, active))
        return {field: array for field, array in made.items() if field != "block"}

    return SparseColumns(BLOCK, **fragment.cached(f"turned-{BLOCK}-{split}-{name}", make))
