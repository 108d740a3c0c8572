"""Small summaries of large columns that merge exactly, so that a figure is one figure on every engine.

Everything here is whole numbers under addition, or "the first k under a fixed order": both are
associative and commutative, so neither the engine nor the partitioning can show in a result, and each
summary is of a size that the number of rows does not change.

    Scale     fixed bins; counts of rows are a histogram, from which quantiles are read (error below 1 %)
    Names     exact counts of at most `bound` different texts (beyond it: a fair sample of the texts)
    Distinct  the k smallest 64-bit hashes and how often each came: distinct values, and repeated ones (beyond k
              different values: estimates, which say how close they are)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scale:
    """Bins [edge_i, edge_{i+1}), the last one closed; float64 edges, ascending. Values outside go to the end bins."""

    edges: NDArray[np.float64]

    def count(self, values: NDArray[Any]) -> Ints:
        """How many values fall into each bin: int64 (bins,). NaN counts into the last bin."""
        bins = len(self.edges) - 1
        at = np.searchsorted(self.edges, values, side="right") - 1
        return np.bincount(np.clip(at, 0, bins - 1), minlength=bins).astype(np.int64)


def _geometric(first: float, last: float, ratio: float) -> list[float]:
    steps = int(np.ceil(np.log(last / first) / np.log(ratio)))
    return [first * ratio**i for i in range(steps + 1)]


def _whole() -> NDArray[np.float64]:
    edges = [float(i) for i in range(51)]
    while edges[-1] < 2**40:
        edges.append(float(max(int(edges[-1]) + 1, int(edges[-1] * 1.02))))
    return np.array(edges)


#: Lengths and counts: 0 to 50 exactly, then bins 2 % wide up to 2^40 (a DDSketch; Masson et al., VLDB 2019).
WHOLE = Scale(_whole())
#: Shares in [0, 1], rounded to 1/500: the bins' middles are 0, 0.002, ... 1.
SHARE = Scale((np.arange(502) - 0.5) / 500)
#: Sentiments and cosines in [-1, 1], rounded to 1/250.
SIGNED = Scale((np.arange(-250, 252) - 0.5) / 250)
#: Norms: 0 and what is below 1e-3, then bins 2 % wide up to 1e4.
NORM = Scale(np.array([0.0, *_geometric(1e-3, 1e4, 1.02)]))

SCALES: Mapping[str, Scale] = {"whole": WHOLE, "share": SHARE, "signed": SIGNED, "norm": NORM}


def quantile(edges: NDArray[np.float64], counts: Ints, q: float) -> float | None:
    """The value of rank ceil(q n) among n binned values, as its bin's middle (of whole numbers: exact to 50).

    `edges` (bins + 1,), `counts` (bins,), 0 <= q <= 1. None where n = 0. On `WHOLE` and `NORM` it is within
    1 % of the value of that rank, on the others within half a bin.
    """
    total = int(counts.sum())
    if not total:
        return None
    rank = max(1, int(np.ceil(q * total)))
    at = int(np.searchsorted(np.cumsum(counts), rank))
    low, high = float(edges[at]), float(edges[at + 1])
    if low.is_integer() and high.is_integer() and high - low >= 1:  # the whole numbers low .. high - 1
        return (low + high - 1) // 2
    return (low + high) / 2


def by_hash(name: str) -> tuple[bytes, str]:
    """An order in which any `bound` first names are a fair sample of all names."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), name


def latest(name: str) -> tuple[int, ...]:
    """An order in which the latest ISO dates come first."""
    return tuple(-ord(character) for character in name)


ORDERS: Mapping[str, Callable[[str], Any]] = {"hash": by_hash, "latest": latest}


@dataclass(frozen=True)
class Names:
    """How often each text came: exact for the first `bound` texts in `order`, and the total over all texts."""

    counts: Mapping[str, int] = field(default_factory=dict)
    total: int = 0
    bound: int = 4096
    order: str = "hash"

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, int]], bound: int = 4096, order: str = "hash") -> Names:
        """Names of (text, count) pairs; a text may come more than once."""
        counts: dict[str, int] = {}
        for name, count in pairs:
            counts[name] = counts.get(name, 0) + count
        return cls(_first(counts, bound, order), sum(counts.values()), bound, order)

    @property
    def complete(self) -> bool:
        """Whether no text was left out."""
        return sum(self.counts.values()) == self.total

    def merge(self, other: Names) -> Names:
        """Both together."""
        counts = dict(self.counts)
        for name, count in other.counts.items():
            counts[name] = counts.get(name, 0) + count
        return Names(_first(counts, self.bound, self.order), self.total + other.total, self.bound, self.order)


def _first(counts: dict[str, int], bound: int, order: str) -> dict[str, int]:
    if len(counts) <= bound:
        return counts
    return {name: counts[name] for name in sorted(counts, key=ORDERS[order])[:bound]}


@dataclass(frozen=True, eq=False)
class Distinct:
    """The `bound` smallest of the 64-bit hashes that came, ascending, how often each came, and the total of all (KMV).

    Bar-Yossef et al., "Counting distinct elements in a data stream", RANDOM 2002. The counts are exact. They are of a
    fair sample of the values, not of the rows: a value that fills half of the rows is among them or, mostly, is not.
    """

    hashes: NDArray[np.uint64]
    counts: Ints
    total: int
    bound: int = 4096

    @classmethod
    def of(cls, hashes: NDArray[np.uint64], bound: int = 4096) -> Distinct:
        """Of one hash a row."""
        total = len(hashes)
        if total > bound:  # every copy of the smallest values is among the rows not above the last of them
            candidates = np.unique(hashes)
            hashes = hashes[hashes <= candidates[min(bound, len(candidates)) - 1]]
        values, counts = np.unique(hashes, return_counts=True)
        return cls(values, counts.astype(np.int64), total, bound)

    def merge(self, other: Distinct) -> Distinct:
        """Both together."""
        values, where = np.unique(np.concatenate([self.hashes, other.hashes]), return_inverse=True)
        counts = np.zeros(len(values), np.int64)
        np.add.at(counts, where, np.concatenate([self.counts, other.counts]))
        return Distinct(values[: self.bound], counts[: self.bound], self.total + other.total, self.bound)

    @property
    def checked(self) -> int:
        """How many different values the counts speak of."""
        return len(self.hashes)

    @property
    def repeated(self) -> int:
        """How many rows repeat an earlier one, among those of the values checked."""
        return int(self.counts.sum()) - len(self.hashes)

    @property
    def complete(self) -> bool:
        """Whether no value was left out."""
        return int(self.counts.sum()) == self.total

    @property
    def distinct(self) -> int:
        """How many different values came: exact where `complete`, else (k - 1) 2^64 / h_k of the k smallest hashes,
        but no more than the rows without those that are seen to repeat. How close: `error`."""
        if self.complete:
            return len(self.hashes)
        return min(int((self.bound - 1) * 2**64 // max(1, int(self.hashes[-1]))), self.total - self.repeated)

    @property
    def error(self) -> float | None:
        """The standard error of `distinct`, sqrt(D (D - k + 1) / (k - 2)): with k = 4096 at most 1.6 % of D.

        None where it is exact. Beyer et al., "On synopses for distinct-value estimation under multiset operations",
        SIGMOD 2007.
        """
        if self.complete:
            return None
        most = max(self.distinct, self.bound)
        return math.sqrt(most * (most - self.bound + 1) / (self.bound - 2))

    @property
    def repeated_share(self) -> float:
        """The share of all rows that repeat an earlier one, 1 - distinct / total, as close as `error` / total."""
        return 1 - self.distinct / self.total if self.total else 0.0


def hash_texts(texts: Iterable[str]) -> NDArray[np.uint64]:
    """The first 64 bits of BLAKE2b of each text: uint64 (n,)."""
    digests = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
