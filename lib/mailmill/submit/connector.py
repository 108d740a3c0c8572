"""Hadoop's connector to S3, of exactly the version of Hadoop that Spark has: another one fails at its first call.

Spark does not bring it along. By its own POM it drags in the whole AWS SDK, 500 MB; S3A calls a dozen of its modules,
13 MB. What Spark has already (Netty, Apache's HTTP client, logging) is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from mailmill.errors import ConfigError

#: Hadoop's version -> the AWS SDK's that its POM names. Of another Hadoop the connector comes with the whole SDK.
_SDK = {"3.4.2": "2.29.52"}
_MODULES = ("s3", "s3-transfer-manager", "sts", "apache-client", "netty-nio-client")
_SPARKS_OWN = (
    "io.netty:*", "org.slf4j:*", "commons-logging:*", "commons-codec:*", "org.apache.httpcomponents:*",
)  # fmt: skip


def hadoop_version(home: Path | None) -> str:
    """Hadoop's version in Spark's folder, by the name of its jar. Raises ConfigError where there is none."""
    for jar in sorted(home.glob("jars/hadoop-client-api-*.jar")) if home else ():
        if found := re.search(r"-(\d+\.\d+\.\d+)[^/]*\.jar$", jar.name):
            return found[1]
    raise ConfigError(f"--s3a: no Hadoop client in {home or 'Spark'}/jars", hint="set SPARK_HOME; EMR needs no --s3a")


def properties(hadoop: str) -> dict[str, str]:
    """The properties of Spark by which it fetches the connector for `hadoop` from Maven Central."""
    packages, left_out = [f"org.apache.hadoop:hadoop-aws:{hadoop}"], list(_SPARKS_OWN)
    if sdk := _SDK.get(hadoop):
        packages += [f"software.amazon.awssdk:{module}:{sdk}" for module in _MODULES]
        left_out.append("software.amazon.awssdk:bundle")
    return {"spark.jars.packages": ",".join(packages), "spark.jars.excludes": ",".join(left_out)}


def reach(endpoint: str, region: str) -> dict[str, str]:
    """The properties by which spark-submit itself finds s3://, before the job's configuration is known.

    "" stands for AWS's own endpoint, and its default region. The job's session sets them again by its `[storage]`.
    """
    found = {"s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"}
    if region:
        found["s3a.endpoint.region"] = region
    if endpoint:
        found |= {"s3a.endpoint": endpoint, "s3a.path.style.access": "true", "s3a.change.detection.mode": "none"}
        found.setdefault("s3a.endpoint.region", "us-east-1")
    return {f"spark.hadoop.fs.{name}": value for name, value in found.items()}
