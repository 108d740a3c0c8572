"""Whether published metrics still stand: a model that was trained anew since has other figures than they say."""

from __future__ import annotations

from mailmill.storage.manifests import Manifest
from mailmill.storage.tables import Workspace

WAY_OUT = "run `mailmill evaluate`"


def outdated(workspace: Workspace, metrics: Manifest) -> str:
    """That, and of which models, metrics have the figures of an earlier version; "" where they have not.

    Figures of a model that stayed stand however many features are made anew, and so does a choice whose loser is gone.
    """
    found = {name: workspace.find(name) for name in sorted(metrics.inputs) if name.startswith("models/")}
    other = [name for name, model in found.items() if model and model.fingerprint != metrics.inputs[name]]
    return f"metrics are of an earlier version of {' and '.join(other)}" if other else ""
