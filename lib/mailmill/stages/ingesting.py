"""Ingest: objects -> `raw`, a partition a day. The raw table grows; what was taken is not read again.

`raw` holds each message once, whatever day its copies came on. Files of a day are a function of its objects and of
the keys before them, so a day that is run again (`--as-of`) has the same bytes, if its objects are the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa

from mailmill import schemas
from mailmill.engines import Grouping
from mailmill.errors import DataError
from mailmill.job import Job, done, outdated, skipped
from mailmill.progress import watch
from mailmill.stages import unread
from mailmill.stages.gone import Gone
from mailmill.stages.unread import Unread
from mailmill.storage import duplicates, forgotten, ledger, loading, manifests
from mailmill.storage.containers import Limits
from mailmill.storage.fragments import Written, rows_of
from mailmill.storage.ledger import Base
from mailmill.storage.lookup import Lookup, keys_of
from mailmill.storage.manifests import MADE_BY
from mailmill.storage.places import Places
from mailmill.storage.sources import SourceObject, fingerprint_objects, plan_batches, printable
from mailmill.storage.tables import Stage, Table

log = logging.getLogger("mailmill")
#: A statistic of raw mail that was taken for one command alone ("score"), which may take other mail in its place.
TAKEN_FOR = "taken_for"
OUTPUTS = {"raw": schemas.RAW, "raw_rejects": schemas.REJECTS, "ledger": ledger.SCHEMA}


def ingest(job: Job, taken_for: str = "") -> Table:
    """Take every object that is new: a row a message, exact duplicates once; what cannot be used -> `raw_rejects`.

    An object that cannot be read at all (it is gone, or not ours to read) is counted as `unread`, and tried again.
    Raises InfrastructureError where that is all that is new, unless it is what an earlier night found as well.
    Where an object that was taken is gone or has changed, all are read again, unless `ingest.keep_gone`; likewise
    after a change of code or settings. Raises DataError where a folder of such is empty, see `gone.Gone`.
    `ingest.as_of`: the tables as they were at the end of that day, made of the mail that is there; with
    `ingest.keep_gone`, which never gives up mail that was taken, no more than that later mail is not taken.
    `taken_for`: see `TAKEN_FOR`.
    """
    settings = job.config.ingest
    as_of = settings.as_of.isoformat() if settings.as_of else None
    day = as_of or datetime.now(UTC).date().isoformat()
    emptied = settings.keep_gone and job.workspace.find("raw") is not None  # a landing place may be empty
    found = job.inputs(emptied)
    listed = _up_to(as_of, found)
    if not listed and not emptied:
        raise DataError(f"no mail up to {day} in {', '.join(job.config.input.paths)}", hint="see --as-of")
    parameters = settings.model_dump(mode="json", exclude={"as_of", "keep_gone", "drop_emptied"})
    stage = job.stage({"objects": fingerprint_objects(listed)}, [parameters], OUTPUTS)
    if Unread().stand(stage):
        return skipped(stage, "raw")
    known = _base(stage, settings.keep_gone)
    base = known.before(as_of) if known and as_of and not settings.keep_gone else known
    new, missing = ledger.fresh(listed, base.objects if base else ())
    why = outdated(stage)
    if not settings.keep_gone:
        gone = _gone(known, base, missing, found)
        if not (settings.drop_emptied or taken_for):
            gone.require_mounted(job.config.input.paths)
        anew = f"raw is made anew, of all {len(listed)} objects" if why or missing else ""
        _tell(anew, why, gone, logging.INFO if taken_for else logging.WARNING)
    if base is None or ((missing or why) and not settings.keep_gone):
        base, new = Base(), listed
    elif why:
        log.info("raw stays as it was taken, with ingest.keep_gone: %s", why)
    if settings.keep_gone:
        stage = replace(stage, inputs={"objects": fingerprint_objects([*base.objects, *new])})
        if Unread().stand(stage):
            return skipped(stage, "raw")
    elif base.objects:
        log.info("ingest: %d of %d objects are new", len(new), len(listed))
    return _take(job, stage, base, new, day, {TAKEN_FOR: taken_for} if taken_for else {})


def _gone(known: Base | None, base: Base | None, missing: list[SourceObject], found: list[SourceObject]) -> Gone:
    """What is gone of all that was taken: of the base (`missing`), and of days that are taken again."""
    days = known.taken if known and base else {}
    again = [taken for day, objects in days.items() if base and day not in base.taken for taken in objects]
    return Gone([*missing, *(ledger.fresh(found, again)[1] if again else [])], found)


def _tell(anew: str, why: str, gone: Gone, level: int) -> None:
    """Say that all objects are read again (`anew`), and why; at `level` that mail leaves the tables, being gone."""
    if anew or gone.lost:
        said = "; ".join(filter(None, [why, gone.words]))
        log.log(level if gone.lost else logging.INFO, "%s: %s", anew or "mail leaves the tables", said)


def _up_to(as_of: str | None, found: list[SourceObject]) -> list[SourceObject]:
    """The objects of days up to this one. How many are of later days is told, and warned of where those are to come."""
    if as_of is None:
        return found
    taken, later = list[SourceObject](), list[SourceObject]()
    for each in found:
        (taken if each.day <= as_of else later).append(each)
    if later:
        log.info("ingest: %d objects of days after %s are left to later runs", len(later), as_of)
    today = datetime.now(UTC).date().isoformat()
    if to_come := [each for each in later if each.day > today]:
        log.warning(
            "ingest: %d objects are dated after today, e.g. %s of %s: no run takes them before; is a clock wrong?",
            len(to_come), to_come[0].name, to_come[0].day,
        )  # fmt: skip
    return taken


def _take(job: Job, stage: Stage, base: Base, new: list[SourceObject], day: str, besides: Mapping[str, Any]) -> Table:
    """Read the new objects into the day's partition and publish it with what stays; `besides`: statistics more.

    Where none of them can be read, that is published before it is raised: by that a later night knows them again.
    """
    settings = job.config.ingest
    planned = plan_batches(new, settings.batch_bytes, settings.batch_objects)
    batches = [loading.Batch(number, tuple(batch)) for number, batch in enumerate(planned)]
    limits = Limits(settings.max_message_bytes, settings.max_archive_bytes)
    sink = stage.sink_for({name: OUTPUTS[name] for name in ("raw", "raw_rejects")} | loading.SCRATCH)
    task = loading.Loading(job.storage, sink, limits, f"day={day}", forgotten.keys(job.workspace))
    written: list[Written] = []
    if batches:
        with watch("ingest", len(new), "objects") as progress:
            sizes = [len(batch.objects) for batch in batches]
            written = job.engine.write_tasks(loading.load_batch, batches, task, progress, sizes)
    left = unread.of(stage, written, new)
    besides = {**left.statistics, **besides}
    if not left.objects:
        return _publish(job, stage, base, new, written, day, besides)
    taken = [found for found in new if found not in left.objects]
    if not taken and _gives_up(stage, base):
        raise left.failure()
    fails = left.fails
    if not fails:
        log.warning(
            "ingest: %d of %d objects could not be read, e.g. %s; the next run tries them again",
            len(left.objects), len(new), left.example,
        )  # fmt: skip
    stage = replace(stage, inputs={"objects": fingerprint_objects([*base.objects, *taken])})
    table = skipped(stage, "raw") if left.stand(stage) else _publish(job, stage, base, taken, written, day, besides)
    if fails:
        raise left.failure()
    return table


def _gives_up(stage: Stage, base: Base) -> bool:
    """Whether nothing was published, or mail that was taken before is not in the base."""
    raw = stage.previous["raw"]
    return raw is None or not base.objects or len(base.objects) < raw.statistics["objects"]


def _publish(
    job: Job, stage: Stage, base: Base, taken: Sequence[SourceObject], written: list[Written], day: str,
    besides: Mapping[str, Any],
) -> Table:  # fmt: skip
    """Publish what was read of the objects taken with what stays; `besides`: statistics more."""
    read, unusable = rows_of(written, "raw"), rows_of(written, "raw_rejects")
    written = _drop_duplicates(job, stage, written, base, f"day={day}") if read else written
    counts = {"objects": len(taken), "messages": read + unusable, "rejects": unusable}
    counts["duplicates"] = read - rows_of(written, "raw")
    days = {name: dict(values) for name, values in base.days.items()}
    known = days.setdefault(day, dict.fromkeys(ledger.COUNTS, 0))
    days[day] = {name: known[name] + counts[name] for name in ledger.COUNTS}
    if taken:
        names = _nameless(stage, written, taken)
        known_now = [ledger.nameless(found) if found.name in names else found for found in taken]
        written += ledger.write(known_now, day, stage.sink_for({"ledger": ledger.SCHEMA}))
    written = base.written + written
    rejects = stage.draft("raw_rejects", written, schemas.REJECTS)
    reasons = job.reasons(rejects)
    if reasons and not rows_of(written, "raw"):  # which is not published: the table that would tell goes with it
        log.warning("ingest: no message could be read: %s; e.g. %s", _counted(reasons), _first(rejects))
    besides = {**_read_below(job, stage, base), **besides}
    statistics = ledger.totals(days) | {"days": days, ledger.COMPANIONS: ledger.companions(stage, written)}
    return done(job.publish(stage, written, statistics | {"reasons": reasons, **besides}), "raw")


def _nameless(stage: Stage, written: Sequence[Written], taken: Sequence[SourceObject]) -> set[str]:
    """The names of objects that held forgotten mail, and of which there is no row: others would be missed."""
    names = set(_sources(stage, "nameless", loading.NAMELESS, written))
    if not names:
        return names
    places = Places.of(taken)
    rows = chain.from_iterable(_sources(stage, name, OUTPUTS[name], written) for name in ("raw", "raw_rejects"))
    return names.difference(map(places.holder, rows))


def _sources(stage: Stage, name: str, schema: pa.Schema, written: Sequence[Written]) -> Iterator[str]:
    for scan in stage.draft(name, written, schema).scans():
        for batch in scan.batches(["source"]):
            yield from batch.column("source").to_pylist()


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def _first(rejects: Table) -> str:
    """Sources and reasons of the first three rows, for people."""
    columns = ["source", "reason", "detail"]
    rows = (row for scan in rejects.scans() for batch in scan.batches(columns) for row in batch.to_pylist())
    told = []
    for row in islice(rows, 3):
        why = ": ".join(filter(None, (row["reason"], row["detail"])))
        told.append(f"{printable(row['source'])} ({why})")
    return "; ".join(told)


def _read_below(job: Job, stage: Stage, base: Base) -> dict[str, Any]:
    """The statistic of where the objects were read; none where some are kept of a version that did not record it."""
    paths, raw = list(job.config.input.paths), stage.previous["raw"]
    if job.config.ingest.keep_gone and base.objects and raw is not None:  # else all of them are below today's paths
        if MADE_BY not in raw.statistics:
            return {}
        paths = list(dict.fromkeys([*raw.statistics[MADE_BY]["input"]["paths"], *paths]))
    return {MADE_BY: {"input": {"paths": paths}}}


def _drop_duplicates(job: Job, stage: Stage, written: list[Written], base: Base, folder: str) -> list[Written]:
    """Count keys in one shuffle; where some repeat, or are in the base, write those files again without them."""
    raw = stage.draft("raw", written, schemas.RAW)
    sink = stage.sink_for({"copies": duplicates.COPIES})
    grouping = Grouping(duplicates.emit_keys, ("key",), {"place": "min", "copies": "sum"}, sink, "copies")
    with watch("duplicates", raw.rows) as progress:
        scans = raw.scans(job.engine.task_bytes, at_least=job.engine.workers)
        groups = job.engine.combine_by_key(scans, grouping)
        progress.advance(raw.rows)
    winners = dict.fromkeys(_known(job, stage, raw, base), "")  # no message has an empty place: all its copies go
    if rows_of(groups, "copies") < raw.rows:
        copies = stage.draft("copies", groups, duplicates.COPIES)
        winners = dict(duplicates.repeated(copies.scans())) | winners
    if not winners:
        return written
    lookup = Lookup.of(job.storage, stage.scratch_uri("winners"), winners)
    task = duplicates.Dropping(lookup, stage.sink_for({"raw": schemas.RAW}), folder)
    kept = job.engine.write_tasks(duplicates.drop_duplicates, duplicates.originals(raw), task)
    return [item for item in written if item[0] != "raw"] + kept


def _known(job: Job, stage: Stage, fresh: Table, base: Base) -> list[str]:
    """The fresh messages' keys that the base holds already."""
    before = base.table(stage, "raw")
    if not before.rows:
        return []
    keys = np.unique(np.concatenate([keys_of(scan) for scan in fresh.scans()]))
    lookup = Lookup.build(job.storage, stage.scratch_uri("fresh"), keys, np.zeros(len(keys), np.int32), [""])
    scans = before.scans(job.engine.task_bytes, at_least=job.engine.workers)
    with watch("known", before.rows) as progress:
        found: list[str] = []
        for number, part in job.engine.run(duplicates.known, scans, lookup):
            found += part
            progress.advance(scans[number].rows)
    return found


def _base(stage: Stage, keep_gone: bool) -> Base | None:
    """What stays of the published tables; None: all mail is read again, which loses none but with `keep_gone`."""
    if stage.previous["raw"] is None:
        return None
    lost = [uri for name in OUTPUTS for uri in stage.missing.get(name, ())]
    if lost and not keep_gone:
        return None
    if lost:
        mend = manifests.anew(stage.workspace.uri_of("raw"))
        raise DataError(f"{lost[0]} is gone or cut", hint=f"restore it from a backup, or {mend}")
    try:
        return ledger.base(stage)
    except ledger.Mismatch as error:
        if keep_gone:
            raise
        if not outdated(stage):
            log.warning("ingest: %s, as after a run that was killed: all mail is read again", error.message)
        return None
