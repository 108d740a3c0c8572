"""The command line of spark-submit.sh, and the exact commands and requests that come of it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from mailmill.config import RunSection
from mailmill.errors import ConfigError, InfrastructureError
from mailmill.submit import commands, connector, environment, running, staging
from mailmill.submit.request import Request, parse
from tests.conftest import ROOT

SERVERLESS = ["--target", "emr-serverless", "--application-id", "00fabc", "--region", "eu-central-1",
              "--role", "arn:aws:iam::123456789012:role/mailmill", "--staging", "s3://bucket/prefix/"]  # fmt: skip


def request(*arguments: str) -> Request:
    return parse(list(arguments), ROOT)


def argv(*arguments: str) -> commands.Command:
    asked = request(*arguments)
    return commands.spark_submit(asked, "spark-submit", environment.plan(asked) if asked.packs else None)


def properties(command: commands.Command) -> dict[str, str]:
    pairs = [b for a, b in zip(command.argv, command.argv[1:], strict=False) if a == "--conf"]
    return dict(pair.split("=", 1) for pair in pairs)


def body(*arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert running.submit(request(*SERVERLESS, "--dry-run", *arguments)) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_local_sends_nothing() -> None:
    command = argv("--conf", "spark.a=b c", "train", "--config", "conf/x y.toml")
    assert "--archives" not in command.argv
    assert properties(command)["spark.a"] == "b c"
    assert command.argv[-3:] == [str(ROOT / "jobs" / "train.py"), "--config", "conf/x y.toml"]
    assert shlex.split(str(command))[len(command.variables) :] == command.argv


def test_standalone_workers_run_the_archive_and_the_driver_its_verified_copy() -> None:
    command = argv("--target", "standalone", "--master", "spark://h:7077", "run", "--config", "x.toml")
    at = command.argv.index("--archives")
    assert command.argv[at + 1].endswith(".tar.gz#environment")
    assert command.variables["PYSPARK_PYTHON"] == "./environment/bin/python"
    assert command.variables["PYSPARK_DRIVER_PYTHON"].endswith("/environment/bin/python")
    assert Path(command.variables["PYSPARK_DRIVER_PYTHON"]).is_absolute()
    assert properties(command)["spark.executorEnv.PYSPARK_PYTHON"] == "./environment/bin/python"


def test_an_archive_below_a_folder_with_a_space(tmp_path: Path) -> None:
    """Spark looked for a file whose name ends with "#environment"."""
    folder = tmp_path / "a b é"
    parts = environment.Environment(folder / "e.tar.gz", folder / "m.zip", folder / "environment")
    asked = request("--target", "standalone", "--master", "spark://h:7077", "run")
    command = commands.spark_submit(asked, "spark-submit", parts)
    uri = command.argv[command.argv.index("--archives") + 1]
    assert uri == f"{tmp_path.resolve().as_uri()}/a%20b%20%C3%A9/e.tar.gz#environment"
    assert command.argv[command.argv.index("--py-files") + 1] == str(folder / "m.zip")


def test_a_compiled_environment_holds_the_code() -> None:
    """Python imports no compiled module from a zip."""
    command = argv("--target", "standalone", "--master", "spark://h:7077", "--compiled", "run", "--config", "x.toml")
    assert "--archives" in command.argv
    assert "--py-files" not in command.argv


def test_yarn_cluster_sends_the_configuration_along() -> None:
    command = argv("--target", "yarn", "--deploy-mode", "cluster", "run", "--config=conf/emr.toml", "-s", "run.seed=2")
    assert command.argv[command.argv.index("--files") + 1] == "conf/emr.toml"
    assert command.argv[-3:] == ["--config=emr.toml", "-s", "run.seed=2"]
    found = properties(command)
    for name in ("spark.yarn.appMasterEnv.PYSPARK_PYTHON", "spark.yarn.appMasterEnv.PYSPARK_DRIVER_PYTHON",
                 "spark.executorEnv.PYSPARK_PYTHON"):  # fmt: skip
        assert found[name] == "./environment/bin/python"
    assert int(found["spark.yarn.am.waitTime"].removesuffix("s")) > 2 * RunSection().lease_seconds, "it waits for it"
    assert command.variables["PYSPARK_DRIVER_PYTHON"] == "./environment/bin/python"
    client = argv("--target", "yarn", "run", "--config", "conf/emr.toml")
    assert "--files" not in client.argv
    assert client.argv[-1] == "conf/emr.toml"


def test_yarn_without_an_environment_of_our_own() -> None:
    command = argv("--target", "yarn", "--no-environment", "run")
    assert "--archives" not in command.argv
    assert not any("PYSPARK_PYTHON" in name for name in properties(command))


def test_a_staged_archive_is_named_by_its_uri_to_yarn_alone() -> None:
    """spark-submit looks at what `--archives` names before `--packages` has brought it a connector to S3."""
    asked = request("--target", "yarn", "--staging", "s3://b/p", "run")
    parts = environment.plan(asked)
    command = commands.spark_submit(asked, "spark-submit", parts, f"s3://b/p/{parts.archive.name}")
    assert properties(command)["spark.yarn.dist.archives"] == f"s3://b/p/{parts.archive.name}#environment"
    assert "--archives" not in command.argv
    assert command.argv[command.argv.index("--py-files") + 1] == str(parts.wheel)


def test_the_request_to_emr_serverless_is_one_that_the_sdk_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.submit.models import validate

    found = body("--run-id", "night-1", "clean", "--config", "conf/emr.toml", capsys=capsys)
    validate("emr-serverless", "StartJobRun", found)
    assert found["clientToken"] == "night-1-clean"
    spark = found["jobDriver"]["sparkSubmit"]
    assert spark["entryPoint"] == "s3://bucket/prefix/clean.py"
    option, config = spark["entryPointArguments"]
    assert option == "--config"
    assert config.startswith("s3://bucket/prefix/")
    assert config.endswith("-emr.toml")
    words = shlex.split(spark["sparkSubmitParameters"])
    pairs = dict(word.split("=", 1) for word in words if word != "--conf")
    python = "./environment/bin/python"
    assert pairs["spark.emr-serverless.driverEnv.PYSPARK_PYTHON"] == python
    assert pairs["spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON"] == python
    assert pairs["spark.executorEnv.PYSPARK_PYTHON"] == python
    assert pairs["spark.archives"].endswith("#environment")
    assert pairs["spark.submit.pyFiles"].endswith(".zip")
    found = body("--run-id", "night-1", "--compiled", "clean", "--config", "conf/emr.toml", capsys=capsys)
    validate("emr-serverless", "StartJobRun", found)
    assert "spark.archives" in found["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]
    assert "pyFiles" not in found["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]


def test_a_schedule_gets_the_names_that_a_submission_has(capsys: pytest.CaptureFixture[str]) -> None:
    job = ["clean", "--config", "conf/emr.toml"]
    spark = body(*job, capsys=capsys)["jobDriver"]["sparkSubmit"]
    assert running.submit(request(*SERVERLESS, "--upload-only", "--dry-run", *job)) == 0
    named = json.loads(capsys.readouterr().out)
    assert named["application_id"] == "00fabc"
    assert f"{named['staging']}/{named['config']}" == spark["entryPointArguments"][-1]
    assert f"spark.archives={named['staging']}/{named['archive']}#environment" in spark["sparkSubmitParameters"]
    assert f"spark.submit.pyFiles={named['staging']}/{named['wheel']}" in spark["sparkSubmitParameters"]
    yarn = ["--target", "yarn", "--staging", "s3://bucket/prefix", "--upload-only", "--dry-run", "--compiled", "run"]
    assert running.submit(request(*yarn)) == 0
    named = json.loads(capsys.readouterr().out)
    assert set(named) == {"staging", "archive", "wheel"}
    assert named["wheel"] == "", "a compiled archive holds the code"


@pytest.mark.parametrize("words", [["-c", "{}"], ["-c{}"], ["--config={}"], ["--config", "{}"]])
def test_a_configuration_is_sent_however_it_is_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    spark = body("clean", *(word.format("conf/emr.toml") for word in words), capsys=capsys)["jobDriver"]["sparkSubmit"]
    option, _, uri = "".join(spark["entryPointArguments"]).partition("s3://")
    assert option == "".join(words).format("")
    assert uri.startswith("bucket/prefix/")
    assert uri.endswith("-emr.toml")


def test_the_staging_prefix_has_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [*SERVERLESS[:-1], "s3://bucket//x//", "--dry-run", "clean"]
    assert running.submit(request(*asked)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["jobDriver"]["sparkSubmit"]["entryPoint"] == "s3://bucket/x/clean.py"


def test_the_same_run_and_stage_has_the_same_token(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (body("--run-id", "n", "clean", capsys=capsys)["clientToken"] for _ in range(2))
    assert one == two != body("--run-id", "n", "train", capsys=capsys)["clientToken"]


def test_the_sdk_refuses_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.submit.models import validate

    found = body("clean", capsys=capsys)
    with pytest.raises(AssertionError, match="jobDrivers"):
        validate("emr-serverless", "StartJobRun", {**found, "jobDrivers": {}})
    with pytest.raises(AssertionError, match="applicationId"):
        validate("emr-serverless", "StartJobRun", {k: v for k, v in found.items() if k != "applicationId"})


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--target", "standalone", "--master", "spark://h:1", "--deploy-mode", "cluster", "run"], "no cluster mode"),
        (["--target", "yarn", "--upload-only", "run"], "needs --staging"),
        (["--target", "yarn", "--staging", "s3://b/p", "--upload-only", "--no-environment", "run"], "nothing"),
        (["--target", "emr-serverless", "run"], "--application-id"),
        ([*SERVERLESS[:-2], "run"], "--staging"),
        (["--staging", "hdfs://x", "run"], "s3:// prefix"),
        (["--target", "yarn", "--staging", "s3:///bucket/p", "run"], "s3://BUCKET"),
        (["--target", "yarn", "--staging", "s3://", "run"], "s3://BUCKET"),
        (["--target", "standalone", "--master", "spark://h:1", "--staging", "s3://b/p", "run"], "the driver itself"),
        (["--conf", "novalue", "run"], "key=value"),
        (["--run-id", "a b", "run"], "--run-id"),
        (["--run-id", "n" * 49, "run"], "at most 48"),
        ([*SERVERLESS, "--s3a", "run"], "EMR has its own"),
        (["--compiled", "run"], "make compiled"),
        (["--target"], "needs a value"),
        (["--deploy-mode", "sideways", "run"], "client or cluster"),
    ],
)
def test_refuses(arguments: list[str], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        request(*arguments)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Final app status: FAILED, exitCode: 13, (reason: User application exited with status 3)", 3),
        ("org.apache.spark.SparkUserAppException: User application exited with 4", 4),
        ("Application application_1 finished with failed status", None),
    ],
)
def test_the_jobs_exit_code_is_read_from_the_cluster(line: str, code: int | None) -> None:
    assert running.exit_code(line) == code


class Serverless:
    """A client of EMR Serverless that answers with these states, one after the other."""

    def __init__(self, *states: str, details: str = "") -> None:
        self.states, self.details = list(states), details

    def get_job_run(self, **_: str) -> dict[str, Any]:
        state = self.states.pop(0)
        if state in ("no answer", "403", "503"):
            error = ConnectionError(state)
            if state != "no answer":  # as botocore says it
                error.response = {"ResponseMetadata": {"HTTPStatusCode": int(state)}}  # type: ignore[attr-defined]
            raise error
        return {"jobRun": {"state": state, "stateDetails": self.details}}


def test_following_a_job_run_to_its_end() -> None:
    assert running.follow(Serverless("SUBMITTED", "RUNNING", "SUCCESS"), "a", "r", pause=0) == 0
    assert running.follow(Serverless("RUNNING", "FAILED", details="no capacity"), "a", "r", pause=0) == 4
    failed = Serverless("FAILED", details="User application exited with status 3")
    assert running.follow(failed, "a", "r", pause=0) == 3


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("sys.exit('User application exited with status 3')", 3),
        ("sys.exit('it was not told')", 4),  # no ResourceManager answers, or the driver's container was killed
        ("sys.exit('User application exited with status 1')", 1),
        ("sys.exit(2)", 2),
        ("print('User application exited with status 3', file=sys.stderr)", 0),
        ("os.kill(os.getpid(), 15)", 143),
    ],
)
def test_a_client_on_yarn_ends_with_the_jobs_exit_code(
    program: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.signal, "signal", lambda *_: None)
    argv = [sys.executable, "-c", f"import os, sys; {program}"]
    assert running._execute(argv, dict(os.environ), follow=True) == code


def test_an_answer_that_does_not_come_is_asked_for_again() -> None:
    """The job runs on: a retry would meet its lease."""
    now_and_then = Serverless(*["no answer", "RUNNING"] * 40, "SUCCESS")
    assert running.follow(now_and_then, "a", "r", pause=0) == 0
    assert running.follow(Serverless("RUNNING", "no answer", "503", "SUCCESS"), "a", "r", pause=0) == 0
    with pytest.raises(InfrastructureError, match="GetJobRun"):
        running.follow(Serverless("RUNNING", *["no answer"] * 100), "a", "r", pause=0)
    refusing = Serverless("403", "403")
    with pytest.raises(InfrastructureError, match="GetJobRun"):
        running.follow(refusing, "a", "r", pause=0)
    assert refusing.states == ["403"], "what is not allowed was asked for again"


@pytest.mark.parametrize(("name", "value"), [("AWS_ENDPOINT_URL", "localhost:8333"), ("AWS_PROFILE", "nobodys")])
def test_an_environment_that_botocore_refuses(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^emr-serverless: .*{value}"):
        staging.connect("emr-serverless")


@pytest.mark.parametrize("staging", ["s3://AKIA:Tell/no-1@bucket/p", "s3a://Tell-no-1@bucket/p"])
def test_credentials_in_an_address_are_refused_and_not_shown(staging: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^--staging holds credentials, which come from [^1]*$"):
        request("--target", "yarn", "--staging", staging, "run")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://user:Tell-no-1@h")
    with pytest.raises(ConfigError, match=r"^AWS_ENDPOINT_URL holds credentials, which come from [^1]*$"):
        request("run")


def test_the_connector_is_of_sparks_own_hadoop(tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    asked = request("--target", "yarn", "--s3a", "--region", "eu-central-1", "run")
    with pytest.raises(ConfigError, match="--s3a: no Hadoop client"):
        commands.spark_submit(asked, "spark-submit", None, home=tmp_path)
    (tmp_path / "jars" / "hadoop-client-api-3.4.2.jar").touch()
    found = properties(commands.spark_submit(asked, "spark-submit", None, home=tmp_path))
    packages = found["spark.jars.packages"].split(",")
    assert packages[0] == "org.apache.hadoop:hadoop-aws:3.4.2"
    assert "software.amazon.awssdk:s3-transfer-manager:2.29.52" in packages
    assert "software.amazon.awssdk:bundle" in found["spark.jars.excludes"].split(",")
    assert found["spark.hadoop.fs.s3.impl"].endswith("S3AFileSystem")
    assert found["spark.hadoop.fs.s3a.endpoint.region"] == "eu-central-1"
    assert "spark.hadoop.fs.s3a.endpoint" not in found


def test_another_hadoop_brings_its_whole_sdk() -> None:
    found = connector.properties("3.3.4")
    assert found["spark.jars.packages"] == "org.apache.hadoop:hadoop-aws:3.3.4"
    assert "software.amazon.awssdk:bundle" not in found["spark.jars.excludes"]


def test_another_server_than_awss_is_addressed_by_path() -> None:
    found = connector.reach("http://h:8333", "")
    assert found["spark.hadoop.fs.s3a.endpoint"] == "http://h:8333"
    assert found["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert found["spark.hadoop.fs.s3a.endpoint.region"] == "us-east-1"


def test_yarns_containers_do_not_see_this_checkout() -> None:
    here = {"PYTHONPATH": f"{ROOT / 'lib'}:/opt/theirs", "HOME": "/root"}
    assert running.without_our_code(here, ROOT / "lib") == {"PYTHONPATH": "/opt/theirs", "HOME": "/root"}
    assert running.without_our_code({"PYTHONPATH": str(ROOT / "lib")}, ROOT / "lib") == {}
