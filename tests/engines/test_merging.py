"""The fixed tree: the same shape whatever the order of arrival, and whatever the blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailmill.engines.merging import TreeMerge, block_size, tree_merge


def bracket(a: str, b: str) -> str:
    return f"({a} {b})"


def test_the_tree_of_seven() -> None:
    assert tree_merge(map(str, range(7)), 7, bracket) == "(((0 1) (2 3)) ((4 5) 6))"


@given(st.integers(1, 70), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(parts: int, random: object) -> None:
    numbers = list(range(parts))
    random.shuffle(numbers)  # type: ignore[attr-defined]
    tree: TreeMerge[str] = TreeMerge(parts, bracket)
    for number in numbers:
        tree.add(number, str(number))
    assert tree.result() == tree_merge(map(str, range(parts)), parts, bracket)


@given(st.integers(1, 300), st.integers(1, 40))
def test_blocks_are_subtrees(parts: int, wanted: int) -> None:
    size = block_size(parts, wanted)
    blocks = [range(at, min(at + size, parts)) for at in range(0, parts, size)]
    reduced = [tree_merge(map(str, block), len(block), bracket) for block in blocks]
    assert tree_merge(reduced, len(blocks), bracket) == tree_merge(map(str, range(parts)), parts, bracket)
    assert size == 1 or parts // size >= wanted
