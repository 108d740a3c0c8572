"""Damped Newton minimisation of a smooth convex function whose evaluation is a pass over the data.

One evaluation returns value, gradient and Hessian together, because reading the rows costs more than the
arithmetic. The method knows nothing of classifiers; it says honestly whether it converged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError

Vector = NDArray[np.float64]

_ARMIJO = 1e-4
_ROUNDING = 1e-13
_HALVINGS = 40
_SETTLED = 1e-3


@dataclass(frozen=True)
class Point:
    """A function at theta (p,): value, gradient (p,) and Hessian (p, p), all float64."""

    theta: Vector
    value: float
    gradient: Vector
    hessian: NDArray[np.float64]

    @property
    def gradient_norm(self) -> float:
        """max_j |gradient_j|."""
        return float(np.abs(self.gradient).max())


def newton_step(point: Point) -> Vector:
    """The s with H s = -g, by Cholesky factorisation of H scaled to a unit diagonal.

    Raises:
        DataError: H is singular to working precision, so the minimum is not unique or lies at infinity.
    """
    diagonal = np.sqrt(np.abs(np.diagonal(point.hessian)))
    unit = np.where(diagonal > 0, diagonal, 1.0)
    scaled = point.hessian / unit / unit[:, None]
    try:
        factor = np.linalg.cholesky(scaled)
        smallest = float(np.diagonal(factor).min())
    except np.linalg.LinAlgError:
        smallest = 0.0
    if not smallest**2 > len(unit) * np.finfo(np.float64).eps:
        raise _no_minimum()
    return np.asarray(-np.linalg.solve(scaled, point.gradient / unit) / unit, np.float64)


def _no_minimum() -> DataError:
    return DataError(
        "the objective has no unique minimum: columns are linearly dependent or separate the classes",
        hint="Set a larger l2.",
    )


def minimise(
    evaluate: Callable[[Vector], Point], start: Vector, *, tolerance: float, max_iterations: int
) -> tuple[Point, bool, int]:
    """argmin f by Newton steps s, each halved until f(θ + t s) <= f(θ) + 1e-4 t gᵀs.

    Converged means: max_j |g_j| <= tolerance at some iterate, and the full Newton step from there, which is
    taken too, is at most 1e-3 max(1, max_j |θ_j|). The second condition rejects a minimum at infinity, where
    gradients vanish but steps do not; the step taken squares the error, so that the result is at rounding level.

    Returns (last point, converged, iterations = steps taken). Nocedal & Wright, "Numerical Optimization",
    2006, algorithm 3.2.

    Raises:
        DataError: a singular Hessian, see `newton_step`; or gradient and decrease have vanished and steps have
            not, so that the minimum lies at infinity.
    """
    point = evaluate(start)
    for iteration in range(1, max_iterations + 1):
        step = newton_step(point)
        settled = float(np.abs(step).max()) <= _SETTLED * max(1.0, float(np.abs(point.theta).max()))
        if point.gradient_norm <= tolerance and settled:
            return evaluate(point.theta + step), True, iteration
        found = _search(evaluate, point, step)
        if found is None:
            return point, False, iteration
        if point.gradient_norm <= tolerance and found.value >= point.value * (1 - _ROUNDING):
            raise _no_minimum()
        point = found
    return point, False, max_iterations


def _search(evaluate: Callable[[Vector], Point], point: Point, step: Vector) -> Point | None:
    """The first of θ + s, θ + s/2, ... that decreases the value enough, allowing for its rounding."""
    slope = float(point.gradient @ step)
    length = 1.0
    for _ in range(_HALVINGS):
        trial = evaluate(point.theta + length * step)
        if trial.value <= point.value + _ARMIJO * length * slope + _ROUNDING * abs(point.value):
            return trial
        length /= 2
    return None
