"""Word vectors where every worker can map them: beside the tables, built once, each under its fingerprint.

On a local disk the store lies in the workspace and all processes share its pages. With a workspace on
S3 the driver builds it, uploads it, and each worker process fetches one copy. Nothing but `sweep` deletes one:
others may read it, or be preparing the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from mailmill.errors import DataError, InfrastructureError
from mailmill.features.glove import FORMAT, META, STORED, GloveStore, building, keep, stands
from mailmill.features.vector_files import PACKAGE, Block, VectorFile
from mailmill.storage import manifests
from mailmill.storage.disk import is_part
from mailmill.storage.documents import document
from mailmill.storage.filesystems import Storage, is_s3, join
from mailmill.storage.lookup import localized
from mailmill.storage.refused import passed_over

log = logging.getLogger("mailmill")
FOLDER = "vectors"
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


class Description(NamedTuple):
    """The name of the vectors' source, the hash of all words and vectors, and the dimension."""

    name: str
    fingerprint: str
    dimension: int


@dataclass(frozen=True)
class SharedVectors:
    """A prepared store by name. Picklable: `open` maps it where it is used."""

    storage: Storage
    uri: str
    fingerprint: str

    def open(self) -> GloveStore:
        """The store, mapped once a process."""
        return _opened(self)

    def described(self) -> Description:
        """What META says of the store, of which nothing else is fetched. Raises DataError where that is damaged."""
        meta = document(self.storage, join(self.uri, META))
        name, dimension = meta.get("name"), meta.get("dimension")
        if not isinstance(name, str) or not isinstance(dimension, int):
            raise DataError(f"{self.uri} is not a complete store of word vectors", hint="delete it and run again")
        return Description(name, self.fingerprint, dimension)


@dataclass(frozen=True)
class RemoteFile(VectorFile):
    """Vectors on S3, fetched only where they are read; the signature holds the object's ETag."""

    storage: Storage

    @classmethod
    def look(cls, storage: Storage, source: str) -> RemoteFile:
        """`source`: an s3:// URI, also `x.zip!member.txt`. Raises DataError where there is no such object."""
        address, *member = source.partition("!")
        name = address.rsplit("/", 1)[-1] + "".join(member)
        (found, *_) = storage.find(address)
        return cls(source, name, f"{name};{found.size}:{found.etag}", (), storage)

    def blocks(self) -> Iterator[Block]:
        """See `VectorFile.blocks`."""
        address, mark, member = self.source.partition("!")
        with tempfile.TemporaryDirectory(prefix="mailmill-") as folder:
            path = Path(folder) / address.rsplit("/", 1)[-1]
            self.storage.fetch(address, path)
            yield from VectorFile.find(f"{path}{mark}{member}").blocks()


def prepare(storage: Storage, work: str, source: str, only: str = "") -> SharedVectors:
    """Read `source` into a store in the workspace `work`, or find it there from an earlier run.

    `source`: see `glove.build_store`; also an s3:// URI. `only`: the fingerprint of the vectors that are needed, of
    others no store is left. Raises what `build_store` raises, and DataError where they are others.
    """
    found = RemoteFile.look(storage, source) if is_s3(source) else VectorFile.find(source)
    if shared := _prepared_before(storage, work, found.signature):
        return _needed(shared, source, only)
    with contextlib.ExitStack() as stack:
        folder = Path(work.removeprefix("file://")) / FOLDER
        if is_s3(work):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailmill-")))
        built = stack.enter_context(building(found, folder / "new"))
        shared = SharedVectors(storage, join(work, FOLDER, built.fingerprint), built.fingerprint)
        _needed(shared, source, only)
        if is_s3(work):
            _upload(shared, built)
        else:
            keep(built, folder)
    return shared


def _needed(shared: SharedVectors, source: str, only: str) -> SharedVectors:
    if only and shared.fingerprint != only:
        raise DataError(
            f"the word vectors {source} are not those of the model", hint=f"needed are those of fingerprint {only}"
        )
    return shared


def stores(storage: Storage, work: str) -> Iterator[tuple[SharedVectors, dict[str, Any]]]:
    """The stores of a workspace, or beside a model, with what their META says.

    None that is still being built, and none that is not ours to read: people keep files of their own there.
    """
    for name in storage.children(join(work, FOLDER)):
        uri = join(work, FOLDER, name)
        meta: dict[str, Any] | None = None
        with passed_over():
            meta = {} if is_part(name) else document(storage, join(uri, META))
        if meta is None:
            _say_unreadable(uri)
        elif isinstance(fingerprint := meta.get("fingerprint"), str):
            yield SharedVectors(storage, uri, fingerprint), meta


@cache
def _say_unreadable(uri: str) -> None:
    """Say it once a process, where it may be the very store that is needed."""
    if _FINGERPRINT.fullmatch(uri.rpartition("/")[2]):
        log.warning("%s is not ours to read: its word vectors are as good as gone", uri)


def find(storage: Storage, work: str, fingerprint: str) -> SharedVectors | None:
    """The prepared word vectors of a workspace that have this fingerprint, whole, or None."""
    for shared, meta in stores(storage, work):
        if shared.fingerprint == fingerprint and _whole(shared, meta):
            return shared
    return None


def _prepared_before(storage: Storage, work: str, signature: str) -> SharedVectors | None:
    """The store that an earlier run made of this very source, whatever its name."""
    for shared, meta in stores(storage, work):
        if meta.get("signature") == signature and _whole(shared, meta):
            return shared
    return None


def _whole(shared: SharedVectors, meta: dict[str, Any]) -> bool:
    """Whether the files that META names are there; on S3 by one listing."""
    if not is_s3(shared.uri):
        return stands(Path(shared.uri.removeprefix("file://")), "fingerprint", shared.fingerprint)
    found = manifests.paths(shared.storage, shared.uri)
    files = meta.get("files")
    return meta.get("format") == FORMAT and isinstance(files, dict) and files.items() <= found.items()


def _upload(shared: SharedVectors, built: GloveStore) -> None:
    """Put the store on S3; where the same vectors are, it is from now on the store of this source."""
    storage, meta = shared.storage, join(shared.uri, META)
    there = _whole(shared, document(storage, meta))
    for name in () if there else sorted(STORED - {META}):
        with storage.create(join(shared.uri, name)) as target, (built.directory / name).open("rb") as stream:
            shutil.copyfileobj(stream, target, 2**24)
    with contextlib.suppress(*[InfrastructureError] if there else []):  # not ours to write, and still as good
        storage.write(meta, (built.directory / META).read_bytes())  # says: complete


def sweep(storage: Storage, work: str, current: SharedVectors, used: Collection[str]) -> None:
    """Delete the stores of the workspace `work` but for the `current` one and those of the fingerprints `used`.

    Vectors that are trained every night make a store every night; a run that was killed leaves a part of one. What
    else lies there is somebody's, a copy of a store under a name of one's own too. Only for who holds the lease.
    """
    known = {shared.uri: (shared.fingerprint, _names(meta)) for shared, meta in stores(storage, work)}
    for name in storage.children(join(work, FOLDER)):
        uri = join(work, FOLDER, name)
        if name == current.uri.rpartition("/")[2]:
            continue
        held = {uri}  # of a file, and of what is not ours to read: no store's
        with passed_over():
            if not storage.exists(uri):
                held = set(storage.children(uri))
        fingerprint, names = known.get(uri, ("", set()))
        left = is_part(name) or (_FINGERPRINT.fullmatch(name) and META not in held)
        unused = name in names and (fingerprint == current.fingerprint or fingerprint not in used)
        if held <= STORED and (left or unused):
            storage.delete(uri)


def _names(meta: dict[str, Any]) -> set[str]:
    """What mailmill calls a store: its fingerprint; its source, also with a hash, in versions before."""
    last = str(meta.get("name")).rpartition("/")[2]
    older = {"".join(c if c.isalnum() else "-" for c in prefix + last) for prefix in ("", PACKAGE)}
    signature = hashlib.blake2b(str(meta.get("signature")).encode(), digest_size=8).hexdigest()
    return {str(meta["fingerprint"]), *older, *(f"{name}-{signature}" for name in older)}


def require(storage: Storage, source: str) -> None:
    """Raise what `prepare` raises where `source` is missing, without reading it."""
    if not is_s3(source):
        VectorFile.find(source)
    elif not storage.exists(source.partition("!")[0]):
        raise DataError(f"word vectors {source} do not exist", hint="set features.vectors")


@lru_cache(maxsize=4)
def _opened(vectors: SharedVectors) -> GloveStore:
    names = vectors.storage.children(vectors.uri) if is_s3(vectors.uri) else []
    with localized(vectors.storage, vectors.uri, names) as folder:
        return GloveStore.open(folder)
