"""What can be known to fail before anything is started: versions against each other, and what is missing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mailmill import resources
from mailmill.errors import ConfigError
from mailmill.submit.commands import job_arguments
from mailmill.submit.environment import Environment
from mailmill.submit.request import Request

#: Spark's minor version -> (oldest Java, oldest and newest Python) that it supports, by its own documentation.
SUPPORTED = {
    (3, 5): (8, (3, 8), (3, 11)),
    (4, 0): (17, (3, 9), (3, 13)),
    (4, 1): (17, (3, 10), (3, 14)),
}


@dataclass(frozen=True)
class Machine:
    """What was found here: the command spark-submit, and the versions of Spark, Java and Python; None: not found."""

    spark_submit: str
    spark: tuple[int, int] | None
    java: int | None
    python: tuple[int, int] | None
    home: Path | None = None


def check_files(request: Request) -> None:
    """Raise ConfigError where the job's configuration is not there: the driver would say so minutes later."""
    for file in job_arguments(request)[1]:
        if not Path(file).is_file():
            raise ConfigError(f"configuration {file} does not exist", hint="see conf/ for examples")


def look(request: Request) -> Machine:
    """What this machine has. Raises ConfigError where there is no spark-submit."""
    given = os.environ.get("SPARK_HOME")
    beside = Path(request.python).with_name("spark-submit")
    choices = [Path(given, "bin", "spark-submit")] if given else [beside]
    found = next((str(path) for path in choices if os.access(path, os.X_OK)), None) or shutil.which("spark-submit")
    if not found:
        raise ConfigError("spark-submit not found: pip install 'mailmill[spark]', or set SPARK_HOME")
    home = spark_home(found)
    return Machine(found, spark_version(home), resources.java_version(), python_version(request.python), home)


def spark_home(spark_submit: str) -> Path | None:
    """The folder of Spark that a spark-submit belongs to; pip's lies in site-packages/pyspark."""
    if home := os.environ.get("SPARK_HOME"):
        return Path(home)
    submit = Path(spark_submit)
    for folder in (submit.resolve().parents[1], *submit.parents[1].glob("lib/python*/site-packages/pyspark")):
        if (folder / "jars").is_dir():
            return folder
    usual = Path("/usr/lib/spark")  # EMR's
    return usual if usual.is_dir() else None


def spark_version(home: Path | None) -> tuple[int, int] | None:
    """(major, minor), from the name of Spark's own jar: starting Spark to ask takes seconds."""
    for jar in sorted(home.glob("jars/spark-core_*.jar")) if home else ():
        if found := re.search(r"spark-core_[\d.]+-(\d+)\.(\d+)", jar.name):
            return int(found[1]), int(found[2])
    return None


def python_version(python: str) -> tuple[int, int] | None:
    """(major, minor) of an interpreter."""
    program = "import sys; print(*sys.version_info[:2])"
    try:
        output = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor = output.stdout.split()
    return int(major), int(minor)


def check(machine: Machine, request: Request) -> None:
    """Raise ConfigError, in plain words, where Spark, Java and Python do not go together."""
    if machine.python is None:
        raise ConfigError(f"no Python at {request.python}", hint="set PYSPARK_PYTHON")
    if machine.java is None:
        raise ConfigError("no Java was found", hint="install a JDK (17 for Spark 4) and set JAVA_HOME")
    if machine.spark not in SUPPORTED:
        return  # a Spark that is newer than this list: it will say so itself
    java, oldest, newest = SUPPORTED[machine.spark]
    name = "Spark " + _dotted(machine.spark)
    if machine.java < java:
        raise ConfigError(f"{name} needs Java {java} or newer; found Java {machine.java}", hint="set JAVA_HOME")
    if not oldest <= machine.python <= newest:
        raise ConfigError(
            f"{name} runs Python {_dotted(oldest)} to {_dotted(newest)}; {request.python} is {_dotted(machine.python)}",
            hint="set PYSPARK_PYTHON, or SPARK_HOME to another Spark",
        )


def check_environment(environment: Environment, machine: Machine) -> None:
    """Raise ConfigError where Spark does not run the Python of the built environment."""
    about = json.loads((environment.unpacked / "environment.json").read_text())
    major, minor = map(int, about["python"].split(".")[:2])
    if machine.spark in SUPPORTED and not SUPPORTED[machine.spark][1] <= (major, minor) <= SUPPORTED[machine.spark][2]:
        raise ConfigError(
            f"the environment has Python {major}.{minor}, which Spark {_dotted(machine.spark)} does not run"
        )


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
