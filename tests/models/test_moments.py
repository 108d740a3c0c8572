import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill.models.data import SparseRows, TrainingArrays
from mailmill.models.moments import take_moments

from .problems import problem, take


@settings(max_examples=25)
@given(st.lists(st.integers(0, 500), max_size=5), st.floats(-1e4, 1e4))
def test_merged_moments_are_those_of_the_whole(at: list[int], shift: float) -> None:
    data = problem(500, 3)
    data = TrainingArrays(data.X + np.float32(shift), data.y, data.ids)
    bounds = [0, *sorted(at), 500]
    merged = take_moments(take(data, slice(0, 0)), 2)
    for low, high in pairwise(bounds):
        merged = merged.merge(take_moments(take(data, slice(low, high)), 2))
    exact = data.X.astype(np.float64)
    np.testing.assert_allclose(merged.mean, exact.mean(axis=0), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(merged.scale, exact.std(axis=0), rtol=1e-9)
    assert not merged.constant.any()


def test_a_constant_column_is_recognised_whatever_its_rounding() -> None:
    data = problem(20_000, 2)
    X = data.X.copy()
    X[:, 1] = 0.1
    moments = take_moments(TrainingArrays(X, data.y, data.ids), 2)
    assert moments.constant.tolist() == [False, True]
    assert moments.scale[1] == 1


@pytest.mark.parametrize("columns", [40, 100_000])
def test_squares_of_sparse_columns_arrive_whole_and_travel_light(columns: int) -> None:
    data, rng = problem(30, 2), np.random.default_rng(1)
    indices = np.sort(rng.integers(0, columns, (30, 4)), axis=1).astype(np.int32).ravel()
    sparse = SparseRows(np.arange(0, 121, 4), indices, rng.normal(size=120).astype(np.float32), columns)
    moments = take_moments(TrainingArrays(data.X, data.y, data.ids, sparse), 2)
    sent = pickle.dumps(moments)
    np.testing.assert_array_equal(pickle.loads(sent).squares, moments.squares)
    assert len(sent) < 4000
    np.testing.assert_array_equal(pickle.loads(sent).merge(moments).squares, 2 * moments.squares)


def test_rows_with_values_that_are_not_finite_are_counted_once() -> None:
    values = np.array([1, np.nan, np.nan, np.inf, 1, np.nan], np.float32)
    sparse = SparseRows(np.array([0, 1, 3, 3, 5, 6]), np.array([0, 0, 1, 0, 1, 2], np.int32), values, 5)
    arrays = TrainingArrays(np.zeros((5, 1), np.float32), np.zeros(5, int), np.arange(5, dtype=np.uint64), sparse)
    assert take_moments(arrays, 2).census.not_finite == 3
    assert take_moments(arrays.take(np.array([2, 3])), 2).census.not_finite == 1
