"""What a model listens to: the words that move its answer most, and the columns that it rests on most.

A model of pooled word vectors has no weights for words, so it is asked: the word in question is put before test mails
until every tenth word is it, and the change of P is averaged. The mails are redacted beginnings; the words are
those of the vectors' published vocabulary that many mails share, so the list gives nothing of a message away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.data import SparseRows
from mailmill.models.forest import ForestModel
from mailmill.models.scoring import Model, probability

#: The share of a mail's words that the word makes up.
STEP = 0.1
SHOWN = 15
_TEXTS = 4096


@dataclass(frozen=True)
class Word:
    """A word, and by how much it moves the mean P(classes[-1]) where every tenth word is it."""

    word: str
    effect: float


@dataclass(frozen=True)
class Questions:
    """Common words of the mail, texts to put them before, and how texts become rows: float32 (texts, columns), and
    their n-grams where the features have them."""

    words: tuple[str, ...]
    texts: tuple[str, ...]
    featurize: Callable[[Sequence[str]], tuple[NDArray[np.float32], SparseRows | None]]


def telling_words(models: Mapping[str, Model], asked: Questions) -> dict[str, list[Word]]:
    """By model, the `SHOWN` words with the most negative effect and those with the most positive, ascending.

    effect(w) = mean over texts t of P(k times w, then t) - P(t), k = ceil(s n / (1 - s)) for n words and s = `STEP`.
    Ties go by the word. A model of other columns than `asked.featurize` gives has no words.
    """
    if not asked.words or not asked.texts:
        return {name: [] for name in models}
    plain, sparse = asked.featurize(asked.texts)
    able = {name: model for name, model in models.items() if model.columns == plain.shape[1]}
    base = {name: probability(model, plain, sparse)[:, -1].mean() for name, model in able.items()}
    effects: dict[str, list[float]] = {name: [] for name in able}
    times = [-int(-STEP * len(text.split()) // (1 - STEP)) for text in asked.texts]
    step = max(1, _TEXTS // len(asked.texts))
    for start in range(0, len(asked.words), step):
        block = asked.words[start : start + step]
        rows, sparse = asked.featurize(
            [f"{word} " * k + text for word in block for k, text in zip(times, asked.texts, strict=True)]
        )
        for name, model in able.items():
            moved = probability(model, rows, sparse)[:, -1].reshape(len(block), len(asked.texts)).mean(axis=1)
            effects[name] += (moved - base[name]).tolist()
    return {name: _extremes(asked.words, effects[name]) if name in able else [] for name in models}


def _extremes(words: Sequence[str], effects: Sequence[float]) -> list[Word]:
    order = sorted(range(len(words)), key=lambda i: (effects[i], words[i]))
    chosen = [*order[:SHOWN], *order[-SHOWN:]] if len(order) > 2 * SHOWN else order
    return [Word(words[i], float(effects[i])) for i in chosen]


def column_shares(model: Model) -> list[tuple[int, float]]:
    """The columns on which a model rests most, with their share, largest first; at most `SHOWN`.

    Of a forest: training rows that pass through splits on the column, among all splits. Of logistic regression none: a
    coefficient says nothing without its column's scale, and of its hashed columns each stands for many n-grams.
    """
    if not isinstance(model, ForestModel):
        return []
    weight = np.zeros(model.columns)
    for tree in model.trees:
        inner = tree.feature >= 0
        np.add.at(weight, tree.feature[inner], tree.counts[inner].sum(axis=1))
    total = weight.sum() or 1.0
    best = sorted(range(len(weight)), key=lambda c: (-weight[c], c))[:SHOWN]
    return [(c, float(weight[c] / total)) for c in best]
