"""Labels from files and headers: matched, unmatched, contradictory, and files that are not what they seem."""

from __future__ import annotations

import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mailmill import schemas
from mailmill.email.labels import LabelFile, LabelsKernel, hash_id, read_labels
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
    assert (found.contradictory, found.rows, found.incomplete) == (1, 7, 2)


def test_parquet_says_the_same() -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"message_id": ["a@x", "b@x"], "label": ["pos", "neg"]}), buffer)
    found = read_labels(buffer, "l.parquet", "message_id", "label")
    assert labels(found) == {hash_id("a@x"): "pos", hash_id("b@x"): "neg"}


def parquet(**columns: list[object]) -> io.BytesIO:
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: pa.array(values, from_pandas=False) for name, values in columns.items()}), buffer)
    return buffer


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 1, None], ["0", "1"]),
        ([False, True, None], ["False", "True"]),
        ([0.0, 1.0, float("nan")], ["0.0", "1.0"]),
        (["0", "1", " "], ["0", "1"]),
    ],
)
def test_zero_and_false_are_labels_and_nan_is_none(values: list[object], words: list[str]) -> None:
    buffer = parquet(message_id=["a@x", "b@x", "c@x"], label=values)
    found = read_labels(buffer, "l.parquet", "message_id", "label")
    assert labels(found) == {hash_id("a@x"): words[0], hash_id("b@x"): words[1]}
    assert found.incomplete == 1


def test_zero_is_an_id() -> None:
    found = read_labels(parquet(message_id=[0, None], label=["pos", "neg"]), "l.parquet", "message_id", "label")
    assert labels(found) == {hash_id("0"): "pos"}


def test_names_of_columns_may_stand_in_brackets() -> None:
    found = read_labels(io.BytesIO(b"[id],[label]\na@x,pos\n"), "l.csv", "[id]", "[label]")
    assert labels(found) == {hash_id("a@x"): "pos"}


def test_rows_that_end_early_are_counted_and_blank_ones_are_none() -> None:
    found = read_labels(io.BytesIO(b"label, message_id\npos, a@x\n\npos\n,b@x\n"), "l.csv", "message_id", "label")
    assert labels(found) == {hash_id("a@x"): "pos"}
    assert (found.rows, found.incomplete) == (3, 2)


def test_white_space_around_names_of_columns_does_not_count() -> None:
    found = read_labels(io.BytesIO(b"message_id , label\t\na@x,pos\n"), "l.csv", "message_id", "label")
    assert labels(found) == {hash_id("a@x"): "pos"}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'a@x,"pos\nb@x,neg\nc@x,pos\n', 2),
        (b'a@x,pos\n"b@x,neg\n"c@x",pos\n', 3),
        (b'a@x,pos\n"b\n\n@x",neg\nc@x,"pos\n' + b"d@x,neg\n" * 20_000, 6),
    ],
)
def test_a_quote_that_is_not_closed_swallows_no_labels(content: bytes, line: int) -> None:
    with pytest.raises(DataError, match=rf"l\.csv: the row that begins in line {line} is not CSV.*\nis a quote not"):
        read_labels(io.BytesIO(b"message_id,label\n" + content), "l.csv", "message_id", "label")


@pytest.mark.parametrize("filler", [0, 5000])
def test_the_line_that_is_not_utf8_is_named(filler: int) -> None:
    rows = b"a@x,pos\n" * filler
    content = b"message_id,label\n" + rows + "b@x,\u00fcbel\n".encode("latin-1") + rows
    with pytest.raises(DataError, match=rf"not CSV in UTF-8: line {filler + 2}\n.*iconv -f LATIN1"):
        read_labels(io.BytesIO(content), "l.csv", "message_id", "label")


def test_mail_in_the_first_line_is_not_shown() -> None:
    content = b'm1@x,"Dear Ann, my card number is 4111",angry\nm2@x,fine,happy\n'
    with pytest.raises(DataError, match="its first line, of 3 columns, does not look like a header") as caught:
        read_labels(io.BytesIO(content), "l.csv", "message_id", "label")
    assert not [word for word in ("m1", "Ann", "4111", "angry") if word in str(caught.value)]


def test_names_of_columns_are_cut_short() -> None:
    content = ",".join(["x" * 500, *(f"c{n}" for n in range(100))]).encode() + b"\n"
    with pytest.raises(DataError, match=r"it has: x{30}, c0, .*, c18, \.\.\.\n"):
        read_labels(io.BytesIO(content), "l.csv", "message_id", "label")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"message_id;label\na@x;pos\n", "l.csv", "columns seem to be separated by ;"),
        (b"message_id\tlabel\na@x\tpos\n", "l.csv", "columns seem to be separated by a tab"),
        (b"message_id,label,label\na@x,pos,neg\n", "l.csv", "has the column 'label' twice"),
        ("message_id,label\n".encode("utf-16"), "l.csv", r"is UTF-16[\s\S]*iconv -f UTF-16"),
        (gzip.compress(b"message_id,label\n", mtime=0), "l.csv.gz", r"is compressed[\s\S]*gunzip"),
        (b"PK\x03\x04 xl/workbook.xml \xff", "l.csv", r"a spreadsheet's own format[\s\S]*CSV UTF-8"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "l.csv", "a spreadsheet's own format"),
        (b"id,label\n1,pos\n", "l.csv", "no column 'message_id'; it has: id, label"),
        (b"", "l.csv", "it has: none"),
        (b"\xff\xfe\x00", "l.csv", "not CSV in UTF-8"),
        (b"PAR1 no", "l.parquet", "not a Parquet file"),
        (b'{"message_id": "a@x", "label": "pos"}\n', "l.jsonl", "is JSON, not CSV"),
        (b'\xef\xbb\xbf[{"message_id": "a@x", "label": "pos"}]\n', "l.json", "is JSON, not CSV"),
        (parquet(message_id=[b"a@x"], label=["pos"]).getvalue(), "l.parquet", "column 'message_id' holds binary"),
        (parquet(message_id=["a@x"], label=[["pos"]]).getvalue(), "l.parquet", "column 'label' holds list"),
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
