"""From the vectors of a mail's words to one vector for the mail, in bits that no engine can change.

Floating-point sums depend on their order. A mail's rows are therefore sorted before they are summed,
and each mail is summed alone: neither the batch that a mail came in nor the order of its words
touches its vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_pool(
    vectors: NDArray[np.float32], rows: NDArray[np.int32], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """mean_i = (1/k_i) sum over the k_i known tokens t of mail i of vectors[rows[t]]; coverage_i = k_i / m_i.

    vectors float32 (v, d); rows int32 (tokens of all mails,), -1 for an unknown token; offsets int64 (n + 1,):
    mail i has the m_i tokens rows[offsets[i]:offsets[i + 1]]. Returns float32 (n, d) and float32 (n,). A mail
    without known tokens has a zero vector; one without tokens has coverage 0.

    Sums are float64, in ascending order of row, rounded to float32 once: equal multisets of words give equal
    bits.
    """
    count = len(offsets) - 1
    pooled = np.zeros((count, vectors.shape[1]), dtype=np.float32)
    coverage = np.zeros(count, dtype=np.float32)
    bounds = offsets.tolist()
    for mail in range(count):
        own = np.sort(rows[bounds[mail] : bounds[mail + 1]])
        known = own[np.searchsorted(own, 0) :]
        if len(known):
            pooled[mail] = np.add.reduce(vectors[known].astype(np.float64), axis=0) / len(known)
            coverage[mail] = len(known) / len(own)
    return pooled, coverage
