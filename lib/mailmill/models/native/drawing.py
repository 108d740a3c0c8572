"""Hashed draws, compiled: which rows enter a tree's bootstrap, which features a node may split on.

References: `hashing.bootstrap_weights`, and for features the plain form in the tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native, splitmix64

#: A drawn row as one word: its number in the low 32 bits, then its weight (16 bits), then its class (16 bits).
WEIGHT, CLASS = np.uint64(32), np.uint64(48)
ROW, SHORT = np.uint64(0xFFFFFFFF), np.uint64(0xFFFF)


@native
def draw_rows(
    ids: NDArray[np.uint64],
    y: NDArray[np.uint16],
    key: np.uint64,
    bounds: NDArray[np.uint64],
    out: NDArray[np.uint64],
) -> int:
    """The rows with weight w = #{k : splitmix64(id ^ key) >= bounds[k]} > 0, as words in `out`, in order; how many.

    ids uint64 (n,), y uint16 (n,), bounds ascending; out uint64, long enough for all.
    """
    found = 0
    for i in range(len(ids)):
        hashed = splitmix64(ids[i] ^ key)
        if hashed >= bounds[0]:
            weight = 1
            while weight < len(bounds) and hashed >= bounds[weight]:
                weight += 1
            out[found] = np.uint64(i) | (np.uint64(weight) << WEIGHT) | (np.uint64(y[i]) << CLASS)
            found += 1
    return found


@native
def draw_features(keys: NDArray[np.uint64], columns: int, size: int) -> NDArray[np.int32]:
    """For each key, the `size` of `columns` features f with the smallest splitmix64(key ^ f), ascending; int32."""
    drawn = np.empty((len(keys), size), np.int32)
    hashed = np.empty(columns, np.uint64)
    smallest = np.empty(size, np.uint64)
    for node in range(len(keys)):
        for f in range(columns):
            hashed[f] = splitmix64(keys[node] ^ np.uint64(f))
        held = 0
        for f in range(columns):
            value = hashed[f]
            if held == size:
                if value >= smallest[size - 1]:
                    continue
                at = size - 1
            else:
                at = held
                held += 1
            while at > 0 and smallest[at - 1] > value:
                smallest[at] = smallest[at - 1]
                at -= 1
            smallest[at] = value
        last = smallest[size - 1]
        j = 0
        for f in range(columns):
            if hashed[f] <= last:
                drawn[node, j] = f
                j += 1
    return drawn
