"""The environment: named by what it is made of, checked, and run by a cluster that has nothing of this machine's."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mailmill.config import Config
from mailmill.errors import ConfigError, InfrastructureError
from mailmill.job import Job
from mailmill.storage.tables import Workspace
from mailmill.submit import __main__ as submission
from mailmill.submit import environment
from mailmill.submit.request import Request, parse
from tests import java, mail
from tests.conftest import ROOT, needs_compiler, require_engine
from tests.faults.processes import mailmill
from tests.submit.cluster import standalone

REQUEST = parse(["--target", "yarn", "run"], ROOT)
#: Seconds after which a submission hangs; a slow machine needs minutes to build, to unpack and to start a cluster.
SUBMISSION = 1100
TABLES = ("raw", "clean", "rejects", "labels", "features", "models/forest", "scores")


def test_the_name_tells_what_is_inside(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data_docs" / "expectations", tmp_path / "data_docs" / "expectations")
    shutil.copy(ROOT / "uv.lock", tmp_path)
    here = replace(REQUEST, root=tmp_path)
    one = environment.plan(here)
    assert one.archive.name == environment.plan(REQUEST).archive.name
    assert one.wheel
    assert one.wheel.name == environment.plan(REQUEST).wheel.name  # type: ignore[union-attr]
    compiled = environment.plan(replace(here, compiled=True))
    assert compiled.wheel is None
    assert compiled.archive.name != one.archive.name
    for changed in ("lib/mailmill/new.py", "data_docs/expectations/new.json"):
        before = environment.plan(here)
        (tmp_path / changed).write_text("{}\n")
        after = environment.plan(here)
        assert after.wheel != before.wheel
        assert after.archive == before.archive, "the archive of libraries is built once per lock file"
    assert environment.plan(replace(here, compiled=True)).archive != compiled.archive, "this one holds the code"
    (tmp_path / "uv.lock").write_text("another")
    assert environment.plan(here).archive.name != one.archive.name
    assert (
        environment.plan(replace(REQUEST, extras="glove,onnx")).archive.name != environment.plan(REQUEST).archive.name
    )
    (tmp_path / "uv.lock").unlink()
    with pytest.raises(ConfigError, match="lock file"):
        environment.plan(here)


def test_a_changed_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("lock")
    (tmp_path / "lib" / "mailmill").mkdir(parents=True)
    here = replace(REQUEST, root=tmp_path)
    parts = environment.plan(here)
    parts.archive.parent.mkdir(parents=True)
    assert parts.wheel
    parts.wheel.write_bytes(b"a wheel")
    parts.archive.write_bytes(b"as built")
    parts.python.parent.mkdir(parents=True)
    parts.python.touch()
    checksum = parts.archive.with_name(parts.archive.name + ".sha256")
    checksum.write_text(environment.sha256(parts.archive) + "\n")
    assert environment.build(here, print) == parts
    parts.archive.write_bytes(b"as changed")
    with pytest.raises(InfrastructureError, match="checksum differs"):
        environment.build(here, print)


def test_one_builds_and_the_other_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two submissions of one new lock file: the archive is made once, and neither sees half of it."""
    (tmp_path / "uv.lock").write_text("lock")
    (tmp_path / "lib" / "mailmill").mkdir(parents=True)
    here = replace(REQUEST, root=tmp_path)
    parts = environment.plan(here)
    begun, finish = threading.Event(), threading.Event()
    built: list[Path] = []

    def make(_request: Request, _uv: str, archive: Path) -> None:
        built.append(archive)
        archive.write_bytes(b"half")
        begun.set()
        assert finish.wait(30)
        archive.write_bytes(b"the whole")

    def unpack(archive: Path, _wheel: Path | None, unpacked: Path) -> None:
        assert archive.read_bytes() == b"the whole"
        (unpacked / "bin").mkdir(parents=True)
        (unpacked / "bin" / "python").touch()

    def wheel(_request: Request, _uv: str, folder: Path) -> Path:
        path = folder / "mailmill.whl"
        path.write_bytes(b"a wheel")
        return path

    monkeypatch.setattr(environment, "_build_archive", make)
    monkeypatch.setattr(environment, "verify", unpack)
    monkeypatch.setattr(environment, "build_wheel", wheel)
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(environment.build, here, said.append)
        assert begun.wait(30)
        second = pool.submit(environment.build, here, said.append)
        while "waiting" not in said[-1]:
            time.sleep(0.01)
        assert not second.done()
        other = environment.plan(replace(here, extras="onnx"))
        other.archive.write_bytes(b"the whole")
        unpack(other.archive, None, other.unpacked)
        environment._checksum_file(other.archive).write_text(environment.sha256(other.archive))
        assert environment.build(replace(here, extras="onnx"), print) == other, "another archive is not waited for"
        finish.set()
        assert first.result(30) == second.result(30) == parts
    assert built == [parts.archive]


def test_a_full_disk_is_named_and_left_no_fuller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scheduler tries again what ends with 4; it ended with 1, and half an archive stayed on the disk."""
    (tmp_path / "uv.lock").write_text("lock")
    (tmp_path / "lib" / "mailmill").mkdir(parents=True)
    here = replace(REQUEST, root=tmp_path, compiled=True)
    archive = environment.plan(here).archive
    folder = archive.parent

    def full(*_: object) -> None:
        assert list(folder.glob("*.partial"))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        environment, "_build_archive", lambda _r, _uv, archive: environment._pack(ROOT / "jobs", archive)
    )
    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    monkeypatch.setattr(submission.running, "submit", lambda _: environment.build(here, print))
    assert submission.main(["--target", "yarn", "run"]) == 4
    assert f"the environment cannot be built in {folder}: [Errno 28] No space left" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {f".{archive.name}.lock"}


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 4), (errno.EROFS, 4), (errno.EACCES, 1)])
def test_the_exit_code_of_a_disk_that_refuses(number: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Request) -> int:
        raise OSError(number, os.strerror(number), "somewhere")

    monkeypatch.setattr(submission.running, "submit", refuse)
    assert submission.main(["run"]) == code


def test_an_archive_that_does_not_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\necho 'No module named numpy' >&2\nexit 1\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "bin", "bin")
    with pytest.raises(InfrastructureError, match="does not run where it is unpacked: No module named numpy"):
        environment.verify(tmp_path / "a.tar.gz", tmp_path / "code.zip", tmp_path / "k" / "environment")
    assert not (tmp_path / "k" / "environment").exists()


def test_an_archive_that_leans_on_this_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "bin", "bin")
    with pytest.raises(InfrastructureError):
        environment.verify(tmp_path / "a.tar.gz", ROOT / "lib", tmp_path / "k" / "environment")


def submit(master: str, folder: Path, *arguments: str | Path) -> str:
    """Everything that spark-submit.sh printed, on a cluster whose processes know nothing of this environment."""
    done = subprocess.run(
        [ROOT / "spark-submit.sh", "--target", "standalone", "--master", master, "--conf", "spark.executor.memory=512m",
         "--conf", f"spark.executor.extraJavaOptions={java.OPTIONS}", *arguments],
        capture_output=True, text=True, timeout=SUBMISSION, cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        | {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable},
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert re.search(r"engine spark \S+: spark://127\.0\.0\.1:\d+, 2 cores", output), output
    return output


def unpacked(folder: Path) -> list[Path]:
    """The environments of both workers' executors."""
    executors = list(folder.glob("work-*/app-*/*/environment"))
    assert len(executors) == 2, "each worker's executor has unpacked the archive"
    return executors


def assert_same(settings: Config, local: Path, tables: Sequence[str]) -> None:
    here = Job(settings).workspace
    there = Workspace(here.storage, str(local), here.settings)
    for name in tables:
        assert here.manifest(name).fingerprint == there.manifest(name).fingerprint, name


@pytest.mark.slow
@pytest.mark.spark
def test_a_cluster_of_processes_runs_the_archive(tmp_path: Path) -> None:
    """Built, verified, submitted: two workers without mailmill or any library of its make the same tables."""
    require_engine("spark")
    corpus = mail.make_corpus(tmp_path / "corpus", 300)
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    settings = mail.make_config(
        str(tmp_path / "work"), corpus, vectors, "engine.kind=auto", 'train.models=["forest"]', "forest.trees=4",
        'train.onnx="off"',  # the archive has no onnx
    )  # fmt: skip
    config = mail.write_config(tmp_path / "small.toml", settings)
    with standalone(tmp_path) as master:
        submit(master, tmp_path, "run", "--config", config)
        assert not any(list(folder.rglob("email/cleaner*.so")) for folder in unpacked(tmp_path))
    done = mailmill("run", "-c", config, "-e", "local", "-s", f"run.work={tmp_path / 'local'}")
    assert done.returncode == 0, done.stderr
    assert_same(settings, tmp_path / "local", TABLES)


@pytest.mark.slow
@pytest.mark.spark
@needs_compiler
def test_a_cluster_of_processes_runs_the_compiled_archive(tmp_path: Path) -> None:
    """Cleaning alone is compiled: the raw table is made here."""
    require_engine("spark")
    corpus = mail.make_corpus(tmp_path / "corpus", 300)
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    settings = mail.make_config(str(tmp_path / "work"), corpus, vectors, "engine.kind=auto")
    config = mail.write_config(tmp_path / "small.toml", settings)
    assert mailmill("ingest", "-c", config, "-e", "local").returncode == 0
    shutil.copytree(tmp_path / "work", tmp_path / "local")
    with standalone(tmp_path) as master:
        submit(master, tmp_path, "--compiled", "clean", "--config", config)
        assert all(list(folder.rglob("email/cleaner*.so")) for folder in unpacked(tmp_path))
    done = mailmill("clean", "-c", config, "-e", "local", "-s", f"run.work={tmp_path / 'local'}")
    assert done.returncode == 0, done.stderr
    assert_same(settings, tmp_path / "local", ("raw", "clean", "rejects"))
