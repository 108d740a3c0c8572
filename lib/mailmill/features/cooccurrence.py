"""Co-occurrence counts in whole numbers, so that their sums do not depend on order.

GloVe weighs two words that stand d apart by 1/d. Sums of such fractions differ in their last bits with
every order in which workers add them. Counted in units of 1/L, L = lcm(1, ..., window), each weight is
the whole number L/d, and the counts are the same on every engine and for every partitioning.

Words here are numbers, their rank in the vocabulary. Only i <= j is counted: X is symmetric, and half the
pairs are half the shuffle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What four bits hold, in which a place keeps its distance.
MAX_WINDOW = 16

#: Places that are counted at once: what bounds a task's memory (8 bytes each, twice).
BLOCK = 1 << 23

#: i, j and the count of the pair in units of 1 / `unit(window)`.
Counts = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]


def unit(window: int) -> int:
    """L = lcm(1, ..., window): how many units make a count of 1. At most 720,720, for a window of 16."""
    return math.lcm(*range(1, window + 1))


def count_pairs(
    words: NDArray[np.int32], offsets: NDArray[np.int64], window: int, vocabulary: int, block: int = BLOCK
) -> Iterator[Counts]:
    """x_ij = L sum of 1/d over all places where words i <= j stand d <= `window` apart, in either order.

    So the co-occurrence of Pennington, Socher & Manning (2014), symmetric, with both directions counted, is
    X_ij = X_ji = x_ij / L for i < j, and X_ii = 2 x_ii / L.

    words int32 (tokens of all texts,), 0 <= word < vocabulary <= 2^29, a text's known words alone: as in the published
    program a window reaches across words that are not in the vocabulary. offsets int64 (n + 1,): text t is
    words[offsets[t]:offsets[t + 1]]; no pair crosses texts. 1 <= window <= `MAX_WINDOW`.
    Yields (i, j, x), int32, int32, int64, sorted by (i, j) and distinct within one yield, for blocks of at most about
    `block` places; add them up.

    Raises:
        ValueError: another window.
    """
    if not 1 <= window <= MAX_WINDOW:
        raise ValueError(f"a window of {window} words")
    places, reduce = _kernels()
    weights = unit(window) // np.arange(1, window + 1)
    room = max(block, window)
    buffer = np.empty(room, np.int64)
    text, at = 0, 0
    while True:
        filled, text, at = places(words, offsets, window, vocabulary, text, at, buffer)
        if not filled:
            return
        packed = np.sort(buffer[:filled])
        count = reduce(packed, weights, buffer)
        keys, sums = packed[:count], buffer[:count].copy()
        i, j = np.divmod(keys, vocabulary)
        yield i.astype(np.int32), j.astype(np.int32), sums


def count_pairs_plainly(
    words: NDArray[np.int32], offsets: NDArray[np.int64], window: int
) -> dict[tuple[int, int], int]:
    """What all yields of `count_pairs` add up to, word by word in plain Python: the reference it is tested with."""
    found: dict[tuple[int, int], int] = {}
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        text = words[start:end].tolist()
        for at, word in enumerate(text):
            for distance in range(1, min(window, at) + 1):
                pair = min(word, text[at - distance]), max(word, text[at - distance])
                found[pair] = found.get(pair, 0) + unit(window) // distance
    return found


def _places(words, offsets, window, vocabulary, text, at, buffer):  # type: ignore[no-untyped-def]  # Numba infers
    """Fill `buffer` with (i V + j) 16 + d - 1 for each place, from word `at` of `text` on; where to go on."""
    filled = 0
    while text < len(offsets) - 1:
        start, end = offsets[text], offsets[text + 1]
        while start + at < end:
            if filled + window > len(buffer):
                return filled, text, at
            word = np.int64(words[start + at])
            for distance in range(1, min(window, at) + 1):
                other = np.int64(words[start + at - distance])
                low, high = min(word, other), max(word, other)
                buffer[filled] = ((low * vocabulary + high) << 4) | (distance - 1)
                filled += 1
            at += 1
        text, at = text + 1, 0
    return filled, text, at


def _reduce(packed, weights, sums):  # type: ignore[no-untyped-def]  # Numba infers
    """Add up runs of one pair in sorted `packed`: pairs to its front, sums to `sums`; how many."""
    count = -1
    last = np.int64(-1)
    for n in range(len(packed)):
        key = packed[n] >> 4
        weight = weights[packed[n] & 15]
        if key != last:
            count += 1
            last = key
            packed[count] = key
            sums[count] = weight
        else:
            sums[count] += weight
    return count + 1


@cache
def _kernels() -> tuple[Any, Any]:
    from mailmill.jit import native

    return native(_places), native(_reduce)
