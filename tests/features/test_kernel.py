"""The specification and the stage: exact values, independence of batches, and refusal of other vectors."""

import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mailmill import schemas
from mailmill.config import StorageSection
from mailmill.errors import ConfigError, DataError
from mailmill.features.glove import GloveStore, build_store
from mailmill.features.kernel import FeaturesKernel
from mailmill.features.spec import FeatureSpec, featurize_texts
from mailmill.features.split import split_of
from mailmill.features.vectors import SharedVectors
from mailmill.storage.filesystems import Storage

SHARES = (0.7, 0.1, 0.2)
TEXTS = ["Good, good day!", "", "Unheard-of", "day day bad", "bad day day", "Good " * 500]


@dataclass(frozen=True)
class Known:
    labels: tuple[tuple[str, str], ...]

    def find(self, keys: Sequence[str]) -> list[str | None]:
        return [dict(self.labels).get(key) for key in keys]


@pytest.fixture
def store(tmp_path: Path) -> GloveStore:
    (tmp_path / "v.txt").write_text("good 1 0\nday 0 1\nbad -1 0.5\n! 3 3\n, 0 0\n")
    return build_store(str(tmp_path / "v.txt"), tmp_path / "store")


def shared(store: GloveStore) -> SharedVectors:
    return SharedVectors(Storage(StorageSection()), str(store.directory), store.fingerprint)


@pytest.fixture
def kernel(store: GloveStore) -> FeaturesKernel:
    labels = Known((("k0", "pos"), ("k3", "neg")))
    return FeaturesKernel(FeatureSpec.of(store), shared(store), 7, SHARES, labels)


@pytest.fixture
def batch() -> pa.RecordBatch:
    keys = [f"k{number}" for number in range(len(TEXTS))]
    return pa.record_batch({"key": keys, "text": TEXTS, "thread": [f"t{number // 2}" for number in range(len(TEXTS))]})


def test_values_are_the_formula(store: GloveStore) -> None:
    vectors, words, coverage = featurize_texts(TEXTS, FeatureSpec.of(store, max_words=200), store)
    np.testing.assert_array_equal(vectors[0], np.array([5 / 5, 4 / 5], np.float32))  # good , good day !
    assert words.tolist() == [3, 0, 1, 3, 3, 200]
    assert coverage.tolist() == [1, 0, 0, 1, 1, 1]
    assert vectors[3].tobytes() == vectors[4].tobytes()
    assert vectors.dtype == coverage.dtype == np.float32
    assert words.dtype == np.int32


def test_rows_have_the_schema(kernel: FeaturesKernel, batch: pa.RecordBatch) -> None:
    out = kernel(batch)["features"]
    out.validate(full=True)
    assert out.schema == schemas.features(2) == kernel.outputs["features"]
    assert out.column("key").equals(batch.column("key"))
    assert out.column("label").to_pylist() == ["pos", None, None, "neg", None, None]
    assert out.column("split").to_pylist() == split_of(batch.column("thread").to_pylist(), 7, SHARES).tolist()
    assert out.column("vector")[1].as_py() == [0, 0]


def test_a_row_depends_on_itself_alone(kernel: FeaturesKernel, batch: pa.RecordBatch) -> None:
    whole = kernel(batch)["features"]
    copy = pickle.loads(pickle.dumps(kernel))
    parts = [copy(batch.slice(number, 1))["features"] for number in range(batch.num_rows)]
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([whole]))
    assert kernel(batch.slice(0, 0))["features"].num_rows == 0
    assert kernel(batch.slice(2, 3))["features"].equals(whole.slice(2, 3))


def test_only_named_columns_are_needed(kernel: FeaturesKernel, batch: pa.RecordBatch) -> None:
    assert set(kernel.columns) == set(batch.schema.names)
    extra = batch.append_column("subject", pa.array(["s"] * batch.num_rows))
    assert kernel(extra)["features"].equals(kernel(batch)["features"])


def test_a_specification_survives_json(store: GloveStore) -> None:
    for spec in (FeatureSpec.of(store), FeatureSpec.of(store, max_words=None)):
        assert FeatureSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"dimension": "2"}, {"more": 1}, {"max_words": True}, {"fingerprint": None}]
)
def test_a_damaged_specification_is_refused(store: GloveStore, change: dict[str, object]) -> None:
    with pytest.raises(DataError):
        FeatureSpec.from_dict(FeatureSpec.of(store).to_dict() | change)


def test_senseless_settings_are_refused(store: GloveStore) -> None:
    with pytest.raises(ConfigError, match="known: mean"):
        FeatureSpec.of(store, pooling="max")
    with pytest.raises(ConfigError):
        FeatureSpec.of(store, max_words=0)


def test_other_vectors_are_refused(kernel: FeaturesKernel, store: GloveStore, tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text("good 1 0.1\nday 0 1\n")
    other = build_store(str(tmp_path / "w.txt"), tmp_path / "other")
    with pytest.raises(DataError, match="not those of the features"):
        featurize_texts(["good"], kernel.spec, other)
