"""Cleaning compiled (`make compiled`): the same rows, and every test of this room passes on it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mailmill.submit.environment import build_wheel
from mailmill.submit.request import parse
from tests.conftest import ROOT, needs_compiler

pytestmark = [pytest.mark.slow, needs_compiler]

#: Cleans mail of a Parquet file, and the golden ones; prints where the code lies and a hash of all rows.
CLEAN = """
import hashlib, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from mailmill import schemas
from mailmill.email import CleanKernel, cleaner
raws = [path.read_bytes() for path in sorted(Path("tests/email/golden").glob("*.eml"))]
raws += pq.read_table(sys.argv[1])["raw"].to_pylist()
columns = [[str(n) for n in range(len(raws))], [""] * len(raws), raws]
batch = pa.RecordBatch.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schemas.RAW)], schema=schemas.RAW)
state = hashlib.blake2b()
for rows in CleanKernel()(batch).values():
    state.update(rows.serialize())
print(Path(cleaner.__file__).suffix, len(raws), state.hexdigest())
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which mailmill comes from a compiled wheel."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv is needed")
    folder = tmp_path_factory.mktemp("compiled")
    request = parse(["--target", "yarn", "--compiled", "run"], ROOT)
    zipfile.ZipFile(build_wheel(request, str(uv), folder)).extractall(folder / "site")
    return {**os.environ, "PYTHONPATH": str(folder / "site")}


def test_building_leaves_nothing_beside_the_source(compiled: dict[str, str]) -> None:
    """Python prefers a compiled module to its source: one that stays would hide every later change."""
    assert not list((ROOT / "lib").rglob("*.so"))


def test_the_same_rows(compiled: dict[str, str], shared_data: Path) -> None:
    def rows(environment: dict[str, str]) -> list[str]:
        command = [sys.executable, "-c", CLEAN, shared_data / "spamassassin.parquet"]
        done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
        return done.stdout.split()

    suffix, *plain = rows(dict(os.environ))
    compiled_suffix, *found = rows(compiled)
    assert (suffix, compiled_suffix) == (".py", ".so")
    assert found == plain
    assert int(plain[0]) > 4000


def test_every_test_of_cleaning_passes(compiled: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", "tests/email"]
    done = subprocess.run(command, env=compiled, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
