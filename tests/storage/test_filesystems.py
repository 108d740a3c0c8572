"""Storage: the same verbs on a local disk and on a real S3 server."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from mailmill.config import StorageSection
from mailmill.errors import DataError, InfrastructureError
from mailmill.storage.filesystems import Storage, join

Place = tuple[Storage, str]


def test_written_bytes_come_back(place: Place) -> None:
    storage, root = place
    storage.write(join(root, "a/b.bin"), b"\0one")
    storage.write(join(root, "a/b.bin"), b"two")
    assert storage.read(join(root, "a/b.bin")) == b"two"
    assert storage.exists(join(root, "a/b.bin"))
    assert not storage.exists(join(root, "a"))
    assert not storage.exists(join(root, "a/c.bin"))


def test_a_failed_write_leaves_nothing_and_keeps_what_was(place: Place) -> None:
    storage, root = place
    with pytest.raises(RuntimeError), storage.create(join(root, "new.bin")) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert not storage.exists(join(root, "new.bin"))
    assert storage.children(root) == []


def test_find_lists_files_below_in_order(place: Place) -> None:
    storage, root = place
    for name in ("b/2.eml", "a/1.eml", "b/c/3.eml"):
        storage.write(join(root, name), name.encode())
    found = storage.find(root)
    assert [item.path for item in found] == [join(root, n) for n in ("a/1.eml", "b/2.eml", "b/c/3.eml")]
    assert [item.size for item in found] == [7, 7, 9]
    assert all(item.etag for item in found)
    assert [item.path for item in storage.find(join(root, "a/1.eml"))] == [join(root, "a/1.eml")]


def test_find_sees_a_change_of_content(place: Place) -> None:
    storage, root = place
    storage.write(join(root, "x"), b"1")
    before = storage.find(root)
    storage.write(join(root, "x"), b"2")
    assert storage.find(root) != before


def test_nothing_there_is_a_data_error_that_names_it(place: Place, tmp_path: Path) -> None:
    storage, root = place
    for action in (storage.find, storage.read, lambda uri: storage.fetch(uri, tmp_path / "copy")):
        with pytest.raises(DataError, match="does not exist") as caught:
            action(join(root, "missing"))
        assert join(root, "missing") in caught.value.message


def test_read_many_gives_each_content_or_its_error(place: Place) -> None:
    storage, root = place
    names = [join(root, f"{n:03d}") for n in range(150)]
    for name in names:
        storage.write(name, name.encode())
    found = dict(storage.read_many([*names, join(root, "missing")]))
    assert all(found[name] == name.encode() for name in names)
    assert isinstance(found[join(root, "missing")], OSError)
    assert list(storage.read_many([])) == []
    assert dict(storage.read_many(names[:1])) == {names[0]: names[0].encode()}


def test_children_and_delete(place: Place) -> None:
    storage, root = place
    storage.write(join(root, "t/run_id=1/a"), b"")
    storage.write(join(root, "t/run_id=2/b"), b"x")
    storage.write(join(root, "t/_manifest.json"), b"{}")
    assert storage.children(join(root, "t")) == ["_manifest.json", "run_id=1", "run_id=2"]
    storage.delete(join(root, "t/run_id=1"))
    storage.delete(join(root, "t/_manifest.json"))
    storage.delete(join(root, "t/never-was"))
    assert storage.children(join(root, "t")) == ["run_id=2"]
    assert storage.children(join(root, "nowhere")) == []


def test_streams_seek(place: Place) -> None:
    storage, root = place
    storage.write(join(root, "x"), b"0123456789")
    with storage.open(join(root, "x")) as stream:
        stream.seek(4)
        assert stream.read(3) == b"456"


def test_storage_is_sent_to_workers(place: Place) -> None:
    storage, root = place
    storage.write(join(root, "x"), b"1")
    assert pickle.loads(pickle.dumps(storage)).read(join(root, "x")) == b"1"


@pytest.mark.parametrize("action", ["find", "read", "write", "read_many", "children"])
def test_an_unreachable_endpoint_is_an_infrastructure_error(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    storage = Storage(StorageSection(endpoint="http://127.0.0.1:9", connect_timeout=0.5, request_timeout=1, attempts=1))
    calls = {
        "find": lambda: storage.find("s3://b/x"),
        "read": lambda: storage.read("s3://b/x"),
        "write": lambda: storage.write("s3://b/x", b""),
        "read_many": lambda: list(storage.read_many(["s3://b/x", "s3://b/y"])),
        "children": lambda: storage.children("s3://b/x"),
    }
    with pytest.raises(InfrastructureError, match=r"127\.0\.0\.1:9") as caught:
        calls[action]()
    assert caught.value.exit_code == 4
    assert "s3://b/x" in caught.value.message
