"""A model on disk or in a bucket: `model.json` says what it is, `weights.npz` holds its numbers.

No pickle: a model from a stranger cannot run code, read outside its arrays, or loop. Equal models give
byte-identical files, so a model's hash names it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError, DataError
from mailmill.models.arrays import pack, unpack
from mailmill.models.calibration import Calibration
from mailmill.models.evidence import Evidence
from mailmill.models.forest import ForestModel, ForestSettings
from mailmill.models.logistic_model import LogisticModel, LogisticSettings
from mailmill.models.loss import margins_of
from mailmill.models.metrics import Metrics
from mailmill.models.scoring import Model
from mailmill.models.tree import Tree

S = TypeVar("S", LogisticSettings, ForestSettings)

FORMAT, VERSION = "mailmill.model", 1
DOCUMENT, WEIGHTS = "model.json", "weights.npz"
WAY_OUT = "train the model again, or use the mailmill that wrote it"

_LOGISTIC = {
    "coef": ("<f8", 2),
    "intercept": ("<f8", 1),
    "sparse_columns": ("<i8", 1),
    "sparse_index": ("<i4", 1),
    "sparse_value": ("<f8", 2),
}
_FOREST = {
    "offsets": ("<i8", 1),
    "feature": ("<i4", 1),
    "bin": ("|u1", 1),
    "threshold": ("<f4", 1),
    "left": ("<i4", 1),
    "right": ("<i4", 1),
    "counts": ("<i8", 2),
    "weights": ("<i8", 1),
}
_DOCUMENT_BYTES = 16 << 20
#: 2^24 of runs of words, as many of pairs: the most that features have.
_SPARSE_COLUMNS = 1 << 25
#: Sparse coefficients, 2 GiB of them: 8 classes of as many columns as there may be.
_SPARSE = 1 << 28


@dataclass(frozen=True)
class Artifact:
    """A model and what was recorded with it, each a JSON object.

    feature_spec: how text became columns. training: the training table's name and fingerprint, and the settings.
    evidence and metrics, on the validation split: `Evidence.to_dict` and `Metrics.to_dict`, or {}.
    """

    model: Model
    feature_spec: dict[str, Any]
    training: dict[str, Any]
    evidence: dict[str, Any]
    metrics: dict[str, Any]


def require(models: Collection[str], classes: Sequence[str], sparse_columns: int) -> None:
    """Raise DataError, before any training, where a model would be larger than what `from_bytes` takes."""
    if "logistic" in models:
        _require_room(margins_of(len(classes)), sparse_columns)


def to_bytes(
    model: Model,
    *,
    feature_spec: Mapping[str, Any],
    training: Mapping[str, Any],
    evidence: Evidence | None = None,
    metrics: Metrics | None = None,
) -> dict[str, bytes]:
    """The artifact's files by name; equal arguments give equal bytes.

    model.json: format "mailmill.model", version 1, kind "logistic" or "forest", classes, columns, hyperparameters,
    feature_spec, calibration, threshold, training, evidence, metrics, and the SHA-256 of weights.npz; UTF-8, sorted
    keys. weights.npz: of a forest, all trees' nodes one after another with offsets (trees + 1,), and the classes'
    weights (classes,); of logistic regression, coef (margins, d) and intercept (margins,), and of its sparse_columns
    (1,) those that are not 0 throughout: sparse_index (k,), ascending, and sparse_value (margins, k).

    Raises:
        DataError: feature_spec or training cannot be written as JSON.
    """
    weights = pack(_forest_arrays(model) if isinstance(model, ForestModel) else _logistic_arrays(model))
    document = {
        "format": FORMAT,
        "version": VERSION,
        "kind": "forest" if isinstance(model, ForestModel) else "logistic",
        "classes": list(model.classes),
        "columns": model.columns,
        "hyperparameters": asdict(model.settings),
        "feature_spec": dict(feature_spec),
        "calibration": model.calibration.to_dict(),
        "threshold": model.threshold,
        "training": dict(training),
        "evidence": evidence.to_dict() if evidence else {},
        "metrics": metrics.to_dict() if metrics else {},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    try:
        text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        encoded = text.encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"the model's description cannot be written as JSON: {error}") from None
    return {DOCUMENT: encoded, WEIGHTS: weights}


@contextlib.contextmanager
def read_at(place: str) -> Iterator[None]:
    """Say where the artifact lies that is read in this block, and the way out, with what is wrong with it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"the model in {place} cannot be used: {error.message}", hint=error.hint or WAY_OUT) from None


def from_bytes(files: Mapping[str, bytes]) -> Artifact:
    """The artifact in `files`, checked: format, version, hash, hyperparameters, dtypes, shapes, index ranges.

    Raises:
        DataError: anything is missing, unknown, damaged or out of range.
    """
    for name in (DOCUMENT, WEIGHTS):
        if name not in files:
            raise DataError(f"the model has no {name}")
    document = _document(files[DOCUMENT])
    if document.get("format") != FORMAT or repr(document.get("version")) != str(VERSION):
        raise DataError(f"{DOCUMENT} is not of format {FORMAT!r}, version {VERSION}", hint=WAY_OUT)
    if document.get("weights_sha256") != hashlib.sha256(files[WEIGHTS]).hexdigest():
        raise DataError(f"{WEIGHTS} is damaged: its SHA-256 is not the one in {DOCUMENT}")
    classes, columns = _classes(document.get("classes")), document.get("columns")
    if type(columns) is not int or not 1 <= columns <= 2**31:
        raise DataError(f"{DOCUMENT}: columns must be a number of columns")
    kind, values = document.get("kind"), _object(document, "hyperparameters")
    model: Model
    if kind == "logistic":
        model = _logistic(classes, columns, _settings(LogisticSettings, values), files[WEIGHTS])
    elif kind == "forest":
        model = _forest(classes, columns, _settings(ForestSettings, values), files[WEIGHTS])
    else:
        raise DataError(f"{DOCUMENT}: kind must be 'logistic' or 'forest'")
    threshold = document.get("threshold")
    if type(threshold) is not float or not 0 < threshold < 1:
        raise DataError(f"{DOCUMENT}: threshold must lie between 0 and 1")
    model = replace(model, calibration=Calibration.from_dict(document.get("calibration")), threshold=threshold)
    return Artifact(model, *(_object(document, name) for name in ("feature_spec", "training", "evidence", "metrics")))


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > _DOCUMENT_BYTES:
        raise DataError(f"{DOCUMENT} is larger than {_DOCUMENT_BYTES} bytes")
    try:
        document = json.loads(data.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{DOCUMENT} is not valid JSON ({type(error).__name__})") from None
    if not isinstance(document, dict):
        raise DataError(f"{DOCUMENT} is not a JSON object")
    return document


def _refuse(name: str) -> None:
    raise ValueError(name)


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise DataError(f"{DOCUMENT}: {name} must be an object")
    return value


def _classes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError(f"{DOCUMENT}: classes must be a list of names")
    if len(value) < 2 or len(set(value)) != len(value):
        raise DataError(f"{DOCUMENT}: classes must be two names or more, all different")
    try:
        "".join(value).encode()
    except UnicodeEncodeError:
        raise DataError(f"{DOCUMENT}: a class has a name that is not valid Unicode") from None
    return tuple(value)


def _settings(kind: type[S], values: Mapping[str, Any]) -> S:
    names = {field.name for field in fields(kind)}
    if set(values) != names:
        raise DataError(f"{DOCUMENT}: hyperparameters must be exactly {sorted(names)}")
    try:
        arguments: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return kind(**arguments)
    except (ConfigError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{DOCUMENT}: {error}") from None


def _logistic_arrays(model: LogisticModel) -> dict[str, NDArray[Any]]:
    sparse = np.empty((len(model.coef), 0)) if model.sparse is None else model.sparse
    index = np.flatnonzero(sparse.any(axis=0))
    return {
        "coef": model.coef,
        "intercept": model.intercept,
        "sparse_columns": np.array([sparse.shape[1]], np.int64),
        "sparse_index": index.astype(np.int32),
        "sparse_value": sparse[:, index],
    }


def _require_room(margins: int, width: int) -> None:
    if margins * width > _SPARSE:
        raise DataError(
            f"a logistic model of {margins} x {width} sparse coefficients is too large: at most {_SPARSE}",
            hint="lower features.ngram_bits, or join classes",
        )


def _logistic(classes: tuple[str, ...], columns: int, settings: LogisticSettings, weights: bytes) -> LogisticModel:
    arrays = unpack(weights, _LOGISTIC)
    coef, intercept, margins = arrays["coef"], arrays["intercept"], margins_of(len(classes))
    if coef.shape != (margins, columns) or intercept.shape != (margins,):
        raise DataError(f"a logistic model of {len(classes)} classes needs {margins} x {columns} coefficients")
    index, value = arrays["sparse_index"], arrays["sparse_value"]
    if arrays["sparse_columns"].shape != (1,) or value.shape != (margins, len(index)):
        raise DataError("the sparse coefficients of the logistic model do not agree in length")
    width = int(arrays["sparse_columns"][0])
    if not 0 <= width <= _SPARSE_COLUMNS or (
        len(index) and (index[0] < 0 or index[-1] >= width or (index[1:] <= index[:-1]).any())
    ):
        raise DataError("the sparse columns of the logistic model are not ascending within its width")
    _require_room(margins, width)
    if not all(np.isfinite(array).all() for array in (coef, intercept, value)):
        raise DataError("a coefficient of the logistic model is not finite")
    sparse = None
    if width:
        sparse = np.zeros((margins, width))
        sparse[:, index] = value
    return LogisticModel(classes, coef, intercept, settings, sparse)


def _forest_arrays(model: ForestModel) -> dict[str, NDArray[Any]]:
    sizes = [len(tree.feature) for tree in model.trees]
    of_nodes = [name for name in _FOREST if name not in ("offsets", "weights")]
    arrays = {name: np.concatenate([getattr(tree, name) for tree in model.trees]) for name in of_nodes}
    weights = model.trees[0].weights
    arrays["weights"] = np.ones(len(model.classes), np.int64) if weights is None else weights
    return {"offsets": np.cumsum([0, *sizes], dtype=np.int64), **arrays}


def _forest(classes: tuple[str, ...], columns: int, settings: ForestSettings, weights: bytes) -> ForestModel:
    arrays = unpack(weights, _FOREST)
    offsets, class_weights = arrays.pop("offsets"), arrays.pop("weights")
    if class_weights.shape != (len(classes),) or (class_weights < 1).any() or (class_weights > 2**30).any():
        raise DataError("the forest's class weights are not a positive number for each class")
    nodes = len(arrays["feature"])
    if any(len(array) != nodes for array in arrays.values()) or arrays["counts"].shape[1] != len(classes):
        raise DataError("the forest's arrays do not agree in length, or in classes")
    if (
        len(offsets) != settings.trees + 1
        or offsets[0] != 0
        or offsets[-1] != nodes
        or (offsets[1:] <= offsets[:-1]).any()
    ):
        raise DataError("the forest's offsets do not divide its nodes into trees")
    trees = []
    for start, stop in pairwise(offsets):
        nodes_of = {name: array[start:stop] for name, array in arrays.items()}
        tree = Tree(**nodes_of, weights=class_weights, shrinkage=settings.shrinkage)
        tree.validate(columns, settings.depth)
        trees.append(tree)
    return ForestModel(classes, columns, tuple(trees), settings)
