"""Containers: the same messages out as went in, and hostile or damaged ones that end in counted rejects."""

import base64
import bz2
import gzip
import io
import json
import mailbox
import random
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailmill.schemas import REJECT_REASONS
from mailmill.storage import mailboxes, rows
from mailmill.storage.containers import Item, Limits, Rejected, read_container

MAILS = [f"Subject: {n}\nFrom: a@b.c\n\nBody {n}\n{'line of text ' * n}\n".encode() for n in range(1, 13)]
LOOSE = Limits()
TIGHT = Limits(max_message_bytes=4096, max_archive_bytes=2**20, max_ratio=50, grace_bytes=2**16)


def read(content: bytes, name: str, limits: Limits = LOOSE) -> list[Item]:
    return list(read_container(io.BytesIO(content), name, limits))


def raws(items: list[Item]) -> list[bytes]:
    return [item[1] for item in items if not isinstance(item, Rejected)]


def rejects(items: list[Item]) -> list[Rejected]:
    return [item for item in items if isinstance(item, Rejected)]


def tarred(members: list[tuple[str, bytes]], mode: str = "w", kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def mboxed(mails: list[bytes]) -> bytes:
    return b"".join(b"From a@b.c Thu Jan  1 00:00:00 1970\n" + mail + b"\n" for mail in mails)


def json_lines(mails: list[bytes]) -> bytes:
    return b"".join(json.dumps({"raw": mail.decode()}).encode() + b"\n" for mail in mails)


def parquet(mails: list[bytes | None], **columns: list[str]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"raw": pa.array(mails, pa.binary()), **columns}), buffer, row_group_size=5)
    return buffer.getvalue()


NAMED = [(f"box/{n}.eml", mail) for n, mail in enumerate(MAILS)]
CONTAINERS = {
    "a.mbox": mboxed(MAILS),
    "a.mbox.gz": gzip.compress(mboxed(MAILS)),
    "a.tar": tarred(NAMED),
    "a.tar.gz": tarred(NAMED, "w:gz"),
    "a.tgz": tarred(NAMED, "w:gz"),
    "a.tar.bz2": tarred(NAMED, "w:bz2"),
    "a.zip": zipped(NAMED),
    "a.jsonl": json_lines(MAILS),
    "a.jsonl.gz": gzip.compress(json_lines(MAILS)),
    "a.parquet": parquet(MAILS),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_message_comes_out_in_order(name: str) -> None:
    items = read(CONTAINERS[name], name)
    assert raws(items) == MAILS
    assert not rejects(items)
    assert len({source for source, _ in items}) == len(MAILS)
    last = "a.%s!box/11.eml" if name.startswith(("a.t", "a.z")) else "a.%s#000012"
    assert items[-1][0] == last % name.removeprefix("a.")


@pytest.mark.parametrize("name", [name for name in CONTAINERS if not name.endswith((".gz", ".tgz", ".bz2", "jsonl"))])
def test_containers_are_known_by_their_first_bytes(name: str) -> None:
    assert raws(read(CONTAINERS[name], "object")) == MAILS


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_file_cut_anywhere_never_raises_and_loses_nothing_silently(name: str) -> None:
    whole = CONTAINERS[name]
    for end in [*range(0, len(whole), 97), len(whole) - 1]:
        items = read(whole[:end], name)
        found = raws(items)
        assert items, "what is cut says so"
        assert found[:-1] == MAILS[: len(found) - 1] if found else True
        if name not in ("a.mbox", "a.jsonl") and len(found) < len(MAILS):
            assert found == MAILS[: len(found)]
            assert [reject.reason for reject in rejects(items)] in (["unreadable_archive"], ["empty"])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(CONTAINERS)), st.integers(0, 2**32), st.integers(1, 8))
def test_damaged_bytes_never_raise(name: str, seed: int, count: int) -> None:
    content, draw = bytearray(CONTAINERS[name]), random.Random(seed)
    for _ in range(count):
        content[draw.randrange(len(content))] = draw.randrange(256)
    for item in read(bytes(content), name, TIGHT):
        if isinstance(item, Rejected):
            assert item.reason in REJECT_REASONS
            assert "Body" not in item.detail


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600), st.sampled_from([*sorted(CONTAINERS), "x", "x.eml", "x.gz", "x.xz"]))
def test_any_bytes_under_any_name_end_in_items(content: bytes, name: str) -> None:
    for item in read(content, name, TIGHT):
        assert isinstance(item, Rejected) or isinstance(item[1], bytes)


# One message


@pytest.mark.parametrize("name", ["a.eml", "a", "1700000000.M1P2.host:2,S", "a.eml.gz"])
def test_a_single_message(name: str) -> None:
    content = gzip.compress(MAILS[3]) if name.endswith(".gz") else MAILS[3]
    assert read(content, name) == [(name, MAILS[3])]


def test_sizes_and_emptiness() -> None:
    limit = TIGHT.max_message_bytes
    assert raws(read(b"x" * limit, "a.eml", TIGHT)) == [b"x" * limit]
    assert [r.reason for r in rejects(read(b"x" * (limit + 1), "a.eml", TIGHT))] == ["too_large"]
    assert read(b"", "a.eml") == [Rejected("a.eml", "empty")]
    assert read(b" \r\n\t", "a") == [Rejected("a", "empty")]


def test_archives_that_are_not_read_say_so() -> None:
    for name, content in [("a.tar.xz", b"x"), ("a", b"\x28\xb5\x2f\xfd..."), ("b.7z", b"7z")]:
        assert [r.reason for r in rejects(read(content, name))] == ["unreadable_archive"]


# mbox


LINE = st.sampled_from(
    ["", "text", "From the start, it was so", "From: bob@x.org", ">quoted", "From 10:30 on, in 2004", "Subject: x", "é"]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.lists(LINE, max_size=8), min_size=1, max_size=6))
@example(bodies=[["", "From a@b Thu Jan  1 00:00:00 1970", "To: x"], []])
def test_what_the_standard_library_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("mbox") / "in.mbox"
    mails = [("Subject: s\n\n" + "\n".join(body).rstrip("\n") + "\n").encode() for body in bodies]
    box = mailbox.mbox(path)
    for mail in mails:
        box.add(mail)
    box.close()
    assert raws(read(path.read_bytes(), "in.mbox")) == mails


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_postmarks_of_many_programs(end: bytes) -> None:
    postmarks = [
        b"From a@b.c Thu Jan  1 00:00:00 1970",
        b"From user at domain.org  Mon Sep  3 9:05:01 2001",
        b"From 1234567@xxx Mon Jan 01 00:00:00 +0000 2018",
        b"From - Tue Feb 12 10:01:02 2019",
        b"From bob@x 2025-03-04 11:00:00",
        b"From ",
        b"From a@b.c",
    ]
    mail = end.join([b"Subject: s", b"", b"From then on I knew", b"", b"From nowhere it came", b"",
                     b"From 10:30 on 4 March 2025 nobody answered the phone.", b"", b"Note", b""])  # fmt: skip
    mixed = b"".join(mark + end + mail + end for mark in postmarks)
    assert raws(read(mixed, "x.mbox")) == [mail] * len(postmarks)


def test_escaped_lines_lose_one_mark() -> None:
    written = mboxed([b"Subject: s\n\n>From me\n>>From you\n> From them\n"])
    assert raws(read(written, "x.mbox")) == [b"Subject: s\n\nFrom me\n>From you\n> From them\n"]


def test_messages_without_a_blank_line_between_them_are_told_apart() -> None:
    written = mboxed(MAILS[:3]).replace(b"\n\nFrom a@b.c T", b"\nFrom a@b.c T")
    assert raws(read(written, "x.mbox")) == MAILS[:3]


def test_a_single_message_with_a_postmark_keeps_its_files_name() -> None:
    assert read(mboxed(MAILS[:1]), "0001.abc") == [("0001.abc", MAILS[0])]
    assert [source for source, _ in read(mboxed(MAILS[:2]), "0001.abc")] == ["0001.abc#000001", "0001.abc#000002"]
    assert read(mboxed(MAILS[:1]), "x.mbox")[0][0] == "x.mbox#000001"


def test_text_before_the_first_postmark_is_not_lost() -> None:
    assert raws(read(b"\n\n" + mboxed(MAILS[:2]), "x.mbox")) == MAILS[:2]
    assert raws(read(b"stray\n\n" + mboxed(MAILS[:2]), "x.mbox")) == [b"stray\n", *MAILS[:2]]


@pytest.mark.parametrize("size", [4096, 4097, 300_000, 1_000_000])
def test_a_message_too_large_leaves_its_neighbours(size: int) -> None:
    large = b"Subject: l\n\n" + b"0123456789abcde\n" * (size // 16 + 1)
    items = read(mboxed([MAILS[1], large[: size - 1] + b"\n", MAILS[2]]), "x.mbox", TIGHT)
    assert [getattr(item, "reason", "ok") for item in items] == ["ok", "too_large" if size > 4096 else "ok", "ok"]
    assert raws(items)[-1] == MAILS[2]


class Counted(bytearray):
    """A buffer that counts the bytes that are copied out of it."""

    copied = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        Counted.copied += len(found) if isinstance(key, slice) else 1
        return found


@pytest.mark.parametrize("line", [b"From \n", b"From 1:11 x\n", b"\nFrom x\n\n"])
def test_lines_that_look_like_postmarks_take_linear_work(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked at, and of the message before it no more than its last bytes are."""
    monkeypatch.setattr(mailboxes, "bytearray", Counted, raising=False)
    work = []
    for lines in (10_000, 20_000):
        Counted.copied = 0
        read(mboxed([b"Subject: s\n\nx\n" + line * lines]), "x.mbox")
        work.append(Counted.copied)
    assert 0 < work[1] < 2.5 * work[0]


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time, as a network may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 7) if size and size > 0 else 7)


@pytest.mark.parametrize("name", ["a.mbox", "a.tar", "a.tar.gz", "a.jsonl", "a.zip"])
def test_the_sizes_of_reads_do_not_matter(name: str) -> None:
    assert raws(list(read_container(Trickle(CONTAINERS[name]), name, Limits()))) == MAILS


# Archives


HOSTILE = ["/etc/passwd", "../up.eml", "a/../../b.eml", "..", "C:\\x.eml", "..\\x.eml", "\\\\host\\x"]


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_hostile_names_are_rejected_and_the_others_read(pack) -> None:
    items = read(pack([*((name, MAILS[0]) for name in HOSTILE), ("fine..eml", MAILS[1])]), f"a.{pack.__name__[:3]}")
    assert [r.reason for r in rejects(items)] == ["unsafe_path"] * len(HOSTILE)
    assert raws(items) == [MAILS[1]]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_devices_and_folders_are_skipped(kind: bytes) -> None:
    assert read(tarred([("x", b"")], kind=kind), "a.tar") == []


def test_links_in_zips_and_litter_are_skipped() -> None:
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("folder/", "")
        archive.writestr("__MACOSX/._a.eml", "x")
        archive.writestr("a.eml", MAILS[0])
    assert read(buffer.getvalue(), "a.zip") == [("a.zip!a.eml", MAILS[0])]


def test_mailboxes_in_archives_are_read_and_archives_in_archives_are_not() -> None:
    members = [
        ("in.mbox", mboxed(MAILS[:2])),
        ("in.tar", tarred(NAMED[:1])),
        ("in.zip", zipped(NAMED[:1])),
        ("in.parquet", parquet(MAILS[:1])),
        ("in.tar.gz", tarred(NAMED[:1], "w:gz")),
        ("m.eml.gz", gzip.compress(MAILS[4])),
        ("m.gz", gzip.compress(gzip.compress(MAILS[4]))),
        ("broken.gz", gzip.compress(MAILS[4])[:-20]),
        ("last.eml", MAILS[5]),
    ]
    for pack in (tarred, zipped):
        items = read(pack(members), "o." + pack.__name__[:3])
        assert raws(items) == [*MAILS[:2], MAILS[4], MAILS[5]]
        assert [r.reason for r in rejects(items)] == ["unreadable_archive"] * 6
        assert items[1][0].endswith("!in.mbox#000002")


@pytest.mark.parametrize("opener", [gzip.compress, bz2.compress])
def test_bombs_stop_early(opener) -> None:
    bomb = opener(mboxed([b"Subject: zero\n\n" + b"0" * 2000 + b"\n"] * 20_000))
    limits = Limits(max_message_bytes=4096, max_ratio=50, grace_bytes=2**16)
    items = read(bomb, "bomb.mbox." + ("bz2" if opener is bz2.compress else "gz"), limits)
    assert rejects(items)[-1].reason == "unreadable_archive"
    assert "times its size" in rejects(items)[-1].detail
    assert sum(map(len, raws(items))) < 50 * len(bomb) + 2**19


def test_a_member_that_is_a_bomb_takes_little_memory() -> None:
    members = [("zeros.eml", bytes(50_000_000)), ("a.eml", MAILS[0])]
    for name, content in [("a.zip", zipped(members)), ("a.tar.gz", tarred(members, "w:gz"))]:
        tracemalloc.start()
        items = read(content, name, TIGHT)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
        tracemalloc.stop()
        assert {r.reason for r in rejects(items)} <= {"too_large", "unreadable_archive"}
        assert rejects(items)


def test_a_zip_of_overlapping_members_stops_at_the_limit() -> None:
    plain = zipped([(f"{n}.eml", b"0" * 4000) for n in range(100)])
    items = read(plain, "a.zip", Limits(max_message_bytes=4096, max_archive_bytes=2**16))
    assert rejects(items)[-1].detail == "unpacks to more than ingest.max_archive_bytes"
    assert len(raws(items)) <= 2**16 // 4000


def test_a_header_as_long_as_the_archive_is_refused() -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 30_000_000
    content = header.tobuf(tarfile.USTAR_FORMAT) + bytes(30_000_000)
    tracemalloc.start()
    items = read(content, "a.tar")
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()
    assert [r.detail for r in rejects(items)] == ["headers of unreasonable length"]


def test_a_damaged_header_in_the_middle_of_a_tar_is_noticed() -> None:
    content = bytearray(tarred(NAMED))
    third = content.index(b"box/2.eml")
    content[third : third + 3] = b"zzz"
    items = read(bytes(content), "a.tar")
    assert raws(items) == MAILS[:2]
    assert [r.reason for r in rejects(items)] == ["unreadable_archive"]


def test_a_tar_that_goes_on_after_its_end_is_noticed() -> None:
    items = read(tarred(NAMED[:1]) + tarred(NAMED[1:2]), "a.tar")
    assert raws(items) == MAILS[:1]
    assert [r.reason for r in rejects(items)] == ["unreadable_archive"]


def test_a_damaged_or_locked_member_of_a_zip_leaves_the_others() -> None:
    content = bytearray(zipped(NAMED[:3]))
    second = content.index(b"box/1.eml")
    content[second + 12] ^= 0xFF  # in the member's data
    items = read(bytes(content), "a.zip")
    assert raws(items) == [MAILS[0], MAILS[2]]
    assert rejects(items)[0].source == "a.zip!box/1.eml"
    locked = bytearray(zipped(NAMED[:2]))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert [r.detail for r in rejects(read(bytes(locked), "a.zip"))] == ["encrypted"]


def test_names_that_are_no_text_become_text() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        info = tarfile.TarInfo("caf\xe9.eml")
        info.size = len(MAILS[0])
        archive.addfile(info, io.BytesIO(MAILS[0]))
    source, raw = read(buffer.getvalue(), "a.tar")[0]
    assert source.encode().startswith(b"a.tar!caf")
    assert raw == MAILS[0]


def test_a_tar_of_many_members_is_read_in_little_memory() -> None:
    content = tarred([(f"{n}.eml", MAILS[1]) for n in range(8000)])
    tracemalloc.start()
    count = sum(1 for _ in read_container(io.BytesIO(content), "a.tar", Limits()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 8000
    assert peak < 3_000_000


# Rows


def test_json_rows() -> None:
    exact = bytes(range(256))
    rows = [
        {"raw_base64": base64.b64encode(exact).decode(), "name": "x/1"},
        {"raw": "é"},
        {"raw": "é", "encoding": "latin-1"},
        {"raw": b"\xff\xe9".decode("utf-8", "surrogateescape")},
    ]
    bad = [b"{", b"[]", b"{}", b'{"raw": 5}', b'{"raw_base64": "x"}', b'{"raw": "\\ud800"}', b"\xff", b"[" * 100_000]
    bad.append(b'{"raw": "\xc4\x80", "encoding": "latin-1"}')
    content = b"\n".join([*(json.dumps(row).encode() for row in rows), b"", *bad])
    items = read(content, "x.jsonl")
    assert raws(items) == [exact, "é".encode(), b"\xe9", b"\xff\xe9"]
    assert [r.reason for r in rejects(items)] == ["bad_row"] * len(bad)
    assert [item[0] for item in items[:2]] == ["x.jsonl!x/1", "x.jsonl#000002"]
    assert rejects(items)[0].source == "x.jsonl#000006", "blank lines count as lines"


def test_a_json_line_without_end_takes_little_memory() -> None:
    content = b'{"raw": "' + b"x" * 30_000_000 + b'"}\n' + json_lines(MAILS[:1])
    tracemalloc.start()
    items = read(content, "x.jsonl", TIGHT)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
    assert [r.reason for r in rejects(items)] == ["too_large"]
    assert raws(items) == MAILS[:1]


@pytest.mark.parametrize(
    "values", [b"[]," * 500_000, b'"a",' * 500_000, b'"a\\\\",' * 500_000, b'"\\"",' * 500_000, b'{"":0},' * 500_000]
)
def test_a_json_line_of_many_values_takes_little_memory(values: bytes) -> None:
    content = b'{"raw": "a", "x": [' + values + b"0]}\n" + json_lines(MAILS[:1])
    tracemalloc.start()
    items = read(content, "x.jsonl")
    assert tracemalloc.get_traced_memory()[1] < 4 * len(values)
    tracemalloc.stop()
    assert rejects(items) == [Rejected("x.jsonl#000001", "bad_row", "too many values")]
    assert raws(items) == MAILS[:1]


def test_a_json_line_in_another_encoding_hides_no_values() -> None:
    content = ('{"raw": "a", "y": "\u2200", "x": [' + "[]," * 300_000 + "0]}").encode("utf-16-le")
    tracemalloc.start()
    items = read(content, "x.jsonl")
    assert tracemalloc.get_traced_memory()[1] < 4 * len(content)
    tracemalloc.stop()
    assert [r.reason for r in rejects(items)] == ["bad_row"]


def test_mail_that_looks_like_many_values_is_read() -> None:
    mail = b"Subject: csv\n\n" + b'1,[2],{3},"4",\\"\n' * 100_000
    assert raws(read(json_lines([mail, MAILS[0]]), "x.jsonl")) == [mail, MAILS[0]]
    assert raws(read(b"\xef\xbb\xbf" + json_lines(MAILS), "x.jsonl")) == MAILS


def test_parquet_rows() -> None:
    content = parquet([MAILS[0], None, MAILS[1]], path=["p/0", "p/1", "p/2"])
    assert read(content, "t.parquet") == [
        ("t.parquet!p/0", MAILS[0]),
        Rejected("t.parquet!p/1", "bad_row", "raw is null"),
        ("t.parquet!p/2", MAILS[1]),
    ]
    for kind in (pa.string(), pa.large_string(), pa.large_binary(), pa.dictionary(pa.int32(), pa.string())):
        buffer = io.BytesIO()
        pq.write_table(pa.table({"raw": pa.array(["é", "b"], pa.string()).cast(kind)}), buffer)
        assert raws(read(buffer.getvalue(), "t.parquet")) == ["é".encode(), b"b"]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"raw": [1, 2], "text": ["a", "b"]}), buffer)
    assert [r.reason for r in rejects(read(buffer.getvalue(), "t.parquet"))] == ["bad_row"]


@pytest.mark.parametrize("columns", [{"body": ["x"]}, {"raw": [1]}, {"raw": [{"x": "y"}]}])
def test_a_table_without_messages_says_what_it_lacks(columns: dict[str, list[object]]) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    detail = "the table has no column raw of type binary or string"
    assert read(buffer.getvalue(), "t.parquet") == [Rejected("t.parquet", "bad_row", detail)]


def test_a_parquet_bomb_stops_at_the_limit() -> None:
    table = pa.table({"raw": pa.array([b"0" * 4000] * 100_000, pa.binary())})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    before = pa.total_allocated_bytes()
    peak = 0
    items = []
    for item in read_container(io.BytesIO(buffer.getvalue()), "t.parquet", TIGHT):
        items.append(item)
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert rejects(items)[-1].reason == "unreadable_archive"
    assert peak < 20_000_000


def written(columns: dict[str, pa.Array], **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd", store_schema=False, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_parquet_columns_of_differences_are_read(encoding: str) -> None:
    columns = {"raw": pa.array(MAILS, pa.binary()), "path": pa.array([f"p/{n}" for n in range(len(MAILS))])}
    for deltas in ({"path": encoding}, {"raw": encoding}, {"raw": encoding, "path": encoding}):
        items = read(written(columns, use_dictionary=False, column_encoding=deltas), "t.parquet")
        assert items == [(f"t.parquet!p/{n}", mail) for n, mail in enumerate(MAILS)]


@pytest.mark.parametrize("deltas", [False, True])
def test_long_names_in_a_table_take_little_memory(deltas: bool) -> None:
    names = pa.DictionaryArray.from_arrays(pa.array([0] * 1024, pa.int32()), ["x" * 100_000])
    columns = {"raw": pa.array(MAILS[:1] * 1024), "name": names}
    options = {"use_dictionary": False, "column_encoding": {"name": "DELTA_BYTE_ARRAY"}} if deltas else {}
    if deltas:
        columns["name"] = names.dictionary_decode()
    content = written(columns, **options)
    before, peak = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    for item in read_container(io.BytesIO(content), "t.parquet", TIGHT):
        peak = max(peak, pa.total_allocated_bytes() - before)
        assert isinstance(item, Rejected) or item == ("t.parquet!" + "x" * 1024, MAILS[0])
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("column", ["raw", "name"])
def test_few_large_values_that_repeat_the_one_before_are_read_at_a_time(column: str) -> None:
    """Of such a column the footer says what is new in it, not what it unpacks to."""
    large = MAILS[0].decode() + "x" * 20_000_000
    columns = {"raw": pa.array(MAILS[:1] * 16)} | {column: pa.array([large] * 16)}
    content = written(columns, use_dictionary=False, column_encoding={column: "DELTA_BYTE_ARRAY"})
    before, peak = pa.total_allocated_bytes(), 0
    for _ in read_container(io.BytesIO(content), "t.parquet", Limits()):
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < 100_000_000


def test_a_value_that_no_limit_allows_is_not_decoded() -> None:
    content = written({"raw": pa.array([MAILS[0], bytes(20_000_000)])}, use_dictionary=False, write_statistics=False)
    detail = "unpacks to more than 50 times its size"
    assert read(content, "t.parquet", TIGHT) == [Rejected("t.parquet", "unreadable_archive", detail)]


def test_a_table_of_overlapping_columns_is_refused() -> None:
    content = parquet([random.Random(1).randbytes(20_000)])
    groups, footer = pq.ParquetFile(io.BytesIO(content)).metadata, io.BytesIO()
    groups.append_row_groups(groups)
    groups.write_metadata_file(footer)
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    items = read(content[:start] + footer.getvalue()[4:], "t.parquet")
    assert items == [Rejected("t.parquet", "unreadable_archive", "columns that overlap")]


@pytest.mark.parametrize(
    "options",
    [{"use_dictionary": False}, {"use_dictionary": ["raw"], "column_encoding": {"source": "DELTA_BYTE_ARRAY"}}],
)
@pytest.mark.parametrize("kind", [pa.binary(), pa.dictionary(pa.int32(), pa.binary())])
def test_an_honest_table_whose_names_repeat_is_read_whole(options: dict[str, Any], kind: pa.DataType) -> None:
    """Of one mailbox's name in every row nearly nothing is left when it is packed."""
    mails = [random.Random(n).randbytes(60).hex().encode() for n in range(3000)]
    names = ["s3://archive/export/2026/11/support@firm.example/inbox.mbox"] * len(mails)
    content = written({"raw": pa.array(mails).cast(kind), "source": pa.array(names)}, **options)
    assert raws(read(content, "t.parquet", TIGHT)) == mails


def test_an_honest_table_of_notices_that_are_alike_is_read_whole() -> None:
    """What a web form writes packs to a four-hundredth; beside the names it is a hundredth of the file."""
    mails = [MAILS[0] + b"Your order is on its way. " * 40 + b"%d" % n for n in range(3000)]
    names = [random.Random(n).randbytes(24).hex() for n in range(3000)]
    content = written({"raw": pa.array(mails), "name": pa.array(names)})
    packed = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0)
    assert packed.total_uncompressed_size > TIGHT.max_ratio * packed.total_compressed_size
    assert raws(read(content, "t.parquet", Limits(max_ratio=TIGHT.max_ratio, grace_bytes=TIGHT.grace_bytes))) == mails


@pytest.mark.parametrize("options", [{}, {"column_encoding": {"name": "DELTA_BYTE_ARRAY"}, "use_dictionary": False}])
def test_names_by_differences_leave_mail_in_large_pieces(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece brings a dictionary of all that was read before it: time grew with the square of a group's rows."""
    mails = [b"From: a@b.example\n\n%d" % n for n in range(10_000)]
    names = [f"inbox/{n}.eml" for n in range(10_000)]
    taken: list[int] = []
    each = rows._each

    def counted(column: pa.Array, made: Any) -> Any:
        if made is bytes:
            taken.append(len(column))
        return each(column, made)

    monkeypatch.setattr(rows, "_each", counted)
    content = written({"raw": pa.array(mails), "name": pa.array(names)}, **options)
    assert read(content, "t.parquet") == [(f"t.parquet!{name}", mail) for name, mail in zip(names, mails, strict=True)]
    assert max(taken) <= 1024
    assert len(taken) <= 10


def test_small_row_groups_are_read_once() -> None:
    """Each request to S3 takes a while, and what is read twice would count twice against the ratio."""
    content = written({"raw": pa.array([random.Random(n).randbytes(500) for n in range(4000)])}, row_group_size=20)
    asked = 0

    class Counting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal asked
            content = super().read(size)
            asked += len(content)
            return content

    assert len(list(read_container(Counting(content), "t.parquet", LOOSE))) == 4000
    assert len(content) / 2 < asked < 3 * len(content)


def test_rows_of_nothing_are_not_endless() -> None:
    items = read(written({"raw": pa.nulls(100_000, pa.binary())}), "t.parquet", TIGHT)
    assert {r.reason for r in rejects(items[:-1])} == {"bad_row"}
    assert rejects(items)[-1].reason == "unreadable_archive"
    assert len(items) < 10_000


def test_a_name_that_is_no_text_becomes_text() -> None:
    name = pa.array([b"caf\xe9", b"b"]).view(pa.string())
    items = read(written({"raw": pa.array(MAILS[:2]), "name": name}), "t.parquet")
    assert items == [("t.parquet!caf\\udce9", MAILS[0]), ("t.parquet!b", MAILS[1])]


# The storage


class Failing(io.BytesIO):
    """A stream whose storage fails after some bytes."""

    def __init__(self, content: bytes, after: int) -> None:
        super().__init__(content)
        self.after = after

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= self.after:
            raise ConnectionResetError("gone")
        return super().read(min(size or 0, self.after - self.tell()) if size and size > 0 else size)


@pytest.mark.parametrize("name", [*CONTAINERS, "a.eml"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_failing_storage_is_raised_not_taken_for_damage(name: str, share: float) -> None:
    content = CONTAINERS.get(name, MAILS[3])
    # A zip and a table are read from their end, so these fail at once when half is out of reach.
    with pytest.raises(ConnectionResetError):
        list(read_container(Failing(content, int(len(content) * share)), name, Limits()))


def test_real_mail_comes_out_of_every_container(shared_data: Path) -> None:
    table = pq.read_table(shared_data / "spamassassin.parquet").slice(0, 600)
    mails, names = table["raw"].to_pylist(), table["name"].to_pylist()
    members = [(f"{name}.eml", mail) for name, mail in zip(names, mails, strict=True)]
    assert raws(read(tarred(members, "w:gz"), "a.tgz")) == mails
    assert raws(read(zipped(members), "a.zip")) == mails
    with (shared_data / "spamassassin.parquet").open("rb") as stream:
        items = list(read_container(stream, "s.parquet", Limits()))
    assert len(raws(items)) == 4400
    marked = [mail for mail in mails if mail.startswith(b"From ")]
    assert len(raws(read(b"".join(mail + b"\n" for mail in marked), "all.mbox"))) == len(marked)
