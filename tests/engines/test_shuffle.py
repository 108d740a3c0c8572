"""The shuffle by files: the groups are those of a group-by in memory, for any keys, tasks and buckets."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill.config import EngineSection, StorageSection, TablesSection
from mailmill.engines import shuffle
from mailmill.engines.base import Grouping
from mailmill.engines.local import LocalEngine
from mailmill.errors import DataError
from mailmill.progress import SILENT
from mailmill.storage.filesystems import Storage
from mailmill.storage.tables import Stage, Workspace
from tests.work import calls

WORDS = pa.schema([pa.field("word", pa.string()), pa.field("n", pa.int64())])
PAIRS = pa.schema([pa.field("i", pa.int32()), pa.field("j", pa.int32()), pa.field("n", pa.int64())])


def stage_in(folder: str | Path, schema: pa.Schema) -> Stage:
    return Workspace(Storage(StorageSection()), str(folder), TablesSection()).stage({}, "settings", {"groups": schema})


def words_of(task: list[str]) -> pa.Table:
    return pa.table({"word": task, "n": [1] * len(task)}, schema=WORDS)


def pairs_of(task: list[tuple[int, int]]) -> pa.Table:
    return pa.table({"i": [i for i, _ in task], "j": [j for _, j in task], "n": [1] * len(task)}, schema=PAIRS)


def combined(tasks: list, grouping: Grouping, stage: Stage, workers: int = 1) -> list[dict]:
    engine = LocalEngine(EngineSection(kind="local"))
    engine.workers = workers
    written = shuffle.combine(engine, tasks, grouping, SILENT)
    assert not list(Path(stage.workspace.root).rglob("shuffle-*")), "its files are gone"
    rows: list[dict] = stage.publish(written, {})["groups"].read().to_pylist()
    return rows


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.text(max_size=3), max_size=30), max_size=6), st.integers(1, 5), st.booleans())
def test_words(tasks: list[list[str]], workers: int, tight: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if tight:
            patch.setattr(shuffle, "PENDING", 1)  # groups again after each file
        stage = stage_in(folder, WORDS)
        found = combined(tasks, Grouping(words_of, ("word",), {"n": "sum"}, stage.sink, "groups"), stage, workers)
    assert len(found) == len({row["word"] for row in found}), "each key is in one bucket alone"
    assert {row["word"]: row["n"] for row in found} == Counter(word for task in tasks for word in task)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 3)), max_size=30), max_size=6))
def test_pairs_of_integers(tasks: list[list[tuple[int, int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = stage_in(folder, PAIRS)
        found = combined(tasks, Grouping(pairs_of, ("i", "j"), {"n": "sum"}, stage.sink, "groups"), stage, workers=3)
    assert {(row["i"], row["j"]): row["n"] for row in found} == Counter(pair for task in tasks for pair in task)


def test_more_tasks_than_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "MOST_BUCKETS", 4)  # of the 15 that so many tasks would have
    stage = stage_in(tmp_path, WORDS)
    tasks = [[f"w{n % 17}", "all"] for n in range(60)]
    found = combined(tasks, Grouping(words_of, ("word",), {"n": "sum"}, stage.sink, "groups"), stage)
    assert {row["word"]: row["n"] for row in found} == Counter(word for task in tasks for word in task)
    assert len({file.path for file in stage.workspace.manifest("groups").files}) <= 4


def test_a_bucket_takes_work_in_proportion_to_its_files(tmp_path: Path) -> None:
    work = []
    for tasks in (200, 400):
        stage = stage_in(tmp_path / str(tasks), WORDS)
        grouping = Grouping(words_of, ("word",), {"n": "sum"}, stage.sink, "groups")
        job = shuffle.Spilling(grouping, str(tmp_path / f"between-{tasks}"), 1, tuple(range(tasks)))
        for number in range(tasks):
            shuffle.spill((number, ["a", "b"]), job)
        work.append(calls(lambda: shuffle.merge(0, job)))  # noqa: B023 - called at once
    assert work[1] < 2.2 * work[0]


def fails(task: list[str]) -> pa.Table:
    if "bad" in task:
        raise DataError("the fifth is damaged")
    return words_of(task)


def test_a_task_that_fails_leaves_no_files(tmp_path: Path) -> None:
    stage = stage_in(tmp_path, WORDS)
    grouping = Grouping(fails, ("word",), {"n": "sum"}, stage.sink, "groups")
    with pytest.raises(DataError, match="the fifth"):
        combined([["a"], ["b"], ["bad"]], grouping, stage)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
