"""Breiman's random forest, grown level by level from merged integer histograms.

Bootstrap weights and feature draws are hashes of (row id, tree, node, seed), bin edges come from a
bottom-k sample, counts are integers: the forest is a function of (data, seed, settings) alone,
bit-identical for every partitioning, order of rows, engine and memory budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError
from mailmill.models.binning import quantile_bins
from mailmill.models.data import MapReduce
from mailmill.models.evidence import Evidence
from mailmill.models.growth import (
    GrowthTask,
    OutOfBag,
    OutOfBagTask,
    Survey,
    SurveyTask,
    add_counts,
    count_nodes,
    out_of_bag,
    survey,
)
from mailmill.models.hashing import draw_features
from mailmill.models.histogram import count_type
from mailmill.models.split import Criterion, best_splits, join
from mailmill.models.tree import Tree, TreeBuilder

_SCORING_BLOCK = 8192


@dataclass(frozen=True)
class ForestSettings:
    """trees; depth: splits on the longest path; min_leaf: bootstrap rows a leaf; max_features: columns drawn a
    node, "sqrt" for ⌊√d⌋, a share for ⌊share d⌋, or a number, at least 1 and at most d; criterion: "gini" or
    "entropy"; max_bins: bins a column; bin_sample: rows that place the bins; seed: 64 bits.

    Raises:
        ConfigError: a value outside its range.
    """

    trees: int = 100
    depth: int = 10
    min_leaf: int = 1
    max_features: Literal["sqrt"] | int | float = "sqrt"
    criterion: Criterion = "gini"
    max_bins: int = 256
    bin_sample: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = (
            ("trees", self.trees, 1, 100_000),
            ("depth", self.depth, 1, 60),
            ("min_leaf", self.min_leaf, 1, 2**31),
            ("max_bins", self.max_bins, 2, 256),
            ("bin_sample", self.bin_sample, 2, 2**31),
            ("seed", self.seed, 0, 2**64 - 1),
        )
        for name, value, low, high in ranges:
            if type(value) is not int or not low <= value <= high:
                raise ConfigError(f"{name} must be a whole number in {low} .. {high}, not {value!r}")
        drawn = self.max_features
        share = type(drawn) is float and 0 < drawn <= 1
        if drawn != "sqrt" and not share and not (type(drawn) is int and drawn >= 1):
            raise ConfigError(f"max_features must be 'sqrt', a share in (0, 1] or a number >= 1, not {drawn!r}")
        if self.criterion not in ("gini", "entropy"):
            raise ConfigError(f"criterion must be 'gini' or 'entropy', not {self.criterion!r}")

    def drawn(self, columns: int) -> int:
        """How many of `columns` features a node draws."""
        if self.max_features == "sqrt":
            wanted = int(np.sqrt(columns))
        elif isinstance(self.max_features, float):
            wanted = int(self.max_features * columns)
        else:
            wanted = int(self.max_features)
        return min(columns, max(1, wanted))


@dataclass(frozen=True)
class ForestModel:
    """P(y | x) = mean over trees of the class frequencies in x's leaf; `columns` is d."""

    classes: tuple[str, ...]
    columns: int
    trees: tuple[Tree, ...]
    settings: ForestSettings

    def probability(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64 (n, classes) of X float32 (n, d); trees are summed in order, so a batch's size has no effect."""
        total = np.zeros((len(X), len(self.classes)))
        frequencies = [tree.frequencies() for tree in self.trees]
        for start in range(0, len(X), _SCORING_BLOCK):
            block = X[start : start + _SCORING_BLOCK]
            for tree, frequency in zip(self.trees, frequencies, strict=True):
                total[start : start + _SCORING_BLOCK] += frequency[tree.leaves(block)]
        return total / len(self.trees)


def fit_forest(
    map_reduce: MapReduce,
    classes: tuple[str, ...],
    settings: ForestSettings,
    *,
    split: str = "train",
    memory_budget: int = 256 << 20,
) -> tuple[ForestModel, Evidence]:
    """Grow `settings.trees` trees, each on a Poisson(1) bootstrap of the rows and random features a node.

    Breiman, "Random Forests", Machine Learning 45, 2001. All trees grow together, one level at a time; nodes
    are counted in groups whose histograms take at most a quarter of `memory_budget` bytes each (one node's
    at least), because merging two holds three. The budget changes the number of passes, never the forest.
    Passes: one survey, one a group, one for the out-of-bag error (Breiman's: the share of rows that the trees
    not trained on them get wrong; rows that every tree saw do not count).

    Raises:
        DataError: fewer than two classes present, or unusable rows (`Census.check`).
    """
    task = SurveyTask(split, len(classes), settings.bin_sample, settings.seed)
    surveyed = map_reduce(survey, Survey.merge, task)
    columns = surveyed.census.check(classes, split)
    rows, passes = surveyed.census.rows, 1
    bins = quantile_bins(surveyed.sample.X, settings.max_bins)
    width = settings.drawn(columns)
    kind = count_type(rows)
    node_bytes = width * len(classes) * int(bins.counts.max()) * np.dtype(kind).itemsize
    wide = kind is np.int64
    group = max(1, memory_budget // 4 // node_bytes)
    builders = [TreeBuilder(len(classes)) for _ in range(settings.trees)]
    for _ in range(settings.depth):
        level = _Level.of(builders)
        parts = []
        for start in range(0, len(level.nodes), group):
            chosen = slice(start, start + group)
            drawn = draw_features(level.numbers[chosen], level.paths[chosen], columns, width, settings.seed)
            numbers, slots = level.slots(builders, chosen)
            growing = tuple(builders[number].tree for number in numbers)
            growth = GrowthTask(split, bins, settings.seed, numbers, growing, slots, drawn, len(classes), wide)
            histogram = map_reduce(count_nodes, add_counts, growth)
            parts.append(best_splits(histogram, drawn, settings.min_leaf, settings.criterion))
        if not parts:
            break
        passes += len(parts)
        splits = join(parts)
        for number, builder in enumerate(builders):
            builder.split(splits.take(np.flatnonzero(level.numbers == number)), bins, settings.min_leaf)
    trees = tuple(builder.tree for builder in builders)
    error = map_reduce(out_of_bag, OutOfBag.merge, OutOfBagTask(split, bins, settings.seed, trees))
    share = error.errors / error.rows if error.rows else None
    evidence = Evidence(rows, passes + 1, out_of_bag_rows=error.rows, out_of_bag_error=share)
    return ForestModel(classes, columns, trees, settings), evidence


@dataclass(frozen=True)
class _Level:
    """The nodes to split at one depth, by tree and then by node: tree numbers, node numbers, heap paths, each (k,)."""

    numbers: NDArray[np.int64]
    nodes: NDArray[np.intp]
    paths: NDArray[np.uint64]

    @staticmethod
    def of(builders: list[TreeBuilder]) -> _Level:
        return _Level(
            np.repeat(np.arange(len(builders)), [len(builder.frontier) for builder in builders]),
            np.concatenate([builder.frontier for builder in builders]),
            np.concatenate([builder.paths[builder.frontier] for builder in builders]),
        )

    def slots(
        self, builders: list[TreeBuilder], chosen: slice
    ) -> tuple[tuple[int, ...], tuple[NDArray[np.int64], ...]]:
        """The trees with nodes among `chosen` and, for each, the place of every node there, -1 if it has none."""
        numbers, nodes = self.numbers[chosen], self.nodes[chosen]
        present = tuple(int(number) for number in np.unique(numbers))
        slots = []
        for number in present:
            places = np.flatnonzero(numbers == number)
            slot = np.full(len(builders[number].tree.feature), -1, np.int64)
            slot[nodes[places]] = places
            slots.append(slot)
        return present, tuple(slots)
