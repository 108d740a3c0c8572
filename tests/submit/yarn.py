"""A real YARN of this machine, as EMR has one: a ResourceManager and a NodeManager out of Hadoop's own jars.

The jars come from Maven Central, those and no others that `yarn.jars` lists with their SHA-256, once, into build/yarn:
what Maven (dependency:list, scope runtime) names for hadoop-common, hadoop-yarn-server-resourcemanager and
-nodemanager 3.4.2, the Hadoop of Spark 4.1, and hadoop-yarn-server-timelineservice, which the first needs unnamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests import java, s3
from tests.conftest import ROOT

REPOSITORY = "https://repo.maven.apache.org/maven2/"
CACHE = ROOT / "build" / "yarn"
SECONDS_TO_START = 90
#: What Hadoop 3.4 reaches for inside Java 17.
_OPEN = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util", "net", "io", "nio")]
_DAEMONS = {
    "resourcemanager": "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager",
    "nodemanager": "org.apache.hadoop.yarn.server.nodemanager.NodeManager",
}


@dataclass(frozen=True)
class Yarn:
    """A running one. `conf`: HADOOP_CONF_DIR of its clients; `web`: the ResourceManager's URL; `folder`: all files."""

    folder: Path
    conf: Path
    web: str

    def applications(self) -> list[dict[str, object]]:
        """What the ResourceManager knows of every application, the newest last, by its REST interface."""
        found = _get(f"{self.web}/ws/v1/cluster/apps")["apps"]
        return sorted(found["app"], key=lambda one: str(one["id"])) if found else []

    def log(self, application: str, name: str = "stdout") -> str:
        """What the containers of an application wrote, one after the other."""
        files = sorted((self.folder / "containers").glob(f"{application}/*/{name}"))
        return "\n".join(file.read_text(errors="replace") for file in files)


def jars() -> Path:
    """The folder of the jars; those that are missing are fetched. Raises OSError where that cannot be done."""
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = [line.split() for line in (Path(__file__).with_name("yarn.jars")).read_text().splitlines()]
    missing = [(digest, path) for digest, path in wanted if not (CACHE / Path(path).name).exists()]
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda item: _fetch(*item), missing):
            pass
    return CACHE


@contextlib.contextmanager
def yarn(folder: Path, memory: int = 6144) -> Iterator[Yarn]:
    """Start both below `folder`; stops them, and with them every container. `memory`: of the node, in MiB.

    The node's containers see no library and no variable of this process but S3's credentials, which stand for an
    instance's role.
    """
    classpath = f"{folder / 'conf'}:{jars()}/*"
    ports = s3.free_ports(6)
    _configure(folder, ports, memory)
    bare = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "JAVA_HOME": str(_java_home()),
        **s3.CREDENTIALS,
    }
    running = Yarn(folder, folder / "conf", f"http://127.0.0.1:{ports[4]}")
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name, main in _DAEMONS.items():
            options = ["-Xmx512m", *java.QUICK.split(), *_OPEN]
            command = [str(_java_home() / "bin" / "java"), *options, "-cp", classpath, main]
            with (folder / f"{name}.log").open("wb") as log:
                started.append(subprocess.Popen(command, stdout=log, stderr=log, env=bare, cwd=folder))
        _wait_for_the_node(running, started)
        yield running
    finally:
        for process in reversed(started):  # the NodeManager first: it ends its containers
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()


def _configure(folder: Path, ports: list[int], memory: int) -> None:
    conf = folder / "conf"
    conf.mkdir()
    names = ("address", "scheduler.address", "resource-tracker.address", "admin.address", "webapp.address")
    site = {f"yarn.resourcemanager.{name}": f"127.0.0.1:{port}" for name, port in zip(names, ports, strict=False)}
    site |= {f"yarn.nodemanager.{name}": "127.0.0.1:0" for name in ("localizer.address", "webapp.address")}
    site |= {
        "yarn.nodemanager.address": f"127.0.0.1:{ports[5]}",
        "yarn.nodemanager.resource.memory-mb": str(memory),
        "yarn.nodemanager.resource.cpu-vcores": "4",
        "yarn.scheduler.minimum-allocation-mb": "256",
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.pmem-check-enabled": "true",
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "99.5",
        "yarn.nodemanager.local-dirs": str(folder / "local"),
        "yarn.nodemanager.log-dirs": str(folder / "containers"),
        "yarn.nodemanager.env-whitelist": ",".join(["PATH", "JAVA_HOME", "LANG", "SPARK_LOCAL_IP", *s3.CREDENTIALS]),
    }
    queues = {
        "yarn.scheduler.capacity.root.queues": "default",
        "yarn.scheduler.capacity.root.default.capacity": "100",
        "yarn.scheduler.capacity.maximum-am-resource-percent": "1.0",
    }
    files = {"yarn-site": site, "capacity-scheduler": queues}
    files["core-site"] = {"fs.defaultFS": "file:///", "hadoop.tmp.dir": str(folder / "tmp")}
    for name, properties in files.items():
        lines = [f"<property><name>{key}</name><value>{value}</value></property>" for key, value in properties.items()]
        (conf / f"{name}.xml").write_text("\n".join(["<configuration>", *lines, "</configuration>", ""]))
    (conf / "log4j.properties").write_text(
        "log4j.rootLogger=INFO,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.out.layout.ConversionPattern=%d %p %c{1}: %m%n\n"
    )


def _wait_for_the_node(running: Yarn, started: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        with contextlib.suppress(OSError):
            nodes = _get(f"{running.web}/ws/v1/cluster/nodes")["nodes"]
            if nodes and any(node["state"] == "RUNNING" for node in nodes["node"]):
                return
        if time.monotonic() > deadline or any(process.poll() is not None for process in started):
            logs = "\n".join((running.folder / f"{name}.log").read_text(errors="replace")[-3000:] for name in _DAEMONS)
            raise RuntimeError(f"YARN did not start:\n{logs}")
        time.sleep(0.5)


def _get(url: str) -> dict[str, dict[str, list[dict[str, object]]]]:
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        found: dict[str, dict[str, list[dict[str, object]]]] = json.load(answer)
        return found


def _fetch(digest: str, path: str) -> None:
    with urllib.request.urlopen(REPOSITORY + path, timeout=60) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != digest:
        raise OSError(f"{path} of {REPOSITORY} is not what yarn.jars lists")
    partial = CACHE / f"{Path(path).name}.{os.getpid()}"
    partial.write_bytes(content)
    partial.rename(CACHE / Path(path).name)


def _java_home() -> Path:
    """Containers start $JAVA_HOME/bin/java, so it must be known."""
    return Path(os.environ.get("JAVA_HOME") or Path(shutil.which("java") or "java").resolve().parents[1])


def reachable() -> bool:
    """Whether Maven Central answers."""
    try:
        urllib.request.urlopen(f"{REPOSITORY}org/apache/hadoop/hadoop-aws/maven-metadata.xml", timeout=10).close()
    except OSError:
        return False
    return True
