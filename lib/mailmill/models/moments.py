"""Column means and spreads in one mergeable pass, for features on any scale.

Sums of squares lose all digits when a mean is large; Chan's update merges centred sums instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.data import Census, TrainingArrays, take_census

_BLOCK = 2048


@dataclass(frozen=True)
class Moments:
    """Column statistics of `census.rows` rows: mean, centred sum of squares m2, low and high, each (d,).

    The arrays are empty while no row has been seen.
    """

    census: Census
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

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
            return Moments(census, self.mean, self.m2, self.low, self.high)
        n, share = census.rows, other.census.rows / census.rows
        delta = other.mean - self.mean
        return Moments(
            census,
            self.mean + delta * share,
            self.m2 + other.m2 + delta * delta * (self.census.rows * other.census.rows / n),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )

    @property
    def scale(self) -> NDArray[np.float64]:
        """Population standard deviation sqrt(m2 / n) of each column; 1 where the column is constant."""
        deviation = np.sqrt(self.m2 / self.census.rows)
        return np.where(self.constant | (deviation == 0), 1.0, deviation)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Columns with one value throughout, decided by comparison and so free of rounding."""
        return np.equal(self.low, self.high)


def take_moments(arrays: TrainingArrays, n_classes: int) -> Moments:
    """The moments of one fragment; arithmetic in float64, `_BLOCK` rows at a time."""
    empty = TrainingArrays(arrays.X[:0], arrays.y[:0], arrays.ids[:0])
    nothing = np.empty(0, np.float32)
    total = Moments(take_census(empty, n_classes), np.empty(0), np.empty(0), nothing, nothing)
    for start in range(0, len(arrays.X), _BLOCK):
        part = slice(start, start + _BLOCK)
        census = take_census(TrainingArrays(arrays.X[part], arrays.y[part], arrays.ids[part]), n_classes)
        X = arrays.X[part].astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinities are counted by the census and refused later
            mean = X.mean(axis=0)
            m2 = np.square(X - mean).sum(axis=0)
        block = arrays.X[part]
        total = total.merge(Moments(census, mean, m2, block.min(axis=0), block.max(axis=0)))
    return total
