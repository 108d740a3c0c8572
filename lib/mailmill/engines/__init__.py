"""Engines: who computes. An engine schedules tasks; kernels compute.

    base.py         the contract, and everything that is the same on every engine
    merging.py      reduction in a fixed order, whatever the order in which parts arrive
    local.py        one process: the reference that the others are compared with
    dask.py         a LocalCluster of processes, or a running scheduler
    spark.py        a session, from spark-submit or of its own
    spark_tasks.py  what Spark's workers run

Each engine's library is imported in its own files alone, and only when that engine is opened.
"""

from mailmill.engines.base import Engine, Grouping, Kernel
from mailmill.engines.choice import choose, open_engine

__all__ = ["Engine", "Grouping", "Kernel", "choose", "open_engine"]
