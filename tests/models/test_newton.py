import numpy as np
import pytest

from mailmill.errors import DataError
from mailmill.models.newton import Point, minimise


def test_a_quadratic_takes_one_step_and_a_confirmation() -> None:
    H, target = np.diag([1.0, 1e8]), np.array([3.0, -2.0])

    def quadratic(theta: np.ndarray) -> Point:
        g = H @ (theta - target)
        return Point(theta, float(g @ (theta - target)) / 2, g, H)

    point, converged, iterations = minimise(quadratic, np.zeros(2), tolerance=1e-6, max_iterations=10)
    assert converged
    assert iterations <= 3
    np.testing.assert_allclose(point.theta, target, rtol=1e-14)


def test_steps_that_overshoot_are_halved() -> None:
    # Plain Newton on log cosh diverges from |x| > 1.09.
    def log_cosh(theta: np.ndarray) -> Point:
        x = float(theta[0])
        return Point(theta, float(np.logaddexp(x, -x)), np.tanh(theta), np.array([[1 / np.cosh(x) ** 2]]))

    point, converged, _ = minimise(log_cosh, np.array([3.0]), tolerance=1e-10, max_iterations=50)
    assert converged
    assert abs(point.theta[0]) < 1e-12


def test_a_minimum_at_infinity_is_not_convergence() -> None:
    def falling(theta: np.ndarray) -> Point:
        value = np.exp(-theta)
        return Point(theta, float(value[0]), -value, np.diag(value))

    _, converged, iterations = minimise(falling, np.zeros(1), tolerance=1e-6, max_iterations=40)
    assert not converged
    assert iterations == 40


def test_a_flat_direction_is_an_error() -> None:
    with pytest.raises(DataError, match="unique minimum"):
        minimise(
            lambda t: Point(t, float(t[0] ** 2), np.array([2 * t[0] + 1, 0.0]), np.diag([2.0, 0.0])),
            np.ones(2),
            tolerance=1e-9,
            max_iterations=5,
        )


def test_a_minimum_at_infinity_is_recognised_once_nothing_falls() -> None:
    def levelling(theta: np.ndarray) -> Point:
        value = np.exp(-theta)
        return Point(theta, 1 + float(value[0]), -value, np.diag(value))

    with pytest.raises(DataError, match="unique minimum"):
        minimise(levelling, np.zeros(1), tolerance=1e-6, max_iterations=100)
