"""Draws for the training of word vectors: functions of a number and the seed, never of a generator's state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import mix


def uniform(numbers: NDArray[np.uint64], *keys: int) -> NDArray[np.float32]:
    """A draw from [-1/2, 1/2) for each number: the hash's upper 24 bits, exact in float32."""
    bits = (mix(*keys, numbers) >> np.uint64(40)).astype(np.float32)
    return bits * np.float32(2.0**-24) - np.float32(0.5)


def permutation(count: int, *keys: int) -> NDArray[np.int64]:
    """0, ..., count - 1 in the order of their hashes; int64 (count,)."""
    return np.argsort(mix(*keys, np.arange(count, dtype=np.uint64)), kind="stable")
