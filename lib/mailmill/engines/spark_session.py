"""The session that the Spark engine works in: its settings are tried before a cluster is asked for anything."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from mailmill import resources
from mailmill.config import EngineSection, StorageSection
from mailmill.engines import properties
from mailmill.engines.java import cause, is_of_a_setting
from mailmill.errors import ConfigError, InfrastructureError

_HEAP = re.compile(r"\d+[kmgt]?", re.I)  # what Java takes for -Xmx


def open_session(settings: EngineSection, storage: StorageSection) -> SparkSession:
    """A session of spark-submit's application, on the master that `settings` name, or on this machine.

    Raises:
        ConfigError: Java is missing or too old, or refuses a setting.
        InfrastructureError: the master does not answer, or Java does not start.
    """
    _require_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    master = settings.master or (None if submitted else f"local[{settings.workers or resources.cores()}]")
    local = master is not None and master.startswith("local")
    if not submitted:
        _require_heap(settings.spark)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        told = properties.chosen(settings, storage, local, _given() if submitted else {})
        told = ({"spark.master": master} if master else {}) | told
        SparkContext._ensure_initialized(conf=SparkConf().setAll(list(told.items())))
        _try_sql(_given() | told)
        session = SparkSession.builder.config(map=told).getOrCreate()
    except Exception as error:
        if is_of_a_setting(error):
            raise ConfigError(
                f"Spark refuses a setting: {cause(error)}", hint="see [engine.spark], or the cluster's spark-defaults"
            ) from error
        raise InfrastructureError(
            f"Spark did not start on {master or 'the submitted master'}: {cause(error)}",
            hint=f"check engine.master, engine.spark and {'what Java said' if local else 'the log of the cluster'}",
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupt)  # PySpark's own handler calls Java in the middle of a call to Java
    return session


def _require_java() -> None:
    needed = 17 if int(pyspark.__version__.split(".")[0]) >= 4 else 8
    found = resources.java_version()
    if found is None or found < needed:
        have = "no Java was found" if found is None else f"Java {found} was found"
        raise ConfigError(
            f"Spark {pyspark.__version__} needs Java {needed} or newer; {have}",
            hint="install a JDK and set JAVA_HOME, or use --engine dask",
        )


def _require_heap(told: Mapping[str, str]) -> None:
    """Java takes it on its command line, and tells the terminal alone of what it refuses there."""
    memory = told.get("spark.driver.memory", "1g")
    if not _HEAP.fullmatch(memory):
        raise ConfigError(f"engine.spark: spark.driver.memory is {memory!r}, which is not a size of Java's, as 4g")


def _given() -> dict[str, str]:
    """The properties that Java was started with: spark-submit's, or the cluster's defaults and ours."""
    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


def _try_sql(told: Mapping[str, str]) -> None:
    """Have Java refuse a wrong value of SQL's now: the session would at its first use, where PySpark never returns.

    It words an error by the session's own settings, which fail to be made, which is an error to be worded.
    """
    jvm: Any = SparkContext._jvm
    sql = jvm.org.apache.spark.sql.internal
    sql.StaticSQLConf.WAREHOUSE_PATH()  # a class knows its settings once it is used
    tried = sql.SQLConf()
    for name, value in told.items():
        if name.startswith("spark.sql."):
            tried.setConfString(name, value)
