"""Java as tests start it: a JVM that loads, verifies and compiles Spark anew takes 20 s of a processor each time.

`python -m tests.java` (`make test-slow` begins with it) keeps Spark's classes in a file that every later one maps.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ARCHIVE = Path(__file__).resolve().parents[1] / "build" / "spark.jsa"
#: The quick compiler alone: what the other one gains, it gains after minutes. No word of an archive that does not fit.
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xlog:disable"
#: With the archive, where it is there and of this very Java and Spark.
OPTIONS = f'{QUICK} "-XX:SharedArchiveFile={ARCHIVE}"'


def keep_classes(archive: Path) -> None:
    """Run a little of everything on Spark, whose JVM writes the classes that it has loaded as it ends."""
    from pyspark.sql import SparkSession

    from mailmill.config import EngineSection
    from mailmill.engines import open_engine

    archive.parent.mkdir(exist_ok=True)
    partial = archive.with_name(f".{archive.name}.{os.getpid()}")
    os.environ["SPARK_SUBMIT_OPTS"] = f'{QUICK} "-XX:ArchiveClassesAtExit={partial}"'
    with open_engine(EngineSection(kind="spark", workers=1)) as engine, tempfile.TemporaryDirectory() as folder:
        spark = SparkSession.active()
        java = spark.sparkContext._gateway.proc
        spark.range(9).groupBy("id").count().write.parquet(f"{folder}/table")
        spark.read.parquet(f"{folder}/table").mapInArrow(lambda batches: batches, "id long, count long").collect()
        list(engine.run(min, [1, 2], 0))
    java.stdin.close()
    java.wait()
    partial.replace(archive)


if __name__ == "__main__":
    from tests.conftest import missing_spark

    if not missing_spark():
        keep_classes(ARCHIVE)
