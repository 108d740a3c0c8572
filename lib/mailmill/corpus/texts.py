"""Given texts as a stream of rows: Parquet, JSONL or CSV, read in bounded memory from any row on.

Film reviews and the like come with `<br />` and a little inline HTML; `paragraphs` turns that into
the paragraphs that a person would have typed into a mail.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from mailmill.corpus.schedule import WINDOW
from mailmill.errors import DataError

_BATCH = 1024
_BLOCK_BYTES = 8 * 2**20
_MOST_LABELS = 1000
_BREAK = re.compile(r"(?<!\s)\s*(?:(?:<(?:br|/?p|hr)\s*/?>\s*)+|\n\s*)", re.IGNORECASE)
_INLINE = re.compile(r"</?(?:i|b|u|em|strong|font|span|a)(?:\s[^<>]*)?>", re.IGNORECASE)
_BLANKS = re.compile(r"[\x00-\x20\x7f]+")


@dataclass(frozen=True)
class TextRow:
    """One given text; `label` and `group` are None where the file has none, or null, NaN, or blanks alone."""

    text: str
    label: str | None
    group: str | None


@dataclass(frozen=True)
class TextFile:
    """A file of texts and the names of its columns. The suffix tells the format: .parquet, .jsonl, .csv."""

    path: str
    text_column: str
    label_column: str | None
    group_column: str | None

    def rows(self, start: int = 0) -> Iterator[TextRow]:
        """Rows from row number `start` on, in the file's order.

        Raises:
            DataError: the file is missing, damaged, of an unknown format, lacks a column or has it twice, or a
                column holds what is no text (or, for labels and groups, no number).
        """
        columns = self._columns()
        for number, values in enumerate(self._values(columns, start), start):
            text = values[0]
            if text is not None and not isinstance(text, str):
                raise DataError(f"{self.path}: row {number}: column {self.text_column} is not text")
            rest = [self._word(column, value) for column, value in zip(columns[1:], values[1:], strict=True)]
            label = rest.pop(0) if self.label_column else None
            group = rest.pop(0) if self.group_column else None
            yield TextRow(_encodable(text or ""), label, group)

    def labels(self) -> tuple[str, ...]:
        """The distinct labels, sorted; () without a label column. One pass over that column alone."""
        if not self.label_column:
            return ()
        next(self.rows(), None)  # all columns that are missing are named, not this one alone
        found: set[str] = set()
        for (value,) in self._values([self.label_column], 0):
            if label := self._word(self.label_column, value):
                found.add(label)
            if len(found) > _MOST_LABELS:
                raise DataError(
                    f"{self.path}: column {self.label_column} has more than {_MOST_LABELS} different values",
                    hint="name the column that holds the class",
                )
        return tuple(sorted(found))

    def _columns(self) -> list[str]:
        return [column for column in (self.text_column, self.label_column, self.group_column) if column]

    def _word(self, column: str, value: Any) -> str | None:
        """A label or a group; as the labels stage reads them, blanks around it do not count, and NaN is none."""
        if isinstance(value, (bytes, list, dict)):
            raise DataError(f"{self.path}: column {column} holds neither text nor numbers")
        if value is None or value != value:
            return None
        return _encodable(str(value)).strip() or None

    def _values(self, columns: list[str], start: int) -> Iterator[tuple[Any, ...]]:
        readers = {".parquet": _parquet, ".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv}
        suffix = Path(self.path).suffix.lower()
        if suffix not in readers:
            raise DataError(f"{self.path}: unknown format of texts", hint="use .parquet, .jsonl or .csv")
        try:
            yield from readers[suffix](self.path, columns, start)
        except FileNotFoundError:
            raise DataError(f"texts {self.path} do not exist") from None
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise DataError(f"texts {self.path} cannot be read: {type(error).__name__}") from None


def _encodable(text: str) -> str:
    """`text` with "?" for surrogates that stand alone, as escapes in JSON that was cut may give."""
    return text.encode("utf-8", "replace").decode()


def _missing(path: str, columns: list[str], present: list[str]) -> None:
    absent = [column for column in columns if column not in present]
    if absent:
        raise DataError(
            f"{path}: no column {', '.join(absent)}",
            hint=f"its columns are {', '.join(present)}; --text-column and --label-column name others, "
            "--label-column '' none",
        )
    twice = [column for column in columns if present.count(column) > 1]
    if twice:
        raise DataError(f"{path}: column {twice[0]} is there twice", hint="give each column a name of its own")


def _parquet(path: str, columns: list[str], start: int) -> Iterator[tuple[Any, ...]]:
    with pq.ParquetFile(path) as file:
        _missing(path, columns, file.schema_arrow.names)
        groups = list(range(file.num_row_groups))
        while groups and start >= file.metadata.row_group(groups[0]).num_rows:
            start -= file.metadata.row_group(groups.pop(0)).num_rows
        if groups:
            yield from _rows(file.iter_batches(_BATCH, row_groups=groups, columns=columns), columns, start)


def _csv(path: str, columns: list[str], start: int) -> Iterator[tuple[Any, ...]]:
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    read = pa.csv.ReadOptions(block_size=_BLOCK_BYTES)
    with pa.csv.open_csv(path, read_options=read, parse_options=parse) as reader:
        _missing(path, columns, reader.schema.names)
    convert = pa.csv.ConvertOptions(  # of the other columns the first block tells nothing about the next
        column_types=dict.fromkeys(columns, pa.string()),
        include_columns=list(dict.fromkeys(columns)),
        strings_can_be_null=False,
    )
    with pa.csv.open_csv(path, read_options=read, parse_options=parse, convert_options=convert) as reader:
        yield from _rows(reader, columns, start)


def _rows(batches: Any, columns: list[str], start: int) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        if start >= batch.num_rows:
            start -= batch.num_rows
            continue
        lists = [batch.column(column).slice(start).to_pylist() for column in columns]
        start = 0
        yield from zip(*lists, strict=True)


def _jsonl(path: str, columns: list[str], start: int) -> Iterator[tuple[Any, ...]]:
    with open(path, encoding="utf-8-sig") as file:
        row = -1
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row += 1
            if row < start:
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if not isinstance(record, dict):
                raise DataError(f"{path}: line {number} is not a JSON object")
            _missing(path, columns, list(record))
            yield tuple(record[column] for column in columns)


class TextWindow:
    """The rows of a `TextFile` by number, read forward once; the last `WINDOW` rows stay at hand."""

    def __init__(self, file: TextFile, start: int) -> None:
        self._next = max(0, start - WINDOW)
        self._stream = file.rows(self._next)
        self._recent: deque[TextRow] = deque(maxlen=WINDOW + 1)

    def row(self, number: int) -> TextRow | None:
        """Row `number`, at most `WINDOW` behind the furthest one asked for; None behind the last row."""
        while number >= self._next:
            row = next(self._stream, None)
            if row is None:
                return None
            self._recent.append(row)
            self._next += 1
        return self._recent[number - self._next]


def paragraphs(text: str) -> list[str]:
    """Paragraphs of a text that may hold `<br />`, `<p>` and inline tags; white space inside each is one space."""
    pieces = (_BLANKS.sub(" ", _INLINE.sub("", piece)).strip(" ") for piece in _BREAK.split(text))
    return [piece for piece in pieces if piece]
