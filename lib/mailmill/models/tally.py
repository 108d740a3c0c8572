"""What metrics need to know of the rows, in integers, so that tallies merge exactly in any order.

Sums of floats depend on the order of merging; here losses are counted in units of 2^-32 and scores are
either kept, while there are few, or counted in 65,536 bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.calibration import SCORE_BINS
from mailmill.models.scoring import predict

#: Up to so many rows ROC AUC is exact; beyond, scores are binned.
EXACT_ROWS = 1 << 20
UNIT = 2.0**-32

Scores = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Tally:
    """Counts of a set of rows.

    confusion int64 (classes, classes): true class by predicted. log_loss, squared_error: sums in units of
    2^-32, unbounded integers. scores: P(classes[1]) of the rows of class 0 and of class 1, or None when there
    are more than `exact_rows`; binned int64 (2, 65536): the same, counted. Both are empty for three classes
    or more.
    """

    confusion: NDArray[np.int64]
    log_loss: int
    squared_error: int
    scores: Scores | None
    binned: NDArray[np.int64]
    exact_rows: int

    def merge(self, other: Tally) -> Tally:
        """The tally of both sets of rows; exact, whatever the order."""
        confusion = self.confusion + other.confusion
        scores = None
        if self.scores and other.scores and confusion.sum() <= self.exact_rows:
            (a, b), (c, d) = self.scores, other.scores
            scores = np.concatenate([a, c]), np.concatenate([b, d])
        return Tally(
            confusion,
            self.log_loss + other.log_loss,
            self.squared_error + other.squared_error,
            scores,
            self.binned + other.binned,
            self.exact_rows,
        )


def tally(
    probabilities: NDArray[np.float64],
    y: NDArray[np.integer],
    *,
    threshold: float = 0.5,
    exact_rows: int = EXACT_ROWS,
) -> Tally:
    """Count rows by true and predicted class (`scoring.predict`), and sum their losses.

    Log loss: -log p_y, with p_y at least 2^-52. Squared error: (p_1 - y)² for two classes, Σ_c (p_c - [c = y])²
    for more. Each is rounded to a multiple of 2^-32. probabilities float64 (n, classes), y (n,) in range.
    """
    rows, classes = probabilities.shape
    truth = y.astype(np.int64)
    pairs = truth * classes + predict(probabilities, threshold)
    confusion = np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64)
    likelihood = np.maximum(probabilities[np.arange(rows), truth], np.finfo(np.float64).eps)
    wanted = truth[:, None] == np.arange(classes)
    error = np.square(probabilities - wanted)
    squared = error[:, 1] if classes == 2 else error.sum(axis=1)
    scores, binned = None, np.zeros((2, SCORE_BINS if classes == 2 else 0), np.int64)
    if classes == 2:
        p = probabilities[:, 1]
        places = np.minimum((p * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        binned = np.bincount(truth * SCORE_BINS + places, minlength=2 * SCORE_BINS).reshape(2, -1).astype(np.int64)
        if rows <= exact_rows:
            scores = p[truth == 0], p[truth == 1]
    return Tally(confusion, _units(-np.log(likelihood)), _units(squared), scores, binned, exact_rows)


def _units(values: NDArray[np.float64]) -> int:
    """Σ round(v / 2^-32): below 2^39 each, so that int64 holds 2^24 of them at a time."""
    fixed = np.rint(values / UNIT).astype(np.int64)
    return sum(int(fixed[i : i + (1 << 20)].sum()) for i in range(0, len(fixed), 1 << 20))


def roc_auc(counted: Tally) -> tuple[float | None, float]:
    """AUC = P(s_1 > s_0) + P(s_1 = s_0) / 2 for a random row of each class, and a bound on its error.

    From kept scores the value is exact (Mann & Whitney's U as an integer, one division) and the bound 0.
    From bins, pairs within a bin count one half: |error| <= Σ_b n_0b n_1b / (2 n_0 n_1), which is the bound.
    (None, 0) when there are not two classes, or one of them has no row.
    """
    support = counted.confusion.sum(axis=1)
    if len(support) != 2 or not support.all():
        return None, 0.0
    pairs = 2 * int(support[0]) * int(support[1])
    if counted.scores:
        negative, positive = np.sort(counted.scores[0]), counted.scores[1]
        below = np.searchsorted(negative, positive, side="left")
        not_above = np.searchsorted(negative, positive, side="right")
        return (int(below.sum()) + int(not_above.sum())) / pairs, 0.0
    negatives, positives = ([int(n) for n in row] for row in counted.binned)
    below_bin = wins = ties = 0
    for n0, n1 in zip(negatives, positives, strict=True):
        wins += 2 * below_bin * n1
        ties += n0 * n1
        below_bin += n0
    return (wins + ties) / pairs, ties / pairs
