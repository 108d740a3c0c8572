"""The stage `docs`: what it takes from the engine, the models and the word vectors to document a run.

Facts and answers cost nothing; a model card needs one pass over the test mails. Where the extra `docs` is not
installed, or nothing has changed since the site was built, the stage says so and does nothing.
"""

from __future__ import annotations

import json
import logging
import operator
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mailmill import schemas
from mailmill.docs import build, figures, site
from mailmill.docs import sample as samples
from mailmill.docs.mistakes import Keys, join_texts, read_texts
from mailmill.docs.modelcard import Material
from mailmill.docs.telling import Questions, Word, telling_words
from mailmill.draws import Stream, mix
from mailmill.features import vectors
from mailmill.features.featurize import Featurizer
from mailmill.features.occurrence import Occurrence, count_mails
from mailmill.features.spec import FeatureSpec
from mailmill.features.weights import SharedWeights
from mailmill.job import Job, done, skipped
from mailmill.models.data import SparseRows
from mailmill.models.dataset import fragments
from mailmill.models.scoring import Model
from mailmill.progress import watch
from mailmill.quality import site as validation
from mailmill.stages import own_vectors
from mailmill.stages.opening import features_as_made, load_model
from mailmill.stages.scorer import sparse_of
from mailmill.storage.filesystems import join
from mailmill.storage.tables import Table

log = logging.getLogger("mailmill")
#: Words are counted in about so many mails, among the first words of the vectors, which files order by frequency.
COUNTED_MAILS, FREQUENT = 10_000, 50_000
#: A word that is shown occurs in at least so many mails, and in this share of them: it is nobody's own.
FEWEST_MAILS, FEWEST_SHARE = 20, 0.002
SHORTEST = 3
#: Words that are put before so many test mails each.
ASKED, PROBES = 400, 32


def docs(job: Job) -> None:
    """Document everything that is published, as the output `docs` and as a site.

    Raises:
        DataError: nothing is published, or a published file is damaged.
        ConfigError: a file of declarations is wrong, or `docs.site` is no place for a site.
    """
    if missing := site.missing():
        log.info("docs skipped: %s not installed; pip install 'mailmill[docs]'", " and ".join(missing))
        return
    build.require_site(job.storage, job.config)
    validation.build(job.workspace, job.storage, build.place(job.config))
    documents = build.gather(job.workspace, job.config)
    inputs = {"shown": build.state(documents, job.config, job.workspace)}
    stage = job.stage(inputs, [job.config.docs], {"docs": schemas.FILES})
    index = build.index(job.config)
    if stage.unchanged and job.storage.exists(index):
        skipped(stage, "docs")
        return
    with watch("docs", None, "pages") as progress:
        with ThreadPoolExecutor(1) as drawer:  # while workers read the test mails
            drawn = drawer.submit(figures.of_tables, documents.facts)
            material = _material(job, documents)
        files = build.build(job.workspace, job.config, documents, material, drawn.result())
        progress.advance(len(files))
    done(stage.publish(stage.write_files("docs", files), {"version": documents.facts.version}), "docs")


def _material(job: Job, documents: build.Documents) -> Material | None:
    """A sample of the test mails with each model's answers; None where no model is evaluated on these features."""
    evaluated = job.workspace.find("metrics")
    if evaluated is None or documents.facts.get("models.chosen") is None:  # whose figures are not these models'
        return None
    table, clean = features_as_made(job), job.workspace.open("clean", schemas.CLEAN)
    if evaluated.inputs["features"] != table.fingerprint:
        log.warning(
            "no model cards: the models were evaluated on other features; run `mailmill train` and `mailmill evaluate`"
        )
        return None
    metrics = json.loads(job.workspace.open("metrics", schemas.FILES).file("metrics.json"))
    models = {name: load_model(job, name).model for name in metrics["models"]}
    classes = next(iter(models.values())).classes
    parts = fragments(table, classes, job.engine.task_bytes, job.engine.workers)
    scans = clean.scans(job.engine.task_bytes, job.engine.workers)
    settings, seed = job.config.docs, job.config.run.seed
    rows, mails = partial(job.engine.map_reduce, parts), partial(job.engine.map_reduce, scans)
    labelled = next(iter(metrics["models"].values()))["test"]["rows"]
    drawn = samples.draw(rows, mails, list(models.items()), labelled, settings.sample_rows, seed)
    words = _telling(job, table, models, drawn, mails, clean.rows)
    return Material(documents.facts, metrics, models, drawn, words, settings.words, mails, settings.examples, seed)


def _telling(
    job: Job, table: Table, models: Mapping[str, Model], drawn: samples.Sample, clean: samples.Reduce, mails: int
) -> dict[str, list[Word]] | None:
    """The words that move each model most, where `docs.words` lets words be shown and the vectors are theirs."""
    source, shown = job.config.features.vectors, job.config.docs.words
    if shown == "never" or (shown == "package" and not source.startswith("package:")):
        return None
    shared = vectors.prepare(job.storage, job.config.run.work, own_vectors.source(job))
    store, spec = shared.open(), FeatureSpec.from_dict(table.manifest.statistics["specification"])
    if store.fingerprint != spec.fingerprint:
        log.warning("no words on model cards: the features were made with other word vectors than %s", source)
        return None
    share = min(1.0, COUNTED_MAILS / max(mails, 1))
    counts = clean(
        count_mails, operator.add, Occurrence(shared, min(FREQUENT, store.count), int(share * 2**32), spec.max_words)
    )
    common = np.flatnonzero(counts >= max(FEWEST_MAILS, FEWEST_SHARE * share * mails))
    ordered = common[np.argsort(-counts[common], kind="stable")].tolist()
    words = [word for row in ordered if len(word := store.word(row)) >= SHORTEST and word.isalpha()][:ASKED]
    chosen = tuple(drawn.key[np.argsort(mix(Stream.PROBES, drawn.ids))][:PROBES].tolist())
    texts = clean(read_texts, join_texts, Keys(chosen))
    weights = None
    if spec.weights:
        run = job.workspace.manifest("weights").run_id
        weights = SharedWeights(
            job.storage, join(job.workspace.uri_of("weights"), f"run_id={run}"), spec.weights
        ).open()
    featurizer = Featurizer(spec, store, weights)

    def rows(given: Sequence[str]) -> tuple[NDArray[np.float32], SparseRows | None]:
        made = featurizer(given, [""] * len(given))
        return made.vectors, sparse_of(made, spec.sparse_columns)

    return telling_words(models, Questions(tuple(words), tuple(texts[key] for key in chosen), rows))
