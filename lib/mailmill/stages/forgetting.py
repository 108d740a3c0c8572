"""Forgetting: a person's mail is erased from `raw`, and stays away.

    raw, raw_rejects ──search──▶ keys ──▶ forgotten ──▶ files that hold one are rewritten ──▶ raw, raw_rejects, ledger

`forgotten` is published first: from then on nothing takes that mail again, and whoever starts the command again finds
what is left to do. Then raw, as made of nothing yet, so that no night finds it unchanged: its manifest commits to
what the other two are to become, and to what they are until then, so that nothing is lost where a run is killed. Then
raw_rejects, and the ledger, by which its rows are found. Last raw again, as made of what it was made of. No file is
written again that holds none, and none of before stays. Later stages make their tables without that mail, as rows
that they had mapped are gone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill import schemas
from mailmill.errors import DataError
from mailmill.job import Job
from mailmill.progress import watch
from mailmill.quality import gate, profile
from mailmill.stages.leftovers import erase, sweep
from mailmill.stages.selection import Found, Searching, Selection, search
from mailmill.storage import forgotten, ledger
from mailmill.storage.fragments import Scan, Sink, Written
from mailmill.storage.ledger import Base, day_of
from mailmill.storage.manifests import File, Manifest
from mailmill.storage.places import Places, place_number
from mailmill.storage.sources import SourceObject, fingerprint_objects
from mailmill.storage.tables import Stage

log = logging.getLogger("mailmill")
TABLES = {"raw": schemas.RAW, "raw_rejects": schemas.REJECTS}
PROFILE = gate.output_of("raw")
OUTPUTS = {**TABLES, "ledger": ledger.SCHEMA, PROFILE: schemas.FILES}


@dataclass(frozen=True)
class Part:
    """A task: one file of a table, and its number."""

    number: int
    table: str
    scan: Scan
    file: File


@dataclass(frozen=True)
class Rewriting:
    """What every task needs: the keys of what goes, and where the rest is written."""

    gone: frozenset[str]
    sink: Sink


@dataclass(frozen=True)
class Forgotten:
    """What was done, or would be: messages and rejects that went, of how many objects; what matched nothing."""

    messages: int
    rejects: int
    objects: int
    unmatched: int


def forget(job: Job, selection: Selection, dry_run: bool = False) -> Forgotten:
    """Erase what is selected, and what is left of an earlier call that was stopped; `dry_run`: only look.

    Raises DataError where nothing was taken yet, or nothing is selected that is there.
    """
    stage, base = _open(job)
    known = forgotten.keys(job.workspace)
    parts, found = _search(job, stage, base, Searching(selection, known, Places.of(base.objects)))
    gone = frozenset(key for one in found for key in one.keys)
    hashes = frozenset(each for one in found for each in one.hashes)
    matched = {text for one in found for text in one.matched}
    matched |= {text for key, text in selection.keys.items() if key in known}
    rows = Counter[str]()
    for part, one in zip(parts, found, strict=True):
        rows[part.table] += len(one.keys)
    objects = int(np.isin(_numbers(base.objects), _joined(one.going for one in found)).sum())
    done = Forgotten(rows["raw"], rows["raw_rejects"], objects, len(selection.texts - matched))
    if dry_run:
        return done
    if gone:  # also what is known: its date tells which tables were made before
        forgotten.publish(job.workspace, known | hashes)
    entries, hidden = _ledger(stage, base, _joined(one.staying for one in found)) if known or gone else ([], 0)
    if gone or hidden:
        kept = _rewritten(job, stage, parts, found, gone)
        _publish(job, stage, base, kept + entries)
    for name in stage.outputs:
        erase(job.workspace, name)
    if stage.inputs and not (matched or gone):  # without inputs, this ends what was stopped
        raise DataError(
            f"none of {len(selection.texts)} selections is of a message in {job.workspace.uri_of('raw')}",
            hint="a copy is found by its Message-ID or key alone; what was forgotten before is no longer there",
        )
    return done


def finish(job: Job) -> int:
    """Delete the earlier versions of all tables; how many files that were.

    Raises DataError where a table may still hold what was forgotten.
    """
    if known := forgotten.keys(job.workspace):
        stage, base = _open(job)
        _, found = _search(job, stage, base, Searching(Selection(), known, Places.of(base.objects)))
        if not stage.inputs or any(one.keys for one in found):
            raise DataError(
                f"{job.workspace.uri_of('raw')} holds mail that was forgotten, as after a command that was stopped",
                hint="start `mailmill forget` again with what was named then, and `mailmill run`; then this again",
            )
    return sweep(job)


def _open(job: Job) -> tuple[Stage, Base]:
    """What is published, as raw's manifest commits to it."""
    raw = job.workspace.open("raw", schemas.RAW).manifest
    stage = job.workspace.stage(raw.inputs, raw.settings, OUTPUTS)
    base = ledger.base(stage)
    if base is None:
        raise DataError(f"table {job.workspace.uri_of('raw')} is of an early version", hint="run `mailmill ingest`")
    return stage, base


def _search(job: Job, stage: Stage, base: Base, wanted: Searching) -> tuple[list[Part], list[Found]]:
    """Every file of the tables of messages, and what of it goes."""
    parts: list[Part] = []
    for name in TABLES:
        table = base.table(stage, name)
        scans = table.scans(target_bytes=2**62)
        parts += [
            Part(number, name, scan, file)
            for number, (scan, file) in enumerate(zip(scans, table.manifest.files, strict=True), len(parts))
        ]
    found: dict[int, Found] = {}
    with watch("search", sum(part.file.rows for part in parts)) as progress:
        for number, one in job.engine.run(search, [part.scan for part in parts], wanted):
            found[number] = one
            progress.advance(parts[number].file.rows)
    return parts, [found[number] for number in range(len(parts))]


def _rewritten(
    job: Job, stage: Stage, parts: Sequence[Part], found: Sequence[Found], keys: frozenset[str]
) -> list[Written]:
    """The files of the tables of messages without what goes; those that hold none stay as they are."""
    chosen = [part for part, one in zip(parts, found, strict=True) if one.keys]
    kept = [(part.table, part.file) for part, one in zip(parts, found, strict=True) if not one.keys]
    with watch("forget", len(chosen), "files") as progress:
        task = Rewriting(keys, stage.sink_for(TABLES))
        return kept + job.engine.write_tasks(rewrite, chosen, task, progress, [1] * len(chosen))


def rewrite(part: Part, job: Rewriting) -> list[Written]:
    """Write the rows of a file that stay."""
    with job.sink.open(part.number, prefix=f"day={day_of(part.file)}/kept") as writer:
        for batch in part.scan.batches():
            stays = [key not in job.gone for key in batch.column("key").to_pylist()]
            writer.write(part.table, batch.filter(pa.array(stays, pa.bool_())))
    return writer.written


def _numbers(objects: Sequence[SourceObject]) -> NDArray[np.uint64]:
    return np.array([place_number(each.name) for each in objects], np.uint64)


def _joined(parts: Iterable[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    return np.unique(np.concatenate([np.empty(0, np.uint64), *parts]))


def _ledger(stage: Stage, base: Base, staying: NDArray[np.uint64]) -> tuple[list[Written], int]:
    """The ledger's files, where objects of which no row stays have no name; and how many lost theirs.

    They are those of forgotten mail, and of exact copies: of which mail, nobody knows.
    """
    table, written, hidden = base.table(stage, "ledger"), list[Written](), 0
    for file in table.manifest.files:
        objects = ledger.objects(table.restricted([file]))
        stays = np.isin(_numbers(objects), staying)
        named = [each for each, stay in zip(objects, stays, strict=True) if each.path and not stay]
        hidden += len(named)
        if named:
            entries = [each if stay or not each.path else ledger.nameless(each)
                       for each, stay in zip(objects, stays, strict=True)]  # fmt: skip
            written += ledger.write(entries, day_of(file), stage.sink_for({"ledger": ledger.SCHEMA}))
        else:
            written.append(("ledger", file))
    return written, hidden


def _publish(job: Job, stage: Stage, base: Base, written: list[Written]) -> None:
    """Publish raw first and last, see the module; as made by its code and settings, so that these still tell.

    Counts are as if what is forgotten had never come; its exact copies, of which nobody knows, are duplicates still.
    """
    before, days = job.workspace.manifest("raw"), ledger.counted(base.days, written)
    statistics: dict[str, Any] = {**before.statistics, **ledger.totals(days), "days": days}
    statistics[ledger.COMPANIONS] = ledger.companions(stage, written)
    statistics[ledger.COMPANIONS_BEFORE] = ledger.companions(stage, base.written)
    statistics["reasons"] = job.reasons(stage.draft("raw_rejects", written, schemas.REJECTS))
    inputs = stage.inputs
    if job.config.ingest.keep_gone:  # then they are what the ledger holds, else what was listed
        inputs = {"objects": fingerprint_objects(ledger.objects(stage.draft("ledger", written, ledger.SCHEMA)))}
    raw = stage.draft("raw", written, schemas.RAW)
    quality = job.config.quality
    found = profile.profile(
        raw, job.engine.map_reduce, job.engine.task_bytes, statistics=statistics, before=gate.previous(stage, "raw"),
        sample_rows=quality.sample_rows,
    )  # fmt: skip
    verdict = gate.Gate(quality, job.suites, job.engine.map_reduce, job.engine.task_bytes).judge(found)
    written = written + stage.write_files(PROFILE, found.files() | verdict.files())
    job.workspace.check()
    job.workspace.attempts.ended(stage.run_id)
    made: dict[str, Manifest] = {}
    for name, schema in stage.outputs.items():
        draft = stage.draft(name, written, schema).manifest
        made[name] = replace(draft, inputs=inputs, code=before.code, statistics=statistics)
    job.workspace.publish("raw", replace(made["raw"], inputs={}))
    first, *others = made
    for name in (*others, first):
        job.workspace.publish(name, made[name])
    for manifest in made.values():
        job.workspace.notify("published", manifest)
