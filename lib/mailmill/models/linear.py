"""What the compiled loops of a linear model compute, as plain matrix products: the reference of `native.linear`.

A pass multiplies a block of rows by a few vectors (a class each, or a trial point each) and, once the loss is
known, adds its rows up with weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.models.data import SparseRows

Matrix = NDArray[np.float64]


def reference_margins(X: NDArray[np.float32], mean: Matrix, W: Matrix, sparse: SparseRows | None, V: Matrix) -> Matrix:
    """(X - mean) Wᵀ + S V, as plain matrix products over a dense copy."""
    Z = (X.astype(np.float64) - mean) @ W.T
    return np.asarray(Z if sparse is None else Z + sparse.dense() @ V)


def reference_gradient(
    X: NDArray[np.float32], mean: Matrix, R: Matrix, sparse: SparseRows | None
) -> tuple[Matrix, Matrix | None]:
    """Rᵀ (X - mean) and Sᵀ R, as plain matrix products over a dense copy."""
    return R.T @ (X.astype(np.float64) - mean), None if sparse is None else sparse.dense().T @ R
