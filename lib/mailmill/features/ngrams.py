"""Runs of one to three words, and pairs that skip some, as hashed columns: what pooled vectors cannot see ("not good").

No vocabulary is built, sent or kept. An n-gram's column is a function of its tokens' spelling alone, so a
column means the same in every process and every year. Two n-grams may share a column, where a rare one
crowds a frequent one: on film reviews 2^22 columns cost 0.001 of F1, 2^20 half a point (see CONTRIBUTING.md).
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

#: The length of a row of naive Bayes values: beyond 1, because l2 holds small values tighter, and a row has many.
LENGTH = 1.5


@dataclass(frozen=True)
class Ragged:
    """Columns of n mails: those of mail i are columns[bounds[i]:bounds[i + 1]], ascending, each once.

    columns int32 (m,); counts int32 (m,), how often each occurs in its mail; bounds int64 (n + 1,).
    """

    columns: NDArray[np.int32]
    counts: NDArray[np.int32]
    bounds: NDArray[np.int64]


def column(hashes: Sequence[int], bits: int, field: int = 0) -> int:
    """The column of a run: the top `bits` bits of h_k, where h_0 = field, h_i = splitmix64(h_{i-1} XOR hash(token_i)).

    `hashes`: `pieces.token_hash` of its tokens, in order; `field` 0 for a mail's text, 1 for a subject apart.
    See `draws.splitmix64`. This is the definition; `ngrams` computes it for batches.
    """
    state = np.array([field], np.uint64)
    for value in hashes:
        state = splitmix64(state ^ np.uint64(value))
    return int(state[0]) >> (64 - bits)


def skipping(first: int, last: int, bits: int, field: int = 0) -> int:
    """The column of a pair of words with other tokens between them, however many: 2^bits + that of the run of the two.

    A skip-gram (Guthrie et al., "A closer look at skip-gram modelling", LREC 2006).
    """
    return (1 << bits) + column((first, last), bits, field)


def ngrams(fields: Sequence[TokenArrays], longest: int, skips: int, bits: int) -> Ragged:
    """The columns of each mail and their counts: of all runs of 1 to `longest` neighbouring tokens, and of all pairs of
    words (tokens with a letter or a digit) with 1 to `skips` tokens between them.

    `fields`: the mails' texts, and perhaps their subjects; nothing reaches from one into the other.
    """
    if not worthwhile(len(fields[0].offsets) - 1):
        return reference_ngrams(fields, longest, skips, bits)
    from mailmill.features import compiled

    reaches = np.concatenate([np.arange(longest), np.arange(2, 2 + skips)])
    most = sum(np.maximum(part.counts[:, None] - reaches, 0).sum(axis=1) for part in fields)
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(most, dtype=np.int64)])
    found = np.full(bounds[-1], -1, np.int32)
    at = bounds[:-1].copy()
    for field, part in enumerate(fields):
        compiled.ngram_columns(part.hashes, part.worded, part.offsets, longest, skips, bits, field, found, at)
    return distinct(found, bounds)


def reference_ngrams(fields: Sequence[TokenArrays], longest: int, skips: int, bits: int) -> Ragged:
    """`ngrams` in NumPy."""
    distinct: list[tuple[int, int]] = []
    bounds = [0]
    for mail in range(len(fields[0].offsets) - 1):
        found: Counter[int] = Counter()
        for field, part in enumerate(fields):
            own = slice(part.offsets[mail], part.offsets[mail + 1])
            hashes, worded = part.hashes[own], part.worded[own]
            state = np.full(len(hashes), field, np.uint64)
            for size in range(1, longest + 1):
                state = splitmix64(state[: max(0, len(hashes) - size + 1)] ^ hashes[size - 1 :])
                found.update((state >> np.uint64(64 - bits)).tolist())
            first = splitmix64(np.uint64(field) ^ hashes)
            for reach in range(2, 2 + skips):
                pairs = splitmix64(first[:-reach] ^ hashes[reach:])[worded[:-reach] & worded[reach:]]
                found.update(((pairs >> np.uint64(64 - bits)) + np.uint64(1 << bits)).tolist())
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
    """x_ic = L w_c / ||w_i||_2 for each column c that occurs in mail i, however often, leaving out those with w_c = 0.

    Binarised counts times naive Bayes ratios (Wang & Manning 2012), brought to one length L = `LENGTH` so that long
    mail counts as much as short. weights float32 (columns,). Returns indices int32, values float32, bounds int64
    (n + 1,) as `Ragged`.
    """
    return _brought_to(LENGTH, found, weights[found.columns].astype(np.float64))


def tfidf(
    found: Ragged, weights: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """x_ic = (1 + ln c_ic) w_c / ||x_i||_2, leaving out columns with w_c = 0; returns as `presence` does.

    Sublinear TF-IDF as scikit-learn's TfidfVectorizer(sublinear_tf=True) has it.
    """
    return _brought_to(1.0, found, (1.0 + np.log(found.counts)) * weights[found.columns])


def _brought_to(
    length: float, found: Ragged, raw: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """Rows of that length without their zeros. A norm's squares are summed in ascending order of column, in float64."""
    mails = np.repeat(np.arange(len(found.bounds) - 1), np.diff(found.bounds))
    squares = np.bincount(mails, raw * raw, len(found.bounds) - 1)  # adds in the order of the columns
    norms = np.sqrt(np.where(squares > 0, squares, 1.0))[mails]
    values = (length * raw / norms).astype(np.float32)
    kept = values != 0
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return found.columns[kept], values[kept], before[found.bounds]
