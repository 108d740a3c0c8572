"""Scoring new mail with a published model: a day's mail on any engine, or one message without one.

The model says how text became its features; the word vectors that it names are looked for by their fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill import schemas
from mailmill.email import clean_message
from mailmill.errors import DataError
from mailmill.features.featurize import Featurizer
from mailmill.features.glove import META
from mailmill.features.rows import columns_of
from mailmill.features.spec import FeatureSpec
from mailmill.features.vectors import FOLDER, SharedVectors, prepare
from mailmill.features.weights import META as WEIGHTS_META
from mailmill.features.weights import SharedWeights
from mailmill.models import artifact, queue
from mailmill.models.data import SparseRows
from mailmill.models.scoring import predict, probability, sentiment
from mailmill.progress import watch
from mailmill.storage import manifests
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.fragments import Written
from mailmill.storage.tables import Stage, Table

if TYPE_CHECKING:
    from mailmill.job import Job  # one message is scored without an engine


@dataclass(frozen=True)
class Scorer:
    """A model with the word vectors of its features. Picklable; the vectors are mapped where it is used."""

    artifact: artifact.Artifact
    vectors: SharedVectors
    weights: SharedWeights | None = None

    def probabilities(self, texts: Sequence[str], subjects: Sequence[str] = ()) -> NDArray[np.float64]:
        """P(class | mail) of each mail and class: float64 (n, classes). `subjects`: unless they are ignored."""
        found = self._featurizer(texts, subjects)
        sparse = None
        if found.bounds is not None and found.indices is not None and found.values is not None:
            sparse = SparseRows(found.bounds, found.indices, found.values, self.specification.sparse_columns)
        return probability(self.artifact.model, found.vectors, sparse)

    @cached_property
    def _featurizer(self) -> Featurizer:
        return Featurizer(self.specification, self.vectors.open(), self.weights.open() if self.weights else None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("artifact", "vectors", "weights")}  # maps stay where they are

    @property
    def specification(self) -> FeatureSpec:
        """How text becomes the model's features."""
        return FeatureSpec.from_dict(self.artifact.feature_spec)


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
        "words": len(mail.text.split()),
        "language": mail.language,
    }


@dataclass(frozen=True)
class NewMailKernel:
    """Rows of the clean table -> key, probability, sentiment, label: features are made and used on the way."""

    scorer: Scorer

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        """The scores, not yet ranked."""
        return {"unranked": queue.UNRANKED}

    @property
    def columns(self) -> list[str]:
        """The author's own words, and the subject where the model reads it."""
        return columns_of(self.scorer.specification)

    def __call__(self, batch: pa.RecordBatch) -> Mapping[str, pa.RecordBatch]:
        """Score a batch; a row's score does not depend on its neighbours."""
        subjects = batch.column("subject").to_pylist() if "subject" in self.columns else []
        p = self.scorer.probabilities(batch.column("text").to_pylist(), subjects)
        model = self.scorer.artifact.model
        labels = pa.array(model.classes).take(pa.array(predict(p, model.threshold)))
        columns = [batch.column("key"), pa.array(p[:, -1]), pa.array(sentiment(p)), labels]
        return {"unranked": pa.RecordBatch.from_arrays(columns, schema=queue.UNRANKED)}


def score_mail(job: Job, scorer: Scorer) -> Table:
    """`clean` and a model from elsewhere -> `scores`, ranked most negative first."""
    from mailmill.job import done, skipped

    texts = job.workspace.open("clean", schemas.CLEAN)
    identity = artifact.to_bytes(
        scorer.artifact.model, feature_spec=scorer.artifact.feature_spec, training=scorer.artifact.training
    )[artifact.DOCUMENT]
    inputs = {"clean": texts.fingerprint, "model": manifests.digest_of(identity)}
    stage = job.stage(inputs, [], {"scores": schemas.SCORES})
    if stage.unchanged:
        return skipped(stage, "scores")
    kernel = NewMailKernel(scorer)
    with watch("score", texts.rows) as progress:
        written = job.map_table(texts, kernel, stage.sink_for(kernel.outputs), progress)
    return done(job.publish(stage, ranked(job, stage, written), {"model": identity_of(scorer)}), "scores")


def ranked(job: Job, stage: Stage, unranked: list[Written]) -> list[Written]:
    """The scores of a stage, written again in the order of the queue."""
    draft = stage.draft("unranked", unranked, queue.UNRANKED)
    scans = draft.scans(job.engine.task_bytes)
    if not scans:
        return []
    counts = job.engine.map_reduce(scans, queue.cell_counts, queue.add, None)
    task = queue.Ranking(tuple(scans), stage.sink_for({"scores": schemas.SCORES}))
    with watch("rank", draft.rows) as progress:
        return job.engine.write_tasks(queue.rank, queue.ranges(counts), task, progress)


def identity_of(scorer: Scorer) -> str:
    """The model's kind, for people."""
    return type(scorer.artifact.model).__name__.removesuffix("Model").lower()


def open_model(storage: Storage, place: str, vectors: str | None = None) -> Scorer:
    """The model at `place`: a folder with model.json, or a table of models with its manifest.

    Its word vectors are looked for beside the models, in the workspace, unless `vectors` names their source.
    Nothing of a model is executed. Raises DataError where either is missing, damaged, or not what it should be.
    """
    place = place.rstrip("/")
    root, folder = place, place
    manifest = manifests.read(storage, place)
    if manifest is not None:
        folder = join(place, f"run_id={manifest.run_id}")
    if not storage.exists(join(folder, artifact.DOCUMENT)):
        raise DataError(f"no model in {place}", hint="name a folder with model.json, e.g. WORK/models/logistic")
    files = {name: storage.read(join(folder, name)) for name in (artifact.DOCUMENT, artifact.WEIGHTS)}
    found = artifact.from_bytes(files)
    spec = FeatureSpec.from_dict(found.feature_spec)
    shared = prepare(storage, place, vectors) if vectors is not None else None
    weights = None
    for _ in range(4):  # work/models/NAME/run_id=ID
        root = root.rpartition("/")[0]
        if not root or root.endswith(":/"):
            break
        shared = shared or find_vectors(storage, root, spec.fingerprint)
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


def find_vectors(storage: Storage, work: str, fingerprint: str) -> SharedVectors | None:
    """The prepared word vectors of a workspace that have this fingerprint, or None."""
    for name in storage.children(join(work, FOLDER)):
        uri = join(work, FOLDER, name)
        if _fingerprint(storage, join(uri, META)) == fingerprint:
            return SharedVectors(storage, uri, fingerprint)
    return None


def find_weights(storage: Storage, work: str, fingerprint: str) -> SharedWeights | None:
    """The published weights of a workspace's features that have this fingerprint, or None."""
    for name in storage.children(join(work, "weights")):
        uri = join(work, "weights", name)
        if _fingerprint(storage, join(uri, WEIGHTS_META)) == fingerprint:
            return SharedWeights(storage, uri, fingerprint)
    return None


def _fingerprint(storage: Storage, uri: str) -> str | None:
    """The fingerprint that a folder's small JSON file names; None where there is no such file."""
    if not storage.exists(uri):
        return None
    try:
        meta = json.loads(storage.read(uri))
    except ValueError:
        return None
    return str(meta.get("fingerprint")) if isinstance(meta, dict) else None
