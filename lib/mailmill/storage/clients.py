"""Clients of S3 as the settings of storage want them; one of each kind a process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pyarrow.fs as pafs

from mailmill.config import StorageSection

#: Small objects asked for ahead of the one that is read, and how many at once: pyarrow's client has 25 connections.
CONCURRENT_READS, CONNECTIONS = 64, 24


@lru_cache(maxsize=8)
def arrow_s3(settings: StorageSection) -> Any:
    """pyarrow's own, the fastest."""
    scheme, _, host = (settings.endpoint or "").rpartition("://")
    return pafs.S3FileSystem(
        anonymous=settings.anonymous,
        region=settings.region or ("us-east-1" if settings.endpoint else None),
        endpoint_override=host or None,
        scheme=scheme or "https",
        connect_timeout=settings.connect_timeout,
        request_timeout=settings.request_timeout,
        allow_delayed_open=True,  # a small file is one PUT, not an upload in three steps
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=settings.attempts),
    )


@lru_cache(maxsize=8)
def arrow_s3fs(settings: StorageSection) -> Any:
    """s3fs in pyarrow's clothes: slower, but pyarrow's own knows no profile, no encryption and no requester pays."""
    return pafs.PyFileSystem(pafs.FSSpecHandler(s3fs_of(settings)))


@lru_cache(maxsize=8)
def s3fs_of(settings: StorageSection) -> Any:
    """s3fs: listings, single requests, and whatever pyarrow's own cannot."""
    import s3fs  # only where S3 is used: it takes half a second to import

    client: dict[str, Any] = {"endpoint_url": settings.endpoint} if settings.endpoint else {}
    if settings.region or settings.endpoint:
        client["region_name"] = settings.region or "us-east-1"
    written = {"ServerSideEncryption": settings.encryption, "SSEKMSKeyId": settings.kms_key}
    filesystem = s3fs.S3FileSystem(
        anon=settings.anonymous,
        profile=settings.profile,
        requester_pays=settings.requester_pays,
        s3_additional_kwargs={name: value for name, value in written.items() if value},
        use_listings_cache=False,
        client_kwargs=client,
        config_kwargs={
            "connect_timeout": settings.connect_timeout,
            "read_timeout": settings.request_timeout,
            "retries": {"total_max_attempts": settings.attempts, "mode": "standard"},
            "max_pool_connections": CONCURRENT_READS,
        },
    )
    filesystem.retries = 2  # botocore's attempts, once more for a body that breaks off: s3fs's own 5 make 10 minutes
    return filesystem
