"""The features stage as one function from rows of the clean table to rows of the features table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from mailmill import schemas
from mailmill.features.glove import GloveStore
from mailmill.features.spec import FeatureSpec, featurize_texts
from mailmill.features.split import split_of

OUTPUT = "features"


class Labels(Protocol):
    """Labels by message key; picklable, and cheap to open in every worker."""

    def find(self, keys: Sequence[str]) -> list[str | None]:
        """The label of each key, None for a message without one."""


class Vectors(Protocol):
    """A prepared store by name; see `vectors.SharedVectors`."""

    def open(self) -> GloveStore:
        """The store, mapped once a process."""


@dataclass(frozen=True)
class FeaturesKernel:
    """Clean rows in, `schemas.features(d)` rows out, in the same order. A row depends on that row alone.

    `vectors` names the word vectors' store, which each process opens once. `labels` None: no row has a
    label. Picklable.
    """

    spec: FeatureSpec
    vectors: Vectors
    seed: int
    shares: tuple[float, float, float]
    labels: Labels | None = None

    @property
    def columns(self) -> list[str]:
        """The columns read of the clean table."""
        return ["key", "thread", "text"]

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        """The one output and its schema."""
        return {OUTPUT: schemas.features(self.spec.dimension)}

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        """Featurise a batch with at least `columns`.

        Raises DataError if the store is missing, damaged, or not the one of the specification.
        """
        schema = self.outputs[OUTPUT]
        keys = batch.column("key")
        names = keys.to_pylist()
        store = self.vectors.open()
        vectors, words, coverage = featurize_texts(batch.column("text").to_pylist(), self.spec, store)
        columns = {
            "key": keys,
            "label": pa.array(self.labels.find(names) if self.labels else [None] * len(names), pa.string()),
            "split": pa.array(split_of(batch.column("thread").to_pylist(), self.seed, self.shares), pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=schema.field("vector").type),
            "words": pa.array(words),
            "coverage": pa.array(coverage),
        }
        return {OUTPUT: pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)}
