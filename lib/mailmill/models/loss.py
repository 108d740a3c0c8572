"""The log loss of margins and its derivatives, safe for margins of any size.

Two classes have one margin a row (the logistic function), K > 2 classes have K (softmax). Nothing is
exponentiated that could overflow, and no probability is rounded to 1 minus another one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def margins_of(classes: int) -> int:
    """How many margins a row has: 1 for two classes, else one a class."""
    return 1 if classes == 2 else classes


@dataclass(frozen=True)
class Losses:
    """Of a block of rows: total = Σ_i c_i loss_i; residual (n, m) = c_i ∂loss_i / ∂z_i; and lead, the smallest
    margin by which a row's own class leads over the others (> 0: every row is classed rightly)."""

    total: float
    residual: Matrix
    lead: float


def log_loss(Z: Matrix, y: NDArray[np.integer], weight: Matrix) -> Losses:
    """loss_i = -log p_i[y_i] of margins Z (n, m), class indices y (n,) and row weights c (n,), n >= 1.

    m = 1: p[1] = 1 / (1 + exp(-z)), so loss = log(1 + exp(-s)) with s = (2 y - 1) z. m = K > 2: p = softmax(z).
    """
    if Z.shape[1] == 1:
        sign = 2.0 * y - 1.0
        signed = sign * Z[:, 0]
        small = np.exp(-np.abs(signed))
        loss = np.maximum(-signed, 0.0) + np.log1p(small)
        residual = -sign * weight * np.where(signed >= 0, small, 1.0) / (1.0 + small)
        return Losses(float(weight @ loss), residual[:, None], float(signed.min()))
    rows = np.arange(len(Z))
    P, top, total = _softmax(Z)
    own = Z[rows, y]
    others = Z.copy()
    others[rows, y] = -np.inf
    P[rows, y] -= 1.0
    P *= weight[:, None]
    return Losses(float(weight @ (np.log(total) + (top - own))), P, float((own - others.max(axis=1)).min()))


def probabilities(Z: Matrix) -> Matrix:
    """(n, classes) of margins (n, m): (sigmoid(-z), sigmoid(z)) for m = 1, else softmax(z)."""
    return np.concatenate([sigmoid(-Z), sigmoid(Z)], axis=1) if Z.shape[1] == 1 else _softmax(Z)[0]


def sigmoid(z: Matrix) -> Matrix:
    """1 / (1 + exp(-z)), from exp(-|z|) alone, which cannot overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1.0 + small)


def curvature(P: Matrix, a: int, b: int) -> Matrix:
    """∂²loss / ∂z_a ∂z_b of each row (n,), from its probabilities P (n, classes): p_a ([a = b] - p_b)."""
    if P.shape[1] == 2:
        return P[:, 0] * P[:, 1]
    return P[:, a] * (1.0 - P[:, a]) if a == b else -P[:, a] * P[:, b]


def _softmax(Z: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """(softmax, row maxima, sums of exp(z - maximum)); sums run in order of class, so a row's batch has no effect."""
    top = Z.max(axis=1)
    E = np.exp(Z - top[:, None])
    total = np.zeros(len(Z))
    for k in range(Z.shape[1]):
        total += E[:, k]
    return E / total[:, None], top, total
