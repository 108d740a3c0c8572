"""Ctrl-C, a scheduler's SIGTERM, a closed terminal's SIGHUP: said once in plain words, never lost, obeyed in seconds.

Python raises KeyboardInterrupt wherever the main thread happens to be. Where that is a finaliser or a callback of a
library, Python prints or drops it and the run goes on: so it is remembered too, and the next publication asks. Where it
is the bookkeeping of a lock, an import or a connection, something may wait for ever: so a watch ends the process once
its patience is over, as a second Ctrl-C does at once. That harms nothing: workers go with their driver, and a table is
published by one atomic write.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from typing import NoReturn

from mailmill.runs import logs

#: What stops a run, and a shell's exit code of a process that ended so.
EXIT_INTERRUPTED, EXIT_TERMINATED, EXIT_HUNG_UP = 130, 143, 129
_CODES = {
    int(signal.SIGINT): EXIT_INTERRUPTED,
    int(signal.SIGTERM): EXIT_TERMINATED,
    int(signal.SIGHUP): EXIT_HUNG_UP,
}
#: What people are told, and the way on, of all that publishes.
MESSAGE, HINT = "interrupted; nothing half-done was published", "start the same command again to continue"
#: How long an engine may take to stop its workers.
PATIENCE_SECONDS = 20.0

_struck = threading.Event()
_code = 0  # of the signal that came first
_means = MESSAGE, HINT
_said = False  # no Event: a second Ctrl-C in the middle of setting one would wait for its lock for ever


class Interrupted(KeyboardInterrupt):
    """What a run ends with that is told to stop. `exit_code` is the process's."""

    @property
    def exit_code(self) -> int:
        """A shell's exit code of the signal that came first."""
        return exit_code()


def means(message: str, hint: str) -> None:
    """What an interrupt leaves behind from here on, and the way on, where it is not that of a run."""
    global _means
    _means = message, hint


def install() -> None:
    """Take SIGINT, SIGTERM and, except under `nohup`, SIGHUP from here on.

    The watch starts now: a handler that starts a thread may strike a main thread that is about to start one, and wait
    for that one's lock.
    """
    seen, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(seen,), name="interrupt", daemon=True).start()
    for number in _CODES:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, strike)


def strike(number: int = signal.SIGINT, *_: object) -> None:
    """What the signals do. What Dask, Spark and Py4J log of being stopped would bury the two lines that people need."""
    if _struck.is_set():
        abandon()
    _first(number)
    _struck.set()
    logging.disable(logging.CRITICAL)
    raise Interrupted


def exit_code() -> int:
    """What an interrupted process ends with."""
    return _code or EXIT_INTERRUPTED


def _first(number: int) -> None:
    global _code
    _code = _code or _CODES[number]


def _watch(seen: int) -> None:
    """Wait for an interrupt, then for another one or the end of the patience.

    The bytes come from the signal itself: a main thread that was about to block does not run its handler.
    """
    while (number := os.read(seen, 1)[0]) not in _CODES:
        pass
    _first(number)
    end = time.monotonic() + PATIENCE_SECONDS
    while (left := end - time.monotonic()) > 0 and select.select([seen], [], [], left)[0]:
        if os.read(seen, 1)[0] in _CODES:
            break
    abandon()


def check() -> None:
    """Raise Interrupted where there was one, whatever has become of it."""
    if _struck.is_set():
        raise Interrupted


def say() -> None:
    """Tell people or the log, once. Written past Python's buffers, whose locks an interrupted print may hold."""
    global _said
    if not _said:
        _said = True
        message, hint = _means
        line = logs.event("interrupted", message, hint, exit_code()) or f"mailmill: {message}\n          {hint}"
        with contextlib.suppress(OSError):  # nobody reads any more
            os.write(2, f"{line}\n".encode())


def abandon() -> None:
    """End the process here and now."""
    say()
    os._exit(exit_code())


def leave(code: int = EXIT_INTERRUPTED) -> NoReturn:
    """End the process after its exit handlers, waiting for no thread and no library's destructor.

    After a run these take a second: what they would free, the system takes back at once.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            stream.flush()
    os._exit(code)
