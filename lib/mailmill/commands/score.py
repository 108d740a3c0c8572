"""`mailmill score`: the workspace's queue, a day's new mail with a model from elsewhere, or one message at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import click

from mailmill.commands.session import options, place, session, settings
from mailmill.config import Config, StorageSection, parse
from mailmill.errors import ConfigError, DataError, RejectedMessage


@click.command(short_help="features -> scores; or new mail, or one FILE.eml, with --model")
@options
@click.option(
    "--model",
    metavar="DIR",
    callback=place,
    help="A published model, e.g. WORK/models/logistic; default: the chosen one.",
)
@click.option("--input", "source", metavar="PATH", help="With --model and --output: new mail, of any kind, to score.")
@click.option("--output", metavar="DIR", help="With --input: the workspace of the new mail; its table is DIR/scores.")
@click.option(
    "--vectors", metavar="SOURCE", callback=place, help="The model's word vectors, where they are not beside it."
)
@click.argument("file", required=False, type=click.File("rb"))
def score(
    config: str | None,
    engine: str | None,
    overrides: Sequence[str],
    model: str | None,
    source: str | None,
    output: str | None,
    vectors: str | None,
    file: BinaryIO | None,
) -> None:
    """Give mail its sentiment in [-1, 1]; of many, the place in the queue, most negative first.

    \b
      mailmill score --config FILE.toml
          the features of the workspace
      mailmill score --model DIR --input PATH --output DIR
          new mail, on any engine
      mailmill score --model DIR FILE.eml
          one message (-: standard input), no engine, as JSON
    """
    if file is not None:
        if source or output:
            raise ConfigError("FILE.eml is scored alone, mail of --input and --output in a run of its own")
        _one(file, config, overrides, model, vectors)
    elif source or output:
        _new_mail(config, engine, overrides, model, source, output, vectors)
    elif model or vectors:
        raise ConfigError(f"{'--model' if model else '--vectors'} goes with FILE.eml, or with --input and --output")
    else:
        _queue(settings(config, engine, overrides))


def _queue(config: Config) -> None:
    from mailmill import pipeline
    from mailmill.docs.summary import summarise

    with session(config, "score") as job:
        pipeline.score(job)
        click.echo(summarise(job.workspace))


@contextmanager
def one_message(file: BinaryIO) -> Iterator[bytes]:
    """The message in `file`; what makes it unusable is an error that names the file."""
    try:
        yield file.read()
    except RejectedMessage as error:
        raise DataError(f"{file.name} cannot be used: {error.message}") from None


def _one(file: BinaryIO, config: str | None, overrides: Sequence[str], model: str | None, vectors: str | None) -> None:
    from mailmill.stages.scorer import chosen, open_model, score_message
    from mailmill.storage.filesystems import Storage, join
    from mailmill.storage.tables import Workspace

    found = settings(config, None, overrides) if config else None
    storage = Storage(found.storage if found else StorageSection())
    if model is None:
        if found is None:
            raise ConfigError("say which model: --model DIR, or the workspace's with --config FILE.toml")
        workspace = Workspace(storage, found.run.work, found.tables)
        model = join(found.run.work, "models", chosen(workspace, found.score.model))
    scorer = open_model(storage, model, vectors)
    with one_message(file) as raw:
        click.echo(json.dumps(score_message(raw, scorer)))


def _new_mail(
    config: str | None,
    engine: str | None,
    overrides: Sequence[str],
    model: str | None,
    source: str | None,
    output: str | None,
    vectors: str | None,
) -> None:
    if not (model and source and output):
        raise ConfigError("new mail is scored with all of --model DIR --input PATH --output DIR")
    paths = {"run.work": output, "input.paths": [source]}
    changes = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in paths.items()]  # as TOML reads it
    if config:
        found = settings(config, engine, [*overrides, *changes])
    else:
        found = parse({}, [*overrides, *([f"engine.kind={engine}"] if engine else []), *changes])
    from mailmill import pipeline
    from mailmill.stages.scorer import open_model
    from mailmill.stages.scoring import require_own, score_mail

    with session(found, "score") as job:
        require_own(job)
        scorer = open_model(job.storage, model, vectors)
        pipeline.ingest(job, "score")
        clean = pipeline.clean(job)
        scores = score_mail(job, scorer)
        counts = clean.manifest.statistics
        click.echo(
            f"{counts['messages']} messages = {scores.rows} scored + {counts['rejects']} rejects "
            f"+ {counts['duplicates']} duplicates\nscores       {scores.uri}/run_id={scores.manifest.run_id}"
        )
