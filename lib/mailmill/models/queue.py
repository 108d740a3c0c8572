"""The queue: scores of every mail, ordered most negative first.

Scoring is row-wise. The order is global, so it is made in two steps that need no large memory: a
histogram of the sentiments cuts [-1, 1] into ranges of bounded size, then each range is read, sorted
and written by a task of its own, which knows from the histogram at which rank it begins. Where there are
several, the scores are sorted part by part before, so that a range reads its own rows and few others. Many
mails may have one sentiment (those without a known word do), so a cell with too many is cut by
(sentiment, key).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mailmill import schemas
from mailmill.draws import Stream, mix, splitmix64
from mailmill.models.dataset import ids, matrix, sparse_rows
from mailmill.models.logistic_model import LogisticModel
from mailmill.models.scoring import Model, predict, probability, sentiment
from mailmill.storage.fragments import Scan, Sink, Written

CELLS = 1 << 16
ROWS_PER_RANGE = 1_000_000
#: Rows a row group of what is sorted part by part.
SORTED_ROWS = 8192
#: Rows a range that are drawn to cut a heavy cell.
_SAMPLED = 200
_ORDER = [("sentiment", "ascending"), ("key", "ascending")]

#: Runs (partial, merge, broadcast) over all scans of the unranked scores, see `MapReduce`.
Passes = Callable[[Any, Any, Any], Any]
#: Scores before they are ranked.
UNRANKED = pa.schema([field for field in schemas.SCORES if field.name != "priority"])


@dataclass(frozen=True)
class ScoreKernel:
    """Rows of the features table -> key, probability of the positive (the last) class, sentiment, and the label.

    See `scoring.sentiment` and, for the label at the model's threshold, `scoring.predict`.
    """

    model: Model

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        """The scores, not yet ranked."""
        return {"unranked": UNRANKED}

    @property
    def columns(self) -> list[str] | None:
        """Only the features are needed: the vector, and n-grams where the model has them."""
        sparse = isinstance(self.model, LogisticModel) and self.model.sparse_columns
        return ["key", "vector", "ngram_indices", "ngram_values"] if sparse else ["key", "vector"]

    def __call__(self, batch: pa.RecordBatch) -> Mapping[str, pa.RecordBatch]:
        """Score a batch; a row's score does not depend on its neighbours."""
        sparse = None
        if isinstance(self.model, LogisticModel) and self.model.sparse_columns:
            sparse = sparse_rows(batch.column("ngram_indices"), batch.column("ngram_values"), self.model.sparse_columns)
        p = probability(self.model, matrix(batch.column("vector")), sparse)
        return {"unranked": scores(batch.column("key"), p, self.model)}


def scores(keys: pa.Array, p: NDArray[np.float64], model: Model) -> pa.RecordBatch:
    """The unranked scores of mails from P(class | mail) float64 (n, classes)."""
    labels = pa.array(model.classes).take(pa.array(predict(p, model.threshold)))
    return pa.RecordBatch.from_arrays([keys, pa.array(p[:, -1]), pa.array(sentiment(p)), labels], schema=UNRANKED)


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where cells with too many rows are cut: (sentiment, key) in the queue's order; float64 (k,) and str (k,)."""

    sentiments: NDArray[np.float64]
    keys: NDArray[np.str_]

    def places(self, scan: Scan) -> NDArray[np.int64]:
        """Of each row its cell plus the number of cuts at or before it: never falling along the queue."""
        if not len(self.keys):
            return _cells(scan.read(["sentiment"])["sentiment"])
        table = scan.read(["sentiment", "key"])
        values = table["sentiment"].to_numpy()
        before: NDArray[np.int64] = np.searchsorted(self.sentiments, values, side="left")
        after = np.searchsorted(self.sentiments, values, side="right")
        for first in np.unique(before[before < after]).tolist():  # one sentiment, cut by keys
            rows = np.flatnonzero((before == first) & (after > first))
            keys = np.asarray(table["key"].take(pa.array(rows)).to_pylist(), self.keys.dtype)
            before[rows] += np.searchsorted(self.keys[first : after[rows[0]]], keys, side="right")
        return _cells(table["sentiment"]) + before

    def first(self, sentiment: float) -> int:
        """The least place that a row of this sentiment may have."""
        return _cell(sentiment) + int(np.searchsorted(self.sentiments, sentiment, side="left"))

    def last(self, sentiment: float) -> int:
        """The largest one."""
        return _cell(sentiment) + int(np.searchsorted(self.sentiments, sentiment, side="right"))


UNCUT = Cuts(np.empty(0), np.empty(0, "U32"))


@dataclass(frozen=True, eq=False)
class Heavy:
    """Cells with too many rows, and the largest hash of the rows that are drawn to cut them."""

    cells: NDArray[np.int64]
    limit: int


def laid_out(map_reduce: Passes, rows_per_range: int = ROWS_PER_RANGE) -> tuple[Cuts, NDArray[np.int64]]:
    """The cuts, and how many rows have each place: one pass over the sentiments, three where a cell is cut.

    A heavy cell becomes pieces of half a range or so, by a sample of 200 rows a range drawn by their keys' hashes.
    The counts are int64 (CELLS + cuts,).
    """
    counts: NDArray[np.int64] = map_reduce(place_counts, operator.add, UNCUT)
    heavy = np.flatnonzero(counts > rows_per_range)
    if not len(heavy):
        return UNCUT, counts
    share = min(1.0, _SAMPLED / rows_per_range)
    drawn = map_reduce(draw, join, Heavy(heavy, min(int(share * 2.0**64), 2**64 - 1))).sort_by(_ORDER)
    cells, chosen = _cells(drawn["sentiment"]), set[int]()
    for cell in heavy.tolist():
        first, last = np.searchsorted(cells, [cell, cell + 1]).tolist()
        pieces = -(-2 * int(counts[cell]) // rows_per_range)
        chosen |= {first + (last - first) * piece // pieces for piece in range(1, pieces)} if first < last else set()
    table = drawn.take(pa.array(sorted(chosen), pa.int64()))
    cuts = Cuts(table["sentiment"].to_numpy(), np.asarray(table["key"].to_pylist(), UNCUT.keys.dtype))
    return cuts, map_reduce(place_counts, operator.add, cuts)


def place_counts(scan: Scan, cuts: Cuts) -> NDArray[np.int64]:
    """How many rows of a scan have each place: int64 (CELLS + cuts,)."""
    counts: NDArray[np.int64] = np.bincount(cuts.places(scan), minlength=CELLS + len(cuts.keys))
    return counts


def draw(scan: Scan, heavy: Heavy) -> pa.Table:
    """Sentiment and key of the drawn rows of one scan."""
    table = scan.read(["sentiment", "key"])
    table = table.filter(pa.array(np.isin(_cells(table["sentiment"]), heavy.cells)))
    hashes = splitmix64(ids(table["key"]) ^ mix(Stream.QUEUE)) if table.num_rows else np.empty(0, np.uint64)
    return table.filter(pa.array(hashes <= np.uint64(heavy.limit)))


def join(a: pa.Table, b: pa.Table) -> pa.Table:
    """The drawn rows of two parts."""
    return pa.concat_tables([a, b])


@dataclass(frozen=True)
class Range:
    """A task: the places `low` .. `high` - 1, whose first mail has rank `first`."""

    number: int
    low: int
    high: int
    first: int


@dataclass(frozen=True)
class Ranking:
    """What every task needs: the unranked scores, where the ranked ones go, and how places follow from scores."""

    scans: tuple[Scan, ...]
    sink: Sink
    cuts: Cuts = UNCUT


def ranges(counts: NDArray[np.int64], rows_per_range: int = ROWS_PER_RANGE) -> list[Range]:
    """Cut the places into ranges of at most `rows_per_range` rows (more only where one place alone has more)."""
    found: list[Range] = []
    low, rows, first = 0, 0, 1
    for place, count in enumerate(counts.tolist()):
        if rows and rows + count > rows_per_range:
            found.append(Range(len(found), low, place, first))
            low, first, rows = place, first + rows, 0
        rows += count
    if rows:
        found.append(Range(len(found), low, len(counts), first))
    return found


@dataclass(frozen=True)
class Part:
    """A task: one part of the unranked scores."""

    number: int
    scan: Scan


def sort_part(part: Part, sink: Sink) -> list[Written]:
    """A part of the unranked scores in the order of the queue and in small row groups, as the output "sorted"."""
    table = part.scan.read().sort_by(_ORDER)
    batchwise = replace(sink, settings=sink.settings.model_copy(update={"row_group_bytes": 1}))
    with batchwise.open(part.number, prefix="sorted") as writer:
        for batch in table.combine_chunks().to_batches(max_chunksize=SORTED_ROWS):
            writer.write("sorted", batch)
    return writer.written


def rank(task: Range, job: Ranking) -> list[Written]:
    """Read one range, sort it by (sentiment, key), number it, and write it."""
    parts = [_within(scan, task, job.cuts) for scan in job.scans]
    table = pa.concat_tables(parts).sort_by(_ORDER)
    priority = pa.array(np.arange(task.first, task.first + table.num_rows, dtype=np.int64))
    table = table.append_column("priority", priority).select(schemas.SCORES.names)
    with job.sink.open(task.number, prefix="ranked") as writer:
        for batch in table.combine_chunks().to_batches(max_chunksize=65536):
            writer.write("scores", batch)
    return writer.written


def _within(scan: Scan, task: Range, cuts: Cuts) -> pa.Table:
    scan = scan.within("sentiment", lambda low, high: cuts.first(low) < task.high and cuts.last(high) >= task.low)
    if not scan.rows:
        return UNRANKED.empty_table()
    places = cuts.places(scan)
    return scan.read().filter(pa.array((places >= task.low) & (places < task.high)))


def _cells(sentiment: pa.ChunkedArray) -> NDArray[np.int64]:
    scaled = (pc.cast(sentiment, pa.float64()).to_numpy() + 1.0) / 2.0 * CELLS
    cells: NDArray[np.int64] = np.clip(scaled.astype(np.int64), 0, CELLS - 1)
    return cells


def _cell(sentiment: float) -> int:
    return min(max(int((sentiment + 1.0) / 2.0 * CELLS), 0), CELLS - 1)
