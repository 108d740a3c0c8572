"""The search by itself, on functions whose minimum is known, and the proximal step against its conditions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mailmill.models.objective import Point
from mailmill.models.penalty import Penalty
from mailmill.models.proximal import QuadraticModel, proximal_step
from mailmill.models.quasinewton import Curvature, Result, minimise, together

Vector = NDArray[np.float64]
Function = Callable[[Vector], tuple[float, Vector]]


class Fixed:
    """A metric that never changes."""

    def __init__(self, H: NDArray[np.float64]) -> None:
        self.H = H

    def refresh(self, theta: Vector) -> None:
        pass

    def correct(self, step: Vector, change: Vector) -> None:
        pass

    def solve(self, vector: Vector) -> Vector:
        return np.linalg.solve(self.H, vector)

    def product(self, vector: Vector) -> Vector:
        return self.H @ vector

    def parts(self) -> tuple[NDArray[np.float64], NDArray[np.int64], Vector]:
        return self.H[None], np.arange(len(self.H))[None], np.ones(len(self.H))


def none(size: int) -> Penalty:
    return Penalty(np.zeros(size), np.zeros(size))


def run(f: Function, start: Vector, H: NDArray[np.float64], penalty: Penalty, **options: float) -> tuple[Result, int]:
    rounds = 0

    def evaluate(asked: list[tuple[int, Vector]]) -> list[Point]:
        nonlocal rounds
        rounds += 1
        return [Point(theta, *f(theta)) for _, theta in asked]

    chosen = {"tolerance": 1e-9, "max_iterations": 100} | options
    search = minimise(start, Fixed(H), penalty, **chosen)  # type: ignore[arg-type]
    return together([search], evaluate)[0], rounds


def quadratic(H: NDArray[np.float64], target: Vector) -> Function:
    return lambda theta: (float((theta - target) @ H @ (theta - target)) / 2, H @ (theta - target))


def random_hessian(size: int, seed: int) -> NDArray[np.float64]:
    A = np.random.default_rng(seed).normal(size=(2 * size, size)) * np.geomspace(1, 30, size)
    return A.T @ A / len(A)


def test_the_exact_metric_needs_one_step() -> None:
    H, target = random_hessian(5, 0), np.arange(5.0)
    result, rounds = run(quadratic(H, target), np.zeros(5), H, none(5))
    assert (result.converged, result.iterations, rounds) == (True, 1, 2)
    np.testing.assert_allclose(result.point.theta, target, atol=1e-12)


def test_a_poor_metric_is_corrected_on_the_way() -> None:
    H, target = random_hessian(8, 1), np.arange(8.0)
    result, _ = run(quadratic(H, target), np.zeros(8), np.diag(np.diagonal(H)), none(8))
    assert result.converged
    np.testing.assert_allclose(result.point.theta, target, atol=1e-8)


def log_cosh(theta: Vector) -> tuple[float, Vector]:
    """The full Newton step on it diverges from |x| > 1.09."""
    return float(np.logaddexp(theta[0], -theta[0])), np.tanh(theta)


def test_steps_that_overshoot_are_shortened_together() -> None:
    result, rounds = run(log_cosh, np.array([6.0]), np.array([[1 / np.cosh(6.0) ** 2]]), none(1))
    assert result.converged
    assert abs(result.point.theta[0]) < 1e-9
    assert rounds < 30


def test_wide_problems_have_one_point_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same lengths are tried, each in a pass of its own: a worker holds two arrays a point."""
    H, start = np.array([[1 / np.cosh(6.0) ** 2]]), np.array([6.0])
    alike, together_rounds = run(log_cosh, start, H, none(1))
    monkeypatch.setattr("mailmill.models.quasinewton._WIDE", 0)
    search = minimise(start, Fixed(H), none(1), tolerance=1e-9, max_iterations=100)
    asked, points = [], next(search)
    with pytest.raises(StopIteration) as ended:
        while True:
            asked.append(len(points))
            points = search.send([Point(theta, *log_cosh(theta)) for theta in points])
    assert set(asked) == {1}
    assert len(asked) >= together_rounds
    assert ended.value.value.converged
    assert ended.value.value.point.theta == pytest.approx(alike.point.theta, abs=1e-8)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_minimum_at_infinity_is_not_convergence(level: float) -> None:
    def falling(theta: Vector) -> tuple[float, Vector]:
        return level + float(np.exp(-theta[0])), -np.exp(-theta)

    result, _ = run(falling, np.zeros(1), np.eye(1), none(1), tolerance=1e-6, max_iterations=40)
    assert not result.converged


def test_the_limit_is_reported_as_such() -> None:
    H = random_hessian(8, 2)
    result, rounds = run(quadratic(H, np.ones(8)), np.zeros(8), np.eye(8) * 40 * np.trace(H), none(8), max_iterations=3)
    assert (result.converged, result.iterations, rounds) == (False, 3, 4)
    assert result.gradient_norm > 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 1000), st.floats(0, 3))
def test_absolute_values_meet_their_conditions(size: int, seed: int, strength: float) -> None:
    H, rng = random_hessian(size, seed), np.random.default_rng(seed)
    penalty = Penalty(np.zeros(size), strength * rng.uniform(0, 1, size))
    f = quadratic(H, rng.normal(size=size))
    result, _ = run(f, np.zeros(size), np.diag(np.diagonal(H)), penalty, max_iterations=400)
    assert result.converged
    theta, gradient = result.point.theta, f(result.point.theta)[1]
    zero = theta == 0
    assert (np.abs(gradient[zero]) <= penalty.l1[zero] + 1e-8).all()
    np.testing.assert_allclose(gradient[~zero], -(penalty.l1 * np.sign(theta))[~zero], atol=1e-8)


def test_the_proximal_step_sees_blocks_diagonal_and_what_was_learned() -> None:
    size, rng = 9, np.random.default_rng(3)
    blocks = np.stack([random_hessian(2, 4), random_hessian(2, 5)])
    places, diagonal = np.array([[0, 4], [2, 7]]), rng.uniform(1, 3, size)
    full = np.diag(diagonal)
    for block, at in zip(blocks, places, strict=True):
        full[np.ix_(at, at)] = block
    u = rng.normal(size=(size, 1)) * 0.1
    model = QuadraticModel(rng.normal(size=size), blocks, places, diagonal, u, u)
    B, theta, l1 = full - u @ u.T, rng.normal(size=size) * (np.arange(size) % 2), np.full(size, 0.3)
    reached = theta + proximal_step(model, theta, l1)
    slope = model.gradient + B @ (reached - theta)
    np.testing.assert_allclose(slope[reached != 0], -(l1 * np.sign(reached))[reached != 0], atol=1e-8)
    assert (np.abs(slope[reached == 0]) <= l1[reached == 0] + 1e-9).all()
    np.testing.assert_allclose(proximal_step(model, theta, 0 * l1), np.linalg.solve(B, -model.gradient), rtol=1e-7)


def test_learned_curvature_is_one_matrix_in_both_forms() -> None:
    H, rng = random_hessian(6, 6), np.random.default_rng(7)
    truth, curvature = random_hessian(6, 8), Curvature(Fixed(H))
    for _ in range(4):
        s = rng.normal(size=6)
        curvature.learn(s, truth @ s)
    g = rng.normal(size=6)
    U, W = curvature._compact()
    np.testing.assert_allclose(np.linalg.solve(H - U @ W.T, g), curvature.solve(g), rtol=1e-6)
    curvature.learn(g, -g)  # no curvature: nothing is learned
    np.testing.assert_array_equal(curvature._compact()[0], U)


def two_loops(pairs: list[tuple[Vector, Vector]], H: NDArray[np.float64], vector: Vector) -> Vector:
    """Nocedal & Wright's algorithm 7.4 as it is printed."""
    q, alphas = vector.copy(), []
    for s, y in reversed(pairs):
        alphas.append(s @ q / (s @ y))
        q -= alphas[-1] * y
    r = np.linalg.solve(H, q)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        r += s * (alpha - y @ r / (s @ y))
    return r


def test_learned_curvature_is_that_of_the_last_twelve_pairs() -> None:
    H, rng, curvature = random_hessian(40, 6), np.random.default_rng(7), Curvature(Fixed(random_hessian(40, 6)))
    truth, pairs = random_hessian(40, 8), []
    for count in range(30):
        s, g = rng.normal(size=40), rng.normal(size=40)
        np.testing.assert_allclose(curvature.solve(g), two_loops(pairs[-12:], H, g), rtol=1e-8, err_msg=str(count))
        pairs.append((s, truth @ s))
        curvature.learn(*pairs[-1])
        curvature.learn(s, -s)


def test_searches_side_by_side_share_their_rounds() -> None:
    H, rounds = random_hessian(4, 9), []

    def evaluate(asked: list[tuple[int, Vector]]) -> list[Point]:
        rounds.append([number for number, _ in asked])
        return [Point(theta, *quadratic(H, np.full(4, number))(theta)) for number, theta in asked]

    metrics = [Fixed(H), Fixed(np.diag(np.diagonal(H)))]
    searches = [minimise(np.full(4, 9.0), m, none(4), tolerance=1e-9, max_iterations=50) for m in metrics]
    first, second = together(searches, evaluate)
    np.testing.assert_allclose(first.point.theta, 0, atol=1e-8)
    np.testing.assert_allclose(second.point.theta, 1, atol=1e-8)
    assert rounds[0] == [0, 1]
    assert rounds[-1] == [1]
    assert sum(0 in asked for asked in rounds) == first.iterations + 1
