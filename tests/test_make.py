"""`make clean` removes what make has made, and nothing that somebody has put beside it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mailmill.config import load
from tests.conftest import ROOT

MADE = (
    ".venv/bin/uv", ".venv-compiled/bin/mailmill", "work/demo/clean/_manifest.json", "work/demo-mail/labels.csv",
    "data_docs/site/index.html", "build/compiled/mailmill.whl", "build/yarn/a.jar", "build/spark.jsa",
    ".mypy_cache/a", ".ruff_cache/a", ".pytest_cache/a", ".hypothesis/a",
)  # fmt: skip


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def cleaned(folder: Path) -> set[str]:
    """What `make clean` leaves in a clone."""
    shutil.copy(ROOT / "Makefile", folder)
    subprocess.run(["make", "clean"], cwd=folder, check=True, capture_output=True, timeout=60)
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} - {"Makefile"}


def test_all_that_make_has_made_goes(tmp_path: Path) -> None:
    put(tmp_path, *MADE)
    assert cleaned(tmp_path) == {"data_docs"}


@pytest.mark.parametrize("name", ["dask", "local"])
def test_mail_where_the_examples_have_it_stays(name: str, tmp_path: Path) -> None:
    """Mail, labels and tables went, with all of `work`."""
    config = load(ROOT / "conf" / f"{name}.toml")
    kept = [f"{path}/a.eml" for path in config.input.paths]
    kept += [str(config.labels.source), f"{config.run.work}/scores/_manifest.json"]
    put(tmp_path, *MADE, *kept)
    assert cleaned(tmp_path) >= set(kept)


def test_what_make_does_not_make_stays(tmp_path: Path) -> None:
    """An environment of one's own is named .venv, too; so are folders of what one has built."""
    kept = [".venv/bin/python", "build/mine.whl", "dist/mine.whl"]
    put(tmp_path, *kept)
    assert cleaned(tmp_path) >= set(kept)
