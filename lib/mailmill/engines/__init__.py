"""Engines: who computes. An engine schedules tasks; kernels compute.

    base.py         the contract, and everything that is the same on every engine
    choice.py       which engine a run takes, and opening it
    merging.py      reduction in a fixed order, whatever the order in which parts arrive
    shuffle.py      the shuffle by files, for engines without a fast one of their own
    worker.py       what a worker process holds and gives back
    local.py        one process: the reference that the others are compared with
    dask.py         the Dask engine: worker processes of its own, or a running scheduler
    dask_workers.py the worker processes that it starts on this machine
    spark.py        a session, from spark-submit or of its own
    spark_tasks.py  what Spark's workers run
    reports.py      what a Spark task reports to the driver
    properties.py   what Spark's session is told
    s3a.py          Spark's own way to S3

Each engine's library is imported in its own files alone, and only when that engine is opened.
"""

from mailmill.engines.base import Engine, Grouping, Kernel
from mailmill.engines.choice import choose, is_awaited, open_engine

__all__ = ["Engine", "Grouping", "Kernel", "choose", "is_awaited", "open_engine"]
