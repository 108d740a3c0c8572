"""The fixed tree: the same shape whatever the order of arrival, and whatever the blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailmill.engines.merging import Fold, TreeMerge, block_size, merge_all, merging
from mailmill.mixed import Mixed, MixedMerge


def bracket(a: str, b: str) -> str:
    return f"({a} {b})"


def test_the_tree_of_seven() -> None:
    assert merge_all(map(str, range(7)), 7, bracket) == "(((0 1) (2 3)) ((4 5) 6))"


@given(st.integers(1, 70), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(parts: int, random: object) -> None:
    numbers = list(range(parts))
    random.shuffle(numbers)  # type: ignore[attr-defined]
    tree: TreeMerge[str] = TreeMerge(parts, bracket)
    for number in numbers:
        tree.add(number, str(number))
    assert tree.result() == merge_all(map(str, range(parts)), parts, bracket)


@given(st.integers(1, 300), st.integers(1, 40))
def test_blocks_are_subtrees(parts: int, wanted: int) -> None:
    size = block_size(parts, wanted)
    blocks = [range(at, min(at + size, parts)) for at in range(0, parts, size)]
    reduced = [merge_all(map(str, block), len(block), bracket) for block in blocks]
    assert merge_all(reduced, len(blocks), bracket) == merge_all(map(str, range(parts)), parts, bracket)
    assert size == 1 or parts // size >= wanted


@given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=70))
def test_an_exact_merge_lets_nothing_wait(parts: list[int]) -> None:
    waiting = 0

    def add(a: int, b: int) -> int:
        nonlocal waiting
        waiting -= 1
        return a + b

    merged = merging(len(parts), add, exact=True)
    assert isinstance(merged, Fold)
    for number, part in enumerate(parts):
        waiting += 1
        merged.add(number, part)
        assert waiting == 1
    assert merged.result() == sum(parts)


@given(st.permutations(range(9)))
def test_mixed_states_keep_the_tree_and_fold_the_rest(order: list[int]) -> None:
    merge: MixedMerge[str, list[int]] = MixedMerge(bracket, lambda one, other: one + other)
    merged = merging(9, merge, exact=False)
    for number in order:
        merged.add(number, Mixed(str(number), [number]))
    found = merged.result()
    assert found.ordered == merge_all(map(str, range(9)), 9, bracket)
    assert found.exact == order
