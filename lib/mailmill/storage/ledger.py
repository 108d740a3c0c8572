"""The ledger: which objects the raw table was made from, so that a nightly run takes only what is new.

    base = what of the raw table stays; with `--as-of`, partitions of days before that one
    new  = objects listed now - objects in the ledger of the base

An object that held forgotten mail, and nothing that stays, is known by the hash of its identity alone, for its name
may be a person's.

A run appends files under `day=DATE/` and a part to the ledger; nothing is written again. The raw table's manifest is
the commit of all three (raw, raw_rejects, ledger): it names the other two by fingerprint, so a run that was killed
between two manifests is seen, and undone by leaving out the files that it had added. Where it had not added but made
anew, all mail is read again: only with `ingest.keep_gone`, which always adds, would that lose any.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import pyarrow as pa

from mailmill.errors import DataError
from mailmill.storage import manifests
from mailmill.storage.fingerprint import table_fingerprint
from mailmill.storage.fragments import Sink, Written
from mailmill.storage.manifests import File, Manifest
from mailmill.storage.sources import SourceObject
from mailmill.storage.tables import Stage, Table

#: A row an object: where, how large, which content, when it changed, and the day whose run took it.
SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("etag", pa.string(), nullable=False),
        pa.field("modified", pa.float64(), nullable=False),
        pa.field("day", pa.string(), nullable=False),
    ]
)
COMPANIONS = "companions"  # a statistic of raw mail: the fingerprints of the outputs besides it
COMPANIONS_BEFORE = "companions_before"  # and those of before, until the publication that replaces them is complete
COUNTS = ("objects", "messages", "duplicates", "rejects")
_DAY = re.compile(r"/day=(\d{4}-\d\d-\d\d)/")


class Mismatch(DataError):
    """The manifests of raw, raw_rejects and ledger are of runs that do not go together."""


@dataclass(frozen=True)
class Base:
    """What a growing raw table keeps: files of raw, raw_rejects and ledger, objects in them and counts, both by day."""

    written: list[Written] = field(default_factory=list)
    taken: dict[str, list[SourceObject]] = field(default_factory=dict)
    days: dict[str, dict[str, int]] = field(default_factory=dict)

    @cached_property
    def objects(self) -> list[SourceObject]:
        """The objects of all days."""
        return list(chain.from_iterable(self.taken.values()))

    def before(self, day: str) -> Base:
        """What was taken on days before this one."""
        if all(known < day for known in self.days):
            return self
        written = [(name, file) for name, file in self.written if day_of(file) < day]
        taken = {known: objects for known, objects in self.taken.items() if known < day}
        return Base(written, taken, {known: counts for known, counts in self.days.items() if known < day})

    def table(self, stage: Stage, name: str) -> Table:
        """The kept part of one output."""
        return stage.draft(name, self.written, stage.outputs[name])


def base(stage: Stage) -> Base | None:
    """What was published before; None where nothing was.

    Raises Mismatch where raw, raw_rejects and ledger do not go together.
    """
    first, *others = _tables(stage)
    raw = stage.previous[first]
    if raw is None or "days" not in raw.statistics:
        return None
    kept: list[Written] = [(first, file) for file in raw.files]
    for name in others:
        kept += [(name, file) for file in _as_committed(stage, name, raw)]
    return Base(kept, _taken(stage.draft("ledger", kept, SCHEMA)), counted(raw.statistics["days"], kept))


def day_of(file: File) -> str:
    """The day of the partition that a file lies in."""
    found = _DAY.search(file.path)
    return found[1] if found else ""


def identity(found: SourceObject) -> bytes:
    """16 bytes over path, size and content's tag: the same for the same content at the same place."""
    if not found.path:
        return bytes.fromhex(found.etag)
    return hashlib.blake2b(f"{found.name}\0{found.size}\0{found.etag}".encode(), digest_size=16).digest()


def nameless(found: SourceObject) -> SourceObject:
    """The object as the ledger knows it by its identity alone."""
    return SourceObject("", 0, identity(found).hex())


def fresh(
    objects: Iterable[SourceObject], taken: Iterable[SourceObject]
) -> tuple[list[SourceObject], list[SourceObject]]:
    """The objects that are not among those taken, and those taken that are no longer there as they were.

    One without a name is not missed: it held what was forgotten, or copies.
    """
    listed = {identity(found): found for found in objects}
    missing = [known for known in taken if listed.pop(identity(known), None) is None and known.path]
    return list(listed.values()), missing


def write(objects: Sequence[SourceObject], day: str, sink: Sink) -> list[Written]:
    """Add a part to the ledger: the objects that a run has taken, by path."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for found in sorted(objects, key=lambda each: each.name):
        for name, value in zip(columns, (found.name, found.size, found.etag, found.modified, day), strict=True):
            columns[name].append(value)
    with sink.open(0, prefix=f"day={day}/objects") as writer:
        for batch in pa.table(columns, schema=SCHEMA).to_batches(max_chunksize=65536):
            writer.write("ledger", batch)
    return writer.written


def counted(days: Mapping[str, Mapping[str, int]], written: Iterable[Written]) -> dict[str, dict[str, int]]:
    """The counts by day of what these files hold: messages are rows, rejects and the duplicates that were left out."""
    rows = Counter[tuple[str, str]]()
    for name, file in written:
        rows[name, day_of(file)] += file.rows
    found = {}
    for day, counts in days.items():
        rejects = rows["raw_rejects", day]
        messages = rows["raw", day] + rejects + counts["duplicates"]
        found[day] = {**counts, "messages": messages, "rejects": rejects}
    return found


def totals(days: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The counts of all days together."""
    return {name: sum(counts[name] for counts in days.values()) for name in COUNTS}


def companions(stage: Stage, written: Sequence[Written]) -> dict[str, str]:
    """The fingerprints of the outputs besides the first: what its manifest names them by."""
    _, *names = _tables(stage)
    return {name: stage.draft(name, written, stage.outputs[name]).fingerprint for name in names}


def _tables(stage: Stage) -> list[str]:
    """The outputs that are tables; files such as a profile are made anew each time."""
    return [name for name, schema in stage.outputs.items() if len(schema)]


def _as_committed(stage: Stage, name: str, raw: Manifest) -> list[File]:
    """The files of an output that the raw table's manifest commits to."""
    expected = {raw.statistics.get(kind, {}).get(name) for kind in (COMPANIONS, COMPANIONS_BEFORE)} - {None}
    found = stage.previous[name]
    files = found.files if found else []
    older = [file for file in files if found and not file.path.startswith(f"run_id={found.run_id}/")]
    for candidate in (files, older):
        rows = sum(file.rows for file in candidate)
        if table_fingerprint(stage.outputs[name], rows, manifests.digest_of_rows(candidate)) in expected:
            return candidate
    raise Mismatch(
        f"tables {raw.table} and {name} in {stage.workspace.root} do not go together",
        hint=f"restore both from a backup, or {manifests.anew(stage.workspace.uri_of(raw.table))}",
    )


def objects(ledger: Table) -> list[SourceObject]:
    """The objects of a ledger, or of a part of it."""
    return list(chain.from_iterable(_taken(ledger).values()))


def _taken(ledger: Table) -> dict[str, list[SourceObject]]:
    found: dict[str, list[SourceObject]] = {}
    for scan in ledger.scans():
        for batch in scan.batches(SCHEMA.names):
            for *row, day in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found.setdefault(day, []).append(SourceObject(*row))
    return found
