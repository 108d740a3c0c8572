"""A corpus on disk: four formats with the same mails, labels, truth, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import json
import mailbox
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mailmill.corpus import CorpusSpec, CorpusSummary, GeneratedMail, generate, write
from mailmill.corpus.formats import Format
from mailmill.corpus.truth import TRUTH
from mailmill.errors import ConfigError, DataError

SPEC = CorpusSpec(count=1205, seed=3, malformed=0.02, duplicates=0.02)
FORMATS: tuple[Format, ...] = ("eml", "mbox", "tar.gz", "parquet")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_back(folder: Path, kind: Format) -> list[tuple[str, bytes]]:
    """(name, raw) of every stored mail, in order; an mbox knows no names."""
    mail = folder / "mail"
    if kind == "eml":
        return [(path.name, path.read_bytes()) for path in sorted(mail.rglob("*.eml"))]
    if kind == "parquet":
        rows = [row for path in sorted(mail.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
        return [(row["name"], row["raw"]) for row in rows]
    if kind == "tar.gz":
        found = []
        with tarfile.open(mail / "corpus.tar.gz") as archive:
            for member in archive:
                content = archive.extractfile(member)
                assert content is not None
                found.append((member.name.rpartition("/")[2], content.read()))
        return found
    box = mailbox.mbox(mail / "corpus.mbox", create=False)
    stored = [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118 - a mailbox iterates over messages
    box.close()
    return [("", re.sub(rb"(?m)^>(>*From )", rb"\1", raw)) for raw in stored]


@pytest.fixture(scope="module")
def mails() -> list[GeneratedMail]:
    return list(generate(SPEC))


@pytest.fixture(scope="module")
def in_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CorpusSummary, list[int]]:
    """The corpus as single files, its summary, and the progress that was told."""
    folder, seen = tmp_path_factory.mktemp("corpus"), list[int]()
    return folder, write(SPEC, folder, progress=seen.append), seen


def test_progress_and_summary_count_all(
    mails: list[GeneratedMail], in_files: tuple[Path, CorpusSummary, list[int]]
) -> None:
    _, summary, seen = in_files
    assert seen == [500, 500, 205]
    kinds = [mail.kind for mail in mails]
    assert summary == CorpusSummary(
        1205,
        kinds.count("malformed"),
        kinds.count("duplicate"),
        sum(len(mail.raw) for mail in mails),
        kinds.count("ok"),
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_holds_the_same_mails_and_is_written_the_same_twice(kind: Format, tmp_path: Path) -> None:
    spec = replace(SPEC, count=205, malformed=0.1)
    write(spec, tmp_path / "a", kind)
    write(spec, tmp_path / "b", kind)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    mails = list(generate(spec))
    stored = read_back(tmp_path / "a", kind)
    if kind == "mbox":
        # The form itself ends each mail with a line end.
        expected = [("", mail.raw if mail.raw.endswith(b"\n") else mail.raw + b"\n") for mail in mails]
    else:
        expected = [(mail.name, mail.raw) for mail in mails]
    assert stored == expected


def test_labels_and_truth_lie_beside_the_mail(
    mails: list[GeneratedMail], in_files: tuple[Path, CorpusSummary, list[int]]
) -> None:
    folder = in_files[0]
    assert read_back(folder, "eml") == [(mail.name, mail.raw) for mail in mails]
    with open(folder / "labels.csv", encoding="utf-8", newline="") as file:
        labels = list(csv.reader(file))
    assert labels[0] == ["message_id", "label"]
    assert labels[1:] == [[mail.message_id, mail.given_label] for mail in mails if mail.kind == "ok"]
    truth = pq.read_table(folder / "truth.parquet")
    assert truth.schema.equals(TRUTH)
    for row, mail in zip(truth.to_pylist(), mails, strict=True):
        assert [(zone["line"], zone["zone"]) for zone in row.pop("zones")] == list(mail.zones)
        assert row == {name: getattr(mail, name) for name in row}
    assert len(list((folder / "mail" / "000000").iterdir())) == 1000
    mark = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    assert mark["complete"]
    assert mark["spec"]["seed"] == 3


def test_a_former_corpus_is_replaced_and_nothing_else_is_touched(tmp_path: Path) -> None:
    out = tmp_path / "d"
    write(CorpusSpec(count=30, seed=1), out, "mbox")
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    write(CorpusSpec(count=10, seed=2), out, "eml")
    assert not (out / "mail" / "corpus.mbox").exists()
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"
    before = digests(out)
    with pytest.raises(DataError, match="do not exist"):
        write(CorpusSpec(texts=str(tmp_path / "none.csv")), out)
    assert digests(out) == before


def test_a_foreign_folder_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(DataError, match="not a former corpus"):
        write(CorpusSpec(count=1), tmp_path)
    with pytest.raises(DataError, match="is a file"):
        write(CorpusSpec(count=1), tmp_path / "photo.png")
    with pytest.raises(ConfigError, match="zip"):
        write(CorpusSpec(count=1), tmp_path / "e", "zip")  # type: ignore[arg-type]  # no format, on purpose
    with pytest.raises(ConfigError, match="to a local folder, not to a URI"):
        write(CorpusSpec(count=1), Path("s3://bucket/corpus"))


def test_a_broken_run_leaves_a_folder_that_can_be_written_again(tmp_path: Path) -> None:
    texts = tmp_path / "t.jsonl"
    texts.write_text('{"text": "a", "label": "b"}\n' * 3 + "broken\n", encoding="utf-8")
    with pytest.raises(DataError):
        write(CorpusSpec(texts=str(texts), label_column=None), tmp_path / "f")
    assert not json.loads((tmp_path / "f" / "corpus.json").read_text(encoding="utf-8"))["complete"]
    assert not (tmp_path / "f" / "labels.csv").exists(), "a run took the part for the whole"
    write(CorpusSpec(count=3), tmp_path / "f")
    assert json.loads((tmp_path / "f" / "corpus.json").read_text(encoding="utf-8"))["complete"]
    assert {path.name for path in (tmp_path / "f").glob("labels.*")} == {"labels.csv"}


def test_parquet_is_cut_into_parts_and_an_empty_corpus_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailmill.corpus.formats._PART_BYTES", 200_000)
    monkeypatch.setattr("mailmill.corpus.formats._BATCH_BYTES", 50_000)
    write(CorpusSpec(count=300), tmp_path / "g", "parquet")
    parts = sorted((tmp_path / "g" / "mail").glob("part-*.parquet"))
    assert len(parts) > 3
    assert sum(pq.read_metadata(part).num_rows for part in parts) == 300
    write(CorpusSpec(count=0), tmp_path / "h", "parquet")
    assert pq.read_table(tmp_path / "h" / "mail").num_rows == 0
