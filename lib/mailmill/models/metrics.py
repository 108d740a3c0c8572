"""How good a model is on a split: the usual figures of classification, with every 0/0 case decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mailmill.errors import ConfigError, DataError
from mailmill.models.data import Fragment, MapReduce
from mailmill.models.scoring import Model, probability
from mailmill.models.tally import UNIT, Tally, roc_auc, tally


@dataclass(frozen=True)
class ClassMetrics:
    """precision = TP / (TP + FP), recall = TP / (TP + FN), f1 = 2 TP / (2 TP + FP + FN); 0/0 is 0.

    support: rows of the class.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metrics:
    """Figures of one model on one set of rows.

    threshold: on P(classes[1]) where there are two classes, see `scoring.predict`. confusion: rows by true
    class (outer) and predicted class (inner). accuracy = Σ_c TP_c / n. macro_f1: the plain mean of f1 over all
    classes, absent ones counting 0. roc_auc: None unless two classes are both present; roc_auc_error bounds its
    error (0: exact), see `tally.roc_auc`. log_loss: mean of -log p_y, p_y at least 2^-52. brier: mean of
    (p_1 - y)² for two classes, of Σ_c (p_c - [c = y])² for more (Brier, 1950). Rounding of the last two: 2^-33.
    """

    classes: tuple[str, ...]
    rows: int
    threshold: float
    accuracy: float
    macro_f1: float
    roc_auc: float | None
    roc_auc_error: float
    log_loss: float
    brier: float
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, object]:
        """Every field, ready for JSON."""
        return {**asdict(self), "classes": list(self.classes), "confusion": [list(row) for row in self.confusion]}


def summarise(counted: Tally, classes: tuple[str, ...], threshold: float = 0.5) -> Metrics:
    """The metrics of a tally made with the same threshold; see `Metrics` for the formulas.

    Raises:
        DataError: the tally has no row.
    """
    confusion = counted.confusion
    rows = int(confusion.sum())
    if not rows:
        raise DataError("no labelled row to evaluate on")
    per_class = {}
    for c, name in enumerate(classes):
        hits, predicted, support = int(confusion[c, c]), int(confusion[:, c].sum()), int(confusion[c].sum())
        per_class[name] = ClassMetrics(
            _ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, predicted + support), support
        )
    auc, auc_error = roc_auc(counted)
    return Metrics(
        classes=classes,
        rows=rows,
        threshold=threshold,
        accuracy=int(np.trace(confusion)) / rows,
        macro_f1=sum(figures.f1 for figures in per_class.values()) / len(classes),
        roc_auc=auc,
        roc_auc_error=auc_error,
        log_loss=counted.log_loss * UNIT / rows,
        brier=counted.squared_error * UNIT / rows,
        per_class=per_class,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
    )


def majority(support: Sequence[int]) -> tuple[int, float, float]:
    """What it is worth to call all rows by the most frequent class: its index c, accuracy s_c / n, and macro F1
    2 s_c / (n + s_c) / classes, for s rows by class, n > 0 of them. Among equally frequent classes the first."""
    rows, most = sum(support), max(support)
    return support.index(most), most / rows, 2 * most / (rows + most) / len(support)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


@dataclass(frozen=True)
class EvaluationTask:
    """The model, the split on which it is judged, and the threshold of P(classes[1]) that its labels follow."""

    model: Model
    split: str
    threshold: float


def tally_fragment(fragment: Fragment, task: EvaluationTask) -> Tally:
    """Score one fragment's rows and tally them.

    Raises:
        DataError: a label outside the model's classes, or features that the model cannot score.
    """
    arrays = fragment.arrays(task.split)
    if len(arrays.y) and (int(arrays.y.min()) < 0 or int(arrays.y.max()) >= len(task.model.classes)):
        raise DataError(f"split {task.split!r} has a label outside the model's classes {list(task.model.classes)}")
    if not len(arrays.X):
        return tally(np.empty((0, len(task.model.classes))), arrays.y, threshold=task.threshold)
    return tally(probability(task.model, arrays.X, arrays.sparse), arrays.y, threshold=task.threshold)


def evaluate(map_reduce: MapReduce, model: Model, *, split: str = "test", threshold: float | None = None) -> Metrics:
    """The metrics of `model` on the labelled rows of `split`, in one pass; `threshold` None: the model's own.

    The same for every partitioning and order of rows, because tallies are integers.

    Raises:
        ConfigError: a threshold outside 0 .. 1.
        DataError: no labelled row, a label outside the model's classes, or features it cannot score.
    """
    threshold = model.threshold if threshold is None else threshold
    counted = count(map_reduce, model, split, threshold)
    if not counted.confusion.any():
        hint = f"label more mail, or raise features.{split}_share"
        raise DataError(f"no labelled row of split {split!r} to evaluate on", hint=hint)
    return summarise(counted, model.classes, threshold)


def count(map_reduce: MapReduce, model: Model, split: str, threshold: float = 0.5) -> Tally:
    """The tally behind `evaluate`; raises what it raises, but a split without rows is counted as such."""
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold must lie in 0 .. 1, not {threshold}")
    return map_reduce(tally_fragment, Tally.merge, EvaluationTask(model, split, threshold))
