from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill.errors import DataError
from mailmill.models.data import SparseRows
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.logistic import LogisticModel, LogisticSettings, fit_logistic
from mailmill.models.scoring import Model, predict, probability, sentiment

from .problems import CLASSES, cut, problem

DATA = problem(5000, 23, noise=3.0)
KINDS = ("forest", "logistic")


@cache
def fitted(kind: str) -> Model:
    if kind == "logistic":
        return fit_logistic(cut(DATA), CLASSES, LogisticSettings())[0]
    return fit_forest(cut(DATA), CLASSES, ForestSettings(trees=7, depth=6))[0]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 4999), st.integers(1, 5000))
def test_a_row_scores_the_same_in_every_batch(kind: str, start: int, rows: int) -> None:
    whole = probability(fitted(kind), DATA.X)
    part = np.ascontiguousarray(DATA.X[start : start + rows])
    assert probability(fitted(kind), part).tobytes() == whole[start : start + rows].tobytes()
    assert probability(fitted(kind), np.asfortranarray(part)).tobytes() == whole[start : start + rows].tobytes()
    assert probability(fitted(kind), DATA.X[start : start + rows][::-1]).tobytes() == (
        whole[start : start + rows][::-1].tobytes()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_sum_to_one(kind: str) -> None:
    p = probability(fitted(kind), DATA.X)
    assert p.dtype == np.float64
    assert p.shape == (5000, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-15)
    assert probability(fitted(kind), DATA.X[:0]).shape == (0, 2)


def test_decision_is_the_linear_function() -> None:
    model = fitted("logistic")
    assert isinstance(model, LogisticModel)
    np.testing.assert_allclose(model.decision(DATA.X), DATA.X.astype(float) @ model.coef.T + model.intercept, rtol=1e-9)


def test_predictions_and_sentiment() -> None:
    p = np.array([[0.5, 0.5], [0.6, 0.4], [0.0, 1.0]])
    assert predict(p).tolist() == [1, 0, 1]
    assert predict(p, 0.4).tolist() == [1, 1, 1]
    assert sentiment(p).tolist() == [0.0, pytest.approx(-0.2), 1.0]
    three = np.array([[0.4, 0.4, 0.2], [0.1, 0.1, 0.8]])
    assert predict(three, 0.99).tolist() == [0, 2]
    assert sentiment(three).tolist() == pytest.approx([-0.2, 0.7])


@pytest.mark.parametrize(
    ("columns", "value", "reason"),
    [(2, 1.0, None), (1, 1.0, "features have 1"), (3, 1.0, "features have 3"), (None, 1.0, "features have none"),
     (2, np.nan, "NaN or infinite"), (2, np.inf, "NaN or infinite")],
)  # fmt: skip
def test_unusable_sparse_features_are_refused(columns: int | None, value: float, reason: str | None) -> None:
    """A table of more n-grams than the model's has them in other columns: the scores would be of other words."""
    model = LogisticModel(CLASSES, np.ones((1, 1)), np.zeros(1), LogisticSettings(), np.ones((1, 2)))
    X, bounds = np.zeros((1, 1), np.float32), np.array([0, 1], np.int64)
    values = np.array([value], np.float32)
    sparse = None if columns is None else SparseRows(bounds, np.zeros(1, np.int32), values, columns)
    if reason is None:
        assert probability(model, X, sparse)[0, 1] == pytest.approx(1 / (1 + np.exp(-1)))
    else:
        with pytest.raises(DataError, match=reason):
            probability(model, X, sparse)


def test_unusable_features_are_refused() -> None:
    X = DATA.X[:3].copy()
    X[1, 4] = np.nan
    for kind in KINDS:
        for wrong, reason in ((X, "1 of 3"), (DATA.X[:, :5], "columns"), (DATA.X.astype(float), "float32")):
            with pytest.raises(DataError, match=reason):
                probability(fitted(kind), wrong)
