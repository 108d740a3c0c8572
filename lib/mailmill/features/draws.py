"""Draws for the training of word vectors: functions of a number and the seed, never of a generator's state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1


def hashed(numbers: NDArray[np.uint64], *keys: int) -> NDArray[np.uint64]:
    """One 64-bit hash of each number with the keys: SplitMix64 steps, h <- step(h ^ key), elementwise.

    Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    state = np.zeros(1, np.uint64)
    for key in keys:
        state = _step(state ^ np.uint64(key & _MASK))
    return _step(numbers ^ state)


def uniform(numbers: NDArray[np.uint64], *keys: int) -> NDArray[np.float32]:
    """A draw from [-1/2, 1/2) for each number: the hash's upper 24 bits, exact in float32."""
    bits = (hashed(numbers, *keys) >> np.uint64(40)).astype(np.float32)
    return bits * np.float32(2.0**-24) - np.float32(0.5)


def permutation(count: int, *keys: int) -> NDArray[np.int64]:
    """0, ..., count - 1 in the order of their hashes; int64 (count,)."""
    return np.argsort(hashed(np.arange(count, dtype=np.uint64), *keys), kind="stable")


def _step(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = x + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
