"""Forgotten mail: the keys of what was erased, by which it is not taken again, wherever it turns up.

A key is a hash of a message's bytes (of a reject's source): it says nothing of a mail to who has not that very mail.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from mailmill import schemas
from mailmill.storage.tables import Workspace

TABLE = "forgotten"
SCHEMA = pa.schema([schemas.KEY])


def keys(workspace: Workspace) -> frozenset[str]:
    """The keys of all that was forgotten in this workspace."""
    if workspace.find(TABLE) is None:
        return frozenset()
    return frozenset(workspace.open(TABLE, SCHEMA).read()["key"].to_pylist())


def publish(workspace: Workspace, found: Collection[str]) -> None:
    """Make these the keys of all that was forgotten."""
    stage = workspace.stage({}, "", {TABLE: SCHEMA})
    with stage.sink.open(0) as writer:
        writer.write(TABLE, pa.RecordBatch.from_pydict({"key": sorted(found)}, SCHEMA))
    stage.publish(writer.written, {})
