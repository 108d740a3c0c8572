"""The jobs for spark-submit: a file a stage, and the whole small pipeline through spark-submit itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailmill.cli import cli
from mailmill.config import Config
from mailmill.job import Job
from mailmill.storage.tables import Workspace
from tests import mail
from tests.conftest import ROOT, require_engine
from tests.faults.processes import mailmill

SCRIPT = ROOT / "spark-submit.sh"
RUN = ("run", "--config", ROOT / "conf" / "local.toml")
NO_STAGE = {"corpus", "engines"}


def submit(*arguments: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run spark-submit.sh from another folder than the project's."""
    environment = {"PYSPARK_PYTHON": sys.executable, **os.environ}
    command = [SCRIPT, *map(str, arguments)]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=timeout, env=environment)


def fake_spark(home: Path, script: str) -> dict[str, str]:
    """The environment of a Spark whose spark-submit is this shell script."""
    (home / "bin").mkdir()
    (home / "jars").mkdir()
    fake = home / "bin" / "spark-submit"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    return os.environ | {"SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}


def test_every_stage_has_its_job() -> None:
    jobs = {path.stem for path in (ROOT / "jobs").glob("*.py")}
    stages = {name for name, command in cli.commands.items() if "config" in {p.name for p in command.params}}
    assert jobs == stages | {"docs"}
    assert not jobs & NO_STAGE


@pytest.mark.parametrize("job", sorted((ROOT / "jobs").glob("*.py")), ids=lambda path: path.stem)
def test_a_job_is_thin_and_passes_everything_on(job: Path) -> None:
    text = job.read_text()
    assert len(text.splitlines()) <= 15
    assert text.startswith(f'"""spark-submit jobs/{job.name} ')
    command = '"docs", "build"' if job.stem == "docs" else f'"{job.stem}"'
    assert f"main([{command}, *sys.argv[1:]])" in text


def test_a_job_runs_in_plain_python(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "jobs" / "clean.py"), "--config", str(tmp_path / "none.toml")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "none.toml does not exist" in result.stderr


class TestScript:
    def test_dry_run_prints_the_command(self, tmp_path: Path) -> None:
        config = tmp_path / "my file.toml"
        config.touch()
        result = submit("--dry-run", "train", "--config", str(config), "--set", "forest.trees=9")
        assert result.returncode == 0, result.stderr
        line = result.stdout.strip()
        assert "\n" not in line
        assert line.startswith("PYSPARK_PYTHON=")
        words = ["spark-submit --master", "'local[*]'", "/jobs/train.py", "--config", f"'{config}'"]
        at = [line.find(word) for word in [*words, "--set forest.trees=9"]]
        assert -1 not in at, line
        assert at == sorted(at), line

    def test_a_schedulers_signals_reach_the_driver(self, tmp_path: Path) -> None:
        """The script becomes the driver: one that is stopped must not leave it running with its lease."""
        environment = fake_spark(tmp_path, f"echo $$ > {tmp_path}/pid\nexec sleep 300")
        with subprocess.Popen([SCRIPT, *RUN], env=environment) as process:
            deadline = time.monotonic() + 120
            while not (tmp_path / "pid").exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert (tmp_path / "pid").read_text().strip() == str(process.pid)
            process.terminate()
            assert process.wait(60) == -signal.SIGTERM

    @pytest.mark.parametrize(
        ("closed", "said"), [("", "yes\n"), ("<&-", "yes\n"), ("2>&-", "yes\n"), (">&-", ""), ("<&- >&- 2>&-", "")]
    )
    def test_the_driver_starts_as_the_script_did(self, closed: str, said: str, tmp_path: Path) -> None:
        """Python ignores signals that shells and Java heed; a stream that the caller closed leads nowhere."""
        environment = fake_spark(tmp_path, f"grep SigIgn /proc/self/status > {tmp_path}/ignored\necho yes\nexit 3")
        command = ["bash", "-c", f'exec "$0" "$@" {closed}', SCRIPT, *RUN]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout, done.stderr) == (3, said, "")
        ignored = int((tmp_path / "ignored").read_text().split()[1], 16)
        assert not any(ignored >> (number - 1) & 1 for number in (signal.SIGPIPE, signal.SIGXFSZ))

    def test_by_a_link_from_another_folder(self, tmp_path: Path) -> None:
        """A link in ~/bin ended with Python's own "No module named 'mailmill'"."""
        for folder in ("a", "bin/c"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "a" / "project").symlink_to(ROOT)
        (tmp_path / "bin" / "submit").symlink_to("../a/project/spark-submit.sh")
        (tmp_path / "b").symlink_to("bin/c")
        (tmp_path / "b" / "submit").symlink_to("../submit")
        environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "CDPATH": "."}
        command = ["b/submit", "--dry-run", *RUN]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert f" {ROOT.resolve()}/jobs/run.py " in done.stdout

    @staticmethod
    def old_python(file: Path) -> Path:
        file.write_text('#!/bin/sh\necho "SyntaxError: invalid syntax" >&2\nexit 1\n')
        file.chmod(0o755)
        return file

    def test_a_python_that_is_too_old(self, tmp_path: Path) -> None:
        """Its compiler ended with a traceback, as if mailmill had a bug."""
        old = self.old_python(tmp_path / "python3")
        environment = os.environ | {"PYSPARK_PYTHON": str(old)}
        done = subprocess.run([SCRIPT, *RUN], env=environment, capture_output=True, text=True, timeout=60)
        said = f"spark-submit.sh: mailmill needs Python 3.11, 3.12 or 3.13; {old} is none: set PYSPARK_PYTHON\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", said)

    def test_a_python_that_fits_is_found_beside_an_old_one(self, tmp_path: Path) -> None:
        for name in ("lib", "jobs"):
            (tmp_path / name).symlink_to(ROOT / name)
        script = Path(shutil.copy(SCRIPT, tmp_path))
        (tmp_path / "bin").mkdir()
        for name in ("python3", "python3.11", "python3.12"):
            self.old_python(tmp_path / "bin" / name)
        (tmp_path / "bin" / "python3.13").symlink_to(sys.executable)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run([script, "--help"], env={"PATH": path}, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")

    def test_targets(self) -> None:
        assert "--master yarn " in submit("--target", "yarn", "--dry-run", "run").stdout
        standalone = ["--target", "standalone", "--master", "spark://example:7077"]
        assert "--master spark://example:7077 " in submit(*standalone, "--dry-run", "run").stdout

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ([], "name a stage"),
            (["corpus"], "no stage corpus"),
            (["--target", "moon", "run"], "unknown target moon"),
            (["--target", "standalone", "run"], "spark://"),
            (["--config", "x.toml", "run"], "unknown option --config"),
        ],
    )
    def test_refuses(self, arguments: list[str], word: str) -> None:
        result = submit(*arguments)
        assert result.returncode == 2
        assert word in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1

    def test_help(self) -> None:
        result = submit("--help")
        assert result.returncode == 0
        assert "--dry-run" in result.stdout


@pytest.mark.spark
class TestSubmitted:
    @pytest.fixture(autouse=True)
    def _spark(self) -> None:
        require_engine("spark")

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Config:
        corpus = mail.make_corpus(tmp_path / "corpus", 120)
        vectors = mail.make_vectors(corpus, tmp_path / "glove.txt")
        # No engine is named: spark-submit is what makes `auto` take Spark.
        return mail.make_config(
            str(tmp_path / "work"), corpus, vectors, "engine.kind=auto", "ingest.batch_objects=40",
            "forest.trees=4", "forest.depth=3", 'train.models=["forest"]',
        )  # fmt: skip

    def test_the_whole_pipeline(self, settings: Config, tmp_path: Path) -> None:
        config = mail.write_config(tmp_path / "small.toml", settings)
        result = submit("--master", "local[2]", "run", "--config", config)
        assert result.returncode == 0, result.stderr
        output = result.stdout + result.stderr  # spark-submit puts both of a driver's streams on its own first
        assert re.search(r"engine spark \S+: local\[2\], 2 cores", output), output
        assert "120 messages = " in output
        assert output.count(" published") == 7
        local = mailmill("run", "-c", config, "-e", "local", "-s", f"run.work={tmp_path / 'local'}")
        assert local.returncode == 0, local.stderr
        here = Job(settings).workspace
        there = Workspace(here.storage, str(tmp_path / "local"), here.settings)
        for name in ("raw", "clean", "rejects", "labels", "features", "scores"):
            assert here.manifest(name).fingerprint == there.manifest(name).fingerprint, name

    def test_exit_codes_pass_through(self, settings: Config, tmp_path: Path) -> None:
        config = mail.write_config(tmp_path / "small.toml", settings)
        typo = submit("run", "--config", config, "--set", "forest.tress=9")
        assert typo.returncode == 2, typo.stderr
        assert "did you mean forest.trees?" in typo.stdout + typo.stderr
        assert "Traceback" not in typo.stdout + typo.stderr
        missing = submit("clean", "--config", config)
        assert missing.returncode == 3, missing.stderr
        assert not list(tmp_path.rglob("_manifest.json"))
