"""A forest as a few long arrays: what the compiled walks read, whatever the number of trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.tree import Tree


@dataclass(frozen=True)
class FlatForest:
    """All nodes of all trees, one tree after another; roots int64 (trees,) says where each begins.

    feature uint32, bound uint8 and threshold float32 (nodes,): a row goes right when its bin exceeds the bound or,
    the same thing, its value the threshold. children uint32 (2 nodes,): left and right of each node. A leaf compares
    feature 0 with the highest bound and leads to itself. frequency float64 (nodes, classes): see `Tree.frequencies`.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.uint32]
    bound: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    children: NDArray[np.uint32]
    frequency: NDArray[np.float64]

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> FlatForest:
        """The trees, at least one, laid out as above: children are numbered in the forest, not in their tree."""
        sizes = [len(tree.feature) for tree in trees]
        roots = np.cumsum([0, *sizes[:-1]], dtype=np.int64)
        feature = np.concatenate([tree.feature for tree in trees])
        leaf = feature < 0
        own, first = np.arange(len(feature)), np.repeat(roots, sizes)
        sides = [np.concatenate(side) for side in zip(*((tree.left, tree.right) for tree in trees), strict=True)]
        children = np.stack([np.where(leaf, own, first + side) for side in sides], axis=1)
        return cls(
            roots,
            np.where(leaf, 0, feature).astype(np.uint32),
            np.where(leaf, 255, np.concatenate([tree.bin for tree in trees])).astype(np.uint8),
            np.where(leaf, np.inf, np.concatenate([tree.threshold for tree in trees])).astype(np.float32),
            children.reshape(-1).astype(np.uint32),
            np.concatenate([tree.frequencies() for tree in trees]),
        )
