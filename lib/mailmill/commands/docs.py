"""`mailmill docs`: build the documentation, check its answers, compare versions, list facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mailmill.commands.session import config_option, options, session, set_option, settings
from mailmill.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mailmill.job import Job


@click.group("docs", short_help="datasheets, model cards and the site: build, check, diff")
def docs() -> None:
    """Documentation that is measured: datasheets, model cards, and a site that shows them.

    \b
      mailmill docs build -c FILE.toml               the site, Croissant, facts.json
      mailmill docs check -c FILE.toml               exit code 3 if an answer is missing or stale
      mailmill docs diff -c FILE.toml [OLD] [NEW]    what changed between two versions
    """


@docs.command(short_help="everything published -> the site")
@options
def build(config: str | None, engine: str | None, overrides: Sequence[str]) -> None:
    """Document everything that is published, and say where the site lies."""
    from mailmill import pipeline
    from mailmill.docs import build as documentation
    from mailmill.docs import site

    found = settings(config, engine, overrides)
    if missing := site.missing():
        raise ConfigError(f"{' and '.join(missing)} not installed", hint="pip install 'mailmill[docs]'")
    with session(found, "docs build") as job:
        pipeline.docs(job)
        click.echo(documentation.index(job.config))


@docs.command(short_help="fails on unanswered or stale answers")
@config_option
@set_option
def check(config: str | None, overrides: Sequence[str]) -> None:
    """Exit with 3 where an answer has a status of `docs.fail_on`, naming each and what has changed."""
    from mailmill.docs import build as documentation

    with _job(config, overrides) as job:
        documents = documentation.check(job.workspace, job.config)
    click.echo(f"version {documents.facts.version} of the data")
    for sheet in documents.sheets:
        counts = ", ".join(f"{n} {status}" for status, n in sheet.counts().items() if n)
        click.echo(f"  {sheet.subject:<16} {counts}")


@docs.command(short_help="what changed between two versions")
@click.argument("old", default="previous")
@click.argument("new", default="latest")
@config_option
@set_option
def diff(old: str, new: str, config: str | None, overrides: Sequence[str]) -> None:
    """Say which facts and answers differ between two documented versions, in words and figures.

    OLD and NEW are the first digits of a version's name, "previous" or "latest".
    """
    from mailmill.docs import versions

    with _job(config, overrides) as job:
        known = versions.listed(job.workspace)
    before, after = versions.find(known, old), versions.find(known, new)
    changes = list(versions.compare(before, after))
    click.echo(f"{before.id} ({before.built[:10]}) → {after.id} ({after.built[:10]}): {len(changes)} differences")
    for change in changes:
        click.echo(f"  {change.words}")


@docs.command(name="versions", short_help="the versions that are documented")
@config_option
@set_option
def list_versions(config: str | None, overrides: Sequence[str]) -> None:
    """List the documented versions of the data with the date of their last build, the latest at the end."""
    from mailmill.docs import versions

    with _job(config, overrides) as job:
        for version in versions.listed(job.workspace):
            rows = ", ".join(f"{name} {n}" for name, n in version.rows.items() if name in ("raw", "clean", "labels"))
            click.echo(f"{version.id}  {version.built[:16]}  {rows}")


@docs.command(name="facts", short_help="every measured fact")
@click.argument("prefix", default="")
@config_option
@set_option
def list_facts(prefix: str, config: str | None, overrides: Sequence[str]) -> None:
    """List the measured facts whose name starts with PREFIX, as declarations are bound to them."""
    from mailmill.docs import facts, gathering

    with _job(config, overrides) as job:
        found = [fact for fact in gathering.gather(job.workspace) if fact.name.startswith(prefix)]
    if not found:
        raise DataError(f"no fact's name starts with {prefix}", hint="mailmill docs facts, without it, lists all")
    for fact in found:
        click.echo(f'"{fact.name}" = "{facts.plain(fact.value)}"')


def _job(config: str | None, overrides: Sequence[str]) -> Job:
    found = settings(config, None, overrides)
    from mailmill.job import Job

    return Job(found)
