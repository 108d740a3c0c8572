"""Tables: visible whole or not at all, swept of what killed runs left, skipped when nothing changed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill import schemas
from mailmill.config import StorageSection, TablesSection
from mailmill.errors import DataError, InfrastructureError
from mailmill.storage import fingerprint, manifests
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.fragments import Written, conform, repeating
from mailmill.storage.lease import Lease
from mailmill.storage.lookup import Lookup
from mailmill.storage.tables import Stage, Table, Workspace

SMALL = TablesSection(fragment_bytes=6_000, row_group_bytes=4_000)
Place = tuple[Storage, str]


def rows(low: int, high: int) -> pa.RecordBatch:
    found = [{"key": f"{n:032x}", "source": f"s{n}", "raw": bytes([n % 251]) * (n % 97)} for n in range(low, high)]
    return pa.RecordBatch.from_pylist(found, schemas.RAW)


def publish(workspace: Workspace, *parts: tuple[int, int], settings: str = "s") -> Table:
    stage = workspace.stage({"mail": "m"}, settings, {"raw": schemas.RAW})
    written = []
    for number, (low, high) in enumerate(parts):
        with stage.sink.open(number) as writer:
            for start in range(low, high, 64):
                writer.write("raw", rows(start, min(start + 64, high)))
        written += writer.written
    return stage.publish(written, {"n": 1})["raw"]


def test_a_workspace_is_for_its_own_user_unless_somebody_else_made_it(tmp_path: Path, storage: Storage) -> None:
    """It holds the mail of a mailbox that nobody else may read."""
    workspace = Workspace(storage, f"file://{tmp_path}/new/work", SMALL)
    publish(workspace, (0, 5))
    with Lease(storage, str(tmp_path / "leased"), "mine"):
        pass
    assert [mode(tmp_path / name) for name in ("new/work", "leased")] == [0o700, 0o700]
    (tmp_path / "leased").chmod(0o750)
    with Lease(storage, str(tmp_path / "leased"), "mine"):
        publish(Workspace(storage, str(tmp_path / "leased"), SMALL), (0, 5))
    assert mode(tmp_path / "leased") == 0o750


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_published_rows_come_back(place: Place) -> None:
    workspace = Workspace(*place, SMALL)
    table = publish(workspace, (0, 500), (500, 700))
    assert table.rows == 700
    assert len(table.manifest.files) > 2, "fragments must roll over"
    again = workspace.open("raw", schemas.RAW)
    assert again.read().equals(pa.Table.from_batches([rows(0, 700)]))
    assert again.read(["source"]).column_names == ["source"]
    assert sum(scan.rows for scan in again.scans()) == 700
    batches = [b for scan in again.scans(at_least=50) for b in scan.batches(["key"])]
    assert sum(b.num_rows for b in batches) == 700


def test_files_are_plain_parquet(workspace: Workspace) -> None:
    table = publish(workspace, (0, 100))
    assert pq.read_table(table.uris()[0], partitioning=None).schema.names == ["key", "source", "raw"]
    assert pq.ParquetFile(table.uris()[0]).metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_fingerprint_does_not_depend_on_files_or_order(workspace: Workspace) -> None:
    one = publish(workspace, (0, 300)).fingerprint
    assert publish(workspace, (200, 300), (0, 100), (100, 200)).fingerprint == one
    assert publish(workspace, (0, 299)).fingerprint != one
    assert publish(workspace, (0, 299), (298, 299)).fingerprint != one


def test_unchanged_only_when_inputs_settings_and_code_are(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {"raw": schemas.RAW}
    assert not workspace.stage({"mail": "m"}, "s", outputs).unchanged
    publish(workspace, (0, 10))
    assert workspace.stage({"mail": "m"}, "s", outputs).unchanged
    assert not workspace.stage({"mail": "other"}, "s", outputs).unchanged
    assert not workspace.stage({"mail": "m"}, "other", outputs).unchanged
    monkeypatch.setattr(manifests, "code_version", lambda: "0+changed")
    assert not workspace.stage({"mail": "m"}, "s", outputs).unchanged


def test_a_wheel_and_a_checkout_of_the_same_code_have_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version() -> str:
        return manifests.code_version.__wrapped__()

    monkeypatch.setattr(manifests.resources, "files", lambda _: tmp_path)
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "gate.py").write_text("x = 1\n")
    checkout = version()
    (tmp_path / "quality" / "suites").mkdir()
    (tmp_path / "quality" / "suites" / "raw.json").write_text("{}")
    (tmp_path / "quality" / ".ipynb_checkpoints").mkdir()
    for name in ("gate.so", ".gate.py.swp", "gate.py~", "#gate.py#", ".ipynb_checkpoints/gate.py"):
        (tmp_path / "quality" / name).write_text("compiled, or an editor's")
    assert version() == checkout
    (tmp_path / "quality" / "gate.py").write_text("x = 2\n")
    assert version() != checkout


def test_a_manifest_has_what_its_description_names() -> None:
    assert set(re.findall(r"`(\w+)`", manifests.Manifest.__doc__ or "")) <= set(dir(manifests.Manifest))


def test_a_manifest_of_a_later_version_may_say_more(workspace: Workspace) -> None:
    table = publish(workspace, (0, 50))
    document = json.loads(table.manifest.to_bytes())
    document["later"] = 1
    document["files"][0]["later"] = 2
    assert manifests.Manifest.from_bytes(json.dumps(document).encode(), "u") == table.manifest
    with pytest.raises(DataError, match="damaged") as damaged:
        manifests.Manifest.from_bytes(b"[]", "/w/raw/_manifest.json")
    assert "of the mail that is still there" in damaged.value.hint


def test_a_run_in_progress_is_invisible_and_swept(place: Place) -> None:
    storage, root = place
    workspace = Workspace(storage, root, SMALL)
    first = publish(workspace, (0, 50))
    killed = workspace.stage({"mail": "m"}, "s", {"raw": schemas.RAW})
    with killed.sink.open(0) as writer:
        writer.write("raw", rows(0, 10))
    assert workspace.open("raw", schemas.RAW).manifest == first.manifest
    second = publish(workspace, (0, 60))
    runs = {name for name in storage.children(workspace.uri_of("raw")) if name.startswith("run_id=")}
    assert runs == {f"run_id={first.manifest.run_id}", f"run_id={second.manifest.run_id}"}, "the killed run stays"
    third = publish(workspace, (0, 70))
    runs = {name for name in storage.children(workspace.uri_of("raw")) if name.startswith("run_id=")}
    assert runs == {f"run_id={second.manifest.run_id}", f"run_id={third.manifest.run_id}"}


@pytest.mark.parametrize("stops_at", ["raw", "raw_rejects"])
def test_what_was_not_published_is_discarded_and_nothing_else(
    stops_at: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, root = place
    workspace = Workspace(storage, root, SMALL)
    tables = {"raw": schemas.RAW, "raw_rejects": schemas.REJECTS}

    def begin() -> tuple[Stage, list[Written]]:
        stage = workspace.stage({}, "s", tables)
        storage.write(join(stage.scratch_uri("ids"), "keys.bin"), b"x")
        with stage.sink.open(0) as writer:
            writer.write("raw", rows(0, 40))
        return stage, writer.written + stage.write_files("raw_rejects", {"note": b"x"})

    stage, written = begin()
    published = stage.publish(written, {})
    begin()
    workspace.attempts.discard(storage)
    for table in published.values():
        assert set(manifests.paths(storage, table.uri)) == {manifests.NAME, *(f.path for f in table.manifest.files)}

    stage, written = begin()
    publish = manifests.publish

    def stops(storage: Storage, uri: str, *of: Any) -> None:
        if uri.endswith(f"/{stops_at}"):
            raise InfrastructureError("no")
        publish(storage, uri, *of)

    monkeypatch.setattr(manifests, "publish", stops)
    with pytest.raises(InfrastructureError):
        stage.publish(written, {})
    workspace.attempts.discard(storage)
    for name in tables:
        workspace.manifest(name)
        assert not manifests.missing(storage, workspace.uri_of(name), workspace.manifest(name))


def test_files_of_lost_attempts_and_scratch_are_swept(workspace: Workspace) -> None:
    stage = workspace.stage({}, "s", {"raw": schemas.RAW})
    with stage.sink.open(0) as writer:
        writer.write("raw", rows(0, 10))
    with stage.sink.open(7) as lost:
        lost.write("raw", rows(0, 10))
    workspace.storage.write(join(stage.scratch_uri("ids"), "keys.bin"), b"x")
    table = stage.publish(writer.written, {})["raw"]
    folder = join(table.uri, f"run_id={stage.run_id}")
    (kept,) = workspace.storage.children(folder)
    assert kept.startswith("part-000000-0000-")


@pytest.mark.parametrize("how", ["fails", "is given fewer rows"])
def test_an_attempt_touches_nothing_of_another(place: Place, how: str) -> None:
    """Spark ends the rows of an attempt that it kills as if they were all; a half-written object of S3 is deleted."""
    storage, root = place
    stage = Workspace(storage, root, SMALL).stage({}, "s", {"raw": schemas.RAW})
    with stage.sink.open(3) as won:
        won.write("raw", rows(0, 40))
    with contextlib.suppress(RuntimeError), stage.sink.open(3) as killed:
        killed.write("raw", rows(0, 5))
        if how == "fails":
            raise RuntimeError
    table = stage.publish(won.written, {})["raw"]
    table.require_whole()
    assert table.read().num_rows == 40
    assert len(storage.children(stage.folder("raw"))) == 1, "publication sweeps what the other has left"


def test_an_attempt_that_ends_after_publication_is_swept_by_the_next(place: Place) -> None:
    """Other tools read all files of a growing table, and counted its rows twice."""
    storage, root = place
    workspace = Workspace(storage, root, SMALL)
    stage = workspace.stage({}, "s", {"raw": schemas.RAW})
    with stage.sink.open(0) as won:
        won.write("raw", rows(0, 40))
    with stage.sink.open(0) as late:
        late.write("raw", rows(0, 40))
        stage.publish(won.written, {})
    assert len(storage.children(stage.folder("raw"))) == 2
    grown = workspace.stage({"more": "m"}, "s", {"raw": schemas.RAW})
    with grown.sink.open(0) as more:
        more.write("raw", rows(40, 50))
    table = grown.publish(won.written + more.written, {})["raw"]
    assert set(manifests.paths(storage, table.uri)) == {manifests.NAME} | {file.path for file in table.manifest.files}


def test_what_fails_at_a_files_end_is_named_and_lets_go(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are written whole at their end: "a bug in mailmill" was all that a busy S3 ended in there."""
    storage, root = place
    stage = Workspace(storage, root, SMALL).stage({}, "s", {"raw": schemas.RAW, "rejects": schemas.REJECTS})

    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "AWS Error SLOW_DOWN during UploadPart")

    with pytest.raises(InfrastructureError, match=r"raw/run_id=.*SLOW_DOWN"), stage.sink.open(0) as writer:
        writer.write("raw", rows(0, 3))
        monkeypatch.setattr(pq.ParquetWriter, "write_table", refuses)
    assert manifests.paths(storage, stage.workspace.uri_of("raw")) == {}
    assert writer.written == []


def test_a_task_that_runs_twice_leaves_one_file(workspace: Workspace) -> None:
    stage = workspace.stage({}, "s", {"raw": schemas.RAW})
    for _ in range(2):
        with stage.sink.open(3) as writer:
            writer.write("raw", rows(0, 40))
    table = stage.publish(writer.written, {})["raw"]
    assert table.read().num_rows == 40


def test_a_writer_that_fails_leaves_no_file(workspace: Workspace) -> None:
    stage = workspace.stage({}, "s", {"raw": schemas.RAW})
    with pytest.raises(RuntimeError), stage.sink.open(0) as writer:
        writer.write("raw", rows(0, 300))
        raise RuntimeError
    assert writer.written == []
    assert workspace.storage.children(join(workspace.uri_of("raw"), f"run_id={stage.run_id}")) == []


def test_missing_damaged_and_foreign_tables(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="raw is not in"):
        workspace.open("raw", schemas.RAW)
    table = publish(workspace, (0, 10))
    with pytest.raises(DataError, match="other columns"):
        workspace.open("raw", schemas.REJECTS)
    name = join(table.uri, manifests.NAME)
    document = json.loads(workspace.storage.read(name))
    for content, message, way_out in (
        (b"{", "damaged", "restore it from a backup"),
        (b"[]", "damaged", "restore it from a backup"),
        (json.dumps(document | {"version": 9, "code": "7+new"}).encode(), "version 9", "that wrote it (7+new)"),
        (json.dumps({k: v for k, v in document.items() if k != "files"}).encode(), "damaged", "from a backup"),
    ):
        workspace.storage.write(name, content)
        with pytest.raises(DataError, match=message) as refused:
            workspace.open("raw", schemas.RAW)
        assert way_out in refused.value.hint
        assert f"delete {name} and run again" in refused.value.hint


def test_a_file_that_nobody_can_look_at_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the way out would be to make the table anew, of mail that may have left its place."""
    workspace = Workspace(Storage(StorageSection()), str(tmp_path), SMALL)
    table = publish(workspace, (0, 10))
    look = os.stat

    def refused(path: Any, *of: Any, **options: Any) -> os.stat_result:
        if str(path).endswith(".parquet"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path, *of, **options)

    monkeypatch.setattr(os, "stat", refused)
    with pytest.raises(InfrastructureError, match=r"parquet: Permission denied"):
        manifests.missing(workspace.storage, table.uri, table.manifest)


def test_what_cannot_be_deleted_ends_no_publication(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Files of a night by another user; the tables of a stage would be of different nights from then on."""
    storage, root = place
    workspace = Workspace(storage, root, SMALL)
    first = publish(workspace, (0, 10))
    publish(workspace, (0, 20))
    delete = Storage.delete

    def refused(self: Storage, uri: str) -> None:
        if first.manifest.run_id in uri:
            raise InfrastructureError(f"{uri}: Permission denied")
        delete(self, uri)

    monkeypatch.setattr(Storage, "delete", refused)
    third = publish(workspace, (0, 30))
    assert workspace.open("raw", schemas.RAW).manifest == third.manifest
    (told,) = caplog.messages
    assert "cannot be deleted" in told
    assert first.manifest.run_id in told
    monkeypatch.undo()
    publish(workspace, (0, 40))
    assert f"run_id={first.manifest.run_id}" not in storage.children(workspace.uri_of("raw"))


def test_a_damaged_fragment_is_named(workspace: Workspace) -> None:
    table = publish(workspace, (0, 100))
    uri = table.uris()[0]
    content = workspace.storage.read(uri)
    (scan,) = table.scans()
    readings = (table.read, scan.read, lambda: list(scan.batches()), lambda: scan.within("key", max))
    workspace.storage.write(uri, content[: len(content) // 2])
    for read in readings:
        with pytest.raises(DataError, match=r"damaged[\s\S]*and run again") as caught:
            read()
        assert uri in caught.value.message
    workspace.storage.delete(uri)
    for read in readings:
        with pytest.raises(DataError, match=r"does not exist\n.*and run again"):
            read()


def test_only_mails_own_tables_are_made_anew_of_the_mail_that_is_still_there() -> None:
    """A profile is made anew of the table."""
    assert manifests.anew("work/raw").endswith("made anew: of the mail that is still there")
    for uri in ("work/clean", "s3://bucket/mailmill/profiles/raw"):
        assert manifests.anew(uri).endswith("made anew")


@pytest.mark.parametrize("others", [0, 1, 3])
def test_a_file_that_is_not_the_published_tables_is_no_reason_to_make_that_anew(place: Place, others: int) -> None:
    """A draft that is cut, one that another run's publication swept, and a file of a table that was replaced twice."""
    workspace = Workspace(*place, SMALL)
    stage = workspace.stage({"mail": "m"}, "s", {"raw": schemas.RAW})
    with stage.sink_for({"raw": schemas.RAW, "scratch": schemas.RAW}).open(0) as writer:
        writer.write("raw", rows(0, 100))
        writer.write("scratch", rows(0, 100))
    drafts = [stage.draft(name, writer.written, schemas.RAW) for name in ("raw", "scratch")]
    if others == 3:
        drafts = [stage.publish(writer.written, {})["raw"]]
    scans = [scan for draft in drafts for scan in draft.scans()]
    for number in range(others):
        publish(workspace, (0, 50 + number))
    for scan in scans:
        if not others:
            workspace.storage.write(scan.uri, workspace.storage.read(scan.uri)[:1000])
        for read in (scan.read, lambda scan=scan: list(scan.batches()), lambda scan=scan: scan.within("key", max)):
            with pytest.raises(DataError, match=r"damaged|does not exist") as caught:
                read()
            assert scan.uri in caught.value.message
            assert not caught.value.hint


def test_damaged_pages_are_the_datas_error(workspace: Workspace) -> None:
    """The footer is whole, and every stretch of the pages is spoilt in turn: no try again would help."""
    table = publish(workspace, (0, 100))
    uri = table.uris()[0]
    content = workspace.storage.read(uri)
    damages = []
    for at in range(4, len(content) - 400, 16):
        workspace.storage.write(uri, content[:at] + b"\xff" * 16 + content[at + 16 :])
        try:
            list(table.scans()[0].batches())
        except DataError as error:
            damages.append(error)
    assert damages
    assert all(uri in error.message for error in damages)
    assert all(f"delete {table.uri}/{manifests.NAME} and run again" in error.hint for error in damages)


def test_a_table_that_is_not_whole_is_told(workspace: Workspace) -> None:
    """Whatever changes a row is found, also where the pages still decompress."""
    table = publish(workspace, (0, 100))
    uri, rows = table.uris()[0], table.read()
    table.require_whole()
    content, told = workspace.storage.read(uri), 0
    for at in range(4, len(content) - 400, 48):
        workspace.storage.write(uri, content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            assert table.read().equals(rows)
        except (DataError, AssertionError):
            with pytest.raises(DataError, match="damaged") as caught:
                table.require_whole()
            assert uri in caught.value.message
            assert manifests.NAME in caught.value.hint
            told += 1
    assert told


def test_each_file_is_asked_once_how_it_may_be_cut(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    table, opened, original = publish(workspace, *((n, n + 10) for n in range(0, 200, 10))), [], Storage.open
    monkeypatch.setattr(Storage, "open", lambda storage, uri: opened.append(uri) or original(storage, uri))
    assert [scan.uri for scan in table.scans()] == table.uris()
    assert sum(scan.rows for scan in table.scans(1)) == 200
    assert sorted(opened) == table.uris()


def test_conform_refuses_other_columns() -> None:
    with pytest.raises(DataError, match="column raw is missing"):
        conform(rows(0, 1).select(["key", "source"]), schemas.RAW, "raw")
    wrong = pa.RecordBatch.from_pydict({"key": ["k"], "source": ["s"], "raw": [1.5]})
    with pytest.raises(DataError, match="column raw is double"):
        conform(wrong, schemas.RAW)


texts = st.lists(st.text(max_size=8), max_size=4)
spans = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 9)), max_size=3)
clean_rows = st.lists(
    st.fixed_dictionaries(
        {"key": st.text(max_size=3), "flags": texts, "spans": spans, "when": st.none() | st.integers(0, 10**15)}
    ),
    max_size=12,
)
NESTED = pa.schema([
    ("key", pa.string()), ("flags", pa.list_(pa.string())),
    ("spans", pa.list_(pa.struct([("zone", pa.string()), ("start", pa.int32())]))),
    ("when", pa.timestamp("us", tz="UTC")),
])  # fmt: skip


def nested(found: list[dict[str, object]]) -> pa.RecordBatch:
    plain = [{**r, "spans": [{"zone": z, "start": s} for z, s in r["spans"]]} for r in found]  # type: ignore[attr-defined]
    return pa.RecordBatch.from_pylist(plain, NESTED)


@settings(max_examples=60)
@given(clean_rows, st.integers(0, 12), st.randoms(use_true_random=False))
def test_digests_add_up_in_any_order(found: list[dict[str, object]], cut: int, random: object) -> None:
    whole = fingerprint.digest(nested(found))
    batch = nested(found)
    parts = [batch.slice(0, min(cut, len(found))), batch.slice(min(cut, len(found)))]
    assert fingerprint.combine([fingerprint.digest(p) for p in parts]) == whole
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fingerprint.digest(nested(shuffled)) == whole


@settings(max_examples=60)
@given(clean_rows, clean_rows)
def test_different_rows_have_different_digests(a: list[dict[str, object]], b: list[dict[str, object]]) -> None:
    ours, theirs = (sorted(json.dumps(row, sort_keys=True, default=repr) for row in found) for found in (a, b))
    same = ours == theirs
    assert (fingerprint.digest(nested(a)) == fingerprint.digest(nested(b))) == same


@settings(max_examples=30)
@given(st.dictionaries(st.integers(0, 2**128 - 1), st.text(max_size=5), max_size=40))
def test_lookup_finds_what_was_put_in(tmp_path_factory: pytest.TempPathFactory, found: dict[int, str]) -> None:
    from mailmill.config import StorageSection

    keys = {f"{k:032x}": v for k, v in found.items()}
    folder = str(tmp_path_factory.mktemp("lookup"))
    lookup = Lookup.of(Storage(StorageSection()), folder, keys)
    assert lookup.find(list(keys)) == list(keys.values())
    others = [f"{k ^ 1:032x}" for k in found if k ^ 1 not in found]
    assert lookup.find(others) == [None] * len(others)


def test_lookup_on_s3(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stands for many runs keeps no copy on its disk of what it has forgotten."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    storage, root = place
    lookup = Lookup.of(storage, join(root, "l"), {"b" * 32: "x", "a" * 32: "y"})
    assert lookup.find(["a" * 32, "c" * 32, "b" * 32]) == ["y", None, "x"]
    assert not list(tmp_path.glob("mailmill-*"))


def test_long_and_many_words_take_little_memory(tmp_path: Path, storage: Storage) -> None:
    """One long word does not widen the others, and who looks one up does not hold them all."""
    words = {f"{n:032x}": f"place {n} " + "x" * 90 for n in range(5000)} | {"f" * 32: "y" * 20_000}
    tracemalloc.start()
    try:
        lookup = Lookup.of(storage, str(tmp_path / "lookup"), words)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert lookup.find(["f" * 32, f"{7:032x}"]) == ["y" * 20_000, words[f"{7:032x}"]]
        assert tracemalloc.get_traced_memory()[1] - before < 2**18
    finally:
        tracemalloc.stop()


def test_lookup_of_a_table(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in parts and sorted in parts: what one sort of all rows gives."""
    monkeypatch.setattr("mailmill.storage.lookup._PIECE", 100)
    storage, root = place
    batch = rows(0, 500)
    mixed = [f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}{n:016x}" for n in range(500)]
    few = pa.array([f"w{n % 7}" for n in range(500)])
    batch = pa.RecordBatch.from_arrays([pa.array(mixed), few, batch.column("raw")], schema=schemas.RAW)
    stage = Workspace(storage, root, SMALL).stage({"mail": "m"}, "s", {"raw": schemas.RAW})
    with stage.sink.open(0) as writer:
        for start in range(0, 500, 64):
            writer.write("raw", batch.slice(start, 64))
    table = stage.publish(writer.written, {})["raw"]
    assert len(table.scans(1)) > 3
    lookup = Lookup.of_scans(storage, join(root, "lookup"), table.scans(1), "source")
    assert lookup.find([*mixed, "f" * 32]) == [*few.to_pylist(), None]
    whole = Lookup.of(storage, join(root, "whole"), dict(zip(mixed, few.to_pylist(), strict=True)))
    assert storage.read(join(lookup.uri, "keys.bin")) == storage.read(join(whole.uri, "keys.bin"))
    nothing = Lookup.of_scans(storage, join(root, "nothing"), [], "source")
    assert nothing.find(mixed[:2]) == [None, None]


def test_floating_point_columns_have_no_dictionary(workspace: Workspace) -> None:
    schema = schemas.features(3, 8)
    assert repeating(schema) == ["key", "label", "split", "words", "ngram_indices.list.element"]
    assert {"spans.list.element.zone", "spans.list.element.start", "text"} <= set(repeating(schemas.CLEAN))
    stage = workspace.stage({}, "s", {"features": schema})
    with stage.sink.open(0) as writer:
        row = {"key": "0" * 32, "label": "pos", "split": "train", "vector": [1.0, 2.0, 3.0], "words": 1,
               "coverage": 1.0, "ngram_indices": [1, 2], "ngram_values": [0.5, 0.5]}  # fmt: skip
        writer.write("features", pa.RecordBatch.from_pylist([row] * 50, schema))
    (uri,) = stage.publish(writer.written, {})["features"].uris()
    with workspace.storage.open(uri) as stream:
        group = pq.ParquetFile(stream).metadata.row_group(0)
    columns = [group.column(at) for at in range(group.num_columns)]
    assert {c.path_in_schema for c in columns if c.has_dictionary_page} == set(repeating(schema))
