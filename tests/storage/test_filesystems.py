"""Storage: the same verbs on a local disk and on a real S3 server."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailmill.config import StorageSection
from mailmill.errors import DataError, InfrastructureError
from mailmill.storage import clients, filesystems, manifests
from mailmill.storage.documents import documents
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


@pytest.mark.parametrize("name", ["*.eml", "mail[1]", "?"])
def test_a_pattern_is_no_name(place: Place, name: str) -> None:
    storage, root = place
    storage.write(join(root, "a.eml"), b"mail")
    with pytest.raises(DataError) as caught:
        storage.find(join(root, name))
    assert caught.value.hint.startswith("patterns are not expanded")


def test_a_failed_write_leaves_nothing_and_keeps_what_was(place: Place) -> None:
    storage, root = place
    with pytest.raises(RuntimeError), storage.create(join(root, "new.bin")) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert not storage.exists(join(root, "new.bin"))
    assert storage.children(root) == []


@pytest.mark.s3
def test_an_interrupted_write_keeps_what_was(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that is being replaced: S3 has the old one or the new one, never none."""
    storage, uri = Storage(StorageSection(endpoint=s3_endpoint)), "s3://test/interrupted/_manifest.json"
    storage.write(uri, b"old")
    filesystem, _ = storage.arrow(uri)

    class Interrupted:
        def open_output_stream(self, path: str) -> Any:
            stream = filesystem.open_output_stream(path)

            def write(content: bytes) -> None:
                stream.write(content)
                raise KeyboardInterrupt

            return SimpleNamespace(write=write, close=stream.close)

        def __getattr__(self, name: str) -> Any:
            return getattr(filesystem, name)

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(filesystems, "arrow_s3", lambda _: Interrupted())
        storage.write(uri, b"new")
    assert storage.read(uri) in (b"old", b"new")


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


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1.eml", "b/c/2.eml"):
        storage.write(str(tmp_path / name), b"x")
    scandir = os.scandir

    def denied(path: Any) -> Any:  # the superuser, who may run the tests, is denied nothing
        if os.fspath(path) == str(tmp_path / "b" / "c"):
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(InfrastructureError, match="Permission denied") as caught:
        storage.find(str(tmp_path))
    assert str(tmp_path / "b" / "c") in caught.value.message
    # In a table's folder it is somebody's; it ended the publication, so that nothing was ever published.
    assert manifests.paths(storage, str(tmp_path)) == {"a/1.eml": 1}


def test_what_goes_while_it_is_listed_is_left_out(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail program moves mail and removes folders, before a file is looked at and after."""
    for name in ("1.eml", "2.eml", "old/3.eml"):
        storage.write(str(tmp_path / name), b"x")
    original = Path.stat

    def busy(path: Path, **options: Any) -> os.stat_result:
        if path.name == "2.eml":
            shutil.rmtree(tmp_path / "old", ignore_errors=True)
            path.unlink(missing_ok=True)
        found = original(path, **options)
        if path.name == "1.eml":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", busy)
    assert [found.path for found in storage.find(str(tmp_path))] == [str(tmp_path / "1.eml")]


def test_links_and_relative_paths(tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.write(str(tmp_path / "in" / "a" / "1.eml"), b"x")
    (tmp_path / "in" / "2.eml").symlink_to(tmp_path / "in" / "a" / "1.eml")
    (tmp_path / "in" / "gone.eml").symlink_to("nowhere")
    (tmp_path / "in" / "itself").symlink_to("itself")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    os.mkfifo(tmp_path / "in" / "pipe")
    monkeypatch.chdir(tmp_path / "in")
    assert [found.path for found in storage.find(".")] == ["2.eml", "a/1.eml"]
    assert [found.path for found in storage.find("./a//")] == ["a/1.eml"]


def test_a_linked_folder_is_not_passed_over_in_silence(
    tmp_path: Path, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("in/a.eml", "elsewhere/b.eml"):
        storage.write(str(tmp_path / name), b"x")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    assert [Path(found.path).name for found in storage.find(str(tmp_path / "in"))] == ["a.eml"]
    assert [Path(found.path).name for found in storage.find(str(tmp_path / "in" / "linked"))] == ["b.eml"]
    assert caplog.messages == [f"{tmp_path}/in/linked is a link to a folder and not read: name it in input.paths"]


def test_a_link_that_leads_nowhere_is_told_of(
    tmp_path: Path, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    """What it led to may be on a disk that is not mounted; what editors leave is nothing to tell of."""
    storage.write(str(tmp_path / "in" / "a.eml"), b"x")
    for name in ("archive.mbox", ".#a.eml"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "away" / name)
    assert [Path(found.path).name for found in storage.find(str(tmp_path / "in"))] == ["a.eml"]
    assert caplog.messages == [f"{tmp_path}/in/archive.mbox is a link that leads nowhere"]
    storage.find(str(tmp_path / "in"), of_mail=False)
    assert len(caplog.messages) == 1


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


def test_only_the_folder_itself_is_deleted(place: Place) -> None:
    storage, root = place
    for name in ("run_id=1/a", "run_id=1/deep/b", "run_id=10/c", "run_id=1.json"):
        storage.write(join(root, "t", name), b"x")
    storage.delete(join(root, "t/run_id=1/"))
    assert storage.children(join(root, "t")) == ["run_id=1.json", "run_id=10"]
    assert storage.children(join(root, "t/run_id=1")) == []
    storage.delete(join(root, "t/run_id=1.json"))
    assert storage.children(join(root, "t")) == ["run_id=10"]


@pytest.mark.s3
def test_more_than_one_page_of_objects_is_deleted(s3_endpoint: str) -> None:
    storage, root = Storage(StorageSection(endpoint=s3_endpoint)), "s3://test/pages"
    with ThreadPoolExecutor(16) as writers:
        list(writers.map(lambda n: storage.write(f"{root}/run/{n}", b""), range(1005)))
    storage.delete(f"{root}/run")
    assert storage.children(root) == []


def test_what_may_not_be_deleted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 answers 200 to a request that deletes many, and says in it what was refused."""

    def refusing(_settings: StorageSection, method: str, _arguments: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        page = {"IsTruncated": False, "Contents": [{"Key": "kept/a"}]}
        return page if method == "list_objects_v2" else {"Errors": [{"Code": "AccessDenied", "Message": "no"}]}, b""

    monkeypatch.setattr(clients, "call", refusing)
    with pytest.raises(InfrastructureError, match=r"s3://test/kept: .*AccessDenied"):
        Storage(StorageSection()).delete("s3://test/kept")


def test_a_file_that_may_not_be_there_is_read(place: Place) -> None:
    storage, root = place
    storage.write(join(root, "a/b.json"), b"{}")
    assert storage.read_if_there(join(root, "a/b.json")) == b"{}"
    assert storage.read_if_there(join(root, "a/c.json")) is None
    assert storage.read_if_there(join(root, "a")) is None
    assert documents(storage, [join(root, "a/c.json"), join(root, "a/b.json")]) == [{}, {}]


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


def test_a_full_disk_is_told_apart_from_the_object_that_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2**20))
    with pytest.raises(InfrastructureError, match=r"^/dev/full: "):
        Storage(StorageSection()).fetch(str(tmp_path / "large"), Path("/dev/full"))
