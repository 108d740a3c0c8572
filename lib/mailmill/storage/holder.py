"""Who holds a lease: a run's process, which may be another machine's, alive or gone."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease: a run, and the process that a look at this machine can find alive or gone."""

    run: str
    host: str
    pid: int
    process: str  # boot, pid namespace and start time: a pid that was used again is another process
    since: str
    seconds: float | None = None  # the lease's time to live; older versions did not say

    @classmethod
    def of_this_process(cls, run: str, seconds: float | None = None) -> Holder:
        """This process, as the holder for `run`, which renews the lease within `seconds`."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(run, platform.node(), os.getpid(), identity(os.getpid()), since, seconds)

    @classmethod
    def told_by(cls, content: bytes) -> Holder | None:
        """The holder that a lease file names; None where it is damaged, or nobody's."""
        try:
            document = json.loads(content)
            seconds = document.get("seconds")
            held = {name: document[name] for name in ("run", "host", "pid", "process", "since")}
            return cls(**held, seconds=None if seconds is None else float(seconds))
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    @property
    def gone(self) -> bool:
        """Whether the process ran here and runs no more; False where that cannot be told."""
        here = identity(os.getpid()).rpartition(" ")[0]
        return bool(here) and self.process.rpartition(" ")[0] == here and identity(self.pid) != self.process


def identity(pid: int) -> str:
    """ "boot namespace start" of a living process of this machine; "" where there is none, or no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot} {namespace} {fields[19]}"
