"""The queue: one global order made of bounded ranges, the same whatever the fragments."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill import schemas
from mailmill.models import queue
from mailmill.models.logistic import LogisticModel, LogisticSettings
from mailmill.storage.fragments import Scan
from mailmill.storage.tables import Workspace


@settings(max_examples=50)
@given(st.lists(st.integers(0, queue.CELLS - 1), max_size=60), st.integers(1, 20))
def test_ranges_cover_every_row_once_and_are_bounded(cells: list[int], limit: int) -> None:
    counts = np.bincount(cells, minlength=queue.CELLS)
    found = queue.ranges(counts, limit)
    first = 1
    for number, one in enumerate(found):
        rows = int(counts[one.low : one.high].sum())
        assert (one.number, one.first) == (number, first)
        assert rows <= limit or np.count_nonzero(counts[one.low : one.high]) == 1
        first += rows
    assert first == len(cells) + 1
    assert all(a.high == b.low for a, b in pairwise(found))


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("same", [0, 400])
def test_ranked_in_several_ranges_is_one_order(
    workspace: Workspace, same: int, in_order: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No range is large, not even where most mails have one sentiment and others are in its cell.

    In order part by part, ranges together read little more than the table; else each reads all of it.
    """
    monkeypatch.setattr(queue, "SORTED_ROWS", 20)
    rng = np.random.default_rng(1)
    sentiment = np.round(rng.uniform(-1, 1, 700), 2)
    sentiment[:3] = (-1.0, 1.0, 0.0)
    sentiment[3 : 3 + same] = 0.25
    if same:
        sentiment[600:] = 0.25 + rng.integers(0, 50, 100) * 2.0**-30
    keys = [f"{n * 0x9E3779B97F4A7C15 % 2**64:032x}"[::-1] for n in range(700)]
    stage = workspace.stage({}, "s", {"scores": schemas.SCORES})
    written = []
    for part in range(3):
        with stage.sink_for({"unranked": queue.UNRANKED}).open(part) as writer:
            mine = slice(part, None, 3)
            columns = [keys[mine], (sentiment[mine] + 1) / 2, sentiment[mine], ["neg"] * len(keys[mine])]
            writer.write("unranked", pa.RecordBatch.from_arrays(
                [pa.array(c, f.type) for c, f in zip(columns, queue.UNRANKED, strict=True)], schema=queue.UNRANKED
            ))  # fmt: skip
        written += writer.written
    scans = stage.draft("unranked", written, queue.UNRANKED).scans()

    def map_reduce(partial: Any, merge: Any, broadcast: Any) -> Any:
        return reduce(merge, [partial(scan, broadcast) for scan in scans])

    cuts, counts = queue.laid_out(map_reduce, 90)
    if in_order:
        sink = stage.sink_for({"sorted": queue.UNRANKED})
        parts = [file for n, scan in enumerate(scans) for file in queue.sort_part(queue.Part(n, scan), sink)]
        scans = stage.draft("sorted", parts, queue.UNRANKED).scans()
    job = queue.Ranking(tuple(scans), stage.sink, cuts)
    taken: list[int] = []
    original = Scan.read
    monkeypatch.setattr(Scan, "read", lambda scan, *columns: taken.append(scan.rows) or original(scan, *columns))
    ranked = [file for task in queue.ranges(counts, 90) for file in queue.rank(task, job)]
    monkeypatch.undo()
    ranges = len(queue.ranges(counts, 90))
    reads = sum(taken) / 2  # the sentiments, and the rows
    assert reads <= (700 + 3 * 20 * 2 * ranges if in_order and not same else 700 * ranges)
    assert max(file.rows for _, file in ranked) <= 90
    assert bool(len(cuts.keys)) == bool(same)
    table = stage.publish(ranked, {})["scores"].read().sort_by("priority")
    expected = sorted(zip(sentiment.tolist(), keys, strict=True))
    assert list(zip(table["sentiment"].to_pylist(), table["key"].to_pylist(), strict=True)) == expected
    assert table["priority"].to_pylist() == list(range(1, 701))


def test_score_kernel_follows_the_formula() -> None:
    model = LogisticModel(("neg", "pos"), np.array([[1.0, -2.0]]), np.array([0.5]), LogisticSettings())
    X = np.array([[0, 0], [1, 0], [0, 3]], np.float32)
    batch = pa.RecordBatch.from_pydict({
        "key": ["a", "b", "c"],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 2),
    })  # fmt: skip
    out = queue.ScoreKernel(model)(batch)["unranked"]
    p = 1 / (1 + np.exp(-(X @ [1.0, -2.0] + 0.5)))
    np.testing.assert_allclose(out.column("probability"), p, rtol=1e-12)
    np.testing.assert_allclose(out.column("sentiment"), 2 * p - 1, rtol=1e-12)
    assert out.column("label").to_pylist() == ["pos", "pos", "neg"]


def test_score_kernel_of_three_classes_with_n_grams() -> None:
    rng = np.random.default_rng(2)
    model = LogisticModel(("neg", "mid", "pos"), rng.normal(size=(3, 2)), rng.normal(size=3), LogisticSettings(),
                          rng.normal(size=(3, 6)))  # fmt: skip
    X, S = rng.normal(size=(3, 2)).astype(np.float32), np.zeros((3, 6))
    S[0, [1, 4]], S[2, 5] = (0.5, 2.0), 1.0
    kernel = queue.ScoreKernel(model)
    batch = pa.RecordBatch.from_pydict({
        "key": ["a", "b", "c"],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 2),
        "ngram_indices": pa.array([[1, 4], [], [5]], pa.list_(pa.int32())),
        "ngram_values": pa.array([[0.5, 2.0], [], [1.0]], pa.list_(pa.float32())),
    })  # fmt: skip
    assert set(kernel.columns or []) == set(batch.schema.names)
    out = kernel(batch)["unranked"]
    E = np.exp(X.astype(float) @ model.coef.T + S @ model.sparse.T + model.intercept)  # type: ignore[union-attr]
    p = E / E.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(out.column("probability"), p[:, 2], rtol=1e-9)
    np.testing.assert_allclose(out.column("sentiment"), p[:, 2] - p[:, 0], atol=1e-12)
    assert out.column("label").to_pylist() == [model.classes[k] for k in p.argmax(axis=1)]
    alone = kernel(batch.slice(2))["unranked"]
    assert alone.equals(out.slice(2))
