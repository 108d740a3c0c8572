"""The penalised log loss of a linear model as a function of its parameters, evaluated by passes over fragments.

One pass evaluates as many points as are asked for, loss and gradient each: margins of several points cost
little more than those of one, because reading the rows costs more than the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.mixed import Mixed, MixedMerge
from mailmill.models.columns import fragment_columns, name_of
from mailmill.models.data import Fragment, MapReduce
from mailmill.models.loss import log_loss
from mailmill.models.penalty import Penalty

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_BLOCK = 512


@dataclass(frozen=True)
class LossTask:
    """What a worker needs for one pass over `split`: q points of m margins each, m = 1 for two classes.

    centre (d,); dense (q m, d), intercept (q m,), sparse (s, q m) or None; class_weight, one a class. active: the
    columns that the rows of `sparse` stand for; None: all, in order; active_name: see `columns.name_of`. Gradients of
    sparse columns are summed in units of 2^-bits; 0 will do where the loss alone is wanted.
    """

    split: str
    centre: Vector
    dense: Matrix
    intercept: Vector
    sparse: Matrix | None
    class_weight: tuple[float, ...]
    margins: int
    active: NDArray[np.int32] | None = None
    active_name: str = ""
    bits: int = 0


@dataclass(frozen=True)
class LossSums:
    """Sums over rows for q points: loss (q,), gradients shaped as in `LossTask`; lead (q,), see `loss.Losses`."""

    loss: Vector
    dense: Matrix
    intercept: Vector
    lead: Vector

    def merge(self, other: LossSums) -> LossSums:
        """Both together."""
        return LossSums(
            self.loss + other.loss,
            self.dense + other.dense,
            self.intercept + other.intercept,
            np.minimum(self.lead, other.lead),
        )


#: The most that a row may weigh beside n-grams, so that 2^52 of its units do not overflow.
HEAVIEST = 1000
#: The gradient of sparse columns, shaped as in `LossTask`, in whole units of 2^-bits.
Units = NDArray[np.int64] | None


def add_units(one: Units, other: Units) -> Units:
    """Both together, in the place of the first: of sparse columns there are millions."""
    return other if one is None else one if other is None else np.add(one, other, out=one)


merge_sums = MixedMerge(LossSums.merge, add_units)


def unit_bits(rows: int, squares: float, weight: float) -> int:
    """The b of units of 2^-b in which the gradient of a sparse column, |Σ_i c_i R_i x_i| <= c sqrt(n Σ_i x_i²), is at
    most 2^52 (Cauchy and Schwarz; residuals are at most 1): as fine as float64, with room for a row's own weight."""
    bound = weight * math.sqrt(rows * squares)
    return 52 - math.ceil(math.log2(bound)) if bound > 0 else 0


def loss_sums(fragment: Fragment, task: LossTask) -> Mixed[LossSums, Units]:
    """One fragment's share of Σ_i c_i loss_i and its gradient at each point of the task.

    c_i is the weight of the row's class times the row's own. With margins Z = (X - centre) denseᵀ + S sparse +
    intercept and residuals R = ∂loss/∂Z: the gradients are Rᵀ(X - centre), Sᵀ R and the column sums of R. Raises
    DataError where a row's own weight beside sparse columns is over `HEAVIEST`.
    """
    from mailmill.models.native.linear import dense_gradient, dense_margins

    arrays = fragment.arrays(task.split)
    width, m = len(task.dense), task.margins
    points = width // m
    loss, lead = np.zeros(points), np.full(points, np.inf)
    dense, intercept = np.zeros_like(task.dense), np.zeros(width)
    sparse = None if task.sparse is None else np.zeros(task.sparse.shape, np.int64)
    if sparse is not None and arrays.weights is not None and arrays.weights.max(initial=0.0) > HEAVIEST:
        raise DataError(f"a row's weight is over {HEAVIEST}", hint="Scale all weights down, and l2 and l1 with them.")
    by_class = np.asarray(task.class_weight)
    ngrams = None
    if arrays.sparse is not None and sparse is not None:
        ngrams = fragment_columns(fragment, task.split, arrays.sparse, task.active, task.active_name)
    block = _BLOCK if ngrams is None else ngrams.block
    for number, start in enumerate(range(0, len(arrays.X), block)):
        rows = slice(start, start + block)
        X, y = arrays.X[rows], arrays.y[rows].astype(np.int64, copy=False)
        weight = by_class[y] if arrays.weights is None else by_class[y] * arrays.weights[rows]
        Z = np.tile(task.intercept, (len(X), 1))
        dense_margins(X, task.centre, task.dense, Z)
        if ngrams is not None and task.sparse is not None:
            ngrams.add_margins(number, task.sparse, Z)
        R = np.empty_like(Z)
        for point in range(points):
            own = slice(point * m, point * m + m)
            found = log_loss(Z[:, own], y, weight)
            R[:, own] = found.residual
            loss[point] += found.total
            lead[point] = min(lead[point], found.lead)
        dense_gradient(X, task.centre, R, dense)
        intercept += R.sum(axis=0)
        if ngrams is not None and sparse is not None:
            ngrams.add_gradient(number, R, 2.0**task.bits, sparse)
    return Mixed(LossSums(loss, dense, intercept, lead), sparse)


@dataclass(frozen=True)
class Point:
    """A function at theta (m p,): value and gradient of its smooth part, and lead, see `loss.Losses`."""

    theta: Vector
    value: float
    gradient: Vector
    lead: float = -np.inf


@dataclass(frozen=True)
class Layout:
    """Where a vector of parameters keeps what. theta is (margins, p) read row by row, p = d + 1 + s' columns:
    d coefficients of standardised dense columns, the intercept of centred rows, and one raw coefficient for
    each of the s' sparse columns that occur at all (`active`, of `sparse_columns`; the most frequent first, see
    `columns.ranked`)."""

    margins: int
    centre: Vector
    scale: Vector
    active: NDArray[np.int32]
    sparse_columns: int

    @property
    def dense(self) -> int:
        """d"""
        return len(self.centre)

    @property
    def width(self) -> int:
        """p, the number of parameters a margin."""
        return self.dense + 1 + len(self.active)

    @cached_property
    def active_name(self) -> str:
        """`active` by name."""
        return name_of(self.active)

    def spread(self, sparse: Matrix) -> Matrix:
        """Coefficients (s', q) as `split` has them for all columns, (s, q)."""
        full = np.zeros((self.sparse_columns, sparse.shape[1]))
        full[self.active] = sparse
        return full

    def split(self, thetas: Sequence[Vector]) -> tuple[Matrix, Vector, Matrix | None]:
        """The points as (dense (q m, d) for raw centred columns, intercept (q m,), sparse (s', q m) or None)."""
        stacked = np.concatenate([theta.reshape(self.margins, self.width) for theta in thetas])
        d, sparse = self.dense, None
        if self.sparse_columns:
            sparse = np.ascontiguousarray(stacked[:, d + 1 :].T)
        return stacked[:, :d] / self.scale, stacked[:, d].copy(), sparse

    def join(self, sums: LossSums, units: Units, bits: int, point: int) -> Vector:
        """The gradient of one point as a vector of parameters."""
        own = slice(point * self.margins, (point + 1) * self.margins)
        parts = [sums.dense[own] / self.scale, sums.intercept[own, None]]
        if units is not None:
            parts.append(np.multiply(units[:, own].T, 2.0**-bits, dtype=np.float64))
        return np.concatenate(parts, axis=1).ravel()


class Objective:
    """(1/n) Σ_i c_i loss_i(θ) + λ/2-weighted squares, over the rows of one split; counts its passes."""

    def __init__(
        self,
        map_reduce: MapReduce,
        layout: Layout,
        class_weight: tuple[float, ...],
        split: str,
        rows: int,
        bits: int,
    ) -> None:
        """bits: of the units that gradients of sparse columns are summed in, see `unit_bits`."""
        self.layout = layout
        self.class_weight = class_weight
        self.passes = 0
        self._map_reduce, self._split, self._rows, self._bits = map_reduce, split, rows, bits

    def evaluate(self, thetas: Sequence[Vector], penalties: Sequence[Penalty]) -> list[Point]:
        """The smooth part at each point with its own penalty, all in one pass."""
        self.passes += 1
        layout = self.layout
        active = layout.active if layout.sparse_columns else None
        name = layout.active_name if layout.sparse_columns else ""
        places = layout.split(thetas)
        task = LossTask(
            self._split, layout.centre, *places, self.class_weight, layout.margins, active, name, self._bits
        )  # fmt: skip
        found = self._map_reduce(loss_sums, merge_sums, task)
        sums = found.ordered
        evaluated = []
        for number, (theta, penalty) in enumerate(zip(thetas, penalties, strict=True)):
            value = float(sums.loss[number]) / self._rows + penalty.squares(theta)
            gradient = self.layout.join(sums, found.exact, self._bits, number) / self._rows + penalty.l2 * theta
            evaluated.append(Point(theta, value, gradient, float(sums.lead[number])))
        return evaluated
