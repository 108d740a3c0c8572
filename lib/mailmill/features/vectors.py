"""Word vectors where every worker can map them: beside the tables, built once.

On a local disk the store lies in the workspace and all processes share its pages. With a workspace on
S3 the driver builds it, uploads it under its fingerprint, and each worker process fetches one copy.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mailmill.errors import DataError
from mailmill.features.glove import META, STORED, GloveStore, build_store
from mailmill.features.vector_files import Block, VectorFile
from mailmill.storage import manifests
from mailmill.storage.filesystems import Storage, is_s3, join
from mailmill.storage.lookup import localized

FOLDER = "vectors"


@dataclass(frozen=True)
class SharedVectors:
    """A prepared store by name. Picklable: `open` maps it where it is used."""

    storage: Storage
    uri: str
    fingerprint: str

    def open(self) -> GloveStore:
        """The store, mapped once a process."""
        return _opened(self)


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


def prepare(storage: Storage, work: str, source: str) -> SharedVectors:
    """Read `source` into a store in the workspace `work`, or find it there from an earlier run.

    `source`: see `glove.build_store`; also an s3:// URI. Raises what `build_store` raises.
    """
    found = RemoteFile.look(storage, source) if is_s3(source) else VectorFile.find(source)
    name = "".join(c if c.isalnum() else "-" for c in source.rsplit("/", 1)[-1])
    if not is_s3(work):  # other vectors of the same name have their own place: a model may still read by those before
        name += "-" + hashlib.blake2b(found.signature.encode(), digest_size=8).hexdigest()
        store = build_store(found, Path(work.removeprefix("file://")) / FOLDER / name)
        built = SharedVectors(storage, str(store.directory), store.fingerprint)
        for uri, fingerprint in _others(storage, work, built):
            if fingerprint == built.fingerprint:  # of a file that was touched
                storage.delete(uri)
        return built
    if shared := _uploaded_before(storage, work, found.signature):
        return shared
    with tempfile.TemporaryDirectory(prefix="mailmill-") as folder:
        return _uploaded(storage, work, build_store(found, Path(folder) / name))


def _uploaded_before(storage: Storage, work: str, signature: str) -> SharedVectors | None:
    """The store that an earlier run made of this very source."""
    for name in storage.children(join(work, FOLDER)):
        uri = join(work, FOLDER, name)
        meta = manifests.document(storage, join(uri, META))
        if meta.get("signature") == signature:
            return SharedVectors(storage, uri, meta["fingerprint"])
    return None


def _uploaded(storage: Storage, work: str, store: GloveStore) -> SharedVectors:
    shared = SharedVectors(storage, join(work, FOLDER, store.fingerprint), store.fingerprint)
    if not storage.exists(join(shared.uri, META)):
        for file in sorted(store.directory.iterdir(), key=lambda file: file.name == META):  # META says: complete
            with storage.create(join(shared.uri, file.name)) as target, file.open("rb") as stream:
                shutil.copyfileobj(stream, target, 2**24)
    return shared


def sweep(storage: Storage, work: str, current: SharedVectors, used: Collection[str]) -> None:
    """Delete the stores of the workspace `work` but for the `current` one and those of the fingerprints `used`.

    Vectors that are trained every night make a store every night; a run that was killed leaves a part of one. What
    else lies there is somebody's.
    """
    for uri, fingerprint in _others(storage, work, current):
        if fingerprint == current.fingerprint or fingerprint not in used:
            storage.delete(uri)


def _others(storage: Storage, work: str, current: SharedVectors) -> Iterator[tuple[str, str]]:
    """Where the workspace's other stores lie, and their fingerprints; '' of a part of one."""
    for name in storage.children(join(work, FOLDER)):
        uri = join(work, FOLDER, name)
        held = storage.children(uri) if name != current.uri.rpartition("/")[2] and not storage.exists(uri) else []
        if held and STORED.issuperset(held):
            yield uri, str(manifests.document(storage, join(uri, META)).get("fingerprint", ""))


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
