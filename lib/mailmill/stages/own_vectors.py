"""The stage that trains word vectors on the workspace's own mail: `clean` -> `vectors/trained`.

    clean ──words──▶ vocabulary ──pairs──▶ co-occurrences ──sort──▶ pairs.bin ──epochs──▶ trained.txt

Counting is the engine's; training runs on the driver, on all its cores, from a file on its disk. What it
writes on the way lies in one folder, named after everything the vectors are a function of: a run that was
killed finds its pairs and its last epoch there. `features.vectors = "trained"` reads what is published,
and so does any tool that reads GloVe's text format.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mailmill import config as configuration
from mailmill import resources, schemas
from mailmill.config import TRAINED
from mailmill.engines import Grouping
from mailmill.errors import DataError, InfrastructureError
from mailmill.features import glove_training, vocabulary
from mailmill.features.cooccurrence import Counts, count_pairs, unit
from mailmill.features.glove_training import Trained, Training
from mailmill.features.pairs import BOUNDS, PairFile, Weighting, write_pairs
from mailmill.features.parameters import Layout
from mailmill.features.vocabulary import Vocabulary
from mailmill.job import Job, done, skipped
from mailmill.progress import watch
from mailmill.storage.disk import is_part, make_ours, replacing
from mailmill.storage.filesystems import is_s3
from mailmill.storage.fragments import Scan
from mailmill.storage.manifests import code_version
from mailmill.storage.tables import Stage, Table

log = logging.getLogger("mailmill")

#: The table of the vectors that `features.vectors = "trained"` means, and its file.
TABLE = f"vectors/{TRAINED}"
FILE = f"{TRAINED}.txt"

_PREFIX = "mailmill-training-"

PAIRS = pa.schema([pa.field(name, kind, nullable=False) for name, kind in
                   (("i", pa.int32()), ("j", pa.int32()), ("x", pa.int64()))])  # fmt: skip

#: What a killed run left of another training, i.e. of other mail or settings, is kept for so long, to go on with.
ABANDONED_SECONDS = 86_400.0

#: Tasks that count pairs read this share of what other tasks do: a text has many times more pairs than words.
_SMALLER = 8


def source(job: Job) -> str:
    """Where the vectors of `features.vectors` come from: as it says, or this stage's published file.

    Raises DataError where vectors are to be trained and are not yet.
    """
    if job.config.features.vectors != TRAINED:
        return job.config.features.vectors
    if job.workspace.find(TABLE) is None:
        raise DataError('features.vectors is "trained", but no vectors were trained yet', hint="run `mailmill glove`")
    return job.workspace.open(TABLE, schemas.FILES).uris()[0]


def train(job: Job) -> Table:
    """`clean` -> `vectors/trained`: GloVe vectors of the words of all mails, as a text file; losses by epoch."""
    settings, seed = job.config.glove, job.config.run.seed
    texts = job.workspace.open("clean", schemas.CLEAN)
    decisive = [settings.model_dump(mode="json", exclude={"threads"}), seed]
    stage = job.stage({texts.name: texts.fingerprint}, decisive, {TABLE: schemas.FILES})
    if stage.unchanged:
        return skipped(stage, TABLE)
    folder = _folder(job, stage)
    try:
        _prepare(folder)
        words = _words(job, stage, texts, folder)
        layout = Layout(len(words), settings.dimension)
        file = _pairs(job, stage, texts, words, layout, folder)
        training = Training(settings.epochs, settings.eta, seed)
        trained = _trained(file, layout, training, folder, settings.threads or resources.cores())
    except OSError as error:
        raise InfrastructureError(f"{folder} cannot be used: {error.strerror or error}") from error
    written = [stage.write_stream(TABLE, FILE, lines(words, trained))]
    statistics = {
        "words": len(words),
        "pairs": len(file),
        "epochs": len(trained.losses),
        "loss": trained.losses[-1],
        "losses": list(trained.losses),
    }
    table = done(stage.publish(written, statistics), TABLE)
    shutil.rmtree(folder, ignore_errors=True)
    return table


def _folder(job: Job, stage: Stage) -> Path:
    """This training's folder: in a local workspace beside its table, else on the driver's disk for passing files, where
    it is this user's and this workspace's alone."""
    work = job.config.run.work
    decisive = [stage.inputs, stage.settings, code_version()]
    if not is_s3(work):
        return Path(work.removeprefix("file://")) / TABLE / f"{_PREFIX}{configuration.fingerprint(*decisive)[:16]}"
    name = f"{_PREFIX}{os.getuid()}-{configuration.fingerprint(*decisive, work)[:16]}"
    return Path(tempfile.gettempdir()) / name


def _prepare(folder: Path) -> None:
    """Make the folder, for nobody else to read: it will hold words of mail. What killed attempts left half goes, and
    folders abandoned beside it."""
    if folder.parent == Path(tempfile.gettempdir()):  # where everybody may have made it
        make_ours(folder)
    folder.mkdir(0o700, parents=True, exist_ok=True)
    for file in folder.iterdir():
        if is_part(file.name):  # an attempt that was killed leaves one, of up to all pairs
            file.unlink(missing_ok=True)
    for other in folder.parent.glob(f"{_PREFIX}*"):
        if other != folder and _idle(other) > ABANDONED_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


def abandon(job: Job) -> None:
    """Delete what trainings that were killed left in a local workspace. Only for who holds the lease."""
    if not is_s3(job.config.run.work):
        for folder in Path(job.config.run.work.removeprefix("file://"), TABLE).glob(f"{_PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _idle(folder: Path) -> float:
    """Seconds since anything was written there; a training that is under way writes after every epoch."""
    try:
        return time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:  # it goes, or is another user's
        return 0.0


def _words(job: Job, stage: Stage, texts: Table, folder: Path) -> list[str]:
    """The vocabulary by rank, from an earlier attempt or counted by the engine."""
    kept = folder / "words.json"
    if kept.exists():
        found: list[str] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    sink = stage.sink_for({"words": vocabulary.COUNTS})
    grouping = Grouping(vocabulary.emit_words, ("word",), {"count": "sum"}, sink, "words")
    scans = texts.scans(job.engine.task_bytes, at_least=job.engine.workers * 2)
    with watch("words", len(scans), "tasks") as progress:
        written = job.engine.combine_by_key(scans, grouping, progress)
    groups = stage.draft("words", written, vocabulary.COUNTS)
    settings = job.config.glove
    ranked = vocabulary.rank((scan.read() for scan in groups.scans()), settings.min_count, settings.max_vocabulary)
    words = [word for word, _ in ranked]
    if len(words) < 2:
        raise DataError(f"{len(words)} words occur {settings.min_count} times", hint="lower glove.min_count")
    with replacing(kept) as temporary:
        temporary.write_text(json.dumps(words), encoding="utf-8")
    return words


@dataclass(frozen=True)
class EmitPairs:
    """(i, j, x) of the pairs of words in a scan of the clean table: the input of the shuffle. Picklable."""

    words: Vocabulary
    window: int

    def __call__(self, scan: Scan) -> pa.Table:
        """Count a scan's pairs, batch by batch, so that memory is bounded by what is distinct."""
        parts = [PAIRS.empty_table()]
        for batch in scan.batches(["text"], batch_bytes=16 * 2**20):
            tokens, offsets = self.words.encode(batch.column("text").to_pylist())
            counted = count_pairs(tokens, offsets, self.window, len(self.words))
            parts += [pa.table(list(arrays), schema=PAIRS) for arrays in counted]
        return pa.concat_tables(parts)


def _pairs(job: Job, stage: Stage, texts: Table, words: list[str], layout: Layout, folder: Path) -> PairFile:
    """The file of pairs, from an earlier attempt or counted by the engine and sorted on this disk."""
    if (folder / BOUNDS).exists():
        return PairFile(folder)
    settings = job.config.glove
    shared = Vocabulary.write(job.storage, stage.scratch_uri("vocabulary.json"), words)
    sink = stage.sink_for({"pairs": PAIRS})
    grouping = Grouping(EmitPairs(shared, settings.window), ("i", "j"), {"x": "sum"}, sink, "pairs")
    scans = texts.scans(max(1, job.engine.task_bytes // _SMALLER), at_least=job.engine.workers * 2)
    with watch("pairs", len(scans), "tasks") as progress:
        written = job.engine.combine_by_key(scans, grouping, progress)
    groups = stage.draft("pairs", written, PAIRS)
    weighting = Weighting(unit(settings.window), settings.x_max, settings.alpha)
    return write_pairs(folder, _counts(groups), groups.rows, layout, weighting)


def _counts(groups: Table) -> Iterator[Counts]:
    for scan in groups.scans():
        table = scan.read()
        yield table["i"].to_numpy(), table["j"].to_numpy(), table["x"].to_numpy()


def _trained(file: PairFile, layout: Layout, training: Training, folder: Path, threads: int) -> Trained:
    """Train, with pairs a second on a bar or in the log, and the loss of each epoch in the log."""
    losses: list[float] = []
    rounds = layout.strata

    def told(pairs: int, loss: float) -> None:
        progress.advance(pairs)
        losses.append(loss)
        if len(losses) % rounds == 0:
            log.info("glove epoch=%d loss=%.5f", done_before + len(losses) // rounds, sum(losses[-rounds:]) / len(file))

    done_before = glove_training.epochs_done(folder)
    with watch("glove", len(file) * (training.epochs - done_before), "pairs") as progress:
        return glove_training.train(file, layout, training, folder, threads, told)


def lines(words: list[str], trained: Trained, block: int = 2048) -> Iterator[bytes]:
    """GloVe's text format: a word and its values a line, each in the fewest digits that give the same float32."""
    for start in range(0, len(words), block):
        own = words[start : start + block]
        vectors = trained.layout.vectors(trained.parameters, start, start + len(own))
        texts = pa.array(vectors.ravel()).cast(pa.string()).to_pylist()
        width = vectors.shape[1]
        lines = (f"{word} {' '.join(texts[n * width : (n + 1) * width])}\n" for n, word in enumerate(own))
        yield "".join(lines).encode()
