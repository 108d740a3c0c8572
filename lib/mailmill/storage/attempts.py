"""Which runs have begun to write into tables and were not published: what ends in an error is deleted at once.

A killed run's files are swept by the next publication. Where every night ends in an error there is none, and each left
one more copy of the table.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailmill.storage.filesystems import Storage


class Attempts:
    """The folders of a process's runs, by run."""

    def __init__(self) -> None:
        self._folders: dict[str, list[str]] = {}

    def begun(self, run_id: str, folders: Iterable[str]) -> None:
        """Something is about to be written into these folders."""
        self._folders.setdefault(run_id, list(folders))

    def ended(self, run_id: str) -> None:
        """The run is about to be published: from now on its files may be a table's."""
        self._folders[run_id] = []

    def discard(self, storage: Storage) -> None:
        """Delete the folders of runs that have begun and not ended."""
        while self._folders:
            for folder in self._folders.popitem()[1]:
                storage.delete(folder)
