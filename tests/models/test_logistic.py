import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mailmill.errors import ConfigError, DataError
from mailmill.models.data import TrainingArrays
from mailmill.models.logistic import (
    LogisticSettings,
    NewtonTask,
    fit_logistic,
    newton_sums,
    sigmoid,
)

from .problems import CLASSES, Uncached, cut, problem


def oracle(X: np.ndarray, y: np.ndarray, l2: float, **options: object) -> LogisticRegression:
    C = 1 / (l2 * len(X))
    return LogisticRegression(C=C, tol=1e-12, solver="newton-cholesky", max_iter=200, **options).fit(X, y)


@pytest.mark.parametrize("l2", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("weights", [None, "balanced", (0.5, 3.0)])
def test_raw_penalty_is_that_of_scikit_learn(l2: float, weights: tuple[float, float] | None) -> None:
    data = problem(noise=3.0)
    model, evidence = fit_logistic(cut(data), CLASSES, LogisticSettings(l2=l2, standardize=False, class_weight=weights))
    by_class = dict(enumerate(weights)) if isinstance(weights, tuple) else weights
    expected = oracle(data.X.astype(float), data.y, l2, class_weight=by_class)
    np.testing.assert_allclose(model.coef, expected.coef_[0], rtol=1e-6)
    np.testing.assert_allclose(model.intercept, expected.intercept_[0], rtol=1e-6)
    np.testing.assert_allclose(model.probability(data.X), expected.predict_proba(data.X.astype(float)), atol=1e-8)
    assert evidence.converged
    assert evidence.gradient_norm is not None
    assert evidence.gradient_norm < 1e-12


def test_standardised_penalty_is_that_of_a_scaled_problem() -> None:
    data = problem(noise=3.0)
    scaler = StandardScaler().fit(data.X.astype(float))
    expected = oracle(scaler.transform(data.X.astype(float)), data.y, 0.05)
    model, _ = fit_logistic(cut(data), CLASSES, LogisticSettings(l2=0.05))
    np.testing.assert_allclose(model.coef * scaler.scale_, expected.coef_[0], rtol=1e-6)


def test_derivatives_agree_with_finite_differences() -> None:
    data = problem(400, 4)
    fragment, rng = Uncached(data), np.random.default_rng(1)
    theta = rng.normal(size=5)

    def at(point: np.ndarray) -> object:
        mean, scale = data.X.mean(axis=0).astype(float), data.X.std(axis=0).astype(float)
        return newton_sums(fragment, NewtonTask("train", mean, scale, (0.7, 1.9), point))

    sums, step = at(theta), 1e-5
    for j, unit in enumerate(np.eye(5) * step):
        up, down = at(theta + unit), at(theta - unit)
        assert sums.gradient[j] == pytest.approx((up.loss - down.loss) / (2 * step), rel=1e-6, abs=1e-4)
        np.testing.assert_allclose(sums.hessian[j], (up.gradient - down.gradient) / (2 * step), rtol=1e-6, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 1500), max_size=7), st.booleans(), st.sampled_from([0.0, 1e-8, 1e-2]))
def test_partitionings_agree(at: list[int], standardize: bool, l2: float) -> None:
    data, chosen = problem(noise=2.0), LogisticSettings(l2=l2, standardize=standardize)
    whole, _ = fit_logistic(cut(data), CLASSES, chosen)
    parts, evidence = fit_logistic(cut(data, at), CLASSES, chosen)
    np.testing.assert_allclose(parts.coef, whole.coef, rtol=1e-9)
    assert parts.intercept == pytest.approx(whole.intercept, rel=1e-9)
    assert evidence.converged
    assert evidence.rows == 1500


def test_constant_columns_get_no_weight_and_do_no_harm() -> None:
    data = problem(500, 3)
    X = np.concatenate([data.X, np.full((500, 1), 0.1, np.float32)], axis=1)
    for l2 in (0.0, 0.1):
        plain, _ = fit_logistic(cut(data), CLASSES, LogisticSettings(l2=l2))
        model, evidence = fit_logistic(
            cut(TrainingArrays(X, data.y, data.ids), (77,)), CLASSES, LogisticSettings(l2=l2)
        )
        assert evidence.converged
        assert model.coef[3] == 0
        np.testing.assert_allclose(model.coef[:3], plain.coef, rtol=1e-9)


def test_extreme_scales_and_margins_stay_finite() -> None:
    data = problem(500, 3, noise=0.01)
    X = (data.X.astype(float) * [1e-12, 1e12, 1]).astype(np.float32)
    model, evidence = fit_logistic(cut(TrainingArrays(X, data.y, data.ids)), CLASSES, LogisticSettings(l2=1e-9))
    assert evidence.converged
    assert np.isfinite(model.probability(X)).all()


def separable(gap: bool) -> TrainingArrays:
    x = np.linspace(-1, 1, 40, dtype=np.float32)
    y = (x > 0).astype(np.int64)
    if not gap:  # quasi-complete: both classes meet in one point
        x[19:21] = 0
    return TrainingArrays(x[:, None], y, np.arange(40, dtype=np.uint64))


@pytest.mark.parametrize("gap", [True, False])
def test_separated_classes_without_penalty_are_an_error(gap: bool) -> None:
    with pytest.raises(DataError, match="separa"):
        fit_logistic(cut(separable(gap)), CLASSES, LogisticSettings(l2=0))
    _, evidence = fit_logistic(cut(separable(gap)), CLASSES, LogisticSettings(l2=1e-6))
    assert evidence.converged


def test_dependent_columns_without_penalty_are_an_error() -> None:
    data = problem(300, 3)
    doubled = TrainingArrays(np.concatenate([data.X, 2 * data.X[:, :1]], axis=1), data.y, data.ids)
    with pytest.raises(DataError, match="linearly dependent"):
        fit_logistic(cut(doubled), CLASSES, LogisticSettings(l2=0))


def test_the_iteration_limit_does_not_look_like_convergence() -> None:
    _, evidence = fit_logistic(cut(problem()), CLASSES, LogisticSettings(max_iterations=2))
    assert evidence.converged is False
    assert evidence.iterations == 2
    assert evidence.gradient_norm is not None
    assert evidence.gradient_norm > 1e-10


def test_passes_are_counted() -> None:
    calls = []
    inner = cut(problem())

    def counting(partial: object, merge: object, broadcast: object) -> object:
        calls.append(pickle.loads(pickle.dumps((partial, broadcast))))
        return inner(partial, merge, broadcast)

    _, evidence = fit_logistic(counting, CLASSES, LogisticSettings())
    assert evidence.passes == len(calls)


def test_other_than_two_classes_are_named() -> None:
    with pytest.raises(DataError, match=r"found 3: \['a', 'b', 'c'\]"):
        fit_logistic(cut(problem(classes=3)), ("a", "b", "c"), LogisticSettings())


@pytest.mark.parametrize(
    "wrong",
    [{"l2": -1}, {"l2": float("nan")}, {"tolerance": 0}, {"max_iterations": 0}, {"class_weight": (1.0,)},
     {"class_weight": (1.0, 0.0)}, {"class_weight": "even"}, {"standardize": 1}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        LogisticSettings(**wrong)


@given(st.floats(-1e4, 1e4))
def test_sigmoid_is_symmetric_and_bounded(z: float) -> None:
    p, q = sigmoid(np.array([z, -z]))
    assert 0 <= p <= 1
    assert p + q == pytest.approx(1, abs=1e-15)
