"""Vectors beside the tables: built once, found again, the same from a disk and from S3."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from mailmill.config import StorageSection
from mailmill.errors import DataError
from mailmill.features import glove, vectors
from mailmill.storage.filesystems import Storage, join

TEXT = b"good 1 0\nday 0 1\nbad -1 0.5\n"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["work-beside", "work-on-disk"])
def test_prepared_once_and_opened_anywhere(
    elsewhere: bool, place: tuple[Storage, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, root = place
    work = str(tmp_path / "elsewhere") if elsewhere else join(root, "work")
    storage.write(join(root, "v.txt"), TEXT)
    first = vectors.prepare(storage, work, join(root, "v.txt"))
    with monkeypatch.context() as patched:
        patched.delattr(glove, "_write")
        patched.delattr(Storage, "fetch")
        assert vectors.prepare(storage, work, join(root, "v.txt")) == first
    store = pickle.loads(pickle.dumps(first)).open()
    assert store.lookup(["day", "unknown", "good"]).tolist() == [1, -1, 0]
    assert store.vectors[2].tolist() == [-1.0, 0.5]


@pytest.mark.s3
def test_a_store_on_s3_is_not_built_again(tmp_path: Path, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, source = Storage(StorageSection(endpoint=s3_endpoint)), tmp_path / "v.txt"
    source.write_bytes(TEXT)
    first = vectors.prepare(storage, "s3://test/vectors-once", str(source))
    with monkeypatch.context() as patched:
        patched.delattr(vectors, "build_store")
        assert vectors.prepare(storage, "s3://test/vectors-once", str(source)) == first
    source.write_bytes(TEXT + b"new 2 2\n")
    assert vectors.prepare(storage, "s3://test/vectors-once", str(source)).fingerprint != first.fingerprint


def test_stores_that_nobody_names_any_more_go(tmp_path: Path, place: tuple[Storage, str]) -> None:
    """Vectors that are trained every night left a store every night."""
    storage, work = place[0], join(place[1], "work")
    made = []
    for night in range(3):
        source = tmp_path / f"trained-{night}.txt"
        source.write_text(f"good {night}.0 1.0\nbad 1.0 0.0\n")
        made.append(vectors.prepare(storage, work, str(source)))
    storage.write(f"{work}/vectors/trained/_manifest.json", b"{}")
    storage.write(f"{work}/vectors/killed/vectors.npy", b"half of an upload")
    storage.write(f"{work}/vectors/damaged/{glove.META}", bytes(100))
    theirs = ["glove.txt", "own/glove.txt", "trained/mailmill-training-x/checkpoint.npz"]
    for name in theirs:
        storage.write(f"{work}/vectors/{name}", b"somebody's")
    vectors.sweep(storage, work, made[2], {made[0].fingerprint})
    kept = {store.uri.rpartition("/")[2] for store in (made[0], made[2])}
    assert set(storage.children(f"{work}/vectors")) == {*kept, "trained", "own", "glove.txt"}
    assert all(storage.exists(f"{work}/vectors/{name}") for name in theirs)


def test_a_file_that_was_touched_leaves_one_store(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "v.txt").write_bytes(TEXT)
    for night in range(3):
        os.utime(tmp_path / "v.txt", (night, night))
        vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt"))
    assert len(storage.children(str(tmp_path / vectors.FOLDER))) == 1


def test_changed_vectors_have_another_fingerprint(place: tuple[Storage, str]) -> None:
    storage, root = place
    storage.write(join(root, "v.txt"), TEXT)
    first = vectors.prepare(storage, join(root, "work"), join(root, "v.txt"))
    assert first.open().lookup(["new"]).tolist() == [-1]
    storage.write(join(root, "v.txt"), TEXT + b"new 2 2\n")
    second = vectors.prepare(storage, join(root, "work"), join(root, "v.txt"))
    assert second.fingerprint != first.fingerprint
    assert second.open().lookup(["new"]).tolist() == [3]


def test_damaged_vectors_leave_nothing(place: tuple[Storage, str]) -> None:
    storage, root = place
    storage.write(join(root, "v.txt"), TEXT[:-3])
    with pytest.raises(DataError, match=r"v\.txt"):
        vectors.prepare(storage, join(root, "work"), join(root, "v.txt"))
    assert storage.children(join(root, "work", vectors.FOLDER)) == []


@pytest.mark.s3
def test_an_archive_on_s3_is_fetched_and_named(s3_endpoint: str, tmp_path: Path) -> None:
    storage, content = Storage(StorageSection(endpoint=s3_endpoint)), io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.txt", TEXT)
        archive.writestr("b.txt", b"other 1\n")
    storage.write("s3://test/vectors-zip/v.zip", content.getvalue())
    store = vectors.prepare(storage, str(tmp_path), "s3://test/vectors-zip/v.zip!a.txt").open()
    assert (store.name, store.count) == ("v.zip!a.txt", 3)
    with pytest.raises(DataError, match=r"s3://test/vectors-zip/none\.txt"):
        vectors.prepare(storage, str(tmp_path), "s3://test/vectors-zip/none.txt")


def test_missing_vectors_are_named(tmp_path: Path, storage: Storage) -> None:
    with pytest.raises(DataError, match=r"none\.txt"):
        vectors.prepare(storage, str(tmp_path), str(tmp_path / "none.txt"))
