"""The compiled loops against plain matrix products, and the loss against its definition and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill.models.columns import by_column, ranked
from mailmill.models.data import MemoryFragment, in_process
from mailmill.models.hessian import Head, HessianSums, HessianTask, fragment_hessian
from mailmill.models.linear import reference_gradient, reference_margins
from mailmill.models.loss import log_loss, margins_of, probabilities, sigmoid
from mailmill.models.native.linear import (
    dense_gradient,
    dense_margins,
    dense_moments,
)
from mailmill.models.objective import Layout, Objective
from mailmill.models.penalty import Penalty

from .problems import cut, sparse_problem


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.floats(-1e4, 1e4))
def test_loops_are_matrix_products(rows: int, columns: int, points: int, shift: float) -> None:
    rng, data = np.random.default_rng(rows), sparse_problem(rows + 5, columns, 12)
    X, sparse = (data.X + np.float32(shift)).astype(np.float32), data.sparse
    assert sparse is not None
    mean, W, V = X.mean(axis=0).astype(float), rng.normal(size=(points, columns)), rng.normal(size=(12, points))
    Z = np.zeros((len(X), points))
    dense_margins(X, mean, W, Z)
    turned = by_column(sparse, None)
    turned.add_margins(0, V, Z)
    np.testing.assert_allclose(Z, reference_margins(X, mean, W, sparse, V), rtol=1e-11, atol=1e-11)
    R, G, H = rng.normal(size=Z.shape), np.zeros_like(W), np.zeros(V.shape, np.int64)
    dense_gradient(X, mean, R, G)
    turned.add_gradient(0, R, 2.0**40, H)
    dense, of_sparse = reference_gradient(X, mean, R, sparse)
    np.testing.assert_allclose(G, dense, rtol=1e-10, atol=1e-9)
    assert of_sparse is not None
    np.testing.assert_allclose(H * 2.0**-40, of_sparse, rtol=1e-10, atol=1e-10)


def test_a_row_has_the_same_margins_in_every_block() -> None:
    data, rng = sparse_problem(300, 37, 5), np.random.default_rng(1)
    W, mean = rng.normal(size=(3, 37)), rng.normal(size=37)
    whole, part = np.zeros((300, 3)), np.zeros((50, 3))
    dense_margins(data.X, mean, W, whole)
    dense_margins(data.X[120:170], mean, W, part)
    assert part.tobytes() == whole[120:170].tobytes()


def test_moments_find_rows_that_are_not_finite() -> None:
    X = sparse_problem(50, 4, 3).X.copy()
    mean, m2 = np.zeros(4), np.zeros(4)
    assert dense_moments(X, mean, m2) == 0
    np.testing.assert_allclose(mean, X.mean(axis=0, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(m2, X.astype(float).var(axis=0) * 50, rtol=1e-10)
    X[3, 1], X[7, 0], X[7, 2] = np.nan, np.inf, -np.inf
    assert dense_moments(X, np.zeros(4), np.zeros(4)) == 2


@given(st.integers(2, 6), st.floats(-800, 800), st.integers(0, 5))
def test_loss_is_minus_log_of_the_own_class(classes: int, size: float, own: int) -> None:
    rng = np.random.default_rng(classes)
    Z = size * rng.normal(size=(1, margins_of(classes)))
    y = np.array([own % classes])
    found = log_loss(Z, y, np.array([2.0]))
    p = probabilities(Z)
    assert np.isfinite(found.total)
    assert p.sum() == pytest.approx(1)
    if p[0, y[0]] > 1e-300:
        assert found.total == pytest.approx(-2 * np.log(p[0, y[0]]), rel=1e-9, abs=1e-12)
    if abs(found.lead) > 1e-9:
        assert (found.lead > 0) == (p[0].argmax() == y[0])


@given(st.floats(-1e4, 1e4))
def test_sigmoid_is_symmetric_and_bounded(z: float) -> None:
    p, q = sigmoid(np.array([z, -z]))
    assert 0 <= p <= 1
    assert p + q == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("classes", [2, 3])
def test_derivatives_agree_with_finite_differences(classes: int) -> None:
    data = sparse_problem(400, 3, 5, classes=classes)
    assert data.sparse is not None
    active = ranked((data.sparse.dense() ** 2).sum(axis=0))
    assert sorted(active) == [0, 1, 2, 3, 4]
    X = data.X.astype(float)
    layout = Layout(margins_of(classes), X.mean(axis=0), X.std(axis=0), active, 5)
    weight, rng = (0.7, 1.9, 1.3)[:classes], np.random.default_rng(1)
    size = layout.margins * layout.width
    penalty = Penalty(rng.uniform(0.1, 1, size), np.zeros(size))
    objective = Objective(cut(data, (100, 101)), layout, weight, "train", 400, bits=44)
    theta = rng.normal(size=size)
    task = HessianTask("train", Head(layout, np.arange(5)), weight, theta)
    sums = in_process([MemoryFragment({"train": data})])(fragment_hessian, HessianSums.merge, task)
    (places,) = task.head.places
    hessian = np.zeros((size, size))
    hessian[np.ix_(places, places)] = sums.symmetric()[0]
    hessian += np.diag(penalty.l2)
    step = 1e-5
    points = objective.evaluate([theta, *(theta + s * u for u in np.eye(size) * step for s in (1, -1))],
                                [penalty] * (2 * size + 1))  # fmt: skip
    assert objective.passes == 1
    here, around = points[0], points[1:]
    for j in range(size):
        up, down = around[2 * j], around[2 * j + 1]
        assert here.gradient[j] == pytest.approx((up.value - down.value) / (2 * step), rel=1e-5, abs=1e-8)
        np.testing.assert_allclose(hessian[j], (up.gradient - down.gradient) / (2 * step), rtol=1e-5, atol=1e-8)
