"""Where to cut a probability into two labels: chosen on the validation split, by what a mistake costs.

One half is right only if probabilities are calibrated and both mistakes cost the same. The choice is made
on binned counts (`Tally.binned`), exact integers, so that it is the same on every engine; and on scores as they
are before calibration, so that the rows that were counted below the cut are those that lie below it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError
from mailmill.models.calibration import SCORE_BINS, UNCALIBRATED, Calibration, centres

By = Literal["f1", "cost"]


def choose_threshold(
    binned: NDArray[np.int64],
    by: By,
    calibration: Calibration = UNCALIBRATED,
    *,
    false_positive: float = 1.0,
    false_negative: float = 1.0,
) -> float:
    """argmax over t of macro F1, or argmin of the cost FP false_positive + FN false_negative.

    A row is of class 1 where its calibrated score >= t; t is the calibrated lower edge of a bin, or beyond all scores,
    in (0, 1). Among equals the t nearest to 1/2 wins. binned int64 (2, 65536): rows of class 0 and of class 1 by score
    before calibration. 0.5 where a class has no row, since nothing can be chosen then.

    Raises:
        ConfigError: a cost that is not a positive number.
    """
    if not (0 < false_positive < np.inf and 0 < false_negative < np.inf):
        raise ConfigError("the costs of a false positive and a false negative must be positive numbers")
    below = np.concatenate([[[0], [0]], np.cumsum(binned, axis=1)], axis=1)
    n0, n1 = (int(n) for n in binned.sum(axis=1))
    if not n0 or not n1:
        return 0.5
    true_negative, false_negatives = below
    false_positives, true_positive = n0 - true_negative, n1 - false_negatives
    if by == "cost":
        value = -(false_positives * false_positive + false_negatives * false_negative)
    else:
        positive = 2 * true_positive / (2 * true_positive + false_positives + false_negatives)
        negative = 2 * true_negative / np.maximum(2 * true_negative + false_positives + false_negatives, 1)
        value = positive + negative
    cuts, usable = _cuts(binned.sum(axis=0) > 0, calibration)
    best = np.flatnonzero(usable & (value == value[usable].max()))
    return float(cuts[best[np.argmin(np.abs(cuts[best] - 0.5))]])


def _cuts(full: NDArray[np.bool_], calibration: Calibration) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """For k = 0 .. 65536 a t that parts bins below k from the others, and whether it does, so that float64 can tell.

    full bool (65536,): bins that hold rows.
    """
    edges = calibration.apply(np.arange(SCORE_BINS + 1) / SCORE_BINS)
    cuts = np.concatenate([edges[:1] / 2, edges[1:-1], (1 + edges[-1:]) / 2])
    usable = (cuts > 0) & (cuts < 1)
    usable[1:-1] &= cuts[1:-1] > calibration.apply(centres()[:-1])
    if calibration.method != "none":  # a forest's votes lie on edges, and elsewhere logarithms round differently
        usable[1:-1] &= full[:-1] | ~full[1:]
    return cuts, usable
