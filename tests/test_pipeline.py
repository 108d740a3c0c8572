"""The main job end to end on every engine: the same tables, the same forest, counts that add up."""

from __future__ import annotations

import csv
import json
import logging
import shutil
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mailmill import pipeline, schemas
from mailmill.config import Config, parse
from mailmill.docs import build
from mailmill.docs.summary import summarise
from mailmill.errors import ConfigError, DataError
from mailmill.job import Job, done
from mailmill.models import training
from mailmill.models.cache import Cache
from mailmill.models.logistic import LogisticSettings
from mailmill.stages import documenting
from mailmill.stages.scorer import chosen
from mailmill.storage.filesystems import Storage
from mailmill.storage.manifests import NAME, Manifest
from mailmill.storage.tables import Table
from tests import mail
from tests.conftest import ROOT, require_engine
from tests.s3_proxy import proxy

TABLES = {"raw": schemas.RAW, "clean": schemas.CLEAN, "rejects": schemas.REJECTS, "labels": schemas.LABELS,
          "features": mail.FEATURES, "scores": schemas.SCORES}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mail.make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def vectors(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mail.make_vectors(corpus, tmp_path_factory.mktemp("vectors") / "glove.txt")


@pytest.fixture(scope="module")
def reference(corpus: Path, vectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The whole pipeline on the local engine."""
    config = mail.make_config(str(tmp_path_factory.mktemp("reference")), corpus, vectors)
    with Job(config) as job:
        pipeline.run(job)
    return config


def tables(config: Config) -> dict[str, Table]:
    job = Job(config)
    return {name: job.workspace.open(name, schema) for name, schema in TABLES.items()}


def test_counts_add_up(reference: Config, corpus: Path) -> None:
    found, truth = tables(reference), pq.read_table(corpus / "truth.parquet")
    files = sum(1 for _ in (corpus / "mail").rglob("*.eml"))
    statistics = found["clean"].manifest.statistics
    assert statistics["messages"] == files == truth.num_rows
    assert found["clean"].rows + found["rejects"].rows + statistics["duplicates"] == files
    assert statistics["duplicates"] >= pc.sum(pc.equal(truth["kind"], "duplicate")).as_py() > 0
    assert found["raw"].rows == len(set(found["raw"].read()["key"].to_pylist()))
    assert sum(statistics["reasons"].values()) == found["rejects"].rows > 0
    assert set(statistics["reasons"]) <= set(schemas.REJECT_REASONS)


def test_every_removed_character_is_accounted_for(reference: Config) -> None:
    for row in tables(reference)["clean"].read().to_pylist():
        at = 0
        for span in row["spans"]:
            assert span["start"] == at < span["end"]
            assert span["zone"] in schemas.ZONES
            assert span["rule"]
            at = span["end"]
        assert at == row["rendered_chars"]


def left_of_runs(config: Config, *tables: str) -> list[Path]:
    """What runs that were not published have left below tables that never were: every night added a copy."""
    return [path for table in tables for path in (Path(config.run.work) / table).glob("run_id=*")]


def test_labels_join_by_message_id(reference: Config, corpus: Path) -> None:
    found = tables(reference)
    with (corpus / "labels.csv").open(encoding="utf-8") as file:
        given = sum(1 for _ in csv.DictReader(file))
    statistics = found["labels"].manifest.statistics
    assert found["labels"].rows == statistics["labelled"] <= given
    assert statistics["labelled"] + statistics["unlabelled"] == found["raw"].rows
    assert statistics["contradictory"] == 0
    labelled = pc.sum(pc.is_valid(found["features"].read()["label"])).as_py()
    assert labelled == statistics["labelled"]


def test_no_conversation_straddles_a_split(reference: Config) -> None:
    found = tables(reference)
    joined = found["clean"].read(["key", "thread"]).join(found["features"].read(["key", "split"]), "key")
    per_thread = joined.group_by("thread").aggregate([("split", "count_distinct")])
    assert pc.max(per_thread["split_count_distinct"]).as_py() == 1
    assert set(joined["split"].to_pylist()) == set(schemas.SPLITS)


def test_scores_are_a_queue(reference: Config) -> None:
    scores = tables(reference)["scores"].read().sort_by("priority")
    assert scores["priority"].to_pylist() == list(range(1, scores.num_rows + 1))
    sentiment = scores["sentiment"].to_numpy()
    assert np.all(np.diff(sentiment) >= 0)
    assert sentiment.min() >= -1
    assert sentiment.max() <= 1
    np.testing.assert_array_equal(2 * scores["probability"].to_numpy() - 1, sentiment)


def test_the_choice_is_documented(reference: Config) -> None:
    table = Job(reference).workspace.open("metrics", schemas.FILES)
    document = json.loads(table.file("metrics.json"))
    on = {name: splits["validation"] for name, splits in document["models"].items()}
    best = max(on, key=lambda name: (on[name]["macro_f1"], -on[name]["log_loss"]))
    assert document["chosen"] == best == table.manifest.statistics["chosen"]
    page = table.file("choice.md").decode()
    assert f"**{best}** was chosen" in page
    assert all(f"| {label} |" in page for label in ("neg", "pos"))


@pytest.mark.parametrize("kind", ["dask", "spark"])
def test_other_engines_make_the_same(kind: str, reference: Config, corpus: Path, vectors: Path, tmp_path: Path) -> None:
    require_engine(kind)
    config = mail.make_config(str(tmp_path), corpus, vectors, f"engine.kind={kind}")
    with Job(config) as job:
        pipeline.run(job)
    ours, theirs = tables(config), tables(reference)
    for name in ("raw", "clean", "rejects", "labels", "features"):
        assert ours[name].fingerprint == theirs[name].fingerprint, name
        assert ours[name].read().equals(theirs[name].read()), name
    models = [{n: pipeline.load_model(Job(c), n).model for n in ("logistic", "forest")} for c in (config, reference)]
    for a, b in zip(models[0]["forest"].trees, models[1]["forest"].trees, strict=True):
        for field in ("feature", "threshold", "left", "right", "counts"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    np.testing.assert_allclose(models[0]["logistic"].coef, models[1]["logistic"].coef, rtol=1e-8, atol=1e-12)
    a, b = ours["scores"].read(), theirs["scores"].read()
    np.testing.assert_allclose(a["sentiment"].to_numpy(), b["sentiment"].to_numpy(), rtol=0, atol=1e-8)


def test_a_second_run_does_nothing_and_says_so(
    reference: Config, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: table.manifest for name, table in tables(reference).items()}
    monkeypatch.setattr("mailmill.job.open_engine", lambda *_: pytest.fail("an engine was started"))
    with caplog.at_level(logging.INFO, logger="mailmill"), Job(reference) as job:
        pipeline.run(job)
    assert caplog.text.count("unchanged") == 8
    assert {name: table.manifest for name, table in tables(reference).items()} == before


def test_counts_are_said_to_the_last_digit(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    manifest = Manifest("t", "run", "", 1_234_567, "", [], [], {}, "", "", {"rejects": 7_654_321, "share": 0.123456789})
    with caplog.at_level(logging.INFO, logger="mailmill"):
        done({"t": Table(storage, "t", manifest, schemas.SCORES)}, "t")
    assert caplog.messages == ["t published: rows=1234567 rejects=7654321 share=0.123457"]


def test_only_what_depends_on_a_change_runs_again(reference: Config, caplog: pytest.LogCaptureFixture) -> None:
    changed = reference.model_copy(update={"forest": reference.forest.model_copy(update={"trees": 9})})
    with caplog.at_level(logging.INFO, logger="mailmill"), Job(changed) as job:
        pipeline.run(job)
    again = {line.split()[0] for line in caplog.messages if " published: " in line}
    assert again >= {"models/forest", "metrics"}
    assert not again & {"raw", "clean", "labels", "features", "models/logistic"}
    with Job(reference) as job:  # leave the reference as it was, for the other tests
        pipeline.run(job)


def test_the_table_decides_what_training_takes_by_default(reference: Config, tmp_path: Path) -> None:
    """Not the configuration, which may ask for other features than those that are there."""
    shutil.copytree(reference.run.work, tmp_path / "work", ignore=shutil.ignore_patterns("models"))
    asked = reference.model_dump(mode="json") | {"run": {"work": str(tmp_path / "work"), "seed": reference.run.seed}}

    def trained(*overrides: str) -> tuple[Manifest, LogisticSettings]:
        with Job(parse(asked, ['train.models=["logistic"]', *overrides])) as job:
            return pipeline.train(job)["logistic"].manifest, pipeline.load_model(job, "logistic").model.settings

    manifest, settings = trained("features.ngrams=3")
    assert (settings.l2, settings.tolerance) == (training.L2, training.TOLERANCE)
    assert trained("logistic.l2=1e-4", "logistic.tolerance=1e-9") == (manifest, settings)
    assert trained("evaluate.choose_by=log_loss")[0] == manifest, "models are chosen after they are trained"
    assert trained("logistic.l2=1e-3")[0] != manifest


def copied(reference: Config, folder: Path, *overrides: str) -> Config:
    """The reference with other settings, in a workspace that begins as a copy of its own."""
    work = folder / "work"
    shutil.copytree(reference.run.work, work)
    return parse(
        reference.model_dump(mode="json") | {"run": {"work": str(work), "seed": reference.run.seed}}, overrides
    )


def test_a_cache_that_others_may_write_to_is_told_of_once(
    reference: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = copied(reference, tmp_path, f"cache.directory={tmp_path}", "forest.trees=4", "logistic.l2=1e-3")
    root = Cache(str(tmp_path)).root
    root.mkdir()
    root.chmod(0o777)
    with Job(config) as job:
        models = pipeline.train(job)
    assert set(models) == {"forest", "logistic"}
    assert not list(root.iterdir())
    (said,) = [message for message in caplog.messages if "alone" in message]
    assert said.startswith(f"{root} is not this user's alone")
    assert "cache.directory" in said


@pytest.mark.parametrize("trained", ["logistic", "forest"])
def test_a_model_that_is_not_trained_cannot_be_the_one_that_scores(
    trained: str, reference: Config, tmp_path: Path
) -> None:
    """Every night ended after all the work, or scored with a model that stayed as it was."""
    other = {"logistic": "forest", "forest": "logistic"}[trained]
    config = copied(reference, tmp_path, f'train.models=["{trained}"]', f"score.model={other}")
    with Job(config) as job:
        for stage in (pipeline.run, pipeline.score):
            with pytest.raises(
                ConfigError, match=rf"score\.model is {other}, .* names {trained}\nadd {other} to train"
            ):
                stage(job)
    for changed in (f"score.model={trained}", "labels.source="):
        pipeline.require(Job(parse(config.model_dump(mode="json"), [changed])))


def test_the_model_whose_place_is_named_is_the_one_that_scored(reference: Config, tmp_path: Path) -> None:
    with Job(copied(reference, tmp_path)) as job:
        chosen_one = job.workspace.manifest("metrics").statistics["chosen"]
        assert f"models/{chosen_one}/run_id" in summarise(job.workspace).splitlines()[-1]
    other = {"logistic": "forest", "forest": "logistic"}[chosen_one]
    config = parse(job.config.model_dump(mode="json"), [f"score.model={other}"])
    with Job(config) as job:
        pipeline.score(job)
        assert f"models/{other}/run_id" in summarise(job.workspace).splitlines()[-1]


def test_a_run_without_labels_shows_no_figures_of_older_models(reference: Config, tmp_path: Path) -> None:
    config = copied(reference, tmp_path, "labels.source=")
    with Job(config) as job:
        assert "accuracy" in summarise(job.workspace)
        pipeline.run(job)
        said = summarise(job.workspace)
        sheets = {sheet.subject: sheet for sheet in build.gather(job.workspace, config).datasheets}
        told = {answer.question.id: answer.text for answer in sheets["features"].answers}
    rows = job.workspace.manifest("features").rows
    assert told["composition.label"] == f"None of the {rows} messages has a label: the table was made without labels."
    assert (
        "In an earlier version of the table features: to train forest, logistic. The features" in told["uses.already"]
    )
    assert "nothing so far" in told["uses.repository"]
    assert "evaluated on other features" in said
    assert "no labels (labels.source and labels.header are empty): no models, no scores" in said
    assert not [word for word in ("accuracy", "labelled (") if word in said]


def test_a_model_trained_anew_has_no_figures_until_it_is_evaluated(
    reference: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where `evaluate` failed, or was left out, figures and the choice are those of other models."""
    config = copied(reference, tmp_path, "forest.trees=1", "forest.depth=1")
    with Job(config) as job:
        assert build.gather(job.workspace, config).facts.get("models.forest.test.accuracy")
        pipeline.train(job)
        scores = job.workspace.manifest("scores")
        with pytest.raises(DataError, match=r"an earlier version of models/forest\nrun `mailmill evaluate`") as caught:
            pipeline.score(job)
        assert job.workspace.manifest("scores") == scores
        assert f"no figures: {caught.value.message}" in summarise(job.workspace)
        assert "accuracy" not in summarise(job.workspace)
        documents = build.gather(job.workspace, config)
        assert f"no figures of models: {caught.value.message}" in caplog.text
        assert [fact.name for fact in documents.facts if fact.table == "metrics"] == []
        used = next(answer for answer in documents.sheets[0].answers if answer.question.id == "uses.already")
        assert used.text.endswith("they have not been evaluated.")
        assert documenting._material(job, documents) is None
        named = config.model_copy(update={"score": config.score.model_copy(update={"model": "logistic"})})
        assert chosen(job.workspace, named.score.model) == "logistic"
        pipeline.evaluate(job)
        assert pipeline.score(job).rows == scores.rows
        assert "accuracy" in summarise(job.workspace)


def test_models_are_told_of_before_they_are_evaluated_and_not_once_they_are_given_up(
    reference: Config, tmp_path: Path
) -> None:
    """A workspace that `train` had been run in had no model, it said; one that nobody trains failed `docs check`."""
    config = copied(reference, tmp_path, 'train.models=["logistic"]')
    with Job(config) as job:
        metrics = job.workspace.uri_of("metrics")
        shutil.move(metrics, tmp_path / "metrics")
        found = build.gather(job.workspace, config)
        assert [sheet.subject for sheet in found.cards] == ["models.forest", "models.logistic"]
        told = {sheet.subject: {a.question.id: a.text for a in sheet.answers} for sheet in found.sheets}
        said = "Yes: to train forest, logistic, which predict neg, pos. As they are now they have not been evaluated."
        assert {told[table]["uses.already"] for table in ("raw", "clean", "features")} == {said}
        assert "likeliest" not in told["models.logistic"]["metrics.thresholds"]
        shutil.move(tmp_path / "metrics", metrics)
        pipeline.evaluate(job)
        found = build.gather(job.workspace, config)
    assert [sheet.subject for sheet in found.cards] == ["models.logistic"]
    assert not [fact for fact in found.facts if "forest" in f"{fact.name} {fact.value}"]


def test_settings_that_features_were_not_made_by_are_told_of(
    reference: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = copied(reference, tmp_path, "features.test_share=0.4", "features.ngrams=1")
    with Job(config) as job:
        pipeline.open_features(job)
        assert "than those given now (ngrams, shares, skips, sparse_columns), and stay so until" in caplog.text
        pipeline.features(job)
        caplog.clear()
        pipeline.open_features(job)
        assert not caplog.text


def test_features_of_other_code_train_no_model(reference: Config, tmp_path: Path) -> None:
    """One was published that no mailmill could read new mail with."""
    config = copied(reference, tmp_path)
    with Job(config) as job:
        file = Path(job.workspace.uri_of("features"), NAME)
        manifest = json.loads(file.read_text()) | {"code": "of before"}
        manifest["statistics"]["specification"]["version"] -= 1
        file.write_text(json.dumps(manifest))
        for stage in (pipeline.train, pipeline.evaluate, pipeline.score):
            with pytest.raises(DataError, match=r"features cannot be used: .* version 2; .*\nrun `mailmill feat"):
                stage(job)
        pipeline.features(job)
        pipeline.open_features(job)


def test_settings_that_a_model_was_not_trained_with_are_told_of(
    reference: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of those of [evaluate] and [train] that training settles, figures came out the same without a word."""
    changes = ["evaluate.threshold=0.9", "train.calibration=none", "forest.trees=9"]
    config = copied(reference, tmp_path, *changes, "score.model=forest")
    with Job(config) as job:
        metrics = job.workspace.manifest("metrics")
        assert pipeline.evaluate(job).manifest == metrics
        assert "models/logistic was trained with evaluate.threshold = 0.5, train.calibration = platt," in caplog.text
        told = "models/forest was trained with evaluate.threshold = 0.5, forest.trees = 8, train.calibration = platt,"
        assert told in caplog.text
        caplog.clear()
        pipeline.score(job)
        assert told in caplog.text
        pipeline.train(job)
        caplog.clear()
        pipeline.evaluate(job)
        pipeline.score(job)
        assert not caplog.text


def test_nights_score_new_mail_with_models_and_metrics_that_stay(
    reference: Config, corpus: Path, tmp_path: Path
) -> None:
    """No night trains or evaluates: features change, and figures stay those of the models that are there."""
    shutil.copytree(corpus / "mail", tmp_path / "mail")
    config = copied(reference, tmp_path, f"input.paths=['{tmp_path / 'mail'}']")
    for night in range(2):
        (tmp_path / "mail" / f"{night}.eml").write_text(f"Subject: x\n\nThe printer {night} works.\n")
        with Job(config) as job:
            before = {name: job.workspace.manifest(name) for name in ("features", "metrics", "scores")}
            for stage in (pipeline.ingest, pipeline.clean, pipeline.label, pipeline.features):
                stage(job)
            assert pipeline.score(job).rows == before["scores"].rows + 1
            assert job.workspace.manifest("features").fingerprint != before["features"].fingerprint
            assert job.workspace.manifest("metrics") == before["metrics"]
            documents = build.gather(job.workspace, config)
    assert documents.facts.get("models.forest.test.accuracy")
    (said,) = (a.text for a in documents.cards[0].answers if a.question.id == "evaluation.datasets")
    assert said.startswith("The split test of an earlier version of the table features: ")


def test_tables_of_earlier_versions_are_told_of(
    reference: Config, corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """New mail and corrected labels, and no `features`: nothing said that models and scores know neither."""
    shutil.copytree(corpus / "mail", tmp_path / "mail")
    (tmp_path / "mail" / "new.eml").write_text("Subject: x\n\nThe printer works.\n")
    turned = (corpus / "labels.csv").read_text().replace(",neg", ",?").replace(",pos", ",neg").replace(",?", ",pos")
    (tmp_path / "turned.csv").write_text(turned)
    changes = [f"input.paths=['{tmp_path / 'mail'}']", f"labels.source={tmp_path / 'turned.csv'}"]
    with Job(copied(reference, tmp_path, *changes)) as job:
        before = job.workspace.manifest("features").rows
        pipeline.ingest(job)
        labels = pipeline.label(job)
        pipeline.open_features(job)
        raw = labels.rows + labels.manifest.statistics["unlabelled"]
        clean = f"table clean ({before} rows) is of an earlier version of raw ({raw} rows) and "
        features = f"table features ({before} rows) is of an earlier version of labels ({labels.rows} rows); run"
        assert [line.startswith(of) for line, of in zip(caplog.messages, (clean, features), strict=True)] == [True] * 2
        pipeline.clean(job)
        features = features.replace("of labels", f"of clean ({before + 1} rows) and labels")
        for stage in (pipeline.train, pipeline.evaluate, pipeline.score):
            caplog.clear()
            stage(job)
            assert features in caplog.text
            assert clean not in caplog.text
        assert features in summarise(job.workspace)
        caplog.clear()
        documents = build.gather(job.workspace, job.config)
        assert features in caplog.text
        caplog.clear()
        pipeline.run(job)
        build.gather(job.workspace, job.config)
        assert "earlier version" not in caplog.text
        assert "earlier version" not in summarise(job.workspace)
    known = {sheet.subject: {a.question.id: a for a in sheet.answers} for sheet in documents.sheets}
    told = known["features"]
    assert told["composition.count"].text.startswith(f"{before} messages: train ")
    assert told["uses.already"].text.startswith("Yes: to train forest, logistic. ")
    assert f" of the {before} messages have no label; " in told["composition.label"].text
    assert not [name for name in ("sample", "errors") if told[f"composition.{name}"].status == "measured"]
    assert known["clean"]["composition.splits"].status == "unanswered"
    assert known["clean"]["composition.sample"].text.count(f" {before + 1} clean") == 1
    assert "clean mails" not in known["models.forest"]["evaluation.preprocessing"].text
    for subject, joined in (("features", {"raw", "clean", "labels"}), ("clean", {"features"})):
        assert not [fact for answer in known[subject].values() for fact in answer.facts if fact.table in joined]


def test_readme_reads_tables_without_rows_too(
    reference: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = shutil.copytree(reference.run.work, tmp_path / "work" / "demo")
    code = (ROOT / "README.md").read_text().partition("    import json\n")[2].partition("\n\nWhat each column means")[0]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec("import json\n" + textwrap.dedent(code), names)
    assert capsys.readouterr().out.count("'priority': ") == 3
    empty = {"rejects": schemas.REJECTS}
    Job(mail.make_config(str(work), tmp_path, tmp_path)).workspace.stage({}, "", empty).publish([], {})
    nothing = names["read"]("rejects", ["key", "reason"])
    assert (nothing.num_rows, nothing.column_names) == (0, ["key", "reason"])
    assert nothing.join(names["read"]("raw", ["key", "source"]), "key").num_rows == 0
    assert names["read"]("ledger", ["path", "day"]).num_rows > 0


def test_labels_that_features_were_made_without_are_none_of_theirs(reference: Config, tmp_path: Path) -> None:
    """Of features without a label the datasheet said how many messages have one."""
    with Job(copied(reference, tmp_path, "labels.source=")) as job:
        pipeline.features(job)
        documents = build.gather(job.workspace, job.config)
    told = {sheet.subject: {a.question.id: a for a in sheet.answers} for sheet in documents.sheets}
    assert told["features"]["composition.label"].text.endswith("has a label: the table was made without labels.")
    assert " messages of the table raw have a label " in told["clean"]["composition.label"].text


def test_a_model_is_not_given_other_features_than_its_own(reference: Config, tmp_path: Path) -> None:
    """As after a night whose training failed, or a change of settings without `train`: widths may be the same."""
    config = copied(reference, tmp_path, "features.pooling=['max']")
    with Job(config) as job:
        scores = job.workspace.manifest("scores")
        pipeline.features(job)
        for stage in (pipeline.score, pipeline.evaluate):
            with pytest.raises(DataError, match=r"models/\w+ was trained on other features: .*pooling") as caught:
                stage(job)
            assert "mailmill train" in caught.value.hint
        assert job.workspace.manifest("scores") == scores
        pipeline.train(job)
        pipeline.evaluate(job)
        assert pipeline.score(job).rows == scores.rows
    with Job(parse(config.model_dump(mode="json"), ["run.seed=77"])) as job:
        pipeline.features(job)
        with pytest.raises(DataError, match="differ in splits_by"):
            pipeline.evaluate(job)


@pytest.mark.parametrize("form", ["mbox", "tar.gz", "parquet"])
def test_every_container_gives_the_same_messages(
    form: str, reference: Config, corpus: Path, vectors: Path, tmp_path: Path
) -> None:
    from mailmill.corpus import CorpusSpec, write

    write(CorpusSpec(count=300, seed=3, malformed=0.04, duplicates=0.04), tmp_path / "mail", form)
    config = mail.make_config(str(tmp_path / "work"), tmp_path / "mail", vectors)
    with Job(config) as job:
        raw = pipeline.ingest(job)
    expected = set(tables(reference)["raw"].read()["key"].to_pylist())
    found = set(raw.read()["key"].to_pylist())
    if form == "mbox":  # an mbox ends each message with a line break, and cannot hold an empty one
        assert raw.rows >= 0.9 * len(expected)
    else:
        assert found == expected


def test_labels_from_a_header(vectors: Path, tmp_path: Path) -> None:
    corpus = mail.make_corpus(tmp_path / "mail", 120, label_header="X-Sentiment")
    config = mail.make_config(str(tmp_path / "work"), corpus, vectors, labels={"header": "X-Sentiment"})
    with Job(config) as job:
        pipeline.ingest(job)
        labels = pipeline.label(job)
    assert set(labels.manifest.statistics["classes"]) == {"neg", "pos"}
    assert labels.rows > 90
    assert labels.read()["votes"][0].as_py()[0]["tagger"] == "X-Sentiment"


def test_unmatched_and_contradictory_labels_are_counted(corpus: Path, vectors: Path, tmp_path: Path) -> None:
    lines = [*(corpus / "labels.csv").read_text().splitlines(), "no-label@nowhere"]
    first, label = lines[1].rsplit(",", 1)
    other = "neg" if label == "pos" else "pos"
    (tmp_path / "labels.csv").write_text("\n".join([*lines, f"{first},{other}", "nobody@nowhere,pos"]) + "\n")
    config = mail.make_config(str(tmp_path / "work"), corpus, vectors, f"labels.source={tmp_path / 'labels.csv'}")
    with Job(config) as job:
        pipeline.ingest(job)
        statistics = pipeline.label(job).manifest.statistics
    assert (statistics["unmatched"], statistics["contradictory"], statistics["incomplete"]) == (1, 1, 1)


def test_a_column_of_texts_is_no_column_of_classes(corpus: Path, vectors: Path, tmp_path: Path) -> None:
    """By one wrong key the text of every mail stood in the log, the run's record and two manifests."""
    ids = [line.rsplit(",", 1)[0] for line in (corpus / "labels.csv").read_text().splitlines()[1:]]
    rows = [f"{name},neg,{'I am Ada and my order is late. ' * 5}{n}" for n, name in enumerate(ids)]
    (tmp_path / "labels.csv").write_text("\n".join(["message_id,label,text", *rows]) + "\n")
    settings = (f"labels.source={tmp_path / 'labels.csv'}", "labels.label_column=text")
    with Job(mail.make_config(str(tmp_path / "work"), corpus, vectors, *settings)) as job:
        pipeline.ingest(job)
        with pytest.raises(DataError, match=r"'text' of the labels holds .* no classes") as refused:
            pipeline.label(job)
        assert "Ada" not in str(refused.value)
        assert job.workspace.find("labels") is None


@pytest.mark.parametrize("copy", ["aa.eml", None])
def test_a_label_of_a_copy_that_did_not_stay_is_told(
    copy: str | None, vectors: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By sources, of equal messages the first alone can have a label: the ids of others seemed to be missing mail."""
    folder = tmp_path / "mail" / "mail"
    folder.mkdir(parents=True)
    for name in ("bb.eml", "cc.eml"):
        (folder / name).write_text(f"From: a@b.example\nSubject: {name}\n\nThe text of {name}.\n")
    if copy:
        shutil.copyfile(folder / "bb.eml", folder / copy)
    (tmp_path / "labels.csv").write_text(f"message_id,label\n{folder}/bb.eml,pos\n{folder}/cc.eml,neg\n")
    settings = (f"labels.source={tmp_path / 'labels.csv'}", "labels.id_kind=source", "quality.expectations=off")
    with Job(mail.make_config(str(tmp_path / "work"), tmp_path / "mail", vectors, *settings)) as job:
        pipeline.ingest(job)
        counts = pipeline.label(job).manifest.statistics
    assert (counts["labelled"], counts["unmatched"]) == ((1, 1) if copy else (2, 0))
    assert ("1 ids name no source of raw, which of equal messages has one alone" in caplog.text) == bool(copy)


@pytest.mark.parametrize(
    ("kind", "rows", "said"),
    [
        ("message_id", "x@y,pos\n", r"it has 1 ids with a label, 0 with two .*\ncheck labels\.id_kind"),
        ("source", "x@y,pos\n", r"\nwrite ids as the table raw has them in source"),
        ("message_id", "x@y,pos\nx@y,neg\nz@y,\n", r"0 ids with a label, 1 with two .* 1 rows .*each id needs"),
    ],
)  # fmt: skip
def test_labels_that_match_nothing_are_an_error(
    kind: str, rows: str, said: str, corpus: Path, vectors: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text(f"message_id,label\n{rows}")
    settings = (f"labels.source={tmp_path / 'labels.csv'}", f"labels.id_kind={kind}")
    config = mail.make_config(str(tmp_path / "work"), corpus, vectors, *settings)
    with Job(config) as job:
        pipeline.ingest(job)
        with pytest.raises(DataError, match=f"(?s)no message got a label.*{said}"):
            pipeline.label(job)
    assert left_of_runs(config, "labels") == []


def test_a_header_that_no_mail_has_is_named(corpus: Path, vectors: Path, tmp_path: Path) -> None:
    config = mail.make_config(str(tmp_path / "work"), corpus, vectors, labels={"header": "X-Nope"})
    with Job(config) as job:
        pipeline.ingest(job)
        with pytest.raises(DataError, match=r"header X-Nope\ncheck labels\.header"):
            pipeline.label(job)


def test_a_folder_is_no_label_file(corpus: Path, vectors: Path, tmp_path: Path) -> None:
    config = mail.make_config(str(tmp_path / "work"), corpus, vectors, f"labels.source={tmp_path}")
    with Job(config) as job:
        for stage in (pipeline.run, pipeline.label):
            with pytest.raises(DataError, match=r"or are a folder\nset labels\.source to a file"):
                stage(job)


def test_without_labels_the_run_ends_after_the_features(corpus: Path, vectors: Path, tmp_path: Path) -> None:
    config = mail.make_config(str(tmp_path / "work"), corpus, vectors, labels={})
    with Job(config) as job:
        pipeline.run(job)
        assert job.workspace.find("features") is not None
        assert job.workspace.find("labels") is None
        with pytest.raises(ConfigError, match="no labels"):
            pipeline.label(job)
        with pytest.raises(DataError, match="no mail of the features has a label"):
            pipeline.train(job)


def test_a_message_as_large_as_is_allowed_is_cleaned(tmp_path: Path, vectors: Path) -> None:
    folder = tmp_path / "mail" / "mail"
    folder.mkdir(parents=True)
    head = b"From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello there.\n"
    scan = b"--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
    (folder / "scan.eml").write_bytes(head + scan + (b"QUJD" * 19 + b"\n") * (50 * 2**20 // 77 + 1) + b"--b--\n")
    config = mail.make_config(str(tmp_path / "work"), tmp_path / "mail", vectors, "ingest.max_message_bytes=60MiB")
    with Job(config) as job:
        pipeline.ingest(job)
        assert pipeline.clean(job).read()["text"].to_pylist() == ["Hello there."]


def test_too_many_rejects_stop_the_run(tmp_path: Path, vectors: Path) -> None:
    folder = tmp_path / "mail" / "mail"
    folder.mkdir(parents=True)
    for n in range(10):
        (folder / f"{n}.eml").write_bytes(b"\x00\x01 no mail at all %d" % n)
    config = mail.make_config(str(tmp_path / "work"), tmp_path / "mail", vectors)
    with Job(config) as job:
        pipeline.ingest(job)
        with pytest.raises(DataError, match="10 of 10 messages were rejected: not_mail 10"):
            pipeline.clean(job)
        assert job.workspace.find("clean") is None
    assert left_of_runs(config, "clean", "rejects", "profiles/clean") == []


@pytest.mark.s3
@pytest.mark.parametrize("kind", ["local", "dask", "spark"])
def test_the_same_on_s3(
    kind: str, reference: Config, corpus: Path, vectors: Path, s3_endpoint: str, tmp_path: Path
) -> None:
    """Input, labels, vectors and every table on S3."""
    require_engine(kind)
    config = mail.make_config(f"s3://test/{kind}/work", corpus, vectors, f"engine.kind={kind}",
                              f"storage.endpoint={s3_endpoint}", 'input.paths=["s3://test/mail"]',
                              "labels.source=s3://test/labels.csv", "features.vectors=s3://test/glove.txt")  # fmt: skip
    job = Job(config)
    job.storage.write("s3://test/labels.csv", (corpus / "labels.csv").read_bytes())
    job.storage.write("s3://test/glove.txt", vectors.read_bytes())
    for path in sorted((corpus / "mail").rglob("*.eml")):
        job.storage.write(f"s3://test/mail/{path.relative_to(corpus / 'mail')}", path.read_bytes())
    with job:
        pipeline.run(job)
    ours, theirs = tables(config), tables(reference)
    for name in ("clean", "labels", "features"):
        assert ours[name].fingerprint == theirs[name].fingerprint, name


@pytest.mark.s3
def test_a_run_with_nothing_new_asks_little_of_s3(corpus: Path, vectors: Path, s3_endpoint: str) -> None:
    """Each answer takes S3 its ten to fifty milliseconds, and a night has little else to wait for."""
    with proxy(s3_endpoint) as watched:
        config = mail.make_config("s3://test/quiet", corpus, vectors, f"storage.endpoint={watched.endpoint}")
        for _ in range(2):
            watched.seen.clear()
            with Job(config, alone=True) as job:
                pipeline.run(job)
    asked = [path for method, path, _ in watched.seen if method == "GET"]
    manifests = [path for path in asked if path.endswith("_manifest.json")]
    assert len(manifests) == len({*manifests}), "one is read twice"
    assert not [path for path in asked if path.endswith((".npy", ".parquet"))], "nothing is made of them"
    assert len(watched.seen) <= 110


def test_fingerprints_see_one_changed_message(reference: Config, corpus: Path, vectors: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(corpus, tmp_path / "mail")
    victim = sorted((tmp_path / "mail" / "mail").rglob("*.eml"))[7]
    victim.write_bytes(victim.read_bytes() + b"\r\nOne more line.\r\n")
    config = mail.make_config(str(tmp_path / "work"), tmp_path / "mail", vectors)
    with Job(config) as job:
        assert pipeline.ingest(job).fingerprint != tables(reference)["raw"].fingerprint


def test_schema_of_features_is_what_the_manifest_says(reference: Config) -> None:
    table = pipeline.open_features(Job(reference))
    assert table.schema == mail.FEATURES
    specification = table.manifest.statistics["specification"]
    assert (specification["dimension"], specification["classes"]) == (2 * mail.DIMENSION + 1, ["neg", "pos"])
