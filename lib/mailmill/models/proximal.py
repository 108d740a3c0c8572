"""The minimum of a quadratic model with absolute values, by coordinate descent: the step of the lasso.

The model's Hessian is B = H - U M⁻¹ Uᵀ, where H has dense blocks and a diagonal, and the rest is the few
columns that a quasi-Newton method has learned. It lives on the driver; no pass over the data is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_SWEEPS = 20_000
_PRECISE = 1e-10


@dataclass(frozen=True)
class QuadraticModel:
    """gᵀx + xᵀBx / 2, B = H - U Wᵀ: blocks (b, h, h) of H at the coordinates places (b, h); diagonal (p,), read
    elsewhere; U and W (p, r) with symmetric U Wᵀ."""

    gradient: Vector
    blocks: Matrix
    places: NDArray[np.int64]
    diagonal: Vector
    U: Matrix
    W: Matrix


def proximal_step(model: QuadraticModel, theta: Vector, l1: Vector) -> Vector:
    """argmin_x gᵀx + xᵀBx / 2 + Σ_j l1_j |θ_j + x_j|, to a relative precision of about 1e-10; float64 (p,).

    Cyclic coordinate descent with soft thresholding: Friedman, Hastie & Tibshirani, "Regularization paths for
    generalized linear models via coordinate descent", Journal of Statistical Software 33, 2010.
    """
    from mailmill.models.native.descent import descend

    x = np.zeros_like(theta)
    elsewhere = np.ones(len(theta), np.bool_)
    elsewhere[model.places.ravel()] = False
    tail = np.flatnonzero(elsewhere)
    arrays = (model.gradient, model.blocks, model.places, model.diagonal, model.U, model.W)
    descend(*arrays, tail, theta, l1, x, _SWEEPS, _PRECISE)
    return x
