"""Small generated problems, and ways to cut and shuffle them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mailmill.models.data import Fragment, MapReduce, MemoryFragment, SparseRows, TrainingArrays, in_process

CLASSES = ("negative", "positive")


def problem(
    rows: int = 1500, columns: int = 8, *, classes: int = 2, noise: float = 1.0, seed: int = 0
) -> TrainingArrays:
    """Rows whose class is the largest of `classes` noisy linear functions; columns on different scales and means."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(rows, columns))
    y = (Z @ rng.normal(size=(columns, classes)) + noise * rng.normal(size=(rows, classes))).argmax(axis=1)
    X = (Z * np.geomspace(0.2, 5, columns) + np.linspace(-3, 30, columns)).astype(np.float32)
    return TrainingArrays(X, y.astype(np.int64), rng.integers(0, 2**64, rows, dtype=np.uint64))


def sparse_problem(rows: int, columns: int, sparse_columns: int, *, classes: int = 2, seed: int = 0) -> TrainingArrays:
    """`problem` with sparse columns, frequent to rare, that tell of the class as well; some rows have none."""
    data, rng = problem(rows, columns, classes=classes, noise=3.0, seed=seed), np.random.default_rng(seed + 1)
    share = np.geomspace(0.5, 0.01, sparse_columns)
    S = rng.random((rows, sparse_columns)) < share * rng.uniform(0.5, 1.5, (classes, sparse_columns))[data.y]
    S[:3] = False
    indptr = np.concatenate([[0], np.cumsum(S.sum(axis=1))]).astype(np.int64)
    values = rng.uniform(0.5, 2.0, indptr[-1]).astype(np.float32)
    sparse = SparseRows(indptr, np.nonzero(S)[1].astype(np.int32), values, sparse_columns)
    return TrainingArrays(data.X, data.y, data.ids, sparse)


def take(data: TrainingArrays, rows: NDArray[np.intp] | slice) -> TrainingArrays:
    return data.take(np.arange(len(data.X))[rows])


class Uncached:
    """A fragment without a cache, to hold that caching changes nothing."""

    def __init__(self, data: TrainingArrays) -> None:
        self.data = data

    def arrays(self, split: str) -> TrainingArrays:
        return self.data


def cut(data: TrainingArrays, at: Sequence[int] = (), *, cached: bool = True) -> MapReduce:
    """A map-reduce over `data` cut before the rows `at`, as split "train" and "test"; parts may be empty."""
    bounds = [0, *sorted(at), len(data.X)]
    parts = [take(data, slice(low, high)) for low, high in pairwise(bounds)]
    fragments: list[Fragment] = [
        MemoryFragment({"train": part, "test": part}) if cached else Uncached(part) for part in parts
    ]
    return in_process(fragments)
