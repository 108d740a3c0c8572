"""Files of a local disk that appear whole or not at all, also where the machine stops meanwhile; folders that are
this user's alone."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

#: What `part_of` names.
_PART = re.compile(r"\..+\.[0-9a-f]{12}\.tmp", re.DOTALL)


def part_of(path: Path) -> Path:
    """A place beside `path`, of a name that no other process gives, for what will take its place."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")


def is_part(name: str) -> bool:
    """Whether `part_of` gave this name: to what is being written, or was left by a process that was killed."""
    return _PART.fullmatch(name) is not None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside `path` for a file that takes its place, whole, when the block ends well; else it goes."""
    temporary = part_of(path)
    try:
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def is_ours_alone(folder: Path) -> bool:
    """Whether it is a folder, no link to one, that belongs to this user and where nobody else may write."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def make_ours(folder: Path) -> None:
    """Make a folder that nobody else may look into, below what others write to, e.g. among their temporary files.

    Raises PermissionError where what is there is not this user's alone: whoever guessed the name made it, perhaps of
    links to this user's files, and would read and change what is put there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
    if not is_ours_alone(folder):
        raise PermissionError(errno.EPERM, "it is not this user's alone", str(folder))


def flush_to_disk(path: Path) -> None:
    """Have the file's bytes on the disk: a power cut may else leave a name with zeros behind it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
