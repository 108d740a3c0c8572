"""Labels from files and headers: matched, unmatched, contradictory, and files that are not what they seem."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mailmill import schemas
from mailmill.email.tagging import LabelFile, LabelsKernel, hash_id, read_labels
from mailmill.errors import DataError

CSV = b"message_id,label\n<a@x>,pos\nb@x,neg\nb@x,neg\nc@x,pos\nc@x,neg\n,pos\nd@x,\n"


class Finder:
    def __init__(self, labels: dict[str, str]) -> None:
        self._labels = labels

    def find(self, keys: list[str]) -> list[str | None]:
        return [self._labels.get(key) for key in keys]


def labels(found: LabelFile) -> dict[str, str]:
    return {i.decode(): found.words[code] for i, code in zip(found.ids, found.codes, strict=True)}


def batch(*raws: bytes) -> pa.RecordBatch:
    rows = [{"key": f"{n:032x}", "source": f"s{n}", "raw": raw} for n, raw in enumerate(raws)]
    return pa.RecordBatch.from_pylist(rows, schemas.RAW)


def test_contradictions_label_nothing_and_are_counted() -> None:
    found = read_labels(io.BytesIO(CSV), "l.csv", "message_id", "label")
    assert labels(found) == {hash_id("a@x"): "pos", hash_id("b@x"): "neg"}
    assert (found.contradictory, found.rows) == (1, 7)


def test_parquet_says_the_same() -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"message_id": ["a@x", "b@x"], "label": ["pos", "neg"]}), buffer)
    found = read_labels(buffer, "l.parquet", "message_id", "label")
    assert labels(found) == {hash_id("a@x"): "pos", hash_id("b@x"): "neg"}


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"id,label\n1,pos\n", "l.csv", "no column 'message_id'; it has: id, label"),
        (b"", "l.csv", "it has: none"),
        (b"\xff\xfe\x00", "l.csv", "not CSV in UTF-8"),
        (b"PAR1 no", "l.parquet", "not a Parquet file"),
    ],
)
def test_files_that_cannot_be_used(content: bytes, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(io.BytesIO(content), name, "message_id", "label")


def test_labels_by_message_id_key_and_source() -> None:
    rows = batch(b"Message-ID: <a@x>\n\nbody", b"Message-ID:\n <b@x>\n\nbody", b"Subject: none\n\nbody")
    by_id = LabelsKernel(None, "message_id", Finder({hash_id("b@x"): "neg"}), "file")(rows)
    assert [r["key"] for r in by_id["labels"].to_pylist()] == [f"{1:032x}"]
    assert by_id["labels"].to_pylist()[0]["votes"] == [{"tagger": "file", "label": "neg"}]
    assert by_id["matches"].to_pylist() == [{"id": hash_id("b@x")}]
    by_key = LabelsKernel(None, "key", Finder({hash_id(f"{2:032x}"): "pos"}), "file")
    assert by_key.columns == ["key"]
    assert by_key(rows.select(["key"]))["labels"].num_rows == 1
    by_source = LabelsKernel(None, "source", Finder({hash_id("s0"): "pos"}), "file")
    assert by_source.columns == ["key", "source"]
    assert by_source(rows.select(["key", "source"]))["labels"].to_pylist()[0]["label"] == "pos"


def test_labels_from_a_header() -> None:
    rows = batch(b"X-Mood:  pos \n\nX-Mood: neg", b"x-mood: neg\n\n", b"Subject: X-Mood: pos\n\n", b"X-Mood:\n\n")
    out = LabelsKernel("X-Mood", "message_id", None, "X-Mood")(rows)
    assert [(r["key"], r["label"]) for r in out["labels"].to_pylist()] == [(f"{0:032x}", "pos"), (f"{1:032x}", "neg")]
    assert out["matches"].num_rows == 0
