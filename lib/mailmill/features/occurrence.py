"""In how many mails each word of the vectors occurs: which words a model has met, without a list of anybody's words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.features.tokens import tokenize
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
    store = task.vectors.open()
    counts = np.zeros(task.rows, np.int64)
    for batch in scan.batches(["key", "text"]):
        for key, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if int(key[:8], 16) < task.limit:
                found = np.unique(store.lookup(tokenize(text, task.max_words)))
                counts[found[(found >= 0) & (found < task.rows)]] += 1
    return counts


def add(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """The counts of two parts."""
    return a + b
