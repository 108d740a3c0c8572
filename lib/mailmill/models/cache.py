"""A read-through cache of arrays on the worker's own disk, shared by all workers of a machine.

A fit reads its table again and again. Parquet is decoded once; every later pass maps the arrays as they lie on
disk, at the speed of the disk or of the page cache, and lets go of them with the fragment, so that what a worker
holds is one fragment, however large the table is. A file that is missing or damaged is made again. The arrays are
made of people's mail, and checksums tell of damage, not of forgery: a folder that is not this user's alone is not used.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.models.arrays import Arrays
from mailmill.models.reading import READING
from mailmill.storage.disk import is_ours_alone, make_ours

_MAGIC = b"mailmill.cache.1\n"
_ALIGN = 64
_HEADER = 4096
_FREE_SHARE = 0.5
_SHARERS = max(16, os.cpu_count() or 1)  # processes that may fill one cache at a time without going over its limit


@dataclass(frozen=True)
class Cache:
    """Where arrays are kept: below directory, None: the executor's or the machine's folder for temporary files; limit
    in bytes, None: half of what is free there. Picklable: it travels with the fragments."""

    directory: str | None = None
    limit: int | None = None

    @property
    def root(self) -> Path:
        """The folder on this machine, of the cache's own files alone; one for each user."""
        # YARN and Spark name the disks of an executor, and clean them up when the application ends.
        local = os.environ.get("LOCAL_DIRS") or os.environ.get("SPARK_LOCAL_DIRS") or tempfile.gettempdir()
        return Path(self.directory or local.split(",")[0]) / f"mailmill-arrays-{os.geteuid()}"

    @property
    def refused(self) -> bool:
        """Whether something lies at `root` on this machine that is not this user's alone: nothing is kept then."""
        return os.path.lexists(self.root) and not is_ours_alone(self.root)

    def get(self, table: str, group: str, name: str, make: Callable[[], Arrays]) -> dict[str, NDArray[Any]]:
        """The arrays that `make` gives, from disk if they lie there whole, else made and, if there is room, kept.

        table: the fingerprint of what they are made from, a folder. group: what is read together, e.g. the
        features of one split; name: one fragment of it. Arrays from disk are private copies on write.
        A disk that fails or is full, or a folder that others may write to, costs time, never a result.
        """
        path = self.root / table / f"{group}-{name}"
        if is_ours_alone(self.root) and is_ours_alone(path.parent) and (found := _read(path)) is not None:
            READING.cache_bytes += sum(array.nbytes for array in found.values())
            return found
        made = {key: np.ascontiguousarray(array) for key, array in make().items()}
        try:
            self._keep(path, table, group, made)
        except OSError:
            return made
        return made

    def forget(self, table: str) -> None:
        """Remove what was kept of a table on this machine. Whoever still reads it makes it again."""
        if is_ours_alone(self.root):
            shutil.rmtree(self.root / table, ignore_errors=True)

    def _keep(self, path: Path, table: str, group: str, made: Arrays) -> None:
        since = _SINCE.setdefault((table, group), time.time_ns())
        header, size = _header(made)
        make_ours(self.root)
        make_ours(path.parent)
        if not self._make_room(size, since):
            return
        partial = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            with open(partial, "xb", opener=_for_nobody_else) as file:
                file.write(header)
                for offset, array in _laid_out(made):
                    file.seek(offset)
                    file.write(array.data.cast("B") if array.size else b"")
                file.truncate(size)
            _touch(partial)
            partial.replace(path)  # whole or not at all, also where two processes make the same
        finally:
            partial.unlink(missing_ok=True)

    def _make_room(self, size: int, since: int) -> bool:
        """Whether `size` bytes fit, after the least recently used files are gone.

        All files are looked at only where this process has kept its share of the room that it last saw: other
        processes keep files meanwhile, and a fit keeps thousands.

        Only files that nobody has read since this process began with the group are removed. A pass reads its
        fragments in a circle: by recency alone, a table larger than the cache would lose each part just before
        it is wanted. So what is full stays, and what does not fit is read from the table.
        """
        left = _LEFT.get(self, 0) - size
        if left >= 0:
            _LEFT[self] = left
            return True
        files = []
        for folder, _, names in os.walk(self.root):
            for path in (Path(folder, name) for name in names):
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    files.append((status.st_atime_ns, status.st_size, path))
        used = sum(held for _, held, _ in files)
        limit = self.limit if self.limit is not None else int((shutil.disk_usage(self.root).free + used) * _FREE_SHARE)
        for read, held, path in sorted(files, key=lambda file: file[0]):
            if used + size <= limit or read >= since:
                break
            path.unlink(missing_ok=True)
            used -= held
        _LEFT[self] = (limit - used - size) // _SHARERS
        return used + size <= limit


#: Below the folder for temporary files, up to half of what is free.
DEFAULT = Cache()

#: When this process first kept a file of (table, group).
_SINCE: dict[tuple[str, str], int] = {}
#: Bytes that this process may keep in a cache before it looks at all files there again.
_LEFT: dict[Cache, int] = {}
#: Files whose content this process has compared with their checksum: path -> (inode, bytes).
_VERIFIED: dict[Path, tuple[int, int]] = {}


def _for_nobody_else(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _touch(path: Path) -> None:
    """Note that the file is read now: a disk may be mounted so that reading leaves no trace."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _laid_out(arrays: Arrays) -> list[tuple[int, NDArray[Any]]]:
    at, found = _HEADER, []
    for name in sorted(arrays):
        found.append((at, arrays[name]))
        at += -(-arrays[name].nbytes // _ALIGN) * _ALIGN
    return found


def _header(arrays: Arrays) -> tuple[bytes, int]:
    """The first `_HEADER` bytes and the size of a file: names, dtypes, shapes, a CRC-32 of each and of themselves."""
    placed = _laid_out(arrays)
    fields = [
        {"name": name, "dtype": array.dtype.str, "shape": array.shape, "offset": at, "crc": _crc(array)}
        for name, (at, array) in zip(sorted(arrays), placed, strict=True)
    ]
    size = max([_HEADER, *(at + array.nbytes for at, array in placed)])
    text = json.dumps({"arrays": fields, "size": size}).encode()
    header = _MAGIC + b"%08x\n" % zlib.crc32(text) + text
    return header.ljust(_HEADER, b"\n"), size


def _crc(array: NDArray[Any]) -> int:
    return zlib.crc32(array.data.cast("B")) if array.size else 0


def _read(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, mapped; None where it is missing or damaged."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        described = _described(memory[:_HEADER], status.st_size)
        arrays = {
            field["name"]: np.frombuffer(memory, field["dtype"], int(np.prod(field["shape"])), field["offset"]).reshape(
                field["shape"]
            )
            for field in described
        }
        if _VERIFIED.get(path) != (status.st_ino, status.st_size):
            if any(_crc(arrays[field["name"]]) != field["crc"] for field in described):
                return None
            _VERIFIED[path] = (status.st_ino, status.st_size)
        _touch(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return arrays


def _described(header: bytes, size: int) -> list[dict[str, Any]]:
    """The fields of a header. Raises ValueError where it is not one, or not of a file of `size` bytes."""
    magic, checksum, text = header[: len(_MAGIC)], header[len(_MAGIC) : len(_MAGIC) + 8], header[len(_MAGIC) + 9 :]
    text = text.rstrip(b"\n")
    if magic != _MAGIC or int(checksum, 16) != zlib.crc32(text):
        raise ValueError("not a header")
    document = json.loads(text)
    if document["size"] != size:
        raise ValueError("a file of another size")
    fields: list[dict[str, Any]] = document["arrays"]
    return fields
