"""Quasi-Newton minimisation whose first metric is the Hessian of a sample of the rows.

A point costs a pass over the data, so the driver spends arithmetic to need few of them. With the sample's
Hessian as the first metric the problem is round from the start, whatever the columns' scales and correlations;
the pairs that L-BFGS collects correct what the sample does not see. The method knows nothing of classifiers,
asks for points by `yield`, so that several searches share their passes, and says honestly whether it converged.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mailmill.models.objective import Point
from mailmill.models.penalty import Penalty
from mailmill.models.proximal import QuadraticModel, proximal_step

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_PAIRS = 12
#: Of more parameters than this, points are evaluated one by one: each costs a worker two arrays of their number.
_WIDE = 1 << 20
_ARMIJO = 1e-4
_ROUNDING = 1e-13
_SETTLED = 10.0
_REFRESH = 8
#: After a full step that does not lower the value, lengths that are tried together in one pass.
_SHORTER = (1 / 2, 1 / 4, 1 / 16, 1 / 64)
_ROUNDS = 6


class Metric(Protocol):
    """A positive definite approximation H of the Hessian, which can be taken anew at another point."""

    def refresh(self, theta: Vector) -> None:
        """Take H at theta."""

    def correct(self, step: Vector, change: Vector) -> None:
        """Mend what in H is only guessed by how the gradient changed along a step."""

    def solve(self, vector: Vector) -> Vector:
        """H⁻¹ vector"""

    def product(self, vector: Vector) -> Vector:
        """H vector"""

    def parts(self) -> tuple[Matrix, NDArray[np.int64], Vector]:
        """H as (blocks, places, diagonal), see `proximal.QuadraticModel`."""


@dataclass(frozen=True)
class Result:
    """Where a search ended: the last point, whether it converged, steps taken, norm of the last subgradient."""

    point: Point
    converged: bool
    iterations: int
    gradient_norm: float


Search = Generator[list[Vector], list[Point], Result]


class Curvature:
    """A metric and up to `_PAIRS` pairs (s, y) of steps and changes of gradient, together an L-BFGS matrix B.

    The pairs are the rows of S and Y, and all that recursions need of them besides are the products S Yᵀ: so a
    solution reads each matrix twice, where vector by vector it would be read and written four times as often.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._S = self._Y = np.empty((0, 0))
        self._products = np.zeros((_PAIRS, _PAIRS))
        self._order: list[int] = []  # the rows in use, the oldest first

    def learn(self, step: Vector, change: Vector) -> None:
        """Take in a pair, unless rounding has eaten the curvature along the step."""
        if float(step @ change) <= 1e-14 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            return
        if not self._order:
            self._S, self._Y = np.empty((_PAIRS, len(step))), np.empty((_PAIRS, len(step)))
        row = len(self._order) if len(self._order) < _PAIRS else self._order.pop(0)
        self._order.append(row)
        used = len(self._order)
        self._S[row], self._Y[row] = step, change
        self._products[row, :used] = self._Y[:used] @ step
        self._products[:used, row] = self._S[:used] @ change
        self.metric.correct(step, change)

    def solve(self, vector: Vector) -> Vector:
        """B⁻¹ vector by the two-loop recursion: Nocedal & Wright, "Numerical Optimization", 2006, algorithm 7.4."""
        if not self._order:
            return self.metric.solve(vector)
        used, order, products = len(self._order), self._order, self._products
        S, Y = self._S[:used], self._Y[:used]
        alpha, gamma, along = np.zeros(used), np.zeros(used), S @ vector
        for k in range(used - 1, -1, -1):
            i, newer = order[k], order[k + 1 :]
            alpha[i] = (along[i] - alpha[newer] @ products[i, newer]) / products[i, i]
        found = self.metric.solve(vector - alpha @ Y)
        along = Y @ found
        for k in range(used):
            i, older = order[k], order[:k]
            gamma[i] = alpha[i] - (along[i] + gamma[older] @ products[older, i]) / products[i, i]
        found += gamma @ S
        return found

    def step(self, point: Point, penalty: Penalty) -> Vector:
        """The minimum of the quadratic model at `point`, absolute values included, as a step from there."""
        if penalty.smooth:
            return -self.solve(point.gradient)
        U, W = self._compact()
        model = QuadraticModel(point.gradient, *self.metric.parts(), U, W)
        return proximal_step(model, point.theta, penalty.l1)

    def _compact(self) -> tuple[Matrix, Matrix]:
        """(U, W) with B = H - U Wᵀ: Byrd, Nocedal & Schnabel, "Representations of quasi-Newton matrices", 1994."""
        if not self._order:
            nothing = np.zeros((len(self.metric.parts()[2]), 0))
            return nothing, nothing
        S, Y = self._S[self._order].T, self._Y[self._order].T
        HS = np.stack([self.metric.product(s) for s in S.T], axis=1)
        SY = S.T @ Y
        lower = np.tril(SY, -1)
        middle = np.block([[S.T @ HS, lower], [lower.T, -np.diag(np.diagonal(SY))]])
        U = np.concatenate([HS, Y], axis=1)
        return U, np.ascontiguousarray(np.linalg.solve(middle, U.T).T)


def minimise(start: Vector, metric: Metric, penalty: Penalty, *, tolerance: float, max_iterations: int) -> Search:
    """argmin of a smooth convex function plus Σ l1_j |θ_j|; yields lists of θ, is sent the points there.

    Each step minimises a quadratic model (proximal where there are absolute values: Lee, Sun & Saunders,
    "Proximal Newton-type methods", SIAM J. Optimization 24, 2014) and is shortened until the value falls by
    1e-4 of what the model's slope promises. Nearly always the full step does, so an iteration is one pass.

    Converged means: max_j |subgradient_j| <= tolerance, and the next step would change no θ_j by more than
    10 tolerance max(1, max_j |θ_j|). The second condition rejects a minimum at infinity, where gradients vanish
    but steps do not.
    """
    (point,) = yield [start]
    curvature = Curvature(metric)
    for iteration in range(max_iterations + 1):
        norm = float(np.abs(penalty.subgradient(point.theta, point.gradient)).max())
        step = curvature.step(point, penalty)
        reach = float(np.abs(step).max())
        if norm <= tolerance and reach <= _SETTLED * tolerance * max(1.0, float(np.abs(point.theta).max())):
            return Result(point, True, iteration, norm)
        if iteration == max_iterations:
            break
        found = yield from _search(point, step, penalty)
        if found is None:
            break
        curvature.learn(found.theta - point.theta, found.gradient - point.gradient)
        point = found
        if iteration % _REFRESH == _REFRESH - 1:
            metric.refresh(point.theta)
    return Result(point, False, iteration, norm)


def _search(point: Point, step: Vector, penalty: Penalty) -> Generator[list[Vector], list[Point], Point | None]:
    """The first of θ + s, then of shorter steps, that lowers the value enough, allowing for its rounding."""
    here = penalty.absolutes(point.theta)
    value = point.value + here
    slope = float(point.gradient @ step) + penalty.absolutes(point.theta + step) - here
    lengths: tuple[float, ...] = (1.0,)
    at_once = 1 if len(point.theta) > _WIDE else len(_SHORTER)
    for attempt in range(_ROUNDS):
        for first in range(0, len(lengths), at_once):
            tried = lengths[first : first + at_once]
            trials = yield [point.theta + length * step for length in tried]
            for length, trial in zip(tried, trials, strict=True):
                reached = trial.value + penalty.absolutes(trial.theta)
                if reached <= value + _ARMIJO * length * slope + _ROUNDING * abs(value):
                    return trial
        lengths = tuple(length * 64.0**-attempt for length in _SHORTER)
    return None


def together(searches: Sequence[Search], evaluate: Callable[[list[tuple[int, Vector]]], list[Point]]) -> list[Result]:
    """Run searches side by side: in each round one call of `evaluate` serves all that are not done.

    evaluate: (search's number, theta) for every point that is wanted -> the points, in the same order.
    """
    results: dict[int, Result] = {}
    wanted = {number: next(search) for number, search in enumerate(searches)}
    while wanted:
        found = iter(evaluate([(number, theta) for number, thetas in wanted.items() for theta in thetas]))
        following = {}
        for number, thetas in wanted.items():
            try:
                following[number] = searches[number].send([next(found) for _ in thetas])
            except StopIteration as ended:
                results[number] = ended.value
        wanted = following
    return [results[number] for number in range(len(searches))]
