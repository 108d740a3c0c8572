"""In how many mails each word of the vectors occurs: which words a model has met, without a list of anybody's words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.features.rows import table_of
from mailmill.features.vectors import SharedVectors
from mailmill.storage.fragments import Scan


@dataclass(frozen=True)
class Occurrence:
    """What is counted: the first `rows` words of the vectors, in mails whose key starts below `limit` of 2^32."""

    vectors: SharedVectors
    rows: int
    limit: int
    max_words: int | None


def count_mails(scan: Scan, task: Occurrence) -> NDArray[np.int64]:
    """The mails of one part of `clean` in which each word occurs at least once: int64 (task.rows,)."""
    table = table_of(task.vectors)
    counts = np.zeros(task.rows, np.int64)
    for batch in scan.batches(["key", "text"]):
        pairs = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        tokens = table.read([text for key, text in pairs if int(key[:8], 16) < task.limit], task.max_words)
        mails = np.repeat(np.arange(len(tokens.counts)), tokens.counts)
        counted = (tokens.rows >= 0) & (tokens.rows < task.rows)
        occurring = np.unique(mails[counted] * task.rows + tokens.rows[counted])
        counts += np.bincount(occurring % task.rows, minlength=task.rows)
    return counts
