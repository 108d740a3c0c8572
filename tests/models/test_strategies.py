"""Two ways of growing and one reference: the same bits, whatever the data, the settings and the pieces."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.tree import DecisionTreeClassifier

from mailmill.errors import ConfigError
from mailmill.models import counts, forest, grove, growth
from mailmill.models.data import TrainingArrays
from mailmill.models.forest import ForestModel, ForestSettings, fit_forest
from mailmill.models.hashing import SUBSAMPLE, bootstrap_weights
from mailmill.models.split import best_splits
from mailmill.models.workers import Workers, this_process

from . import reference
from .problems import CLASSES, cut, problem, take

NAMES = ("feature", "bin", "threshold", "left", "right", "counts")
SMALL = ForestSettings(trees=4, depth=6, min_leaf=1, max_bins=32, bin_sample=200, shrinkage=7.5, seed=3)
VALUES = (
    st.sampled_from([0.0, -0.0, 1.0, 1.0000001, 1e-45, -1e-38, 3.4e38, -3.4e38])
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.integers(-3, 3).map(float)
)
SETTINGS = st.builds(
    ForestSettings,
    trees=st.integers(1, 3),
    depth=st.sampled_from([1, 4, 40]),
    min_leaf=st.sampled_from([1, 3]),
    max_leaves=st.none() | st.integers(2, 9),
    max_features=st.sampled_from(["sqrt", 1.0, 2]),
    criterion=st.sampled_from(["gini", "entropy"]),
    bootstrap=st.sampled_from(["poisson", "subsample"]),
    class_weights=st.sampled_from(["equal", "balanced", (1.0, 3.5, 0.01)]),
    max_bins=st.sampled_from([2, 7, 256]),
    bin_sample=st.sampled_from([5, 1000]),
    seed=st.integers(0, 2**64 - 1),
)


def content(model: ForestModel) -> bytes:
    return b"".join(getattr(tree, name).tobytes() for tree in model.trees for name in NAMES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    arrays(np.float32, st.tuples(st.integers(3, 70), st.integers(1, 5)), elements=VALUES),
    st.lists(st.integers(0, 70), max_size=3),
    st.integers(1, 1 << 16),
    SETTINGS,
    st.randoms(use_true_random=False),
)
def test_every_way_gives_the_reference_forest(
    tmp_path_factory: pytest.TempPathFactory,
    X: np.ndarray,
    at: list[int],
    budget: int,
    chosen: ForestSettings,
    random: object,
) -> None:
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    ids = rng.integers(0, 2**64, len(X), dtype=np.uint64)
    data = TrainingArrays(X, np.concatenate([[0, 1, 2], rng.integers(0, 3, len(X) - 3)]), ids)
    names, pieces = ("a", "b", "c"), cut(data, [min(a, len(X)) for a in at])
    expected, out_of_bag = reference.fit(data, names, chosen)
    here = this_process(2, tmp_path_factory.getbasetemp())
    trees, evidence = fit_forest(pieces, names, chosen, workers=here)
    merged, other = fit_forest(pieces, names, chosen, memory_budget=budget, workers=Workers(threads=2))
    assert evidence.passes == 2
    assert content(trees) == content(merged) == content(expected)
    assert (evidence.out_of_bag_rows, evidence.out_of_bag_error) == (other.out_of_bag_rows, other.out_of_bag_error)
    assert evidence.out_of_bag_rows == out_of_bag.rows
    assert evidence.out_of_bag_error in (None, out_of_bag.errors / max(1, out_of_bag.rows))
    assert trees.probability(X).tobytes() == expected.probability_reference(X).tobytes()


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
def test_heavy_nodes_too(criterion: str, tmp_path: Path) -> None:
    """Nodes above the threshold of lists and of exact comparison, with columns that tie: a copy and a mirror image."""
    data = problem(9000, 3)
    X = np.ascontiguousarray(
        np.concatenate([data.X, data.X[:, :1], -data.X[:, 1:2], np.ones((9000, 1))], axis=1, dtype=np.float32)
    )
    data = TrainingArrays(np.round(X, 1), data.y, data.ids)
    chosen = ForestSettings(trees=3, depth=5, min_leaf=1, max_features=0.7, criterion=criterion, max_bins=64, seed=5)
    expected, _ = reference.fit(data, CLASSES, chosen)
    trees, _ = fit_forest(cut(data, (100, 5000)), CLASSES, chosen, workers=this_process(2, tmp_path))
    merged, _ = fit_forest(cut(data, (100, 5000)), CLASSES, chosen)
    assert content(trees) == content(merged) == content(expected)
    assert not list(tmp_path.iterdir())  # the bins are gone


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_nodes_that_floats_cannot_decide_go_to_the_reference(
    order: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two binary columns that lower gini impurity by the same amount, on different counts; every row weighs 1."""
    monkeypatch.setattr(forest, "SUBSAMPLE", np.zeros(1, np.uint64))
    y = np.repeat([0, 1], 2000)
    half, fifth = np.repeat([0, 1, 0, 1], [1500, 500, 500, 1500]), np.repeat([0, 1], [800, 3200])
    X = np.ascontiguousarray(np.stack([half, fifth], axis=1)[:, order], np.float32)
    data = TrainingArrays(X, y, problem(4000, 1).ids)
    chosen = ForestSettings(trees=1, depth=1, max_features=1.0, bootstrap="subsample")
    asked = []
    monkeypatch.setattr(counts, "best_splits", lambda *a: asked.append(1) or best_splits(*a))
    for heavy in (0, 8):
        monkeypatch.setattr(growth, "_HEAVY", heavy * 1000)  # as counts, then as lists
        for workers in (this_process(1, tmp_path), Workers()):
            model, _ = fit_forest(cut(data, (1000,)), CLASSES, chosen, workers=workers)
            assert model.trees[0].feature[0] == 0
            assert model.trees[0].counts[0].tolist() == [2000, 2000]
    assert len(asked) == 4


def test_tasks_of_both_ways_travel(tmp_path: Path) -> None:
    here = this_process(1, tmp_path)

    def run(function: object, tasks: list[object], broadcast: object) -> list[object]:
        travelled = pickle.loads(pickle.dumps((function, tasks, broadcast)))
        return pickle.loads(pickle.dumps([travelled[0](task, travelled[2]) for task in travelled[1]]))

    data = problem(300, 4)
    model, _ = fit_forest(cut(data, (50,)), CLASSES, SMALL, workers=replace(here, run=run, count=3))
    assert content(model) == content(reference.fit(data, CLASSES, SMALL)[0])


def test_large_data_is_merged_and_small_data_is_not() -> None:
    gib = 1 << 30
    assert not grove.fits(8_000_000, 300, gib)
    assert grove.fits(8_000_000, 300, 5 * gib)
    assert grove.fits(160_000, 300, 256 << 20)
    assert not grove.fits(400_000_000, 1, 1 << 60)  # words hold 32 bits of a row's number


@given(st.integers(1, 200), st.integers(1, 10**8), st.integers(1, 64), st.integers(1, 1 << 34))
def test_groups_hold_every_tree_once_within_the_budget(trees: int, rows: int, workers: int, budget: int) -> None:
    found = grove.groups(trees, rows, workers, budget)
    assert [number for group in found for number in group] == list(range(trees))
    assert all(len(group) == 1 or len(group) * rows * 8 * 0.64 <= budget // 4 for group in found)


def test_passes_of_the_merged_way_are_as_few_as_levels() -> None:
    calls: list[str] = []
    inner = cut(problem(3000, 6), (1000,))

    def counting(partial: object, merge: object, broadcast: object, **options: object) -> object:
        calls.append(partial.__name__)  # type: ignore[attr-defined]
        return inner(partial, merge, broadcast, **options)

    fit_forest(counting, CLASSES, replace(SMALL, depth=5), memory_budget=64 << 20)
    assert calls == ["survey"] + ["count_nodes"] * 5 + ["judge_fragment"]


def test_parts_of_a_node_add_up_to_their_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[counts.Counted] = []
    real = growth.search
    monkeypatch.setattr(growth, "search", lambda counted, *rest: seen.append(counted) or real(counted, *rest))
    monkeypatch.setattr(growth, "_HEAVY", 0)
    data = problem(800, 3)
    chosen = ForestSettings(trees=1, depth=3, min_leaf=1, max_features=1.0, max_bins=16, seed=2)
    model, _ = fit_forest(cut(data, (300,)), CLASSES, chosen)
    histograms = [counted.histogram for counted in seen]
    assert [len(h) for h in histograms] == [1, 2, 4]
    for parents, children in pairwise(histograms):
        for i, parent in enumerate(parents):
            assert (children[2 * i] + children[2 * i + 1] == parent).all()
    assert model.trees[0].counts[0].tolist() == histograms[0][0, 0].sum(axis=1).tolist()


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@pytest.mark.parametrize("weights", ["equal", (1.0, 3.0), "balanced"])
def test_one_tree_on_all_features_is_scikit_learns(criterion: str, weights: object, tmp_path: Path) -> None:
    """On distinct small integers every cut is a bin's edge: the same tree, but for features that tie."""
    rng = np.random.default_rng(4)
    X = np.stack([rng.permutation(60) for _ in range(4)], axis=1).astype(np.float32)
    y = (X[:, 0] + X[:, 1] + rng.normal(0, 15, 60) > 70).astype(np.int64)
    ids = rng.integers(0, 2**64, 60, dtype=np.uint64)
    chosen = ForestSettings(
        trees=1,
        depth=3,
        min_leaf=1,
        max_features=1.0,
        criterion=criterion,
        bootstrap="subsample",
        class_weights=weights,
        seed=9,
    )
    model, _ = fit_forest(cut(TrainingArrays(X, y, ids)), CLASSES, chosen, workers=this_process(1, tmp_path))
    drawn = np.flatnonzero(bootstrap_weights(ids, 0, 9, SUBSAMPLE))
    ratio = chosen.weights(tuple(np.bincount(y).tolist()))
    peer = DecisionTreeClassifier(
        max_depth=3, criterion=criterion, class_weight={0: ratio[0], 1: ratio[1]}, random_state=0
    ).fit(X[drawn], y[drawn])
    np.testing.assert_allclose(model.probability(X[drawn]), peer.predict_proba(X[drawn]), atol=1e-12)


def test_a_limit_of_leaves_is_best_first_growth(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    X = np.stack([rng.permutation(200) for _ in range(3)], axis=1).astype(np.float32)
    y = ((X[:, 0] > 60) ^ (X[:, 1] > 150) ^ (rng.random(200) < 0.1)).astype(np.int64)
    data = TrainingArrays(X, y, rng.integers(0, 2**64, 200, dtype=np.uint64))
    full = ForestSettings(trees=1, depth=30, min_leaf=1, max_features=1.0, bootstrap="subsample", max_bins=256, seed=2)
    drawn = np.flatnonzero(bootstrap_weights(data.ids, 0, 2, SUBSAMPLE))
    for leaves in (2, 3, 5, 8, 13):
        model, _ = fit_forest(cut(data), CLASSES, replace(full, max_leaves=leaves), workers=this_process(1, tmp_path))
        tree = model.trees[0]
        tree.validate(3, 30)
        assert (tree.feature == -1).sum() == leaves
        peer = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(X[drawn], y[drawn])
        np.testing.assert_allclose(model.probability(X[drawn]), peer.predict_proba(X[drawn]), atol=1e-12)


def test_steps_are_recovered(tmp_path: Path) -> None:
    """y is a step function of two columns among twelve: deep trees find the steps, to the width of a bin."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (6000, 12)).astype(np.float32)
    y = ((X[:, 3] > 0.3) ^ (X[:, 7] > 0.6)).astype(np.int64)
    data = TrainingArrays(X, y, rng.integers(0, 2**64, 6000, dtype=np.uint64))
    chosen = ForestSettings(trees=20, depth=12, max_features=1.0)
    model, evidence = fit_forest(cut(take(data, slice(0, 4000))), CLASSES, chosen, workers=this_process(2, tmp_path))
    error = (model.probability(X[4000:]).argmax(axis=1) != y[4000:]).mean()
    assert error < 0.05
    assert evidence.out_of_bag_error == pytest.approx(error, abs=0.015)
    thresholds = {f: [t.threshold[t.feature == f] for t in model.trees] for f in (3, 7)}
    assert np.median(np.abs(np.concatenate(thresholds[3]) - 0.3)) < 0.1
    assert sum(len(t) for t in thresholds[7]) > 0


def test_heavy_classes_are_chosen_more_often(tmp_path: Path) -> None:
    data = problem(2000, 5, noise=3.0)
    rare = np.flatnonzero((data.y == 0) | (np.arange(2000) % 10 == 0))
    data = take(data, rare)
    here = this_process(1, tmp_path)
    shares = []
    for weights in ("equal", "balanced", (1.0, 100.0)):
        model, _ = fit_forest(cut(data), CLASSES, replace(SMALL, trees=20, class_weights=weights), workers=here)
        shares.append(float(model.probability(data.X).argmax(axis=1).mean()))
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize(
    "wrong",
    [{"max_leaves": 1}, {"max_leaves": 2.0}, {"bootstrap": "multinomial"}, {"class_weights": "auto"},
     {"class_weights": (1.0, 0.0)}, {"class_weights": (1.0, float("inf"))}],
)  # fmt: skip
def test_new_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ForestSettings(**wrong)


def test_weights_need_one_number_a_class() -> None:
    with pytest.raises(ConfigError, match="3 numbers for 2 classes"):
        fit_forest(cut(problem(50, 2)), CLASSES, replace(SMALL, class_weights=(1.0, 2.0, 3.0)))
