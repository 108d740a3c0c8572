"""From the vectors of a mail's words to one vector for the mail, in bits that no engine can change.

Floating-point sums depend on their order. A mail's rows are therefore taken in ascending order, each
distinct row once with its count, and each mail is summed alone: neither the batch that a mail came in nor
the order of its words touches its vector. The loops are compiled; a single mail takes their twins in NumPy.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.compiling import worthwhile


def weighted_sums(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int32],
    offsets: NDArray[np.int64],
    weights: NDArray[np.float32] | None = None,
    tables: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """s_ip = sum over the distinct known rows r of mail i, ascending, of (c_ir w_irp) v_r; t_ip = sum of c_ir w_irp.

    c_ir is how often row r occurs in mail i; w_irp = weights[tables[i], r, p]. vectors float32 (v, d); rows int32
    (tokens of all mails,), -1 for an unknown token; offsets int64 (n + 1,): mail i has the tokens
    rows[offsets[i]:offsets[i + 1]]; weights float32 (tables, v, p), a column a pool, None: one pool of ones; tables
    int64 (n,), None: zeros. Returns s float64 (n, p, d), t float64 (n, p) and the number of known tokens int64 (n,).
    Equal multisets of words give equal bits.
    """
    if not worthwhile(len(offsets) - 1):
        return reference_sums(vectors, rows, offsets, weights, tables)
    from mailmill.features import compiled

    count, dimension = len(offsets) - 1, vectors.shape[1]
    pools = 1 if weights is None else weights.shape[2]
    sums, totals = np.zeros((count, pools, dimension)), np.zeros((count, pools))
    known = np.zeros(count, np.int64)
    if weights is None:
        compiled.plain_sums(vectors, rows, offsets, sums[:, 0], known)
        totals[:, 0] = known
    else:
        tables = np.zeros(count, np.int64) if tables is None else tables
        compiled.sums(vectors, rows, offsets, weights, tables, sums, totals, known)
    return sums, totals, known


def reference_sums(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int32],
    offsets: NDArray[np.int64],
    weights: NDArray[np.float32] | None = None,
    tables: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """`weighted_sums` in NumPy: the definition that the compiled loop is tested against, bit for bit."""
    count, dimension = len(offsets) - 1, vectors.shape[1]
    weights = np.broadcast_to(np.float32(1), (1, len(vectors), 1)) if weights is None else weights
    tables = np.zeros(count, np.int64) if tables is None else tables
    sums, totals = np.zeros((count, weights.shape[2], dimension)), np.zeros((count, weights.shape[2]))
    known = np.zeros(count, np.int64)
    for mail in range(count):
        own = rows[offsets[mail] : offsets[mail + 1]]
        own = own[own >= 0]
        known[mail] = len(own)
        for row, occurs in sorted(Counter(own.tolist()).items()):
            factor = occurs * weights[tables[mail], row].astype(np.float64)
            totals[mail] += factor
            sums[mail] += factor[:, None] * vectors[row].astype(np.float64)
    return sums, totals, known


def means(sums: NDArray[np.float64], norms: NDArray[Any]) -> NDArray[np.float64]:
    """sums[i] / norms[i], zeros where the norm is 0; sums float64 (n, d), norms (n,)."""
    divided: NDArray[np.float64] = np.divide(sums, norms[:, None], out=np.zeros_like(sums), where=norms[:, None] != 0)
    return divided


def without(sums: NDArray[np.float64], norms: NDArray[np.int64], component: NDArray[np.float64]) -> NDArray[np.float32]:
    """x - u (u^T x) with x = sums[i] / norms[i], 0 where the norm is 0, and the unit vector u = `component`.

    The common component's removal of Arora, Liang & Ma 2017; float32 (n, d), rounded once.
    """
    pooled, products = means(sums, norms), np.zeros(len(sums))
    if worthwhile(len(sums)):
        from mailmill.features import compiled

        compiled.dots(pooled, component, products)
    else:
        reference_dots(pooled, component, products)
    rounded: NDArray[np.float32] = (pooled - products[:, None] * component).astype(np.float32)
    return rounded


def reference_dots(a: NDArray[np.float64], b: NDArray[np.float64], products: NDArray[np.float64]) -> None:
    """`compiled.dots` in NumPy; a cumulative sum, unlike `sum`, adds from left to right."""
    for row, values in enumerate(a * b):
        products[row] = np.cumsum(np.append(0.0, values))[-1]


def max_pool(vectors: NDArray[np.float32], rows: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    """max_ij = the largest vectors[r, j] over the known rows r of mail i, 0 where there is none; float32 (n, d)."""
    pooled = np.zeros((len(offsets) - 1, vectors.shape[1]), np.float32)
    if worthwhile(len(pooled)):
        from mailmill.features import compiled

        compiled.maxima(vectors, rows, offsets, pooled)
    else:
        reference_maxima(vectors, rows, offsets, pooled)
    return pooled


def reference_maxima(
    vectors: NDArray[np.float32], rows: NDArray[np.int32], offsets: NDArray[np.int64], pooled: NDArray[np.float32]
) -> None:
    """`compiled.maxima` in NumPy: of equal values (0 and -0) the first stays."""
    for mail in range(len(pooled)):
        own = rows[offsets[mail] : offsets[mail + 1]]
        known = vectors[own[own >= 0]]
        if len(known):
            pooled[mail] = np.take_along_axis(known, known.argmax(axis=0)[None], axis=0)[0]
