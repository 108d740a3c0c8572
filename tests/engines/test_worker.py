"""The habits of PySpark's and Dask's worker processes that are spared."""

import importlib
import subprocess
import sys
import zipfile
import zipimport
from pathlib import Path

import pytest

from mailmill.engines import worker

#: Asks for frames while threads start and end and each collection runs Python code. `sys._current_frames` alone stands
#: still in Python 3.11.7 within a second (gh-106883).
ASKING = """
import faulthandler, gc, os, sys, threading, time
from mailmill.engines.worker import safe_frames

def start_and_end():
    while True:
        thread = threading.Thread(target=time.sleep, args=(0,))
        thread.start()
        thread.join()

faulthandler.dump_traceback_later(60, exit=True)
gc.callbacks.append(lambda phase, info: sum(i for i in range(300)))
gc.set_threshold(5)
sys.setswitchinterval(1e-6)
for _ in range(4):
    threading.Thread(target=start_and_end, daemon=True).start()
for _ in range(10_000):
    assert threading.get_ident() in safe_frames()
    time.sleep(0)
assert gc.isenabled()
print("went on", flush=True)
os._exit(0)
"""


def test_zip_archives_are_read_again_only_when_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_frozen", True)  # of this process nothing is taken out of collection
    archive = tmp_path / "modules.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for name in ("zipped_one", "zipped_two"):
            target.writestr(f"{name}.py", f"NAME = {name!r}")
    monkeypatch.syspath_prepend(str(archive))
    assert importlib.import_module("zipped_one").NAME == "zipped_one"
    kept = sys.path_importer_cache.get(str(archive))
    assert isinstance(kept, zipimport.zipimporter)
    worker.travel_light()
    assert not any(isinstance(finder, zipimport.zipimporter) for finder in sys.path_importer_cache.values())
    importlib.invalidate_caches()
    assert importlib.import_module("zipped_two").NAME == "zipped_two"


def test_asking_for_frames_never_stops_the_process() -> None:
    run = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, timeout=120)
    assert run.stdout == "went on\n", run.stderr


def test_frames_leave_collection_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    monkeypatch.setattr(worker.gc, "isenabled", lambda: False)
    monkeypatch.setattr(worker.gc, "enable", lambda: states.append("enabled"))
    monkeypatch.setattr(worker.gc, "disable", lambda: states.append("disabled"))
    worker.safe_frames()
    assert states == ["disabled"]
