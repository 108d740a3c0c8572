"""The local engine: one process, no library. The reference that the others are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, TypeVar

from mailmill import resources
from mailmill.config import EngineSection
from mailmill.engines import shuffle
from mailmill.engines.base import Engine, Grouping
from mailmill.progress import SILENT, Progress
from mailmill.storage.fragments import Written

T = TypeVar("T")
B = TypeVar("B")
R = TypeVar("R")


class LocalEngine(Engine):
    """Runs every task in turn in this process."""

    name: ClassVar[str] = "local"

    def __init__(self, settings: EngineSection = EngineSection()) -> None:  # noqa: B008 - frozen
        budget = self.memory = settings.memory or resources.memory()
        self.one_box = True
        self.task_bytes = max(2**20, min(self.task_bytes, budget // 32))

    def run(
        self, function: Callable[[T, B], R], tasks: Sequence[T], broadcast: B, progress: Progress = SILENT
    ) -> Iterator[tuple[int, R]]:
        """See `Engine.run`."""
        for number, task in enumerate(tasks):
            yield number, function(task, broadcast)
            progress.advance(1)

    def combine_by_key(self, tasks: Sequence[T], grouping: Grouping[T], progress: Progress = SILENT) -> list[Written]:
        """See `Engine.combine_by_key`."""
        return shuffle.combine(self, tasks, grouping, progress)

    def describe(self) -> str:
        """See `Engine.describe`."""
        return "local: one process"
