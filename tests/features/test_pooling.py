"""Pools: the formulas, the compiled loops against NumPy bit for bit, and independence of order and batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mailmill.features import compiled, pooling
from mailmill.features.pooling import max_pool, means, reference_sums, weighted_sums, without

RANDOM = np.random.default_rng(5)
VECTORS = RANDOM.normal(size=(40, 7)).astype(np.float32) * 10.0 ** np.arange(-3, 4, dtype=np.float32)
WEIGHTS = np.concatenate([np.ones((2, 40, 1)), RANDOM.normal(size=(2, 40, 2))], axis=2).astype(np.float32)
MAILS = st.lists(st.lists(st.integers(-1, 39), max_size=30), min_size=1, max_size=8)


def arrays(mails: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, mails)])
    return np.array([row for mail in mails for row in mail], dtype=np.int32), offsets


@given(MAILS)
def test_sums_are_the_reference_bit_for_bit(mails: list[list[int]]) -> None:
    tables = np.arange(len(mails)) % 2
    for weights, chosen in ((None, None), (WEIGHTS, None), (WEIGHTS, tables)):
        ours = weighted_sums(VECTORS, *arrays(mails), weights, chosen)
        plain = reference_sums(VECTORS, *arrays(mails), weights, chosen)
        for one, other in zip(ours, plain, strict=True):
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes()


@given(MAILS)
def test_a_mean_is_the_mean_of_known_words(mails: list[list[int]]) -> None:
    sums, totals, known = weighted_sums(VECTORS, *arrays(mails))
    for mail, vector, count in zip(mails, means(sums[:, 0], known), known.tolist(), strict=True):
        rows = [row for row in mail if row >= 0]
        expected = VECTORS[rows].astype(np.float64).mean(axis=0) if rows else np.zeros(7)
        np.testing.assert_allclose(vector, expected, rtol=1e-12, atol=1e-9)
        assert count == len(rows)
    np.testing.assert_array_equal(totals[:, 0], known)


@given(MAILS, st.randoms(use_true_random=False))
def test_order_of_words_and_batches_change_no_bit(mails: list[list[int]], random) -> None:
    whole = weighted_sums(VECTORS, *arrays(mails), WEIGHTS)
    shuffled = weighted_sums(VECTORS, *arrays([random.sample(mail, len(mail)) for mail in mails]), WEIGHTS)
    alone = [weighted_sums(VECTORS, *arrays([mail]), WEIGHTS) for mail in mails]
    for part in range(3):
        assert shuffled[part].tobytes() == whole[part].tobytes()
        assert b"".join(one[part].tobytes() for one in alone) == whole[part].tobytes()


@given(MAILS)
def test_maxima_and_products_are_the_references_bit_for_bit(mails: list[list[int]]) -> None:
    zeros = VECTORS.copy()
    zeros[:, 3] = np.where(np.arange(len(zeros)) % 2, 0.0, -0.0)
    ours, plain = (np.zeros((len(mails), 7), np.float32) for _ in range(2))
    compiled.maxima(zeros, *arrays(mails), ours)
    pooling.reference_maxima(zeros, *arrays(mails), plain)
    assert ours.tobytes() == plain.tobytes()
    component = VECTORS[3].astype(np.float64)
    pooled = means(weighted_sums(VECTORS, *arrays(mails))[0][:, 0], np.ones(len(mails)))
    ours, plain = np.zeros(len(mails)), np.zeros(len(mails))
    compiled.dots(pooled, component, ours)
    pooling.reference_dots(pooled, component, plain)
    assert ours.tobytes() == plain.tobytes()


@given(MAILS)
def test_a_maximum_is_the_largest_of_known_words(mails: list[list[int]]) -> None:
    for mail, vector in zip(mails, max_pool(VECTORS, *arrays(mails)), strict=True):
        rows = [row for row in mail if row >= 0]
        np.testing.assert_array_equal(vector, VECTORS[rows].max(axis=0) if rows else np.zeros(7, np.float32))


@given(MAILS)
def test_nothing_of_the_component_is_left(mails: list[list[int]]) -> None:
    sums, _, known = weighted_sums(VECTORS, *arrays(mails))
    direction = np.arange(1.0, 8.0) / np.linalg.norm(np.arange(1.0, 8.0))
    pooled = without(sums[:, 0], known, direction)
    assert pooled.dtype == np.float32
    plain = means(sums[:, 0], known)
    np.testing.assert_allclose(pooled, plain - np.outer(plain @ direction, direction), rtol=1e-5, atol=1e-3)
    assert np.abs(pooled.astype(np.float64) @ direction).max() <= 1e-6 * (1 + np.abs(pooled).max())


def test_empty_and_unknown_mails_are_zero_never_nan() -> None:
    sums, _, known = weighted_sums(VECTORS, *arrays([[], [-1, -1], [3]]))
    assert not pooling.means(sums[:, 0], known)[:2].any()
    assert known.tolist() == [0, 0, 1]
    assert weighted_sums(VECTORS, np.empty(0, np.int32), np.zeros(1, np.int64))[0].shape == (0, 1, 7)
    assert not without(sums[:, 0], known, np.ones(7))[:2].any()
