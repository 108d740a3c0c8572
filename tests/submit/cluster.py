"""A standalone Spark cluster of separate processes: one master, two workers, none of which sees this environment."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests import java

SECONDS_TO_START = 60


@contextlib.contextmanager
def standalone(folder: Path, workers: int = 2, cores: int = 1) -> Iterator[str]:
    """Start the cluster below `folder`; yields its master's URL. Its processes have a bare environment."""
    import pyspark

    home = Path(pyspark.__file__).parent
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_JAVA_OPTS": java.OPTIONS,
            "AWS_ACCESS_KEY_ID": "mailmill-test", "AWS_SECRET_ACCESS_KEY": "mailmill-test-secret"}  # fmt: skip
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, main: str, *arguments: str) -> Path:
        log = folder / f"{name}.log"
        with log.open("wb") as stream:
            command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{main}", *arguments]
            started.append(
                subprocess.Popen(command, stdout=stream, stderr=stream, env=bare, cwd=folder, start_new_session=True)
            )
        return log

    try:
        log = start("master", "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        url = _wait(log, r"Starting Spark master at (spark://\S+)")
        for number in range(workers):
            log = start(
                f"worker-{number}", "worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", str(cores),
                "--memory", "1g", "--work-dir", str(folder / f"work-{number}"), url,
            )  # fmt: skip
            _wait(log, r"(Successfully registered with master)")
        yield url
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _wait(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + SECONDS_TO_START
    while not (found := re.search(pattern, log.read_text(errors="replace"))):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the cluster did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)
    return found[1]
