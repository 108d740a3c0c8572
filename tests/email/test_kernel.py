"""The kernel: schemas, one output a row, errors, pickling."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import pyarrow as pa
import pytest

from mailmill import schemas
from mailmill.email import CleanKernel, CleanOptions
from mailmill.email import kernel as kernel_module
from tests.email.samples import raw_mail


def batch(*raws: bytes) -> pa.RecordBatch:
    keys = [f"k{i}" for i in range(len(raws))]
    return pa.RecordBatch.from_arrays(
        [pa.array(keys), pa.array([f"s{i}" for i in range(len(raws))]), pa.array(raws, pa.binary())], schema=schemas.RAW
    )


def test_every_row_is_in_exactly_one_output() -> None:
    kernel = pickle.loads(pickle.dumps(CleanKernel(CleanOptions(sender_domain="keep"))))
    out = kernel(batch(raw_mail("Hello there, all is well today.\n\nAda"), b"", b"no header"))
    assert set(out) == set(kernel.outputs)
    assert all(out[name].schema.equals(schema) for name, schema in kernel.outputs.items())
    (clean,) = out["clean"].to_pylist()
    assert clean["key"] == "k0"
    assert clean["text"] == "Hello there, all is well today."
    assert clean["words"] == 6
    assert clean["sender_domain"] == "firm.example"
    assert clean["rendered_chars"] == clean["spans"][-1]["end"]
    assert [(r["key"], r["source"], r["stage"], r["reason"]) for r in out["rejects"].to_pylist()] == [
        ("k1", "s1", "clean", "empty"),
        ("k2", "s2", "clean", "not_mail"),
    ]
    out["clean"].validate(full=True)


def test_empty_batch() -> None:
    out = CleanKernel()(batch())
    assert {name: b.num_rows for name, b in out.items()} == {"clean": 0, "rejects": 0}


def test_unexpected_errors_propagate(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(raws: Iterable[bytes], options: CleanOptions) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(kernel_module, "clean_messages", broken)
    with pytest.raises(ZeroDivisionError):
        CleanKernel()(batch(raw_mail("x")))
