import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mailmill.errors import ConfigError
from mailmill.models import portable
from mailmill.models.calibration import Calibration
from mailmill.models.forest import ForestModel, ForestSettings, fit_forest
from mailmill.models.graph import DENSE, INDICES, LABEL, PROBABILITY, VALUES, Graph
from mailmill.models.logistic import LogisticModel, LogisticSettings
from mailmill.models.portable import calibrated, export, files, labelled, linear, padded, session, verify
from mailmill.models.scoring import predict, probability

from .problems import CLASSES, cut, problem

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(1)
X = RNG.normal(size=(200, 7)).astype(np.float32)


def forest(classes: tuple[str, ...]) -> ForestModel:
    arrays = problem(rows=400, seed=3)
    y = (arrays.y + 2 * (arrays.X[:, 0] > 0.5)) % len(classes)
    arrays = type(arrays)(arrays.X, y.astype(np.int64), arrays.ids)
    return fit_forest(cut(arrays, [100, 250]), classes, ForestSettings(trees=20, depth=6, shrinkage=10.0))[0]


def run(content: bytes, **inputs: np.ndarray) -> tuple[np.ndarray, list[str]]:
    probability, label = session(content).run([PROBABILITY, LABEL], inputs)
    return probability, list(label)


@pytest.mark.parametrize("classes", [CLASSES, ("a", "b", "c")])
def test_a_forest_gives_the_same_probabilities(classes: tuple[str, ...]) -> None:
    model = forest(classes)
    rows = RNG.normal(size=(500, model.columns)).astype(np.float32)
    graph = Graph(model.columns)
    p = graph.trees(graph.double(DENSE), model.trees, classes)
    said, labels = run(graph.finish(p, labelled(graph, p, classes, 0.5), {"kind": "forest"}), vector=rows)
    np.testing.assert_allclose(said, model.probability(rows), atol=1e-6)
    assert labels == [classes[i] for i in said.argmax(axis=1)]


def test_a_binary_linear_model_with_ngrams() -> None:
    coef, intercept, sparse = RNG.normal(size=(7, 1)), RNG.normal(size=1), RNG.normal(size=(1000, 1))
    lengths = RNG.integers(0, 9, 200)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = RNG.integers(0, 1000, indptr[-1]).astype(np.int32)
    values = RNG.normal(size=indptr[-1]).astype(np.float32)
    graph = Graph(7, 1000)
    p = linear(graph, coef, intercept, sparse)
    content = graph.finish(p, labelled(graph, p, CLASSES, 0.3), {})
    places, weights = padded(indptr, indices, values)
    said, labels = run(content, **{DENSE: X, INDICES: places, VALUES: weights})
    z = X.astype(np.float64) @ coef[:, 0] + intercept[0]
    for i in range(200):
        part = slice(indptr[i], indptr[i + 1])
        z[i] += (values[part].astype(np.float64) * sparse[indices[part], 0]).sum()
    np.testing.assert_allclose(said[:, 1], 1 / (1 + np.exp(-z)), atol=1e-12)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-12)
    assert labels == [CLASSES[int(p >= 0.3)] for p in said[:, 1]]


def test_many_classes_are_a_softmax() -> None:
    coef, intercept = RNG.normal(size=(7, 3)), RNG.normal(size=3)
    classes = ("a", "b", "ç")
    graph = Graph(7)
    p = linear(graph, coef, intercept, None)
    said, labels = run(graph.finish(p, labelled(graph, p, classes, 0.5), {}), vector=X)
    z = np.exp(X.astype(np.float64) @ coef + intercept)
    np.testing.assert_allclose(said, z / z.sum(axis=1, keepdims=True), atol=1e-12)
    assert set(labels) == set(classes)


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration("platt", 2.5, -0.3),
        Calibration("isotonic", knots=((0.1, 0.0), (0.3, 0.2), (0.31, 0.2), (0.8, 0.95))),
        Calibration(),
    ],
)
def test_calibration_travels_with_the_model(calibration: Calibration) -> None:
    graph = Graph(7)
    p = calibrated(graph, linear(graph, np.ones((7, 1)) * 3, np.zeros(1), None), calibration)
    said, _ = run(graph.finish(p, labelled(graph, p, CLASSES, 0.5), {}), vector=X)
    z = X.astype(np.float64).sum(axis=1) * 3
    np.testing.assert_allclose(said[:, 1], calibration.apply(1 / (1 + np.exp(-z))), atol=1e-12)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-12)


def test_a_flat_calibration_of_sure_scores_is_verified() -> None:
    """Within 2^-17 of an end the logarithm stands still on either side; in the graph it went on at one of them."""
    model = LogisticModel(CLASSES, np.full((1, 3), 80.0), np.zeros(1), LogisticSettings())
    model = replace(model, calibration=Calibration("platt", 0.18, -0.4))
    assert verify(model, export(model)) < 1e-9


def test_padding_keeps_every_value_and_empty_rows() -> None:
    places, weights = padded(np.array([0, 0, 2, 3]), np.array([4, 5, 6], np.int32), np.array([1, 2, 3], np.float32))
    assert places.tolist() == [[0, 0], [4, 5], [6, 0]]
    assert weights.tolist() == [[0, 0], [1, 2], [3, 0]]
    places, weights = padded(np.zeros(3, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    assert places.shape == weights.shape == (2, 1)


@pytest.mark.parametrize("calibration", [Calibration(), Calibration("platt", 2.5, -0.3)])
def test_a_whole_model_is_exported_with_its_threshold(calibration: Calibration) -> None:
    model = replace(forest(CLASSES), calibration=calibration, threshold=0.37)
    content = files(model, "required")["model.onnx"]
    rows = RNG.normal(size=(300, model.columns)).astype(np.float32)
    said, labels = run(content, vector=rows)
    ours = probability(model, rows)
    np.testing.assert_allclose(said, ours, atol=1e-6)
    clear = np.abs(ours[:, 1] - 0.37) > 1e-5
    assert [labels[i] for i in np.flatnonzero(clear)] == [CLASSES[c] for c in predict(ours, 0.37)[clear]]
    assert files(model, "off") == {}


@pytest.mark.parametrize("threshold", [0.45, 0.7, 0.9])
def test_votes_that_meet_the_threshold_are_called_alike(threshold: float) -> None:
    """Of pure leaves of 20 trees one mail in twenty has 14 votes: float32 in ONNX, and less than 0.7."""
    data, grown = problem(noise=3.0), ForestSettings(trees=20, depth=40, min_leaf=1)
    model = replace(fit_forest(cut(data), CLASSES, grown)[0], threshold=threshold)
    ours = probability(model, data.X)
    assert (np.abs(ours[:, 1] - threshold) < 1e-9).any()
    _, labels = run(export(model), vector=data.X)
    assert labels == [CLASSES[c] for c in predict(ours, threshold)]


def test_a_plateau_of_calibration_that_is_the_threshold_is_called_alike() -> None:
    """Blocks of (n + 1) / (rows + 2): one of many mails may say just 1/3, and summing up pieces may miss it."""
    values = np.array([1 / 11, 1 / 7, 1 / 3, 1 / 3, 5 / 8])
    calibration = Calibration("isotonic", knots=tuple(zip([0.05, 0.17, 0.31, 0.71, 0.9], values.tolist(), strict=True)))
    graph = Graph(2)
    p = calibrated(graph, graph.double(DENSE), calibration)
    given = np.linspace(0, 1, 500, dtype=np.float32)
    said, labels = run(
        graph.finish(p, labelled(graph, p, CLASSES, 1 / 3), {}), vector=np.stack([1 - given, given], axis=1)
    )
    ours = calibration.apply(given.astype(np.float64))
    assert (ours == 1 / 3).sum() > 100
    np.testing.assert_array_equal(said[:, 1], ours)
    assert labels == [CLASSES[int(p >= 1 / 3)] for p in ours]


def test_calibration_is_equal_at_the_ends() -> None:
    """Unanimous trees, and nearly unanimous ones: float32 votes tell 1 - p from the other class."""
    graph = Graph(2)
    calibration = Calibration("platt", 0.3, 0.1)
    p = calibrated(graph, graph.double(DENSE), calibration)
    content = graph.finish(p, labelled(graph, p, CLASSES, 0.5), {})
    few = np.concatenate([[0.0], np.logspace(-9, -4, 100)])
    ends = np.concatenate([few, 1 - few])
    (said,) = session(content).run([PROBABILITY], {DENSE: np.stack([1 - ends, ends], axis=1).astype(np.float32)})
    np.testing.assert_allclose(said[:, 1], calibration.apply(ends), atol=1e-7)


def test_a_steep_calibration_is_verified() -> None:
    """The graph's votes are float32: within a bin an isotonic calibration makes 65,536 times as much of that."""
    model = forest(CLASSES)
    model = replace(model, trees=model.trees[:1])
    leaves = model.trees[0].frequencies()[model.trees[0].feature < 0, 1]
    edges = np.unique(np.concatenate([leaves - 2.0**-17, leaves + 2.0**-17]).clip(0, 1))
    knots = tuple(zip(edges.tolist(), np.linspace(0, 1, len(edges)).tolist(), strict=True))
    model = replace(model, calibration=Calibration("isotonic", knots=knots))
    content = files(model, "required")["model.onnx"]
    assert 1e-6 < verify(model, content) < 1e-2
    moved = tuple((p, q**1.1) for p, q in knots)
    with pytest.raises(ConfigError, match="differ"):
        verify(replace(model, calibration=Calibration("isotonic", knots=moved)), content)


@pytest.mark.parametrize("kind", ["logistic", "forest"])
def test_a_model_that_is_too_large_is_left_out(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The fit is not lost with it."""
    monkeypatch.setattr(portable, "_MOST_BYTES", 10)
    logistic = LogisticModel(("neg", "pos"), np.ones((1, 3)), np.zeros(1), LogisticSettings())
    model = logistic if kind == "logistic" else forest(CLASSES)
    assert files(model, "auto") == {}
    assert "at most 2 GiB" in caplog.text
    with pytest.raises(ConfigError, match="at most 2 GiB") as caught:
        files(model, "required")
    assert caught.value.hint == 'set train.onnx = "off"'


@pytest.mark.parametrize("classes", [CLASSES, ("a", "b", "c", "d")])
def test_the_size_of_a_forests_file_is_known_before(
    classes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = forest(classes)
    content = export(model)
    for most, fits in ((len(content) * 2, True), (len(content) // 2, False)):
        monkeypatch.setattr(portable, "_MOST_BYTES", most)
        assert bool(files(model, "auto")) == fits
    monkeypatch.undo()
    monkeypatch.setattr(portable, "_MOST_NODES", 10)
    assert files(model, "auto") == {}
    assert "too large for train.onnx = auto" in caplog.text
    assert files(model, "required")


def test_a_graph_that_differs_is_left_out(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    model = forest(CLASSES)
    monkeypatch.setattr(portable, "export", lambda _: export(replace(model, trees=model.trees[1:])))
    assert files(model, "auto") == {}
    assert "model.onnx is left out" in caplog.text
    with pytest.raises(ConfigError, match="differ"):
        files(model, "required")


@pytest.mark.parametrize("classes", [CLASSES, ("a", "b", "c")])
def test_another_model_is_not_verified(classes: tuple[str, ...]) -> None:
    margins = 1 if len(classes) == 2 else len(classes)
    coef, sparse = RNG.normal(size=(margins, 7)), RNG.normal(size=(margins, 500))
    model = LogisticModel(classes, coef, RNG.normal(size=margins), LogisticSettings(), sparse)
    assert verify(model, export(model)) < 1e-12
    with pytest.raises(ConfigError, match="differ"):
        verify(replace(model, sparse=sparse * 1.1), export(model))


def test_nobody_is_told_of_a_session(tmp_path: Path) -> None:
    """ONNX Runtime's wheels send what they see of models and machines, and keep what they could not send."""
    graph = Graph(7)
    p = linear(graph, RNG.normal(size=(7, 1)), RNG.normal(size=1), None)
    (model := tmp_path / "model.onnx").write_bytes(graph.finish(p, labelled(graph, p, CLASSES, 0.5), {}))
    (home := tmp_path / "home").mkdir()
    program = "import sys; from mailmill.models import portable; portable.session(open(sys.argv[1], 'rb').read())"
    suppressing = {"CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in suppressing}
    subprocess.run([sys.executable, "-c", program, str(model)], env=environment | {"HOME": str(home)}, check=True)
    assert not list(home.rglob("*"))


@pytest.mark.parametrize("classes", [CLASSES, ("a", "b", "c")])
def test_other_labels_are_not_verified(classes: tuple[str, ...]) -> None:
    """The probabilities are alike; of two classes a threshold, of more the names may be another's."""
    model = forest(classes)
    other = replace(model, threshold=0.8) if len(classes) == 2 else replace(model, classes=("b", "a", "c"))
    verify(model, export(model))
    with pytest.raises(ConfigError, match="labels"):
        verify(model, export(other))
