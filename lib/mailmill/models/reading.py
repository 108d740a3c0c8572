"""How many bytes a fit reads, from the table's files and from the local cache, over all workers.

A worker counts what it reads; each partial result brings home the difference that it made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial as bound
from typing import Any, Generic, TypeVar, cast

from mailmill.mixed import Mixed, MixedMerge
from mailmill.models.data import Fragment, MapReduce

B = TypeVar("B")
S = TypeVar("S")


@dataclass
class Reading:
    """Bytes read so far by this process: of the table's files (compressed) and of the cache (whole arrays, mapped)."""

    source_bytes: int = 0
    cache_bytes: int = 0


READING = Reading()


@dataclass(frozen=True)
class Metered(Generic[S]):
    """A partial result and the bytes that were read for it."""

    state: S
    source_bytes: int
    cache_bytes: int


class Meter:
    """A `MapReduce` that passes everything on to another one and adds up what the workers read."""

    def __init__(self, map_reduce: MapReduce) -> None:
        self._map_reduce = map_reduce
        self.source_bytes = 0
        self.cache_bytes = 0

    def __call__(
        self, partial: Callable[[Fragment, B], S], merge: Callable[[S, S], S], broadcast: B, *, exact: bool = False
    ) -> S:
        """See `MapReduce`."""
        if isinstance(merge, MixedMerge):
            return cast(S, self._mixed(partial, merge, broadcast))
        metered: Callable[[Fragment, B], Metered[S]] = bound(_metered, partial)
        merged: Callable[[Metered[S], Metered[S]], Metered[S]] = bound(_merged, merge)
        return self._counted(self._map_reduce(metered, merged, broadcast, exact=exact))

    def _mixed(self, partial: Callable[[Fragment, B], Any], merge: MixedMerge[Any, Any], broadcast: B) -> Any:
        """The merge stays a `MixedMerge`: an engine that saw another would merge its exact part along the tree."""
        beside = MixedMerge(bound(_merged, merge.ordered), merge.exact)
        found = self._map_reduce(bound(_metered_mixed, partial), beside, broadcast)
        return Mixed(self._counted(found.ordered), found.exact)

    def _counted(self, found: Metered[S]) -> S:
        self.source_bytes += found.source_bytes
        self.cache_bytes += found.cache_bytes
        return found.state


def _metered(function: Callable[[Fragment, Any], S], fragment: Fragment, broadcast: Any) -> Metered[S]:
    source, cache = READING.source_bytes, READING.cache_bytes
    state = function(fragment, broadcast)
    return Metered(state, READING.source_bytes - source, READING.cache_bytes - cache)


def _metered_mixed(function: Callable[[Fragment, Any], Any], fragment: Fragment, broadcast: Any) -> Any:
    found = _metered(function, fragment, broadcast)
    return Mixed(replace(found, state=found.state.ordered), found.state.exact)


def _merged(merge: Callable[[S, S], S], a: Metered[S], b: Metered[S]) -> Metered[S]:
    return Metered(merge(a.state, b.state), a.source_bytes + b.source_bytes, a.cache_bytes + b.cache_bytes)
