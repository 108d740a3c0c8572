"""The Hessian of the log loss over some rows, for the columns that are worth a matrix.

Dense columns, the intercept and the most frequent sparse columns are dealt with together; of the other sparse
columns, which are rare, only the mean curvature is needed, because their squares are known of all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.columns import SparseColumns, by_column
from mailmill.models.data import Fragment, TrainingArrays
from mailmill.models.loss import curvature, probabilities
from mailmill.models.objective import Layout

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_BLOCK = 2048
#: Up to so many parameters all classes share one matrix, beyond that each has its own.
TOGETHER = 4096


@dataclass(frozen=True)
class Head:
    """Which parameters get a matrix: the dense columns, the intercept, and the active sparse columns `frequent`
    (places among `Layout.active`, ascending), in groups of margins, a matrix each."""

    layout: Layout
    frequent: NDArray[np.intp]

    @property
    def height(self) -> int:
        """Columns of a margin."""
        return self.layout.dense + 1 + len(self.frequent)

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """The margins of each matrix: all together where they fit, else one by one."""
        m = self.layout.margins
        return [tuple(range(m))] if m * self.height <= TOGETHER else [(k,) for k in range(m)]

    @property
    def places(self) -> NDArray[np.int64]:
        """Where each matrix's parameters lie in theta: int64 (groups, columns of a group)."""
        d, width = self.layout.dense, self.layout.width
        columns = np.concatenate([np.arange(d + 1), d + 1 + self.frequent])
        return np.stack([np.concatenate([k * width + columns for k in g]) for g in self.groups]).astype(np.int64)

    def matrix(self, X: NDArray[np.float32], sparse: SparseColumns | None, block: int) -> Matrix:
        """The columns themselves for a block of rows, float64 (n, height): standardised dense ones, 1, frequent sparse
        ones."""
        d = self.layout.dense
        A = np.zeros((len(X), self.height))
        np.subtract(X, self.layout.centre, out=A[:, :d])
        A[:, :d] /= self.layout.scale
        A[:, d] = 1.0
        if sparse is not None:
            sparse.put(block, self.frequent, A[:, d + 1 :])
        return A


@dataclass(frozen=True)
class HessianTask:
    """The Hessian at theta of the columns of `head`, over `split`; class_weight, one a class."""

    split: str
    head: Head
    class_weight: tuple[float, ...]
    theta: Vector


@dataclass(frozen=True)
class HessianSums:
    """Σ_i c_i curvature_i[a, b] x̃_i x̃_iᵀ as blocks (groups, h, h), lower triangles of margins; mean (margins,),
    the sums of c_i curvature_i[a, a]; and the number of rows."""

    blocks: Matrix
    mean: Vector
    rows: int

    def merge(self, other: HessianSums) -> HessianSums:
        """The sums over the rows of both, in float64: equal bits need an equal order of merging."""
        return HessianSums(self.blocks + other.blocks, self.mean + other.mean, self.rows + other.rows)

    def symmetric(self) -> Matrix:
        """The blocks a row, both triangles filled."""
        return np.stack([np.tril(block) + np.tril(block, -1).T for block in self.blocks]) / self.rows


def columns_of(arrays: TrainingArrays, layout: Layout) -> SparseColumns | None:
    """The rows' active sparse columns, in the blocks of `hessian_sums`."""
    return None if arrays.sparse is None else by_column(arrays.sparse, layout.active, _BLOCK)


def hessian_sums(arrays: TrainingArrays, columns: SparseColumns | None, task: HessianTask) -> HessianSums:
    """The sums over some rows, `_BLOCK` of them at a time; columns: their `columns_of`."""
    from mailmill.models.native.linear import dense_margins

    head, layout = task.head, task.head.layout
    dense, intercept, sparse = layout.split([task.theta])
    places, height = head.places, head.height
    blocks, mean = np.zeros((len(places), places.shape[1], places.shape[1])), np.zeros(layout.margins)
    by_class = np.asarray(task.class_weight)
    for number, start in enumerate(range(0, len(arrays.X), _BLOCK)):
        rows = slice(start, start + _BLOCK)
        X, y = arrays.X[rows], arrays.y[rows].astype(np.int64)
        A, Z = head.matrix(X, columns, number), np.tile(intercept, (len(X), 1))
        dense_margins(X, layout.centre, dense, Z)
        if columns is not None and sparse is not None:
            columns.add_margins(number, sparse, Z)
        P = probabilities(Z)
        weight = by_class[y] if arrays.weights is None else by_class[y] * arrays.weights[rows]
        for block, group in zip(blocks, head.groups, strict=True):
            for i, a in enumerate(group):
                for j, b in enumerate(group[: i + 1]):
                    part = A.T @ (A * (weight * curvature(P, a, b))[:, None])
                    block[i * height : (i + 1) * height, j * height : (j + 1) * height] += part
        mean += [float(weight @ curvature(P, k, k)) for k in range(layout.margins)]
    return HessianSums(blocks, mean, len(arrays.X))


def fragment_hessian(fragment: Fragment, task: HessianTask) -> HessianSums:
    """`hessian_sums` of one fragment."""
    arrays = fragment.arrays(task.split)
    return hessian_sums(arrays, columns_of(arrays, task.head.layout), task)
