import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill.errors import DataError
from mailmill.features.spec import FeatureSpec
from mailmill.models.arrays import pack
from mailmill.models.artifact import DOCUMENT, WEIGHTS, from_bytes, require, to_bytes
from mailmill.models.data import TrainingArrays
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.logistic import LogisticModel, LogisticSettings, fit_logistic
from mailmill.models.metrics import evaluate
from mailmill.models.scoring import Model, probability

from .problems import CLASSES, cut, problem, sparse_problem

DATA = problem(400, 5)
RECORD: dict[str, Any] = {"feature_spec": {"glove": "6B.50d", "µ": [1, 2.5]}, "training": {"fingerprint": "ab12"}}


KINDS = ("forest", "logistic")


def fit(kind: str) -> tuple[Model, dict[str, Any]]:
    model: Model
    if kind == "logistic":
        model, evidence = fit_logistic(cut(DATA), CLASSES, LogisticSettings(class_weight=(1.0, 2.0)))
    else:
        model, evidence = fit_forest(
            cut(DATA), CLASSES, ForestSettings(trees=4, depth=5, max_features=0.5, shrinkage=3.0)
        )
    return model, {**RECORD, "evidence": evidence, "metrics": evaluate(cut(DATA), model)}


fitted = cache(fit)


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_is_byte_identical(kind: str) -> None:
    model, record = fitted(kind)
    made = to_bytes(model, **record)
    back = from_bytes(made)
    assert probability(back.model, DATA.X).tobytes() == probability(model, DATA.X).tobytes()
    assert back.model.settings == model.settings
    assert back.model.classes == CLASSES
    assert back.feature_spec == RECORD["feature_spec"]
    assert back.metrics == json.loads(json.dumps(record["metrics"].to_dict()))
    assert back.evidence == record["evidence"].to_dict()
    assert sorted(made) == [DOCUMENT, WEIGHTS]
    assert to_bytes(back.model, **record) == made
    assert to_bytes(fit(kind)[0], **record) == made


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_reads_the_weights_without_pickle(kind: str) -> None:
    model, record = fitted(kind)
    with np.load(io.BytesIO(to_bytes(model, **record)[WEIGHTS]), allow_pickle=False) as arrays:
        assert all(not arrays[name].dtype.hasobject for name in arrays.files)


def files(kind: str) -> dict[str, bytes]:
    model, record = fitted(kind)
    return to_bytes(model, **record)


def with_weights(kind: str, weights: bytes, /, **changes: object) -> dict[str, bytes]:
    """The artifact with other weights and a matching hash, as an attacker would write it."""
    document = json.loads(files(kind)[DOCUMENT])
    document.update(changes, weights_sha256=hashlib.sha256(weights).hexdigest())
    return {DOCUMENT: json.dumps(document).encode(), WEIGHTS: weights}


def arrays(kind: str) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(files(kind)[WEIGHTS])) as stored:
        return {name: stored[name].copy() for name in stored.files}


def test_with_weights_is_accepted_when_nothing_is_changed() -> None:
    for kind in KINDS:
        from_bytes(with_weights(kind, files(kind)[WEIGHTS]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "other"), ("version", 2), ("version", True), ("version", 1.0), ("kind", "pickle"), ("kind", None),
        ("classes", ["a"]), ("classes", ["a", "a"]), ("classes", [1, 2]), ("classes", "ab"), ("classes", None),
        ("classes", ["a", "b", "c"]), ("classes", ["a", "\ud800"]),
        ("columns", 4), ("columns", 0), ("columns", 5.0), ("columns", True),
        ("threshold", 0.0), ("threshold", 1.0), ("threshold", 1), ("threshold", None),
        ("feature_spec", []), ("training", None), ("evidence", 3), ("metrics", "x"), ("hyperparameters", {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
def test_wrong_descriptions_are_refused(kind: str, name: str, value: object) -> None:
    with pytest.raises(DataError):
        from_bytes(with_weights(kind, files(kind)[WEIGHTS], **{name: value}))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("logistic", "l2", -1), ("logistic", "l2", "x"), ("logistic", "class_weight", ["a", "b"]),
        ("logistic", "standardize", 2), ("logistic", "import", "os"), ("forest", "trees", 3),
        ("forest", "trees", 10**30), ("forest", "depth", 1), ("forest", "criterion", ["gini"]),
        ("forest", "max_features", None), ("forest", "seed", 0.5), ("forest", "trees", None),
        ("forest", "shrinkage", 10**400), ("forest", "class_weights", [1, 10**400]),
    ],
)  # fmt: skip
def test_wrong_hyperparameters_are_refused(kind: str, name: str, value: object) -> None:
    values = {**json.loads(files(kind)[DOCUMENT])["hyperparameters"], name: value}
    with pytest.raises(DataError):
        from_bytes(with_weights(kind, files(kind)[WEIGHTS], hyperparameters=values))


FOREST_ATTACKS: dict[str, Callable[[dict[str, np.ndarray]], Any]] = {
    "a loop": lambda a: a["left"].__setitem__(0, 0),
    "a child outside": lambda a: a["right"].__setitem__(0, 2**31 - 1),
    "a negative child": lambda a: a["left"].__setitem__(0, -5),
    "a feature outside": lambda a: a["feature"].__setitem__(0, 5),
    "a threshold that is NaN": lambda a: a["threshold"].__setitem__(0, np.nan),
    "a negative count": lambda a: a["counts"].__setitem__((0, 0), -1),
    "huge counts": lambda a: a["counts"].__setitem__(slice(None), 2**62),
    "a class of no weight": lambda a: a["weights"].__setitem__(0, 0),
    "offsets that run back": lambda a: a["offsets"].__setitem__(1, 0),
    "offsets that overflow": lambda a: a["offsets"].__setitem__(1, 2**63 - 1),
    "negative offsets": lambda a: a["offsets"].__setitem__(1, -(2**63)),
    "arrays of different lengths": lambda a: a.__setitem__("bin", a["bin"][:-1]),
    "another class": lambda a: a.__setitem__("counts", np.tile(a["counts"], (1, 2))),
    "another dtype": lambda a: a.__setitem__("left", a["left"].astype(np.int64)),
    "another dimension": lambda a: a.__setitem__("left", a["left"][:, None]),
    "another array": lambda a: a.__setitem__("code", a["left"]),
    "a missing array": lambda a: a.pop("bin"),
    "no trees": lambda a: a.update({name: array[:0] for name, array in a.items()}),
}


@pytest.mark.parametrize("attack", FOREST_ATTACKS)
def test_hostile_forests_are_refused(attack: str) -> None:
    changed = arrays("forest")
    FOREST_ATTACKS[attack](changed)
    with pytest.raises(DataError):
        from_bytes(with_weights("forest", pack(changed)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_hyperparameter_is_needed(kind: str) -> None:
    whole = json.loads(files(kind)[DOCUMENT])["hyperparameters"]
    for name in whole:
        values = {key: value for key, value in whole.items() if key != name}
        with pytest.raises(DataError, match="hyperparameters must be exactly"):
            from_bytes(with_weights(kind, files(kind)[WEIGHTS], hyperparameters=values))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coefficients_that_are_not_finite_are_refused(value: float) -> None:
    for name in ("coef", "intercept"):
        changed = arrays("logistic")
        changed[name].flat[0] = value
        with pytest.raises(DataError, match="finite"):
            from_bytes(with_weights("logistic", pack(changed)))


LOGISTIC_ATTACKS: dict[str, Callable[[dict[str, np.ndarray]], Any]] = {
    "a column outside": lambda a: a["sparse_index"].__setitem__(-1, 40),
    "a negative column": lambda a: a["sparse_index"].__setitem__(0, -1),
    "a column twice": lambda a: a["sparse_index"].__setitem__(1, a["sparse_index"][0]),
    "a width of terabytes": lambda a: a["sparse_columns"].__setitem__(0, 2**62),
    "a negative width": lambda a: a["sparse_columns"].__setitem__(0, -1),
    "two widths": lambda a: a.__setitem__("sparse_columns", np.array([40, 40])),
    "values of another length": lambda a: a.__setitem__("sparse_value", a["sparse_value"][:, 1:]),
    "a value that is NaN": lambda a: a["sparse_value"].__setitem__((0, 0), np.nan),
    "another width of dense columns": lambda a: a.__setitem__("coef", a["coef"][:, 1:]),
}


def sparse_fit() -> tuple[LogisticModel, TrainingArrays]:
    data = sparse_problem(400, 5, 40)
    return fit_logistic(cut(data), CLASSES, LogisticSettings(l1=0.005))[0], data


def test_sparse_coefficients_survive_and_zeros_take_no_room() -> None:
    model, data = sparse_fit()
    made = to_bytes(model, **RECORD)
    back = from_bytes(made).model
    assert isinstance(back, LogisticModel)
    assert back.probability(data.X, data.sparse).tobytes() == model.probability(data.X, data.sparse).tobytes()
    with np.load(io.BytesIO(made[WEIGHTS])) as stored:
        assert 0 < len(stored["sparse_index"]) < 40
    assert to_bytes(back, **RECORD) == made


def test_many_classes_of_many_columns_are_refused() -> None:
    k = 1000
    changed = arrays("logistic") | {
        "coef": np.zeros((k, 5)),
        "intercept": np.zeros(k),
        "sparse_value": np.zeros((k, 0)),
    }
    weights = pack(changed | {"sparse_columns": np.array([1 << 24])})
    names = [str(i) for i in range(k)]
    with pytest.raises(DataError, match="too large"):
        from_bytes(with_weights("logistic", weights, classes=names))
    with pytest.raises(DataError, match="too large"):
        require(["logistic"], names, 1 << 24)  # before any training
    require(["forest"], names, 1 << 24)
    require(["logistic"], names, 1 << 18)


def test_a_model_of_the_widest_features_can_be_loaded() -> None:
    width = FeatureSpec("v", "0", 300, ngrams=3, skips=4, ngram_bits=24).sparse_columns
    require(["logistic"], CLASSES, width)
    values = {"sparse_index": np.array([width - 1], np.int32), "sparse_value": np.ones((1, 1))}
    weights = pack(arrays("logistic") | values | {"sparse_columns": np.array([width])})
    model = from_bytes(with_weights("logistic", weights)).model
    assert isinstance(model, LogisticModel)
    assert model.sparse is not None


@pytest.mark.parametrize("attack", LOGISTIC_ATTACKS)
def test_hostile_sparse_coefficients_are_refused(attack: str) -> None:
    made = to_bytes(sparse_fit()[0], **RECORD)
    with np.load(io.BytesIO(made[WEIGHTS])) as stored:
        changed = {name: stored[name].copy() for name in stored.files}
    LOGISTIC_ATTACKS[attack](changed)
    weights = pack(changed)
    document = json.loads(made[DOCUMENT]) | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    with pytest.raises(DataError):
        from_bytes({DOCUMENT: json.dumps(document).encode(), WEIGHTS: weights})


def archive(contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as target:
        for name, data in contents.items():
            target.writestr(name, data)
    return stream.getvalue()


def members(kind: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(files(kind)[WEIGHTS])) as source:
        return {info.filename: source.read(info) for info in source.infolist()}


def member(header: str, body: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


HEADERS = {
    "a pickled object": "{'descr': '|O', 'fortran_order': False, 'shape': (5,), }",
    "a claim of terabytes": "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }",
    "a shape that overflows": "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775809,), }",
    "a negative shape": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    "code": "__import__('os').system('true')",
    "an unfinished header": "{'descr': '<f8', (((",
    "deep nesting": "(" * 5000,
    "another byte order": "{'descr': '>f8', 'fortran_order': False, 'shape': (0,), }",
    "records": "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (0,), }",
    "no header": "",
}


@pytest.mark.parametrize("header", HEADERS)
def test_hostile_headers_are_refused(header: str) -> None:
    weights = archive(members("logistic") | {"coef.npy": member(HEADERS[header])})
    with pytest.raises(DataError, match=r"coef|\.npy|readable"):
        from_bytes(with_weights("logistic", weights))


def test_zip_bombs_are_refused() -> None:
    bomb = archive(members("logistic") | {"coef.npy": bytes(10**7)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="compressed"):
        from_bytes(with_weights("logistic", bomb))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_weights_never_raise_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    weights = bytearray(files(kind)[WEIGHTS])
    for _ in range(data.draw(st.integers(1, 4))):
        weights[data.draw(st.integers(0, len(weights) - 1))] = data.draw(st.integers(0, 255))
    cut_at = data.draw(st.none() | st.integers(0, len(weights)))
    with_hash = with_weights(kind, bytes(weights[:cut_at]))
    try:
        loaded = from_bytes(with_hash)
    except DataError:
        return
    p = probability(loaded.model, DATA.X)
    assert np.isfinite(p).all()


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_document_is_refused_politely(document: bytes) -> None:
    with pytest.raises(DataError):
        from_bytes({DOCUMENT: document, WEIGHTS: b""})


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": NaN}', "[]", "null", '{"columns": ' + "9" * 5000 + "}", "\xff"])
def test_documents_that_are_not_plain_json_are_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"is not (valid JSON|a JSON object)"):
        from_bytes({DOCUMENT: text.encode("latin-1"), WEIGHTS: b""})


def test_a_description_without_end_is_refused() -> None:
    good = files("logistic")
    with pytest.raises(DataError, match="larger than 16777216 bytes"):
        from_bytes({**good, DOCUMENT: good[DOCUMENT] + b" " * (16 << 20)})


def test_damage_and_absence_are_named() -> None:
    good = files("logistic")
    with pytest.raises(DataError, match="damaged"):
        from_bytes({**good, WEIGHTS: good[WEIGHTS] + b"\0"})
    with pytest.raises(DataError, match=WEIGHTS):
        from_bytes({DOCUMENT: good[DOCUMENT]})


def test_what_json_cannot_say_is_refused() -> None:
    model, _ = fitted("logistic")
    for wrong in ({"a": float("nan")}, {"a": {1, 2}}, {"a": "\ud800"}):
        with pytest.raises(DataError, match="JSON"):
            to_bytes(model, feature_spec=wrong, training={})


def test_equal_forests_of_different_layout_give_equal_bytes() -> None:
    model, record = fitted("forest")
    strided = [replace(tree, feature=np.repeat(tree.feature, 2)[::2]) for tree in model.trees]
    assert to_bytes(replace(model, trees=tuple(strided)), **record) == to_bytes(model, **record)
