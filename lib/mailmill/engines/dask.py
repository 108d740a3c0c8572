"""The Dask engine: worker processes with a memory limit on this box, or a running cluster."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import Any, ClassVar, TypeVar

import distributed
import distributed.utils
from distributed.comm import CommClosedError

from mailmill import __version__, resources
from mailmill.config import EngineSection
from mailmill.engines import shuffle
from mailmill.engines.base import Engine, Grouping
from mailmill.engines.dask_workers import started
from mailmill.engines.worker import give_back, other_code, require_code, safe_frames
from mailmill.errors import ConfigError, InfrastructureError
from mailmill.progress import SILENT, Progress
from mailmill.storage.fragments import Written
from mailmill.storage.manifests import code_version

T = TypeVar("T")
B = TypeVar("B")
R = TypeVar("R")

AHEAD = 4  # tasks a worker is given before it has finished one: enough to stay busy, few enough to stay small
MEMORY_SHARE = 0.8
LEAST_MEMORY = 256 * 2**20  # what the interpreter and the libraries of a worker take, and little mail
SPREADS, SPREAD_SECONDS = 3, 40  # attempts at putting on every worker what the tasks share, and the time of each
WORKERS_SECONDS = 40  # for which a running cluster's first worker is waited for
COUNT_SECONDS = 5  # how often a running cluster's workers are counted
#: Why workers die, by whether somebody else started them: engine.memory is then no limit, but what tasks plan with.
_WHY = {
    False: "most often memory: raise engine.memory or lower engine.workers",
    True: "most often memory, see their logs: start workers with a larger --memory-limit, or lower engine.memory",
}


class DaskEngine(Engine):
    """Runs tasks on Dask workers, one thread each: kernels are pure and hold the interpreter's lock."""

    name: ClassVar[str] = "dask"

    def __init__(self, settings: EngineSection) -> None:
        self._cluster: Any = None
        sys._current_frames = safe_frames  # this process's own profiler asks, too
        logging.getLogger("distributed").setLevel(logging.ERROR)
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it says of a lost scheduler, run does
        if settings.report and not find_spec("bokeh"):
            raise ConfigError(
                "engine.report needs bokeh", hint="pip install 'mailmill[dask]'; the dashboard needs it too"
            )
        if not settings.address and settings.memory is not None and settings.memory < LEAST_MEMORY:
            raise ConfigError(
                f"engine.memory is {settings.memory / 2**20:.3g} MiB a worker; Dask's need 256 MiB, better 1 GiB",
                hint="raise engine.memory, or leave it out, which takes a fair share of what is free",
            )
        self._code, self._counted = "", float("-inf")
        if settings.address:
            self._code = code_version()
            self._client = _connected(settings.address)
            self.workers = max(1, sum(self._client.nthreads().values()))  # its last one may have gone since
            self.memory = settings.memory or self.memory
        else:
            self.workers = settings.workers or resources.cores()
            self.memory = settings.memory or int(resources.memory() * MEMORY_SHARE / self.workers)
            self.one_box = True
            self.task_bytes = max(2**20, min(self.task_bytes, self.memory // 32))
            self._cluster = started(self.workers, self.memory)
            self._client = distributed.Client(self._cluster)
        self._address, self._why = self._client.scheduler.address, _WHY[bool(settings.address)]
        self._report = contextlib.ExitStack()
        if settings.report:
            self._report.enter_context(distributed.performance_report(filename=settings.report))

    def run(
        self, function: Callable[[T, B], R], tasks: Sequence[T], broadcast: B, progress: Progress = SILENT
    ) -> Iterator[tuple[int, R]]:
        """See `Engine.run`. A few tasks a worker are in flight, so millions of tasks need no memory."""
        give_back()
        with self._scheduler_lives():
            yield from self._run(function, tasks, self._spread(broadcast), progress)

    def _run(
        self, function: Callable[[T, B], R], tasks: Sequence[T], shared: Any, progress: Progress
    ) -> Iterator[tuple[int, R]]:
        numbers: dict[str, int] = {}
        waiting = iter(enumerate(tasks))

        def submit() -> list[Any]:
            futures = []
            for number, task in islice(waiting, self._count() * AHEAD - len(numbers)):
                futures.append(self._client.submit(_call, function, task, shared, self._code, pure=False))
                numbers[futures[-1].key] = number
            return futures

        pending = distributed.as_completed(submit())
        try:
            for future in pending:
                with _deaths_told(self._why):
                    result = future.result()
                number = numbers.pop(future.key)
                pending.update(submit())
                yield number, result
                progress.advance(1)
                future.release()
        finally:
            with contextlib.suppress(Exception):  # a client that has closed says so of everything
                self._client.cancel(list(pending.futures), force=True)

    def combine_by_key(self, tasks: Sequence[T], grouping: Grouping[T], progress: Progress = SILENT) -> list[Written]:
        """See `Engine.combine_by_key`."""
        return shuffle.combine(self, tasks, grouping, progress)

    @contextlib.contextmanager
    def _scheduler_lives(self) -> Iterator[None]:
        """Say that the scheduler is gone where that is why anything fails: Dask says it in many ways, or none."""
        try:
            yield
        except Exception as error:
            if self._client.status == "running":
                raise
            raise InfrastructureError(
                f"the Dask scheduler at {self._address} is gone", hint="see its log, and start it again"
            ) from error

    def _count(self) -> int:
        """The workers, counted by their threads: more may have joined a cluster that somebody else started."""
        if self._cluster is None and time.monotonic() > self._counted + COUNT_SECONDS:
            with contextlib.suppress(OSError, TimeoutError):  # a scheduler that is busy is asked again
                self.workers = max(self.workers, sum(self._client.nthreads().values()))
            self._counted = time.monotonic()
        return self.workers

    def _spread(self, broadcast: Any) -> Any:
        """`broadcast` on every worker; again where one dies meanwhile: Dask then fails somehow, or waits for ever.

        At last on one alone, of which the others get it: where one of many hangs, Dask lets go of it only later.
        """
        failed = ""
        for left in reversed(range(SPREADS)):
            scatter = partial(self._client.scatter, broadcast, broadcast=left > 0, hash=False, asynchronous=True)
            try:
                return distributed.utils.sync(self._client.loop, scatter, callback_timeout=SPREAD_SECONDS)
            except (OSError, KeyError, ValueError, TimeoutError, concurrent.futures.CancelledError) as error:
                failed = type(error).__name__
                time.sleep(1)
        with contextlib.suppress(OSError, TimeoutError):
            if self._cluster is None and not self._client.nthreads():
                raise _no_workers(self._address)
        raise InfrastructureError(f"what the tasks share did not reach Dask's workers ({failed})", hint=self._why)

    def describe(self) -> str:
        """See `Engine.describe`."""
        return f"dask: {self.workers} worker processes, dashboard {self._client.dashboard_link}"

    def close(self) -> None:
        """See `Engine.close`."""
        try:
            self._report.close()
        except Exception as error:  # noqa: BLE001 - a report that fails must not take the night's tables with it
            logging.getLogger("mailmill").warning("no performance report: %s", type(error).__name__)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _connected(address: str) -> Any:
    """A client of the scheduler that runs at `address`; it and its workers have this very mailmill.

    They may have been started before an upgrade: their rows would be those of other rules, under this code's name; the
    scheduler unpickles what it hands on. Or workers are started together with this driver: the first is waited for. One
    that does not answer now is asked again by its first task.
    """
    try:
        client = distributed.Client(address, timeout=10)
    except TypeError:
        raise ConfigError(
            f"{address} wants certificates", hint="name them in Dask's own configuration: distributed.comm.tls"
        ) from None
    except (OSError, ValueError) as error:
        raise InfrastructureError(
            f"no Dask scheduler answers at {address} ({type(error).__name__})",
            hint="check engine.address, or leave it out to start workers on this machine",
        ) from None
    try:
        with contextlib.suppress(TimeoutError):
            client.wait_for_workers(1, timeout=WORKERS_SECONDS)
        found = client.run(code_version, on_error="return")
        answers = [answer for answer in found.values() if not isinstance(answer, OSError)]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        of_scheduler = client.run_on_scheduler(code_version)
    except Exception as error:
        client.close()
        raise InfrastructureError(
            f"the Dask cluster at {address} cannot run mailmill ({type(error).__name__})",
            hint=f"install mailmill {__version__} where its scheduler and its workers run, and start them again",
        ) from error
    codes = {of_scheduler: "the scheduler"} | dict.fromkeys(answers, "a worker")
    others = [(who, code) for code, who in codes.items() if code != code_version()]
    if found and not others:
        return client
    client.close()
    if others:
        raise other_code(*others[0], code_version())
    raise _no_workers(address)


def _no_workers(address: str) -> InfrastructureError:
    return InfrastructureError(
        f"the Dask scheduler at {address} has no workers", hint=f"start some: dask worker {address} --nthreads 1"
    )


@contextlib.contextmanager
def _deaths_told(why: str) -> Iterator[None]:
    """Turn what Dask raises where workers died into infrastructure's error, with the hint `why`."""
    try:
        yield
    except distributed.KilledWorker as error:
        raise InfrastructureError(
            f"Dask gave up on a task: its worker died {error.allowed_failures + 1} times", hint=why
        ) from None
    except (concurrent.futures.CancelledError, CommClosedError):
        raise InfrastructureError(
            "a Dask worker died, and what only it had was lost with it", hint=why
        ) from None  # e.g. the last copy of what the tasks share


def _call(function: Callable[[Any, Any], Any], task: Any, broadcast: Any, code: str) -> Any:
    """One task, on a worker that may have joined since `_connected` asked. `code`: the driver's; '' for own workers."""
    require_code(code)
    try:
        return function(task, broadcast)
    finally:
        give_back()
