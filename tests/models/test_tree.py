from dataclasses import replace

import numpy as np
import pytest

from mailmill.errors import DataError
from mailmill.models.tree import Tree


def tree() -> Tree:
    """x1 <= 0.5 ? (x0 <= -1 ? leaf 3 : leaf 4) : leaf 2."""
    return Tree(
        np.array([1, 0, -1, -1, -1], np.int32),
        np.array([2, 1, 0, 0, 0], np.uint8),
        np.array([0.5, -1, 0, 0, 0], np.float32),
        np.array([1, 3, -1, -1, -1], np.int32),
        np.array([2, 4, -1, -1, -1], np.int32),
        np.array([[6, 4], [3, 4], [3, 0], [3, 1], [0, 3]], np.int64),
    )


def test_rows_reach_their_leaves() -> None:
    X = np.array([[0, 0.6], [-1, 0.5], [-0.5, 0.5], [-9, 0.5000001]], np.float32)
    assert tree().leaves(X).tolist() == [2, 3, 4, 2]
    assert tree().frequencies()[3].tolist() == [0.75, 0.25]
    assert tree().leaves(X[:0]).tolist() == []


def test_shrinkage_draws_few_rows_towards_more() -> None:
    shrunk = replace(tree(), shrinkage=10.0).frequencies()
    root = np.array([0.6, 0.4])
    below = root + (np.array([3 / 7, 4 / 7]) - root) / (1 + 10 / 10)
    assert shrunk[0].tolist() == root.tolist()
    np.testing.assert_allclose(shrunk[1], below, rtol=1e-15)
    np.testing.assert_allclose(shrunk[2], root + (np.array([1, 0]) - root) / 2, rtol=1e-15)
    np.testing.assert_allclose(shrunk[4], below + (np.array([0, 1]) - [3 / 7, 4 / 7]) / (1 + 10 / 7), rtol=1e-15)
    np.testing.assert_allclose(shrunk.sum(axis=1), 1, rtol=1e-15)


def test_a_sound_tree_is_accepted() -> None:
    tree().validate(2, 2)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("feature", [2, 0, -1, -1, -1], "feature"),
        ("feature", [1, -2, -1, -1, -1], "feature"),
        ("feature", [1, -1, -1, -1, -1], "parent"),
        ("left", [0, 3, -1, -1, -1], "child"),
        ("left", [1, 5, -1, -1, -1], "child"),
        ("left", [1, 1, -1, -1, -1], "child"),
        ("left", [1, -7, -1, -1, -1], "child"),
        ("right", [2, 3, -1, -1, -1], "parent"),
        ("right", [2, 4, 4, -1, -1], "leaf"),
        ("threshold", [np.nan, 0, 0, 0, 0], "threshold"),
        ("threshold", [np.inf, 0, 0, 0, 0], "threshold"),
        ("counts", [[6, 4], [3, 4], [3, 0], [4, 1], [-1, 3]], "range"),
        ("counts", [[6, 4], [3, 4], [3, 0], [3, 1], [0, 2]], "sum"),
        ("counts", [[6, 4], [3, 4], [3, 0], [3, 1]], "length"),
    ],
)
def test_an_unsound_tree_is_refused(name: str, values: list[object], reason: str) -> None:
    array = np.array(values, getattr(tree(), name).dtype)
    with pytest.raises(DataError, match=reason):
        replace(tree(), **{name: array}).validate(2, 2)


def test_a_tree_deeper_than_its_settings_is_refused() -> None:
    with pytest.raises(DataError, match="deeper than 1"):
        tree().validate(2, 1)
