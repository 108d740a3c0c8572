"""Loading: one object that cannot be read is a reject, whatever its size; a storage that fails ends the run."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from mailmill import schemas
from mailmill.config import StorageSection, TablesSection
from mailmill.errors import InfrastructureError
from mailmill.storage.containers import Limits
from mailmill.storage.filesystems import SMALL, Storage, join
from mailmill.storage.loading import UNREAD, Batch, Loading, load_batch
from mailmill.storage.sources import SourceObject
from mailmill.storage.tables import Workspace
from tests.s3_proxy import proxy

SIZES = [1000, 2 * SMALL]
OUTPUTS = {"raw": schemas.RAW, "raw_rejects": schemas.REJECTS, "unread": UNREAD}


def load(storage: Storage, objects: list[SourceObject], work: Path) -> dict[str, list[tuple[str, ...]]]:
    """Load one batch; the sources of its messages, and the sources, reasons and details of its rejects."""
    stage = Workspace(Storage(StorageSection()), str(work), TablesSection()).stage({}, "s", OUTPUTS)
    task = Loading(storage, stage.sink_for(OUTPUTS), Limits(), "day=2026-11-20")
    written = load_batch(Batch(0, tuple(objects)), task)
    columns = {"raw": ["source"], "raw_rejects": ["source", "reason", "detail"], "unread": ["source", "why"]}
    tables = {name: stage.draft(name, written, OUTPUTS[name]).read(columns[name]) for name in OUTPUTS}
    return {name: [tuple(row.values()) for row in table.to_pylist()] for name, table in tables.items()}


@pytest.mark.parametrize("size", SIZES)
def test_an_object_that_is_gone_is_unread_and_no_reject(size: int, place: tuple[Storage, str], tmp_path: Path) -> None:
    storage, root = place
    there, gone = (SourceObject(join(root, name), size) for name in ("there.eml", "gone.eml"))
    storage.write(there.path, b"Subject: x\n\n".ljust(size, b"x"))
    assert load(storage, [gone, there], tmp_path / "work") == {
        "raw": [(there.path,)],
        "raw_rejects": [],
        "unread": [(gone.path, "FileNotFoundError")],
    }


@pytest.mark.parametrize("size", SIZES)
def test_a_machine_that_can_open_no_more_files_ends_the_run(size: int, tmp_path: Path) -> None:
    """It is no fault of the file, which would have been left out of the tables."""
    storage, found = Storage(StorageSection()), SourceObject(str(tmp_path / "a.eml"), size)
    storage.write(found.path, b"Subject: x\n\n".ljust(size, b"x"))
    stage = Workspace(storage, str(tmp_path / "work"), TablesSection()).stage({}, "s", OUTPUTS)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(InfrastructureError, match=r"a\.eml: .*open files"):
            load_batch(Batch(0, (found,)), Loading(storage, stage.sink_for(OUTPUTS), Limits(), "day=2026-11-20"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.s3
@pytest.mark.parametrize("profile", [False, True], ids=["pyarrow", "s3fs"])
@pytest.mark.parametrize("size", SIZES)
def test_an_object_that_is_not_ours_to_read_is_unread_and_a_storage_that_fails_is_an_error(
    size: int, profile: bool, s3_endpoint: str, tmp_path: Path
) -> None:
    found = SourceObject(f"s3://test/denied/{size}.eml", size)
    with proxy(s3_endpoint) as watched:
        storage = Storage(StorageSection(endpoint=watched.endpoint, attempts=1, requester_pays=profile))
        storage.write(found.path, b"Subject: x\n\n".ljust(size, b"x"))
        watched.kinds, watched.spared, watched.every = ("403",), ("HEAD",), 1
        assert load(storage, [found], tmp_path / "work")["unread"] == [(found.path, "PermissionError")]
        watched.kinds = ("reset",)
        with pytest.raises(InfrastructureError, match=f"denied/{size}"):
            load(storage, [found], tmp_path / "work")
