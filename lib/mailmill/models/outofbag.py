"""The out-of-bag error: every row judged by the trees that did not draw it, an honest error without a test set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mailmill.draws import Stream, mix
from mailmill.models.binned import BinnedFile, BinnedRows, binned
from mailmill.models.data import Fragment
from mailmill.models.flat import FlatForest
from mailmill.models.hashing import bootstrap_weights
from mailmill.models.level import Plan
from mailmill.models.tree import Tree
from mailmill.models.workers import spread


@dataclass(frozen=True)
class OutOfBag:
    """Rows that at least one tree did not train on, and how many of them those trees together get wrong."""

    rows: int
    errors: int

    def merge(self, other: OutOfBag) -> OutOfBag:
        """Both sums: exact, in any order."""
        return OutOfBag(self.rows + other.rows, self.errors + other.errors)


@dataclass(frozen=True)
class OutOfBagTask:
    """The finished trees; `file` where all rows lie in one, and threads a fragment's kernel may use."""

    plan: Plan
    trees: tuple[Tree, ...]
    threads: int = 1
    file: BinnedFile | None = None


def judge_fragment(fragment: Fragment, task: OutOfBagTask) -> OutOfBag:
    """The rows of one fragment, see `judge`."""
    rows = binned(fragment, task.plan.split, task.plan.bins, task.threads)
    parts = spread(task.threads, len(rows.ids), lambda start, stop: judge(rows, start, stop, task))
    return OutOfBag(sum(part.rows for part in parts), sum(part.errors for part in parts))


def judge_span(span: tuple[int, int], task: OutOfBagTask) -> OutOfBag:
    """The rows span[0] .. span[1] of the task's file, see `judge`."""
    assert task.file is not None
    return judge(task.file.open(), *span, task)


def judge(rows: BinnedRows, start: int, stop: int, task: OutOfBagTask) -> OutOfBag:
    """Each row is classed by the mean of the trees whose bootstrap weight for it is 0; ties go to the lower class."""
    from mailmill.models.native.descending import out_of_bag

    flat = FlatForest.of(task.trees)
    keys = np.concatenate([mix(task.plan.seed, Stream.BOOTSTRAP, number) for number in range(len(task.trees))])
    found = out_of_bag(
        rows.codes, rows.ids, rows.y, start, stop, keys, task.plan.bounds[0],
        flat.roots, flat.feature, flat.bound, flat.children, flat.frequency,
    )  # fmt: skip
    return OutOfBag(*found)


def judge_reference(rows: BinnedRows, task: OutOfBagTask) -> OutOfBag:
    """What `judge` gives for all rows, by NumPy alone."""
    votes = np.zeros(len(rows.ids), np.int64)
    total = np.zeros((len(rows.ids), task.plan.classes))
    for number, tree in enumerate(task.trees):
        out = np.flatnonzero(bootstrap_weights(rows.ids, number, task.plan.seed, task.plan.bounds) == 0)
        total[out] += tree.frequencies()[tree.leaves_of_codes(rows.codes, out)]
        votes[out] += 1
    voted = votes > 0
    return OutOfBag(int(voted.sum()), int((total[voted].argmax(axis=1) != rows.y[voted]).sum()))
