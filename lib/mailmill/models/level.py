"""One depth of a forest while it grows: which nodes are to be split, and on which features they may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import Stream, mix
from mailmill.models.binning import Bins
from mailmill.models.split import Splits
from mailmill.models.tree import Rule, TreeBuilder


@dataclass(frozen=True)
class Plan:
    """What decides a forest besides the rows: the settings, resolved for this data.

    width: features a node draws; bounds uint64: of the rows' weights, see `hashing.bootstrap_weights`.
    """

    split: str
    bins: Bins
    rule: Rule
    trees: int
    depth: int
    width: int
    seed: int
    bounds: NDArray[np.uint64]

    @property
    def classes(self) -> int:
        """How many classes there are: one weight each."""
        return len(self.rule.weights)

    @property
    def columns(self) -> int:
        """Columns of the rows, those of one value included."""
        return len(self.bins.counts)

    def draw(self, numbers: NDArray[np.int64], paths: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The features that nodes may split on, of the smallest hashes; int32 (k, width), each row ascending."""
        from mailmill.models.native.drawing import draw_features

        varied = self.bins.varied
        if self.width == len(varied):
            return np.tile(varied, (len(paths), 1))
        return varied[
            draw_features(mix(self.seed, Stream.FEATURES, numbers.astype(np.uint64), paths), len(varied), self.width)
        ]


@dataclass(frozen=True)
class Level:
    """The nodes to split at one depth, by tree and then by node: tree numbers, node numbers, heap paths, each (k,),
    and total int64 (k, classes), the bootstrap weight of each class in the node (of a root: 0 until it is known)."""

    numbers: NDArray[np.int64]
    nodes: NDArray[np.intp]
    paths: NDArray[np.uint64]
    total: NDArray[np.int64]

    @classmethod
    def of(cls, numbers: Sequence[int], builders: Sequence[TreeBuilder]) -> Level:
        """The frontiers of all builders, tree numbers[i] being the one that builders[i] grows."""
        return cls(
            np.repeat(np.array(numbers, np.int64), [len(builder.frontier) for builder in builders]),
            np.concatenate([builder.frontier for builder in builders]),
            np.concatenate([builder.paths[builder.frontier] for builder in builders]),
            np.concatenate([builder.tree.counts[builder.frontier] for builder in builders]),
        )

    def __len__(self) -> int:
        return len(self.nodes)

    def apply(
        self, numbers: Sequence[int], builders: Sequence[TreeBuilder], splits: Splits, bins: Bins
    ) -> NDArray[np.bool_]:
        """Split every node; which children of the splits that were found go on, left and right of each."""
        bounds = np.searchsorted(self.numbers, [*numbers, numbers[-1] + 1])
        parts = [
            builder.split(splits.take(np.arange(bounds[i], bounds[i + 1])), bins.edges)
            for i, builder in enumerate(builders)
        ]
        return np.concatenate(parts)
