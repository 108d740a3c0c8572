"""Small generated problems, and ways to cut and shuffle them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mailmill.models.data import Fragment, MapReduce, MemoryFragment, TrainingArrays, in_process

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


def take(data: TrainingArrays, rows: NDArray[np.intp] | slice) -> TrainingArrays:
    return TrainingArrays(np.ascontiguousarray(data.X[rows]), data.y[rows], data.ids[rows])


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
