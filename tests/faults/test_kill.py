"""A run that is killed with all its workers, or interrupted: readers keep what was published, a rerun finishes.

A workspace already holds the tables of a smaller corpus. A run over a larger one is killed in the
middle of its first stage, started again, killed in the next stage, and so on to the end. After each
kill every table still opens and reads as it was last published; at the end everything equals what
an undisturbed run makes.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailmill import pipeline, schemas
from mailmill.config import Config
from mailmill.job import Job
from mailmill.storage.manifests import Manifest
from tests import mail
from tests.conftest import REQUIRE_SPARK, missing_spark
from tests.faults.processes import Running

#: What a run publishes, in order: the words of the log line, and the tables that appear with it.
STEPS = {
    "raw": ("raw", "raw_rejects"),
    "clean": ("clean", "rejects"),
    "labels": ("labels",),
    "features": ("features",),
    "models/logistic": ("models/logistic",),
    "models/forest": ("models/forest",),
    "metrics": ("metrics",),
    "scores": ("scores",),
}
TABLES = [table for tables in STEPS.values() for table in tables]
#: What holds floats of the logistic fit, which agree to 1e-8 from engine to engine, not to the bit.
LINEAR = ("models/logistic", "metrics", "scores")
#: What is read back in full after each kill.
SCHEMAS: dict[str, Any] = {
    "raw": schemas.RAW, "raw_rejects": schemas.REJECTS, "clean": schemas.CLEAN, "rejects": schemas.REJECTS,
    "labels": schemas.LABELS, "features": mail.FEATURES, "scores": schemas.SCORES,
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Two corpora, vectors for both, and a folder for workspaces."""

    small: Path
    large: Path
    vectors: Path
    folder: Path

    def config(self, work: str, engine: str, corpus: Path | None = None) -> tuple[Config, Path]:
        """The configuration of a run into the workspace `work`, and its file."""
        # Fewer tasks where each costs time of its own.
        tasks = ["tables.fragment_bytes=1MB", "tables.row_group_bytes=300kB", "ingest.batch_objects=300"]
        settings = mail.make_config(
            str(self.folder / work), corpus or self.large, self.vectors, f"engine.kind={engine}", "forest.trees=60",
            "forest.depth=6", *(tasks if engine != "local" else []),
        )  # fmt: skip
        return settings, mail.write_config(self.folder / f"{work}-{(corpus or self.large).name}.toml", settings)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("kill")
    large = mail.make_corpus(folder / "large", 1500)
    vectors = mail.make_vectors(large, folder / "glove.txt")
    return Bench(mail.make_corpus(folder / "small", 150), large, vectors, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "steps", "share"),
    [
        ("local", list(STEPS), 0.5),
        ("dask", list(STEPS), 0.5),
        pytest.param("spark", ["clean", "models/forest"], 0.5, marks=pytest.mark.spark),
    ],
)
def test_killed_in_every_stage(
    engine: str, steps: list[str], share: float, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if engine == "spark" and (reason := missing_spark()):
        pytest.fail(reason) if REQUIRE_SPARK else pytest.skip(reason)
    (tmp_path / "tmp").mkdir()
    for name in ("TMPDIR", "SPARK_LOCAL_DIRS"):  # what a killed engine leaves behind is not for this machine's /tmp
        monkeypatch.setenv(name, str(tmp_path / "tmp"))
    # Each stage takes Spark a second or more, and a whole run a minute: it is compared with the local engine's.
    undisturbed, file = bench.config(f"{engine}-undisturbed", "local" if engine == "spark" else engine)
    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
        seconds = dict.fromkeys(STEPS, 1.0) if engine == "spark" else durations(run)

    before, _ = bench.config(f"{engine}-killed", "local", bench.small)
    with Job(before) as job:
        pipeline.run(job)
    settings, file = bench.config(f"{engine}-killed", engine)
    old = manifests(settings)
    hits, fresh, begun = [], set(), 0
    for step in steps:
        with Running(["run", "-c", file]) as run:
            previous = list(STEPS)[list(STEPS).index(step) - 1] if step != "raw" else None
            run.wait_for(f"{previous} published" if previous else " engine ")
            time.sleep(share * seconds[step])
            alive = run.process.poll() is None
            run.kill()
        now = manifests(settings)
        changed = {name for name in TABLES if now[name] != old[name]}
        done = [name for name in STEPS if run.when(f"{name} published") is not None]
        fresh |= {table for name in done for table in STEPS[name]}
        # A publication may have been under way: its tables are then visible a moment before the log says so.
        assert fresh <= changed <= fresh | set(STEPS[step]), (step, changed, fresh)
        readable(settings)
        if alive and not set(STEPS[step]) & changed:
            hits.append(step)
        begun += bool(leftovers(settings, STEPS[step][0]))
    assert len(hits) >= 0.7 * len(steps), f"only {hits} were killed in the middle of their work"
    if engine != "spark":  # models are written at the end alone, and Spark's tasks begin to write late
        assert begun >= len(steps) / 4, "too few kills left half-written runs behind"

    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
    assert_same(settings, undisturbed, LINEAR if engine == "spark" else ())
    tidy(settings)
    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
    assert str(run).count(" unchanged: ") == len(STEPS)
    print(f"{engine}: killed in {', '.join(hits)}; {begun} of the killed runs had begun to write")
    shutil.rmtree(settings.run.work)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "dask", pytest.param("spark", marks=pytest.mark.spark)])
def test_interrupted_by_ctrl_c(engine: str, bench: Bench) -> None:
    """Ctrl-C reaches every process of the terminal: two plain lines, exit code 130, no traceback, no process left."""
    if engine == "spark" and (reason := missing_spark()):
        pytest.fail(reason) if REQUIRE_SPARK else pytest.skip(reason)
    settings, file = bench.config(f"{engine}-interrupted", engine, bench.small)
    with Running(["run", "-c", file, "-s", f"input.paths=['{bench.large / 'mail'}']"]) as run:
        run.wait_for(" engine ")
        time.sleep({"local": 0.2, "dask": 1.0, "spark": 4.0}[engine])
        run.interrupt()
        # Where the interrupt struck CPython's `exec` of a string (a library's import), the process ends by the
        # signal itself, once all is said: a shell's 130 as well.
        assert run.finish(60) in (130, -signal.SIGINT), run
        said = [line for _, line in run.lines if line.startswith("mailmill: ")]
        assert said == ["mailmill: interrupted; nothing half-done was published"]
        assert "Traceback" not in str(run)
        assert "\tat " not in str(run)
    assert manifests(settings)["raw"] is None
    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
    readable(settings)
    tidy(settings)


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    """It says so for each stage, takes no engine, and leaves every file as it was."""
    corpus = mail.make_corpus(tmp_path / "corpus", 80)
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    settings = mail.make_config(str(tmp_path / "work"), corpus, vectors)
    file = mail.write_config(tmp_path / "small.toml", settings)
    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
        assert run.when(" engine local") is not None
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*")}
    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
    for name in STEPS:
        assert run.when(f" {name} unchanged: ") is not None, run
    assert run.when(" engine ") is None
    assert run.when(" published") is None
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*")} == files


def durations(run: Running) -> dict[str, float]:
    """Seconds from one publication to the next; the first from the engine's start."""
    times = [run.wait_for(" engine "), *(run.wait_for(f" {name} published") for name in STEPS)]
    return {name: b - a for name, a, b in zip(STEPS, times, times[1:], strict=False)}


def manifests(settings: Config) -> dict[str, Manifest | None]:
    workspace = Job(settings).workspace
    return {name: workspace.find(name) for name in TABLES}


def readable(settings: Config) -> None:
    """Every published table opens and has the rows, and every published file the bytes, that its manifest says."""
    job = Job(settings)
    for name, manifest in manifests(settings).items():
        if manifest is None:
            continue
        folder = Path(settings.run.work) / name
        for file in manifest.files:
            assert (folder / file.path).stat().st_size == file.bytes, file
        if name in SCHEMAS:
            assert job.workspace.open(name, SCHEMAS[name]).read().num_rows == manifest.rows, name
        elif name.startswith("models/"):
            pipeline.load_model(job, name.removeprefix("models/"))
        else:
            json.loads(job.workspace.open(name, schemas.FILES).file("metrics.json"))


def leftovers(settings: Config, table: str) -> list[str]:
    """Run folders of a table that its manifest does not name: what a killed run had begun."""
    manifest = Job(settings).workspace.find(table)
    known = {f"run_id={run}" for run in (manifest.run_id, manifest.previous_run)} if manifest else set()
    return [p.name for p in (Path(settings.run.work) / table).glob("run_id=*") if p.name not in known]


def tidy(settings: Config) -> None:
    """Nothing is left of killed runs: no run folder but the present and the one before, no file but those named."""
    for name, manifest in manifests(settings).items():
        assert manifest is not None
        folder = Path(settings.run.work) / name
        assert leftovers(settings, name) == [], name
        inside = {str(p.relative_to(folder)) for p in (folder / f"run_id={manifest.run_id}").rglob("*") if p.is_file()}
        assert inside == {file.path for file in manifest.files}, name
        assert {p.name for p in folder.iterdir() if p.is_file()} == {"_manifest.json"}, name


#: What training took, which depends on what the caches held.
OF_THE_RUN = ("source_bytes", "cache_bytes", "cost")


def assert_same(settings: Config, undisturbed: Config, besides: tuple[str, ...]) -> None:
    """The same rows, models and figures as an undisturbed run."""
    ours, theirs = manifests(settings), manifests(undisturbed)
    for name in (name for name in TABLES if name not in besides):
        a, b = ours[name], theirs[name]
        assert a is not None
        assert b is not None
        figures = [{n: v for n, v in m.statistics.items() if n not in OF_THE_RUN} for m in (a, b)]
        assert (a.rows, a.fingerprint, figures[0]) == (b.rows, b.fingerprint, figures[1]), name
