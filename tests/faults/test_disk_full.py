"""A disk that fills up in the middle of a run: infrastructure's exit code, the place named, nothing published."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mail
from tests.faults.processes import for_people, mailmill


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_nothing_is_published(engine: str, small_disk: Path, tmp_path: Path) -> None:
    corpus = mail.make_corpus(tmp_path / "corpus", 600)
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
