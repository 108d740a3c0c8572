"""Messages that are rows: of JSON lines, or of a Parquet table with a column `raw`.

Data sets of mail come as tables, and a row that holds no usable message is the fault of that row alone:
it becomes a reject with reason `bad_row`, and the rows around it are read.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice, repeat
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mailmill.storage.bounded import CHUNK, Item, Limits, Meter, Refused, Rejected, clean_name, one_message

#: Strings, commas and brackets of one JSON line: a value has two bytes there, and takes far more once it is parsed.
_MOST_PARTS = 250_000
_PART = re.compile(rb'"[^"]*+"?|[,\[{]')
#: Rows of a batch at the most, and bytes of a column that is read as a dictionary.
_MANY_ROWS, _KEPT = 1024, 2**26
_DICTIONARIES = ("RLE_DICTIONARY", "PLAIN_DICTIONARY")
#: Bytes that a name of an honest table is below, on the average.
_LONG_NAME = 4096
_NAME_COLUMNS = ("name", "source", "path")
_TEXT = (pa.string(), pa.large_string())

A = TypeVar("A")


def read_json_lines(reader: io.BufferedReader, source: str, limits: Limits) -> Iterator[Item]:
    """The message of each line that is not blank: bytes from `raw_base64`, else text from `raw`.

    The text is encoded as the field `encoding` says, utf-8 (the default) or latin-1. A message is
    `source`!x where a field name, source or path holds x, else `source`#line, counted from 1. A line of
    more than twice the message limit and 64 KiB is skipped and rejected as "too_large", one of more values than a row
    of mail has as "bad_row". Format: JSON Lines, in UTF-8.
    """
    longest = 2 * limits.max_message_bytes + 2**16  # escapes and base64 make a message longer
    number = 0
    while line := reader.readline(longest):
        number += 1
        if len(line) == longest and not line.endswith(b"\n"):
            while (rest := reader.readline(CHUNK)) and not rest.endswith(b"\n"):
                pass
            yield one_message(f"{source}#{number:06d}", None, limits)
        elif not line.isspace():
            yield _json_row(line, source, number, limits)


def _json_row(line: bytes, source: str, number: int, limits: Limits) -> Item:
    if _has_too_many_parts(line):
        return Rejected(f"{source}#{number:06d}", "bad_row", "too many values")
    try:
        row = json.loads(line.decode("utf-8-sig", "surrogatepass"))
    except (ValueError, RecursionError):
        return Rejected(f"{source}#{number:06d}", "bad_row", "not JSON")
    if not isinstance(row, dict):
        return Rejected(f"{source}#{number:06d}", "bad_row", "not a JSON object")
    label = _row_label(source, number, row)
    try:
        if isinstance(row.get("raw_base64"), str):
            return one_message(label, base64.b64decode(row["raw_base64"]), limits)
        if isinstance(row.get("raw"), str) and row.get("encoding", "utf-8") in ("utf-8", "latin-1"):
            return one_message(label, row["raw"].encode(row.get("encoding", "utf-8"), "surrogateescape"), limits)
    except (binascii.Error, ValueError):  # a UnicodeEncodeError is a ValueError
        return Rejected(label, "bad_row", "raw cannot be decoded")
    return Rejected(label, "bad_row", "no usable field raw or raw_base64")


def _has_too_many_parts(line: bytes) -> bool:
    """Whether parsing it would take much memory. What looks like a part within a string is none."""
    if sum(map(line.count, (b",", b"[", b"{"))) <= _MOST_PARTS // 3:  # each may come with two strings
        return False
    without_escapes = line.replace(b"\\\\", b"").replace(b'\\"', b"")
    return next(islice(_PART.finditer(without_escapes), _MOST_PARTS, None), None) is not None


def read_parquet(reader: io.BufferedReader, source: str, meter: Meter) -> Iterator[Item]:
    """The message in each row's column `raw` (binary or string), read by at most 1,024 rows or some 16 MiB.

    A message is `source`!x where the first text column called name, source or path holds x, else
    `source`#row, counted from 1. `reader` must seek. Raises Refused past a limit of `meter`, and what
    pyarrow raises where the file is damaged.
    """
    stream = pa.PythonFile(reader, mode="r")
    metadata = pq.ParquetFile(stream, pre_buffer=False).metadata
    schema = metadata.schema.to_arrow_schema()
    if "raw" not in schema.names or not _is_of(schema.field("raw").type, pa.binary(), pa.large_binary(), *_TEXT):
        yield Rejected(source, "bad_row", "the table has no column raw of type binary or string")
        return
    named = [name for name in _NAME_COLUMNS if name in schema.names and _is_of(schema.field(name).type, *_TEXT)][:1]
    wanted = ["raw", *named]
    groups = [
        {c.path_in_schema: c for c in map(shape.column, range(shape.num_columns)) if c.path_in_schema in wanted}
        for shape in map(metadata.row_group, range(metadata.num_row_groups))
    ]
    size = reader.seek(0, io.SEEK_END)
    if sum(chunk.total_compressed_size for of in groups for chunk in of.values()) > size:
        raise Refused("columns that overlap")
    open_file = partial(pq.ParquetFile, stream, metadata=metadata, pre_buffer=False, buffer_size=CHUNK)
    # A file has one size of batches, so each column has files of its own.
    files = {(name, once): open_file(read_dictionary=[name] * once) for name in wanted for once in (False, True)}
    number = 0
    for group, of in enumerate(groups):
        for chunk in of.values():
            _foresee(chunk, size, meter)
        raws = _cells(files, group, of["raw"], bytes)
        names = _cells(files, group, of[named[0]], _name) if named else repeat(None, of["raw"].num_values)
        for raw, name in zip(raws, names, strict=True):
            number += 1
            label = _row_label(source, number, {"name": name})
            meter.spend(len(raw or b"") + len(label))
            if raw is None:
                yield Rejected(label, "bad_row", "raw is null")
            else:
                yield one_message(label, raw, meter.limits)


def _way_of(chunk: pq.ColumnChunkMetaData) -> tuple[bool, int]:
    """Whether a column's repeated values are read as one, and how many rows at a time.

    A value of a dictionary may come back a million times, and one that takes over the beginning of the one before it
    may be as long as all that the column says anew. pyarrow keeps all values that it reads as a dictionary.
    """
    size, encodings = max(1, chunk.total_uncompressed_size), {*chunk.encodings}
    repeats, takes_over = not encodings.isdisjoint(_DICTIONARIES), "DELTA_BYTE_ARRAY" in encodings
    if repeats and not takes_over and size <= _KEPT:
        return True, _MANY_ROWS
    most = 2**22 // size if repeats or takes_over else 2**24 * chunk.num_values // size
    return False, max(1, min(_MANY_ROWS, most))


def _foresee(chunk: pq.ColumnChunkMetaData, size: int, meter: Meter) -> None:
    """Raise Refused where what the footer says of a column is too much for a file of `size` bytes: pages are unpacked
    before a value is seen."""
    if chunk.path_in_schema == "raw":
        meter.foresee(chunk.total_uncompressed_size, size)
    elif chunk.total_uncompressed_size > max(meter.limits.grace_bytes, _LONG_NAME * chunk.num_values):
        raise Refused("names without end")


def _is_of(kind: pa.DataType, *kinds: pa.DataType) -> bool:
    return (kind.value_type if pa.types.is_dictionary(kind) else kind) in kinds


def _cells(
    files: Mapping[tuple[str, bool], pq.ParquetFile],
    group: int,
    chunk: pq.ColumnChunkMetaData,
    made: Callable[[bytes], A],
) -> Iterator[A | None]:
    """What is made of each value's bytes in a column of a row group; `files`: by name, and as a dictionary or not."""
    once, rows = _way_of(chunk)
    name = chunk.path_in_schema
    for batch in files[name, once].iter_batches(rows, row_groups=[group], columns=[name], use_threads=False):
        yield from _each(batch.column(0), made)


def _each(column: pa.Array, made: Callable[[bytes], A]) -> Iterator[A | None]:
    """What is made of each value's bytes; of one that a dictionary repeats, once."""
    if not pa.types.is_dictionary(column.type):
        return (made(cell.as_py()) if cell.is_valid else None for cell in column.cast(pa.large_binary()))
    used = pc.unique(column.indices.drop_null())  # the dictionary holds those of all batches before
    known = [made(value.as_py()) for value in column.dictionary.take(used).cast(pa.large_binary())]
    return (None if at is None else known[at] for at in pc.index_in(column.indices, used).to_pylist())


def _name(cell: bytes) -> str:
    """A name as text, cut to what a name may be."""
    return clean_name(cell.decode("utf-8", "surrogateescape"))


def _row_label(source: str, number: int, row: Mapping[str, object]) -> str:
    found = (row.get(name) for name in _NAME_COLUMNS)
    name = next((value for value in found if isinstance(value, str) and value), None)
    return f"{source}#{number:06d}" if name is None else f"{source}!{clean_name(name)}"
