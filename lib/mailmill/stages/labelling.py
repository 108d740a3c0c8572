"""The stage `label`: a file of labels, or a header, matched with the messages."""

from __future__ import annotations

from mailmill import schemas
from mailmill.email.tagging import MATCHES, LabelFile, LabelsKernel, read_labels
from mailmill.errors import ConfigError, DataError
from mailmill.job import Job, done, skipped
from mailmill.progress import watch
from mailmill.storage import loading
from mailmill.storage.fragments import Written, rows_of
from mailmill.storage.lookup import Lookup
from mailmill.storage.tables import Table, fingerprints


def label(job: Job) -> Table:
    """`raw` and a label file, or a header -> `labels`; ids without a message, and contradictions, are counted."""
    settings = job.config.labels
    if not settings.given:
        raise ConfigError("no labels: labels.source and labels.header are both empty", hint="set one of them")
    raw = job.workspace.open("raw", schemas.RAW)
    content = job.storage.read(settings.source) if settings.source else b""
    inputs = fingerprints(raw) | {"source": loading.message_key(content)}
    stage = job.stage(inputs, [settings], {"labels": schemas.LABELS})
    if stage.unchanged:
        return skipped(stage, "labels")
    file, lookup = LabelFile({}, 0, 0), None
    if settings.source:
        file = read_labels(content, settings.source, settings.id_column, settings.label_column)
        names = list(file.labels)
        lookup = Lookup.build(job.storage, stage.scratch_uri("ids"), names, [file.labels[name] for name in names])
    tagger = settings.header or (settings.source or "").rsplit("/", 1)[-1]
    kernel = LabelsKernel(settings.header, settings.id_kind, lookup, tagger)
    fresh, written = raw, list[Written]()
    if settings.header:  # a file is matched whole: which of its ids have no message depends on all of them
        growth = stage.growth(raw)
        stage, fresh, written = growth.stage, growth.fresh["raw"], growth.kept
    with watch("label", fresh.rows) as progress:
        written = written + job.map_table(fresh, kernel, stage.sink_for(kernel.outputs), progress)
    matched = {i for scan in stage.draft("matches", written, MATCHES).scans() for i in scan.read()["id"].to_pylist()}
    classes = job.count(stage.draft("labels", written, schemas.LABELS), "label")
    counts = {
        "labelled": rows_of(written, "labels"),
        "unlabelled": raw.rows - rows_of(written, "labels"),
        "unmatched": len(file.labels) - len(matched) if settings.source else 0,
        "contradictory": file.contradictory,
        "classes": {name: n for (name,), n in sorted(classes.items())},
    }
    if not classes:
        raise DataError(
            f"no message got a label from {settings.source or 'header ' + str(settings.header)}",
            hint="check labels.id_kind and labels.id_column: do its ids look like the mail's?",
        )
    return done(job.publish(stage, written, counts), "labels")
