"""From feature vectors to probabilities, labels and sentiment: one row's result never depends on its batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.data import SparseRows
from mailmill.models.forest import ForestModel
from mailmill.models.logistic_model import LogisticModel

Model = LogisticModel | ForestModel


def probability(model: Model, X: NDArray[np.float32], sparse: SparseRows | None = None) -> NDArray[np.float64]:
    """P(classes[c] | row) for each row and class: float64 (n, classes), rows summing to 1 within rounding.

    X float32 (n, d); sparse: the same rows' sparse columns, which a forest does not read. Each row
    is reduced in a fixed order, and then calibrated, so its result is the same to the last bit in every batch, see
    `LogisticModel.decision` and `ForestModel.probability`.

    Raises:
        DataError: X is not a float32 matrix of `model.columns` columns, or holds NaN or infinity; or
            the model has sparse columns and `sparse` does not have as many.
    """
    if X.ndim != 2 or X.dtype != np.float32:
        raise DataError(f"features to score must be a float32 matrix, not {X.dtype} of {X.ndim} dimensions")
    if X.shape[1] != model.columns:
        raise DataError(
            f"the model was trained on {model.columns} columns, the features have {X.shape[1]}",
            hint="Use the feature specification stored with the model.",
        )
    broken = len(X) - int(np.isfinite(X).all(axis=1).sum())
    if broken:
        raise DataError(f"{broken} of {len(X)} rows to score hold a value that is NaN or infinite")
    if isinstance(model, ForestModel):
        return _calibrated(model, model.probability(X))
    if model.sparse_columns and (sparse is None or sparse.columns != model.sparse_columns):
        raise DataError(
            f"the model was trained on {model.sparse_columns} sparse columns, the features have "
            f"{sparse.columns if sparse is not None else 'none'}",
            hint="Use the feature specification stored with the model.",
        )
    if sparse is not None and not np.isfinite(sparse.values).all():
        raise DataError("rows to score hold a sparse value that is NaN or infinite")
    return _calibrated(model, model.probability(X, sparse))


def _calibrated(model: Model, p: NDArray[np.float64]) -> NDArray[np.float64]:
    if model.calibration.method == "none":
        return p
    said = model.calibration.apply(p[:, 1])
    return np.stack([1 - said, said], axis=1)


def predict(probabilities: NDArray[np.float64], threshold: float = 0.5) -> NDArray[np.int64]:
    """The class index of each row: of two classes, 1 where P(classes[1]) >= threshold; of more, the likeliest.

    Among equally likely classes the lowest index wins; `threshold` applies to two classes only.
    probabilities float64 (n, classes); returns int64 (n,).
    """
    if probabilities.shape[1] == 2:
        return np.asarray(probabilities[:, 1] >= threshold, np.int64)
    return np.asarray(probabilities.argmax(axis=1), np.int64)


def sentiment(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(positive) - P(negative) in [-1, 1]: of the last class and the first, see `training.ordered`; float64 (n,).

    Of two classes it is 2 p - 1 with p = P(classes[1]). probabilities float64 (n, classes).
    """
    if probabilities.shape[1] == 2:
        return 2 * probabilities[:, 1] - 1
    return probabilities[:, -1] - probabilities[:, 0]
