"""The loops over every token and word vector of a batch, compiled.

Each is the plain form of a definition that stands elsewhere (`pooling`, `ngrams`), where a NumPy
reference computes the same bits. Sums of floating-point numbers run in the order that is written here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native, splitmix64

#: Values from which sorting digit by digit is faster than by comparisons, and the bits of a digit.
_FEW, _DIGIT_BITS = 64, 8
_DIGIT = 1 << _DIGIT_BITS


@native
def _ascending(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """The values that are not negative, in order: by comparisons where they are few, else digit by digit."""
    own, held, largest = np.empty(len(values), np.int32), 0, 0
    for value in values:
        if value >= 0:
            own[held] = value
            held += 1
            largest = max(largest, value)
    own = own[:held]
    if held < _FEW:
        own.sort()
        return own
    other, ends, shift = np.empty(held, np.int32), np.empty(_DIGIT + 1, np.int64), 0
    while largest >> shift:
        ends[:] = 0
        for value in own:
            ends[((value >> shift) & (_DIGIT - 1)) + 1] += 1
        for digit in range(_DIGIT):
            ends[digit + 1] += ends[digit]
        for value in own:
            place = (value >> shift) & (_DIGIT - 1)
            other[ends[place]] = value
            ends[place] += 1
        own, other = other, own
        shift += _DIGIT_BITS
    return own


@native
def sums(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int32],
    offsets: NDArray[np.int64],
    weights: NDArray[np.float32],
    tables: NDArray[np.int64],
    pooled: NDArray[np.float64],
    totals: NDArray[np.float64],
    known: NDArray[np.int64],
) -> None:
    """The weighted sums of `pooling.weighted_sums`: over distinct rows, ascending."""
    dimension, pools = vectors.shape[1], weights.shape[2]
    for mail in range(len(offsets) - 1):
        own = _ascending(rows[offsets[mail] : offsets[mail + 1]])
        table = weights[tables[mail]]
        known[mail], at = len(own), 0
        while at < len(own):
            row, first = own[at], at
            while at < len(own) and own[at] == row:
                at += 1
            vector = vectors[row]
            for pool in range(pools):
                factor = (at - first) * np.float64(table[row, pool])
                if factor != 0.0:
                    totals[mail, pool] += factor
                    target = pooled[mail, pool]
                    for column in range(dimension):
                        target[column] += factor * np.float64(vector[column])


@native
def plain_sums(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int32],
    offsets: NDArray[np.int64],
    pooled: NDArray[np.float64],
    known: NDArray[np.int64],
) -> None:
    """`sums` with one pool whose weights are all 1."""
    dimension = vectors.shape[1]
    for mail in range(len(offsets) - 1):
        own = _ascending(rows[offsets[mail] : offsets[mail + 1]])
        known[mail], at = len(own), 0
        while at < len(own):
            row, first = own[at], at
            while at < len(own) and own[at] == row:
                at += 1
            factor = np.float64(at - first)
            for column in range(dimension):
                pooled[mail, column] += factor * np.float64(vectors[row, column])


@native
def maxima(
    vectors: NDArray[np.float32], rows: NDArray[np.int32], offsets: NDArray[np.int64], pooled: NDArray[np.float32]
) -> None:
    """The elementwise maximum over the known rows of each mail; zeros where there is none."""
    dimension = vectors.shape[1]
    for mail in range(len(offsets) - 1):
        fresh = True
        for at in range(offsets[mail], offsets[mail + 1]):
            row = rows[at]
            if row < 0:
                continue
            for column in range(dimension):
                value = vectors[row, column]
                if fresh or value > pooled[mail, column]:
                    pooled[mail, column] = value
            fresh = False


@native
def ngram_columns(
    hashes: NDArray[np.uint64],
    worded: NDArray[np.bool_],
    offsets: NDArray[np.int64],
    longest: int,
    skips: int,
    bits: int,
    field: int,
    columns: NDArray[np.int32],
    at: NDArray[np.int64],
) -> None:
    """Write the column of every n-gram of mail i, as `ngrams.column` and `ngrams.skipping` define it, from
    columns[at[i]] on; moves `at`."""
    shift, pairs = np.uint64(64 - bits), np.int32(1 << bits)
    for mail in range(len(offsets) - 1):
        end, written = offsets[mail + 1], at[mail]
        for first in range(offsets[mail], end):
            state = np.uint64(field)
            for token in range(first, min(first + longest, end)):
                state = splitmix64(state ^ hashes[token])
                columns[written] = np.int32(state >> shift)
                written += 1
            if not worded[first]:
                continue
            state = splitmix64(np.uint64(field) ^ hashes[first])
            for token in range(first + 2, min(first + 2 + skips, end)):
                if worded[token]:
                    columns[written] = pairs + np.int32(splitmix64(state ^ hashes[token]) >> shift)
                    written += 1
        at[mail] = written


@native
def runs(
    values: NDArray[np.int32],
    bounds: NDArray[np.int64],
    distinct: NDArray[np.int32],
    counts: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> None:
    """Each part's distinct non-negative values, ascending, and how often each occurs in it."""
    written = 0
    ends[0] = 0
    for part in range(len(bounds) - 1):
        own = _ascending(values[bounds[part] : bounds[part + 1]])
        for at in range(len(own)):
            if at and own[at] == own[at - 1]:
                counts[written - 1] += 1
            else:
                distinct[written] = own[at]
                counts[written] = 1
                written += 1
        ends[part + 1] = written


@native
def tally(
    values: NDArray[np.int32], bounds: NDArray[np.int64], groups: NDArray[np.int64], table: NDArray[np.int32]
) -> None:
    """Add 1 to table[groups[i], c] for every value c of part i."""
    for part in range(len(bounds) - 1):
        group = groups[part]
        for at in range(bounds[part], bounds[part + 1]):
            table[group, values[at]] += 1


@native
def dots(a: NDArray[np.float64], b: NDArray[np.float64], products: NDArray[np.float64]) -> None:
    """products[i] = a[i, 0] b[0] + a[i, 1] b[1] + ..., from left to right."""
    for row in range(len(a)):
        for column in range(len(b)):
            products[row] += a[row, column] * b[column]
