"""Spark: tasks that write their own files against DataFrame.write, for a stage with two outputs.

    python bench/spark_sink.py [--mails 20000] [--repeats 5]

The same cleaned mail, read by `spark.read.parquet` and mapped by `mapInArrow` in both, local[cores]:

    sink     what mailmill does: the task writes the rows of both outputs and reports the files
    frame    the usual way: one frame with a column that names the output, persisted to disk, then one
             filter and `write.parquet` (zstd) an output; no fingerprints

Prints medians and the ratio frame / sink. The sink's time includes the rows' fingerprints. Needs
mailmill[spark], and Java.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark import StorageLevel

from mailmill import pipeline, schemas
from mailmill.config import parse
from mailmill.corpus import CorpusSpec, write
from mailmill.email import CleanKernel
from mailmill.job import Job

SPAN = "array<struct<zone:string,start:int,end:int,rule:string>>"
DDL = (
    "key string, thread string, date timestamp, sender_domain string, subject string, text string, "
    f"spans {SPAN}, language string, rendered_chars int, words int, confidence float, flags array<string>, "
    "source string, stage string, reason string, detail string, output string"
)
NAMES = [*schemas.CLEAN.names, *(name for name in schemas.REJECTS.names if name != "key"), "output"]


def tagged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Both outputs as rows of one frame, null where a column is the other output's."""
    kernel = CleanKernel()
    fields = {f.name: f.type for schema in (schemas.CLEAN, schemas.REJECTS) for f in schema} | {"output": pa.string()}
    wide = pa.schema([(name, fields[name]) for name in NAMES])
    for batch in batches:
        for name, rows in kernel(batch).items():
            columns = [
                rows.column(c) if c in rows.schema.names
                else pa.repeat(pa.scalar(name), rows.num_rows) if c == "output"
                else pa.nulls(rows.num_rows, fields[c])
                for c in NAMES
            ]  # fmt: skip
            yield pa.RecordBatch.from_arrays(columns, schema=wide)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailmill-bench-") as folder:
        write(CorpusSpec(count=args.mails, seed=1), f"{folder}/mail", "parquet")
        document = {"run": {"work": f"{folder}/work"}, "input": {"paths": [f"{folder}/mail/mail"]}}
        with Job(parse(document | {"engine": {"kind": "spark"}})) as job:
            raw = pipeline.ingest(job)
            spark = job.engine._spark  # the frame side needs the same session
            kernel = CleanKernel()
            times: dict[str, list[float]] = {"sink": [], "frame": []}
            for round_ in range(args.repeats + 1):  # the first is a warm-up
                began = time.perf_counter()
                stage = job.workspace.stage({"round": str(round_)}, "bench", kernel.outputs)
                stage.publish(job.engine.map_table(raw, kernel, stage.sink), {})
                middle = time.perf_counter()
                frame = spark.read.parquet(*raw.uris()).mapInArrow(tagged, DDL).persist(StorageLevel.DISK_ONLY)
                for name, schema in kernel.outputs.items():
                    part = frame.filter(frame.output == name).select(*schema.names)
                    part.write.mode("overwrite").option("compression", "zstd").parquet(f"{folder}/frame/{name}")
                frame.unpersist(blocking=True)
                if round_:
                    times["sink"].append(middle - began)
                    times["frame"].append(time.perf_counter() - middle)
                shutil.rmtree(Path(folder) / "frame", ignore_errors=True)
    for name, found in times.items():
        print(f"{name:6} median {statistics.median(found):.2f} s   ({min(found):.2f} - {max(found):.2f})")
    print(f"frame / sink, median of pairs: "
          f"{statistics.median(b / a for a, b in zip(times['sink'], times['frame'], strict=True)):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
