"""The merged way, compiled: rows of a fragment find their nodes, and are counted or listed for the driver to search.

References: `histogram.count_histogram` for the worker's side, `split.best_splits` for the driver's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native
from mailmill.models.native.drawing import CLASS, ROW, SHORT, WEIGHT
from mailmill.models.native.growing import by_feature
from mailmill.models.native.scanning import compact, scan


@native
def settle(
    bins: NDArray[np.uint8],
    words: NDArray[np.uint64],
    feature: NDArray[np.int32],
    bound: NDArray[np.uint8],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    slots: NDArray[np.int64],
    size: int,
    out: NDArray[np.uint64],
) -> NDArray[np.int64]:
    """`words` in `out`, by the slot (0 .. size - 1) of the leaf that each row reaches, in order; slot -1 is left out.

    The tree's arrays are those of `tree.Tree`; slots int64 a node. Returns int64 (size + 1,): where slots begin.
    """
    slot_of = np.empty(len(words), np.int64)
    starts = np.zeros(size + 2, np.int64)
    for i in range(len(words)):
        row, node = words[i] & ROW, np.int64(0)
        while feature[node] >= 0:
            node = np.int64(left[node] if bins[feature[node], row] <= bound[node] else right[node])
        slot_of[i] = slots[node]
        if slots[node] >= 0:
            starts[slots[node] + 2] += 1
    for s in range(size):
        starts[s + 2] += starts[s + 1]
    for i in range(len(words)):
        s = slot_of[i]
        if s >= 0:
            out[starts[s + 1]] = words[i]
            starts[s + 1] += 1
    return starts[:-1]


@native
def count(
    bins: NDArray[np.uint8],
    words: NDArray[np.uint64],
    starts: NDArray[np.int64],
    place: NDArray[np.int64],
    drawn: NDArray[np.int32],
    out: NDArray[np.integer],
) -> None:
    """out[place[s], j, c, b] += the weight of slot s's rows of class c in bin b of drawn[s, j], where place[s] >= 0."""
    size = drawn.shape[1]
    first, places = by_feature(drawn, len(bins))
    for f in range(len(bins)):
        column = bins[f]
        for at in places[first[f] : first[f + 1]]:
            slot, j = at // size, at % size
            if place[slot] < 0:
                continue
            counts = out[place[slot], j]
            for word in words[starts[slot] : starts[slot + 1]]:
                counts[word >> CLASS, np.uint64(column[word & ROW])] += (word >> WEIGHT) & SHORT


@native
def enlist(
    bins: NDArray[np.uint8],
    words: NDArray[np.uint64],
    starts: NDArray[np.int64],
    wanted: NDArray[np.int64],
    drawn: NDArray[np.int32],
    codes: NDArray[np.uint8],
    tags: NDArray[np.uint32],
) -> None:
    """The rows of the slots `wanted`, one after another: their bins of the drawn features in codes uint8 (m, F), and
    class << 16 | weight in tags uint32 (m,)."""
    at = 0
    for slot in wanted:
        for word in words[starts[slot] : starts[slot + 1]]:
            row = word & ROW
            tags[at] = np.uint32(((word >> CLASS) << np.uint64(16)) | ((word >> WEIGHT) & SHORT))
            for j in range(drawn.shape[1]):
                codes[at, j] = bins[drawn[slot, j], row]
            at += 1


@native
def search_counts(
    histogram: NDArray[np.integer],
    sizes: NDArray[np.int32],
    drawn: NDArray[np.int32],
    weights: NDArray[np.float64],
    min_leaf: int,
    gini: bool,
    table: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The best split of each node of histogram (k, F, classes, bins): found, feature and bin, and left counts as
    `growing.search` gives them, total int64 (k, classes), and unsure."""
    nodes, size, classes, _ = histogram.shape
    score = np.full(nodes, -np.inf)
    found = np.zeros((nodes, 2), np.int64)
    best_left, total = np.zeros((nodes, classes), np.int64), np.zeros((nodes, classes), np.int64)
    unsure = np.zeros(nodes, np.bool_)
    cells, counts = np.zeros(256 * classes, np.int64), np.empty(256 * classes, np.int64)
    codes, left = np.empty(256, np.int64), np.empty(classes, np.int64)
    for node in range(nodes):
        for c in range(classes):
            total[node, c] = histogram[node, 0, c].sum()
        for j in range(size):
            held = histogram[node, j]
            bins = int(sizes[drawn[node, j]])
            for c in range(classes):
                for b in range(bins):
                    cells[b * classes + c] = held[c, b]
            groups = compact(cells, bins, classes, codes, counts)
            scan(drawn[node, j], groups, codes, counts, total[node], weights, min_leaf, gini, table, left,
                 score, found, best_left, unsure, node)  # fmt: skip
    return score > -np.inf, found, best_left, total, unsure


@native
def search_lists(
    codes_of: NDArray[np.uint8],
    tags: NDArray[np.uint32],
    starts: NDArray[np.int64],
    first: int,
    last: int,
    sizes: NDArray[np.int32],
    drawn: NDArray[np.int32],
    weights: NDArray[np.float64],
    min_leaf: int,
    gini: bool,
    table: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """`search_counts` for the nodes first .. last of lists (see `enlist`): starts int64 (parts, nodes + 1) says where
    each part keeps the rows of each node."""
    nodes, size, classes = last - first, drawn.shape[1], len(weights)
    score = np.full(nodes, -np.inf)
    found = np.zeros((nodes, 2), np.int64)
    best_left, total = np.zeros((nodes, classes), np.int64), np.zeros((nodes, classes), np.int64)
    unsure = np.zeros(nodes, np.bool_)
    cells, counts = np.zeros(256 * classes, np.int64), np.empty(256 * classes, np.int64)
    codes, left = np.empty(256, np.int64), np.empty(classes, np.int64)
    for i in range(nodes):
        node = first + i
        for part in range(len(starts)):
            for row in range(starts[part, node], starts[part, node + 1]):
                total[i, tags[row] >> np.uint32(16)] += np.int64(tags[row] & np.uint32(0xFFFF))
        for j in range(size):
            for part in range(len(starts)):
                for row in range(starts[part, node], starts[part, node + 1]):
                    cell = np.int64(codes_of[row, j]) * classes + np.int64(tags[row] >> np.uint32(16))
                    cells[cell] += np.int64(tags[row] & np.uint32(0xFFFF))
            f = drawn[node, j]
            groups = compact(cells, int(sizes[f]), classes, codes, counts)
            scan(f, groups, codes, counts, total[i], weights, min_leaf, gini, table, left,
                 score, found, best_left, unsure, i)  # fmt: skip
    return score > -np.inf, found, best_left, total, unsure
