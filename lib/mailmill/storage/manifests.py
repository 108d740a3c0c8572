"""The manifest: the one small file that makes a run of a table visible.

A stage writes Parquet files under `<table>/run_id=<id>/` and then, last and in one atomic write,
`<table>/_manifest.json`. Readers start from the manifest, so a half-written run is never seen, and
whatever a killed run left behind is swept when the next run publishes. The manifest also says from
what the table was made (fingerprints of the inputs, of the settings and of the code), which is
how a stage knows that it has nothing to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib import resources
from typing import Any

import pyarrow as pa

from mailmill import __version__
from mailmill.errors import DataError, InfrastructureError
from mailmill.storage.filesystems import GONE, Storage, is_s3, join
from mailmill.storage.fingerprint import combine

log = logging.getLogger("mailmill")
FORMAT = "mailmill.manifest"
VERSION = 1
NAME = "_manifest.json"
MADE_BY = "made_by"  # a statistic: by section, the settings that a table was made by and that people are told of
#: Tables that are made from mail itself, which may have left the place where it was read (`ingest.keep_gone`).
_OF_MAIL = ("raw", "raw_rejects", "ledger")


@dataclass(frozen=True, slots=True)
class File:
    """One published file: its path below the table's folder, rows, bytes, and the digest of its rows (hex).

    A path names one content. `merged`: the paths of the files that compaction made it from.
    """

    path: str
    rows: int
    bytes: int
    digest: str
    merged: tuple[str, ...] = ()

    @property
    def origins(self) -> tuple[str, ...]:
        """The files as tasks wrote them whose rows are in here."""
        return self.merged or (self.path,)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `_manifest.json` holds; see the module's docstring.

    `inputs` (fingerprints by name), `settings` (a hash) and `code` are what the table is a function of, see
    `made_from`. `statistics` are the stage's counts, for people and for later stages. `made_of`: the input
    files that a row-wise stage has mapped, as table/path, so that it need only map new ones next time. `seconds`:
    how long the stage took.
    """

    table: str
    run_id: str
    created: str
    rows: int
    fingerprint: str
    columns: list[dict[str, Any]]
    files: list[File]
    inputs: dict[str, str]
    settings: str
    code: str
    statistics: dict[str, Any] = field(default_factory=dict)
    previous_run: str | None = None
    made_of: list[str] = field(default_factory=list)
    seconds: float = 0.0
    format: str = FORMAT
    version: int = VERSION

    def made_from(self, inputs: dict[str, str], settings: str, code: str) -> bool:
        """Whether this table is what the given inputs, settings and code would make again."""
        return (self.inputs, self.settings, self.code) == (inputs, settings, code)

    @property
    def origins(self) -> list[str]:
        """The files as tasks wrote them whose rows are in the table, as table/path."""
        return [f"{self.table}/{path}" for file in self.files for path in file.origins]

    def to_bytes(self) -> bytes:
        """The file's content: indented JSON, sorted keys."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes, uri: str) -> Manifest:
        """Parse; raises DataError where it is damaged or of a later version."""
        way_out = anew(uri.rpartition("/")[0])
        try:
            document = json.loads(content)
            if document["format"] != FORMAT or document["version"] != VERSION:
                raise DataError(
                    f"{uri} is a {document['format']} of version {document['version']}, not {VERSION}",
                    hint=f"use the mailmill that wrote it ({document.get('code', 'unknown')}), or {way_out}",
                )
            files = [File(**_known(File, f) | {"merged": tuple(f.get("merged", ()))}) for f in document["files"]]
            return cls(**_known(cls, document) | {"files": files})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"manifest {uri} is damaged ({type(error).__name__})",
                hint=f"restore it from a backup, or {way_out}",
            ) from None


def _known(kind: type[Any], document: dict[str, Any]) -> dict[str, Any]:
    """What this version reads of a document; a later one of the same format may have added to it."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in document.items() if name in names}


def anew(table_uri: str) -> str:
    """The way out for people whose table is damaged, as the end of a sentence."""
    folder, _, table = table_uri.rpartition("/")
    of_mail = table in _OF_MAIL and not folder.endswith("/profiles")
    end = ": of the mail that is still there" if of_mail else ""
    if table == "forgotten":
        return f"delete {join(table_uri, NAME)} and forget again what it held"
    return f"delete {join(table_uri, NAME)} and run again: the table is then made anew{end}"


def read(storage: Storage, table_uri: str) -> Manifest | None:
    """The published manifest of the table at `table_uri`, or None where nothing was published."""
    uri = join(table_uri, NAME)
    content = storage.read_if_there(uri)
    return None if content is None else Manifest.from_bytes(content, uri)


def missing(storage: Storage, table_uri: str, manifest: Manifest) -> list[str]:
    """The published files that are gone, or have other bytes than were written; on S3 by one listing. None is read."""
    named = [file.path for file in manifest.files]
    there = paths(storage, table_uri) if is_s3(table_uri) else {path: _size(storage, table_uri, path) for path in named}
    found = [join(table_uri, file.path) for file in manifest.files if there.get(file.path) != file.bytes]
    if found:
        log.warning("%s: %d of %d files are gone or cut, e.g. %s", table_uri, len(found), len(manifest.files), found[0])
    return found


def _size(storage: Storage, table_uri: str, path: str) -> int:
    """The bytes of a file on a disk, whatever links lead to it; -1 for none, and an error where nobody can tell."""
    uri = join(table_uri, path)
    with storage.translated(uri):
        try:
            return os.stat(storage.arrow(uri)[1]).st_size
        except OSError as error:
            if error.errno in GONE:
                return -1
            raise


def paths(storage: Storage, table_uri: str) -> dict[str, int]:
    """The bytes of every file below the table's folder, by its path there; one listing, and {} without the folder."""
    try:
        found = storage.find(table_uri, of_mail=False)
    except DataError:
        return {}
    start = len(storage.arrow(table_uri)[1].rstrip("/")) + 1
    return {storage.arrow(each.path)[1][start:]: each.size for each in found}


def content(storage: Storage, table_uri: str, manifest: Manifest, name: str) -> bytes:
    """A published file that is no table's, by its name. Raises DataError where it has other bytes than were written."""
    found = next((file for file in manifest.files if file.path.endswith(f"/{name}")), None)
    if found is None:
        raise DataError(f"{table_uri} has no file {name}")
    uri, state = join(table_uri, found.path), hasher(found.path.partition("/")[2])
    with mendable(storage, uri):
        read = storage.read(uri)
        state.update(read)
        if state.hexdigest() != found.digest:
            raise DataError(f"{uri} is damaged: its bytes are not those that were written")
    return read


def hasher(name: str) -> hashlib.blake2b:
    """The digest of a file that is no table's, before the first of its bytes; `name`: below the run's folder."""
    return hashlib.blake2b(name.encode() + b"\0", digest_size=16)


@contextlib.contextmanager
def mendable(storage: Storage, uri: str) -> Iterator[None]:
    """Say with what is wrong with a file how its table is made anew, if the table is of this file.

    It is not where a run wrote the file and has not published it, or another run has published since.
    """
    try:
        yield
    except DataError as error:
        if error.hint:
            raise
        table_uri, _, path = uri.rpartition("/run_id=")
        published = read(storage, table_uri)
        ours = published is not None and any(file.path == f"run_id={path}" for file in published.files)
        raise DataError(error.message, hint=anew(table_uri) if ours else "") from None


def publish(
    storage: Storage, table_uri: str, manifest: Manifest, before: Manifest | None, in_use: Collection[str] = ()
) -> None:
    """Make `manifest` the table, then `sweep`, but for the one `before`, which has readers; what stays is warned of."""
    named = {file.path for file in manifest.files}
    _sweep(storage, table_uri, f"run_id={manifest.run_id}", named)  # left by a task's lost attempt, or scratch
    storage.write(join(table_uri, NAME), manifest.to_bytes())
    kept = sweep(storage, table_uri, [manifest, before] if before else [manifest], in_use)
    if kept:
        log.warning("%s: %d files of runs before cannot be deleted, e.g. %s", table_uri, len(kept), kept[0].message)


def sweep(
    storage: Storage, table_uri: str, manifests: Collection[Manifest], in_use: Collection[str] = ()
) -> list[InfrastructureError]:
    """Delete what runs wrote that none of these manifests names, but for folders `in_use`; the errors of what stays."""
    named = {file.path for manifest in manifests for file in manifest.files}
    folders = {path.partition("/")[0] for path in named} | {f"run_id={manifest.run_id}" for manifest in manifests}
    there = paths(storage, table_uri)
    runs = {path.partition("/")[0] for path in there} if is_s3(table_uri) else storage.children(table_uri)
    stale = {name for name in runs if name.startswith("run_id=")} - folders - {*in_use}
    gone = stale | {*in_use}
    stale |= {p for p in there if p.startswith("run_id=") and p not in named and p.partition("/")[0] not in gone}
    return [error for path in sorted(stale) for error in _refused(storage, join(table_uri, path))]


def _refused(storage: Storage, uri: str) -> list[InfrastructureError]:
    """Delete what no reader is on; the error, where that is refused: it ends no publication, for that is made."""
    try:
        storage.delete(uri)
    except InfrastructureError as error:
        return [error]
    return []


def _sweep(storage: Storage, table_uri: str, folder: str, named: set[str]) -> None:
    for name in storage.children(join(table_uri, folder)):
        path = f"{folder}/{name}"
        if path in named:
            continue
        if any(other.startswith(path + "/") for other in named):
            _sweep(storage, table_uri, path, named)
        else:
            storage.delete(join(table_uri, path))


def new_run_id() -> str:
    """An identifier that sorts by time: 20261121T103000-1a2b3c4d."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}"


def digest_of(content: bytes) -> str:
    """32 hex digits of BLAKE2b over a file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_of_rows(files: Iterable[File]) -> int:
    """The digest of a table's rows, from those of its files; see `fingerprint`."""
    return combine([int(file.digest, 16) for file in files])


def columns(schema: pa.Schema) -> list[dict[str, Any]]:
    """The schema as plain JSON: name, type, nullable."""
    return [{"name": f.name, "type": str(f.type), "nullable": f.nullable} for f in schema]


@cache
def code_version() -> str:
    """Version of the package and a hash over its source and data files: a changed line runs stages again.

    Modules that are compiled besides do not count: they give the same rows. Neither do a wheel's expectations, which
    in a checkout lie elsewhere: they are among the settings of the stages that they judge. Nor does what editors leave.
    """
    state = hashlib.blake2b(digest_size=8)
    _hash_tree(resources.files("mailmill"), "", state)
    return f"{__version__}+{state.hexdigest()}"


def _hash_tree(folder: Any, prefix: str, state: Any) -> None:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        name = f"{prefix}/{entry.name}"
        if entry.name.startswith((".", "#")):  # a folder, too
            continue
        if entry.is_dir():
            if entry.name != "__pycache__" and name != "/quality/suites":
                _hash_tree(entry, name, state)
        elif not entry.name.endswith((".pyc", ".pyo", ".so", "~")):
            state.update(name.encode() + b"\0" + entry.read_bytes())
