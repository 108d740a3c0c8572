"""What an engine does, and all that is the same on every engine.

    run             function(task, broadcast) for many tasks, results as they end
    map_table       row-wise ETL: a table's batches through a kernel into a sink
    map_reduce      training and profiling: partial results merged in a fixed order
    combine_by_key  the only shuffle: sums, minima and maxima by key

An engine implements `run` and `combine_by_key`; Spark also brings its own reader for `map_table`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, cast

import pyarrow as pa

from mailmill.engines.merging import block_size, merge_all, merging
from mailmill.errors import DataError, MailmillError
from mailmill.progress import SILENT, Progress
from mailmill.storage.fragments import Scan, Sink, SinkWriter, Written
from mailmill.storage.tables import Table

T = TypeVar("T")
B = TypeVar("B")
R = TypeVar("R")
S = TypeVar("S")

Aggregation = Literal["sum", "min", "max"]


class Kernel(Protocol):
    """A pure, picklable, row-wise function: one Arrow batch in, one batch for each named output.

    A row's result must depend on that row alone: engines cut batches as they like.
    """

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        """The outputs and their schemas. Rows that raise go to the one named "rejects", if there is one."""

    @property
    def columns(self) -> list[str] | None:
        """The columns read of the table; None: all."""

    def __call__(self, batch: pa.RecordBatch) -> Mapping[str, pa.RecordBatch]:
        """Compute the outputs' rows for the batch's rows."""


@dataclass(frozen=True)
class Grouping(Generic[T]):
    """What `combine_by_key` computes: rows of `emit(task)`, grouped by `keys`, the other columns aggregated.

    Only sums of integers, minima and maxima, so the result does not depend on order. The groups go to the
    sink's `output`, whose schema has the keys and the aggregated columns.
    """

    emit: Callable[[T], pa.Table]
    keys: tuple[str, ...]
    aggregations: Mapping[str, Aggregation]
    sink: Sink
    output: str

    @property
    def schema(self) -> pa.Schema:
        """The columns of the groups, and of what `emit` gives."""
        return self.sink.schemas[self.output]

    def group(self, table: pa.Table) -> pa.Table:
        """Group rows that are in memory; the aggregated columns keep their names."""
        grouped = table.group_by(list(self.keys), use_threads=False).aggregate(list(self.aggregations.items()))
        named = grouped.select([*self.keys, *(f"{column}_{how}" for column, how in self.aggregations.items())])
        return named.rename_columns([*self.keys, *self.aggregations]).cast(self.schema)

    def write(self, groups: pa.Table, part: int) -> list[Written]:
        """Sort groups by key and write them as one part of the output."""
        ordered = groups.sort_by([(key, "ascending") for key in self.keys]).cast(self.schema)
        with self.sink.open(part, prefix="groups") as writer:
            for batch in ordered.to_batches(max_chunksize=65536):
                writer.write(self.output, batch)
        return writer.written


#: Tasks a worker that a table is cut into, where it has row groups enough: workers wait for the last task, which is
#: short then. On S3 each costs requests, and a worker that is alone waits for nobody.
TASKS, TASKS_ALONE = 8, 2


class Engine(ABC):
    """Schedules tasks on one process, a Dask cluster or Spark. A context manager: leaving it lets go of workers."""

    name: ClassVar[str]
    workers: int = 1
    task_bytes: int = 32 * 2**20
    memory: int = 2**30  # bytes that a worker may take
    one_box: bool = False  # every worker sees this machine's disk

    @abstractmethod
    def run(
        self, function: Callable[[T, B], R], tasks: Sequence[T], broadcast: B, progress: Progress = SILENT
    ) -> Iterator[tuple[int, R]]:
        """Compute `function(task, broadcast)` for every task; yield (task's number, result) as tasks end.

        The function is importable by name and the tasks picklable. `broadcast` reaches each worker once.
        `progress` advances by one a task. What a task raises is raised here, and the rest is cancelled.
        """

    @abstractmethod
    def combine_by_key(self, tasks: Sequence[T], grouping: Grouping[T], progress: Progress = SILENT) -> list[Written]:
        """Group the rows that all tasks emit by key and aggregate them, see `Grouping`; write the groups.

        `progress` advances by tasks. Returns the written files, each sorted by key.
        """

    @abstractmethod
    def describe(self) -> str:
        """One line for people: what computes, with how much, and where to watch it."""

    def close(self) -> None:  # noqa: B027 - an engine without workers has nothing to let go of
        """Let go of workers. Idempotent."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map_table(self, table: Table, kernel: Kernel, sink: Sink, progress: Progress = SILENT) -> list[Written]:
        """Put every row of `table` through `kernel` and write what comes out to `sink`.

        Returns the written files. `progress` advances by rows. An unexpected exception on one row makes
        that row a reject (or, for a kernel without rejects, a DataError that names its key); errors of
        mailmill, of the storage and of memory end the run.
        """
        scans = table.scans(self.task_bytes, at_least=self.workers * (TASKS if self.workers > 1 else TASKS_ALONE))
        tasks = [_Mapping(number, scan) for number, scan in enumerate(scans)]
        return self.write_tasks(_map_scan, tasks, _MapJob(kernel, sink), progress, [scan.rows for scan in scans])

    def write_tasks(
        self,
        function: Callable[[T, B], list[Written]],
        tasks: Sequence[T],
        broadcast: B,
        progress: Progress = SILENT,
        rows: Sequence[int] | None = None,
    ) -> list[Written]:
        """Run tasks that write files themselves, and gather what they wrote, in the tasks' order.

        `rows`: how far each task advances `progress`, while others still run; None: by nothing.
        """
        results = dict(self.run(function, tasks, broadcast, _Tasks(progress, rows) if rows else SILENT))
        return [file for number in sorted(results) for file in results[number]]

    def map_reduce(
        self,
        fragments: Sequence[T],
        partial: Callable[[T, B], S],
        merge: Callable[[S, S], S],
        broadcast: B,
        *,
        exact: bool = False,
    ) -> S:
        """merge over all fragments of partial(fragment, broadcast), along one fixed tree (see `merging`).

        The same fragments give the same bits on every engine and number of workers. exact: no order of merging
        changes a bit, so that results are merged as they come and none waits. Raises DataError where there is no
        fragment.
        """
        if not fragments:
            raise DataError("nothing to compute on: the table has no rows")
        size = block_size(len(fragments), self.workers * 2)
        blocks = [tuple(fragments[at : at + size]) for at in range(0, len(fragments), size)]
        return cast(S, self.reduce_blocks(blocks, Reduction(partial, merge, broadcast, exact)))

    def reduce_blocks(self, blocks: Sequence[tuple[Any, ...]], reduction: Reduction) -> Any:
        """`map_reduce` of blocks of fragments, each a subtree: workers reduce those, this process the rest."""
        merged = merging(len(blocks), reduction.merge, reduction.exact)
        for number, part in self.run(reduce_block, blocks, reduction):
            merged.add(number, part)
        return merged.result()


class _Tasks:
    """Advances another progress by rows where tasks are counted: of how many have ended, not which."""

    def __init__(self, progress: Progress, rows: Sequence[int]) -> None:
        self._progress, self._rows = progress, iter(rows)

    def advance(self, tasks: int) -> None:
        self._progress.advance(sum(islice(self._rows, tasks)))


@dataclass(frozen=True)
class _Mapping:
    number: int
    scan: Scan


@dataclass(frozen=True)
class _MapJob:
    kernel: Kernel
    sink: Sink


@dataclass(frozen=True)
class Reduction:
    """What `Engine.map_reduce` was asked for, but for the fragments."""

    partial: Callable[[Any, Any], Any]
    merge: Callable[[Any, Any], Any]
    broadcast: Any
    exact: bool


def _map_scan(task: _Mapping, job: _MapJob) -> list[Written]:
    return map_batches(task.scan.batches(job.kernel.columns), job.kernel, job.sink, task.number)


def map_batches(batches: Iterable[pa.RecordBatch], kernel: Kernel, sink: Sink, part: int) -> list[Written]:
    """Put batches through a kernel into the files of task number `part`."""
    with sink.open(part) as writer:
        for batch in batches:
            _guarded(kernel, batch, writer)
    return writer.written


def _guarded(kernel: Kernel, batch: pa.RecordBatch, writer: SinkWriter) -> None:
    """Apply the kernel; where it fails, halve the batch until the one row that fails stands alone."""
    try:
        outputs = kernel(batch)
    except (MailmillError, OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - any bug that one row lays bare must not stop the night's run
        if batch.num_rows > 1:
            half = batch.num_rows // 2
            _guarded(kernel, batch.slice(0, half), writer)
            _guarded(kernel, batch.slice(half), writer)
            return
        outputs = {"rejects": _reject(kernel, batch, error)}
    for name, rows in outputs.items():
        writer.write(name, rows)


def _reject(kernel: Kernel, row: pa.RecordBatch, error: Exception) -> pa.RecordBatch:
    key = row.column("key")[0].as_py()
    if "rejects" not in kernel.outputs:
        raise DataError(f"row {key}: {type(kernel).__name__} failed with {type(error).__name__}") from error
    source = row.column("source")[0].as_py() if "source" in row.schema.names else ""
    values = {
        "key": key,
        "source": source,
        "stage": type(kernel).__name__.removesuffix("Kernel").lower(),
        "reason": "kernel_error",
        "detail": type(error).__name__,  # never the message: it may quote the body
    }
    return pa.RecordBatch.from_pylist([values], kernel.outputs["rejects"])


def reduce_block(block: tuple[Any, ...], reduction: Reduction) -> Any:
    """The fragments of a block, each computed and all merged."""
    parts = (reduction.partial(fragment, reduction.broadcast) for fragment in block)
    return merge_all(parts, len(block), reduction.merge, reduction.exact)
