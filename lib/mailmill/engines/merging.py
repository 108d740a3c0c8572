"""Reduction in one fixed order: pairs, pairs of pairs, and so on, by task number.

Floating-point addition is not associative, so a sum depends on its order. Here parts are merged
along the same binary tree on every engine, whichever worker is faster:

    ((0 1) (2 3)) ((4 5) 6)

An aligned block of 2^k tasks is a whole subtree, so a worker can reduce a block by itself and the
driver the blocks, with the same result to the last bit as one process merging them all.

The tree has a price: log2(parts) partial results wait in it. Counts of integers need no tree, see `Fold`; where only
a part of a state is whole numbers, see `Both`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar, cast

from mailmill.mixed import Mixed, MixedMerge

S = TypeVar("S")
E = TypeVar("E")


class Merging(Protocol[S]):
    """Merges numbered parts that may arrive in any order."""

    def add(self, number: int, part: S) -> None:
        """Take part `number` (0 .. parts - 1)."""

    def result(self) -> S:
        """All parts together. Every part must have been added."""
        ...


class TreeMerge(Generic[S]):
    """Merges numbered parts that may arrive in any order, along the fixed tree."""

    def __init__(self, parts: int, merge: Callable[[S, S], S]) -> None:
        self._merge = merge
        self._widths = [parts]
        while self._widths[-1] > 1:
            self._widths.append((self._widths[-1] + 1) // 2)
        self._waiting: dict[tuple[int, int], S] = {}

    def add(self, number: int, part: S) -> None:
        """Take part `number` (0 .. parts - 1) and merge as far up the tree as its neighbours allow."""
        level = 0
        while level < len(self._widths) - 1:
            sibling = number ^ 1
            if sibling < self._widths[level]:
                if (level, sibling) not in self._waiting:
                    break
                other = self._waiting.pop((level, sibling))
                part = self._merge(part, other) if number < sibling else self._merge(other, part)
            number, level = number // 2, level + 1
        self._waiting[level, number] = part

    def result(self) -> S:
        """The root. Every part must have been added."""
        ((_, root),) = self._waiting.items()
        return root


class Fold(Generic[S]):
    """Merges parts as they come, so that none waits: for a merge of which no order changes a bit."""

    def __init__(self, merge: Callable[[S, S], S]) -> None:
        self._merge = merge
        self._found: list[S] = []

    def add(self, number: int, part: S) -> None:
        """Take a part; its number does not matter."""
        self._found = [self._merge(self._found.pop(), part) if self._found else part]

    def result(self) -> S:
        """All parts together. One at least must have been added."""
        return self._found[0]


class Both(Generic[S, E]):
    """Merges the ordered parts of `Mixed` states along the tree, and their exact parts as they come."""

    def __init__(self, parts: int, merge: MixedMerge[S, E]) -> None:
        self._ordered, self._exact = TreeMerge(parts, merge.ordered), Fold(merge.exact)

    def add(self, number: int, part: Mixed[S, E]) -> None:
        """Take part `number` (0 .. parts - 1)."""
        self._ordered.add(number, part.ordered)
        self._exact.add(number, part.exact)

    def result(self) -> Mixed[S, E]:
        """All parts together. Every part must have been added."""
        return Mixed(self._ordered.result(), self._exact.result())


def merging(parts: int, merge: Callable[[S, S], S], exact: bool) -> Merging[S]:
    """What merges so many parts: along the tree, or as they come where the merge is `exact` in every order, or both."""
    if isinstance(merge, MixedMerge):
        return cast("Merging[S]", Both(parts, merge))
    return Fold(merge) if exact else TreeMerge(parts, merge)


def merge_all(parts: Iterable[S], count: int, merge: Callable[[S, S], S], exact: bool = False) -> S:
    """Merge `count` parts given in order, see `merging`. Holds O(log count) of them at a time, or two if `exact`."""
    merged = merging(count, merge, exact)
    coming = iter(parts)
    for number in range(count):
        merged.add(number, next(coming))  # no name for the part: it would outlive its merge
    return merged.result()


def block_size(tasks: int, blocks_wanted: int) -> int:
    """The largest power of two that still cuts `tasks` into at least `blocks_wanted` blocks (at least 1)."""
    size = 1
    while tasks // (size * 2) >= blocks_wanted:
        size *= 2
    return size
