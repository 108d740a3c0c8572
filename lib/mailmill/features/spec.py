"""How a text becomes a vector, written down so that one message is featurised alike years later.

A model is worthless without the exact features it was trained on. The specification travels with it
as a few lines of JSON, and names the word vectors by a hash of their content: other vectors under the
same name are refused rather than scored with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError, DataError
from mailmill.features.glove import GloveStore
from mailmill.features.pooling import mean_pool
from mailmill.features.tokens import tokenize_counted

#: Raised by every change to tokens or pooling that could change a vector.
VERSION = 1


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Everything but the vectors themselves: rules' version, words read of a mail, pooling, which vectors."""

    vectors: str
    fingerprint: str
    dimension: int
    max_words: int | None = 200
    pooling: str = "mean"
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise DataError(
                f"features of version {self.version}; this mailmill computes version {VERSION}",
                hint="use the mailmill that trained the model, or train it again",
            )
        if self.pooling != "mean":
            raise ConfigError(f"features.pooling {self.pooling!r} is unknown", hint="known: mean")
        if self.dimension < 1 or (self.max_words is not None and self.max_words < 1):
            raise ConfigError("features: dimension and max_words are at least 1")

    @classmethod
    def of(cls, store: GloveStore, max_words: int | None = 200, pooling: str = "mean") -> FeatureSpec:
        """The specification of features from an opened store."""
        return cls(store.name, store.fingerprint, store.dimension, max_words, pooling)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives the same specification back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSpec:
        """Read what `to_dict` wrote. Raises DataError for missing, unknown or ill-typed values."""
        known = {field.name: str if field.type == "str" else int for field in fields(cls)}
        wrong = sorted(known.keys() ^ values.keys())
        wrong += [
            name
            for name, kind in known.items()
            if name in values and type(values[name]) is not kind and not (name == "max_words" and values[name] is None)
        ]
        if wrong:
            raise DataError(f"the specification of the features is damaged: {', '.join(wrong)}")
        return cls(**values)

    def check(self, store: GloveStore) -> None:
        """Raise DataError unless the store holds the very vectors that are named here."""
        if store.fingerprint != self.fingerprint or store.dimension != self.dimension:
            raise DataError(
                f"the word vectors in {store.directory} are not those of the features ({self.vectors})",
                hint=f"build the store from vectors with fingerprint {self.fingerprint}",
            )


def featurize_texts(
    texts: Sequence[str], spec: FeatureSpec, store: GloveStore
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Mean of the word vectors of each text's tokens, as `pooling.mean_pool` defines it.

    Returns vectors float32 (n, d); words int32 (n,): tokens read that have a letter or a digit, at most
    `spec.max_words`; coverage float32 (n,): share of all tokens read that the vocabulary holds. A text's
    values depend on that text alone. Raises DataError if the store is not the one that `spec` names.
    """
    spec.check(store)
    tokenized = [tokenize_counted(text, spec.max_words) for text in texts]
    rows = store.lookup(list(chain.from_iterable(tokens for tokens, _ in tokenized)))
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(tokens) for tokens, _ in tokenized], out=offsets[1:])
    vectors, coverage = mean_pool(store.vectors, rows, offsets)
    return vectors, np.array([words for _, words in tokenized], dtype=np.int32), coverage
