"""What [storage] asks of S3: encryption, requester pays, a profile, bounded patience; and secrets stay secret."""

from __future__ import annotations

import contextlib
import io
import logging
import random
import re
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pytest

from mailmill import schemas
from mailmill.config import Config, StorageSection, TablesSection, parse
from mailmill.docs import gathering
from mailmill.errors import ConfigError, DataError, InfrastructureError
from mailmill.job import Job
from mailmill.storage.containers import Limits, Rejected, read_container
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.lease import Lease
from mailmill.storage.lookup import Lookup
from mailmill.storage.tables import Workspace
from tests import s3
from tests.s3_proxy import Proxy, proxy

pytestmark = pytest.mark.s3


@pytest.fixture
def watched(s3_endpoint: str) -> Iterator[Proxy]:
    with proxy(s3_endpoint) as found:
        yield found


def roundtrip(storage: Storage, root: str) -> None:
    """Every verb, and a small table."""
    storage.write(join(root, "a"), b"one")
    assert storage.read(join(root, "a")) == b"one"
    assert storage.exists(join(root, "a"))
    assert [found.size for found in storage.find(root)] == [3]
    assert dict(storage.read_many([join(root, "a")])) == {join(root, "a"): b"one"}
    workspace = Workspace(storage, join(root, "work"), TablesSection())
    for _ in range(3):
        stage = workspace.stage({}, "s", {"raw": schemas.RAW})
        with stage.sink.open(0) as writer:
            row = {"key": "0" * 32, "source": "s", "raw": b"r" * 5000}
            writer.write("raw", pa.RecordBatch.from_pylist([row], schemas.RAW))
        stage.publish(writer.written, {})
    assert workspace.open("raw", schemas.RAW).read().num_rows == 1
    # This server lists empty folders as well; S3 knows none. Files are what counts.
    assert (
        len({path.path.partition("run_id=")[2].partition("/")[0] for path in storage.find(join(root, "work"))} - {""})
        == 2
    )
    storage.delete(join(root, "work"))
    with pytest.raises(DataError):
        storage.find(join(root, "work"))


def test_encryption_is_asked_for_at_every_write(watched: Proxy) -> None:
    storage = Storage(StorageSection(endpoint=watched.endpoint, encryption="AES256", attempts=1))
    for size in (10, 6 * 2**20):  # one PUT, and an upload in parts
        with contextlib.suppress(InfrastructureError):  # the tests' server has no keys to encrypt with
            storage.write("s3://test/encrypted/a", bytes(size))
    begun = [
        h for method, path, h in watched.seen if method == "POST" or (method == "PUT" and "partNumber" not in path)
    ]
    assert begun
    assert {headers.get("x-amz-server-side-encryption") for headers in begun} == {"AES256"}


def test_the_requester_pays_for_reads(watched: Proxy) -> None:
    roundtrip(Storage(StorageSection(endpoint=watched.endpoint, requester_pays=True)), "s3://test/paid")
    reads = [headers for method, path, headers in watched.seen if method == "GET" and "list-type" not in path]
    assert reads
    assert {headers.get("x-amz-request-payer") for headers in reads} == {"requester"}


def test_a_profile_has_credentials(watched: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").write_text(
        f"[nightly]\naws_access_key_id = {s3.ACCESS}\naws_secret_access_key = {s3.SECRET}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    roundtrip(Storage(StorageSection(endpoint=watched.endpoint, profile="nightly")), "s3://test/profile")
    assert any(s3.ACCESS in headers.get("authorization", "") for _, _, headers in watched.seen)


def test_a_key_without_kms() -> None:
    with pytest.raises(ConfigError, match=r"storage\.kms_key goes with"):
        parse({"input": {"paths": ["x"]}, "storage": {"kms_key": "arn:aws:kms:x"}})
    with pytest.raises(ConfigError, match=r"storage\.encryption"):
        parse({"input": {"paths": ["x"]}, "storage": {"encryption": "rot13"}})


@pytest.mark.parametrize("action", ["read", "write", "find", "read_many"])
def test_patience_with_slow_down_is_bounded(action: str, watched: Proxy) -> None:
    """A server that only says 503 SlowDown: tried again with growing waits, and given up."""
    watched.every, watched.kinds = 1, ("503",)
    storage = Storage(StorageSection(endpoint=watched.endpoint, attempts=3))
    calls = {
        "read": lambda: storage.read("s3://test/slow"),
        "write": lambda: storage.write("s3://test/slow", b"x"),
        "find": lambda: storage.find("s3://test/slow"),
        "read_many": lambda: list(storage.read_many(["s3://test/slow", "s3://test/slow2"])),
    }
    began = time.monotonic()
    with pytest.raises(InfrastructureError, match="s3://test/slow"):
        calls[action]()
    assert watched.requests >= 3, "it was not tried again"
    assert watched.requests <= 30
    assert time.monotonic() - began < 60


def test_secrets_are_never_logged(
    watched: Proxy, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """At mailmill's own most talkative level, in errors, and in what is printed of storage and configuration."""
    storage = Storage(StorageSection(endpoint=watched.endpoint, attempts=1))
    with caplog.at_level(logging.DEBUG, logger="mailmill"):
        roundtrip(storage, "s3://test/secret")
        watched.every = 1
        with pytest.raises(InfrastructureError) as caught:
            storage.read("s3://test/secret/a")
    config: Config = parse({"input": {"paths": ["x"]}, "storage": {"endpoint": watched.endpoint}})
    captured = capfd.readouterr()
    said = [caplog.text, str(caught.value), repr(caught.value), repr(storage), repr(config), captured.out, captured.err]
    assert not [text for text in said if s3.SECRET in text]


def _all_read(storage: Storage, uri: str) -> None:
    with storage.open(uri) as stream:
        stream.read()


@pytest.mark.parametrize("kind", ["500", "503", "cut", "reset"])
@pytest.mark.parametrize("action", ["open", "read", "fetch", "lookup"])
def test_what_breaks_off_while_it_is_read_is_the_infrastructures_error(
    action: str, kind: str, watched: Proxy, tmp_path: Path
) -> None:
    """The object opens, and every later request for its bytes fails: no error of another kind, and no short file."""
    uri = f"s3://test/broken/{action}-{kind}"
    Storage(StorageSection(endpoint=watched.endpoint)).write(join(uri, "keys.bin"), bytes(2**20))
    storage = Storage(StorageSection(endpoint=watched.endpoint, attempts=2))
    calls = {
        "open": lambda: _all_read(storage, join(uri, "keys.bin")),
        "read": lambda: storage.read(join(uri, "keys.bin")),
        "fetch": lambda: storage.fetch(join(uri, "keys.bin"), tmp_path / "copy"),
        "lookup": lambda: Lookup(storage, uri).find(["a" * 32]),
    }
    storage.exists(uri)  # the connection is there
    watched.kinds, watched.spared, watched.every = (kind,), ("HEAD",), 1
    with pytest.raises(InfrastructureError, match=re.escape(uri)):
        calls[action]()


@pytest.mark.parametrize("kind", ["500", "503"])
def test_a_busy_server_is_asked_again_for_few_bytes_too(kind: str, watched: Proxy) -> None:
    """The server's error is longer than what was asked for, which pyarrow alone takes for the end."""
    storage = Storage(StorageSection(endpoint=watched.endpoint))
    large = bytes(range(256)) * 2**13
    storage.write("s3://test/few/small", b"few")
    storage.write("s3://test/few/large", large)
    watched.kinds, watched.spared, watched.every = (kind,), ("HEAD",), 2
    for _ in range(3):
        assert storage.read("s3://test/few/small") == b"few"
        with storage.open("s3://test/few/large") as stream:
            stream.seek(len(large) - 3)
            assert stream.read(9) == large[-3:]
            assert stream.read(1) == b""
    assert watched.faults[kind] >= 3


@pytest.mark.parametrize("requester_pays", [False, True], ids=["pyarrow", "s3fs"])
def test_keys_that_look_like_patterns_are_read(requester_pays: bool, s3_endpoint: str) -> None:
    storage = Storage(StorageSection(endpoint=s3_endpoint, requester_pays=requester_pays))
    names = ["a b%20c+d.eml", "\u00fcn\u00ef.eml", "[urgent] x?.eml", "star*.eml", "x#1.eml"]
    for name in names:
        storage.request("put_object", Bucket="test", Key=f"odd-{requester_pays}/{name}", Body=name.encode())
    found = [each.path for each in storage.find(f"s3://test/odd-{requester_pays}")]
    assert {path.rpartition("/")[2]: content for path, content in storage.read_many(found)} == {
        name: name.encode() for name in names
    }


@pytest.mark.parametrize("requester_pays", [False, True], ids=["pyarrow", "s3fs"])
def test_keys_with_empty_parts_are_read(requester_pays: bool) -> None:
    """S3 has them, from prefixes that end with a slash; the server of these tests cannot."""
    with listing({"mail//a.eml": b"one", "/mail/b.eml": b"two", "mail/c.eml": b"three"}) as endpoint:
        storage = Storage(StorageSection(endpoint=endpoint, requester_pays=requester_pays))
        found = [each.path for each in storage.find("s3://bucket")]
        assert dict(storage.read_many(found)) == {
            "s3://bucket/mail//a.eml": b"one", "s3://bucket//mail/b.eml": b"two", "s3://bucket/mail/c.eml": b"three",
        }  # fmt: skip


@pytest.mark.parametrize("requester_pays", [False, True], ids=["pyarrow", "s3fs"])
def test_a_bucket_that_does_not_exist_is_named(requester_pays: bool) -> None:
    """Of a prefix of it nobody shall believe that it is empty today, nor look for a lease that is not there."""
    with listing({}) as endpoint:
        section = StorageSection(endpoint=endpoint, requester_pays=requester_pays)
        config = {"input": {"paths": ["s3://no-such-bucket/in"]}, "storage": section.model_dump(exclude_none=True)}
        storage, job = Storage(section), Job(parse(config))
        actions: list[Callable[[], object]] = [
            lambda: job.inputs(empty_ok=True),
            lambda: storage.find("s3://no-such-bucket"),
            lambda: storage.children("s3://no-such-bucket"),
            lambda: storage.children("s3://no-such-bucket/mill/runs"),
            lambda: gathering.gather(Workspace(storage, "s3://no-such-bucket/mill", TablesSection())),
            lambda: Lease(storage, "s3://no-such-bucket/mill", "run").__enter__(),
        ]
        for action in actions:
            with pytest.raises(ConfigError, match="bucket no-such-bucket does not exist"):
                action()
        with pytest.raises(DataError, match="s3://bucket/no-such-prefix does not exist"):
            storage.find("s3://bucket/no-such-prefix")
        assert storage.children("s3://bucket/no-such-prefix") == []


@contextlib.contextmanager
def listing(objects: dict[str, bytes]) -> Iterator[str]:
    """A server of one bucket that lists and hands out these objects, whatever their keys."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query, key = parse_qs(asked.query), unquote(asked.path).removeprefix("/bucket/")
            if asked.path.split("/")[1] != "bucket":
                self.answer(404, b"<Error><Code>NoSuchBucket</Code><Message>No such bucket</Message></Error>")
                return
            if "list-type" in query:
                wanted = [name for name in objects if name.startswith(query.get("prefix", [""])[0])]
                rows = "".join(
                    f"<Contents><Key>{name}</Key><LastModified>2026-11-20T00:00:00.000Z</LastModified>"
                    f"<ETag>e</ETag><Size>{len(objects[name])}</Size></Contents>" for name in wanted
                )  # fmt: skip
                content = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()
            else:
                content = objects.get(key, b"")
            self.answer(200 if content else 404, content)

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Last-Modified", "Fri, 20 Nov 2026 00:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        do_HEAD = do_GET  # noqa: N815 - as the server calls it

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_archive_that_points_beyond_its_end_is_damaged_and_no_fault_of_the_storage(s3_endpoint: str) -> None:
    storage, packed = Storage(StorageSection(endpoint=s3_endpoint)), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.eml", b"Subject: a\n\nhello\n")
        archive.writestr("large.eml", b"Subject: b\n\n" + random.Random(1).randbytes(2**20))
        archive.writestr("c.eml", b"Subject: c\n\nhello\n")
    content = bytearray(packed.getvalue())
    struct.pack_into("<I", content, content.rfind(b"PK\x01\x02") + 42, len(content) + 5_000_000)
    uri = "s3://test/damaged/beyond.zip"
    storage.write(uri, bytes(content))
    with storage.open(uri) as stream:
        found = list(read_container(stream, uri, Limits()))
    assert [type(each) for each in found] == [tuple, tuple, Rejected]
    assert found[-1].reason == "unreadable_archive"
