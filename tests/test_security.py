"""What a stranger can send: archives, keys of objects, a model. Nothing leaves its place, nothing runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mailmill import pipeline, schemas
from mailmill.config import StorageSection
from mailmill.errors import DataError
from mailmill.job import Job
from mailmill.stages import scorer as scoring
from mailmill.storage.filesystems import Storage
from mailmill.submit import staging
from tests import mail

GOOD = b"From: a@b.example\r\nSubject: s\r\n\r\nA few words of mine, nothing more.\r\n"


class Bomb:
    """An object that leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.mark),))


def malicious_tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in ("../../escaped.eml", "/etc/escaped.eml", "good.eml", "a/../../escaped.eml"):
            info = tarfile.TarInfo(name)
            info.size = len(GOOD)
            tar.addfile(info, io.BytesIO(GOOD))
        link = tarfile.TarInfo("link.eml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        device = tarfile.TarInfo("device.eml")
        device.type = tarfile.CHRTYPE
        tar.addfile(device)
    return content.getvalue()


def malicious_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../escaped.eml", GOOD)
        archive.writestr("good.eml", GOOD + b"Another.\r\n")
        archive.writestr("bomb.eml", b"From: a@b.example\r\n\r\n" + b"0" * 90_000_000)
    return content.getvalue()


def test_archives_stay_inside_and_within_limits(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er" / "in" / "mail"
    folder.mkdir(parents=True)
    (folder / "a.tar").write_bytes(malicious_tar())
    (folder / "b.zip").write_bytes(malicious_zip())
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    config = mail.make_config(str(tmp_path / "work"), folder.parent, tmp_path / "none", labels={})
    with Job(config) as job:
        raw = pipeline.ingest(job)
        rejects = job.workspace.open("raw_rejects", schemas.REJECTS).read().to_pylist()
    assert sorted(source.rpartition("!")[2] for source in raw.read()["source"].to_pylist()) == ["good.eml", "good.eml"]
    reasons = [row["reason"] for row in rejects]
    assert reasons.count("unsafe_path") == 4
    assert "too_large" in reasons
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path).parts[0] for path in after - before} == {"work"}
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.s3
def test_keys_that_climb_stay_keys(s3_endpoint: str, tmp_path: Path) -> None:
    """On S3 `..` is a name like another: such an object is read as mail, and nothing is written where it points."""
    storage = Storage(StorageSection(endpoint=s3_endpoint))
    client = staging_client(s3_endpoint)
    keys = ["climb/mail/a/../../../outside.eml", "climb/mail/plain.eml"]
    stored, refused = [], list[str]()
    for number, key in enumerate(keys):
        try:
            client.put_object(Bucket="test", Key=key, Body=GOOD + b"%d\r\n" % number)
            stored.append(key)
        except Exception as error:
            refused.append(type(error).__name__)
    config = mail.make_config(
        str(tmp_path / "work"), tmp_path, tmp_path / "none", f"storage.endpoint={s3_endpoint}",
        'input.paths=["s3://test/climb/mail"]', labels={},
    )  # fmt: skip
    with Job(config) as job:
        raw = pipeline.ingest(job)
        rejected = job.workspace.open("raw_rejects", schemas.REJECTS).rows
    assert "s3://test/climb/mail/plain.eml" in raw.read()["source"].to_pylist()
    assert raw.rows + rejected <= len(stored) == len(keys) - len(refused)
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"work"}
    assert storage.exists("s3://test/climb/mail/plain.eml")


def staging_client(endpoint: str) -> staging.Any:
    import botocore.session

    return botocore.session.get_session().create_client("s3", region_name="us-east-1", endpoint_url=endpoint)


@pytest.mark.parametrize("trick", ["pickle", "object array", "pickled document", "other vectors"])
def test_a_strangers_model_runs_nothing(trick: str, tmp_path: Path) -> None:
    folder, mark = tmp_path / "work" / "models" / "theirs", tmp_path / "mark"
    folder.mkdir(parents=True)
    payload = pickle.dumps(Bomb(mark))
    document: dict[str, object] = {"format": "mailmill.model", "version": 1, "kind": "logistic"}
    weights = io.BytesIO()
    if trick == "object array":
        np.savez(weights, coef=np.array([Bomb(mark)], dtype=object), intercept=np.array([Bomb(mark)], dtype=object))
    else:
        weights.write(payload)
    import hashlib

    document["weights_sha256"] = hashlib.sha256(weights.getvalue()).hexdigest()
    document |= {"classes": ["neg", "pos"], "columns": 1, "hyperparameters": {}, "feature_spec": {}}
    document |= {"training": {}, "evidence": {}, "metrics": {}}
    content = payload if trick == "pickled document" else json.dumps(document).encode()
    (folder / "model.json").write_bytes(content)
    (folder / "weights.npz").write_bytes(weights.getvalue())
    (folder / "__init__.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    with pytest.raises(DataError):
        scoring.open_model(Storage(StorageSection()), str(folder))
    assert not mark.exists()


def test_no_module_of_ours_unpickles_or_evaluates() -> None:
    """Neither pickle, nor eval, nor numpy's loader of objects, anywhere in the package."""
    package = Path(scoring.__file__).parents[1]
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("pickle.load", "allow_pickle=True", "yaml.load(", "shell=True", "marshal.load"):
            assert word not in text, f"{path}: {word}"
