"""Which mail is whole, damaged or a copy: arithmetic on the index, so any range can be made alone.

Indices are cut into blocks of 1,000. Each block holds a fixed number of malformed and duplicate
mails at hashed places, so the number of whole mails before any index is known without counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import floor

from mailmill.corpus.draw import Draw

BLOCK = 1000
#: A duplicate copies one of this many whole mails before it.
WINDOW = 500


@dataclass(frozen=True)
class Place:
    """The part an index plays: its `kind`, and the ordinal of the whole mail that it is or copies (-1: none)."""

    kind: str
    ordinal: int


@dataclass(frozen=True)
class Schedule:
    """Kinds of all indices for a seed and two shares; see the module's docstring."""

    seed: int
    malformed: float
    duplicates: float

    def place(self, index: int) -> Place:
        """Kind and ordinal of mail `index` >= 0. Ordinals of whole mails are 0, 1, 2, ... without gaps."""
        kinds, before = _block(self, index // BLOCK)
        position = index % BLOCK
        kind = kinds[position]
        ordinal = before[position]
        if kind == "ok":
            return Place("ok", ordinal)
        if kind == "malformed":
            return Place("malformed", -1)
        back = Draw(self.seed, "duplicate", index).below(min(ordinal, WINDOW))
        return Place("duplicate", ordinal - 1 - back)

    def whole_before(self, index: int) -> int:
        """Number of whole mails with a smaller index."""
        return _block(self, index // BLOCK)[1][index % BLOCK]

    def _until(self, block: int) -> tuple[int, int]:
        return floor(self.malformed * BLOCK * block + 0.5), floor(self.duplicates * BLOCK * block + 0.5)


@lru_cache(maxsize=4)
def _block(schedule: Schedule, block: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Kinds of the block's indices, and for each the number of whole mails before it."""
    malformed, duplicates = schedule._until(block)
    malformed_end, duplicates_end = schedule._until(block + 1)
    kinds = ["ok"] * BLOCK
    bad, copies = malformed_end - malformed, duplicates_end - duplicates
    # The very first mail is whole: a duplicate needs something to copy.
    first = 1 if block == 0 else 0
    places = Draw(schedule.seed, "schedule", block).sample(BLOCK - first, bad + copies)
    for rank, place in enumerate(places):
        kinds[place + first] = "malformed" if rank < bad else "duplicate"
    before, whole = [], block * BLOCK - malformed - duplicates
    for kind in kinds:
        before.append(whole)
        whole += kind == "ok"
    return tuple(kinds), tuple(before)
