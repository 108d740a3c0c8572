"""Facts on their way together: what a manifest and a profile say of a table, each under a name of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailmill.docs.facts import Fact, Profile
from mailmill.storage.manifests import MADE_BY, Manifest
from mailmill.storage.tables import Workspace

#: Outputs beside a table proper, to which the counts of the stage belong.
UNCOUNTED = ("raw_rejects", "rejects")
#: Groups of counts with more values (days, domains, rules) stay in the profile, and off the list of facts.
LONGEST_GROUP = 64
#: SQL that gives the facts below a name, for whoever wants to ask again.
QUERIES = {
    "rows": "SELECT count(*) FROM {table}",
    "reasons": "SELECT reason, count(*) FROM rejects GROUP BY reason",
    "classes": "SELECT label, count(*) FROM labels GROUP BY label",
    "splits": "SELECT split, count(*) FROM features GROUP BY split",
}


class Collector:
    """Facts by name; the first one of a name stays, so what a manifest counted outranks a profile."""

    def __init__(self) -> None:
        self.facts: dict[str, Fact] = {}

    def add(self, name: str, value: Any, query: str, manifest: Manifest) -> None:
        if isinstance(value, str | int | float):
            self.facts.setdefault(name, Fact(name, value, query, manifest.table, manifest.fingerprint))
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                self.add(f"{name}.{key}", inner, query, manifest)
        elif isinstance(value, list | tuple) and value:
            self.add(name, ", ".join(map(str, value)), query, manifest)

    def of_manifest(self, name: str, manifest: Manifest, workspace: Workspace) -> None:
        asked = f"manifest of {name}"
        self.add(f"{name}.rows", manifest.rows, QUERIES["rows"].format(table=name), manifest)
        # A stage's counts stand in the manifest of each of its outputs: they belong to the table proper.
        for key, value in ({} if name in UNCOUNTED else manifest.statistics).items():
            if key != MADE_BY:  # see `gathering`
                self.add(f"{name}.{key}", value, QUERIES.get(key, f"{asked}: statistics"), manifest)
        self.add(f"{name}.columns", {c["name"]: c["type"] for c in manifest.columns}, f"DESCRIBE {name}", manifest)
        self.add(f"{name}.made_from", sorted(manifest.inputs), asked, manifest)
        figures = {
            "fingerprint": manifest.fingerprint,
            "settings": manifest.settings,
            "code": manifest.code,
            "created": manifest.created,
            "run": manifest.run_id,
            "previous": manifest.previous_run,
            "files": len(manifest.files),
            "bytes": sum(file.bytes for file in manifest.files),
            "location": workspace.uri_of(name),
        }
        for key, value in figures.items():
            self.add(f"{name}.{key}", value, asked, manifest)

    def of_profile(self, profile: Profile) -> None:
        table, print_ = profile.table, profile.fingerprint
        groups = {
            f"counts.{name}.{value}": n
            for name, values in profile.counts.items()
            if len(values) <= LONGEST_GROUP
            for value, n in values.items()
        }
        for name, value in {**profile.facts, **groups}.items():
            full = f"{table}.{name}"
            self.facts.setdefault(full, Fact(full, value, f"profile of {table}: {name}", table, print_))
