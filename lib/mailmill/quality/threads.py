"""No conversation in two splits: verified from two tables of which one knows the thread and one the split.

Two checks, neither a join, both of bounded memory:
- every row: the sum of the keys in each split must be the sum over the keys that the thread's hash sends
  there, so one misplaced row shows;
- independent of that hash: for a fair sample of threads, the splits that their mails really got.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mailmill import schemas
from mailmill.quality.sketches import Names
from mailmill.quality.tally import key_hashes
from mailmill.storage.fragments import Scan

THREADS = 4096
MEMBERS = 8
#: (threads) -> split of each.
SplitOf = Callable[[Sequence[str]], NDArray[np.object_]]


def split_digests(hashes: NDArray[np.uint64], splits: pa.Array | NDArray[np.object_]) -> dict[str, int]:
    """digest.SPLIT: Σ h over the 64-bit hashes h of the keys in each split, an exact whole number.

    A row that is misplaced, or changes places with one of another split, changes two sums. Rows that move in both
    directions may leave them as they are, by a chance of about 2^-64: the hashes have nothing to do with the splits.
    """
    names = splits.to_numpy(zero_copy_only=False) if isinstance(splits, pa.Array) else splits
    found = {}
    for split in schemas.SPLITS:
        chosen = hashes[names == split]
        low, high = (chosen & np.uint64(2**32 - 1)).sum(), (chosen >> np.uint64(32)).sum()
        found[f"digest.{split}"] = int(low) + (int(high) << 32)
    return found


@dataclass(frozen=True)
class Threads:
    """What the clean table says: the digests that the splits should have, and the mails of sampled threads."""

    digests: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def tally_threads(scan: Scan, split_of: SplitOf) -> Threads:
    """One fragment of the clean table; the sampled threads are those of the smallest hashes."""
    found = Threads()
    for batch in scan.batches(["key", "thread"]):
        keys, threads = key_hashes(batch.column("key")), key_hashes(batch.column("thread"))
        digests = split_digests(keys, split_of(batch.column("thread").to_pylist()))
        smallest = np.unique(threads)[:THREADS]
        near = np.flatnonzero(threads <= smallest[-1]) if len(smallest) else np.array([], int)
        members: dict[int, list[int]] = {}
        for thread, key in zip(threads[near].tolist(), keys[near].tolist(), strict=True):
            members.setdefault(thread, []).append(key)
        found = merge_threads(found, Threads(digests, {t: _first(k) for t, k in members.items()}))
    return found


def merge_threads(a: Threads, b: Threads) -> Threads:
    """Two parts together: exact, whatever the order."""
    digests = {n: a.digests.get(n, 0) + b.digests.get(n, 0) for n in sorted({*a.digests, *b.digests})}
    smallest = sorted({*a.members, *b.members})[:THREADS]
    return Threads(digests, {t: _first([*a.members.get(t, ()), *b.members.get(t, ())]) for t in smallest})


def _first(keys: list[int]) -> tuple[int, ...]:
    return tuple(sorted(keys)[:MEMBERS])


@dataclass(frozen=True, eq=False)
class Membership:
    """The sampled mails, for the pass over the features: key hashes ascending, and the thread of each."""

    keys: NDArray[np.uint64]
    threads: NDArray[np.uint64]

    @classmethod
    def of(cls, threads: Threads) -> Membership:
        """Threads of one mail cannot leak and are left out."""
        pairs = sorted((key, thread) for thread, keys in threads.members.items() if len(keys) > 1 for key in keys)
        keys, owners = zip(*pairs, strict=True) if pairs else ((), ())
        return cls(np.array(keys, np.uint64), np.array(owners, np.uint64))

    def splits(self, hashes: NDArray[np.uint64], split: pa.Array) -> Names:
        """How many of the sampled mails of each thread are in each split, as names THREAD/SPLIT."""
        if not len(self.keys):
            return Names(bound=THREADS * 3)
        at = np.minimum(np.searchsorted(self.keys, hashes), len(self.keys) - 1)
        hits = np.flatnonzero(self.keys[at] == hashes)
        found = pc.take(split, pa.array(hits)).to_pylist()
        owners = self.threads[at[hits]].tolist()
        return Names.of(((f"{o:016x}/{s}", 1) for o, s in zip(owners, found, strict=True)), bound=THREADS * 3)


def leaking(members: Names) -> tuple[int, int]:
    """(threads checked, threads of which mails are in more than one split)."""
    splits: dict[str, set[str]] = {}
    for name in members.counts:
        thread, split = name.split("/", 1)
        splits.setdefault(thread, set()).add(split)
    return len(splits), sum(len(found) > 1 for found in splits.values())
