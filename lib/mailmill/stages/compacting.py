"""Compaction: a table that grew night by night has many small files; they become few, with the same rows.

The fingerprint of a table does not depend on its files, so a compacted table is the same table to every later stage,
and is checked to be. Each new file remembers the files it was made from, so stages that had mapped those need not map
it again. Partitions by day stay apart: a day can still be run again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq

from mailmill.errors import InfrastructureError
from mailmill.job import Job
from mailmill.progress import watch
from mailmill.storage import manifests
from mailmill.storage.filesystems import join
from mailmill.storage.fragments import Scan, Sink, Written
from mailmill.storage.ledger import day_of
from mailmill.storage.manifests import File, Manifest, digest_of_rows
from mailmill.storage.tables import Table

log = logging.getLogger("mailmill")
#: Tables that are published together, the one that commits first.
GROUPS = (("raw", "raw_rejects", "ledger"), ("clean", "rejects"), ("labels",), ("features",))


@dataclass(frozen=True)
class Bin:
    """A task: files of one partition that become one."""

    number: int
    folder: str
    scans: tuple[Scan, ...]
    files: tuple[File, ...]


@dataclass(frozen=True)
class Merging:
    """What every task needs: the table's name, and where its files go."""

    name: str
    sink: Sink


def compact(job: Job) -> dict[str, tuple[int, int]]:
    """Compact every published table that rows are added to; name -> files before and after, where that changed."""
    changed = {}
    for group in GROUPS:
        found = {name: manifest for name in group if (manifest := job.workspace.find(name)) is not None}
        if not _together(list(found.values())):
            log.warning(
                "%s: not compacted, a run was stopped while it published them; start it again", ", ".join(found)
            )
            continue
        run_id = manifests.new_run_id()
        job.workspace.attempts.begun(run_id, [join(job.workspace.uri_of(name), f"run_id={run_id}") for name in found])
        made = {name: _compacted(job, manifest, run_id) for name, manifest in found.items()}
        if all(len(made[name].files) == len(found[name].files) for name in found):
            continue
        job.workspace.check()
        job.workspace.attempts.ended(run_id)
        for name in reversed(list(made)):
            job.workspace.publish(name, made[name])
            job.workspace.notify("published", made[name])
            before, after = len(found[name].files), len(made[name].files)
            if after != before:
                changed[name] = (before, after)
                log.info("%s compacted: files=%d before=%d", name, after, before)
    if not changed:
        log.info("compact unchanged: no table has small files to join")
    return changed


def _together(found: Sequence[Manifest]) -> bool:
    """Whether one run made all. Joined with others, files that are not committed could not be left out any more."""
    return all(each.made_from(found[0].inputs, found[0].settings, found[0].code) for each in found)


def bins(files: Iterable[File], target_bytes: int) -> list[list[File]]:
    """Neighbours, by day and path, of less than half of `target_bytes` each, joined up to about `target_bytes`."""
    found: list[list[File]] = []
    small = sorted((f for f in files if f.bytes < target_bytes / 2), key=lambda f: (day_of(f), f.path))
    for _, partition in groupby(small, key=day_of):
        current: list[File] = []
        size = 0
        for file in partition:
            if current and size + file.bytes > target_bytes:
                found.append(current)
                current, size = [], 0
            current.append(file)
            size += file.bytes
        found.append(current)
    return [joined for joined in found if len(joined) > 1]


def merge(task: Bin, job: Merging) -> list[Written]:
    """Write the rows of a bin's files as one file that remembers them."""
    with job.sink.open(task.number, prefix=f"{task.folder}compact") as writer:
        for scan in task.scans:
            for batch in scan.batches():
                writer.write(job.name, batch)
    origins = tuple(origin for file in task.files for origin in file.origins)
    return [(name, replace(file, merged=origins)) for name, file in writer.written]


def _compacted(job: Job, manifest: Manifest, run_id: str) -> Manifest:
    """The manifest of the compacted table, its files written; every manifest of a group gets the same run."""
    uri = job.workspace.uri_of(manifest.table)
    chosen = bins(manifest.files, job.config.tables.fragment_bytes)
    files = manifest.files
    if chosen:
        schema = _schema(job, join(uri, files[0].path))
        table = Table(job.storage, uri, manifest, schema)
        tasks = []
        for number, members in enumerate(chosen):
            day = day_of(members[0])
            scans = tuple(table.restricted(members).scans(target_bytes=2**62))
            tasks.append(Bin(number, f"day={day}/" if day else "", scans, tuple(members)))
        folders = {manifest.table: (uri, f"run_id={run_id}")}
        sink = Sink(job.storage, folders, {manifest.table: schema}, job.config.tables)
        with watch(f"compact {manifest.table}", sum(len(task.files) for task in tasks), "files") as progress:
            sizes = [len(task.files) for task in tasks]
            written = job.engine.write_tasks(merge, tasks, Merging(manifest.table, sink), progress, sizes)
        gone = {file.path for members in chosen for file in members}
        files = sorted([f for f in files if f.path not in gone] + [f for _, f in written], key=lambda f: f.path)
        if table.restricted(files).rows != manifest.rows or digest_of_rows(files) != digest_of_rows(manifest.files):
            table.require_whole()
            raise InfrastructureError(
                f"compaction of {uri} would change its rows; nothing was changed", hint="start it again"
            )
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(manifest, run_id=run_id, created=created, files=files, previous_run=manifest.run_id)


def _schema(job: Job, uri: str) -> pa.Schema:
    with manifests.mendable(job.storage, uri), job.storage.open(uri) as stream:
        return pq.read_schema(stream)
