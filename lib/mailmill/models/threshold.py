"""Where to cut a probability into two labels: chosen on the validation split, by what a mistake costs.

One half is right only if probabilities are calibrated and both mistakes cost the same. The choice is made
on binned counts (`Tally.binned`), exact integers, so that it is the same on every engine.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError
from mailmill.models.calibration import SCORE_BINS

By = Literal["f1", "cost"]


def choose_threshold(
    binned: NDArray[np.int64], by: By, *, false_positive: float = 1.0, false_negative: float = 1.0
) -> float:
    """argmax over t of macro F1, or argmin of the cost FP false_positive + FN false_negative.

    A row is of class 1 where its score >= t; t is the lower edge of a bin, in (0, 1). Among equals the t
    nearest to 1/2 wins. binned int64 (2, 65536): rows of class 0 and of class 1 by score. 0.5 where a class
    has no row, since nothing can be chosen then.

    Raises:
        ConfigError: a cost that is not a positive number.
    """
    if not (0 < false_positive < np.inf and 0 < false_negative < np.inf):
        raise ConfigError("the costs of a false positive and a false negative must be positive numbers")
    below = np.concatenate([[[0], [0]], np.cumsum(binned, axis=1)], axis=1)[:, 1:-1]
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
    edges = np.arange(1, SCORE_BINS) / SCORE_BINS
    best = np.flatnonzero(value == value.max())
    return float(edges[best[np.argmin(np.abs(edges[best] - 0.5))]])
