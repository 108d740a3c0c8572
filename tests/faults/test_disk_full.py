"""A disk that fills up in the middle of a run: infrastructure's exit code, the place named, nothing published.

Once there is room again the same command finishes, with the tables of an undisturbed run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailmill import pipeline
from mailmill.job import Job
from tests import mail
from tests.faults.processes import for_people, mailmill
from tests.faults.workspace import assert_same, manifests, readable, tidy


@pytest.fixture(params=["256k"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB, or of `request.param`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_nothing_is_published(engine: str, small_disk: Path, tmp_path: Path) -> None:
    corpus = mail.make_corpus(tmp_path / "corpus", 300)
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    settings = mail.make_config(str(small_disk / "work"), corpus, vectors, f"engine.kind={engine}")
    config = mail.write_config(tmp_path / "small.toml", settings)
    result = mailmill("run", "-c", config)
    said = for_people(result.stderr)
    assert result.returncode == 4, result.stderr
    assert len(said) <= 2, result.stderr
    assert str(small_disk) in said[0]
    assert "No space left on device" in said[0]
    assert not list(small_disk.rglob("_manifest.json"))
    assert not list(small_disk.rglob("*.tmp"))
    elsewhere = mailmill("run", "-c", config, "-e", "local", "-s", f"run.work={tmp_path / 'work'}")
    assert elsewhere.returncode == 0, elsewhere.stderr


@pytest.mark.slow
@pytest.mark.parametrize("small_disk", ["64m"], indirect=True)
def test_each_stage_finishes_once_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    corpus = mail.make_corpus(tmp_path / "corpus", 300)
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    undisturbed = mail.make_config(str(tmp_path / "work"), corpus, vectors)
    with Job(undisturbed) as job:
        pipeline.run(job)
    settings = mail.make_config(str(small_disk / "work"), corpus, vectors)
    config = mail.write_config(tmp_path / "small.toml", settings)
    ballast = small_disk / "ballast"
    for stage, tables in {"ingest": ["raw"], "clean": ["clean", "rejects"], "label": ["labels"],
                          "features": ["features"], "train": ["models/logistic", "models/forest"]}.items():  # fmt: skip
        fill(ballast, leaving=8192)
        full = mailmill(stage, "-c", config)
        assert full.returncode == 4, full.stderr
        assert "No space left on device" in for_people(full.stderr)[0]
        assert all(manifests(settings)[name] is None for name in tables), stage
        readable(settings)
        ballast.unlink()
        again = mailmill(stage, "-c", config)
        assert again.returncode == 0, again.stderr
    rest = mailmill("run", "-c", config)
    assert rest.returncode == 0, rest.stderr
    assert_same(settings, undisturbed, ())
    tidy(settings)


def fill(ballast: Path, leaving: int) -> None:
    """Write until so many bytes are free."""
    free = os.statvfs(ballast.parent)
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - leaving))


@pytest.mark.parametrize("small_disk", ["64k"], indirect=True)
def test_no_label_is_lost_to_a_full_temporary_folder(small_disk: Path, tmp_path: Path) -> None:
    """A file that NumPy fills says nothing of a disk that was full as it closed it: 42 of 60 labels were missing."""
    corpus = mail.make_corpus(tmp_path / "corpus", 60)
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    settings = mail.make_config(str(tmp_path / "work"), corpus, vectors)
    with Job(settings) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
        labelled = pipeline.label(job).rows
    config = mail.write_config(tmp_path / "small.toml", settings)
    full = mailmill("features", "-c", config, environment={"TMPDIR": str(small_disk)})
    assert full.returncode == 4, full.stderr
    assert "No space left on device" in for_people(full.stderr)[0]
    assert str(small_disk) in for_people(full.stderr)[0]
    with Job(settings) as job:
        labels = pipeline.features(job).read(["label"])["label"]
    assert len(labels) - labels.null_count == labelled
