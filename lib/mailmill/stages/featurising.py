"""The stage `features`: weights fitted to the training split's words, then every mail's row of numbers.

Both passes read the clean table and ask the same `Assignment` for a row's split, fold and label, from its key and
thread alone. So the same mail gets the same row in whatever order and on whatever engine it is read.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mailmill import schemas
from mailmill.config import TRAINED, fingerprint
from mailmill.features import fitting, vectors
from mailmill.features.kernel import FeaturesKernel
from mailmill.features.rows import Assignment
from mailmill.features.spec import FeatureSpec
from mailmill.features.split import split_of
from mailmill.features.vectors import SharedVectors
from mailmill.features.weights import SharedWeights
from mailmill.job import Job, done, skipped
from mailmill.progress import counted, watch
from mailmill.quality import polarity
from mailmill.quality.profile import Known
from mailmill.stages import own_vectors
from mailmill.stages.opening import tell_of_earlier
from mailmill.stages.scorer import vectors_in_use, weights_in_use
from mailmill.storage.lookup import Lookup, keys_of
from mailmill.storage.tables import Table, fingerprints


def features(job: Job) -> Table:
    """`clean` (and `labels`) -> `features` and `weights`: see `features.kernel` for a row, `features.fitting`."""
    settings, seed = job.config.features, job.config.run.seed
    texts = job.workspace.open("clean", schemas.CLEAN)
    labels = [job.workspace.open("labels", schemas.LABELS)] if job.config.labels.given else []
    tell_of_earlier(job, "clean", *(table.name for table in labels))
    classes = [name for table in labels for name in sorted(table.manifest.statistics["classes"])]
    store = vectors.prepare(job.storage, job.config.run.work, own_vectors.source(job))
    spec = FeatureSpec.of(store.described(), settings, classes)
    inputs = fingerprints(texts, *labels) | {"vectors": store.fingerprint}
    outputs = {"features": schemas.features(spec.dimension, spec.sparse_columns), "weights": schemas.FILES}
    stage = job.stage(inputs, [settings, seed], outputs)
    if stage.unchanged:
        vectors.sweep(job.storage, job.config.run.work, store, vectors_in_use(job.workspace))
        return skipped(stage, "features")
    label_scans = [scan for table in labels for scan in table.scans()]
    lookup = Lookup.of_scans(job.storage, stage.scratch_uri("labels"), label_scans, "label")
    assignment = Assignment(seed, settings.shares, lookup)

    scans = texts.scans(job.engine.task_bytes, at_least=job.engine.workers * 2)
    with watch("weights", None, "passes") as progress:
        map_reduce = counted(job.engine.map_reduce, progress)
        weights = fitting.fit(spec, store, assignment, scans, map_reduce, job.engine.workers * 4)

    # Weights fitted to more mail change every row, and labels of messages that have their row already that row.
    growth, rejects = stage.growth(texts, *labels), job.workspace.open("rejects", schemas.REJECTS)
    fresh, kept = (texts, []) if spec.fitted else (growth.fresh["clean"], growth.kept)
    if kept and not all(_covered(growth.fresh[table.name], fresh, rejects) for table in labels):
        fresh, kept = texts, []
    stage = replace(growth.stage, in_use={"weights": weights_in_use(job.workspace)})
    files = stage.write_files("weights", weights.to_files())
    shared = SharedWeights(job.storage, stage.folder("weights"), weights.fingerprint)
    kernel = FeaturesKernel(spec.bound(weights.fingerprint), store, shared, assignment)
    with watch("features", fresh.rows) as progress:
        written = kept + job.map_table(fresh, kernel, stage.sink_for(kernel.outputs), progress)

    rows = job.count(stage.draft("features", written, stage.outputs["features"]), "split", "label")
    drawn = {"seed": seed, "shares": list(settings.shares)}
    statistics = _counts(rows) | {"specification": kernel.spec.to_dict(), "splits_by": drawn}
    known = _known(job, texts, store, spec)
    table = done(job.publish(stage, written + files, statistics, known), "features")
    vectors.sweep(job.storage, job.config.run.work, store, vectors_in_use(job.workspace))
    return table


def _covered(labels: Table, texts: Table, rejects: Table) -> bool:
    """Whether the labels are all of these texts' messages, or of rejects: of none that has its row already."""
    if not labels.rows:
        return True
    known = [keys_of(scan) for table in (texts, rejects) for scan in table.scans()]
    return bool(known) and all(np.isin(keys_of(scan), np.concatenate(known)).all() for scan in labels.scans())


def _counts(rows: dict[tuple[str, str | None], int]) -> dict[str, Any]:
    """Rows a split, and the classes that occur, of how often each pair of split and label does."""
    splits = {name: sum(n for (split, _), n in rows.items() if split == name) for name in schemas.SPLITS}
    return {"splits": splits, "classes": sorted({name for _, name in rows if name is not None})}


def _known(job: Job, texts: Table, store: SharedVectors, spec: FeatureSpec) -> Known:
    """What the table is judged by besides its rows: the polarity of words, and the split that each thread demands."""
    settings = job.config.features
    direction = polarity.direction(store.open(), spec.dimension, spec.columns_of("mean"))
    # The polarity of other words, or of other parts of the mail, is another figure: it is not compared with this one.
    words = settings.vectors if settings.vectors == TRAINED else store.fingerprint
    polarity_of = fingerprint(words, settings.max_words, settings.subject)
    demanded = job.threads(texts, partial(split_of, seed=job.config.run.seed, shares=settings.shares))
    return Known(job.config.train.positive, direction, demanded, polarity_of)
