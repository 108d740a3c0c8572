"""The forest on real workers: other processes, both ways of growing, the same bits as in this one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from mailmill.engines import Engine
from mailmill.models.data import MemoryFragment
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.workers import Workers

from . import reference
from .problems import CLASSES, problem, take
from .test_strategies import content

DATA = problem(1500, 9)
SETTINGS = ForestSettings(trees=5, depth=5, min_leaf=1, max_bins=32, shrinkage=2.0, seed=4)


def test_both_ways_on_every_engine(engine: Engine, tmp_path: Path) -> None:
    fragments = [MemoryFragment({"train": take(DATA, slice(a, b))}) for a, b in pairwise([0, 1, 400, 400, 1100, 1500])]

    def map_reduce(partial: Any, merge: Any, broadcast: Any, **options: Any) -> Any:
        return engine.map_reduce(fragments, partial, merge, broadcast, **options)

    def run(function: Any, tasks: Any, broadcast: Any) -> list[Any]:
        return [result for _, result in sorted(engine.run(function, tasks, broadcast), key=lambda item: item[0])]

    expected, _ = reference.fit(DATA, CLASSES, SETTINGS)
    assert engine.one_box
    shared = Workers(run, 2, folder=tmp_path)
    for workers in (shared, replace(shared, folder=None)):
        model, evidence = fit_forest(map_reduce, CLASSES, SETTINGS, workers=workers, memory_budget=1 << 24)
        assert content(model) == content(expected)
        assert evidence.passes == (2 if workers.folder else 2 + SETTINGS.depth)
    assert not list(tmp_path.iterdir())
