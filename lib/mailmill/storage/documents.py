"""Small JSON objects, as mailmill and people write them beside tables: read whole, taken for what they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from mailmill.storage.clients import CONNECTIONS
from mailmill.storage.filesystems import Storage
from mailmill.storage.refused import passed_over


def document(storage: Storage, uri: str) -> dict[str, Any]:
    """The JSON object in a file; {} where there is no such file, or another."""
    content = storage.read_if_there(uri)
    try:
        found = json.loads(content or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def documents(storage: Storage, uris: Sequence[str], ours: bool = True) -> list[dict[str, Any]]:
    """As `document` for each, and at once: S3 takes its time to answer. `ours`: else what is refused is {}, too."""
    with ThreadPoolExecutor(CONNECTIONS) as readers:
        return list(readers.map(partial(document if ours else _if_ours, storage), uris))


def _if_ours(storage: Storage, uri: str) -> dict[str, Any]:
    with passed_over():
        return document(storage, uri)
    return {}
