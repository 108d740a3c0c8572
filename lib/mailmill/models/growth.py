"""The passes of a forest over the data: survey the rows, count a group of nodes, judge out of bag.

Each is a kernel for one fragment with a frozen task and a state that merges exactly, so that a worker needs
nothing but its fragment and the task.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.binning import Bins, Sample, draw_sample
from mailmill.models.data import CachingFragment, Census, Fragment, TrainingArrays, take_census
from mailmill.models.hashing import bootstrap_weights
from mailmill.models.histogram import Counts, count_histogram
from mailmill.models.tree import Tree


@dataclass(frozen=True)
class SurveyTask:
    split: str
    n_classes: int
    sample: int
    seed: int


@dataclass(frozen=True)
class Survey:
    """The first pass: what the rows are, and the sample that places the bins."""

    census: Census
    sample: Sample

    def merge(self, other: Survey) -> Survey:
        return Survey(self.census.merge(other.census), self.sample.merge(other.sample))


def survey(fragment: Fragment, task: SurveyTask) -> Survey:
    """One fragment's census and bottom-k sample."""
    arrays = fragment.arrays(task.split)
    return Survey(take_census(arrays, task.n_classes), draw_sample(arrays, task.sample, task.seed))


@dataclass(frozen=True)
class GrowthTask:
    """One group of nodes to count. For tree numbers[i]: trees[i] so far, slots[i] int64 of each of its nodes
    (-1: not counted now). drawn int32 (k, F) for the k slots; n_classes; wide: int64 counts are needed."""

    split: str
    bins: Bins
    seed: int
    numbers: tuple[int, ...]
    trees: tuple[Tree, ...]
    slots: tuple[NDArray[np.int64], ...]
    drawn: NDArray[np.int32]
    n_classes: int
    wide: bool


def count_nodes(fragment: Fragment, task: GrowthTask) -> Counts:
    """One fragment's histogram of the task's nodes, see `histogram.count_histogram`."""
    arrays = fragment.arrays(task.split)
    shape = (*task.drawn.shape, task.n_classes, int(task.bins.counts.max()))
    counts: Counts = np.zeros(shape, np.int64 if task.wide else np.int32)
    if not len(arrays.X):
        return counts
    codes, y = _codes(fragment, arrays, task.bins, task.split), arrays.y.astype(np.int64)
    for number, tree, slots in zip(task.numbers, task.trees, task.slots, strict=True):
        weights = bootstrap_weights(arrays.ids, number, task.seed)
        rows = np.flatnonzero(weights)
        slot = slots[tree.leaves_of_codes(codes, rows)]
        kept = slot >= 0
        rows, slot = rows[kept], slot[kept]
        used = np.flatnonzero(slots >= 0)
        first, last = int(slots[used[0]]), int(slots[used[-1]]) + 1
        count_histogram(codes, y, rows, weights[rows], slot - first, task.drawn[first:last], out=counts[first:last])
    return counts


def add_counts(a: Counts, b: Counts) -> Counts:
    """a + b, leaving both as they were: an engine may retry a merge."""
    return np.add(a, b)


def _codes(fragment: Fragment, arrays: TrainingArrays, bins: Bins, split: str) -> NDArray[np.uint8]:
    if isinstance(fragment, CachingFragment):
        return fragment.cached(f"codes-{split}-{bins.fingerprint}", lambda: bins.encode(arrays.X))
    return bins.encode(arrays.X)


@dataclass(frozen=True)
class OutOfBagTask:
    split: str
    bins: Bins
    seed: int
    trees: tuple[Tree, ...]


@dataclass(frozen=True)
class OutOfBag:
    """Rows that at least one tree did not train on, and how many of them those trees together get wrong."""

    rows: int
    errors: int

    def merge(self, other: OutOfBag) -> OutOfBag:
        return OutOfBag(self.rows + other.rows, self.errors + other.errors)


def out_of_bag(fragment: Fragment, task: OutOfBagTask) -> OutOfBag:
    """Each row is classed by the mean of the trees whose bootstrap weight for it is 0; ties go to the lower class."""
    arrays = fragment.arrays(task.split)
    votes = np.zeros(len(arrays.X), np.int64)
    total = np.zeros((len(arrays.X), task.trees[0].counts.shape[1]))
    if len(arrays.X):
        codes = _codes(fragment, arrays, task.bins, task.split)
        for number, tree in enumerate(task.trees):
            rows = np.flatnonzero(bootstrap_weights(arrays.ids, number, task.seed) == 0)
            total[rows] += tree.frequencies()[tree.leaves_of_codes(codes, rows)]
            votes[rows] += 1
    voted = votes > 0
    wrong = total[voted].argmax(axis=1) != arrays.y[voted]
    return OutOfBag(int(voted.sum()), int(wrong.sum()))
