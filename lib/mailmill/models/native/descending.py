"""Rows walking down a whole forest, compiled: 64 rows step together, and a leaf leads to itself.

References: `tree.Tree.leaves` and `outofbag.judge_reference`. Trees are summed in order, so neither the
size of a batch nor who computes it changes a bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native, splitmix64

_TOGETHER = 64
_BLOCK = 4096


@native
def probability(
    X: NDArray[np.float32],
    start: int,
    stop: int,
    roots: NDArray[np.int64],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float32],
    children: NDArray[np.uint32],
    frequency: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """out[i] = mean over trees of the frequencies in row i's leaf, for the rows start .. stop.

    X float32 (n, d) finite; children (2 nodes,): where a value <= threshold leads, and where a greater one does.
    The other arrays are those of `flat.FlatForest`. out float64 (n, classes), zeros at first.
    """
    nodes = np.empty(_TOGETHER, np.uint32)
    for block in range(start, stop, _TOGETHER):
        rows = min(_TOGETHER, stop - block)
        for root in roots:
            for i in range(rows):
                nodes[i] = root
            moving = True
            while moving:
                moved = np.uint32(0)
                for i in range(rows):
                    node = nodes[i]
                    right = np.uint32(X[block + i, feature[node]] > threshold[node])
                    after = children[node + node + right]
                    moved |= after ^ node
                    nodes[i] = after
                moving = moved != 0
            for i in range(rows):
                for c in range(out.shape[1]):
                    out[block + i, c] += frequency[nodes[i], c]
        for i in range(rows):
            for c in range(out.shape[1]):
                out[block + i, c] /= len(roots)


@native
def out_of_bag(
    bins: NDArray[np.uint8],
    ids: NDArray[np.uint64],
    y: NDArray[np.uint16],
    start: int,
    stop: int,
    keys: NDArray[np.uint64],
    least: np.uint64,
    roots: NDArray[np.int64],
    feature: NDArray[np.uint32],
    bound: NDArray[np.uint8],
    children: NDArray[np.uint32],
    frequency: NDArray[np.float64],
) -> tuple[int, int]:
    """Of the rows start .. stop: how many some tree did not draw, and how many of these such trees class wrongly.

    A tree with key k drew row i when splitmix64(ids[i] ^ k) >= least. bins uint8 (d, n), ids uint64 (n,), y (n,).
    """
    classes = frequency.shape[1]
    total, votes = np.empty((_BLOCK, classes)), np.empty(_BLOCK, np.int64)
    out, nodes = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.uint32)
    voted, wrong = 0, 0
    for block in range(start, stop, _BLOCK):
        rows = min(_BLOCK, stop - block)
        total[:rows], votes[:rows] = 0.0, 0
        for tree in range(len(roots)):
            left_out = 0
            for i in range(rows):
                out[left_out] = i
                left_out += int(splitmix64(ids[block + i] ^ keys[tree]) < least)
            for j in range(left_out):
                nodes[j] = roots[tree]
            moving = True
            while moving:
                moved = np.uint32(0)
                for j in range(left_out):
                    node = nodes[j]
                    right = np.uint32(bins[feature[node], block + out[j]] > bound[node])
                    after = children[node + node + right]
                    moved |= after ^ node
                    nodes[j] = after
                moving = moved != 0
            for j in range(left_out):
                votes[out[j]] += 1
                for c in range(classes):
                    total[out[j], c] += frequency[nodes[j], c]
        for i in range(rows):
            if votes[i]:
                best = 0
                for c in range(1, classes):
                    if total[i, c] > total[i, best]:
                        best = c
                voted += 1
                wrong += int(best != y[block + i])
    return voted, wrong
