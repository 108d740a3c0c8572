"""S3 that fails: one request in a hundred, a server gone for ten seconds, a truncated file. Runs are counted.

After each fault either the job finishes, or it ends with infrastructure's exit code and the same command finishes;
the tables are those of an undisturbed run.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailmill import pipeline
from mailmill.config import Config, StorageSection
from mailmill.job import Job
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.manifests import Manifest
from tests import mail
from tests.faults.processes import Running, mailmill
from tests.s3_proxy import Proxy, proxy

pytestmark = [pytest.mark.slow, pytest.mark.s3]
#: A stage, and the words of the log line with which it begins.
BEGINS = {
    "ingest": " engine ", "clean": "raw published", "features": "clean published", "logistic": "features published",
    "forest": "features published",
}  # fmt: skip
TABLES = ("raw", "raw_rejects", "clean", "rejects", "labels", "features", "models/forest", "scores")


@pytest.fixture(scope="module")
def faulty(s3_endpoint: str) -> Iterator[Proxy]:
    with proxy(s3_endpoint) as found:
        yield found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, s3_endpoint: str) -> Path:
    folder = mail.make_corpus(tmp_path_factory.mktemp("corpus"), 300)
    storage = Storage(StorageSection(endpoint=s3_endpoint))
    for path in sorted((folder / "mail").rglob("*.eml")):
        storage.write(f"s3://test/faults/mail/{path.relative_to(folder / 'mail')}", path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def vectors(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mail.make_vectors(corpus, tmp_path_factory.mktemp("vectors") / "glove.txt")


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, vectors: Path, s3_endpoint: str) -> dict[str, Manifest]:
    config = settings(s3_endpoint, corpus, vectors, "undisturbed", "local")
    with Job(config) as job:
        pipeline.run(job)
    return manifests(config)


def settings(endpoint: str, corpus: Path, vectors: Path, work: str, engine: str, *more: str) -> Config:
    return mail.make_config(
        f"s3://test/faults/{work}", corpus, vectors, f"storage.endpoint={endpoint}", f"engine.kind={engine}",
        'input.paths=["s3://test/faults/mail"]', 'train.models=["forest"]', "run.lease_seconds=8",
        "storage.connect_timeout=2", "storage.request_timeout=5", *more,
    )  # fmt: skip


def manifests(config: Config) -> dict[str, Manifest]:
    workspace = Job(config).workspace
    return {name: manifest for name in TABLES if (manifest := workspace.find(name)) is not None}


def same(config: Config, undisturbed: dict[str, Manifest]) -> None:
    """Every table has the undisturbed run's content, and each visible file is whole."""
    found = manifests(config)
    assert {n: m.fingerprint for n, m in found.items()} == {n: m.fingerprint for n, m in undisturbed.items()}
    storage = Storage(config.storage)
    for name, manifest in found.items():
        for file in manifest.files:
            assert len(storage.read(join(config.run.work, name, file.path))) == file.bytes, file


@pytest.mark.parametrize("engine", ["local", "dask"])
@pytest.mark.parametrize("kind", ["503", "500", "cut", "reset"])
def test_one_request_in_a_hundred_fails(
    kind: str, engine: str, faulty: Proxy, corpus: Path, vectors: Path, undisturbed: dict[str, Manifest],
    s3_endpoint: str, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:  # fmt: skip
    config = settings(faulty.endpoint, corpus, vectors, f"{engine}-{kind}", engine)
    file = mail.write_config(tmp_path / "c.toml", config)
    faulty.kinds, faulty.every = (kind,), 100
    before = faulty.faults[kind]
    codes = []
    try:
        for _ in range(4):
            run = mailmill("run", "-c", file, timeout=300)
            codes.append(run.returncode)
            if codes[-1] == 0:
                break
            print(f"{engine} {kind}: {run.stderr[-600:]}")
            assert codes[-1] == 4, "a fault of S3 is infrastructure's"
            time.sleep(1)
    finally:
        faulty.every = 0
    assert codes[-1] == 0, codes
    assert faulty.faults[kind] > before, "no request failed: nothing was tested"
    record_property("faults", faulty.faults[kind] - before)
    record_property("fault_runs", len(codes))
    same(settings(s3_endpoint, corpus, vectors, f"{engine}-{kind}", engine), undisturbed)
    print(f"{engine} {kind}: {faulty.faults[kind] - before} faults, exit codes {codes}")


@pytest.mark.parametrize("engine", ["local", "dask"])
@pytest.mark.parametrize("stage", BEGINS)
def test_the_server_is_gone_for_ten_seconds(
    stage: str, engine: str, faulty: Proxy, corpus: Path, vectors: Path, undisturbed: dict[str, Manifest],
    s3_endpoint: str, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:  # fmt: skip
    """Every connection is cut and none is answered, from the beginning of a stage on, and then all is as before."""
    more = ['train.models=["logistic", "forest"]', 'score.model="forest"'] if stage == "logistic" else []
    config = settings(faulty.endpoint, corpus, vectors, f"gone-{engine}-{stage}", engine, *more)
    file = mail.write_config(tmp_path / "c.toml", config)
    before = faulty.faults["reset"]
    with Running(["run", "-c", file]) as run:
        run.wait_for(BEGINS[stage])
        faulty.gone = True
        try:
            time.sleep(10)
        finally:
            faulty.gone = False
        codes = [run.finish(240)]
    while codes[-1] == 4 and len(codes) < 4:
        time.sleep(9)  # a lease that could not be given back expires
        codes.append(mailmill("run", "-c", file, timeout=240).returncode)
    assert codes[-1] == 0, codes
    assert faulty.faults["reset"] > before, "no request failed: nothing was tested"
    record_property("fault_runs", len(codes))
    same(settings(s3_endpoint, corpus, vectors, f"gone-{engine}-{stage}", engine), undisturbed)
    print(f"{engine}, gone in {stage}: {faulty.faults['reset'] - before} requests cut, exit codes {codes}")


def test_a_truncated_file_is_named_and_a_rerun_of_its_stage_heals(
    corpus: Path, vectors: Path, tmp_path: Path, undisturbed: dict[str, Manifest], s3_endpoint: str
) -> None:
    config = settings(s3_endpoint, corpus, vectors, "truncated", "local")
    file = mail.write_config(tmp_path / "c.toml", config)
    assert mailmill("clean", "-c", file).returncode == 3  # nothing is there yet
    assert mailmill("run", "-c", file).returncode == 0
    storage = Storage(config.storage)
    victim = join(config.run.work, "clean", manifests(config)["clean"].files[0].path)
    storage.write(victim, storage.read(victim)[:500])
    storage.delete(join(config.run.work, "features", "_manifest.json"))
    result = mailmill("features", "-c", file)
    assert result.returncode == 3
    assert victim.rpartition("/")[2] in result.stderr
    assert "features" not in manifests(config)
    storage.delete(join(config.run.work, "clean", "_manifest.json"))
    assert mailmill("run", "-c", file).returncode == 0
    same(config, undisturbed)


@pytest.mark.parametrize("engine", ["dask"])
def test_a_worker_over_its_memory_limit(engine: str, tmp_path: Path) -> None:
    """One message that no worker can hold: Dask kills the worker, the run ends with infrastructure's code and why."""
    folder = tmp_path / "in" / "mail"
    folder.mkdir(parents=True)
    (folder / "small.eml").write_bytes(b"From: a@b.example\r\nSubject: s\r\n\r\nA few words of mine.\r\n")
    line = hashlib.blake2b(os.urandom(8)).hexdigest().encode() + b"\r\n"
    (folder / "huge.eml").write_bytes(b"From: a@b.example\r\nSubject: s\r\n\r\n" + line * (180 * 2**20 // len(line)))
    config = mail.make_config(
        str(tmp_path / "work"), tmp_path / "in", tmp_path / "none", f"engine.kind={engine}", "engine.workers=1",
        "engine.memory=300MiB", "ingest.max_message_bytes=400MiB", labels={},
    )  # fmt: skip
    file = mail.write_config(tmp_path / "c.toml", config)
    result = mailmill("ingest", "-c", file, timeout=300)
    assert result.returncode == 4, result.stderr
    assert "engine.memory" in result.stderr
    assert not list((tmp_path / "work").rglob("_manifest.json"))
    again = mailmill("ingest", "-c", file, "-s", "ingest.max_message_bytes=50MiB", timeout=300)
    assert again.returncode == 0, again.stderr
    found = Job(config).workspace.manifest("raw")
    assert (found.rows, found.statistics["rejects"]) == (1, 1)
