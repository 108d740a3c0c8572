"""The stage `docs`: what it takes from the engine, the models and the word vectors to document a run.

Facts and answers cost nothing; a model card needs one pass over the test mails. Where the extra `docs` is not
installed, or nothing has changed since the site was built, the stage says so and does nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from mailmill import own_vectors, schemas
from mailmill.docs import build, site
from mailmill.docs import sample as samples
from mailmill.docs.modelcard import Material
from mailmill.docs.telling import Vocabulary
from mailmill.features import vectors
from mailmill.job import Job, done, skipped
from mailmill.models.dataset import fragments
from mailmill.models.scoring import Model
from mailmill.progress import watch
from mailmill.quality import site as validation
from mailmill.storage.filesystems import join
from mailmill.storage.tables import Table

log = logging.getLogger("mailmill")
FILES = pa.schema([])
#: Words of the vocabulary that are put to a model: the first ones of this many rows, which files order by frequency.
FREQUENT = 4000
SHORTEST = 3


def docs(job: Job, open_features: Callable[[], Table], load_model: Callable[[str], Model]) -> None:
    """Document everything that is published, as the output `docs` and as a site.

    Raises:
        DataError: nothing is published, or a published file is damaged.
        ConfigError: a file of declarations is wrong.
    """
    if missing := site.missing():
        log.info("docs skipped: %s not installed; pip install 'mailmill[docs]'", " and ".join(missing))
        return
    validation.build(job.workspace, job.storage, build.place(job.config))
    documents = build.gather(job.workspace, job.config)
    stage = job.stage({"shown": build.state(documents, job.config, job.workspace)}, [job.config.docs], {"docs": FILES})
    index = join(build.place(job.config), build.INDEX)
    if stage.unchanged and job.storage.exists(index):
        skipped(stage, "docs")
        return
    with watch("docs", None, "pages") as progress:
        material = _material(job, documents, open_features, load_model)
        files = build.build(job.workspace, job.config, documents, material)
        progress.advance(len(files))
    done(stage.publish(stage.write_files("docs", files), {"version": documents.facts.version}), "docs")


def _material(
    job: Job, documents: build.Documents, open_features: Callable[[], Table], load_model: Callable[[str], Model]
) -> Material | None:
    """A sample of the test mails with each model's answers; None where no model is evaluated."""
    if job.workspace.find("metrics") is None:
        return None
    metrics = json.loads(job.workspace.open("metrics", FILES).file("metrics.json"))
    table, clean = open_features(), job.workspace.open("clean", schemas.CLEAN)
    models = {name: load_model(name) for name in metrics["models"]}
    classes = next(iter(models.values())).classes
    parts = fragments(table, classes, job.engine.task_bytes, job.engine.workers)
    scans = clean.scans(job.engine.task_bytes, job.engine.workers)
    settings, seed = job.config.docs, job.config.run.seed
    drawn = samples.draw(
        _over(job, parts), _over(job, scans), list(models.items()),
        table.manifest.statistics["splits"]["test"], settings.sample_rows, seed,
    )  # fmt: skip
    return Material(
        documents.facts, metrics, models, drawn, _vocabulary(job), _over(job, scans), settings.examples, seed
    )


def _over(job: Job, parts: list[Any]) -> samples.Reduce:
    def reduce(compute: Callable[[Any, Any], Any], merge: Callable[[Any, Any], Any], broadcast: Any) -> Any:
        return job.engine.map_reduce(parts, compute, merge, broadcast)

    return reduce


def _vocabulary(job: Job) -> Vocabulary | None:
    """Frequent words of the vectors, where `docs.words` lets them be shown."""
    source, shown = job.config.features.vectors, job.config.docs.words
    if shown == "never" or (shown == "package" and not source.startswith("package:")):
        return None
    store = vectors.prepare(job.storage, job.config.run.work, own_vectors.source(job)).open()
    rows = range(min(FREQUENT, store.count))
    kept = [(row, word) for row in rows if len(word := store.word(row)) >= SHORTEST and word.isalpha()]
    return Vocabulary(tuple(word for _, word in kept), store.vectors[[row for row, _ in kept]].copy())
