"""The record of a run, `runs/ID.json` in its workspace: written at its end, well or ill.

A scheduler may give several commands one id: later ones are `runs/ID.2.json` and so on.

Everything in it is the configuration's, the manifests' or a measurement of this process; never a word of mail.
"""

from __future__ import annotations

import json
import logging
import platform
import resource
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, count
from typing import Any

from mailmill.config import Config
from mailmill.config.secrets import redacted
from mailmill.errors import MailmillError, exit_code_of
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.manifests import Manifest, code_version

log = logging.getLogger("mailmill")
FORMAT, VERSION = "mailmill.run", 1
FOLDER = "runs"
_LIBRARIES = ("numpy", "pyarrow", "numba", "dask", "pyspark", "selectolax", "fast-mail-parser", "s3fs")
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


class Recorder:
    """Hears of every table of a run, and writes down how the run ended."""

    def __init__(self, config: Config, run: str, command: str) -> None:
        self._config, self.run, self._command = config, run, command
        self._tables: list[dict[str, Any]] = []
        self._engine = ""
        self._started, self._began = datetime.now(UTC), time.monotonic()

    def heard(self, event: str, manifest: Manifest) -> None:
        """A table was published, or found unchanged."""
        found = {"table": manifest.table, "event": event, "run_id": manifest.run_id, "rows": manifest.rows}
        found |= {"bytes": sum(file.bytes for file in manifest.files), "files": len(manifest.files)}
        found |= {"fingerprint": manifest.fingerprint, "inputs": manifest.inputs, "statistics": manifest.statistics}
        self._tables.append(found | {"seconds": manifest.seconds if event == "published" else 0.0})

    def engine(self, described: str) -> None:
        """The engine that was started, and where to watch it; "": none was."""
        self._engine = described

    def write(self, storage: Storage, error: BaseException | None) -> None:
        """Write the record. One that cannot be written is only warned of."""
        content = json.dumps(self.document(error), indent=1, sort_keys=True, default=str) + "\n"
        names = chain([self.run], (f"{self.run}.{number}" for number in count(2)))
        uris = (join(self._config.run.work, FOLDER, f"{name}.json") for name in names)
        try:
            storage.write(next(uri for uri in uris if not storage.exists(uri)), content.encode())
        except MailmillError as failure:
            log.warning("no record of this run: %s", failure.message)

    def document(self, error: BaseException | None = None) -> dict[str, Any]:
        """The record as plain JSON."""
        seconds = time.monotonic() - self._began
        price = self._config.run.price_per_hour
        found: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "run": self.run,
            "command": self._command,
            "outcome": self._outcome(error),
            "started": self._started.isoformat(timespec="milliseconds"),
            "seconds": round(seconds, 3),
            "configuration": redacted(self._config.model_dump(mode="json")),
            "versions": _versions(),
            "machine": {"system": platform.platform(), "processor": platform.machine()},
            "engine": redacted(self._engine),
            "tables": self._tables,
            "peak_bytes": peaks(),
            "cost": {"price_per_hour": price, "estimate": None if price is None else round(price * seconds / 3600, 6)},
        }
        if error is not None:
            own = error if isinstance(error, MailmillError) else MailmillError("")  # another's words may quote a mail
            found["error"] = {
                "type": type(error).__name__,
                "message": redacted(own.message),
                "hint": redacted(own.hint),
                "exit_code": exit_code_of(error),
            }
        return found

    def _outcome(self, error: BaseException | None) -> str:
        """done, unchanged (nothing was published), interrupted or failed."""
        if error is not None:
            return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        return "done" if any(table["event"] == "published" for table in self._tables) else "unchanged"


def peaks() -> dict[str, int]:
    """Largest resident memory in bytes: of this process, and of the largest of its child processes that has ended."""
    return {
        "driver": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT,
        "largest_child": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT,
    }


def _versions() -> dict[str, str]:
    found = {"mailmill": code_version(), "python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
