"""The pairs of a factorisation in a file on disk, in the order in which they are trained on.

Words fall into S strata (see `parameters.Layout`), pairs into S x S blocks by the strata of word and context.
The S blocks (a, (a + r) mod S) of round r have no row in common: threads work on them at once, without locks
and without touching each other's numbers, so the result has the same bits for any number of threads (the
stratification of Gemulla et al., "Large-scale matrix factorization with distributed stochastic gradient
descent", KDD 2011, in place of the races of Hogwild). A round's blocks lie side by side: it is read in one
run from the disk. Within a block pairs are sorted by word, whose row stays in the cache.

Sorting takes two passes and a bounded amount of memory: pairs into buckets of neighbouring blocks, then each
bucket alone. The file is a function of the counts, whatever order and files they come in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.features.cooccurrence import Counts
from mailmill.features.parameters import Layout
from mailmill.storage.disk import replacing

#: A pair in the file: rows of the word and of the context word, log X, f(X).
PAIR = np.dtype([("row", "<i4"), ("context", "<i4"), ("log_count", "<f4"), ("weight", "<f4")])

DATA, BOUNDS = "pairs.bin", "bounds.json"

#: Pairs that are sorted in memory at once, about 50 bytes each.
CHUNK = 1 << 22
_MOST_BUCKETS = 4096
_RAW = np.dtype([("i", "<i4"), ("j", "<i4"), ("x", "<i8")])


@dataclass(frozen=True)
class Weighting:
    """f(X) = min((X / x_max)^alpha, 1); counts are in units of 1 / `unit`."""

    unit: int
    x_max: float = 100.0
    alpha: float = 0.75


class PairFile:
    """A complete file of pairs, mapped. `pairs` (n,) of `PAIR`; block (r, a) is bounds[r S + a] to the next."""

    def __init__(self, folder: Path) -> None:
        document = json.loads((folder / BOUNDS).read_text())
        self.bounds: NDArray[np.int64] = np.array(document["bounds"], np.int64)
        self.pairs: NDArray[Any] = np.memmap(folder / DATA, PAIR, mode="r") if self.bounds[-1] else np.empty(0, PAIR)
        if len(self.pairs) != self.bounds[-1]:
            raise ValueError("the file of pairs has another length than its index says")

    def __len__(self) -> int:
        return len(self.pairs)


def write_pairs(
    folder: Path, counts: Iterable[Counts], total: int, layout: Layout, weighting: Weighting, chunk: int = CHUNK
) -> PairFile:
    """Write both directions of every counted pair (i <= j), see `cooccurrence.count_pairs`, and its index last.

    counts: each pair once, in any order. total: about how many, to choose the size of buckets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blocks = layout.strata**2
    buckets = int(min(max(1, 2 * total // chunk), blocks, _MOST_BUCKETS))
    paths = [folder / f"bucket-{number:04d}" for number in range(buckets)]
    for path in paths:
        path.unlink(missing_ok=True)
    for i, j, x in counts:
        _spread(i, j, x, layout, paths)
    sizes = np.zeros(blocks, np.int64)
    with replacing(folder / DATA) as temporary, temporary.open("wb") as data:
        for path in paths:
            if path.exists():
                pairs, keys = _ordered(np.fromfile(path, _RAW), layout, weighting)
                sizes += np.bincount(keys // layout.depth**2, minlength=blocks)
                data.write(pairs.tobytes())  # tofile says nothing of a disk that fills as it closes
                path.unlink()
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    with replacing(folder / BOUNDS) as temporary:
        temporary.write_text(json.dumps({"bounds": bounds.tolist()}))
    return PairFile(folder)


def _spread(
    i: NDArray[np.int32], j: NDArray[np.int32], x: NDArray[np.int64], layout: Layout, paths: list[Path]
) -> None:
    """Append both directions of the pairs to the buckets of their blocks."""
    other = i != j
    raw = np.empty(len(i) + int(other.sum()), _RAW)
    raw["i"], raw["j"] = np.concatenate([i, j[other]]), np.concatenate([j, i[other]])
    raw["x"] = np.concatenate([np.where(other, x, 2 * x), x[other]])
    bucket = _blocks(raw, layout) * len(paths) // layout.strata**2
    order = np.argsort(bucket, kind="stable")
    cuts = np.searchsorted(bucket[order], np.arange(len(paths) + 1))
    for path, start, stop in zip(paths, cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        if stop > start:
            with path.open("ab") as stream:
                stream.write(raw[order[start:stop]].tobytes())


def _blocks(raw: NDArray[Any], layout: Layout) -> NDArray[np.int64]:
    """r S + a for the block of each pair, with r = (b - a) mod S."""
    own, other = raw["i"].astype(np.int64) % layout.strata, raw["j"].astype(np.int64) % layout.strata
    blocks: NDArray[np.int64] = (other - own) % layout.strata * layout.strata + own
    return blocks


def _ordered(raw: NDArray[Any], layout: Layout, weighting: Weighting) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """A bucket's pairs by block, word and context, ready for training; and their keys."""
    own, other = raw["i"] // layout.strata, raw["j"] // layout.strata
    keys = (_blocks(raw, layout) * layout.depth + own) * layout.depth + other
    order = np.argsort(keys)
    raw, keys = raw[order], keys[order]
    counts = raw["x"] / weighting.unit
    pairs = np.empty(len(raw), PAIR)
    places = layout.places()
    pairs["row"], pairs["context"] = places[raw["i"]], places[raw["j"]]
    pairs["log_count"] = np.log(counts)
    pairs["weight"] = np.minimum((counts / weighting.x_max) ** weighting.alpha, 1)
    return pairs, keys
