"""Which engine a run takes, and opening it."""

from __future__ import annotations

import os
from importlib.util import find_spec

from mailmill.config import EngineSection, StorageSection
from mailmill.engines.base import Engine
from mailmill.errors import ConfigError

#: What an engine needs beside mailmill; its extra has it.
NEEDED = {"dask": ("distributed", "cryptography"), "spark": ("pyspark",)}


def choose(settings: EngineSection) -> str:
    """The engine's name. `auto`: Spark where a master was given or spark-submit started this process; else Dask
    where it is installed; else local."""
    if settings.kind != "auto":
        return settings.kind
    if settings.address:
        return "dask"
    if settings.master or "PYSPARK_GATEWAY_PORT" in os.environ:
        return "spark"
    return "local" if missing("dask") else "dask"


def missing(engine: str) -> str:
    """The first library that an engine needs and that is not installed, or ''."""
    return next((name for name in NEEDED.get(engine, ()) if not find_spec(name)), "")


def is_awaited(settings: EngineSection) -> bool:
    """Does a run have to start its engine, though it may find nothing to do?

    In cluster mode YARN's master of an application takes a driver that ends without a session of Spark's for failed
    (`ApplicationMaster.runDriver`: "User did not initialize spark context!").
    """
    in_container = "CONTAINER_ID" in os.environ and "PYSPARK_GATEWAY_PORT" in os.environ
    return in_container and choose(settings) == "spark"


def open_engine(settings: EngineSection, storage: StorageSection | None = None) -> Engine:
    """Start, or connect to, the engine that `settings` choose. Use it as a context manager.

    `storage`: how Spark's own readers reach S3; mailmill's tasks bring their own.

    Raises:
        ConfigError: its library is not installed, Java is missing or too old, or Spark refuses a setting.
        InfrastructureError: the scheduler or the master does not answer.
    """
    name = choose(settings)
    if library := missing(name):
        raise ConfigError(f"engine {name} needs {library}", hint=f"pip install 'mailmill[{name}]'")
    if name == "spark":
        from mailmill.engines.spark import SparkEngine

        return SparkEngine(settings, storage or StorageSection())
    if name == "dask":
        from mailmill.engines.dask import DaskEngine

        return DaskEngine(settings)
    from mailmill.engines.local import LocalEngine

    return LocalEngine(settings)
