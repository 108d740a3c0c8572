"""Mean pooling: the formula, the empty cases, and bits that do not depend on order or batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mailmill.features.pooling import mean_pool

VECTORS = np.random.default_rng(5).normal(size=(40, 7)).astype(np.float32) * 10.0 ** np.arange(-3, 4, dtype=np.float32)
MAILS = st.lists(st.lists(st.integers(-1, 39), max_size=30), min_size=1, max_size=8)


def pool(mails: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, mails)])
    return mean_pool(VECTORS, np.array([row for mail in mails for row in mail], dtype=np.int32), offsets)


@given(MAILS)
def test_is_the_mean_of_known_words(mails: list[list[int]]) -> None:
    vectors, coverage = pool(mails)
    assert vectors.dtype == coverage.dtype == np.float32
    for mail, vector, share in zip(mails, vectors, coverage, strict=True):
        known = [row for row in mail if row >= 0]
        expected = VECTORS[known].astype(np.float64).mean(axis=0) if known else np.zeros(7)
        np.testing.assert_allclose(vector, expected, rtol=1e-6, atol=1e-9)
        assert share == np.float32(len(known) / len(mail) if mail else 0)


def test_empty_and_unknown_mails_are_zero_never_nan() -> None:
    vectors, coverage = pool([[], [-1, -1], [3]])
    assert not vectors[:2].any()
    assert coverage.tolist() == [0, 0, 1]
    assert mean_pool(VECTORS, np.empty(0, np.int32), np.zeros(1, np.int64))[0].shape == (0, 7)


@given(MAILS, st.randoms(use_true_random=False))
def test_order_of_words_and_batches_change_no_bit(mails: list[list[int]], random) -> None:
    vectors, coverage = pool(mails)
    shuffled = [random.sample(mail, len(mail)) for mail in mails]
    assert pool(shuffled)[0].tobytes() == vectors.tobytes()
    alone = [pool([mail]) for mail in mails]
    assert b"".join(one.tobytes() for one, _ in alone) == vectors.tobytes()
    assert b"".join(one.tobytes() for _, one in alone) == coverage.tobytes()
