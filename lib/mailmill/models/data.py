"""What training asks of its surroundings: fragments of a table, and one way to map and reduce them.

Training never sees the whole table. A `Fragment` yields the arrays of one file, a `MapReduce` runs a
kernel on every fragment and merges the results; engines implement the second, the pipeline the first.
`MemoryFragment` and `in_process` serve notebooks and tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.arrays import Arrays

S = TypeVar("S")
B = TypeVar("B")

#: The split that models are fitted to, and the one that chooses among them; see `schemas.SPLITS`.
TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True)
class SparseRows:
    """A matrix (n, columns) in compressed sparse rows: row i has values[indptr[i]:indptr[i + 1]] (float32) at the
    columns indices[indptr[i]:indptr[i + 1]] (int32, ascending); indptr int64 (n + 1,)."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    columns: int

    def take(self, rows: NDArray[np.intp]) -> SparseRows:
        """The rows of the given numbers, in that order."""
        from mailmill.models.native.linear import take_rows

        return SparseRows(*take_rows(self.indptr, self.indices, self.values, rows), self.columns)

    def append(self, other: SparseRows) -> SparseRows:
        """These rows and then the other ones."""
        return SparseRows(
            np.concatenate([self.indptr, other.indptr[1:] + self.indptr[-1]]),
            np.concatenate([self.indices, other.indices]),
            np.concatenate([self.values, other.values]),
            self.columns,
        )

    def row_numbers(self) -> NDArray[np.int64]:
        """The row of each stored value, int64 (number of values,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def dense(self) -> NDArray[np.float64]:
        """The matrix itself, float64 (n, columns): for few columns, and for tests."""
        full = np.zeros((len(self.indptr) - 1, self.columns))
        stored = slice(self.indptr[0], self.indptr[-1])
        np.add.at(full, (self.row_numbers(), self.indices[stored]), self.values[stored])
        return full


@dataclass(frozen=True)
class TrainingArrays:
    """Labelled rows: X float32 (n, d) C-contiguous, y class indices (n,), ids uint64 (n,) of the rows' keys, and
    where the features table has hashed n-grams, those as `sparse`. weights: float64 (n,), none negative, for logistic
    regression; None: 1."""

    X: NDArray[np.float32]
    y: NDArray[np.integer]
    ids: NDArray[np.uint64]
    sparse: SparseRows | None = None
    weights: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        rows = len(self.X)
        if self.X.ndim != 2 or self.X.dtype != np.float32 or not self.X.flags.c_contiguous:
            raise DataError("features must be a C-contiguous float32 matrix")
        if self.y.shape != (rows,) or self.y.dtype.kind not in "ui":
            raise DataError("labels must be one integer class index a row")
        if self.ids.shape != (rows,) or self.ids.dtype != np.uint64:
            raise DataError("ids must be one uint64 a row")
        if self.sparse is not None and len(self.sparse.indptr) != rows + 1:
            raise DataError("sparse features must have as many rows as the dense ones")
        if self.weights is not None and self.weights.shape != (rows,):
            raise DataError("weights must be one number a row")
        if self.weights is not None and not (np.isfinite(self.weights) & (self.weights >= 0)).all():
            raise DataError("weights must be finite and not negative")

    def take(self, rows: NDArray[np.intp]) -> TrainingArrays:
        """The rows of the given numbers, in that order."""
        return TrainingArrays(
            np.ascontiguousarray(self.X[rows]),
            self.y[rows],
            self.ids[rows],
            None if self.sparse is None else self.sparse.take(rows),
            None if self.weights is None else self.weights[rows],
        )

    def append(self, other: TrainingArrays) -> TrainingArrays:
        """These rows and then the other ones, which have the same kinds of features."""
        sparse = weights = None
        if self.sparse is not None and other.sparse is not None:
            sparse = self.sparse.append(other.sparse)
        if self.weights is not None and other.weights is not None:
            weights = np.concatenate([self.weights, other.weights])
        return TrainingArrays(
            np.concatenate([self.X, other.X]),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.ids, other.ids]),
            sparse,
            weights,
        )


class Fragment(Protocol):
    """One part of a table, small enough for a worker's memory."""

    def arrays(self, split: str) -> TrainingArrays:
        """The labelled rows of this fragment that belong to `split`; possibly none."""
        ...


@runtime_checkable
class CachingFragment(Protocol):
    """A fragment that keeps derived arrays on the worker's disk, so that a forest bins its columns only once."""

    def cached(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays stored under `name`, made and stored at the first call; read-only is fine."""
        ...


class MapReduce(Protocol):
    """Runs `partial(fragment, broadcast)` on every fragment and merges the results.

    The caller has bound the fragments. `merge` is associative and may add into its first argument;
    the order of merging is a fixed binary tree over the fragments, so a run repeats to the last bit,
    or, where `exact` says that no order changes a bit, the order in which results come.
    `partial` is a module-level function and `broadcast` a frozen dataclass, so both travel by reference
    or as plain arrays.
    """

    def __call__(
        self, partial: Callable[[Fragment, B], S], merge: Callable[[S, S], S], broadcast: B, *, exact: bool = False
    ) -> S: ...


class MemoryFragment:
    """A fragment over arrays in memory; `splits` maps a split's name to its rows."""

    def __init__(self, splits: dict[str, TrainingArrays]) -> None:
        self.splits = splits
        self._cache: dict[str, Arrays] = {}

    def arrays(self, split: str) -> TrainingArrays:
        return self.splits[split]

    def cached(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        if name not in self._cache:
            self._cache[name] = make()
        return self._cache[name]


def in_process(fragments: Sequence[Fragment], threads: int = 1) -> MapReduce:
    """A `MapReduce` over `fragments` in this process: neighbours are merged pairwise, round by round.

    So many threads share the fragments; the result does not depend on them. All states are there before the first is
    merged, so `exact` spares nothing here.
    """
    if not fragments:
        raise DataError("no fragment to train on")

    def map_reduce(
        partial: Callable[[Fragment, B], S], merge: Callable[[S, S], S], broadcast: B, *, exact: bool = False
    ) -> S:
        with ThreadPoolExecutor(threads) as pool:
            states = list(pool.map(lambda fragment: partial(fragment, broadcast), fragments))
        while len(states) > 1:
            pairs = [merge(*states[i : i + 2]) for i in range(0, len(states) - 1, 2)]
            states = pairs + states[2 * len(pairs) :]
        return states[0]

    return map_reduce


@dataclass(frozen=True)
class Census:
    """What a first look at the rows counts: rows, columns (0 if no row), rows a class, rows that cannot be used."""

    rows: int
    columns: tuple[int, ...]
    class_counts: tuple[int, ...]
    unknown_classes: int
    not_finite: int

    def merge(self, other: Census) -> Census:
        """Counts add up, widths are gathered: exact, in any order."""
        return Census(
            self.rows + other.rows,
            tuple(sorted({*self.columns, *other.columns})),
            tuple(a + b for a, b in zip(self.class_counts, other.class_counts, strict=True)),
            self.unknown_classes + other.unknown_classes,
            self.not_finite + other.not_finite,
        )

    def check(self, classes: tuple[str, ...], split: str) -> int:
        """The number of columns.

        Raises:
            DataError: no rows, rows of different widths, a class index outside `classes`, a value that is
                NaN or infinite, or fewer than two classes present; the message names the classes found.
        """
        if not self.rows:
            raise DataError(
                f"split {split!r} has no labelled row", hint="Check the labels table and the split's share."
            )
        if len(self.columns) != 1 or self.columns[0] == 0:
            raise DataError(f"the feature vectors of split {split!r} have widths {list(self.columns)}; one is needed")
        if self.unknown_classes:
            raise DataError(f"{self.unknown_classes} rows of split {split!r} have a label outside {list(classes)}")
        if self.not_finite:
            raise DataError(f"{self.not_finite} rows of split {split!r} have a feature that is NaN or infinite")
        found = [name for name, count in zip(classes, self.class_counts, strict=True) if count]
        if len(found) < 2:
            raise DataError(f"split {split!r} has the class {found[0]!r} alone; at least two are needed to train")
        return self.columns[0]


def take_census(arrays: TrainingArrays, n_classes: int) -> Census:
    """Count the rows of one fragment; nothing is raised here, so that the counts cover every fragment."""
    rows, columns = arrays.X.shape
    known = (arrays.y >= 0) & (arrays.y < n_classes)
    # A float64 sum of finite float32 values cannot overflow, so it is finite exactly when each value is.
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(arrays.X.sum(axis=1, dtype=np.float64))
    return Census(
        rows,
        (columns,) if rows else (),
        tuple(int(n) for n in np.bincount(arrays.y[known].astype(np.int64), minlength=n_classes)),
        int(rows - known.sum()),
        int(rows - finite.sum()),
    )
