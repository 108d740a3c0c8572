"""How a command ends: one or two plain lines for people, an exit code for schedulers."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable

import click

from mailmill.commands import interrupt, streams
from mailmill.errors import EXIT_OK, ConfigError, InfrastructureError, MailmillError, exit_code_of, is_of_the_disk


def guarded(action: Callable[[], object]) -> int:
    """Run `action`; say what went wrong in plain lines; return the exit code."""
    try:
        action()
    except MailmillError as error:
        _say(error.message, error.hint)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return ConfigError.exit_code
    except (KeyboardInterrupt, click.Abort):
        interrupt.say()
        return interrupt.exit_code()
    except MemoryError as error:
        _say("out of memory", "lower tables.row_group_bytes, or use --engine dask with engine.memory")
        return exit_code_of(error)
    except Exception as error:  # the last line of defence: say what it is, and where to look
        if why := streams.refused(error):
            _say(f"cannot write to standard output: {why}", "")
            return InfrastructureError.exit_code
        if is_of_the_disk(error):
            place = getattr(error, "filename", None) or tempfile.tempdir or os.environ.get("TMPDIR", "temporary files")
            _say(
                f"{place}: {getattr(error, 'strerror', None) or error}",
                "make room there, or set TMPDIR to another disk",
            )
            return exit_code_of(error)
        logging.getLogger("mailmill").debug("unexpected", exc_info=True)
        _say(f"unexpected {type(error).__name__}", "this is a bug in mailmill; MAILMILL_LOG=DEBUG shows where")
        return exit_code_of(error)
    return EXIT_OK


def _say(message: str, hint: str) -> None:
    with contextlib.suppress(OSError):  # nobody can be told
        click.secho(f"mailmill: {message}", err=True, fg="red")
        if hint:
            click.echo(f"          {hint}", err=True)
