"""The gate's settings: off, required, own suites, the library that is not there, and what makes a stage run again."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmill import pipeline, schemas
from mailmill.config import Config
from mailmill.errors import ConfigError, DataError
from mailmill.job import Job
from mailmill.quality import expectations, gate, suites
from mailmill.quality.profile import PROFILED
from mailmill.storage.filesystems import Storage
from tests.quality import box


@pytest.fixture
def root(tmp_path: Path) -> Path:
    box.write(tmp_path / "in", [box.message(n) for n in range(30)])
    box.write_labels(tmp_path / "labels.csv")
    box.write_vectors(tmp_path / "vectors.txt")
    return tmp_path


def validation(config: Config, table: str = "raw") -> dict:
    found: dict = json.loads(Job(config).workspace.open(f"profiles/{table}", schemas.FILES).file("validation.json"))
    return found


def own_suite(folder: Path, **changes: object) -> str:
    entry = {
        "type": "expect_column_max_to_be_between",
        "kwargs": {"column": "bytes.total", "max_value": 10},
        "severity": "critical",
        "meta": {"name": "tiny", "data": "metrics", "do": "send less mail"},
    }
    folder.mkdir(exist_ok=True)
    (folder / "raw.json").write_text(json.dumps({"name": "raw", "expectations": [entry | changes]}))
    return str(folder)


def test_off_profiles_and_judges_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectations, "check", lambda *_: pytest.fail("judged"))
    config = box.config(root, expectations="off")
    with Job(config) as job:
        pipeline.ingest(job)
    assert validation(config)["validated"] is False
    assert validation(config)["success"] is None
    table = Job(config).workspace.open("profiles/raw", schemas.FILES)
    assert json.loads(table.file("profile.json"))["rows"] == 30


def test_without_the_library_a_run_says_so_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(expectations, "available", lambda: False)
    monkeypatch.setattr(gate, "_SAID", set())
    with caplog.at_level(logging.WARNING), Job(box.config(root)) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
    assert caplog.text.count("Great Expectations is not installed") == 1
    assert validation(box.config(root))["validated"] is False


def test_without_the_library_required_expectations_stop_before_any_work(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expectations, "available", lambda: False)
    with Job(box.config(root, expectations="required")) as job:
        with pytest.raises(ConfigError, match=r"not installed[\s\S]*mailmill\[docs\]"):
            pipeline.ingest(job)
        assert not Path(job.config.run.work).exists()


def test_own_suites(root: Path) -> None:
    pytest.importorskip("great_expectations")
    config = box.config(root, suites=own_suite(root / "suites"))
    with Job(config) as job, pytest.raises(DataError, match=r"bytes.total is \d+, expected at most 10 \(raw.tiny\)"):
        pipeline.ingest(job)
    own_suite(root / "suites", severity="warning")
    with Job(config) as job:
        pipeline.ingest(job)
    assert [(o["name"], o["severity"], o["verdict"]) for o in validation(config)["outcomes"]] == [
        ("tiny", "warn", "failed")
    ]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"kwargs": {"column": "bytes.totl", "max_value": 1}}, "no figure 'bytes.totl'"),
        ({"severity": "dreadful"}, "'dreadful' is neither"),
        ({"meta": {"name": "x", "data": "bodies"}}, "neither metrics nor sample"),
        ({"type": "expect_the_impossible"}, "raw.tiny cannot be evaluated"),
        ({"kwargs": {"column": "nowhere"}, "meta": {"name": "tiny", "data": "sample"}}, "raw.tiny cannot be evaluated"),
    ],
)
def test_an_expectation_that_could_never_fail_is_refused(changes: dict, word: str, root: Path) -> None:
    pytest.importorskip("great_expectations")
    config = box.config(root, suites=own_suite(root / "suites", **changes))
    with Job(config) as job, pytest.raises(ConfigError, match=word):
        pipeline.ingest(job)
        pytest.fail("ingest accepted it")


@pytest.mark.parametrize("expectation", ["auto", "off"])
def test_suites_that_are_not_there_turn_nothing_off(expectation: str, root: Path) -> None:
    (root / "siutes").mkdir()
    for folder in ("siutes", "nowhere"):
        config = box.config(root, suites=str(root / folder), expectations=expectation)
        with Job(config) as job, pytest.raises(ConfigError, match=rf"{folder} has no suite\n.*raw\.json"):
            pipeline.ingest(job)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("raw.inputs_not_doubled", r"did you mean raw\.input_not_doubled\?"),
        ("not_empty", r"did you mean \w+\.not_empty"),
        ("x", r"TABLE\.NAME"),
    ],
)
def test_what_is_accepted_has_the_name_of_an_expectation(name: str, hint: str, root: Path) -> None:
    said = rf"there is no expectation {name}\n.*{hint}"
    with Job(box.config(root, accept=[name])) as job, pytest.raises(ConfigError, match=said):
        pipeline.ingest(job)


def test_a_changed_suite_judges_again(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("great_expectations")
    folder = own_suite(root / "suites", severity="warning")
    caplog.set_level(logging.INFO, logger="mailmill")

    def run(**quality: object) -> str:
        caplog.clear()
        with Job(box.config(root, suites=folder, **quality)) as job:
            pipeline.ingest(job)
        return caplog.text

    assert "raw published" in run()
    assert "raw unchanged" in run(accept=["raw.tiny"])
    own_suite(root / "suites", severity="warning", kwargs={"column": "bytes.total", "max_value": 10**9})
    assert "raw published" in run()


def test_a_table_is_held_to_the_suite_that_its_stage_was_begun_with(root: Path) -> None:
    """Its digest is among the stage's settings: with another, the stage would be taken for unchanged later."""
    config = box.config(root, expectations="off", suites=own_suite(root / "suites"))
    with Job(config) as job:
        begun = job.suites["raw"].digest
        own_suite(root / "suites", severity="warning")
        pipeline.ingest(job)
    assert validation(config)["suite"] == begun


@pytest.mark.parametrize("file", ["profile.json", "anchors.json"])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(Path.unlink, id="gone"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:9]), id="cut"),
        pytest.param(lambda path: path.write_bytes(bytes(path.stat().st_size)), id="zeros"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes().replace(b"0", b"1")), id="JSON still"),
    ],
)
def test_a_damaged_profile_of_the_version_before_stops_no_run(
    damage: Callable[[Path], object], file: str, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = box.config(root, expectations="off")
    with Job(config) as job:
        pipeline.ingest(job)
        pipeline.label(job)
        (victim,) = Path(config.run.work).glob(f"profiles/labels/run_id=*/{file}")
        damage(victim)
        box.write(root / "in", [box.message(n) for n in range(30, 40)], "later.jsonl")
        pipeline.ingest(job)
        with caplog.at_level(logging.WARNING):
            assert pipeline.label(job).rows == 40
    assert re.search(rf"labels is compared with no version before it: .*{file}", caplog.text)
    found = Job(config).workspace.open("profiles/labels", schemas.FILES)
    assert "before" not in json.loads(found.file("profile.json"))


def test_the_shipped_suites_are_whole() -> None:
    from mailmill.config import StorageSection

    for table in PROFILED:
        suite = suites.load(Storage(StorageSection()), table)
        assert suite.digest
        assert any(expected.stop for expected in suite.expected)
        assert all(expected.do for expected in suite.expected), table


def test_the_library_is_imported_only_to_judge() -> None:
    import subprocess

    program = (
        "import sys, mailmill.pipeline, mailmill.cli, mailmill.quality.site; print('great_expectations' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_nothing_is_sent_to_anyone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("great_expectations")
    import socket

    def connect(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with Job(box.config(root)) as job:
        pipeline.ingest(job)
    assert validation(box.config(root))["validated"]
