"""Runs of one to three words as hashed columns: what pooled vectors cannot see, such as "not good".

No vocabulary is built, sent or kept. An n-gram's column is a function of its tokens' spelling alone, so a
column means the same in every process and every year. Two n-grams may share a column; with 2^20 columns or
more that costs little, because what carries weight is frequent and what is rare carries little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.compiling import worthwhile
from mailmill.draws import splitmix64
from mailmill.features.pieces import TokenArrays


@dataclass(frozen=True)
class Ragged:
    """Columns of n mails: those of mail i are columns[bounds[i]:bounds[i + 1]], ascending, each once.

    columns int32 (m,); counts int32 (m,), how often each occurs in its mail; bounds int64 (n + 1,).
    """

    columns: NDArray[np.int32]
    counts: NDArray[np.int32]
    bounds: NDArray[np.int64]


def column(hashes: Sequence[int], bits: int, field: int = 0) -> int:
    """The column of one n-gram: the top `bits` bits of h_k, h_0 = field, h_i = splitmix64(h_{i-1} XOR hash(token_i)).

    `hashes`: `pieces.token_hash` of its tokens, in order; `field` 0 for a mail's text, 1 for a subject apart.
    See `draws.splitmix64`. This is the definition; `ngrams` computes it for batches.
    """
    state = np.array([field], np.uint64)
    for value in hashes:
        state = splitmix64(state ^ np.uint64(value))
    return int(state[0]) >> (64 - bits)


def ngrams(fields: Sequence[TokenArrays], longest: int, bits: int) -> Ragged:
    """The columns of all runs of 1 to `longest` neighbouring tokens of each mail, and their counts.

    `fields`: the mails' texts, and perhaps their subjects; no run reaches from one into the other.
    """
    if not worthwhile(len(fields[0].words)):
        return reference_ngrams(fields, longest, bits)
    from mailmill.features import compiled

    sizes = sum(np.maximum(part.counts[:, None] - np.arange(longest), 0).sum(axis=1) for part in fields)
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    found = np.empty(bounds[-1], np.int32)
    at = bounds[:-1].copy()
    for field, part in enumerate(fields):
        compiled.ngram_columns(part.hashes, part.offsets, longest, 64 - bits, field, found, at)
    return distinct(found, bounds)


def reference_ngrams(fields: Sequence[TokenArrays], longest: int, bits: int) -> Ragged:
    """`ngrams` in NumPy."""
    distinct: list[tuple[int, int]] = []
    bounds = [0]
    for mail in range(len(fields[0].words)):
        found: Counter[int] = Counter()
        for field, part in enumerate(fields):
            hashes = part.hashes[part.offsets[mail] : part.offsets[mail + 1]]
            state = np.full(len(hashes), field, np.uint64)
            for size in range(1, longest + 1):
                state = splitmix64(state[: max(0, len(hashes) - size + 1)] ^ hashes[size - 1 :])
                found.update((state >> np.uint64(64 - bits)).tolist())
        distinct += sorted(found.items())
        bounds.append(len(distinct))
    columns, counts = np.array(distinct, np.int32).reshape(-1, 2).T
    return Ragged(columns, counts, np.array(bounds, np.int64))


def distinct(values: NDArray[np.int32], bounds: NDArray[np.int64]) -> Ragged:
    """The distinct non-negative values of each part, ascending, with their counts."""
    from mailmill.features import compiled

    columns, counts = np.empty(len(values), np.int32), np.empty(len(values), np.int32)
    ends = np.empty(len(bounds), np.int64)
    compiled.runs(values, bounds, columns, counts, ends)
    return Ragged(columns[: ends[-1]], counts[: ends[-1]], ends)


def presence(
    found: Ragged, weights: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """x_ic = w_c / ||x_i||_2 for each column c that occurs in mail i, however often, leaving out those with w_c = 0.

    Binarised counts times naive Bayes ratios (Wang & Manning 2012), brought to length 1 so that long mail counts as
    much as short. weights float32 (columns,). Returns indices int32, values float32, bounds int64 (n + 1,) as `Ragged`.
    """
    return _unit(found, weights[found.columns].astype(np.float64))


def tfidf(
    found: Ragged, weights: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """x_ic = (1 + ln c_ic) w_c / ||x_i||_2, leaving out columns with w_c = 0; returns as `presence` does.

    Sublinear TF-IDF as scikit-learn's TfidfVectorizer(sublinear_tf=True) has it.
    """
    return _unit(found, (1.0 + np.log(found.counts)) * weights[found.columns])


def _unit(found: Ragged, raw: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """Rows of length 1 without their zeros. A norm's squares are summed in ascending order of column, in float64."""
    mails = np.repeat(np.arange(len(found.bounds) - 1), np.diff(found.bounds))
    squares = np.bincount(mails, raw * raw, len(found.bounds) - 1)  # adds in the order of the columns
    norms = np.sqrt(np.where(squares > 0, squares, 1.0))[mails]
    values = (raw / norms).astype(np.float32)
    kept = values != 0
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return found.columns[kept], values[kept], before[found.bounds]
