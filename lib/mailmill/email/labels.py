"""Labels for messages: from a file of (id, label), or from a header of the message itself.

An id is a Message-ID, a key, or a source path. An id that the file gives two labels is
contradictory: it labels nothing and is counted. The label table keeps every vote, so that
agreement between several taggers has its place.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mailmill import schemas
from mailmill.email.header_values import header_value, message_id
from mailmill.errors import DataError

IdKind = Literal["message_id", "key", "source"]
#: Output beside the labels: which ids of the file were found, to count those that were not.
MATCHES = pa.schema([pa.field("id", pa.string(), nullable=False)])
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*|")
_CONVERT = "convert it: iconv -f {} -t UTF-8 OLD.csv > NEW.csv"


class Finder(Protocol):
    """A lookup of hashed ids; see `storage.lookup.Lookup`."""

    def find(self, keys: list[str]) -> list[str | None]:
        """The label of each id, or None."""


@dataclass(frozen=True)
class LabelFile:
    """What a label file says, in columns: 36 bytes a row, so that millions of labels need no gigabytes.

    ids: distinct hashed ids, |S32 (n,). codes: int32 (n,), each id's place in `words`, the labels. contradictory: how
    many ids were given two labels; they are not among `ids`. rows: of the file; incomplete: those of them that have no
    id or no label, such as a row that ends early.
    """

    ids: NDArray[np.bytes_]
    codes: NDArray[np.int32]
    words: tuple[str, ...]
    contradictory: int
    rows: int
    incomplete: int = 0


def hash_id(text: str) -> str:
    """32 hex digits for an id; the angle brackets and white space around a Message-ID do not count."""
    return hashlib.blake2b(text.strip().strip("<>").encode(), digest_size=16).hexdigest()


def read_labels(stream: BinaryIO, name: str, id_column: str, label_column: str) -> LabelFile:
    """Read a CSV (UTF-8, with a header line) or Parquet file of labels, a piece at a time.

    A label is its text without white space around it; of numbers and truth values of Parquet, what Python's `str`
    writes: 0, 1.0, False. Null, NaN and the empty text are no label, and no id.

    Raises DataError naming the file where it cannot be parsed, or a column that it does not have; of CSV, the line.
    """
    ids, codes, words, rows = bytearray(), array("i"), dict[str, int](), 0
    for identifier, label in _pairs(stream, name, id_column, label_column):
        rows += 1
        text, who = _text(label), _text(identifier)
        if text and who.strip("<>"):  # an empty id would label all mail without Message-ID
            ids += hash_id(who).encode()
            codes.append(words.setdefault(text, len(words)))
    found, coded = np.frombuffer(bytes(ids), "S32"), np.array(codes, np.int32)
    incomplete = rows - len(found)
    if not len(found):
        return LabelFile(found, coded, tuple(words), 0, rows, incomplete)
    order = np.argsort(found, kind="stable")
    found, coded = found[order], coded[order]
    starts = np.flatnonzero(np.append(True, found[1:] != found[:-1]))
    agreed = np.minimum.reduceat(coded, starts) == np.maximum.reduceat(coded, starts)
    kept = starts[agreed]
    return LabelFile(found[kept], coded[kept], tuple(words), int(np.sum(~agreed)), rows, incomplete)


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()  # NaN alone is not itself


def _pairs(stream: BinaryIO, name: str, id_column: str, label_column: str) -> Iterator[tuple[object, object]]:
    if not name.lower().endswith((".parquet", ".pq")):
        yield from _rows_of_csv(stream, name, id_column, label_column)
        return
    try:
        parquet = pq.ParquetFile(stream)
        _require(name, parquet.schema_arrow.names, id_column, label_column)
        for column in (id_column, label_column):
            kind = parquet.schema_arrow.field(column).type
            if pa.types.is_nested(kind) or "binary" in str(kind):
                raise DataError(f"labels {name}: column {column!r} holds {kind}", hint="give text or numbers")
        for batch in parquet.iter_batches(columns=[id_column, label_column]):
            yield from zip(batch[id_column].to_pylist(), batch[label_column].to_pylist(), strict=True)
    except pa.ArrowInvalid:
        raise DataError(f"labels {name} is not a Parquet file, or damaged") from None


def _rows_of_csv(stream: BinaryIO, name: str, id_column: str, label_column: str) -> Iterator[tuple[object, object]]:
    """(id, label) of each row that is not blank; None for a column that the row ends before."""
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(b"\x1f\x8b"):
        raise DataError(f"labels {name} is compressed, not CSV in UTF-8", hint="unpack it: gunzip FILE.gz")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        what = "a spreadsheet's own format, or an archive"
        raise DataError(f"labels {name} is {what}, not CSV in UTF-8", hint='save it as "CSV UTF-8"')
    if head.lstrip(b"\xef\xbb\xbf \n").startswith((b"{", b"[{")):
        raise DataError(f"labels {name} is JSON, not CSV in UTF-8", hint="write it as CSV or Parquet")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"labels {name} is UTF-16, not CSV in UTF-8", hint=_CONVERT.format("UTF-16"))
    text, line = io.TextIOWrapper(stream, "utf-8-sig", newline=""), 1
    reader = csv.reader(text, strict=True, skipinitialspace=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        _require(name, header, id_column, label_column)
        places = header.index(id_column), header.index(label_column)
        line = reader.line_num + 1
        for row in reader:
            if row:
                identifier, label = (row[place] if place < len(row) else None for place in places)
                yield identifier, label
            line = reader.line_num + 1
    except UnicodeDecodeError as error:
        line = reader.line_num + 1 + error.object.count(b"\n", 0, error.start)
        raise DataError(f"labels {name} is not CSV in UTF-8: line {line}", hint=_CONVERT.format("LATIN1")) from None
    except csv.Error as error:
        raise DataError(
            f"labels {name}: the row that begins in line {line} is not CSV ({error})",
            hint="is a quote not closed? In a quoted field, a quote is written twice",
        ) from None


def _require(name: str, found: list[str], *wanted: str) -> None:
    """Raise DataError unless each column is there, once. A first line that is no header may be mail: none is shown."""
    for column in wanted:
        if found.count(column) > 1:
            raise DataError(f"labels {name} has the column {column!r} twice", hint="rename one of them")
        if column in found:
            continue
        what = f"labels {name} has no column {column!r}"
        if len(found) == 1 and (marks := [mark for mark in ";\t|" if mark in found[0]]):
            mark = {"\t": "a tab"}.get(marks[0], marks[0])
            raise DataError(f"{what}: columns seem to be separated by {mark}", hint="separate them by commas")
        if all(_PLAIN_NAME.fullmatch(each) for each in found):
            names = ", ".join([each[:30] for each in found[:20]] + ["..."] * (len(found) > 20))
            raise DataError(f"{what}; it has: {names or 'none'}", hint="set labels.id_column and labels.label_column")
        raise DataError(
            f"{what}; its first line, of {len(found)} columns, does not look like a header",
            hint="the first line names the columns: set labels.id_column and labels.label_column to two of them",
        )


@dataclass(frozen=True)
class LabelsKernel:
    """Rows of the raw table -> rows of the labels table, and the ids that matched.

    With `header`, the label is that header's value; otherwise `labels` is asked for the id.
    """

    header: str | None
    id_kind: IdKind
    labels: Finder | None
    tagger: str

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        """The label rows, and the ids found."""
        return {"labels": schemas.LABELS, "matches": MATCHES}

    @property
    def columns(self) -> list[str] | None:
        """Only what the id needs: the raw bytes for a header or a Message-ID."""
        needed = {"message_id": "raw", "source": "source", "key": None}["message_id" if self.header else self.id_kind]
        return ["key", needed] if needed else ["key"]

    def __call__(self, batch: pa.RecordBatch) -> Mapping[str, pa.RecordBatch]:
        """Label the rows that have a label; the others give no row."""
        keys: list[str] = batch.column("key").to_pylist()
        found, ids = self._from_header(batch) if self.header else self._from_file(batch, keys)
        rows = [
            {"key": key, "votes": [{"tagger": self.tagger, "label": label}], "label": label, "agreement": 1.0}
            for key, label in zip(keys, found, strict=True)
            if label
        ]
        matches = [{"id": i} for i, label in zip(ids, found, strict=True) if label] if ids else []
        return {
            "labels": pa.RecordBatch.from_pylist(rows, schemas.LABELS),
            "matches": pa.RecordBatch.from_pylist(matches, MATCHES),
        }

    def _from_header(self, batch: pa.RecordBatch) -> tuple[list[str | None], list[str]]:
        values = [header_value(raw, self.header or "") for raw in batch.column("raw").to_pylist()]
        return [value.strip() if value else None for value in values], []

    def _from_file(self, batch: pa.RecordBatch, keys: list[str]) -> tuple[list[str | None], list[str]]:
        if self.id_kind == "message_id":
            ids = [hash_id(message_id(raw)) for raw in batch.column("raw").to_pylist()]
        else:
            ids = [hash_id(text) for text in (keys if self.id_kind == "key" else batch.column("source").to_pylist())]
        return (self.labels.find(ids) if self.labels else [None] * len(ids)), ids
