"""The sdist is the whole project: `make demo`, spark-submit.sh and the tests run where it is unpacked."""

from __future__ import annotations

import subprocess
import tomllib

import pytest

from tests.conftest import ROOT


def test_the_sdist_has_all_that_git_has() -> None:
    """Its README opened with `make demo`, and it had no Makefile. Files that begin with a dot serve a clone alone."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tracked = {name.partition("/")[0] for name in listed.split("\0") if name and not name.startswith(".")}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = {name.removeprefix("/") for name in build["targets"]["sdist"]["include"]}
    assert included == tracked - {"pyproject.toml"}  # which is always there
