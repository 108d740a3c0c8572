"""Growing trees where all bins are in reach, compiled: search the nodes of a level, then part their rows.

A node's drawn rows (see `drawing`) lie side by side. The search goes feature by feature over all nodes of all trees
that drew it, so that one column of bins at a time is in the cache, however scattered the rows of deep nodes are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native
from mailmill.models.native.drawing import CLASS, ROW, SHORT, WEIGHT
from mailmill.models.native.scanning import compact, scan

#: Nodes of so few rows are sorted rather than counted: their bins are mostly empty.
_FEW = 24


@native
def by_feature(drawn: NDArray[np.int32], columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places (node * F + j) of each feature in drawn (k, F), in order: places[first[f] : first[f + 1]]."""
    nodes, size = drawn.shape
    first = np.zeros(columns + 2, np.int64)
    for node in range(nodes):
        for j in range(size):
            first[drawn[node, j] + 2] += 1
    for f in range(columns):
        first[f + 2] += first[f + 1]
    places = np.empty(nodes * size, np.int64)
    for node in range(nodes):
        for j in range(size):
            f = drawn[node, j]
            places[first[f + 1]] = node * size + j
            first[f + 1] += 1
    return first[:-1], places


@native
def count_few(
    column: NDArray[np.uint8],
    words: NDArray[np.uint64],
    classes: int,
    codes: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """What counting and `scanning.compact` give for `words` on one column of bins, by sorting bins as they come."""
    groups = 0
    for word in words:
        code = np.int64(column[word & ROW])
        at = groups
        while at > 0 and codes[at - 1] > code:
            at -= 1
        if at == 0 or codes[at - 1] != code:
            for g in range(groups, at, -1):
                codes[g] = codes[g - 1]
                for c in range(classes):
                    counts[g * classes + c] = counts[(g - 1) * classes + c]
            codes[at] = code
            for c in range(classes):
                counts[at * classes + c] = 0
            groups += 1
            at += 1
        counts[(at - 1) * classes + np.int64(word >> CLASS)] += np.int64((word >> WEIGHT) & SHORT)
    return groups


@native
def search(
    bins: NDArray[np.uint8],
    sizes: NDArray[np.int32],
    words: NDArray[np.uint64],
    spans: NDArray[np.int64],
    total: NDArray[np.int64],
    drawn: NDArray[np.int32],
    weights: NDArray[np.float64],
    min_leaf: int,
    gini: bool,
    table: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The best split of each of k nodes: found (k,), feature and bin (k, 2), left counts (k, classes), unsure (k,).

    bins uint8 (d, n), sizes int32 (d,) bins a column; node i's rows are words[spans[i, 0] : spans[i, 1]]; total int64
    (k, classes); drawn int32 (k, F), ascending. See `scanning.scan` for the rest.
    """
    nodes, classes = total.shape
    size = drawn.shape[1]
    score = np.full(nodes, -np.inf)
    found = np.zeros((nodes, 2), np.int64)
    best_left = np.zeros((nodes, classes), np.int64)
    unsure = np.zeros(nodes, np.bool_)
    histogram, counts = np.zeros(256 * classes, np.int64), np.empty(256 * classes, np.int64)
    codes, left = np.empty(256, np.int64), np.empty(classes, np.int64)
    width = np.uint64(classes)
    first, places = by_feature(drawn, len(bins))
    for f in range(len(bins)):
        column = bins[f]
        for place in places[first[f] : first[f + 1]]:
            node = place // size
            mine = words[spans[node, 0] : spans[node, 1]]
            if len(mine) <= _FEW:
                groups = count_few(column, mine, classes, codes, counts)
            else:
                for word in mine:
                    cell = np.uint64(column[word & ROW]) * width + (word >> CLASS)
                    histogram[cell] += np.int64((word >> WEIGHT) & SHORT)
                groups = compact(histogram, sizes[f], classes, codes, counts)
            scan(f, groups, codes, counts, total[node], weights, min_leaf, gini, table, left,
                 score, found, best_left, unsure, node)  # fmt: skip
    return score > -np.inf, found, best_left, unsure


@native
def part(
    bins: NDArray[np.uint8],
    words: NDArray[np.uint64],
    spans: NDArray[np.int64],
    feature: NDArray[np.int64],
    bound: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Put the rows with bins[feature[i], row] <= bound[i] of each node's span first, keeping order.

    `words` changes in place; returns int64 (k,): where the other rows begin.
    """
    longest = 0
    for i in range(len(spans)):
        longest = max(longest, spans[i, 1] - spans[i, 0])
    aside = np.empty(longest, np.uint64)
    middle = np.empty(len(spans), np.int64)
    for i in range(len(spans)):
        column, last = bins[feature[i]], np.uint8(bound[i])
        kept, moved = spans[i, 0], 0
        for at in range(spans[i, 0], spans[i, 1]):
            word = words[at]
            goes_left = column[word & ROW] <= last
            words[kept] = word
            aside[moved] = word
            kept += goes_left
            moved += not goes_left
        for at in range(moved):
            words[kept + at] = aside[at]
        middle[i] = kept
    return middle


@native
def class_weight(words: NDArray[np.uint64], classes: int) -> NDArray[np.int64]:
    """The bootstrap weight of each class among `words`; int64 (classes,)."""
    total = np.zeros(classes, np.int64)
    for word in words:
        total[np.int64(word >> CLASS)] += np.int64((word >> WEIGHT) & SHORT)
    return total
