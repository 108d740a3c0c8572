"""A workspace before and after a fault: what a run publishes, what readers see, and what must be the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailmill import pipeline, schemas
from mailmill.config import Config
from mailmill.job import Job
from mailmill.storage.manifests import Manifest
from tests import mail
from tests.faults.processes import Running

#: What a run publishes, in order: the words of the log line, and the tables that appear with it.
STEPS = {
    "raw": ("raw", "raw_rejects"),
    "clean": ("clean", "rejects"),
    "labels": ("labels",),
    "features": ("features",),
    "models/logistic": ("models/logistic",),
    "models/forest": ("models/forest",),
    "metrics": ("metrics",),
    "scores": ("scores",),
}
TABLES = [table for tables in STEPS.values() for table in tables]
#: What holds floats of the logistic fit, which agree to 1e-8 from engine to engine, not to the bit.
LINEAR = ("models/logistic", "metrics", "scores")
#: What is read back in full after each kill.
SCHEMAS: dict[str, Any] = {
    "raw": schemas.RAW, "raw_rejects": schemas.REJECTS, "clean": schemas.CLEAN, "rejects": schemas.REJECTS,
    "labels": schemas.LABELS, "features": mail.FEATURES, "scores": schemas.SCORES,
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Two corpora, vectors for both, and a folder for workspaces."""

    small: Path
    large: Path
    vectors: Path
    folder: Path

    def config(self, work: str, engine: str, corpus: Path | None = None) -> tuple[Config, Path]:
        """The configuration of a run into the workspace `work`, and its file."""
        # Fewer tasks where each costs time of its own.
        tasks = ["tables.fragment_bytes=1MB", "tables.row_group_bytes=300kB", "ingest.batch_objects=300"]
        settings = mail.make_config(
            str(self.folder / work), corpus or self.large, self.vectors, f"engine.kind={engine}", "forest.trees=60",
            "forest.depth=6", *(tasks if engine != "local" else []),
        )  # fmt: skip
        return settings, mail.write_config(self.folder / f"{work}-{(corpus or self.large).name}.toml", settings)


def durations(run: Running) -> dict[str, float]:
    """Seconds from one publication to the next; the first from the engine's start."""
    times = [run.wait_for(" engine "), *(run.wait_for(f" {name} published") for name in STEPS)]
    return {name: b - a for name, a, b in zip(STEPS, times, times[1:], strict=False)}


def manifests(settings: Config) -> dict[str, Manifest | None]:
    workspace = Job(settings).workspace
    return {name: workspace.find(name) for name in TABLES}


def readable(settings: Config) -> None:
    """Every published table opens and has the rows, and every published file the bytes, that its manifest says."""
    job = Job(settings)
    for name, manifest in manifests(settings).items():
        if manifest is None:
            continue
        folder = Path(settings.run.work) / name
        for file in manifest.files:
            assert (folder / file.path).stat().st_size == file.bytes, file
        if name in SCHEMAS:
            assert job.workspace.open(name, SCHEMAS[name]).read().num_rows == manifest.rows, name
        elif name.startswith("models/"):
            pipeline.load_model(job, name.removeprefix("models/"))
        else:
            json.loads(job.workspace.open(name, schemas.FILES).file("metrics.json"))


def leftovers(settings: Config, table: str) -> list[str]:
    """Run folders of a table that its manifest does not name: what a killed run had begun."""
    manifest = Job(settings).workspace.find(table)
    known = {f"run_id={run}" for run in (manifest.run_id, manifest.previous_run)} if manifest else set()
    return [p.name for p in (Path(settings.run.work) / table).glob("run_id=*") if p.name not in known]


def tidy(settings: Config) -> None:
    """Nothing is left of killed runs: no run folder but the present and the one before, no file but those named."""
    for name, manifest in manifests(settings).items():
        assert manifest is not None
        folder = Path(settings.run.work) / name
        assert leftovers(settings, name) == [], name
        inside = {str(p.relative_to(folder)) for p in (folder / f"run_id={manifest.run_id}").rglob("*") if p.is_file()}
        assert inside == {file.path for file in manifest.files}, name
        assert {p.name for p in folder.iterdir() if p.is_file()} == {"_manifest.json"}, name


#: What training took, which depends on what the caches held and on whether the workers share a disk.
TRAINING = ("source_bytes", "cache_bytes", "cost", "passes")
#: Mail is filed by the day (UTC) that took it, and the ledger names that day: a rerun after midnight has another.
DATED = ("days", "companions")


def assert_same(settings: Config, undisturbed: Config, besides: tuple[str, ...]) -> None:
    """The same rows, models and figures as an undisturbed run."""
    ours, theirs = manifests(settings), manifests(undisturbed)
    for name in (name for name in TABLES if name not in besides):
        a, b = ours[name], theirs[name]
        assert a is not None
        assert b is not None
        figures = [{n: v for n, v in m.statistics.items() if n not in (*TRAINING, *DATED)} for m in (a, b)]
        assert (a.rows, a.fingerprint, figures[0]) == (b.rows, b.fingerprint, figures[1]), name
