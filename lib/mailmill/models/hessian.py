"""The Hessian of the log loss over some rows, for the columns that are worth a matrix.

Dense columns, the intercept and the most frequent sparse columns are dealt with together; of the other sparse
columns, which are rare, only the mean curvature is needed, because their squares are known of all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mailmill.models.columns import renumbered
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
    (places among `Layout.active`), in groups of margins, a matrix each."""

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

    @cached_property
    def _column(self) -> NDArray[np.int32]:
        """The column of each active sparse column in `matrix`, -1 for those without, int32 (s' + 1,)."""
        column = np.full(len(self.layout.active) + 1, -1, np.int32)
        column[self.frequent] = self.layout.dense + 1 + np.arange(len(self.frequent))
        return column

    def matrix(self, rows: TrainingArrays) -> Matrix:
        """The columns themselves, float64 (n, height): standardised dense ones, 1, frequent sparse ones. The sparse
        columns of `rows` are numbered as `columns.compact` does."""
        d = self.layout.dense
        A = np.zeros((len(rows.X), self.height))
        np.subtract(rows.X, self.layout.centre, out=A[:, :d])
        A[:, :d] /= self.layout.scale
        A[:, d] = 1.0
        if len(self.frequent) and rows.sparse is not None:
            at = self._column[rows.sparse.indices]
            kept = at >= 0
            A[rows.sparse.row_numbers()[kept], at[kept]] = rows.sparse.values[kept]
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
        return HessianSums(self.blocks + other.blocks, self.mean + other.mean, self.rows + other.rows)

    def symmetric(self) -> Matrix:
        """The blocks a row, both triangles filled."""
        return np.stack([np.tril(block) + np.tril(block, -1).T for block in self.blocks]) / self.rows


def hessian_sums(arrays: TrainingArrays, task: HessianTask) -> HessianSums:
    """The sums over some rows, `_BLOCK` of them at a time; their sparse columns are numbered as in `Head.matrix`."""
    from mailmill.models.native.linear import dense_margins, sparse_margins

    head, layout = task.head, task.head.layout
    dense, intercept, sparse = layout.split([task.theta])
    places, height = head.places, head.height
    blocks, mean = np.zeros((len(places), places.shape[1], places.shape[1])), np.zeros(layout.margins)
    by_class = np.asarray(task.class_weight)
    for start in range(0, len(arrays.X), _BLOCK):
        rows = arrays.take(np.arange(start, min(start + _BLOCK, len(arrays.X))))
        A, Z = head.matrix(rows), np.tile(intercept, (len(rows.X), 1))
        dense_margins(rows.X, layout.centre, dense, Z)
        if rows.sparse is not None and sparse is not None:
            sparse_margins(rows.sparse.indptr, rows.sparse.indices, rows.sparse.values, sparse, Z)
        P, weight = probabilities(Z), by_class[rows.y.astype(np.int64)]
        if rows.weights is not None:
            weight = weight * rows.weights
        for block, group in zip(blocks, head.groups, strict=True):
            for i, a in enumerate(group):
                for j, b in enumerate(group[: i + 1]):
                    part = A.T @ (A * (weight * curvature(P, a, b))[:, None])
                    block[i * height : (i + 1) * height, j * height : (j + 1) * height] += part
        mean += [float(weight @ curvature(P, k, k)) for k in range(layout.margins)]
    return HessianSums(blocks, mean, len(arrays.X))


def fragment_hessian(fragment: Fragment, task: HessianTask) -> HessianSums:
    """`hessian_sums` of one fragment."""
    arrays, layout = fragment.arrays(task.split), task.head.layout
    if arrays.sparse is not None:
        sparse = renumbered(fragment, task.split, arrays.sparse, layout.active, layout.active_name)
        arrays = replace(arrays, sparse=sparse)
    return hessian_sums(arrays, task)
