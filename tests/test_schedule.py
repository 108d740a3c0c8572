"""conf/schedule: every request is one that AWS's SDK accepts, the DAG is what it says, the units parse."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mailmill.cli import ORDER
from mailmill.config import load
from mailmill.docs import build
from tests.conftest import ROOT
from tests.submit.models import validate

FOLDER = ROOT / "conf" / "schedule"
REQUESTS = {
    "emr-cluster.json": ("emr", "RunJobFlow"),
    "emr-steps.json": ("emr", "AddJobFlowSteps"),
    "emr-serverless.json": ("emr-serverless", "StartJobRun"),
}
STAGES = ["ingest", "clean", "label", "glove", "features", "train", "evaluate", "score", "docs"]
DAG = FOLDER / "airflow_dag.py"


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return found


def test_every_json_is_known() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(REQUESTS)


@pytest.mark.parametrize("name", REQUESTS)
def test_the_sdk_accepts_it(name: str) -> None:
    service, operation = REQUESTS[name]
    validate(service, operation, document(name))


def test_work_is_on_spot_and_drivers_are_not() -> None:
    fleets = {
        fleet["InstanceFleetType"]: fleet for fleet in document("emr-cluster.json")["Instances"]["InstanceFleets"]
    }
    assert fleets["TASK"]["TargetSpotCapacity"] > 0
    assert len(fleets["TASK"]["InstanceTypeConfigs"]) >= 3, "one type alone is often sold out"
    assert not fleets["CORE"].get("TargetSpotCapacity")
    assert not fleets["MASTER"].get("TargetSpotCapacity")


@pytest.mark.parametrize("name", ["emr-cluster.json", "emr-steps.json"])
def test_steps_run_the_environment_in_cluster_mode(name: str) -> None:
    for step in document(name)["Steps"]:
        arguments = step["HadoopJarStep"]["Args"]
        assert arguments[:5] == ["spark-submit", "--master", "yarn", "--deploy-mode", "cluster"]
        assert arguments[arguments.index("--archives") + 1].endswith("#environment")
        for variable in ("appMasterEnv.PYSPARK_PYTHON", "appMasterEnv.PYSPARK_DRIVER_PYTHON"):
            assert f"spark.yarn.{variable}=./environment/bin/python" in arguments
        properties = document("emr-cluster.json")["Configurations"][0]["Properties"] if "cluster" in name else {}
        assert "spark.yarn.am.waitTime=300s" in [*arguments, *(f"{key}={value}" for key, value in properties.items())]
        job = next(word for word in arguments if word.endswith(".py"))
        assert (ROOT / "jobs" / Path(job).name).exists()


def test_the_serverless_token_is_run_and_stage() -> None:
    request = document("emr-serverless.json")
    job = request["jobDriver"]["sparkSubmit"]
    (run,) = re.findall(r"--conf spark\.emr-serverless\.driverEnv\.MAILMILL_RUN_ID=(\S+)", job["sparkSubmitParameters"])
    assert request["clientToken"] == f"{run}-{Path(job['entryPoint']).stem}"


def test_the_dag_takes_what_an_upload_prints() -> None:
    tree = ast.parse(DAG.read_text())
    (defaults,) = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULTS"
    ]
    printed = {"application_id", "role", "staging", "archive", "wheel", "config"}
    assert set(ast.literal_eval(defaults)) == printed | {"glove", "docs"}


def test_the_dag_by_its_text() -> None:
    """What can be said without Airflow: stages in the pipeline's order, deferrable, retried, one run at a time."""
    tree = ast.parse(DAG.read_text())
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()
    }
    assert list(values["STAGES"]) == STAGES == [name for name in ORDER if name in STAGES]
    calls = {getattr(node.func, "id", ""): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    task = {word.arg: word.value for word in calls["StartJob"].keywords}
    assert ast.literal_eval(task["deferrable"]) is True
    assert "client_request_token" in task
    dag = {word.arg: word.value for word in calls["DAG"].keywords}
    assert ast.literal_eval(dag["max_active_runs"]) == 1
    assert "retries" in ast.unparse(dag["default_args"])


@pytest.mark.parametrize(("whole", "by_hand"), [(False, False), (True, False), (False, True)])
def test_the_dag_imports(tmp_path: Path, whole: bool, by_hand: bool) -> None:
    """With Airflow itself: its Python is named by MAILMILL_AIRFLOW_PYTHON, or is this one."""
    python = os.environ.get("MAILMILL_AIRFLOW_PYTHON", sys.executable)
    known = subprocess.run([python, "-c", "import airflow.providers.amazon"], capture_output=True)
    if known.returncode:
        pytest.skip("apache-airflow and its Amazon provider are not installed (MAILMILL_AIRFLOW_PYTHON names a Python)")
    given = {"glove": True, "docs": True, "wheel": ""} if whole else {}
    night = "{'ds': '2026-11-20', 'ts_nodash': '20261120T023000'}"
    if by_hand:  # without a logical date, as Airflow 3 has it
        night = "{'dag_run': SimpleNamespace(run_after=datetime(2026, 11, 20, 2, 30))}"
    program = (
        "import json, runpy, sys\n"
        "from datetime import datetime\n"
        "from types import SimpleNamespace\n"
        "from unittest.mock import patch\n"
        f"with patch('airflow.models.Variable.get', return_value={given}):\n"
        "    dag = runpy.run_path(sys.argv[1])['dag']\n"
        "print('\\n' + json.dumps({task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}))\n"
        "class Instance: try_number = 2\n"
        f"night = {night} | {{'ti': Instance}}\n"
        "for task in dag.tasks:\n"
        "    task.render_template_fields(night)\n"
        "print(json.dumps({task.task_id: {'defer': task.deferrable, 'retries': task.retries, "
        "'token': task.client_request_token, 'driver': task.job_driver, "
        "'minutes': task.waiter_delay * task.waiter_max_attempts / 60} for task in dag.tasks}))\n"
    )
    home = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [python, "-c", program, str(DAG)], capture_output=True, text=True, env=os.environ | home, timeout=300
    )
    assert done.returncode == 0, done.stderr
    edges, tasks = (json.loads(line) for line in done.stdout.strip().splitlines()[-2:])
    stages = [stage for stage in STAGES if whole or stage not in ("glove", "docs")]
    assert edges == {a: [b] for a, b in pairwise(stages)} | {stages[-1]: []}
    for stage, task in tasks.items():
        assert task["defer"] is True
        assert task["retries"] >= 1
        assert task["token"] == f"20261120T023000-{stage}-2"  # rendered: EMR refuses what is not [A-Za-z0-9._-]
        assert task["minutes"] >= 360
        assert task["driver"]["sparkSubmit"]["entryPoint"].endswith(f"/{stage}.py")
        parameters = task["driver"]["sparkSubmit"]["sparkSubmitParameters"]
        assert ("pyFiles" in parameters) is not whole
        assert parameters.endswith(f"--conf spark.emr-serverless.driverEnv.MAILMILL_RUN_ID=20261120T023000-{stage}")
    assert tasks["ingest"]["driver"]["sparkSubmit"]["entryPointArguments"][-2:] == ["--as-of", "2026-11-20"]


@pytest.mark.parametrize("name", ["mailmill.service", "mailmill.timer"])
def test_the_units_parse(name: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((FOLDER / name).read_text())
    if name.endswith("timer"):
        assert unit["Timer"]["OnCalendar"] == "*-*-* 02:30:00"
        assert unit["Timer"]["Persistent"] == "true"
    else:
        assert "mailmill run --config" in unit["Service"]["ExecStart"]
        assert unit["Service"]["RestartPreventExitStatus"].split() == ["1", "2", "3"]
        assert unit["Unit"]["StartLimitBurst"] == "5", "a night that cannot end is not tried for ever"
        # Where standard error is not said, it goes where standard output goes.
        assert (unit["Service"]["StandardOutput"], unit["Service"]["StandardError"]) == ("null", "journal")
        assert unit["Service"]["UMask"] == "0077", "everybody on the machine could read the mail"
        assert unit["Service"]["CacheDirectory"] == "mailmill", "every night compiled and looked for fonts anew"
        kept = dict(word.split("=") for word in unit["Service"]["Environment"].split())
        assert {name: place.startswith("%C/mailmill/") for name, place in kept.items()} == {
            "NUMBA_CACHE_DIR": True, "MPLCONFIGDIR": True,
        }  # fmt: skip


@pytest.mark.parametrize("name", ["dask", "local", "emr"])
def test_a_site_is_built_where_a_service_can_write(name: str) -> None:
    """Beside run.work, as in the demonstration, is the folder of the code, which the unit mounts read-only."""
    config = load(ROOT / "conf" / f"{name}.toml")
    assert build.place(config).startswith(f"{config.run.work}/")


def test_the_crontab_line() -> None:
    (line,) = [line for line in (FOLDER / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    assert re.match(r"30 2 \* \* \*  umask 077; cd /opt/mailmill && \.venv/bin/mailmill run --config ", line)
    assert subprocess.run(["sh", "-n", "-c", line.split("  ", 1)[1]]).returncode == 0


def test_the_log_that_the_crontab_keeps_is_json(tmp_path: Path) -> None:
    """The summary for people stood in it: a reader of JSON ended at the first night."""
    (line,) = [line for line in (FOLDER / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    log, command = tmp_path / "mailmill.log", tmp_path / ".venv" / "bin" / "mailmill"
    command.parent.mkdir(parents=True)
    said = 'echo summary; echo \'{"level": "INFO"}\' >&2'
    command.write_text(f"#!/bin/sh\n{said}; [ -e again ] || {{ touch again; exit 4; }}\n")
    command.chmod(0o755)
    for name, here in {"/opt/mailmill": tmp_path, "/var/log/mailmill.log": log, "sleep 600": "true"}.items():
        line = line.replace(name, str(here))
    done = subprocess.run(["sh", "-c", line.split("  ", 1)[1]], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "cron would send it by mail"
    assert [json.loads(each) for each in log.read_text().splitlines()] == [{"level": "INFO"}] * 2
