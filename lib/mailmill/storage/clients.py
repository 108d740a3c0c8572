"""Clients of S3 as the settings of storage want them; one of each kind a process."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from mailmill.config import StorageSection
from mailmill.config.values import parse_endpoint
from mailmill.errors import ConfigError

#: Small objects asked for ahead of the one that is read, and how many at once: pyarrow's client has 25 connections.
CONCURRENT_READS, CONNECTIONS = 64, 24


def endpoint_of_environment() -> str | None:
    """The server that AWS's variables name, which its libraries ask where the settings name none.

    Raises ConfigError where it is none, or named with credentials; its message does not show it.
    """
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    name, value = next(((name, os.environ[name]) for name in variables if os.environ.get(name)), ("", ""))
    try:
        return parse_endpoint(value)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


@lru_cache(maxsize=8)
def arrow_s3(settings: StorageSection) -> Any:
    """pyarrow's own, the fastest. Raises ConfigError as `endpoint_of_environment`."""
    if not settings.endpoint:
        endpoint_of_environment()
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
    """s3fs: listings, single requests, and whatever pyarrow's own cannot. Raises as `arrow_s3`."""
    import s3fs  # only where S3 is used: it takes half a second to import

    if not settings.endpoint:
        endpoint_of_environment()
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


def call(settings: StorageSection, method: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """One request as the SDK names it, by s3fs's client: the answer, and the body where it has one."""
    from fsspec.asyn import sync

    filesystem = s3fs_of(settings)
    answered: tuple[dict[str, Any], bytes] = sync(filesystem.loop, _call, filesystem, method, arguments)
    return answered


async def _call(filesystem: Any, method: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    from s3fs.core import S3_RETRYABLE_ERRORS

    for left in reversed(range(filesystem.retries)):
        answer = await filesystem._call_s3(method, **arguments)
        if "Body" not in answer:
            return answer, b""
        try:
            return answer, await answer["Body"].read()
        except S3_RETRYABLE_ERRORS:  # it breaks off
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


def _named(uri: str) -> dict[str, str]:
    bucket, _, key = uri.split("://", 1)[1].partition("/")
    return {"Bucket": bucket, "Key": key}


def put(settings: StorageSection, uri: str, content: bytes) -> None:
    """Make or replace an object by one request."""
    call(settings, "put_object", _named(uri) | {"Body": content})


def get(settings: StorageSection, uri: str) -> bytes | None:
    """The whole of a small object by one request; None where there is none, but its bucket is."""
    try:
        return call(settings, "get_object", _named(uri))[1]
    except FileNotFoundError as error:
        if code_of(error) == "NoSuchBucket":
            raise
        return None


def is_there(settings: StorageSection, uri: str) -> bool:
    """Whether there is such an object; what is named by a bucket alone is none."""
    named = _named(uri)
    with contextlib.suppress(FileNotFoundError):
        return bool(named["Key"] and call(settings, "head_object", named))
    return False


def remove(settings: StorageSection, uri: str) -> None:
    """Delete an object, and what lies below it as a folder; nothing there is fine. Raises OSError where one stays."""
    bucket, _, key = uri.split("://", 1)[1].rstrip("/").partition("/")
    folders: set[str] = set()  # some servers keep them, and name them when they are empty
    page: dict[str, Any] = {"IsTruncated": True}
    while page["IsTruncated"]:
        on = {"ContinuationToken": page["NextContinuationToken"]} if "NextContinuationToken" in page else {}
        page, _ = call(settings, "list_objects_v2", {"Bucket": bucket, "Prefix": key} | on)
        keys = [found["Key"] for found in page.get("Contents", ()) if f"{found['Key']}/".startswith(f"{key}/")]
        folders |= {each[: at + 1] for each in keys for at in range(len(key), len(each)) if each[at] == "/"}
        _delete(settings, bucket, keys)
    deepest = sorted(folders, reverse=True)
    for at in range(0, len(deepest), 1000):  # as many as one request deletes, and one page lists
        _delete(settings, bucket, deepest[at : at + 1000])


def _delete(settings: StorageSection, bucket: str, keys: Sequence[str]) -> None:
    if keys:
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        for refused in call(settings, "delete_objects", {"Bucket": bucket, "Delete": wanted})[0].get("Errors", ()):
            raise PermissionError(errno.EACCES, f"{refused.get('Code')}: {refused.get('Message')}")


def code_of(error: BaseException | None) -> str:
    """What S3 said where the error came of an answer of its, as "NoSuchBucket"; "" where it came of none."""
    while error is not None:
        if response := getattr(error, "response", None):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def abandon(filesystem: Any, stream: Any, path: str) -> None:
    """Take back a half-written object: pyarrow cannot abort an upload, so it is finished and deleted."""
    with contextlib.suppress(Exception):
        stream.close()
        filesystem.delete_file(path)


class Patient:
    """An open object, read by position as `pyarrow.PythonFile` asks, and asked again where S3 was busy.

    pyarrow has a server's 500 or 503 written where the content shall go. It tries again, but not where the error is
    longer than the content that was asked for, as with a column of few bytes: "Failed to flush response stream".
    """

    closed = False

    def __init__(self, stream: Any, attempts: int) -> None:
        self._stream, self._attempts, self._at, self._size = stream, attempts, 0, stream.size()

    def whole(self) -> pa.Buffer:
        """All bytes, in one request."""
        self.seek(0)
        return self.read_buffer(self._size)

    def read_buffer(self, size: int | None = None) -> pa.Buffer:
        """The next `size` bytes, fewer at the end. Raises OSError where they do not come."""
        left = max(0, self._size - self._at)
        if not left:  # as a file on a disk: a damaged archive may point beyond its end
            return pa.py_buffer(b"")
        wanted = left if size is None or size < 0 else min(size, left)
        for attempt in range(1, self._attempts + 1):
            try:
                self._stream.seek(self._at)
                found = self._stream.read_buffer(wanted)
                break
            except OSError as error:
                if "flush response stream" not in str(error) or attempt == self._attempts:
                    raise
                time.sleep(0.1 * 2**attempt)
        if found.size != wanted:
            raise OSError(f"{found.size} of {wanted} bytes came")
        self._at += wanted
        return found

    def read(self, size: int | None = None) -> bytes:
        """As `read_buffer`."""
        return bytes(self.read_buffer(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position; nothing is asked of S3."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at

    def seekable(self) -> bool:
        """It is."""
        return True

    readable = seekable

    def close(self) -> None:
        """Whoever opened the object closes it."""
