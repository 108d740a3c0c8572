"""Vectors beside the tables: built once, found again, the same from a disk and from S3."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from mailmill.config import StorageSection
from mailmill.errors import ConfigError, DataError, InfrastructureError
from mailmill.features import glove, vectors
from mailmill.storage.documents import document
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
        patched.delattr(vectors, "building")
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
    left = [".new.0123456789ab.tmp", "0123456789abcdef" * 2, *older_names(storage, made[1])]
    for name in left[:2]:
        storage.write(f"{work}/vectors/{name}/vectors.npy", b"half of a store")
    for name in (*left[2:], "copy"):
        for file in glove.STORED:
            storage.write(f"{work}/vectors/{name}/{file}", storage.read(f"{made[1].uri}/{file}"))
    theirs = [
        "glove.txt", "own/glove.txt", "trained/mailmill-training-x/checkpoint.npz", f"{left[0]}x/words.bin",
        "mine/vectors.npy", f"ours/{glove.META}", f"both/{glove.META}", "both/vectors.npy", "copy/vectors.npy",
    ]  # fmt: skip
    for name in theirs:
        storage.write(f"{work}/vectors/{name}", b"somebody's")
    vectors.sweep(storage, work, made[2], {made[0].fingerprint})
    kept = {store.uri.rpartition("/")[2] for store in (made[0], made[2])}
    assert set(storage.children(f"{work}/vectors")) == {*kept, *(name.partition("/")[0] for name in theirs)}
    assert all(storage.exists(f"{work}/vectors/{name}") for name in theirs)


def test_what_is_not_ours_to_read_is_passed_over(
    place: tuple[Storage, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder of somebody's, or a link to one, ended every night, also after the features were published."""
    storage, work = place[0], join(place[1], "work")
    (source := tmp_path / "v.txt").write_bytes(TEXT)
    made = vectors.prepare(storage, work, str(source))
    theirs = {f"{work}/vectors/{name}" for name in ("lost", "0" * 32, ".new.0123456789ab.tmp")}
    for uri in theirs:
        storage.write(f"{uri}/vectors.npy", b"somebody's")

    def refusing(method: str) -> None:
        original = getattr(Storage, method)

        def asked(self: Storage, uri: str) -> object:
            if any(uri.startswith(folder) for folder in theirs):
                raise InfrastructureError(f"{uri}: not ours to read") from PermissionError(13, "Permission denied")
            return original(self, uri)

        monkeypatch.setattr(Storage, method, asked)

    for method in ("children", "exists", "read_if_there"):
        refusing(method)
        assert vectors.prepare(storage, work, str(source)) == made
        assert vectors.find(storage, work, made.fingerprint) == made
        vectors.sweep(storage, work, made, set())
    monkeypatch.undo()
    told = f"{work}/vectors/{'0' * 32} is not ours to read: its word vectors are as good as gone"
    assert caplog.messages == [told], "once, and of what may be a store"
    assert all(storage.exists(f"{uri}/vectors.npy") for uri in theirs)


def test_a_store_that_cannot_take_its_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source := tmp_path / "v.txt").write_bytes(TEXT)

    def refused(old: Path, new: Path) -> None:
        raise PermissionError(13, "Permission denied", str(old), None, str(new))

    monkeypatch.setattr(glove.os, "rename", refused)
    with pytest.raises(InfrastructureError, match=r"vectors/[0-9a-f]{32}: word vectors cannot be written"):
        vectors.prepare(Storage(StorageSection()), str(tmp_path / "work"), str(source))


def older_names(storage: Storage, made: vectors.SharedVectors) -> list[str]:
    """What versions before called a store on a disk: by its source, then with a hash of the signature."""
    signature = str(document(storage, f"{made.uri}/{glove.META}")["signature"])
    return ["trained-1-txt", "trained-1-txt-" + hashlib.blake2b(signature.encode(), digest_size=8).hexdigest()]


def test_a_store_of_an_earlier_version_is_taken(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "v.txt").write_bytes(TEXT)
    glove.build_store(str(tmp_path / "v.txt"), tmp_path / "vectors" / "v-txt")
    taken = vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt"))
    assert taken.uri.endswith("/v-txt")
    assert storage.children(str(tmp_path / "vectors")) == ["v-txt"]
    os.truncate(tmp_path / "vectors" / "v-txt" / "rows.npy", 5)
    again = vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt"))
    assert again.open().lookup(["day"]).tolist() == [1], "it was damaged"


@pytest.mark.parametrize("night", [0, 1], ids=["the same source", "one that was touched"])
@pytest.mark.parametrize("lost", ["words.bin", "rows.npy", "meta.json"])
def test_a_store_that_lost_a_file_is_made_anew(
    place: tuple[Storage, str], tmp_path: Path, lost: str, night: int
) -> None:
    """Of a store on S3 META alone was asked: each run ended at the file that was gone."""
    (storage, root), source = place, tmp_path / "v.txt"
    source.write_bytes(TEXT)
    os.utime(source, (0, 0))
    made = vectors.prepare(storage, root, str(source))
    storage.delete(join(made.uri, lost))
    assert vectors.find(storage, root, made.fingerprint) is None  # nor does a model read mail by it
    os.utime(source, (night, night))
    assert vectors.prepare(storage, root, str(source)) == made == vectors.find(storage, root, made.fingerprint)
    assert set(storage.children(made.uri)) == glove.STORED
    assert made.open().lookup(["day"]).tolist() == [1]


@pytest.mark.parametrize("linked", [False, True])
def test_a_damaged_store_is_made_anew(tmp_path: Path, storage: Storage, linked: bool) -> None:
    """Also where a link leads to it. With somebody's file in it, it is left where it is until it is moved away."""
    (tmp_path / "v.txt").write_bytes(TEXT)
    made = vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt"))
    store, moved = Path(made.uri), tmp_path / "moved"
    if linked:
        store.rename(moved)
        store.symlink_to(moved)
    (store / "notes.txt").write_text("mine")
    os.truncate(store / "rows.npy", 5)
    with pytest.raises(ConfigError, match="will not be replaced") as refused:
        vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt"))
    assert refused.value.hint == "move it away"
    (store / "notes.txt").unlink()
    again = vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt"))
    assert again == made
    assert again.open().lookup(["day"]).tolist() == [1]
    assert os.listdir(tmp_path / "vectors") == [store.name]


def test_a_file_that_was_touched_leaves_one_store(
    place: tuple[Storage, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (storage, root), source = place, tmp_path / "v.txt"
    source.write_bytes(TEXT)
    for night in range(3):
        os.utime(source, (night, night))
        store = vectors.prepare(storage, root, str(source))
        assert storage.children(join(root, vectors.FOLDER)) == [store.fingerprint]
    monkeypatch.delattr(vectors, "building")
    assert vectors.prepare(storage, root, str(source)) == store, "the one that stands is the touched file's"


def test_several_processes_prepare_the_same_vectors(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first to finish deleted what the others were still writing: they ended as where a disk fails."""
    (tmp_path / "v.txt").write_bytes(TEXT)
    part = tmp_path / "vectors" / ".new.0123456789ab.tmp"
    glove.build_store(str(tmp_path / "v.txt"), part)  # of a third process, which will rename it now
    keep, faster = vectors.keep, []

    def beaten(built: glove.GloveStore, folder: Path) -> None:
        monkeypatch.setattr(vectors, "keep", keep)
        faster.append(vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt")))
        keep(built, folder)

    monkeypatch.setattr(vectors, "keep", beaten)
    assert [vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt"))] == faster
    assert faster[0].open().lookup(["day"]).tolist() == [1]
    assert set(os.listdir(tmp_path / "vectors")) == {part.name, faster[0].fingerprint}
    assert [shared for shared, _ in vectors.stores(storage, str(tmp_path))] == faster, "a part is no store yet"


def test_vectors_that_are_not_needed_leave_no_store(place: tuple[Storage, str], tmp_path: Path) -> None:
    """`score --vectors` left a store of each other file beside the model, for good."""
    (storage, root), source = place, tmp_path / f"{'ü' * 120}.txt"
    source.write_bytes(TEXT)
    needed = vectors.prepare(storage, root, str(source)).fingerprint
    for other in range(2):
        (tmp_path / "other.txt").write_bytes(TEXT + f"new {other} 2\n".encode())
        with pytest.raises(DataError, match=r"other\.txt are not those of the model"):
            vectors.prepare(storage, root, str(tmp_path / "other.txt"), needed)
    assert storage.children(join(root, vectors.FOLDER)) == [needed]
    assert vectors.prepare(storage, root, str(source), needed).fingerprint == needed
    with pytest.raises(DataError, match="are not those of the model"):
        vectors.prepare(storage, root, str(source), "another")


def test_changed_vectors_have_another_fingerprint(place: tuple[Storage, str]) -> None:
    storage, root = place
    storage.write(join(root, "v.txt"), TEXT)
    first = vectors.prepare(storage, join(root, "work"), join(root, "v.txt"))
    assert first.open().lookup(["new"]).tolist() == [-1]
    storage.write(join(root, "v.txt"), TEXT + b"new 2 2\n")
    second = vectors.prepare(storage, join(root, "work"), join(root, "v.txt"))
    assert second.fingerprint != first.fingerprint
    assert second.open().lookup(["new"]).tolist() == [3]


def test_a_full_disk_is_named_by_a_folder_that_is_there(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "v.txt").write_bytes(TEXT)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(glove, "_write", full)
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        vectors.prepare(storage, str(tmp_path), str(tmp_path / "v.txt"))
    assert caught.value.message.startswith(f"{tmp_path / 'vectors'}: ")
    assert os.listdir(tmp_path / "vectors") == []


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


def test_vectors_that_are_no_file_are_told_before_any_work(tmp_path: Path, storage: Storage) -> None:
    """Of a folder the stage said that the disk had failed, worth another try; below a file it was a bug."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="are a folder"):
        vectors.require(storage, str(tmp_path))
    with pytest.raises(DataError, match="do not exist"):
        vectors.require(storage, str(tmp_path / "file" / "v.txt"))
