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


@summing
def sparse_margins(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], values: NDArray[np.float32], V: Matrix, Z: Matrix
) -> None:
    """Z += S V for the rows S of (indptr, indices, values), see `SparseRows`. V (columns, q), Z (n, q)."""
    for i in range(len(indptr) - 1):
        for at in range(indptr[i], indptr[i + 1]):
            for k in range(V.shape[1]):
                Z[i, k] += values[at] * V[indices[at], k]


@native
def sparse_gradient(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    R: Matrix,
    units: float,
    G: NDArray[np.int64],
) -> None:
    """G += Sᵀ R in whole units, rint(units s_ij R_ik) a value: a sum that no order of the rows changes.

    S: the rows of (indptr, indices, values), see `SparseRows`. R (n, q), G (columns, q).
    """
    for i in range(len(indptr) - 1):
        for at in range(indptr[i], indptr[i + 1]):
            for k in range(R.shape[1]):
                G[indices[at], k] += np.int64(np.rint(values[at] * R[i, k] * units))


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
