"""The stage that trains vectors on the workspace's mail: published, skipped, resumed, read by the features stage."""

import logging
import os
import time
from pathlib import Path

import numpy as np
import pytest

from mailmill import pipeline, schemas
from mailmill.config import TRAINED, Config
from mailmill.errors import DataError
from mailmill.features import glove_training
from mailmill.features.vector_files import VectorFile
from mailmill.job import Job
from mailmill.stages import own_vectors
from tests import mail

SMALL = ("glove.dimension=10", "glove.epochs=4", "glove.min_count=3", "glove.window=4", 'features.pooling=["mean"]')


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mail.make_corpus(tmp_path_factory.mktemp("corpus"), 80)


def configured(work: Path, corpus: Path, *overrides: str) -> Config:
    return mail.make_config(str(work), corpus, Path(TRAINED), *SMALL, *overrides)


def published(config: Config) -> bytes:
    return Job(config).workspace.open(own_vectors.TABLE, schemas.FILES).file(own_vectors.FILE)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Config:
    """A configuration whose run has ended, with vectors of its own."""
    config = configured(tmp_path_factory.mktemp("work"), corpus, "glove.threads=1")
    with Job(config) as job:
        pipeline.run(job)
    return config


def test_the_features_are_of_the_trained_vectors(reference: Config) -> None:
    workspace = Job(reference).workspace
    specification = workspace.manifest("features").statistics["specification"]
    assert (specification["vectors"], specification["dimension"]) == (own_vectors.FILE, 10)
    statistics = workspace.manifest(own_vectors.TABLE).statistics
    assert statistics["epochs"] == len(statistics["losses"]) == 4
    assert statistics["losses"] == sorted(statistics["losses"], reverse=True)
    blocks = list(VectorFile.find(own_vectors.source(Job(reference))).blocks())
    words = [word.decode() for block in blocks for word in block.words]
    assert statistics["words"] == len(words) == len(set(words)) > 50
    assert not [word for word in words if "@" in word[1:]]
    assert np.isfinite(np.concatenate([block.vectors for block in blocks])).all()
    features = pipeline.open_features(Job(reference)).read()
    assert np.mean(features["coverage"].to_numpy()) > 0.5


def test_nothing_is_left_of_the_training(reference: Config) -> None:
    folder = Path(reference.run.work) / own_vectors.TABLE
    names = sorted(path.name.split("=")[0] for path in folder.iterdir())
    assert names == ["_manifest.json", "run_id"]
    assert [path.name for path in folder.glob("run_id=*/*")] == [own_vectors.FILE]


def test_a_second_run_trains_nothing(reference: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailmill.job.open_engine", lambda *_: pytest.fail("an engine was started"))
    changed = reference.model_copy(update={"glove": reference.glove.model_copy(update={"threads": 7})})
    before = Job(reference).workspace.manifest(own_vectors.TABLE)
    for config in (reference, changed):  # threads do not change the result
        with Job(config) as job:
            assert pipeline.glove(job).manifest == before


def test_a_killed_training_goes_on_where_it_was(
    reference: Config, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = configured(tmp_path, corpus, "glove.threads=2")
    with Job(config) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
    whole = glove_training.run_epoch

    def stops(*arguments: object) -> float:
        if arguments[4] == 2:
            raise KeyboardInterrupt
        return whole(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, Job(config) as job:
        patch.setattr(glove_training, "run_epoch", stops)
        with pytest.raises(KeyboardInterrupt):
            pipeline.glove(job)
        assert job.workspace.find(own_vectors.TABLE) is None
    monkeypatch.setattr("mailmill.job.open_engine", lambda *_: pytest.fail("words and pairs were counted again"))
    with caplog.at_level(logging.INFO, logger="mailmill"), Job(config) as job:
        pipeline.glove(job)
    assert next(line for line in caplog.messages if "epoch=" in line).startswith("glove epoch=3 ")
    assert published(config) == published(reference)


def test_what_killed_trainings_left_goes_after_a_day(corpus: Path, tmp_path: Path) -> None:
    """With other settings or mail, nothing would ever go on with it."""
    config = configured(tmp_path, corpus, "glove.epochs=1")
    trainings = [tmp_path / own_vectors.TABLE / f"mailmill-training-{name}" for name in ("old", "young", "going-on")]
    now, day = time.time(), own_vectors.ABANDONED_SECONDS
    for folder, began, written in zip(trainings, (2, 0.5, 2), (1.1, 0.5, 0.5), strict=True):
        folder.mkdir(parents=True)
        (folder / "words.json").write_bytes(b"[]")
        os.utime(folder / "words.json", (now - written * day,) * 2)
        os.utime(folder, (now - began * day,) * 2)
    with Job(config) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
        pipeline.glove(job)
    assert [folder.exists() for folder in trainings] == [False, True, True]


def test_what_killed_attempts_left_half_goes_at_the_next(tmp_path: Path) -> None:
    """Each left up to all pairs beside those before, and a loop that tried again filled the disk."""
    (tmp_path / "mine").mkdir()
    kept = ["words.json", ".notes.tmp", "bucket-0001"]
    for name in (*kept, ".pairs.bin.0123456789ab.tmp", ".checkpoint.npz.ba9876543210.tmp"):
        (tmp_path / "mine" / name).write_bytes(b"[]")
    own_vectors._prepare(tmp_path / "mine")
    assert sorted(os.listdir(tmp_path / "mine")) == sorted(kept)


def test_features_without_trained_vectors_say_what_to_do(corpus: Path, tmp_path: Path) -> None:
    config = mail.make_config(str(tmp_path), corpus, Path(TRAINED), labels={})
    with Job(config) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
        with pytest.raises(DataError, match="no vectors were trained yet"):
            pipeline.features(job)


def test_mail_without_frequent_words_is_refused(corpus: Path, tmp_path: Path) -> None:
    with Job(configured(tmp_path, corpus, "glove.min_count=100000")) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
        with pytest.raises(DataError, match="0 words occur 100000 times"):
            pipeline.glove(job)


@pytest.mark.s3
def test_a_workspace_on_s3_gets_the_same_vectors(reference: Config, corpus: Path, s3_endpoint: str) -> None:
    work = "s3://test/own-vectors/work"
    config = mail.make_config(work, corpus, Path(TRAINED), *SMALL, f"storage.endpoint={s3_endpoint}", labels={})
    with Job(config) as job:
        pipeline.run(job)
    assert published(config) == published(reference)


def test_words_on_the_drivers_disk_are_nobody_elses(
    reference: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On S3 the training's folder lies among everybody's temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stage = Job(reference).stage({}, [], {})
    folders = []
    for work in ("s3://bucket/a", "s3://bucket/b"):
        run = reference.run.model_copy(update={"work": work})
        folders.append(own_vectors._folder(Job(reference.model_copy(update={"run": run})), stage))
        own_vectors._prepare(folders[-1])
    assert len(set(folders)) == 2
    for folder in folders:
        assert folder.parent == tmp_path
        assert str(os.getuid()) in folder.name.split("-")
        assert folder.stat().st_mode & 0o077 == 0
    folders[0].rename(tmp_path / "elsewhere")
    folders[0].symlink_to(tmp_path / "elsewhere")  # as whoever knows the name may have it lead anywhere
    folders[1].chmod(0o777)
    for folder in folders:
        with pytest.raises(PermissionError, match="not this user's alone"):
            own_vectors._prepare(folder)
