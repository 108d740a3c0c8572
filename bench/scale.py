"""Training far beyond memory: peak memory of every process and time, as the table grows 64-fold.

    python bench/scale.py [--rows 125000 2000000 8000000] [--memory 1GiB] [--models logistic forest]

Generated rows x 300 float32 are published as a features table, then `train` runs on a Dask cluster of two worker
processes with `--memory` each, in a process of its own for each size. Printed for each size: seconds a model (from
workers that are there to the published model), passes, the driver's and each worker's peak memory (RSS, which counts
mapped pages of files, and anonymous memory, which cannot be given back), and the ratios to the first size, time a row
included. The first run after an installation holds Numba's compilation in its first size: run `--rows 1000` before.
Needs mailmill[dask].
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from processes import Peaks, described, figures, highest, in_child

from mailmill import pipeline, schemas
from mailmill.config import parse, parse_bytes
from mailmill.features.spec import FeatureSpec
from mailmill.job import Job

BLOCK = 16384


def generated(rows: int, columns: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """One block of rows: correlated columns as embeddings have them, classes by a noisy rule with interactions."""
    rng = np.random.default_rng([7, block])
    mixing = np.random.default_rng(7).normal(size=(24, columns)).astype(np.float32) / 5
    factors = rng.normal(size=(rows, 24)).astype(np.float32)
    X = factors @ mixing + 0.5 * rng.normal(size=(rows, columns)).astype(np.float32)
    score = factors[:, :8].sum(axis=1) / 2 + factors[:, 8] * factors[:, 9] + rng.logistic(size=rows)
    return X, score > 0


def make_features(job: Job, rows: int, columns: int) -> None:
    """Publish a features table of generated rows; every tenth row is for validation."""
    schema = schemas.features(columns)
    stage = job.stage({"generated": str(rows)}, [], {"features": schema})
    if stage.unchanged:
        return
    with stage.sink.open(0) as writer:
        for block, start in enumerate(range(0, rows, BLOCK)):
            X, y = generated(min(BLOCK, rows - start), columns, block)
            number = np.arange(start, start + len(X))
            mixed = (number.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            values = {
                "key": pa.array([f"{m:016x}{n:016x}" for m, n in zip(mixed.tolist(), number.tolist(), strict=True)]),
                "label": pa.array(np.where(y, "pos", "neg")),
                "split": pa.array(np.where(number % 10 == 0, "validation", "train")),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), type=schema.field("vector").type),
                "words": pa.array(np.full(len(X), 100, np.int32)),
                "coverage": pa.array(np.ones(len(X), np.float32)),
            }
            batch = pa.RecordBatch.from_arrays([values[name] for name in schema.names], schema=schema)
            writer.write("features", batch)
    statistics = {
        "classes": ["neg", "pos"],
        "splits": {},
        "specification": FeatureSpec("generated", "generated", columns).to_dict(),
    }
    stage.publish(writer.written, statistics)


def train(work: Path, memory: str, model: str, trees: int) -> dict[str, Any]:
    """Train one model in this process; what it took."""
    config = parse(
        {
            "run": {"work": str(work)},
            "input": {"paths": ["none"]},
            "engine": {"kind": "dask", "workers": 2, "memory": memory},
            "features": {"pooling": ["mean"], "ngrams": 0, "ngram_bits": 20},
            "train": {"models": [model]},
            "forest": {"trees": trees, "depth": 10},
        }
    )
    with Job(config) as job, Peaks() as peaks:
        _ = job.engine  # its workers are there before the clock starts
        began = time.monotonic()
        table = pipeline.train(job)[model]
        seconds = time.monotonic() - began
    return {
        "seconds": seconds,
        "evidence": dict(table.manifest.statistics),
        **figures(peaks),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[125_000, 2_000_000, 8_000_000])
    parser.add_argument("--columns", type=int, default=300)
    parser.add_argument("--memory", default="1GiB", help="of each of the two workers [1GiB]")
    parser.add_argument("--models", nargs="+", default=["logistic", "forest"], choices=["logistic", "forest"])
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--work", type=Path, help="keep the tables here; default: a temporary folder")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(train(Path(given.child[0]), given.memory, given.child[1], given.trees)))
        return
    budget = parse_bytes(given.memory)
    with tempfile.TemporaryDirectory(prefix="mailmill-bench-") as folder:
        first: dict[str, dict[str, Any]] = {}
        for rows in given.rows:
            work = (given.work or Path(folder)) / f"rows-{rows}"
            with Job(parse({"run": {"work": str(work)}, "input": {"paths": ["none"]}})) as job:
                make_features(job, rows, given.columns)
            for model in given.models:
                options = ("--memory", given.memory, "--trees", str(given.trees))
                found = in_child(__file__, "--child", str(work), model, *options)
                base = first.setdefault(model, found | {"rows": rows})
                pace = found["seconds"] / rows / (base["seconds"] / base["rows"])
                evidence = " ".join(f"{k}={v}" for k, v in found["evidence"].items() if k in ("passes", "converged"))
                print(
                    f"{rows:>9} rows  {model:8} {found['seconds']:8.1f} s  time a row x{pace:.2f}  "
                    f"peak x{highest(found) / highest(base):.2f} of the first size's  {evidence}\n"
                    + described(found, budget),
                    flush=True,
                )


if __name__ == "__main__":
    main()
