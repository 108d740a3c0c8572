"""The exact argv of spark-submit and the exact request to EMR Serverless; pure functions of what was planned."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailmill.submit import connector
from mailmill.submit.environment import NAME, Environment
from mailmill.submit.request import Request

#: The interpreter as the workers see it, in the folder where Spark unpacks the archive.
PYTHON = f"./{NAME}/bin/python"
#: How the job's configuration is named: a word of its own after these, or joined to those.
CONFIG, JOINED = ("-c", "--config"), ("--config=", "-c")
#: The run's id, as the job finds it.
RUN = "MAILMILL_RUN_ID"


@dataclass(frozen=True)
class Command:
    """What is executed: variables of the environment, and the argv."""

    variables: dict[str, str]
    argv: list[str]

    def __str__(self) -> str:
        words = [f"{name}={shlex.quote(value)}" for name, value in self.variables.items()]
        return " ".join([*words, *map(shlex.quote, self.argv)])


def spark_submit(
    request: Request, program: str, environment: Environment | None, staged: str = "", home: Path | None = None
) -> Command:
    """The command for local, standalone and yarn.

    `environment`: None where the workers have mailmill. `staged`: the archive's s3:// URI where it was uploaded for
    YARN; else Spark's own distribution carries it, as it does the wheel. `home`: Spark's folder, which spark-submit
    would else look for with the driver's Python.
    """
    master = request.master or {"local": "local[*]", "yarn": "yarn"}.get(request.target, "")
    cluster = request.deploy_mode == "cluster"
    argv = [program, "--master", master]
    if request.target == "yarn":
        argv += ["--deploy-mode", request.deploy_mode]
    argv += ["--name", f"mailmill-{request.stage}"]
    variables = {"PYSPARK_PYTHON": request.python}
    properties: dict[str, str] = {}
    if environment is not None:
        if staged:  # by YARN's own property: spark-submit would look for --archives before it has a connector to S3
            properties["spark.yarn.dist.archives"] = f"{staged}#{NAME}"
        else:  # as a URI: of a path with a space Spark takes what follows "#" for a part of the file's name
            argv += ["--archives", f"{environment.archive.resolve().as_uri()}#{NAME}"]
        argv += ["--py-files", str(environment.wheel)] if environment.wheel else []
        variables = {"PYSPARK_PYTHON": PYTHON, "PYSPARK_DRIVER_PYTHON": PYTHON if cluster else str(environment.python)}
        properties |= worker_python(request)
        variables |= {"SPARK_HOME": str(home)} if home else {}
    if request.target != "local":
        properties[f"spark.executorEnv.{RUN}"] = request.run_id
    if request.target == "yarn":
        properties[f"spark.yarn.appMasterEnv.{RUN}"] = request.run_id
        properties["spark.yarn.submit.waitAppCompletion"] = "true"
        properties["spark.yarn.am.waitTime"] = "300s"  # a second attempt waits for the first one's lease, then begins
    if request.s3a:
        properties |= connector.properties(connector.hadoop_version(home)) | connector.reach(
            request.endpoint, request.region
        )
    variables[RUN] = request.run_id
    arguments, files = job_arguments(request) if cluster else (list(request.arguments), [])
    if files:
        argv += ["--files", ",".join(files)]
    for name, value in properties.items():
        argv += ["--conf", f"{name}={value}"]
    for pair in request.conf:
        argv += ["--conf", pair]
    return Command(variables, [*argv, *request.extra, str(request.job), *arguments])


def worker_python(request: Request) -> dict[str, str]:
    """The properties that make every process of the target take the archive's interpreter."""
    if request.target == "emr-serverless":
        return {
            "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": PYTHON,
            "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": PYTHON,
            "spark.executorEnv.PYSPARK_PYTHON": PYTHON,
        }
    found = {"spark.executorEnv.PYSPARK_PYTHON": PYTHON}
    if request.target == "yarn":
        found |= {
            "spark.yarn.appMasterEnv.PYSPARK_PYTHON": PYTHON,
            "spark.yarn.appMasterEnv.PYSPARK_DRIVER_PYTHON": PYTHON,
        }
    return found


def job_arguments(request: Request) -> tuple[list[str], list[str]]:
    """The job's arguments for a driver on another machine, and the local files that it is sent: its configuration."""
    arguments, files = list(request.arguments), []
    for at, word in enumerate(arguments):
        before = request.arguments[at - 1] if at else ""
        joined = (name for name in JOINED if word.startswith(name) and word != name)
        option = "" if before in CONFIG else next(joined, None)
        if option is not None and "://" not in (path := word[len(option) :]):
            files.append(path)
            arguments[at] = option + Path(path).name
    return arguments, files


def serverless_request(request: Request, uris: dict[str, str], arguments: list[str]) -> dict[str, Any]:
    """StartJobRun's request. `uris`: "archive" (absent: none is sent), "wheel" (absent: the archive holds the
    code) and "job", each on S3.

    The client token is the run's id and the stage: EMR starts a token's job once, however often it is asked.
    """
    properties: dict[str, str] = {}
    if "archive" in uris:
        properties["spark.archives"] = f"{uris['archive']}#{NAME}"
        properties |= {"spark.submit.pyFiles": uris["wheel"]} if "wheel" in uris else {}
        properties |= worker_python(request)
    properties[f"spark.emr-serverless.driverEnv.{RUN}"] = request.run_id
    properties[f"spark.executorEnv.{RUN}"] = request.run_id
    pairs = [f"{name}={value}" for name, value in properties.items()] + list(request.conf)
    words = [word for pair in pairs for word in ("--conf", shlex.quote(pair) if re.search(r"[\s'\"]", pair) else pair)]
    return {
        "applicationId": request.application,
        "clientToken": request.token,
        "executionRoleArn": request.role,
        "name": f"mailmill-{request.stage}",
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": uris["job"],
                "entryPointArguments": arguments,
                "sparkSubmitParameters": " ".join([*words, *request.extra]),
            }
        },
        "configurationOverrides": {
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"{request.staging.rstrip('/')}/logs/"}}
        },
        "retryPolicy": {"maxAttempts": 2},
    }
