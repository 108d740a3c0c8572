"""`mailmill` in processes of their own, watched by their log lines, and killed with all their workers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Logs as on a terminal, which tests read more easily; stacks of a process that hangs.
TEXT = {"MAILMILL_LOG_FORMAT": "text", "PYTHONFAULTHANDLER": "1"}
#: A line of the log, as `runs.logs` sets it up then; every other line is for people.
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \S+ ")


def command(*arguments: str | Path) -> list[str]:
    """The command line of `mailmill` with this Python."""
    return [sys.executable, "-m", "mailmill", *map(str, arguments)]


def mailmill(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run `mailmill` to its end."""
    return subprocess.run(
        command(*arguments),
        env=os.environ | TEXT | (environment or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def for_people(stderr: str) -> list[str]:
    """The lines of `stderr` that are no log lines."""
    return [line for line in stderr.splitlines() if line.strip() and not LOG_LINE.match(line)]


class Running:
    """A run that is under way in a session of its own: its log lines, each with the time at which it came."""

    def __init__(self, arguments: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command(*arguments), env=os.environ | TEXT | (environment or {}), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.lines: list[tuple[float, str]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, *texts: str, timeout: float = 180) -> float:
        """The time at which a line that holds one of `texts` came; raises where the run ends without it."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                if (at := self.when(*texts)) is not None:
                    return at
                if not self._reader.is_alive() or not self._news.wait(min(0.5, deadline - time.monotonic())):
                    if self.process.poll() is not None and self.when(*texts) is None:
                        raise AssertionError(f"the run ended ({self.process.returncode}) before {texts}:\n{self}")
                    if time.monotonic() > deadline:
                        raise AssertionError(f"no line with {texts} within {timeout} s:\n{self}")

    def when(self, *texts: str) -> float | None:
        """The time of the first line that holds one of `texts`."""
        return next((at for at, line in list(self.lines) if any(text in line for text in texts)), None)

    def finish(self, timeout: float = 300) -> int:
        """Wait for the end; the exit code. Raises, with what each thread of the driver is at, where it does not end."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # Python's fault handler answers with all stacks
            self.process.wait(10)
            self._reader.join(10)
            raise AssertionError(f"still running after {timeout} s:\n{self}") from None
        self._reader.join(10)
        return code

    def interrupt(self) -> None:
        """What Ctrl-C on a terminal does: SIGINT to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill_one(self, mark: str) -> int:
        """SIGKILL to the session's youngest process with `mark` in its command line; its id, 0 if there is none."""
        for pid in sorted(_session(self.process.pid), reverse=True):
            try:
                if mark.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    return pid
            except (FileNotFoundError, ProcessLookupError):
                continue
        return 0

    def abandoned(self, timeout: float = 60) -> list[int]:
        """SIGKILL to the driver alone; its processes that are still alive after `timeout` seconds."""
        self.process.kill()
        self.process.wait(10)
        deadline = time.monotonic() + timeout
        while (left := _session(self.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def kill(self) -> None:
        """SIGKILL to every process of the session, and wait until none is left."""
        deadline = time.monotonic() + 30
        while pids := _session(self.process.pid):
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.process.poll()
            if time.monotonic() > deadline:
                raise AssertionError(f"processes survive SIGKILL: {pids}")
            time.sleep(0.02)
        self.process.wait(10)
        self._reader.join(10)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def __str__(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                with self._news:
                    self.lines.append((time.monotonic(), line.rstrip()))
                    self._news.notify_all()


def _session(leader: int) -> list[int]:
    """The living processes of a session: Spark's Python workers leave the process group, but not the session."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found
