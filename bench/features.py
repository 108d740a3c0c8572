"""From a mail's text to its vector on one core, mailmill beside what people use.

    python bench/features.py [--vectors PATH] [--data FOLDER] [--mails 2000] [--repeats 5] [--spark]

Reviews cut to 200 words, and vectors of 300 dimensions (random ones for the most frequent words of the reviews, unless
--vectors names a file). CPU seconds of one process, median of rounds that take turns. Each round has mails of its own
that no contestant has read; all have read the others (some twenty thousand by default), as after the first seconds of
a job, because mailmill remembers what it made of a word. "again" is the same mails once more: what that memory is
worth.

  mean          mailmill: text -> tokens -> mean vector
  mean + nb     mailmill: and the class-informed pool
  default       mailmill's default: and hashed n-grams of up to three words, and pairs that skip words
  gensim        text.lower().split(), then KeyedVectors.get_mean_vector without normalisation, unknown words skipped
  gensim loop   the same, with the loop over words that tutorials show
  scikit-learn  CountVectorizer(vocabulary).transform(texts) @ vectors / counts
  spark         Word2VecModel.transform on local[1] over cached arrays of words, wall-clock: the splitting not counted

mailmill also tokenizes as GloVe's corpus was (contractions, punctuation, URLs); the others split at white space or at
word boundaries. They are given that advantage. Needs mailmill[bench], and Java for --spark; --data is a folder with
imdb_train.parquet and imdb_unsup.parquet (text).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gensim.models
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from mailmill.config import FeaturesSection
from mailmill.features.counts import Counts
from mailmill.features.featurize import Featurizer
from mailmill.features.glove import GloveStore, build_store
from mailmill.features.spec import FeatureSpec
from mailmill.features.tokens import tokenize
from mailmill.features.weights import from_counts

WORDS, DIMENSION, VOCABULARY = 200, 300, 100_000
BATCH = 1000


def read_texts(data: Path) -> list[str]:
    """The first `WORDS` words of the reviews that have as many."""
    names = ("imdb_unsup.parquet", "imdb_train.parquet")
    reviews = [text for name in names for text in pq.read_table(data / name, columns=["text"])["text"].to_pylist()]
    long = (text.replace("<br />", "\n").split() for text in reviews)
    return [" ".join(words[:WORDS]) for words in long if len(words) >= WORDS]


def make_vectors(texts: Sequence[str], path: Path) -> str:
    """A file of random vectors for the most frequent tokens."""
    found = Counter(token for text in texts for token in tokenize(text))
    rng = np.random.default_rng(1)
    with path.open("w", encoding="utf-8") as file:
        for word, _ in found.most_common(VOCABULARY):
            file.write(f"{word} {' '.join(f'{x:.4f}' for x in rng.normal(size=DIMENSION))}\n")
    return str(path)


def featurizer(store: GloveStore, settings: FeaturesSection) -> Featurizer:
    """A featurizer whose weights are drawn at random: what they are does not change the work."""
    spec = FeatureSpec.of(store, settings, ("neg", "pos"))
    counts, rng = Counts.zeros(spec, len(store)), np.random.default_rng(2)
    counts.words[:] = rng.integers(0, 50, counts.words.shape)
    counts.ngrams[:] = rng.integers(0, 50, counts.ngrams.shape)
    weights = from_counts(counts, spec)
    return Featurizer(spec.bound(weights.fingerprint), store, weights)


def in_batches(featurize: Featurizer, texts: Sequence[str]) -> None:
    for start in range(0, len(texts), BATCH):
        featurize(texts[start : start + BATCH])


def keyed_vectors(store: GloveStore) -> Any:
    keyed = gensim.models.KeyedVectors(store.dimension, len(store), dtype=np.float32)
    keyed.add_vectors([store.word(row) for row in range(len(store))], np.array(store.vectors))
    return keyed


def gensim_mean(keyed: Any, texts: Sequence[str]) -> None:
    for text in texts:
        keyed.get_mean_vector(text.lower().split(), pre_normalize=False, ignore_missing=True)


def gensim_loop(keyed: Any, texts: Sequence[str]) -> None:
    for text in texts:
        known = [keyed[word] for word in text.lower().split() if word in keyed]
        np.mean(known, axis=0) if known else np.zeros(keyed.vector_size, np.float32)


def scikit_learn(vectorizer: CountVectorizer, matrix: np.ndarray, texts: Sequence[str]) -> None:
    for start in range(0, len(texts), BATCH):
        counts: sp.csr_matrix = vectorizer.transform(texts[start : start + BATCH])
        totals = np.maximum(counts.sum(axis=1), 1)
        np.asarray((counts @ matrix) / totals)


def spark_transform(store: GloveStore, texts: Sequence[str]) -> Callable[[], float]:
    """A function that transforms the texts once and gives its wall-clock seconds."""
    from pyspark.ml.feature import Word2Vec, Word2VecModel
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import expr
    from pyspark.sql.functions import sum as total

    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.driver.memory", "3g")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    words = [(text.lower().split(),) for text in texts]
    frame = spark.createDataFrame(words, ["words"]).coalesce(1).cache()
    frame.count()
    small = Word2Vec(vectorSize=store.dimension, minCount=0, maxIter=1, inputCol="words", outputCol="vector")
    with tempfile.TemporaryDirectory() as folder:
        # A fitted model of one text is saved, and its words are replaced by those of the store.
        small.fit(frame.limit(1)).write().overwrite().save(folder)
        found = pa.array(np.asarray(store.vectors).ravel())
        schema = pa.schema([("word", pa.string()), ("vector", pa.list_(pa.float32()))])
        offsets = pa.array(np.arange(len(store) + 1, dtype=np.int32) * store.dimension)
        columns = [pa.array([store.word(row) for row in range(len(store))]), pa.ListArray.from_arrays(offsets, found)]
        for file in (Path(folder) / "data").iterdir():
            file.unlink()
        pq.write_table(pa.table(columns, schema=schema), Path(folder) / "data" / "part-00000.parquet")
        model = Word2VecModel.load(folder)
        model.getVectors().count()

    def run() -> float:
        began = time.perf_counter()
        model.transform(frame).select(total(expr("vector is not null").cast("int"))).collect()
        return time.perf_counter() - began

    return run


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    began = time.process_time()
    function(*arguments)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--vectors")
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--spark", action="store_true", help="also Spark's Word2VecModel; needs Java")
    options = parser.parse_args()
    texts = read_texts(options.data)
    if 2 * options.mails * options.repeats > len(texts):
        parser.error(f"--mails times --repeats is at most half of the {len(texts):,} reviews of {WORDS} words")
    rounds = [texts[-(n + 1) * options.mails :][: options.mails] for n in range(options.repeats)]
    before = texts[: -options.mails * options.repeats]
    with tempfile.TemporaryDirectory() as folder:
        store = build_store(options.vectors or make_vectors(texts, Path(folder) / "v.txt"), Path(folder) / "store")
        mean = featurizer(store, FeaturesSection(pooling=("mean",), ngrams=0))
        pools = featurizer(store, FeaturesSection(pooling=("mean", "nb"), ngrams=0))
        default = featurizer(store, FeaturesSection())
        keyed, matrix = keyed_vectors(store), np.array(store.vectors)
        vocabulary = {store.word(row): row for row in range(len(store))}
        vectorizer = CountVectorizer(vocabulary=vocabulary, token_pattern=r"(?u)\b\w+\b")
        runs: dict[str, Callable[[Sequence[str]], float]] = {
            "mean": partial(seconds, in_batches, mean),
            "mean + nb": partial(seconds, in_batches, pools),
            "default": partial(seconds, in_batches, default),
            "gensim": partial(seconds, gensim_mean, keyed),
            "gensim loop": partial(seconds, gensim_loop, keyed),
            "scikit-learn": partial(seconds, scikit_learn, vectorizer, matrix),
        }
        if options.spark:
            spark = spark_transform(store, rounds[0])
            runs["spark (wall)"] = lambda _: spark()
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for run in runs.values():
            run(before)
        for mails in rounds:
            for name, run in runs.items():
                taken[name].append((run(mails), run(mails)))
    print(f"{options.repeats} x {options.mails:,} mails of {WORDS} words after {len(before):,} others, {len(store):,} "
          f"vectors of {store.dimension} dimensions, one core; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    base = statistics.median(first for first, _ in taken["mean"])
    print(f"{'':22}{'us/mail':>9}{'mails/s':>10}{'x mean':>8}{'spread':>8}{'again/s':>10}")
    for name, values in taken.items():
        new, again = (list(each) for each in zip(*values, strict=True))
        median = statistics.median(new)
        print(f"{name:22}{median / options.mails * 1e6:9.1f}{options.mails / median:10,.0f}{median / base:8.2f}"
              f"{(max(new) - min(new)) / median:8.0%}{options.mails / statistics.median(again):10,.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
