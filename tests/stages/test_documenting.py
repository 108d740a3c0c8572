"""The stage that documents: what it needs of tables that are not of one run any more."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailmill import pipeline
from mailmill.config import parse
from mailmill.errors import DataError
from mailmill.features.spec import FeatureSpec
from mailmill.job import Job
from mailmill.stages import documenting
from mailmill.storage.loading import message_key
from tests import mail


def test_features_of_mail_that_is_gone_are_named(tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="the extra `docs` is not installed")
    pytest.importorskip("matplotlib", reason="the extra `docs` is not installed")
    corpus = mail.make_corpus(tmp_path / "corpus", 150)
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    config = mail.make_config(str(tmp_path / "work"), corpus, vectors, 'train.models=["logistic"]')
    with Job(config) as job:
        pipeline.run(job)
        rows = pipeline.open_features(job).read(["key", "label", "split"]).to_pylist()
    gone = next(row["key"] for row in rows if row["split"] == "test" and row["label"])
    for path in (corpus / "mail").rglob("*.eml"):
        if message_key(path.read_bytes()) == gone:
            path.unlink()
    with Job(config) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
        with pytest.raises(DataError, match="clean table does not hold") as caught:
            pipeline.docs(job)
    assert caught.value.hint == "run `mailmill features`"


class Asked(Exception):
    """Words were looked for."""


@pytest.mark.parametrize(
    ("shown", "source", "asked"),
    [
        ("never", "package:glove", False),
        ("package", "glove.txt", False),
        ("package", "trained", False),
        ("package", "package:glove", True),
        ("always", "glove.txt", True),
    ],
)
def test_words_are_shown_of_no_vectors_but_those_that_may_be(
    shown: str, source: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors that are one's own know the words of one's own mail: names, streets, products."""

    def look(*_: object) -> None:
        raise Asked

    settings = [f"docs.words={shown}", f'features.vectors="{source}"']
    job: Any = SimpleNamespace(config=parse({"input": {"paths": ["mail"]}}, settings), storage=None)
    monkeypatch.setattr(documenting.own_vectors, "source", look)
    if asked:
        with pytest.raises(Asked):
            documenting._telling(job, *[None] * 5)  # type: ignore[arg-type]
    else:
        assert documenting._telling(job, *[None] * 5) is None  # type: ignore[arg-type]


def test_words_of_other_vectors_than_the_features_are_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the configuration has changed since: no document was made then, and no way out named."""
    settings = ["docs.words=always", "features.vectors=new.txt"]
    job: Any = SimpleNamespace(config=parse({"input": {"paths": ["mail"]}}, settings), storage=None)
    store = SimpleNamespace(fingerprint="new")
    monkeypatch.setattr(documenting.vectors, "prepare", lambda *_: SimpleNamespace(open=lambda: store))
    specification = FeatureSpec("old.txt", "old", 12).to_dict()
    table: Any = SimpleNamespace(manifest=SimpleNamespace(statistics={"specification": specification}))
    assert documenting._telling(job, table, *[None] * 4) is None  # type: ignore[arg-type]
    assert "made with other word vectors than new.txt" in caplog.text
