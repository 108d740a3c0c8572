"""The parameters of a factorisation: one row a word and role, with all that an update touches side by side.

A row holds the vector w, the sums of squared gradients of w, the bias and its sum: an update reads and
writes two runs of memory, not eight. Rows lie by stratum (see `pairs`), so that the rows which one block of
pairs needs are neighbours and stay in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.features.draws import uniform

LANES = 16  # float32 values in 64 bytes: a cache line, and the widest vector register

#: Rows of a stratum and role fill about this much: two of them fit a share of the cache of a core.
STRATUM_BYTES = 2 * 2**20
_FEWEST, _MOST = 32, 1024


@dataclass(frozen=True)
class Layout:
    """Where a word's row lies. Word r is in stratum r mod S, so strata have words of every frequency.

    `vocabulary` words, `dimension` d; `padded` is d rounded up to whole cache lines, `stride` a row's
    length: padded w, padded sums of squares, bias, its sum of squares. The rows of context words follow
    `rows` after those of words. A function of vocabulary and dimension alone: no machine changes it.
    """

    vocabulary: int
    dimension: int

    @property
    def padded(self) -> int:
        """d rounded up to a multiple of `LANES`."""
        return -(-self.dimension // LANES) * LANES

    @property
    def stride(self) -> int:
        """float32 values from one row to the next."""
        return 2 * self.padded + LANES

    @property
    def strata(self) -> int:
        """S: enough for a stratum's rows to fit `STRATUM_BYTES`, and for the order of pairs to be well mixed."""
        wanted = -(-self.vocabulary * self.stride * 4 // STRATUM_BYTES)
        return max(1, min(max(wanted, _FEWEST), _MOST, self.vocabulary))

    @property
    def depth(self) -> int:
        """Rows of a stratum."""
        return -(-self.vocabulary // self.strata)

    @property
    def rows(self) -> int:
        """Rows of one role, with the few that no word uses."""
        return self.strata * self.depth

    def places(self) -> NDArray[np.int64]:
        """The row of each word's vector; int64 (vocabulary,)."""
        words = np.arange(self.vocabulary, dtype=np.int64)
        return words % self.strata * self.depth + words // self.strata

    def initial(self, seed: int) -> NDArray[np.float32]:
        """w, w~, b, b~ ~ U(-1/2, 1/2) / (d + 1), sums of squares 1, as the published program begins.

        Returns float32 (2 rows, stride), aligned to 64 bytes; a value depends on seed, word, role and column.
        """
        parameters = _aligned(2 * self.rows, self.stride)
        width, places = self.dimension + 1, self.places()
        for role in (0, 1):
            for start in range(0, self.vocabulary, 4096):
                at = places[start : start + 4096] + role * self.rows
                words = np.arange(start, start + len(at), dtype=np.uint64)[:, None]
                columns = np.arange(width, dtype=np.uint64)[None, :]
                drawn = uniform(words * np.uint64(width) + columns, seed, role) / np.float32(width)
                parameters[at, : self.dimension] = drawn[:, :-1]
                parameters[at, 2 * self.padded] = drawn[:, -1]
        parameters[:, self.padded : 2 * self.padded] = 1
        parameters[:, 2 * self.padded + 1] = 1
        return parameters

    def vectors(self, parameters: NDArray[np.float32], start: int, stop: int) -> NDArray[np.float32]:
        """w + w~ of words `start` to `stop`, as the paper takes them; float32 (stop - start, d)."""
        places = self.places()[start:stop]
        own: NDArray[np.float32] = parameters[places, : self.dimension]
        return own + parameters[places + self.rows, : self.dimension]


def _aligned(rows: int, stride: int) -> NDArray[np.float32]:
    raw = np.zeros(rows * stride + LANES, np.float32)
    skip = -(raw.ctypes.data // 4) % LANES
    return raw[skip : skip + rows * stride].reshape(rows, stride)
