"""Random draws that depend on names alone: (seed, what, which one), never on a generator's history.

Each `Draw` is BLAKE2b in counter mode over its name. Any mail can therefore be made alone, in any
order, on any machine, and is the same to the last byte.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_WORDS = struct.Struct("<16I")


class Draw:
    """A stream of uniform draws named by `path`: the same path gives the same stream, for ever.

    Streams of different paths are independent in the sense of BLAKE2b (RFC 7693).
    """

    __slots__ = ("_block", "_name", "_words")

    def __init__(self, *path: int | str) -> None:
        self._name = blake2b("/".join(map(str, path)).encode(), digest_size=32).digest()
        self._block = 0
        self._words: list[int] = []

    def bits(self) -> int:
        """32 uniform bits as a non-negative int."""
        if not self._words:
            digest = blake2b(self._block.to_bytes(8, "little"), key=self._name).digest()
            self._block += 1
            self._words = list(_WORDS.unpack(digest))
        return self._words.pop()

    def below(self, bound: int) -> int:
        """floor(bound * u), u uniform in [0, 1) with 32 bits: an int in [0, bound), bound >= 1."""
        return (self.bits() * bound) >> 32

    def between(self, low: int, high: int) -> int:
        """An int in [low, high], both ends included."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return self.bits() < probability * 4294967296.0

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`, each equally likely."""
        return items[(self.bits() * len(items)) >> 32]

    def weighted(self, weights: Sequence[int]) -> int:
        """Index i with probability weights[i] / sum(weights)."""
        point = self.below(sum(weights))
        for index, weight in enumerate(weights):
            point -= weight
            if point < 0:
                return index
        raise AssertionError("weights changed while drawing")

    def sample(self, population: int, size: int) -> list[int]:
        """`size` distinct ints below `population`, in random order (Fisher and Yates, cut short)."""
        items = list(range(population))
        for place in range(size):
            other = place + self.below(population - place)
            items[place], items[other] = items[other], items[place]
        return items[:size]

    def hex(self, digits: int) -> str:
        """`digits` lower-case hexadecimal digits."""
        text = ""
        while len(text) < digits:
            text += f"{self.bits():08x}"
        return text[:digits]

    def octets(self, size: int) -> bytes:
        """`size` uniform bytes."""
        return b"".join(struct.pack("<I", self.bits()) for _ in range((size + 3) // 4))[:size]
