"""Tables made by hand, as any stage could have left them, cut into any fragments."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from mailmill import schemas
from mailmill.config import StorageSection, TablesSection
from mailmill.storage.filesystems import Storage
from mailmill.storage.tables import Table, Workspace

DIMENSION = 4


def key(n: int) -> str:
    return hashlib.blake2b(str(n).encode(), digest_size=16).hexdigest()


def raw(n: int) -> dict[str, Any]:
    return {"key": key(n), "source": f"in/box-{n % 3}.mbox#{n:06d}", "raw": b"x" * (n * 37 % 5000)}


def clean(n: int) -> dict[str, Any]:
    body, quoted = n * 13 % 700, n * 7 % 90 + 1
    text = ("\ufffd" if n % 50 == 0 else "ä") * body
    spans = [("body", 0, body, "author")] if body else []
    spans += [("quoted", body, body + quoted, "quote_mark" if n % 2 else "reply_header")]
    return {
        "key": key(n),
        "thread": key(n // 3 + 10**6),
        "date": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=n) if n % 11 else None,
        "sender_domain": f"{n % 17:016x}",
        "subject": "subject",
        "text": text,
        "spans": [dict(zip(("zone", "start", "end", "rule"), span, strict=True)) for span in spans],
        "language": "en" if n % 4 else "de",
        "rendered_chars": body + quoted,
        "words": body // 5,
        "confidence": (n % 100) / 100,
        "flags": ["html"] if n % 3 else [],
    }


def labels(n: int) -> dict[str, Any]:
    votes = [{"tagger": f"t{i}", "label": "pos" if (n + i * (n % 5 == 0)) % 2 else "neg"} for i in range(n % 3 + 1)]
    label = votes[0]["label"]
    agreement = sum(v["label"] == label for v in votes) / len(votes)
    return {"key": key(n), "votes": votes, "label": label, "agreement": agreement}


def features(n: int) -> dict[str, Any]:
    split = schemas.SPLITS[n // 3 % 3]
    vector = [0.0] * DIMENSION if n % 20 == 0 else [((n * p) % 101 - 50) / 50 for p in (3, 7, 11, 13)]
    label = None if n % 9 == 0 else ("pos" if n % 2 else "neg")
    row = {"key": key(n), "label": label, "split": split, "vector": vector, "words": n % 200}
    return row | {"coverage": (n % 10) / 10}


def scores(n: int) -> dict[str, Any]:
    p = (n * 31 % 997) / 996
    label = "pos" if p >= 0.5 else "neg"
    return {"key": key(n), "probability": p, "sentiment": 2 * p - 1, "label": label, "priority": n + 1}


ROWS = {"raw": raw, "clean": clean, "labels": labels, "features": features, "scores": scores}
SCHEMAS = {"raw": schemas.RAW, "clean": schemas.CLEAN, "labels": schemas.LABELS,
           "features": schemas.features(DIMENSION), "scores": schemas.SCORES}  # fmt: skip


def publish(root: str, name: str, rows: list[dict[str, Any]], part_rows: int, row_group_bytes: int = 2**12) -> Table:
    """A published table of files of `part_rows` rows each."""
    workspace = Workspace(Storage(StorageSection()), root, TablesSection(row_group_bytes=row_group_bytes))
    stage = workspace.stage({}, "settings", {name: SCHEMAS[name]})
    written = []
    for part, start in enumerate(range(0, max(len(rows), 1), part_rows)):
        with stage.sink.open(part) as writer:
            writer.write(name, pa.RecordBatch.from_pylist(rows[start : start + part_rows], SCHEMAS[name]))
        written += writer.written
    return stage.publish(written, {})[name]
