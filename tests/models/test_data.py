import pickle

import numpy as np
import pytest

from mailmill.errors import DataError
from mailmill.models.data import Fragment, TrainingArrays, in_process, take_census

from .problems import CLASSES, cut, problem, take


def test_merging_is_a_fixed_binary_tree() -> None:
    def rows(fragment: Fragment, task: str) -> str:
        return str(len(fragment.arrays(task).X))

    map_reduce = cut(problem(15, 2), (1, 3, 6, 10))
    assert map_reduce(rows, lambda a, b: f"({a}{b})", "train") == "(((12)(34))5)"


def test_no_fragment_is_an_error() -> None:
    with pytest.raises(DataError):
        in_process([])


@pytest.mark.parametrize(
    ("X", "y", "ids"),
    [
        (np.zeros((3, 2)), np.zeros(3, int), np.zeros(3, np.uint64)),
        (np.zeros((2, 3), np.float32).T, np.zeros(3, int), np.zeros(3, np.uint64)),
        (np.zeros((3, 2), np.float32), np.zeros(2, int), np.zeros(3, np.uint64)),
        (np.zeros((3, 2), np.float32), np.zeros(3), np.zeros(3, np.uint64)),
        (np.zeros((3, 2), np.float32), np.zeros(3, int), np.zeros(3, np.int64)),
    ],
)
def test_arrays_of_the_wrong_form_are_refused(X: np.ndarray, y: np.ndarray, ids: np.ndarray) -> None:
    with pytest.raises(DataError):
        TrainingArrays(X, y, ids)


@pytest.mark.parametrize("weights", [np.ones(2), np.array([1, -0.5, 1]), np.array([1, np.nan, 1]), np.full(3, np.inf)])
def test_weights_are_finite_and_not_negative(weights: np.ndarray) -> None:
    with pytest.raises(DataError, match="weights must be"):
        TrainingArrays(np.zeros((3, 2), np.float32), np.zeros(3, int), np.zeros(3, np.uint64), weights=weights)


def test_census_adds_up_and_names_what_is_wrong() -> None:
    data = problem(100, 3)
    whole = take_census(data, 2)
    parts = take_census(take(data, slice(0, 40)), 2).merge(take_census(take(data, slice(40, 100)), 2))
    assert whole == parts
    assert whole.check(CLASSES, "train") == 3

    X = data.X.copy()
    X[3, 1], X[4, 0], X[4, 1] = np.nan, np.inf, -np.inf
    with pytest.raises(DataError, match="2 rows"):
        take_census(TrainingArrays(X, data.y, data.ids), 2).check(CLASSES, "train")
    with pytest.raises(DataError, match="outside"):
        take_census(TrainingArrays(data.X, data.y - 1, data.ids), 2).check(CLASSES, "train")
    with pytest.raises(DataError, match="'negative' alone"):
        take_census(TrainingArrays(data.X, data.y * 0, data.ids), 2).check(CLASSES, "train")
    with pytest.raises(DataError, match="no labelled row"):
        take_census(take(data, slice(0, 0)), 2).check(CLASSES, "train")
    with pytest.raises(DataError, match=r"widths \[3, 4\]"):
        whole.merge(take_census(problem(5, 4), 2)).check(CLASSES, "train")


def test_states_survive_pickling() -> None:
    census = take_census(problem(10, 2), 2)
    assert pickle.loads(pickle.dumps(census)) == census
