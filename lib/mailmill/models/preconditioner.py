"""The Hessian of a sample of the rows: the metric in which a linear model's objective is nearly round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.data import TRAIN, TrainingArrays
from mailmill.models.hessian import Head, HessianTask, columns_of, hessian_sums
from mailmill.models.objective import Layout
from mailmill.models.penalty import Penalty

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

#: Sparse columns that are factorised with the dense ones, the most frequent first.
FREQUENT = 256
#: Floating-point operations that one Hessian of the sample may take on the driver.
WORK = 4e10
_RIDGES = (0.0, 1e-10, 1e-7, 1e-4, 1e-2)
_SHARED = 1e-6


class SampleHessian:
    """H = the sample's mean of `hessian.HessianSums` plus l2. A `quasinewton.Metric`.

    squares (s',): Σ x² / n over all rows of the active sparse columns; outside the factorised ones, H's diagonal
    is that times the sample's mean curvature, and times one factor from 1 on. Columns that occur together curve the
    objective more along a step than each does alone, and the factor is how much more they did along the last one:
    γ of L-BFGS (Nocedal & Wright, "Numerical Optimization", 2006, equation 7.20) for these columns alone. On n-grams
    of film reviews that halves the passes, for full steps are then taken that were too long before.

    absent: bool (margins,), the classes without a row. Their parameters are held: no step moves them.
    """

    def __init__(
        self,
        sample: TrainingArrays,
        layout: Layout,
        penalty: Penalty,
        class_weight: tuple[float, ...],
        squares: Vector,
        absent: NDArray[np.bool_],
    ) -> None:
        self._layout, self._penalty, self._class_weight, self._squares = layout, penalty, class_weight, squares
        self._absent = absent
        frequent = np.argsort(-squares, kind="stable")[:FREQUENT]
        self._head = Head(layout, np.sort(frequent[squares[frequent] > 0]))
        self._places = self._head.places
        pairs = sum(len(group) * (len(group) + 1) / 2 for group in self._head.groups)
        work = int(WORK / (2.0 * self._head.height**2 * pairs))
        self._known = self._places.ravel()
        self._factor = 1.0
        self._sample = sample.take(np.arange(min(len(sample.X), max(4 * self._head.height, work))))
        self._columns = columns_of(self._sample, layout)

    def refresh(self, theta: Vector) -> None:
        """Take H at theta, from the sample's probabilities there."""
        sums = hessian_sums(self._sample, self._columns, HessianTask(TRAIN, self._head, self._class_weight, theta))
        layout, l2 = self._layout, self._penalty.l2
        diagonal = l2.reshape(layout.margins, layout.width).copy()
        diagonal[:, layout.dense + 1 :] += (sums.mean / sums.rows)[:, None] * self._squares
        self._alone = np.maximum(diagonal.ravel(), np.finfo(np.float64).tiny)
        self._guess()
        self._blocks = sums.symmetric()
        together = len(self._head.groups[0])
        for group, block, places in zip(self._head.groups, self._blocks, self._places, strict=True):
            if together > 1:
                # What all classes share changes no probability, so the data give that direction no curvature.
                shared = np.tile(np.eye(self._head.height), (together, together))
                block += shared * (_SHARED * float(np.diagonal(block).mean()))
            block[np.diag_indices_from(block)] += l2[places]
            held = np.repeat(self._absent[list(group)], self._head.height)
            block[held], block[:, held] = 0.0, 0.0
            block[held, held] = 1.0
        self._inverse = [_inverse_factor(block) for block in self._blocks]

    def correct(self, step: Vector, change: Vector) -> None:
        """Take the factor of the columns outside the factorised ones from a step and the gradient's change."""
        change = change.copy()
        change[self._known] = 0.0
        if (along := float(step @ change)) > 0:
            self._factor = max(1.0, float(change @ (change / self._alone)) / along)
            self._guess()

    def _guess(self) -> None:
        """H's diagonal: its own where it is factorised, and elsewhere the guess times the factor."""
        self._diagonal = self._factor * self._alone
        self._diagonal[self._known] = self._alone[self._known]

    def solve(self, vector: Vector) -> Vector:
        """H⁻¹ vector; without absolute values in the penalty, freed of what all classes share."""
        vector = self._centred(vector)
        found = vector / self._diagonal
        for inverse, places in zip(self._inverse, self._places, strict=True):
            found[places] = inverse.T @ (inverse @ vector[places])
        return self._centred(found)

    def product(self, vector: Vector) -> Vector:
        """H vector"""
        found = vector * self._diagonal
        for block, places in zip(self._blocks, self._places, strict=True):
            found[places] = block @ vector[places]
        return found

    def parts(self) -> tuple[Matrix, NDArray[np.int64], Vector]:
        """H as (blocks, places, diagonal), see `proximal.QuadraticModel`."""
        return self._blocks, self._places, self._diagonal

    def _centred(self, vector: Vector) -> Vector:
        if self._layout.margins == 1 or not self._penalty.smooth:
            return vector
        by_margin = vector.reshape(self._layout.margins, self._layout.width)
        centred: Matrix = by_margin - by_margin[~self._absent].mean(axis=0)
        centred[self._absent] = 0.0
        return centred.ravel()


def _inverse_factor(block: Matrix) -> Matrix:
    """The L⁻¹ with block = L Lᵀ, after the smallest ridge on the scaled diagonal that makes L exist.

    Raises:
        DataError: no small ridge does.
    """
    unit = np.sqrt(np.maximum(np.diagonal(block), 0.0))
    unit = np.where(unit > 0, unit, 1.0)
    scaled = block / unit / unit[:, None]
    for ridge in _RIDGES:
        try:
            factor = np.linalg.cholesky(scaled + ridge * np.eye(len(block)))
        except np.linalg.LinAlgError:
            continue
        if float(np.diagonal(factor).min()) ** 2 > len(block) * np.finfo(np.float64).eps:
            return np.asarray(np.linalg.inv(factor) / unit)
    raise DataError("the sample's Hessian is not positive definite", hint="Set a larger l2.")
