"""One process of a run is killed: a worker while the driver lives on, or the driver while its workers do.

A worker that dies is replaced, or the run ends with infrastructure's exit code and the same command finishes. Workers
whose driver died end by themselves. Either way the tables and the forest are those of an undisturbed run.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mailmill.config import Config
from tests import java
from tests.conftest import require_engine
from tests.faults.processes import Running
from tests.faults.workspace import LINEAR, STEPS, Bench, assert_same, manifests, readable, tidy

pytestmark = pytest.mark.slow
#: The stages that work on workers.
STAGES = ("raw", "clean", "features", "models/logistic", "models/forest")
#: What a worker's command line holds; Spark's executors are processes of their own in its cluster of one machine.
MARKS = {"dask": "spawn_main", "spark": "CoarseGrainedExecutorBackend"}
EXECUTORS = [
    "-s", 'engine.master="local-cluster[2,1,1024]"',
    "-s", f"engine.spark.spark.executor.extraJavaOptions={java.OPTIONS}",
]  # fmt: skip
#: Seconds from a stage's beginning to the kill; longer where the engine has only just started.
INTO_THE_STAGE = {"dask": 0.4, "spark": 0.7}
INTO_THE_FIRST = {"dask": 0.4, "spark": 1.5}
SPARK = pytest.param("spark", marks=pytest.mark.spark)


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> Config:
    settings, file = bench.config("workers-undisturbed", "local")
    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
    return settings


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a killed engine leaves behind is not for this machine's /tmp, nor for Spark's installation."""
    (tmp_path / "tmp").mkdir()
    for name in ("TMPDIR", "SPARK_LOCAL_DIRS", "SPARK_WORKER_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "tmp"))


def begins(run: Running, step: str) -> None:
    """Wait until a stage has begun to work."""
    before = list(STEPS)[list(STEPS).index(step) - 1] if step != "raw" else None
    if before is not None:
        run.wait_for(f" {before} published", f" {before} unchanged")
    run.wait_for(" engine ")


def into(engine: str, step: str) -> None:
    """Wait until a stage that has begun is in the middle of its work."""
    time.sleep((INTO_THE_FIRST if step == "raw" else INTO_THE_STAGE)[engine])


@pytest.mark.parametrize("engine", ["dask", SPARK])
def test_a_worker_is_killed_in_every_stage(engine: str, bench: Bench, undisturbed: Config) -> None:
    require_engine(engine)
    settings, file = bench.config(f"{engine}-worker", engine)
    struck: list[str] = []
    codes: list[int] = []
    while not codes or codes[-1] == 4:
        assert len(codes) <= len(STAGES), codes
        with Running(["run", "-c", file, *(EXECUTORS if engine == "spark" else [])]) as run:
            for step in STAGES:
                if step in struck:
                    continue
                try:
                    begins(run, step)
                except AssertionError:  # the kill before was this run's end
                    break
                into(engine, step)
                if run.when(f" {step} published", f" {step} unchanged") is None and run.kill_one(MARKS[engine]):
                    struck.append(step)
            codes.append(run.finish())
            readable(settings)
    assert codes[-1] == 0, f"{codes}\n{run}"
    assert len(struck) >= 4, f"only {struck} were at work when a worker was killed"
    assert_same(settings, undisturbed, LINEAR)
    tidy(settings)
    print(f"{engine}: a worker killed in {', '.join(struck)}; exit codes {codes}")


@pytest.mark.parametrize(
    ("engine", "steps"),
    [("dask", STAGES), pytest.param("spark", ("raw", "features", "models/logistic"), marks=pytest.mark.spark)],
)
def test_the_driver_alone_is_killed(engine: str, steps: tuple[str, ...], bench: Bench, undisturbed: Config) -> None:
    require_engine(engine)
    settings, file = bench.config(f"{engine}-driver", engine)
    struck = []
    for step in steps:
        with Running(["run", "-c", file]) as run:
            begins(run, step)
            into(engine, step)
            at_work = run.when(f" {step} published") is None
            assert run.abandoned() == [], "workers survive their driver"
        if at_work and manifests(settings)[step] is None:
            struck.append(step)
        readable(settings)
    assert len(struck) >= 0.7 * len(steps), f"only {struck} were at work when the driver was killed"
    with Running(["run", "-c", file]) as run:
        assert run.finish() == 0, run
    assert_same(settings, undisturbed, LINEAR)
    tidy(settings)
    print(f"{engine}: driver killed in {', '.join(struck)}")
