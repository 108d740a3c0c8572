"""Whether what is published still stands: where a stage was left out, tables, models or figures are earlier ones."""

from __future__ import annotations

from collections.abc import Mapping

from mailmill.storage.manifests import Manifest
from mailmill.storage.tables import Workspace

WAY_OUT = "run `mailmill evaluate`"
#: Tables in the order in which they are made, and the stages that make them of other tables anew.
STAGES = {"clean": "clean", "labels": "label", "features": "features", "scores": "score"}
TABLES = ("raw", "raw_rejects", *STAGES)


def trained(workspace: Workspace) -> dict[str, Manifest]:
    """The models that are trained, by table: those that metrics name, and later ones.

    One that `train.models` has given up stays in its folder, and is none of them.
    """
    tables = [f"models/{name}" for name in sorted(workspace.storage.children(workspace.uri_of("models")))]
    found = {table: manifest for table in tables if (manifest := workspace.find(table))}
    metrics = workspace.find("metrics")
    if metrics is None:
        return found
    return {name: of for name, of in found.items() if name in metrics.inputs or of.created > metrics.created}


def outdated(workspace: Workspace, metrics: Manifest) -> str:
    """That, and of which models, metrics have the figures of an earlier version; "" where they have not.

    Figures of a model that stayed stand however many features are made anew, and so does a choice whose loser is gone.
    """
    found = {name: workspace.find(name) for name in sorted(metrics.inputs) if name.startswith("models/")}
    other = [name for name, model in found.items() if model and model.fingerprint != metrics.inputs[name]]
    return f"metrics are of an earlier version of {' and '.join(other)}" if other else ""


def earlier(workspace: Workspace, *names: str) -> list[str]:
    """A line for each of these tables, and of those that they come from, that is of an earlier version of another.

    Models stand for themselves: one that was trained on earlier features serves later ones.
    """
    found: dict[str, Manifest] = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in found and (manifest := workspace.find(name)):
            found[name] = manifest
            wanted += [other for other in manifest.inputs if other in TABLES or other.startswith("models/")]
    lines = []
    for name, stage in STAGES.items():
        inputs = found[name].inputs if name in found else {}
        if other := [_named(found[of]) for of in inputs if of in found and found[of].fingerprint != inputs[of]]:
            said = f"table {_named(found[name])} is of an earlier version of {' and '.join(other)}"
            lines.append(f"{said}; run `mailmill {stage}`")
    return lines


def apart(tables: Mapping[str, Manifest]) -> dict[str, frozenset[str]]:
    """By table, those of which it says nothing, nor they of it: one of the two comes from another version of the other.

    tables: in the order in which they are made. Labels are apart from features that were made without any.
    """
    above: dict[str, set[str]] = {}  # what a table comes from
    other: dict[str, set[str]] = {}  # and of that, what is published in another version now
    for name, manifest in tables.items():
        parents = [parent for parent in above if parent in manifest.inputs]
        above[name] = {*parents, *(of for parent in parents for of in above[parent])}
        other[name] = {"labels"} & above.keys() - {*parents} if name == "features" else set()
        for parent in parents:
            same = tables[parent].fingerprint == manifest.inputs[parent]
            other[name] |= other[parent] if same else {parent, *above[parent]}
    return {name: frozenset(other[name] | {of for of in tables if name in other[of]}) for name in tables}


def _named(manifest: Manifest) -> str:
    return f"{manifest.table} ({manifest.rows} rows)" if manifest.columns else manifest.table
