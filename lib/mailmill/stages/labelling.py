"""The stage `label`: a file of labels, or a header, matched with the messages."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mailmill import schemas
from mailmill.config import LabelsSection
from mailmill.email.labels import MATCHES, LabelsKernel, read_labels
from mailmill.errors import ConfigError, DataError
from mailmill.job import Job, done, skipped
from mailmill.progress import watch
from mailmill.storage.fragments import Written, rows_of
from mailmill.storage.lookup import Lookup, keys_of
from mailmill.storage.manifests import MADE_BY
from mailmill.storage.tables import Table, fingerprints

log = logging.getLogger("mailmill")
#: More classes, or longer names, than anybody sorts mail into.
MOST_CLASSES, LONGEST_CLASS = 500, 120


def require(job: Job) -> None:
    """Raise DataError where the label file is not there, or is a folder."""
    source = job.config.labels.source
    if source and not job.storage.exists(source):
        raise DataError(f"labels {source} do not exist, or are a folder", hint="set labels.source to a file")


def label(job: Job) -> Table:
    """`raw` and a label file, or a header -> `labels`; ids without a message, and contradictions, are counted."""
    settings = job.config.labels
    if not settings.given:
        raise ConfigError("no labels: labels.source and labels.header are both empty", hint="set one of them")
    require(job)
    raw = job.workspace.open("raw", schemas.RAW)
    inputs = fingerprints(raw) | {"source": _digest(job, settings.source)}
    stage = job.stage(inputs, [settings], {"labels": schemas.LABELS})
    if stage.unchanged:
        return skipped(stage, "labels")
    lookup, ids, contradictory, incomplete = None, 0, 0, 0
    if settings.source:
        with job.storage.open(settings.source) as stream:
            file = read_labels(stream, settings.source, settings.id_column, settings.label_column)
        lookup = Lookup.build(job.storage, stage.scratch_uri("ids"), file.ids, file.codes, file.words)
        ids, contradictory, incomplete = len(file.ids), file.contradictory, file.incomplete
        del file
    tagger = settings.header or (settings.source or "").rsplit("/", 1)[-1]
    kernel = LabelsKernel(settings.header, settings.id_kind, lookup, tagger)
    fresh, written = raw, list[Written]()
    if settings.header:  # a file is matched whole: which of its ids have no message depends on all of them
        growth = stage.growth(raw)
        stage, fresh, written = growth.stage, growth.fresh["raw"], growth.kept
    with watch("label", fresh.rows) as progress:
        written = written + job.map_table(fresh, kernel, stage.sink_for(kernel.outputs), progress)
    matched = [keys_of(scan, "id") for scan in stage.draft("matches", written, MATCHES).scans()]
    classes = job.count(stage.draft("labels", written, schemas.LABELS), "label")
    counts = {
        "labelled": rows_of(written, "labels"),
        "unlabelled": raw.rows - rows_of(written, "labels"),
        "unmatched": ids - (len(np.unique(np.concatenate(matched))) if matched else 0),
        "contradictory": contradictory,
        "incomplete": incomplete,
        "classes": {name: n for (name,), n in sorted(classes.items())},
        MADE_BY: {"labels": settings.model_dump(mode="json")},
    }
    if settings.id_kind == "source" and counts["unmatched"] and raw.manifest.statistics["duplicates"]:
        log.warning(
            "label: %d ids name no source of raw, which of equal messages has one alone: with labels.id_kind = "
            '"message_id" or "key" a label of any copy counts',
            counts["unmatched"],
        )
    if not classes:
        raise _nothing(settings, counts, ids)
    _require_classes(settings, [name for (name,) in classes])
    return done(job.publish(stage, written, counts), "labels")


def _nothing(settings: LabelsSection, counts: Mapping[str, Any], ids: int) -> DataError:
    """Why no message has a label: the header is missing, the file says nothing certain, or its ids are others."""
    if settings.header:
        hint = "check labels.header: do the mails have it?"
        return DataError(f"no message got a label from header {settings.header}", hint=hint)
    contradictory, incomplete = counts["contradictory"], counts["incomplete"]
    what = f"{ids} ids with a label, {contradictory} with two that differ, {incomplete} rows without id or label"
    if not ids:
        hint = "check labels.id_column and labels.label_column: each id needs one label"
    elif settings.id_kind == "source":
        hint = "write ids as the table raw has them in source: FOLDER/FILE.eml as in input.paths, FILE.zip!MEMBER; "
        hint += "of equal messages one has its source there"
    else:
        hint = "check labels.id_kind and labels.id_column: do its ids look like the mail's?"
    return DataError(f"no message got a label from {settings.source}: it has {what}", hint=hint)


def _require_classes(settings: LabelsSection, classes: Sequence[str]) -> None:
    """Raise DataError where labels are no classes, but perhaps the mails' texts, which belong in no log."""
    lengths = sorted(map(len, classes))
    if len(classes) > MOST_CLASSES or lengths[len(lengths) // 2] > LONGEST_CLASS:  # half of them: one may be a slip
        source = f"header {settings.header}" if settings.header else f"column {settings.label_column!r} of the labels"
        raise DataError(
            f"{source} holds {len(classes):,} different values of up to {lengths[-1]:,} characters: no classes",
            hint="set labels.header or labels.label_column to the one with a class for each mail",
        )


def _digest(job: Job, source: str | None) -> str:
    """BLAKE2b-128 of the label file, read a piece at a time."""
    state = hashlib.blake2b(digest_size=16)
    if source:
        with job.storage.open(source) as stream:
            while piece := stream.read(2**22):
                state.update(piece)
    return state.hexdigest()
