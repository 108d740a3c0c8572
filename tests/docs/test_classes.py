"""A card of three classes says what has a meaning there, says it of all of them, and names what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mailmill import pipeline
from mailmill.corpus import CorpusSpec, write
from mailmill.docs import intervals, mistakes, slices
from mailmill.docs.datasheet import Sheet
from mailmill.docs.facts import Facts
from mailmill.docs.modelcard import Material, make_cards
from mailmill.docs.sample import Sample
from mailmill.job import Job
from mailmill.models.logistic_model import LogisticModel, LogisticSettings
from mailmill.models.metrics import summarise
from mailmill.models.tally import tally
from tests import mail

CLASSES = ("neg", "neutral", "pos")
ROWS = 300


def make_sample(p: Any, y: Any) -> Sample:
    """Mails of three classes that differ in nothing but what is given."""
    n = len(y)
    return Sample(
        classes=CLASSES,
        key=np.array([f"{i:032x}" for i in range(n)]),
        ids=np.arange(n, dtype=np.uint64),
        y=y,
        words=np.full(n, 30, np.int32),
        coverage=np.full(n, 0.97, np.float32),
        month=np.full(n, "2026-01"),
        language=np.full(n, "en"),
        domain=np.where(y == 1, "calm", "loud"),
        thread=np.arange(n, dtype=np.uint64),
        p={"m": p},
        share=1.0,
    )


def perfect() -> Sample:
    y = np.arange(ROWS) % 3
    return make_sample(np.where(y[:, None] == np.arange(3), 0.8, 0.1), y)


def test_a_perfect_model_is_perfect() -> None:
    sample = perfect()
    test = summarise(tally(sample.p["m"], sample.y), CLASSES).to_dict()
    model = LogisticModel(CLASSES, np.ones((3, 2)), np.zeros(3), LogisticSettings())
    metrics = {"chosen": "m", "models": {"m": {"test": test}}}
    material = Material(Facts({}, {}), metrics, {"m": model}, sample, {}, "always", lambda *_: {}, 3, 1)
    (card,) = make_cards([Sheet("models.m", "", "", "", ())], material)
    for name, value in {"macro_f1": 1.0, "log_loss": -np.log(0.8), "brier": 0.06}.items():
        found = card.figures[name]
        assert (found.low, found.value, found.high) == pytest.approx((value, value, value))
    assert card.figures["accuracy"] == intervals.wilson(ROWS, ROWS)
    assert [note for note in card.notes if "the interval of macro f1 is a point" in note]
    assert "roc_auc" not in card.figures
    assert card.curves is None
    assert card.threshold is None
    assert {part.accuracy.value for part in card.slices} == {1.0}
    assert {part.verdict for part in card.slices} == {""}
    assert card.mistakes == []
    assert not [note for note in card.notes if "one class alone" in note]
    assert [note for note in card.notes if "3 classes" in note and "ROC" in note]


def test_bootstrap_figures_are_those_of_the_tally() -> None:
    draw = np.random.default_rng(2)
    p, y = draw.dirichlet(np.ones(3), ROWS), draw.integers(0, 3, ROWS)
    found = intervals.bootstrap(p, y, np.arange(ROWS, dtype=np.uint64), 0.5, seed=1)
    counted = summarise(tally(p, y), CLASSES).to_dict()
    assert found.keys() == {"accuracy", "macro_f1", "log_loss", "brier"}
    for name, interval in found.items():
        assert interval.value == pytest.approx(counted[name])
        assert interval.low < interval.value < interval.high


def test_parts_and_mistakes_go_by_the_likeliest_class() -> None:
    sample = perfect()
    sample.p["m"][1] = 0.3, 0.1, 0.6  # neutral, called pos
    sample.p["m"][2] = 0.7, 0.1, 0.2  # pos, called neg
    found = {(part.by, part.name): part for part in slices.slices(sample, "m", 0.5)}
    assert found["domain", "calm"].accuracy.value == pytest.approx(99 / 100)
    assert [r.value if r else None for r in found["domain", "loud"].recall] == [1.0, None, pytest.approx(99 / 100)]
    assert mistakes.worst(sample, "m", 0.5, 5) == [
        (f"{2:032x}", "pos", "neg", 0.7), (f"{1:032x}", "neutral", "pos", 0.6)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a run whose labels are of three classes."""
    pytest.importorskip("jinja2", reason="the extra `docs` is not installed")
    pytest.importorskip("matplotlib", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("classes")
    write(CorpusSpec(count=300, seed=1), folder / "corpus", "eml")
    labels = folder / "corpus" / "labels.csv"
    head, *rows = labels.read_text().splitlines()
    rows = [f"{row.rsplit(',', 1)[0]},neutral" if i % 3 == 0 else row for i, row in enumerate(rows)]
    labels.write_text("\n".join([head, *rows]) + "\n")
    vectors = mail.make_vectors(folder / "corpus", folder / "glove.txt")
    config = mail.make_config(
        str(folder / "work"), folder / "corpus", vectors, "train.negative=neg", "docs.build=true",
        f"docs.site={folder / 'site'}", "docs.words=always", "docs.examples=2", f"docs.declared={folder}",
    )  # fmt: skip
    with Job(config) as job:
        pipeline.run(job)
    return folder / "site"


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_the_site_of_three_classes(site: Path, name: str) -> None:
    card, page = json.loads((site / f"model-{name}.json").read_text()), (site / f"model-{name}.html").read_text()
    assert card["figures"].keys() == {"accuracy", "macro_f1", "log_loss", "brier"}
    for figure in card["figures"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert card["curves"] is None
    answers = {answer["question"]: answer for answer in card["sheet"]["answers"]}
    assert answers["metrics.measures"]["status"] == "measured"
    assert "ROC" not in answers["metrics.measures"]["text"]
    assert "Calibration" not in answers["details.algorithm"]["text"]
    assert answers["metrics.thresholds"]["text"] == "None: the likeliest of 3 classes (neg, neutral, pos) is called."
    assert "the predicted class, the likeliest." in page
    assert "mean probability of pos" in page
