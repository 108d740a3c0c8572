"""Sparse columns by their rank: a pass then carries the columns that occur, and touches a small part of memory.

Hashed n-grams fill millions of columns thinly, and language is Zipf's: a few thousand columns hold most of the values.
Numbered by frequency, those lie side by side and stay in the processor's cache, and parameters and gradients of
columns that occur nowhere are neither sent nor added up. The numbers are kept beside the rows they belong to.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mailmill.models.data import CachingFragment, Fragment, SparseRows


def ranked(squares: NDArray[np.floating]) -> NDArray[np.int32]:
    """The columns with Σ x² > 0, largest first, ties in ascending order; int32 (s',), as it travels with each pass."""
    order = np.argsort(-squares, kind="stable")
    return order[: int(np.count_nonzero(squares))].astype(np.int32)


def name_of(active: NDArray[np.integer]) -> str:
    """16 hex digits over the columns and their order."""
    return blake2b(np.ascontiguousarray(active, "<i8").tobytes(), digest_size=8).hexdigest()


def compact(rows: SparseRows, active: NDArray[np.integer]) -> SparseRows:
    """`rows` with the place of each column in `active` as its number; no longer ascending within a row.

    All other columns become one, the last: `columns` is s' + 1.
    """
    place = np.full(rows.columns, len(active), np.int32)
    place[active] = np.arange(len(active), dtype=np.int32)
    return replace(rows, indices=place[rows.indices], columns=len(active) + 1)


def renumbered(
    fragment: Fragment, split: str, rows: SparseRows, active: NDArray[np.integer], name: str = ""
) -> SparseRows:
    """`compact`, made once a fragment that keeps derived bytes, under `name`, see `name_of`."""
    if not name or not isinstance(fragment, CachingFragment):
        return compact(rows, active)
    found = fragment.cached(f"columns-{split}-{name}", lambda: compact(rows, active).indices.view(np.uint8))
    return replace(rows, indices=found.view(np.int32), columns=len(active) + 1)
