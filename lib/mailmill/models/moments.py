"""Column means and spreads in one mergeable pass, for features on any scale.

Sums of squares lose all digits when a mean is large; Chan's update merges centred sums instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.models.data import Census, TrainingArrays
from mailmill.thin import Thin, full, thin

_BLOCK = 1024


@dataclass(frozen=True)
class Moments:
    """Column statistics of `census.rows` rows: mean, centred sum of squares m2, low and high, each (d,).

    squares: Σ x² of each sparse column, float64 (s,); empty where the table has none. The other arrays are
    empty while no row has been seen.
    """

    census: Census
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    squares: NDArray[np.float64]

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes, squares of millions of columns of which few occur travel as those that do."""
        return _arrived, (self.census, self.mean, self.m2, self.low, self.high, thin(self.squares))

    def merge(self, other: Moments) -> Moments:
        """mean = mean_a + δ n_b / n, m2 = m2_a + m2_b + δ² n_a n_b / n, with δ = mean_b - mean_a.

        Chan, Golub & LeVeque, "Algorithms for computing the sample variance", The American Statistician, 1983.
        Sets of rows of different widths merge into a census that `Census.check` refuses.
        """
        census = self.census.merge(other.census)
        if not other.census.rows:
            return self if self.census.rows else other
        if not self.census.rows:
            return other
        if len(census.columns) != 1:
            return replace(self, census=census)
        n, share = census.rows, other.census.rows / census.rows
        delta = other.mean - self.mean
        return Moments(
            census,
            self.mean + delta * share,
            self.m2 + other.m2 + delta * delta * (self.census.rows * other.census.rows / n),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.squares + other.squares if len(self.squares) else other.squares,
        )

    @property
    def centre(self) -> NDArray[np.float64]:
        """The mean of each column, exactly its value where the column is constant; what rows are centred by."""
        return np.where(self.constant, self.low.astype(np.float64), self.mean)

    @property
    def scale(self) -> NDArray[np.float64]:
        """Population standard deviation sqrt(m2 / n) of each column; 1 where the column is constant."""
        deviation = np.sqrt(self.m2 / self.census.rows)
        return np.where(self.constant | (deviation == 0), 1.0, deviation)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Columns with one value throughout, decided by comparison and so free of rounding."""
        return np.equal(self.low, self.high)


def _arrived(census: Census, mean: Any, m2: Any, low: Any, high: Any, squares: NDArray[np.float64] | Thin) -> Moments:
    return Moments(census, mean, m2, low, high, full(squares))


def take_moments(arrays: TrainingArrays, n_classes: int) -> Moments:
    """The moments of one fragment; arithmetic in float64, `_BLOCK` rows at a time."""
    nothing = np.empty(0, np.float32)
    none = Census(0, (), (0,) * n_classes, 0, 0)
    total = Moments(none, np.empty(0), np.empty(0), nothing, nothing, np.empty(0))
    for start in range(0, len(arrays.X), _BLOCK):
        total = total.merge(_block(arrays.X[start : start + _BLOCK], arrays.y[start : start + _BLOCK], n_classes))
    if arrays.sparse is None or not len(arrays.X):
        return total
    used = slice(arrays.sparse.indptr[0], arrays.sparse.indptr[-1])
    values = arrays.sparse.values[used].astype(np.float64)
    summed = np.bincount(arrays.sparse.indices[used], values * values, arrays.sparse.columns)
    squares = summed.astype(np.float64, copy=False)  # which it is: millions of columns are not copied for a type
    broken = np.flatnonzero(~np.isfinite(values)) + used.start
    rows = len(np.unique(np.searchsorted(arrays.sparse.indptr, broken, side="right")))
    census = replace(total.census, not_finite=total.census.not_finite + rows)
    return replace(total, census=census, squares=squares)


def _block(X: NDArray[np.float32], y: NDArray[np.integer], n_classes: int) -> Moments:
    from mailmill.models.native.linear import dense_moments

    mean, m2 = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    broken = dense_moments(X, mean, m2)
    known = (y >= 0) & (y < n_classes)
    counts = tuple(int(n) for n in np.bincount(y[known].astype(np.int64), minlength=n_classes))
    census = Census(len(X), (X.shape[1],), counts, int(len(X) - known.sum()), broken)
    return Moments(census, mean, m2, X.min(axis=0), X.max(axis=0), np.empty(0))
