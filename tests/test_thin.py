"""Thin arrays: small on the way, the same at the end."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mailmill.features.counts import Counts
from mailmill.thin import full, thin


@pytest.mark.parametrize("shape", [(5,), (300_000,), (3, 300_000), (3, 4)])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.9])
def test_what_arrives_is_what_was_sent(shape: tuple[int, ...], share: float) -> None:
    rng = np.random.default_rng(1)
    array = np.where(rng.random(shape) < share, rng.integers(1, 9, shape), 0).astype(np.int32)
    sent = thin(array)
    arrived = full(pickle.loads(pickle.dumps(sent)))
    np.testing.assert_array_equal(arrived, array)
    assert arrived.dtype == array.dtype
    if share < 0.1 and array.nbytes > 1_000_000:
        assert len(pickle.dumps(sent)) < array.nbytes / 8


def test_counts_of_few_columns_travel_light_and_can_be_added_to() -> None:
    ngrams = np.zeros((3, 1 << 18), np.int32)
    ngrams[:, 7] = 1, 2, 3
    counts = Counts(6, np.ones((2, 5), np.int32), np.ones(5, np.int64), ngrams)
    sent = pickle.dumps(counts)
    assert len(sent) < 5000
    arrived = pickle.loads(sent)
    arrived.ngrams += ngrams
    np.testing.assert_array_equal(arrived.ngrams, 2 * ngrams)
    assert (arrived.mails, arrived.words.sum(), arrived.tokens.sum()) == (6, 10, 5)
