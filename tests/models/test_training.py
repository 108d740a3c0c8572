"""Training by name: the order of classes, a path of strengths, and what was read."""

from pathlib import Path

import numpy as np
import pytest

from mailmill.config import parse
from mailmill.errors import ConfigError, DataError
from mailmill.models.data import MemoryFragment, in_process
from mailmill.models.forest import ForestSettings
from mailmill.models.logistic import LogisticModel
from mailmill.models.training import classes_of, decided, fit, forest_settings, ordered, settled

from .problems import CLASSES, cut, problem


def test_classes_run_from_negative_to_positive() -> None:
    assert ordered(["neg", "pos"], "pos") == ("neg", "pos")
    assert ordered(["a", "b"], "a") == ("b", "a")
    assert ordered(["neg", "neutral", "pos"], "pos", "neg") == ("neg", "neutral", "pos")
    assert ordered(["a", "b", "c"], "a", "c") == ("c", "b", "a")


@pytest.mark.parametrize(
    ("found", "positive", "negative"),
    [(["a"], "a", None), (["a", "b"], "c", None), (["a", "b", "c"], "a", None),
     (["a", "b"], "a", "a"), (["a", "b"], "a", "c")],
)  # fmt: skip
def test_classes_without_both_ends_are_refused(found: list[str], positive: str, negative: str | None) -> None:
    with pytest.raises(DataError, match=r"classes[\s\S]*set train\."):
        ordered(found, positive, negative)


def test_features_without_labels_are_told_from_wrong_classes() -> None:
    """As after a night without labels: what is missing is no setting of train's."""
    with pytest.raises(DataError, match=r"no mail of the features has a label\nrun `mailmill label`"):
        ordered([], "pos")


@pytest.mark.parametrize(
    ("setting", "said"),
    [('evaluate.choose_by="roc_auc"', r"evaluate\.choose_by"), ('search.by="roc_auc"', r"search\.by"),
     ('evaluate.threshold="f1"', r"evaluate\.threshold"), ("evaluate.threshold=0.9", r"evaluate\.threshold"),
     ("forest.class_weights={neg=2.0, pos=1.0}", r"forest\.class_weights")],
)  # fmt: skip
def test_settings_of_two_classes_are_refused_for_three(setting: str, said: str) -> None:
    config = parse({"input": {"paths": ["x"]}, "train": {"negative": "neg"}}, [setting])
    assert classes_of(["neg", "pos"], config) == ("neg", "pos")
    with pytest.raises(ConfigError, match=said):
        classes_of(["neg", "neutral", "pos"], config)


def test_several_strengths_are_a_path(tmp_path: Path) -> None:
    config = parse({"input": {"paths": ["x"]}, "logistic": {"l2": [1e-3, 1e-1]}})
    data = problem(noise=2.0)
    map_reduce = in_process([MemoryFragment({"train": data, "validation": problem(300, noise=2.0)})])
    model, evidence = fit("logistic", decided(config, 0), map_reduce, CLASSES)
    said = evidence.to_dict()
    assert [l2 for l2, _ in said["path"]] == [1e-3, 1e-1]  # type: ignore[attr-defined]
    assert said["source_bytes"] == 0
    assert model.probability(data.X).shape == (1500, 2)
    with pytest.raises(ConfigError, match="names no value"):
        parse({"input": {"paths": ["x"]}, "logistic": {"l2": []}})


@pytest.mark.parametrize(
    ("setting", "columns", "given", "found"),
    [("tolerance", 0, None, 1e-9), ("tolerance", 99, None, 1e-3), ("tolerance", 99, 1e-7, 1e-7),
     ("l2", 0, None, 1e-4), ("l2", 99, None, 3e-2), ("l2", 99, 1e-3, 1e-3), ("l2", 99, 0.0, 0.0)],
)  # fmt: skip
def test_beside_ngrams_other_settings_hold_unless_asked(
    setting: str, columns: int, given: float | None, found: float
) -> None:
    """Hashed n-grams are fitted less finely, and dense columns beside them are held tighter."""
    config = parse({"input": {"paths": ["x"]}, "logistic": {} if given is None else {setting: given}})
    model, evidence = fit("logistic", decided(config, columns), cut(problem()), CLASSES)
    assert isinstance(model, LogisticModel)
    assert getattr(model.settings, setting) == found
    assert evidence.converged


def test_a_run_grows_the_forest_that_the_settings_describe() -> None:
    """There were two sets of defaults, and README's figures were of the one that no run had."""
    config = parse({"input": {"paths": ["x"]}})
    assert forest_settings(config, CLASSES) == ForestSettings(seed=config.run.seed)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_what_cannot_be_fitted_to_the_validation_split_is_told(method: str, caplog: pytest.LogCaptureFixture) -> None:
    config = parse(
        {
            "input": {"paths": ["x"]},
            "train": {"calibration": method},
            "evaluate": {"threshold": "f1"},
            "forest": {"trees": 1},
        }
    )
    data = problem()
    few = data.take(np.arange(300))
    model, _ = fit("forest", config, cut(data), CLASSES)
    both = in_process([MemoryFragment({"train": data, "validation": few})])
    assert settled(model, config, both).calibration.method == method
    assert not caplog.text
    one = in_process([MemoryFragment({"train": data, "validation": few.take(np.flatnonzero(few.y == 0))})])
    found = settled(model, config, one)
    assert (found.calibration.method, found.threshold) == ("none", 0.5)
    assert f"no {method} calibration" in caplog.text
    assert "evaluate.threshold is 0.5, not chosen by f1" in caplog.text


def test_a_fit_that_does_not_converge_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailmill.models.logistic.SAMPLE_ROWS", (64, 64))
    config = parse({"input": {"paths": ["x"]}, "logistic": {"max_iterations": 1}})
    _, evidence = fit("logistic", decided(config, 0), cut(problem()), CLASSES)
    assert evidence.converged is False
    assert "did not converge in 1" in caplog.text
    assert np.isfinite(evidence.objective or np.nan)
