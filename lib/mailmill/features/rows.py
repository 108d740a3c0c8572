"""Rows of the clean table as both passes of the stage see them: tokens, split, fold and label of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill.features.glove import GloveStore
from mailmill.features.pieces import PieceTable, TokenArrays
from mailmill.features.spec import FeatureSpec
from mailmill.features.split import folds_of, split_of

#: Parts of the training split that take turns at being left out, see `weights`.
FOLDS = 5


class Labels(Protocol):
    """Labels by message key; picklable, and cheap to open in every worker."""

    def find(self, keys: Sequence[str]) -> list[str | None]:
        """The label of each key, None for a message without one."""


class Vectors(Protocol):
    """A prepared store by name, which a process keeps once opened; see `vectors.SharedVectors`."""

    def __hash__(self) -> int: ...

    def open(self) -> GloveStore:
        """The store, mapped once a process."""


@dataclass(frozen=True)
class Assignment:
    """Split, fold and label of rows, from their keys and threads alone. `labels` None: no row has one."""

    seed: int
    shares: tuple[float, float, float]
    labels: Labels | None = None

    def splits(self, batch: pa.RecordBatch) -> NDArray[np.object_]:
        """The split of each row, see `split.split_of`."""
        return split_of(batch.column("thread").to_pylist(), self.seed, self.shares)

    def labels_of(self, batch: pa.RecordBatch) -> list[str | None]:
        """The label of each row, or None."""
        keys = batch.column("key").to_pylist()
        return self.labels.find(keys) if self.labels else [None] * len(keys)

    def folds(self, batch: pa.RecordBatch, classes: Sequence[str]) -> NDArray[np.int64]:
        """The fold of each labelled row of the training split, -1 for every other row; int64 (n,)."""
        folds = folds_of(batch.column("thread").to_pylist(), self.seed, FOLDS)
        counted = np.array([label in classes for label in self.labels_of(batch)], np.bool_)
        return np.where(counted & (self.splits(batch) == "train"), folds, -1)


def columns_of(spec: FeatureSpec) -> list[str]:
    """The columns that are read of the clean table."""
    return ["key", "thread", "text", *(["subject"] if spec.subject != "ignored" else [])]


def fields(batch: pa.RecordBatch, spec: FeatureSpec, vectors: Vectors) -> list[TokenArrays]:
    """The tokens of each row's text, and of its subject where it stands apart."""
    texts = batch.column("text").to_pylist()
    subjects = batch.column("subject").to_pylist() if spec.subject != "ignored" else []
    return read_fields(texts, subjects, spec, table_of(vectors))


def read_fields(
    texts: Sequence[str], subjects: Sequence[str], spec: FeatureSpec, table: PieceTable
) -> list[TokenArrays]:
    """One `TokenArrays` a field: [text], [subject as the first line of the text], or [text, subject]."""
    if spec.subject == "joined":
        texts = [f"{subject}\n{text}" for subject, text in zip(subjects, texts, strict=True)]
    parts = [texts, subjects] if spec.subject == "apart" else [texts]
    return [table.read(part, spec.max_words) for part in parts]


def all_rows(parts: Sequence[TokenArrays]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The rows of the word vectors of all fields of each mail, and their bounds int64 (n + 1,)."""
    if len(parts) == 1:
        return parts[0].rows, parts[0].offsets
    bounds = np.sum([part.offsets for part in parts], axis=0)
    rows = np.empty(bounds[-1], np.int32)
    at = bounds[:-1].copy()
    for part in parts:
        rows[np.repeat(at - part.offsets[:-1], part.counts) + np.arange(len(part.rows))] = part.rows
        at += part.counts
    return rows, bounds


@lru_cache(maxsize=2)
def table_of(vectors: Vectors) -> PieceTable:
    """The process's reader of texts for these vectors."""
    return PieceTable(vectors.open().lookup)
