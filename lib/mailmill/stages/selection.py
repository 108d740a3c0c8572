"""Which mail shall be forgotten, as people name it: Message-IDs, keys, and the objects that it was read from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill.email.header_values import message_id
from mailmill.storage import forgotten
from mailmill.storage.fragments import Scan
from mailmill.storage.places import Places, place_number
from mailmill.storage.sources import printable


@dataclass(frozen=True)
class Selection:
    """What people wrote, by how it is looked for. Picklable."""

    message_ids: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, message_ids: Collection[str] = (), keys: Collection[str] = (), sources: Collection[str] = (),
        lines: Collection[str] = (),
    ) -> Selection:  # fmt: skip
        """`lines`: each may be any of the three. White space around, and the brackets of a Message-ID, do not count."""
        found = (
            {_plain(text): _plain(text) for text in (*message_ids, *lines)},
            {text.strip().lower(): _plain(text) for text in (*keys, *lines)},
            {printable(text.strip()): _plain(text) for text in (*sources, *lines)},
        )
        return cls(*({name: text for name, text in each.items() if name} for each in found))

    @property
    def texts(self) -> set[str]:
        """What people wrote, each once."""
        return {*self.message_ids.values(), *self.keys.values(), *self.sources.values()}

    def matched(self, key: str, source: str, holder: str, raw: bytes | None) -> set[str]:
        """What names this row; `holder`: the object it lies in; `raw`: its message, None where it has none."""
        found = {self.keys.get(key), self.sources.get(source), self.sources.get(holder)}
        if raw is not None and self.message_ids:
            found.add(self.message_ids.get(message_id(raw)))
        return {text for text in found if text is not None}


def _plain(text: str) -> str:
    return text.strip().strip("<>")


@dataclass(frozen=True)
class Found:
    """What of a file goes: its rows' keys (one a row), what they are `forgotten` by, and what named them;
    `place_number` of the objects of rows that go, and of those that stay."""

    keys: list[str]
    hashes: set[str]
    matched: set[str]
    going: NDArray[np.uint64]
    staying: NDArray[np.uint64]


@dataclass(frozen=True)
class Searching:
    """What every task needs: what is selected, what was forgotten before, and the objects that hold all."""

    selection: Selection
    forgotten: frozenset[str]
    places: Places


def search(scan: Scan, wanted: Searching) -> Found:
    """Look at each row of a file of `raw` or `raw_rejects`; the messages are read only for Message-IDs."""
    keys, hashes, matched, going, staying = list[str](), set[str](), set[str](), set[int](), set[int]()
    for key, source, raw, reject in _rows(scan, bool(wanted.selection.message_ids)):
        holder = wanted.places.holder(source)
        named = wanted.selection.matched(key, source, holder, raw)
        matched |= named
        versions = wanted.places.versions(holder) if reject else []
        if named:
            whole = holder in wanted.selection.sources
            hashes |= forgotten.of_reject(source, versions, whole) if reject else {key}
        known = forgotten.knows_place(wanted.forgotten, source, versions) if reject else key in wanted.forgotten
        goes = bool(named) or known
        keys += [key] * goes
        (going if goes else staying).add(place_number(holder or source))
    return Found(keys, hashes, matched, *(np.fromiter(each, np.uint64, len(each)) for each in (going, staying)))


def _rows(scan: Scan, messages: bool) -> Iterator[tuple[str, str, bytes | None, bool]]:
    """Key, source, the message of raw mail, where they are wanted, and whether it is a reject."""
    for batch in scan.batches(["key", "source", "reason", *(["raw"] if messages else [])]):  # a table has one of two
        nothing, reject = pa.nulls(batch.num_rows), "reason" in batch.schema.names
        raws = batch.column("raw") if "raw" in batch.schema.names else nothing
        columns = (batch.column("key"), batch.column("source"), raws)
        for key, source, raw in zip(*(column.to_pylist() for column in columns), strict=True):
            yield key, source, raw, reject
