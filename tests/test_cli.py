"""The command line as a user meets it: help, exit codes, one or two plain lines where something is wrong."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from mailmill import __version__, pipeline, resources
from mailmill.cli import cli
from mailmill.commands import interrupt
from mailmill.commands.outcome import guarded
from mailmill.commands.session import run_id, session
from mailmill.config import StorageSection, load
from mailmill.errors import ConfigError
from mailmill.job import Job
from mailmill.storage.filesystems import Storage
from tests import mail, s3
from tests.faults.processes import TEXT, for_people, mailmill

STAGES = ("ingest", "clean", "label", "glove", "features", "search", "train", "evaluate", "score")
MARKER, ADDRESS = "the purple walrus ate 4711 invoices", "whiskers.walrus@marker-company.example"
NO_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mail.make_corpus(tmp_path_factory.mktemp("corpus"), 120)


@pytest.fixture(scope="module")
def vectors(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mail.make_vectors(corpus, tmp_path_factory.mktemp("vectors") / "glove.txt")


@pytest.fixture
def config(corpus: Path, vectors: Path, tmp_path: Path) -> Path:
    """A configuration file for the local engine; its tables go to `tmp_path / "work"`."""
    settings = mail.make_config(str(tmp_path / "work"), corpus, vectors)
    return mail.write_config(tmp_path / "small.toml", settings)


def published(folder: Path) -> set[str]:
    """The tables in `folder` that readers can see."""
    return {str(path.parent.relative_to(folder)) for path in folder.rglob("_manifest.json")}


def refused(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The run ended with `code` and said why in one to three plain lines that hold all `words`."""
    said = for_people(result.stderr)
    assert result.returncode == code, result.stderr
    assert 1 <= len(said) <= 3, result.stderr
    assert said[0].startswith("mailmill: ")
    assert all(len(line) <= 400 for line in said)
    assert "Traceback" not in result.stderr + result.stdout
    assert "unexpected" not in said[0]
    for word in words:
        assert word in "\n".join(said), result.stderr


class TestHelp:
    def test_lists_every_command_and_the_exit_codes(self) -> None:
        result = CliRunner().invoke(cli, ["--help"], prog_name="mailmill")
        assert result.exit_code == 0
        for name in ("run", "corpus", "engines", *STAGES):
            assert re.search(rf"^  {name} ", result.output, re.M), name
        codes = "Exit codes: 0 done, 1 a bug in mailmill (please report it), 2 configuration, 3 data, 4 infrastructure"
        assert codes in " ".join(result.output.split())

    @pytest.mark.parametrize("name", ["run", *STAGES])
    def test_of_a_stage(self, name: str) -> None:
        result = CliRunner().invoke(cli, [name, "-h"], prog_name="mailmill")
        assert result.exit_code == 0
        assert result.output.startswith(f"Usage: mailmill {name} [OPTIONS]")
        for option in ("--config", "--engine", "--set SECTION.KEY=VALUE", "local|dask|spark|auto"):
            assert option in result.output
        sentence = result.output.splitlines()[2].strip()
        assert sentence[0].isupper()
        assert len(sentence) > 20

    def test_of_corpus_and_engines(self) -> None:
        output = CliRunner().invoke(cli, ["corpus", "--help"]).output
        for option in ("--out", "--count", "--bytes", "--seed", "--format", "--texts", "--malformed", "--label-header"):
            assert option in output
        assert "auto" in CliRunner().invoke(cli, ["engines", "--help"]).output

    @pytest.mark.parametrize("command", ["score", "runs"])
    def test_fits_a_terminal_and_is_not_cut(self, command: str) -> None:
        output = CliRunner().invoke(cli, [command, "--help"], terminal_width=80).output
        assert max(map(len, output.splitlines())) <= 80
        assert not [line for line in output.splitlines()[1:] if line.endswith("...")]

    def test_version(self) -> None:
        assert mailmill("--version").stdout.split()[-1] == __version__


def test_linear_algebra_has_one_thread_unless_told_otherwise() -> None:
    """In processes of their own: the variable counts only before NumPy is loaded."""
    code = "import mailmill.cli, numpy, psutil; print(psutil.Process().num_threads())"
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}

    def threads(**given: str) -> int:
        found = subprocess.run([sys.executable, "-c", code], env=plain | given, capture_output=True, check=True)
        return int(found.stdout)

    assert threads() == threads(OPENBLAS_NUM_THREADS="1")
    assert threads(OPENBLAS_NUM_THREADS="2") == threads() + (resources.cores() > 1)


def test_engines_lists_versions_and_java() -> None:
    output = CliRunner().invoke(cli, ["engines"]).output
    assert output.startswith(f"mailmill {__version__}, Python 3.")
    assert re.search(r"^machine   \d+ cores, \d+\.\d GiB", output, re.M)
    assert re.search(r"^local     pyarrow \d+\.\d+.*, numpy \d", output, re.M)
    assert re.search(r"^dask +(dask \d\S*, distributed \d|not installed: pip install 'mailmill\[dask\]')", output, re.M)
    spark = next(line for line in output.splitlines() if line.startswith("spark "))
    assert re.search(r"pyspark \d\S*, (Java \d+|but no Java: .*JAVA_HOME)|pip install 'mailmill\[spark\]'", spark)
    assert re.search(r"^auto      (local|dask|spark)$", output, re.M)


def test_engines_without_java(tmp_path: Path) -> None:
    result = mailmill("engines", environment={"JAVA_HOME": str(tmp_path)})
    assert result.returncode == 0
    if "pyspark" in result.stdout:
        assert "but no Java: install a JDK (17 or newer) and set JAVA_HOME" in result.stdout


class TestStreams:
    @pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "2>/dev/full"])
    def test_that_are_closed_or_full_of_errors_are_no_failure(self, closed: str) -> None:
        done = in_shell(f"engines {closed}")
        assert (done.returncode, done.stderr) == (0, "")
        assert ("auto  " in done.stdout) == (">&-" not in closed.split())

    def test_a_message_never_goes_to_a_file_that_took_a_closed_streams_number(self, config: Path) -> None:
        done = in_shell(f"train -c {config} >&- 2>&-")
        assert (done.returncode, done.stdout, done.stderr) == (3, "", "")

    @pytest.mark.parametrize("buffering", [{}, {"PYTHONUNBUFFERED": "1"}])
    def test_a_full_standard_output_is_said(self, buffering: dict[str, str]) -> None:
        refused(in_shell("engines > /dev/full", buffering), 4, "cannot write to standard output: No space left")

    def test_a_charset_without_the_mails_characters(self, tmp_path: Path) -> None:
        (tmp_path / "uni.eml").write_text("From: a@b.example\n\nThe price of 3 € is fine, 谢谢\n", encoding="utf-8")
        explain = ("clean", "--explain", tmp_path / "uni.eml")
        done = mailmill(*explain, environment={"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"})
        assert done.returncode == 0, done.stderr
        assert r"3 \u20ac is fine, \u8c22" in done.stdout


def in_shell(words: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`mailmill` with redirections."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | TEXT
    line = f"{sys.executable} -m mailmill {words}"
    return subprocess.run(
        ["sh", "-c", line], env=variables | (environment or {}), capture_output=True, text=True, timeout=120
    )


class TestOneMessage:
    def test_comes_from_standard_input(self, tmp_path: Path) -> None:
        (tmp_path / "ok.eml").write_text("From: a@b.example\n\nThe parcel is late.\n")
        explain = f"clean --explain - < {tmp_path / 'ok.eml'}"
        done = in_shell(explain)
        assert done.returncode == 0, done.stderr
        assert "The parcel is late." in done.stdout

    def test_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "empty.eml").write_bytes(b"")
        refused(mailmill("clean", "--explain", tmp_path / "empty.eml"), 3, f"{tmp_path / 'empty.eml'} cannot be used")
        refused(in_shell("clean --explain - < /dev/null"), 3, "<stdin> cannot be used: empty")

    def test_whose_page_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "ok.eml").write_text("From: a@b.example\n\nThe parcel is late.\n")
        page = tmp_path / "none" / "page.html"
        result = mailmill("clean", "--explain", tmp_path / "ok.eml", "--html", page)
        refused(result, 4, f"--html {page} cannot be written: No such file or directory")


def test_an_unknown_level_of_the_log_is_said_and_not_taken() -> None:
    for level, warned in (("verbose", True), ("10", True), ("", False), ("debug", False)):
        done = mailmill("engines", environment={"MAILMILL_LOG": level})
        assert (done.returncode, len(done.stderr.splitlines())) == (0, warned), done.stderr
        assert (f"MAILMILL_LOG={level} is none of DEBUG, " in done.stderr) == warned


@pytest.mark.parametrize("run", ["a/b c", "../../out", "x" * 49])
def test_a_run_id_that_is_no_name_of_a_file(run: str, config: Path, tmp_path: Path) -> None:
    refused(mailmill("ingest", "-c", config, environment={"MAILMILL_RUN_ID": run}), 2, f"MAILMILL_RUN_ID={run}: ")
    assert not published(tmp_path)
    unwatched = mailmill("engines", environment={"MAILMILL_RUN_ID": run, "MAILMILL_LOG_FORMAT": "json"})
    event = json.loads(unwatched.stderr)
    assert (unwatched.returncode, event["event"], event["exit_code"], event["run"]) == (2, "failed", 2, "")


@pytest.mark.parametrize(
    ("environment", "run"),
    [
        ({"CONTAINER_ID": "container_1410901177871_0005_02_000001"}, "application_1410901177871_0005"),
        ({"CONTAINER_ID": "container_e17_1410901177871_0005_01_000001"}, "application_1410901177871_0005"),
        ({"CONTAINER_ID": "container_1410901177871_0005_02_000001", "MAILMILL_RUN_ID": "night"}, "night"),
        ({"CONTAINER_ID": "another's"}, ""),
        ({}, ""),
    ],
)
def test_all_attempts_of_a_driver_have_one_run_id(
    environment: dict[str, str], run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """YARN starts the second one where the first has died: by the id it knows whose lease it finds."""
    for name in ("CONTAINER_ID", "MAILMILL_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    first, second = run_id.__wrapped__(), run_id.__wrapped__()
    assert (first == second == run) if run else first != second


class TestCorpus:
    def test_writes_what_it_says(self, tmp_path: Path) -> None:
        out = tmp_path / "mail"
        options = ["--count", "80", "--malformed", "0.1", "--duplicates", "0.1", "--label-header", "X-Label"]
        result = mailmill("corpus", "--out", out, *options)
        assert result.returncode == 0, result.stderr
        files = list((out / "mail").rglob("*.eml"))
        truth = pq.read_table(out / "truth.parquet")
        with (out / "labels.csv").open(encoding="utf-8") as file:
            labels = list(csv.DictReader(file))
        assert len(files) == truth.num_rows == 80
        kinds = truth["kind"].to_pylist()
        assert result.stdout.startswith("80 messages ")
        for count, word in [(kinds.count("malformed"), "malformed"), (kinds.count("duplicate"), "duplicate")]:
            assert re.search(rf"\b{count} {word}", result.stdout), result.stdout
        assert re.search(rf"\b{len(labels)} labels in {re.escape(str(out))}", result.stdout), result.stdout
        assert sum(b"X-Label: " in file.read_bytes() for file in files) >= len(labels)
        assert for_people(result.stderr) == []

    def test_one_is_one(self, tmp_path: Path) -> None:
        options = ["--count", "1", "--malformed", "0", "--duplicates", "0"]
        said = CliRunner().invoke(cli, ["corpus", "--out", str(tmp_path / "c"), *options]).output
        assert re.search(r"^1 message \(.*B, 0 malformed, 0 duplicates\) in .*, 1 label in ", said, re.MULTILINE), said

    def test_same_options_same_bytes(self, tmp_path: Path) -> None:
        runs = [CliRunner().invoke(cli, ["corpus", "--out", str(tmp_path / n), "--count", "30"]) for n in "ab"]
        assert [run.exit_code for run in runs] == [0, 0]
        a, b = ({p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in "ab")
        assert a == b

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            (["--count", "0"], "--count"),
            (["--count", "many"], "--count"),
            (["--bytes", "3 parsecs"], "3 parsecs"),
            (["--malformed", "1.5"], "--malformed"),
            (["--wrong-labels", "0.6"], "--wrong-labels"),
            (["--format", "msg"], "--format"),
            ([], "--out"),
        ],
    )
    def test_refuses_bad_options(self, options: list[str], word: str, tmp_path: Path) -> None:
        result = mailmill("corpus", *(["--out", tmp_path / "mail"] if options else []), *options)
        assert result.returncode == 2
        assert word in result.stderr
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "mail").exists()

    def test_leaves_other_folders_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        refused(mailmill("corpus", "--out", tmp_path, "--count", "3"), 3, str(tmp_path), "not empty")
        assert (tmp_path / "thesis.txt").read_text() == "years of work"


class TestRun:
    def test_and_again(self, config: Path, tmp_path: Path) -> None:
        first = mailmill("run", "--config", config)
        assert first.returncode == 0, first.stderr
        assert for_people(first.stderr) == []
        assert "engine local: one process" in first.stderr
        assert "120 messages = " in first.stdout
        assert re.search(r"^\*(logistic|forest) ", first.stdout, re.M)
        for name in ("clean", "rejects", "labels", "features", "metrics", "scores"):
            place = re.search(rf"{tmp_path / 'work' / name}/(?:run_id=|_manifest\.json)\S*", first.stdout)
            assert place is not None, name
            assert Path(place[0]).exists()
        second = mailmill("run", "--config", config)
        assert second.returncode == 0, second.stderr
        assert second.stderr.count(" unchanged: ") == 8
        assert " engine " not in second.stderr
        assert " published" not in second.stderr
        assert second.stdout == first.stdout

    def test_stage_by_stage_is_the_same(self, config: Path, tmp_path: Path) -> None:
        for name in STAGES:
            assert guarded(lambda name=name: cli.main([name, "-c", str(config)], standalone_mode=False)) == 0
        assert mailmill("run", "-c", config).stderr.count(" unchanged: ") == 8

    def test_a_stage_before_its_time(self, config: Path, tmp_path: Path) -> None:
        refused(mailmill("train", "-c", config), 3, "table features is not in", str(tmp_path / "work"))
        assert not published(tmp_path)

    def test_set_changes_one_setting(self, config: Path, tmp_path: Path) -> None:
        result = mailmill("ingest", "-c", config, "--set", f"run.work={tmp_path / 'elsewhere'}")
        assert result.returncode == 0
        assert published(tmp_path) >= {"elsewhere/raw", "elsewhere/raw_rejects", "elsewhere/ledger"}


def test_no_text_and_no_address_is_logged(vectors: Path, tmp_path: Path) -> None:
    """Bodies, subjects and addresses of good, odd and broken mail, with every log line there is."""
    folder = tmp_path / "in" / "mail"
    folder.mkdir(parents=True)
    for number in range(12):
        message = EmailMessage()
        message["From"] = f"Whiskers <{ADDRESS}>"
        message["To"] = ADDRESS
        message["Subject"] = f"{MARKER} {number}"
        message["Message-ID"] = f"<{number}@marker-company.example>"
        message["X-Label"] = "pos" if number % 2 else "neg"
        message.set_content(f"Hello,\n{MARKER} on day {number}, write to {ADDRESS}.\n")
        message.add_alternative(f"<p>{MARKER} on day {number}</p>", subtype="html")
        (folder / f"{number}.eml").write_bytes(message.as_bytes())
    good = (folder / "0.eml").read_bytes()
    (folder / "cut.eml").write_bytes(good[: len(good) // 2])
    (folder / "charset.eml").write_bytes(good.replace(b"utf-8", b"klingon"))
    (folder / "nothing.eml").write_bytes(b"\x00\x01" + MARKER.encode())
    settings = mail.make_config(str(tmp_path / "work"), tmp_path / "in", vectors, labels={"header": "X-Label"})
    config = mail.write_config(tmp_path / "marker.toml", settings)
    for log in ("INFO", "DEBUG"):
        result = mailmill("run", "-c", config, environment={"MAILMILL_LOG": log})
        output = (result.stdout + result.stderr).lower()
        assert "raw " in output
        for word in ("walrus", "purple", "4711", "marker-company", ADDRESS):
            assert word not in output, result.stderr
        shutil.rmtree(tmp_path / "work")


def test_building_the_documentation_is_a_run(config: Path, tmp_path: Path) -> None:
    """It took no lease, so that two wrote one site, and left no record."""
    pytest.importorskip("jinja2")
    assert mailmill("ingest", "-c", config).returncode == 0
    with session(load(config), "ingest"):
        refused(mailmill("docs", "build", "-c", config), 4, "is in use by run")
    built = mailmill("docs", "build", "-c", config, "-e", "local")
    assert built.returncode == 0, built.stderr
    assert Path(built.stdout.strip()).is_file()
    assert "docs build, done" in mailmill("runs", "show", "-c", config).stdout


@pytest.mark.s3
@pytest.mark.parametrize("name", ["check", "facts", "versions"])
def test_documentation_by_a_configuration_on_s3(name: str, config: Path, s3_endpoint: str) -> None:
    place = f"s3://test/{uuid.uuid4().hex}.toml"
    Storage(StorageSection(endpoint=s3_endpoint)).write(place, config.read_bytes())
    result = mailmill("docs", name, "-c", place, environment={"AWS_ENDPOINT_URL": s3_endpoint} | NO_PROXY)
    assert place not in result.stderr
    assert result.returncode == (0 if name == "versions" else 3), result.stderr  # nothing is published


class TestRefusals:
    """Each: the right exit code, a plain line that names the thing, and nothing published."""

    def test_a_locale_that_cannot_say_the_workspace(self, config: Path, tmp_path: Path) -> None:
        config.write_text(config.read_text().replace(f"{tmp_path}/work", f"{tmp_path}/w\u00f6rk"), encoding="utf-8")
        result = mailmill("ingest", "-c", config, environment={"PYTHONUTF8": "0", "LC_ALL": "C"})
        refused(result, 2, "run.work: this process's locale", "set PYTHONUTF8=1")

    def test_an_endpoint_of_the_environment_without_a_scheme(self) -> None:
        environment = {"AWS_ENDPOINT_URL_S3": "", "AWS_ENDPOINT_URL": "h:8333"}
        refused(mailmill("ingest", "-c", "s3://b/x.toml", environment=environment), 2, "AWS_ENDPOINT_URL: should begin")

    @pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
    @pytest.mark.parametrize("value", ["http://user:Tell-no-1@127.0.0.1:9", "user:Tell-no-1@127.0.0.1:9"])
    @pytest.mark.parametrize("arguments", [["-c", "s3://b/x.toml"], ["-s", "input.paths=['s3://b/mail']"]])
    def test_a_login_in_an_endpoint_of_the_environment(
        self, name: str, value: str, arguments: list[str], config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
        monkeypatch.setenv(name, value)
        given = arguments if "-c" in arguments else ["-c", str(config), *arguments]
        error = CliRunner().invoke(cli, ["ingest", *given]).exception
        assert isinstance(error, ConfigError)
        assert error.message.startswith(f"{name}: holds credentials, which come from")
        assert "Tell-no-1" not in error.message

    @pytest.mark.parametrize("option", ["--config", "--model", "--vectors"])
    def test_a_login_in_a_place_of_the_command_line(self, option: str) -> None:
        error = CliRunner().invoke(cli, ["score", option, "s3://AKIA:Tell/no-1@bucket/x"]).exception
        assert isinstance(error, ConfigError)
        assert error.message.startswith(f"{option}: holds credentials, which come from")
        assert "no-1" not in error.message

    @pytest.mark.s3
    @pytest.mark.parametrize(
        ("place", "said"),
        [
            ("s3://test/nope.toml", ("configuration s3://test/nope.toml does not exist", "see conf/")),
            ("s3://nope/nope.toml", ("bucket nope does not exist",)),
        ],
    )
    def test_a_configuration_that_is_not_on_s3(self, place: str, said: tuple[str, ...], s3_endpoint: str) -> None:
        """It was told as data: exit code 3."""
        environment = {"AWS_ENDPOINT_URL": s3_endpoint} | NO_PROXY
        refused(mailmill("ingest", "-c", place, environment=environment), 2, *said)

    def test_a_typo_in_a_key(self, config: Path, tmp_path: Path) -> None:
        config.write_text(config.read_text().replace("ngram_bits", "ngram_bist").replace("trees", "tress"))
        began = time.monotonic()
        result = mailmill("run", "-c", config)
        refused(result, 2, "small.toml: 2 problems", "did you mean features.ngram_bits?", "did you mean forest.trees?")
        assert time.monotonic() - began < 10
        assert not (tmp_path / "work").exists()

    @pytest.mark.parametrize(
        ("override", "words"),
        [
            ("forest.tress=9", ["did you mean forest.trees?"]),
            ("engine.kind=sprak", ["engine.kind", "sprak"]),
            ("forest.trees=0", ["forest.trees"]),
            ("trees", ["--set trees"]),
        ],
    )
    def test_a_bad_override(self, override: str, words: list[str], config: Path, tmp_path: Path) -> None:
        refused(mailmill("run", "-c", config, "-s", override), 2, *words)
        assert not (tmp_path / "work").exists()

    def test_a_day_that_is_empty(self, config: Path, tmp_path: Path) -> None:
        """As an unset variable of a shell gives it: it does not mean every day."""
        refused(mailmill("ingest", "-c", config, "--as-of", ""), 2, "ingest.as_of")
        assert not (tmp_path / "work").exists()

    def test_a_configuration_that_is_missing_or_broken(self, tmp_path: Path) -> None:
        refused(mailmill("run", "-c", tmp_path / "none.toml"), 2, "none.toml does not exist")
        (tmp_path / "bad.toml").write_text("[run\n")
        refused(mailmill("run", "-c", tmp_path / "bad.toml"), 2, "bad.toml")

    def test_a_missing_folder(self, config: Path, tmp_path: Path) -> None:
        missing = tmp_path / "no-such-mail"
        refused(mailmill("run", "-c", config, "-s", f"input.paths=['{missing}']"), 3, str(missing))
        assert not published(tmp_path)

    def test_an_empty_folder(self, config: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        refused(mailmill("run", "-c", config, "-s", f"input.paths=['{tmp_path / 'empty'}']"), 3, "empty")
        assert not published(tmp_path)

    @pytest.mark.parametrize("ending", ["txt", "txt.gz", "zip"])
    def test_word_vectors_cut_in_half(self, ending: str, vectors: Path, config: Path, tmp_path: Path) -> None:
        path = tmp_path / f"half.{ending}"
        if ending == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(vectors, "glove.txt")
            content = path.read_bytes()
        else:
            content = vectors.read_bytes() if ending == "txt" else gzip.compress(vectors.read_bytes())
        path.write_bytes(content[: len(content) // 2])
        refused(mailmill("run", "-c", config, "-s", f"features.vectors={path}"), 3, f"half.{ending}")
        assert not published(tmp_path) & {"work/features", "work/models/forest", "work/metrics", "work/scores"}
        assert not list((tmp_path / "work").rglob("meta.json"))
        assert mailmill("run", "-c", config).returncode == 0

    def test_missing_word_vectors(self, config: Path, tmp_path: Path) -> None:
        result = mailmill("run", "-c", config, "-s", f"features.vectors={tmp_path / 'none.txt'}")
        refused(result, 3, "none.txt", "features.vectors")
        assert not published(tmp_path)

    def test_missing_labels(self, config: Path, tmp_path: Path) -> None:
        refused(mailmill("run", "-c", config, "-s", f"labels.source={tmp_path / 'none.csv'}"), 3, "none.csv")
        assert not published(tmp_path)

    def test_labels_without_the_column(self, config: Path, tmp_path: Path) -> None:
        (tmp_path / "labels.csv").write_text("message_id,verdict\na@b,pos\n")
        result = mailmill("run", "-c", config, "-s", f"labels.source={tmp_path / 'labels.csv'}")
        refused(result, 3, "labels.csv has no column 'label'", "verdict", "labels.label_column")
        assert "work/labels" not in published(tmp_path)

    def test_classes_without_the_positive_one(self, config: Path, tmp_path: Path) -> None:
        refused(mailmill("run", "-c", config, "-s", "train.positive=happy"), 3, "'happy'", "train.positive")
        assert not published(tmp_path) & {"work/features", "work/models/forest", "work/metrics", "work/scores"}

    def test_three_classes_have_no_roc_curve_to_choose_by(self, config: Path, corpus: Path, tmp_path: Path) -> None:
        labels = (corpus / "labels.csv").read_text().splitlines()
        labels[1::3] = [f"{line.rsplit(',', 1)[0]},neutral" for line in labels[1::3]]
        (tmp_path / "labels.csv").write_text("\n".join(labels) + "\n")
        changes = (f"labels.source={tmp_path / 'labels.csv'}", "train.negative=neg", "evaluate.choose_by=roc_auc")
        result = mailmill("run", "-c", config, *(word for change in changes for word in ("-s", change)))
        refused(result, 2, "evaluate.choose_by", "neutral", "macro_f1")
        assert "work/features" not in published(tmp_path)

    @pytest.mark.parametrize("name", ["dask", "spark"])
    def test_an_engine_that_is_not_installed(self, name: str, config: Path, tmp_path: Path) -> None:
        library = {"dask": "distributed", "spark": "pyspark"}[name]
        result = mailmill("run", "-c", config, "-e", name, environment=without(tmp_path / "shim", library))
        refused(result, 2, f"engine {name} needs {library}", f"pip install 'mailmill[{name}]'")
        assert not published(tmp_path)

    def test_onnx_that_is_required_and_not_installed(self, config: Path, tmp_path: Path) -> None:
        hidden = without(tmp_path / "shim", "onnx", "onnxruntime")
        for stage in ("run", "train"):
            result = mailmill(stage, "-c", config, "-s", "train.onnx=required", environment=hidden)
            refused(result, 2, "train.onnx needs onnx and onnxruntime", "pip install 'mailmill[onnx]'")
        assert not published(tmp_path)

    def test_auto_without_engines_is_local(self, config: Path, tmp_path: Path) -> None:
        environment = without(tmp_path / "shim", "distributed", "pyspark")
        result = mailmill("ingest", "-c", config, "-e", "auto", environment=environment)
        assert result.returncode == 0, result.stderr
        assert "engine local" in result.stderr

    def test_spark_without_java(self, config: Path, tmp_path: Path) -> None:
        pytest.importorskip("pyspark")
        (tmp_path / "jdk").mkdir()
        result = mailmill("run", "-c", config, "-e", "spark", environment={"JAVA_HOME": str(tmp_path / "jdk")})
        refused(result, 2, "needs Java", "JAVA_HOME")
        assert not published(tmp_path)

    def test_a_dask_scheduler_that_does_not_answer(self, config: Path, tmp_path: Path) -> None:
        pytest.importorskip("distributed")
        result = mailmill("run", "-c", config, "-e", "dask", "-s", "engine.address=tcp://127.0.0.1:9")
        refused(result, 4, "tcp://127.0.0.1:9", "engine.address")
        assert not published(tmp_path)

    def test_a_work_folder_that_is_a_file(self, config: Path, tmp_path: Path) -> None:
        """It was infrastructure's error, worth another try."""
        (tmp_path / "file").write_text("not a folder")
        result = mailmill("run", "-c", config, "-s", f"run.work={tmp_path / 'file'}")
        refused(result, 2, f"{tmp_path / 'file'} is a file", "set run.work to a folder")
        assert (tmp_path / "file").read_text() == "not a folder"

    def test_a_work_folder_that_is_read_as_mail(self, config: Path, tmp_path: Path) -> None:
        """The record of the run that was refused was the next run's mail."""
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "a.eml").write_bytes(b"From: a@b.example\n\nHello there.\n")
        places = [f"input.paths=['{tmp_path / 'inbox'}']", f"run.work={tmp_path / 'inbox'}"]
        for stage in ("run", "train"):
            refused(mailmill(stage, "-c", config, "-s", places[0], "-s", places[1]), 2, "which is read as mail")
        assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["a.eml"]

    def test_a_damaged_manifest(self, config: Path, tmp_path: Path) -> None:
        assert mailmill("ingest", "-c", config).returncode == 0
        manifest = tmp_path / "work" / "raw" / "_manifest.json"
        manifest.write_text(manifest.read_text()[:200])
        refused(mailmill("clean", "-c", config), 3, str(manifest), "and run again")
        manifest.unlink()
        assert mailmill("ingest", "-c", config).returncode == 0
        assert mailmill("clean", "-c", config).returncode == 0

    def test_a_damaged_table(self, config: Path, tmp_path: Path) -> None:
        assert mailmill("ingest", "-c", config).returncode == 0
        document = json.loads((tmp_path / "work" / "raw" / "_manifest.json").read_bytes())
        victim = tmp_path / "work" / "raw" / document["files"][0]["path"]
        victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
        out = f"delete {tmp_path / 'work' / 'raw' / '_manifest.json'} and run again"
        refused(mailmill("clean", "-c", config), 3, victim.name, out)
        victim.unlink()
        refused(mailmill("clean", "-c", config), 3, victim.name, out)
        assert "work/clean" not in published(tmp_path)
        (tmp_path / "work" / "raw" / "_manifest.json").unlink()
        assert mailmill("ingest", "-c", config).returncode == 0
        assert mailmill("clean", "-c", config).returncode == 0


class TestUnreachableS3:
    @pytest.fixture(params=["refuses", "never answers"])
    def endpoint(self, request: pytest.FixtureRequest) -> Iterator[str]:
        """A port of this machine behind which nothing speaks S3."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            if request.param == "never answers":
                listener.listen(64)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"

    @pytest.mark.parametrize("place", ["input.paths=['s3://test/mail']", "run.work=s3://test/work"])
    def test_is_named_and_soon(self, place: str, endpoint: str, config: Path, tmp_path: Path) -> None:
        patience = ("storage.connect_timeout=1", "storage.request_timeout=1", "storage.attempts=2")
        overrides = [part for o in (place, f"storage.endpoint={endpoint}", *patience) for part in ("-s", o)]
        began = time.monotonic()
        result = mailmill("run", "-c", config, *overrides, environment=s3.CREDENTIALS | NO_PROXY)
        refused(result, 4, endpoint, "s3://test/", "storage.endpoint")
        assert time.monotonic() - began < 45
        assert not published(tmp_path)


def without(folder: Path, *libraries: str) -> Mapping[str, str]:
    """An environment in which Python finds none of `libraries`."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "from importlib.machinery import PathFinder\n\n\n"
        "class Without(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        hidden = name.partition('.')[0] in {libraries!r}\n"
        "        return None if hidden else super().find_spec(name, path, target)\n\n\n"
        "sys.meta_path[sys.meta_path.index(PathFinder)] = Without\n"
    )
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))}


def test_an_interrupt_that_a_library_swallows_stops_the_next_publication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python drops what is raised in a finaliser: a run went on after Ctrl-C, to its end and exit code 0."""
    monkeypatch.setattr(interrupt, "_struck", threading.Event())
    corpus = mail.make_corpus(tmp_path / "corpus", 40)
    config = mail.make_config(str(tmp_path / "work"), corpus, tmp_path / "no.txt")
    try:
        with pytest.raises(KeyboardInterrupt), session(config, "ingest") as job:
            with contextlib.suppress(KeyboardInterrupt):
                interrupt.strike()
            pipeline.ingest(job)
    finally:
        logging.disable(logging.NOTSET)
    assert Job(config).workspace.find("raw") is None
