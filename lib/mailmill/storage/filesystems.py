"""One interface to local paths and s3:// URIs: read, write atomically, list, delete.

What is read goes through pyarrow's filesystem: it read a 240 MB table from S3 2.7 times as fast as s3fs,
and small objects in a quarter of the processor's time (`bench/s3.py`). Listings go through s3fs. A write
becomes visible whole or not at all: a rename on a local disk, one PUT or a completed multipart
upload on S3. Failures come out as mailmill's errors, naming the file and the endpoint.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.fs as pafs

from mailmill.config import StorageSection
from mailmill.errors import ConfigError, DataError, InfrastructureError, MailmillError
from mailmill.storage import clients
from mailmill.storage.clients import CONCURRENT_READS, CONNECTIONS, Patient, arrow_s3, arrow_s3fs, call, s3fs_of
from mailmill.storage.disk import replacing
from mailmill.storage.refused import of_one_object
from mailmill.storage.sources import SourceObject, is_junk, printable

log = logging.getLogger("mailmill")
#: A file of up to so many bytes is read from S3 in one request, where a Parquet reader would make one a column; and
#: many such objects are read at a time.
SMALL = 2**20

#: A file is gone, or never was: a link may lead nowhere.
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_NOT_OURS = (errno.EACCES, errno.EPERM)


def is_s3(uri: str) -> bool:
    """Whether `uri` is on S3; `s3a://` and `s3n://` are Hadoop's names for the same."""
    return uri.startswith(("s3://", "s3a://", "s3n://"))


def join(base: str, *parts: str) -> str:
    """Join a folder's URI and relative names with single slashes."""
    return "/".join([base.rstrip("/") or "/", *(part.strip("/") for part in parts)])


@dataclass(frozen=True)
class Storage:
    """Local disk and S3 behind the same verbs. Picklable; connections are opened once a process."""

    settings: StorageSection

    def arrow(self, uri: str) -> tuple[Any, str]:
        """pyarrow's filesystem for `uri`, and the path in it."""
        if is_s3(uri):
            path = uri.split("://", 1)[1]
            through = arrow_s3fs if self._needs_s3fs or "//" in path else arrow_s3  # pyarrow's own refuses such keys
            return through(self.settings), path
        return _LOCAL, os.path.abspath(uri.removeprefix("file://"))

    @property
    def _needs_s3fs(self) -> bool:
        return bool(self.settings.profile or self.settings.encryption or self.settings.requester_pays)

    @contextlib.contextmanager
    def open(self, uri: str) -> Iterator[BinaryIO]:
        """A seekable binary stream; what fails while it is read is mailmill's error too, and names `uri`.

        Raises DataError where there is no such file.
        """
        filesystem, path = self.arrow(uri)
        place = path if is_s3(uri) else os.fsencode(path)  # a file's name need not be UTF-8
        with self.translated(uri), filesystem.open_input_file(place) as stream:
            if not is_s3(uri):
                yield stream
            elif stream.size() <= SMALL:
                yield pa.BufferReader(Patient(stream, self.settings.attempts).whole())
            else:
                yield pa.PythonFile(Patient(stream, self.settings.attempts), mode="r")

    def read(self, uri: str) -> bytes:
        """The whole file."""
        with self.open(uri) as stream:
            return stream.read()

    def read_if_there(self, uri: str) -> bytes | None:
        """The whole of a small file, on S3 in one request; None where there is none."""
        if not is_s3(uri):
            return self.read(uri) if self.exists(uri) else None
        with self.translated(uri):
            return clients.get(self.settings, uri)

    def fetch(self, uri: str, path: Path) -> None:
        """Copy the file to the local `path`, a piece at a time."""
        with self.translated(str(path)), path.open("wb") as target, self.open(uri) as stream:
            while piece := stream.read(2**24):
                with self.translated(str(path)):  # a full disk is not the object's
                    target.write(piece)

    def read_many(self, uris: Sequence[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """Each small object's bytes, or the error that it alone ended in, in this order; concurrently on S3."""
        if uris and is_s3(uris[0]):
            yield from self._read_through_s3fs(uris) if self._needs_s3fs else self._read_ahead(uris)
            return
        yield from ((uri, self._read_small(uri)) for uri in uris)

    def _read_ahead(self, uris: Sequence[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """By threads of pyarrow, which takes a quarter of the processor's time that s3fs does for an object."""
        with ThreadPoolExecutor(CONNECTIONS) as readers:
            begun: deque[tuple[str, Future[bytes | OSError]]] = deque()
            try:
                for uri in uris:
                    begun.append((uri, readers.submit(self._read_small, uri)))
                    if len(begun) == CONCURRENT_READS:
                        first, content = begun.popleft()
                        yield first, content.result()
                for first, content in begun:
                    yield first, content.result()
            finally:
                readers.shutdown(cancel_futures=True)

    def _read_small(self, uri: str) -> bytes | OSError:
        """The object's bytes, or why it alone cannot be read: it is gone, or is not ours to read."""
        try:
            return self.read(uri)
        except MailmillError as error:
            if (reason := of_one_object(error)) is None:
                raise
            return reason

    def _read_through_s3fs(self, uris: Sequence[str]) -> Iterator[tuple[str, bytes | OSError]]:
        for start in range(0, len(uris), CONCURRENT_READS):
            chunk = list(uris[start : start + CONCURRENT_READS])
            paths = [uri.split("://", 1)[1] for uri in chunk]
            with self.translated(chunk[0]):  # `cat` would take [ and ? in a key for a pattern
                found = s3fs_of(self.settings).cat_ranges(paths, None, None, on_error="return")
            for uri, value in zip(chunk, found, strict=True):
                if isinstance(value, Exception) and not isinstance(value, FileNotFoundError | PermissionError):
                    with self.translated(uri):
                        raise value
                yield uri, value if isinstance(value, bytes | OSError) else OSError(type(value).__name__)

    @contextlib.contextmanager
    def create(self, uri: str) -> Iterator[Any]:
        """A stream whose bytes appear at `uri` when the block ends well, and never appear otherwise."""
        filesystem, path = self.arrow(uri)
        if is_s3(uri):
            with self.translated(uri):
                stream = filesystem.open_output_stream(path)
                try:
                    yield stream
                except BaseException:
                    clients.abandon(filesystem, stream, path)
                    raise
                stream.close()
            return
        with self.translated(uri):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with replacing(Path(path)) as temporary, pa.OSFile(str(temporary), "wb") as stream:
                yield stream

    def make_private(self, uri: str) -> None:
        """Make a folder for nobody else to look into; one that is there stays as it is, and S3 has none."""
        if not is_s3(uri):
            with self.translated(uri):
                Path(uri.removeprefix("file://")).mkdir(0o700, parents=True, exist_ok=True)

    def write(self, uri: str, content: bytes) -> None:
        """Replace the file by `content`, atomically."""
        if is_s3(uri):  # an interrupted stream would take the file away that was there
            with self.translated(uri):
                clients.put(self.settings, uri, content)
            return
        with self.create(uri) as stream:
            stream.write(content)

    def find(self, uri: str, of_mail: bool = True) -> list[SourceObject]:
        """Every file at or below `uri`, sorted by path; one that goes meanwhile is left out.

        Links to folders are not followed: among mail (`of_mail`) that is told, as are links that lead nowhere. A folder
        that is not ours to list is left out elsewhere. Raises DataError where there is nothing, InfrastructureError
        naming such a folder of mail.
        """
        if is_s3(uri):
            with self.translated(uri):
                filesystem = s3fs_of(self.settings)
                filesystem.invalidate_cache()
                found = filesystem.find(uri.split("://", 1)[1], detail=True)
            objects = [
                SourceObject("s3://" + path, int(info["size"]), str(info.get("ETag", "")).strip('"'), _seconds(info))
                for path, info in found.items()
                if not path.endswith("/") and info.get("type") != "directory"  # an empty prefix lists itself
            ]
        else:
            objects = list(self._find_here(Path(uri.removeprefix("file://")), of_mail))
        if not objects:
            pattern = not {*"*?["}.isdisjoint(uri)
            hint = "patterns are not expanded: name the folder, or each file" if pattern else ""
            raise DataError(f"input {uri} does not exist or holds no file", hint=hint)
        return sorted(objects, key=lambda found: found.path)

    def _find_here(self, root: Path, of_mail: bool) -> Iterator[SourceObject]:
        def failed(error: OSError) -> None:
            if error.errno not in GONE and (of_mail or error.errno not in _NOT_OURS):
                with self.translated(str(error.filename)):
                    raise error

        walked = os.walk(root, onerror=failed)
        below = (Path(folder, name) for folder, folders, names in walked for name in names + folders)
        for path in chain([root], below):
            try:
                found = path.stat()
            except OSError as error:
                failed(error)
                if of_mail and path.is_symlink() and not is_junk(str(path), str(root)):  # a disk that is not mounted
                    log.warning("%s is a link that leads nowhere", printable(str(path)))
            else:
                if stat.S_ISREG(found.st_mode):
                    yield SourceObject(str(path), found.st_size, f"{found.st_mtime_ns}", found.st_mtime)
                elif of_mail and stat.S_ISDIR(found.st_mode) and path != root and path.is_symlink():
                    log.warning("%s is a link to a folder and not read: name it in input.paths", printable(str(path)))

    def exists(self, uri: str) -> bool:
        """Whether a file is at `uri`."""
        with self.translated(uri):
            if is_s3(uri):
                return clients.is_there(self.settings, uri)
            return bool(_LOCAL.get_file_info(self.arrow(uri)[1]).type == pafs.FileType.File)

    def children(self, uri: str) -> list[str]:
        """Names of the files and folders directly in a folder; empty where it does not exist, but its bucket does."""
        filesystem, path = self.arrow(uri)
        with self.translated(uri):
            found = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
            if not found and is_s3(uri):  # pyarrow takes a bucket that is not there for an empty folder
                bucket, _, key = path.partition("/")
                self.request("list_objects_v2", Bucket=bucket, Prefix=key and f"{key}/", MaxKeys=1)
        return sorted(info.base_name for info in found if info.base_name)

    def delete(self, uri: str) -> None:
        """Delete a file or a folder with all it holds; nothing there is fine."""
        with self.translated(uri):
            if is_s3(uri):
                clients.remove(self.settings, uri)
                return
            path = self.arrow(uri)[1]
            shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else Path(path).unlink(missing_ok=True)

    def request(self, method: str, **arguments: Any) -> tuple[dict[str, Any], bytes]:
        """One request to S3 as the SDK names it, e.g. "put_object": the answer, and the body where it has one."""
        return call(self.settings, method, arguments)

    @contextlib.contextmanager
    def translated(self, uri: str) -> Iterator[None]:
        """Turn what pyarrow, s3fs and the operating system raise into errors that name `uri`."""
        uri = printable(uri)
        try:
            yield
        except MailmillError:
            raise
        except FileNotFoundError as error:
            if clients.code_of(error) == "NoSuchBucket":
                bucket = uri.split("/")[2]
                raise ConfigError(f"bucket {bucket} does not exist: {uri}", hint="see storage.endpoint, too") from None
            raise DataError(f"{uri} does not exist") from error
        except Exception as error:
            # From a disk, an error without the system's number is pyarrow's own: of pages that do not decompress, say.
            if isinstance(error, pa.ArrowInvalid) or (type(error) is OSError and not error.errno and not is_s3(uri)):
                raise DataError(f"{uri} is damaged or not a Parquet file ({type(error).__name__})") from None
            remote = type(error).__module__.startswith(("botocore", "aiobotocore"))
            if not isinstance(error, OSError) and not remote:
                raise
            if not is_s3(uri) or getattr(error, "errno", None) == errno.ENOSPC:
                raise InfrastructureError(f"{uri}: {getattr(error, 'strerror', None) or error}") from error
            place = self.settings.endpoint or f"AWS S3 in {self.settings.region or 'the default region'}"
            raise InfrastructureError(
                f"S3 at {place} failed for {uri}: {_first_line(error)}",
                hint="check storage.endpoint, the network, the credentials and the bucket's policy",
            ) from error


_LOCAL = pafs.LocalFileSystem()


def _seconds(info: dict[str, Any]) -> float:
    changed = info.get("LastModified")
    return float(changed.timestamp()) if changed is not None else 0.0


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
