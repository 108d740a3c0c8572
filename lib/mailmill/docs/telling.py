"""What a model listens to: the words that move its answer most, and the columns a forest splits on most.

A model of pooled word vectors has no weights for words, so it is asked: on real test mails, one word in ten is
replaced by the word in question, and the change of P is averaged. The words are those of the vectors' published
vocabulary that many mails share, so the list gives nothing of a message away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.forest import ForestModel
from mailmill.models.scoring import Model, probability

#: The share of a mail's words that is replaced.
STEP = 0.1
SHOWN = 15
_ROWS = 1 << 16


@dataclass(frozen=True)
class Word:
    """A word, and by how much it moves the mean P(classes[1]) when one word in ten becomes it."""

    word: str
    effect: float


@dataclass(frozen=True)
class Vocabulary:
    """Common words of the mail and their vectors float32 (w, d)."""

    words: tuple[str, ...]
    vectors: NDArray[np.float32]


def telling_words(model: Model, mails: NDArray[np.float32], vocabulary: Vocabulary) -> list[Word]:
    """The `SHOWN` words with the most negative effect and those with the most positive, ascending.

    effect(v) = mean over rows x of P((1 - s) x + s v) - P(x), s = `STEP`. mails float32 (n, d): pooled vectors,
    in the columns that the vectors have. Ties go by the word.
    """
    if not len(vocabulary.words):
        return []
    base = probability(model, mails)[:, 1].mean()
    effects = np.concatenate([found.mean(axis=1) for found in _moved(model, mails, vocabulary.vectors)]) - base
    order = sorted(range(len(effects)), key=lambda i: (effects[i], vocabulary.words[i]))
    chosen = [*order[:SHOWN], *order[-SHOWN:]] if len(order) > 2 * SHOWN else order
    return [Word(vocabulary.words[i], float(effects[i])) for i in chosen]


def _moved(model: Model, mails: NDArray[np.float32], vectors: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    """P of every mail with each word, some words at a time: float64 (words, mails)."""
    step = max(1, _ROWS // len(mails))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        rows = (np.float32(1 - STEP) * mails[None] + np.float32(STEP) * block[:, None]).reshape(-1, mails.shape[1])
        yield probability(model, np.ascontiguousarray(rows))[:, 1].reshape(len(block), len(mails))


def column_shares(model: Model) -> list[tuple[int, float]]:
    """The columns on which a model rests most, with their share, largest first; at most `SHOWN`.

    Of a forest: training rows that pass through splits on the column, among all splits. Of logistic regression:
    |coefficient| among all (columns have one scale, being means of word vectors).
    """
    weight = np.zeros(model.columns)
    if isinstance(model, ForestModel):
        for tree in model.trees:
            inner = tree.feature >= 0
            np.add.at(weight, tree.feature[inner], tree.counts[inner].sum(axis=1))
    else:
        weight = np.abs(model.coef)
    total = weight.sum() or 1.0
    best = sorted(range(len(weight)), key=lambda c: (-weight[c], c))[:SHOWN]
    return [(c, float(weight[c] / total)) for c in best]
