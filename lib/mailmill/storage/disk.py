"""Files of a local disk that appear whole or not at all, also where the machine stops meanwhile."""

from __future__ import annotations

import contextlib
import os
import re
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


def flush_to_disk(path: Path) -> None:
    """Have the file's bytes on the disk: a power cut may else leave a name with zeros behind it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
