"""How good a model is for whom: its figures on parts of the test mails, and its curves.

An average hides who pays for it. Parts by length, vocabulary coverage, month, language and sender are compared
with the whole; one whose interval lies below the whole's accuracy is marked. How much mails of one conversation go
together is asked of the whole, as a part may be one long thread; each part has conversations of its own sizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mailmill.docs.intervals import Interval, design_effect, intraclass, wilson
from mailmill.docs.sample import Sample

LENGTHS = (0, 10, 25, 50, 100, 200)
COVERAGES = (0.0, 0.8, 0.9, 0.95, 0.99)
#: Parts of fewer mails are not shown: their figures say nothing, and they might be somebody.
FEWEST = 20
#: Where the mail spans more months, its parts are years.
MONTHS = 12
#: Values of a column that are shown one by one; the rest together.
SHOWN = 12
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Slice:
    """Figures of the test mails with one value. recall: of each class; None without rows."""

    by: str
    name: str
    rows: int
    accuracy: Interval
    recall: tuple[Interval | None, ...]
    verdict: str


@dataclass(frozen=True)
class Curves:
    """Points of a model's curves. pr: (recall, precision); roc: (false, true positive rate); calibration:
    (mean p, share of classes[1], mails) of each tenth; error: the mean |share - p|, weighted by mails (ECE)."""

    pr: list[tuple[float, float]]
    roc: list[tuple[float, float]]
    calibration: list[tuple[float, float, int]]
    error: float
    average_precision: float


def slices(sample: Sample, model: str, threshold: float) -> list[Slice]:
    """The figures of each part that has at least `FEWEST` mails, by column."""
    right = sample.predicted(model, threshold) == sample.y
    overall = right.mean() if len(right) else 0.0
    together = intraclass(right, sample.thread)
    actual = [sample.y == c for c in range(len(sample.classes))]
    classes = [(of, intraclass(right[of], sample.thread[of])) for of in actual]

    def share(rows: NDArray[np.bool_], rho: float) -> Interval:
        return wilson(int(right[rows].sum()), int(rows.sum()), design_effect(sample.thread[rows], rho))

    found = []
    for by, name, rows in _parts(sample):
        n = int(rows.sum())
        if n < FEWEST:
            continue
        accuracy = share(rows, together)
        verdict = "worse" if accuracy.high < overall else "better" if accuracy.low > overall else ""
        recall = tuple(share(rows & of, rho) if (rows & of).any() else None for of, rho in classes)
        found.append(Slice(by, name, n, accuracy, recall, verdict))
    return found


def _parts(sample: Sample) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    for low, high in pairwise((*LENGTHS, 2**31)):
        name = f"{low} to {high - 1} words" if high < 2**31 else f"{low} words or more"
        yield "length", name, (sample.words >= low) & (sample.words < high)
    for floor, ceiling in pairwise((*COVERAGES, np.inf)):
        name = f"{floor:.0%} to {ceiling:.0%}" if ceiling < np.inf else f"{floor:.0%} or more"
        yield "coverage", name, (sample.coverage >= floor) & (sample.coverage < ceiling)
    long = len(set(sample.month.tolist())) > MONTHS
    when = ("year", sample.month.astype("U4")) if long else ("month", sample.month)
    for by, values in (when, ("language", sample.language), ("domain", sample.domain)):
        counted = Counter(values.tolist())
        common = [value for value, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]]
        for value in sorted(common) if by in ("month", "year") else common:
            yield by, _name(by, value), values == value
        if len(counted) > SHOWN:
            yield by, f"the other {len(counted) - SHOWN}", ~np.isin(values, common)


def _name(by: str, value: str) -> str:
    if not value:
        return "unknown"
    return value[:12] if by == "domain" and len(value) == 32 and "." not in value else value


def curves(p: NDArray[np.float64], y: NDArray[np.int64], points: int = 200) -> Curves:
    """Precision-recall, ROC and reliability of P(classes[1]) `p` for y in {0, 1}; curves thinned to `points`.

    Average precision is Σ (R_i - R_{i-1}) P_i over descending scores. Both classes must be present.
    """
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(y[order])[last]
    marked = last + 1
    positives, negatives = int(y.sum()), int(len(y) - y.sum())
    recall, precision = hits / positives, hits / marked
    false = (marked - hits) / negatives
    average = float((np.diff(recall, prepend=0.0) * precision).sum())
    keep = np.unique(np.linspace(0, len(last) - 1, min(points, len(last))).astype(np.int64))
    bins = np.minimum((p * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    calibration = [
        (float(p[bins == b].mean()), float(y[bins == b].mean()), int((bins == b).sum()))
        for b in range(CALIBRATION_BINS)
        if (bins == b).any()
    ]
    error = sum(n * abs(share - mean) for mean, share, n in calibration) / len(p)
    return Curves(
        pr=list(zip(recall[keep].tolist(), precision[keep].tolist(), strict=True)),
        roc=[(0.0, 0.0), *zip(false[keep].tolist(), recall[keep].tolist(), strict=True)],
        calibration=calibration,
        error=error,
        average_precision=average,
    )
