"""Nightly growth: only what is new is read and mapped, the counts add up, a day run again has the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import random
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailmill import pipeline, schemas
from mailmill.config import Config, parse
from mailmill.docs.summary import summarise
from mailmill.errors import ConfigError, DataError, InfrastructureError
from mailmill.job import Job
from mailmill.stages import compacting, unread
from mailmill.storage import ledger, manifests
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.ledger import day_of
from mailmill.storage.manifests import File, Manifest
from tests import mail
from tests.conftest import require_engine
from tests.work import calls

DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
GROWING = ("raw", "raw_rejects", "ledger", "clean", "rejects", "labels", "features")


class Mailbox:
    """A corpus whose mails arrive over three days, and a workspace."""

    def __init__(self, folder: Path, header: bool = True) -> None:
        corpus = mail.make_corpus(folder / "corpus", 240, label_header="X-Label" if header else None)
        self.vectors = mail.make_vectors(corpus, folder / "glove.txt")
        self.labels = {"header": "X-Label"} if header else {"source": str(corpus / "labels.csv")}
        self.waiting = sorted((corpus / "mail").rglob("*.eml"))
        self.corpus, self.folder = folder / "inbox", folder
        (self.corpus / "mail").mkdir(parents=True)

    def arrive(self, day: str, count: int, again: int = 0) -> None:
        """`count` mails come on a day, and exact copies of `again` that had come before."""
        at = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp()
        old = sorted((self.corpus / "mail").glob("*.eml"))[:again]
        for number, source in enumerate([self.waiting.pop(0) for _ in range(count)] + old):
            target = self.corpus / "mail" / f"{day}-{number:04d}.eml"
            shutil.copyfile(source, target)
            os.utime(target, (at, at))

    def config(self, *overrides: str, work: str = "work") -> Config:
        plain = ("features.pooling=['mean']", "features.ngrams=0")  # features that no fitted weight enters
        return mail.make_config(
            str(self.folder / work), self.corpus, self.vectors, *plain, *overrides, labels=self.labels
        )

    def run(self, *overrides: str, work: str = "work") -> dict[str, Manifest]:
        """Everything up to the features; the manifests."""
        with Job(self.config(*overrides, work=work)) as job:
            for stage in (pipeline.ingest, pipeline.clean, pipeline.label, pipeline.features):
                stage(job)
            return {name: job.workspace.manifest(name) for name in GROWING}


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path)


def mapped(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the rows that engines map, by the kernel's name."""
    counted: Counter[str] = Counter()
    original = Job.map_table

    def counting(job: Job, table: Any, kernel: Any, *rest: Any) -> Any:
        counted[type(kernel).__name__] += table.rows
        return original(job, table, kernel, *rest)

    monkeypatch.setattr(Job, "map_table", counting)
    return counted


def adds_up(found: dict[str, Manifest], files: int) -> None:
    raw, clean = found["raw"].statistics, found["clean"].statistics
    assert raw["messages"] == clean["messages"] == raw["objects"] == files
    assert found["clean"].rows + found["rejects"].rows + clean["duplicates"] == files
    assert found["ledger"].rows == files


def test_a_night_adds_files_and_rewrites_none(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox.arrive(DAYS[0], 100)
    first = mailbox.run()
    adds_up(first, 100)
    mailbox.arrive(DAYS[1], 60, again=7)
    nothing = mailbox.corpus / "mail" / f"{DAYS[1]}-no-words.eml"  # labelled, and rejected by cleaning
    nothing.write_bytes(b"From: a@b.example\r\nX-Label: neg\r\nMessage-ID: <no-words@b.example>\r\n\r\n\r\n")
    rows = mapped(monkeypatch)
    second = mailbox.run()
    adds_up(second, 168)
    for name in GROWING:
        before, after = ({f.path for f in m[name].files} for m in (first, second))
        assert before <= after, name
    assert second["raw"].rows - first["raw"].rows == rows["CleanKernel"] == rows["LabelsKernel"]
    assert rows["FeaturesKernel"] == second["clean"].rows - first["clean"].rows
    assert second["raw"].statistics["duplicates"] >= first["raw"].statistics["duplicates"] + 7


def test_a_night_of_copies_is_counted(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies change no row of raw: clean was skipped, and what it says of all messages was that of the night before."""
    mailbox.arrive(DAYS[0], 40)
    first = mailbox.run()
    rows = mapped(monkeypatch)
    mailbox.arrive(DAYS[1], 0, again=7)
    heard: list[tuple[str, str]] = []
    with Job(mailbox.config(), notify=lambda what, manifest: heard.append((what, manifest.table))) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
    assert [what for what, table in heard if table == "clean"] == ["published"], "and not unchanged, too"
    second = mailbox.run()
    adds_up(second, 47)
    assert not rows["CleanKernel"]
    for name in ("clean", "rejects", "features"):
        assert second[name].files == first[name].files, name
    assert second["clean"].statistics["duplicates"] == first["clean"].statistics["duplicates"] + 7
    with Job(mailbox.config()) as job:
        said = summarise(job.workspace)
    assert "\n47 messages = " in said
    assert f"{job.workspace.root}/clean/{manifests.NAME}  {second['clean'].rows} rows" in said, "of both nights"
    assert mailbox.run() == second
    for path in sorted((mailbox.corpus / "mail").glob(f"{DAYS[1]}-*"))[:3]:
        path.unlink()
    third = mailbox.run()
    adds_up(third, 44)
    assert third["features"] == second["features"]


def test_night_by_night_is_the_same_as_all_at_once(mailbox: Mailbox) -> None:
    for day, again in zip(DAYS, (0, 5, 9), strict=True):
        mailbox.arrive(day, 50, again)
        grown = mailbox.run()
    whole = mailbox.run(work="at-once")
    for name in ("clean", "labels", "features"):
        assert grown[name].fingerprint == whole[name].fingerprint, name
    for name in ("messages", "duplicates", "rejects", "objects"):
        assert grown["raw"].statistics[name] == whole["raw"].statistics[name], name
    here, there = (
        Job(mailbox.config(work=w)).workspace.open("raw", schemas.RAW).read(["key", "raw"]) for w in ("work", "at-once")
    )
    assert here.equals(there)


def test_fitted_weights_are_fitted_to_all_mail(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights fitted to more mail change every row, so the features are made anew; the rest still grows."""
    fitted = ("features.pooling=['mean', 'nb']", "features.ngrams=1")
    mailbox.arrive(DAYS[0], 60)
    mailbox.run(*fitted)
    mailbox.arrive(DAYS[1], 50)
    rows = mapped(monkeypatch)
    grown = mailbox.run(*fitted)
    assert rows["FeaturesKernel"] == grown["clean"].rows > rows["CleanKernel"]
    assert grown["features"].fingerprint == mailbox.run(*fitted, work="at-once")["features"].fingerprint


def test_nothing_new_does_nothing(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.arrive(DAYS[0], 60)
    before = mailbox.run()
    monkeypatch.setattr("mailmill.job.open_engine", lambda *_: pytest.fail("an engine was started"))
    with caplog.at_level(logging.INFO, logger="mailmill"):
        assert mailbox.run() == before
    assert "raw unchanged: " in caplog.text


def test_only_copies_and_rejects_are_new(mailbox: Mailbox) -> None:
    mailbox.arrive(DAYS[0], 60)
    first = mailbox.run()
    mailbox.arrive(DAYS[1], 0, again=6)
    (mailbox.corpus / "mail" / "empty.eml").write_bytes(b"")
    second = mailbox.run()
    adds_up(second, 67)
    assert second["raw"].fingerprint == first["raw"].fingerprint
    assert second["clean"].fingerprint == first["clean"].fingerprint
    assert second["rejects"].rows == first["rejects"].rows + 1


def bytes_of(mailbox: Mailbox, found: Manifest, day: str) -> list[str]:
    """The content of a day's files, whatever their run's folder."""
    folder = Path(mailbox.config().run.work) / found.table
    files = [file for file in found.files if day_of(file) == day]
    return [hashlib.sha256((folder / f.path).read_bytes()).hexdigest() for f in sorted(files, key=lambda f: f.path)]


def test_a_day_run_again_has_the_same_bytes(mailbox: Mailbox) -> None:
    nights = {}
    for day, again in zip(DAYS, (0, 5, 9), strict=True):
        mailbox.arrive(day, 40, again)
        found = mailbox.run(f"ingest.as_of={day}")
        nights[day] = {name: m.fingerprint for name, m in found.items()}
        content = {name: bytes_of(mailbox, found[name], DAYS[1]) for name in ("raw", "ledger")}
        if day == DAYS[1]:
            second = content
    assert content == second, "a later night left the files of an earlier one as they were"
    assert second["raw"]
    again_found = mailbox.run(f"ingest.as_of={DAYS[1]}")
    assert {name: m.fingerprint for name, m in again_found.items()} == nights[DAYS[1]]
    assert {name: bytes_of(mailbox, again_found[name], DAYS[1]) for name in second} == second
    last = mailbox.run(f"ingest.as_of={DAYS[2]}")
    assert {name: m.fingerprint for name, m in last.items()} == nights[DAYS[2]]
    elsewhere = mailbox.run(f"ingest.as_of={DAYS[0]}", work="elsewhere")
    assert {name: m.fingerprint for name, m in elsewhere.items()} == nights[DAYS[0]]


def test_a_day_before_all_mail_and_a_day_that_is_none(mailbox: Mailbox) -> None:
    mailbox.arrive(DAYS[1], 20)
    with pytest.raises(DataError, match=f"no mail up to {DAYS[0]}"):
        mailbox.run(f"ingest.as_of={DAYS[0]}")
    with pytest.raises(ConfigError, match=r"ingest\.as_of"):
        mailbox.run("ingest.as_of=2026-13-40")


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_what_is_gone_or_changed_is_read_again(change: str, mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    mailbox.arrive(DAYS[0], 60)
    mailbox.run()
    victim = sorted((mailbox.corpus / "mail").glob("*.eml"))[3]
    victim.unlink() if change == "gone" else victim.write_bytes(victim.read_bytes() + b"\r\nMore.\r\n")
    with caplog.at_level(logging.INFO, logger="mailmill"):
        found = mailbox.run()
    anew = f"raw is made anew, of all {59 if change == 'gone' else 60} objects: "
    said = next((r.levelname, r.getMessage()) for r in caplog.records if anew in r.getMessage())
    lost = ("WARNING", f"{anew}1 objects are gone, e.g. {victim}")
    assert said == (lost if change == "gone" else ("INFO", f"{anew}1 objects have changed or moved"))
    adds_up(found, 59 if change == "gone" else 60)
    whole = mailbox.run(work="fresh")
    ours, theirs = ({n: m.fingerprint for n, m in run.items() if n != "ledger"} for run in (found, whole))
    assert ours == theirs  # the ledger names the day, and midnight may lie between the two


def in_folders(mailbox: Mailbox, *days: str) -> Path:
    """Twenty mails a day, each day's in a folder of its own; the folder of all."""
    inbox = mailbox.corpus / "mail"
    for day in days:
        mailbox.arrive(day if day[0] == "2" else DAYS[0], 20)
        (inbox / day).mkdir()
        for path in inbox.glob("*.eml"):
            path.rename(inbox / day / path.name)
    return inbox


def ingested(mailbox: Mailbox, *overrides: str) -> dict[str, Any]:
    with Job(mailbox.config(*overrides)) as job:
        return dict(pipeline.ingest(job).manifest.statistics)


def test_a_mailbox_that_is_not_mounted_is_refused(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """Its mail left all tables, and the night ended with 0."""
    inbox = in_folders(mailbox, *DAYS[:2])
    ingested(mailbox)
    (inbox / DAYS[0]).rename(mailbox.folder / "unmounted")
    (inbox / DAYS[0]).mkdir()
    with pytest.raises(DataError, match=f"{DAYS[0]} is empty, and 20 objects were taken from there") as refused:
        ingested(mailbox)
    assert "ingest.drop_emptied = true" in refused.value.hint
    assert ingested(mailbox, "ingest.drop_emptied=true")["objects"] == 20
    assert any(r.levelname == "WARNING" and "20 objects are gone, e.g." in r.getMessage() for r in caplog.records)
    assert ingested(mailbox)["objects"] == 20, "once is enough"


def test_a_folder_alone_in_its_own_that_is_empty_is_refused(mailbox: Mailbox) -> None:
    inbox = in_folders(mailbox, *DAYS[:2])
    (inbox / "account").mkdir()
    (inbox / DAYS[0]).rename(inbox / "account" / "inbox")
    ingested(mailbox)
    for path in (inbox / "account" / "inbox").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="account/inbox is empty, and 20 objects were taken from there"):
        ingested(mailbox)


def test_a_folder_that_is_archived_leaves_with_a_warning(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    inbox = in_folders(mailbox, *DAYS)
    ingested(mailbox)
    (inbox / DAYS[0]).rename(mailbox.folder / "archive")
    assert ingested(mailbox)["objects"] == 40
    (inbox / DAYS[1]).rename(mailbox.folder / "archive2")
    (inbox / DAYS[1]).mkdir()
    assert ingested(mailbox, "ingest.keep_gone=true")["objects"] == 40, "nothing leaves"
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING" and "anew" in r.getMessage()]
    assert len(warned) == 1
    assert f"20 objects are gone, e.g. {inbox / DAYS[0]}/" in warned[0]


def test_mail_that_moves_is_not_gone(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """A Maildir's `new` is emptied by whoever reads the mail."""
    inbox = in_folders(mailbox, "new", "cur")
    ingested(mailbox)
    for path in sorted((inbox / "new").iterdir())[1:]:
        path.rename(inbox / "cur" / f"{path.name}:2,S")
    assert ingested(mailbox)["objects"] == 40
    assert not [r for r in caplog.records if r.levelname == "WARNING"]
    next((inbox / "new").iterdir()).unlink()
    assert ingested(mailbox)["objects"] == 39
    assert "1 objects are gone" in caplog.text


@pytest.mark.parametrize("keep", [False, True])
def test_mail_of_a_day_that_is_run_again_and_gone(
    keep: bool, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It left the tables without a line."""
    for day in DAYS:
        inbox = in_folders(mailbox, day)
        ingested(mailbox, f"ingest.as_of={day}")
    shutil.rmtree(inbox / DAYS[1])
    assert ingested(mailbox, f"ingest.as_of={DAYS[1]}", f"ingest.keep_gone={keep}")["objects"] == (60 if keep else 20)
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warned == (
        [] if keep else [f"mail leaves the tables: 20 objects are gone, e.g. {inbox / DAYS[1]}/{DAYS[1]}-0000.eml"]
    )


def harm(table: Manifest, mailbox: Mailbox, how: str) -> Path:
    """Delete or cut one of a table's published files."""
    victim = mailbox.folder / "work" / table.table / table.files[0].path
    victim.unlink() if how == "gone" else victim.write_bytes(victim.read_bytes()[:-8])
    return victim


@pytest.mark.parametrize("how", ["gone", "cut"])
@pytest.mark.parametrize("name", ["raw", "ledger", "clean", "labels", "features", "weights"])
def test_published_files_that_are_gone_are_made_anew(
    name: str, how: str, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Night after night "unchanged" was said of tables of which a lifecycle rule had deleted the files."""
    mailbox.arrive(DAYS[0], 40)
    first = mailbox.run()
    with Job(mailbox.config()) as job:
        victim = harm(job.workspace.manifest(name), mailbox, how)
    mailbox.run()
    assert str(victim) in caplog.text
    with Job(mailbox.config()) as job:
        for table in [*GROWING, "weights"]:
            found = job.workspace.manifest(table)
            assert all((mailbox.folder / "work" / table / file.path).is_file() for file in found.files), table
            assert table == "weights" or found.fingerprint == first[table].fingerprint
    caplog.clear()
    mailbox.run()
    assert "gone or cut" not in caplog.text


@pytest.mark.parametrize("name", ["raw", "ledger"])
def test_kept_mail_that_is_gone_from_the_workspace_is_an_error(name: str, mailbox: Mailbox) -> None:
    """Its way out leads out: what is still there is read again."""
    keep = "ingest.keep_gone=true"
    mailbox.arrive(DAYS[0], 30)
    victim = harm(mailbox.run(keep)[name], mailbox, "gone")
    with pytest.raises(DataError, match="is gone or cut") as caught:
        mailbox.run(keep)
    assert str(victim) in caught.value.message
    assert "of the mail that is still there" in caught.value.hint
    (mailbox.folder / "work" / "raw" / manifests.NAME).unlink()
    adds_up(mailbox.run(keep), 30)


def test_a_lost_profile_costs_no_mail(mailbox: Mailbox) -> None:
    keep = "ingest.keep_gone=true"
    mailbox.arrive(DAYS[0], 30)
    first = mailbox.run(keep)
    profiles = mailbox.folder / "work" / "profiles"
    lost = list(profiles.rglob("profile.json"))
    for path in [*(mailbox.corpus / "mail").glob("*.eml"), *lost]:
        path.unlink()
    second = mailbox.run(keep)
    assert second["raw"].files == first["raw"].files
    assert len(list(profiles.rglob("profile.json"))) == len(lost)
    assert mailbox.run(keep) == second


def test_a_run_that_was_moved_and_linked_is_there(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    mailbox.arrive(DAYS[0], 30)
    first = mailbox.run()
    (run,) = (mailbox.folder / "work" / "raw").glob("run_id=*")
    shutil.move(run, mailbox.folder / "other-disk")
    run.symlink_to(mailbox.folder / "other-disk")
    assert mailbox.run() == first
    mailbox.arrive(DAYS[1], 10)
    adds_up(mailbox.run(), 40)
    assert "is a link to a folder" not in caplog.text, "it is none of mail"


def test_a_landing_place_that_is_emptied(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    keep = "ingest.keep_gone=true"
    mailbox.arrive(DAYS[0], 60)
    first = mailbox.run(keep)
    for path in (mailbox.corpus / "mail").glob("*.eml"):
        path.unlink()
    with caplog.at_level(logging.INFO, logger="mailmill"):
        assert mailbox.run(keep) == first
    assert "raw unchanged: " in caplog.text
    assert f"input.paths: {mailbox.corpus / 'mail'} holds no mail" in caplog.text
    mailbox.arrive(DAYS[1], 30)
    second = mailbox.run(keep)
    adds_up(second, 90)
    assert {f.path for f in first["raw"].files} <= {f.path for f in second["raw"].files}


@pytest.mark.parametrize("keep", [True, False])
def test_the_table_says_where_its_mail_was_read(keep: bool, mailbox: Mailbox) -> None:
    setting, first, second = f"ingest.keep_gone={keep}".lower(), mailbox.corpus / "mail", mailbox.folder / "second"
    mailbox.arrive(DAYS[0], 20)
    assert mailbox.run(setting)["raw"].statistics["made_by"] == {"input": {"paths": [str(first)]}}
    mailbox.arrive(DAYS[1], 10)
    shutil.move(first, second)
    found = mailbox.run(setting, f'input.paths=["{second}"]')["raw"].statistics
    assert found["made_by"]["input"]["paths"] == [*([str(first)] if keep else []), str(second)]


def test_a_landing_place_that_is_gone_is_an_error(mailbox: Mailbox) -> None:
    keep = "ingest.keep_gone=true"
    mailbox.arrive(DAYS[0], 30)
    mailbox.run(keep)
    with pytest.raises(DataError, match=r"inbxo does not exist"):
        mailbox.run(keep, f'input.paths=["{mailbox.folder / "inbxo"}"]')


def test_a_day_run_again_keeps_mail_that_is_gone(mailbox: Mailbox) -> None:
    keep = "ingest.keep_gone=true"
    for day in DAYS:
        mailbox.arrive(day, 20)
        found = mailbox.run(keep, f"ingest.as_of={day}")
        for path in (mailbox.corpus / "mail").glob("*.eml"):
            path.unlink()
    adds_up(found, 60)
    for day in reversed(DAYS):
        assert mailbox.run(keep, f"ingest.as_of={day}") == found


@pytest.mark.parametrize("spelling", ["", "x/../", "./"])
def test_the_workspace_below_the_mail_is_not_read(place: tuple[Storage, str], spelling: str) -> None:
    storage, root = place
    storage.write(join(root, "w.eml"), b"From: a@x.example\nMessage-ID: <a@x>\n\nHello there.\n")
    spelling = spelling if root.startswith("/") else ""
    config = parse({
        "run": {"work": f"{root}/{spelling}w"}, "input": {"paths": [root + "/"]}, "engine": {"kind": "local"},
        "storage": {"endpoint": storage.settings.endpoint}, "quality": {"expectations": "off"},
    })  # fmt: skip
    for _ in range(2):
        with Job(config) as job:
            assert pipeline.ingest(job).manifest.statistics["objects"] == 1


@pytest.mark.parametrize("linked", ["work", "mail"])
def test_the_workspace_below_the_mail_is_not_read_through_a_link(linked: str, tmp_path: Path) -> None:
    work, inbox = tmp_path / "inbox" / "w", tmp_path / "inbox"
    work.mkdir(parents=True)
    (inbox / "a.eml").write_bytes(b"From: a@x.example\nMessage-ID: <a@x>\n\nHello there.\n")
    (tmp_path / "link").symlink_to(work if linked == "work" else inbox)
    work, inbox = (tmp_path / "link", inbox) if linked == "work" else (work, tmp_path / "link")
    config = parse({
        "run": {"work": str(work)}, "input": {"paths": [str(inbox)]}, "engine": {"kind": "local"},
        "quality": {"expectations": "off"},
    })  # fmt: skip
    for _ in range(2):
        with Job(config) as job:
            assert pipeline.ingest(job).manifest.statistics["objects"] == 1


def test_the_workspace_is_no_mail(mailbox: Mailbox) -> None:
    mailbox.arrive(DAYS[0], 10)
    with pytest.raises(ConfigError, match=r"run\.work is .* read as mail"):
        mailbox.run(f"run.work={mailbox.corpus / 'mail'}")


def test_kept_mail_survives_a_change_of_code(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = "ingest.keep_gone=true"
    mailbox.arrive(DAYS[0], 40)
    mailbox.run(keep)
    for path in (mailbox.corpus / "mail").glob("*.eml"):
        path.unlink()
    mailbox.arrive(DAYS[1], 20)
    monkeypatch.setattr(manifests, "code_version", lambda: "0+changed")
    adds_up(mailbox.run(keep), 60)


def test_an_upgrade_says_what_is_made_anew_and_what_is_gone(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All mail was read again, and what was gone left every table, without a word."""
    caplog.set_level(logging.INFO, logger="mailmill")
    mailbox.arrive(DAYS[0], 40)
    mailbox.run()
    assert "anew" not in caplog.text
    gone = sorted((mailbox.corpus / "mail").glob("*.eml"))[:5]
    for path in gone:
        path.unlink()
    code = manifests.code_version()
    monkeypatch.setattr(manifests, "code_version", lambda: "0+changed")
    adds_up(mailbox.run(), 35)
    said = [(r.levelname, r.getMessage()) for r in caplog.records if "made anew" in r.getMessage()]
    why = f"mailmill {code} made it, this is 0+changed"
    assert said == [
        ("WARNING", f"raw is made anew, of all 35 objects: {why}; 5 objects are gone, e.g. {gone[0]}"),
        *(("INFO", f"{name} is made anew: {why}") for name in ("clean", "labels", "features")),
    ]


@pytest.mark.parametrize("keep", [False, True])
def test_another_setting_of_ingest_says_what_becomes_of_mail(
    keep: bool, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mailmill")
    mailbox.arrive(DAYS[0], 30)
    keeping = f"ingest.keep_gone={str(keep).lower()}"
    mailbox.run(keeping)
    other = mailbox.run(keeping, "ingest.max_message_bytes=20MiB")
    adds_up(other, 30)
    anew, kept = "raw is made anew, of all 30 objects", "raw stays as it was taken, with ingest.keep_gone"
    assert f"{kept if keep else anew}: its settings, or what was chosen by them, were others" in caplog.text
    assert (anew in caplog.text, kept in caplog.text) == (not keep, keep)
    caplog.clear()
    assert mailbox.run(keeping, "ingest.max_message_bytes=20MiB") == other
    assert "its settings, or what was chosen by them, were others" not in caplog.text


def killed_after(table: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> None:
    """A run that ends right after it has published the manifest of `table`."""
    original: Callable[..., None] = manifests.publish

    def killed(storage: Any, uri: str, manifest: Manifest, *rest: Any) -> None:
        original(storage, uri, manifest, *rest)
        if manifest.table == table:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(manifests, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            mailbox.run(*overrides)


@pytest.mark.parametrize("grown", [True, False])
@pytest.mark.parametrize("last", ["ledger", "raw_rejects"])
def test_a_run_that_was_killed_between_two_manifests(
    last: str, grown: bool, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger knows of the new objects, the raw table does not: they must not be taken for read."""
    if grown:
        mailbox.arrive(DAYS[0], 60)
        mailbox.run()
    mailbox.arrive(DAYS[1], 40)
    killed_after(last, mailbox, monkeypatch)
    adds_up(mailbox.run(), 100 if grown else 40)


@pytest.mark.parametrize("anew", ["an object is gone", "a day is taken again"])
@pytest.mark.parametrize("last", ["ledger", "raw_rejects"])
def test_a_run_that_makes_anew_and_was_killed_between_two_manifests(
    last: str, anew: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither manifest's files are then the other's: it was refused, and so was every later run."""
    for day in DAYS[:2]:
        mailbox.arrive(day, 30)
        mailbox.run(f'ingest.as_of="{day}"')
    again = []
    if anew == "an object is gone":
        min((mailbox.corpus / "mail").glob("*.eml")).unlink()
    else:
        again = [f'ingest.as_of="{DAYS[0]}"']
    killed_after(last, mailbox, monkeypatch, *again)
    adds_up(mailbox.run(), 59 if anew == "an object is gone" else 60)


def test_tables_that_do_not_go_together_are_refused_only_where_mail_may_be_gone(mailbox: Mailbox) -> None:
    mailbox.arrive(DAYS[0], 30)
    found = mailbox.run()
    storage, uri = Job(mailbox.config()).storage, join(mailbox.config().run.work, "ledger")
    document = found["ledger"].to_bytes().replace(found["ledger"].files[0].digest.encode(), b"0" * 32)
    storage.write(join(uri, manifests.NAME), document)
    mailbox.arrive(DAYS[1], 30)
    with pytest.raises(DataError, match=r"raw and ledger .* do not go together") as refused:
        mailbox.run("ingest.keep_gone=true")
    assert "restore both from a backup" in refused.value.hint
    adds_up(mailbox.run(), 60)


def test_other_settings_map_everything_again(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox.arrive(DAYS[0], 60)
    mailbox.run()
    mailbox.arrive(DAYS[1], 30)
    rows = mapped(monkeypatch)
    found = mailbox.run("clean.sender_domain=drop")
    assert rows["CleanKernel"] == found["raw"].rows
    assert rows["LabelsKernel"] < found["raw"].rows
    assert rows["FeaturesKernel"] == found["clean"].rows


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_labels_that_come_after_a_run_without_any(pooling: str, mailbox: Mailbox) -> None:
    mailbox.arrive(DAYS[0], 60)
    labels, mailbox.labels = mailbox.labels, {}
    with Job(mailbox.config(f'features.pooling=["{pooling}"]')) as job:
        pipeline.run(job)
    mailbox.labels = labels
    found = mailbox.run(f'features.pooling=["{pooling}"]')
    assert found["features"].statistics["classes"] == ["neg", "pos"]
    whole = mailbox.run(f'features.pooling=["{pooling}"]', work="at-once")
    assert found["features"].fingerprint == whole["features"].fingerprint


def test_a_label_file_is_matched_whole(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path, header=False)
    for day in DAYS[:2]:
        mailbox.arrive(day, 60)
        found = mailbox.run()
    whole = mailbox.run(work="at-once")
    assert found["labels"].statistics == whole["labels"].statistics
    assert found["labels"].fingerprint == whole["labels"].fingerprint


def test_compaction_joins_files_and_changes_nothing(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    few = "tables.fragment_bytes=10MB"
    for day in DAYS[:2]:
        mailbox.arrive(day, 80, again=3)
        before = mailbox.run(few, f"ingest.as_of={day}")
    victim = mailbox.folder / "work" / "raw" / before["raw"].files[0].path
    content, runs = victim.read_bytes(), set(victim.parents[2].iterdir())
    victim.write_bytes(bytes(len(content)))
    with (
        pytest.raises(DataError, match=rf"{victim.name} is damaged[\s\S]*and run again"),
        Job(mailbox.config(few)) as job,
    ):
        compacting.compact(job)
    assert set(victim.parents[2].iterdir()) == runs, "what failed leaves nothing"
    victim.write_bytes(content)
    with monkeypatch.context() as patched:
        patched.setattr(compacting, "digest_of_rows", lambda files: len(list(files)))
        with (
            pytest.raises(InfrastructureError, match="would change its rows; nothing was changed") as refused,
            Job(mailbox.config(few)) as job,
        ):
            compacting.compact(job)
    assert refused.value.hint == "start it again", "a hint to delete a whole table would lose mail that was kept"
    with Job(mailbox.config(few)) as job:
        changed = compacting.compact(job)
        after = {name: job.workspace.manifest(name) for name in GROWING}
        assert job.workspace.open("raw", schemas.RAW).read().num_rows == before["raw"].rows
        assert compacting.compact(job) == {}
    assert {"raw", "clean", "features"} <= set(changed)
    assert all(first > second for first, second in changed.values()), "what did not change is told as changed"
    assert {n: m.fingerprint for n, m in after.items()} == {n: m.fingerprint for n, m in before.items()}
    assert [day_of(file) for file in after["raw"].files] == list(DAYS[:2]), "days stay apart"
    assert len(after["clean"].files) == 1
    rows = mapped(monkeypatch)
    assert mailbox.run(few, f"ingest.as_of={DAYS[1]}") == after, "compaction made a stage run again"
    mailbox.arrive(DAYS[2], 30)
    found = mailbox.run(few, f"ingest.as_of={DAYS[2]}")
    assert rows["CleanKernel"] == found["raw"].rows - before["raw"].rows, "what was mapped was mapped again"
    adds_up(found, 80 + 83 + 30)
    whole = mailbox.run(work="at-once")
    assert found["features"].fingerprint == whole["features"].fingerprint


@pytest.mark.parametrize("last", ["ledger", "rejects"])
def test_compaction_after_a_run_that_was_killed_between_two_manifests(
    last: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joined with what was committed, what was not could not be told from it any more."""
    few = "tables.fragment_bytes=10MB"
    for day in DAYS[:2]:
        mailbox.arrive(day, 40)
        mailbox.run(few)
    for number in range(3):
        (mailbox.corpus / "mail" / f"broken-{number}.eml").write_bytes(b"")
    killed_after(last, mailbox, monkeypatch, few)
    with Job(mailbox.config(few)) as job:
        compacting.compact(job)
    adds_up(mailbox.run(few), 83)
    with Job(mailbox.config(few)) as job:
        assert compacting.compact(job), "now they go together"


def test_bins_take_work_in_proportion_to_the_files() -> None:
    work = []
    for count in (500, 1000):
        files = [File(f"run_id=r/part-{n:06d}.parquet", 1, 10, "0" * 32) for n in range(count)]
        work.append(calls(lambda: compacting.bins(files, 10**6)))  # noqa: B023 - called at once
    assert work[1] < 2.2 * work[0]


@pytest.mark.parametrize("engine", ["local", "dask", pytest.param("spark", marks=pytest.mark.spark)])
def test_of_equal_rows_of_one_name_one_stays(engine: str, tmp_path: Path) -> None:
    """Forty rows and ten messages, each several times in one file of the raw table and in several files."""
    require_engine(engine)
    draw = random.Random(5)
    rows = [{"name": f"{n}.eml", "raw": f"Subject: {n}\n\n{draw.randbytes(200_000).hex()}\n"} for n in range(10)]
    (tmp_path / "inbox").mkdir()
    lines = [json.dumps(row) + "\n" for row in [*rows[:5] * 2, *rows * 2, *rows[5:] * 2]]
    (tmp_path / "inbox" / "a.jsonl").write_text("".join(lines))
    with tarfile.open(tmp_path / "inbox" / "b.tar", "w") as archive:
        for _ in range(3):
            member = tarfile.TarInfo("same.eml")
            member.size = 40
            archive.addfile(member, io.BytesIO(b"Subject: x\n\n".ljust(40, b"x")))
    config = mail.make_config(
        str(tmp_path / "work"), tmp_path / "corpus", tmp_path / "v.txt", f"engine.kind={engine}",
        f'input.paths=["{tmp_path / "inbox"}"]', labels={},
    )  # fmt: skip
    with Job(config) as job:
        raw = pipeline.ingest(job)
        again = pipeline.ingest(job)
    found = raw.read(["key", "source"])
    assert len(set(found["key"].to_pylist())) == found.num_rows == 11
    assert len(raw.manifest.files) > 1
    assert raw.manifest.statistics["duplicates"] == 32
    assert again.manifest == raw.manifest
    assert {source.rpartition("!")[2] for source in found["source"].to_pylist()} == {
        "same.eml", *(row["name"] for row in rows),
    }  # fmt: skip


def test_names_that_are_not_utf8(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small and large files, empty ones and archives: all are read, named alike in each table, and known next time."""
    mailbox.arrive(DAYS[0], 20)
    folder, many = os.fsencode(mailbox.corpus / "mail"), b"From a@b.c Thu Jan  1 00:00:00 1970\nSubject: %d\n\nx\n\n"
    contents = {
        b"caf\xe9.eml": b"Subject: small\n\nx\n", b"caf\xe8.eml": b"", b"caf\xe9.zip": b"PK no zip",
        b"caf\xe9.mbox": b"".join(many % n for n in range(25_000)),
    }  # fmt: skip
    for name, content in contents.items():
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(content)
    found = mailbox.run()
    with Job(mailbox.config()) as job:
        sources = job.workspace.open("raw", schemas.RAW).read(["source"])["source"].to_pylist()
        rejects = job.workspace.open("raw_rejects", schemas.REJECTS).read(["source"])["source"].to_pylist()
    assert {r"caf\udce9.eml", r"caf\udce9.mbox#000001"} <= {source.rpartition("/")[2] for source in sources}
    assert {r"caf\udce8.eml", r"caf\udce9.zip"} <= {source.rpartition("/")[2] for source in rejects}
    monkeypatch.setattr("mailmill.job.open_engine", lambda *_: pytest.fail("an engine was started"))
    assert mailbox.run() == found
    assert mailbox.run("ingest.keep_gone=true") == found
    monkeypatch.undo()
    mailbox.arrive(DAYS[1], 5)
    assert {f.path for f in found["raw"].files} < {f.path for f in mailbox.run()["raw"].files}


def refuse(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Let nobody read objects whose path has this part."""
    original = Storage.read_many

    def refusing(storage: Storage, paths: list[str]) -> Any:
        for path, content in original(storage, paths):
            yield path, PermissionError(path) if part in path else content

    monkeypatch.setattr(Storage, "read_many", refusing)


def test_what_could_not_be_read_is_tried_again(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.arrive(DAYS[0], 20)
    refused = str(sorted((mailbox.corpus / "mail").glob("*.eml"))[3])
    refuse(monkeypatch, refused)
    first = mailbox.run()
    assert "1 of 20 objects could not be read" in caplog.text
    assert refused in caplog.text
    assert (first["raw"].rows, first["raw"].statistics["unread"], first["raw_rejects"].rows) == (19, 1, 0)
    assert mailbox.run() == first, "night after night: no reject row each time, and nothing is published anew"
    monkeypatch.undo()
    second = mailbox.run()
    assert (second["raw"].rows, second["raw"].statistics["unread"]) == (20, 0)
    assert {file.path for file in first["raw"].files} < {file.path for file in second["raw"].files}
    assert mailbox.run() == second


@pytest.mark.parametrize("keep_gone", ["false", "true"])
@pytest.mark.parametrize("count", [1, 25])
def test_a_night_that_nobody_may_read_is_told(
    count: int, keep_gone: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "raw unchanged" was all that a scheduler saw, night after night; with an archive a night it still was."""
    night = [(f"ingest.as_of={day}", f"ingest.keep_gone={keep_gone}") for day in DAYS]
    mailbox.arrive(DAYS[0], 30)
    first = mailbox.run(*night[0])["raw"]
    mailbox.arrive(DAYS[1], count)
    refuse(monkeypatch, "/2026-11-")
    clock = [datetime(2026, 11, 2, 23, 30, tzinfo=UTC)]
    monkeypatch.setattr(unread, "now", lambda: clock[0])

    def told(overrides: tuple[str, ...], objects: int) -> Manifest:
        with pytest.raises(InfrastructureError, match=rf"none of {objects} objects could be read, e\.g\. .*Permission"):
            mailbox.run(*overrides)
        with Job(mailbox.config()) as job:
            return job.workspace.manifest("raw")

    second = told(night[1], count)
    assert (second.statistics["unread"], second.fingerprint) == (count, first.fingerprint)
    assert told(night[1], count) == second, "a retry is told the same, and publishes nothing anew"
    assert not list(mailbox.folder.glob("work/raw/run_id=*/unread")), "nor does it leave anything"
    clock[0] += timedelta(hours=1)
    assert told(night[1], count) == second, "midnight makes no new night of a retry"
    clock[0] += timedelta(hours=23)
    assert mailbox.run(*night[2])["raw"] == second, "the next night has nothing else: it is not red for ever"
    mailbox.arrive(DAYS[2], 1)
    told(night[2], count + 1)
    monkeypatch.undo()
    adds_up(mailbox.run(*night[2]), 31 + count)


def test_what_stays_unreadable_hides_no_mail_that_comes_later(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One object that stays for ever: the nights go on, and so does a rerun of the day on which it came with others."""
    mailbox.arrive(DAYS[0], 10)
    refuse(monkeypatch, f"{DAYS[0]}-0003")
    first = mailbox.run(f"ingest.as_of={DAYS[0]}")
    assert mailbox.run(f"ingest.as_of={DAYS[0]}") == first
    assert mailbox.run(f"ingest.as_of={DAYS[1]}") == first
    mailbox.arrive(DAYS[2], 5)
    adds_up(mailbox.run(f"ingest.as_of={DAYS[2]}"), 14)
    assert "1 of 1 objects could not be read" in caplog.text
    assert "1 of 6 objects could not be read" in caplog.text


def test_a_day_run_again_that_nobody_may_read_gives_up_no_mail(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in DAYS:
        mailbox.arrive(day, 5)
        last = mailbox.run(f"ingest.as_of={day}")
    refuse(monkeypatch, DAYS[1])
    for _ in range(2):
        with pytest.raises(InfrastructureError, match="none of 5 objects could be read"):
            mailbox.run(f"ingest.as_of={DAYS[1]}")
    with Job(mailbox.config()) as job:
        assert {name: job.workspace.manifest(name) for name in GROWING} == last


def test_what_stays_unreadable_stops_no_rerun(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox.arrive(DAYS[0], 10)
    mailbox.arrive(DAYS[1], 20)
    refuse(monkeypatch, DAYS[1])
    first = mailbox.run()
    assert first["raw"].statistics["unread"] == 20
    assert mailbox.run() == first
    (run,) = (mailbox.folder / "work" / "raw").glob("run_id=*")
    assert run.name == f"run_id={first['raw'].run_id}", "what was found out on the way does not stay"
    for path in (mailbox.corpus / "mail").glob(f"{DAYS[1]}*"):
        path.unlink()
    assert mailbox.run()["raw"].statistics["unread"] == 0, "none is left that could not be read"


def test_where_nothing_can_be_read_the_run_ends(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox.arrive(DAYS[0], 20)
    monkeypatch.setattr(Storage, "read_many", lambda _, paths: ((path, PermissionError(path)) for path in paths))
    with pytest.raises(InfrastructureError, match=r"none of 20 objects could be read, e\.g\. .* \(PermissionError\)"):
        mailbox.run()


def test_labels_that_come_after_the_features_reach_them(mailbox: Mailbox) -> None:
    """Rows were kept that had no label, as if new labels were of new messages alone."""
    mailbox.arrive(DAYS[0], 40)
    mailbox.run()
    mailbox.arrive(DAYS[1], 30)
    with Job(mailbox.config()) as job:
        for stage in (pipeline.ingest, pipeline.clean, pipeline.features, pipeline.label, pipeline.features):
            stage(job)
        labels = pipeline.open_features(job).read(["label"])["label"]
        assert len(labels) - labels.null_count == job.workspace.manifest("labels").rows > 0


def test_what_a_day_leaves_to_later_ones_is_told(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """Mail of a machine whose clock was wrong was left out night after night, and nothing said so."""
    caplog.set_level(logging.INFO, logger="mailmill")

    def taken(as_of: str | None) -> tuple[int, bool, bool]:
        caplog.clear()
        with Job(mailbox.config(*([f"ingest.as_of={as_of}"] if as_of else []))) as job:
            objects = pipeline.ingest(job).manifest.statistics["objects"]
        warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert all("2 objects are dated after today, e.g. " in said and "2999-01-01" in said for said in warned)
        return objects, "objects of days after" in caplog.text, bool(warned)

    mailbox.arrive("2020-01-01", 4)
    assert taken("2020-01-01") == (4, False, False)
    mailbox.arrive("2020-01-02", 3)
    assert taken("2020-01-01") == (4, True, False)
    assert taken("2020-01-02") == (7, False, False)
    mailbox.arrive("2999-01-01", 2)
    assert taken("2020-01-02") == (7, True, True), "also where nothing is to do"
    assert taken("2020-01-03") == (7, True, True)
    assert taken("2999-01-01") == (9, False, False)
    assert taken(None) == (9, False, False)


def test_identities() -> None:
    from mailmill.storage.sources import SourceObject

    a = SourceObject("p", 1, "e", 5.0)
    assert ledger.identity(a) == ledger.identity(SourceObject("p", 1, "e", 9.0)), "a date alone is no new content"
    others = [SourceObject("p2", 1, "e"), SourceObject("p", 2, "e"), SourceObject("p", 1, "e2")]
    assert len({ledger.identity(x) for x in [a, *others]}) == 4
    assert ledger.fresh([a, others[0]], [a, others[1]]) == ([others[0]], [others[1]])


def test_what_cannot_be_read_is_named_where_nothing_is_published(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The error sent people to a table that went with the refused publication."""
    pytest.importorskip("great_expectations", reason="the extra `docs` is not installed")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04" + b"\0" * 3000)
    config = parse({"run": {"work": str(tmp_path / "work")}, "input": {"paths": [str(tmp_path / "bad.zip")]},
                    "engine": {"kind": "local"}})  # fmt: skip
    with Job(config) as job, pytest.raises(DataError, match="was not published"):
        pipeline.ingest(job)
    (said,) = [r.getMessage() for r in caplog.records if "no message could be read" in r.getMessage()]
    assert "1 unreadable_archive; e.g. " in said
    assert f"{tmp_path / 'bad.zip'} (unreadable_archive" in said
