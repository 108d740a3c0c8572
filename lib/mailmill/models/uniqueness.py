"""Without a penalty: does the minimum exist, and is it the only one?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.quasinewton import Result

Matrix = NDArray[np.float64]

#: A direction that keeps no larger share of its curvature is one in which the classes part: there every step lowers the
#: objective, until rounding hides it.
_KEPT = 1e-10


def require_unique(hessian: Matrix, at_start: Matrix, gradient: NDArray[np.float64], result: Result) -> None:
    """Raise DataError where the Hessian is singular to working precision, or has lost a direction that it has with all
    coefficients 0, `at_start`, or Newton's step leads far away."""
    unit, pivots = _pivots(hessian)
    unique = float(pivots.min()) > len(unit) * float(np.finfo(np.float64).eps)
    if unique:
        before, first = _pivots(at_start)
        unique = bool((pivots * unit**2 > _KEPT * first * before**2).all())
    if unique:
        scaled = hessian / unit / unit[:, None]
        reach = float(np.abs(np.linalg.solve(scaled, gradient / unit) / unit).max())
        unique = not result.converged or reach <= 1e-3 * max(1.0, float(np.abs(result.point.theta).max()))
    if not unique:
        raise DataError(
            "the objective has no unique minimum: columns are linearly dependent or separate the classes",
            hint="Set a larger l2.",
        )


def _pivots(hessian: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Roots of the diagonal, and the pivots of what is left when rows and columns are divided by them: of each column
    the share of its curvature that those before it leave. Zeros for a matrix that is not positive definite."""
    diagonal = np.sqrt(np.abs(np.diagonal(hessian)))
    unit = np.where(diagonal > 0, diagonal, 1.0)
    try:
        return unit, np.diagonal(np.linalg.cholesky(hessian / unit / unit[:, None])) ** 2
    except np.linalg.LinAlgError:
        return unit, np.zeros(len(unit))
