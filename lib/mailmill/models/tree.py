"""A decision tree as flat arrays: small to send, quick to walk for many rows at once, simple to check."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.split import Criterion, Splits, gain

T = TypeVar("T", np.int32, np.uint8, np.float32)


@dataclass(frozen=True)
class Rule:
    """When nodes are split, and what they say; see `forest.ForestSettings`. weights float64 (classes,), integral."""

    criterion: Criterion
    min_leaf: int
    max_leaves: int | None
    weights: NDArray[np.float64]
    shrinkage: float = 0.0


@dataclass(frozen=True)
class Tree:
    """Nodes in order of creation, level by level; node 0 is the root, children follow their parent.

    feature int32 (k,), -1 at a leaf. A row goes left when its code <= bin (uint8) or, the same thing, its
    value <= threshold (float32). left, right int32 (k,), -1 at a leaf. counts int64 (k, classes): bootstrap
    rows of each class. At a leaf bin and threshold are 0. weights int64 (classes,), None: all 1; shrinkage: see
    `frequencies`.
    """

    feature: NDArray[np.int32]
    bin: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    counts: NDArray[np.int64]
    weights: NDArray[np.int64] | None = None
    shrinkage: float = 0.0

    def leaves_of_codes(self, codes: NDArray[np.uint8], rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The leaf that each of `rows` reaches; codes uint8 (d, n) as `Bins.encode` makes them."""
        return self._descend(codes.reshape(-1), self.bin, rows, codes.shape[1])

    def leaves(self, X: NDArray[np.float32]) -> NDArray[np.intp]:
        """The leaf that each row of X float32 (n, d) reaches."""
        rows = np.arange(len(X)) * X.shape[1]
        return self._descend(np.ascontiguousarray(X).reshape(-1), self.threshold, rows, 1)

    def _descend(
        self,
        values: NDArray[np.uint8] | NDArray[np.float32],
        bounds: NDArray[np.uint8] | NDArray[np.float32],
        offsets: NDArray[np.intp],
        stride: int,
    ) -> NDArray[np.intp]:
        """All rows step down together; the value of feature f for offset o lies at o + f * stride."""
        nodes = np.zeros(len(offsets), np.intp)
        column = self.feature.astype(np.intp) * stride
        active = np.arange(len(offsets)) if self.feature[0] >= 0 else np.empty(0, np.intp)
        at = nodes
        while len(active):
            goes_left = values.take(offsets.take(active) + column.take(at)) <= bounds.take(at)
            after = np.where(goes_left, self.left.take(at), self.right.take(at)).astype(np.intp)
            nodes[active] = after
            inner = self.feature.take(after) >= 0
            active, at = active[inner], after[inner]
        return nodes

    def frequencies(self) -> NDArray[np.float64]:
        """What every node says of a row's class, float64 (k, classes): f(root) = p(root), and of a child
        f(child) = f(parent) + (p(child) - p(parent)) / (1 + shrinkage / n(parent)).

        p = counts * weights / Σ (counts * weights), n = Σ counts; uniform where a node has no row. With a shrinkage of
        0, f = p. What few rows say is drawn towards what more rows say (Agarwal et al., "Hierarchical Shrinkage", ICML
        2022).
        """
        weighted = self.counts if self.weights is None else self.counts * self.weights
        whole = weighted.sum(axis=1, keepdims=True)
        found = np.full(self.counts.shape, 1.0 / self.counts.shape[1])
        np.divide(weighted, whole, out=found, where=whole > 0)
        if not self.shrinkage:
            return found
        total = self.counts.sum(axis=1, keepdims=True)
        own, level = found.copy(), np.zeros(1, np.intp)
        while len(level := level[self.feature[level] >= 0]):
            kept = 1 / (1 + self.shrinkage / np.maximum(total[level], 1))
            for side in (self.left, self.right):
                found[side[level]] = found[level] + (own[side[level]] - own[level]) * kept
            level = np.concatenate([self.left[level], self.right[level]])
        return found

    def validate(self, columns: int, depth: int) -> None:
        """Check that walking the tree ends and stays inside its arrays and `columns` columns; 1 <= depth.

        Raises:
            DataError: shapes disagree, an index is out of range, a child precedes its parent or has two, a
                path has more than `depth` splits, a threshold is not finite, or class
                counts are negative or not the sum of the children's.
        """
        size = len(self.feature)
        if not size or any(len(a) != size for a in (self.bin, self.threshold, self.left, self.right, self.counts)):
            raise DataError("a tree's arrays are empty or differ in length")
        inner = np.flatnonzero(self.feature >= 0)
        leaf = self.feature == -1
        if len(inner) + leaf.sum() != size or (self.feature >= columns).any():
            raise DataError("a tree splits on a feature that does not exist")
        children = np.concatenate([self.left[inner], self.right[inner]]).astype(np.int64)
        if (children <= np.concatenate([inner, inner])).any() or (children >= size).any():
            raise DataError("a tree has a child outside its arrays or before its parent")
        if len(children) != size - 1 or (np.sort(children) != np.arange(1, size)).any():
            raise DataError("a tree has a node with no parent or with two")
        if (self.left[leaf] != -1).any() or (self.right[leaf] != -1).any():
            raise DataError("a tree has a leaf with children")
        level = np.zeros(1, np.intp)
        for _ in range(depth):
            level = level[self.feature[level] >= 0]
            level = np.concatenate([self.left[level], self.right[level]])
        if (self.feature[level] >= 0).any():
            raise DataError(f"a tree is deeper than {depth}")
        if not np.isfinite(self.threshold).all():
            raise DataError("a tree has a threshold that is not finite")
        heaviest = 1 if self.weights is None else int(self.weights.max())
        if (self.counts < 0).any() or (self.counts > 2**53 // max(1, self.counts.shape[1] * heaviest)).any():
            raise DataError("a tree has class counts out of range")
        if (self.counts[self.left[inner]] + self.counts[self.right[inner]] != self.counts[inner]).any():
            raise DataError("a tree has class counts that are not the sum of its children's")


class TreeBuilder:
    """A tree while it grows: `tree` so far, heap `paths` of its nodes, and `frontier`, the nodes to split next.

    A child joins the frontier if it has two classes and at least 2 `min_leaf` bootstrap rows. With `max_leaves`, its
    parent must also be among the first max_leaves - 1 splits in the order of gain (ties: of the smaller path), each
    taken after its own parent's: best-first growth. The splits that no frontier node can displace are known after
    every level, because splits still to come can only push others back; so the result is that of growing best first.
    """

    def __init__(self, rule: Rule) -> None:
        root = np.full(1, -1, np.int32)
        counts = np.zeros((1, len(rule.weights)), np.int64)
        self.rule = rule
        self.tree = Tree(root, np.zeros(1, np.uint8), np.zeros(1, np.float32), root, root, counts)
        self.paths = np.ones(1, np.uint64)
        self.frontier = np.zeros(1, np.intp)
        self._gain = np.zeros(1)

    def split(self, splits: Splits, edges: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Apply one split a frontier node, in order. edges: see `Bins`.

        Returns which children, left and right of each split that was found, are the new frontier.
        """
        old, rule = self.tree, self.rule
        counts = old.counts.copy()
        counts[self.frontier] = splits.total  # known already, but for the root
        found = np.flatnonzero(splits.found)
        nodes, feature, code = self.frontier[found], splits.feature[found], splits.bin[found]
        first = len(old.feature) + 2 * np.arange(len(found), dtype=np.int32)
        leaf = np.full(2 * len(found), -1, np.int32)
        below = splits.left[found]
        children = np.stack([below, splits.total[found] - below], axis=1).reshape(-1, counts.shape[1])
        self.tree = Tree(
            _grow(old.feature, nodes, feature, leaf),
            _grow(old.bin, nodes, code, np.zeros(len(leaf), np.uint8)),
            _grow(old.threshold, nodes, edges[feature, code], np.zeros(len(leaf), np.float32)),
            _grow(old.left, nodes, first, leaf),
            _grow(old.right, nodes, first + 1, leaf),
            np.concatenate([counts, children]),
        )
        twice = np.repeat(self.paths[nodes] * np.uint64(2), 2)
        twice[1::2] += np.uint64(1)
        self.paths = np.concatenate([self.paths, twice])
        total = children.sum(axis=1)
        open_ = (children.max(axis=1, initial=0) < total) & (total >= 2 * rule.min_leaf)
        if rule.max_leaves:
            self._gain = np.concatenate([self._gain, np.zeros(len(leaf))])
            self._gain[nodes] = gain(below, splits.total[found], rule.weights, rule.criterion)
            open_ &= np.repeat(np.isin(nodes, self._taken()), 2)
        self.frontier = len(old.feature) + np.flatnonzero(open_)
        return np.asarray(open_)

    def finish(self) -> Tree:
        """The tree, without the splits beyond `max_leaves`."""
        tree = self.tree
        if self.rule.max_leaves:
            taken = self._taken()
            kept = np.zeros(len(tree.feature), bool)
            kept[0] = True
            kept[tree.left[taken]] = kept[tree.right[taken]] = True
            inner = np.isin(np.arange(len(kept)), taken)
            number = np.cumsum(kept, dtype=np.int32) - 1

            def cut(values: NDArray[T], otherwise: int) -> NDArray[T]:
                return np.where(inner, values, np.asarray(otherwise, values.dtype))[kept]

            left, right = (np.where(inner, number[side], np.int32(-1))[kept] for side in (tree.left, tree.right))
            tree = Tree(
                cut(tree.feature, -1), cut(tree.bin, 0), cut(tree.threshold, 0), left, right, tree.counts[kept]
            )  # fmt: skip
        return replace(tree, weights=self.rule.weights.astype(np.int64), shrinkage=self.rule.shrinkage)

    def _taken(self) -> NDArray[np.intp]:
        """The nodes that best-first growth splits, as far as splits are known."""
        tree = self.tree
        taken: list[int] = []
        waiting = [(-self._gain[0], 1, 0)] if tree.feature[0] >= 0 else []
        while waiting and len(taken) < (self.rule.max_leaves or 0) - 1:
            _, _, node = heapq.heappop(waiting)
            taken.append(node)
            for child in (int(tree.left[node]), int(tree.right[node])):
                if tree.feature[child] >= 0:
                    heapq.heappush(waiting, (-self._gain[child], int(self.paths[child]), child))
        return np.array(taken, np.intp)


def _grow(old: NDArray[T], nodes: NDArray[np.intp], values: NDArray[T], new: NDArray[T]) -> NDArray[T]:
    """A copy of `old` with `values` at `nodes`, and `new` behind it."""
    changed = old.copy()
    changed[nodes] = values
    return np.concatenate([changed, new])
