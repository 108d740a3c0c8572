"""Fits against scikit-learn and against themselves: the same minimum, or an honest refusal."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mailmill.errors import ConfigError, DataError
from mailmill.models import logistic
from mailmill.models.calibration import calibrate
from mailmill.models.data import MemoryFragment, SparseRows, TrainingArrays, in_process
from mailmill.models.logistic import LogisticSettings, fit_all, fit_logistic
from mailmill.models.metrics import count, evaluate
from mailmill.models.path import fit_path

from .problems import CLASSES, cut, problem, sparse_problem

THREE = ("a", "b", "c")


def oracle(X: np.ndarray, y: np.ndarray, l2: float, **options: object) -> LogisticRegression:
    options = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 500} | options
    weight = options.pop("sample_weight", None)
    return LogisticRegression(C=1 / (l2 * len(X)), **options).fit(X, y, weight)


def small_samples(monkeypatch: pytest.MonkeyPatch, rows: int = 256) -> None:
    """Samples so small that the sample's Hessian is far from that of all rows."""
    monkeypatch.setattr(logistic, "SAMPLE_ROWS", (rows, rows))


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("l2", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("weights", [None, "balanced", (0.5, 3.0)])
def test_raw_penalty_is_that_of_scikit_learn(
    l2: float, weights: tuple[float, float] | None, sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sampled:
        small_samples(monkeypatch)
    data = problem(noise=3.0)
    model, evidence = fit_logistic(cut(data), CLASSES, LogisticSettings(l2=l2, standardize=False, class_weight=weights))
    by_class = dict(enumerate(weights)) if isinstance(weights, tuple) else weights
    expected = oracle(data.X.astype(float), data.y, l2, class_weight=by_class)
    np.testing.assert_allclose(model.coef, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.intercept, expected.intercept_, rtol=1e-6)
    np.testing.assert_allclose(model.probability(data.X), expected.predict_proba(data.X.astype(float)), atol=1e-8)
    assert evidence.converged
    assert evidence.gradient_norm is not None
    assert evidence.gradient_norm <= 1e-10


def test_row_weights_are_those_of_scikit_learn() -> None:
    data = problem(noise=3.0)
    weights = np.random.default_rng(5).gamma(2.0, size=len(data.X))
    model, _ = fit_logistic(
        cut(replace(data, weights=weights), (400, 900)), CLASSES, LogisticSettings(l2=0.01, standardize=False)
    )
    expected = oracle(data.X.astype(float), data.y, 0.01, sample_weight=weights)
    np.testing.assert_allclose(model.coef, expected.coef_, rtol=1e-6)


def test_standardised_penalty_is_that_of_a_scaled_problem() -> None:
    data = problem(noise=3.0)
    scaler = StandardScaler().fit(data.X.astype(float))
    expected = oracle(scaler.transform(data.X.astype(float)), data.y, 0.05)
    model, _ = fit_logistic(cut(data), CLASSES, LogisticSettings(l2=0.05))
    np.testing.assert_allclose(model.coef * scaler.scale_, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("classes", [3, 5, 12])
def test_several_classes_are_scikit_learns_softmax(
    classes: int, sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sampled:
        small_samples(monkeypatch)
    data = problem(1500, 6, classes=classes, noise=2.0)
    X = data.X.astype(float)
    names = tuple(f"c{k:02}" for k in range(classes))
    model, evidence = fit_logistic(cut(data, (700,)), names, LogisticSettings(l2=0.01, standardize=False))
    expected = oracle(X, data.y, 0.01)
    assert evidence.converged
    np.testing.assert_allclose(model.coef, expected.coef_, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(model.probability(data.X), expected.predict_proba(X), atol=1e-7)
    np.testing.assert_allclose(model.coef.sum(axis=0), 0, atol=1e-9)


def test_classes_factorised_one_by_one_reach_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data, chosen = problem(1500, 6, classes=4, noise=2.0), LogisticSettings(l2=0.01)
    names = ("a", "b", "c", "d")
    whole, _ = fit_logistic(cut(data), names, chosen)
    monkeypatch.setattr("mailmill.models.hessian.TOGETHER", 8)
    single, evidence = fit_logistic(cut(data), names, chosen)
    assert evidence.converged
    np.testing.assert_allclose(single.coef, whole.coef, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("classes", [2, 3])
def test_absolute_values_are_those_of_saga(
    classes: int, share: float, sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sampled:
        small_samples(monkeypatch)
    data = problem(1200, 8, classes=classes, noise=3.0)
    scaled = StandardScaler().fit_transform(data.X.astype(float))
    strength = 0.1
    expected = oracle(scaled, data.y, strength, solver="saga", l1_ratio=share, tol=1e-9, max_iter=20000)
    names = THREE[:classes]
    wanted = LogisticSettings(l1=strength * share, l2=strength * (1 - share))
    model, evidence = fit_logistic(cut(data, (300, 800)), names, wanted)
    assert evidence.converged
    ours = model.coef * data.X.astype(float).std(axis=0)
    np.testing.assert_allclose(ours, expected.coef_, atol=2e-5)
    np.testing.assert_array_equal(ours == 0, np.abs(expected.coef_) < 1e-9)
    assert 0 < (ours == 0).sum() < ours.size


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


@pytest.mark.parametrize("l1", [0.0, 0.003])
@pytest.mark.parametrize("columns", [0, 60])
def test_partitionings_and_samples_agree_to_1e_8(l1: float, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sparse_problem(2000, 6, columns) if columns else problem(2000, 6, noise=2.0)
    chosen = LogisticSettings(l2=1e-4, l1=l1, tolerance=1e-9)
    whole, _ = fit_logistic(cut(data), CLASSES, chosen)
    small_samples(monkeypatch)
    parts, evidence = fit_logistic(cut(data, (13, 900, 901)), CLASSES, chosen)
    assert evidence.converged
    for a, b in ((parts.coef, whole.coef), (parts.sparse, whole.sparse)):
        if a is not None and b is not None:
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * np.abs(b).max())


def test_sparse_columns_are_the_same_as_dense_ones() -> None:
    data = sparse_problem(1500, 4, 30)
    assert data.sparse is not None
    wide = np.concatenate([data.X.astype(float), data.sparse.dense()], axis=1)
    chosen = LogisticSettings(l2=0.01, l2_sparse=0.01, standardize=False)
    model, evidence = fit_logistic(cut(data, (5, 700)), CLASSES, chosen)
    dense, _ = fit_logistic(cut(TrainingArrays(wide.astype(np.float32), data.y, data.ids)), CLASSES, chosen)
    assert evidence.converged
    assert model.sparse is not None
    both = np.concatenate([model.coef, model.sparse], axis=1)
    np.testing.assert_allclose(both, dense.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(both, oracle(wide, data.y, 0.01).coef_, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(
        model.probability(data.X, data.sparse), dense.probability(wide.astype(np.float32)), atol=1e-9
    )


@pytest.mark.parametrize(("classes", "l1", "columns"), [(2, 0.0, 200), (3, 0.0, 200), (2, 0.002, 200), (3, 0.002, 60)])
def test_rare_sparse_columns_need_no_factorisation(
    classes: int, l1: float, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sparse_problem(1500, 4, columns, classes=classes)
    chosen = LogisticSettings(l2=1e-3, l1=l1, l2_sparse=1e-3, tolerance=1e-9)
    names = THREE[:classes]
    whole, _ = fit_logistic(cut(data), names, chosen)
    monkeypatch.setattr("mailmill.models.preconditioner.FREQUENT", 10)
    model, evidence = fit_logistic(cut(data), names, chosen)
    assert evidence.converged
    assert model.sparse is not None
    assert whole.sparse is not None
    np.testing.assert_allclose(model.sparse, whole.sparse, atol=1e-7)
    if l1:
        np.testing.assert_array_equal(model.sparse == 0, whole.sparse == 0)


@pytest.mark.parametrize(
    ("given", "columns", "used"), [(None, 30, 1 / 5000), (0.0, 30, 0.0), (0.01, 30, 0.01), (0.01, 0, None)]
)
def test_a_model_names_the_l2_of_its_sparse_columns(given: float | None, columns: int, used: float | None) -> None:
    """The default was recorded as none, so that nobody could repeat the fit from the model's card."""
    data = sparse_problem(500, 3, columns) if columns else problem(500, 3, noise=2.0)
    model, _ = fit_logistic(cut(data), CLASSES, LogisticSettings(l2_sparse=given, tolerance=1e-6))
    assert model.settings.l2_sparse == used
    again, _ = fit_logistic(cut(data), CLASSES, model.settings)
    np.testing.assert_array_equal(again.sparse, model.sparse)


def test_sparse_columns_that_never_occur_get_no_weight() -> None:
    data = sparse_problem(500, 3, 20)
    assert data.sparse is not None
    wider = SparseRows(data.sparse.indptr, data.sparse.indices * 50, data.sparse.values, 1000)
    model, _ = fit_logistic(cut(replace(data, sparse=wider)), CLASSES, LogisticSettings())
    plain, _ = fit_logistic(cut(data), CLASSES, LogisticSettings())
    assert model.sparse is not None
    assert plain.sparse is not None
    np.testing.assert_allclose(model.sparse[:, ::50], plain.sparse, rtol=1e-9)
    assert np.count_nonzero(model.sparse) <= 20


def test_constant_columns_get_no_weight_and_do_no_harm() -> None:
    data = problem(500, 3)
    X = np.concatenate([data.X, np.full((500, 1), 0.1, np.float32)], axis=1)
    for l2 in (0.0, 0.1):
        plain, _ = fit_logistic(cut(data), CLASSES, LogisticSettings(l2=l2))
        model, evidence = fit_logistic(
            cut(TrainingArrays(X, data.y, data.ids), (77,)), CLASSES, LogisticSettings(l2=l2)
        )
        assert evidence.converged
        assert model.coef[0, 3] == 0
        np.testing.assert_allclose(model.coef[:, :3], plain.coef, rtol=1e-9)


def test_extreme_scales_and_margins_stay_finite() -> None:
    data = problem(500, 3, noise=0.01)
    X = (data.X.astype(float) * [1e-12, 1e12, 1]).astype(np.float32)
    model, evidence = fit_logistic(cut(TrainingArrays(X, data.y, data.ids)), CLASSES, LogisticSettings(l2=1e-9))
    assert evidence.converged
    assert np.isfinite(model.probability(X)).all()


def test_a_class_that_the_sample_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    small_samples(monkeypatch, 64)
    data = problem(4000, 4, noise=1.0)
    score = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0) @ [1, 1, -1, 0.5]
    y = (score + np.random.default_rng(2).normal(size=4000) > 5.0).astype(np.int64)
    assert 5 < y.sum() < 60
    model, evidence = fit_logistic(
        cut(TrainingArrays(data.X, y, data.ids)), CLASSES, LogisticSettings(l2=1e-4, standardize=False)
    )
    expected = oracle(data.X.astype(float), y, 1e-4)
    assert evidence.converged
    np.testing.assert_allclose(model.coef, expected.coef_, rtol=1e-5)


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


@pytest.mark.parametrize("rows", [3, 10, 40])
def test_a_column_that_one_class_has_alone_without_penalty_is_an_error(rows: int) -> None:
    """The search ends where rounding hides that it goes down for ever."""
    for seed in range(9):
        rng = np.random.default_rng(seed)
        X = np.zeros((400, 2), np.float32)
        X[:, 0] = rng.normal(size=400)
        y = (X[:, 0] + rng.logistic(size=400) > 0).astype(np.int64)
        X[:rows, 1] = y[:rows] = 1
        chosen, ids = LogisticSettings(l2=0, tolerance=1e-9), np.arange(400, dtype=np.uint64)
        with pytest.raises(DataError, match="separate"):
            fit_logistic(cut(TrainingArrays(X, y, ids), ()), CLASSES, chosen)
        y[0] = 0
        _, evidence = fit_logistic(cut(TrainingArrays(X, y, ids), ()), CLASSES, chosen)
        assert evidence.converged


def test_what_is_rare_or_nearly_certain_has_a_minimum_without_penalty() -> None:
    """Curvature is small there from the start, or falls far, and says nothing against it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200_000, 3)).astype(np.float32)
    X[:, 2] = X[:, 1] + 1e-4 * X[:, 2]
    for weight, intercept in ((1.0, -9.0), (200.0, 0.0)):
        y = (weight * X[:, 0] + intercept + rng.logistic(size=len(X)) > 0).astype(np.int64)
        data = TrainingArrays(X, y, np.arange(len(X), dtype=np.uint64))
        model, evidence = fit_logistic(cut(data), CLASSES, LogisticSettings(l2=0, tolerance=1e-9))
        assert evidence.converged
        assert model.coef[0, 0] == pytest.approx(weight, rel=0.3)


@pytest.mark.parametrize("classes", [2, 3])
def test_dependent_columns_without_penalty_are_an_error(classes: int) -> None:
    data = problem(300, 3, classes=classes)
    doubled = TrainingArrays(np.concatenate([data.X, 2 * data.X[:, :1]], axis=1), data.y, data.ids)
    with pytest.raises(DataError, match="linearly dependent"):
        fit_logistic(cut(doubled), THREE[:classes], LogisticSettings(l2=0))
    _, evidence = fit_logistic(cut(data), THREE[:classes], LogisticSettings(l2=0))
    assert evidence.converged


def test_the_iteration_limit_does_not_look_like_convergence(monkeypatch: pytest.MonkeyPatch) -> None:
    small_samples(monkeypatch)
    _, evidence = fit_logistic(cut(problem()), CLASSES, LogisticSettings(max_iterations=2))
    assert evidence.converged is False
    assert evidence.iterations == 2
    assert evidence.gradient_norm is not None
    assert evidence.gradient_norm > 1e-10


def test_passes_are_counted_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    small_samples(monkeypatch)
    calls = []
    inner = cut(problem())

    def counting(partial: object, merge: object, broadcast: object) -> object:
        calls.append(pickle.loads(pickle.dumps((partial, broadcast))))
        return inner(partial, merge, broadcast)

    _, evidence = fit_logistic(counting, CLASSES, LogisticSettings())
    assert evidence.passes == len(calls)
    assert len(calls) <= 16


def test_several_settings_share_their_passes() -> None:
    data = problem(noise=3.0)
    wanted = [LogisticSettings(l2=l2) for l2 in (1e-1, 1e-2, 1e-3)]
    shared = fit_all(cut(data), CLASSES, wanted)
    alone = [fit_logistic(cut(data), CLASSES, one) for one in wanted]
    for (model, _), (expected, _) in zip(shared, alone, strict=True):
        np.testing.assert_allclose(model.coef, expected.coef, rtol=1e-8)
    assert shared[0][1].passes == max(evidence.passes for _, evidence in alone)


def test_the_path_chooses_on_the_validation_split() -> None:
    train, validation = problem(300, 30, noise=4.0), problem(3000, 30, noise=4.0, seed=1)
    w = np.random.default_rng(3).normal(size=30)
    rng = np.random.default_rng(4)
    parts = []
    for data in (train, validation):
        z = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0) @ w
        parts.append(replace(data, y=(z + 6 * rng.normal(size=len(z)) > 0).astype(np.int64)))
    map_reduce = in_process([MemoryFragment({"train": parts[0], "validation": parts[1]})])
    strengths = (1e-6, 1e-3, 3e-2, 3e-1, 1e2)
    model, evidence = fit_path(map_reduce, CLASSES, [LogisticSettings(l2=l2) for l2 in strengths], method="none")
    assert evidence.path is not None
    assert [l2 for l2, _ in evidence.path] == list(strengths)
    losses = dict(evidence.path)
    assert model.settings.l2 == min(losses, key=losses.__getitem__)
    assert 1e-6 < model.settings.l2 < 1e2
    p = model.probability(parts[1].X)[np.arange(3000), parts[1].y]
    assert losses[model.settings.l2] == pytest.approx(float(-np.log(p).mean()), rel=1e-9)
    double = [parts[0], replace(parts[1], weights=np.full(3000, 2.0))]
    heavy = in_process([MemoryFragment(dict(zip(("train", "validation"), double, strict=True)))])
    again = fit_path(heavy, CLASSES, [LogisticSettings(l2=l2) for l2 in strengths], method="none")[1].path
    assert dict(again or ()) == pytest.approx(losses, rel=1e-9)
    with pytest.raises(DataError, match="no labelled row to choose"):
        empty = parts[1].take(np.arange(0))
        fit_path(in_process([MemoryFragment({"train": parts[0], "validation": empty})]), CLASSES, [LogisticSettings()])


@pytest.mark.parametrize("method", ["platt", "isotonic"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_the_path_judges_models_as_they_are_published(class_weight: Any, method: Any) -> None:
    """By raw log loss the strength was chosen whose scores happen to be of the right size, not the best order."""
    rng, columns = np.random.default_rng(0), 150

    def rare(rows: int) -> TrainingArrays:
        y = (rng.random(rows) < 0.03).astype(np.int64)
        X = rng.normal(size=(rows, columns)) + y[:, None] * np.where(np.arange(columns) < 15, 0.5, 0)
        return TrainingArrays(X.astype(np.float32), y, np.arange(rows, dtype=np.uint64))

    map_reduce = in_process([MemoryFragment({"train": rare(4000), "validation": rare(3000)})])
    wanted = [LogisticSettings(l2=l2, class_weight=class_weight) for l2 in (1e-2, 1.0)]
    model, evidence = fit_path(map_reduce, CLASSES, wanted, method=method)
    raw = fit_path(map_reduce, CLASSES, wanted, method="none")[0]
    published = {}
    for fitted, _ in fit_all(map_reduce, CLASSES, wanted):
        calibration = calibrate(count(map_reduce, fitted, "validation").binned, method)
        found = evaluate(map_reduce, replace(fitted, calibration=calibration), split="validation")
        published[fitted.settings.l2] = found.log_loss
    assert dict(evidence.path or ()) == pytest.approx(published, rel=1e-12)
    assert model.settings.l2 == min(published, key=published.__getitem__)
    if class_weight:
        assert raw.settings.l2 != model.settings.l2


@pytest.mark.parametrize(
    "wrong",
    [{"l2": -1}, {"l2": float("nan")}, {"tolerance": 0}, {"max_iterations": 0}, {"class_weight": (1.0,)},
     {"class_weight": (1.0, 0.0)}, {"class_weight": "even"}, {"standardize": 1}, {"l1": -1}, {"l2_sparse": -1.0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        LogisticSettings(**wrong)


def test_weights_for_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match="there are 2 classes"):
        fit_logistic(cut(problem()), CLASSES, LogisticSettings(class_weight=(1.0, 2.0, 3.0)))


@pytest.mark.parametrize("absent", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"l2": 0.0}, {"l1": 1e-3}, {"class_weight": "balanced"}], ids=str)
def test_a_class_without_a_training_row_changes_nothing(absent: int, options: dict[str, Any]) -> None:
    """Its likelihood has no maximum: its intercept went astray, in as many passes as were allowed."""
    names = ("a", "b", "c")
    present = [number for number in range(3) if number != absent]
    data = problem(1500, 6, noise=3.0)
    chosen = LogisticSettings(**options)
    pair, expected = fit_logistic(cut(data), tuple(names[number] for number in present), chosen)
    widened = TrainingArrays(data.X, np.array(present)[data.y], data.ids)
    found = [fit_logistic(cut(widened, at), names, chosen) for at in ((), (300, 900))]
    for model, evidence in found:
        assert evidence.converged
        assert evidence.passes <= expected.passes + 2
        p = model.probability(data.X)
        assert p[:, absent].max() < 1e-12
        if "l1" not in options and options.get("l2") == 0:  # one margin of two classes has another penalty than two
            np.testing.assert_allclose(p[:, present], pair.probability(data.X), atol=1e-4)
    np.testing.assert_allclose(found[0][0].coef, found[1][0].coef, atol=1e-9)
    np.testing.assert_allclose(found[0][0].intercept, found[1][0].intercept, atol=1e-9)
