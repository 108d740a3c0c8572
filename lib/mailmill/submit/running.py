"""Start the job, follow it, and end with its own exit code, wherever its driver ran."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailmill.errors import EXIT_UNEXPECTED, InfrastructureError
from mailmill.submit import commands, environment, preflight, staging
from mailmill.submit.request import Request

#: YARN's client knows only "failed"; the application's own exit code stands in what it prints.
_EXIT = re.compile(r"[Uu]ser application exited with (?:status |code )?(\d+)")
_APPLICATION = re.compile(r"\bapplication_\d+_\d+\b")
FINAL = {"SUCCESS", "FAILED", "CANCELLED", "CANCELLING"}
POLL_SECONDS = 10.0
#: Failing answers in a row that are asked again.
_PATIENCE = 30


def submit(request: Request) -> int:
    """Prepare, check and start what is asked for; the job's exit code. A dry run prints instead."""
    preflight.check_files(request)
    if request.upload_only:
        return _upload(request)
    if request.target == "emr-serverless":
        return _serverless(request)
    machine = preflight.look(request)
    parts = environment.plan(request) if request.packs else None
    if request.dry_run:
        print(commands.spark_submit(request, machine.spark_submit, parts, _planned(request, parts), machine.home))
        return 0
    preflight.check(machine, request)
    staged = ""
    if parts is not None:
        bucket = staging.Staging(request) if request.staging else None
        if bucket:
            bucket.check()  # before minutes of building
        parts = environment.build(request, _say)
        preflight.check_environment(parts, machine)
        if bucket:
            staged = bucket.put(parts.archive, parts.archive.name)
    command = commands.spark_submit(request, machine.spark_submit, parts, staged, machine.home)
    variables = os.environ | command.variables
    if request.packs:
        variables = without_our_code(variables, request.root / "lib")
    return _execute(command.argv, variables, request.target == "yarn" and request.deploy_mode == "cluster")


def without_our_code(variables: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment with `folder` off PYTHONPATH, which Spark hands on to YARN's containers: they have the wheel."""
    kept = [place for place in variables.get("PYTHONPATH", "").split(os.pathsep) if place and Path(place) != folder]
    rest = {name: value for name, value in variables.items() if name != "PYTHONPATH"}
    return rest | ({"PYTHONPATH": os.pathsep.join(kept)} if kept else {})


def exit_code(text: str) -> int | None:
    """The exit code of the job that a line of the cluster's speaks of."""
    found = _EXIT.search(text)
    return int(found[1]) if found else None


def _execute(argv: list[str], variables: dict[str, str], follow: bool) -> int:
    """Become it, so that a scheduler's signals and exit codes are its own.

    `follow`: the driver is elsewhere, and its exit code is read out of the client's own words.
    """
    if not follow:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would what it becomes
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(argv[0], argv, variables)  # noqa: S606 - does not return
    told, application = None, ""
    with subprocess.Popen(argv, env=variables, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda struck, _: process.send_signal(struck))
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            told = exit_code(line) or told
            application = "".join(_APPLICATION.findall(line)[:1]) or application
    if process.returncode and application:
        _say(f"the driver ran in the cluster; its log: yarn logs -applicationId {application}")
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode  # as a shell says it
    if code and told:
        return told
    return InfrastructureError.exit_code if code == EXIT_UNEXPECTED else code  # the client's for all that is YARN's


def _planned(request: Request, parts: environment.Environment | None) -> str:
    """The URI that the archive will have, without asking S3; "" where it is not staged."""
    return f"{request.staging.rstrip('/')}/{parts.archive.name}" if parts and request.staging else ""


@dataclass(frozen=True)
class _Uploads:
    """What a job on EMR fetches from S3: local files by the names that they have below --staging.

    `arguments`: the job's, with the URI where they name a file that is sent.
    """

    parts: environment.Environment | None
    files: dict[str, str]
    arguments: list[str]

    @staticmethod
    def of(request: Request) -> _Uploads:
        arguments, files = commands.job_arguments(request)
        # A name of its content: another run's configuration never takes the place of this one's.
        names = {file: f"{environment.sha256(Path(file))[:16]}-{Path(file).name}" for file in files}
        prefix = request.staging.rstrip("/")
        arguments = [_at(word, files, names, prefix) for word in arguments]
        return _Uploads(environment.plan(request) if request.packs else None, names, arguments)

    def put(self, request: Request, jobs: Iterable[Path]) -> None:
        """Build what is not built yet, and upload what is not there yet."""
        bucket = staging.Staging(request)
        bucket.check()  # before minutes of building
        for path in jobs:
            bucket.put(path, path.name)
        for file, name in self.files.items():
            bucket.put(Path(file), name)
        if self.parts is not None:
            built = environment.build(request, _say)
            for path in filter(None, (built.archive, built.wheel)):
                bucket.put(path, path.name)

    @property
    def names(self) -> dict[str, str]:
        """Those of the archive, of the wheel ("": the archive holds the code) and of the configuration, where sent."""
        found = {"config": name} if (name := next(iter(self.files.values()), "")) else {}
        if self.parts is not None:
            found["archive"] = self.parts.archive.name
            found["wheel"] = self.parts.wheel.name if self.parts.wheel else ""
        return found


def _upload(request: Request) -> int:
    """Everything that a scheduler's jobs fetch; the Airflow variable `mailmill` of `conf/schedule/` on stdout."""
    uploads = _Uploads.of(request)
    if not request.dry_run:
        uploads.put(request, sorted(request.job.parent.glob("*.py")))
    known = {"application_id": request.application, "role": request.role, "staging": request.staging.rstrip("/")}
    print(json.dumps({name: value for name, value in known.items() if value} | uploads.names))
    return 0


def _serverless(request: Request) -> int:
    uploads = _Uploads.of(request)
    prefix = request.staging.rstrip("/")
    planned = {role: f"{prefix}/{name}" for role, name in uploads.names.items() if name and role != "config"}
    planned["job"] = f"{prefix}/{request.job.name}"
    body = commands.serverless_request(request, planned, uploads.arguments)
    if request.dry_run:
        print(json.dumps(body, indent=2))
        return 0
    uploads.put(request, [request.job])
    client = staging.connect("emr-serverless", request.region)
    started = staging.with_action(
        "emr-serverless:StartJobRun", request.application, lambda: client.start_job_run(**body)
    )
    _say(f"job run {started['jobRunId']} of application {request.application} (token {request.token})")
    return 0 if request.no_wait else follow(client, request.application, started["jobRunId"])


def _at(word: str, files: list[str], names: dict[str, str], prefix: str) -> str:
    """An argument that names a sent file, as the URI that the driver reads it from."""
    for file in files:
        for option in ("", *commands.JOINED):
            if word == option + Path(file).name:
                return f"{option}{prefix}/{names[file]}"
    return word


def follow(client: Any, application: str, run: str, pause: float = POLL_SECONDS) -> int:
    """Wait for a job run of EMR Serverless; its exit code: 0, the job's own where EMR tells it, else 4."""
    state, failures = "", 0
    while state not in FINAL:
        try:
            found = staging.with_action(
                "emr-serverless:GetJobRun",
                application,
                lambda: client.get_job_run(applicationId=application, jobRunId=run),
            )["jobRun"]
        except InfrastructureError as error:  # the job runs on: a retry would meet its lease
            failures += 1
            if failures > _PATIENCE or staging.is_forbidden(error):
                raise
            _say(f"{error.message}; asking again")
            time.sleep(pause)
            continue
        failures = 0
        if found["state"] != state:
            state = found["state"]
            _say(f"{run} {state.lower()}")
        if state not in FINAL:
            time.sleep(pause)
    if state == "SUCCESS":
        return 0
    details = str(found.get("stateDetails", ""))
    _say(f"{run} {state.lower()}: {details[:300]}")
    return exit_code(details) or InfrastructureError.exit_code


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
