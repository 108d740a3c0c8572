"""Train, validation or test: decided by conversation, so that no thread leaks from one into another.

A reply repeats its thread's people, topic and often its words. Splitting by message would let the
model meet its test set in training; splitting by a hash of the thread needs no shuffle, and mail that
arrives next year falls where its thread already lies. A thread is what each mail alone tells of it, its first
reference; replies to replies by programs that write no References have a thread of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError
from mailmill.schemas import SPLITS


def split_of(threads: Sequence[str], seed: int, shares: tuple[float, float, float]) -> NDArray[np.object_]:
    """The split of each thread: the first i with u < share_0 + ... + share_i, u = BLAKE2b-64(thread; seed) / 2^64.

    `shares` of train, validation and test, non-negative, sum 1. Returns an object array (n,) of `schemas.SPLITS`.
    It depends on thread and seed alone, and a growing share of training only takes threads in.
    Raises ConfigError for shares that are none.
    """
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ConfigError(f"shares of train, validation and test {shares} are not non-negative with sum 1")
    drawn = _drawn(threads, seed, b"mailmill split") / 2.0**64
    # A last share of 0 must stay empty although u may round to 1 and the sum of the others below it.
    bounds = np.cumsum(shares[:2])
    last = max(index for index, share in enumerate(shares) if share > 0)
    chosen = np.minimum(np.searchsorted(bounds, drawn, side="right"), last)
    return np.array(SPLITS, dtype=object)[chosen]


def folds_of(threads: Sequence[str], seed: int, folds: int) -> NDArray[np.int64]:
    """The fold 0 .. folds - 1 of each thread: floor(folds u), u drawn as for `split_of` but apart; int64 (n,)."""
    drawn = _drawn(threads, seed, b"mailmill folds") >> np.uint64(32)
    return ((drawn * np.uint64(folds)) >> np.uint64(32)).astype(np.int64)


def _drawn(threads: Sequence[str], seed: int, purpose: bytes) -> NDArray[np.uint64]:
    """The first 64 bits of BLAKE2b of each thread, keyed by the seed and the purpose."""
    salt = hashlib.blake2b(str(seed).encode(), digest_size=16, person=purpose).digest()
    digests = [
        hashlib.blake2b(thread.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).digest() for thread in threads
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8")
