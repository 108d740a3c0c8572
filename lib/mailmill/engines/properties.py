"""What a session of Spark is told where `[engine.spark]` does not say otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from mailmill.config import EngineSection, StorageSection
from mailmill.engines import s3a

_DEFAULTS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "512",  # raw mail is large: 512 rows are a few megabytes
    "spark.sql.files.openCostInBytes": str(2**20),
    "spark.python.worker.reuse": "true",
}
#: Matters of whoever submits; the second table's are of a Spark on this machine alone.
_SUBMITTERS = {
    "spark.app.name": "mailmill",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.maxResultSize": "0",  # a pass's states are as large as they are; the driver's memory is the limit
}
_LOCAL = {
    "spark.driver.memory": "2g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
}


def chosen(settings: EngineSection, storage: StorageSection, local: bool, given: Mapping[str, str]) -> dict[str, str]:
    """Every property of a session. `given`: what spark-submit was given, by `--conf` or the cluster's defaults."""
    submitters = _SUBMITTERS | (_LOCAL if local else {})
    heeded = {name: given.get(name, value) for name, value in submitters.items()}
    return _DEFAULTS | heeded | s3a.properties(storage) | settings.spark
