"""Draws that are functions of ids and a seed: the one hash behind every random choice of mailmill.

A generator's state depends on what was drawn before, a hash does not; so no draw depends on which worker makes it.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1


class Stream(IntEnum):
    """What a draw is for: a part of `mix` that keeps draws of different purposes under one seed independent."""

    BOOTSTRAP = 1  # rows of a tree
    FEATURES = 2  # features of a node
    BINS = 3  # rows that bin edges are taken from
    HEAD = 4  # rows that logistic regression is solved on first
    SEARCH = 101  # combinations of settings
    CARD = 102  # test mails of a model card
    PROBES = 103  # test mails that words are put before
    QUEUE = 104  # scores that heavy cells are cut by


def splitmix64(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The SplitMix64 step: one bijective, avalanching hash of 64 bits to 64 bits, elementwise.

    x + 0x9E3779B97F4A7C15, then twice `z = (z ^ z >> s) * m`, then `z ^ z >> 31`, all modulo 2^64.
    Any shape, dtype uint64. Steele, Lea & Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014; constants of Vigna's reference code.
    """
    with np.errstate(over="ignore"):
        z = x + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def mix(*parts: int | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """h_0 = 0, h_i = splitmix64(h_{i-1} ^ part_i): one hash of several parts, which broadcast as arrays do.

    Integers are taken modulo 2^64. Returns uint64 of the broadcast shape, at least one-dimensional.
    """
    hashed = np.zeros(1, np.uint64)
    for part in parts:
        word = np.uint64(part & _MASK) if isinstance(part, int) else part
        hashed = splitmix64(hashed ^ word)
    return hashed
