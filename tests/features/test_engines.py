"""Both passes of the stage on every engine: the same weights and the same rows, however the table is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mailmill import schemas
from mailmill.config import FeaturesSection
from mailmill.engines import Engine
from mailmill.engines.local import LocalEngine
from mailmill.features import fitting, vectors
from mailmill.features.kernel import FeaturesKernel
from mailmill.features.rows import Assignment
from mailmill.features.spec import FeatureSpec
from mailmill.features.weights import SharedWeights
from mailmill.storage.filesystems import Storage
from mailmill.storage.lookup import Lookup
from mailmill.storage.tables import Table, Workspace

ROWS = 700
WORDS = ["good", "bad", "Film", "the", "don't", "café", "!!", "plot", "unheard-of"]
SHARES = (0.7, 0.1, 0.2)
WHOLE = FeaturesSection(pooling=("mean", "idf", "sif", "nb", "max"), subject="apart", ngrams=3, ngram_bits=16)
CLEAN = pa.schema([field for field in schemas.CLEAN if field.name in ("key", "thread", "subject", "text")])


def publish_clean(workspace: Workspace, cut: int) -> Table:
    """A clean table of `ROWS` mails, `cut` rows a file."""
    random = np.random.default_rng(5)
    drawn = [" ".join(random.choice(WORDS, size=random.integers(0, 30))) for _ in range(2 * ROWS)]
    keys = [f"{number:032x}" for number in range(ROWS)]
    threads = [f"t{number // 2}" for number in range(ROWS)]
    whole = pa.record_batch([keys, threads, drawn[:ROWS], drawn[ROWS:]], schema=CLEAN)
    stage, written = workspace.stage({}, str(cut), {"clean": CLEAN}), []
    for part, start in enumerate(range(0, ROWS, cut)):
        with stage.sink.open(part) as writer:
            writer.write("clean", whole.slice(start, cut))
        written += writer.written
    return stage.publish(written, {})["clean"]


def run(engine: Engine, workspace: Workspace, folder: Path, cut: int) -> tuple[str, Table]:
    """The weights' fingerprint and the features table, as the stage makes them."""
    storage, texts = Storage(workspace.storage.settings), publish_clean(workspace, cut)
    numbers = np.random.default_rng(1).normal(size=(len(WORDS), 5))
    lines = [f"{w.lower()} {' '.join(f'{x:.4f}' for x in row)}\n" for w, row in zip(WORDS[:-1], numbers, strict=False)]
    (folder / "v.txt").write_text("".join(lines), encoding="utf-8")
    store = vectors.prepare(storage, str(folder), str(folder / "v.txt"))
    labels = {f"{number:032x}": ("neg", "pos")[number % 5 > 2] for number in range(ROWS) if number % 7}
    lookup = Lookup.of(storage, str(folder / "labels"), labels)
    assignment, spec = Assignment(3, SHARES, lookup), FeatureSpec.of(store.open(), WHOLE, ("neg", "pos"))
    scans = texts.scans(2**12, at_least=4)
    weights = fitting.fit(spec, store, assignment, scans, engine.map_reduce, 3)
    for name, content in weights.to_files().items():
        storage.write(str(folder / "weights" / name), content)
    shared = SharedWeights(storage, str(folder / "weights"), weights.fingerprint)
    kernel = FeaturesKernel(spec.bound(weights.fingerprint), store, shared, assignment)
    stage = workspace.stage({}, "features", kernel.outputs)
    return weights.fingerprint, stage.publish(engine.map_table(texts, kernel, stage.sink), {})["features"]


def test_weights_and_rows_are_the_local_engines(engine: Engine, workspace: Workspace, tmp_path: Path) -> None:
    fingerprint, table = run(engine, workspace, tmp_path, cut=90)
    other = Workspace(workspace.storage, str(tmp_path / "reference"), workspace.settings)
    (tmp_path / "second").mkdir()
    expected, reference = run(LocalEngine(), other, tmp_path / "second", cut=250)
    assert fingerprint == expected
    assert table.fingerprint == reference.fingerprint
    assert table.read().equals(reference.read())
    assert table.rows == ROWS
    assert max(len(row) for row in table.read()["ngram_indices"].to_pylist()) > 100


def test_no_mail_at_all_has_weights_too(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("good 1 0\n")
    store = vectors.prepare(workspace.storage, str(tmp_path), str(tmp_path / "v.txt"))
    spec = FeatureSpec.of(store.open(), WHOLE, ("neg", "pos"))
    weights = fitting.fit(spec, store, Assignment(3, SHARES), [], LocalEngine().map_reduce, 4)
    assert np.isfinite(weights.words).all()
    assert not weights.ngrams.any()


@pytest.mark.parametrize("values", ["nb", "tfidf"])
def test_weights_do_not_depend_on_the_cut(values: str, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("good 1 0\nbad 0 1\n")
    store = vectors.prepare(workspace.storage, str(tmp_path), str(tmp_path / "v.txt"))
    settings = FeaturesSection(pooling=("sif",), ngrams=1, ngram_bits=12, ngram_values=values)
    spec, texts = FeatureSpec.of(store.open(), settings, ("neg", "pos")), publish_clean(workspace, 60)
    found = {
        fitting.fit(spec, store, Assignment(3, SHARES), texts.scans(2**10), LocalEngine().map_reduce, parts).fingerprint
        for parts in (1, 2, 5, 100)
    }
    assert len(found) == 1
