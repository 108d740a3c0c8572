"""What a Spark task reports to the driver: the files that it wrote, or why it must not be tried again.

A task's output is a frame, so the report is rows: one a file. An error of the data or of the
configuration would only fail again elsewhere; it travels as a row of its own, instead of as an
exception that Spark would retry and wrap. An error of the infrastructure is raised: Spark retries it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from mailmill import errors
from mailmill.errors import InfrastructureError, MailmillError
from mailmill.storage.fragments import Written
from mailmill.storage.manifests import File

DDL = "output string, path string, rows long, bytes long, digest string"
_TEXT, _COUNT = pa.string(), pa.int64()
SCHEMA = pa.schema([("output", _TEXT), ("path", _TEXT), ("rows", _COUNT), ("bytes", _COUNT), ("digest", _TEXT)])
FAILED = "!failed"  # an output's name that says: `path` holds an error


def report(work: Callable[[], list[Written]]) -> pa.RecordBatch:
    """Do the work of a task; its written files as rows of `SCHEMA`, or its error as one row."""
    try:
        rows = [(output, file.path, file.rows, file.bytes, file.digest) for output, file in work()]
    except InfrastructureError:
        raise
    except MailmillError as error:
        state = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
        rows = [(FAILED, json.dumps(state), 0, 0, "")]
    columns: Sequence[Any] = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def gathered(rows: Sequence[Any]) -> list[Written]:
    """The files of all tasks, from the rows that Spark collected; raises the error that a row holds."""
    for row in rows:
        if row.output == FAILED:
            state = json.loads(row.path)
            raise getattr(errors, state["kind"], InfrastructureError)(state["message"], hint=state["hint"])
    return [(row.output, File(row.path, row.rows, row.bytes, row.digest)) for row in rows]
