"""States of a reduction that are part float, part whole numbers: each part is merged in its own way.

Sums of floats are merged along a fixed tree, where log2(parts) of them wait; sums of whole numbers as they come, for no
order changes them. A large part that is made whole (fixed-point) is therefore there once, not once a level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True)
class Mixed(Generic[S, E]):
    """A state: `ordered` is merged along the tree, `exact` as it comes."""

    ordered: S
    exact: E


@dataclass(frozen=True)
class MixedMerge(Generic[S, E]):
    """How two `Mixed` become one, part by part. `exact` may add into its first argument."""

    ordered: Callable[[S, S], S]
    exact: Callable[[E, E], E]

    def __call__(self, one: Mixed[S, E], other: Mixed[S, E]) -> Mixed[S, E]:
        return Mixed(self.ordered(one.ordered, other.ordered), self.exact(one.exact, other.exact))
