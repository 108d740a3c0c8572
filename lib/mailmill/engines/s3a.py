"""Spark's own way to S3, told by the same `[storage]` section that mailmill's goes by.

mailmill's tasks read and write S3 through pyarrow and need nothing of this. Spark needs Hadoop's S3A where Spark
itself is the reader: `map_table`, a `spark.read.parquet` of one's own, event logs, archives. Its classes come with
`spark-submit.sh --s3a` (EMR has its own connector for s3://, which is left alone). No secret becomes a property: S3A
asks the environment, the named profile or the instance's role, as pyarrow does. No committer is chosen either:
mailmill's tables are committed by their manifest.
"""

from __future__ import annotations

from mailmill.config import StorageSection

FILESYSTEM = "org.apache.hadoop.fs.s3a.S3AFileSystem"
_AUTH = "org.apache.hadoop.fs.s3a"
_ENCRYPTION = {"AES256": "AES256", "aws:kms": "SSE-KMS"}


def properties(storage: StorageSection) -> dict[str, str]:
    """The properties of Spark that make S3A reach what `storage` describes; {} where all is AWS's own default.

    A server that is not AWS's is addressed by path and not asked whether an object has changed since it was opened,
    because such servers' ETags do not all hold still; what mailmill has published never changes.
    """
    found: dict[str, str] = {}
    if storage.endpoint:
        found |= {
            "endpoint": storage.endpoint,
            "endpoint.region": storage.region or "us-east-1",
            "path.style.access": "true",
            "connection.ssl.enabled": str(not storage.endpoint.startswith("http://")).lower(),
            "change.detection.mode": "none",
        }
    elif storage.region:
        found["endpoint.region"] = storage.region
    if storage.anonymous:
        found["aws.credentials.provider"] = f"{_AUTH}.AnonymousAWSCredentialsProvider"
    elif storage.profile:
        found["aws.credentials.provider"] = f"{_AUTH}.auth.ProfileAWSCredentialsProvider"
        found["auth.profile.name"] = storage.profile
    if storage.encryption:
        found["encryption.algorithm"] = _ENCRYPTION[storage.encryption]
    if storage.kms_key:
        found["encryption.key"] = storage.kms_key
    if storage.requester_pays:
        found["requester.pays.enabled"] = "true"
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in found.items()}
