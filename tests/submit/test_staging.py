"""Uploads: once for the same bytes, checked, and plain words where S3 refuses."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from mailmill.errors import InfrastructureError
from mailmill.submit import environment, running
from mailmill.submit.request import parse
from mailmill.submit.staging import Staging
from tests.conftest import ROOT

pytestmark = pytest.mark.s3


@pytest.fixture
def client(s3_endpoint: str) -> Any:
    import botocore.session

    return botocore.session.get_session().create_client("s3", region_name="us-east-1", endpoint_url=s3_endpoint)


def staging(client: Any, prefix: str) -> Staging:
    return Staging(parse(["--target", "yarn", "--staging", prefix, "run"], ROOT), client)


def test_the_same_bytes_are_sent_once(client: Any, tmp_path: Path) -> None:
    place = staging(client, "s3://test/staged/")
    place.check()
    (tmp_path / "a.zip").write_bytes(b"one")
    assert place.put(tmp_path / "a.zip", "a.zip") == "s3://test/staged/a.zip"
    first = client.head_object(Bucket="test", Key="staged/a.zip")
    place.put(tmp_path / "a.zip", "a.zip")
    assert client.head_object(Bucket="test", Key="staged/a.zip")["LastModified"] == first["LastModified"]
    (tmp_path / "a.zip").write_bytes(b"two")
    place.put(tmp_path / "a.zip", "a.zip")
    assert client.get_object(Bucket="test", Key="staged/a.zip")["Body"].read() == b"two"
    assert not client.list_objects_v2(Bucket="test", Prefix="staged/.mailmill").get("Contents")


class Holding:
    """A client of a bucket that holds a file of that hash already."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def head_object(self, **_: str) -> dict[str, Any]:
        return {"Metadata": {"sha256": self.digest}}


def test_what_a_schedule_fetches_is_uploaded_and_named(
    client: Any, s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every job, the configuration, archive and wheel (stand-ins here: the true ones take minutes)."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint)
    parts = environment.Environment(tmp_path / "environment-1.tar.gz", tmp_path / "mailmill-2.zip", tmp_path)
    for path in (parts.archive, parts.wheel or tmp_path):
        path.write_bytes(path.name.encode())
    monkeypatch.setattr(environment, "plan", lambda request: parts)
    monkeypatch.setattr(environment, "build", lambda request, say: parts)
    config = tmp_path / "emr.toml"
    config.write_text("")
    asked = [
        "--target",
        "emr-serverless",
        "--staging",
        "s3://test/schedule/",
        "--upload-only",
        "run",
        "-c",
        str(config),
    ]
    assert running.submit(parse(asked, ROOT)) == 0
    named = json.loads(capsys.readouterr().out)
    assert named["staging"] == "s3://test/schedule"
    there = {found["Key"] for found in client.list_objects_v2(Bucket="test", Prefix="schedule/")["Contents"]}
    files = {named[name] for name in ("archive", "wheel", "config")} | {path.name for path in ROOT.glob("jobs/*.py")}
    assert there == {f"schedule/{name}" for name in files}


def test_an_archive_is_not_read_into_memory(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(bytes(32 * 2**20))
    place = staging(Holding(hashlib.sha256(bytes(32 * 2**20)).hexdigest()), "s3://test/staged/")
    tracemalloc.start()
    try:
        place.put(archive, "a.tar.gz")
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_a_bucket_that_is_not_there(client: Any) -> None:
    with pytest.raises(InfrastructureError, match=r"s3:ListBucket on no-such-bucket failed") as caught:
        staging(client, "s3://no-such-bucket/x").check()
    assert "credentials" in caught.value.hint
