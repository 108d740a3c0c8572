"""The habits of PySpark's worker processes that are spared."""

import importlib
import sys
import zipfile
import zipimport
from pathlib import Path

import pytest

from mailmill.engines import worker


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
