"""Whether time grows with the length of the input, not with its square: a doubled input, as often as noise demands."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

QUICK = 0.008  # seconds for an input; a quadratic step takes a hundred times as long
RATIO = 3.0  # of the times for a doubled input: 2 is linear, 4 quadratic


def assert_doubles(run: Callable[[Any], object], short: Any, long: Any, quick: float = QUICK, what: str = "") -> None:
    """`long`, twice as long as `short`, takes less than `RATIO` times as long, where `short` is not quick anyway;
    `what`: said where it does not."""
    if seconds(run, short) < quick:
        return
    ratios = []
    for _ in range(6):
        once = min(seconds(run, short) for _ in range(5))  # one that a busy machine makes long hides the growth
        twice = min(seconds(run, long) for _ in range(2))
        ratios.append(twice / max(once, quick))
        if ratios[-1] < RATIO:
            break
    assert min(ratios) < RATIO, (what, str(short[:60]), ratios)


def seconds(run: Callable[[Any], object], text: Any) -> float:
    """Of this process's own time."""
    began = time.process_time()
    run(text)
    return time.process_time() - began
