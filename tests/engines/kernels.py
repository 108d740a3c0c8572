"""Kernels and partials for the conformance suite. Workers import them by name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from mailmill import schemas
from mailmill.errors import DataError
from mailmill.storage.fragments import Written

ROWS = pa.schema([schemas.KEY, pa.field("source", pa.string(), nullable=False), pa.field("value", pa.int64(), False)])
DOUBLED = pa.schema([schemas.KEY, pa.field("double", pa.int64(), nullable=False)])
GROUPS = pa.schema([("word", pa.string()), ("n", pa.int64()), ("first", pa.string()), ("last", pa.string())])


@dataclass(frozen=True)
class DoubleKernel:
    """key, 2 * value; a value of 13 raises, 666 is fatal, an odd hundred is a reject."""

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        return {"doubled": DOUBLED, "rejects": schemas.REJECTS}

    @property
    def columns(self) -> list[str] | None:
        return None

    def __call__(self, batch: pa.RecordBatch) -> Mapping[str, pa.RecordBatch]:
        rows = batch.to_pylist()
        if any(row["value"] == 13 for row in rows):
            raise RuntimeError("text of a body that must not leak")
        if any(row["value"] == 666 for row in rows):
            raise DataError("the number of the beast", hint="choose another")
        good = [{"key": r["key"], "double": 2 * r["value"]} for r in rows if r["value"] >= 0]
        bad = [
            {"key": r["key"], "source": r["source"], "stage": "double", "reason": "empty", "detail": ""}
            for r in rows
            if r["value"] < 0
        ]
        return {
            "doubled": pa.RecordBatch.from_pylist(good, DOUBLED),
            "rejects": pa.RecordBatch.from_pylist(bad, schemas.REJECTS),
        }


@dataclass(frozen=True)
class NoRejectsKernel:
    """A kernel without rejects that fails on the value 13."""

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        return {"doubled": DOUBLED}

    @property
    def columns(self) -> list[str] | None:
        return ["key", "value"]

    def __call__(self, batch: pa.RecordBatch) -> Mapping[str, pa.RecordBatch]:
        assert batch.schema.names == ["key", "value"]
        rows = batch.to_pylist()
        if any(row["value"] == 13 for row in rows):
            raise RuntimeError("secret")
        return {"doubled": pa.RecordBatch.from_pylist([{"key": r["key"], "double": r["value"]} for r in rows], DOUBLED)}


def noisy_sum(fragment: int, table: np.ndarray) -> np.ndarray:
    """Numbers whose floating-point sum depends on the order of addition."""
    return np.sin(np.arange(5) + fragment * 12.9898) * 10.0 ** (fragment % 17 - 8) + table[fragment % len(table)]


def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a + b


def broadcast_checksum(fragment: int, table: np.ndarray) -> int:
    return int(table.sum()) + fragment


def add_int(a: int, b: int) -> int:
    return a + b


def trace(fragment: int, _: None) -> str:
    return str(fragment)


def bracket(a: str, b: str) -> str:
    return f"({a} {b})"


def fail_on_seven(fragment: int, _: None) -> int:
    if fragment == 7:
        raise DataError("fragment 7 is damaged", hint="fetch it again")
    return fragment


def blas_threads(fragment: int, _: None) -> int:
    """The most threads that linear algebra would start in this worker."""
    from threadpoolctl import threadpool_info

    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def emit_words(task: int) -> pa.Table:
    words = [f"w{(task * 7 + i) % 23}" for i in range(task)]
    return pa.table(
        {"word": words, "n": [1] * task, "first": [f"t{task:03d}"] * task, "last": [f"t{task:03d}"] * task}
    ).cast(GROUPS)


def waits_for_progress(task: int, mark: Path) -> list[Written]:
    """The last task ends when those before it have been told of."""
    until = time.monotonic() + 60
    while task == 2 and not mark.exists():
        assert time.monotonic() < until, "no progress was told"
        time.sleep(0.05)
    return []


def emit_all_but_seven(task: int) -> pa.Table:
    fail_on_seven(task, None)
    return emit_words(task)
