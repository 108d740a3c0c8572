"""Versions against each other, said in plain words before anything starts."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from mailmill.errors import ConfigError
from mailmill.submit import preflight, running
from mailmill.submit.environment import Environment
from mailmill.submit.preflight import Machine
from mailmill.submit.request import parse
from tests.conftest import ROOT

REQUEST = parse(["run"], ROOT)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (Machine("s", (4, 1), 11, (3, 11)), "Spark 4.1 needs Java 17 or newer; found Java 11"),
        (Machine("s", (4, 0), 17, (3, 8)), "Spark 4.0 runs Python 3.9 to 3.13; .* is 3.8"),
        (Machine("s", (3, 5), 17, (3, 13)), "Spark 3.5 runs Python 3.8 to 3.11"),
        (Machine("s", (4, 1), None, (3, 11)), "no Java"),
        (Machine("s", (4, 1), 17, None), "no Python at"),
    ],
)
def test_what_does_not_go_together(machine: Machine, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        preflight.check(machine, REQUEST)


@pytest.mark.parametrize("machine", [Machine("s", (3, 5), 8, (3, 11)), Machine("s", (4, 1), 21, (3, 13)),
                                     Machine("s", (9, 9), 8, (3, 8)), Machine("s", None, 17, (3, 11))])  # fmt: skip
def test_what_goes_together_or_is_not_known(machine: Machine) -> None:
    preflight.check(machine, REQUEST)


@pytest.mark.parametrize("target", [(), ("--target", "emr-serverless", "--application-id", "a", "--role", "r",
                                         "--staging", "s3://b/p")])  # fmt: skip
@pytest.mark.parametrize("option", [("-c", "none.toml"), ("--config", "none.toml"), ("--config=none.toml",)])
def test_a_configuration_that_is_not_there(target: tuple[str, ...], option: tuple[str, ...]) -> None:
    request = parse([*target, "--dry-run", "run", *option], ROOT)
    with pytest.raises(ConfigError, match=r"configuration none\.toml does not exist"):
        running.submit(request)


def test_sparks_version_is_the_name_of_its_jar(tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    assert preflight.spark_version(tmp_path) is None
    (tmp_path / "jars" / "spark-core_2.13-4.0.2.jar").touch()
    assert preflight.spark_version(tmp_path) == (4, 0)
    assert preflight.spark_version(None) is None


def test_the_installed_spark_is_found() -> None:
    pyspark = pytest.importorskip("pyspark")
    found = preflight.look(REQUEST)
    assert found.spark == tuple(map(int, pyspark.__version__.split(".")[:2]))


def test_no_spark_submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="spark-submit not found"):
        preflight.look(REQUEST)


@pytest.mark.parametrize(("python", "fits"), [("3.13.2", True), ("3.15.0", False)])
def test_an_environment_that_spark_does_not_run(python: str, fits: bool, tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text(json.dumps({"python": python}))
    parts = Environment(tmp_path / "a.tar.gz", None, tmp_path)
    expected = contextlib.nullcontext() if fits else pytest.raises(ConfigError, match=r"Python 3\.15, which Spark 4\.1")
    with expected:
        preflight.check_environment(parts, Machine("spark-submit", (4, 1), 17, (3, 13)))
