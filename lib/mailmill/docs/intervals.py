"""How sure a figure is: intervals of 95 % for shares, and for figures that are no shares.

A share of few mails says little, so no figure stands on a model card without its interval. Mails of one
conversation resemble one another, so the bootstrap draws whole conversations; its draws are hashes, and the
same mails give the same interval everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailmill.models.hashing import bootstrap_weights

#: The 97.5 % quantile of the normal distribution.
Z = 1.959963984540054
REPLICATES = 200
_EPSILON = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Interval:
    """A figure, and the bounds between which it lies with 95 % confidence."""

    value: float
    low: float
    high: float


def wilson(hits: int, rows: int) -> Interval:
    """hits / rows with Wilson's interval: (k + z²/2 ± z √(k(n-k)/n + z²/4)) / (n + z²).

    (0, 0, 1) for no rows. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927).
    """
    if not rows:
        return Interval(0.0, 0.0, 1.0)
    centre = (hits + Z * Z / 2) / (rows + Z * Z)
    half = Z * math.sqrt(hits * (rows - hits) / rows + Z * Z / 4) / (rows + Z * Z)
    value = hits / rows  # rounding must not put it outside its interval
    return Interval(value, min(value, max(0.0, centre - half)), max(value, min(1.0, centre + half)))


def bootstrap(
    p: NDArray[np.float64], y: NDArray[np.int64], groups: NDArray[np.uint64], threshold: float, seed: int
) -> dict[str, Interval]:
    """accuracy, macro_f1, roc_auc, log_loss and brier of two classes, each with the 2.5 % and 97.5 % percentiles
    of `REPLICATES` replicates in which each group weighs Poisson(1).

    p float64 (n,): P(classes[1]); y int64 (n,): 0 or 1; groups uint64 (n,): ids of conversations. The value is that
    of the mails themselves; roc_auc is left out where a class is missing. Efron, "Bootstrap methods" (1979), with
    whole groups drawn (Field & Welsh, "Bootstrapping clustered data", JRSS B 69, 2007).
    """
    order = np.argsort(p, kind="stable")
    p, y, groups = p[order], y[order], groups[order]
    ends = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)  # of each run of equal scores
    value = _figures(p, y, np.ones(len(p)), ends, threshold)
    drawn: dict[str, list[float]] = {name: [] for name in value}
    for replicate in range(REPLICATES):
        weights = bootstrap_weights(groups, replicate, seed).astype(np.float64)
        for name, figure in (_figures(p, y, weights, ends, threshold) if weights.any() else {}).items():
            if name in drawn:
                drawn[name].append(figure)
    bounds = {name: np.quantile(found, [0.025, 0.975]) for name, found in drawn.items() if found}
    return {name: Interval(value[name], float(low), float(high)) for name, (low, high) in bounds.items()}


def _figures(
    p: NDArray[np.float64], y: NDArray[np.int64], w: NDArray[np.float64], ends: NDArray[np.intp], threshold: float
) -> dict[str, float]:
    """The figures of weighted rows, sorted by p; `ends` closes each run of equal scores."""
    total, positive = w.sum(), w * y
    predicted = p >= threshold
    hits = [float((w * (1 - y) * ~predicted).sum()), float((positive * predicted).sum())]
    marked = [float((w * ~predicted).sum()), float((w * predicted).sum())]
    actual = [float(total - positive.sum()), float(positive.sum())]
    f1 = [2 * h / (m + a) if m + a else 0.0 for h, m, a in zip(hits, marked, actual, strict=True)]
    likelihood = np.maximum(np.where(y == 1, p, 1 - p), _EPSILON)
    found = {
        "accuracy": sum(hits) / total,
        "macro_f1": sum(f1) / 2,
        "log_loss": float(-(w * np.log(likelihood)).sum() / total),
        "brier": float((w * np.square(p - y)).sum() / total),
    }
    if actual[0] and actual[1]:
        below = np.cumsum(w - positive)[ends]  # negatives with a score at most that of the run
        wins = np.diff(np.cumsum(positive)[ends], prepend=0.0)
        found["roc_auc"] = float((wins * (below + np.append(0.0, below[:-1])) / 2).sum() / (actual[0] * actual[1]))
    return found
