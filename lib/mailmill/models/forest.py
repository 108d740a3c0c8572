"""Breiman's random forest on binned features: one model, whoever grows it.

Bootstrap weights and feature draws are hashes of (row id, tree, node, seed), bin edges come from a bottom-k sample,
counts are integers: the forest is a function of (data, seed, settings) alone, bit-identical for every partitioning,
order of rows, engine, memory budget and for both ways of growing it.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.compiling import worthwhile
from mailmill.errors import ConfigError
from mailmill.models import grove, growth
from mailmill.models.binning import quantile_bins
from mailmill.models.calibration import UNCALIBRATED, Calibration
from mailmill.models.data import TRAIN, MapReduce
from mailmill.models.evidence import Evidence
from mailmill.models.flat import FlatForest
from mailmill.models.growth import Survey, SurveyTask, survey
from mailmill.models.hashing import POISSON, SUBSAMPLE
from mailmill.models.level import Plan
from mailmill.models.split import Criterion
from mailmill.models.tree import Rule, Tree
from mailmill.models.workers import Workers

#: A whole number may exceed it, and is no float64 then.
_LARGEST = sys.float_info.max
#: The largest integer weight of a class, and how finely weights are rounded.
_WEIGHT_STEPS = 1 << 20


@dataclass(frozen=True)
class ForestSettings:
    """trees; depth: splits on the longest path; min_leaf: bootstrap rows a leaf; max_leaves: leaves a tree, grown best
    first (the split that lowers weighted impurity most, ties by position), None for no limit; max_features:
    columns drawn a node, "sqrt" for ⌊√d⌋, a share for ⌊share d⌋, or a number, at least 1 and at most d, where d
    counts the columns that are not constant, and only they are drawn; criterion: "gini" or "entropy"; bootstrap:
    "poisson" for Breiman's, drawn with replacement, or "subsample" for 63.2 % of the rows drawn once each;
    shrinkage: the weight in rows with which a node's class frequencies are drawn towards its parent's, 0 for
    Breiman's own, see `Tree.frequencies`; class_weights: "equal", "balanced" for n / n_c, or a positive number a
    class; max_bins: bins a column; bin_sample: rows that place the bins; seed: 64 bits.

    Raises:
        ConfigError: a value outside its range.
    """

    trees: int = 50
    depth: int = 10
    min_leaf: int = 5
    max_leaves: int | None = None
    max_features: Literal["sqrt"] | int | float = "sqrt"
    criterion: Criterion = "gini"
    bootstrap: Literal["poisson", "subsample"] = "poisson"
    shrinkage: float = 0.0
    class_weights: Literal["equal", "balanced"] | tuple[float, ...] = "equal"
    max_bins: int = 128
    bin_sample: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = (
            ("trees", self.trees, 1, 100_000),
            ("depth", self.depth, 1, 60),
            ("min_leaf", self.min_leaf, 1, 2**31),
            ("max_leaves", self.max_leaves, 2, 2**31),
            ("max_bins", self.max_bins, 2, 256),
            ("bin_sample", self.bin_sample, 2, 2**31),
            ("seed", self.seed, 0, 2**64 - 1),
        )
        for name, value, low, high in ranges:
            if name == "max_leaves" and value is None:
                continue
            if type(value) is not int or not low <= value <= high:
                raise ConfigError(f"{name} must be a whole number in {low} .. {high}, not {value!r}")
        drawn = self.max_features
        share = type(drawn) is float and 0 < drawn <= 1
        if drawn != "sqrt" and not share and not (type(drawn) is int and drawn >= 1):
            raise ConfigError(f"max_features must be 'sqrt', a share in (0, 1] or a number >= 1, not {drawn!r}")
        if self.criterion not in ("gini", "entropy"):
            raise ConfigError(f"criterion must be 'gini' or 'entropy', not {self.criterion!r}")
        if self.bootstrap not in ("poisson", "subsample"):
            raise ConfigError(f"bootstrap must be 'poisson' or 'subsample', not {self.bootstrap!r}")
        if type(self.shrinkage) not in (int, float) or not 0 <= self.shrinkage <= _LARGEST:
            raise ConfigError(f"shrinkage must be a number >= 0, not {self.shrinkage!r}")
        given = self.class_weights
        numbers = isinstance(given, tuple) and all(type(w) in (int, float) and 0 < w <= _LARGEST for w in given)
        if given not in ("equal", "balanced") and not numbers:
            raise ConfigError(f"class_weights must be 'equal', 'balanced' or positive numbers, not {given!r}")

    def drawn(self, columns: int) -> int:
        """How many of `columns` features a node draws."""
        if self.max_features == "sqrt":
            wanted = int(np.sqrt(columns))
        elif isinstance(self.max_features, float):
            wanted = int(self.max_features * columns)
        else:
            wanted = int(self.max_features)
        return min(columns, max(1, wanted))

    def weights(self, class_counts: tuple[int, ...]) -> NDArray[np.float64]:
        """The classes' weights as integers, in the ratio asked for within 2^-20 of the largest; float64 (classes,).

        Integers, so that weighted counts stay exact; 1 for a class that no row has. Raises ConfigError where not every
        class has a weight.
        """
        given = self.class_weights
        if given == "equal":
            return np.ones(len(class_counts))
        if given == "balanced":
            given = tuple(1 / max(1, n) for n in class_counts)
        if len(given) != len(class_counts):
            raise ConfigError(f"class_weights has {len(given)} numbers for {len(class_counts)} classes")
        present = np.array(class_counts) > 0
        asked = np.array(given)[present]
        if len(set(asked.tolist())) < 2:
            return np.ones(len(class_counts))
        whole = np.maximum(1, np.round(asked / asked.max() * _WEIGHT_STEPS)).astype(np.int64)
        weights = np.ones(len(class_counts))
        weights[present] = whole // np.gcd.reduce(whole)
        return weights


@dataclass(frozen=True)
class ForestModel:
    """P(y | x) = mean over trees of the weighted class frequencies of x's leaf, shrunk; `columns` is d.

    calibration and threshold are `scoring`'s: the first is applied there, the second proposed.
    """

    classes: tuple[str, ...]
    columns: int
    trees: tuple[Tree, ...]
    settings: ForestSettings
    calibration: Calibration = UNCALIBRATED
    threshold: float = 0.5

    @cached_property
    def _flat(self) -> FlatForest:
        return FlatForest.of(self.trees)

    def probability(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64 (n, classes) of X float32 (n, d); trees are summed in order, so a batch's size has no effect."""
        if not worthwhile(len(X)):
            return self.probability_reference(X)
        from mailmill.models.native.descending import probability

        flat, out = self._flat, np.zeros((len(X), len(self.classes)))
        rows, trees = np.ascontiguousarray(X), (flat.roots, flat.feature, flat.threshold, flat.children, flat.frequency)
        probability(rows, 0, len(X), *trees, out)
        return out

    def probability_reference(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """What `probability` gives, by NumPy alone."""
        total = np.zeros((len(X), len(self.classes)))
        for tree in self.trees:
            total += tree.frequencies()[tree.leaves(X)]
        return total / len(self.trees)


def fit_forest(
    map_reduce: MapReduce,
    classes: tuple[str, ...],
    settings: ForestSettings,
    *,
    memory_budget: int = 256 << 20,
    workers: Workers = Workers(),  # noqa: B008 - frozen
) -> tuple[ForestModel, Evidence]:
    """Grow `settings.trees` trees, each on a Poisson(1) bootstrap of the rows and random features a node.

    Breiman, "Random Forests", Machine Learning 45, 2001. Two ways, one model. Where the workers share a folder and
    all bins take at most half of `memory_budget` (bytes a worker), the bins are put there and workers grow whole
    trees: two passes over the data. Else all trees grow together, one level at a time, and fragments' histograms are
    merged, nodes in groups that take at most 1/64 of the budget: one survey, one pass a group, and one for the
    out-of-bag error (Breiman's: the share of rows that the trees not trained on them get wrong; rows that every tree
    saw do not count).

    Raises:
        DataError: fewer than two classes present, unusable rows (`Census.check`), or rows that have weights.
        ConfigError: not a weight for each class.
    """
    task = SurveyTask(TRAIN, len(classes), settings.bin_sample, settings.seed)
    surveyed = map_reduce(survey, Survey.merge, task, exact=True)
    columns = surveyed.census.check(classes, TRAIN)
    rows = surveyed.census.rows
    weights = settings.weights(surveyed.census.class_counts)
    rule = Rule(settings.criterion, settings.min_leaf, settings.max_leaves, weights, settings.shrinkage)
    bins = quantile_bins(surveyed.sample.X, settings.max_bins, workers.threads)
    bounds = POISSON if settings.bootstrap == "poisson" else SUBSAMPLE
    plan = Plan(
        TRAIN, bins, rule, settings.trees, settings.depth, settings.drawn(len(bins.varied)), settings.seed, bounds
    )
    if workers.folder is not None and grove.fits(rows, columns, memory_budget):
        with tempfile.TemporaryDirectory(prefix="mailmill-forest-", dir=workers.folder) as folder:
            trees, error = grove.grow(map_reduce, plan, Path(folder), rows, memory_budget, workers)
        passes = 1
    else:
        trees, error, passes = growth.grow(map_reduce, plan, rows, memory_budget, workers)
    share = error.errors / error.rows if error.rows else None
    evidence = Evidence(rows, 1 + passes, out_of_bag_rows=error.rows, out_of_bag_error=share)
    return ForestModel(classes, columns, trees, settings), evidence
