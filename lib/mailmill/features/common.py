"""SIF's common component: the direction that the sentences of a language share, to be taken out of each.

It is the first eigenvector of sum x x^T over the SIF averages x of the training split's texts; it is taken out of
subjects that are apart, too. Sums of floating-point products would depend on their order, so each x is rounded to
16 bits first: integer moments are exact, and the same on every engine. A direction needs no more digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill.features import pooling
from mailmill.features.rows import Assignment, Vectors, columns_of, fields
from mailmill.features.spec import FeatureSpec
from mailmill.storage.fragments import Scan

_BITS = 15  # of a magnitude
_BLOCK = 4096  # rows a product: 2^12 products below 2^30 are exact in float64


@dataclass(frozen=True)
class MomentsJob:
    """What every task of the pass needs; `weights` float32 (v,) are SIF's; `step`: see `step_for`."""

    spec: FeatureSpec
    vectors: Vectors
    assignment: Assignment
    weights: NDArray[np.float32]
    step: float


def step_for(vectors: NDArray[np.float32]) -> float:
    """The power of two whose 2^15-fold is the first above all entries of the word vectors, float32 (v, d).

    Averages have no larger ones, for SIF's weights are at most 1; so vectors of any scale keep as many digits.
    """
    largest = max(float(vectors.max(initial=0.0)), -float(vectors.min(initial=0.0)))
    return math.ldexp(1.0, math.frexp(largest)[1] - _BITS)


def moments(scans: Sequence[Scan], job: MomentsJob) -> NDArray[np.int64]:
    """sum of q q^T over the training mails of some fragments, q = round(x / step) within 16 bits; int64 (d, d)."""
    total = np.zeros((job.spec.word_dimension, job.spec.word_dimension), np.int64)
    for scan in scans:
        for batch in scan.batches(columns_of(job.spec)):
            total += _batch_moments(batch, job)
    return total


def component(total: NDArray[np.int64]) -> NDArray[np.float64]:
    """The first eigenvector of the moments, of length 1, its largest entry positive; zeros for no mail."""
    if not total.any():
        return np.zeros(len(total))
    vectors: NDArray[np.float64] = np.linalg.eigh(total.astype(np.float64))[1]
    first = vectors[:, -1]
    return first if first[np.abs(first).argmax()] > 0 else -first


def _batch_moments(batch: pa.RecordBatch, job: MomentsJob) -> NDArray[np.int64]:
    batch = batch.filter(pa.array(job.assignment.splits(batch) == "train"))
    text = fields(batch, job.spec, job.vectors)[0]
    store, weights = job.vectors.open(), job.weights[None, :, None]
    sums, _, known = pooling.weighted_sums(store.vectors, text.rows, text.offsets, weights)
    largest = 2**_BITS - 1
    rounded = np.clip(np.rint(pooling.means(sums[:, 0], known) / job.step), -largest, largest)
    total = np.zeros((job.spec.word_dimension, job.spec.word_dimension), np.int64)
    for start in range(0, len(rounded), _BLOCK):
        block = rounded[start : start + _BLOCK]
        total += (block.T @ block).astype(np.int64)
    return total
