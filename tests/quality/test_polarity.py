"""Words as witnesses of labels: the direction, the area under the curve, and when neither may speak."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mailmill.quality import polarity
from mailmill.quality.sketches import SIGNED


class Words:
    """A vocabulary in memory."""

    def __init__(self, words: dict[str, list[float]]) -> None:
        self.rows = {word: row for row, word in enumerate(words)}
        self.vectors = np.array(list(words.values()), np.float32)

    def lookup(self, tokens: list[str]) -> np.ndarray:
        return np.array([self.rows.get(token, -1) for token in tokens], np.int32)


def test_direction_points_from_bad_to_good() -> None:
    words = {w: [2.0, 1.0] for w in polarity.GOOD} | {w: [-2.0, 1.0] for w in polarity.BAD}
    found = polarity.direction(Words(words), 5, slice(1, 3))
    np.testing.assert_allclose(found, [0, 1, 0, 0, 0], atol=1e-12)
    assert polarity.direction(Words(words), 5, None) is None


def test_no_direction_without_enough_words() -> None:
    words = {w: [1.0] for w in polarity.GOOD[:7]} | {w: [-1.0] for w in polarity.BAD}
    assert polarity.direction(Words(words), 1, slice(0, 1)) is None


@given(st.lists(st.tuples(st.integers(-250, 250), st.booleans()), min_size=300, max_size=400))
def test_auc_is_scikit_learns(mails: list[tuple[int, bool]]) -> None:
    values = np.array([v / 250 for v, _ in mails])
    good = np.array([g for _, g in mails])
    bins = {"pos": SIGNED.count(values[good]), "neg": SIGNED.count(values[~good])}
    auc, error = polarity.auc_from_bins(bins, "pos")
    if min(good.sum(), (~good).sum()) < polarity.LEAST_MAILS:
        assert auc is None
    else:
        assert auc == pytest.approx(roc_auc_score(good, values))
        assert 0 < error < 0.1


def test_only_sentiments_are_judged() -> None:
    assert polarity.sentiment_classes(["neg", "POS"])
    assert not polarity.sentiment_classes(["spam", "ham"])
    assert not polarity.sentiment_classes([])
