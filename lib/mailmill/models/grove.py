"""Trees in parallel: where every worker sees all bins, each grows whole trees by itself, and no histogram travels.

The rows of a tree are words of 64 bits (see `native.drawing`) that are parted in place as nodes are split. Trees
grow in groups, a level of the whole group at a time, so that a column of bins serves many nodes while it is in the
cache. What a tree becomes depends on neither the group nor the order of rows.
"""

from __future__ import annotations

import operator
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import Stream, mix
from mailmill.models.binned import ROW_BYTES, BinnedFile, BinnedRows, allocate, bin_rows, join_columns
from mailmill.models.counts import decide, rule_of
from mailmill.models.data import Fragment, MapReduce
from mailmill.models.hashing import MAX_WEIGHT, bootstrap_weights
from mailmill.models.histogram import Counts, count_histogram
from mailmill.models.level import Level, Plan
from mailmill.models.outofbag import OutOfBag, OutOfBagTask, judge_span
from mailmill.models.split import Splits
from mailmill.models.tree import Tree, TreeBuilder
from mailmill.models.workers import Workers

#: Bytes a drawn row takes while its tree grows, and the share of rows that a bootstrap draws, generously.
_WORD, _DRAWN = 8, 0.7


@dataclass(frozen=True)
class Grove:
    """All rows, binned, and what to grow on them."""

    plan: Plan
    file: BinnedFile


def fits(rows: int, columns: int, budget: int) -> bool:
    """Whether all bins may be mapped by a worker that has `budget` bytes: they take half of it at most."""
    return rows * (columns + ROW_BYTES) <= budget // 2 and rows * MAX_WEIGHT < 2**32


def groups(trees: int, rows: int, workers: int, budget: int) -> list[tuple[int, ...]]:
    """The tree numbers of each task: two tasks a worker, or more where rows would take a quarter of `budget`."""
    most = max(1, int(budget // 4 // (rows * _WORD * _DRAWN + 1)))
    size = min(most, -(-trees // (2 * workers)))
    return [tuple(range(start, min(start + size, trees))) for start in range(0, trees, size)]


def grow_trees(numbers: tuple[int, ...], grove: Grove) -> list[Tree]:
    """The trees with these numbers."""
    from mailmill.models.native.growing import class_weight, part

    plan, rows = grove.plan, grove.file.open()
    words, spans = _bootstrap(rows, numbers, plan)
    builders = [TreeBuilder(plan.rule) for _ in numbers]
    for builder, (start, stop) in zip(builders, spans, strict=True):
        builder.tree.counts[0] = class_weight(words[start:stop], plan.classes)
    for _ in range(plan.depth):
        level = Level.of(numbers, builders)
        if not len(level):
            break
        splits = _search(rows, words, spans, level, plan)
        going = level.apply(numbers, builders, splits, plan.bins)
        split = splits.take(np.flatnonzero(splits.found))
        found = spans[splits.found]
        middle = part(rows.codes, words, found, split.feature.astype(np.int64), split.bin.astype(np.int64))
        children = np.stack([found[:, 0], middle, middle, found[:, 1]], axis=1).reshape(-1, 2)
        spans = children[going]
    return [builder.finish() for builder in builders]


def _bootstrap(rows: BinnedRows, numbers: Sequence[int], plan: Plan) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The drawn rows of all trees, one tree after another, and where each begins and ends, int64 (trees, 2)."""
    from mailmill.models.native.drawing import draw_rows

    drawn, scratch = [], np.empty(len(rows.ids), np.uint64)
    for number in numbers:
        found = draw_rows(rows.ids, rows.y, mix(plan.seed, Stream.BOOTSTRAP, number)[0], plan.bounds, scratch)
        drawn.append(scratch[:found].copy())
    ends = np.cumsum([0, *(len(words) for words in drawn)], dtype=np.int64)
    return np.concatenate(drawn), np.stack([ends[:-1], ends[1:]], axis=1)


def _search(rows: BinnedRows, words: NDArray[np.uint64], spans: NDArray[np.int64], level: Level, plan: Plan) -> Splits:
    from mailmill.models.native.growing import search

    drawn = plan.draw(level.numbers, level.paths)
    found, place, left, unsure = search(rows.codes, plan.bins.counts, words, spans, level.total, drawn, *rule_of(plan))

    classes = cache(lambda: rows.y.astype(np.int64))  # hardly ever needed

    def histogram(node: int) -> Counts:
        start, stop = spans[node]
        mine = (words[start:stop] & np.uint64(2**32 - 1)).astype(np.intp)
        weights = bootstrap_weights(rows.ids[mine], int(level.numbers[node]), plan.seed, plan.bounds)
        counts = np.zeros((1, plan.width, plan.classes, int(plan.bins.counts.max())), np.int64)
        count_histogram(
            rows.codes, classes(), mine, weights, np.zeros(len(mine), np.intp), drawn[node : node + 1], counts
        )
        return counts

    return decide(found, place, left, level.total, unsure, drawn, plan, histogram)


@dataclass(frozen=True)
class _Writing:
    plan: Plan
    folder: Path
    threads: int


def grow(
    map_reduce: MapReduce, plan: Plan, folder: Path, rows: int, budget: int, workers: Workers
) -> tuple[tuple[Tree, ...], OutOfBag]:
    """All trees of the plan and their out-of-bag error: one pass puts the bins into `folder`, then tasks grow trees."""
    parts = map_reduce(_write_bins, operator.add, _Writing(plan, folder, workers.threads))
    if len(parts) == 1:
        file = parts[0]
    else:
        joining = allocate(folder / "all.bins", parts, plan.columns)
        workers.run(join_columns, _spans(plan.columns, workers.count), joining)
        for part in parts:
            part.path.unlink()
        file = joining.whole
    grown = workers.run(grow_trees, groups(plan.trees, rows, workers.count, budget), Grove(plan, file))
    trees = tuple(tree for group in grown for tree in group)
    judged = workers.run(judge_span, _spans(rows, 4 * workers.count), OutOfBagTask(plan, trees, file=file))
    return trees, reduce(OutOfBag.merge, judged)


def _write_bins(fragment: Fragment, task: _Writing) -> tuple[BinnedFile, ...]:
    """The fragment's rows in a file of their own; a task that runs twice leaves a file that nobody reads."""
    data = bin_rows(fragment, task.plan.split, task.plan.bins, task.threads)
    if not len(data):
        return ()
    path = task.folder / f"{uuid.uuid4().hex}.bins"
    with path.open("wb") as stream:  # ndarray.tofile says nothing of a disk that fills as it closes
        stream.write(data.data)
    return (BinnedFile(path, task.plan.columns),)


def _spans(size: int, parts: int) -> list[tuple[int, int]]:
    """0 .. size in at most `parts` equal, non-empty pieces."""
    bounds = sorted({size * i // parts for i in range(parts + 1)})
    return list(pairwise(bounds))
