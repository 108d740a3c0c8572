"""Margins and gradients of linear models over a block of rows: the loops that every pass spends its time in.

Rows are read as float32 and computed with in float64, centred on the way, so that columns far from zero lose
no digits and no copy of the data is made. The references are in `models.linear`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native, summing

Matrix = NDArray[np.float64]


@summing
def dense_margins(X: NDArray[np.float32], mean: Matrix, W: Matrix, Z: Matrix) -> None:
    """Z += (X - mean) Wᵀ. X float32 (n, d), mean (d,), W (q, d), Z (n, q); a row's margins depend on it alone."""
    row = np.empty(X.shape[1])
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            row[j] = X[i, j] - mean[j]
        for k in range(W.shape[0]):
            total = 0.0
            for j in range(X.shape[1]):
                total += row[j] * W[k, j]
            Z[i, k] += total


@summing
def dense_gradient(X: NDArray[np.float32], mean: Matrix, R: Matrix, G: Matrix) -> None:
    """G += Rᵀ (X - mean). X float32 (n, d), mean (d,), R (n, q), G (q, d)."""
    row = np.empty(X.shape[1])
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            row[j] = X[i, j] - mean[j]
        for k in range(R.shape[1]):
            factor = R[i, k]
            for j in range(X.shape[1]):
                G[k, j] += factor * row[j]


@native
def sparse_margins(
    columns: NDArray[np.int32],
    starts: NDArray[np.int64],
    rows: NDArray[np.uint16],
    values: NDArray[np.float32],
    V: Matrix,
    Z: Matrix,
) -> None:
    """`columns.SparseColumns.add_margins`; a row's margins are summed by ascending columns, whatever block it is in."""
    for run in range(len(columns)):
        for k in range(V.shape[1]):
            weight = V[columns[run], k]
            for at in range(starts[run], starts[run + 1]):
                Z[rows[at], k] += values[at] * weight


@native
def sparse_gradient(
    columns: NDArray[np.int32],
    starts: NDArray[np.int64],
    rows: NDArray[np.uint16],
    values: NDArray[np.float32],
    R: Matrix,
    units: float,
    G: NDArray[np.int64],
) -> None:
    """`columns.SparseColumns.add_gradient`."""
    for run in range(len(columns)):
        for k in range(R.shape[1]):
            total = np.int64(0)
            for at in range(starts[run], starts[run + 1]):
                total += np.int64(np.rint(values[at] * R[rows[at], k] * units))
            G[columns[run], k] += total


@native
def take_rows(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], values: NDArray[np.float32], rows: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """(indptr, indices, values) of the given rows of `SparseRows`, in that order."""
    bounds = np.zeros(len(rows) + 1, np.int64)
    for i in range(len(rows)):
        bounds[i + 1] = bounds[i] + indptr[rows[i] + 1] - indptr[rows[i]]
    columns, kept = np.empty(bounds[-1], np.int32), np.empty(bounds[-1], np.float32)
    for i in range(len(rows)):
        start = indptr[rows[i]]
        for k in range(bounds[i + 1] - bounds[i]):
            columns[bounds[i] + k], kept[bounds[i] + k] = indices[start + k], values[start + k]
    return bounds, columns, kept


@native
def turn(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    place: NDArray[np.int32],
    lengths: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint16], NDArray[np.float32]]:
    """One block of `columns.by_column`: (columns, starts, rows, values), by counting. lengths is zero before and after.

    Rows as in `SparseRows`; place int32 (columns of those,), -1: left out; lengths int32 (columns that are kept,).
    """
    stored = runs = 0
    for at in range(indptr[0], indptr[-1]):
        column = place[indices[at]]
        if column >= 0:
            runs += lengths[column] == 0
            lengths[column] += 1
            stored += 1
    columns, starts = np.empty(runs, np.int32), np.empty(runs, np.int64)
    rows, kept = np.empty(stored, np.uint16), np.empty(stored, np.float32)
    run = start = 0
    for column in range(len(lengths)):
        length = lengths[column]
        if length:
            columns[run], starts[run] = column, start
            run += 1
            lengths[column] = start  # from here on: where the column's next value goes
            start += length
    for i in range(len(indptr) - 1):
        for at in range(indptr[i], indptr[i + 1]):
            column = place[indices[at]]
            if column >= 0:
                to = lengths[column]
                lengths[column] = to + 1
                rows[to], kept[to] = i, values[at]
    for run in range(runs):
        lengths[columns[run]] = 0
    return columns, starts, rows, kept


@summing
def dense_moments(X: NDArray[np.float32], mean: Matrix, m2: Matrix) -> int:
    """mean = column means, m2 = Σ (x - mean)², both (d,) and zero before; returns the rows that are not finite."""
    rows, columns = X.shape
    broken = 0
    for i in range(rows):
        total = 0.0
        for j in range(columns):
            total += np.float64(X[i, j])  # finite float32 values cannot overflow a float64 sum
            mean[j] += X[i, j]
        if not np.isfinite(total):
            broken += 1
    for j in range(columns):
        mean[j] /= rows
    for i in range(rows):
        for j in range(columns):
            delta = X[i, j] - mean[j]
            m2[j] += delta * delta
    return broken
