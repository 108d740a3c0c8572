"""The Spark engine's own duty: an interrupt, wherever it strikes, stops Java's work as well."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailmill.engines import Engine
from mailmill.errors import InfrastructureError
from tests.conftest import make_engine

pytestmark = pytest.mark.spark
TASKS = 24


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    yield from make_engine("spark")


def begin(task: int, folder: Path) -> int:
    """Leave a trace of this task, and take a while."""
    (folder / str(task)).touch()
    time.sleep(0.5)
    return task


def test_an_interrupt_between_a_command_and_its_answer_stops_the_job(
    spark: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection to Java was out of step from then on: the order to cancel was lost, and the job ran to its end."""
    context = spark._context  # type: ignore[attr-defined]

    def struck(_group: str) -> float:
        while not list(tmp_path.iterdir()):
            time.sleep(0.01)
        connection = context._gateway._gateway_client._get_connection()
        connection.socket.sendall(b"c\nz:java.lang.System\nlineSeparator\ne\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(spark, "_share_done", struck)
    with pytest.raises(KeyboardInterrupt):
        list(spark.run(begin, list(range(TASKS)), tmp_path))
    assert len(list(tmp_path.iterdir())) < TASKS / 2


def breaks(task: str, _: None) -> None:
    if task == "bug":
        raise RuntimeError("secret words\nof a SecretError: mail")
    if task == "storage":
        raise InfrastructureError("S3 at here failed for that", hint="look at the network")
    os._exit(9)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("bug", "Spark gave up on a task: RuntimeError"),
        ("storage", "Spark gave up on a task: S3 at here failed for that"),
        ("death", "Spark gave up on a task: .*Python worker exited"),
    ],
)
def test_what_happened_is_said_and_nothing_of_the_data(task: str, said: str, spark: Engine) -> None:
    with pytest.raises(InfrastructureError, match=said) as caught:
        list(spark.run(breaks, [task], None))
    assert "secret" not in caught.value.message.lower()
    assert "Traceback" not in caught.value.message


def test_closing_again_is_no_error(spark: Engine) -> None:
    """The fixture closes it once more."""
    spark.close()
    spark.close()
