"""From scores to degrees: calibration on the validation split, so that 0.8 means eight in ten.

A forest's votes huddle around one half and a regularised regression is too sure or too timid; either way
the order is right and the degree is not. The map from score to probability is fitted on counts of scores
in 65,536 bins (`Tally.binned`): integers, so it is the same on every engine and however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.loss import sigmoid

Method = Literal["none", "platt", "isotonic"]
Vector = NDArray[np.float64]
#: Rows, rows of class 1, first bin, last bin.
Block = tuple[int, int, int, int]

_STEPS = 100
#: A step that promises to lower the loss by less than this share of it is not taken.
_GAIN = 1e-15
#: Ridges of the Hessian. As p (1 - p) <= 1/4, a step with the largest lowers the loss from anywhere; the smallest keeps
#: the Hessian regular where p is all but 0 or 1.
_SAFE, _LEAST = 0.25, 1e-12
#: A slope that says nothing: below it, rounding would make mails tie that the model tells apart.
_FLATTEST = 1e-6
#: Scores are counted in so many equal bins of 0 .. 1.
SCORE_BINS = 1 << 16
#: Half a bin: nearer to 0 and 1 counts know no more, and log-odds go on along their tangent, see `Calibration`.
EDGE = 2.0**-17


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing map of P(classes[1]) to itself.

    none: p. platt: 1 / (1 + exp(-(slope l(p) + offset))), slope > 0, so the order of mails is kept. l is the logit,
    but goes on along its tangents below EDGE and above 1 - EDGE: it rises, so that mails at the ends of the queue do
    not tie, and is finite at 0, as a forest's votes may be with few mails to vouch for it.
    isotonic: linear between the `knots` (p, q), both float64 (k,), constant outside them.
    """

    method: Method = "none"
    slope: float = 1.0
    offset: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.method not in ("none", "platt", "isotonic"):
            raise DataError(f"calibration {self.method!r} is unknown; known: none, platt, isotonic")
        if not (0 < self.slope < np.inf and np.isfinite(self.offset)):
            raise DataError("a calibration's slope must be positive, its offset finite")
        p, q = np.array(self.knots, np.float64).reshape(-1, 2).T
        ordered = bool((np.diff(p) > 0).all() and (np.diff(q) >= 0).all())
        inside = bool(((p >= 0) & (p <= 1) & (q >= 0) & (q <= 1)).all())
        if not (ordered and inside) or (self.method == "isotonic") != bool(len(p)):
            raise DataError("a calibration's knots must rise within 0 .. 1, and belong to the isotonic method")

    def apply(self, p: Vector) -> Vector:
        """The calibrated P(classes[1]) of scores p float64 (n,), elementwise."""
        if self.method == "none":
            return p
        if self.method == "isotonic":
            score, probability = np.array(self.knots).T
            return np.asarray(np.interp(p, score, probability), np.float64)
        return sigmoid(self.slope * _logit(p) + self.offset)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives the same map back."""
        return {"method": self.method, "slope": self.slope, "offset": self.offset, "knots": [*map(list, self.knots)]}

    @classmethod
    def from_dict(cls, values: object) -> Calibration:
        """Read what `to_dict` wrote. Raises DataError for anything else."""
        if not isinstance(values, dict) or set(values) != {"method", "slope", "offset", "knots"}:
            raise DataError("the model's calibration is damaged")
        try:
            knots = tuple((float(p), float(q)) for p, q in values["knots"])
            return cls(values["method"], float(values["slope"]), float(values["offset"]), knots)
        except (TypeError, ValueError, OverflowError):
            raise DataError("the model's calibration is damaged") from None


UNCALIBRATED = Calibration()


def calibrate(binned: NDArray[np.int64], method: Method) -> Calibration:
    """Fit a calibration to `binned` int64 (2, 65536): how many rows of class 0 and of class 1 have each score.

    platt: logistic regression of the class on logit(p), with Platt's targets (n_1 + 1) / (n_1 + 2) and
    1 / (n_0 + 2), by Newton's method from the constant, as Lin et al. begin. Levenberg's ridge keeps its steps short
    where p is all but 0 or 1, so the minimum is found however the scores lie. Platt, "Probabilistic outputs for
    support vector machines", 1999; Lin, Lin & Weng, 2007; Levenberg, 1944. isotonic: least squares under monotony by
    pooling adjacent violators, exact in integers. Zadrozny & Elkan, "Transforming classifier scores into accurate
    multiclass probability estimates", 2002. Each block then says (n_1 + 1) / (n + 2), as Platt's targets do, never 0
    or 1; what no longer rises is pooled again.

    Where a class is absent, or higher scores do not mean more of class 1, the result is `none`.
    """
    negatives, positives = binned[0], binned[1]
    if method == "none" or not negatives.sum() or not positives.sum():
        return Calibration()
    return _platt(negatives, positives) if method == "platt" else _isotonic(negatives, positives)


def centres() -> Vector:
    """The score in the middle of each bin, float64 (65536,)."""
    return (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS


def _platt(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> Calibration:
    used = np.flatnonzero(negatives + positives)
    z, n0, n1 = _logit(centres()[used]), negatives[used].astype(np.float64), positives[used].astype(np.float64)
    rows, high, low = n0 + n1, (n1.sum() + 1) / (n1.sum() + 2), 1 / (n0.sum() + 2)
    share, target = rows / rows.sum(), (n1 * high + n0 * low) / rows
    centre, constant = share @ z, share @ target
    if (spread := np.sqrt(share @ (z - centre) ** 2)) == 0:
        return Calibration()
    design = np.stack([(z - centre) / spread, np.ones_like(z)])

    def loss(at: Vector) -> float:
        margin = at @ design
        return float(share @ (np.logaddexp(0, margin) - target * margin))

    theta, ridge = np.array([0.0, np.log(constant / (1 - constant))]), _SAFE
    value = loss(theta)
    for _ in range(_STEPS):
        p = sigmoid(theta @ design)
        gradient, hessian = design @ (share * (p - target)), (design * (share * p * (1 - p))) @ design.T
        step = np.linalg.solve(hessian + ridge * np.eye(2), gradient)
        if gradient @ step <= _GAIN * value:
            break
        if (trial := loss(theta - step)) <= value:
            theta, value, ridge = theta - step, trial, max(ridge / 10, _LEAST)
        elif ridge < _SAFE:
            ridge = min(10 * ridge, _SAFE)
        else:  # nothing but rounding is left
            break
    theta = np.array([theta[0] / spread, theta[1] - theta[0] * centre / spread])
    slope, offset = float(theta[0]), float(theta[1])
    return Calibration("platt", slope, offset) if slope > _FLATTEST else Calibration()


def _isotonic(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> Calibration:
    used = np.flatnonzero(negatives + positives).tolist()
    blocks = _pooled((int(negatives[bin_] + positives[bin_]), int(positives[bin_]), bin_, bin_) for bin_ in used)
    blocks = _pooled((rows + 2, hits + 1, first, last) for rows, hits, first, last in blocks)
    if len(blocks) == 1:
        return Calibration()
    at = centres()
    knots: list[tuple[float, float]] = []
    for rows, hits, first, last in blocks:
        ends = (first,) if first == last else (first, last)
        knots += [(float(at[bin_]), hits / rows) for bin_ in ends]
    return Calibration("isotonic", knots=tuple(knots))


def _pooled(bins: Iterable[Block]) -> list[Block]:
    """The fewest blocks of neighbours whose shares of class 1 rise, after pooling those that do not."""
    blocks: list[Block] = []
    for rows, hits, first, last in bins:
        while blocks and blocks[-1][1] * rows >= hits * blocks[-1][0]:
            before = blocks.pop()
            rows, hits, first = rows + before[0], hits + before[1], before[2]
        blocks.append((rows, hits, first, last))
    return blocks


def _logit(p: Vector) -> Vector:
    inside = np.clip(p, EDGE, 1 - EDGE)
    along = np.minimum(p / EDGE, 1) - np.minimum((1 - p) / EDGE, 1)
    return np.asarray(np.log(inside) - np.log1p(-inside) + along, np.float64)
