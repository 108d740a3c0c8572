"""mailmill every night on EMR Serverless: a task a stage, each of which waits without holding a worker (deferrable).

A stage that fails is tried again; a stage that is done is skipped by its manifest; and the client token, made of the
night, the stage and the number of the try, starts the job of one try once, however often Airflow asks for it. Settings:
the Airflow variable `mailmill`, a JSON object with the keys of DEFAULTS, as `spark-submit.sh --upload-only` prints it;
`glove` is true where the configuration says features.vectors = "trained", `docs` where the archive has that extra.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import Variable
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
from airflow.timetables.interval import CronDataIntervalTimetable

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

DEFAULTS = {
    "application_id": "00f0123456789abc",
    "role": "arn:aws:iam::123456789012:role/mailmill",
    "staging": "s3://my-bucket/staging",
    "archive": "environment-0123456789abcdef.tar.gz",
    "wheel": "mailmill-0123456789abcdef.zip",
    "config": "emr.toml",
    "glove": False,
    "docs": False,
}
STAGES = ("ingest", "clean", "label", "glove", "features", "train", "evaluate", "score", "docs")
PYTHON = "./environment/bin/python"
#: The run's day and moment, in Jinja: those of its logical date, which Airflow 3 does not give one started by hand.
DAY = "{{ ds if ds is defined else dag_run.run_after | ds }}"
MOMENT = "{{ ts_nodash if ts_nodash is defined else dag_run.run_after | ts_nodash }}"
RUN_ID = "spark.emr-serverless.driverEnv.MAILMILL_RUN_ID"
#: A stage that takes longer is cancelled and tried again.
HOURS = 6

settings = DEFAULTS | Variable.get("mailmill", default_var={}, deserialize_json=True)
staging = settings["staging"]
parameters = " ".join(
    f"--conf {name}={value}"
    for name, value in {
        "spark.archives": f"{staging}/{settings['archive']}#environment",
        **({"spark.submit.pyFiles": f"{staging}/{settings['wheel']}"} if settings["wheel"] else {}),
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": PYTHON,
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": PYTHON,
        "spark.executorEnv.PYSPARK_PYTHON": PYTHON,
    }.items()
)


class StartJob(EmrServerlessStartJobOperator):
    """The operator with its token rendered, too: as it comes, EMR is sent the template itself and refuses it."""

    template_fields = (*EmrServerlessStartJobOperator.template_fields, "client_request_token")


with DAG(
    dag_id="mailmill",
    description="Raw mail to ranked scores, every night",
    schedule=CronDataIntervalTimetable("30 2 * * *", timezone="UTC"),  # `ds` is the day that is over
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # two runs on one output: mailmill's lease would stop the second
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10), "retry_exponential_backoff": True},
    tags=["mailmill"],
) as dag:
    before = None
    for stage in STAGES:
        if not settings.get(stage, True):
            continue
        arguments = ["--config", f"{staging}/{settings['config']}"]
        if stage == "ingest":
            arguments += ["--as-of", DAY]  # the night's own day: running it again gives the same bytes
        run = f"{MOMENT}-{stage}"  # of every try: one whose driver died is known by it
        task = StartJob(
            task_id=stage,
            name=f"mailmill-{stage}",
            application_id=settings["application_id"],
            execution_role_arn=settings["role"],
            client_request_token=f"{run}-{{{{ ti.try_number }}}}",
            job_driver={
                "sparkSubmit": {
                    "entryPoint": f"{staging}/{stage}.py",
                    "entryPointArguments": arguments,
                    "sparkSubmitParameters": f"{parameters} --conf {RUN_ID}={run}",
                }
            },
            configuration_overrides={
                "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"{staging}/logs/"}}
            },
            deferrable=True,
            waiter_delay=60,
            waiter_max_attempts=HOURS * 60,  # the default, 25, cancels what takes longer
            execution_timeout=timedelta(hours=HOURS),
        )
        if before is not None:
            before >> task
        before = task
