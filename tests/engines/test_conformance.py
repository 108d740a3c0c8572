"""One suite, run whole on every engine: the same calls must give the same rows, bits and errors."""

from __future__ import annotations

import collections
import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mailmill.config import EngineSection
from mailmill.engines import Engine, Grouping
from mailmill.engines.base import map_batches
from mailmill.engines.choice import choose, is_awaited
from mailmill.engines.merging import merge_all
from mailmill.errors import DataError
from mailmill.storage import manifests
from mailmill.storage.tables import Stage, Table, Workspace
from tests.engines import kernels
from tests.engines.kernels import DOUBLED, GROUPS, ROWS, DoubleKernel, NoRejectsKernel


class Counter:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.rows = 0

    def advance(self, rows: int) -> None:
        assert rows >= 0
        self.rows += rows


class Interrupting:
    """A progress that stands for a person pressing Ctrl-C in the middle."""

    def advance(self, rows: int) -> None:
        raise KeyboardInterrupt


def publish_rows(workspace: Workspace, values: list[int], empty_parts: bool = False) -> Table:
    """A table of several fragments; with `empty_parts`, some of them without rows."""
    stage = workspace.stage({}, "settings", {"rows": ROWS})
    written = []
    for part, start in enumerate(range(0, max(len(values), 1), 100)):
        rows = [
            {"key": f"{n:032x}", "source": f"s{n}", "value": v}
            for n, v in enumerate(values[start : start + 100], start)
        ]
        with stage.sink.open(part) as writer:
            writer.write("rows", pa.RecordBatch.from_pylist(rows, ROWS))
            if empty_parts:
                writer.write("rows", pa.RecordBatch.from_pylist([], ROWS))
        written += writer.written
    return stage.publish(written, {})["rows"]


def map_rows(engine: Engine, workspace: Workspace, table: Table, kernel: Any, progress: Any) -> dict[str, Table]:
    stage = workspace.stage({"rows": table.fingerprint}, "settings", kernel.outputs)
    return stage.publish(engine.map_table(table, kernel, stage.sink, progress), {})


@pytest.mark.parametrize(
    ("settings", "submitted", "chosen"),
    [({}, True, "spark"), ({"master": "yarn"}, False, "spark"), ({"address": "tcp://h:8786"}, True, "dask"),
     ({"kind": "local"}, True, "local"), ({}, False, "dask")],
)  # fmt: skip
def test_auto_takes_the_cluster_that_was_given(
    settings: dict[str, str], submitted: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """spark-submit tells of itself by a variable alone; else a job of a whole cluster would run on its driver."""
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    if submitted:
        monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert choose(EngineSection.model_validate(settings)) == chosen


@pytest.mark.parametrize(
    ("kind", "variables", "awaited"),
    [("auto", {"PYSPARK_GATEWAY_PORT": "1", "CONTAINER_ID": "container_1_1_01_1"}, True),
     ("spark", {"PYSPARK_GATEWAY_PORT": "1"}, False), ("spark", {"CONTAINER_ID": "container_1_1_01_1"}, False),
     ("dask", {"PYSPARK_GATEWAY_PORT": "1", "CONTAINER_ID": "container_1_1_01_1"}, False)],
)  # fmt: skip
def test_only_yarns_master_of_an_application_waits_for_spark(
    kind: str, variables: dict[str, str], awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYSPARK_GATEWAY_PORT", "CONTAINER_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_awaited(EngineSection.model_validate({"kind": kind})) is awaited


def test_row_wise_map(engine: Engine, workspace: Workspace) -> None:
    values = [n if n % 10 else -n - 1 for n in range(1014, 2514)]
    table, progress = publish_rows(workspace, values), Counter()
    out = map_rows(engine, workspace, table, DoubleKernel(), progress)
    assert progress.rows == 1500
    expected = [(f"{n:032x}", 2 * v) for n, v in enumerate(values) if v >= 0]
    assert [tuple(r.values()) for r in out["doubled"].read().to_pylist()] == expected
    assert out["rejects"].read()["key"].to_pylist() == [f"{n:032x}" for n, v in enumerate(values) if v < 0]
    assert out["doubled"].rows + out["rejects"].rows == table.rows


def test_a_workspace_of_any_name(engine: Engine, workspace: Workspace) -> None:
    workspace = replace(workspace, root=workspace.root + " a#b%20c?d'e\u00e9[x]{y,z}*\\w")
    table = publish_rows(workspace, [14] * 300)
    out = map_rows(engine, workspace, table, DoubleKernel(), Counter())
    assert out["doubled"].read()["double"].to_pylist() == [28] * 300


def test_workers_do_not_start_more_threads_than_cores(engine: Engine) -> None:
    if engine.name == "local":
        pytest.skip("one process may use every core")
    pytest.importorskip("threadpoolctl")
    assert engine.map_reduce(list(range(4)), kernels.blas_threads, max, None) == 1


def test_same_fingerprint_as_the_local_engine(engine: Engine, workspace: Workspace) -> None:
    from mailmill.engines.local import LocalEngine

    table = publish_rows(workspace, list(range(14, 614)))
    ours = map_rows(engine, workspace, table, DoubleKernel(), Counter())["doubled"]
    reference = map_rows(LocalEngine(), workspace, table, DoubleKernel(), Counter())["doubled"]
    assert ours.fingerprint == reference.fingerprint
    assert ours.read().equals(reference.read())


def test_empty_table(engine: Engine, workspace: Workspace) -> None:
    table = publish_rows(workspace, [])
    assert table.rows == 0
    out = map_rows(engine, workspace, table, DoubleKernel(), Counter())
    assert out["doubled"].rows == 0
    assert out["doubled"].read().schema == DOUBLED


def test_empty_partitions(engine: Engine, workspace: Workspace) -> None:
    """Tasks of which some write nothing at all, and batches without rows."""
    table = publish_rows(workspace, [-5] * 300 + [5] * 10 + [-5] * 300, empty_parts=True)
    out = map_rows(engine, workspace, table, DoubleKernel(), Counter())
    assert (out["doubled"].rows, out["rejects"].rows) == (10, 600)


def test_a_row_that_raises_is_one_reject(engine: Engine, workspace: Workspace) -> None:
    table = publish_rows(workspace, [1] * 150 + [13] + [2] * 150)
    out = map_rows(engine, workspace, table, DoubleKernel(), Counter())
    assert out["doubled"].rows == 300
    (reject,) = out["rejects"].read().to_pylist()
    assert reject == {
        "key": f"{150:032x}",
        "source": "s150",
        "stage": "double",
        "reason": "kernel_error",
        "detail": "RuntimeError",
    }


def test_a_row_that_raises_without_rejects_names_the_row(engine: Engine, workspace: Workspace) -> None:
    table = publish_rows(workspace, [1] * 50 + [13])
    with pytest.raises(DataError, match=f"{50:032x}.*RuntimeError") as caught:
        map_rows(engine, workspace, table, NoRejectsKernel(), Counter())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "a disk that fails"), MemoryError()])
def test_what_is_no_rows_fault_is_no_reject(error: Exception, workspace: Workspace) -> None:
    """A disk that fails for a minute would turn a night's mail into rejects, and the run would end well."""

    class Failing(DoubleKernel):
        def __call__(self, batch: pa.RecordBatch) -> Any:
            raise error

    rows = pa.RecordBatch.from_pylist([{"key": f"{n:032x}", "source": "s", "value": n} for n in range(2)], ROWS)
    with pytest.raises(type(error)):
        map_batches([rows], Failing(), workspace.stage({}, "s", Failing().outputs).sink, 0)


def test_a_fatal_error_keeps_its_type_and_publishes_nothing(engine: Engine, workspace: Workspace) -> None:
    table = publish_rows(workspace, [1] * 200 + [666])
    with pytest.raises(DataError) as caught:
        map_rows(engine, workspace, table, DoubleKernel(), Counter())
    assert (caught.value.message, caught.value.hint) == ("the number of the beast", "choose another")
    with pytest.raises(DataError, match="not in"):
        workspace.open("doubled", DOUBLED)


def test_a_cancelled_run_publishes_nothing(engine: Engine, workspace: Workspace) -> None:
    table = publish_rows(workspace, list(range(1014, 2014)))
    with pytest.raises(KeyboardInterrupt):
        map_rows(engine, workspace, table, DoubleKernel(), Interrupting())
    assert manifests.read(workspace.storage, workspace.uri_of("doubled")) is None
    # and the engine still works, and the next run sweeps what was left
    out = map_rows(engine, workspace, table, DoubleKernel(), Counter())["doubled"]
    runs = [name for name in workspace.storage.children(out.uri) if name.startswith("run_id=")]
    assert runs == [f"run_id={out.manifest.run_id}"]


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 64, 101])
def test_map_reduce_merges_along_one_tree(engine: Engine, parts: int) -> None:
    found = engine.map_reduce(list(range(parts)), kernels.trace, kernels.bracket, None)
    assert found == merge_all([str(n) for n in range(parts)], parts, kernels.bracket)


def test_map_reduce_gives_the_same_bits(engine: Engine) -> None:
    table = np.random.default_rng(1).normal(size=(50, 5))
    parts = [kernels.noisy_sum(n, table) for n in range(203)]
    found = engine.map_reduce(list(range(203)), kernels.noisy_sum, kernels.add, table)
    assert found.tobytes() == merge_all(parts, 203, kernels.add).tobytes()
    assert found.tobytes() != sum(parts[1:], parts[0]).tobytes(), "the data does not tell orders apart"


def test_an_exact_merge_gives_the_same(engine: Engine) -> None:
    table = np.arange(5)
    found = engine.map_reduce(list(range(203)), kernels.broadcast_checksum, kernels.add_int, table, exact=True)
    assert found == 203 * 10 + sum(range(203))


def test_map_reduce_of_nothing_is_a_clear_error(engine: Engine) -> None:
    with pytest.raises(DataError, match="no rows"):
        engine.map_reduce([], kernels.trace, kernels.bracket, None)


class Marking(Counter):
    """A progress that leaves a mark once it has advanced."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark = mark

    def advance(self, rows: int) -> None:
        super().advance(rows)
        if self.rows:
            self.mark.touch()


def test_progress_is_told_while_tasks_still_run(engine: Engine, tmp_path: Path) -> None:
    progress = Marking(tmp_path / "mark")
    rows = [5, 7, 11]
    assert engine.write_tasks(kernels.waits_for_progress, range(3), progress.mark, progress, rows) == []
    assert progress.rows == sum(rows)


def test_large_broadcast(engine: Engine) -> None:
    table = np.arange(8_000_000, dtype=np.int64)  # 64 MB
    found = engine.map_reduce(list(range(20)), kernels.broadcast_checksum, kernels.add_int, table)
    assert found == 20 * int(table.sum()) + sum(range(20))


def test_a_failing_task_keeps_its_error(engine: Engine) -> None:
    with pytest.raises(DataError, match="fragment 7 is damaged") as caught:
        list(engine.run(kernels.fail_on_seven, list(range(40)), None))
    assert caught.value.hint == "fetch it again"


def test_run_yields_every_result_once(engine: Engine) -> None:
    found = dict(engine.run(kernels.trace, list(range(100)), None))
    assert found == {n: str(n) for n in range(100)}


def by_word(stage: Stage) -> Grouping[int]:
    return Grouping(kernels.emit_words, ("word",), {"n": "sum", "first": "min", "last": "max"}, stage.sink, "groups")


def test_combine_by_key(engine: Engine, workspace: Workspace) -> None:
    stage = workspace.stage({}, "settings", {"groups": GROUPS})
    progress = Counter()
    written = engine.combine_by_key(list(range(40)), by_word(stage), progress)
    assert progress.rows == 40
    table = stage.publish(written, {})["groups"]
    expected: dict[str, list[Any]] = collections.defaultdict(lambda: [0, "~", ""])
    for task in range(40):
        for row in kernels.emit_words(task).to_pylist():
            n, first, last = expected[row["word"]]
            expected[row["word"]] = [n + row["n"], min(first, row["first"]), max(last, row["last"])]
    assert {r["word"]: [r["n"], r["first"], r["last"]] for r in table.read().to_pylist()} == expected
    for scan in table.scans():
        words = scan.read()["word"].to_pylist()
        assert words == sorted(words)


def test_combine_by_key_of_nothing(engine: Engine, workspace: Workspace) -> None:
    stage = workspace.stage({}, "settings", {"groups": GROUPS})
    assert engine.combine_by_key([0], by_word(stage)) == []


def test_what_fails_to_emit_keeps_its_error(engine: Engine, workspace: Workspace) -> None:
    grouping = replace(by_word(workspace.stage({}, "settings", {"groups": GROUPS})), emit=kernels.emit_all_but_seven)
    with pytest.raises(DataError, match="fragment 7 is damaged") as caught:
        engine.combine_by_key(list(range(20)), grouping)
    assert caught.value.hint == "fetch it again"


def test_describe_names_the_engine(engine: Engine) -> None:
    assert engine.describe().startswith(engine.name)
