"""A model with all that it needs to score mail; one message is scored by it alone, without an engine or a table.

The model says how text became its features; the word vectors that it names are looked for by their fingerprint.
A mail program may start a process for each message, so nothing is imported here that one message does not need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.email import clean_message
from mailmill.errors import DataError
from mailmill.features.featurize import Features, Featurizer
from mailmill.features.spec import FeatureSpec
from mailmill.features.vectors import SharedVectors, find, prepare
from mailmill.features.weights import META as WEIGHTS_META
from mailmill.features.weights import SharedWeights
from mailmill.models import artifact, standing
from mailmill.models.data import SparseRows
from mailmill.models.scoring import predict, probability, sentiment
from mailmill.storage import manifests
from mailmill.storage.documents import documents
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.tables import Workspace


@dataclass(frozen=True)
class Scorer:
    """A model with the word vectors of its features. Picklable; the vectors are mapped where it is used."""

    artifact: artifact.Artifact
    vectors: SharedVectors
    weights: SharedWeights | None = None

    def probabilities(self, texts: Sequence[str], subjects: Sequence[str] = ()) -> NDArray[np.float64]:
        """P(class | mail) of each mail and class: float64 (n, classes). `subjects`: unless they are ignored."""
        found = self._featurizer(texts, subjects)
        return probability(self.artifact.model, found.vectors, sparse_of(found, self.specification.sparse_columns))

    @cached_property
    def _featurizer(self) -> Featurizer:
        return Featurizer(self.specification, self.vectors.open(), self.weights.open() if self.weights else None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("artifact", "vectors", "weights")}  # maps stay where they are

    @property
    def specification(self) -> FeatureSpec:
        """How text becomes the model's features."""
        return FeatureSpec.from_dict(self.artifact.feature_spec)


def sparse_of(made: Features, columns: int) -> SparseRows | None:
    """The n-grams of featurised texts as rows of so many columns; None where the specification has none."""
    if made.bounds is None or made.indices is None or made.values is None:
        return None
    return SparseRows(made.bounds, made.indices, made.values, columns)


def chosen(workspace: Workspace, name: str) -> str:
    """The model that scores in a workspace: `name` of the section `score`, or the one that its evaluation chose.

    Raises DataError where models were trained anew since, so that the choice was among others.
    """
    if name != "chosen":
        return name
    metrics = workspace.manifest("metrics")
    if outdated := standing.outdated(workspace, metrics):
        raise DataError(outdated, hint=f"{standing.WAY_OUT} first, or name the model that shall score: score.model")
    return str(metrics.statistics["chosen"])


def score_message(raw: bytes, scorer: Scorer) -> dict[str, Any]:
    """The score of one message: probability of the positive class, sentiment in [-1, 1], label, words, language.

    Raises RejectedMessage where the message cannot be used.
    """
    mail = clean_message(raw)
    p = scorer.probabilities([mail.text], [mail.subject])
    classes = scorer.artifact.model.classes
    return {
        "probability": float(p[0, -1]),
        "sentiment": float(sentiment(p)[0]),
        "label": classes[int(predict(p, scorer.artifact.model.threshold)[0])],
        "classes": list(classes),
        "words": mail.words,
        "language": mail.language,
    }


def open_model(storage: Storage, place: str, vectors: str | None = None) -> Scorer:
    """The model at `place`: a folder with model.json, or a table of models with its manifest.

    Its word vectors are looked for beside the models, in the workspace, unless `vectors` names their source.
    Nothing of a model is executed. Raises DataError where either is missing, damaged, or not what it should be.
    """
    place = place.rstrip("/") if "://" in place else str(Path(place).absolute())  # what lies above it has a name then
    root, folder = place, place
    manifest = manifests.read(storage, place)
    if manifest is not None:
        folder = join(place, f"run_id={manifest.run_id}")
    if not storage.exists(join(folder, artifact.DOCUMENT)):
        raise DataError(f"no model in {place}", hint="name a folder with model.json, e.g. WORK/models/logistic")
    files = {name: storage.read(join(folder, name)) for name in (artifact.DOCUMENT, artifact.WEIGHTS)}
    with artifact.read_at(place):
        found = artifact.from_bytes(files)
        spec = FeatureSpec.from_dict(found.feature_spec)
    shared = prepare(storage, place, vectors, spec.fingerprint) if vectors is not None else None
    weights = None
    for _ in range(4):  # work/models/NAME/run_id=ID
        root = root.rpartition("/")[0]
        if not root or root.endswith(":/"):
            break
        shared = shared or find(storage, root, spec.fingerprint)
        weights = weights or (find_weights(storage, root, spec.weights) if spec.fitted else None)
        if shared is not None and (weights is not None or not spec.fitted):
            return Scorer(found, shared, weights)
    if shared is not None and not spec.fitted:
        return Scorer(found, shared)
    if shared is not None:
        raise DataError(
            f"the features' weights of the model in {place} are not beside it", hint="copy the table weights with it"
        )
    raise DataError(
        f"the word vectors of the model in {place} ({spec.vectors}) are not beside it",
        hint="say where they are: --vectors FILE or --vectors package:NAME",
    )


def find_weights(storage: Storage, work: str, fingerprint: str) -> SharedWeights | None:
    """The published weights of a workspace's features that have this fingerprint, or None."""
    found = [uri for uri, meta in _weights(storage, join(work, "weights")) if meta.get("fingerprint") == fingerprint]
    return SharedWeights(storage, found[0], fingerprint) if found else None


def weights_in_use(workspace: Workspace) -> set[str]:
    """The folders of the table `weights` (`run_id=ID`) by which the workspace's models read their features.

    A model that is trained weekly scores new mail every night, by the weights that it was trained with.
    """
    wanted = {spec.get("weights") for spec in _specifications(workspace)}
    found = _weights(workspace.storage, workspace.uri_of("weights"))
    return {uri.rpartition("/")[2] for uri, meta in found if meta and meta.get("fingerprint") in wanted}


def _weights(storage: Storage, table_uri: str) -> list[tuple[str, dict[str, Any]]]:
    """The folders of the table `weights`, of this run and of those before, and what each says of itself."""
    folders = [join(table_uri, name) for name in storage.children(table_uri) if name.startswith("run_id=")]
    return list(zip(folders, documents(storage, [join(uri, WEIGHTS_META) for uri in folders]), strict=True))


def vectors_in_use(workspace: Workspace) -> set[str]:
    """The fingerprints of the word vectors by which the workspace's models read mail."""
    return {str(spec.get("fingerprint")) for spec in _specifications(workspace)}


def _specifications(workspace: Workspace) -> list[dict[str, Any]]:
    """How the models of a workspace make features: those published, now and before, and copies in folders of their own.

    A copy is looked for in the workspace and in its folder `models`. What else lies in the workspace and is not ours to
    read (a disk's "lost+found") holds no model of ours.
    """
    storage, models = workspace.storage, workspace.uri_of("models")
    places = [place for name in storage.children(models) if not storage.exists(place := join(models, name))]  # no files
    runs = [join(place, run) for place in places for run in storage.children(place) if run.startswith("run_id=")]
    beside = [join(workspace.root, name) for name in storage.children(workspace.root)]
    found = documents(storage, [join(place, artifact.DOCUMENT) for place in places + runs])
    found += documents(storage, [join(place, artifact.DOCUMENT) for place in beside], ours=False)
    specs = [model.get("feature_spec") for model in found]
    return [spec for spec in specs if isinstance(spec, dict)]
