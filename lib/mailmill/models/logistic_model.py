"""Logistic regression, binary and multinomial, as a model: what it predicts and what it was asked for.

`logistic` finds its coefficients; `scoring` uses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError
from mailmill.models.calibration import UNCALIBRATED, Calibration
from mailmill.models.data import SparseRows
from mailmill.models.loss import margins_of, probabilities

_SCORING_BLOCK = 2048


@dataclass(frozen=True)
class LogisticSettings:
    """l2, l1: strengths of (1/n) Σ loss + Σ_j l1 |r_j w_j| + l2/2 Σ_j (r_j w_j)², see `logistic.fit_logistic`.
    l2_sparse: l2 of the sparse columns; None: 1 / (10 n), or there are none (a fitted model names what it was).
    standardize: whether penalties act on standardised or raw coefficients of dense columns. class_weight: None,
    "balanced" (n / (K n_c)), or one positive weight a class in the order of `classes`. tolerance: on
    max_j |gradient_j|. max_iterations: steps.

    Raises:
        ConfigError: a value outside its range.
    """

    l2: float = 1e-4
    l1: float = 0.0
    l2_sparse: float | None = None
    standardize: bool = True
    class_weight: tuple[float, ...] | Literal["balanced"] | None = None
    tolerance: float = 1e-10
    max_iterations: int = 200

    def __post_init__(self) -> None:
        for name, value in (("l2", self.l2), ("l1", self.l1), ("l2_sparse", self.l2_sparse or 0.0)):
            if not 0 <= value < np.inf:
                raise ConfigError(f"{name} must be a finite number >= 0, not {value}")
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
        elif weights is not None and (len(weights) < 2 or not all(0 < w < np.inf for w in weights)):
            raise ConfigError("class_weight needs a positive weight a class, in the order of the classes")

    def weights(self, counts: tuple[int, ...]) -> tuple[float, ...]:
        """The weight of each class, given its number of rows."""
        if self.class_weight == "balanced":
            return tuple(sum(counts) / (len(counts) * n) if n else 1.0 for n in counts)
        if self.class_weight is None:
            return (1.0,) * len(counts)
        if len(self.class_weight) != len(counts):
            raise ConfigError(f"class_weight has {len(self.class_weight)} weights, there are {len(counts)} classes")
        return tuple(float(weight) for weight in self.class_weight)


@dataclass(frozen=True)
class LogisticModel:
    """Margins z = x coefᵀ + s sparseᵀ + intercept of dense columns x and sparse columns s.

    Two classes: P(classes[1]) = 1 / (1 + exp(-z)), one margin. K > 2 classes: P = softmax(z), K margins.
    coef float64 (margins, d), intercept (margins,), sparse (margins, s) or None: for raw columns. calibration and
    threshold are `scoring`'s: the first is applied there, the second proposed.
    """

    classes: tuple[str, ...]
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    settings: LogisticSettings
    sparse: NDArray[np.float64] | None = None
    calibration: Calibration = UNCALIBRATED
    threshold: float = 0.5

    @property
    def columns(self) -> int:
        """Dense columns."""
        return int(self.coef.shape[1])

    @property
    def sparse_columns(self) -> int:
        """Sparse columns; 0: the model has none."""
        return 0 if self.sparse is None else int(self.sparse.shape[1])

    @property
    def margins(self) -> int:
        """1 for two classes, else one a class."""
        return margins_of(len(self.classes))

    def decision(self, X: NDArray[np.float32], sparse: SparseRows | None = None) -> NDArray[np.float64]:
        """z_i = (...((x_i0 w_0 + x_i1 w_1) + x_i2 w_2) + ...) + intercept, in exactly this order.

        The fixed order makes a row's z the same to the last bit whatever batch it comes in, and on every
        machine, which neither a matrix product nor a compiled loop promises. X float32 (n, d); sparse: the same
        rows' sparse columns; returns float64 (n, margins).
        """
        z = np.zeros((len(X), len(self.coef)))
        for start in range(0, len(X), _SCORING_BLOCK):
            columns = X[start : start + _SCORING_BLOCK].T.astype(np.float64, order="C")
            for k, coef in enumerate(self.coef):
                block = np.zeros(columns.shape[1])
                for column, weight in zip(columns, coef, strict=True):
                    block += column * weight
                z[start : start + _SCORING_BLOCK, k] = block
        if sparse is not None and self.sparse is not None:
            used = slice(sparse.indptr[0], sparse.indptr[-1])
            rows, indices, values = sparse.row_numbers(), sparse.indices[used], sparse.values[used].astype(np.float64)
            for k, coef in enumerate(self.sparse):
                z[:, k] += np.bincount(rows, values * coef[indices], len(z))  # adds in the order of the row
        return z + self.intercept

    def probability(self, X: NDArray[np.float32], sparse: SparseRows | None = None) -> NDArray[np.float64]:
        """P(classes[c]) a row, float64 (n, classes); of two, neither is rounded to 1 minus the other."""
        return probabilities(self.decision(X, sparse))
