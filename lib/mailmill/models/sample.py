"""A sample of rows that travels to the driver, drawn by the hash of each row's id.

Which rows are drawn depends on the rows alone, never on how they are cut into fragments, and the sample's
order is that of the hashes; so whatever is computed from it is the same on every engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import Stream, mix, splitmix64
from mailmill.models.data import TrainingArrays


@dataclass(frozen=True)
class Sample:
    """At most `size` rows, those with the smallest hashes, ascending; `rows` None: none yet."""

    size: int
    hashes: NDArray[np.uint64]
    rows: TrainingArrays | None

    def merge(self, other: Sample) -> Sample:
        """The sample of both sets of rows."""
        if self.rows is None or other.rows is None or self.rows.X.shape[1] != other.rows.X.shape[1]:
            return self if other.rows is None else other
        hashes = np.concatenate([self.hashes, other.hashes])
        kept = np.argsort(hashes, kind="stable")[: self.size]
        return Sample(self.size, hashes[kept], self.rows.append(other.rows).take(kept))


def draw_sample(arrays: TrainingArrays, size: int, of_rows: int | None) -> Sample:
    """The rows of one fragment that may belong to a sample of `size` rows of the whole.

    of_rows: how many rows the whole table has, where that is known. Then rows whose hash lies above its
    size / of_rows quantile stay where they are, and a pass moves about `size` rows in all, not `size` a task.
    """
    if not len(arrays.X):
        return Sample(size, np.empty(0, np.uint64), None)
    hashes = splitmix64(arrays.ids ^ mix(Stream.HEAD))
    if of_rows is not None and of_rows > size:
        kept = np.flatnonzero(hashes <= np.uint64(int(size / of_rows * (2**64 - 1))))
        kept = kept[np.argsort(hashes[kept], kind="stable")][:size]
    else:
        kept = np.argsort(hashes, kind="stable")[:size]
    return Sample(size, hashes[kept], arrays.take(kept))
