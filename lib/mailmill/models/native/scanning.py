"""The best cut of one feature's counts, compiled: what `split.best_splits` decides, one candidate at a time.

Candidates arrive in the order of the reference (feature, then bin), and only a strictly better one replaces the best,
so ties resolve alike. Where floating point cannot tell two candidates of a large node apart, the node is marked as
`unsure` and the caller asks the reference, which compares fractions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native

#: As in `split`: scores nearer than this factor are compared exactly, in nodes that weigh as much as this.
NEAR = 1 - 2.0**-48
EXACT_BELOW = 2048
_HALF_ROOT = math.sqrt(0.5)


@native
def n_log_n(n: float, table: NDArray[np.float64]) -> float:
    """See `split.n_log_n`; one integral number. `table` float64 holds the first values, and may be short."""
    if n < len(table):
        return float(table[int(n)])
    mantissa, exponent = math.frexp(max(n, 1.0))
    low = 0
    if mantissa < _HALF_ROOT:
        mantissa, low = 2 * mantissa, 1
    s = (mantissa - 1) / (mantissa + 1)
    square, series = s * s, 0.0
    for i in range(12):
        series = series * square + 1.0 / (23 - 2 * i)
    log2 = (exponent - low) + series * s * 2.8853900817779268
    return float(np.rint(1048576.0 * n * log2))


@native
def compact(
    histogram: NDArray[np.int64], bins: int, classes: int, codes: NDArray[np.int64], counts: NDArray[np.int64]
) -> int:
    """Move the bins that hold a row, with their counts, to the front of `codes` and `counts`; zero the histogram.

    histogram int64 (bins * classes,), a bin's classes together. Returns how many bins hold a row.
    """
    groups = 0
    if classes == 2:
        for b in range(bins):
            zero, one = histogram[2 * b], histogram[2 * b + 1]
            if zero | one:
                codes[groups], counts[2 * groups], counts[2 * groups + 1] = b, zero, one
                histogram[2 * b] = histogram[2 * b + 1] = 0
                groups += 1
        return groups
    for b in range(bins):
        held = np.int64(0)
        for c in range(classes):
            held |= histogram[b * classes + c]
        if held:
            codes[groups] = b
            for c in range(classes):
                counts[groups * classes + c] = histogram[b * classes + c]
                histogram[b * classes + c] = 0
            groups += 1
    return groups


@native
def scan(
    feature: int,
    groups: int,
    codes: NDArray[np.int64],
    counts: NDArray[np.int64],
    total: NDArray[np.int64],
    weights: NDArray[np.float64],
    min_leaf: int,
    gini: bool,
    table: NDArray[np.float64],
    left: NDArray[np.int64],
    score: NDArray[np.float64],
    found: NDArray[np.int64],
    best_left: NDArray[np.int64],
    unsure: NDArray[np.bool_],
    node: int,
) -> None:
    """Try each cut of one feature of one node; keep the best so far at score, found, best_left and unsure [node].

    codes, counts: see `compact`. total int64 (classes,): the node's rows; weights float64 (classes,), integral.
    found int64 (k, 2): feature and bin. left (classes,) is scratch.
    """
    classes = len(total)
    rows, weight = np.int64(0), 0.0
    for c in range(classes):
        rows += total[c]
        weight += total[c] * weights[c]
        left[c] = 0
    best, kept = score[node], best_left[node]
    rows_left = np.int64(0)
    for g in range(groups - 1):
        for c in range(classes):
            left[c] += counts[g * classes + c]
            rows_left += counts[g * classes + c]
        if rows_left < min_leaf:
            continue
        if rows - rows_left < min_leaf:
            break
        n_left, n_right, at_left, at_right = 0.0, 0.0, 0.0, 0.0
        for c in range(classes):
            a = left[c] * weights[c]
            b = (total[c] - left[c]) * weights[c]
            n_left += a
            n_right += b
            if gini:
                at_left += a * a
                at_right += b * b
            else:
                at_left += n_log_n(a, table)
                at_right += n_log_n(b, table)
        if gini:
            value = (n_right * at_left + n_left * at_right) / (n_left * n_right)
        else:
            value = at_left - n_log_n(n_left, table) + at_right - n_log_n(n_right, table)
        if value > best:
            if gini:
                unsure[node] = weight >= EXACT_BELOW and best >= value * NEAR
            best = value
            found[node, 0], found[node, 1] = feature, codes[g]
            for c in range(classes):
                kept[c] = left[c]
        elif gini and value >= best * NEAR and weight >= EXACT_BELOW:
            same = mirrored = True
            for c in range(classes):
                same &= left[c] == kept[c]
                mirrored &= total[c] - left[c] == kept[c]
            if not (same or mirrored):
                unsure[node] = True
    score[node] = best
