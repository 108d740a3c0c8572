"""A run that is killed with all its workers, or interrupted: readers keep what was published, a rerun finishes.

A workspace already holds the tables of a smaller corpus. A run over a larger one is killed in the
middle of its first stage, started again, killed in the next stage, and so on to the end. After each
kill every table still opens and reads as it was last published; at the end everything equals what
an undisturbed run makes.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from mailmill import pipeline
from mailmill.job import Job
from tests import mail
from tests.conftest import require_engine
from tests.faults.processes import Running
from tests.faults.workspace import (
    LINEAR,
    STEPS,
    TABLES,
    Bench,
    assert_same,
    durations,
    leftovers,
    manifests,
    readable,
    tidy,
)  # fmt: skip


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
    require_engine(engine)
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
            # The run before may have published in the moment of its kill: then there is nothing left to do.
            run.wait_for(*([f"{previous} published", f"{previous} unchanged"] if previous else [" engine "]))
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
    require_engine(engine)
    settings, file = bench.config(f"{engine}-interrupted", engine, bench.small)
    with Running(["run", "-c", file, "-s", f"input.paths=['{bench.large / 'mail'}']"]) as run:
        run.wait_for(" engine ")
        time.sleep({"local": 0.2, "dask": 0.5, "spark": 4.0}[engine])
        run.interrupt()
        assert run.finish(60) == 130, str(run)
        said = [line for _, line in run.lines if line.startswith("mailmill: ")]
        assert said == ["mailmill: interrupted; nothing half-done was published"]
        assert "Traceback" not in str(run)
        assert "\tat " not in str(run)
    assert manifests(settings)["scores"] is None
    readable(settings)
    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
    readable(settings)
    tidy(settings)


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    """It says so for each stage, takes no engine, and leaves every file as it was, but for its record."""
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
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.parent.name != "runs"}
    assert after.keys() <= files.keys()
    touched = {path.name for path in after if after[path] != files[path]}
    assert touched <= {"runs", ".lease.lock"}, "the lock's time is the storage's clock"
