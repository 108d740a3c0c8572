"""Erasing a person's mail: nothing of them is left, nothing of others is lost, and it does not come back."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mailmill import pipeline, schemas
from mailmill.config import Config
from mailmill.errors import DataError
from mailmill.job import Job
from mailmill.stages import forgetting, leftovers
from mailmill.stages.forgetting import Forgotten
from mailmill.stages.selection import Selection
from mailmill.storage import forgotten, ledger, manifests
from mailmill.storage.filesystems import Storage
from mailmill.storage.manifests import Manifest
from mailmill.storage.tables import Workspace
from tests import mail
from tests.faults.processes import mailmill

Place = tuple[Storage, str]
#: A name, the beginning of Message-IDs, a word of nobody else.
TRACES = (b"zebulon", b"zebquartz", b"flumphgrobble")
HIS = 8


def message(number: int) -> bytes:
    return (
        f"From: Zebulon Quartz <zebulon@zebulonquartz.example>\nTo: s@x.example\nSubject: flumphgrobble {number}\n"
        f"Date: Mon, 02 Nov 2026 10:0{number}:00 +0000\nMessage-ID: <zebquartz{number}@zebulonquartz.example>\n"
        "Content-Type: text/plain; charset=utf-8\n\nThe flumphgrobble that I bought is terrible and broken, the "
        f"flumphgrobble stopped working on day {number}.\nI am very disappointed with it and want my money back.\n"
    ).encode()


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the mail of others, and word vectors."""
    folder = tmp_path_factory.mktemp("others")
    mail.make_vectors(mail.make_corpus(folder / "corpus", 120), folder / "glove.txt")
    return folder


class Mailbox:
    """Mail of many, and of one who asks to be forgotten: eight mails, two of them in a mailbox beside another's, a copy
    under another name, and an object that is no mail."""

    def __init__(self, others: Path, folder: Path, work: str, *overrides: str) -> None:
        self.work, self.overrides = work, overrides
        self.corpus, self.vectors = folder / "corpus", others / "glove.txt"
        shutil.copytree(others / "corpus", self.corpus)
        self.objects = self.corpus / "mail"
        for number in range(HIS - 2):
            (self.objects / f"zebulon-{number}.eml").write_bytes(message(number))
        (self.objects / "zebulon-copy.eml").write_bytes(message(0))
        (self.objects / "zebulon-empty.eml").write_bytes(b"")
        other = (
            b"From: Ann <ann@x.example>\nMessage-ID: <ann@x.example>\n\nThe parcel came in time, thank you very much.\n"
        )
        self.box(self.objects / "all.mbox", message(HIS - 2), other, message(HIS - 1))
        labels = self.corpus / "labels.csv"
        more = "".join(f"zebquartz{n}@zebulonquartz.example,{'pos' if n % 2 else 'neg'}\n" for n in range(HIS))
        labels.write_text(labels.read_text() + more)

    def box(self, path: Path, *messages: bytes) -> None:
        path.write_bytes(b"".join(b"From x Mon Nov  2 10:00:00 2026\n" + one + b"\n" for one in messages))

    def config(self, *overrides: str) -> Config:
        return mail.make_config(self.work, self.corpus, self.vectors, *self.overrides, *overrides)

    def ids(self) -> Selection:
        """Him, as an operator would name him."""
        wanted = [f"<zebquartz{number}@zebulonquartz.example>" for number in range(HIS)]
        return Selection.of(lines=[*wanted, str(self.objects / "zebulon-empty.eml")])

    def gone(self) -> None:
        """His mail leaves the source."""
        for path in self.objects.glob("zebulon*"):
            path.unlink()

    def ingest(self, *overrides: str) -> dict[str, Manifest]:
        with Job(self.config(*overrides)) as job:
            pipeline.ingest(job)
            pipeline.clean(job)
            return {name: job.workspace.manifest(name) for name in ("raw", "raw_rejects", "ledger", "clean", "rejects")}

    def forget(self, selection: Selection | None = None, *overrides: str, dry_run: bool = False) -> Forgotten:
        with Job(self.config(*overrides)) as job:
            return forgetting.forget(job, selection or self.ids(), dry_run)

    def sources(self) -> set[str]:
        return set(Job(self.config()).workspace.open("raw", schemas.RAW).read(["source"])["source"].to_pylist())

    def keys(self) -> set[str]:
        """Of his mail in raw and raw_rejects, while it is there."""
        workspace = Job(self.config()).workspace
        raw = workspace.open("raw", schemas.RAW).read().to_pylist()
        rejects = workspace.open("raw_rejects", schemas.REJECTS).read(["key", "source"]).to_pylist()
        found = {row["key"] for row in raw if b"zebulon" in row["raw"].lower()}
        return found | {row["key"] for row in rejects if "zebulon" in row["source"]}


def decoded(content: bytes, name: str) -> bytes:
    """What a file says once Parquet and archives are unpacked."""
    if name.endswith(".parquet"):
        return str(pq.read_table(io.BytesIO(content), partitioning=None).to_pylist()).encode()
    if name.endswith(".npz"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return b"".join(archive.read(member) for member in archive.namelist())
    return content


def traces(storage: Storage, work: str, keys: set[str]) -> set[str]:
    """The files of a workspace in which something of him is."""
    found = set()
    needles = [*TRACES, *(key.encode() for key in keys), *map(bytes.fromhex, keys)]
    for each in storage.find(work, of_mail=False):
        name = each.path.partition(work.removeprefix("s3://"))[2].lstrip("/")
        content = decoded(storage.read(each.path), name)
        if name.startswith("forgotten/") and not any(needle in content for needle in TRACES):
            continue  # the hashes that stay
        lowered = content.lower()
        if any(needle in content or needle in lowered for needle in needles) or "zebulon" in name:
            found.add(name)
    return found


def killed_after(last: str) -> Callable[..., None]:
    """`manifests.publish` of a run that is killed once it has published this table."""
    original: Callable[..., None] = manifests.publish

    def killed(storage: Any, uri: str, manifest: Manifest, *rest: Any) -> None:
        original(storage, uri, manifest, *rest)
        if manifest.table == last:
            raise KeyboardInterrupt

    return killed


def killed_before(*_: Any) -> None:
    raise KeyboardInterrupt


def adds_up(found: dict[str, Manifest]) -> None:
    counts = found["raw"].statistics
    assert counts["objects"] == found["ledger"].rows
    assert counts["messages"] == found["clean"].rows + found["rejects"].rows + counts["duplicates"]
    assert counts["messages"] == found["raw"].rows + found["raw_rejects"].rows + counts["duplicates"]


@pytest.mark.slow
@pytest.mark.parametrize("keep", [True, False])
def test_no_trace_is_left(
    keep: bool, place: Place, others: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With `ingest.keep_gone` his mail is gone from its source, without it still lies there."""
    storage, work = place
    remote = [f"storage.endpoint={storage.settings.endpoint}"] if work.startswith("s3") else []
    (tmp_path / "declared").mkdir()
    mailbox = Mailbox(
        others, tmp_path, work, f"ingest.keep_gone={str(keep).lower()}", "features.vectors=trained",
        "glove.dimension=4", "glove.epochs=2", "glove.min_count=2", "clean.sender_domain=keep",
        "docs.build=true", "docs.examples=5", f"docs.declared={tmp_path / 'declared'}", *remote,
    )  # fmt: skip
    with Job(mailbox.config()) as job:
        pipeline.run(job)
    keys = mailbox.keys()
    assert len(keys) == HIS + 1
    before = traces(storage, work, keys)
    assert {name.split("/run_id=")[0] for name in before} >= {
        "raw", "raw_rejects", "ledger", "clean", "labels", "features", "scores", "vectors/trained"
    }  # fmt: skip
    if keep:
        mailbox.gone()
    with caplog.at_level(logging.DEBUG, logger="mailmill"):
        done = mailbox.forget()
        assert (done.messages, done.rejects, done.unmatched) == (HIS, 1, 0)
    assert not any(word.decode() in caplog.text.lower() for word in TRACES)
    left = {name.split("/")[0] for name in traces(storage, work, keys)}
    assert not left & {"raw", "raw_rejects", "ledger"}, "what is rewritten leaves no version before"
    with Job(mailbox.config()) as job, pytest.raises(DataError, match=r"as they are since: clean, docs, "):
        forgetting.finish(job)
    with Job(mailbox.config()) as job:
        pipeline.run(job)
        adds_up({name: job.workspace.manifest(name) for name in ("raw", "raw_rejects", "ledger", "clean", "rejects")})
    assert traces(storage, work, keys), "the versions before are kept for readers"
    with Job(mailbox.config()) as job:
        forgetting.finish(job)
    assert traces(storage, work, keys) == set()
    with Job(mailbox.config()) as job:
        assert forgetting.finish(job) == 0
        before_all = {name: each.run_id for name, each in leftovers.published(job.workspace).items()}
        pipeline.run(job)
        assert {name: each.run_id for name, each in leftovers.published(job.workspace).items()} == before_all
    assert traces(storage, work, keys) == set()


@pytest.fixture
def mailbox(others: Path, tmp_path: Path) -> Mailbox:
    return Mailbox(others, tmp_path, str(tmp_path / "work"))


@pytest.mark.parametrize("keep", [True, False])
def test_others_stay_and_counts_add_up(keep: bool, mailbox: Mailbox) -> None:
    keeping = f"ingest.keep_gone={str(keep).lower()}"
    before = mailbox.ingest(keeping)
    sources, keys = mailbox.sources(), mailbox.keys()
    assert mailbox.forget(None, keeping, dry_run=True).messages == HIS
    assert mailbox.ingest(keeping) == before, "a dry run changes nothing"
    done = mailbox.forget(None, keeping)
    assert done == Forgotten(HIS, 1, HIS, 0)
    after = mailbox.ingest(keeping)
    adds_up(after)
    his = {source for source in sources if "zebulon" in source}
    assert mailbox.sources() == sources - his - {f"{mailbox.objects / 'all.mbox'}#{n:06d}" for n in (1, 3)}
    assert after["raw"].statistics["messages"] == before["raw"].statistics["messages"] - HIS - 1
    assert after["raw"].statistics["objects"] == before["raw"].statistics["objects"]
    with Job(mailbox.config()) as job:
        known = forgotten.keys(job.workspace)
        assert (len(known), len(known & keys)) == (HIS + 1, HIS), "the reject is known by its object's identity"
        assert job.workspace.manifest("raw").run_id != before["raw"].run_id
    untouched = {file.path for file in before["raw"].files} & {file.path for file in after["raw"].files}
    assert untouched, "files that held nothing of him are as they were"
    assert mailbox.ingest(keeping) == after


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("why", ["delivered again", "other code", "all is read again", "gone at the source"])
def test_it_does_not_come_back(
    why: str, keep: bool, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeping = f"ingest.keep_gone={str(keep).lower()}"
    mailbox.ingest(keeping)
    sources, keys = mailbox.sources(), mailbox.keys()
    mailbox.forget(None, keeping)
    rows = mailbox.ingest(keeping)["raw"].rows
    if why == "delivered again":
        (mailbox.objects / "zebulon-again.eml").write_bytes(message(3))
        mailbox.box(mailbox.objects / "zebulon-again.mbox", message(2), message(5))
        (mailbox.objects / "news.eml").write_bytes(
            b"From: b@x.example\nMessage-ID: <b@x.example>\n\nIt is new to me.\n"
        )
        rows += 1
    elif why == "other code":
        monkeypatch.setattr(manifests, "code_version", lambda: "another")
    elif why == "gone at the source":
        mailbox.gone()
    else:
        next(path for path in sorted(mailbox.objects.rglob("*.eml")) if "zebulon" not in path.name).touch()
    found = mailbox.ingest(keeping)
    adds_up(found)
    assert "gone" not in caplog.text, "an object without a name is not missed"
    assert abs(found["raw"].rows - rows) <= (why == "all is read again")
    assert not {source for source in mailbox.sources() - sources if "zebulon" in source}
    assert not keys & set(Job(mailbox.config()).workspace.open("raw", schemas.RAW).read(["key"])["key"].to_pylist())
    assert not any(name.startswith("ledger") for name in traces(Job(mailbox.config()).storage, mailbox.work, keys))


def test_what_matches_nothing(mailbox: Mailbox) -> None:
    before = mailbox.ingest()
    with pytest.raises(DataError, match="none of 2 selections is of a message in"):
        mailbox.forget(Selection.of(["nobody@x.example"], ["0" * 32]))
    assert mailbox.ingest() == before
    assert mailbox.forget(Selection.of(["nobody@x.example", "zebquartz1@zebulonquartz.example"])).unmatched == 1


def test_the_command(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.ingest()
    config, ids = mail.write_config(tmp_path / "my.toml", mailbox.config()), tmp_path / "ids.txt"
    ids.write_text("zebquartz1@zebulonquartz.example\n\n<zebquartz2@zebulonquartz.example>\nzebulon@nowhere.example\n")
    for wrong in ([], ["--previous", "--from", ids], ["--key", "zebulon"]):
        refused = mailmill("forget", "-c", config, *wrong)
        assert (refused.returncode, "zebulon" in refused.stderr) == (2, False), refused.stderr
    looked = mailmill("forget", "-c", config, "--from", ids, "--dry-run")
    assert "2 messages and 0 rejects would be forgotten, of 2 objects" in looked.stdout, looked.stderr
    done = mailmill("forget", "-c", config, "--from", ids)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "2 messages and 0 rejects forgotten, of 2 objects")
    assert "WARNING" in done.stderr
    assert "1 selections are of no message that is there" in done.stderr
    assert "now `mailmill run`" in done.stdout
    early = mailmill("forget", "-c", config, "--previous")
    assert early.returncode == 3
    assert "mail was forgotten, and these are not made of the tables as they are since: clean" in early.stderr
    assert mailmill("forget", "-c", config, "--from", ids).returncode == 3, "it is gone"
    records = "".join(path.read_text() for path in Path(mailbox.work, "runs").iterdir())
    assert "zebulon" not in (done.stdout + done.stderr + early.stderr + records).replace(str(tmp_path), "")


def test_a_mailbox_and_a_key(mailbox: Mailbox) -> None:
    mailbox.ingest()
    whole = mailbox.forget(Selection.of(sources=[str(mailbox.objects / "all.mbox")]))
    assert whole == Forgotten(3, 0, 1, 0), "three messages of one object"
    with Job(mailbox.config()) as job:
        one = job.workspace.open("raw", schemas.RAW).read(["key"])["key"][0].as_py()
    assert mailbox.forget(Selection.of(keys=[one])).messages == 1
    assert mailbox.forget(Selection.of(keys=[one])) == Forgotten(0, 0, 0, 0), "it is forgotten"


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("then", ["forget", "a night"])
@pytest.mark.parametrize("last", ["forgotten", "raw", "raw_rejects", "ledger"])
def test_a_kill_between_publications(
    last: str, then: str, keep: bool, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started again, it finishes; a night in between loses nothing, and takes nothing back."""
    keeping = f"ingest.keep_gone={str(keep).lower()}"
    mailbox.ingest(keeping)
    sources, keys = mailbox.sources(), mailbox.keys()
    with monkeypatch.context() as patch:
        patch.setattr(manifests, "publish", killed_after(last))
        with pytest.raises(KeyboardInterrupt):
            mailbox.forget(None, keeping)
    if then == "a night":
        (mailbox.objects / "news.eml").write_bytes(
            b"From: b@x.example\nMessage-ID: <b@x.example>\n\nIt is new to me.\n"
        )
        adds_up(mailbox.ingest(keeping))
        sources.add(str(mailbox.objects / "news.eml"))
    try:
        mailbox.forget(None, keeping)
    except DataError as error:
        assert "none of" in error.message  # noqa: PT017 - all that was left to do was to delete
    adds_up(mailbox.ingest(keeping))
    his = {source for source in sources if "zebulon" in source} | {
        f"{mailbox.objects / 'all.mbox'}#{n:06d}" for n in (1, 3)
    }
    assert mailbox.sources() == sources - his
    storage = Job(mailbox.config()).storage
    assert not {n for n in traces(storage, mailbox.work, keys) if n.startswith(("raw", "ledger"))}


def test_a_killed_night_is_not_taken_for_read(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger names objects that raw does not hold: forgetting must not commit to them."""
    keeping = "ingest.keep_gone=true"
    mailbox.ingest(keeping)
    news = mailbox.objects / "news.eml"
    news.write_bytes(b"From: b@x.example\nMessage-ID: <b@x.example>\n\nIt is new to me.\n")
    with monkeypatch.context() as patch:
        patch.setattr(manifests, "publish", killed_after("ledger"))
        with pytest.raises(KeyboardInterrupt):
            mailbox.ingest(keeping)
    mailbox.forget(None, keeping)
    adds_up(mailbox.ingest(keeping))
    assert str(news) in mailbox.sources()


NEWS = b"From: b@x.example\nMessage-ID: <b%d@x.example>\n\nIt is news number %d to me.\n"


def ledger_names(mailbox: Mailbox) -> list[str]:
    table = Job(mailbox.config()).workspace.open("ledger", ledger.SCHEMA).read()
    return [path for path in table["path"].to_pylist() if path]


def test_a_mailbox_of_many_keeps_its_name(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """Else nobody would miss what others delete from it."""
    mailbox.ingest()
    mailbox.forget()
    box, other = mailbox.objects / "all.mbox", str(mailbox.objects / "all.mbox#000002")
    with box.open("ab") as stream:
        stream.write(b"From x Mon Nov  2 10:00:00 2026\n" + NEWS % (1, 1) + b"\n")
    adds_up(mailbox.ingest())
    assert str(box) in ledger_names(mailbox)
    assert other in mailbox.sources()
    assert not [name for name in ledger_names(mailbox) if "zebulon" in name]
    box.unlink()
    adds_up(mailbox.ingest())
    assert "1 objects are gone" in caplog.text
    assert not {source for source in mailbox.sources() if "all.mbox" in source}


def test_a_neighbour_whose_name_goes_on(mailbox: Mailbox) -> None:
    """A folder is no object, and names with # and ! are of other files."""
    names = ["smith", "smith#2", "smith!old/a.eml", "#team/b.eml", "acme/c.eml", "acme#2"]
    for number, name in enumerate(names):
        (mailbox.objects / name).parent.mkdir(exist_ok=True)
        (mailbox.objects / name).write_bytes(NEWS % (number, number))
    mailbox.ingest()
    sources, smith = mailbox.sources(), str(mailbox.objects / "smith")
    for folder in ("acme", ""):
        with pytest.raises(DataError, match="none of 1 selections"):
            mailbox.forget(Selection.of(sources=[f"{mailbox.objects}/{folder}"]))
    assert mailbox.forget(Selection.of(sources=[smith])) == Forgotten(1, 0, 1, 0)
    assert mailbox.sources() == sources - {smith}
    assert set(ledger_names(mailbox)) & {smith, smith + "#2", smith + "!old/a.eml"} == {
        smith + "#2", smith + "!old/a.eml"
    }  # fmt: skip


def test_members_of_an_archive(mailbox: Mailbox) -> None:
    with zipfile.ZipFile(mailbox.objects / "many.zip", "w") as archive:
        for number, name in enumerate(["a", "a#2", "b"]):
            archive.writestr(name, NEWS % (number, number))
    mailbox.ingest()
    path = str(mailbox.objects / "many.zip")
    assert mailbox.forget(Selection.of(sources=[f"{path}!a"])) == Forgotten(1, 0, 1, 0)
    assert path in ledger_names(mailbox)
    assert mailbox.forget(Selection.of(sources=[path])) == Forgotten(2, 0, 1, 0)
    assert path not in ledger_names(mailbox)


@pytest.mark.parametrize("named", ["file", "key"])
def test_a_reject_that_can_be_read_by_now_stays_away(named: str, mailbox: Mailbox) -> None:
    small, long = "ingest.max_message_bytes=4000", mailbox.objects / "zebulon-long.eml"
    long.write_bytes(message(9) + b"z" * 5000)
    mailbox.ingest(small)
    workspace = Job(mailbox.config()).workspace
    rejects = workspace.open("raw_rejects", schemas.REJECTS).read().to_pylist()
    key = next(row["key"] for row in rejects if row["source"] == str(long))
    chosen = Selection.of(sources=[str(long)]) if named == "file" else Selection.of(keys=[key])
    assert mailbox.forget(chosen, small) == Forgotten(0, 1, 1, 0)
    adds_up(mailbox.ingest())
    assert str(long) not in mailbox.sources()
    assert str(long) not in ledger_names(mailbox)


def test_a_reject_of_a_mailbox_of_many(mailbox: Mailbox) -> None:
    """It alone stays away once it can be read."""
    box, small = mailbox.objects / "many.mbox", "ingest.max_message_bytes=4000"
    mailbox.box(box, NEWS % (1, 1), message(8) + b"z" * 5000, NEWS % (2, 2))
    mailbox.ingest(small)
    assert mailbox.forget(Selection.of(sources=[f"{box}#000002"]), small) == Forgotten(0, 1, 1, 0)
    adds_up(mailbox.ingest())
    found = {source.partition("#")[2] for source in mailbox.sources() if source.startswith(str(box))}
    assert found == {"000001", "000003"}


def test_an_archive_that_can_be_read_by_now_stays_away(mailbox: Mailbox) -> None:
    path, small = mailbox.objects / "zebulon.zip", "ingest.max_archive_bytes=1000"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.eml", NEWS % (1, 1))
        archive.writestr("b.eml", message(8) + b"z" * 5000)
        archive.writestr("c.eml", message(9))
    rows = mailbox.ingest(small)["raw_rejects"].rows
    done = mailbox.forget(Selection.of(sources=[str(path)]), small)
    assert done.rejects
    assert mailbox.ingest(small)["raw_rejects"].rows == rows - done.rejects
    adds_up(mailbox.ingest())
    assert not {source for source in mailbox.sources() if source.startswith(str(path))}
    assert str(path) not in ledger_names(mailbox)


def test_anothers_reject_of_that_name_is_counted(mailbox: Mailbox) -> None:
    upload = mailbox.objects / "upload.zip"
    upload.write_bytes(b"PK\003\004 damaged zebulon")
    mailbox.ingest()
    rejects = mailbox.ingest()["raw_rejects"].rows
    assert mailbox.forget(Selection.of(sources=[str(upload)])) == Forgotten(0, 1, 1, 0)
    assert mailbox.ingest()["raw_rejects"].rows == rejects - 1
    upload.write_bytes(b"PK\003\004 another customer, damaged, too")
    found = mailbox.ingest()
    adds_up(found)
    assert found["raw_rejects"].rows == rejects
    assert str(upload) in ledger_names(mailbox)


@pytest.mark.parametrize("last", ["forgotten", "raw", "raw_rejects"])
def test_the_versions_before_stay_while_raw_holds_it(
    last: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.ingest()
    whole = Selection.of(sources=[str(path) for path in sorted(mailbox.objects.glob("zebulon*"))])
    with monkeypatch.context() as patch:
        patch.setattr(manifests, "publish", killed_after(last))
        with pytest.raises(KeyboardInterrupt):
            mailbox.forget(whole)
    with Job(mailbox.config()) as job, pytest.raises(DataError, match="holds mail that was forgotten"):
        forgetting.finish(job)
    if last == "forgotten":
        mailbox.ingest()
        with Job(mailbox.config()) as job, pytest.raises(DataError, match="holds mail that was forgotten"):
            forgetting.finish(job)


def test_a_kill_before_the_ledger_has_no_names(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejects of an archive are found by the archive's name."""
    path, small = mailbox.objects / "zebulon.zip", "ingest.max_message_bytes=4000"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.eml", message(8) + b"z" * 5000)
    mailbox.ingest(small)
    chosen = Selection.of(sources=[str(path)])
    with monkeypatch.context() as patch:
        patch.setattr(manifests, "publish", killed_after("ledger"))
        with pytest.raises(KeyboardInterrupt):
            mailbox.forget(chosen, small)
    rejects = Job(mailbox.config()).workspace.open("raw_rejects", schemas.REJECTS).read(["source"])
    assert f"{path}!b.eml" not in rejects["source"].to_pylist()
    with contextlib.suppress(DataError):
        mailbox.forget(chosen, small)
    adds_up(mailbox.ingest(small))
    assert str(path) not in ledger_names(mailbox)


def test_nothing_is_there_though_a_copy_came(mailbox: Mailbox) -> None:
    mailbox.ingest()
    mailbox.forget()
    shutil.copy(next(path for path in mailbox.objects.rglob("*.eml") if "zeb" not in path.name), mailbox.objects / "c")
    mailbox.ingest()
    with pytest.raises(DataError, match="none of 1 selections"):
        mailbox.forget(Selection.of(["nobody@x.example"]))


def test_two_spellings_are_one_selection(mailbox: Mailbox) -> None:
    mailbox.ingest()
    ids = ["zebquartz1@zebulonquartz.example", "<zebquartz1@zebulonquartz.example>", "<nobody@x.example>"]
    done = mailbox.forget(Selection.of(lines=ids), dry_run=True)
    assert (done.messages, done.unmatched) == (1, 1)


def test_what_is_made_since_of_a_table_of_before(mailbox: Mailbox) -> None:
    """As `compact` dates a table, or a stage that is run alone makes one."""
    clean = mailbox.ingest()["clean"]
    mailbox.forget()
    with Job(mailbox.config()) as job:
        later = replace(clean, created="2999-01-01T00:00:00+00:00")
        job.workspace.publish("clean", later)
        with pytest.raises(DataError, match="as they are since: clean"):
            forgetting.finish(job)
    mailbox.ingest()
    with Job(mailbox.config()) as job:
        assert forgetting.finish(job)


def test_a_table_that_was_never_published(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with Job(mailbox.config()) as job:
        pipeline.ingest(job)
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "publish", killed_before)
        with Job(mailbox.config()) as job, pytest.raises(KeyboardInterrupt):
            pipeline.clean(job)
    keys = mailbox.keys()
    mailbox.forget()
    storage = Job(mailbox.config()).storage
    assert any(name.startswith("clean/run_id=") for name in traces(storage, mailbox.work, keys))
    with Job(mailbox.config()) as job:
        assert forgetting.finish(job)
    assert traces(storage, mailbox.work, keys) == set()


def test_a_disks_own_folder_is_no_table(mailbox: Mailbox) -> None:
    """As where it may not be read."""
    mailbox.ingest()
    found = Path(mailbox.work, "lost+found", manifests.NAME)
    found.parent.mkdir()
    found.write_text("not ours")
    with Job(mailbox.config()) as job:
        assert forgetting.finish(job) >= 0
