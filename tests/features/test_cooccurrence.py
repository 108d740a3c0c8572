"""Co-occurrence counts: the plain count, whole numbers, any block size, any cut of the texts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from mailmill.config.data import GloveSection
from mailmill.features.cooccurrence import MAX_WINDOW, count_pairs, count_pairs_plainly, unit


def added(words: NDArray[np.int32], offsets: NDArray[np.int64], window: int, size: int, block: int) -> dict:
    found: dict[tuple[int, int], int] = {}
    for i, j, x in count_pairs(words, offsets, window, size, block):
        assert (i.dtype, j.dtype, x.dtype) == (np.int32, np.int32, np.int64)
        assert np.all(i <= j)
        assert np.all(np.diff(i.astype(np.int64) * size + j) > 0)
        for a, b, n in zip(i.tolist(), j.tolist(), x.tolist(), strict=True):
            found[a, b] = found.get((a, b), 0) + n
    return found


def flat(texts: list[list[int]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return np.array([word for text in texts for word in text], np.int32), offsets


def test_a_count_by_hand() -> None:
    # a b a: a-b at distance 1 twice, a-a at distance 2 once; unit 1/2
    words, offsets = flat([[0, 1, 0], [2]])
    assert added(words, offsets, 2, 3, 100) == {(0, 1): 4, (0, 0): 1}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), max_size=30), max_size=8), st.integers(1, MAX_WINDOW), st.integers(1, 200))
def test_the_kernel_counts_as_the_plain_loop(texts: list[list[int]], window: int, block: int) -> None:
    words, offsets = flat(texts)
    expected = count_pairs_plainly(words, offsets, window)
    assert added(words, offsets, window, 7, block) == expected
    fractions: dict[tuple[int, int], float] = {}
    for text in texts:  # the definition, in fractions
        for b in range(len(text)):
            for a in range(max(0, b - window), b):
                pair = min(text[a], text[b]), max(text[a], text[b])
                fractions[pair] = fractions.get(pair, 0) + 1 / (b - a)
    assert {pair: n / unit(window) for pair, n in expected.items()} == pytest.approx(fractions)


def test_large_vocabularies_do_not_overflow() -> None:
    size = 2**29
    words, offsets = flat([[size - 1, size - 2, size - 1]])
    expected = {(size - 2, size - 1): 2 * unit(16), (size - 1, size - 1): unit(16) // 2}
    assert added(words, offsets, 16, size, 64) == expected


@pytest.mark.parametrize("window", [0, MAX_WINDOW + 1])
def test_no_other_window_is_counted(window: int) -> None:
    """The distance 17 went over into the number of the pair."""
    words, offsets = flat([[0, 1, 0]])
    with pytest.raises(ValueError, match="window"):
        added(words, offsets, window, 2, 100)
    with pytest.raises(ValidationError):
        GloveSection(window=window)
    assert GloveSection(window=MAX_WINDOW).window == MAX_WINDOW


def test_units_divide_by_every_distance() -> None:
    assert unit(10) == 2520
    assert all(unit(window) % d == 0 for window in range(1, MAX_WINDOW + 1) for d in range(1, window + 1))
    assert math.log2(unit(MAX_WINDOW)) < 20
