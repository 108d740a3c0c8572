"""Random draws that are functions of ids and a seed, so that no draw depends on which worker makes it.

A generator's state depends on what was drawn before; a hash does not. Every draw below is a pure
function of (id, tree, node, feature, seed), the same on every engine and for every partitioning.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import Stream, mix, splitmix64

_MASK = (1 << 64) - 1


def _poisson_thresholds() -> NDArray[np.uint64]:
    """floor(2^64 P(K <= k)) for K ~ Poisson(1), k = 0, 1, ..., from integer arithmetic alone."""
    scale = 1 << 192
    term, exp_minus_one = scale, 0
    for k in range(1, 60):
        exp_minus_one += term if k % 2 else -term
        term //= k
    bounds, total, mass = [], 0, exp_minus_one
    for k in range(1, 60):
        total += mass
        bounds.append(min(total >> 128, _MASK))
        mass //= k
    distinct = [low for low, high in pairwise(bounds) if low < high]
    return np.array(distinct, np.uint64)


#: floor(2^64 P(K <= k)) for K ~ Poisson(1): a row's weight is how many of these its hash reaches.
POISSON = _poisson_thresholds()

#: The largest weight a row can draw.
MAX_WEIGHT = len(POISSON)


#: A row's weight is 1 in 63.2 % of the draws, the share of rows that a bootstrap holds, else 0.
SUBSAMPLE = POISSON[:1]


def bootstrap_weights(
    ids: NDArray[np.uint64], tree: int, seed: int, bounds: NDArray[np.uint64] = POISSON
) -> NDArray[np.int64]:
    """How often each row enters a tree's bootstrap sample: w ~ Poisson(1), P(w = k) = e^-1 / k!.

    w = #{k : hash(id, tree, seed) >= bounds[k]}, by integer comparison; `POISSON` holds floor(2^64 P(K <= k)).
    Poisson counts are the bootstrap's multinomial counts without their fixed total, so each row draws alone (Oza &
    Russell, "Online bagging and boosting", 2001); a fixed total would need every row's rank among all rows, a sort
    of the whole table. ids uint64 (n,); returns int64 (n,), at most `MAX_WEIGHT`.
    """
    hashed = splitmix64(ids ^ mix(seed, Stream.BOOTSTRAP, tree))
    return np.searchsorted(bounds, hashed, side="right").astype(np.int64, copy=False)
