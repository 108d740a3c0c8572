"""A forest grown by NumPy alone, in one place and in the plainest way: what the compiled kernels must equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import Stream, mix, splitmix64
from mailmill.models.binned import BinnedRows
from mailmill.models.binning import draw_bin_sample, quantile_bins
from mailmill.models.data import TrainingArrays
from mailmill.models.forest import ForestModel, ForestSettings
from mailmill.models.hashing import POISSON, SUBSAMPLE, bootstrap_weights
from mailmill.models.histogram import count_histogram
from mailmill.models.level import Plan
from mailmill.models.outofbag import OutOfBag, OutOfBagTask, judge_reference
from mailmill.models.split import best_splits
from mailmill.models.tree import Rule, Tree, TreeBuilder


def draw_features(
    trees: NDArray[np.int64], paths: NDArray[np.uint64], columns: int, size: int, seed: int
) -> NDArray[np.int32]:
    """For each node, `size` of `columns` features without replacement: those with the smallest hashes.

    trees int64 (k,) and paths uint64 (k,) name the nodes; a path is the node's number in heap order (root 1,
    children 2p and 2p + 1). Returns int32 (k, size), each row ascending. The hashes of one node's features
    are distinct, because `splitmix64` is a bijection.
    """
    node = mix(seed, Stream.FEATURES, trees.astype(np.uint64), paths)[:, None]
    if size >= columns:
        return np.tile(np.arange(columns, dtype=np.int32), (len(trees), 1))
    hashed = splitmix64(node ^ np.arange(columns, dtype=np.uint64))
    chosen = np.argpartition(hashed, size - 1, axis=1)[:, :size]
    return np.sort(chosen, axis=1).astype(np.int32)


def grow(rows: BinnedRows, number: int, plan: Plan) -> Tree:
    rule, builder = plan.rule, TreeBuilder(plan.rule)
    weights = bootstrap_weights(rows.ids, number, plan.seed, plan.bounds)
    drawn_rows = np.flatnonzero(weights)
    for _ in range(plan.depth):
        nodes = builder.frontier
        if not len(nodes):
            break
        slot = np.full(len(builder.tree.feature), -1)
        slot[nodes] = np.arange(len(nodes))
        slots = slot[builder.tree.leaves_of_codes(rows.codes, drawn_rows)]
        kept = drawn_rows[slots >= 0]
        numbers = np.full(len(nodes), number)
        varied = [f for f in range(plan.columns) if plan.bins.counts[f] > 1] or list(range(plan.columns))
        drawn = draw_features(numbers, builder.paths[nodes], len(varied), plan.width, plan.seed)
        drawn = np.array(varied, np.int32)[drawn]
        histogram = np.zeros((len(nodes), plan.width, plan.classes, int(plan.bins.counts.max())), np.int64)
        y = rows.y.astype(np.int64)
        count_histogram(rows.codes, y, kept, weights[kept], slots[slots >= 0], drawn, histogram)
        splits = best_splits(histogram, drawn, rule.min_leaf, rule.criterion, rule.weights)
        builder.split(splits, plan.bins.edges)
    return builder.finish()


def fit(data: TrainingArrays, classes: tuple[str, ...], settings: ForestSettings) -> tuple[ForestModel, OutOfBag]:
    bins = quantile_bins(draw_bin_sample(data, settings.bin_sample, settings.seed).X, settings.max_bins)
    counts = tuple(np.bincount(data.y, minlength=len(classes)).tolist())
    rule = Rule(settings.criterion, settings.min_leaf, settings.max_leaves, settings.weights(counts))
    bounds: NDArray[np.uint64] = POISSON if settings.bootstrap == "poisson" else SUBSAMPLE
    width = settings.drawn(int((bins.counts > 1).sum()) or data.X.shape[1])
    plan = Plan("train", bins, rule, settings.trees, settings.depth, width, settings.seed, bounds)
    rows = BinnedRows(bins.encode_reference(data.X), data.ids, data.y.astype(np.uint16))
    trees = tuple(grow(rows, number, plan) for number in range(settings.trees))
    model = ForestModel(classes, data.X.shape[1], trees, settings)
    return model, judge_reference(rows, OutOfBagTask(plan, trees))
