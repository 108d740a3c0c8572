"""The test mails behind a model card: who they are and what each model said, at most a bounded number of them.

Slices, curves and intervals need a model's answer beside the month, language and sender of each mail, which
stand in two tables. Up to `sample_rows` test mails are drawn by a hash of their keys, the same ones on every
engine, so that the figures are exact for small data and stay within memory for large.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mailmill.draws import Stream, mix, splitmix64
from mailmill.errors import DataError
from mailmill.models.dataset import TableFragment, ids
from mailmill.models.scoring import Model, predict, probability
from mailmill.storage.fragments import Scan

#: Runs a kernel on every part of one table and merges the results.
Reduce = Callable[[Callable[[Any, Any], Any], Callable[[Any, Any], Any], Any], Any]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Draw:
    """Which rows: those whose hash is at most `limit`; and the models that are asked, by name."""

    models: tuple[tuple[str, Model], ...]
    limit: int
    seed: int
    split: str = "test"


@dataclass(frozen=True)
class Wanted:
    """The sample's ids, ascending: the rows of `clean` that are described."""

    ids: NDArray[np.uint64]


@dataclass(frozen=True)
class Sample:
    """The test mails drawn, ordered by id; every array has a value a mail.

    key (str), ids (uint64), y (int64 class index), words (int32), coverage (float32), month ("2026-11" or ""),
    language, domain (str), thread (uint64 hash of the conversation), p: by model, P(class) float64 (mails, classes).
    share: of the test mails that were drawn; 1.0 means all.
    """

    classes: tuple[str, ...]
    key: NDArray[Any]
    ids: NDArray[np.uint64]
    y: NDArray[np.int64]
    words: NDArray[np.int32]
    coverage: NDArray[np.float32]
    month: NDArray[Any]
    language: NDArray[Any]
    domain: NDArray[Any]
    thread: NDArray[np.uint64]
    p: dict[str, NDArray[np.float64]]
    share: float

    def __len__(self) -> int:
        return len(self.y)

    def predicted(self, model: str, threshold: float) -> NDArray[np.int64]:
        """The class that the model calls each mail, see `scoring.predict`."""
        return predict(self.p[model], threshold)


def draw(
    features: Reduce, clean: Reduce, models: Sequence[tuple[str, Model]], test_rows: int, limit: int, seed: int
) -> Sample:
    """Draw the sample: one pass over the features, one over the columns of `clean` that describe a mail.

    `test_rows` is the number of the split's labelled rows; about min(test_rows, limit) of them are drawn. Raises
    DataError where the features are of mail that `clean` does not hold, as after mail was taken away.
    """
    share = min(1.0, limit / max(test_rows, 1))
    limit_of_hashes = min(int(share * 2.0**64), 2**64 - 1)
    scored: Columns = features(score_rows, join_columns, Draw(tuple(models), limit_of_hashes, seed))
    order = np.argsort(scored["ids"], kind="stable")
    scored = {name: values[order] for name, values in scored.items()}
    described: Columns = clean(describe_rows, join_columns, Wanted(scored["ids"]))
    order = np.argsort(described["ids"], kind="stable")
    described = {name: values[order] for name, values in described.items()}
    if not np.array_equal(scored["ids"], described["ids"]):
        raise DataError("the features are of mail that the clean table does not hold", hint="run `mailmill features`")
    return Sample(
        classes=models[0][1].classes,
        **{name: scored[name] for name in ("key", "ids", "y", "coverage")},
        **{name: described[name] for name in ("words", "month", "language", "domain", "thread")},
        p={name: scored[f"p:{name}"] for name, _ in models},
        share=share,
    )


def score_rows(fragment: TableFragment, draw: Draw) -> Columns:
    """The drawn rows of one fragment of `features`, with P(class) of each model and class."""
    arrays = fragment.arrays(draw.split)
    table = fragment.read(["key", "label", "split", "coverage"])
    table = table.filter(pc.and_(pc.equal(table["split"], draw.split), pc.is_valid(table["label"])))
    taken = splitmix64(arrays.ids ^ mix(draw.seed, Stream.CARD)) <= np.uint64(draw.limit)
    columns: Columns = {
        "key": np.asarray(table["key"].to_pylist(), dtype="U32")[taken],
        "ids": arrays.ids[taken],
        "y": arrays.y[taken].astype(np.int64),
        "coverage": table["coverage"].to_numpy()[taken].astype(np.float32),
    }
    rows = np.ascontiguousarray(arrays.X[taken])
    for name, model in draw.models:
        sparse = None if arrays.sparse is None else arrays.sparse.take(np.flatnonzero(taken))
        columns[f"p:{name}"] = probability(model, rows, sparse) if len(rows) else np.empty((0, len(model.classes)))
    return columns


def describe_rows(scan: Scan, wanted: Wanted) -> Columns:
    """Words, month, language, sender's domain and conversation of the wanted rows of one part of `clean`.

    The words of `features` are those that were read: not all of a long mail, and perhaps those of its subject.
    """
    table = scan.read(["key", "words", "date", "language", "sender_domain", "thread"])
    row_ids = ids(table["key"]) if table.num_rows else np.empty(0, np.uint64)
    taken = np.isin(row_ids, wanted.ids)
    table = table.filter(pa.array(taken))
    month = pc.strftime(table["date"], format="%Y-%m").fill_null("")
    threads = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in table["thread"].to_pylist()]
    return {
        "ids": row_ids[taken],
        "words": table["words"].to_numpy().astype(np.int32),
        "month": np.asarray(month.to_pylist(), dtype=np.str_),
        "language": np.asarray(table["language"].to_pylist(), dtype=np.str_),
        "domain": np.asarray(table["sender_domain"].to_pylist(), dtype=np.str_),
        "thread": np.frombuffer(b"".join(threads), dtype="<u8").astype(np.uint64),
    }


def join_columns(a: Columns, b: Columns) -> Columns:
    """The rows of two parts together."""
    return {name: np.concatenate([values, b[name]]) for name, values in a.items()}
