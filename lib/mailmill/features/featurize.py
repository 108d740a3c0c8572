"""From texts to a mail's columns, by one function for the stage's kernel and for a single message years later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.features import ngrams, pooling
from mailmill.features.glove import GloveStore
from mailmill.features.pieces import PieceTable, TokenArrays
from mailmill.features.rows import read_fields
from mailmill.features.spec import FeatureSpec
from mailmill.features.weights import Weights, word_columns


@dataclass(frozen=True)
class Features:
    """The features of n mails.

    vectors float32 (n, spec.dimension); words int32 (n,): tokens read that have a letter or a digit; coverage float32
    (n,): share of all tokens read that have a word vector. Mail i has the n-grams indices[bounds[i]:bounds[i + 1]]
    (int32, ascending) with `values` (float32); all three None where the specification has no n-grams.
    """

    vectors: NDArray[np.float32]
    words: NDArray[np.int32]
    coverage: NDArray[np.float32]
    indices: NDArray[np.int32] | None = None
    values: NDArray[np.float32] | None = None
    bounds: NDArray[np.int64] | None = None


class Featurizer:
    """A specification with its numbers at hand. A mail's features depend on that mail alone. Not for threads.

    Raises DataError where the store or the weights are not those of the specification.
    """

    def __init__(self, spec: FeatureSpec, store: GloveStore, weights: Weights | None = None) -> None:
        spec.check(store)
        if spec.fitted and (weights is None or weights.fingerprint != spec.weights):
            raise DataError(
                "the features need weights that were fitted with them", hint="open the published table weights"
            )
        if weights is not None and spec.fitted:
            weights.check(spec, len(store))
        self.spec, self._store, self._weights = spec, store, weights
        self._columns = word_columns(spec)

    def __call__(self, texts: Sequence[str], subjects: Sequence[str] = ()) -> Features:
        """The features of new mail: texts as the clean table holds them, and subjects unless they are ignored."""
        return self.features(read_fields(texts, subjects, self.spec, self._table), None)

    @cached_property
    def _table(self) -> PieceTable:
        return PieceTable(self._store.lookup)

    def features(self, parts: Sequence[TokenArrays], folds: NDArray[np.int64] | None) -> Features:
        """The features of mails that are tokens already, see `rows.fields`.

        folds int64 (n,): the fold of a labelled row of the training split, whose weights were fitted without that
        fold; -1 for every other row. None: all -1.
        """
        count = len(parts[0].counts)
        tables = np.zeros(count, np.int64) if folds is None else folds + 1
        known = np.zeros(count, np.int64)
        blocks: list[NDArray[np.float32]] = []
        for part in parts:
            pooled, found = self._pooled(part, tables)
            blocks += pooled
            known += found
        tokens = np.sum([part.counts for part in parts], axis=0)
        features = Features(
            np.ascontiguousarray(np.concatenate(blocks, axis=1)),
            np.sum([part.words for part in parts], axis=0, dtype=np.int32),
            (known / np.maximum(tokens, 1)).astype(np.float32),
        )
        return self._with_ngrams(features, parts) if self.spec.ngrams else features

    def _pooled(
        self, part: TokenArrays, tables: NDArray[np.int64]
    ) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
        """The blocks of columns of one field, in the order of `spec.pooling`, and its known tokens."""
        vectors, weights, columns = self._store.vectors, None, ["mean"]
        if self._weights is not None and self._weights.words.size:
            weights, columns = self._weights.words, self._columns
            tables = np.minimum(tables, len(weights) - 1)
        sums, totals, known = pooling.weighted_sums(vectors, part.rows, part.offsets, weights, tables)
        blocks = []
        for pool in self.spec.pooling:
            if pool == "max":
                blocks.append(pooling.max_pool(vectors, part.rows, part.offsets))
                continue
            for at in [at for at, name in enumerate(columns) if name.split(" ", 1)[0] == pool]:
                norms = totals[:, at] if pool == "idf" else known
                if pool == "sif":
                    assert self._weights is not None
                    blocks.append(pooling.without(sums[:, at], known, self._weights.component))
                    continue
                blocks.append(pooling.means(sums[:, at], norms).astype(np.float32))
                if pool == "nb":
                    blocks.append(pooling.means(totals[:, at : at + 1], known).astype(np.float32))
        return blocks, known

    def _with_ngrams(self, features: Features, parts: Sequence[TokenArrays]) -> Features:
        assert self._weights is not None
        found = ngrams.ngrams(parts, self.spec.ngrams, self.spec.skips, self.spec.ngram_bits)
        weigh = ngrams.presence if self.spec.ngram_values == "nb" else ngrams.tfidf
        indices, values, bounds = weigh(found, self._weights.ngrams)
        return replace(features, indices=indices, values=values, bounds=bounds)
