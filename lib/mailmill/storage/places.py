"""Places: the object that a message's source lies in.

An object's name may hold the marks of containers, # and !, itself: `smith#2` beside `smith` is another's file. So a
source is cut where an object's name ends, and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.storage.ledger import identity
from mailmill.storage.sources import SourceObject


@dataclass(frozen=True)
class Places:
    """Objects by `place_number` of their names, in order, and their identities [objects, 16]. Picklable."""

    numbers: NDArray[np.uint64]
    identities: NDArray[np.uint8]

    @classmethod
    def of(cls, objects: Iterable[SourceObject]) -> Places:
        """Those that have a name."""
        named = [each for each in objects if each.path]
        numbers = np.fromiter((place_number(each.name) for each in named), np.uint64, len(named))
        identities = np.frombuffer(b"".join(map(identity, named)), np.uint8).reshape(len(named), 16)
        order = np.argsort(numbers, kind="stable")
        return cls(numbers[order], identities[order])

    def holder(self, source: str) -> str:
        """The object that a source lies in: the longest name that it is, or goes on from with # or !; "" for none."""
        ends = [len(source), *(at for at in reversed(range(len(source))) if source[at] in "#!")]
        return next((source[:end] for end in ends if len(self._at(source[:end]))), "")

    def versions(self, name: str) -> list[bytes]:
        """The identities of the object with this name: one for each content that was taken."""
        return [self.identities[at].tobytes() for at in self._at(name)]

    def _at(self, name: str) -> range:
        number = np.uint64(place_number(name))
        first, last = (int(np.searchsorted(self.numbers, number, side)) for side in ("left", "right"))
        return range(first, last)


def place_number(name: str) -> int:
    """64 bits over an object's name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
