"""A job: one configuration bound to its storage, its workspace and (only when needed) its engine."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pyarrow as pa

from mailmill import config as configuration
from mailmill.config import Config
from mailmill.engines import Engine, Kernel, open_engine
from mailmill.errors import DataError
from mailmill.progress import Progress
from mailmill.quality import profile
from mailmill.storage.filesystems import Storage
from mailmill.storage.fragments import Sink, Written
from mailmill.storage.sources import SourceObject, is_junk
from mailmill.storage.tables import Stage, Table, Workspace

log = logging.getLogger("mailmill")


class Job:
    """What every stage is given. A context manager: leaving it lets go of the engine's workers.

    The engine starts at its first use, so a run that has nothing to do starts none.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.storage = Storage(config.storage)
        self.workspace = Workspace(self.storage, config.run.work, config.tables)

    @cached_property
    def engine(self) -> Engine:
        """The engine that the configuration chooses, started."""
        engine = open_engine(self.config.engine)
        log.info("engine %s", engine.describe())
        return engine

    def __enter__(self) -> Job:
        return self

    def __exit__(self, *_: object) -> None:
        if "engine" in self.__dict__:
            self.engine.close()

    def inputs(self, empty_ok: bool = False) -> list[SourceObject]:
        """Every object below `input.paths`, once, by path. Raises DataError for a path that holds none."""
        found: dict[str, SourceObject] = {}
        for root in self.config.input.paths:
            try:
                objects = self.storage.find(root)
            except DataError:
                if not empty_ok:
                    raise
                objects = []
            found |= {item.path: item for item in objects if not is_junk(item.path, root)}
        if not found and not empty_ok:
            raise DataError(f"no mail in {', '.join(self.config.input.paths)}", hint="see input.paths")
        return [found[path] for path in sorted(found)]

    def stage(self, inputs: Mapping[str, str], settings: list[Any], outputs: Mapping[str, pa.Schema]) -> Stage:
        """Begin a stage; see `Workspace.stage`. `settings`: the sections that its outputs depend on."""
        return self.workspace.stage(inputs, configuration.fingerprint(*settings), outputs)

    def map_table(self, table: Table, kernel: Kernel, sink: Sink, progress: Progress) -> list[Written]:
        """See `Engine.map_table`; a table without rows needs no engine."""
        return self.engine.map_table(table, kernel, sink, progress) if table.rows else []

    def count(self, table: Table, *columns: str) -> Counter[tuple[Any, ...]]:
        """How many rows have each combination of the columns' values."""
        scans = table.scans(self.engine.task_bytes)
        if not scans:
            return Counter()
        return self.engine.map_reduce(scans, profile.count_values, profile.add, profile.Columns(columns))


def skipped(stage: Stage, name: str) -> Table:
    """Say that a stage has nothing to do, and give the table that stands."""
    table = stage.current(name)
    log.info("%s unchanged: run=%s", name, table.manifest.run_id)
    return table


def done(tables: Mapping[str, Table], name: str) -> Table:
    """Say what a stage published, and give its table."""
    table = tables[name]
    counts: dict[str, float] = {"rows": table.rows} if len(table.schema) else {}
    counts |= {k: v for k, v in table.manifest.statistics.items() if isinstance(v, int | float) and k != "rows"}
    log.info("%s published: %s", name, " ".join(f"{key}={value:.6g}" for key, value in counts.items()))
    return table
