"""The queue: scores of every mail, ordered most negative first.

Scoring is row-wise. The order is global, so it is made in two steps that need no large memory: a
histogram of the sentiments cuts [-1, 1] into ranges of bounded size, then each range is read, sorted
and written by a task of its own, which knows from the histogram at which rank it begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mailmill import schemas
from mailmill.models.dataset import matrix, sparse_rows
from mailmill.models.logistic_model import LogisticModel
from mailmill.models.scoring import Model, predict, probability, sentiment
from mailmill.storage.fragments import Scan, Sink, Written

CELLS = 1 << 16
ROWS_PER_RANGE = 1_000_000

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
        labels = pa.array(self.model.classes).take(pa.array(predict(p, self.model.threshold)))
        columns = [batch.column("key"), pa.array(p[:, -1]), pa.array(sentiment(p)), labels]
        return {"unranked": pa.RecordBatch.from_arrays(columns, schema=UNRANKED)}


def cell_counts(scan: Scan, _: None) -> NDArray[np.int64]:
    """How many rows fall into each of `CELLS` equal cells of the sentiment: int64 (CELLS,)."""
    counts: NDArray[np.int64] = np.bincount(_cells(scan.read(["sentiment"])["sentiment"]), minlength=CELLS)
    return counts


def add(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of two parts together."""
    return a + b


@dataclass(frozen=True)
class Range:
    """A task: cells `low` .. `high` - 1 of the sentiment, whose first mail has rank `first`."""

    number: int
    low: int
    high: int
    first: int


@dataclass(frozen=True)
class Ranking:
    """What every task needs: the unranked scores, and where the ranked ones go."""

    scans: tuple[Scan, ...]
    sink: Sink


def ranges(counts: NDArray[np.int64], rows_per_range: int = ROWS_PER_RANGE) -> list[Range]:
    """Cut the cells into ranges of at most `rows_per_range` rows (more only where one cell alone has more)."""
    found: list[Range] = []
    low, rows, first = 0, 0, 1
    for cell, count in enumerate(counts.tolist()):
        if rows and rows + count > rows_per_range:
            found.append(Range(len(found), low, cell, first))
            low, first, rows = cell, first + rows, 0
        rows += count
    if rows:
        found.append(Range(len(found), low, len(counts), first))
    return found


def rank(task: Range, job: Ranking) -> list[Written]:
    """Read one range, sort it by (sentiment, key), number it, and write it."""
    parts = [_within(scan, task) for scan in job.scans]
    table = pa.concat_tables(parts).sort_by([("sentiment", "ascending"), ("key", "ascending")])
    priority = pa.array(np.arange(task.first, task.first + table.num_rows, dtype=np.int64))
    table = table.append_column("priority", priority).select(schemas.SCORES.names)
    with job.sink.open(task.number, prefix="ranked") as writer:
        for batch in table.combine_chunks().to_batches(max_chunksize=65536):
            writer.write("scores", batch)
    return writer.written


def _within(scan: Scan, task: Range) -> pa.Table:
    table = scan.read()
    cells = _cells(table["sentiment"])
    return table.filter(pa.array((cells >= task.low) & (cells < task.high)))


def _cells(sentiment: pa.ChunkedArray) -> NDArray[np.int64]:
    scaled = (pc.cast(sentiment, pa.float64()).to_numpy() + 1.0) / 2.0 * CELLS
    cells: NDArray[np.int64] = np.clip(scaled.astype(np.int64), 0, CELLS - 1)
    return cells
