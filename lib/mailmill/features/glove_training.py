"""Training GloVe: J = sum over pairs of f(X_ij) (w_i . w~_j + b_i + b~_j - log X_ij)^2, by AdaGrad, epoch by epoch.

The result is a function of the pairs, the settings and the seed: threads share out the blocks of a round,
which have no row in common (see `pairs`), so their number changes the time alone. The order of rounds is a
hash of seed and epoch. After each epoch all parameters are written to a checkpoint; training that was cut off
goes on there and ends with the same bits. (Machines with vector registers of another width add up dot
products in another order: across them vectors agree to rounding.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.features.draws import permutation
from mailmill.features.pairs import PairFile
from mailmill.features.parameters import Layout
from mailmill.storage.disk import replacing

CHECKPOINT = "checkpoint.npz"

#: A loss of so many times what untrained vectors have at most is of a training that diverges. One that does has
#: thousands at once; one that does not has up to 1.1 in its first epoch, where biases go too far (700 small texts).
_TOO_MUCH = 10
#: So many pairs, spread evenly over the file, tell what untrained vectors have.
_SOME = 1 << 20


@dataclass(frozen=True)
class Training:
    """The hyperparameters that a run of training depends on, besides the pairs' weights."""

    epochs: int
    eta: float
    seed: int


@dataclass(frozen=True)
class Trained:
    """`parameters` as `layout` has them; `losses` a pair and epoch, f diff^2 / 2 before each update."""

    layout: Layout
    parameters: NDArray[np.float32]
    losses: tuple[float, ...]


#: Called after each round: pairs done, and the sum of their losses.
Watcher = Callable[[int, float], None]


def train(
    file: PairFile, layout: Layout, settings: Training, folder: Path, threads: int, watcher: Watcher | None = None
) -> Trained:
    """Train for `settings.epochs` epochs, from the checkpoint in `folder` where there is one.

    Raises DataError where there is no pair, or where training diverges: steps that are too long make each other longer,
    and an epoch's loss is thousands of times that of untrained vectors.
    """
    if not len(file):
        raise DataError("no two known words stand near each other", hint="lower glove.min_count, or give more mail")
    parameters = layout.initial(settings.seed)
    losses, untrained = _restore(folder / CHECKPOINT, parameters), _untrained_loss(file)
    _refuse_divergence(losses, untrained)
    with ThreadPoolExecutor(threads) as pool:
        for epoch in range(len(losses), settings.epochs):
            losses.append(run_epoch(file, parameters, layout, settings, epoch, pool, threads, watcher) / len(file))
            _refuse_divergence(losses, untrained)
            _save(folder / CHECKPOINT, parameters, losses)
    return Trained(layout, parameters, tuple(losses))


def _untrained_loss(file: PairFile) -> float:
    """f (|log X| + 1)^2 / 2 a pair: the most that parameters have which predict within 1 of 0, as untrained ones do."""
    some = file.pairs[:: -(-len(file) // _SOME)]
    return float((some["weight"] * np.square(np.abs(some["log_count"]) + 1)).mean(dtype=np.float64)) / 2


def _refuse_divergence(losses: list[float], untrained: float) -> None:
    for epoch, loss in enumerate(losses, 1):
        if not loss < _TOO_MUCH * untrained:  # nor is one that is not a number
            problem = f"the loss of epoch {epoch} is {loss:.4g}, that of untrained vectors at most {untrained:.2g}"
            raise DataError(f"training diverged: {problem}", hint="lower glove.eta")


def run_epoch(
    file: PairFile,
    parameters: NDArray[np.float32],
    layout: Layout,
    settings: Training,
    epoch: int,
    pool: ThreadPoolExecutor,
    threads: int,
    watcher: Watcher | None = None,
) -> float:
    """One pass over all pairs, round by round; the sum of losses, added in a fixed order."""
    from mailmill.features.adagrad import update_block

    strata, bounds = layout.strata, file.bounds
    eta = np.float32(settings.eta)
    total = 0.0

    def update(blocks: list[int]) -> list[float]:
        return [
            update_block(file.pairs, bounds[n], bounds[n + 1], parameters, layout.rows, layout.padded, eta)
            for n in blocks
        ]

    for number in permutation(strata, settings.seed, epoch).tolist():
        first, last = number * strata, (number + 1) * strata
        loss = math.fsum(chain.from_iterable(pool.map(update, _shares(bounds, first, last, threads))))
        total += loss
        if watcher is not None:
            watcher(int(bounds[last] - bounds[first]), loss)
    return total


def mean_loss(file: PairFile, parameters: NDArray[np.float32], layout: Layout) -> float:
    """f diff^2 / 2 a pair for parameters as they stand, whatever the order of training was."""
    from mailmill.features.adagrad import loss_of_block

    return float(loss_of_block(file.pairs, 0, len(file), parameters, layout.rows, layout.padded)) / max(len(file), 1)


def _shares(bounds: NDArray[np.int64], first: int, last: int, threads: int) -> list[list[int]]:
    """Blocks first to last in runs of about equal numbers of pairs: four for each thread, one for a lone one."""
    runs = min(last - first, 4 * threads if threads > 1 else 1)
    goals = bounds[first] + (bounds[last] - bounds[first]) * np.arange(1, runs) // runs
    cuts = [first, *(first + np.searchsorted(bounds[first:last], goals)).tolist(), last]
    return [list(range(a, b)) for a, b in pairwise(cuts) if b > a]


def epochs_done(folder: Path) -> int:
    """How many epochs the checkpoint in `folder` has behind it."""
    if not (folder / CHECKPOINT).exists():
        return 0
    with np.load(folder / CHECKPOINT, allow_pickle=False) as saved:
        return len(saved["losses"])


def _save(path: Path, parameters: NDArray[np.float32], losses: list[float]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, parameters=parameters, losses=np.array(losses))


def _restore(path: Path, parameters: NDArray[np.float32]) -> list[float]:
    """Fill `parameters` from the checkpoint; the losses so far. No checkpoint: nothing is done."""
    if not path.exists():
        return []
    with np.load(path, allow_pickle=False) as saved:
        parameters[...] = saved["parameters"]
        return [float(loss) for loss in saved["losses"]]
