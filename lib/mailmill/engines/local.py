"""The local engine: one process, no library. The reference that the others are compared with."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill.config import EngineSection
from mailmill.engines import resources
from mailmill.engines.base import Engine, Grouping
from mailmill.progress import SILENT, Progress
from mailmill.storage.fragments import Written

T = TypeVar("T")
B = TypeVar("B")
R = TypeVar("R")

BUCKETS = 16


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
        """See `Engine.combine_by_key`. Rows are spilled into buckets by a hash of the key, then grouped bucket-wise."""
        written: list[Written] = []
        with tempfile.TemporaryDirectory(prefix="mailmill-") as folder:
            for number, task in enumerate(tasks):
                _spill(grouping.emit(task), grouping.keys, Path(folder), number)
                progress.advance(1)
            for bucket in range(BUCKETS):
                paths = sorted(Path(folder).glob(f"{bucket:03d}-*.arrow"))
                if paths:
                    table = pa.concat_tables(pa.ipc.open_file(path).read_all() for path in paths)
                    written += grouping.write(grouping.group(table), bucket)
        return written

    def describe(self) -> str:
        """See `Engine.describe`."""
        return "local: one process"


def _spill(table: pa.Table, keys: Sequence[str], folder: Path, number: int) -> None:
    if not table.num_rows:
        return
    if all(pa.types.is_integer(table.schema.field(key).type) for key in keys):
        buckets = _integer_buckets(table, keys)
    else:
        columns = [table.column(key).to_pylist() for key in keys]
        texts = columns[0] if len(columns) == 1 else zip(*columns, strict=True)
        buckets = np.fromiter((zlib.crc32(str(text).encode()) % BUCKETS for text in texts), np.int16, table.num_rows)
    for bucket in np.unique(buckets).tolist():
        part = table.filter(pa.array(buckets == bucket))
        path = str(folder / f"{bucket:03d}-{number:06d}.arrow")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, part.schema) as writer:
            writer.write_table(part)


def _integer_buckets(table: pa.Table, keys: Sequence[str]) -> NDArray[np.int16]:
    """The upper bits of a multiplicative hash of the keys: pairs of words come by the hundred million."""
    state = np.zeros(table.num_rows, np.uint64)
    for key in keys:
        state = (state ^ np.asarray(table.column(key)).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    return ((state >> np.uint64(48)) % np.uint64(BUCKETS)).astype(np.int16)
