"""The specification and the stage: exact values, independence of batches, and refusal of other numbers."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mailmill import schemas
from mailmill.config import FeaturesSection, StorageSection
from mailmill.errors import ConfigError, DataError
from mailmill.features.counts import CountJob, Counts, count_batch
from mailmill.features.featurize import Featurizer
from mailmill.features.glove import GloveStore, build_store
from mailmill.features.kernel import FeaturesKernel
from mailmill.features.rows import Assignment
from mailmill.features.spec import FeatureSpec
from mailmill.features.split import split_of
from mailmill.features.vectors import SharedVectors
from mailmill.features.weights import SharedWeights, Weights, from_counts
from mailmill.storage.filesystems import Storage

SHARES = (0.7, 0.1, 0.2)
TEXTS = ["Good, good day!", "", "Unheard-of", "day day bad", "bad day day", "Good " * 500]
PLAIN = FeaturesSection(pooling=("mean",), ngrams=0)
WHOLE = FeaturesSection(pooling=("mean", "idf", "sif", "nb", "max"), ngrams=2, ngram_bits=12)


@dataclass(frozen=True)
class Known:
    """Labels of the keys k0, k1, ...: every third mail has none."""

    def find(self, keys: list[str]) -> list[str | None]:
        return [(None, "pos", "neg")[int(key[1:]) % 3] for key in keys]


@pytest.fixture
def store(tmp_path: Path) -> GloveStore:
    (tmp_path / "v.txt").write_text("good 1 0\nday 0 1\nbad -1 0.5\n! 3 3\n, 0 0\n")
    return build_store(str(tmp_path / "v.txt"), tmp_path / "store")


def make_batch(texts: list[str]) -> pa.RecordBatch:
    count = len(texts)
    keys, threads = [f"k{number}" for number in range(count)], [f"t{number // 2}" for number in range(count)]
    return pa.record_batch({"key": keys, "text": texts, "thread": threads, "subject": texts[::-1]})


def make_kernel(store: GloveStore, tmp_path: Path, settings: FeaturesSection) -> FeaturesKernel:
    """A kernel whose weights are fitted on forty mails, and published in a folder."""
    storage, assignment = Storage(StorageSection()), Assignment(7, SHARES, Known())
    vectors = SharedVectors(storage, str(store.directory), store.fingerprint)
    spec = FeatureSpec.of(store, settings, ("neg", "pos"))
    found = Counts.zeros(spec, len(store))
    texts = [f"{('good', 'bad')[number % 3 == 2]} day {'!' * (number % 2)} w{number % 5}" for number in range(40)]
    count_batch(make_batch(texts), CountJob(spec, vectors, assignment, len(store)), found)
    fitted = from_counts(found, spec)
    fitted = Weights.of(fitted.words, fitted.ngrams, np.array([0.6, 0.8]))
    folder = tmp_path / "weights"
    folder.mkdir()
    for name, content in fitted.to_files().items():
        (folder / name).write_bytes(content)
    shared = SharedWeights(storage, str(folder), fitted.fingerprint)
    return FeaturesKernel(spec.bound(fitted.fingerprint), vectors, shared, assignment)


def test_values_are_the_formula(store: GloveStore) -> None:
    found = Featurizer(FeatureSpec.of(store, FeaturesSection(pooling=("mean", "max"), max_words=200, ngrams=0)), store)(
        TEXTS
    )
    vectors = found.vectors
    np.testing.assert_array_equal(vectors[0], np.array([5 / 5, 4 / 5, 3, 3], np.float32))  # good , good day !
    assert found.words.tolist() == [3, 0, 1, 3, 3, 200]
    assert found.coverage.tolist() == [1, 0, 0, 1, 1, 1]
    assert vectors[3].tobytes() == vectors[4].tobytes()
    assert vectors.dtype == found.coverage.dtype == np.float32
    assert found.words.dtype == np.int32
    assert found.indices is None


def test_every_pool_is_in_its_place(store: GloveStore, tmp_path: Path) -> None:
    kernel = make_kernel(store, tmp_path, WHOLE)
    weights = kernel.weights.open().words
    featurizer = Featurizer(kernel.spec, store, kernel.weights.open())
    row = featurizer(["Good bad bad"]).vectors[0].astype(np.float64)
    good, bad = np.array([1, 0.0]), np.array([-1, 0.5])
    _, idf, sif, nb = weights[0].T.astype(np.float64)
    sif_mean = (sif[0] * good + 2 * sif[2] * bad) / 3
    expected = [
        (good + 2 * bad) / 3,
        (idf[0] * good + 2 * idf[2] * bad) / (idf[0] + 2 * idf[2]),
        sif_mean - np.array([0.6, 0.8]) * (sif_mean @ np.array([0.6, 0.8])),
        (nb[0] * good + 2 * nb[2] * bad) / 3,
        [(nb[0] + 2 * nb[2]) / 3],
        np.maximum(good, bad),
    ]
    np.testing.assert_allclose(row, np.concatenate(expected), rtol=1e-6, atol=1e-7)
    assert nb[0] > 0 > nb[2], "good is of the second class, bad of the first"
    assert len(row) == kernel.spec.dimension == 11


@pytest.mark.parametrize("subject", ["ignored", "joined", "apart"])
@pytest.mark.parametrize("settings", [PLAIN, FeaturesSection(), WHOLE], ids=["mean", "default", "everything"])
def test_rows_have_the_schema_and_depend_on_themselves_alone(
    store: GloveStore, tmp_path: Path, settings: FeaturesSection, subject: str
) -> None:
    kernel = make_kernel(store, tmp_path, settings.model_copy(update={"subject": subject}))
    batch = make_batch(TEXTS)
    out = kernel(batch)["features"]
    out.validate(full=True)
    expected = schemas.features(kernel.spec.dimension, kernel.spec.sparse_columns)
    assert out.schema == expected == kernel.outputs["features"]
    assert out.column("key").equals(batch.column("key"))
    assert out.column("label").to_pylist() == [None, "pos", "neg", None, "pos", "neg"]
    assert out.column("split").to_pylist() == split_of(batch.column("thread").to_pylist(), 7, SHARES).tolist()
    assert np.isfinite(out.column("vector").flatten().to_numpy()).all()
    copy = pickle.loads(pickle.dumps(kernel))
    parts = [copy(batch.slice(number, 1))["features"] for number in range(batch.num_rows)]
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([out]))
    assert kernel(batch.slice(0, 0))["features"].num_rows == 0
    assert kernel(batch.select(kernel.columns).slice(2, 3))["features"].equals(out.slice(2, 3))


def test_an_empty_mail_is_zeros(store: GloveStore, tmp_path: Path) -> None:
    kernel = make_kernel(store, tmp_path, WHOLE)
    (row,) = kernel(make_batch([" \n"]))["features"].to_pylist()
    assert row["vector"] == [0.0] * kernel.spec.dimension
    assert (row["words"], row["coverage"], row["ngram_indices"], row["ngram_values"]) == (0, 0.0, [], [])


def test_one_message_is_featurised_as_the_stage_does(store: GloveStore, tmp_path: Path) -> None:
    """From the specification's JSON and the files alone, for mail that was not trained on."""
    kernel = make_kernel(store, tmp_path, WHOLE.model_copy(update={"subject": "apart"}))
    spec = FeatureSpec.from_dict(json.loads(json.dumps(kernel.spec.to_dict())))
    featurizer = Featurizer(spec, GloveStore.open(store.directory), Weights.open(tmp_path / "weights", spec.weights))
    batch = make_batch(TEXTS)
    rows = kernel(batch)["features"].to_pylist()
    compared = 0
    for row, text, subject in zip(rows, TEXTS, TEXTS[::-1], strict=True):
        if row["split"] == "train" and row["label"]:
            continue  # weighed without its own fold
        alone = featurizer([text], [subject])
        assert alone.vectors[0].tolist() == row["vector"]
        assert (alone.indices.tolist(), alone.values.tolist()) == (row["ngram_indices"], row["ngram_values"])
        compared += 1
    assert compared >= 2


def test_training_rows_are_weighed_without_their_fold(store: GloveStore, tmp_path: Path) -> None:
    kernel = make_kernel(store, tmp_path, FeaturesSection(pooling=("nb",)))
    batch = make_batch(["good bad day"] * 40)
    folds = kernel.assignment.folds(batch, ("neg", "pos"))
    tables = kernel.weights.open().words[..., 0].astype(np.float64)
    scores = kernel(batch)["features"].column("vector").to_pylist()
    for score, fold in zip(scores, folds.tolist(), strict=True):
        assert score[2] == pytest.approx(tables[fold + 1][[0, 2, 1]].sum() / 3, abs=1e-6)
    assert len({score[2] for score in scores}) > 3


def test_without_labels_nothing_is_informed_by_them(store: GloveStore) -> None:
    spec = FeatureSpec.of(store, FeaturesSection(pooling=("nb", "max"), ngrams=1))
    assert (spec.pooling, spec.ngram_values, spec.informed) == (("max",), "tfidf", False)
    assert FeatureSpec.of(store, FeaturesSection(pooling=("nb",)), ["only"]).pooling == ("mean",)


def test_many_classes_have_a_pool_each(store: GloveStore) -> None:
    spec = FeatureSpec.of(store, FeaturesSection(pooling=("mean", "nb"), subject="apart"), ("a", "b", "c"))
    assert spec.class_pools == ("a", "b", "c")
    assert spec.dimension == 2 * (2 + 3 * 3)
    assert FeatureSpec.of(store, FeaturesSection(), ("neg", "pos")).class_pools == ("pos",)


def test_a_specification_survives_json(store: GloveStore) -> None:
    for settings in (PLAIN, WHOLE, FeaturesSection(max_words=200, subject="joined")):
        spec = FeatureSpec.of(store, settings, ("neg", "pos")).bound("ab12")
        assert FeatureSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1}, {"word_dimension": "2"}, {"more": 1}, {"max_words": True}, {"fingerprint": None},
        {"dimension": 9}, {"sparse_columns": 4}, {"classes": "ab"}, {"pooling": [1]},
        {"pooling": ["mean", "mean"]}, {"subject": "loud"}, {"ngram_bits": 60, "ngrams": 1}, {"skips": 2},
    ],
)  # fmt: skip
def test_a_damaged_specification_is_refused(store: GloveStore, change: dict[str, object]) -> None:
    with pytest.raises(DataError):
        FeatureSpec.from_dict(FeatureSpec.of(store, PLAIN).to_dict() | change)


def test_a_specification_of_another_version_is_named(store: GloveStore) -> None:
    older = FeatureSpec.of(store, PLAIN).to_dict() | {"version": 2}
    del older["skips"]
    with pytest.raises(DataError, match="features of version 2; this mailmill computes version 3"):
        FeatureSpec.from_dict(older)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pooling": ("median",)}, "known: mean, idf, sif, nb, max"), ({"pooling": ("mean", "mean")}, "different"),
        ({"pooling": ()}, "different"), ({"max_words": 0}, "at least 1"), ({"subject": "twice"}, "known: ignored"),
        ({"ngrams": 4}, "between 0 and 3"), ({"ngram_bits": 40}, "between"), ({"ngram_values": "raw"}, "known: nb"),
        ({"pooling": ("nb",)}, "two classes"), ({"skips": 5, "ngrams": 1}, "between 0 and 4"),
        ({"skips": 1}, "without n-grams"),
    ],
)  # fmt: skip
def test_senseless_settings_are_refused(store: GloveStore, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(FeatureSpec.of(store, PLAIN), **change)
    assert message in str(caught.value)


def test_other_numbers_are_refused(store: GloveStore, tmp_path: Path) -> None:
    kernel = make_kernel(store, tmp_path, FeaturesSection())
    (tmp_path / "w.txt").write_text("good 1 0.1\nday 0 1\n")
    other = build_store(str(tmp_path / "w.txt"), tmp_path / "other")
    with pytest.raises(DataError, match="not those of the features"):
        Featurizer(kernel.spec, other, kernel.weights.open())
    for spec, weights in ((kernel.spec.bound("ab12"), kernel.weights.open()), (kernel.spec, None)):
        with pytest.raises(DataError, match="need weights"):
            Featurizer(spec, store, weights)
