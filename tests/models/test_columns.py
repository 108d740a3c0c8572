"""Sparse columns by rank: the same margins and sums as by their own numbers, whatever the rows hold."""

from __future__ import annotations

import numpy as np
import pytest

from mailmill.errors import DataError
from mailmill.models.columns import name_of, ranked, renumbered
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


def test_columns_move_to_their_rank_and_others_to_the_last() -> None:
    given = rows()
    fragment = MemoryFragment({})
    active = np.array([4, 1, 0])
    moved = renumbered(fragment, "train", given, active, name_of(active))
    own = given.dense()
    expected = np.column_stack([own[:, active], own.sum(axis=1) - own[:, active].sum(axis=1)])
    np.testing.assert_array_equal(moved.dense(), expected)


def test_numbers_are_made_once_for_each_choice_of_columns() -> None:
    given, fragment = rows(), MemoryFragment({})
    first, second = np.array([4, 1, 0]), np.array([6, 4])
    for active in (first, second, first):
        again = renumbered(fragment, "train", given, active, name_of(active))
        np.testing.assert_array_equal(again.dense(), renumbered(fragment, "train", given, active).dense())
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
    short = np.vstack([V[active], np.zeros((1, 2))])
    part = loss_sums(fragment, LossTask("train", *points, short, (1.0, 1.0), 1, active, name_of(active), 40))
    np.testing.assert_allclose(part.ordered.loss, whole.ordered.loss, rtol=1e-12)
    np.testing.assert_allclose(part.ordered.dense, whole.ordered.dense, rtol=1e-9, atol=1e-9)
    assert part.exact is not None
    assert whole.exact is not None
    assert part.exact.dtype == whole.exact.dtype == np.int64
    np.testing.assert_allclose(part.exact[:-1], whole.exact[active], atol=2)


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
