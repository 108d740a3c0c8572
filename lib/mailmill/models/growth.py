"""A forest from merged counts, for data that no worker can hold: survey the rows, then a pass for each group of nodes.

Every kernel takes one fragment and a frozen task and gives a state that merges exactly, so a worker needs nothing but
its fragment and the task. Of a heavy node a fragment sends the counts of its drawn features; of a light one, whose
counts would be mostly zeros, it lists the rows' bins, and the driver counts them. Both are the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import Stream, mix
from mailmill.errors import DataError
from mailmill.models.binned import binned
from mailmill.models.binning import BinSample, draw_bin_sample
from mailmill.models.counts import Counted, Lists, search
from mailmill.models.data import Census, Fragment, MapReduce, take_census
from mailmill.models.histogram import count_type
from mailmill.models.level import Level, Plan
from mailmill.models.outofbag import OutOfBag, OutOfBagTask, judge_fragment
from mailmill.models.split import join
from mailmill.models.tree import Tree, TreeBuilder
from mailmill.models.workers import Workers, spread

#: A node is heavy when its bootstrap weight exceeds this many times the cells (classes x bins) of one feature: a
#: row in a list takes a byte a feature once, a cell four bytes in every partial result.
_HEAVY = 8
#: So many states of a group of nodes would take a worker's whole budget. It holds two or three, and the driver
#: as many; at 16, memory grew by two thirds from 125,000 rows to 2,000,000, at 64 by a tenth and took the same time.
_STATES = 64


@dataclass(frozen=True)
class SurveyTask:
    """Rows of `split` with `n_classes` classes; the `sample` rows of smallest hashes under `seed` place the bins."""

    split: str
    n_classes: int
    sample: int
    seed: int


@dataclass(frozen=True)
class Survey:
    """The first pass: what the rows are, and the sample that places the bins."""

    census: Census
    sample: BinSample

    def merge(self, other: Survey) -> Survey:
        """The census and the sample of the rows of both: exact, in any order."""
        return Survey(self.census.merge(other.census), self.sample.merge(other.sample))


def survey(fragment: Fragment, task: SurveyTask) -> Survey:
    """One fragment's census and bottom-k sample. Raises DataError where rows have weights, which trees do not heed."""
    arrays = fragment.arrays(task.split)
    if arrays.weights is not None and (arrays.weights != 1).any():
        raise DataError("a forest takes no weights of rows", hint="use class_weights, or leave rows out")
    return Survey(take_census(arrays, task.n_classes), draw_bin_sample(arrays, task.sample, task.seed))


@dataclass(frozen=True)
class GrowthTask:
    """One group of k nodes. For tree numbers[i]: trees[i] so far, slots[i] int64 of each of its nodes (-1: not now),
    and spans[i], the first slot and the end. place int64 (k,): a heavy node's row of the counts, else -1. drawn
    int32 (k, F). wide: int64 counts are needed. threads: see `Workers`."""

    plan: Plan
    numbers: tuple[int, ...]
    trees: tuple[Tree, ...]
    slots: tuple[NDArray[np.int64], ...]
    spans: tuple[tuple[int, int], ...]
    place: NDArray[np.int64]
    drawn: NDArray[np.int32]
    wide: bool
    threads: int


def count_nodes(fragment: Fragment, task: GrowthTask) -> Counted:
    """One fragment's counts of the heavy nodes and lists of the light ones."""
    from mailmill.models.native.drawing import draw_rows
    from mailmill.models.native.gathering import count, enlist, settle

    plan = task.plan
    rows = binned(fragment, plan.split, plan.bins, task.threads)
    heavy, light = int(task.place.max(initial=-1)) + 1, task.place < 0
    bins = int(plan.bins.counts.max())
    histogram = np.zeros((heavy, plan.width, plan.classes, bins), np.int64 if task.wide else np.int32)

    def tree(i: int) -> Lists:
        words = np.empty(len(rows.ids), np.uint64)
        found = draw_rows(rows.ids, rows.y, mix(plan.seed, Stream.BOOTSTRAP, task.numbers[i])[0], plan.bounds, words)
        grown, (first, last) = task.trees[i], task.spans[i]
        settled = np.empty(found, np.uint64)
        slots = np.where(task.slots[i] >= 0, task.slots[i] - first, -1)
        nodes = grown.feature, grown.bin, grown.left, grown.right
        starts = settle(rows.codes, words[:found], *nodes, slots, last - first, settled)
        drawn, place = task.drawn[first:last], task.place[first:last]
        if (place >= 0).any():
            count(rows.codes, settled, starts, place, drawn, histogram)
        wanted = np.flatnonzero(place < 0)
        sizes = starts[wanted + 1] - starts[wanted]
        codes, tags = np.empty((int(sizes.sum()), plan.width), np.uint8), np.empty(int(sizes.sum()), np.uint32)
        enlist(rows.codes, settled, starts, wanted, drawn, codes, tags)
        return Lists(sizes, codes, tags)

    def several(start: int, stop: int) -> list[Lists]:
        return [tree(i) for i in range(start, stop)]

    parts = spread(min(task.threads, len(task.numbers)), len(task.numbers), several)
    lists = [Lists.join([one for part in parts for one in part])] if light.any() and len(rows.ids) else []
    return Counted(histogram, tuple(lists))


def grow(
    map_reduce: MapReduce, plan: Plan, rows: int, budget: int, workers: Workers
) -> tuple[tuple[Tree, ...], OutOfBag, int]:
    """All trees of the plan, their out-of-bag error, and the passes that took.

    The nodes of a level are counted in groups that take at most 1/64 of `budget` bytes each (one node's at
    least): small beside what else a worker holds, so that its memory does not grow with the table.
    The budget changes the number of passes, never a tree.
    """
    builders = [TreeBuilder(plan.rule) for _ in range(plan.trees)]
    every, passes = range(plan.trees), 0
    for depth in range(plan.depth):
        level = Level.of(every, builders)
        if not len(level):
            break
        parts = []
        weight = level.total.sum(axis=1) if depth else np.full(len(level), rows)
        for chosen in _groups(weight, plan, rows, budget // _STATES):
            task = _task(plan, level, builders, chosen, weight[chosen], rows, workers.threads)
            counted = map_reduce(count_nodes, Counted.merge, task, exact=True)
            parts.append(search(counted, task.place, task.drawn, plan, workers.threads))
        passes += len(parts)
        level.apply(every, builders, join(parts), plan.bins)
    trees = tuple(builder.finish() for builder in builders)
    error = map_reduce(judge_fragment, OutOfBag.merge, OutOfBagTask(plan, trees, workers.threads), exact=True)
    return trees, error, passes + 1


def _cells(plan: Plan) -> int:
    return plan.classes * int(plan.bins.counts.max())


def _groups(weight: NDArray[np.int64], plan: Plan, rows: int, limit: int) -> list[slice]:
    """Runs of nodes whose states take at most `limit` bytes, or that are one node."""
    counts = plan.width * _cells(plan) * np.dtype(count_type(rows)).itemsize
    size = np.where(weight > _HEAVY * _cells(plan), counts, np.minimum(weight, rows) * (plan.width + 4))
    groups, start, held = [], 0, 0
    for node, needed in enumerate(size.tolist()):
        if node > start and held + needed > limit:
            groups.append(slice(start, node))
            start, held = node, 0
        held += needed
    return [*groups, slice(start, len(weight))]


def _task(
    plan: Plan,
    level: Level,
    builders: list[TreeBuilder],
    chosen: slice,
    weight: NDArray[np.int64],
    rows: int,
    threads: int,
) -> GrowthTask:
    numbers, nodes = level.numbers[chosen], level.nodes[chosen]
    present = tuple(int(number) for number in np.unique(numbers))
    slots, spans = [], []
    for number in present:
        places = np.flatnonzero(numbers == number)
        slot = np.full(len(builders[number].tree.feature), -1, np.int64)
        slot[nodes[places]] = places
        slots.append(slot)
        spans.append((int(places[0]), int(places[-1]) + 1))
    heavy = weight > _HEAVY * _cells(plan)
    place = np.where(heavy, np.cumsum(heavy) - 1, -1)
    drawn = plan.draw(numbers, level.paths[chosen])
    wide = count_type(rows) is np.int64
    trees = tuple(builders[number].tree for number in present)
    return GrowthTask(plan, present, trees, tuple(slots), tuple(spans), place, drawn, wide, threads)
