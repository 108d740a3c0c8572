"""The search: every candidate judged once, resumed where it stopped, widened without fitting anything twice."""

import json
import tomllib
from pathlib import Path

import pytest

from mailmill import pipeline
from mailmill.config import Config, parse
from mailmill.errors import ConfigError
from mailmill.job import Job
from mailmill.models import training
from mailmill.stages import searching
from tests import mail

GRID = ("search.logistic={l2=[1e-5, 1e-1]}", "search.forest={depth=[2, 4]}", 'features.pooling=["mean"]')


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A workspace that has its features."""
    folder = tmp_path_factory.mktemp("search")
    corpus = mail.make_corpus(folder / "corpus", 250)
    found = mail.make_config(str(folder / "work"), corpus, mail.make_vectors(corpus, folder / "v.txt"), *GRID)
    with Job(found) as job:
        for stage in (pipeline.ingest, pipeline.clean, pipeline.label, pipeline.features):
            stage(job)
    return found


def searched(config: Config, *overrides: str) -> list[dict[str, object]]:
    with Job(parse(config.model_dump(mode="json"), overrides)) as job:
        table = pipeline.search(job)
    best = tomllib.loads(table.file("best.toml").decode())
    results = json.loads(table.file("search.json"))["results"]
    for name, settings in best.items():
        assert settings == next(result["settings"] for result in results if result["model"] == name)
    return results  # type: ignore[no-any-return]


def test_a_search_ends_with_what_training_would_give(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    results = searched(config)
    assert sorted((r["model"], *r["settings"].values()) for r in results) == [
        ("forest", 2), ("forest", 4), ("logistic", 1e-5), ("logistic", 0.1),
    ]  # fmt: skip
    figures = [result["macro_f1"] for result in results]
    assert figures == sorted(figures, reverse=True)
    deep = next(r for r in results if r["settings"] == {"depth": 4})
    with Job(parse(config.model_dump(mode="json"), ["forest.depth=4", 'train.models=["forest"]'])) as job:
        metrics = json.loads(pipeline.train(job)["forest"].file("model.json"))["metrics"]
    assert (deep["macro_f1"], deep["log_loss"]) == (metrics["macro_f1"], metrics["log_loss"])

    fitted = []
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *given, **more: fitted.append(given[0]) or fit(*given, **more))
    assert searched(config) == results
    assert fitted == []
    wider = searched(config, "search.forest={depth=[2, 3, 4]}")
    assert fitted == ["forest"]
    assert [r for r in wider if r["settings"] != {"depth": 3}] == results


def test_only_what_decides_a_candidate_fits_it_again(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, fitted = training.fit, []
    monkeypatch.setattr(training, "fit", lambda *given, **more: fitted.append(given[0]) or fit(*given, **more))
    grid = ("search.logistic={l2=[0.7]}", "search.forest={depth=[3], min_leaf=[7]}")
    searched(config, *grid, 'train.models=["logistic"]')
    searched(config, *grid, "train.onnx=off", "evaluate.choose_by=log_loss")
    assert fitted == ["logistic", "forest"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", bytes(200), b'{"model": "forest"}'])
def test_a_damaged_result_is_named_and_made_again(
    content: bytes, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    grid = ("search.logistic={l2=[0.5]}", 'train.models=["logistic"]')
    folder = Path(config.run.work) / searching.RESULTS
    before = set(folder.glob("*"))
    first = searched(config, *grid)
    (place,) = set(folder.glob("*")) - before
    kept = place.read_bytes()
    place.write_bytes(content)
    again = searched(config, *grid, "search.method=random")
    assert f"{place} is damaged" in caplog.text
    assert [r | {"seconds": 0} for r in again] == [r | {"seconds": 0} for r in first]
    assert json.loads(place.read_bytes()).keys() == json.loads(kept).keys()
    place.unlink()


def test_a_killed_search_goes_on(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, calls = training.fit, []

    def failing(*given: object, **more: object) -> object:
        calls.append(given[0])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(*given, **more)

    monkeypatch.setattr(training, "fit", failing)
    grid = "search.logistic={l2=[0.5, 0.25, 0.125]}"
    with pytest.raises(KeyboardInterrupt):
        searched(config, grid, "search.forest={}")
    assert len(searched(config, grid, "search.forest={}")) == 3 + 1  # {}: the forest as configured
    assert len(calls) == 5


def test_what_candidates_are_judged_by_is_no_detail(config: Config) -> None:
    """Another threshold or calibration gives other figures: results of before are not taken for them."""
    plain = searched(config, "search.forest={}", "train.calibration=none")
    moved = searched(config, "search.forest={}", "train.calibration=none", "evaluate.threshold=0.9")
    assert [r["log_loss"] for r in plain] != [r["log_loss"] for r in searched(config, "search.forest={}")]
    assert sorted(r["macro_f1"] for r in plain) != sorted(r["macro_f1"] for r in moved)


def test_the_table_decides_what_candidates_take_by_default(config: Config) -> None:
    (found,) = searched(config, "features.ngrams=3", "search.logistic={}", 'train.models=["logistic"]')
    with Job(parse(config.model_dump(mode="json"), ['train.models=["logistic"]'])) as job:
        metrics = json.loads(pipeline.train(job)["logistic"].file("model.json"))["metrics"]
    assert (found["macro_f1"], found["log_loss"]) == (metrics["macro_f1"], metrics["log_loss"])


def test_impossible_settings_are_refused_before_any_work() -> None:
    for wrong in ("search.forest={depth=[0]}", "search.forest={height=[3]}", "search.logistic={l2=[-1]}"):
        with pytest.raises(ConfigError, match=r"search"):
            parse({"input": {"paths": ["mail"]}}, [wrong])
