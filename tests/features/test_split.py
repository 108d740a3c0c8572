"""Splits: by thread, by seed, in the shares asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.errors import ConfigError
from mailmill.features.split import split_of

SHARES = (0.7, 0.1, 0.2)
KNOWN = ["test", "train", "train", "test", "test", *["train"] * 7]  # of threads 0 to 11, seed 1
THREADS = [f"thread-{number}" for number in range(20_000)]


def test_shares_are_met() -> None:
    splits = split_of(THREADS, 1, SHARES)
    for name, share in zip(("train", "validation", "test"), SHARES, strict=True):
        assert abs((splits == name).mean() - share) < 4 * np.sqrt(share * (1 - share) / len(THREADS))


def test_known_draws_never_change() -> None:
    assert split_of(THREADS[:12], 1, SHARES).tolist() == KNOWN


@given(st.lists(st.text(max_size=8), max_size=30), st.integers(0, 2**63 - 1))
def test_a_thread_has_one_split_whatever_is_around_it(threads: list[str], seed: int) -> None:
    together = split_of(threads, seed, SHARES)
    assert together.tolist() == [split_of([thread], seed, SHARES)[0] for thread in threads]


def test_seeds_are_independent() -> None:
    one, two = split_of(THREADS, 1, SHARES), split_of(THREADS, 2, SHARES)
    agreement = sum(share**2 for share in SHARES)
    assert abs((one == two).mean() - agreement) < 0.02


def test_more_training_only_takes_threads_in() -> None:
    small, large = split_of(THREADS, 1, (0.6, 0.2, 0.2)), split_of(THREADS, 1, (0.8, 0.1, 0.1))
    assert set(large[small == "train"]) == {"train"}


def test_a_share_of_zero_is_empty() -> None:
    assert set(split_of(THREADS, 1, (0.5, 0.5, 0.0))) == {"train", "validation"}
    assert set(split_of(THREADS, 1, (1.0, 0.0, 0.0))) == {"train"}


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_shares_that_are_none_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="sum 1"):
        split_of(["a"], 1, shares)
