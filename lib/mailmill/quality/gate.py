"""The gate before publication: profile what a stage wrote, hold it to its expectations, publish both or nothing.

A table NAME of `profile.PROFILED` is published together with `profiles/NAME`: the profile and the verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mailmill import schemas
from mailmill.config import QualitySection
from mailmill.errors import ConfigError, DataError
from mailmill.quality import expectations, profile, suites
from mailmill.quality.profile import Known, OverFragments, Profile
from mailmill.quality.validation import Validation
from mailmill.storage.fragments import Written
from mailmill.storage.tables import Stage, Table

log = logging.getLogger("mailmill")
_SAID: set[str] = set()


def output_of(table: str) -> str:
    """The name under which a table's profile is published."""
    return f"profiles/{table}"


def outputs(names: Sequence[str]) -> dict[str, pa.Schema]:
    """The profiles that a stage with these outputs publishes too."""
    return {output_of(name): schemas.FILES for name in names if name in profile.PROFILED}


@dataclass(frozen=True)
class Gate:
    """What the gate needs of a job: its settings, the suites by table that the stage was begun with, and its engine's
    `map_reduce`."""

    settings: QualitySection
    expected: Mapping[str, suites.Suite]
    map_reduce: OverFragments
    task_bytes: int

    def publish(
        self, stage: Stage, written: Sequence[Written], statistics: Mapping[str, Any], known: Known
    ) -> dict[str, Table]:
        """Profile and validate every output that has a profile; then publish all, or keep none and raise DataError."""
        written = list(written)
        for name in [name for name in stage.outputs if name in profile.PROFILED]:
            found = profile.profile(
                stage.draft(name, written, stage.outputs[name]),
                self.map_reduce,
                self.task_bytes,
                known=known,
                statistics=statistics,
                before=previous(stage, name),
                sample_rows=self.settings.sample_rows,
            )
            verdict = self.judge(found)
            verdict.require()
            written += stage.write_files(output_of(name), found.files() | verdict.files())
        return stage.publish(written, statistics)

    def judge(self, found: Profile) -> Validation:
        """The verdict on one table; warnings are logged. Without the library: an empty one, or ConfigError."""
        table = found.document["table"]
        suite = self.expected[table]
        if self.settings.expectations == "off" or not suite.expected:
            return Validation(table, found.document["fingerprint"], suite.digest, "")
        if not expectations.available():
            missing(self.settings)
            return Validation(table, found.document["fingerprint"], suite.digest, "")
        verdict = expectations.check(suite, found, self.settings.accept)
        for o in verdict.warnings:
            log.warning("%s.%s: %s is %s, expected %s (%s)", table, o.name, o.about, o.observed, o.expected, o.verdict)
        return verdict


def missing(settings: QualitySection) -> None:
    """Great Expectations is not installed: an error where it is required, else said once a process."""
    text = "Great Expectations is not installed: tables are profiled, but not held to expectations"
    if settings.expectations == "required":
        raise ConfigError(text, hint="pip install 'mailmill[docs]', or set quality.expectations = \"auto\"")
    if text not in _SAID:
        _SAID.add(text)
        log.warning("%s (pip install 'mailmill[docs]')", text)


def previous(stage: Stage, name: str) -> Profile | None:
    """The profile of the version that is published now, or None, also where its files are gone or damaged."""
    output, workspace = output_of(name), stage.workspace
    manifest = stage.previous.get(output)
    if manifest is None:
        return None
    try:
        return profile.read(Table(workspace.storage, workspace.uri_of(output), manifest, schemas.FILES))
    except DataError as error:
        log.warning("%s is compared with no version before it: %s", name, error.message)
        return None
