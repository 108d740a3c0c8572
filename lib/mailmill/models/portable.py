"""A model as ONNX, for services that score without Python or mailmill.

Exported is the step from features to probabilities and a label. Inputs: `vector` float32 (rows, columns) and, for
a model with hashed n-grams, `ngram_indices` int64 and `ngram_values` float32 (rows, longest), each row's n-grams
padded with index 0, value 0.0. Outputs: `probability` float64 (rows, classes), `label` strings (rows,). Tokens,
pooling and hashing of text stay mailmill's. The graph computes in float64, as mailmill's own scorer does, but that ONNX
has a forest's votes as float32: labels are mailmill's save where a score lies on its threshold, or two of more classes
are equally likely, to 7 digits and not to 16.
Opset 17 and ai.onnx.ml 3: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.draws import mix
from mailmill.errors import ConfigError
from mailmill.models.calibration import EDGE, UNCALIBRATED, Calibration
from mailmill.models.data import SparseRows
from mailmill.models.forest import ForestModel
from mailmill.models.graph import DENSE, INDICES, LABEL, PROBABILITY, VALUES, Graph
from mailmill.models.scoring import Model, predict, probability

FILE = "model.onnx"
#: How far ONNX Runtime and mailmill may differ on a probability before its calibration.
TOLERANCE = 1e-6
_ROUNDING = 1e-9
_WAY_OUT = 'set train.onnx = "off"'
#: What protocol buffers hold, with some room for the rest of the graph.
_MOST_BYTES = 2**31 - 2**20
#: Bytes that a file holds a node of a forest, and a class of each leaf.
_NODE_BYTES, _LEAF_BYTES = 26, 18
#: A larger forest is exported only where that is required: it takes some 800 bytes of the driver's memory a node.
_MOST_NODES = 1_000_000
_ROWS, _NGRAMS = 256, 12
#: What the hashes are seeded with that rows and their n-grams are made from: the same for every model.
_VALUES, _COLUMNS = 1, 2
Matrix = NDArray[np.float64]

log = logging.getLogger("mailmill")


def files(model: Model, wanted: Literal["auto", "required", "off"]) -> dict[str, bytes]:
    """{"model.onnx": the verified graph}, or nothing where it is off or, unless required, cannot be had: onnx is not
    installed, the model is too large, or ONNX Runtime and mailmill disagree (`verify`), which the log says.

    Raises:
        ConfigError: it is required, and onnx or onnxruntime is not installed, the model is too large for ONNX, or ONNX
            Runtime and mailmill disagree.
    """
    if wanted == "off" or (wanted == "auto" and _missing()):
        return {}
    require(wanted)
    try:
        if wanted == "auto" and isinstance(model, ForestModel) and (nodes := _nodes(model)) > _MOST_NODES:
            raise ConfigError(f"a forest of {nodes} nodes is too large for train.onnx = auto, not for required")
        content = export(model)
        verify(model, content)
    except ConfigError as error:
        if wanted == "required":
            raise
        log.warning("%s; %s is left out", error.message, FILE)
        return {}
    return {FILE: content}


def require(wanted: Literal["auto", "required", "off"]) -> None:
    """Raise ConfigError where ONNX is required and not installed: known before anything is trained."""
    if wanted == "required" and (missing := _missing()):
        raise ConfigError(f"train.onnx needs {' and '.join(missing)}", hint="pip install 'mailmill[onnx]'")


def _missing() -> list[str]:
    return [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]


def export(model: Model) -> bytes:
    """The model with its calibration and threshold as an ONNX graph. Raises ConfigError where it is too large."""
    forest = isinstance(model, ForestModel)
    graph = Graph(model.columns, 0 if isinstance(model, ForestModel) else model.sparse_columns)
    if isinstance(model, ForestModel):
        leaves = (_nodes(model) + len(model.trees)) // 2
        _fitting(_NODE_BYTES * _nodes(model) + _LEAF_BYTES * len(model.classes) * leaves)
        p = graph.trees(graph.double(DENSE), model.trees, model.classes)
    else:
        _fitting(model.coef.nbytes + (0 if model.sparse is None else model.sparse.nbytes))
        p = linear(graph, model.coef.T, model.intercept, None if model.sparse is None else model.sparse.T)
    p = calibrated(graph, p, model.calibration)
    # A forest's votes are float32 in ONNX, and many mails have just the same: 14 of 20 trees are less than 0.7 there.
    rounded = forest and model.calibration.method == "none"
    threshold = float(np.float32(model.threshold)) if rounded else model.threshold
    about = {"kind": "forest" if forest else "logistic", "classes": ", ".join(model.classes)}
    return graph.finish(p, labelled(graph, p, model.classes, threshold), about)


def _nodes(model: ForestModel) -> int:
    return sum(len(tree.feature) for tree in model.trees)


def _fitting(size: int) -> None:
    if size > _MOST_BYTES:
        raise ConfigError(f"ONNX files hold at most 2 GiB, this model {size / 2**30:.1f} GiB", hint=_WAY_OUT)


def verify(model: Model, content: bytes) -> float:
    """The largest difference of a probability between ONNX Runtime and mailmill on rows made from hashes.

    Half of the values are small, half lie on thresholds of a forest's own splits, where <= and < differ. What may
    differ is the score, by `TOLERANCE`: a forest's votes are float32 in ONNX, and where calibration is steep, as
    between two knots of an isotonic one, it makes more of that. Labels are compared where that cannot change them.

    Raises:
        ConfigError: a probability is further off than that, or a label is another.
    """
    drawn = mix(_VALUES, np.arange(_ROWS * model.columns, dtype=np.uint64)) >> np.uint64(40)
    X = (drawn.astype(np.float64) / 2**24 - 0.5).astype(np.float32).reshape(_ROWS, model.columns)
    inputs: dict[str, Any] = {}
    sparse = None
    if isinstance(model, ForestModel):
        for tree in model.trees:
            inner = np.flatnonzero(tree.feature >= 0)[: _ROWS // 2]
            X[np.arange(len(inner)), tree.feature[inner]] = tree.threshold[inner]
    elif model.sparse_columns:
        indices = mix(_COLUMNS, np.arange(_ROWS * _NGRAMS, dtype=np.uint64)).reshape(_ROWS, _NGRAMS)
        columns = np.sort(indices % np.uint64(model.sparse_columns), axis=1).astype(np.int32)
        values = np.linspace(-1, 1, _ROWS * _NGRAMS, dtype=np.float32)
        bounds = np.arange(0, _ROWS * _NGRAMS + 1, _NGRAMS)
        sparse = SparseRows(bounds, columns.ravel(), values, model.sparse_columns)
        inputs = dict(zip((INDICES, VALUES), padded(bounds, columns.ravel(), values), strict=True))
    said, labels = session(content).run([PROBABILITY, LABEL], {DENSE: X, **inputs})
    ours = probability(model, X, sparse)
    difference = float(np.abs(said - ours).max())
    low, high = _bounds(model, probability(replace(model, calibration=UNCALIBRATED), X, sparse))
    if not ((low <= said) & (said <= high)).all():
        raise ConfigError(f"ONNX Runtime and mailmill differ by {difference:.1e} on a probability", hint=_WAY_OUT)
    called = predict(ours, model.threshold)
    nearest = np.where(np.arange(len(model.classes)) == called[:, None], low, high)  # to another label
    other = (np.array(model.classes)[called] != labels) & (predict(nearest, model.threshold) == called)
    if other.any():
        raise ConfigError(f"ONNX Runtime and mailmill differ on {other.sum()} of {_ROWS} labels", hint=_WAY_OUT)
    return difference


def _bounds(model: Model, score: Matrix) -> tuple[Matrix, Matrix]:
    """The least and the most that may be said of scores within `TOLERANCE` of these: each (rows, classes)."""
    low, high = score - TOLERANCE, score + TOLERANCE
    if model.calibration.method != "none":
        least, most = (model.calibration.apply(np.clip(bound[:, 1], 0, 1)) for bound in (low, high))
        low, high = np.stack([1 - most, least], axis=1), np.stack([1 - least, most], axis=1)
    return low - _ROUNDING, high + _ROUNDING


def linear(graph: Graph, coef: Matrix, intercept: Matrix, sparse: Matrix | None) -> str:
    """softmax(x coef + s sparse + intercept), or for one column of coefficients (1 - σ(z), σ(z)): (rows, classes).

    coef float64 (d, k), intercept (k,), sparse (m, k) or None; k = 1 for two classes.
    """
    z = graph("Add", graph("MatMul", graph.double(DENSE), coef), intercept)
    if sparse is not None:
        weights = graph("Gather", sparse, INDICES, axis=0)
        values = graph("Unsqueeze", graph.double(VALUES), np.array([2]))
        terms = graph("ReduceSum", graph("Mul", weights, values), np.array([1]), keepdims=0)
        z = graph("Add", z, terms)
    if coef.shape[1] > 1:
        return graph("Softmax", z, axis=1)
    return graph("Concat", graph("Sigmoid", graph("Neg", z)), graph("Sigmoid", z), axis=1)


def calibrated(graph: Graph, probability: str, calibration: Calibration) -> str:
    """`Calibration.apply` on the second column, and one minus it in the first.

    Platt's log-odds are taken from both columns: near 1 a forest's votes, float32 in ONNX, tell 1 - p from the first.
    """
    if calibration.method == "none":
        return probability
    q, p = (graph("Slice", probability, np.array([c]), np.array([c + 1]), np.array([1])) for c in (0, 1))
    if calibration.method == "platt":
        odds = graph("Sub", _log(graph, p), _log(graph, q))
        scaled = graph("Mul", odds, np.float64(calibration.slope))
        said = graph("Sigmoid", graph("Add", scaled, np.float64(calibration.offset)))
    else:
        at, value = np.array(calibration.knots).T
        # As numpy.interp, from the last knot that p has reached: what is flat says just one value.
        reached = graph("ReduceSum", graph.integer(graph("GreaterOrEqual", p, at)), np.array([1]), keepdims=1)
        slopes = np.concatenate([[0], np.diff(value) / np.diff(at), [0]])
        pieces = (np.append(at[:1], at), np.append(value[:1], value), slopes)
        start, base, slope = (graph("Gather", of, reached) for of in pieces)
        said = graph("Add", graph("Mul", graph("Sub", p, start), slope), base)
    return graph("Concat", graph("Sub", np.float64(1), said), said, axis=1)


def _log(graph: Graph, p: str) -> str:
    """log(p), constant above 1 - EDGE; below EDGE its tangent, and 1 more."""
    below = graph("Min", graph("Mul", p, np.float64(1 / EDGE)), np.float64(1))
    inside = graph("Min", graph("Max", p, np.float64(EDGE)), np.float64(1 - EDGE))
    return graph("Add", graph("Log", inside), below)


def labelled(graph: Graph, probability: str, classes: Sequence[str], threshold: float) -> str:
    """The label of each row, as `scoring.predict` chooses it: strings (rows,)."""
    if len(classes) == 2:
        p = graph("Squeeze", graph("Slice", probability, np.array([1]), np.array([2]), np.array([1])), np.array([1]))
        chosen = graph.integer(graph("GreaterOrEqual", p, np.float64(threshold)))
    else:
        chosen = graph("ArgMax", probability, axis=1, keepdims=0)
    return graph("Gather", np.array(list(classes)), chosen)


def padded(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], values: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Compressed sparse rows as the two inputs of the graph: each (rows, longest), padded with zeros."""
    lengths = np.diff(indptr)
    shape = (len(lengths), int(lengths.max(initial=1)))
    filled = np.arange(shape[1]) < lengths[:, None]
    places, weights = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    places[filled], weights[filled] = indices, values
    return places, weights


def session(content: bytes) -> Any:
    """An ONNX Runtime session on one thread. Raises ConfigError where onnxruntime is not installed.

    From 1.29 on its wheels tell Microsoft of each session, and keep an identifier of the machine, unless told not to.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        raise ConfigError("verifying ONNX needs onnxruntime", hint="pip install 'mailmill[onnx]'") from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
