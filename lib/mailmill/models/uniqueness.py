"""Without a penalty: does the minimum exist, and is it the only one?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.quasinewton import Result

#: A standardised column whose curvature is below this share is predicted perfectly wherever it is not 0.
_FLAT = 1e-15


def require_unique(hessian: NDArray[np.float64], gradient: NDArray[np.float64], result: Result) -> None:
    """Raise DataError where the Hessian, of standardised columns, is singular to working precision, or Newton's step
    leads far away."""
    flat = bool((np.diagonal(hessian) < _FLAT).any())
    diagonal = np.sqrt(np.abs(np.diagonal(hessian)))
    unit = np.where(diagonal > 0, diagonal, 1.0)
    scaled = hessian / unit / unit[:, None]
    try:
        smallest = float(np.diagonal(np.linalg.cholesky(scaled)).min())
    except np.linalg.LinAlgError:
        smallest = 0.0
    unique = not flat and smallest**2 > len(unit) * float(np.finfo(np.float64).eps)
    if unique:
        reach = float(np.abs(np.linalg.solve(scaled, gradient / unit) / unit).max())
        unique = not result.converged or reach <= 1e-3 * max(1.0, float(np.abs(result.point.theta).max()))
    if not unique:
        raise DataError(
            "the objective has no unique minimum: columns are linearly dependent or separate the classes",
            hint="Set a larger l2.",
        )
