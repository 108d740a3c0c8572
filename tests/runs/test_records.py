"""Records of runs: written once, complete, without secrets; logs as JSON; list, show and compare."""

from __future__ import annotations

import copy
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mailmill.cli import cli
from mailmill.commands import interrupt
from mailmill.commands.outcome import guarded
from mailmill.commands.session import session
from mailmill.config import Config
from mailmill.errors import DataError, InfrastructureError, MailmillError
from mailmill.runs import logs, record, reports
from mailmill.storage.filesystems import Storage
from mailmill.storage.lease import Lease
from tests import mail
from tests.faults.processes import Running, command, for_people, mailmill


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    folder = tmp_path_factory.mktemp("runs")
    corpus = mail.make_corpus(folder / "corpus", 100)
    vectors = mail.make_vectors(corpus, folder / "glove.txt")
    config = mail.make_config(
        str(folder / "work"), corpus, vectors, "run.price_per_hour=3.6", 'train.models=["forest"]'
    )
    return config, mail.write_config(folder / "small.toml", config)


@pytest.fixture(scope="module")
def recorded(settings: tuple[Config, Path]) -> list[dict[str, Any]]:
    """Two runs that did something, one that found nothing to do, and two that failed."""
    config, file = settings
    assert mailmill("run", "-c", file).returncode == 0
    assert mailmill("run", "-c", file).returncode == 0
    assert mailmill("run", "-c", file, "-s", "forest.trees=9").returncode == 0
    assert mailmill("train", "-c", file, "-s", "train.positive=happy").returncode == 3
    assert mailmill("clean", "-c", file, "-s", "clean.max_reject_share=0").returncode == 3
    folder = Path(config.run.work) / "runs"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"), key=lambda p: p.stat().st_mtime_ns)]


def test_a_record_says_what_was_made_from_what(settings: tuple[Config, Path], recorded: list[dict[str, Any]]) -> None:
    assert [r["outcome"] for r in recorded] == ["done", "unchanged", "done", "failed", "failed"]
    first = recorded[0]
    made = {table["table"]: table for table in first["tables"]}
    assert {"raw", "ledger", "clean", "rejects", "labels", "features", "models/forest", "metrics", "scores"} <= set(
        made
    )
    for name in ("raw", "clean", "features"):
        manifest = json.loads((Path(settings[0].run.work) / name / "_manifest.json").read_text())
        assert (made[name]["fingerprint"], made[name]["rows"]) == (manifest["fingerprint"], manifest["rows"])
        assert made[name]["seconds"] > 0
        assert made[name]["bytes"] > 0
    assert first["configuration"]["run"]["seed"] == 5
    assert first["versions"]["python"]
    assert first["engine"].startswith("local")
    assert first["peak_bytes"]["driver"] > 20 * 2**20
    assert first["cost"]["estimate"] == pytest.approx(first["seconds"] * 3.6 / 3600, abs=1e-5)


def test_a_failure_is_recorded_with_its_words(recorded: list[dict[str, Any]]) -> None:
    error = recorded[3]["error"]
    assert (error["type"], error["exit_code"]) == ("DataError", 3)
    assert "'happy'" in error["message"]


def test_a_run_that_found_nothing_to_do_says_what_stands(recorded: list[dict[str, Any]]) -> None:
    """Without a record, the last one shown after a good run was of an older one that failed."""
    assert {table["event"] for table in recorded[1]["tables"]} == {"unchanged"}
    assert "engine    none was needed" in reports.shown(recorded[1])


def test_a_failed_run_names_its_engine(recorded: list[dict[str, Any]]) -> None:
    assert recorded[4]["engine"].startswith("local")
    assert (recorded[3]["engine"], "engine    none was started" in reports.shown(recorded[3])) == ("", True)


def test_an_interrupted_run_is_no_failed_one(settings: tuple[Config, Path]) -> None:
    assert record.Recorder(settings[0], "r", "run").document(KeyboardInterrupt())["outcome"] == "interrupted"


def test_a_run_that_a_scheduler_ends_says_so_and_is_recorded(settings: tuple[Config, Path], tmp_path: Path) -> None:
    with Running(["run", "-c", settings[1], "-s", f"run.work={tmp_path / 'work'}"]) as run:
        run.wait_for(" engine local")
        run.process.terminate()
        assert run.finish() == 143, run
        assert for_people(str(run)) == [f"mailmill: {interrupt.MESSAGE}", f"          {interrupt.HINT}"]
    (file,) = (tmp_path / "work" / "runs").iterdir()
    found = json.loads(file.read_text())
    assert (found["outcome"], found["error"]["exit_code"]) == ("interrupted", 143)
    assert found["engine"].startswith("local")


def test_a_run_that_another_keeps_out_is_recorded_and_touches_nothing_else(
    settings: tuple[Config, Path], tmp_path: Path
) -> None:
    """A night that found the workspace in use was in no list of runs."""
    config = settings[0].model_copy(update={"run": settings[0].run.model_copy(update={"work": str(tmp_path)})})
    storage = Storage(config.storage)
    with Lease(storage, str(tmp_path), "other"):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with pytest.raises(InfrastructureError, match="is in use by run other"), session(config, "ingest"):
            pytest.fail("it began")
        (found,) = reports.load(storage, str(tmp_path), "last")
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after.items() - before.items() == {(path, after[path]) for path in (tmp_path / "runs").iterdir()}, (
        "the record alone"
    )
    assert (found["command"], found["outcome"], found["tables"]) == ("ingest", "failed", [])
    assert "is in use by run other" in reports.shown(found)
    assert "failed" in reports.listing(storage, str(tmp_path)).splitlines()[1]


def test_a_workspace_that_cannot_be_read_is_asked_for_no_record(
    settings: tuple[Config, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A storage that does not answer would be waited for twice."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    config = settings[0].model_copy(update={"run": settings[0].run.model_copy(update={"work": str(file)})})
    with pytest.raises(MailmillError), session(config, "ingest"):
        pytest.fail("it began")
    assert caplog.text == ""


def test_a_damaged_record_hides_no_other(
    settings: tuple[Config, Path], recorded: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    damaged = Path(settings[0].run.work) / "runs" / "99990101T000000-cut.json"
    damaged.write_text('{"format": ')
    place = (Storage(settings[0].storage), settings[0].run.work)
    try:
        assert len(reports.listing(*place).splitlines()) == 1 + len(recorded)
        assert reports.load(*place, "last") == recorded[-1:]
        with pytest.raises(DataError, match="no run 9999"):
            reports.load(*place, "9999")
        assert caplog.messages == [f"record left out: {damaged} is damaged"] * 3
    finally:
        damaged.unlink()


def test_list_show_and_compare(settings: tuple[Config, Path], recorded: list[dict[str, Any]]) -> None:
    file = str(settings[1])
    listed = CliRunner().invoke(cli, ["runs", "list", "-c", file])
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.output.splitlines()[1:]] == [r["run"] for r in recorded]
    shown = CliRunner().invoke(cli, ["runs", "show", "-c", file, recorded[0]["run"]]).output
    assert recorded[0]["tables"][0]["fingerprint"][:16] in shown
    whole = CliRunner().invoke(cli, ["runs", "show", "--json", "-c", file, recorded[2]["run"]]).output
    assert json.loads(whole) == recorded[2]
    compared = CliRunner().invoke(cli, ["runs", "compare", "-c", file, recorded[0]["run"], recorded[2]["run"]]).output
    assert "forest.trees" in compared
    lines = {line.split()[0]: line for line in compared.splitlines()[1:]}
    assert lines["clean"].endswith("same content")
    assert lines["models/forest"].endswith("other content")
    failed = CliRunner().invoke(cli, ["runs", "show", "-c", file, recorded[3]["run"]]).output
    assert "error     DataError, exit code 3: labels have the classes neg, pos" in failed
    assert f"\n          {recorded[3]['error']['hint']}\n" in failed


def test_runs_are_compared_by_how_well_models_do(recorded: list[dict[str, Any]]) -> None:
    one, two = copy.deepcopy(recorded[0]), copy.deepcopy(recorded[2])
    for record_, found in ((one, {"macro_f1": 0.8125, "test_rows": 9}), (two, {"macro_f1": 0.9, "test_rows": 9})):
        metrics = next(table for table in record_["tables"] if table["table"] == "metrics")
        metrics["statistics"] |= found
    rows = [line.split() for line in reports.compared([one], [two]).splitlines()]
    assert ["macro_f1", "0.8125", "0.9"] in rows
    assert not {"test_rows", "cache_bytes", "cost.seconds", "specification"} & {row[0] for row in rows}


def test_a_run_that_is_not_there(settings: tuple[Config, Path], recorded: list[dict[str, Any]]) -> None:
    file = str(settings[1])
    assert guarded(lambda: cli.main(["runs", "show", "-c", file, "never"], standalone_mode=False)) == 3
    with pytest.raises(DataError, match="runs begin with"):
        reports.load(Storage(settings[0].storage), settings[0].run.work, "2")


def test_records_are_in_the_order_of_time_not_of_ids(settings: tuple[Config, Path], tmp_path: Path) -> None:
    """spark-submit.sh and schedulers give ids that do not begin with a time."""
    config = settings[0].model_copy(update={"run": settings[0].run.model_copy(update={"work": str(tmp_path)})})
    storage = Storage(config.storage)
    for run in ("run-f0", "run-0a", "run-73"):
        record.Recorder(config, run, "ingest").write(storage, None)
    lines = reports.listing(storage, str(tmp_path)).splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["run-f0", "run-0a", "run-73"]
    assert [found["run"] for found in reports.load(storage, str(tmp_path), "last")] == ["run-73"]


def test_commands_under_one_id_are_all_kept(settings: tuple[Config, Path], tmp_path: Path) -> None:
    config = settings[0].model_copy(update={"run": settings[0].run.model_copy(update={"work": str(tmp_path)})})
    place = (Storage(config.storage), str(tmp_path))
    for run, done in (("night", "ingest"), ("night.2", "run"), ("night", "clean"), ("night", "clean")):
        record.Recorder(config, run, done).write(place[0], None)
    assert [found["command"] for found in reports.load(*place, "night")] == ["ingest", "clean", "clean"]
    assert [found["command"] for found in reports.load(*place, "night.2")] == ["run"]
    assert len(reports.listing(*place).splitlines()) == 1 + 4
    file = str(mail.write_config(tmp_path / "night.toml", config))
    shown = CliRunner().invoke(cli, ["runs", "show", "-c", file, "night"]).output
    assert [line.split()[2] for line in shown.splitlines() if line.startswith("run ")] == [
        "ingest,",
        "clean,",
        "clean,",
    ]


def test_secrets_are_hidden(settings: tuple[Config, Path]) -> None:
    hidden = {
        "spark.hadoop.fs.s3a.secret.key": "s1", "spark.hadoop.fs.s3a.access.key": "s2",
        "spark.authenticate.secret": "s3",
        "spark.hadoop.fs.s3a.session.token": "s4", "spark.ssl.keyPassword": "s5",
        "spark.hadoop.fs.azure.account.key.box.blob.core.windows.net": "s6", "spark.hadoop.fs.x.credential": "s7",
        "spark.hadoop.fs.gs.private.key": "s8", "spark.x.api-key": "s9", "spark.x.passwd": "s10",
    }  # fmt: skip
    plain = {"spark.executor.memory": "4g", "spark.sql.keyed": "kept"}
    config = settings[0].model_copy(update={"engine": settings[0].engine.model_copy(update={"spark": hidden | plain})})
    found = record.Recorder(config, "r", "run").document()["configuration"]["engine"]["spark"]
    assert {found[name] for name in hidden} == {"(hidden)"}
    assert {name: found[name] for name in plain} == plain


@pytest.mark.parametrize("address", ["http://user:no/1@h:9/x", "s3://AKIA:no@1@b", "https://no1@h"])
def test_logins_in_addresses_are_hidden(address: str, settings: tuple[Config, Path]) -> None:
    shown = address.partition("//")[0] + "//(hidden)@" + address.rpartition("@")[2]
    spark = settings[0].engine.model_copy(update={"spark": {"spark.hadoop.fs.s3a.proxy": address}})
    recorder = record.Recorder(settings[0].model_copy(update={"engine": spark}), "r", "run")
    recorder.engine(f"somewhere, {address}")
    found = recorder.document(InfrastructureError(f"S3 at {address} failed: x@y", hint=f"see {address}"))
    assert found["configuration"]["engine"]["spark"] == {"spark.hadoop.fs.s3a.proxy": shown}
    assert found["engine"] == f"somewhere, {shown}"
    assert found["error"]["message"] == f"S3 at {shown} failed: x@y"
    assert found["error"]["hint"] == f"see {shown}"


def test_an_unknown_errors_words_are_not_recorded(settings: tuple[Config, Path]) -> None:
    document = record.Recorder(settings[0], "r", "run").document(ValueError("Dear Ms Smith, my card is 4711"))
    assert document["error"] == {"type": "ValueError", "message": "", "hint": "", "exit_code": 1}


def unwatched(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of a run that a scheduler started, and its log."""
    environment = {k: v for k, v in os.environ.items() if k != "MAILMILL_LOG_FORMAT"} | {"MAILMILL_RUN_ID": "night-7"}
    done = subprocess.run(command(*arguments), env=environment, capture_output=True, text=True, timeout=120)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["run"] for line in lines} == {"night-7"}
    return done.returncode, lines


def test_a_record_that_cannot_be_written_ends_no_run(
    settings: tuple[Config, Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are published by then; a full disk must not have a scheduler run the night again."""

    def full(*_: object) -> None:
        raise InfrastructureError("No space left on device")

    monkeypatch.setattr(Storage, "write", full)
    record.Recorder(settings[0], "r", "run").write(Storage(settings[0].storage), None)
    assert "no record of this run: No space left on device" in caplog.text


def test_logs_are_json_where_nobody_watches(settings: tuple[Config, Path], tmp_path: Path) -> None:
    code, lines = unwatched("ingest", "-c", settings[1], "-s", f"run.work={tmp_path / 'work'}")
    assert code == 0, lines
    published = next(line for line in lines if line.get("event") == "published")
    assert published["stage"] == "raw"
    assert published["rows"] > 0
    assert published["bytes"] > 0
    assert published["seconds"] > 0
    assert published["table"].endswith("/raw")
    assert published["message"].startswith("raw published: rows=")
    assert (tmp_path / "work" / "runs" / "night-7.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said", "hint"),
    [
        (["run", "-s", "labels.source=/no.csv"], 3, "labels /no.csv do not exist", "set labels.source to a file"),
        (["run", "-s", "run.sed=4"], 2, "run.sed: unknown key", None),
        (["run", "--confg", "x"], 2, "No such option", None),
        (["runs", "show", "never"], 3, "no run never in", "see `mailmill runs list`"),
    ],
)  # fmt: skip
def test_what_ends_a_run_that_nobody_watches_is_an_event(
    arguments: list[str], code: int, said: str, hint: str | None, settings: tuple[Config, Path], tmp_path: Path
) -> None:
    """The one that pages somebody had no level, no run and no exit code, and was no JSON."""
    found, lines = unwatched(*arguments, "-c", settings[1], "-s", f"run.work={tmp_path / 'work'}")
    last = lines[-1]
    assert (found, last["exit_code"], last["event"], last["level"]) == (code, code, "failed", "ERROR")
    assert said in last["message"]
    assert last.get("hint") == hint


@pytest.mark.parametrize("kind", [None, "text"])
def test_help_is_no_event(kind: str | None) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MAILMILL_LOG_FORMAT"}
    environment |= {"MAILMILL_LOG_FORMAT": kind} if kind else {}
    done = subprocess.run(command("docs"), env=environment, capture_output=True, text=True, timeout=120)
    assert "Usage: " in done.stdout + done.stderr
    assert "{" not in done.stdout + done.stderr


def test_a_name_writes_no_line_into_the_log_and_no_command_to_the_terminal() -> None:
    name = "x\n2026-11-30 02:30:00,000 INFO mailmill raw published: rows=9\n\x1b]0;owned\a\x9b2J\u202ey.eml"
    try:
        raise DataError(name)
    except DataError:
        line = logging.LogRecord("mailmill", logging.INFO, "f", 1, "%s leads nowhere", (name,), sys.exc_info())
    first, *traceback = logs.PlainLines().format(line).split("\n")
    shown = (
        "x\\x0a2026-11-30 02:30:00,000 INFO mailmill raw published: rows=9\\x0a\\x1b]0;owned\\x07\\x9b2J\\u202ey.eml"
    )
    assert first.endswith(f" INFO mailmill {shown} leads nowhere")
    assert traceback[0] == "Traceback (most recent call last):"
    assert all(found.startswith("  ") and found.isprintable() for found in traceback[1:])
    assert json.loads(logs.JsonLines("r").format(line))["message"] == f"{name} leads nowhere"


def test_the_formatter_survives_anything() -> None:
    line = logging.LogRecord("mailmill", logging.INFO, "f", 1, "a %s\nb", ("c",), None)
    line.fields = {"stage": object()}
    found = json.loads(logs.JsonLines("r").format(line))
    assert found["message"] == "a c\nb"
    assert "\n" not in logs.JsonLines("r").format(line)


def test_a_librarys_message_of_several_lines_stays_one() -> None:
    line = logging.LogRecord("distributed", logging.WARNING, "f", 1, "Failed\nTraceback:\nboom", None, None)
    first, *others = logs.PlainLines().format(line).split("\n")
    assert first.endswith("WARNING distributed Failed")
    assert others == ["  Traceback:", "  boom"]
