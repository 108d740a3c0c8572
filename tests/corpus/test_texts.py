"""Given texts: every row becomes one mail, in order, with its words, label and group."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mailmill.corpus import CorpusSpec, GeneratedMail, generate
from mailmill.corpus import texts as reading
from mailmill.corpus.texts import TextFile, TextRow, paragraphs
from mailmill.errors import DataError
from tests.corpus.reading import parse, texts

ROWS = [
    {
        "text": f"Review {n} says it was so-so.<br /><br />From here on >it< & that "
        + "caf\u00e9\x85 \u201cgot\u201d worse, "
        + "word " * (n % 40)
        + f"end{n}",
        "label": ("good", "bad", "mixed")[n % 3],
        "film": f"tt{n // 5}",
    }
    for n in range(1300)
]


@pytest.fixture(scope="module", params=["parquet", "jsonl", "csv"])
def texts_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("texts") / f"rows.{request.param}"
    if request.param == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=100)
    elif request.param == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    else:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(ROWS[0]))
            writer.writeheader()
            writer.writerows(ROWS)
    return str(path)


def author(mail: GeneratedMail) -> list[str]:
    return " ".join(line for line, zone in mail.zones if zone == "body").split(" ")


def test_every_text_once_in_order_with_its_words_label_and_thread(texts_file: str) -> None:
    spec = CorpusSpec(texts=texts_file, group_column="film", malformed=0.03, duplicates=0.03, wrong_labels=0.2)
    mails = list(generate(spec))
    whole = [mail for mail in mails if mail.kind == "ok"]
    assert len(whole) == len(ROWS) < len(mails)
    threads: dict[str, str] = {}
    for mail, row in zip(whole, ROWS, strict=True):
        assert author(mail) == row["text"].replace("<br /><br />", " ").split(" ")
        assert mail.label == row["label"]
        assert threads.setdefault(row["film"], mail.thread) == mail.thread
        message = parse(mail.raw)
        assert str(message["References"]).startswith(f"<{mail.thread}>")
        assert row["text"].rpartition(" ")[2] in " ".join(texts(message).values())
    assert len(set(threads.values())) == len(threads)
    wrong = sum(mail.label != mail.given_label for mail in whole) / len(whole)
    assert wrong == pytest.approx(0.2, abs=0.04)
    assert {mail.given_label for mail in whole} == {"good", "bad", "mixed"}


@pytest.fixture(scope="module")
def corpus(texts_file: str) -> tuple[CorpusSpec, list[GeneratedMail]]:
    """A specification and its mails, from the first to the last."""
    spec = CorpusSpec(texts=texts_file, malformed=0.02, duplicates=0.05, count=1345)
    return spec, list(generate(spec))


@pytest.mark.parametrize("start", [0, 1, 640, 1250, 1342])
def test_a_range_of_texts_is_the_tail_of_the_whole(corpus: tuple[CorpusSpec, list[GeneratedMail]], start: int) -> None:
    spec, whole = corpus
    assert list(generate(spec, start)) == whole[start:]


def test_formats_of_the_file_do_not_matter(texts_file: str, tmp_path: Path) -> None:
    other = tmp_path / "same.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), other)
    assert list(generate(CorpusSpec(texts=texts_file, count=50))) == list(
        generate(CorpusSpec(texts=str(other), count=50))
    )


def test_texts_without_labels_make_unlabelled_mails(texts_file: str) -> None:
    for mail in generate(CorpusSpec(texts=texts_file, label_column=None, count=20)):
        assert mail.label is None
        assert mail.given_label is None


def test_missing_files_columns_and_formats_are_named(texts_file: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column wording"):
        next(generate(CorpusSpec(texts=texts_file, text_column="wording")))
    with pytest.raises(DataError, match=r"no column wording, verdict\n.*--label-column '' none"):
        next(generate(CorpusSpec(texts=texts_file, text_column="wording", label_column="verdict")))
    with pytest.raises(DataError, match="do not exist"):
        next(generate(CorpusSpec(texts=str(tmp_path / "none.parquet"))))
    with pytest.raises(DataError, match="unknown format"):
        next(generate(CorpusSpec(texts=str(tmp_path / "none.xlsx"))))
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "a", "label": "b"}\n{"text"\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        list(generate(CorpusSpec(texts=str(broken))))
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read"):
        list(generate(CorpusSpec(texts=str(damaged))))


def columns(path: Path, **values: list[Any]) -> TextFile:
    """A file of the texts "a", "b", ... with these columns; the first is the label, the second the group."""
    count = len(next(iter(values.values())))
    pq.write_table(pa.table({"text": [chr(97 + n) for n in range(count)], **values}), path)
    return TextFile(str(path), "text", *[*values, None, None][:2])


def test_null_nan_and_blanks_are_no_labels_and_no_groups(tmp_path: Path) -> None:
    """All mails without a group fell into one conversation called "nan"."""
    file = columns(tmp_path / "t.parquet", label=[1.0, float("nan"), None], film=[float("nan")] * 3)
    assert [(row.label, row.group) for row in file.rows()] == [("1.0", None), (None, None), (None, None)]
    assert file.labels() == ("1.0",)
    file = columns(tmp_path / "t.parquet", label=["pos", " pos", "neg ", "  ", ""])
    assert [row.label for row in file.rows()] == ["pos", "pos", "neg", None, None]
    assert file.labels() == ("neg", "pos")
    odd: list[Any]
    for odd in ([b"pos"], [["pos"]], [[]]):
        with pytest.raises(DataError, match="column label holds neither text nor numbers"):
            list(columns(tmp_path / "t.parquet", label=odd).rows())


def test_json_lines_as_other_programs_write_them(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('\ufeff{"text": "a \\ud83d b", "label": "\\ud83d\\ude00", "film": "\\ude00"}\r\n', encoding="utf-8")
    assert list(TextFile(str(path), "text", "label", "film").rows()) == [TextRow("a ? b", "\U0001f600", "?")]
    (mail,) = generate(CorpusSpec(texts=str(path), group_column="film", malformed=0, duplicates=0))
    assert author(mail) == ["a", "?", "b"]
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(DataError, match="line 1 is not a JSON object"):
        list(TextFile(str(path), "text", None, None).rows())


def test_columns_that_nobody_asked_for_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 100)
    path = tmp_path / "t.csv"
    path.write_text("text,note,label\n" + "a word,,pos\n" * 50 + "the last,a note,neg\n", encoding="utf-8")
    assert len(list(TextFile(str(path), "text", "label", None).rows())) == 51
    assert next(TextFile(str(path), "text", "text", None).rows()) == TextRow("a word", "a word", None)
    path.write_text("text,label,text\na,pos,b\n", encoding="utf-8")
    with pytest.raises(DataError, match="column text is there twice"):
        next(TextFile(str(path), "text", "label", None).rows())


def test_placeholders_in_given_texts_are_words(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "Use {charset} in the head", "label": "pos"}\n' * 150, encoding="utf-8")
    mails = list(generate(CorpusSpec(texts=str(path), malformed=0, duplicates=0)))
    assert {mail.client for mail in mails} >= {"gmail", "webmail_table"}
    for mail in mails:
        assert all("{charset}" in text for text in texts(parse(mail.raw)).values())
        assert b'charset={charset}"' not in mail.raw


@pytest.mark.parametrize("run", [" ", "\n", " \t", "<br>", "<br ", "<a "])
def test_a_long_run_takes_no_longer_than_its_length(run: str) -> None:
    assert paragraphs("x" + run * 200_000 + "y")[0][0] == "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("one  <br>  \x0b<p>two \x0b\n \x85 three\n", ["one", "two", "three"]),
        ("one<br /><br />two<BR>three", ["one", "two", "three"]),
        ("one\n\n  two\tthree ", ["one", "two three"]),
        ("an <i>old</i> film <3 > 2", ["an old film <3 > 2"]),
        ("nul\x00 and\x0b tab", ["nul and tab"]),
    ],
)
def test_paragraphs(text: str, expected: list[str]) -> None:
    assert paragraphs(text) == expected
