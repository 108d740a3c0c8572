"""The cleaner as a kernel: a batch of raw messages in, clean rows and reject rows out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from mailmill import schemas
from mailmill.email.cleaner import CleanOptions, clean_message
from mailmill.errors import RejectedMessage


@dataclass(frozen=True)
class CleanKernel:
    """Cleans the rows of the raw table; picklable, without state.

    Calling it with a RecordBatch of `schemas.RAW` returns {"clean": RecordBatch of `schemas.CLEAN`,
    "rejects": RecordBatch of `schemas.REJECTS`}: every row is in exactly one of them, in the order of
    the input. Only RejectedMessage is caught; any other exception is a defect and propagates.
    """

    options: CleanOptions = field(default_factory=CleanOptions)

    @property
    def outputs(self) -> Mapping[str, pa.Schema]:
        """The schema of each output."""
        return {"clean": schemas.CLEAN, "rejects": schemas.REJECTS}

    @property
    def columns(self) -> None:
        """Every column of the raw table is read."""

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        """Clean every row of `batch` (columns key, source, raw)."""
        clean: dict[str, list[object]] = {name: [] for name in schemas.CLEAN.names}
        rejects: dict[str, list[object]] = {name: [] for name in schemas.REJECTS.names}
        columns = (batch.column(batch.schema.get_field_index(name)) for name in ("key", "source", "raw"))
        for key, source, raw in zip(*(column.to_pylist() for column in columns), strict=True):
            try:
                mail = clean_message(raw, self.options)
            except RejectedMessage as error:
                refused = (key, source, "clean", error.reason, error.detail)
                for values, value in zip(rejects.values(), refused, strict=True):
                    values.append(value)
                continue
            row = (
                key, mail.thread, mail.date, mail.sender_domain, mail.subject, mail.text,
                [span._asdict() for span in mail.spans], mail.language, len(mail.rendering),
                len(mail.text.split()), mail.confidence, list(mail.flags),
            )  # fmt: skip
            for values, value in zip(clean.values(), row, strict=True):
                values.append(value)
        return {"clean": _batch(clean, schemas.CLEAN), "rejects": _batch(rejects, schemas.REJECTS)}


def _batch(columns: Mapping[str, list[object]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array(columns[f.name], type=f.type) for f in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
