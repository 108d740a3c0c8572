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

from mailmill.storage.sources import SourceObject


@dataclass(frozen=True)
class Places:
    """The names of objects, as `place_number`, in order. Picklable."""

    numbers: NDArray[np.uint64]

    @classmethod
    def of(cls, objects: Iterable[SourceObject]) -> Places:
        """Those that have a name."""
        return cls(np.unique(np.fromiter((place_number(each.name) for each in objects if each.path), np.uint64)))

    def holder(self, source: str) -> str:
        """The object that a source lies in: the longest name that it is, or goes on from with # or !; "" for none."""
        ends = [len(source), *(at for at in reversed(range(len(source))) if source[at] in "#!")]
        return next((source[:end] for end in ends if self._holds(place_number(source[:end]))), "")

    def _holds(self, number: int) -> bool:
        at = int(np.searchsorted(self.numbers, np.uint64(number)))
        return at < len(self.numbers) and int(self.numbers[at]) == number


def place_number(name: str) -> int:
    """64 bits over an object's name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
