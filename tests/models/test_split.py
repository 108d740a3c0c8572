from fractions import Fraction
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mailmill.models.histogram import count_histogram, count_type
from mailmill.models.split import best_splits, n_log_n


def table(*features: list[list[int]]) -> np.ndarray:
    """One node's histogram (1, F, classes, bins) from one list of class rows a feature."""
    return np.array([features], np.int64)


def gini(left: np.ndarray, total: np.ndarray) -> Fraction:
    sides = [[int(n) for n in side] for side in (left, total - left)]
    return sum((Fraction(sum(n * n for n in side), sum(side)) for side in sides), Fraction(0))


@given(
    arrays(np.int64, (3, 4, 2, 6), elements=st.integers(0, 3) | st.integers(0, 10**6)),
    st.integers(1, 4),
)
def test_gini_choice_is_the_first_of_the_exactly_best(histogram: np.ndarray, min_leaf: int) -> None:
    histogram[:, :, :, -1] += histogram.sum(axis=3).max(axis=1)[:, None] - histogram.sum(axis=3)
    drawn = np.tile(np.array([2, 3, 5, 7], np.int32), (3, 1))
    splits = best_splits(histogram, drawn, min_leaf, "gini")
    for node in range(3):
        total = histogram[node, 0].sum(axis=1)
        assert splits.total[node].tolist() == total.tolist()
        best = None
        for j in range(4):
            for b in range(6):
                left = histogram[node, j, :, : b + 1].sum(axis=1)
                if min(left.sum(), (total - left).sum()) < min_leaf:
                    continue
                value = gini(left, total)
                if best is None or value > best[0]:
                    best = value, drawn[node, j], b, left
        assert splits.found[node] == (best is not None and total.max() < total.sum())
        if splits.found[node]:
            assert (splits.feature[node], splits.bin[node]) == best[1:3]
            assert splits.left[node].tolist() == best[3].tolist()


def test_mirrored_splits_are_equal_and_the_lowest_feature_wins() -> None:
    for scale in (1, 700, 10**9):
        a, b = [[3, 1], [1, 3]], [[1, 3], [3, 1]]
        histogram = table(b, a) * scale
        for criterion in ("gini", "entropy"):
            splits = best_splits(histogram, np.array([[4, 9]], np.int32), 1, criterion)
            assert (splits.feature[0], splits.bin[0]) == (4, 0)


def test_splits_closer_than_a_float_can_tell_are_compared_exactly() -> None:
    # With 10^9 rows of each class, a left side of l rows whose classes differ by d scores 1 + d^2 / (l (n - l)),
    # up to a factor. For l = n / 2 and n / 4 that compares 3 p^2 with 4 q^2, here for p / q near sqrt(4 / 3).
    n = 2 * 10**9
    p, q, p_before, q_before = 1, 1, 1, 0
    for quotient in [6, 2] * 7:  # sqrt(4 / 3) = [1; 6, 2, 6, 2, ...]
        p, p_before = quotient * p + p_before, p
        q, q_before = quotient * q + q_before, q
        assert 4 * q <= n // 4
        features = []
        for size, d in ((n // 2, 2 * p), (n // 4, 2 * q)):
            left = [(size + d) // 2, (size - d) // 2]
            features.append([[left[0], n // 2 - left[0]], [left[1], n // 2 - left[1]]])
        better = 0 if 3 * p * p > 4 * q * q else 1
        for order in (features, features[::-1]):
            splits = best_splits(table(*order), np.array([[0, 1]], np.int32), 1, "gini")
            assert order[splits.feature[0]] is features[better]


def test_entropy_and_gini_may_differ_and_entropy_is_right() -> None:
    rng = np.random.default_rng(0)
    histogram = rng.integers(0, 40, (1, 5, 3, 8))
    histogram[:, :, :, -1] += histogram.sum(axis=3).max(axis=1)[:, None] - histogram.sum(axis=3)
    splits = best_splits(histogram, np.arange(5, dtype=np.int32)[None], 1, "entropy")

    def gain(j: int, b: int) -> float:
        left = histogram[0, j, :, : b + 1].sum(axis=1)
        right = histogram[0, j].sum(axis=1) - left
        return sum(sum(n * log2(n) for n in s if n) - s.sum() * log2(s.sum()) for s in (left, right) if s.sum())

    best = max((gain(j, b), -j, -b) for j in range(5) for b in range(7))
    assert (splits.feature[0], splits.bin[0]) == (-best[1], -best[2])


@given(st.integers(0, 2**31))
def test_n_log_n_in_table_and_beyond(n: int) -> None:
    expected = n * log2(n) * 2**20 if n else 0
    assert n_log_n(np.array([float(n)]))[0] == pytest.approx(expected, rel=1e-15, abs=1)
    assert n_log_n(np.array([float(n), 2.0**22]))[0] == n_log_n(np.array([float(n)]))[0]


def test_nodes_of_one_class_or_too_small_are_left_alone() -> None:
    drawn = np.array([[0]], np.int32)
    assert not best_splits(table([[3, 4], [0, 0]]), drawn, 1, "gini").found[0]
    assert not best_splits(table([[3, 0], [0, 2]]), drawn, 3, "gini").found[0]
    assert best_splits(table([[3, 0], [0, 2]]), drawn, 2, "gini").found[0]
    assert not best_splits(table([[3, 0], [2, 0]]), drawn, 1, "entropy").found[0]


@given(st.integers(0, 2**32), st.integers(1, 80))
def test_histogram_counts_every_row_once_a_feature(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, (4, rows)).astype(np.uint8)
    y, weights = rng.integers(0, 3, rows), rng.integers(1, 4, rows)
    slots, drawn = rng.integers(0, 2, rows), np.array([[0, 2], [1, 3]], np.int32)
    out = np.zeros((2, 2, 3, 5), np.int32)
    half = rows // 2
    for part in (np.arange(half), np.arange(half, rows)):
        count_histogram(codes, y, part, weights[part], slots[part], drawn, out)
    expected = np.zeros_like(out)
    for i in range(rows):
        for j in range(2):
            expected[slots[i], j, y[i], codes[drawn[slots[i], j], i]] += weights[i]
    assert (out == expected).all()
    parent = np.zeros((1, 1, 3, 5), np.int64)
    count_histogram(codes, y, np.arange(rows), weights, np.zeros(rows, int), np.zeros((1, 1), np.int32), parent)
    assert (out[:, 0].sum(axis=(0, 2)) == parent[0, 0].sum(axis=1)).all()


def test_counts_are_wide_when_rows_are_many() -> None:
    assert count_type(1_000_000) is np.int32
    assert count_type(2_000_000_000) is np.int64
