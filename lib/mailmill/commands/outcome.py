"""How a command ends: two plain lines for people, or an event in a log that is JSON; an exit code for schedulers."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable
from typing import Final

import click

from mailmill.commands import interrupt, streams
from mailmill.errors import EXIT_OK, ConfigError, InfrastructureError, MailmillError, exit_code_of, is_of_the_disk
from mailmill.runs import logs
from mailmill.visible import visible_lines

#: A group without a command ends in its help, which is for people wherever it goes; before click 8.2 it is no error.
_HELP: Final = getattr(click.exceptions, "NoArgsIsHelpError", ())


def guarded(action: Callable[[], object]) -> int:
    """Run `action`; say what went wrong in plain lines, or as an event where logs are JSON; return the exit code."""
    try:
        action()
    except click.ClickException as error:
        if isinstance(error, _HELP) or not _logged(error.format_message(), "", ConfigError.exit_code):
            error.show()
        return ConfigError.exit_code
    except (KeyboardInterrupt, click.Abort):
        interrupt.say()
        return interrupt.exit_code()
    except Exception as error:  # noqa: BLE001 - the last line of defence
        message, hint, code = _told(error)
        if not _logged(message, hint, code):
            _say(message, hint)
        return code
    return EXIT_OK


def _told(error: Exception) -> tuple[str, str, int]:
    """What an error means for people, the way out, and the exit code."""
    if isinstance(error, MailmillError):
        return error.message, error.hint, error.exit_code
    code = exit_code_of(error)
    if isinstance(error, MemoryError):
        return "out of memory", "lower tables.row_group_bytes, or use --engine dask with engine.memory", code
    if why := streams.refused(error):
        return f"cannot write to standard output: {why}", "", InfrastructureError.exit_code
    if is_of_the_disk(error):
        place = getattr(error, "filename", None) or tempfile.tempdir or os.environ.get("TMPDIR", "temporary files")
        why = getattr(error, "strerror", None) or str(error)
        return f"{place}: {why}", "make room there, or set TMPDIR to another disk", code
    logging.getLogger("mailmill").debug("unexpected", exc_info=error)
    return f"unexpected {type(error).__name__}", "this is a bug in mailmill; MAILMILL_LOG=DEBUG shows where", code


def _logged(message: str, hint: str, exit_code: int) -> bool:
    """Whether it was said as an event of a log that is JSON."""
    line = logs.event("failed", message, hint, exit_code)
    if line:
        with contextlib.suppress(OSError):  # nobody can be told
            click.echo(line, err=True)
    return bool(line)


def _say(message: str, hint: str) -> None:
    with contextlib.suppress(OSError):  # nobody can be told
        click.secho(f"mailmill: {visible_lines(message)}", err=True, fg="red")
        if hint:
            click.echo(f"          {visible_lines(hint)}", err=True)
