"""Scoring new mail: the same score as in the workspace of the model, on any engine, and for one message alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mailmill import pipeline, schemas
from mailmill.cli import cli
from mailmill.commands.outcome import guarded
from mailmill.config import Config, StorageSection, TablesSection
from mailmill.errors import ConfigError, DataError, InfrastructureError
from mailmill.job import Job
from mailmill.stages import scorer as scoring
from mailmill.stages.scoring import require_own, score_mail
from mailmill.storage.filesystems import Storage
from mailmill.storage.loading import message_key
from mailmill.storage.tables import Workspace
from tests import mail
from tests.conftest import require_engine
from tests.faults.processes import mailmill

STORAGE = Storage(StorageSection())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    folder = tmp_path_factory.mktemp("scoring")
    corpus = mail.make_corpus(folder / "corpus", 300)
    vectors = mail.make_vectors(corpus, folder / "glove.txt")
    config = mail.make_config(str(folder / "work"), corpus, vectors)
    with Job(config) as job:
        pipeline.run(job)
    return config, corpus


def scores(work: str) -> dict[str, tuple[float, str]]:
    config = mail.make_config(work, Path("none"), Path("none"))
    rows = Job(config).workspace.open("scores", schemas.SCORES).read().to_pylist()
    return {row["key"]: (row["sentiment"], row["label"]) for row in rows}


@pytest.mark.parametrize("engine", ["local", "dask", pytest.param("spark", marks=pytest.mark.spark)])
def test_new_mail_scores_as_in_the_models_workspace(engine: str, trained: tuple[Config, Path], tmp_path: Path) -> None:
    require_engine(engine)
    config, corpus = trained
    chosen = Job(config).workspace.manifest("metrics").statistics["chosen"]
    done = mailmill(
        "score", "--model", Path(config.run.work) / "models" / chosen, "--input", corpus / "mail", "--output",
        tmp_path / "day", "-e", engine, "-s", "engine.workers=2", "-s", "ingest.batch_objects=100", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "300 messages = " in done.stdout
    ours, theirs = scores(str(tmp_path / "day")), scores(config.run.work)
    # A labelled mail of the training split has features without its own fold there; new mail has no fold.
    splits = pipeline.open_features(Job(config)).read(["key", "split"]).to_pylist()
    held_out = {row["key"] for row in splits if row["split"] != "train"}
    assert ours.keys() == theirs.keys()
    assert {key: ours[key] for key in held_out} == {key: theirs[key] for key in held_out}
    assert not (tmp_path / "day" / "features").exists()


def test_new_mail_may_lie_anywhere(trained: tuple[Config, Path], tmp_path: Path) -> None:
    """JSON's escapes of characters beyond U+FFFF are none of TOML's."""
    (tmp_path / "\U0001f4ec").mkdir()
    message = next(path for path in sorted((trained[1] / "mail").rglob("*.eml")))
    shutil.copy(message, tmp_path / "\U0001f4ec" / "one.eml")
    arguments = ["score", "--model", str(Path(trained[0].run.work) / "models" / "logistic")]
    arguments += ["--input", str(tmp_path / "\U0001f4ec"), "--output", str(tmp_path / "\U0001f4e8"), "-e", "local"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.exception
    assert "1 messages = " in done.output


@pytest.mark.parametrize("place", ["models/logistic", "logistic"])
def test_a_model_is_named_from_where_one_stands(
    place: str, trained: tuple[Config, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Path(trained[0].run.work)
    monkeypatch.chdir(work if "/" in place else work / "models")
    assert scoring.open_model(STORAGE, place).vectors.fingerprint


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_one_message_scores_as_among_many(name: str, trained: tuple[Config, Path]) -> None:
    config, corpus = trained
    place = str(Path(config.run.work) / "models" / name)
    scorer = scoring.open_model(STORAGE, place)
    with Job(config) as job:
        texts = job.workspace.open("clean", schemas.CLEAN).read()
    many = dict(zip(texts["key"].to_pylist(), scorer.probabilities(texts["text"].to_pylist())[:, 1], strict=True))
    checked = 0
    for path in sorted((corpus / "mail").rglob("*.eml"))[:40]:
        raw = path.read_bytes()
        if (key := message_key(raw)) in many:
            found = scoring.score_message(raw, scorer)
            assert found["probability"] == many[key]
            assert found["sentiment"] == 2 * many[key] - 1
            assert found["label"] == found["classes"][int(many[key] >= 0.5)]
            checked += 1
    assert checked > 30


def test_a_message_from_the_command_line(trained: tuple[Config, Path], tmp_path: Path) -> None:
    config, corpus = trained
    file = max((corpus / "mail").rglob("*.eml"), key=lambda path: path.stat().st_size)
    model = str(Path(config.run.work) / "models" / "logistic")
    one = CliRunner().invoke(cli, ["score", "--model", model, str(file)])
    assert one.exit_code == 0, one.output
    found = json.loads(one.output)
    assert -1 <= found["sentiment"] <= 1
    assert found["label"] in found["classes"]
    toml = mail.write_config(tmp_path / "c.toml", config)
    chosen = CliRunner().invoke(cli, ["score", "-c", str(toml), str(file)])
    assert chosen.exit_code == 0, chosen.output
    assert not (Path(config.run.work) / "runs").exists(), "one message is no run"


#: What takes longer to import than one message to score.
HEAVY = (
    "pyspark", "dask", "distributed", "pandas", "s3fs", "sklearn", "scipy", "numba", "great_expectations", "rich",
    "pyarrow.compute", "pyarrow.dataset", "numpy.ma",
)  # fmt: skip


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_one_message_alone_has_the_compiled_score_and_loads_little(name: str, trained: tuple[Config, Path]) -> None:
    config, corpus = trained
    file = max((corpus / "mail").rglob("*.eml"), key=lambda path: path.stat().st_size)
    model = str(Path(config.run.work) / "models" / name)
    program = (
        "import sys\nfrom mailmill.cli import cli\n"
        "cli.main(sys.argv[1:], standalone_mode=False)\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "score", "--model", model, str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    assert "numba" in sys.modules, "training has loaded it, so this process uses the compiled loops"
    assert json.loads(found) == scoring.score_message(file.read_bytes(), scoring.open_model(STORAGE, model))


def test_an_unusable_message_says_why(trained: tuple[Config, Path], tmp_path: Path) -> None:
    model = str(Path(trained[0].run.work) / "models" / "logistic")
    (tmp_path / "none.eml").write_bytes(b"\x00\x01\x02")
    arguments = ["score", "--model", model, str(tmp_path / "none.eml")]
    assert guarded(lambda: cli.main(arguments, standalone_mode=False)) == 3


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--model", "m"], "FILE.eml"),
        (["--input", "p"], "--output"),
        (["--input", "p", "--output", "o"], "--model"),
        ([], "--config"),
        (["--config", "c", "--vectors", "v"], "FILE.eml"),
        (["--model", "m", "--input", "p", "--output", "o", "-"], "alone"),
        (["--config", "c", "--output", "o", "-"], "alone"),
    ],
)
def test_half_a_question(arguments: list[str], word: str) -> None:
    """Or one and a half: what was not heeded was not said to be."""
    result = mailmill("score", *arguments)
    assert result.returncode == 2
    assert word in result.stderr


def test_vectors_are_found_by_content_not_by_name(trained: tuple[Config, Path], tmp_path: Path) -> None:
    config, _ = trained
    work = tmp_path / "moved"
    shutil.copytree(config.run.work, work)
    (store,) = (work / "vectors").iterdir()
    store.rename(work / "vectors" / "another-name")
    model = str(work / "models" / "logistic")
    assert np.isfinite(scoring.open_model(STORAGE, model).probabilities(["hello there"])).all()
    shutil.rmtree(work / "vectors")
    with pytest.raises(DataError, match="are not beside it"):
        scoring.open_model(STORAGE, model)
    (tmp_path / "other.txt").write_text("hello 1 0\n")
    with pytest.raises(DataError, match="are not those of the model"):
        scoring.open_model(STORAGE, model, vectors=str(tmp_path / "other.txt"))
    again = scoring.open_model(STORAGE, model, vectors=config.features.vectors)
    assert np.isfinite(again.probabilities(["hello there"])).all()
    assert len(list(Path(model, "vectors").iterdir())) == 1


def test_a_strangers_short_vectors_are_refused(trained: tuple[Config, Path], tmp_path: Path) -> None:
    """Compiled loops would read beyond them."""
    config, corpus = trained
    for name in ("models", "vectors", "weights"):
        shutil.copytree(Path(config.run.work) / name, tmp_path / "stranger" / name)
    (store,) = (tmp_path / "stranger" / "vectors").iterdir()
    np.save(store / "vectors.npy", np.load(store / "vectors.npy")[:10])
    meta = json.loads((store / "meta.json").read_text())
    meta["files"]["vectors.npy"] = (store / "vectors.npy").stat().st_size
    (store / "meta.json").write_text(json.dumps(meta))
    model = tmp_path / "stranger" / "models" / "forest"
    file = next((corpus / "mail").rglob("*.eml"))
    many = ("--input", corpus / "mail", "--output", tmp_path / "day", "-e", "local")
    for arguments in ((file,), many):
        done = mailmill("score", "--model", model, *arguments, timeout=300)
        assert (done.returncode, "is not a complete store of word vectors" in done.stderr) == (3, True), done.stderr


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no model in"):
        scoring.open_model(STORAGE, str(tmp_path))


def test_a_model_of_another_version_is_named_with_a_way_out(trained: tuple[Config, Path], tmp_path: Path) -> None:
    model = next((Path(trained[0].run.work) / "models" / "logistic").glob("run_id=*"))
    document = json.loads((model / "model.json").read_text())
    specification = document["feature_spec"]
    shutil.copytree(model, tmp_path / "model")
    for changed, word in (
        ({"threshold": None}, "model.json: threshold"),
        ({"feature_spec": {**specification, "version": 2}}, "features of version 2"),
    ):
        (tmp_path / "model" / "model.json").write_text(json.dumps({**document, **changed}))
        with pytest.raises(DataError, match=f"the model in {tmp_path}/model cannot be used: {word}") as caught:
            scoring.open_model(STORAGE, str(tmp_path / "model"))
        assert "train" in caught.value.hint


def test_a_model_of_class_informed_words_and_ngrams(tmp_path: Path) -> None:
    """Its fitted weights are found beside it, and a new mail's n-grams are read."""
    corpus = mail.make_corpus(tmp_path / "corpus", 200)
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    config = mail.make_config(
        str(tmp_path / "work"), corpus, vectors, 'features.pooling=["mean", "nb"]', "features.ngrams=1",
        "features.ngram_bits=10", 'train.models=["logistic"]',
    )  # fmt: skip
    with Job(config) as job:
        pipeline.run(job)
        held_out = job.workspace.open("features", pipeline.open_features(job).schema).read(["key", "split"])
        theirs = job.workspace.open("scores", schemas.SCORES).read(["key", "probability"])
    unseen = {row["key"] for row in held_out.to_pylist() if row["split"] == "test"}
    known = {row["key"]: row["probability"] for row in theirs.to_pylist() if row["key"] in unseen}
    scorer = scoring.open_model(STORAGE, str(tmp_path / "work" / "models" / "logistic"))
    checked = 0
    for path in sorted((corpus / "mail").rglob("*.eml")):
        raw = path.read_bytes()
        if (key := message_key(raw)) in known:
            assert scoring.score_message(raw, scorer)["probability"] == known[key]
            checked += 1
    assert checked > 10
    shutil.rmtree(tmp_path / "work" / "weights")
    with pytest.raises(DataError, match=r"weights of the model in .* are not beside it"):
        scoring.open_model(STORAGE, str(tmp_path / "work" / "models" / "logistic"))


@pytest.fixture
def new(trained: tuple[Config, Path], tmp_path: Path) -> Path:
    """A folder with one new mail."""
    (tmp_path / "new").mkdir()
    shutil.copy(next((trained[1] / "mail").rglob("*.eml")), tmp_path / "new" / "one.eml")
    return tmp_path / "new"


def ingested(new: Path, work: Path, *taken_for: str) -> Config:
    """Mail of `new` is raw mail of the workspace; nothing more was done."""
    config = mail.make_config(str(work), new, Path("none"), f'input.paths=["{new}"]', "ingest.keep_gone=true")
    with Job(config) as job:
        pipeline.ingest(job, *taken_for)
    return config


def test_new_mail_takes_the_place_of_no_other(trained: tuple[Config, Path], new: Path, tmp_path: Path) -> None:
    """`--output` of a workspace replaced its mail by the new: where it was kept there alone, for good."""
    config, _ = trained
    model, landing = str(Path(config.run.work) / "models" / "logistic"), tmp_path / "landing"
    ingested(new, landing)
    for output in (config.run.work, str(landing)):
        (new / "one.eml").rename(new / f"{Path(output).name}.eml")
        (new / "one.eml").write_bytes(b"Subject: another\n\nIt is broken again.\n")
        before = {path: path.read_bytes() for path in Path(output).rglob("_manifest.json")}
        refused = mailmill("score", "--model", model, "--input", new, "--output", output, "-e", "local")
        assert refused.returncode == 2, refused.stderr
        assert "is a workspace of other mail" in refused.stderr
        assert {path: path.read_bytes() for path in Path(output).rglob("_manifest.json")} == before
    for day in ("one", "two"):
        (tmp_path / "new" / "one.eml").rename(tmp_path / "new" / f"{day}.eml")
        again = mailmill("score", "--model", model, "--input", new, "--output", tmp_path / "day", "-e", "local")
        assert again.returncode == 0, again.stderr
        (tmp_path / "new" / f"{day}.eml").rename(tmp_path / "new" / "one.eml")


def test_a_scoring_that_was_killed_goes_on(new: Path, tmp_path: Path) -> None:
    """Also where mail has moved since, or its name is not UTF-8."""
    (new / "one.eml").rename(os.fsdecode(os.fsencode(new) + b"/a\xff.eml"))
    job = Job(ingested(new, tmp_path / "work", "score"))
    require_own(job)
    for path in new.iterdir():
        path.unlink()
    require_own(job)


def test_scores_of_versions_before_are_added_to(trained: tuple[Config, Path], new: Path, tmp_path: Path) -> None:
    """Their raw mail does not say what it was taken for; it is what was scored, unless some was added to it."""
    with Job(ingested(new, tmp_path / "work")) as job:
        pipeline.clean(job)
        score_mail(job, scoring.open_model(STORAGE, str(Path(trained[0].run.work) / "models" / "logistic")))
        require_own(job)
        (new / "two.eml").write_bytes(b"Subject: another\n\nIt is broken again.\n")
        pipeline.ingest(job)
        with pytest.raises(ConfigError, match="other mail"):
            require_own(job)


def test_kept_mail_among_what_was_scored_stays(new: Path, tmp_path: Path) -> None:
    """A workspace of scores to which `ingest` has added mail of its own is one of scores alone no more."""
    config = ingested(new, tmp_path / "work", "score")
    (new / "two.eml").write_bytes(b"Subject: another\n\nIt is broken again.\n")
    ingested(new, tmp_path / "work")
    with pytest.raises(ConfigError, match="other mail"):
        require_own(Job(config))


def test_a_model_that_was_not_trained_again_keeps_its_weights(tmp_path: Path) -> None:
    """Trained weekly, while the nights between fit weights anew to more mail, and sweep old ones.

    So do word vectors that come under the same name: those of the model stay.
    """
    corpus = mail.make_corpus(tmp_path / "corpus", 240, label_header="X-Label")
    vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
    waiting = [(path, path.read_bytes()) for path in sorted((corpus / "mail").rglob("*.eml"))[180:]]
    for path, _ in waiting:
        path.unlink()
    config = mail.make_config(
        str(tmp_path / "work"), corpus, vectors, 'train.models=["logistic"]', 'features.pooling=["mean", "nb"]',
        labels={"header": "X-Label"},
    )  # fmt: skip
    with Job(config) as job:
        pipeline.run(job)
    place = str(tmp_path / "work" / "models" / "logistic")
    (published,) = Path(place).glob("run_id=*")
    copies = [tmp_path / "work" / "models" / "best", tmp_path / "work" / "best"]
    for copy in copies:
        shutil.copytree(published, copy)
    (tmp_path / "work" / "models" / "notes.txt").write_text("the best of March")
    raw = waiting[0][1]
    before = scoring.score_message(raw, scoring.open_model(STORAGE, place))
    for night in range(3):
        for path, content in waiting[night * 20 : night * 20 + 20]:
            path.write_bytes(content)
        with vectors.open("a") as file:
            file.write(f"night{night}" + " 0.5" * (len(vectors.read_text().splitlines()[0].split()) - 1) + "\n")
        with Job(config) as job:
            for stage in (pipeline.ingest, pipeline.clean, pipeline.label, pipeline.features):
                stage(job)
    assert scoring.score_message(raw, scoring.open_model(STORAGE, place)) == before
    shutil.rmtree(place)
    for copy in copies:
        with Job(config) as job:
            pipeline.features(job)
        assert scoring.score_message(raw, scoring.open_model(STORAGE, str(copy))) == before
        shutil.rmtree(copy)
    runs = [folder.name for folder in (tmp_path / "work" / "weights").iterdir() if folder.is_dir()]
    assert len(runs) == 3, "the model's, this night's, and the one before"
    assert len(list((tmp_path / "work" / "vectors").iterdir())) == 2, "the model's, and this night's"


def test_a_folder_that_is_not_ours_to_read_holds_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data disk's "lost+found" lies in a workspace that is the disk; a model in `models` is no such matter."""
    refused, exists = tmp_path / "lost+found", Storage.exists
    refused.mkdir()

    def asked(storage: Storage, uri: str) -> bool:
        if uri.startswith(str(refused)):
            raise InfrastructureError(f"{uri}: not ours to read") from PermissionError(13, "Permission denied")
        return exists(storage, uri)

    monkeypatch.setattr(Storage, "exists", asked)
    workspace = Workspace(STORAGE, str(tmp_path), TablesSection())
    assert scoring.vectors_in_use(workspace) == scoring.weights_in_use(workspace) == set()
    refused = tmp_path / "models" / "best"
    refused.mkdir(parents=True)
    with pytest.raises(InfrastructureError):
        scoring.vectors_in_use(workspace)
