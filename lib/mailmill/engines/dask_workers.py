"""Worker processes on this machine that the Dask engine starts: each with a memory limit, and for this user alone."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import dask
import distributed
import psutil

from mailmill.engines.worker import PRELOAD, SPARING, own_memory
from mailmill.errors import InfrastructureError
from mailmill.storage.disk import make_ours


class OwnMemoryNanny(distributed.Nanny):  # type: ignore[misc]  # distributed has no types
    """Keeps a worker process alive, and ends one whose own memory is over its limit.

    Dask counts all resident pages. Word vectors, labels and the cached fragments are mapped files: their pages are
    shared by all workers and given back when memory is short, so they are no reason to kill anybody.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if (watch := self.periodic_callbacks.get("memory_monitor")) is not None:
            watch.callback = self._watch_memory

    def _watch_memory(self) -> None:
        manager = self.memory_manager
        if self.process is None or self.process.process is None or self.process.process.pid is None:
            return
        try:
            own = own_memory(psutil.Process(self.process.process.pid).memory_info())
        except psutil.Error:
            return
        if own > manager.memory_limit * manager.memory_terminate_fraction:
            manager.memory_monitor(self)


def started(workers: int, memory: int) -> Any:
    """A cluster of worker processes, of `memory` bytes each.

    They and this process speak TLS, with a certificate of the run's own that lies in no file: Dask runs what it is
    sent, and any user of this machine reaches its ports.

    They start in a thread of their own, and one that interrupts this one waits for that and closes them: neither Dask
    nor a worker that is left half-started ends without a traceback.
    """
    with ThreadPoolExecutor(1) as apart:
        start = apart.submit(_started, workers, memory)
        try:
            return start.result()
        except KeyboardInterrupt:
            with contextlib.suppress(InfrastructureError):
                start.result().close()
            raise


def _started(workers: int, memory: int) -> Any:
    """See `started`. A terminal's Ctrl-C strikes the workers, too: they are deaf to it, and end with this process."""
    resource_tracker.ensure_running()  # which lets the signal through again, once it has started
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with dask.config.set(SPARING):
            return distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=memory,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                preload=PRELOAD,
                worker_class=OwnMemoryNanny,
                security=distributed.Security.temporary(),
                local_directory=_scratch(),
            )
    except PermissionError as error:
        raise InfrastructureError(
            f"Dask workers cannot use {error.filename}: {error.strerror}",
            hint="remove it, or set TMPDIR (or Dask's temporary-directory) to another place",
        ) from None
    except (OSError, RuntimeError) as error:
        refused = _refused(error)
        raise InfrastructureError(
            f"Dask workers did not start on this machine: {refused or error}",
            hint="they need memory, /dev/shm and the loopback interface; or use --engine local"
            if refused
            else "a script needs `if __name__ == '__main__':` around what it runs; else see the free memory",
        ) from None


def _refused(error: BaseException) -> OSError | None:
    """What the system refused, where that is behind `error`: Dask wraps it several times."""
    while below := error.__cause__ or error.__context__:
        error = below
    return error if isinstance(error, OSError) and error.errno else None


def _scratch() -> str:
    """Where workers spill, and begin with what they import: a folder that is this user's alone, below it Dask's own.

    That of Dask lies where anybody may have made it, and what it begins with is code. It sweeps what dead workers left.
    """
    place = dask.config.get("temporary-directory", None) or tempfile.gettempdir()
    folder = Path(place) / f"mailmill-dask-{os.geteuid()}"
    make_ours(folder)
    return str(folder)
