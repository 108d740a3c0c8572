"""The features stage as one function from rows of the clean table to rows of the features table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import pyarrow as pa

from mailmill import schemas
from mailmill.features.featurize import Features, Featurizer
from mailmill.features.rows import Assignment, Vectors, columns_of, fields
from mailmill.features.spec import FeatureSpec
from mailmill.features.weights import Weights

OUTPUT = "features"


class Fitted(Protocol):
    """Fitted weights by name; see `weights.SharedWeights`."""

    def __hash__(self) -> int: ...

    def open(self) -> Weights:
        """The weights, mapped once a process."""


@dataclass(frozen=True)
class FeaturesKernel:
    """Clean rows in, rows of `schemas.features` out, in the same order. A row depends on that row alone.

    `vectors` and `weights` name numbers that each process opens once. Picklable.
    """

    spec: FeatureSpec
    vectors: Vectors
    weights: Fitted | None
    assignment: Assignment

    @property
    def columns(self) -> list[str]:
        """The columns read of the clean table."""
        return columns_of(self.spec)

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        """The one output and its schema."""
        return {OUTPUT: schemas.features(self.spec.dimension, self.spec.sparse_columns)}

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        """Featurise a batch with at least `columns`.

        Raises DataError if vectors or weights are missing, damaged, or not those of the specification.
        """
        featurizer = _featurizer(self.spec, self.vectors, self.weights)
        folds = self.assignment.folds(batch, self.spec.classes) if self.spec.informed else None
        features = featurizer.features(fields(batch, self.spec, self.vectors), folds)
        schema = self.outputs[OUTPUT]
        columns = _columns(features, schema) | {
            "key": batch.column("key"),
            "label": pa.array(self.assignment.labels_of(batch), pa.string()),
            "split": pa.array(self.assignment.splits(batch), pa.string()),
        }
        return {OUTPUT: pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)}


def _columns(features: Features, schema: pa.Schema) -> dict[str, pa.Array]:
    columns = {
        "vector": pa.FixedSizeListArray.from_arrays(
            pa.array(features.vectors.ravel()), type=schema.field("vector").type
        ),
        "words": pa.array(features.words),
        "coverage": pa.array(features.coverage),
    }
    if features.bounds is not None:
        bounds = pa.array(features.bounds.astype("int32"))
        for name, values in (("ngram_indices", features.indices), ("ngram_values", features.values)):
            columns[name] = pa.ListArray.from_arrays(bounds, pa.array(values), type=schema.field(name).type)
    return columns


@lru_cache(maxsize=2)
def _featurizer(spec: FeatureSpec, vectors: Vectors, weights: Fitted | None) -> Featurizer:
    return Featurizer(spec, vectors.open(), weights.open() if weights else None)
