"""Sketches merge to the same value in any shape, are exact where they say so, and stay small."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.quality.sketches import NORM, SHARE, SIGNED, WHOLE, Distinct, Names, hash_texts, quantile

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=3), max_size=40)
HASHES = st.lists(st.integers(0, 40), max_size=60).map(lambda values: np.array(values, np.uint64))


def names(texts: list[str]) -> Names:
    return Names.of(((text, 1) for text in texts), bound=5)


def same(a: Distinct, b: Distinct) -> bool:
    return np.array_equal(a.hashes, b.hashes) and np.array_equal(a.counts, b.counts) and a.total == b.total


@given(TEXTS, TEXTS, TEXTS)
def test_names_merge_in_any_shape_to_the_same(a: list[str], b: list[str], c: list[str]) -> None:
    x, y, z = names(a), names(b), names(c)
    assert x.merge(y).merge(z) == x.merge(y.merge(z)) == z.merge(x).merge(y) == names(a + b + c)


@given(TEXTS)
def test_names_are_exact_and_bounded(texts: list[str]) -> None:
    found, truth = names(texts), Counter(texts)
    assert len(found.counts) == min(5, len(truth))
    assert all(truth[name] == count for name, count in found.counts.items())
    assert found.total == len(texts)
    assert found.complete == (len(truth) <= 5)


def test_the_latest_days_are_kept() -> None:
    found = Names.of([("2024-01-02", 1), ("2023-12-31", 5), ("2024-02-01", 2)], bound=2, order="latest")
    assert found.counts == {"2024-02-01": 2, "2024-01-02": 1}


@given(HASHES, HASHES, HASHES)
def test_distinct_merges_in_any_shape_to_the_same(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    x, y, z = (Distinct.of(values, 7) for values in (a, b, c))
    whole = Distinct.of(np.concatenate([a, b, c]), 7)
    for merged in (x.merge(y).merge(z), x.merge(y.merge(z)), z.merge(x).merge(y)):
        assert same(merged, whole)


@given(HASHES)
def test_distinct_is_exact_and_bounded(values: np.ndarray) -> None:
    found = Distinct.of(values, 7)
    truth = Counter(values.tolist())
    assert found.hashes.tolist() == sorted(truth)[:7]
    assert found.counts.tolist() == [truth[value] for value in sorted(truth)[:7]]
    assert found.total == len(values)
    assert found.complete == (len(truth) <= 7)


def test_distinct_estimates_beyond_its_bound() -> None:
    found = Distinct.of(hash_texts(f"text {n % 30_000}" for n in range(45_000)))
    assert found.checked == 4096
    assert found.distinct == pytest.approx(30_000, rel=0.06)
    assert found.repeated_share == pytest.approx(1 / 3, abs=0.02)


def of_texts(rows: int, *common: float, wording: int = 0) -> Distinct:
    """Texts of which some fill a share of the rows each and all others come once."""
    often = [f"common {wording} {n}" for n, share in enumerate(common) for _ in range(round(share * rows))]
    return Distinct.of(hash_texts([*often, *(f"mail {wording} {n}" for n in range(rows - len(often)))]))


@pytest.mark.parametrize("common", [(), (0.1,), (0.45,), (0.9,), (0.2, 0.2)])
@pytest.mark.parametrize("rows", [4000, 20_000])
def test_a_frequent_text_counts_by_its_rows_whatever_it_says(rows: int, common: tuple[float, ...]) -> None:
    """The share was that among 4,096 texts: of one text in half of 20,000 mails it said 0, or far more than half."""
    truth = sum(round(share * rows) - 1 for share in common) / rows
    for wording in range(5):
        found = of_texts(rows, *common, wording=wording)
        distinct = round(rows * (1 - truth))
        assert found.complete == (found.error is None) == (distinct <= 4096)
        assert abs(found.distinct - distinct) <= 4 * (found.error or 0)
        assert found.repeated_share == pytest.approx(truth, abs=4 * (found.error or 0) / rows + 1e-12)


@pytest.mark.parametrize("distinct", [4095, 4096, 4097, 5000, 50_000])
def test_an_estimate_is_as_close_as_it_says(distinct: int) -> None:
    draws = np.random.default_rng(distinct)
    found = [Distinct.of(draws.integers(0, 2**64, distinct, np.uint64).repeat(2)) for _ in range(60)]
    errors = np.array([one.distinct - distinct for one in found])
    if distinct <= 4096:
        assert not errors.any()
        assert all(one.error is None for one in found)
    else:
        said = np.mean([one.error for one in found])
        assert 0.6 * said < np.sqrt((errors**2).mean()) < 1.4 * said < 1.4 * distinct / 63.9


def test_there_are_no_more_values_than_rows() -> None:
    for wording in range(5):
        assert of_texts(5000, wording=wording).distinct <= 5000
        assert of_texts(5000, wording=wording).repeated_share >= 0


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=200), st.sampled_from([0.0, 0.01, 0.5, 0.9, 1.0]))
def test_quantiles_of_whole_numbers(values: list[int], q: float) -> None:
    found = quantile(WHOLE.edges, WHOLE.count(np.array(values)), q)
    truth = sorted(values)[max(1, int(np.ceil(q * len(values)))) - 1]
    assert found == truth if truth <= 50 else found == pytest.approx(truth, rel=0.0101)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.sampled_from([0.05, 0.5, 0.95]))
def test_quantiles_of_shares(values: list[float], q: float) -> None:
    found = quantile(SHARE.edges, SHARE.count(np.array(values)), q)
    truth = float(np.quantile(values, q, method="inverted_cdf"))
    assert found == pytest.approx(truth, abs=0.00101)


def test_ends_of_scales_are_their_own() -> None:
    for scale, value in ((SHARE, 0.0), (SHARE, 1.0), (SIGNED, -1.0), (SIGNED, 1.0)):
        assert quantile(scale.edges, scale.count(np.array([value])), 0.5) == pytest.approx(value)
    assert NORM.count(np.array([0.0, 1e9]))[[0, -1]].tolist() == [1, 1]
    assert quantile(WHOLE.edges, WHOLE.count(np.array([], np.int64)), 0.5) is None


@given(st.lists(st.integers(-5, 2**41), max_size=50), st.integers(0, 50))
def test_histograms_add_up(values: list[int], cut: int) -> None:
    whole, parts = np.array(values, np.int64), (np.array(values[:cut], np.int64), np.array(values[cut:], np.int64))
    assert np.array_equal(WHOLE.count(whole), WHOLE.count(parts[0]) + WHOLE.count(parts[1]))
    assert WHOLE.count(whole).sum() == len(values)
