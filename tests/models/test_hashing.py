from math import exp, factorial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mailmill.draws import mix, splitmix64
from mailmill.models.hashing import MAX_WEIGHT, bootstrap_weights
from tests.models.reference import draw_features

U64 = st.integers(0, 2**64 - 1)


def test_splitmix64_gives_the_reference_sequence() -> None:
    # The generator seeded with s returns splitmix64(s), splitmix64(s + gamma), ...; values of Vigna's C code.
    gamma = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + i * gamma) % 2**64 for i in range(3)], np.uint64)
    assert splitmix64(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.lists(U64, min_size=1, max_size=50, unique=True))
def test_splitmix64_is_injective_and_elementwise(values: list[int]) -> None:
    hashed = splitmix64(np.array(values, np.uint64))
    assert len(set(hashed.tolist())) == len(values)
    assert hashed.tolist() == [int(splitmix64(np.array([v], np.uint64))[0]) for v in values]


def test_mix_depends_on_order_and_broadcasts() -> None:
    assert mix(1, 2)[0] != mix(2, 1)[0]
    assert mix(7, np.arange(3, dtype=np.uint64)).tolist() == [int(mix(7, i)[0]) for i in range(3)]


def test_bootstrap_weights_are_poisson_with_mean_one() -> None:
    rows = 200_000
    weights = bootstrap_weights(np.arange(rows, dtype=np.uint64), 3, 11)
    assert weights.max() <= MAX_WEIGHT
    for k in range(5):
        expected = exp(-1) / factorial(k)
        assert abs((weights == k).mean() - expected) < 5 * np.sqrt(expected / rows)


def test_bootstrap_weights_of_two_trees_are_uncorrelated() -> None:
    ids = np.arange(100_000, dtype=np.uint64)
    pair = [bootstrap_weights(ids, tree, 0).astype(float) for tree in (0, 1)]
    assert abs(np.corrcoef(pair)[0, 1]) < 0.02


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**64 - 1))
def test_draws_are_distinct_ascending_and_in_range(columns: int, size: int, seed: int) -> None:
    trees, paths = np.arange(5), np.arange(1, 6, dtype=np.uint64)
    drawn = draw_features(trees, paths, columns, size, seed)
    assert drawn.shape == (5, min(size, columns))
    assert (np.diff(drawn, axis=1) > 0).all()
    assert drawn.min() >= 0
    assert drawn.max() < columns
    alone = draw_features(trees[3:4], paths[3:4], columns, size, seed)
    assert (alone == drawn[3:4]).all()


def test_every_feature_is_drawn_equally_often() -> None:
    nodes = 20_000
    drawn = draw_features(np.zeros(nodes, np.int64), np.arange(1, nodes + 1, dtype=np.uint64), 10, 3, 5)
    share = np.bincount(drawn.reshape(-1), minlength=10) / nodes
    assert np.abs(share - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / nodes)
