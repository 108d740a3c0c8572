"""The Dask engine's own duties: its report, and workers that die while they are given what tasks share."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import dask
import distributed
import numpy as np
import psutil
import pyarrow as pa
import pytest
from distributed.comm import CommClosedError

from mailmill.commands import interrupt
from mailmill.config import EngineSection
from mailmill.engines import Engine, open_engine, worker
from mailmill.engines import dask as dask_engine
from mailmill.engines.worker import own_memory
from mailmill.errors import ConfigError, InfrastructureError
from mailmill.storage import manifests


def double(task: int, factor: int) -> int:
    return task * factor


def touch(task: int, file: str) -> tuple[int, int]:
    """Look at every page of a mapped file for a while; the sum, and the process."""
    pages = np.memmap(file, np.uint8, "r")
    total = int(pages[::4096].sum())
    time.sleep(1)
    return total + task, os.getpid()


def test_mapped_files_count_against_no_workers_memory(tmp_path: Path) -> None:
    """Word vectors and cached fragments are mapped; Dask would count their pages and end the worker."""
    file = tmp_path / "mapped"
    file.write_bytes(b"\1" * (500 * 2**20))
    with open_engine(EngineSection(kind="dask", workers=1, memory=400 * 2**20)) as engine:
        found = dict(engine.run(touch, list(range(3)), str(file)))
    assert [total - number for number, (total, _) in sorted(found.items())] == [500 * 256] * 3
    assert len({process for _, process in found.values()}) == 1, "the worker was started again"


def take_and_free(task: int, size: int) -> tuple[str, int]:
    """Arrow's allocator, and this process's own memory before `size` bytes are taken and freed."""
    before = own_memory(psutil.Process().memory_info())
    columns = [pa.array(np.ones(2**17)) for _ in range(size // 2**20)]
    columns = [column.cast(pa.float32()) for column in columns]
    del columns
    return pa.default_memory_pool().backend_name, before


def test_a_worker_gives_back_what_arrow_took() -> None:
    """At a task's end: Arrow's own allocator kept a quarter of a worker of 1 GiB."""
    with open_engine(EngineSection(kind="dask", workers=1)) as engine:
        found = [result for _, result in sorted(engine.run(take_and_free, [0, 1, 2], 200 * 2**20))]
    assert {allocator for allocator, _ in found} == {"system"}
    (_, first), *later = found
    assert max(held for _, held in later) - first < 100 * 2**20


_KEPT: list[Any] = []


def keep(task: int, limit: int) -> int:
    """Fill this process to 86 % of its limit, for good, and take long enough for the worker to see it."""
    if not _KEPT:
        own = own_memory(psutil.Process().memory_info())
        _KEPT.append(np.ones(max(0, int(limit * 0.86 - own)) // 8))
    time.sleep(0.4)
    return task


def test_a_worker_that_keeps_much_still_gets_its_tasks() -> None:
    """Dask paused it until it would have less, and the run waited for ever. A hang fails by the suite's own limit."""
    limit = 400 * 2**20
    with open_engine(EngineSection(kind="dask", workers=1, memory=limit)) as engine:
        assert sorted(result for _, result in engine.run(keep, list(range(6)), limit)) == list(range(6))


def test_the_report_is_kept(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    with open_engine(EngineSection(kind="dask", workers=1, report=str(report))) as engine:
        assert dict(engine.run(double, [1, 2, 3], 2)) == {0: 2, 1: 4, 2: 6}
    page = report.read_text(encoding="utf-8")
    assert "<html" in page
    assert "Dask Performance Report" in page


def test_memory_that_no_worker_lives_with_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"engine\.memory is 64 MiB a worker; Dask's need 256 MiB"):
        open_engine(EngineSection(kind="dask", workers=1, memory="64MiB"))  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [CommClosedError("gone"), KeyError("tcp://gone"), ValueError(), TimeoutError()])
def test_a_spread_that_fails_is_made_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's scatter raises any of these, or never ends, where a worker dies during it."""
    with open_engine(EngineSection(kind="dask", workers=1)) as engine:
        scatter, failures, to_all = dask_engine.distributed.utils.sync, [error], list[bool]()

        def sync(*arguments: Any, **options: Any) -> Any:
            if isinstance(arguments[1], partial):
                to_all.append(arguments[1].keywords["broadcast"])
            if failures:
                raise failures.pop()
            return scatter(*arguments, **options)

        monkeypatch.setattr(dask_engine.time, "sleep", lambda _: None)
        monkeypatch.setattr(dask_engine.distributed.utils, "sync", sync)
        assert list(engine.run(double, [5], 3)) == [(0, 15)]
        assert not failures
        failures += [error] * (dask_engine.SPREADS - 1)
        assert list(engine.run(double, [5], 3)) == [(0, 15)]
        assert to_all == [True, True, True, True, False], "one of many that hangs for minutes is passed over at last"
        failures += [error] * dask_engine.SPREADS
        with pytest.raises(InfrastructureError, match="did not reach"):
            list(engine.run(double, [5], 3))
        monkeypatch.undo()


def test_nobody_else_on_this_machine_reaches_the_workers() -> None:
    """Whoever found their ports ran code as mailmill's user: a scheduler unpickles what it is sent."""
    with open_engine(EngineSection(kind="dask", workers=1)) as engine:
        assert dict(engine.run(double, [1, 2], 2)) == {0: 2, 1: 4}
        client = engine._client  # type: ignore[attr-defined]
        addresses = [client.scheduler.address, *client.nthreads()]
        assert len(addresses) == 2
        for address in addresses:
            plain = address.replace("tls://", "tcp://")
            for there, security in ((plain, None), (address, distributed.Security.temporary())):
                with pytest.raises((OSError, CommClosedError)):
                    distributed.Client(there, timeout=1, security=security)
        with urlopen(client.dashboard_link.replace("status", "health"), timeout=10) as answer:
            assert answer.read() == b"ok"


def test_workers_without_encryption_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigError, match="engine dask needs cryptography") as caught:
        open_engine(EngineSection(kind="dask", workers=1))
    assert caught.value.hint == "pip install 'mailmill[dask]'"


def test_what_the_system_refused_is_named_where_workers_do_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /dev/shm is not to be written to, who ran mailmill's own command was told of `__main__`."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)
    with pytest.raises(InfrastructureError, match=r"did not start on this machine: .*Read-only file system") as caught:
        open_engine(EngineSection(kind="dask", workers=1, memory=400 * 2**20))
    assert "/dev/shm" in caught.value.hint
    assert "__main__" not in caught.value.hint


def test_workers_begin_in_a_folder_of_this_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's own lies where anybody may have made it, and holds the code that workers begin with."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_engine(EngineSection(kind="dask", workers=1)) as engine:
        assert dict(engine.run(double, [1], 2)) == {0: 2}
        folder = tmp_path / f"mailmill-dask-{os.geteuid()}"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert list(folder.rglob("worker-*"))
    folder.chmod(0o777)
    with pytest.raises(InfrastructureError, match=f"{folder}: it is not this user's alone"):
        open_engine(EngineSection(kind="dask", workers=1))


#: A start of workers in whose midst a signal strikes this process or, as a terminal's Ctrl-C does, all of its group.
STRUCK = """
import asyncio, os
from mailmill.commands import interrupt
from mailmill.engines import dask_workers

class Struck(dask_workers.OwnMemoryNanny):
    async def instantiate(self):
        asyncio.get_running_loop().call_later(0.3, os.{kill}, 0 if "{kill}" == "killpg" else os.getpid(), {number})
        return await super().instantiate()

if __name__ == "__main__":
    interrupt.install()
    dask_workers.OwnMemoryNanny = Struck
    try:
        dask_workers.started(1, 2**30)
    except KeyboardInterrupt:
        interrupt.say()
    interrupt.leave(interrupt.exit_code())
"""


@pytest.mark.parametrize(("kill", "number", "code"), [("kill", signal.SIGTERM, 143), ("killpg", signal.SIGINT, 130)])
def test_an_interrupt_while_workers_start_is_two_plain_lines(kill: str, number: int, code: int, tmp_path: Path) -> None:
    """Dask closed at exit what had not started, with a traceback; a worker that was just importing had one, too."""
    script = tmp_path / "struck.py"
    script.write_text(STRUCK.format(kill=kill, number=int(number)))
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, start_new_session=True, check=False
    )
    said = [f"mailmill: {interrupt.MESSAGE}", f"          {interrupt.HINT}"]
    assert (done.returncode, done.stderr.splitlines()) == (code, said)


def test_a_running_cluster_may_want_certificates(tmp_path: Path) -> None:
    """They are named in Dask's own configuration; without, the run ended as a bug of mailmill's."""
    security = distributed.Security.temporary()
    for name in ("ca_file", "client_cert", "client_key"):
        (tmp_path / name).write_text(getattr(security, f"tls_{name}"))
    own = {
        f"distributed.comm.tls.{key}": str(tmp_path / name)
        for key, name in {"ca-file": "ca_file", "client.cert": "client_cert", "client.key": "client_key"}.items()
    }
    with distributed.LocalCluster(n_workers=1, security=security, dashboard_address=None) as cluster:
        settings = EngineSection(kind="dask", address=cluster.scheduler_address)
        with pytest.raises(ConfigError, match=r"tls://\S+ wants certificates"):
            open_engine(settings)
        with dask.config.set(own), open_engine(settings) as engine:
            assert dict(engine.run(double, [1, 2], 2)) == {0: 2, 1: 4}


@contextlib.contextmanager
def standing(workers: int) -> Iterator[distributed.LocalCluster]:
    """A cluster that somebody else started."""
    with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@contextlib.contextmanager
def running_engine() -> Iterator[tuple[distributed.LocalCluster, Engine]]:
    """Such a cluster, of one worker yet, and the engine of a driver that has found it."""
    with (
        standing(workers=1) as cluster,
        open_engine(EngineSection(kind="dask", address=cluster.scheduler_address)) as engine,
    ):
        yield cluster, engine


def be_older() -> None:
    """On a worker: what it has loaded is of an older version."""
    manifests.code_version = worker.code_version = lambda: "0.0.1+0"  # type: ignore[assignment]


def test_a_running_clusters_workers_have_this_very_code() -> None:
    """Workers that were started before an upgrade make rows by the old rules, under the new code's name."""
    with standing(workers=1) as cluster:
        address = cluster.scheduler_address
        with open_engine(EngineSection(kind="dask", address=address)) as engine:
            assert dict(engine.run(double, [1, 2], 2)) == {0: 2, 1: 4}
            with distributed.Client(address) as client:
                client.run(be_older)
            with pytest.raises(InfrastructureError, match=r"other code, mailmill 0\.0\.1\+0; this is"):
                dict(engine.run(double, [1], 2))  # as one that joined later
        with pytest.raises(InfrastructureError, match=r"other code, mailmill 0\.0\.1\+0; this is"):
            open_engine(EngineSection(kind="dask", address=address))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ModuleNotFoundError("No module named 'mailmill'"), r"tcp://\S+ cannot run mailmill \(ModuleNotFoundError\)"),
        ("0.0.1+0", r"the scheduler runs other code, mailmill 0\.0\.1\+0; this is"),
    ],
)
def test_a_running_scheduler_has_this_very_code(
    answer: Exception | str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It unpickles what it hands on: without mailmill each run ended as a bug of mailmill's."""

    def run_on_scheduler(*_: object) -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(distributed.Client, "run_on_scheduler", run_on_scheduler)
    with standing(workers=1) as cluster, pytest.raises(InfrastructureError, match=said) as caught:
        open_engine(EngineSection(kind="dask", address=cluster.scheduler_address))
    assert "again" in caught.value.hint


def test_the_workers_of_a_running_cluster_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One script or chart starts scheduler, workers and driver."""
    with standing(workers=0) as cluster:
        address, wait = cluster.scheduler_address, distributed.Client.wait_for_workers
        with monkeypatch.context() as patched:
            patched.setattr(dask_engine, "WORKERS_SECONDS", 0.1)
            with pytest.raises(InfrastructureError, match="has no workers"):
                open_engine(EngineSection(kind="dask", address=address))

        def begun(client: distributed.Client, *arguments: Any, **options: Any) -> None:
            cluster.scale(1)  # which returns at once
            wait(client, *arguments, **options)

        monkeypatch.setattr(distributed.Client, "wait_for_workers", begun)
        with open_engine(EngineSection(kind="dask", address=address)) as engine:
            assert dict(engine.run(double, [1, 2], 2)) == {0: 2, 1: 4}


def test_a_worker_of_a_running_cluster_that_does_not_answer_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs, or goes while the engine opens; be it the last one, tasks wait for the next."""
    with standing(workers=1) as cluster:
        address, ask = cluster.scheduler_address, distributed.Client.run

        def answer(client: distributed.Client, *arguments: Any, **options: Any) -> dict[str, object]:
            gone = {"tcp://127.0.0.1:9": distributed.comm.CommClosedError("closed")}
            return gone | dict(ask(client, *arguments, **options))

        monkeypatch.setattr(distributed.Client, "run", answer)
        monkeypatch.setattr(distributed.Client, "nthreads", lambda _: {})
        with open_engine(EngineSection(kind="dask", address=address)) as engine:
            assert dict(engine.run(double, [1, 2], 2)) == {0: 2, 1: 4}


def die(_task: int, _broadcast: int) -> None:
    os._exit(1)


def test_who_started_the_workers_is_told_how_they_get_memory() -> None:
    """engine.memory limits no worker of a standing cluster: raised, as the hint was, each took more."""
    with running_engine() as (_, engine), pytest.raises(InfrastructureError, match="died") as caught:
        list(engine.run(die, [1], 0))
    assert caught.value.hint.endswith("start workers with a larger --memory-limit, or lower engine.memory")
    own = open_engine(EngineSection(kind="dask", workers=1))
    with own as engine, pytest.raises(InfrastructureError, match="died") as caught:
        list(engine.run(die, [1], 0))
    assert caught.value.hint.endswith("raise engine.memory or lower engine.workers")


def test_workers_that_join_while_tasks_run_get_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver begins with the first of them; what is cut by their number is cut by the number of all."""
    monkeypatch.setattr(dask_engine, "COUNT_SECONDS", 0)
    submitted, submit = list[object](), distributed.Client.submit

    def counted(client: distributed.Client, *arguments: Any, **options: Any) -> Any:
        submitted.append(arguments)
        return submit(client, *arguments, **options)

    monkeypatch.setattr(distributed.Client, "submit", counted)
    with running_engine() as (cluster, engine):
        results = engine.run(double, list(range(50)), 2)
        found = [next(results)]
        assert len(submitted) == 1 + dask_engine.AHEAD
        cluster.scale(3)
        engine._client.wait_for_workers(3)  # type: ignore[attr-defined]
        found.append(next(results))
        assert len(submitted) == 2 + 3 * dask_engine.AHEAD
        assert engine.workers == 3
        assert dict([*found, *results]) == {number: 2 * number for number in range(50)}


def test_a_count_that_fails_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a scheduler that is busy for long, while its tasks go on."""
    monkeypatch.setattr(dask_engine, "COUNT_SECONDS", 0)

    def busy(_: distributed.Client) -> dict[str, int]:
        raise CommClosedError("timed out")

    with running_engine() as (_, engine):
        monkeypatch.setattr(distributed.Client, "nthreads", busy)
        assert dict(engine.run(double, list(range(20)), 2)) == {number: 2 * number for number in range(20)}


def test_a_cluster_that_lost_all_its_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where its scheduler was started again between two passes, and they were not."""
    monkeypatch.setattr(dask_engine, "SPREAD_SECONDS", 0.1)
    with running_engine() as (cluster, engine):
        cluster.scale(0)
        while engine._client.nthreads():  # type: ignore[attr-defined]
            time.sleep(0.1)
        with pytest.raises(InfrastructureError, match=r"the Dask scheduler at tcp://\S+ has no workers"):
            list(engine.run(double, [1], 2))


@pytest.mark.parametrize("done", [0, 1])
def test_a_scheduler_that_goes_is_told(done: int) -> None:
    """Dask cancels what runs, and ten seconds later closes its client, which fails in ways of its own."""
    with running_engine() as (cluster, engine):
        engine._client._timeout = 0.1  # type: ignore[attr-defined]
        results = engine.run(double, list(range(500)), 2)
        for _ in range(done):
            next(results)
        cluster.close()
        with pytest.raises(InfrastructureError, match=r"the Dask scheduler at tcp://\S+ is gone"):
            list(results)
        with pytest.raises(InfrastructureError, match="is gone"):
            list(engine.run(double, [1], 2))
