"""Objects that were taken and are gone from where they were read: no night gives up their mail without a word.

    missing = taken before, and not listed now with the same name, size and tag
    lost    = missing, and not listed elsewhere either (moved; renamed, as a Maildir's mail is), nor written anew

A folder that held nothing else, and is there, empty, is what a mailbox looks like whose disk is not mounted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mailmill.errors import DataError
from mailmill.storage.filesystems import is_s3
from mailmill.storage.sources import SourceObject

_MAILDIR = ("cur", "new")


@dataclass(frozen=True)
class Gone:
    """The `missing` of all that was taken, where `there` are all objects that are listed now."""

    missing: Sequence[SourceObject] = ()
    there: Sequence[SourceObject] = ()

    @cached_property
    def lost(self) -> list[SourceObject]:
        """Those whose mail leaves the tables."""
        if not self.missing:
            return []
        names, moved = {found.name for found in self.there}, {_content(found) for found in self.there}
        return [taken for taken in self.missing if taken.name not in names and _content(taken) not in moved]

    @property
    def words(self) -> str:
        """How many, and the name of one; "" for none."""
        others = len(self.missing) - len(self.lost)
        said = [f"{len(self.lost)} objects are gone, e.g. {self.lost[0].name}"] if self.lost else []
        return ", ".join(said + ([f"{others} objects have changed or moved"] if others else []))

    def require_mounted(self, roots: Sequence[str]) -> None:
        """Raise DataError where a folder below one of the roots is empty that held lost objects."""
        if not self.lost:
            return
        tops = {Path(root.removeprefix("file://")) for root in roots if not is_s3(root)}
        inhabited = {above for folder in {_folder(found) for found in self.there} for above in _up(folder)}
        for folder in sorted({_folder(taken) for taken in self.lost}):
            empty = [above for above in _up(folder) if above not in inhabited and not tops.isdisjoint(above.parents)]
            bare = next((above for above in empty if above.is_dir() and not any(above.iterdir())), None)
            if bare:
                held = sum(bare in _up(_folder(taken)) for taken in self.lost)
                raise DataError(
                    f"{bare} is empty, and {held} objects were taken from there",
                    hint="is it mounted? Where their mail shall leave the tables, remove the folder or set "
                    "ingest.drop_emptied = true; where it shall stay, ingest.keep_gone = true",
                )


def _content(found: SourceObject) -> tuple[str, int, str]:
    """What an object that is moved takes along; a Maildir's mail gets other flags as it is read."""
    return found.name.rpartition("/")[2].partition(":2,")[0], found.size, found.etag


def _folder(found: SourceObject) -> Path:
    """The folder that an object lies in: of a Maildir the one of its `cur` and `new`, which are emptied every day."""
    folder = Path(found.name).parent
    return folder.parent if folder.name in _MAILDIR else folder


def _up(folder: Path) -> tuple[Path, ...]:
    """A folder and those above it."""
    return folder, *folder.parents
