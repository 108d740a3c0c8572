"""Fitting logistic regression in few passes over data of any size.

One pass looks at the rows: counts, means, spreads, and a sample that travels to the driver. The problem is
first solved on the sample, where an evaluation costs milliseconds; the sample's Hessian at that solution then
makes the full problem so round that a handful of passes reach rounding level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mailmill import resources
from mailmill.errors import DataError
from mailmill.models.columns import ranked, renumbered
from mailmill.models.data import TRAIN, Fragment, MapReduce, MemoryFragment, TrainingArrays, in_process
from mailmill.models.evidence import Evidence
from mailmill.models.hessian import Head, HessianSums, HessianTask, fragment_hessian
from mailmill.models.logistic_model import LogisticModel, LogisticSettings
from mailmill.models.loss import margins_of
from mailmill.models.moments import Moments, take_moments
from mailmill.models.objective import Layout, Objective, Point, unit_bits
from mailmill.models.penalty import Penalty
from mailmill.models.preconditioner import SampleHessian
from mailmill.models.quasinewton import Result, minimise, together
from mailmill.models.sample import Sample, draw_sample
from mailmill.models.uniqueness import require_unique

__all__ = ["LogisticModel", "LogisticSettings", "fit_all", "fit_logistic"]

Vector = NDArray[np.float64]

#: Values in the sample that travels to the driver, and bounds on its rows.
SAMPLE_VALUES = 8 << 20
SAMPLE_ROWS = (2048, 32768)
_SPARSE_WIDTH = 512
#: C of the sparse columns' default penalty 1 / (C n): of 3, 10 and 30 the best for n-grams on film reviews.
SPARSE_C = 10.0
_SAMPLE_TOLERANCE = 1e-7
#: Beside sparse columns. What follows differs from the sample's minimum by more; 1e-5 took half of a fit's time.
_SPARSE_SAMPLE_TOLERANCE = 1e-2
_SAMPLE_ITERATIONS = 60
#: The share of a class without rows: so little that it moves no probability of the others.
_NO_SHARE = 1e-22
_SAMPLE_L2 = 1e-8
#: Parts of a sample with sparse columns; the workers wait meanwhile.
_SAMPLE_PARTS = 4
#: Bytes of the points that one pass evaluates together.
_TOGETHER_BYTES = 64 << 20


@dataclass(frozen=True)
class LookTask:
    """The first pass over `split`; of_rows: see `draw_sample`, None: what the fragment says."""

    split: str
    n_classes: int
    of_rows: int | None = None


@dataclass(frozen=True)
class Look:
    """What the first pass brings home."""

    moments: Moments
    sample: Sample

    def merge(self, other: Look) -> Look:
        """The moments and the sample of the rows of both."""
        return Look(self.moments.merge(other.moments), self.sample.merge(other.sample))


def look(fragment: Fragment, task: LookTask) -> Look:
    """One fragment's moments and its share of the sample."""
    arrays = fragment.arrays(task.split)
    of_rows = task.of_rows or getattr(fragment, "table_rows", None)
    return Look(take_moments(arrays, task.n_classes), draw_sample(arrays, sample_size(arrays), of_rows))


def sample_size(arrays: TrainingArrays) -> int:
    """Rows of the sample: as many as `SAMPLE_VALUES` allow, within bounds, and at least four a column."""
    columns = int(arrays.X.shape[1])
    fitting = SAMPLE_VALUES // max(1, columns + (_SPARSE_WIDTH if arrays.sparse is not None else 0))
    return max(min(max(fitting, SAMPLE_ROWS[0]), SAMPLE_ROWS[1]), 4 * columns)


def fit_logistic(
    map_reduce: MapReduce, classes: tuple[str, ...], settings: LogisticSettings
) -> tuple[LogisticModel, Evidence]:
    """Minimise (1/n) Σ_i c_i loss_i + Σ_j (l1 |r_j w_j| + l2/2 (r_j w_j)²) over coefficients w and intercepts.

    loss_i = -log P(y_i | x_i), see `LogisticModel`; c_i is the class's weight times the row's own, if it has one.
    With `standardize`, r_j is the population standard deviation of dense column j: penalties act on the
    coefficients of standardised columns. Without it r_j = 1: they act on raw coefficients, which is
    scikit-learn's LogisticRegression(C = 1 / (λ n)). Sparse columns are never centred nor scaled, and have an l2
    of their own; l1 acts on them too. Intercepts are never penalised. No copy of the data is made, and raw
    coefficients are returned. A constant column gets the coefficient 0. K > 2 classes have K margins (softmax),
    whose coefficients add up to zero over the classes where l1 = 0.

    A class without a training row (of three or more) keeps the coefficients 0 and an intercept that makes its
    probability 0: its likelihood has no maximum.

    Passes: one look, then about one an iteration (and two more with l2 = l1 = 0, for whole Hessians, which
    must prove that the minimum exists). Gradient norm and objective of the evidence are those of the
    standardised problem at the returned coefficients. Results of two partitionings differ at rounding level
    only. Fitting that ends at `max_iterations` returns `converged=False`.

    Raises:
        DataError: fewer than two classes present; unusable rows (`Census.check`); without a penalty, classes that a
            hyperplane separates, or linearly dependent columns, so that no (unique) minimum exists.
    """
    ((model, evidence),) = fit_all(map_reduce, classes, [settings])
    return model, evidence


def fit_all(
    map_reduce: MapReduce, classes: tuple[str, ...], wanted: Sequence[LogisticSettings]
) -> list[tuple[LogisticModel, Evidence]]:
    """`fit_logistic` for several settings that share their passes; they may differ in l2, l1 and l2_sparse."""
    task = LookTask(TRAIN, len(classes))
    found = map_reduce(look, Look.merge, task)
    found.moments.census.check(classes, TRAIN)
    rows, passes = found.moments.census.rows, 1
    sample = found.sample.rows
    if sample is None or len(sample.X) < min(rows, found.sample.size // 2):
        # Most rows of the table belong to other splits: draw again, now that the number of rows is known.
        sample = map_reduce(look, Look.merge, replace(task, of_rows=rows)).sample.rows
        passes += 1
    assert sample is not None
    problem = _Problem(map_reduce, found.moments, sample, classes, wanted[0])
    wanted = [problem.settled(settings) for settings in wanted]
    size = problem.layout.margins * (problem.layout.width + problem.layout.sparse_columns) * 8
    group = max(1, _TOGETHER_BYTES // size)
    results: list[Result] = []
    for start in range(0, len(wanted), group):
        results += problem.solve(wanted[start : start + group])
    passes += problem.objective.passes
    fitted = []
    for settings, result in zip(wanted, results, strict=True):
        problem.prove(settings, result)
        value = result.point.value + problem.penalty(settings).absolutes(result.point.theta)
        evidence = Evidence(
            rows, passes + problem.proofs, result.converged, result.iterations, result.gradient_norm, value
        )
        fitted.append((problem.model(settings, result.point.theta), evidence))
    return fitted


class _Problem:
    """The objective over all rows and over the sample, and the way from one to the other."""

    def __init__(
        self,
        map_reduce: MapReduce,
        moments: Moments,
        sample: TrainingArrays,
        classes: tuple[str, ...],
        settings: LogisticSettings,
    ) -> None:
        self._map_reduce, self._moments = map_reduce, moments
        self.classes, self.rows, self.proofs = classes, moments.census.rows, 0
        self.counts = moments.census.class_counts
        self.class_weight = settings.weights(self.counts)
        #: Margins of classes without a row: their likelihood has no maximum, so they stay as `start` has them.
        self._absent = np.array(self.counts) == 0 if margins_of(len(classes)) > 1 else np.zeros(1, np.bool_)
        active = ranked(moments.squares)
        squares = moments.squares[active].astype(np.float64)
        self._squares = squares / self.rows
        self._bits = unit_bits(self.rows, float(squares.max(initial=0.0)), max(self.class_weight))
        self.layout = Layout(margins_of(len(classes)), moments.centre, moments.scale, active, len(moments.squares))
        # The sample's columns are renumbered once, so that nothing on the driver looks for places among millions.
        numbers = np.arange(len(active), dtype=np.int32)
        self._sample_layout = replace(self.layout, active=numbers, sparse_columns=len(active))
        self._sample = sample
        if sample.sparse is not None:
            self._sample = replace(sample, sparse=renumbered(sample.sparse, active))
        self.objective = Objective(map_reduce, self.layout, self.class_weight, TRAIN, self.rows, self._bits)

    def settled(self, settings: LogisticSettings) -> LogisticSettings:
        """The settings that the model tells: with the l2 of sparse columns where there are some, and only there."""
        given = 1.0 / (SPARSE_C * self.rows) if settings.l2_sparse is None else settings.l2_sparse
        return replace(settings, l2_sparse=given if self.layout.sparse_columns else None)

    def penalty(self, settings: LogisticSettings) -> Penalty:
        """A strength for each parameter, in the coordinates of `Layout`; of settings that are `settled`."""
        constant, scale, d = self._moments.constant, self.layout.scale, self.layout.dense
        l2, l1 = np.zeros(self.layout.width), np.zeros(self.layout.width)
        l2[:d] = settings.l2 if settings.standardize else settings.l2 / scale**2
        l1[:d] = settings.l1 if settings.standardize else settings.l1 / scale
        l2[:d] = np.where(constant, 1.0, l2[:d])
        l2[d + 1 :] = settings.l2_sparse or 0.0
        l1[d + 1 :] = settings.l1
        return Penalty(np.tile(l2, self.layout.margins), np.tile(l1, self.layout.margins))

    def start(self) -> Vector:
        """All coefficients 0; intercepts that give each class its weighted share, and one without rows next to none."""
        theta = np.zeros((self.layout.margins, self.layout.width))
        shares = np.array([n * w or _NO_SHARE for n, w in zip(self.counts, self.class_weight, strict=True)])
        log_shares = np.log(shares / shares.sum())
        theta[:, self.layout.dense] = (
            log_shares[1] - log_shares[0] if len(theta) == 1 else log_shares - log_shares.mean()
        )
        return theta.ravel()

    def solve(self, wanted: Sequence[LogisticSettings]) -> list[Result]:
        """Solve on the sample, then on all rows, for several settings side by side."""
        penalties = [self.penalty(settings) for settings in wanted]
        metrics = [
            SampleHessian(self._sample, self._sample_layout, penalty, self.class_weight, self._squares, self._absent)
            for penalty in penalties
        ]
        starts = [self._on_sample(penalty, metric) for penalty, metric in zip(penalties, metrics, strict=True)]
        searches = [
            minimise(start, metric, penalty, tolerance=s.tolerance, max_iterations=s.max_iterations)
            for start, metric, penalty, s in zip(starts, metrics, penalties, wanted, strict=True)
        ]
        return together(searches, self._evaluator(self.objective, penalties, wanted))

    def _on_sample(self, penalty: Penalty, metric: SampleHessian) -> Vector:
        """The minimum on the sample, with the metric taken there; the plain start where a class is missing in it."""
        theta = self.start()
        metric.refresh(theta)
        present = np.bincount(self._sample.y.astype(np.int64), minlength=len(self.classes))
        if not present[np.asarray(self.counts) > 0].all():
            return theta
        rows = len(self._sample.X)
        objective = Objective(self._in_memory, self._sample_layout, self.class_weight, TRAIN, rows, self._bits)
        safe = Penalty(np.where(penalty.l2 > 0, penalty.l2, _SAMPLE_L2), penalty.l1)
        tolerance = _SPARSE_SAMPLE_TOLERANCE if len(self.layout.active) else _SAMPLE_TOLERANCE
        search = minimise(theta, metric, safe, tolerance=tolerance, max_iterations=_SAMPLE_ITERATIONS)
        (result,) = together([search], self._evaluator(objective, [safe]))
        metric.refresh(result.point.theta)
        return result.point.theta

    @cached_property
    def _in_memory(self) -> MapReduce:
        """Over the sample; where it has sparse columns, in parts that threads evaluate side by side."""
        count = _SAMPLE_PARTS if len(self.layout.active) else 1
        parts = [part for part in np.array_split(np.arange(len(self._sample.X)), count) if len(part)]
        fragments = [MemoryFragment({TRAIN: self._sample.take(part)}) for part in parts]
        return in_process(fragments, min(len(parts), resources.cores()))

    def _evaluator(
        self, objective: Objective, penalties: Sequence[Penalty], wanted: Sequence[LogisticSettings] = ()
    ) -> Callable[[list[tuple[int, Vector]]], list[Point]]:
        def evaluate(asked: list[tuple[int, Vector]]) -> list[Point]:
            points = objective.evaluate([theta for _, theta in asked], [penalties[number] for number, _ in asked])
            if self._absent.any():
                for point in points:
                    point.gradient.reshape(len(self._absent), -1)[self._absent] = 0.0
            for (number, _), point in zip(asked, points, strict=True):
                if wanted and _free(wanted[number]) and not len(self.layout.active) and point.lead > 0:
                    raise DataError(
                        f"the classes {list(self.classes)} are perfectly separable, so without a penalty no minimum "
                        "exists",
                        hint="Set l2 above zero.",
                    )
            return points

        return evaluate

    def prove(self, settings: LogisticSettings, result: Result) -> None:
        """Without a penalty, hold by two passes over the whole Hessian that the minimum exists and is unique.

        Raises:
            DataError: it is not.
        """
        if not _free(settings):
            return
        head = Head(self.layout, np.arange(0))
        l2, blocks = self.penalty(settings).l2, []
        for theta in (result.point.theta, self.start()):
            task = HessianTask(TRAIN, head, self.class_weight, theta)
            blocks.append(self._map_reduce(fragment_hessian, HessianSums.merge, task).symmetric())
            self.proofs += 1
        for group, block, at_start, places in zip(head.groups, *blocks, head.places, strict=True):
            held = self._absent[list(group)].copy()
            if len(group) > 1:  # of several classes' parameters only differences matter: the first class's are held
                held[np.argmin(held)] = True
            kept = ~np.repeat(held, head.height)
            own = np.diag(l2[places])
            there, first = ((found + own)[np.ix_(kept, kept)] for found in (block, at_start))
            if kept.any():
                require_unique(there, first, result.point.gradient[places][kept], result)

    def model(self, settings: LogisticSettings, theta: Vector) -> LogisticModel:
        """The model of raw columns."""
        dense, centred, sparse = self.layout.split([theta])
        coef = np.where(self._moments.constant, 0.0, dense)
        weights = None if sparse is None else np.ascontiguousarray(self.layout.spread(sparse).T)
        return LogisticModel(self.classes, coef, centred - coef @ self.layout.centre, settings, weights)


def _free(settings: LogisticSettings) -> bool:
    return settings.l2 == 0 and settings.l1 == 0
