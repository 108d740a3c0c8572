"""From feature vectors to probabilities, labels and sentiment: one row's result never depends on its batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.models.forest import ForestModel
from mailmill.models.logistic import LogisticModel

Model = LogisticModel | ForestModel


def probability(model: Model, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """P(classes[c] | row) for each row and class: float64 (n, classes), rows summing to 1 within rounding.

    X float32 (n, d). Each row is reduced in a fixed order, so its result is the same to the last bit in
    every batch, see `LogisticModel.decision` and `ForestModel.probability`.

    Raises:
        DataError: X is not a float32 matrix of `model.columns` columns, or holds NaN or infinity.
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
    return model.probability(X)


def predict(probabilities: NDArray[np.float64], threshold: float = 0.5) -> NDArray[np.int64]:
    """The class index of each row: of two classes, 1 where P(classes[1]) >= threshold; of more, the likeliest.

    Among equally likely classes the lowest index wins; `threshold` applies to two classes only.
    probabilities float64 (n, classes); returns int64 (n,).
    """
    if probabilities.shape[1] == 2:
        return np.asarray(probabilities[:, 1] >= threshold, np.int64)
    return np.asarray(probabilities.argmax(axis=1), np.int64)


def sentiment(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """2 p - 1 in [-1, 1], with p = P(classes[1]), the positive class; float64 (n,) of probabilities (n, 2).

    Raises:
        DataError: not two classes.
    """
    if probabilities.shape[1] != 2:
        raise DataError(f"sentiment needs two classes, the model has {probabilities.shape[1]}")
    return 2 * probabilities[:, 1] - 1
