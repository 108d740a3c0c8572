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
from collections.abc import Iterator, Mapping
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from mailmill.storage.bounded import CHUNK, Item, Limits, Meter, Refused, Rejected, clean_name, one_message

#: Strings, commas and brackets of one JSON line: a value has two bytes there, and takes far more once it is parsed.
_MOST_PARTS = 250_000
_PART = re.compile(rb'"[^"]*+"?|[,\[{]')
#: Rows of a batch, where a long name or a large mail is one value for all of them, and where it may be one a row.
_MANY_ROWS, _FEW_ROWS = 1024, 16
#: Bytes that a name of an honest table is below, on the average.
_LONG_NAME = 4096
_NAME_COLUMNS = ("name", "source", "path")
_TEXT = (pa.string(), pa.large_string())


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
    chunks = [
        (shape, [c for c in map(shape.column, range(shape.num_columns)) if c.path_in_schema in wanted])
        for shape in map(metadata.row_group, range(metadata.num_row_groups))
    ]
    if sum(chunk.total_compressed_size for _, of in chunks for chunk in of) > reader.seek(0, io.SEEK_END):
        raise Refused("columns that overlap")
    different = {
        chunk.path_in_schema for _, of in chunks for chunk in of if any(e.startswith("DELTA") for e in chunk.encodings)
    }
    # Read as a dictionary, a large value repeated a million times stays one value; pyarrow cannot where a value says by
    # how much it differs from the one before, so there a few rows are read at a time.
    once, most = [name for name in wanted if name not in different], _FEW_ROWS if different else _MANY_ROWS
    file = pq.ParquetFile(stream, metadata=metadata, read_dictionary=once, pre_buffer=False, buffer_size=CHUNK)
    number = 0
    for group, (shape, of) in enumerate(chunks):
        for chunk in of:
            _foresee(chunk, meter)
        # A value that takes over the beginning of the one before it may be as long as all that its chunk says anew.
        longest = max([c.total_uncompressed_size for c in of if "DELTA_BYTE_ARRAY" in c.encodings], default=1)
        rows = max(1, min(most, 2**24 * shape.num_rows // max(1, shape.total_byte_size), 2**25 // max(1, longest)))
        for batch in file.iter_batches(rows, row_groups=[group], columns=wanted, use_threads=False):
            names = _names(batch.column(named[0])) if named else [None] * len(batch)
            for raw, name in zip(_values(batch.column("raw")), names, strict=True):
                number += 1
                label = _row_label(source, number, {"name": name})
                meter.spend(len(raw or b"") + len(label))
                if raw is None:
                    yield Rejected(label, "bad_row", "raw is null")
                else:
                    yield one_message(label, raw, meter.limits)


def _foresee(chunk: pq.ColumnChunkMetaData, meter: Meter) -> None:
    """Raise Refused where what the footer says of a column is too much: pages are unpacked before a value is seen."""
    if chunk.path_in_schema == "raw":
        meter.foresee(chunk.total_uncompressed_size, chunk.total_compressed_size)
    elif chunk.total_uncompressed_size > max(meter.limits.grace_bytes, _LONG_NAME * chunk.num_values):
        raise Refused("names without end")


def _is_of(kind: pa.DataType, *kinds: pa.DataType) -> bool:
    return (kind.value_type if pa.types.is_dictionary(kind) else kind) in kinds


def _values(column: pa.Array) -> Iterator[bytes | None]:
    """Each value's bytes, one at a time."""
    values, indices = _encoded(column)
    return (None if at is None else values[at].as_py() for at in indices)


def _names(column: pa.Array) -> list[str | None]:
    """The names in a column, each distinct one made once and cut to what a name may be."""
    values, indices = _encoded(column)
    known = {at: clean_name(values[at].as_py().decode("utf-8", "surrogateescape")) for at in {*indices} - {None}}
    return [known.get(at) for at in indices]


def _encoded(column: pa.Array) -> tuple[pa.Array, list[int | None]]:
    """A column's distinct values as bytes, and where among them each row's lies."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column.dictionary.cast(pa.large_binary()), column.indices.to_pylist()


def _row_label(source: str, number: int, row: Mapping[str, object]) -> str:
    found = (row.get(name) for name in _NAME_COLUMNS)
    name = next((value for value in found if isinstance(value, str) and value), None)
    return f"{source}#{number:06d}" if name is None else f"{source}!{clean_name(name)}"
