"""Which objects to read, what each one holds, and how to share them out among tasks.

Mail arrives as millions of small objects, as a few huge containers, and with the litter that
programs leave beside it. This file decides from names, sizes and first bytes alone, so a plan costs
one listing; `containers` then opens what was planned.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["message", "mbox", "tar", "zip", "jsonl", "parquet", "compressed", "unsupported"]


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One file or object: where it lies, its size in bytes, a tag that changes with its content, and its last change.

    `modified` in seconds since 1970.
    """

    path: str
    size: int
    etag: str = ""
    modified: float = 0.0

    @property
    def name(self) -> str:
        """The path as tables hold it."""
        return printable(self.path)

    @property
    def day(self) -> str:
        """The date of the last change, in UTC: 2026-11-20."""
        known = max(_FIRST, min(self.modified, _LAST))  # a file may be dated by a camera, or by nobody
        return datetime.fromtimestamp(known, UTC).date().isoformat()


#: What Python has dates for, with a day to spare.
_FIRST, _LAST = -62135510400.0, 253402214400.0

_ENDINGS: tuple[tuple[str, Kind], ...] = (
    (".eml", "message"),
    (".mbox", "mbox"),
    (".mbx", "mbox"),
    (".tar", "tar"),
    (".zip", "zip"),
    (".jsonl", "jsonl"),
    (".ndjson", "jsonl"),
    (".parquet", "parquet"),
    (".tgz", "compressed"),
    (".tbz2", "compressed"),
    (".gz", "compressed"),
    (".bz2", "compressed"),
    (".xz", "unsupported"),
    (".txz", "unsupported"),
    (".zst", "unsupported"),
    (".7z", "unsupported"),
    (".rar", "unsupported"),
)

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"From ", "mbox"),
    (b"PK\x03\x04", "zip"),
    (b"PAR1", "parquet"),
    (b"\x1f\x8b\x08", "compressed"),
    (b"BZh", "compressed"),
    (b"\xfd7zXZ\x00", "unsupported"),
    (b"\x28\xb5\x2f\xfd", "unsupported"),
    (b"7z\xbc\xaf\x27\x1c", "unsupported"),
    (b"Rar!\x1a\x07", "unsupported"),
)

#: Bytes of an object's beginning that `kind_of` wants to see: a tar names itself at byte 257.
HEAD_BYTES = 512

#: How much larger a compressed container is taken to be once it is read.
EXPANSION = 5

_JUNK_NAMES = re.compile(
    r"\.|maildirsize$|maildirfolder$|Thumbs\.db$|desktop\.ini$|_SUCCESS$|.*\.msf$|.*_\$folder\$$",
    re.DOTALL,
)
_INDEXES = re.compile(r"dovecot[.-]|courierimap")  # where no ending says that it is mail
_JUNK_FOLDERS = frozenset({"__MACOSX", ".git", ".svn", ".hg"})
_DELIVERY_NAME = re.compile(r"\d{9,}\.[^./]+\.[^/]+")  # of a Maildir: seconds.unique.host


def printable(name: str) -> str:
    r"""A name as tables hold it: valid Unicode, where a byte of a file's name that is not UTF-8 becomes `\udce9`."""
    return name.encode("utf-8", "backslashreplace").decode()


def kind_by_name(path: str) -> Kind | None:
    """What the name's ending says; None where it says nothing."""
    lowered = path.lower()
    return next((kind for ending, kind in _ENDINGS if lowered.endswith(ending)), None)


def kind_of(path: str, head: bytes) -> Kind:
    """What an object holds, by its name, else by its first `HEAD_BYTES` bytes; "message" if in doubt."""
    named = kind_by_name(path)
    if named:
        return named
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "message")


def is_junk(path: str, root: str = "") -> bool:
    """Whether a file is litter beside the mail, which no one would miss: it is skipped, not rejected.

    Dotfiles, `.DS_Store` and its kin, indexes of Dovecot, Courier and Thunderbird, markers of Spark
    and S3, version control, and undelivered mail in a Maildir's `tmp/`. Dot folders are not litter:
    Maildir++ calls a folder `.Sent`. `root` is where the listing began; folders above it do not count.
    """
    below = path[len(root) :] if root and path != root and path.startswith(root) else path
    *folders, name = below.split("/")
    if not name or _JUNK_NAMES.match(name) or not _JUNK_FOLDERS.isdisjoint(folders):
        return True
    if _INDEXES.match(name) and kind_by_name(name) is None:
        return True
    return bool(folders) and folders[-1] == "tmp" and _DELIVERY_NAME.fullmatch(name) is not None


def fingerprint_objects(objects: Sequence[SourceObject]) -> str:
    """32 hex digits over the paths, sizes and ETags (times of change on a disk), whatever the objects' order."""
    state = hashlib.blake2b(digest_size=16)
    for found in sorted(objects, key=lambda each: each.name):
        state.update(f"{found.name}\0{found.size}\0{found.etag}\n".encode())
    return state.hexdigest()


def plan_batches(objects: Sequence[SourceObject], target_bytes: int, max_objects: int) -> list[list[SourceObject]]:
    """Share objects out into batches of about `target_bytes` and at most `max_objects`, one a task.

    Objects go by path. Small ones fill a batch; one that alone comes to `target_bytes` (a compressed
    container counts `EXPANSION` times its size) is a batch of its own. The plan depends on the set of
    objects alone, not on their order. Batches go by their first path.
    """
    batches: list[list[SourceObject]] = []
    current: list[SourceObject] = []
    filled = 0
    for found in sorted(objects, key=lambda each: (each.path, each.etag, each.size)):
        cost = found.size * (EXPANSION if kind_by_name(found.path) in ("zip", "parquet", "compressed") else 1)
        if cost >= target_bytes:
            batches.append([found])
            continue
        if current and (filled + cost > target_bytes or len(current) >= max_objects):
            batches.append(current)
            current, filled = [], 0
        current.append(found)
        filled += cost
    if current:
        batches.append(current)
    return sorted(batches, key=lambda batch: batch[0].path)
