"""Permutation importance, compiled: what each feature's loss costs a row, walking only trees that looked at it.

Reference: `importance.permutation_reference`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native, splitmix64


@native
def losses(
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    ids: NDArray[np.uint64],
    donors: NDArray[np.float32],
    keys: NDArray[np.uint64],
    roots: NDArray[np.int64],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float32],
    children: NDArray[np.uint32],
    frequency: NDArray[np.float64],
    lost: NDArray[np.int64],
) -> int:
    """lost[f] += #{i classed rightly} - #{i classed rightly with X[i, f] taken from a donor}; how many are right.

    Row i's donor for feature f is donors[splitmix64(ids[i] ^ keys[f]) mod m], donors float32 (m, d). A tree that does
    not compare f on the row's path gives what it gave before, so the row's sum changes by the other trees' differences
    alone, added in the trees' order. lost int64 (d,); for the other arrays see `flat.FlatForest`.
    """
    columns, classes = X.shape[1], frequency.shape[1]
    total, changed = np.empty(classes), np.zeros((columns, classes))
    touched, seen_by = np.zeros(columns, np.bool_), np.full(columns, -1, np.int64)
    right = 0
    for i in range(len(X)):
        total[:] = 0.0
        for tree in range(len(roots)):
            node = np.uint32(roots[tree])
            while True:
                after = children[node + node + np.uint32(X[i, feature[node]] > threshold[node])]
                if after == node:
                    break
                node = after
            leaf = node
            for c in range(classes):
                total[c] += frequency[leaf, c]
            node = np.uint32(roots[tree])
            while node != leaf:
                f = feature[node]
                if seen_by[f] != tree:
                    seen_by[f] = tree
                    touched[f] = True
                    value = donors[splitmix64(ids[i] ^ keys[f]) % np.uint64(len(donors)), f]
                    at = np.uint32(roots[tree])
                    while True:
                        x = value if feature[at] == f else X[i, feature[at]]
                        after = children[at + at + np.uint32(x > threshold[at])]
                        if after == at:
                            break
                        at = after
                    for c in range(classes):
                        changed[f, c] += frequency[at, c] - frequency[leaf, c]
                node = children[node + node + np.uint32(X[i, f] > threshold[node])]
        best = 0
        for c in range(1, classes):
            if total[c] > total[best]:
                best = c
        was_right = best == y[i]
        right += int(was_right)
        for f in range(columns):
            seen_by[f] = -1
            if touched[f]:
                best = 0
                for c in range(1, classes):
                    if total[c] + changed[f, c] > total[best] + changed[f, best]:
                        best = c
                lost[f] += int(was_right) - int(best == y[i])
                touched[f] = False
                for c in range(classes):
                    changed[f, c] = 0.0
    return right
