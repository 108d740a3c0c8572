"""truth.parquet: what is known of every mail, kept apart from the mails so that nothing can peek."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mailmill.corpus.spec import GeneratedMail

_ZONE = pa.struct([pa.field("line", pa.string(), nullable=False), pa.field("zone", pa.string(), nullable=False)])

#: The table of truth, one row a mail, in the order of the corpus.
TRUTH = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=True),
        pa.field("given_label", pa.string(), nullable=True),
        pa.field("thread", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("client", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("damage", pa.string(), nullable=False),
        pa.field("zones", pa.list_(pa.field("element", _ZONE, nullable=False)), nullable=False),
    ]
)
_PLAIN = tuple(name for name in TRUTH.names if name != "zones")
_ROWS = 2000


class TruthWriter:
    """Streams rows of `TRUTH` to a file, 2,000 to a row group."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, TRUTH, compression="zstd")
        self._mails: list[GeneratedMail] = []

    def add(self, mail: GeneratedMail) -> None:
        """Store the truth of one mail; its bytes are not kept."""
        self._mails.append(mail)
        if len(self._mails) >= _ROWS:
            self._flush()

    def close(self) -> None:
        """Write the last rows and close."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._mails:
            return
        columns = [pa.array([getattr(mail, name) for mail in self._mails], pa.string()) for name in _PLAIN]
        offsets, lines, zones = [0], [], []
        for mail in self._mails:
            for line, zone in mail.zones:
                lines.append(line)
                zones.append(zone)
            offsets.append(len(lines))
        items = pa.StructArray.from_arrays(
            [pa.array(lines, pa.string()), pa.array(zones, pa.string())], fields=list(_ZONE)
        )
        nested = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=TRUTH.field("zones").type)
        self._writer.write_batch(pa.record_batch([*columns, nested], schema=TRUTH))
        self._mails = []
