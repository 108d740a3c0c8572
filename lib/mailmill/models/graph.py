"""An ONNX graph while it is written: nodes, constants, trees; see `portable` for what is written."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mailmill.errors import ConfigError
from mailmill.models.tree import Tree

DENSE, INDICES, VALUES = "vector", "ngram_indices", "ngram_values"
PROBABILITY, LABEL = "probability", "label"


class Graph:
    """An ONNX graph while it is written: each call appends one node and names what it gives.

    Raises ConfigError where the onnx package is not installed.
    """

    def __init__(self, columns: int, sparse_columns: int = 0) -> None:
        try:
            self._onnx: Any = importlib.import_module("onnx")
        except ImportError:
            raise ConfigError("ONNX needs the package onnx", hint="pip install 'mailmill[onnx]'") from None
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        describe, kinds = self._onnx.helper.make_tensor_value_info, self._onnx.TensorProto
        self._inputs = [describe(DENSE, kinds.FLOAT, ["rows", columns])]
        if sparse_columns:
            self._inputs.append(describe(INDICES, kinds.INT64, ["rows", "longest"]))
            self._inputs.append(describe(VALUES, kinds.FLOAT, ["rows", "longest"]))

    def __call__(self, operator: str, *inputs: str | Any, to: str = "", **attributes: Any) -> str:
        """Append `operator` on tensors (by name) and constants (arrays, numbers); the name of its one output."""
        names = [given if isinstance(given, str) else self._constant(given) for given in inputs]
        output = to or f"{operator}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, names, [output], **attributes))
        return output

    def double(self, tensor: str) -> str:
        """The tensor as float64."""
        return self._cast(tensor, "DOUBLE")

    def integer(self, tensor: str) -> str:
        """The tensor as int64."""
        return self._cast(tensor, "INT64")

    def _cast(self, tensor: str, kind: str) -> str:
        output = f"Cast_{len(self._nodes)}"
        number = getattr(self._onnx.TensorProto, kind)
        self._nodes.append(self._onnx.helper.make_node("Cast", [tensor], [output], to=number))
        return output

    def _constant(self, value: Any) -> str:
        name, array = f"constant_{len(self._constants)}", np.asarray(value)
        if array.dtype.kind == "U":
            texts = [text.encode() for text in array.tolist()]
            tensor = self._onnx.helper.make_tensor(name, self._onnx.TensorProto.STRING, array.shape, texts)
        else:
            tensor = self._onnx.numpy_helper.from_array(array, name)
        self._constants.append(tensor)
        return name

    def trees(self, vector: str, trees: Sequence[Tree], classes: Sequence[str]) -> str:
        """Σ over trees of the class frequencies in the row's leaf, divided by the number of trees: (rows, classes)."""
        tensor = self._onnx.numpy_helper.from_array
        sizes = [len(tree.feature) for tree in trees]
        feature = np.concatenate([tree.feature for tree in trees])
        at_leaf = np.concatenate([np.flatnonzero(tree.feature < 0) for tree in trees])
        leaves = [int((tree.feature < 0).sum()) for tree in trees]
        weights = np.concatenate([tree.frequencies()[tree.feature < 0] for tree in trees]) / len(trees)
        k = len(classes)

        def joined(name: str) -> list[int]:
            return [max(0, int(child)) for tree in trees for child in getattr(tree, name)]

        node = self._onnx.helper.make_node(
            "TreeEnsembleClassifier",
            [vector],
            ["votes_label", "votes"],
            domain="ai.onnx.ml",
            nodes_treeids=np.repeat(np.arange(len(trees)), sizes).tolist(),
            nodes_nodeids=np.concatenate([np.arange(size) for size in sizes]).tolist(),
            nodes_featureids=np.maximum(feature, 0).tolist(),
            nodes_modes=np.where(feature < 0, "LEAF", "BRANCH_LEQ").tolist(),
            nodes_truenodeids=joined("left"),
            nodes_falsenodeids=joined("right"),
            nodes_values_as_tensor=tensor(np.concatenate([tree.threshold for tree in trees]).astype(np.float64)),
            class_treeids=np.repeat(np.arange(len(trees)), np.array(leaves) * k).tolist(),
            class_nodeids=np.repeat(at_leaf, k).tolist(),
            class_ids=np.tile(np.arange(k), len(at_leaf)).tolist(),
            class_weights_as_tensor=tensor(weights.astype(np.float64).ravel()),
            classlabels_strings=list(classes),
            post_transform="NONE",
        )
        self._nodes.append(node)
        return self.double("votes")

    def finish(self, probability: str, label: str, about: dict[str, str]) -> bytes:
        """The checked model with its two outputs, as bytes."""
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        self("Identity", probability, to=PROBABILITY)
        self("Identity", label, to=LABEL)
        outputs = [
            helper.make_tensor_value_info(PROBABILITY, kinds.DOUBLE, ["rows", "classes"]),
            helper.make_tensor_value_info(LABEL, kinds.STRING, ["rows"]),
        ]
        graph = helper.make_graph(self._nodes, "mailmill", self._inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
        model = helper.make_model(graph, producer_name="mailmill", opset_imports=opsets, ir_version=9)
        helper.set_model_props(model, about)
        self._onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
