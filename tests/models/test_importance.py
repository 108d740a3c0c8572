"""Importances: shares that sum to one, scikit-learn's figures, and losses that a plain recomputation confirms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from mailmill.errors import DataError
from mailmill.models import forest
from mailmill.models.data import MemoryFragment, TrainingArrays
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.importance import (
    PermutationTask,
    impurity_importance,
    judge_without,
    permutation_importance,
    permutation_reference,
)

from .problems import CLASSES, cut, problem, take

DATA = problem(1200, 7)
MODEL, _ = fit_forest(cut(take(DATA, slice(0, 800))), CLASSES, ForestSettings(trees=15, depth=6, seed=1))
TEST = take(DATA, slice(800, 1200))


def test_impurity_importances_are_shares() -> None:
    found = impurity_importance(MODEL)
    assert found.shape == (7,)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
def test_impurity_importance_is_scikit_learns_on_the_same_tree(criterion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest, "SUBSAMPLE", np.zeros(1, np.uint64))  # every row weighs 1
    rng = np.random.default_rng(3)
    X = np.stack([rng.permutation(250) for _ in range(3)], axis=1).astype(np.float32)
    y = (X[:, 0] + 0.5 * X[:, 1] + rng.normal(0, 50, 250) > 175).astype(np.int64)
    chosen = ForestSettings(trees=1, depth=4, min_leaf=9, max_features=1.0, bootstrap="subsample", criterion=criterion)
    model, _ = fit_forest(cut(TrainingArrays(X, y, rng.integers(0, 2**64, 250, dtype=np.uint64))), CLASSES, chosen)
    peer = DecisionTreeClassifier(max_depth=4, min_samples_leaf=9, criterion=criterion, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.probability(X), peer.predict_proba(X), atol=1e-12)
    np.testing.assert_allclose(impurity_importance(model), peer.feature_importances_, atol=1e-6)


def test_losses_are_those_of_a_plain_recomputation() -> None:
    fragment = MemoryFragment({"test": TEST})
    for donors in (TEST.X[:1], TEST.X[:37], TEST.X):
        task = PermutationTask(MODEL, "test", donors, 5)
        quick, plain = judge_without(fragment, task), permutation_reference(fragment, task)
        assert (quick.rows, quick.right) == (plain.rows, plain.right) == (400, quick.right)
        assert np.abs(quick.lost - plain.lost).max() <= 1  # a tie of two classes may resolve otherwise


def test_importance_does_not_depend_on_partitioning_or_order() -> None:
    whole = permutation_importance(cut(TEST), MODEL, split="test", donors=50)
    order = np.random.default_rng(0).permutation(400)
    parts = permutation_importance(cut(take(TEST, order), (0, 33, 250)), MODEL, split="test", donors=50)
    assert (whole.rows, whole.right) == (parts.rows, parts.right)
    assert whole.lost.tolist() == parts.lost.tolist()


def test_the_feature_that_decides_matters_and_noise_does_not() -> None:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(3000, 5)).astype(np.float32)
    data = TrainingArrays(X, (X[:, 2] > 0).astype(np.int64), rng.integers(0, 2**64, 3000, dtype=np.uint64))
    model, _ = fit_forest(cut(take(data, slice(0, 2000))), CLASSES, ForestSettings(trees=20, depth=5, max_features=1.0))
    found = permutation_importance(cut(take(data, slice(2000, 3000))), model, split="test")
    assert found.decrease[2] == pytest.approx(0.5, abs=0.06)
    assert np.abs(np.delete(found.decrease, 2)).max() < 0.01
    assert impurity_importance(model).argmax() == 2


def test_a_split_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="no row"):
        permutation_importance(cut(take(TEST, slice(0, 0))), MODEL, split="test")
