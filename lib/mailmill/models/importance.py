"""Which features a forest relies on: by the impurity its splits remove, and by what it loses without each.

The first costs nothing but favours features with many values and says nothing of new data; the second asks rows that
the forest was not trained on. Donors are drawn by hashes of row ids, so that it too is the same on every engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import mix, splitmix64
from mailmill.errors import DataError
from mailmill.models.binning import Sample, draw_sample
from mailmill.models.data import Fragment, MapReduce
from mailmill.models.flat import FlatForest
from mailmill.models.forest import ForestModel
from mailmill.models.hashing import PERMUTATION
from mailmill.models.split import gain


def impurity_importance(model: ForestModel) -> NDArray[np.float64]:
    """Mean over trees of the share of its impurity decrease that each feature's splits bring; float64 (d,).

    The decrease of a split is that of `split.gain`, by the forest's criterion; a tree's shares sum to 1, and a tree
    without a split counts for nothing. Breiman et al., "Classification and Regression Trees", 1984.
    """
    shares = np.zeros((len(model.trees), model.columns))
    ones = np.ones(len(model.classes))  # counts hold the classes' weights already
    for share, tree in zip(shares, model.trees, strict=True):
        inner = np.flatnonzero(tree.feature >= 0)
        decrease = gain(tree.counts[tree.left[inner]], tree.counts[inner], ones, model.settings.criterion)
        np.add.at(share, tree.feature[inner], np.maximum(decrease, 0.0))
    sums = shares.sum(axis=1)
    grown = sums > 0
    return np.asarray((shares[grown] / sums[grown, None]).sum(axis=0) / max(1, grown.sum()), np.float64)


@dataclass(frozen=True)
class PermutationImportance:
    """rows judged, and how many the forest classes rightly; lost int64 (d,): how many fewer without each feature."""

    rows: int
    right: int
    lost: NDArray[np.int64]

    def merge(self, other: PermutationImportance) -> PermutationImportance:
        return PermutationImportance(self.rows + other.rows, self.right + other.right, self.lost + other.lost)

    @property
    def decrease(self) -> NDArray[np.float64]:
        """The mean decrease of accuracy, float64 (d,)."""
        return np.asarray(self.lost / max(1, self.rows), np.float64)


@dataclass(frozen=True)
class PermutationTask:
    model: ForestModel
    split: str
    donors: NDArray[np.float32]
    seed: int


@dataclass(frozen=True)
class _DonorTask:
    split: str
    size: int
    seed: int


def permutation_importance(
    map_reduce: MapReduce, model: ForestModel, *, split: str = "validation", donors: int = 2000, seed: int = 0
) -> PermutationImportance:
    """How many rows of `split` the forest classes wrongly once a feature's value is another row's.

    Breiman, "Random Forests", 2001, with one difference: the other row is drawn by hash(id, feature, seed) from a
    bottom-k sample of `donors` rows of the split, not from a permutation of all rows, which no partition knows. Two
    passes: the donors, and all features at once, because a feature matters only to trees that compare it.

    Raises:
        DataError: the split has no row, or rows of another width.
    """
    sample = map_reduce(_draw_donors, Sample.merge, _DonorTask(split, donors, seed))
    if not len(sample.X) or sample.X.shape[1] != model.columns:
        raise DataError(f"split {split!r} has no row of {model.columns} columns to judge the forest by")
    order = np.lexsort((*sample.X.T, sample.hashes))  # a sample is a set: its order must not matter
    task = PermutationTask(model, split, sample.X[order], seed)
    return map_reduce(judge_without, PermutationImportance.merge, task)


def _draw_donors(fragment: Fragment, task: _DonorTask) -> Sample:
    return draw_sample(fragment.arrays(task.split), task.size, task.seed)


def _keys(task: PermutationTask) -> NDArray[np.uint64]:
    return mix(task.seed, PERMUTATION, np.arange(task.model.columns, dtype=np.uint64))


def judge_without(fragment: Fragment, task: PermutationTask) -> PermutationImportance:
    """One fragment's rows, see `native.permuting.losses`."""
    from mailmill.models.native.permuting import losses

    arrays, flat = fragment.arrays(task.split), FlatForest.of(task.model.trees)
    lost = np.zeros(task.model.columns, np.int64)
    if not len(arrays.ids):
        return PermutationImportance(0, 0, lost)
    right = losses(
        arrays.X, arrays.y.astype(np.int64), arrays.ids, task.donors, _keys(task),
        flat.roots, flat.feature, flat.threshold, flat.children, flat.frequency, lost,
    )  # fmt: skip
    return PermutationImportance(len(arrays.ids), int(right), lost)


def permutation_reference(fragment: Fragment, task: PermutationTask) -> PermutationImportance:
    """What `judge_without` gives, by NumPy and a whole prediction a feature; equal but for ties of probabilities."""
    arrays, lost = fragment.arrays(task.split), []
    right = int((task.model.probability_reference(arrays.X).argmax(axis=1) == arrays.y).sum())
    for f, key in enumerate(_keys(task)):
        X = arrays.X.copy()
        X[:, f] = task.donors[splitmix64(arrays.ids ^ key) % np.uint64(len(task.donors)), f]
        lost.append(right - int((task.model.probability_reference(X).argmax(axis=1) == arrays.y).sum()))
    return PermutationImportance(len(arrays.ids), right, np.array(lost, np.int64))
