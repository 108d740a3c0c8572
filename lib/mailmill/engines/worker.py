"""What a worker process holds and gives back, how Dask's begins, whose code it has, and what PySpark spends on a task.

Before every task PySpark calls `importlib.invalidate_caches()`, at which each zip archive on the path reads its
directory again, in Python and once a package: with pyspark.zip that is a tenth of a second a task. It also collects
garbage, walking through every module that was ever imported. Training takes many short tasks, so this is most of
their time. Measured on two cores: a pass of four empty tasks takes 0.33 s with these habits, 0.1 s without.
"""

from __future__ import annotations

import gc
import sys
import threading
import zipimport
from collections.abc import Callable
from types import FrameType
from typing import Any

import pyarrow as pa

from mailmill.errors import InfrastructureError
from mailmill.storage.manifests import code_version

#: What Dask's worker process does first. Ctrl-C reaches every process of a terminal; workers leave it to the driver,
#: which then stops them. A worker spills by its own memory, see `dask_workers.OwnMemoryNanny`; its profiler must not
#: stop it.
PRELOAD = """
import signal
import sys

from distributed.system_monitor import SystemMonitor

from mailmill.engines.worker import own_memory, safe_frames

sys._current_frames = safe_frames
signal.signal(signal.SIGINT, signal.SIG_IGN)
SystemMonitor.get_process_memory = lambda monitor: own_memory(monitor.proc.memory_info())
"""
_SPAWN = "distributed.nanny.pre-spawn-environ"
#: The system's allocator gives back at once what Arrow's own keeps: for features of 100,000 and 1,600,000 mails the
#: largest worker grew by 8 % instead of 18 %, for a few percent of time. Dask has it give back every 64 KiB, and so map
#: and unmap what is larger than 128: faults of pages were a fifth of a run. Beyond 4 MiB a hole costs more than they
#: do. A task's end gives back all, see `dask._call`.
SPARING = {
    f"{_SPAWN}.ARROW_DEFAULT_MEMORY_POOL": "system",
    f"{_SPAWN}.MALLOC_TRIM_THRESHOLD_": 2**23,
    f"{_SPAWN}.MALLOC_MMAP_THRESHOLD_": 2**22,
    # A worker that keeps 80 % of its limit would wait for memory that nobody gives back, and once all do, for ever.
    "distributed.worker.memory.pause": False,
}

_frozen = False
_asking = threading.Lock()


def travel_light() -> None:
    """Forget the importers of zip archives (a later import makes them anew); take modules out of collection, once;
    and `give_back`.

    Called at the end of a task, when what it needs has been imported.
    """
    global _frozen
    give_back()
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimport.zipimporter):
            del sys.path_importer_cache[path]
    if not _frozen:
        _frozen = True
        gc.collect()
        gc.freeze()


def require_code(driver: str) -> None:
    """Raise InfrastructureError where this worker has other code than the `driver`; '': they are surely the same.

    A worker that was started before an upgrade makes rows by the old rules, under the new code's name.
    """
    if driver and driver != code_version():
        raise other_code("a worker", code_version(), driver)


def other_code(who: str, code: str, driver: str) -> InfrastructureError:
    """What is raised where a worker, or whoever takes tasks, has this `code` and not that of the `driver`."""
    return InfrastructureError(
        f"{who} runs other code, mailmill {code}; this is {driver}",
        hint="install the same mailmill on the whole cluster, and start it again",
    )


def give_back() -> None:
    """Return what Arrow keeps for later to the system: of a worker of 1 GiB it kept a quarter after reading Parquet.

    Called at the end of a task, and by the Dask engine's driver before a pass.
    """
    pa.default_memory_pool().release_unused()


def own_memory(found: Any) -> int:
    """Resident bytes that are a process's own: without pages of mapped files, which are shared and given back.

    `found`: psutil's memory_info; only Linux tells which pages are shared.
    """
    return int(found.rss - getattr(found, "shared", 0))


def safe_frames(frames: Callable[[], dict[int, FrameType]] = sys._current_frames) -> dict[int, FrameType]:
    """`sys._current_frames()` that cannot stop the process for ever, as it can in Python 3.11 before 3.11.9.

    There it allocates under a lock of the interpreter; a collection at that moment runs Python code, which lets another
    thread have the interpreter; and a thread that starts or ends then waits for the lock (gh-106883). Dask's profiler
    asks 100 times a second, so a worker that reads small objects in threads stands still now and then.
    """
    with _asking:
        collecting = gc.isenabled()
        gc.disable()
        try:
            return frames()
        finally:
            if collecting:
                gc.enable()
