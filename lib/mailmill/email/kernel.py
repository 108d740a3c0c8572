"""The cleaner as a kernel: a batch of raw messages in, clean rows and reject rows out."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import pyarrow as pa

from mailmill import schemas
from mailmill.email.cleaner import CleanOptions, Span, Tiles, clean_messages
from mailmill.errors import RejectedMessage


@dataclass(frozen=True)
class CleanKernel:
    """Cleans the rows of the raw table; picklable, without state.

    Calling it with a RecordBatch of `schemas.RAW` returns {"clean": RecordBatch of `schemas.CLEAN`,
    "rejects": RecordBatch of `schemas.REJECTS`}: every row is in exactly one of them, in the order of
    the input. Only RejectedMessage is caught; any other exception is a defect and propagates.
    """

    options: CleanOptions = field(default_factory=CleanOptions)

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        """The schema of each output."""
        return {"clean": schemas.CLEAN, "rejects": schemas.REJECTS}

    @property
    def columns(self) -> None:
        """Every column of the raw table is read."""

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        """Clean every row of `batch` (columns key, source, raw)."""
        with _seldom_collected():
            return self._clean(batch)

    def _clean(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        clean: list[tuple[object, ...]] = []
        spans = _Spans()
        rejects: list[tuple[object, ...]] = []
        keys, sources, raws = (batch.column(name).to_pylist() for name in ("key", "source", "raw"))
        for key, source, mail in zip(keys, sources, clean_messages(raws, self.options), strict=True):
            if isinstance(mail, RejectedMessage):
                rejects.append((key, source, "clean", mail.reason, mail.detail))
                continue
            clean.append((
                key, mail.thread, mail.date, mail.sender_domain, mail.subject, mail.text, spans.add(mail.tiles),
                mail.language, len(mail.rendering), mail.words, mail.confidence, mail.flags,
            ))  # fmt: skip
        return {"clean": _batch(clean, schemas.CLEAN, spans), "rejects": _batch(rejects, schemas.REJECTS)}


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Cleaning makes a thousand small objects a mail and no cycles: walking them every 700 takes a twentieth of it."""
    first, *others = gc.get_threshold()
    gc.set_threshold(max(first, 10_000) if first else 0, *others)
    try:
        yield
    finally:
        gc.set_threshold(first, *others)


class _Spans:
    """The spans of all rows, one list a field, so that the garbage collector has no tuples to walk."""

    def __init__(self) -> None:
        self._fields: tuple[list[Any], ...] = tuple([] for _ in Span._fields)

    def add(self, tiles: Tiles) -> int:
        """Append the spans of one row; their number."""
        columns: tuple[list[Any], ...] = tiles
        for values, more in zip(self._fields, columns, strict=True):
            values.extend(more)
        return len(tiles[0])

    def array(self, counts: Iterable[int]) -> pa.ListArray:
        """The column of all rows, given the number of each row's spans."""
        offsets = pa.array(accumulate(counts, initial=0), pa.int32())
        arrays = [pa.array(values, f.type) for values, f in zip(self._fields, schemas.SPAN, strict=True)]
        structs = pa.StructArray.from_arrays(arrays, fields=list(schemas.SPAN))
        return pa.ListArray.from_arrays(offsets, structs, type=schemas.CLEAN.field("spans").type)


def _batch(rows: Sequence[Sequence[Any]], schema: pa.Schema, spans: _Spans | None = None) -> pa.RecordBatch:
    """Rows in the order of the schema's fields as one batch; of "spans", the rows hold the numbers."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [
        spans.array(values) if spans is not None and f.name == "spans" else pa.array(values, type=f.type)
        for values, f in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
