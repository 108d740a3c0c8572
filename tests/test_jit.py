"""Machine code that is kept: never older than any kernel that is compiled into it."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import mailmill
from mailmill import jit
from mailmill.models.native import growing, scanning


def test_a_kernel_is_kept_with_the_stamp_of_all_files_of_kernels() -> None:
    own, all_files = growing.search._cache._cache_file._source_stamp
    assert all_files == jit.stamp(Path(mailmill.__file__).parent)
    names = {name for name, _, _ in all_files}
    assert {"jit.py", "models/native/scanning.py", "features/compiled.py"} <= names
    assert own != scanning.scan._cache._cache_file._source_stamp[0]


def test_every_file_of_kernels_is_among_them() -> None:
    folder = Path(mailmill.__file__).parent
    users = {str(f.relative_to(folder)) for f in folder.rglob("*.py") if "from mailmill.jit import" in f.read_text()}
    assert users
    assert users <= {name for name, _, _ in jit.stamp(folder)}


def test_the_stamp_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "models" / "native").mkdir(parents=True)
    for name in ("jit.py", "models/native/a.py", "models/native/b.py"):
        (tmp_path / name).write_text("x = 1\n")
        os.utime(tmp_path / name, ns=(1, 1))
    before = jit.stamp(tmp_path)
    os.utime(tmp_path / "models/native/b.py", ns=(1, 2))
    assert jit.stamp(tmp_path) != before
    assert len(before) == 3


def imported(folder: Path, answer: int) -> Any:
    """A kernel of a module in `folder`, as another process finds it: it gives `answer`."""
    file = folder / "asked.py"
    file.write_text(f"from mailmill.jit import native\n\n\n@native\ndef ask():\n    return {answer}\n")
    os.utime(file, (answer, answer))
    sys.modules.pop("asked", None)
    importlib.invalidate_caches()
    return importlib.import_module("asked").ask


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["_save_index", "_save_data"])
def test_a_full_disk_costs_the_kept_code_alone(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home at its quota ended every stage, and the message named another disk."""
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    assert imported(tmp_path, 1)() == 1
    with monkeypatch.context() as filled:
        filled.setattr(f"numba.core.caching.IndexDataCacheFile.{step}", full)
        assert imported(tmp_path, 2)() == 2
    again = imported(tmp_path, 2)
    assert again() == 2, "what was kept of the first is taken for the second"
    kept = imported(tmp_path, 2)
    assert kept() == 2
    assert kept.stats.cache_hits
