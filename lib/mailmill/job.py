"""A job: one configuration bound to its storage, its workspace and (only when needed) its engine."""

from __future__ import annotations

import contextlib
import logging
import operator
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from mailmill import config as configuration
from mailmill.config import Config
from mailmill.engines import Engine, Kernel, is_awaited, open_engine
from mailmill.errors import ConfigError, DataError, MailmillError
from mailmill.models.cache import Cache
from mailmill.progress import Progress
from mailmill.quality import counting, expectations, gate, suites
from mailmill.quality.profile import PROFILED, Known
from mailmill.quality.threads import SplitOf, Threads, merge_threads, tally_threads
from mailmill.storage.filesystems import Storage, is_s3
from mailmill.storage.fragments import Sink, Written
from mailmill.storage.manifests import Manifest
from mailmill.storage.sources import SourceObject, is_junk, printable
from mailmill.storage.tables import Stage, Table, Workspace

log = logging.getLogger("mailmill")


class Job:
    """What every stage is given. A context manager: leaving it lets go of the engine's workers, and of what was written
    and not published.

    The engine starts at its first use, so a run that has nothing to do starts none, unless somebody waits for it.
    `alone`: whoever makes it holds the workspace's lease, so that a manifest which was read once stands.
    """

    def __init__(
        self,
        config: Config,
        check: Callable[[], None] = lambda: None,
        notify: Callable[[str, Manifest], None] = lambda _what, _manifest: None,
        alone: bool = False,
    ) -> None:
        self.config = config
        self.storage = Storage(config.storage)
        known: dict[str, Manifest | None] | None = {} if alone else None
        self.workspace = Workspace(self.storage, config.run.work, config.tables, check, notify, known=known)
        self._cached: set[str] = set()
        self.described = ""  # the engine, once it was started

    @cached_property
    def engine(self) -> Engine:
        """The engine that the configuration chooses, started."""
        engine = open_engine(self.config.engine, self.config.storage)
        self.described = engine.describe()
        log.info("engine %s", self.described)
        return engine

    @cached_property
    def suites(self) -> dict[str, suites.Suite]:
        """The expectations of every table that has a profile. Raises ConfigError where `quality` names what is not."""
        quality = self.config.quality
        return suites.load_all(self.storage, PROFILED, quality.suites, quality.accept)

    @cached_property
    def _cache(self) -> Cache:
        """Where training's arrays are kept on each machine; told where they cannot be on this one."""
        cache = Cache(self.config.cache.directory, self.config.cache.bytes)
        if cache.refused:
            log.warning(
                "%s is not this user's alone, so training keeps nothing there and takes longer: remove it, or set "
                "cache.directory to another place", cache.root,
            )  # fmt: skip
        return cache

    def __enter__(self) -> Job:
        if is_awaited(self.config.engine):
            log.debug("engine %s starts, whatever there is to do: it is waited for", self.engine.name)
        return self

    def __exit__(self, *_: object) -> None:
        if "engine" in self.__dict__:
            self.engine.close()
        for table in self._cached:
            self._cache.forget(table)
        with contextlib.suppress(MailmillError):  # what it ended with is what matters; the next publication sweeps, too
            self.workspace.attempts.discard(self.storage)

    def cache_for(self, table: Table) -> Cache:
        """The cache of training's arrays; what it keeps of this table goes when the job ends, unless asked to stay."""
        if not self.config.cache.keep:
            self._cached.add(table.fingerprint)
        return self._cache

    def inputs(self, empty_ok: bool = False) -> list[SourceObject]:
        """Every object below `input.paths`, once, by path; what lies below `run.work` is mailmill's own, and no mail.

        Raises DataError for a path that holds none, unless `empty_ok` and it is a folder (on S3, any prefix of a
        bucket), and ConfigError where `run.work` is one of the paths.
        """
        self.require_apart()
        found: dict[str, SourceObject] = {}
        for root in self.config.input.paths:
            try:
                objects = self._foreign(root, self.storage.find(root))
            except DataError:
                if not (empty_ok and (is_s3(root) or Path(root.removeprefix("file://")).is_dir())):
                    raise
                objects = []
            mail = {item.path: item for item in objects if not is_junk(item.path, root)}
            if empty_ok and not mail:
                log.warning("input.paths: %s holds no mail", printable(root))
            found |= mail
        if not found and not empty_ok:
            raise DataError(f"no mail in {', '.join(self.config.input.paths)}", hint="see input.paths")
        return [found[path] for path in sorted(found)]

    def require_apart(self) -> None:
        """Raise ConfigError where `run.work` is a folder that is read as mail: a run may write nothing there."""
        own = self._real(self.config.run.work)
        for root in self.config.input.paths:
            if self._real(root) == own:
                raise ConfigError(f"run.work is {root}, which is read as mail", hint="set run.work to another folder")

    def _foreign(self, root: str, objects: list[SourceObject]) -> list[SourceObject]:
        """Those of the objects below `root` that are not in the workspace."""
        listed = self.storage.arrow(root)[1].rstrip("/") + "/"
        top, own = (self._real(uri) for uri in (root, self.config.run.work))
        if not own.startswith(top):
            return objects
        own = listed + own.removeprefix(top)
        return [item for item in objects if not self.storage.arrow(item.path)[1].startswith(own)]

    def _real(self, uri: str) -> str:
        """Where a folder lies, whatever links lead to it."""
        path = self.storage.arrow(uri)[1]
        return str(path if is_s3(uri) else os.path.realpath(path)).rstrip("/") + "/"

    def stage(self, inputs: Mapping[str, str], settings: list[Any], outputs: Mapping[str, pa.Schema]) -> Stage:
        """Begin a stage; see `Workspace.stage`. `settings`: the sections that its outputs depend on.

        Outputs that have a profile get one more output, and their expectations are among the settings. Where what is
        published is of other code or settings, the log says that it is made anew; of a table that grows its stage does.
        """
        profiled = [name for name in outputs if name in PROFILED]
        if profiled:
            quality = self.config.quality
            judged = [self.suites[name].digest for name in profiled]
            judged = [] if quality.expectations == "off" else [*judged, quality.expectations]
            settings = [*settings, quality.sample_rows, judged]
        stage = self.workspace.stage(
            inputs, configuration.fingerprint(*settings), {**outputs, **gate.outputs(profiled)}
        )
        if (why := outdated(stage)) and "ledger" not in outputs:
            log.info("%s is made anew: %s", next(iter(outputs)), why)
        if profiled and not stage.unchanged and quality.expectations != "off":
            if not expectations.available():
                gate.missing(quality)
            elif self.engine.name != "local":  # there is nothing to overlap with in one process
                expectations.warm()
        return stage

    def publish(
        self,
        stage: Stage,
        written: Sequence[Written],
        statistics: Mapping[str, Any],
        known: Known = Known(),  # noqa: B008
    ) -> dict[str, Table]:
        """Profile what a stage wrote, hold it to its expectations, publish; or DataError, and nothing is published."""
        judge = gate.Gate(self.config.quality, self.suites, self.engine.map_reduce, self.engine.task_bytes)
        return judge.publish(stage, written, statistics, known)

    def threads(self, clean: Table, split_of: SplitOf) -> Threads:
        """What the conversations of the clean table demand of the splits; see `quality.threads`."""
        scans = clean.scans(self.engine.task_bytes)
        return self.engine.map_reduce(scans, tally_threads, merge_threads, split_of) if scans else Threads()

    def map_table(self, table: Table, kernel: Kernel, sink: Sink, progress: Progress) -> list[Written]:
        """See `Engine.map_table`; a table without rows needs no engine."""
        return self.engine.map_table(table, kernel, sink, progress) if table.rows else []

    def count(self, table: Table, *columns: str) -> Counter[tuple[Any, ...]]:
        """How many rows have each combination of the columns' values."""
        scans = table.scans(self.engine.task_bytes)
        if not scans:
            return Counter()
        return self.engine.map_reduce(scans, counting.count_values, operator.add, counting.Columns(columns))

    def reasons(self, rejects: Table) -> dict[str, int]:
        """How many rows of a table of rejects have each reason."""
        return {reason: n for (reason,), n in sorted(self.count(rejects, "reason").items())}


def outdated(stage: Stage) -> str:
    """That other code, or other settings, made what a stage has published; "" where they have not."""
    before = next(iter(stage.previous.values()), None)
    if before is None or before.made_from(before.inputs, stage.settings, stage.code):
        return ""
    if before.code != stage.code:
        return f"mailmill {before.code} made it, this is {stage.code}"
    return "its settings, or what was chosen by them, were others"


def skipped(stage: Stage, name: str) -> Table:
    """Say that a stage has nothing to do, and give the table that stands."""
    table = stage.current(name)
    fields = {"stage": name, "event": "unchanged", "rows": table.rows}
    log.info("%s unchanged: run=%s", name, table.manifest.run_id, extra={"fields": fields})
    return table


def done(tables: Mapping[str, Table], name: str) -> Table:
    """Say what a stage published, and give its table."""
    table = tables[name]
    counts: dict[str, float] = {"rows": table.rows} if len(table.schema) else {}
    counts |= {k: v for k, v in table.manifest.statistics.items() if isinstance(v, int | float) and k != "rows"}
    size = sum(file.bytes for file in table.manifest.files)
    fields = {"stage": name, "event": "published", "table": table.uri, "bytes": size, **counts}
    fields["seconds"] = table.manifest.seconds
    said = {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in counts.items()}
    text = " ".join(f"{key}={value}" for key, value in said.items())
    log.info("%s", f"{name} published: {text}" if text else f"{name} published", extra={"fields": fields})
    return table
