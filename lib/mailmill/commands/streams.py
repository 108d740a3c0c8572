"""Standard streams that are closed, full or of another charset: said in a line, or not noticed at all.

A caller may close a stream (`>&-`): Python then has None for it, and the next file that is opened, a table perhaps,
gets its number, where messages go. So each number is taken first, by what leads nowhere.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import click


def prepare() -> None:
    """Open what is closed, to nowhere; show characters that a stream's charset has not as backslashes and a number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere(mode: str) -> Any:
    return Path(os.devnull).open(mode, encoding="utf-8")


def refused(error: Exception) -> str:
    """Why what a command says could not be written, e.g. to a full disk; "" where the error is another."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    ours = trace is not None and trace.tb_frame.f_code is click.echo.__code__
    return str(error.strerror or error) if ours and isinstance(error, OSError) else ""
