"""`mailmill compact`: few files instead of many, the same rows."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mailmill.commands.session import options, session, settings


@click.command(short_help="join the small files of tables that grew")
@options
def compact(config: str | None, engine: str | None, overrides: Sequence[str]) -> None:
    """Join the small files that nightly runs leave, up to tables.fragment_bytes; no row and no later stage changes."""
    from mailmill.stages import compacting

    with session(settings(config, engine, overrides), "compact") as job:
        for name, (before, after) in compacting.compact(job).items():
            click.echo(f"{name:<12} {before} files -> {after}")
