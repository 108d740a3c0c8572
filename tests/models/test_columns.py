"""Sparse columns by rank: the same margins and sums as by their own numbers, whatever the rows hold."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.columns import SparseColumns, by_column, fragment_columns, name_of, ranked, renumbered
from mailmill.models.data import MemoryFragment, SparseRows, TrainingArrays
from mailmill.models.objective import LossTask, add_units, loss_sums, unit_bits
from tests.models.problems import sparse_problem


def rows() -> SparseRows:
    indptr, indices = np.array([0, 3, 3, 5]), np.array([1, 4, 6, 0, 4], np.int32)
    return SparseRows(indptr, indices, np.arange(1, 6, dtype=np.float32), 8)


def test_the_largest_come_first_and_empty_columns_not_at_all() -> None:
    assert ranked(np.array([0.0, 2.0, 0.0, 5.0, 2.0, 1e-9])).tolist() == [3, 1, 4, 5]
    assert ranked(np.zeros(4)).tolist() == []


def test_a_name_knows_the_order() -> None:
    assert name_of(np.array([1, 2])) == name_of(np.array([1, 2]))
    assert name_of(np.array([1, 2])) != name_of(np.array([2, 1]))


def dense(turned: SparseColumns, count: int, columns: int) -> NDArray[np.float64]:
    """All blocks of so many rows as one matrix."""
    full = np.zeros((count, columns))
    for number in range(len(turned.bounds) - 1):
        part = full[number * turned.block : (number + 1) * turned.block]
        turned.put(number, np.arange(columns), part)
    return full


def test_columns_move_to_their_rank_and_others_are_left_out() -> None:
    held, active = rows(), np.array([4, 1, 0])
    np.testing.assert_array_equal(dense(by_column(held, active), 3, 3), held.dense()[:, active])
    np.testing.assert_array_equal(dense(by_column(held, None), 3, 8), held.dense())
    empty = by_column(held, np.array([2, 3]))
    assert (len(empty.columns), empty.starts.tolist(), empty.bounds.tolist()) == (0, [0], [0, 0])


def test_renumbered_rows_hold_the_same_by_rank() -> None:
    held, active = rows(), np.array([4, 1, 0])
    found = renumbered(held, active)
    np.testing.assert_array_equal(found.dense(), held.dense()[:, active])
    np.testing.assert_array_equal(dense(by_column(found, None), 3, 3), held.dense()[:, active])
    assert not renumbered(held, np.array([], np.int32)).dense().any()


def test_rows_are_taken_in_any_order_and_more_than_once() -> None:
    for chosen in ([2, 0, 2], [1], []):
        numbers = np.array(chosen, np.intp)
        np.testing.assert_array_equal(rows().take(numbers).dense(), rows().dense()[numbers])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(1, 12), st.integers(1, 80), st.data())
def test_turned_blocks_hold_every_value_once(count: int, width: int, block: int, data: st.DataObject) -> None:
    sparse = sparse_problem(max(count, 5), 2, width, seed=count).sparse
    assert sparse is not None
    sparse = sparse.take(np.arange(count))
    active = np.array(data.draw(st.permutations(range(width))), np.int32)[: data.draw(st.integers(1, width))]
    turned = by_column(sparse, active, block)
    np.testing.assert_array_equal(dense(turned, count, len(active)), sparse.dense()[:, active])
    assert len(turned.bounds) == -(-count // block) + 1
    assert len(turned.values) == len(turned.rows) == turned.starts[-1]
    for first, last in pairwise(turned.bounds):
        assert (np.diff(turned.columns[first:last]) > 0).all()
    rng = np.random.default_rng(count)
    V, R, G = rng.normal(size=(len(active), 2)), rng.normal(size=(count, 2)), np.zeros((len(active), 2), np.int64)
    Z = np.zeros((count, 2))
    for number in range(len(turned.bounds) - 1):
        within = slice(number * block, (number + 1) * block)
        turned.add_margins(number, V, Z[within])
        turned.add_gradient(number, R[within], 2.0**40, G)
    chosen = sparse.dense()[:, active]
    np.testing.assert_allclose(Z, chosen @ V, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(G * 2.0**-40, chosen.T @ R, rtol=1e-10, atol=1e-9)


def test_columns_are_turned_once_for_each_choice_of_them() -> None:
    held, fragment = rows(), MemoryFragment({})
    first, second = np.array([4, 1, 0]), np.array([6, 4])
    for active in (first, second, first):
        again = fragment_columns(fragment, "train", held, active, name_of(active))
        np.testing.assert_array_equal(dense(again, 3, len(active)), dense(by_column(held, active), 3, len(active)))
    assert len(fragment._cache) == 2


def test_a_pass_over_ranked_columns_is_the_pass_over_all() -> None:
    data = sparse_problem(300, 3, 9)
    assert data.sparse is not None
    rng = np.random.default_rng(3)
    V = rng.normal(size=(data.sparse.columns, 2))
    active = ranked((data.sparse.dense() ** 2).sum(axis=0))[:6]
    silent = np.setdiff1d(np.arange(data.sparse.columns), active)
    V[silent] = 0.0
    points = (np.zeros(3), rng.normal(size=(2, 3)), rng.normal(size=2))
    fragment = MemoryFragment({"train": TrainingArrays(data.X, data.y, data.ids, data.sparse)})
    whole = loss_sums(fragment, LossTask("train", *points, V, (1.0, 1.0), 1, bits=40))
    part = loss_sums(fragment, LossTask("train", *points, V[active], (1.0, 1.0), 1, active, name_of(active), 40))
    np.testing.assert_allclose(part.ordered.loss, whole.ordered.loss, rtol=1e-12)
    np.testing.assert_allclose(part.ordered.dense, whole.ordered.dense, rtol=1e-9, atol=1e-9)
    assert part.exact is not None
    assert whole.exact is not None
    assert part.exact.dtype == whole.exact.dtype == np.int64
    np.testing.assert_allclose(part.exact, whole.exact[active], atol=2)


def test_gradients_in_whole_units_do_not_depend_on_order_and_do_not_overflow_unseen() -> None:
    data = sparse_problem(200, 3, 9)
    assert data.sparse is not None
    rng = np.random.default_rng(4)
    squares = float((data.sparse.dense() ** 2).sum(axis=0).max())
    bits = unit_bits(200, squares, 1.0)
    points = (np.zeros(3), rng.normal(size=(1, 3)), rng.normal(size=1), rng.normal(size=(data.sparse.columns, 1)))
    task = LossTask("train", *points, (1.0, 1.0), 1, bits=bits)
    found = [
        loss_sums(MemoryFragment({"train": data.take(np.arange(at, at + 20))}), task).exact for at in range(0, 200, 20)
    ]
    whole = loss_sums(MemoryFragment({"train": data}), task).exact
    forth, back = None, None
    for units in found:
        forth = add_units(forth, None if units is None else units.copy())
    for units in reversed(found):
        back = add_units(back, units)
    assert forth is not None
    assert back is not None
    assert whole is not None
    np.testing.assert_array_equal(forth, back)
    np.testing.assert_allclose(forth, whole, atol=200)
    assert np.abs(whole).max() <= 2.0**52
    heavy = TrainingArrays(data.X, data.y, data.ids, data.sparse, np.full(200, 1e9))
    with pytest.raises(DataError, match="weight"):
        loss_sums(MemoryFragment({"train": heavy}), task)
