"""Plans and names: what is read, in which batches, and what is litter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.storage.sources import HEAD_BYTES, SourceObject, fingerprint_objects, is_junk, kind_of, plan_batches

OBJECTS = st.lists(
    st.builds(
        SourceObject, st.text("ab/", min_size=1, max_size=6).map(lambda t: t + ".eml"), st.integers(0, 200), st.just("")
    ),
    max_size=60,
    unique_by=lambda found: found.path,
)


@given(OBJECTS, st.integers(1, 300), st.integers(1, 9), st.randoms(use_true_random=False))
def test_every_object_is_in_one_batch_within_the_limits(objects, target, most, random) -> None:
    plan = plan_batches(objects, target, most)
    assert sorted(found.path for batch in plan for found in batch) == sorted(found.path for found in objects)
    for batch in plan:
        assert 1 <= len(batch) <= most
        assert len(batch) == 1 or sum(found.size for found in batch) <= target
        assert [found.path for found in batch] == sorted(found.path for found in batch)
    assert plan_batches(random.sample(objects, len(objects)), target, most) == plan


def test_small_objects_fill_batches_and_big_containers_stand_alone() -> None:
    small = [SourceObject(f"m/{number:03d}.eml", 10) for number in range(100)]
    big = [SourceObject("m/050.mbox", 5000), SourceObject("m/060.tar.gz", 150)]
    plan = plan_batches([*small, *big], 500, 1000)
    assert sorted(map(len, plan)) == [1, 1, 50, 50]
    assert all([found] in plan for found in big)


@pytest.mark.parametrize(
    "path",
    [
        "a/.DS_Store", "a/._x.eml", "mail/dovecot.index.log", "mail/dovecot-uidlist", "mail/courierimapuiddb",
        "box/tmp/1700000000.M1P2.host", "a/__MACOSX/x.eml", "t/_SUCCESS", "a/Inbox.msf", "a/b_$folder$", "a/",
        "repo/.git/config", "Thumbs.db",
    ],
)  # fmt: skip
def test_litter_is_skipped(path: str) -> None:
    assert is_junk(path)


@pytest.mark.parametrize(
    "path",
    [
        "box/cur/1700000000.M1P2.host:2,S", "box/new/1700000000.M1P2.host", "box/.Sent/cur/1700000000.M1P2.host:2,",
        "/tmp/letter.eml", "tmp/letter", "a/1.", "a/00001.7c53", "labels.csv", "truth.parquet", "corpus.json",
        "dovecot-config-question.eml", "a/dovecot.mbox", "lists/dovecot-2026.mbox.gz", "courierimap-help.EML",
    ],
)  # fmt: skip
def test_mail_is_not_litter(path: str) -> None:
    assert not is_junk(path)


def test_folders_above_the_root_do_not_count() -> None:
    assert is_junk("/srv/.git/mail/1.eml")
    assert not is_junk("/srv/.git/mail/1.eml", root="/srv/.git/mail")
    assert not is_junk("/x/tmp/1700000000.M1P2.host", root="/x/tmp")


@pytest.mark.parametrize(
    ("path", "head", "kind"),
    [
        ("a.eml", b"From x", "message"),
        ("A.MBOX", b"", "mbox"),
        ("a.tar.gz", b"", "compressed"),
        ("a.tgz", b"", "compressed"),
        ("a.tar", b"", "tar"),
        ("a.ndjson", b"", "jsonl"),
        ("part-0.parquet", b"", "parquet"),
        ("a.tar.xz", b"", "unsupported"),
        ("Inbox", b"From me Mon", "mbox"),
        ("Inbox", b"From: me", "message"),
        ("data", b"PAR1...", "parquet"),
        ("data", b"\x1f\x8b\x08...", "compressed"),
        ("data", b"PK\x03\x04", "zip"),
        ("data", b"x" * 257 + b"ustar" + b"x" * (HEAD_BYTES - 262), "tar"),
        ("1700000000.M1P2.host:2,S", b"Return-Path: <x>", "message"),
        ("", b"", "message"),
    ],
)
def test_kinds(path: str, head: bytes, kind: str) -> None:
    assert kind_of(path, head) == kind


def test_the_fingerprint_of_objects_sees_every_change_but_not_order() -> None:
    objects = [SourceObject("a", 1, "x"), SourceObject("b", 2, "y"), SourceObject("c\udcff", 3, "z")]
    one = fingerprint_objects(objects)
    assert fingerprint_objects(objects[::-1]) == one
    for changed in (SourceObject("a", 2, "x"), SourceObject("a", 1, "y"), SourceObject("d", 1, "x")):
        assert fingerprint_objects([changed, *objects[1:]]) != one


@pytest.mark.parametrize(("modified", "day"), [(0.0, "1970-01-01"), (1e15, "9999-12-31"), (-1e15, "0001-01-02")])
def test_a_file_of_any_date_has_a_day(modified: float, day: str) -> None:
    assert SourceObject("a.eml", 1, "", modified).day == day
