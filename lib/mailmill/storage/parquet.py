"""The Parquet files of a table: how they are cut into tasks, and whether they are what was published.

Both ask each file itself. On S3 that is a request or two a file, and a pass over a table of ten thousand files begins
with it; so many are asked at a time, and each once a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

import pyarrow.parquet as pq

from mailmill.errors import DataError
from mailmill.storage.clients import CONNECTIONS
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.fingerprint import combine, digest
from mailmill.storage.fragments import Scan
from mailmill.storage.manifests import File, mendable


def cut(storage: Storage, table: str, files: Sequence[File], target_bytes: int) -> list[Scan]:
    """Tasks of about `target_bytes` on disk each, where row groups allow; in the files' order.

    Raises DataError naming the first file that is damaged or gone.
    """
    uris = [join(table, file.path) for file in files]
    with ThreadPoolExecutor(CONNECTIONS) as readers:
        groups = list(readers.map(lambda uri: _row_groups(storage, uri), uris))
    found = zip(uris, files, groups, strict=True)
    return [scan for uri, file, rows in found for scan in _cut(storage, uri, rows, file.bytes / target_bytes)]


def check(storage: Storage, table: str, files: Iterable[File]) -> None:
    """Read every file. Raises DataError naming the first that is damaged or gone, or has other rows than it had."""
    for file in files:
        uri = join(table, file.path)
        with mendable(storage, uri):
            scan = Scan(storage, uri, tuple(range(len(_row_groups(storage, uri)))), file.rows)
            try:
                same = combine([digest(batch) for batch in scan.batches()]) == int(file.digest, 16)
            except TypeError:  # a null where none was written
                same = False
            if not same:
                raise DataError(f"{uri} is damaged: its rows are not those that were written")


@lru_cache(maxsize=2**16)
def _row_groups(storage: Storage, uri: str) -> tuple[int, ...]:
    """The rows of each row group of a file. A path names one content for ever."""
    with mendable(storage, uri), storage.open(uri) as stream:
        metadata = pq.ParquetFile(stream).metadata
    return tuple(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))


def _cut(storage: Storage, uri: str, rows: Sequence[int], tasks: float) -> list[Scan]:
    parts = max(1, min(len(rows), round(tasks)))
    bounds = [len(rows) * i // parts for i in range(parts + 1)]
    return [
        Scan(storage, uri, tuple(range(first, after)), sum(rows[first:after]))
        for first, after in pairwise(bounds)
        if first < after
    ]
