"""`mailmill runs`: what earlier runs of a workspace did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mailmill.commands.session import config_option, set_option, settings

if TYPE_CHECKING:
    from mailmill.storage.filesystems import Storage


def _place(config: str | None, overrides: Sequence[str]) -> tuple[Storage, str]:
    from mailmill.storage.filesystems import Storage

    found = settings(config, None, overrides)
    return Storage(found.storage), found.run.work


@click.group(short_help="what earlier runs did: list, show, compare")
def runs() -> None:
    """Say what earlier runs of a workspace did. RUN is an id, its beginning, or `last`."""


@runs.command("list", short_help="a line a command of a run")
@config_option
@set_option
def list_runs(config: str | None, overrides: Sequence[str]) -> None:
    """A line a command of a run, oldest first: outcome, time, tables, cost."""
    from mailmill.runs import reports

    click.echo(reports.listing(*_place(config, overrides)))


@runs.command(short_help="one run: tables, memory, cost")
@config_option
@set_option
@click.option("--json", "whole", is_flag=True, help="The whole record; a list where several commands had this id.")
@click.argument("run", default="last")
def show(config: str | None, overrides: Sequence[str], whole: bool, run: str) -> None:
    """One run: its tables with rows, bytes, seconds and fingerprints; memory; cost."""
    from mailmill.runs import reports

    records = reports.load(*_place(config, overrides), run)
    if whole:
        click.echo(json.dumps(records if len(records) > 1 else records[0], indent=1, sort_keys=True))
    else:
        click.echo("\n\n".join(map(reports.shown, records)))


@runs.command(short_help="what differs between two runs")
@config_option
@set_option
@click.argument("run")
@click.argument("other", default="last")
def compare(config: str | None, overrides: Sequence[str], run: str, other: str) -> None:
    """What differs between two runs: settings, versions, rows, content, time, figures."""
    from mailmill.runs import reports

    place = _place(config, overrides)
    click.echo(reports.compared(reports.load(*place, run), reports.load(*place, other)))
