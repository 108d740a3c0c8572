import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from mailmill.errors import ConfigError, DataError
from mailmill.models.data import TrainingArrays
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.logistic import LogisticSettings, fit_logistic
from mailmill.models.metrics import evaluate, majority, summarise
from mailmill.models.scoring import predict, probability
from mailmill.models.tally import Tally, tally

from .problems import CLASSES, cut, problem

ROWS = st.integers(0, 2**32).map(np.random.default_rng)


def scores(rng: np.random.Generator, rows: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    p = rng.dirichlet(np.ones(classes), rows).round(2)  # rounding makes ties
    p[:, 0] = 1 - p[:, 1:].sum(axis=1)
    return np.clip(p, 0, 1), rng.integers(0, classes, rows)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 80), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_binary_figures_are_those_of_scikit_learn(rng: np.random.Generator, rows: int, threshold: float) -> None:
    p, y = scores(rng, rows)
    ours = summarise(tally(p, y, threshold=threshold), CLASSES, threshold)
    said = predict(p, threshold)
    options = {"labels": [0, 1], "zero_division": 0}
    precision, recall, f1, support = peer.precision_recall_fscore_support(y, said, **options)
    for c, name in enumerate(CLASSES):
        figures = ours.per_class[name]
        assert (figures.precision, figures.recall, figures.support) == (precision[c], recall[c], support[c])
        assert figures.f1 == pytest.approx(f1[c], abs=1e-15)
    assert ours.accuracy == peer.accuracy_score(y, said)
    assert ours.macro_f1 == pytest.approx(peer.f1_score(y, said, average="macro", **options))
    assert ours.confusion == tuple(map(tuple, peer.confusion_matrix(y, said, labels=[0, 1])))
    assert ours.log_loss == pytest.approx(peer.log_loss(y, p, labels=[0, 1]), abs=1e-9)
    assert ours.brier == pytest.approx(np.mean((p[:, 1] - y) ** 2), abs=1e-9)
    if 0 < y.sum() < rows:
        assert ours.roc_auc == pytest.approx(peer.roc_auc_score(y, p[:, 1]), abs=1e-14)
    else:
        assert ours.roc_auc is None


@given(ROWS, st.integers(2, 5))
def test_the_most_frequent_class(rng: np.random.Generator, classes: int) -> None:
    y = rng.integers(0, classes, 30)
    support = np.bincount(y, minlength=classes).tolist()
    index, accuracy, macro_f1 = majority(support)
    said = np.full(30, index)
    options = {"labels": range(classes), "average": "macro", "zero_division": 0}
    assert accuracy == peer.accuracy_score(y, said) == max(support) / 30
    assert macro_f1 == pytest.approx(peer.f1_score(y, said, **options))


@given(ROWS)
def test_three_classes(rng: np.random.Generator) -> None:
    p, y = scores(rng, 60, 3)
    ours = summarise(tally(p, y), ("a", "b", "c"))
    said = p.argmax(axis=1)
    assert ours.macro_f1 == pytest.approx(peer.f1_score(y, said, average="macro", labels=[0, 1, 2], zero_division=0))
    assert ours.brier == pytest.approx(np.mean(((p - np.eye(3)[y]) ** 2).sum(axis=1)), abs=1e-9)
    assert ours.roc_auc is None


@settings(max_examples=30, deadline=None)
@given(ROWS, st.lists(st.integers(0, 200), max_size=4), st.sampled_from([50, 199, 200]))
def test_tallies_merge_exactly(rng: np.random.Generator, at: list[int], exact_rows: int) -> None:
    p, y = scores(rng, 200)
    bounds = [0, *sorted(at), 200]
    merged: Tally | None = None
    for low, high in pairwise(bounds):
        part = tally(p[low:high], y[low:high], exact_rows=exact_rows)
        merged = part.merge(merged) if merged else part
    assert merged is not None
    whole = tally(p, y, exact_rows=exact_rows)
    assert summarise(merged, CLASSES) == summarise(whole, CLASSES)
    assert (merged.scores is None) == (whole.scores is None) == (exact_rows < 200)


@given(ROWS)
def test_binned_auc_keeps_its_bound(rng: np.random.Generator) -> None:
    y = rng.integers(0, 2, 500)
    y[:2] = 0, 1
    # Scores crowd into a few bins, so that the bound matters.
    s = 0.5 + rng.normal(size=500) * 1e-5 + y * 1e-5
    p = np.stack([1 - s, s], axis=1)
    ours = summarise(tally(p, y, exact_rows=0), CLASSES)
    assert ours.roc_auc is not None
    assert 0 < ours.roc_auc_error < 0.5
    assert abs(ours.roc_auc - peer.roc_auc_score(y, s)) <= ours.roc_auc_error


@pytest.mark.parametrize("kind", ["logistic", "forest"])
def test_evaluation_is_the_same_for_every_partitioning(kind: str) -> None:
    data = problem(2000, 5, noise=2.0)
    if kind == "logistic":
        model = fit_logistic(cut(data), CLASSES, LogisticSettings())[0]
    else:
        model = fit_forest(cut(data), CLASSES, ForestSettings(trees=5))[0]
    whole = evaluate(cut(data), model, split="test")
    assert evaluate(cut(data, (3, 3, 900)), model) == whole
    assert whole.roc_auc == pytest.approx(peer.roc_auc_score(data.y, probability(model, data.X)[:, 1]))
    assert json.loads(json.dumps(whole.to_dict()))["per_class"]["positive"]["support"] == int(data.y.sum())


def test_nothing_to_evaluate_and_foreign_labels_are_errors() -> None:
    data = problem(100, 3)
    model = fit_logistic(cut(data), CLASSES, LogisticSettings())[0]
    empty = TrainingArrays(data.X[:0], data.y[:0], data.ids[:0])
    with pytest.raises(DataError, match=r"no labelled row of split 'test'[\s\S]*features\.test_share"):
        evaluate(cut(empty), model)
    with pytest.raises(DataError, match="outside"):
        evaluate(cut(TrainingArrays(data.X, data.y + 1, data.ids)), model)
    with pytest.raises(ConfigError):
        evaluate(cut(data), model, threshold=1.5)
