"""What fragments tell of a group of nodes, and the best splits that follow from it.

Heavy nodes have histograms, which add up; light nodes have lists of rows, which are put behind one another. A list
depends on the order of fragments, the counts that the driver makes of it do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.histogram import Counts
from mailmill.models.level import Plan
from mailmill.models.split import Splits, best_splits, join, table
from mailmill.models.workers import spread


@dataclass(frozen=True)
class Lists:
    """Rows of light nodes, node after node: sizes int64 (nodes,), codes uint8 (m, F) of the drawn features, tags uint32
    (m,) of class << 16 | weight."""

    sizes: NDArray[np.int64]
    codes: NDArray[np.uint8]
    tags: NDArray[np.uint32]

    @classmethod
    def join(cls, parts: Sequence[Lists]) -> Lists:
        """The lists of different nodes, in order."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("sizes", "codes", "tags")))


@dataclass(frozen=True)
class Counted:
    """histogram (heavy nodes, F, classes, bins) as `histogram.count_histogram` makes it; lists: one a fragment."""

    histogram: Counts
    lists: tuple[Lists, ...]

    def merge(self, other: Counted) -> Counted:
        """Both together. Counts are added in place: a third table of them is what a worker has no room for."""
        return Counted(np.add(self.histogram, other.histogram, out=self.histogram), self.lists + other.lists)

    @property
    def nbytes(self) -> int:
        """Bytes of the histogram and of the lists' rows."""
        return self.histogram.nbytes + sum(part.codes.nbytes + part.tags.nbytes for part in self.lists)


def search(
    counted: Counted, place: NDArray[np.int64], drawn: NDArray[np.int32], plan: Plan, threads: int = 1
) -> Splits:
    """The best split of each node, see `split.best_splits`. place, drawn: see `growth.GrowthTask`."""
    heavy, light = np.flatnonzero(place >= 0), np.flatnonzero(place < 0)
    parts = []
    if len(heavy):
        parts += spread(min(threads, len(heavy)), len(heavy), _Heavy(counted.histogram, drawn[heavy], plan))
    if len(light):
        parts += spread(min(threads, len(light)), len(light), _Light.of(counted.lists, drawn[light], plan))
    order = np.argsort(np.concatenate([heavy, light]), kind="stable")
    return join(parts).take(order)


@dataclass(frozen=True)
class _Heavy:
    histogram: Counts
    drawn: NDArray[np.int32]
    plan: Plan

    def __call__(self, start: int, stop: int) -> Splits:
        from mailmill.models.native.gathering import search_counts

        histogram, drawn = self.histogram[start:stop], self.drawn[start:stop]
        found = search_counts(histogram, self.plan.bins.counts, drawn, *rule_of(self.plan))
        return decide(*found, drawn, self.plan, lambda node: histogram[node : node + 1])


@dataclass(frozen=True)
class _Light:
    """All lists behind one another; starts int64 (lists, nodes + 1)."""

    codes: NDArray[np.uint8]
    tags: NDArray[np.uint32]
    starts: NDArray[np.int64]
    drawn: NDArray[np.int32]
    plan: Plan

    @classmethod
    def of(cls, lists: Sequence[Lists], drawn: NDArray[np.int32], plan: Plan) -> _Light:
        sizes = np.stack([part.sizes for part in lists])
        ends = np.concatenate([np.zeros((len(sizes), 1), np.int64), sizes.cumsum(axis=1)], axis=1)
        bases = np.cumsum([0, *ends[:-1, -1]])
        codes, tags = (np.concatenate([getattr(part, name) for part in lists]) for name in ("codes", "tags"))
        return cls(codes, tags, ends + bases[:, None], drawn, plan)

    def __call__(self, start: int, stop: int) -> Splits:
        from mailmill.models.native.gathering import search_lists

        sizes, rule = self.plan.bins.counts, rule_of(self.plan)
        found = search_lists(self.codes, self.tags, self.starts, start, stop, sizes, self.drawn, *rule)
        return decide(*found, self.drawn[start:stop], self.plan, lambda node: self.histogram(start + node))

    def histogram(self, node: int) -> Counts:
        """The counts (1, F, classes, bins) of one node's rows."""
        out = np.zeros((1, self.drawn.shape[1], self.plan.classes, int(self.plan.bins.counts.max())), np.int64)
        for starts in self.starts:
            rows = slice(starts[node], starts[node + 1])
            kinds, weights = self.tags[rows] >> 16, self.tags[rows] & 0xFFFF
            for j, codes in enumerate(self.codes[rows].T):
                np.add.at(out[0, j], (kinds, codes), weights)
        return out


def rule_of(plan: Plan) -> tuple[NDArray[np.float64], int, bool, NDArray[np.float64]]:
    """What the kernels that search splits take last: class weights, smallest leaf, Gini or entropy, its logarithms."""
    logs = table() if plan.rule.criterion == "entropy" else np.zeros(1)
    return plan.rule.weights, plan.rule.min_leaf, plan.rule.criterion == "gini", logs


def decide(
    found: NDArray[np.bool_],
    place: NDArray[np.int64],
    left: NDArray[np.int64],
    total: NDArray[np.int64],
    unsure: NDArray[np.bool_],
    drawn: NDArray[np.int32],
    plan: Plan,
    histogram: Callable[[int], Counts],
) -> Splits:
    """The splits of k nodes from what a kernel found; where it was unsure, those of `split.best_splits`.

    found (k,); place (k, 2): feature and bin; left, total (k, classes); unsure (k,); drawn (k, F); histogram gives the
    counts (1, F, classes, bins) of one node. A node of one class is not split.
    """
    two = total.max(axis=1, initial=0) < total.sum(axis=1)
    splits = Splits(found & two, place[:, 0].astype(np.int32), place[:, 1].astype(np.uint8), left, total)
    rule = plan.rule
    for node in np.flatnonzero(unsure).tolist():
        chosen = drawn[node : node + 1]
        splits.put(node, best_splits(histogram(node), chosen, rule.min_leaf, rule.criterion, rule.weights))
    return splits
