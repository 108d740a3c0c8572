import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from mailmill.engines.merging import merge_all
from mailmill.errors import ConfigError, DataError
from mailmill.models.binning import quantile_bins
from mailmill.models.counts import Counted
from mailmill.models.data import MemoryFragment, TrainingArrays
from mailmill.models.evidence import Evidence
from mailmill.models.forest import ForestModel, ForestSettings, fit_forest

from .problems import CLASSES, cut, problem, take

SMALL = ForestSettings(trees=5, depth=5, min_leaf=1, max_bins=32, bin_sample=200, seed=3)


def content(model: ForestModel) -> bytes:
    names = ("feature", "bin", "threshold", "left", "right", "counts")
    return b"".join(getattr(tree, name).tobytes() for tree in model.trees for name in names)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 400), max_size=5),
    st.randoms(use_true_random=False),
    st.integers(1, 1 << 20),
    st.booleans(),
    st.sampled_from(["gini", "entropy"]),
    st.sampled_from([2, 3]),
)
def test_the_forest_depends_on_nothing_but_data_seed_and_settings(
    at: list[int], random: object, budget: int, cached: bool, criterion: str, classes: int
) -> None:
    data, chosen = problem(400, 6, classes=classes), replace(SMALL, criterion=criterion)
    names = ("a", "b", "c")[:classes]
    whole, evidence = fit_forest(cut(data), names, chosen)
    order = np.array(random.sample(range(400), 400))  # type: ignore[attr-defined]
    other, other_evidence = fit_forest(cut(take(data, order), at, cached=cached), names, chosen, memory_budget=budget)
    assert content(other) == content(whole)
    assert replace(other_evidence, passes=0) == replace(evidence, passes=0)
    assert sum(len(tree.feature) for tree in whole.trees) > 20


def test_another_seed_gives_another_forest() -> None:
    data = problem(400, 6)
    first, _ = fit_forest(cut(data), CLASSES, SMALL)
    second, _ = fit_forest(cut(data), CLASSES, replace(SMALL, seed=4))
    assert content(first) != content(second)


def test_forests_with_fewer_trees_are_prefixes() -> None:
    data = problem(400, 6)
    many, _ = fit_forest(cut(data), CLASSES, SMALL)
    few, _ = fit_forest(cut(data), CLASSES, replace(SMALL, trees=2))
    assert content(few) == content(replace(many, trees=many.trees[:2]))


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
def test_as_good_as_scikit_learn(criterion: str) -> None:
    X, y = make_classification(8000, 20, n_informative=8, n_redundant=4, flip_y=0.05, random_state=1)
    X = X.astype(np.float32)
    data = TrainingArrays(X[:4000], y[:4000], np.random.default_rng(0).integers(0, 2**64, 4000, dtype=np.uint64))
    model, evidence = fit_forest(
        cut(data, (1000, 2500)), CLASSES, ForestSettings(trees=60, depth=9, min_leaf=1, criterion=criterion)
    )
    peer = RandomForestClassifier(60, max_depth=9, criterion=criterion, oob_score=True, random_state=0)
    peer.fit(X[:4000], y[:4000])
    ours = roc_auc_score(y[4000:], model.probability(X[4000:])[:, 1])
    theirs = roc_auc_score(y[4000:], peer.predict_proba(X[4000:])[:, 1])
    assert abs(ours - theirs) < 0.01
    assert evidence.out_of_bag_rows == 4000
    assert evidence.out_of_bag_error is not None
    assert abs(evidence.out_of_bag_error - (1 - peer.oob_score_)) < 0.015


def test_three_classes() -> None:
    data = problem(3000, 6, classes=3, noise=0.3)
    model, _ = fit_forest(cut(take(data, slice(0, 2000))), ("a", "b", "c"), ForestSettings(trees=30, min_leaf=1))
    peer = RandomForestClassifier(30, max_depth=10, random_state=0).fit(data.X[:2000], data.y[:2000])
    p = model.probability(data.X[2000:])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert (p.argmax(axis=1) == data.y[2000:]).mean() > peer.score(data.X[2000:], data.y[2000:]) - 0.03


def test_trees_are_what_their_settings_say() -> None:
    chosen = replace(SMALL, min_leaf=7, depth=4)
    model, evidence = fit_forest(cut(problem(400, 6)), CLASSES, chosen)
    for tree in model.trees:
        tree.validate(6, 4)
        leaves = tree.feature == -1
        assert (tree.counts[leaves].sum(axis=1) >= 7).all()
        with pytest.raises(DataError, match="deeper"):
            tree.validate(6, 2)
    assert evidence.passes == 1 + 4 + 1


def test_shrinkage_counts_rows_whatever_the_classes_weigh() -> None:
    data = problem(1000, 4, noise=0.4)
    some = take(data, np.sort(np.concatenate([np.flatnonzero(data.y == 0)[:300], np.flatnonzero(data.y == 1)[:299]])))
    spread = {}
    for weights in ("equal", "balanced"):
        for shrinkage in (0.0, 100.0):
            chosen = ForestSettings(trees=20, class_weights=weights, shrinkage=shrinkage)
            spread[weights, shrinkage] = fit_forest(cut(some), CLASSES, chosen)[0].probability(data.X)[:, 1].std()
    assert spread["balanced", 100.0] == pytest.approx(spread["equal", 100.0], rel=0.05)
    assert spread["balanced", 100.0] < 0.8 * spread["balanced", 0.0]


@pytest.mark.parametrize(
    ("counts", "ratio"),
    [((1000, 1500, 0), 1.5), ((100_000, 1000, 0), 0.01), ((100_000, 1000, 2), 0.01), ((7, 7, 0), 1.0)],
)
def test_balanced_weights(counts: tuple[int, ...], ratio: float) -> None:
    weights = ForestSettings(class_weights="balanced").weights(counts)
    assert (weights == weights.astype(np.int64)).all()
    assert weights.min() >= 1
    assert weights[0] / weights[1] == pytest.approx(ratio, rel=0.05)


def test_constant_columns_are_not_drawn() -> None:
    data = problem(600, 5)
    X = np.zeros((600, 105), np.float32)
    X[:, 100:] = data.X
    chosen = replace(SMALL, trees=10)
    model, _ = fit_forest(cut(replace(data, X=X)), CLASSES, chosen)
    plain, _ = fit_forest(cut(data), CLASSES, chosen)
    np.testing.assert_array_equal(model.probability(X), plain.probability(data.X))
    assert min(tree.feature[tree.feature >= 0].min() for tree in model.trees) >= 100
    nothing, _ = fit_forest(cut(replace(data, X=np.zeros_like(X))), CLASSES, chosen)
    assert all(len(tree.feature) == 1 for tree in nothing.trees)


def test_values_and_codes_reach_the_same_leaves() -> None:
    data = problem(500, 6)
    model, _ = fit_forest(cut(data), CLASSES, SMALL)
    bins = quantile_bins(data.X, 256)
    assert bins.counts.max() == 256  # so the check below cannot rest on these bins: rebuild the model's
    from mailmill.models.binning import draw_bin_sample

    codes = quantile_bins(draw_bin_sample(data, SMALL.bin_sample, SMALL.seed).X, SMALL.max_bins).encode(data.X)
    for tree in model.trees:
        assert (tree.leaves(data.X) == tree.leaves_of_codes(codes, np.arange(500))).all()


def test_one_deep_tree_on_all_features_learns_the_rows_it_drew() -> None:
    data = problem(300, 5)
    model, _ = fit_forest(
        cut(data), CLASSES, ForestSettings(trees=1, depth=40, min_leaf=1, max_features=1.0, bin_sample=300)
    )
    counts = model.trees[0].counts[model.trees[0].feature == -1]
    assert (counts.min(axis=1) == 0).mean() > 0.9


def test_a_single_row_a_class_is_enough() -> None:
    data = problem(200, 3)
    two = np.array([np.flatnonzero(data.y == c)[0] for c in (0, 1)])
    model, evidence = fit_forest(cut(take(data, two)), CLASSES, ForestSettings(trees=20, depth=3))
    p = model.probability(data.X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.isfinite(p).all()
    assert isinstance(evidence, Evidence)


def test_tasks_travel_and_passes_are_counted() -> None:
    calls = []
    inner = cut(problem(200, 4), (50, 50))

    def counting(partial: object, merge: object, broadcast: object, **options: object) -> object:
        calls.append(pickle.loads(pickle.dumps((partial, broadcast)))[0].__name__)
        return inner(partial, merge, broadcast, **options)

    _, evidence = fit_forest(counting, CLASSES, SMALL, memory_budget=20_000)
    assert evidence.passes == len(calls)
    assert calls[0] == "survey"
    assert calls[-1] == "judge_fragment"
    assert calls.count("count_nodes") > SMALL.depth


def test_a_group_of_nodes_takes_little_of_the_budget() -> None:
    inner, largest = cut(problem(400, 6), (100,)), 0

    def measuring(partial: object, merge: object, broadcast: object, **options: object) -> object:
        nonlocal largest
        state = inner(partial, merge, broadcast, **options)
        largest = max(largest, state.nbytes if isinstance(state, Counted) else 0)
        return state

    fit_forest(measuring, CLASSES, SMALL, memory_budget=320_000)
    assert 2_500 < largest <= 5_000


def test_what_waits_to_be_merged_has_room() -> None:
    """A worker reduces 128 fragments: at 2,000,000 rows of 300 columns that killed workers of 1 GiB."""
    data, budget, most = problem(1280, 6), 320_000, 0
    fragments = [MemoryFragment({"train": take(data, slice(at, at + 10))}) for at in range(0, 1280, 10)]

    def measuring(partial: Any, merge: Any, broadcast: Any, *, exact: bool = False) -> Any:
        held: list[Counted] = []

        def hold(state: Any) -> Any:
            nonlocal most
            if isinstance(state, Counted):
                held.append(state)
                tables = {id(one.histogram): one.histogram.nbytes for one in held}
                lists = {id(one): one.codes.nbytes + one.tags.nbytes for state in held for one in state.lists}
                most = max(most, sum(tables.values()) + sum(lists.values()))
            return state

        def merged(a: Any, b: Any) -> Any:
            found = hold(merge(a, b))
            held[:] = [one for one in held if one is not a and one is not b]
            return found

        return merge_all((hold(partial(one, broadcast)) for one in fragments), len(fragments), merged, exact)

    fit_forest(measuring, CLASSES, replace(SMALL, trees=40, max_bins=8), memory_budget=budget)
    assert budget // 64 < most <= budget // 16


@pytest.mark.parametrize(
    ("value", "columns", "drawn"),
    [("sqrt", 50, 7), ("sqrt", 1, 1), (5, 3, 3), (1, 9, 1), (0.5, 9, 4), (0.01, 9, 1), (1.0, 9, 9)],
)
def test_how_many_features_a_node_draws(value: str | int | float, columns: int, drawn: int) -> None:
    assert ForestSettings(max_features=value).drawn(columns) == drawn  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"trees": 0}, {"trees": 2.0}, {"depth": 61}, {"min_leaf": 0}, {"max_bins": 257}, {"max_bins": 1}, {"seed": -1},
     {"max_features": "log2"}, {"max_features": 1.5}, {"max_features": 0}, {"criterion": "log_loss"}, {"depth": True}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ForestSettings(**wrong)


def test_one_class_cannot_be_learnt() -> None:
    data = problem(50, 2)
    with pytest.raises(DataError, match="alone"):
        fit_forest(cut(TrainingArrays(data.X, data.y * 0, data.ids)), CLASSES, SMALL)


def test_weights_of_rows_are_refused() -> None:
    """The forest was that of rows without weights, and nothing said so."""
    data = problem()
    even, uneven = np.ones(len(data.y)), np.where(data.y == 0, 0.5, 1.0)
    few = ForestSettings(trees=1, depth=2)
    assert fit_forest(cut(replace(data, weights=even)), CLASSES, few)[0].trees
    with pytest.raises(DataError, match="no weights of rows\nuse class_weights"):
        fit_forest(cut(replace(data, weights=uneven)), CLASSES, few)
