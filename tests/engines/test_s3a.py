"""Spark's own readers on S3, by the connector that `spark-submit.sh --s3a` fetches and the section `[storage]`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mailmill import pipeline, schemas
from mailmill.config import StorageSection
from mailmill.engines import s3a
from mailmill.job import Job
from mailmill.submit import connector
from tests import mail
from tests.conftest import ROOT, require_engine
from tests.faults.processes import TEXT
from tests.submit.yarn import REPOSITORY, reachable

#: A stage whose table Spark reads, then what a user might do in its session. The last line is what was found.
PROGRAM = """
import json, sys
from mailmill import pipeline, schemas
from mailmill.config import load
from mailmill.job import Job
from pyspark.sql import SparkSession
with Job(load(sys.argv[1], json.loads(sys.argv[2]))) as job:
    pipeline.clean(job)
    reads = job.engine._reads("s3://test")
    uris = job.workspace.open("clean", schemas.CLEAN).uris()
    session = SparkSession.getActiveSession()
    frame = session.read.parquet(*[uri.replace("s3://", "s3a://") for uri in uris])
    columns = ["key", "subject", "text"]
    rows = sorted(map(list, frame.select(*columns).collect()))
    session.createDataFrame(rows, columns).write.parquet("s3a://test/s3a/written")
    print(json.dumps({"rows": rows, "reads": reads}))
"""
COLUMNS = ["key", "subject", "text"]


def test_the_section_in_sparks_words() -> None:
    assert s3a.properties(StorageSection()) == {}
    found = s3a.properties(StorageSection(endpoint="http://h:8333", anonymous=True))
    assert found["spark.hadoop.fs.s3a.endpoint"] == "http://h:8333"
    assert found["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert found["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "false"
    assert found["spark.hadoop.fs.s3a.aws.credentials.provider"].endswith("AnonymousAWSCredentialsProvider")
    aws = s3a.properties(StorageSection(region="eu-central-1", profile="night", encryption="aws:kms", kms_key="arn:k"))
    assert aws == {
        "spark.hadoop.fs.s3a.endpoint.region": "eu-central-1",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.auth.ProfileAWSCredentialsProvider",
        "spark.hadoop.fs.s3a.auth.profile.name": "night",
        "spark.hadoop.fs.s3a.encryption.algorithm": "SSE-KMS",
        "spark.hadoop.fs.s3a.encryption.key": "arn:k",
    }


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.s3
def test_plain_spark_reads_and_writes_what_mailmill_does(s3_endpoint: str, tmp_path: Path) -> None:
    """Rows by `spark.read.parquet("s3a://...")` are ours; so are the rows that Spark writes; its event log is on S3."""
    require_engine("spark")
    if not reachable():
        pytest.skip(f"{REPOSITORY} cannot be reached")
    import pyspark
    import s3fs

    files = s3fs.S3FileSystem(client_kwargs={"endpoint_url": s3_endpoint})
    files.touch("test/s3a/events/.keep")
    corpus = mail.make_corpus(tmp_path / "corpus", 120)
    settings = mail.make_config("s3://test/s3a/work", corpus, tmp_path / "none", f'storage.endpoint="{s3_endpoint}"')
    config = mail.write_config(tmp_path / "s3a.toml", settings)
    fetched = connector.properties(connector.hadoop_version(Path(pyspark.__file__).parent))
    properties = fetched | {"spark.eventLog.enabled": "true", "spark.eventLog.dir": "s3a://test/s3a/events"}
    spark = ["engine.kind=spark", f"engine.spark={_inline(properties)}"]
    job = Job(settings)
    pipeline.ingest(job)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(config), json.dumps(spark)],
        capture_output=True, text=True, timeout=300, env=os.environ | TEXT, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["reads"], "mailmill's own s3:// tables are read by Spark as well"
    clean = job.workspace.open("clean", schemas.CLEAN)
    rows = clean.read(COLUMNS).sort_by("key").to_pylist()
    assert len(rows) > 80
    assert found["rows"] == [[row[name] for name in COLUMNS] for row in rows]
    written = [path for path in files.find("test/s3a/written") if path.endswith(".parquet")]
    tables = [pq.read_table(path, filesystem=files) for path in written]
    assert pa.concat_tables(tables).sort_by("key").to_pylist() == rows
    assert any(re.search(r"local-\d+", path) for path in files.find("test/s3a/events")), "Spark's event log"


def _inline(properties: dict[str, str]) -> str:
    """A TOML inline table."""
    return "{" + ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in properties.items()) + "}"
