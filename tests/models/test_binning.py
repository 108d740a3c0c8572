from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mailmill.errors import DataError
from mailmill.models.binning import draw_bin_sample, quantile_bins
from mailmill.models.data import TrainingArrays

from .problems import problem, take

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
FEW = st.sampled_from([-0.0, 0.0, 1.0, 1.0000001, 2.5, -3.0])


@given(arrays(np.float32, st.tuples(st.integers(1, 60), st.integers(1, 3)), elements=FINITE | FEW), st.integers(2, 256))
def test_code_and_threshold_decide_alike(X: np.ndarray, max_bins: int) -> None:
    bins = quantile_bins(X, max_bins)
    codes = bins.encode(X)
    for f, count in enumerate(bins.counts):
        edges = bins.edges[f, : count - 1]
        assert count <= max_bins
        assert (np.diff(edges) > 0).all()
        assert np.isfinite(edges).all()
        for j, edge in enumerate(edges):
            assert ((codes[f] <= j) == (X[:, f] <= edge)).all()
        assert len(np.unique(codes[f])) >= (1 if len(np.unique(X[:, f])) == 1 else 2)


@given(arrays(np.float32, st.tuples(st.integers(1, 60), st.integers(1, 2)), elements=FINITE | FEW), st.randoms())
def test_edges_do_not_depend_on_order(X: np.ndarray, random: object) -> None:
    shuffled = X[random.sample(range(len(X)), len(X))]  # type: ignore[attr-defined]
    assert quantile_bins(X, 8).edges.tobytes() == quantile_bins(shuffled, 8).edges.tobytes()


def test_few_distinct_values_get_a_bin_each() -> None:
    X = np.array([[3], [1], [2], [1]], np.float32)
    bins = quantile_bins(X, 4)
    assert bins.edges[0].tolist() == [1.5, 2.5, np.inf]
    assert bins.encode(X)[0].tolist() == [2, 0, 1, 0]


def test_bins_of_many_values_are_smaller_towards_the_ends() -> None:
    X = np.random.default_rng(0).normal(size=(10_000, 1)).astype(np.float32)
    sizes = np.bincount(quantile_bins(X, 100).encode(X)[0])
    assert len(sizes) == 100
    shares = np.cumsum(sizes) / 10_000
    u = np.arange(1, 101) / 100
    np.testing.assert_allclose(shares, 3 * u**2 - 2 * u**3, atol=1e-4)
    assert sizes[0] == 2  # a hundredth of the bins for the outermost 3e-4 of the values
    assert max(sizes) == 150


@pytest.mark.parametrize("count", [257, 300, 5000])
def test_every_bin_of_more_values_than_bins_holds_some(count: int) -> None:
    X = np.random.default_rng(1).permutation(count).astype(np.float32)[:, None]
    assert (np.bincount(quantile_bins(X, 256).encode(X)[0], minlength=256) > 0).all()


@settings(max_examples=30)
@given(st.lists(st.integers(0, 300), max_size=4), st.integers(2, 400), st.integers(0, 2**32))
def test_sample_merges_to_the_sample_of_the_whole(at: list[int], size: int, seed: int) -> None:
    data = problem(300, 2)
    whole = draw_bin_sample(data, size, seed)
    bounds = [0, *sorted(at), 300]
    parts = [draw_bin_sample(take(data, slice(a, b)), size, seed) for a, b in pairwise(bounds)]
    merged = parts[-1]
    for part in parts[:-1]:
        merged = merged.merge(part)
    assert len(whole.X) == min(size, 300)
    order, other = np.argsort(whole.hashes), np.argsort(merged.hashes)
    assert (whole.X[order] == merged.X[other]).all()


def test_ids_that_are_all_the_same_are_refused() -> None:
    data = problem(100, 2)
    with pytest.raises(DataError, match="one id"):
        draw_bin_sample(TrainingArrays(data.X, data.y, np.zeros(100, np.uint64)), 10, 0)
