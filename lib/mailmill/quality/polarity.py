"""Do the labels mean what they say? Asked of the words, which no column of labels can flip.

Good words and bad words span a direction in the space of word vectors. Mails labelled positive should
lie further along it than the others; where they clearly lie the other way, the labels were flipped.
This is a weak judge of one mail and a strong one of a table: it is used as a ranking over all mails,
with its standard error, and only for classes whose names say that they are about sentiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mailmill.quality.sketches import Ints

GOOD = ("good", "great", "excellent", "wonderful", "perfect", "love", "loved", "best", "happy", "thanks", "thank",
        "pleased", "enjoyed", "superb", "amazing", "fantastic", "helpful", "delighted", "glad", "pleasure")  # fmt: skip
BAD = ("bad", "terrible", "awful", "horrible", "poor", "worst", "hate", "hated", "boring", "waste", "disappointed",
       "angry", "unacceptable", "useless", "stupid", "failed", "broken", "annoying", "worse", "wrong")  # fmt: skip
LEAST_WORDS = 8
LEAST_MAILS = 50
_NAMES = {"pos", "neg", "neu", "positive", "negative", "neutral"}


class Vocabulary(Protocol):
    """A store of word vectors."""

    vectors: NDArray[np.float32]

    def lookup(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """The row of each token, -1 for none."""


def direction(store: Vocabulary, columns: int, means: slice | None) -> NDArray[np.float64] | None:
    """d = (mean of good words' unit vectors - mean of bad words') / its norm: float64 (columns,), zero outside `means`.

    `means`: where the mean of a mail's word vectors lies among the dense columns of the features. None where it lies
    nowhere, or the vocabulary has fewer than `LEAST_WORDS` of either kind. Hu and Liu (2004) for the idea of
    opinion words; the direction as in Hamilton et al. (2016), without their propagation.
    """
    if means is None:
        return None
    ends = []
    for words in (GOOD, BAD):
        rows = store.lookup(words)
        rows = rows[rows >= 0]
        if len(rows) < LEAST_WORDS:
            return None
        vectors = np.asarray(store.vectors[rows], dtype=np.float64)
        norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
        ends.append((vectors / np.where(norms > 0, norms, 1)).mean(axis=0))
    difference = ends[0] - ends[1]
    norm = float(np.sqrt(np.square(difference).sum()))
    if not norm:
        return None
    found = np.zeros(columns)
    found[means] = difference / norm
    return found


def auc_from_bins(bins: Mapping[str, Ints], positive: str) -> tuple[float | None, float]:
    """(AUC, its standard error under no relation) of the binned polarity for `positive` against the other classes.

    AUC = P(x+ > x-) + P(x+ = x-) / 2 over bins (Mann and Whitney 1947); the error is sqrt((m + n + 1) / (12 m n)).
    None where either side has fewer than `LEAST_MAILS` mails.
    """
    others = [counts for name, counts in bins.items() if name != positive]
    if positive not in bins or not others:
        return None, 0.0
    good, rest = bins[positive].astype(object), np.sum(others, axis=0).astype(object)  # whole numbers of any size
    m, n = int(good.sum()), int(rest.sum())
    if min(m, n) < LEAST_MAILS:
        return None, 0.0
    below = np.cumsum(rest) - rest
    twice = int((good * (2 * below + rest)).sum())
    return twice / (2 * m * n), float(np.sqrt((m + n + 1) / (12 * m * n)))


def sentiment_classes(names: Iterable[str]) -> bool:
    """Whether all classes are named as sentiments are."""
    found = {name.lower() for name in names}
    return bool(found) and found <= _NAMES
