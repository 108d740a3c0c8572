"""Fragments of a features table as training arrays, and the cache that keeps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mailmill import schemas
from mailmill.errors import DataError
from mailmill.models.cache import Cache
from mailmill.models.dataset import fragments, ids, sparse_rows
from mailmill.storage.tables import Table, Workspace

CLASSES = ("neg", "pos")


def publish(workspace: Workspace, rows: int) -> Table:
    schema = schemas.features(3)
    stage = workspace.stage({}, "s", {"features": schema})
    with stage.sink.open(0) as writer:
        for n in range(rows):
            row = {"key": f"{n * 7919:032x}", "label": [None, "neg", "pos"][n % 3], "split": schemas.SPLITS[n % 2],
                   "vector": [float(n), 0.5, -1.0], "words": n, "coverage": 1.0}  # fmt: skip
            writer.write("features", pa.RecordBatch.from_pylist([row], schema))
    return stage.publish(writer.written, {})["features"]


def test_arrays_hold_the_labelled_rows_of_the_split(workspace: Workspace, tmp_path: Path) -> None:
    table = publish(workspace, 400)
    parts = fragments(table, CLASSES, 1000, 4, Cache(str(tmp_path / "cache")))
    assert len(parts) > 1
    arrays = [part.arrays("train") for part in parts]
    expected = [n for n in range(400) if n % 3 and n % 2 == 0]
    assert np.concatenate([a.X[:, 0] for a in arrays]).tolist() == expected
    assert np.concatenate([a.y for a in arrays]).tolist() == [n % 3 - 1 for n in expected]
    assert all(a.X.dtype == np.float32 and a.X.shape[1] == 3 for a in arrays)
    assert sum(len(part.arrays("test").y) for part in parts) == 0


def test_what_is_kept_of_other_classes_is_not_taken(workspace: Workspace, tmp_path: Path) -> None:
    """A cache that stays, and another `train.positive`: labels would be those of the order before, each the other."""
    table, cache = publish(workspace, 60), Cache(str(tmp_path / "cache"))
    one, other = ([part.arrays("train").y for part in fragments(table, c, 2**20, 1, cache)]
                  for c in (CLASSES, CLASSES[::-1]))  # fmt: skip
    assert np.concatenate(one).tolist() == (1 - np.concatenate(other)).tolist()


def test_small_files_are_read_together(workspace: Workspace, tmp_path: Path) -> None:
    schema = schemas.features(1)
    stage, written = workspace.stage({}, "s", {"features": schema}), []
    for part in range(20):
        with stage.sink.open(part) as writer:
            rows = [{"key": f"{part * 50 + n:032x}", "label": "neg", "split": "train", "vector": [float(part)],
                     "words": 1, "coverage": 1.0} for n in range(50)]  # fmt: skip
            writer.write("features", pa.RecordBatch.from_pylist(rows, schema))
        written += writer.written
    table = stage.publish(written, {})["features"]
    cache = Cache(str(tmp_path / "cache"))
    parts = fragments(table, CLASSES, 2**20, 4, cache)
    assert 4 <= len(parts) <= 7
    assert (
        np.concatenate([part.arrays("train").X[:, 0] for part in parts]).tolist() == np.repeat(range(20), 50).tolist()
    )
    assert sum(part.read(["key"]).num_rows for part in parts) == 1000
    assert len(fragments(table, CLASSES, 1, 1, cache)) == 20


def test_ids_are_the_first_64_bits_of_the_key() -> None:
    keys = ["0123456789abcdef" + "f" * 16, "f" * 16 + "0" * 16]
    assert ids(pa.array(keys)).tolist() == [0x0123456789ABCDEF, 2**64 - 1]
    assert ids(pa.array([], pa.string())).tolist() == []


def test_n_grams_are_sparse_rows(workspace: Workspace, tmp_path: Path) -> None:
    schema = schemas.features(2, 50)
    stage = workspace.stage({}, "s", {"features": schema})
    with stage.sink.open(0) as writer:
        for n in range(60):
            row = {"key": f"{n * 7919:032x}", "label": CLASSES[n % 2], "split": schemas.SPLITS[n % 3], "words": n,
                   "vector": [float(n), 0.5], "coverage": 1.0, "ngram_indices": list(range(n % 5)),
                   "ngram_values": [n + 0.5] * (n % 5)}  # fmt: skip
            writer.write("features", pa.RecordBatch.from_pylist([row], schema))
    table = stage.publish(writer.written, {"specification": {"sparse_columns": 50}})["features"]
    for _ in range(2):  # from the table, then from the cache
        (part,) = fragments(table, CLASSES, 2**20, 1, Cache(str(tmp_path / "cache")))
        arrays = part.arrays("test")
        assert arrays.sparse is not None
        assert arrays.sparse.columns == 50
        expected = np.zeros((20, 50))
        for row, n in enumerate(range(2, 60, 3)):
            expected[row, : n % 5] = n + 0.5
        np.testing.assert_array_equal(arrays.sparse.dense(), expected)


def test_n_grams_that_contradict_themselves_are_refused() -> None:
    indices = pa.array([[1, 2], [0]], pa.list_(pa.int32()))
    with pytest.raises(DataError, match="differ in length"):
        sparse_rows(indices, pa.array([[1.0], [1.0, 2.0]], pa.list_(pa.float32())), 5)
    with pytest.raises(DataError, match="outside"):
        sparse_rows(indices, pa.array([[1.0, 1.0], [1.0]], pa.list_(pa.float32())), 2)
    part = sparse_rows(indices.slice(1), pa.array([[1.0, 1.0], [3.0]], pa.list_(pa.float32())).slice(1), 5)
    assert (part.indptr.tolist(), part.indices.tolist(), part.values.tolist()) == ([0, 1], [0], [3.0])
