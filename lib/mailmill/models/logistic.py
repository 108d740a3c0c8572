"""Binary logistic regression with an L2 penalty, fitted by Newton's method over any number of fragments.

Full-batch Newton takes six to twelve passes to reach rounding level, which is why engines and partitionings
agree on the coefficients; gradient methods take hundreds and stop wherever their tolerance leaves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError, DataError
from mailmill.models.data import Fragment, MapReduce
from mailmill.models.evidence import Evidence
from mailmill.models.moments import Moments, take_moments
from mailmill.models.newton import Point, Vector, minimise

_TRAINING_BLOCK = 1024
_SCORING_BLOCK = 2048


@dataclass(frozen=True)
class LogisticSettings:
    """l2: λ >= 0. standardize: whether λ acts on standardised or raw coefficients, see `fit_logistic`.
    class_weight: None, "balanced" (n / (2 n_c)), or one positive weight a class in the order of `classes`.
    tolerance: on max_j |gradient_j|. max_iterations: Newton steps.

    Raises:
        ConfigError: a value outside its range.
    """

    l2: float = 1e-4
    standardize: bool = True
    class_weight: tuple[float, ...] | Literal["balanced"] | None = None
    tolerance: float = 1e-10
    max_iterations: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.l2 < np.inf:
            raise ConfigError(f"l2 must be a finite number >= 0, not {self.l2}")
        if not 0 < self.tolerance < 1:
            raise ConfigError(f"tolerance must lie between 0 and 1, not {self.tolerance}")
        if type(self.standardize) is not bool:
            raise ConfigError(f"standardize must be true or false, not {self.standardize!r}")
        if type(self.max_iterations) is not int or self.max_iterations < 1:
            raise ConfigError(f"max_iterations must be at least 1, not {self.max_iterations}")
        weights = self.class_weight
        if isinstance(weights, str):
            if weights != "balanced":
                raise ConfigError(f"class_weight must be 'balanced', a weight a class or none, not {weights!r}")
        elif weights is not None and (len(weights) != 2 or not all(0 < w < np.inf for w in weights)):
            raise ConfigError("class_weight needs two positive weights, in the order of the classes")


@dataclass(frozen=True)
class LogisticModel:
    """P(y = classes[1] | x) = 1 / (1 + exp(-(xᵀ coef + intercept))); coef float64 (d,) for raw columns."""

    classes: tuple[str, ...]
    coef: NDArray[np.float64]
    intercept: float
    settings: LogisticSettings

    @property
    def columns(self) -> int:
        return len(self.coef)

    def decision(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """z_i = (...((x_i0 w_0 + x_i1 w_1) + x_i2 w_2) + ...) + intercept, in exactly this order.

        The fixed order makes a row's z the same to the last bit whatever batch it comes in, which a matrix
        product does not promise. X float32 (n, d); returns float64 (n,).
        """
        z = np.zeros(len(X))
        for start in range(0, len(X), _SCORING_BLOCK):
            block = z[start : start + _SCORING_BLOCK]
            terms = X[start : start + _SCORING_BLOCK].T.astype(np.float64, order="C")
            terms *= self.coef[:, None]
            for term in terms:
                block += term
        return z + self.intercept

    def probability(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """(P(classes[0]), P(classes[1])) a row, float64 (n, 2), neither rounded to 1 minus the other."""
        z = self.decision(X)
        return np.stack([sigmoid(-z), sigmoid(z)], axis=1)


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-z)), from exp(-|z|) alone, which cannot overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1.0 + small)


@dataclass(frozen=True)
class NewtonTask:
    """What a worker needs for one pass: columns are standardised as (x - mean) / scale on the way."""

    split: str
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    class_weight: tuple[float, float]
    theta: Vector


@dataclass(frozen=True)
class NewtonSums:
    """Sums over rows: loss, gradient (d + 1,), Hessian (d + 1, d + 1); margin = min_i (2 y_i - 1) z_i."""

    loss: float
    gradient: Vector
    hessian: NDArray[np.float64]
    margin: float

    def merge(self, other: NewtonSums) -> NewtonSums:
        return NewtonSums(
            self.loss + other.loss,
            self.gradient + other.gradient,
            self.hessian + other.hessian,
            min(self.margin, other.margin),
        )


def newton_sums(fragment: Fragment, task: NewtonTask) -> NewtonSums:
    """One fragment's share of the log loss and its derivatives at theta = (u_0 .. u_{d-1}, intercept).

    With z̃ the standardised row and 1, z = z̃ᵀθ, c its class's weight, p = sigmoid(z):
    loss = Σ c log(1 + exp(-(2y - 1) z)), gradient = Σ c (p - y) z̃, Hessian = Σ c p (1 - p) z̃ z̃ᵀ.
    """
    arrays = fragment.arrays(task.split)
    width = len(task.theta)
    loss, margin = 0.0, np.inf
    gradient, hessian = np.zeros(width), np.zeros((width, width))
    for start in range(0, len(arrays.X), _TRAINING_BLOCK):
        x = arrays.X[start : start + _TRAINING_BLOCK]
        y = arrays.y[start : start + _TRAINING_BLOCK].astype(np.int64)
        Z = np.ones((len(x), width))
        np.subtract(x, task.mean, out=Z[:, :-1])
        Z[:, :-1] *= 1.0 / task.scale
        weight = np.asarray(task.class_weight)[y]
        z = Z @ task.theta
        signed = np.where(y == 1, z, -z)
        small = np.exp(-np.abs(z))
        loss += float(weight @ (np.maximum(-signed, 0.0) + np.log1p(small)))
        gradient += Z.T @ (weight * np.where(y == 1, -1.0, 1.0) * sigmoid(-signed))
        Z *= np.sqrt(weight * small)[:, None] / (1.0 + small)[:, None]
        hessian += Z.T @ Z
        margin = min(margin, float(signed.min()))
    return NewtonSums(loss, gradient, hessian, margin)


@dataclass(frozen=True)
class MomentsTask:
    split: str
    n_classes: int


def _moments(fragment: Fragment, task: MomentsTask) -> Moments:
    return take_moments(fragment.arrays(task.split), task.n_classes)


def fit_logistic(
    map_reduce: MapReduce, classes: tuple[str, ...], settings: LogisticSettings, *, split: str = "train"
) -> tuple[LogisticModel, Evidence]:
    """Minimise (1/n) Σ_i c_{y_i} log(1 + exp(-(2 y_i - 1)(x_iᵀ w + b))) + (λ/2) Σ_j (r_j w_j)² over w and b.

    With `standardize`, r_j is the population standard deviation of column j: the penalty acts on the
    coefficients of standardised columns. Without it r_j = 1: the penalty acts on the raw coefficients, which
    is scikit-learn's LogisticRegression(C = 1 / (λ n)). The intercept b is never penalised. Either way the
    search runs on standardised columns, no copy of the data is made, and raw coefficients are returned.
    A constant column gets the coefficient 0.

    One pass takes moments, each evaluation of the objective one more; a state is (d + 1)² float64. Gradient
    norm and objective of the evidence are those of the standardised problem, at the returned coefficients.
    Results of two partitionings differ at rounding level only. Fitting that ends at `max_iterations` returns
    `converged=False`.

    Raises:
        DataError: not exactly two classes, both present; unusable rows (`Census.check`); λ = 0 and a
            hyperplane separates the classes, or columns are linearly dependent, so that no minimum exists.
    """
    if len(classes) != 2:
        raise DataError(
            f"logistic regression needs exactly two classes; found {len(classes)}: {list(classes)}",
            hint="Train a forest, or map the labels to two classes.",
        )
    moments = map_reduce(_moments, Moments.merge, MomentsTask(split, len(classes)))
    columns = moments.census.check(classes, split)
    n, counts = moments.census.rows, moments.census.class_counts
    weights = _class_weights(settings, counts)
    scale = moments.scale
    penalty = np.full(columns, settings.l2) if settings.standardize else settings.l2 / scale**2
    penalty = np.append(np.where(moments.constant, 1.0, penalty), 0.0)
    passes = 1

    def evaluate(theta: Vector) -> Point:
        nonlocal passes
        passes += 1
        sums = map_reduce(newton_sums, NewtonSums.merge, NewtonTask(split, moments.mean, scale, weights, theta))
        if settings.l2 == 0 and sums.margin > 0:
            raise DataError(
                f"the classes {list(classes)} are perfectly separable, so without a penalty no minimum exists",
                hint="Set l2 above zero.",
            )
        value = sums.loss / n + 0.5 * float(penalty @ theta**2)
        return Point(theta, value, sums.gradient / n + penalty * theta, sums.hessian / n + np.diag(penalty))

    start = np.zeros(columns + 1)
    start[-1] = np.log(counts[1] * weights[1] / (counts[0] * weights[0]))
    best, converged, iterations = minimise(
        evaluate, start, tolerance=settings.tolerance, max_iterations=settings.max_iterations
    )
    coef = np.where(moments.constant, 0.0, best.theta[:-1] / scale)
    model = LogisticModel(classes, coef, float(best.theta[-1] - moments.mean @ coef), settings)
    evidence = Evidence(n, passes, converged, iterations, best.gradient_norm, best.value)
    return model, evidence


def _class_weights(settings: LogisticSettings, counts: tuple[int, ...]) -> tuple[float, float]:
    if settings.class_weight == "balanced":
        n = sum(counts)
        return n / (2 * counts[0]), n / (2 * counts[1])
    if settings.class_weight is None:
        return 1.0, 1.0
    first, second = settings.class_weight
    return float(first), float(second)
