"""spark-submit.sh against a real YARN: whole pipelines on S3, in containers that see nothing of this environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailmill.config import Config
from mailmill.job import Job
from mailmill.storage.tables import Workspace
from tests import java, mail
from tests.conftest import ROOT, require_engine
from tests.faults.processes import mailmill
from tests.submit import yarn
from tests.submit.test_environment import SUBMISSION, TABLES

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.s3]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[yarn.Yarn]:
    require_engine("spark")
    try:
        yarn.jars()
    except OSError as error:
        pytest.skip(f"Hadoop's jars cannot be fetched from Maven Central: {error}")
    folder = tmp_path_factory.mktemp("yarn")
    with yarn.yarn(folder) as running:
        yield running
    shutil.rmtree(folder)  # each container's environment is 700 MB


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, s3_endpoint: str) -> Config:
    """Mail, labels and vectors on S3, and where the results go: all of it is told by one file."""
    import s3fs

    folder = tmp_path_factory.mktemp("mail")
    corpus = mail.make_corpus(folder / "corpus", 300)
    vectors = mail.make_vectors(corpus, folder / "glove.txt")
    s3fs.S3FileSystem(client_kwargs={"endpoint_url": s3_endpoint}).put(str(folder), "test/yarn/input", recursive=True)
    there = "s3://test/yarn/input"
    return mail.make_config(
        "s3://test/yarn/work", corpus, vectors, "engine.kind=auto", 'train.models=["forest"]', "forest.trees=4",
        'train.onnx="off"', f'input.paths=["{there}/corpus/mail"]', f'labels.source="{there}/corpus/labels.csv"',
        f'features.vectors="{there}/glove.txt"', f'storage.endpoint="{s3_endpoint}"',
    )  # fmt: skip


@pytest.fixture(scope="module")
def here(settings: Config, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same pipeline in one process of this machine."""
    config = mail.write_config(tmp_path_factory.mktemp("local") / "local.toml", settings)
    done = mailmill("run", "-c", config, "-e", "local", "-s", "run.work=s3://test/yarn/local")
    assert done.returncode == 0, done.stderr
    return workspace(settings, "s3://test/yarn/local")


def workspace(settings: Config, work: str) -> Workspace:
    job = Job(settings).workspace
    return Workspace(job.storage, work, job.settings)


def submit(cluster: yarn.Yarn, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """spark-submit.sh as on a primary node, whose client and driver alone see S3's credentials in their environment."""
    import pyspark

    properties = {
        "spark.yarn.jars": f"local:{Path(pyspark.__file__).parent}/jars/*",  # every node has Spark, as EMR's have
        "spark.yarn.stagingDir": f"file://{cluster.folder}",
        "spark.executor.instances": "2",
        "spark.executor.memory": "1g",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": java.QUICK,
        "spark.executor.extraJavaOptions": java.QUICK,
    }
    conf = [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HADOOP_CONF_DIR": str(cluster.conf), "SPARK_LOCAL_IP": "127.0.0.1"}
    return subprocess.run(
        [ROOT / "spark-submit.sh", "--target", "yarn", *conf, *arguments],
        env=environment | {"PYSPARK_PYTHON": sys.executable} | variables, cwd=cluster.folder,
        capture_output=True, text=True, timeout=SUBMISSION,
    )  # fmt: skip


def test_cluster_mode_makes_the_same_tables(
    cluster: yarn.Yarn, settings: Config, here: Workspace, tmp_path: Path
) -> None:
    """The archive travels over S3, and Spark itself reads the tables there: nothing but `--s3a` was said."""
    config = mail.write_config(tmp_path / "small.toml", settings)
    done = submit(
        cluster, "--deploy-mode", "cluster", "--s3a", "--staging", "s3://test/yarn/staging", "run", "--config", config,
        AWS_ENDPOINT_URL_S3=str(settings.storage.endpoint),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    application = cluster.applications()[-1]
    assert application["finalStatus"] == "SUCCEEDED"
    name = str(application["id"])
    assert re.search(r"engine spark \S+: yarn, 2 cores", cluster.log(name)), cluster.log(name)
    containers = sorted((cluster.folder / "containers" / name).iterdir())
    assert len(containers) == 3, "the driver and two executors"
    for container in containers:
        launched = (container / "launch_container.sh").read_text()
        assert 'PYSPARK_PYTHON="./environment/bin/python"' in launched
        (path,) = re.findall(r'^export PYTHONPATH="(.*)"$', launched, re.MULTILINE)
        assert all(place.startswith("$PWD/") for place in path.split(":")), "this machine's own code is hidden"
    assert f"Reading File path: {settings.run.work}/raw/" in cluster.log(name, "stderr"), "by Spark's own reader"
    there = workspace(settings, settings.run.work)
    for table in TABLES:
        assert there.manifest(table).fingerprint == here.manifest(table).fingerprint, table


def test_client_mode_makes_the_same_table(
    cluster: yarn.Yarn, settings: Config, here: Workspace, tmp_path: Path
) -> None:
    config = mail.write_config(tmp_path / "client.toml", settings)
    done = submit(cluster, "ingest", "--config", config, "--set", "run.work=s3://test/yarn/client")
    assert done.returncode == 0, done.stderr
    assert "yarn, 2 cores" in done.stdout + done.stderr
    there = workspace(settings, "s3://test/yarn/client")
    assert there.manifest("raw").fingerprint == here.manifest("raw").fingerprint


def installed() -> list[str]:
    """Arguments for a cluster whose machines have mailmill installed."""
    names = ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
    return [word for name in names for word in ("--conf", f"spark.yarn.appMasterEnv.{name}={sys.executable}")]


def test_a_night_with_nothing_new_succeeds(
    cluster: yarn.Yarn, settings: Config, here: Workspace, tmp_path: Path
) -> None:
    """YARN takes a driver that ends without a session of Spark's for failed."""
    config = mail.write_config(tmp_path / "again.toml", settings)
    done = submit(
        cluster, "--deploy-mode", "cluster", "--no-environment", *installed(),
        "ingest", "--config", config, "--set", "run.work=s3://test/yarn/local",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    application = cluster.applications()[-1]
    assert application["finalStatus"] == "SUCCEEDED"
    assert "raw unchanged" in cluster.log(str(application["id"])) + cluster.log(str(application["id"]), "stderr")


def test_the_jobs_exit_code_comes_home(cluster: yarn.Yarn, settings: Config, tmp_path: Path) -> None:
    """Out of the driver's container, through YARN's diagnostics. Here its machines have mailmill installed."""
    config = mail.write_config(tmp_path / "wrong.toml", settings)
    done = submit(
        cluster, "--deploy-mode", "cluster", "--no-environment", *installed(),
        "clean", "--config", config, "--set", "run.work=s3://test/yarn/nothing",
    )  # fmt: skip
    local = mailmill("clean", "-c", config, "-e", "local", "-s", "run.work=s3://test/yarn/nothing")
    assert done.returncode == local.returncode != 0, done.stderr
    name = str(cluster.applications()[-1]["id"])
    assert f"yarn logs -applicationId {name}" in done.stderr
    assert cluster.applications()[-1]["finalStatus"] == "FAILED"
