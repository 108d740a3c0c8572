"""Forgotten mail: hashes of what was erased, by which it is not taken again.

A message's is its key, a hash of its bytes: it is known wherever it turns up, and says nothing to who has not that very
mail. Of a reject no bytes are known, so its hash is of its place in an object as that was, or the object's identity,
where that was named whole: what is mail once it can be read stays away as well, another's file of that name does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import pyarrow as pa

from mailmill import schemas
from mailmill.storage.tables import Workspace

TABLE = "forgotten"
SCHEMA = pa.schema([schemas.KEY])


def keys(workspace: Workspace) -> frozenset[str]:
    """The hashes of all that was forgotten in this workspace."""
    if workspace.find(TABLE) is None:
        return frozenset()
    return frozenset(workspace.open(TABLE, SCHEMA).read()["key"].to_pylist())


def publish(workspace: Workspace, found: Collection[str]) -> None:
    """Make these the hashes of all that was forgotten."""
    stage = workspace.stage({}, "", {TABLE: SCHEMA})
    with stage.sink.open(0) as writer:
        writer.write(TABLE, pa.RecordBatch.from_pydict({"key": sorted(found)}, SCHEMA))
    stage.publish(writer.written, {})


def of_object(identity: bytes) -> str:
    """The hash of all that is in an object, by its `ledger.identity`."""
    return identity.hex()


def of_place(source: str, identity: bytes) -> str:
    """The hash of what is at a source in an object."""
    return hashlib.blake2b(source.encode() + b"\0" + identity, digest_size=16).hexdigest()


def of_reject(source: str, versions: Sequence[bytes], whole: bool) -> set[str]:
    """The hashes of a reject, by its object's identities; `whole`: all of the object is to be forgotten.

    None at a place of an object that was taken more than once: there may be another's mail in the others.
    """
    if whole:
        return {of_object(identity) for identity in versions}
    return {of_place(source, identity) for identity in versions} if len(versions) == 1 else set()


def knows_place(found: frozenset[str], source: str, versions: Sequence[bytes]) -> bool:
    """Whether what is at a source was forgotten, in every one of these contents of its object."""
    return bool(found and versions) and all(
        of_object(identity) in found or of_place(source, identity) in found for identity in versions
    )
