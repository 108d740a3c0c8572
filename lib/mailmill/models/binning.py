"""Turns float columns into at most 256 ordered bins, so that a split is found by counting.

Bin edges come from a sample of the rows with the smallest hashed ids: a bottom-k sample, which merges
exactly and is therefore the same whatever the partitioning or the order of rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import Stream, mix, splitmix64
from mailmill.errors import DataError
from mailmill.models.data import TrainingArrays
from mailmill.models.workers import spread


@dataclass(frozen=True)
class BinSample:
    """The rows whose hashed ids are among the `size` smallest: hashes uint64 (m,), X float32 (m, d).

    All rows tied at the largest hash are kept, so m may exceed `size` where ids repeat.
    """

    size: int
    hashes: NDArray[np.uint64]
    X: NDArray[np.float32]

    def merge(self, other: BinSample) -> BinSample:
        """The sample of both sets of rows; exact, associative and commutative as a set of rows."""
        if not len(other.X):
            return self
        if not len(self.X):
            return other
        if self.X.shape[1] != other.X.shape[1]:
            raise DataError(f"feature vectors of {self.X.shape[1]} and of {other.X.shape[1]} columns in one table")
        hashes, X = np.concatenate([self.hashes, other.hashes]), np.concatenate([self.X, other.X])
        return _bottom(self.size, hashes, X)


def draw_bin_sample(arrays: TrainingArrays, size: int, seed: int) -> BinSample:
    """The bottom-k sample of one fragment: rows with splitmix64(id ^ key(seed)) among the `size` smallest.

    Bar-Yossef et al., "Counting distinct elements in a data stream", 2002; Cohen & Kaplan, "Summarizing data
    using bottom-k sketches", PODC 2007.
    """
    return _bottom(size, splitmix64(arrays.ids ^ mix(seed, Stream.BINS)), arrays.X)


def _bottom(size: int, hashes: NDArray[np.uint64], X: NDArray[np.float32]) -> BinSample:
    if len(hashes) <= size:
        return BinSample(size, hashes, X)
    kept = np.flatnonzero(hashes <= np.partition(hashes, size - 1)[size - 1])
    if len(kept) > 2 * size:
        raise DataError("most rows share one id", hint="Ids must be the first 64 bits of each row's key.")
    return BinSample(size, hashes[kept], X[kept])


@dataclass(frozen=True)
class Bins:
    """Bin edges: edges float32 (d, max_bins - 1), ascending, padded with +inf; counts int32 (d,) bins a column.

    Code j of column f holds the values x with edges[f, j - 1] < x <= edges[f, j].
    """

    edges: NDArray[np.float32]
    counts: NDArray[np.int32]

    @cached_property
    def varied(self) -> NDArray[np.int32]:
        """The columns that can be split, ascending: all where none has two bins."""
        found = np.flatnonzero(self.counts > 1)
        return (found if len(found) else np.arange(len(self.counts))).astype(np.int32)

    def encode(
        self, X: NDArray[np.float32], out: NDArray[np.uint8] | None = None, threads: int = 1
    ) -> NDArray[np.uint8]:
        """code[f, i] = #{j : edges[f, j] < X[i, f]}: so code <= j exactly when X <= edges[f, j].

        X float32 (n, d), finite; returns uint8 (d, n), `out` where given: a row a column, because trees read by column.
        """
        from mailmill.models.native.encoding import CELLS, CROWDED, encode

        codes = np.empty((X.shape[1], X.shape[0]), np.uint8) if out is None else out
        edges = np.full((len(self.edges), 256), np.inf, np.float32)
        edges[:, : self.edges.shape[1]] = self.edges
        low, high = edges[:, 0], edges[np.arange(len(edges)), np.maximum(self.counts - 2, 0)]
        with np.errstate(all="ignore"):  # a column with one edge or none, or with a range beyond float32
            scale = np.float32(CELLS - 1) / (high - low)
        regular = np.isfinite(scale) & (scale > 0)
        with np.errstate(invalid="ignore", over="ignore"):
            cells = np.clip((edges - low[:, None]) * scale[:, None], 0, CELLS - 1)
        cells[np.isinf(edges) | ~regular[:, None]] = CELLS
        held = np.zeros((len(edges), CELLS + 1), np.int64)
        np.add.at(held, (np.arange(len(edges))[:, None], cells.astype(np.int64)), 1)
        table = np.zeros((len(edges), CELLS), np.uint8)
        table[:, 1:] = held[:, : CELLS - 1].cumsum(axis=1)
        crowded = (held[:, :CELLS].max(axis=1) > CROWDED) | ~regular

        def work(start: int, stop: int) -> None:
            encode(X, edges, low, scale, table, crowded, start, stop, codes)

        spread(threads, len(X), work)
        return codes

    def encode_reference(self, X: NDArray[np.float32]) -> NDArray[np.uint8]:
        """What `encode` gives, by NumPy alone."""
        codes = np.empty((X.shape[1], X.shape[0]), np.uint8)
        for f, count in enumerate(self.counts):
            codes[f] = np.searchsorted(self.edges[f, : count - 1], np.ascontiguousarray(X[:, f]), side="left")
        return codes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the edges: the name under which codes may be cached."""
        return hashlib.sha256(self.edges.tobytes() + self.counts.tobytes()).hexdigest()


def quantile_bins(X: NDArray[np.float32], max_bins: int, threads: int = 1) -> Bins:
    """Edges halfway between neighbouring values at the ranks floor(n (3 u² - 2 u³)), u = j / max_bins, j = 1, 2, ...

    Those are two thirds as dense as even ranks in the middle and denser towards both ends, where even ranks offer no
    split beyond the outermost 1 / max_bins: of 256 bins the first holds 1 / 22,000 of the rows. A rank inside a run of
    equal values moves to the nearer end of the run, so that a frequent value is set apart. A column with at most
    `max_bins` distinct values gets one bin a value. X float32 (m, d), m >= 1, finite; 2 <= max_bins <= 256. The result
    depends on the set of rows alone, not on their order.
    """
    edges = np.full((X.shape[1], max_bins - 1), np.inf, np.float32)
    counts = np.empty(X.shape[1], np.int32)

    def work(start: int, stop: int) -> None:
        ordered = X[:, start:stop].T.copy("C")
        ordered.sort(axis=1)
        ordered += np.float32(0)  # -0.0 becomes 0.0, so that the edges' bits depend on values alone
        for f, values in enumerate(ordered, start):
            found = _edges(values, max_bins)
            edges[f, : len(found)] = found
            counts[f] = len(found) + 1

    spread(min(threads, X.shape[1]), X.shape[1], work)
    return Bins(edges, counts)


@lru_cache(maxsize=4)
def _ranks(count: int, max_bins: int) -> NDArray[np.int64]:
    """The ranks of `quantile_bins` among `count` > max_bins values: whole numbers throughout, all different."""
    k = max_bins
    found = [count * j * j * (3 * k - 2 * j) // k**3 for j in range(1, k)]
    return np.array([min(max(rank, j), count - k + j) for j, rank in enumerate(found, 1)], np.int64)


def _edges(values: NDArray[np.float32], max_bins: int) -> NDArray[np.float32]:
    distinct = values[np.concatenate([[True], values[1:] != values[:-1]])]
    if len(distinct) <= max_bins:
        low, high = distinct[:-1], distinct[1:]
    else:
        ranks = _ranks(len(values), max_bins)
        first = np.searchsorted(values, values[ranks], side="left")
        after = np.searchsorted(values, values[ranks], side="right")
        ends = (after == len(values)) | ((first > 0) & (ranks - first <= after - ranks))
        cuts = np.where(ends, first, after)
        low, high = values[cuts - 1], values[cuts]
    middle = ((low.astype(np.float64) + high) / 2).astype(np.float32)
    middle = np.where((low <= middle) & (middle < high), middle, low)  # rounding must not reach the upper value
    return np.asarray(np.unique(middle), np.float32)
