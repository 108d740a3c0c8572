"""The pipeline: START HERE. One function a stage; each reads published tables and publishes one.

    mail ──ingest──▶ raw ──clean──▶ clean ──features──▶ features ──train──▶ models ──evaluate──▶ metrics
                      └───label───▶ labels ────────────────┘                   └──────score────▶ scores

A stage whose inputs, settings and code are unchanged is skipped. What a stage cannot use is counted
and kept as a reject, so that clean + rejects + duplicates = the messages that came in.
"""

from __future__ import annotations

from mailmill import schemas
from mailmill.config import TRAINED, ModelName
from mailmill.docs import build, choice, energy
from mailmill.email import CleanKernel, CleanOptions
from mailmill.errors import ConfigError, DataError
from mailmill.features import vectors
from mailmill.job import Job, done, skipped
from mailmill.models import artifact, metrics, portable, queue, training, workers
from mailmill.progress import watch
from mailmill.stages import documenting, featurising, ingesting, labelling, own_vectors, searching
from mailmill.stages.opening import load_model, open_features, passes_over, tell_of_settings
from mailmill.stages.scorer import chosen
from mailmill.stages.scoring import ranked
from mailmill.storage.fragments import rows_of
from mailmill.storage.manifests import MADE_BY
from mailmill.storage.tables import Table, fingerprints


def run(job: Job) -> None:
    """Every stage in order. Without labels the run ends after the features: there is nothing to learn from."""
    require(job)
    ingest(job)
    clean(job)
    if job.config.labels.given:
        labels = label(job)
        training.classes_of(list(labels.manifest.statistics["classes"]), job.config)  # what is wrong stops here
    if job.config.features.vectors == TRAINED:
        glove(job)
    features(job)
    if job.config.labels.given:
        train(job)
        evaluate(job)
        score(job)
    if job.config.docs.build:
        docs(job)


def require(job: Job) -> None:
    """Look for the files and libraries that later stages need: what is missing stops a run before any work."""
    labelling.require(job)
    if job.config.labels.given:
        portable.require(job.config.train.onnx)
        _require_trained(job)
    if job.config.docs.build:
        build.require(job.storage, job.config)
        build.require_site(job.storage, job.config)
    if job.config.features.vectors != TRAINED:
        vectors.require(job.storage, job.config.features.vectors)


def ingest(job: Job, taken_for: str = "") -> Table:
    """Objects -> `raw`: one row a message, exact duplicates once; only what is new is read, see `ingesting`."""
    return ingesting.ingest(job, taken_for)


def clean(job: Job) -> Table:
    """`raw` -> `clean`: the author's own words, and a span for every character; unusable mail -> `rejects`."""
    raw = job.workspace.open("raw", schemas.RAW)
    unreadable = job.workspace.open("raw_rejects", schemas.REJECTS)
    settings, largest = job.config.clean, job.config.ingest.max_message_bytes
    kernel = CleanKernel(CleanOptions(sender_domain=settings.sender_domain, max_message_bytes=largest))
    stage = job.stage(fingerprints(raw, unreadable), [settings, largest], kernel.outputs)
    messages, copies = raw.manifest.statistics["messages"], raw.manifest.statistics["duplicates"]
    counted = {"messages": messages, "duplicates": copies}  # copies that come or go change no row of raw
    before = stage.previous["clean"]
    if before and counted.items() <= before.statistics.items() and stage.unchanged:
        return skipped(stage, "clean")
    growth = stage.growth(raw, unreadable)
    stage, fresh = growth.stage, growth.fresh
    with watch("clean", fresh["raw"].rows) as progress:
        written = growth.kept + job.map_table(fresh["raw"], kernel, stage.sink, progress)
    with stage.sink_for({"rejects": schemas.REJECTS}).open(0, prefix="ingest") as writer:
        for scan in fresh["raw_rejects"].scans():
            for batch in scan.batches():
                writer.write("rejects", batch)
    written += writer.written
    kept, rejected = rows_of(written, "clean"), rows_of(written, "rejects")
    if kept + rejected + copies != messages:
        raise DataError(f"{messages} messages came in, but {kept} clean + {rejected} rejects + {copies} duplicates")
    reasons = job.reasons(stage.draft("rejects", written, schemas.REJECTS))
    if rejected > settings.max_reject_share * messages:
        worst = ", ".join(f"{reason} {n}" for reason, n in sorted(reasons.items(), key=lambda item: -item[1]))
        raise DataError(
            f"{rejected} of {messages} messages were rejected: {worst}",
            hint="look at what input.paths names, or raise clean.max_reject_share",
        )
    statistics = {"rejects": rejected, "reasons": reasons, MADE_BY: {"clean": settings.model_dump(mode="json")}}
    return done(job.publish(stage, written, counted | statistics), "clean")


def label(job: Job) -> Table:
    """`raw` and a label file, or a header -> `labels`; ids without a message, and contradictions, are counted."""
    return labelling.label(job)


def glove(job: Job) -> Table:
    """`clean` -> `vectors/trained`: GloVe vectors of the mail's own words, for features.vectors = "trained"."""
    return own_vectors.train(job)


def features(job: Job) -> Table:
    """`clean` (and `labels`) -> `features`: pooled words, n-grams, label, split; and `weights`, fitted for them."""
    return featurising.features(job)


def train(job: Job) -> dict[ModelName, Table]:
    """`features` -> `models/NAME` for every configured model: model.json and weights.npz."""
    portable.require(job.config.train.onnx)
    table = open_features(job)
    classes = training.classes_of(table.manifest.statistics["classes"], job.config)
    sparse_columns = table.manifest.statistics["specification"]["sparse_columns"]
    artifact.require(job.config.train.models, classes, sparse_columns)
    config = training.decided(job.config, sparse_columns)
    trained: dict[ModelName, Table] = {}
    for name in job.config.train.models:
        output = f"models/{name}"
        settings = training.settings_of(name, config)
        stage = job.stage(fingerprints(table), [settings, classes, config.train.onnx], {output: schemas.FILES})
        if stage.unchanged:
            trained[name] = skipped(stage, output)
            continue
        with watch(f"train {name}", None, "passes") as progress, energy.metered(job.config.docs.country) as cost:
            map_reduce = passes_over(job, table, classes, progress)
            model, evidence = training.fit(
                name, config, map_reduce, classes, workers.on_engine(job.engine), job.engine.memory
            )
            model = training.settled(model, config, map_reduce)
            figures = metrics.evaluate(map_reduce, model, split="validation")
        files = artifact.to_bytes(
            model,
            feature_spec=table.manifest.statistics["specification"],
            training={
                "table": table.name,
                "fingerprint": table.fingerprint,
                "rows": evidence.rows,
                "splits_by": table.manifest.statistics.get("splits_by"),
                "settings": settings,
            },
            evidence=evidence.of_the_fit,
            metrics=figures,
        ) | portable.files(model, config.train.onnx)
        trained[name] = done(
            stage.publish(stage.write_files(output, files), evidence.to_dict() | {"cost": cost.to_dict()}), output
        )
    return trained


def search(job: Job) -> Table:
    """`features` -> `search`: a table of settings tried, the best ones ready to be copied; not part of `run`."""
    return searching.run(job)


def evaluate(job: Job) -> Table:
    """`features` and the models -> `metrics`: figures a class on each split, and which model was chosen and why."""
    table = open_features(job)
    training.classes_of(table.manifest.statistics["classes"], job.config)
    models = {name: job.workspace.open(f"models/{name}", schemas.FILES) for name in job.config.train.models}
    inputs = fingerprints(table, *models.values())
    for model in models.values():
        tell_of_settings(job, table, model)
    stage = job.stage(inputs, [job.config.evaluate.choose_by], {"metrics": schemas.FILES})
    if stage.unchanged:
        return skipped(stage, "metrics")
    figures: dict[str, dict[str, metrics.Metrics]] = {}
    with watch("evaluate", len(models) * 2, "passes") as progress:
        for name in models:
            judged = load_model(job, name).model
            map_reduce = passes_over(job, table, judged.classes, progress)
            splits = ("validation", "test")
            figures[name] = {split: metrics.evaluate(map_reduce, judged, split=split) for split in splits}
    best = choice.choose(
        {name: splits["validation"] for name, splits in figures.items()}, job.config.evaluate.choose_by
    )
    files = choice.report(figures, best, job.config.evaluate.choose_by)
    test = figures[best]["test"]
    statistics = {"chosen": best, "test_rows": test.rows, "accuracy": test.accuracy, "macro_f1": test.macro_f1}
    return done(stage.publish(stage.write_files("metrics", files), statistics), "metrics")


def score(job: Job) -> Table:
    """`features` and the chosen model -> `scores`: sentiment in [-1, 1], ranked most negative first."""
    _require_trained(job)
    table = open_features(job)
    name = chosen(job.workspace, job.config.score.model)
    model = job.workspace.open(f"models/{name}", schemas.FILES)
    tell_of_settings(job, table, model)
    stage = job.stage(fingerprints(table, model), [name], {"scores": schemas.SCORES})
    if stage.unchanged:
        return skipped(stage, "scores")
    kernel = queue.ScoreKernel(load_model(job, name).model)
    with watch("score", table.rows) as progress:
        written = job.engine.map_table(table, kernel, stage.sink_for(kernel.outputs), progress)
    written = ranked(job, stage, written)
    return done(job.publish(stage, written, {"model": name}), "scores")


def _require_trained(job: Job) -> None:
    """Raise ConfigError where the model that shall score is none of those that are trained: it would stay as it was."""
    name, trained = job.config.score.model, job.config.train.models
    if name not in ("chosen", *trained):
        raise ConfigError(
            f"score.model is {name}, which is not trained: train.models names {', '.join(trained)}",
            hint=f'add {name} to train.models, or set score.model to "chosen"',
        )


def docs(job: Job) -> None:
    """Everything published -> facts, datasheets, model cards, and the site that shows them."""
    documenting.docs(job)
