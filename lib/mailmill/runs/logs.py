"""Logs: plain lines on a terminal, one JSON object a line elsewhere, so that a log store can ask them questions."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from mailmill.visible import visible, visible_lines

PLAIN = "%(asctime)s %(levelname)s %(name)s %(message)s"


class PlainLines(logging.Formatter):
    """A line a record, whatever the names of files in it hold; a traceback below it, whose lines look like none."""

    def __init__(self) -> None:
        super().__init__(PLAIN)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The record without its traceback; libraries' messages may be of several lines."""
        own = record.name.startswith("mailmill")
        return (visible if own else visible_lines)(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """A traceback; its last line may quote a name."""
        return visible_lines(super().formatException(ei))


class JsonLines(logging.Formatter):
    """time, level, logger, run, message, and the record's `fields`: stage, event, rows, bytes, seconds and others."""

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        found = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "run": self._run,
            "message": record.getMessage(),
        }
        found |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            found["exception"] = self.formatException(record.exc_info)
        return json.dumps(found, default=str)


def event(name: str, message: str, hint: str, exit_code: int) -> str:
    """What ends a process, as one line of its log where that is JSON; "" where it is text, as people read it.

    Written by whoever asks: an interrupted handler may hold the locks that logging waits for.
    """
    found = (handler.formatter for handler in logging.getLogger().handlers)
    json_lines = next((formatter for formatter in found if isinstance(formatter, JsonLines)), None)
    if json_lines is None:
        return ""
    fields = {"event": name, "exit_code": exit_code} | ({"hint": hint} if hint else {})
    record = {"name": "mailmill", "levelname": "ERROR", "msg": message, "fields": fields}
    return json_lines.format(logging.makeLogRecord(record))


def configure(run: str) -> None:
    """Log to stderr: MAILMILL_LOG sets mailmill's level, MAILMILL_LOG_FORMAT is text, json, or left to the terminal.

    A level that there is not is warned of, and INFO taken.
    """
    wanted = os.environ.get("MAILMILL_LOG_FORMAT", "text" if sys.stderr.isatty() else "json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(run) if wanted == "json" else PlainLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    log, level = logging.getLogger("mailmill"), os.environ.get("MAILMILL_LOG") or "INFO"
    known = level.upper() in logging.getLevelNamesMapping()
    log.setLevel(level.upper() if known else logging.INFO)
    if not known:
        log.warning("MAILMILL_LOG=%s is none of DEBUG, INFO, WARNING, ERROR: INFO is taken", level)
