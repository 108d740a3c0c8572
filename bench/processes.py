"""Peak memory of a process and all its descendants, sampled from /proc: for the scripts beside this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def family(root: int) -> list[int]:
    """Process numbers of `root` and everything below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(") ", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def resident(process: int) -> tuple[int, int, int]:
    """(RSS, anonymous, PSS) of a process in bytes: all resident pages; its own memory; pages divided by their users."""
    values = {"Rss:": 0, "Anonymous:": 0, "Pss:": 0}
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            name = line.split(maxsplit=1)[0]
            if name in values:
                values[name] = int(line.split()[1]) * 1024
    except OSError:
        return 0, 0, 0
    return values["Rss:"], values["Anonymous:"], values["Pss:"]


@dataclass
class Peaks:
    """A context manager that samples a process's family every `interval` seconds until it is left.

    rss, anonymous: peak bytes by process number. together: the peak of the sum of proportional set sizes.
    """

    root: int = field(default_factory=os.getpid)
    interval: float = 0.25
    rss: dict[int, int] = field(default_factory=dict)
    anonymous: dict[int, int] = field(default_factory=dict)
    commands: dict[int, str] = field(default_factory=dict)
    together: int = 0

    def __enter__(self) -> Peaks:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.is_set():
            together = 0
            for process in family(self.root):
                rss, anonymous, pss = resident(process)
                together += pss
                self.rss[process] = max(rss, self.rss.get(process, 0))
                self.anonymous[process] = max(anonymous, self.anonymous.get(process, 0))
                self.commands.setdefault(process, command_of(process))
            self.together = max(self.together, together)
            self._ended.wait(self.interval)


def command_of(process: int) -> str:
    """The first 400 characters of its command line."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:400]
    except OSError:
        return ""


def figures(peaks: Peaks) -> dict[str, Any]:
    """(RSS, anonymous) peaks of this process and of Dask's workers below it, for JSON."""
    workers = [process for process, command in peaks.commands.items() if "spawn_main" in command]
    pairs = {process: [peaks.rss[process], peaks.anonymous[process]] for process in [os.getpid(), *workers]}
    return {"driver": pairs.pop(os.getpid()), "workers": list(pairs.values())}


def in_child(script: str, *arguments: str) -> dict[str, Any]:
    """What `script`, run with the arguments in a process of its own, prints last: one JSON object."""
    said = subprocess.run([sys.executable, script, *arguments], stdout=subprocess.PIPE, check=True, text=True).stdout
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def highest(found: dict[str, Any]) -> int:
    """The largest RSS of all processes in `figures`."""
    return int(max(rss for rss, _ in [found["driver"], *found["workers"]]))


def described(found: dict[str, Any], memory: object) -> str:
    """A line of `figures` beside the budget of a worker, in bytes."""
    workers = "  ".join(f"worker {_mib(worker)}" for worker in found["workers"])
    return f"{'':16}driver {_mib(found['driver'])}  {workers}  budget {int(str(memory)) / 2**20:.0f} MiB"


def _mib(pair: list[int]) -> str:
    return f"{pair[0] / 2**20:.0f} MiB ({pair[1] / 2**20:.0f} own)"
