"""What several stages open: the features table, a model that was trained on it, and passes over its fragments."""

from __future__ import annotations

import json
import logging
from functools import partial

from mailmill import schemas
from mailmill.errors import DataError
from mailmill.features.spec import FeatureSpec
from mailmill.job import Job
from mailmill.models import artifact, standing, training
from mailmill.models.data import MapReduce
from mailmill.models.dataset import fragments
from mailmill.progress import Progress, counted
from mailmill.storage.tables import Table

log = logging.getLogger("mailmill")


def open_features(job: Job) -> Table:
    """The features table, to train, judge or score with; the log tells of what was made anew since it was."""
    tell_of_earlier(job, "features")
    return features_as_made(job)


def tell_of_earlier(job: Job, *names: str) -> None:
    """Say which of these tables, and of those that they come from, are of an earlier version of another."""
    for said in standing.earlier(job.workspace, *names):
        log.warning(said)


def features_as_made(job: Job) -> Table:
    """The features table; its columns are what its specification says. Raises DataError where that is of other code.

    The log tells of settings that it was not made by: it stays as it is until `mailmill features`.
    """
    statistics = job.workspace.manifest("features").statistics
    specification, config = statistics["specification"], job.config
    made = specification | statistics.get("splits_by", {})
    try:
        own = FeatureSpec.from_dict(specification)
    except DataError as error:
        where = job.workspace.uri_of("features")
        raise DataError(f"table {where} cannot be used: {error.message}", hint="run `mailmill features`") from None
    asked = own.asked(config.features, own.classes).to_dict()
    asked |= {"seed": config.run.seed, "shares": list(config.features.shares)}
    if other := sorted(name for name in made if name in asked and made[name] != asked[name]):
        said = "features were made by other settings than those given now (%s), and stay so until `mailmill features`"
        log.warning(said, ", ".join(other))
    return job.workspace.open("features", schemas.features(specification["dimension"], specification["sparse_columns"]))


def load_model(job: Job, name: str) -> artifact.Artifact:
    """A published model by name, checked before any of it is used. Raises DataError where the features are not its.

    Weights that were fitted anew since, to more mail, are told of: figures are near those of the model's own, not the
    same. Another split is refused: what is test mail now may have been trained on.
    """
    table = job.workspace.open(f"models/{name}", schemas.FILES)
    files = {file: table.file(file) for file in (artifact.DOCUMENT, artifact.WEIGHTS)}
    with artifact.read_at(table.uri):
        found = artifact.from_bytes(files)
    features = job.workspace.manifest("features").statistics
    own = found.feature_spec | {"splits_by": found.training.get("splits_by")}
    made = features["specification"] | {"splits_by": features.get("splits_by")}
    other = sorted(key for key in {*own, *made} if own.get(key) != made.get(key))
    if other == ["weights"]:
        log.warning("%s was trained before the features' weights were fitted anew: train it again", table.name)
    elif other:
        raise DataError(
            f"{table.name} was trained on other features: they differ in {', '.join(other)}",
            hint="run `mailmill train` first, or `mailmill run`",
        )
    return found


def tell_of_settings(job: Job, features: Table, model: Table) -> None:
    """Say which of the settings that a published model was trained with are other ones in the configuration now.

    They stay the model's own, for figures and scores alike; one of a version that did not record them has none.
    """
    recorded = json.loads(model.file(artifact.DOCUMENT))["training"].get("settings", {})
    config = training.decided(job.config, features.manifest.statistics["specification"]["sparse_columns"])
    wanted = training.settings_of(model.name.removeprefix("models/"), config)
    other = [f"{key} = {recorded[key]}" for key in recorded if key in wanted and recorded[key] != wanted[key]]
    if other:
        log.warning("%s was trained with %s, and stays so until `mailmill train`", model.name, ", ".join(other))


def passes_over(job: Job, table: Table, classes: tuple[str, ...], progress: Progress) -> MapReduce:
    """`map_reduce` of the job's engine over the table's fragments, counting passes."""
    parts = fragments(table, classes, job.engine.task_bytes, job.engine.workers, job.cache_for(table))
    return partial(counted(job.engine.map_reduce, progress), parts)
