"""What Spark's workers run: callables that travel to them, each for one kind of task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark import Accumulator, TaskContext

from mailmill.engines import reports
from mailmill.engines.base import Grouping, Kernel, Reduction, map_batches
from mailmill.engines.merging import merging
from mailmill.engines.worker import require_code, travel_light
from mailmill.errors import InfrastructureError, MailmillError
from mailmill.storage.fragments import Sink


@dataclass(frozen=True)
class Call:
    """One task of `Engine.run`: its number and its result. `code`: see `worker.require_code`, here and below."""

    function: Callable[[Any, Any], Any]
    shared: Any
    code: str

    def __call__(self, item: tuple[int, Any]) -> tuple[int, Any]:
        require_code(self.code)
        number, task = item
        try:
            return number, self.function(task, self.shared.value)
        except InfrastructureError:
            raise  # Spark tries the task again, elsewhere
        except MailmillError as error:
            return number, error  # it would fail again: hand the error itself to the driver
        finally:
            travel_light()


def grouped(width: int, result: tuple[int, Any]) -> tuple[int, tuple[int, Any]]:
    """A numbered result under its group's number, with its own number within that."""
    number, found = result
    return number // width, (number % width, found)


@dataclass(frozen=True)
class MergeGroup:
    """Merges results of `Call` that are neighbours: a group's (number within it, result) in any order, into one.

    The result of a group of which a task failed is that task's error.
    """

    sizes: Sequence[int]
    shared: Any
    code: str

    def __call__(self, group: int, results: Iterator[tuple[int, tuple[int, Any]]]) -> Iterator[tuple[int, Any]]:
        require_code(self.code)
        reduction: Reduction = self.shared.value
        merged = merging(self.sizes[group], reduction.merge, reduction.exact)
        try:
            for _, (number, part) in results:
                if isinstance(part, MailmillError):
                    raise part
                merged.add(number, part)
            yield group, merged.result()
        except InfrastructureError:
            raise
        except MailmillError as error:
            yield group, error
        travel_light()


@dataclass(frozen=True)
class MapPartition:
    """One task of `Engine.map_table`: its rows through the kernel into the sink; the files' names."""

    kernel: Kernel
    sink: Sink
    code: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        require_code(self.code)
        yield reports.report(lambda: map_batches(batches, self.kernel, self.sink, _partition()))
        travel_light()


class Failures:
    """How an accumulator gathers the errors of tasks whose output has no place for one: see `AccumulatorParam`."""

    def zero(self, value: list[MailmillError]) -> list[MailmillError]:
        """None yet."""
        return []

    def addInPlace(self, value1: list[MailmillError], value2: list[MailmillError]) -> list[MailmillError]:  # noqa: N802
        """Both tasks' errors."""
        return value1 + value2


@dataclass(frozen=True)
class Emit:
    """The first half of `Engine.combine_by_key`: the tables that tasks make, by the tasks' numbers.

    A task that would fail again emits nothing and adds its error to `failures`.
    """

    emit: Callable[[Any], pa.Table]
    tasks: Any
    failures: Accumulator[list[MailmillError]]
    code: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        require_code(self.code)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                try:
                    table = self.emit(self.tasks.value[number])
                except InfrastructureError:
                    raise
                except MailmillError as error:
                    self.failures.add([error])
                else:
                    yield from table.to_batches()


@dataclass(frozen=True)
class WriteGroups:
    """The second half of `Engine.combine_by_key`: a partition's groups into files; their names."""

    grouping: Grouping[Any]
    code: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        require_code(self.code)
        rows = list(batches)
        if rows:
            table = pa.Table.from_batches(rows)
            yield reports.report(lambda: self.grouping.write(table, _partition()))


def _partition() -> int:
    context = TaskContext.get()
    return context.partitionId() if context else 0
