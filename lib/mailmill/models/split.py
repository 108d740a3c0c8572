"""Which split of a node is best: decided by integers or correctly rounded quotients, ties by position.

Two engines must not grow different trees because of a last bit, so no sum here depends on order, no
logarithm on a mathematics library, and equal splits resolve to the lowest feature, then the lowest bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.models.histogram import Counts

Array = NDArray[np.float64]
Criterion = Literal["gini", "entropy"]

_CELLS = 1 << 20
EXACT_BELOW = 2048
_NEAR = 1 - 2.0**-48
_FIXED_POINT = 2.0**20
_TABLE = 1 << 20


@dataclass(frozen=True)
class Splits:
    """The best split of each of k nodes: rows with code <= bin go left.

    found bool (k,); feature int32 (k,); bin uint8 (k,); left and total class counts int64 (k, classes).
    Where `found` is false, only `total` means anything.
    """

    found: NDArray[np.bool_]
    feature: NDArray[np.int32]
    bin: NDArray[np.uint8]
    left: NDArray[np.int64]
    total: NDArray[np.int64]

    def take(self, nodes: NDArray[np.intp]) -> Splits:
        """The splits of some of the nodes."""
        return Splits(self.found[nodes], self.feature[nodes], self.bin[nodes], self.left[nodes], self.total[nodes])

    def put(self, node: int, other: Splits) -> None:
        """Replace one node's split by the only one of `other`."""
        for name in ("found", "feature", "bin", "left", "total"):
            getattr(self, name)[node] = getattr(other, name)[0]


def join(parts: list[Splits]) -> Splits:
    """The splits of several groups of nodes, in order."""
    return Splits(
        np.concatenate([part.found for part in parts]),
        np.concatenate([part.feature for part in parts]),
        np.concatenate([part.bin for part in parts]),
        np.concatenate([part.left for part in parts]),
        np.concatenate([part.total for part in parts]),
    )


def best_splits(
    histogram: Counts,
    drawn: NDArray[np.int32],
    min_leaf: int,
    criterion: Criterion,
    weights: NDArray[np.float64] | None = None,
) -> Splits:
    """For each node, the (feature, bin) with the least weighted impurity of its two children.

    Gini: maximise Σ_c l_c² / l + Σ_c r_c² / r. Entropy: maximise Σ_c (l_c log l_c + r_c log r_c)
    - l log l - r log r. l_c and r_c count the bootstrap weight of class c left and right, l and r sum them
    (Breiman et al., "Classification and Regression Trees", 1984). A split leaves at least `min_leaf` >= 1
    on each side; a node of one class is never split. Like scikit-learn's, a split need not reduce impurity.
    weights float64 (classes,), integral, default 1: l_c and r_c are multiplied by them, `min_leaf` is not.

    histogram (k, F, classes, bins) as `histogram.count_histogram` makes it; drawn int32 (k, F), ascending.
    Gini is compared exactly: as correctly rounded quotients of integers below 2048 rows, where that is
    exact, with ties of larger nodes settled in rational arithmetic. Entropy is compared in fixed point,
    2^-20 bit a term. `native.scanning` decides the same; it asks this reference where it is unsure.
    """
    nodes, _, classes, _ = histogram.shape
    weights = np.ones(classes) if weights is None else weights
    step = max(1, _CELLS // max(1, histogram[0].size)) if nodes else 1
    parts = [
        _best(histogram[i : i + step], drawn[i : i + step], min_leaf, criterion, weights) for i in range(0, nodes, step)
    ]
    none = np.empty((0, classes), np.int64)
    empty = Splits(np.empty(0, bool), np.empty(0, np.int32), np.empty(0, np.uint8), none, none)
    return join(parts) if parts else empty


def _best(histogram: Counts, drawn: NDArray[np.int32], min_leaf: int, criterion: Criterion, weights: Array) -> Splits:
    nodes, bins = len(histogram), histogram.shape[3]
    left = np.cumsum(histogram, axis=3, dtype=np.float64)  # integers below 2^53: exact
    right = left[:, :, :, -1:] - left
    total = left[:, 0, :, -1].astype(np.int64)
    allowed = (left.sum(axis=2) >= min_leaf) & (right.sum(axis=2) >= min_leaf)
    every = np.arange(nodes)
    heavy_left, heavy_right = left * weights[:, None], right * weights[:, None]
    score = np.where(allowed, (_gini if criterion == "gini" else _entropy)(heavy_left, heavy_right), -np.inf)
    choice = score.reshape(nodes, -1).argmax(axis=1)
    if criterion == "gini":
        for node in np.flatnonzero(total @ weights >= EXACT_BELOW):
            choice[node] = _exact(score[node].reshape(-1), choice[node], heavy_left[node], heavy_right[node])
    slot, code = np.divmod(choice, bins)
    return Splits(
        allowed[every, slot, code] & (total.max(axis=1) < total.sum(axis=1)),
        drawn[every, slot],
        code.astype(np.uint8),
        left[every, slot, :, code].astype(np.int64),
        total,
    )


def gain(left: NDArray[np.int64], total: NDArray[np.int64], weights: Array, criterion: Criterion) -> Array:
    """By how much a split lowers the impurity of its rows, times their weight: what `best_splits` maximises, less
    the same term of the unsplit node. left and total int64 (k, classes); weights (classes,); float64 (k,).

    In units of gini impurity, or of 2^-20 bit; one fixed order of operations, so equal counts give equal bits.
    """
    a, whole = (left * weights)[:, :, None], (total * weights)[:, :, None]
    b = whole - a
    if criterion == "entropy":
        difference = _entropy(a, b)[:, 0] - _entropy(whole, np.zeros_like(whole))[:, 0]
    else:
        difference = _gini(a, b)[:, 0] - _over_classes(np.square(whole), 1)[:, 0] / _over_classes(whole, 1)[:, 0]
    return np.asarray(difference, np.float64)


def _over_classes(values: Array, axis: int) -> Array:
    """The sum over an axis in order, never pairwise."""
    total: Array = np.zeros_like(values.take(0, axis=axis))
    for c in range(values.shape[axis]):
        total = total + values.take(c, axis=axis)
    return total


def _gini(left: Array, right: Array) -> Array:
    """(r Σ l_c² + l Σ r_c²) / (l r): one rounding, and exact order, while both terms stay below 2^53.

    left, right (..., classes, bins); the result lacks the classes.
    """
    n_left, n_right = _over_classes(left, -2), _over_classes(right, -2)
    numerator = n_right * _over_classes(np.square(left), -2) + n_left * _over_classes(np.square(right), -2)
    product = n_left * n_right
    quotient: Array = np.divide(numerator, product, out=np.zeros_like(product), where=product > 0)
    return quotient


def _exact(score: Array, choice: int, left: Array, right: Array) -> int:
    """The first of the highest scores, scores within rounding of the highest compared as fractions."""
    near = np.flatnonzero(score >= score[choice] * _NEAR)
    if score[choice] <= 0 or len(near) == 1:
        return choice
    _, classes, bins = left.shape
    slot, code = np.divmod(near, bins)
    counts = left[slot, :, code]
    _, first = np.unique(counts, axis=0, return_index=True)
    if len(first) == 1:
        return int(near[0])
    best, value = -1, Fraction(-1)
    for i in np.sort(first):
        sides = [[int(side[slot[i], c, code[i]]) for c in range(classes)] for side in (left, right)]
        exact = sum((Fraction(sum(c * c for c in side), sum(side)) for side in sides), Fraction(0))
        if exact > value:
            best, value = int(near[i]), exact
    return best


def _entropy(left: Array, right: Array) -> Array:
    """Fixed-point sums of x log2 x: integers, below 2^53 for fewer than 10^8 rows, added in one order always."""
    n_left, n_right = _over_classes(left, -2), _over_classes(right, -2)
    at_left, at_right = _over_classes(n_log_n(left), -2), _over_classes(n_log_n(right), -2)
    return np.asarray(at_left - n_log_n(n_left) + at_right - n_log_n(n_right), np.float64)


def n_log_n(counts: Array) -> Array:
    """round(2^20 n log2 n) elementwise, as integral float64; 0 at n = 0. Counts are integral, any shape."""
    if counts.size and counts.max() >= _TABLE:
        return _n_log_n(counts)
    return table().take(counts.astype(np.intp))


@lru_cache(maxsize=1)
def table() -> Array:
    """`n_log_n` of the first integers: 8 MB, made when entropy is first asked for."""
    return _n_log_n(np.arange(_TABLE, dtype=np.float64))


def _n_log_n(n: Array) -> Array:
    """log2 n = e + (2 / ln 2) artanh((m - 1) / (m + 1)) with n = m 2^e and m in [√½, √2).

    Built from + - * / alone, which IEEE 754 fixes to the last bit; library logarithms differ between CPUs.
    """
    mantissa, exponent = np.frexp(np.maximum(n, 1.0))
    low = mantissa < np.sqrt(0.5)
    mantissa = np.where(low, 2 * mantissa, mantissa)
    s = (mantissa - 1) / (mantissa + 1)
    square, series = s * s, np.zeros_like(s)
    for k in range(23, 0, -2):
        series = series * square + 1.0 / k
    log2 = (exponent - low) + series * s * 2.8853900817779268
    return np.asarray(np.rint(_FIXED_POINT * n * log2), np.float64)
