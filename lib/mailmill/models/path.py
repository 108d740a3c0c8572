"""The strength of the penalty, chosen on the validation split: all strengths share every pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.data import Fragment, MapReduce
from mailmill.models.evidence import Evidence
from mailmill.models.logistic import LogisticModel, LogisticSettings, fit_all
from mailmill.models.objective import LossTask, loss_sums


@dataclass(frozen=True)
class Validation:
    """Rows seen, each counted by its own weight, and the sum of each model's log loss on them."""

    rows: float
    loss: NDArray[np.float64]

    def merge(self, other: Validation) -> Validation:
        """Both sums, in float64, so that equal bits need an equal order of merging."""
        return Validation(self.rows + other.rows, self.loss + other.loss)


def validate(fragment: Fragment, task: LossTask) -> Validation:
    """One fragment's share of the losses: of each row by its own weight, whatever its class weighs in training."""
    arrays = fragment.arrays(task.split)
    rows = len(arrays.y) if arrays.weights is None else float(arrays.weights.sum())
    return Validation(rows, loss_sums(fragment, task).ordered.loss)


def fit_path(
    map_reduce: MapReduce,
    classes: tuple[str, ...],
    wanted: Sequence[LogisticSettings],
    *,
    split: str = "train",
    validation: str = "validation",
) -> tuple[LogisticModel, Evidence]:
    """Of several settings that differ in l2, l1 or l2_sparse, the one with the lowest log loss on `validation`.

    All are fitted side by side (see `logistic.fit_all`), then one pass weighs them. Ties go to the larger l2. The
    evidence is that of the chosen fit; its passes are those of the whole path, its `path` has (l2, log loss) of each.

    Raises:
        DataError: the validation split has no labelled row; whatever `logistic.fit_logistic` raises.
    """
    fitted = fit_all(map_reduce, classes, wanted, split=split)
    models = [model for model, _ in fitted]
    weights = [model.sparse for model in models if model.sparse is not None]
    sparse, active = None, None
    if weights:
        active = np.flatnonzero(np.any([weight.any(axis=0) for weight in weights], axis=0)).astype(np.int32)
        sparse = np.ascontiguousarray(np.concatenate([weight[:, active] for weight in weights]).T)
    task = LossTask(
        validation,
        np.zeros(models[0].columns),
        np.concatenate([model.coef for model in models]),
        np.concatenate([model.intercept for model in models]),
        sparse,
        (1.0,) * len(classes),
        models[0].margins,
        active,
    )
    found = map_reduce(validate, Validation.merge, task)
    if not found.rows:
        raise DataError(f"split {validation!r} has no labelled row to choose l2 on", hint="name one l2")
    losses = (found.loss / found.rows).tolist()
    best = min(range(len(wanted)), key=lambda number: (losses[number], -wanted[number].l2))
    model, evidence = fitted[best]
    path = tuple((settings.l2, loss) for settings, loss in zip(wanted, losses, strict=True))
    return model, replace(evidence, passes=(evidence.passes or 0) + 1, path=path)
