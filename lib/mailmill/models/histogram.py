"""Integer counts of (node, drawn feature, class, bin): all that a split needs to know of the rows.

Counts are integers, so their sums depend on neither the order of rows nor the partitioning; everything a
forest decides follows from them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.models.hashing import MAX_WEIGHT

Counts = NDArray[np.int32] | NDArray[np.int64]


def count_type(rows: int) -> type[np.int32] | type[np.int64]:
    """The narrower integer type that holds the bootstrap weight of `rows` rows, so that no sum overflows."""
    return np.int32 if rows * MAX_WEIGHT <= np.iinfo(np.int32).max else np.int64


def count_histogram(
    codes: NDArray[np.uint8],
    y: NDArray[np.int64],
    rows: NDArray[np.intp],
    weights: NDArray[np.int64],
    slots: NDArray[np.intp],
    drawn: NDArray[np.int32],
    out: Counts,
) -> None:
    """out[s, j, c, b] += Σ w_i over the rows i in slot s with class c and code b in feature drawn[s, j].

    codes uint8 (d, n), y (n,): all rows. rows, weights, slots (m,): row numbers, bootstrap weights, and the
    node of each among the k nodes counted. drawn int32 (k, F). out (k, F, classes, bins), changed in place;
    its sum over bins is the same for every j: a node's class counts, and a parent's are its children's sum.
    """
    nodes, features, classes, bins = out.shape
    flat, n = codes.reshape(-1), codes.shape[1]
    cell = (slots * classes + y[rows]) * bins
    for j in range(features):
        code = flat.take(drawn[:, j].astype(np.intp).take(slots) * n + rows)
        # Weighted counts stay below 2^53, so their float64 sums are exact integers.
        counted = np.bincount(cell + code, weights=weights, minlength=nodes * classes * bins)
        out[:, j] += counted.reshape(nodes, classes, bins).astype(out.dtype)
