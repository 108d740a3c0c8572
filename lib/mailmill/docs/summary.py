"""The last thing a run prints: where everything lies, and how the model did."""

from __future__ import annotations

import json
from typing import Any

from mailmill.models import standing
from mailmill.storage.filesystems import join
from mailmill.storage.manifests import NAME, content
from mailmill.storage.tables import Workspace
from mailmill.visible import visible

TABLES = {
    "clean table": "clean",
    "rejects": "rejects",
    "labels": "labels",
    "features": "features",
    "scores": "scores",
}
#: Characters of a class's name that are shown: two classes may begin alike.
WIDEST = 40


def summarise(workspace: Workspace) -> str:
    """A few lines for people: counts that add up, places, and the figures of each model on the test split."""
    lines = [""]
    clean = workspace.find("clean")
    if clean:
        s = clean.statistics
        lines.append(
            f"{_of(s['messages'], 'message')} = {clean.rows} clean + {_of(s['rejects'], 'reject')} + "
            f"{_of(s['duplicates'], 'duplicate')}"
        )
    features, labels, metrics = (workspace.find(name) for name in ("features", "labels", "metrics"))
    if labels and (features is None or "labels" in features.inputs):
        s = labels.statistics
        classes = ", ".join(f"{n} {visible(name)}" for name, n in s["classes"].items())
        lines.append(
            f"{s['labelled']} labelled ({classes}), {s['unlabelled']} without a label; "
            f"in the file {s['unmatched']} unmatched, {s['contradictory']} contradictory"
        )
    elif features and "labels" not in features.inputs:
        lines.append("no labels (labels.source and labels.header are empty): no models, no scores")
    lines += standing.earlier(workspace, "features", "scores")
    outdated = standing.outdated(workspace, metrics) if metrics else ""
    if metrics and features and metrics.inputs["features"] != features.fingerprint:
        lines += ["", "no figures: the models that are here were evaluated on other features"]
    elif outdated:
        lines += ["", f"no figures: {outdated}; {standing.WAY_OUT}"]
    elif metrics:
        figures = content(workspace.storage, workspace.uri_of(metrics.table), metrics, "metrics.json")
        lines += ["", *_figures(json.loads(figures))]
    lines.append("")
    for title, name in TABLES.items():
        if found := workspace.find(name):  # its folder holds files of the version before, too
            lines.append(f"{title:<12} {join(workspace.root, name, NAME)}  {found.rows} rows")
    scores = workspace.find("scores")
    chosen = metrics.statistics["chosen"] if metrics and not outdated else ""
    scoring = workspace.find(f"models/{scores.statistics['model'] if scores else chosen}")
    for title, made in (("metrics", metrics), ("model", scoring)):
        if made:
            lines.append(f"{title:<12} {join(workspace.root, made.table, f'run_id={made.run_id}')}")
    return "\n".join(lines)


def _of(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _figures(document: dict[str, Any]) -> list[str]:
    labels = {label: visible(label) for of in document["models"].values() for label in of["test"]["per_class"]}
    wide = min(max(10, *map(len, labels.values())), WIDEST)
    lines = [f"{'model':<10} {'class':<{wide}} {'precision':>9} {'recall':>8} {'F1':>8} {'mails':>7}   (test split)"]
    for name, splits in document["models"].items():
        test = splits["test"]
        mark = "*" if name == document["chosen"] else " "
        for label, of in test["per_class"].items():
            lines.append(
                f"{mark}{name:<9} {labels[label]:<{wide}.{wide}} {of['precision']:>9.3f} {of['recall']:>8.3f} "
                f"{of['f1']:>8.3f} {of['support']:>7}"
            )
        auc = "-" if test["roc_auc"] is None else f"{test['roc_auc']:.3f}"
        lines.append(f" {name:<9} accuracy {test['accuracy']:.3f}, ROC AUC {auc}, log loss {test['log_loss']:.3f}")
    by = document["chosen_by"]
    if by == "roc_auc" and document["models"][document["chosen"]]["validation"]["roc_auc"] is None:
        by = "log_loss, as a class has no mail there and so no model a ROC curve,"
    lines.append(f"* chosen by {by} on the validation split")
    return lines
