"""Progress of long work: a bar on a terminal, a log line now and then elsewhere.

A stage wraps its work in `watch(...)` and hands the returned `Progress` to the engine, which calls
`advance(rows)` as tasks end. On a terminal people see rows, rate and time left; in a job's log a
line of `key=value` pairs is written at most every ten seconds and once at the end.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

log = logging.getLogger("mailmill")
EVERY_SECONDS = 10.0


class Progress(Protocol):
    """What an engine reports to."""

    def advance(self, rows: int) -> None:
        """`rows` more rows are done."""


class Silent:
    """Reports to nobody."""

    def advance(self, rows: int) -> None:
        """Do nothing."""


SILENT = Silent()


def counted(map_reduce: Callable[..., Any], progress: Progress) -> Callable[..., Any]:
    """`map_reduce`, telling `progress` of each pass over the data."""

    def counting(*arguments: Any, **options: Any) -> Any:
        result = map_reduce(*arguments, **options)
        progress.advance(1)
        return result

    return counting


class _Lines:
    """One log line every ten seconds, and one at the end."""

    def __init__(self, what: str, total: int | None, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done, self._began = 0, time.monotonic()
        self._next = self._began + EVERY_SECONDS

    def advance(self, rows: int) -> None:
        self._done += rows
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY_SECONDS
            rate = self._done / (now - self._began)
            left = f" left={(self._total - self._done) / rate:.0f}s" if self._total and rate else ""
            total = f"/{self._total}" if self._total else ""
            text = f"progress={self._done}{total}{left} unit={self._unit} rate={rate:.0f}/s"
            log.info("%s %s", self._what, text, extra={"fields": self._fields("progress", now, rate)})

    def finish(self) -> None:
        seconds = time.monotonic() - self._began
        rate = self._done / seconds if seconds else 0.0
        text = f"done={self._done} unit={self._unit} seconds={seconds:.1f} rate={rate:.0f}/s"
        log.info("%s %s", self._what, text, extra={"fields": self._fields("done", self._began + seconds, rate)})

    def _fields(self, event: str, now: float, rate: float) -> dict[str, object]:
        """What a structured log says of it."""
        found = {"stage": self._what, "event": event, "done": self._done, "total": self._total, "unit": self._unit}
        return found | {"seconds": round(now - self._began, 3), "per_second": round(rate, 1)}


class _Bar:
    def __init__(self, bar: RichProgress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def advance(self, rows: int) -> None:
        self._bar.advance(self._task, rows)


@contextmanager
def watch(what: str, total: int | None, unit: str = "mails") -> Iterator[Progress]:
    """Show the progress of one piece of work that is `total` units long (None: not known)."""
    if not sys.stderr.isatty():
        lines = _Lines(what, total, unit)
        yield lines
        lines.finish()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("[bold]{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar, bar.add_task(what, total=total))
