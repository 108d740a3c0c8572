"""What is submitted and where to: the command line of `spark-submit.sh` as one frozen object, refused early."""

from __future__ import annotations

import os
import re
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from mailmill.errors import ConfigError

USAGE = """
Submit a stage of mailmill to Spark.

  ./spark-submit.sh [OPTIONS] STAGE --config conf/x.toml [OPTIONS OF THE JOB]

STAGE is a file of jobs/; what follows it goes to the job, whose exit code is this script's.

  --target NAME         local (default), standalone, yarn (EMR on EC2) or emr-serverless
  --master URL          Spark's master; standalone needs one, spark://HOST:7077
  --deploy-mode MODE    yarn: client (default) or cluster
  --staging s3://...    yarn: where the environment goes, once; emr-serverless: and the code and the configuration
  --application-id ID   emr-serverless: the application
  --role ARN            emr-serverless: the job's role
  --region NAME         emr-serverless: the region
  --extras LIST         extras of mailmill in the environment  [glove]
  --compiled            cleaning compiled: half as fast again; needs a C compiler here, and a new archive per change
  --conf KEY=VALUE      a property of Spark; repeatable
  --run-id ID           names this run; with the stage it makes the idempotency token
  --s3a                 Spark itself reads s3:// too: Hadoop's connector, from Maven Central (EMR has its own)
  --no-environment      the cluster's machines have mailmill installed already
  --no-wait             emr-serverless: do not wait for the end
  --upload-only         put environment, code, jobs and configuration below --staging for a scheduler, print their
                        names as JSON, and start nothing
  --dry-run             print the exact command, or the exact request, and stop

SPARK_SUBMIT_OPTS_EXTRA adds options to spark-submit itself. SPARK_HOME and PYSPARK_PYTHON are heeded.
"""
TARGETS = ("local", "standalone", "yarn", "emr-serverless")
_VALUES = {
    "--target": "target", "--master": "master", "--deploy-mode": "deploy_mode", "--staging": "staging",
    "--application-id": "application", "--role": "role", "--region": "region", "--run-id": "run_id",
    "--extras": "extras",
}  # fmt: skip
_FLAGS = {
    "--dry-run": "dry_run", "--no-environment": "bare", "--compiled": "compiled", "--s3a": "s3a",
    "--no-wait": "no_wait", "--upload-only": "upload_only",
}  # fmt: skip

#: Credentials before a bucket's name. An access point's name has colons, too.
_LOGIN = re.compile(r"\w+://(?!arn:)(?:[^/:]*:.*|[^/]*)@")


@dataclass(frozen=True)
class Request:
    """One submission. `root`: the project's folder; `python`: the driver's, where it runs on this machine;
    `endpoint`: of S3, where it is not AWS's, as botocore finds it.
    """

    root: Path
    stage: str
    arguments: tuple[str, ...]
    target: str = "local"
    master: str = ""
    deploy_mode: str = "client"
    staging: str = ""
    application: str = ""
    role: str = ""
    region: str = ""
    run_id: str = ""
    extras: str = "glove"
    conf: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    dry_run: bool = False
    bare: bool = False
    compiled: bool = False
    s3a: bool = False
    no_wait: bool = False
    upload_only: bool = False
    endpoint: str = field(
        default_factory=lambda: os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    )
    python: str = field(default_factory=lambda: os.environ.get("PYSPARK_PYTHON") or sys.executable)

    @property
    def job(self) -> Path:
        """The file of the stage."""
        return self.root / "jobs" / f"{self.stage}.py"

    @property
    def packs(self) -> bool:
        """Whether the cluster is sent an environment."""
        return self.target != "local" and not self.bare

    @property
    def token(self) -> str:
        """The idempotency token: the same run and stage is one job, however often it is submitted."""
        return f"{self.run_id}-{self.stage}"


def parse(arguments: list[str], root: Path | None = None) -> Request:
    """The request that a command line makes. Raises ConfigError, in one line, where it makes none."""
    root = root or Path(os.environ.get("MAILMILL_HOME") or Path(__file__).parents[3])
    values: dict[str, str] = {}
    flags: set[str] = set()
    conf: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        if option in _FLAGS and not equals:
            flags.add(_FLAGS[option])
            continue
        if option not in _VALUES and option != "--conf":
            _refuse(f"unknown option {option} (options of the job come after the stage)")
        if not equals:
            if not rest:
                _refuse(f"{option} needs a value")
            value = rest.pop(0)
        if option == "--conf":
            conf.append(value)
        else:
            values[_VALUES[option]] = value
    stages = sorted(path.stem for path in (root / "jobs").glob("*.py"))
    if not rest:
        _refuse(f"name a stage: {' '.join(stages)}")
    stage, *following = rest
    if stage not in stages:
        _refuse(f"no stage {stage} in jobs/")
    values.setdefault("run_id", f"run-{uuid.uuid4().hex[:16]}")
    if "staging" in values:  # what is put there and what jobs are told are one name
        values["staging"] = re.sub(r"(?<![:/])/+", "/", values["staging"]).rstrip("/")
    request = Request(
        root=root,
        stage=stage,
        arguments=tuple(following),
        conf=tuple(conf),
        extra=tuple(os.environ.get("SPARK_SUBMIT_OPTS_EXTRA", "").split()),
        dry_run="dry_run" in flags,
        bare="bare" in flags,
        compiled="compiled" in flags,
        s3a="s3a" in flags,
        no_wait="no_wait" in flags,
        upload_only="upload_only" in flags,
        **values,
    )
    _check(request)
    return request


def _check(request: Request) -> None:
    target = request.target
    if target not in TARGETS:
        _refuse(f"unknown target {target} ({', '.join(TARGETS[:-1])} or {TARGETS[-1]})")
    if target == "standalone" and not request.master.startswith("spark://"):
        _refuse("--target standalone needs --master spark://HOST:7077")
    if request.deploy_mode not in ("client", "cluster"):
        _refuse(f"--deploy-mode {request.deploy_mode}: client or cluster")
    if request.deploy_mode == "cluster" and target in ("local", "standalone"):
        _refuse(f"Spark has no cluster mode for Python on {target}: use client mode")
    if request.compiled and not request.packs:
        _refuse("--compiled is of the environment that is sent: for this machine, run make compiled")
    for name, login in {
        "AWS_ENDPOINT_URL": "@" in request.endpoint,
        "--staging": _LOGIN.match(request.staging),
    }.items():
        if login:
            _refuse(
                f"{name} holds credentials, which come from the environment, a profile or the instance's role alone"
            )
    if request.staging and not re.match("s3://[^/]", request.staging):
        _refuse(f"--staging {request.staging}: an s3:// prefix, s3://BUCKET/...")
    if request.staging and target in ("local", "standalone"):
        _refuse(f"--staging is for yarn and emr-serverless: on {target} the driver itself serves the environment")
    if request.upload_only and not request.staging:
        _refuse("--upload-only needs --staging, and --target yarn or emr-serverless")
    if request.upload_only and request.bare:
        _refuse("--upload-only and --no-environment: there is nothing that a schedule would fetch")
    if target == "emr-serverless":
        if request.s3a:
            _refuse("--s3a is for a Spark without a connector to S3: EMR has its own")
        for name in ("staging",) if request.upload_only else ("application", "role", "staging"):
            if not getattr(request, name):
                option = next(option for option, field in _VALUES.items() if field == name)
                _refuse(f"--target emr-serverless needs {option}")
    for pair in request.conf:
        if not re.fullmatch(r"[\w.\-]+=.*", pair, re.DOTALL):
            _refuse(f"--conf {pair}: not of the form key=value")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,48}", request.run_id):
        _refuse(f"--run-id {request.run_id}: letters, digits, dot, dash and underscore, at most 48")


def _refuse(message: str) -> NoReturn:
    raise ConfigError(message)
