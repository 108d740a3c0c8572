"""Fitting the weights: one pass over the training split, and a second one where SIF wants its component."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mailmill.features import common, counts
from mailmill.features.rows import Assignment, Vectors
from mailmill.features.spec import FeatureSpec
from mailmill.features.weights import Weights, from_counts, word_columns
from mailmill.storage.fragments import Scan

#: `Engine.map_reduce`: merge over fragments of partial(fragment, broadcast). The fragments come first; those of
#: `models.data.MapReduce` are bound already.
OverFragments = Callable[..., Any]


def fit(
    spec: FeatureSpec,
    vectors: Vectors,
    assignment: Assignment,
    scans: Sequence[Scan],
    map_reduce: OverFragments,
    parts: int,
) -> Weights:
    """The weights that `spec` needs, from the rows of the clean table that `assignment` counts to the training split.

    The passes are cut into at most `parts` tasks, for each makes a table of counts of its own. The same rows give the
    same weights, whatever the engine and the cut.
    """
    size = len(vectors.open())
    job = counts.CountJob(spec, vectors, assignment, size)
    found = counts.Counts.zeros(spec, size)
    fragments = [tuple(scans[at::parts]) for at in range(min(parts, len(scans)))]
    if fragments and spec.fitted:
        found = map_reduce(fragments, counts.count, counts.add, job, exact=True)
    weights = from_counts(found, spec)
    if "sif" not in spec.pooling or not fragments:
        return weights
    own = np.ascontiguousarray(weights.words[0, :, word_columns(spec).index("sif")])
    sums = common.MomentsJob(spec, vectors, assignment, own, common.step_for(vectors.open().vectors))
    moments = map_reduce(fragments, common.moments, operator.add, sums, exact=True)
    return Weights.of(weights.words, weights.ngrams, common.component(moments))
