"""A Parquet file that was cut or spoilt: the stage that reads it names it and ends with the data's exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmill import pipeline
from mailmill.config import Config
from mailmill.job import Job
from tests import mail
from tests.conftest import require_engine
from tests.faults.processes import mailmill
from tests.faults.workspace import assert_same, manifests, tidy

pytestmark = pytest.mark.slow
DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "spoilt": lambda content: content[: len(content) // 2] + b"\xff" * 2000 + content[len(content) // 2 + 2000 :],
}
#: The stages before, the table that is damaged, the stage that reads it, and what that stage would publish.
CELLS = [
    (("ingest",), "raw", "clean", "clean"),
    (("ingest", "clean", "label"), "clean", "features", "features"),
    (("ingest", "clean", "label", "features"), "features", "train", "models/forest"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Config]:
    folder = tmp_path_factory.mktemp("truncated")
    corpus = mail.make_corpus(folder / "corpus", 200)
    vectors = mail.make_vectors(corpus, folder / "glove.txt")
    undisturbed = mail.make_config(str(folder / "undisturbed"), corpus, vectors)
    with Job(undisturbed) as job:
        pipeline.run(job)
    return corpus, vectors, undisturbed


@pytest.mark.parametrize("engine", ["local", "dask", pytest.param("spark", marks=pytest.mark.spark)])
@pytest.mark.parametrize(
    ("stages", "table", "reader", "result", "damage"), [*((*cell, "cut") for cell in CELLS), (*CELLS[0], "spoilt")]
)
def test_it_is_named_and_a_rerun_heals(
    stages: tuple[str, ...], table: str, reader: str, result: str, damage: str, engine: str,
    corpus: tuple[Path, Path, Config], tmp_path: Path,
) -> None:  # fmt: skip
    require_engine(engine)
    mails, vectors, undisturbed = corpus
    settings = mail.make_config(str(tmp_path / "work"), mails, vectors)
    with Job(settings) as job:
        for stage in stages:
            getattr(pipeline, stage)(job)
    file = mail.write_config(tmp_path / "c.toml", settings)
    found = manifests(settings)[table]
    assert found is not None
    victim = Path(settings.run.work) / table / max(found.files, key=lambda each: each.bytes).path
    victim.write_bytes(DAMAGES[damage](victim.read_bytes()))
    damaged = mailmill(reader, "-c", file, "-e", engine, timeout=300)
    assert damaged.returncode == 3, damaged.stderr
    assert victim.name in damaged.stderr
    assert f"{table}/_manifest.json and run again" in damaged.stderr
    assert manifests(settings)[result] is None
    (Path(settings.run.work) / table / "_manifest.json").unlink()
    healed = mailmill("run", "-c", file, "-e", "local")
    assert healed.returncode == 0, healed.stderr
    assert_same(settings, undisturbed, ())
    tidy(settings)
