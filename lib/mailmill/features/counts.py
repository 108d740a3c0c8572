"""The first pass: how many mails of the training split hold each word and each hashed n-gram, by class and fold.

All that is fitted to the training data (inverse document frequencies, word probabilities, naive Bayes ratios)
follows from these counts. They are integers, so their sums are the same in any order, on any engine. Mails
of the other splits are never counted: neither their words nor their labels can leak into a weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill.features.ngrams import distinct, ngrams
from mailmill.features.rows import FOLDS, Assignment, Vectors, all_rows, columns_of, fields
from mailmill.features.spec import FeatureSpec
from mailmill.storage.fragments import Scan
from mailmill.thin import Thin, full, thin


@dataclass(frozen=True)
class CountJob:
    """What every task of the pass needs; `words` is the number of word vectors."""

    spec: FeatureSpec
    vectors: Vectors
    assignment: Assignment
    words: int


@dataclass
class Counts:
    """Counts of the training split; what the specification does not need has no columns.

    mails: how many there are; words int32 (classes FOLDS + 1, v): mails that hold the word, in row c FOLDS + f those
    of class c and fold f, in the last those without a label; tokens int64 (v,): how often the word occurs; ngrams
    int32 (classes + 1, columns): mails that hold the column, in the last row those without a label.
    """

    mails: int
    words: NDArray[np.int32]
    tokens: NDArray[np.int64]
    ngrams: NDArray[np.int32]

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes, those of millions of columns travel that hold anything."""
        return _arrived, (self.mails, self.words, self.tokens, thin(self.ngrams))

    @classmethod
    def zeros(cls, spec: FeatureSpec, words: int) -> Counts:
        """The counts of no mail. A count fits int32: below 2^31 mails of training."""
        counted = words if any(pool in spec.pooling for pool in ("idf", "nb")) else 0
        return cls(
            0,
            np.zeros((len(spec.classes) * FOLDS + 1, counted), np.int32),
            np.zeros(words if "sif" in spec.pooling else 0, np.int64),
            np.zeros((len(spec.classes) + 1, spec.sparse_columns), np.int32),
        )


def _arrived(
    mails: int, words: NDArray[np.int32], tokens: NDArray[np.int64], ngrams: NDArray[np.int32] | Thin
) -> Counts:
    return Counts(mails, words, tokens, full(ngrams))


def count(scans: Sequence[Scan], job: CountJob) -> Counts:
    """The counts of some fragments of the clean table."""
    counts = Counts.zeros(job.spec, job.words)
    for scan in scans:
        for batch in scan.batches(columns_of(job.spec)):
            count_batch(batch, job, counts)
    return counts


def add(a: Counts, b: Counts) -> Counts:
    """Counts of two parts together; `a` is added to in place, for tables of n-grams are large."""
    a.mails += b.mails
    a.words += b.words
    a.tokens += b.tokens
    a.ngrams += b.ngrams
    return a


def count_batch(batch: pa.RecordBatch, job: CountJob, counts: Counts) -> None:
    """Add the rows of `batch` that belong to the training split."""
    from mailmill.features import compiled

    batch = batch.filter(pa.array(job.assignment.splits(batch) == "train"))
    numbers = {name: number for number, name in enumerate(job.spec.classes)}
    labels = np.array([numbers.get(label or "", len(numbers)) for label in job.assignment.labels_of(batch)], np.int64)
    parts = fields(batch, job.spec, job.vectors)
    counts.mails += batch.num_rows
    if counts.words.size or counts.tokens.size:
        held = distinct(*all_rows(parts))
        if counts.words.size:
            folds = np.where(labels < len(numbers), job.assignment.folds(batch, job.spec.classes), 0)
            compiled.tally(held.columns, held.bounds, labels * FOLDS + folds, counts.words)
        if counts.tokens.size:
            np.add.at(counts.tokens, held.columns, held.counts)
    if counts.ngrams.size:
        held = ngrams(parts, job.spec.ngrams, job.spec.skips, job.spec.ngram_bits)
        compiled.tally(held.columns, held.bounds, labels, counts.ngrams)
