"""A workspace of published tables, and the stage's way of publishing one.

stage = workspace.stage("clean", inputs={"raw": raw.fingerprint}, settings=..., outputs=...)
if stage.unchanged: nothing to do; else tasks write through stage.sink, and then stage.publish(files, statistics)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

import pyarrow as pa

from mailmill.config import TablesSection
from mailmill.errors import DataError
from mailmill.storage import manifests, parquet
from mailmill.storage.attempts import Attempts
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.fingerprint import table_fingerprint
from mailmill.storage.fragments import Scan, Sink, Written
from mailmill.storage.manifests import File, Manifest


@dataclass(frozen=True)
class Table:
    """A published table. Everything about it comes from its manifest."""

    storage: Storage
    uri: str
    manifest: Manifest
    schema: pa.Schema

    @property
    def name(self) -> str:
        """The table's name, e.g. "clean"."""
        return self.manifest.table

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.manifest.rows

    @property
    def fingerprint(self) -> str:
        """Hash of the rows, whatever their order and files."""
        return self.manifest.fingerprint

    def uris(self) -> list[str]:
        """The Parquet files."""
        return [join(self.uri, file.path) for file in self.manifest.files]

    def scans(self, target_bytes: int = 32 * 2**20, at_least: int = 1) -> list[Scan]:
        """Cut the table into tasks of about `target_bytes` on disk, and into `at_least` where row groups allow."""
        total = sum(file.bytes for file in self.manifest.files)
        target = max(1, min(target_bytes, total // max(at_least, 1)))
        return parquet.cut(self.storage, self.uri, self.manifest.files, target)

    def require_whole(self) -> None:
        """Read every file. Raises DataError naming the first that is damaged or gone."""
        parquet.check(self.storage, self.uri, self.manifest.files)

    def file(self, name: str) -> bytes:
        """A published file that is no table's, by its name."""
        return manifests.content(self.storage, self.uri, self.manifest, name)

    def restricted(self, files: Iterable[File]) -> Table:
        """The table as if it had these of its files alone."""
        chosen = sorted(files, key=lambda file: file.path)
        return replace(self, manifest=replace(self.manifest, files=chosen, rows=sum(file.rows for file in chosen)))

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """The whole table in memory, sorted by key where it has one: for small tables and tests."""
        wanted = self.schema if columns is None else pa.schema([self.schema.field(c) for c in columns])
        parts = [scan.read(columns).cast(wanted) for scan in self.scans()]
        table = pa.concat_tables(parts) if parts else wanted.empty_table()
        return table.sort_by("key") if "key" in table.column_names else table


@dataclass(frozen=True)
class Growth:
    """What a row-wise stage still has to do: map the `fresh` parts of its inputs; the `kept` files stay as they are."""

    stage: Stage
    fresh: Mapping[str, Table]
    kept: list[Written]


@dataclass(frozen=True)
class Stage:
    """One run of a stage: its sink while it works, its manifests when it is done.

    `in_use`: by output, folders of earlier runs (`run_id=ID`) that publication must not sweep.
    """

    workspace: Workspace
    inputs: dict[str, str]
    settings: str
    outputs: Mapping[str, pa.Schema]
    run_id: str
    previous: Mapping[str, Manifest | None]
    sources: tuple[Table, ...] = ()
    in_use: Mapping[str, Collection[str]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def code(self) -> str:
        """The version of the code."""
        return manifests.code_version()

    @property
    def unchanged(self) -> bool:
        """Whether every output is already what this stage would make, and is still there."""
        code, found = self.code, self.previous.values()
        return all(m is not None and m.made_from(self.inputs, self.settings, code) for m in found) and not self.missing

    @cached_property
    def missing(self) -> dict[str, list[str]]:
        """By output, the published files that somebody deleted or cut since."""
        look, uri_of = partial(manifests.missing, self.workspace.storage), self.workspace.uri_of
        return {name: lost for name, m in self.previous.items() if m and (lost := look(uri_of(name), m))}

    def growth(self, *sources: Table) -> Growth:
        """What of `sources`, the tables that this stage maps row by row, it has not mapped yet.

        Everything is fresh unless this stage's outputs were made by the same code and settings, from the same
        tables and other inputs, and from files that are all still in the sources.
        """
        stage = replace(self, sources=sources)
        names = {table.name for table in sources}
        tables = [name for name, schema in self.outputs.items() if len(schema)]  # other files are made anew
        found = [manifest for name in tables if (manifest := self.previous[name]) is not None]
        present = {origin for table in sources for origin in table.manifest.origins}
        grown = len(found) == len(tables) and all(
            manifest.made_of
            and manifest.run_id == found[0].run_id
            and (manifest.settings, manifest.code) == (self.settings, self.code)
            and _besides(manifest.inputs, names) == _besides(self.inputs, names)
            and present.issuperset(manifest.made_of)
            for manifest in found
        )
        if not grown or not self.missing.keys().isdisjoint(tables):
            return Growth(stage, {table.name: table for table in sources}, [])
        mapped = set(found[0].made_of)
        fresh = {}
        for table in sources:
            files = [(file, {f"{table.name}/{path}" for path in file.origins}) for file in table.manifest.files]
            if any(origins & mapped and not origins <= mapped for _, origins in files):
                return Growth(stage, {table.name: table for table in sources}, [])  # compacted before it was mapped
            fresh[table.name] = table.restricted(file for file, origins in files if not origins & mapped)
        return Growth(stage, fresh, [(manifest.table, file) for manifest in found for file in manifest.files])

    @property
    def sink(self) -> Sink:
        """Where tasks write the outputs that will be published."""
        return self.sink_for(self.outputs)

    def sink_for(self, schemas: Mapping[str, pa.Schema]) -> Sink:
        """A sink into this run; a name that is no output is scratch below the first output, swept at publication."""
        anchor, run = self.workspace.uri_of(next(iter(self.outputs))), self._begun()
        folders = {
            name: (self.workspace.uri_of(name), run) if name in self.outputs else (anchor, f"{run}/{name}")
            for name in schemas
        }
        return Sink(self.workspace.storage, folders, dict(schemas), self.workspace.settings)

    def scratch_uri(self, name: str) -> str:
        """A folder of this run for what its tasks share; swept at publication."""
        return join(self.workspace.uri_of(next(iter(self.outputs))), self._begun(), name)

    def folder(self, output: str) -> str:
        """Where this run's files of `output` lie, before and after they are published."""
        return join(self.workspace.uri_of(output), f"run_id={self.run_id}")

    def write_files(self, output: str, files: Mapping[str, bytes]) -> list[Written]:
        """Write files that are no table's (a model, metrics) as this run's `output`."""
        return [self.write_stream(output, name, [content]) for name, content in files.items()]

    def write_stream(self, output: str, name: str, chunks: Iterable[bytes]) -> Written:
        """Write one file that is no table's, and may be too large for memory, as this run's `output`."""
        path, size = f"{self._begun()}/{name}", 0
        digest = manifests.hasher(name)
        with self.workspace.storage.create(join(self.workspace.uri_of(output), path)) as stream:
            for chunk in chunks:
                stream.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        return output, File(path, 0, size, digest.hexdigest())

    def _begun(self) -> str:
        """This run's folder in each of its tables, now that something is about to be written there."""
        self.workspace.storage.make_private(self.workspace.root)
        self.workspace.attempts.begun(self.run_id, map(self.folder, self.outputs))
        return f"run_id={self.run_id}"

    def draft(self, name: str, written: Iterable[Written], schema: pa.Schema) -> Table:
        """What the tasks wrote for one output or scratch so far, as a table that nobody else sees."""
        return self._table(name, written, {}, schema)

    def publish(self, written: Iterable[Written], statistics: Mapping[str, Any]) -> dict[str, Table]:
        """Write the manifests, the first output's last: it is the one that `unchanged` and readers trust."""
        written = list(written)
        self.workspace.check()
        self.workspace.attempts.ended(self.run_id)
        published = {name: self._table(name, written, statistics, schema) for name, schema in self.outputs.items()}
        for name in reversed(published):
            self.workspace.publish(name, published[name].manifest, self.in_use.get(name, ()))
        for name in self.outputs:
            self.workspace.notify("published", published[name].manifest)
        return published

    def _table(self, name: str, written: Iterable[Written], statistics: Mapping[str, Any], schema: pa.Schema) -> Table:
        files = sorted((file for output, file in written if output == name), key=lambda file: file.path)
        previous, rows = self.previous.get(name), sum(file.rows for file in files)
        folder = name if name in self.outputs else next(iter(self.outputs))  # scratch lies below the first output
        manifest = Manifest(
            table=name,
            run_id=self.run_id,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            rows=rows,
            fingerprint=table_fingerprint(schema, rows, manifests.digest_of_rows(files)),
            columns=manifests.columns(schema),
            files=files,
            inputs=self.inputs,
            settings=self.settings,
            code=manifests.code_version(),
            statistics=dict(statistics),
            previous_run=previous.run_id if previous else None,
            seconds=round(time.monotonic() - self.began, 3),
            made_of=sorted(origin for table in self.sources for origin in table.manifest.origins),
        )
        return Table(self.workspace.storage, self.workspace.uri_of(folder), manifest, schema)

    def current(self, name: str) -> Table:
        """The table as published before this run."""
        table = self.workspace.open(name, self.outputs[name])
        self.workspace.notify("unchanged", table.manifest)
        return table


@dataclass(frozen=True)
class Workspace:
    """The folder or prefix `run.work`: one folder a table. It holds people's mail: a folder that a run makes is for its
    own user alone; who shares one makes it himself."""

    storage: Storage
    root: str
    settings: TablesSection
    check: Callable[[], None] = lambda: None  # raises where this run may publish no more; see `lease`
    notify: Callable[[str, Manifest], None] = lambda _what, _manifest: None  # hears of every table; see `runs.record`
    attempts: Attempts = field(default_factory=Attempts, compare=False)
    known: dict[str, Manifest | None] | None = None  # by name, where nobody else publishes: see `lease`

    def uri_of(self, name: str) -> str:
        """The folder of a table."""
        return join(self.root, name)

    def find(self, name: str) -> Manifest | None:
        """The manifest of a table, or None where it was never published."""
        known = {} if self.known is None else self.known
        if name not in known:
            known[name] = manifests.read(self.storage, self.uri_of(name))
        return known[name]

    def publish(self, name: str, manifest: Manifest, in_use: Collection[str] = ()) -> None:
        """Make `manifest` the table; see `manifests.publish`."""
        manifests.publish(self.storage, self.uri_of(name), manifest, self.find(name), in_use)
        if self.known is not None:  # numbers and tuples come back as JSON has them
            self.known.pop(name, None)

    def manifest(self, name: str) -> Manifest:
        """The manifest of a table. Raises DataError where it was never published."""
        if (manifest := self.find(name)) is None:
            hint = "run the stage that makes it, or `mailmill run`"
            raise DataError(f"table {name} is not in {self.root}", hint=hint)
        return manifest

    def open(self, name: str, schema: pa.Schema) -> Table:
        """The published table. Raises DataError where it was never published or has other columns."""
        manifest, uri = self.manifest(name), self.uri_of(name)
        if manifest.columns != manifests.columns(schema):
            raise DataError(f"table {uri} has other columns than this version of mailmill expects")
        return Table(self.storage, uri, manifest, schema)

    def stage(self, inputs: Mapping[str, str], settings: str, outputs: Mapping[str, pa.Schema]) -> Stage:
        """Begin a run that turns `inputs` (name -> fingerprint) into `outputs`, the table proper first."""
        previous = {name: self.find(name) for name in outputs}
        return Stage(self, dict(inputs), settings, dict(outputs), manifests.new_run_id(), previous)


def _besides(inputs: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: "" if name in names else value for name, value in inputs.items()}


def fingerprints(*tables: Table) -> dict[str, str]:
    """The inputs of a stage that reads these tables, for `Workspace.stage`."""
    return {table.name: table.fingerprint for table in tables}
