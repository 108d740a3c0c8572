"""How sure a figure is: intervals of 95 % for shares, and for figures that are no shares.

A share of few mails says little, so no figure stands on a model card without its interval. Mails of one
conversation resemble one another, so the bootstrap draws whole conversations, and a share counts its mails as
fewer, by how much those of one conversation are right or wrong together (`design_effect`). Draws are hashes, and
the same mails give the same interval everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.models.hashing import bootstrap_weights
from mailmill.models.scoring import predict

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


def wilson(hits: float, rows: int, effect: float = 1.0) -> Interval:
    """hits / rows with Wilson's interval: (k + z²/2 ± z √(k(n-k)/n + z²/4)) / (n + z²) for k = hits / effect of
    n = rows / effect, as many independent rows as these are worth.

    (0, 0, 1) for no rows. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927); with a design effect: Rao & Scott, "A simple method for the analysis of clustered binary data",
    Biometrics 48 (1992).
    """
    if not rows:
        return Interval(0.0, 0.0, 1.0)
    k, n = hits / effect, rows / effect
    centre = (k + Z * Z / 2) / (n + Z * Z)
    half = Z * math.sqrt(k * (n - k) / n + Z * Z / 4) / (n + Z * Z)
    value = hits / rows  # rounding must not put it outside its interval
    return Interval(value, min(value, max(0.0, centre - half)), max(value, min(1.0, centre + half)))


def intraclass(right: NDArray[np.bool_], groups: NDArray[np.uint64]) -> float:
    """How much rows of one group are right together: ρ = 1 - Σ a (m - a) / m / ((n - k) p (1 - p)), at least 0, for
    n rows in k groups of m rows each, a of them right, p = Σ a / n.

    1 where nothing tells of it: all rows are right or none is, or no group has two. Fleiss & Cuzick, "The reliability
    of dichotomous judgments: unequal numbers of judges per subject", Applied Psychological Measurement 3 (1979).
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    hits = np.bincount(group, right, len(sizes))
    free, all_right = len(right) - len(sizes), int(hits.sum())
    if not free or all_right in (0, len(right)):
        return 1.0
    variance = all_right * (len(right) - all_right) / len(right) ** 2
    return max(0.0, 1 - float((hits * (sizes - hits) / sizes).sum()) / (free * variance))


def design_effect(groups: NDArray[np.uint64], rho: float, share: float = 1.0) -> float:
    """How many rows are worth one that is independent: 1 + ρ (Σ m² / n - 1) for n rows in groups of m each.

    share: these are that share of the rows in question, drawn one by one, so a group there has more by 1 / share.
    1 for no rows. Kish, "Survey Sampling" (1965), section 8.2, for groups of unequal sizes.
    """
    _, sizes = np.unique(groups, return_counts=True)
    return 1 + rho * float((sizes * (sizes - 1)).sum()) / max(len(groups), 1) / share


def bootstrap(
    p: NDArray[np.float64], y: NDArray[np.int64], groups: NDArray[np.uint64], threshold: float, seed: int
) -> dict[str, Interval]:
    """accuracy, macro_f1, log_loss and brier, of two classes also roc_auc, each with the 2.5 % and 97.5 % percentiles
    of `REPLICATES` replicates in which each group weighs Poisson(1); those of accuracy reach as far as Wilson's for as
    many rows as groups, as no replicate of mails without a mistake has one. Formulas: `metrics.Metrics`.

    A replicate without a mail of a class knows nothing of it: it has no roc_auc, and in its macro_f1 the class keeps
    the F1 of the mails themselves. As 0 it would say how rare the class is: one in twenty has none of three mails.

    p float64 (n, classes): P(class); y int64 (n,): class index; groups uint64 (n,): ids of conversations. The value
    is that of the mails themselves; roc_auc is left out where a class is missing. Efron, "Bootstrap methods" (1979),
    with whole groups drawn (Field & Welsh, "Bootstrapping clustered data", JRSS B 69, 2007).
    """
    order = np.argsort(p[:, 1], kind="stable")
    groups, judged = groups[order], _judge(p[order], y[order], threshold)
    value = _figures(judged, np.ones(len(p)))
    drawn: dict[str, list[float]] = {name: [] for name in value}
    for replicate in range(REPLICATES):
        weights = bootstrap_weights(groups, replicate, seed).astype(np.float64)
        for name, figure in (_figures(judged, weights) if weights.any() else {}).items():
            if name in drawn:
                drawn[name].append(figure)
    bounds = {name: np.quantile(found, [0.025, 0.975]) for name, found in drawn.items() if found}
    drawn_from = len(np.unique(groups))
    least = wilson(value["accuracy"] * drawn_from, drawn_from)
    bounds["accuracy"] = np.array([min(bounds["accuracy"][0], least.low), max(bounds["accuracy"][1], least.high)])
    return {name: Interval(value[name], float(low), float(high)) for name, (low, high) in bounds.items()}


@dataclass(frozen=True)
class _Judged:
    """Rows sorted by P(classes[1]): their cells of the confusion, their losses; `ends` closes each run of equal P.

    f1: that of each class on all rows, float64 (classes,).
    """

    classes: int
    f1: NDArray[np.float64]
    y: NDArray[np.int64]
    cells: NDArray[np.int64]
    log_loss: NDArray[np.float64]
    squared: NDArray[np.float64]
    ends: NDArray[np.intp]


def _judge(p: NDArray[np.float64], y: NDArray[np.int64], threshold: float) -> _Judged:
    rows, classes = p.shape
    loss = -np.log(np.maximum(p[np.arange(rows), y], _EPSILON))
    error = np.square(p - (y[:, None] == np.arange(classes)))
    squared = error[:, 1] if classes == 2 else error.sum(axis=1)
    ends = np.append(np.flatnonzero(np.diff(p[:, 1])), rows - 1)
    cells = y * classes + predict(p, threshold)
    f1 = _f1(np.bincount(cells, minlength=classes * classes).reshape(classes, classes))
    return _Judged(classes, f1, y, cells, loss, squared, ends)


def _f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """F1 of each class, 2 TP / (2 TP + FP + FN); 0/0 is 0."""
    return np.asarray(2 * np.diag(confusion) / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1), np.float64)


def _figures(rows: _Judged, w: NDArray[np.float64]) -> dict[str, float]:
    """The figures of weighted rows."""
    k, total = rows.classes, w.sum()
    confusion = np.bincount(rows.cells, w, k * k).reshape(k, k)
    actual = confusion.sum(axis=1)
    found = {
        "accuracy": float(np.trace(confusion) / total),
        "macro_f1": float(np.where(actual, _f1(confusion), rows.f1).mean()),
        "log_loss": float((w * rows.log_loss).sum() / total),
        "brier": float((w * rows.squared).sum() / total),
    }
    if k == 2 and actual.all():
        positive = w * rows.y
        below = np.cumsum(w - positive)[rows.ends]  # negatives with a score at most that of the run
        wins = np.diff(np.cumsum(positive)[rows.ends], prepend=0.0)
        found["roc_auc"] = float((wins * (below + np.append(0.0, below[:-1])) / 2).sum() / (actual[0] * actual[1]))
    return found
