"""The stage `search`: fit each candidate on the training split, judge it on the validation split, keep a table.

Candidates share the fragments that the first of them has read into the cache. Each result is filed as soon as it is
there, so that a search that was killed, or is widened, goes on where it stopped.
"""

from __future__ import annotations

import logging
import time

from mailmill import schemas
from mailmill.config import Config, fingerprint
from mailmill.errors import DataError
from mailmill.job import Job, done, skipped
from mailmill.models import metrics, search, training, workers
from mailmill.models.data import MapReduce
from mailmill.models.search import Candidate, Result
from mailmill.progress import SILENT, watch
from mailmill.stages.opening import open_features, passes_over
from mailmill.storage.filesystems import join
from mailmill.storage.tables import Table

log = logging.getLogger("mailmill")
OUTPUT, RESULTS = "search", "search/results"


def run(job: Job) -> Table:
    """`features` -> `search`: search.json, search.md and best.toml; see `models.search`."""
    table = open_features(job)
    config = training.decided(job.config, table.manifest.statistics["specification"]["sparse_columns"])
    settings, seed = config.search, config.run.seed
    # Not which models are tried, what else is written of them, or how a workspace's own are compared.
    judged = [config.train.model_dump(exclude={"models", "onnx"}), config.evaluate.model_dump(exclude={"choose_by"})]
    of_models = [settings, config.train.models, config.logistic, config.forest, *judged, seed]
    stage = job.stage({table.name: table.fingerprint}, of_models, {OUTPUT: schemas.FILES})
    if stage.unchanged:
        return skipped(stage, OUTPUT)
    classes = training.classes_of(table.manifest.statistics["classes"], config)
    grids = {name: getattr(settings, name) for name in config.train.models}
    wanted = search.candidates(grids, settings.method, settings.draws, seed)
    map_reduce = passes_over(job, table, classes, SILENT)
    results = []
    with watch(OUTPUT, len(wanted), "candidates") as progress:
        for candidate in wanted:
            configured = with_settings(config, candidate)
            everything = Candidate(candidate.model, getattr(configured, candidate.model).model_dump(mode="json"))
            name = everything.name(table.fingerprint, stage.code, fingerprint(seed, *judged))
            place = join(job.workspace.uri_of(RESULTS), f"{name}.json")
            result = _filed(job, place)
            if result is None:
                result = _judged(job, configured, candidate, map_reduce, classes)
                job.storage.write(place, result.to_json())
            results.append(result)
            progress.advance(1)
    files = search.report(results, settings.by)
    best = search.ranked(results, settings.by)[0]
    statistics = {"candidates": len(results), "model": best.model, "macro_f1": best.macro_f1}
    return done(stage.publish(stage.write_files(OUTPUT, files), statistics), OUTPUT)


def _filed(job: Job, place: str) -> Result | None:
    """The result that is filed at a place; None where there is none, or a damaged one, which is told."""
    if not job.storage.exists(place):
        return None
    try:
        return Result.from_json(job.storage.read(place))
    except DataError:
        log.warning("search: %s is damaged: its candidate is fitted again", place)
        return None


def with_settings(config: Config, candidate: Candidate) -> Config:
    """The configuration with the candidate's settings, validated."""
    section = getattr(config, candidate.model)
    changed = type(section).model_validate(section.model_dump() | candidate.settings)
    return config.model_copy(update={candidate.model: changed})


def _judged(job: Job, config: Config, candidate: Candidate, map_reduce: MapReduce, classes: tuple[str, ...]) -> Result:
    began = time.monotonic()
    model, evidence = training.fit(
        candidate.model, config, map_reduce, classes, workers.on_engine(job.engine), job.engine.memory
    )
    seconds = time.monotonic() - began
    figures = metrics.evaluate(map_reduce, training.settled(model, config, map_reduce), split="validation")
    return Result(
        candidate.model, candidate.settings, figures.macro_f1, figures.roc_auc, figures.log_loss, evidence.converged,
        evidence.passes or 0, round(seconds, 3),
    )  # fmt: skip
