"""The strength of the penalty, chosen on the validation split: all strengths share the passes of their fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailmill.errors import DataError
from mailmill.models.calibration import Method, calibrate
from mailmill.models.data import VALIDATION, MapReduce
from mailmill.models.evidence import Evidence
from mailmill.models.logistic import LogisticModel, LogisticSettings, fit_all
from mailmill.models.metrics import count
from mailmill.models.tally import UNIT


def fit_path(
    map_reduce: MapReduce,
    classes: tuple[str, ...],
    wanted: Sequence[LogisticSettings],
    *,
    method: Method = "platt",
) -> tuple[LogisticModel, Evidence]:
    """Of settings that differ in l2, l1 or l2_sparse, the one with the lowest log loss on the validation split.

    All are fitted side by side (see `logistic.fit_all`). Each is judged as it will be published, by its log loss once
    it is calibrated by `method`: a penalty, like class weights, makes scores too timid or too sure, which calibration
    takes away; what counts is what it does to their order. As there, each row counts once, whatever it weighs in
    training. Ties go to the larger l2. The evidence is that of the chosen fit; its passes are those of the whole path,
    its `path` has (l2, log loss) of each.

    Raises:
        DataError: the validation split has no labelled row; whatever `logistic.fit_logistic` raises.
    """
    fitted = fit_all(map_reduce, classes, wanted)
    judged = [_judge(map_reduce, model, method) for model, _ in fitted]
    best = min(range(len(wanted)), key=lambda number: (judged[number].loss, -wanted[number].l2))
    model, evidence = fitted[best]
    path = tuple((settings.l2, found.loss) for settings, found in zip(wanted, judged, strict=True))
    passes = (evidence.passes or 0) + sum(found.passes for found in judged)
    return model, replace(evidence, passes=passes, path=path)


@dataclass(frozen=True)
class _Judged:
    """The log loss of a model once it is calibrated, and the passes that this took."""

    loss: float
    passes: int


def _judge(map_reduce: MapReduce, model: LogisticModel, method: Method) -> _Judged:
    counted, passes = count(map_reduce, model, VALIDATION), 1
    rows = int(counted.confusion.sum())
    if not rows:
        raise DataError(f"split {VALIDATION!r} has no labelled row to choose l2 on", hint="name one l2")
    calibration = calibrate(counted.binned, method)  # of more than two classes none is counted, so none is calibrated
    if calibration.method != "none":
        counted, passes = count(map_reduce, replace(model, calibration=calibration), VALIDATION), 2
    return _Judged(counted.log_loss * UNIT / rows, passes)
