"""Scoring tables of new mail with a published model, on any engine, and ranking what was scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pyarrow as pa

from mailmill import schemas
from mailmill.errors import ConfigError
from mailmill.features.rows import columns_of
from mailmill.job import Job, done, skipped
from mailmill.models import artifact, queue
from mailmill.progress import watch
from mailmill.stages.ingesting import TAKEN_FOR
from mailmill.stages.scorer import Scorer
from mailmill.storage import manifests
from mailmill.storage.fragments import Scan, Written
from mailmill.storage.manifests import Manifest
from mailmill.storage.tables import Stage, Table, Workspace


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
        return {"unranked": queue.scores(batch.column("key"), p, self.scorer.artifact.model)}


#: What a workspace has published that is more than the scores of new mail.
_MORE = ("labels", "features", "metrics", "models/logistic", "models/forest")


def require_own(job: Job) -> None:
    """Raise ConfigError where the workspace holds mail or models that new mail to be scored would take the place of.

    Nothing but an earlier scoring belongs there, ended or not. Other mail may have left the place where it was read.
    """
    workspace = job.workspace
    found = [name for name in _MORE if workspace.find(name)]
    raw = workspace.find("raw")
    if raw is not None and not found and not _of_scoring(workspace, raw):
        found = ["raw"]
    if found:
        raise ConfigError(
            f"{workspace.root} is a workspace of other mail: it holds {', '.join(found)}",
            hint="name another folder, for the scores of new mail alone",
        )


def _of_scoring(workspace: Workspace, raw: Manifest) -> bool:
    """Whether raw mail was taken to be scored: it says so, or (in versions before it did not) it is what was scored."""
    if TAKEN_FOR in raw.statistics:
        return True
    clean, scores = workspace.find("clean"), workspace.find("scores")
    if clean is None or scores is None:
        return False
    return (clean.inputs.get("raw"), scores.inputs.get("clean")) == (raw.fingerprint, clean.fingerprint)


def score_mail(job: Job, scorer: Scorer) -> Table:
    """`clean` and a model from elsewhere -> `scores`, ranked most negative first."""
    texts = job.workspace.open("clean", schemas.CLEAN)
    found = scorer.artifact
    files = artifact.to_bytes(found.model, feature_spec=found.feature_spec, training=found.training)
    inputs = {"clean": texts.fingerprint, "model": manifests.digest_of(files[artifact.DOCUMENT])}
    stage = job.stage(inputs, [], {"scores": schemas.SCORES})
    if stage.unchanged:
        return skipped(stage, "scores")
    kernel = NewMailKernel(scorer)
    with watch("score", texts.rows) as progress:
        written = job.map_table(texts, kernel, stage.sink_for(kernel.outputs), progress)
    return done(job.publish(stage, ranked(job, stage, written), {"model": kind_of(scorer)}), "scores")


def ranked(job: Job, stage: Stage, unranked: list[Written]) -> list[Written]:
    """The scores of a stage, written again in the order of the queue."""
    draft = stage.draft("unranked", unranked, queue.UNRANKED)
    scans = draft.scans(job.engine.task_bytes)
    if not scans:
        return []
    cuts, counts = queue.laid_out(partial(job.engine.map_reduce, scans))
    ranges = queue.ranges(counts)
    if len(ranges) > 1:
        scans = _sorted(job, stage, scans)
    task = queue.Ranking(tuple(scans), stage.sink_for({"scores": schemas.SCORES}), cuts)
    sizes = [after - first for first, after in pairwise([*(part.first for part in ranges), draft.rows + 1])]
    with watch("rank", draft.rows) as progress:
        return job.engine.write_tasks(queue.rank, ranges, task, progress, sizes)


def _sorted(job: Job, stage: Stage, scans: list[Scan]) -> list[Scan]:
    """The unranked scores again, part by part in order: a range then reads its own rows, not the whole table."""
    parts = [queue.Part(number, scan) for number, scan in enumerate(scans)]
    written = job.engine.write_tasks(queue.sort_part, parts, stage.sink_for({"sorted": queue.UNRANKED}))
    return stage.draft("sorted", written, queue.UNRANKED).scans(job.engine.task_bytes)


def kind_of(scorer: Scorer) -> str:
    """The model's kind, for people."""
    return type(scorer.artifact.model).__name__.removesuffix("Model").lower()
