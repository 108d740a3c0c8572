"""The Spark engine's own duty: an interrupt, wherever it strikes, stops Java's work as well."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from mailmill.engines import Engine
from mailmill.engines.java import is_of_a_file, is_of_a_setting
from mailmill.engines.merging import merge_all
from mailmill.engines.spark import COLLECTED
from mailmill.engines.spark_tasks import Call, Emit, MapPartition, MergeGroup, WriteGroups
from mailmill.errors import DataError, InfrastructureError
from mailmill.progress import SILENT
from mailmill.storage.tables import Workspace
from tests.conftest import make_engine
from tests.engines import kernels
from tests.engines.test_conformance import map_rows, publish_rows

pytestmark = pytest.mark.spark
TASKS = 24


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    yield from make_engine("spark")


def begin(task: int, folder: Path) -> int:
    """Leave a trace of this task, and take a while."""
    (folder / str(task)).touch()
    time.sleep(0.5)
    return task


def test_an_interrupt_between_a_command_and_its_answer_stops_the_job(
    spark: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection to Java was out of step from then on: the order to cancel was lost, and the job ran to its end."""
    context = spark._context  # type: ignore[attr-defined]

    def struck(_group: str) -> float:
        while not list(tmp_path.iterdir()):
            time.sleep(0.01)
        connection = context._gateway._gateway_client._get_connection()
        connection.socket.sendall(b"c\nz:java.lang.System\nlineSeparator\ne\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(spark, "_share_done", struck)
    with pytest.raises(KeyboardInterrupt):
        list(spark.run(begin, list(range(TASKS)), tmp_path))
    assert len(list(tmp_path.iterdir())) < TASKS / 2


def test_java_prints_nothing_of_being_interrupted(
    spark: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scala's pools of threads print what a stopping context refuses them, past its log: seen once in many Ctrl-Cs."""
    jvm: Any = spark._context._jvm  # type: ignore[attr-defined]
    printed = jvm.java.io.ByteArrayOutputStream()
    jvm.System.setErr(jvm.java.io.PrintStream(printed))

    def struck(_group: str) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(spark, "_share_done", struck)
    reporter = jvm.scala.concurrent.ExecutionContext.defaultReporter()
    reporter.apply(jvm.java.lang.RuntimeException("heard"))
    assert "heard" in printed.toString()
    printed.reset()
    with pytest.raises(KeyboardInterrupt):
        list(spark.run(begin, [1], tmp_path))
    reporter.apply(jvm.java.lang.RuntimeException("refused"))
    assert printed.toString() == ""


def breaks(task: str, _: None) -> None:
    if task == "bug":
        raise RuntimeError("secret words\nof a SecretError: mail")
    if task == "storage":
        raise InfrastructureError("S3 at here failed for that", hint="look at the network")
    os._exit(9)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("bug", "Spark gave up on a task: RuntimeError"),
        ("storage", "Spark gave up on a task: S3 at here failed for that"),
        ("death", "Spark gave up on a task: .*Python worker exited"),
    ],
)
def test_what_happened_is_said_and_nothing_of_the_data(task: str, said: str, spark: Engine) -> None:
    with pytest.raises(InfrastructureError, match=said) as caught:
        list(spark.run(breaks, [task], None))
    assert "secret" not in caught.value.message.lower()
    assert "Traceback" not in caught.value.message


@pytest.mark.parametrize(
    ("said", "of_a_file"),
    [
        ("[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///raw/part-000000.parquet", True),
        ("java.lang.RuntimeException: part-000000.parquet is not a Parquet file", True),
        ("Traceback (most recent call last):\n mailmill.errors.DataError: part-000000.parquet: refused", False),
        ("ExecutorLostFailure (executor 1 exited)", False),
    ],
)
def test_a_task_that_could_not_write_has_the_driver_read_no_table(said: str, of_a_file: bool) -> None:
    """In search of a damaged file it read all of what was to be mapped: hours, with the lease held."""
    error = InfrastructureError("Spark gave up on a task")
    error.__cause__ = RuntimeError(said)
    assert is_of_a_file(error) == of_a_file


def test_a_damaged_file_fails_where_the_cluster_passes_over_such_files(spark: Engine, workspace: Workspace) -> None:
    """`spark.sql.files.ignoreCorruptFiles` is a usual line of a cluster's: a queue was published without the mails."""
    table = publish_rows(workspace, list(range(300)))
    path = Path(table.uris()[1])
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])
    session: Any = spark._spark  # type: ignore[attr-defined]
    session.conf.set("spark.sql.files.ignoreCorruptFiles", "true")
    try:
        with pytest.raises(DataError, match="damaged or not a Parquet file"):
            map_rows(spark, workspace, table, kernels.DoubleKernel(), SILENT)
    finally:
        session.conf.unset("spark.sql.files.ignoreCorruptFiles")


@pytest.mark.parametrize("workers", [2, 40, 200])
def test_many_states_are_merged_by_executors_along_the_same_tree(
    spark: Engine, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """On 200 cores 400 states were collected at once: gigabytes in the driver where features are wide."""
    collected: list[int] = []
    watched = spark._watched  # type: ignore[attr-defined]

    def counted(*arguments: Any) -> Any:
        found = watched(*arguments)
        collected.append(len(found))
        return found

    monkeypatch.setattr(spark, "_watched", counted)
    monkeypatch.setattr(spark, "workers", workers)
    parts = 203
    alone = merge_all(map(kernels.trace, range(parts), repeat(None)), parts, kernels.bracket)
    assert spark.map_reduce(list(range(parts)), kernels.trace, kernels.bracket, None) == alone
    assert 0 < max(collected) < 2 * COLLECTED
    summed = spark.map_reduce(list(range(parts)), kernels.trace, kernels.bracket, None, exact=True)
    assert sorted(re.findall(r"\d+", summed), key=int) == [str(number) for number in range(parts)]


def test_executors_that_join_later_count(spark: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session opens before most of a cluster's are there, and passes are cut by the number of cores."""
    monkeypatch.setattr(spark, "workers", spark.workers)
    for found in (40, 3):  # they also go where nothing is to be done
        monkeypatch.setattr(type(spark._context), "defaultParallelism", found)  # type: ignore[attr-defined]
        assert list(spark.run(times, [1], b"x")) == [(0, 1)]
        assert spark.workers == 40


def test_a_clusters_workers_have_this_very_code(spark: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where code does not travel with the job, executors import what they have: perhaps that before an upgrade."""
    monkeypatch.setattr(spark, "_code", "0.0.1+0")
    with pytest.raises(InfrastructureError, match=r"worker runs other code, mailmill .*; this is 0\.0\.1\+0"):
        list(spark.run(times, [1], b"x"))


@pytest.mark.parametrize(
    "task",
    [
        lambda: Call(times, None, "0.0.1+0")((0, 1)),
        lambda: list(MergeGroup([1], None, "0.0.1+0")(0, iter(()))),
        lambda: list(MapPartition(None, None, "0.0.1+0")(iter(()))),  # type: ignore[arg-type]
        lambda: list(Emit(times, None, None, "0.0.1+0")(iter(()))),  # type: ignore[arg-type]
        lambda: list(WriteGroups(None, "0.0.1+0")(iter(()))),  # type: ignore[arg-type]
    ],
)
def test_no_kind_of_task_is_done_by_other_code(task: Callable[[], object]) -> None:
    """An executor that joined late may be given the second half of a job alone."""
    with pytest.raises(InfrastructureError, match="other code"):
        task()


def fails_late(number: int, _: None) -> int:
    if number == 150:
        raise DataError("part 150 is damaged")
    return number


def test_an_error_of_a_part_reaches_the_caller_through_the_merging(
    spark: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark, "workers", 100)
    with pytest.raises(DataError, match="part 150 is damaged"):
        spark.map_reduce(list(range(203)), fails_late, kernels.add_int, None)


def test_a_disk_that_is_full_as_tasks_are_given_what_they_share(spark: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pyspark.core.broadcast.pickle_protocol", property(full), raising=False)
    monkeypatch.setattr("pyspark.core.broadcast.pickle.dump", full)
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        list(spark.run(times, [1], b"x"))
    assert "spark.local.dir" in caught.value.hint


def times(task: int, factors: bytes) -> int:
    return task * len(factors)


def test_what_tasks_shared_leaves_no_file(spark: Engine) -> None:
    folder = Path(spark._context._temp_dir)  # type: ignore[attr-defined]
    before = set(folder.iterdir())
    assert dict(spark.run(times, [1, 2], bytes(2**20))) == {0: 2**20, 1: 2**21}
    assert set(folder.iterdir()) <= before


DIES = """
import os, signal, threading, time
from mailmill.config import EngineSection
from mailmill.engines import open_engine
from mailmill.errors import InfrastructureError

if __name__ == "__main__":
    engine = open_engine(EngineSection(kind="spark", workers=1))
    java = int(engine._context._jvm.java.lang.ProcessHandle.current().pid())
    threading.Timer(2, lambda: os.kill(java, signal.SIGKILL)).start()
    for task in (lambda *_: time.sleep(60), lambda *_: None):  # while it works, and once it is dead
        try:
            list(engine.run(task, [1], None))
        except InfrastructureError as error:
            print("told:", error.message, flush=True)
    os._exit(0)
"""


def test_a_java_that_dies_is_infrastructures_error(tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(DIES)
    done = subprocess.run([sys.executable, tmp_path / "dies.py"], capture_output=True, text=True, timeout=300)
    told = [line for line in done.stdout.splitlines() if line.startswith("told: Spark")]
    assert len(told) == 2, done.stderr[-2000:]


GIVEN = """
from mailmill.config import EngineSection
from mailmill.engines import open_engine

with open_engine(EngineSection(kind="spark", spark={"spark.log.level": "OFF"})) as engine:
    told = dict(engine._context.getConf().getAll())
    names = ("app.name", "driver.maxResultSize", "log.level", "sql.session.timeZone")
    print("told:", *(told[f"spark.{name}"] for name in names))
"""


def test_what_spark_submit_is_given_goes_before_defaults(tmp_path: Path) -> None:
    """But not before [engine.spark], nor before what results depend on."""
    (tmp_path / "given.py").write_text(GIVEN)
    given = ["spark.driver.maxResultSize=3g", "spark.log.level=WARN", "spark.sql.session.timeZone=Asia/Tokyo"]
    options = ["--name", "nightly", *(word for each in given for word in ("--conf", each))]
    command = [Path(sys.executable).with_name("spark-submit"), "--master", "local[1]", *options, tmp_path / "given.py"]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert "told: nightly 3g OFF UTC" in done.stdout.splitlines(), done.stderr[-2000:]


REFUSED = """
import faulthandler
from mailmill.config import EngineSection
from mailmill.engines import open_engine
from mailmill.errors import ConfigError

faulthandler.dump_traceback_later(120, exit=True)
for name, value in (
    ("spark.sql.shuffle.partitions", "auto"),
    ("spark.sql.session.timeZone", "Mars/Base"),
    ("spark.sql.catalogImplementation", "none"),
    ("spark.serializer", "org.no.Such"),
    ("spark.executor.memory", "lots"),
    ("spark.driver.memory", "lots"),
):
    try:
        with open_engine(EngineSection(kind="spark", workers=1, spark={name: value})) as engine:
            list(engine._spark.range(1).collect())
    except ConfigError as error:
        print("told:", name, error.message, flush=True)
"""


def test_a_value_that_spark_refuses_is_the_configurations_error(tmp_path: Path) -> None:
    """One of SQL's had the first use of the session last for ever; others were said to be worth another try."""
    (tmp_path / "refused.py").write_text(REFUSED)
    done = subprocess.run([sys.executable, tmp_path / "refused.py"], capture_output=True, text=True, timeout=300)
    told = [line for line in done.stdout.splitlines() if line.startswith("told: ")]
    assert len(told) == 6, done.stdout + done.stderr[-2000:]
    assert "'auto'" in told[0]
    assert all("'lots'" in line or "Spark refuses a setting: " in line for line in told)


@pytest.mark.parametrize(
    ("said", "of_a_setting"),
    [
        (": java.lang.IllegalArgumentException: spark.task.cpus should be int, but was x", True),
        (": java.lang.IllegalArgumentException: java.net.UnknownHostException: namenode", False),
        (": java.net.BindException: Cannot assign requested address", False),
        ("[JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number.", False),
    ],
)
def test_what_another_try_may_mend_is_no_matter_of_a_setting(said: str, of_a_setting: bool) -> None:
    """A name server may be back, and memory be free again."""
    assert is_of_a_setting(RuntimeError(said)) == of_a_setting


def test_closing_again_is_no_error(spark: Engine) -> None:
    """The fixture closes it once more."""
    spark.close()
    spark.close()
