"""What a fit may ask of the machine besides passes over the data: tasks for workers that share a folder, threads.

Where all workers see one folder (threads of a process, processes on one box), data that fits can be put there once
and every tree grown by one worker alone. `Workers` says whether that is so; `on_engine` fills it in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from mailmill import resources

T = TypeVar("T")
B = TypeVar("B")
R = TypeVar("R")


class RunTasks(Protocol):
    """Runs `function(task, broadcast)` for every task and returns the results in the tasks' order.

    Function, tasks, broadcast and results travel as those of `MapReduce` do.
    """

    def __call__(self, function: Callable[[T, B], R], tasks: Sequence[T], broadcast: B) -> list[R]: ...


def in_turn(function: Callable[[T, B], R], tasks: Sequence[T], broadcast: B) -> list[R]:
    """Every task in this thread, one after another."""
    return [function(task, broadcast) for task in tasks]


@dataclass(frozen=True)
class Workers:
    """run: see `RunTasks`; count: tasks at a time; threads: how many a kernel may use inside one task or fragment
    (1 where each core has a worker of its own); folder: local disk that all workers see, None where there is none."""

    run: RunTasks = in_turn
    count: int = 1
    threads: int = 1
    folder: Path | None = None


def this_process(threads: int | None = None, folder: Path | None = None) -> Workers:
    """Threads of this process, by default one a core: for notebooks, tests and the local engine."""
    count = threads or resources.cores()

    def run(function: Callable[[Any, Any], Any], tasks: Sequence[Any], broadcast: Any) -> list[Any]:
        if count == 1 or len(tasks) == 1:
            return in_turn(function, tasks, broadcast)
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda task: function(task, broadcast), tasks))

    return Workers(run, count, count, folder or Path(tempfile.gettempdir()))


class Scheduler(Protocol):
    """What an engine says of its workers; see `engines.base.Engine`."""

    name: ClassVar[str]
    workers: int
    one_box: bool

    def run(self, function: Callable[[T, B], R], tasks: Sequence[T], broadcast: B) -> Iterator[tuple[int, R]]: ...


def on_engine(engine: Scheduler) -> Workers:
    """An engine's workers. The local engine is one process, whose kernels may use every core."""
    if engine.name == "local":
        return this_process()

    def run(function: Callable[[Any, Any], Any], tasks: Sequence[Any], broadcast: Any) -> list[Any]:
        results = dict(engine.run(function, tasks, broadcast))
        return [results[number] for number in range(len(tasks))]

    return Workers(run, engine.workers, folder=Path(tempfile.gettempdir()) if engine.one_box else None)


def spread(threads: int, size: int, work: Callable[[int, int], R]) -> list[R]:
    """work(start, stop) over `threads` equal parts of 0 .. size, at once; the results in order."""
    bounds = [size * i // threads for i in range(threads + 1)]
    if threads == 1:
        return [work(0, size)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, bounds[:-1], bounds[1:]))
