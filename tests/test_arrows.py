"""Who may import whom. Arrows point one way; engine libraries are imported in their own files alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "lib" / "mailmill"

#: What each room (or module at the top) may import of mailmill, besides itself.
GROUND = {"errors", "schemas", "config", "progress", "draws", "jit", "mixed", "thin", "compiling", "resources"}
GROUND |= {"mailmill", "visible"}
ALLOWED = {
    "mailmill": set(),
    "errors": set(),
    "schemas": set(),
    "config": {"errors"},
    "progress": set(),
    "draws": set(),
    "jit": set(),
    "compiling": set(),
    "blas": set(),
    "mixed": set(),
    "thin": set(),
    "visible": set(),
    "resources": set(),
    "storage": GROUND,
    "engines": GROUND | {"storage"},
    "email": {"errors", "schemas"},
    "corpus": {"errors", "schemas"},
    "features": GROUND | {"storage"},
    "models": GROUND | {"storage"},
    "quality": GROUND | {"storage"},
    "docs": GROUND | {"storage", "email", "models", "quality"},
    "job": GROUND | {"storage", "engines", "models", "quality"},
    "runs": GROUND | {"storage"},
    "stages": GROUND | {"storage", "engines", "email", "features", "models", "quality", "docs", "job"},
    "pipeline": GROUND | {"storage", "engines", "email", "features", "models", "quality", "docs", "job", "stages"},
    "commands": GROUND | {"storage", "runs", "docs", "job", "stages", "pipeline"},
    "cli": GROUND | {"blas", "corpus", "engines", "docs", "job", "pipeline", "commands", "runs"},
    "__main__": {"cli"},
    "submit": {"errors", "resources"},
}
#: Libraries that only these files may import.
FENCED = {
    "pyspark": {"engines/spark.py", "engines/spark_session.py", "engines/spark_tasks.py"},
    "dask": {"engines/dask_workers.py"},
    "distributed": {"engines/dask.py", "engines/dask_workers.py"},
    "great_expectations": {"quality/expectations.py"},
    "pickle": set(),
    "cloudpickle": set(),
    "joblib": set(),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            if base == "mailmill":
                yield from (f"mailmill.{alias.name}" for alias in node.names if alias.name != "__version__")
            else:
                yield base


def room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    name = relative.parts[0] if len(relative.parts) > 1 else relative.stem
    return "mailmill" if name == "__init__" else name


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path: Path) -> None:
    own = room(path)
    assert own in ALLOWED, f"{own} is not on the plan; see CONTRIBUTING.md"
    for name in imports(path):
        if name.split(".")[0] == "mailmill":
            target = name.split(".")[1] if "." in name else "mailmill"
            assert target == own or target in ALLOWED[own], f"{path.relative_to(PACKAGE)} must not import {name}"
        fence = FENCED.get(name.split(".")[0])
        if fence is not None:
            assert str(path.relative_to(PACKAGE)) in fence, f"{path.relative_to(PACKAGE)} must not import {name}"


def test_the_plan_names_every_room() -> None:
    plan = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```")[1]
    assert not ALLOWED.keys() - {"mailmill", "__main__"} - set(re.findall(r"\w+", plan))


def test_the_plan_has_no_circle() -> None:
    order: list[str] = []
    while len(order) < len(ALLOWED):
        free = [r for r, needs in ALLOWED.items() if r not in order and needs - {r} <= set(order)]
        assert free, f"a circle among {set(ALLOWED) - set(order)}"
        order += free


def test_jobs_call_the_command_line_alone() -> None:
    for path in (ROOT / "jobs").glob("*.py"):
        assert {name for name in imports(path) if name.startswith("mailmill")} == {"mailmill.cli"}
        assert len(path.read_text().splitlines()) < 15


def test_scoring_and_help_need_no_engine_library() -> None:
    """Importing the pipeline must not pull in a cluster's library, nor s3fs."""
    heavy = ("pyspark", "dask", "distributed", "pandas", "s3fs", "sklearn", "numba")
    program = f"import sys, mailmill.pipeline, mailmill.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_why_it_exists(path: Path) -> None:
    assert len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") > 20


def test_modules_stay_small() -> None:
    long = {str(p.relative_to(PACKAGE)): n for p in MODULES if (n := len(p.read_text().splitlines())) > 300}
    assert not long, "one noun a file: split these"
