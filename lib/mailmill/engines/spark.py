"""The Spark engine: a session from spark-submit, or one of its own.

Tables are read by Spark (`spark.read.parquet -> mapInArrow`), so its splits, retries, speculation
and UI serve them; the kernel's outputs are written by the task itself through mailmill's sink and
only the files' names travel back. One pass thus fills several tables (clean and rejects), needs no
committer on S3, and leaves the same rows as the other engines. A task that Spark runs twice
writes other files each time (see `fragments`), and one attempt's report comes back.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import pyarrow as pa
from pyspark import InheritableThread
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark user reads

from mailmill import resources
from mailmill.config import EngineSection, StorageSection
from mailmill.engines import reports, s3a
from mailmill.engines.base import Engine, Grouping, Kernel, Reduction, reduce_block
from mailmill.engines.java import Py4JError, apart, cause, is_of_a_file, java_lives, written_whole
from mailmill.engines.merging import block_size, merging
from mailmill.engines.spark_session import open_session
from mailmill.engines.spark_tasks import Call, Emit, Failures, MapPartition, MergeGroup, WriteGroups, grouped
from mailmill.errors import InfrastructureError, MailmillError
from mailmill.progress import SILENT, Progress
from mailmill.storage.filesystems import is_s3
from mailmill.storage.fragments import Sink, Written
from mailmill.storage.manifests import code_version
from mailmill.storage.tables import Table

T = TypeVar("T")
B = TypeVar("B")
R = TypeVar("R")

_PATTERN = re.compile(r"[\\*?\[\]{}]")  # what Hadoop takes for a pattern in a path, where we mean a name
SPARK_TYPES = {pa.string(): "string", pa.int64(): "long", pa.int32(): "int", pa.float64(): "double"}
POLL_SECONDS = 0.2
#: From so many states of a pass on, executors merge neighbours before they are collected.
COLLECTED = 16


class SparkEngine(Engine):
    """Runs tasks as Spark tasks."""

    name: ClassVar[str] = "spark"

    def __init__(self, settings: EngineSection, storage: StorageSection) -> None:
        self._spark = open_session(settings, storage)
        self._context = self._spark.sparkContext
        self.workers = max(1, self._context.defaultParallelism)
        self.one_box = self._context.master.split("[")[0] == "local"
        self._code = "" if self.one_box else code_version()
        half = resources.memory() // 2 // self.workers  # the other half is Java's
        self.memory = settings.memory or (half if self.one_box else self.memory)

    def run(
        self, function: Callable[[T, B], R], tasks: Sequence[T], broadcast: B, progress: Progress = SILENT
    ) -> Iterator[tuple[int, R]]:
        """See `Engine.run`. One Spark task each; a task lost with its executor is run again by Spark."""
        if not tasks:
            return
        with self._shared(broadcast) as shared:
            results = self._watched(self._calls(function, tasks, shared).collect, len(tasks), progress)
        yield from _sound(results)

    def reduce_blocks(self, blocks: Sequence[tuple[Any, ...]], reduction: Reduction) -> Any:
        """See `Engine.reduce_blocks`. Neighbours are merged by executors, so that few states reach the driver's memory.

        Other engines merge states as they come; Spark hands them over all at once. MLlib's `treeAggregate` does the
        same in no fixed order.
        """
        width = block_size(len(blocks), COLLECTED)
        if width == 1:
            return super().reduce_blocks(blocks, reduction)
        sizes = [min(width, len(blocks) - at) for at in range(0, len(blocks), width)]
        with self._shared(reduction) as shared:
            parts = self._calls(reduce_block, blocks, shared).map(partial(grouped, width))
            merge = MergeGroup(sizes, shared, self._code)
            neighbours = parts.partitionBy(len(sizes), int).mapPartitionsWithIndex(merge)
            results = self._watched(neighbours.collect, len(blocks), SILENT)
        merged = merging(len(sizes), reduction.merge, reduction.exact)
        for number, part in _sound(results):
            merged.add(number, part)
        return merged.result()

    def map_table(self, table: Table, kernel: Kernel, sink: Sink, progress: Progress = SILENT) -> list[Written]:
        """See `Engine.map_table`. Read by Spark where it has a filesystem for the table's URIs."""
        uris = table.uris()
        if not uris:
            return []
        if not self._reads(uris[0]):
            return super().map_table(table, kernel, sink, progress)
        size = sum(file.bytes for file in table.manifest.files)
        split = max(2**20, min(128 * 2**20, size // (self.workers * 3)))
        with java_lives():
            self._spark.conf.set("spark.sql.files.maxPartitionBytes", str(split))
        try:
            frame = self._read(uris)
            if kernel.columns is not None:
                frame = frame.select(*kernel.columns)
            files = frame.mapInArrow(MapPartition(kernel, sink, self._code), reports.DDL)
            return reports.gathered(self._watched(files.collect, table.rows, progress))
        except InfrastructureError as error:
            if is_of_a_file(error):
                table.require_whole()  # a damaged file is no fault of the cluster's, and another try does not heal it
            raise

    def combine_by_key(self, tasks: Sequence[T], grouping: Grouping[T], progress: Progress = SILENT) -> list[Written]:
        """See `Engine.combine_by_key`. Spark's own group-by shuffles."""
        if not tasks:
            return []
        columns = [*grouping.keys, *grouping.aggregations]
        ddl = ", ".join(f"`{name}` {SPARK_TYPES[grouping.schema.field(name).type]}" for name in columns)
        with self._shared(list(tasks)) as shared:
            with java_lives():
                numbers = self._spark.range(0, len(tasks), 1, len(tasks))
                failures = self._context.accumulator(list[MailmillError](), Failures())
                rows = numbers.mapInArrow(Emit(grouping.emit, shared, failures, self._code), ddl)
                functions = {"sum": F.sum, "min": F.min, "max": F.max}
                aggregated = [functions[how](name).alias(name) for name, how in grouping.aggregations.items()]
                groups = rows.groupBy(*grouping.keys).agg(*aggregated)
                files = groups.mapInArrow(WriteGroups(grouping, self._code), reports.DDL)
            written = reports.gathered(self._watched(files.collect, len(tasks), progress))
        for error in failures.value:
            raise error
        return written

    def describe(self) -> str:
        """See `Engine.describe`."""
        ui = self._context.uiWebUrl
        return f"spark {self._spark.version}: {self._context.master}, {self.workers} cores" + (
            f", UI {ui}" if ui else ""
        )

    def close(self) -> None:
        """See `Engine.close`."""
        apart(self._stop)

    def _stop(self) -> None:
        # Java drops its accumulators' connection where it stops in the middle of a job, and PySpark prints a traceback.
        self._context._accumulatorServer.handle_error = lambda *_: None
        self._spark.stop()

    @contextlib.contextmanager
    def _shared(self, value: B) -> Iterator[Any]:
        """Spark's broadcast of a value, with the file that it travels by, for as long as a job needs it."""
        with java_lives(), written_whole():
            shared = self._context.broadcast(value)
        try:
            yield shared
        finally:
            apart(shared.destroy)

    def _calls(self, function: Callable[[T, B], R], tasks: Sequence[T], shared: Any) -> Any:
        """Spark's collection of (number, result) of every task, not computed yet."""
        with java_lives():
            numbered = self._context.parallelize(list(enumerate(tasks)), min(len(tasks), 10_000))
        return numbered.map(Call(function, shared, self._code))

    def _read(self, uris: Sequence[str]) -> Any:
        """Spark's frame over the files; it looks into one of them at once."""
        try:
            # A path is this machine's, or a disk's that all share, wherever the cluster keeps its own files.
            named = (uri if "://" in uri else f"file://{os.path.abspath(uri)}" for uri in uris)
            reader = self._spark.read.options(ignoreCorruptFiles=False, ignoreMissingFiles=False)  # some clusters do
            return reader.parquet(*(_PATTERN.sub(r"\\\g<0>", uri) for uri in named))
        except Exception as error:
            raise InfrastructureError(
                f"Spark could not read {uris[0]}: {cause(error)}", hint="see the driver's log for the whole story"
            ) from error

    def _reads(self, uri: str) -> bool:
        """Whether Spark has a filesystem for `uri`: always for a path, on S3 where its connector is installed."""
        if not is_s3(uri):
            return True
        try:
            jvm: Any = self._context._jvm
            configuration = self._context._jsc.hadoopConfiguration()
            scheme, hadoop = uri.split("://", 1)[0], jvm.org.apache.hadoop
            if scheme == "s3" and not configuration.get("fs.s3.impl"):  # EMR says which; elsewhere S3A, if it is there
                configuration.getClassByName(s3a.FILESYSTEM)
                configuration.set("fs.s3.impl", s3a.FILESYSTEM)
            hadoop.fs.FileSystem.getFileSystemClass(scheme, configuration)
        except Exception:  # noqa: BLE001 - Py4J raises one type for whatever Java threw
            return False
        return True

    def _watched(self, action: Callable[[], list[Any]], total: int, progress: Progress) -> list[Any]:
        """Run a Spark action, reporting the share of its tasks that are done; cancel it if we are interrupted."""
        group, outcome = f"mailmill-{uuid.uuid4().hex[:12]}", _Outcome[list[Any]]()

        def work() -> None:
            self._context.setJobGroup(group, "mailmill", interruptOnCancel=True)
            try:
                outcome.value = action()
            except Exception as error:  # noqa: BLE001 - raised again below, in the caller's thread
                outcome.error = error

        thread = InheritableThread(target=work, daemon=True)
        thread.start()
        reported = 0
        try:
            while thread.is_alive():
                thread.join(POLL_SECONDS)
                done = 0
                with contextlib.suppress(Py4JError, OSError):  # of a Java that has ended the action itself tells
                    done = min(total, int(total * self._share_done(group)))
                if done > reported:
                    progress.advance(done - reported)
                    reported = done
        except BaseException:
            apart(self._silence)
            while thread.is_alive():  # a job that is only about to begin is not cancelled yet
                apart(lambda: self._context.cancelJobGroup(group))
                thread.join(1)
            raise
        if outcome.error is not None:
            raise InfrastructureError(
                f"Spark gave up on a task: {cause(outcome.error)}", hint="see the executor's log for the whole story"
            ) from outcome.error
        with contextlib.suppress(Py4JError, OSError):  # of a Java that has ended the next job tells
            self.workers = max(self.workers, self._context.defaultParallelism)  # executors join late, or when asked for
        progress.advance(total - reported)
        return outcome.value or []

    def _silence(self) -> None:
        """Let Java say no more: what its tasks log of being stopped, and its pools of threads print, helps nobody."""
        self._context.setLogLevel("OFF")
        jvm: Any = self._context._jvm
        jvm.System.setErr(jvm.java.io.PrintStream(jvm.java.io.OutputStream.nullOutputStream()))

    def _share_done(self, group: str) -> float:
        tracker = self._context.statusTracker()
        done = total = 0
        for job in tracker.getJobIdsForGroup(group):
            info = tracker.getJobInfo(job)
            for stage in info.stageIds if info else ():
                if (found := tracker.getStageInfo(stage)) is not None:
                    done, total = done + found.numCompletedTasks, total + found.numTasks
        return done / total if total else 0.0


def _sound(results: Iterable[tuple[int, R | MailmillError]]) -> Iterator[tuple[int, R]]:
    """Numbered results of tasks; the first that is a task's error is raised."""
    for number, result in results:
        if isinstance(result, MailmillError):
            raise result
        yield number, result


@dataclass
class _Outcome(Generic[R]):
    value: R | None = None
    error: Exception | None = None
