"""A tally: everything that one pass over a table counts, in one value that merges exactly.

Partial tallies of fragments are merged by the engine in whatever shape it has; see `sketches` for
why the result cannot depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mailmill.quality.sketches import SCALES, Distinct, Ints, Names, hash_texts

V = TypeVar("V")

SAMPLE_ROWS = 2000
_HEX = "^[0-9a-f]{32}$"


@dataclass(frozen=True)
class Tally:
    """Sums of whole numbers, histograms by (name -> scale name, counts), names, distinct values, and a sample.

    `sample` holds the rows of the smallest keys: keys are hashes, so it is a fair sample, and the same rows
    on every engine and in every version of the data that still has them.
    """

    sums: Mapping[str, int] = field(default_factory=dict)
    bins: Mapping[str, tuple[str, Ints]] = field(default_factory=dict)
    names: Mapping[str, Names] = field(default_factory=dict)
    distinct: Mapping[str, Distinct] = field(default_factory=dict)
    sample: pa.Table | None = None
    sample_rows: int = SAMPLE_ROWS


def binned(scale: str, values: NDArray[Any]) -> tuple[str, Ints]:
    """A histogram for `Tally.bins`."""
    return scale, SCALES[scale].count(values)


def add(a: Tally, b: Tally) -> Tally:
    """Two parts together."""
    return Tally(
        _merged(a.sums, b.sums, lambda x, y: x + y),
        _merged(a.bins, b.bins, lambda x, y: (x[0], x[1] + y[1])),
        _merged(a.names, b.names, lambda x, y: x.merge(y)),
        _merged(a.distinct, b.distinct, lambda x, y: x.merge(y)),
        _merged_samples(a.sample, b.sample, a.sample_rows),
        a.sample_rows,
    )


def first_rows(rows: pa.Table, bound: int) -> pa.Table:
    """The `bound` rows with the smallest keys; among rows of one key the other columns decide."""
    if rows.num_rows > bound:  # a cheap threshold first: sorting whole batches would cost more than all the rest
        last = pc.sort_indices(rows["key"]).to_numpy()[bound - 1]
        rows = rows.filter(pc.less_equal(rows["key"], rows["key"][int(last)]))
    return rows.sort_by([(name, "ascending") for name in rows.column_names]).slice(0, bound)


def _merged(a: Mapping[str, V], b: Mapping[str, V], merge: Callable[[V, V], V]) -> dict[str, V]:
    names = sorted(set(a) | set(b))
    return {n: merge(a[n], b[n]) if n in a and n in b else (a[n] if n in a else b[n]) for n in names}


def _merged_samples(a: pa.Table | None, b: pa.Table | None, bound: int) -> pa.Table | None:
    if a is None or b is None:
        return a if b is None else b
    return first_rows(pa.concat_tables([a, b]), bound).combine_chunks()


def value_counts(array: pa.Array | pa.ChunkedArray) -> list[tuple[Any, int]]:
    """(value, how often) of an array, nulls left out."""
    counted = pc.value_counts(array.drop_null())
    return list(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def key_hashes(keys: pa.Array) -> NDArray[np.uint64]:
    """The first 64 bits of each key of 32 hex digits; other keys are hashed. uint64 (n,)."""
    lengths = pc.binary_length(keys)
    if len(keys) and pc.all(pc.equal(lengths, 32)).as_py() and pc.all(pc.match_substring_regex(keys, _HEX)).as_py():
        offset = np.frombuffer(keys.buffers()[1], np.int32)[keys.offset]
        digits = np.frombuffer(keys.buffers()[2], np.uint8)[offset : offset + 32 * len(keys)].reshape(-1, 32)[:, :16]
        nibbles = np.where(digits > 57, digits - 87, digits - 48).astype(np.uint64)
        shifts = np.arange(60, -4, -4).astype(np.uint64)
        joined: NDArray[np.uint64] = np.bitwise_or.reduce(nibbles << shifts, axis=1)
        return joined
    return hash_texts(keys.to_pylist())
