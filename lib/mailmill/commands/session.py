"""A run from the command line: configuration in; lease, log and record around the job."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from mailmill.commands import interrupt
from mailmill.config import Config, StorageSection, load, parse
from mailmill.config.secrets import refuse_login
from mailmill.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mailmill.job import Job


def place(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The value of an option that names a place. Raises ConfigError where it holds credentials."""
    try:
        return value and refuse_login(value)
    except ValueError as error:
        raise ConfigError(f"{parameter.opts[-1]}: {error}") from None


config_option = click.option(
    "-c", "--config", metavar="FILE", callback=place, help="A TOML file, on disk or s3://; see conf/ in the source."
)
engine_option = click.option(
    "-e", "--engine", type=click.Choice(["local", "dask", "spark", "auto"]), help="Who computes; overrides the file."
)
set_option = click.option(
    "-s", "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Change one setting; repeatable."
)
#: YARN's name of a process's container: that of the application, the attempt's number and its own.
_CONTAINER = re.compile(r"container_(?:e\d+_)?(\d{1,16}_\d{1,16})_\d+_\d+$")


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--config, --engine and --set: what every stage takes."""
    return config_option(engine_option(set_option(command)))


@cache
def run_id() -> str:
    """This run's id: MAILMILL_RUN_ID, which a scheduler may give, that of its application on YARN, or a new one.

    All attempts of a driver have one: by that the next knows the lease of one that died. Raises ConfigError where the
    given one is no name of a file.
    """
    from mailmill.storage.manifests import new_run_id

    given = os.environ.get("MAILMILL_RUN_ID")
    if given and not re.fullmatch(r"[A-Za-z0-9._-]{1,48}", given):  # as spark-submit.sh's --run-id
        raise ConfigError(f"MAILMILL_RUN_ID={given}: letters, digits, dot, dash and underscore, at most 48")
    container = _CONTAINER.match(os.environ.get("CONTAINER_ID", ""))
    return given or (f"application_{container[1]}" if container else new_run_id())


def settings(config: str | None, engine: str | None, overrides: Sequence[str]) -> Config:
    """The configuration, checked whole. Raises ConfigError before anything is started."""
    if config is None:
        raise ConfigError("say which configuration: --config FILE.toml", hint="see conf/ in the source for examples")
    changes = [*overrides, *([f"engine.kind={engine}"] if engine else [])]
    if not config.startswith(("s3://", "s3a://")):
        return load(config, changes)
    from mailmill.storage.clients import endpoint_of_environment
    from mailmill.storage.filesystems import Storage

    storage = Storage(StorageSection(endpoint=endpoint_of_environment(), region=os.environ.get("AWS_REGION")))
    try:
        content = storage.read(config)
    except DataError as error:
        storage.children(config.rpartition("/")[0])  # raises where its bucket does not exist
        raise ConfigError(f"configuration {error.message}", hint="see conf/ in the source for examples") from None
    try:
        return parse(tomllib.loads(content.decode("utf-8-sig")), changes, origin=config)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"configuration {config} cannot be read: {error}") from None


@contextmanager
def session(config: Config, command: str) -> Iterator[Job]:
    """A job that holds the workspace's lease, and whose end is recorded, also where another run has the lease."""
    from mailmill.job import Job
    from mailmill.runs.record import Recorder
    from mailmill.storage.filesystems import Storage
    from mailmill.storage.lease import Lease

    recorder = Recorder(config, run_id(), command)
    lease = Lease(Storage(config.storage), config.run.work, run_id(), config.run.lease_seconds)

    def check() -> None:
        """Whether this run may publish."""
        lease.check()
        interrupt.check()

    job = Job(config, check, recorder.heard, alone=True)
    job.require_apart()
    failure: BaseException | None = None
    try:
        with lease, job:
            yield job
    except BaseException as error:
        failure = error
        raise
    finally:
        if lease.reached:
            recorder.engine(job.described)
            recorder.write(job.storage, failure)  # after the engine has closed: its workers' memory is then known
