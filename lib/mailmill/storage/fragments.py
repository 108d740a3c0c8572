"""Parquet fragments: how a task writes them, and how the next stage reads them.

A task opens the sink under its own number and writes batches for any of the stage's outputs. Its
files have names of that number and of the attempt, and appear whole: of a task that runs twice (a lost
worker, speculation) neither attempt touches what the other has written. That matters: an attempt that
Spark kills sees its rows end as if they were all. Only the files that the driver hears of enter the
manifest; others are swept at publication.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mailmill.config import TablesSection
from mailmill.errors import DataError
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.fingerprint import combine, digest
from mailmill.storage.manifests import File, mendable

#: A file of one of a stage's outputs, as a task reports it to the driver.
Written = tuple[str, File]


@dataclass(frozen=True)
class Scan:
    """Some row groups of one Parquet file: what one task reads. Picklable."""

    storage: Storage
    uri: str
    row_groups: tuple[int, ...]
    rows: int

    def batches(self, columns: list[str] | None = None, batch_bytes: int = 4 * 2**20) -> Iterator[pa.RecordBatch]:
        """The rows, in batches of about `batch_bytes` (uncompressed), one row group in memory at a time."""
        with self._opened() as parquet:
            size = sum(parquet.metadata.row_group(g).total_byte_size for g in self.row_groups)
            batch_rows = max(16, min(2048, batch_bytes * self.rows // max(size, 1)))
            for group in self.row_groups:
                yield from parquet.iter_batches(batch_rows, row_groups=[group], columns=columns, use_threads=False)

    def within(self, column: str, wanted: Callable[[Any, Any], bool]) -> Scan:
        """The row groups of which `wanted` likes the least and the largest value of a column, by their statistics."""
        with self._opened() as parquet:
            metadata = parquet.metadata
        number = metadata.schema.to_arrow_schema().get_field_index(column)
        chosen = []
        for group in self.row_groups:
            found = metadata.row_group(group).column(number).statistics
            if found is None or not found.has_min_max or wanted(found.min, found.max):
                chosen.append(group)
        return replace(self, row_groups=tuple(chosen), rows=sum(metadata.row_group(group).num_rows for group in chosen))

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """All rows at once."""
        with self._opened() as parquet:
            return parquet.read_row_groups(list(self.row_groups), columns=columns, use_threads=False)

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        """The file; what is wrong with it, page or footer, is told with the way out."""
        with mendable(self.storage, self.uri), self.storage.open(self.uri) as stream:
            yield pq.ParquetFile(stream)


@dataclass(frozen=True)
class Sink:
    """Where the outputs of one stage's run go. Picklable: it is sent to every task.

    `folders` maps an output's name to (the table's URI, the run's folder in it).
    """

    storage: Storage
    folders: Mapping[str, tuple[str, str]]
    schemas: Mapping[str, pa.Schema]
    settings: TablesSection

    def open(self, part: int, prefix: str = "part") -> SinkWriter:
        """The writer of task number `part`; use it as a context manager."""
        return SinkWriter(self, f"{prefix}-{part:06d}")


class SinkWriter:
    """Writes one task's rows. Files are complete and reported in `written` once the block has ended well."""

    def __init__(self, sink: Sink, stem: str) -> None:
        self._sink = sink
        attempt = uuid.uuid4().hex[:8]
        self._outputs = {name: _Output(sink, name, stem, attempt) for name in sink.schemas}
        self._open = ExitStack()
        for output in self._outputs.values():
            self._open.push(output)
        self.written: list[Written] = []

    def write(self, name: str, batch: pa.RecordBatch) -> None:
        """Add rows to the output `name`."""
        self._outputs[name].write(batch)

    def __enter__(self) -> SinkWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._open.__exit__(kind, error, tb)
        if error is None:
            self.written += [(name, file) for name, output in self._outputs.items() for file in output.files]


class _Output:
    """The files of one output of one task: row groups of an even size, a new file once one is full."""

    def __init__(self, sink: Sink, name: str, stem: str, attempt: str) -> None:
        self._sink, self._name, self._stem, self._attempt = sink, name, stem, attempt
        self._schema = sink.schemas[name]
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0
        self._stack = ExitStack()
        self._writer: Any = None
        self._digests: list[int] = []
        self._rows = 0
        self.files: list[File] = []

    def write(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        batch = conform(batch, self._schema, self._name)
        self._digests.append(digest(batch))
        self._rows += batch.num_rows
        self._pending.append(batch)
        self._pending_bytes += batch.nbytes
        if self._pending_bytes >= self._sink.settings.row_group_bytes:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._writer is None:
            table_uri, folder = self._sink.folders[self._name]
            self._path = f"{folder}/{self._stem}-{len(self.files):04d}-{self._attempt}.parquet"
            self._stream = self._stack.enter_context(self._sink.storage.create(join(table_uri, self._path)))
            self._writer = self._stack.enter_context(
                pq.ParquetWriter(
                    self._stream,
                    self._schema,
                    compression="zstd",
                    use_dictionary=repeating(self._schema),
                    store_schema=True,
                )
            )
        table = pa.Table.from_batches(self._pending, self._schema)
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
        self._pending, self._pending_bytes = [], 0
        if self._stream.tell() >= self._sink.settings.fragment_bytes:
            self._finish_file()

    def _finish_file(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        size = self._stream.tell()
        self._stack.close()
        self.files.append(File(self._path, self._rows, size, f"{combine(self._digests):032x}"))
        self._writer, self._rows, self._digests = None, 0, []

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, tb)
            return
        with self._stack:  # what fails here passes through the file that is open, which lets go of it and names it
            self._flush()
            self._finish_file()


def conform(batch: pa.RecordBatch, schema: pa.Schema, name: str = "table") -> pa.RecordBatch:
    """`batch` with exactly the columns and types of `schema` (Spark hands over wider or nullable types).

    Raises DataError naming the column that is missing or of another type.
    """
    if batch.schema.equals(schema):
        return batch
    columns = []
    for field in schema:
        index = batch.schema.get_field_index(field.name)
        if index < 0:
            raise DataError(f"{name}: column {field.name} is missing")
        try:
            columns.append(batch.column(index).cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            found = batch.column(index).type
            raise DataError(f"{name}: column {field.name} is {found}, not {field.type}") from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def repeating(fields: Iterable[pa.Field], prefix: str = "") -> list[str]:
    """The Parquet paths of the columns whose values may repeat: all but floating-point numbers.

    A dictionary of floats is given up once full, after each value was looked up: half the time of writing features.
    """
    found = []
    for field in fields:
        path, kind = prefix + field.name, field.type
        while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
            path, kind = f"{path}.list.element", kind.value_type
        if pa.types.is_struct(kind):
            found += repeating(kind, f"{path}.")
        elif not pa.types.is_floating(kind):
            found.append(path)
    return found


def rows_of(written: Iterable[Written], output: str) -> int:
    """How many rows the files of one output have."""
    return sum(file.rows for name, file in written if name == output)
