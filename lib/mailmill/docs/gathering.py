"""The facts of what runs have published: from manifests, profiles and metrics, whatever the configuration is now.

Nothing is computed here, and nothing of a message is looked at, so gathering takes milliseconds at any size.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from mailmill import config as configuration
from mailmill.config import TRAINED
from mailmill.docs.collector import Collector
from mailmill.docs.facts import Fact, Facts, Profile
from mailmill.docs.slices import FEWEST
from mailmill.errors import DataError
from mailmill.models import standing
from mailmill.storage.filesystems import join
from mailmill.storage.manifests import MADE_BY, Manifest, content
from mailmill.storage.tables import Workspace

log = logging.getLogger("mailmill")
#: Tables in the order in which they are made.
IN_ORDER = ("raw", "raw_rejects", "clean", "rejects", "labels", "features", "scores")
#: Settings of a generated corpus that change what its mail is; `count` and `bytes` only say how much of it there is.
AMOUNT = frozenset({"count", "bytes"})
#: Groups of counts in which a value that few mails have might be somebody: such values are counted together.
OF_PEOPLE = frozenset({"domains", "languages"})
OTHERS = f"others (fewer than {FEWEST} mails each)"


def gather(workspace: Workspace) -> Facts:
    """The facts of everything that is published in `workspace`.

    Raises:
        DataError: nothing is published yet, or a manifest is damaged.
        ConfigError: the workspace's bucket does not exist.
    """
    manifests = {name: found for name in IN_ORDER if (found := workspace.find(name))}
    if "raw" not in manifests:
        workspace.storage.children(workspace.root)  # raises where its bucket does not exist
        raise DataError(f"there is no data in {workspace.root} to document", hint="run `mailmill run` first")
    known = Collector()
    for name, manifest in manifests.items():
        known.of_manifest(name, manifest, workspace)
    _input(known, manifests, workspace)
    _made_by(known, manifests)
    if "features" in manifests:
        spec = manifests["features"].statistics.get("specification") or {}
        if "labels" not in manifests["features"].inputs:
            unlabelled = manifests["features"].rows
            known.add("features.unlabelled", unlabelled, "inputs of the manifest of features", manifests["features"])
        _specified(known, "features", spec, "manifest of features: statistics", manifests["features"])
        if spec.get("vectors") == f"{TRAINED}.txt" and (own := workspace.find(f"vectors/{TRAINED}")):
            known.add("vectors.words", own.statistics.get("words"), "manifest of vectors/trained: statistics", own)
    models = standing.trained(workspace)
    _models(known, models, workspace)
    _uses(known, manifests, models)
    profiles = {name: profile for name in manifests if (profile := read_profile(workspace, name))}
    for profile in profiles.values():
        known.of_profile(profile)
    for said in standing.earlier(workspace, *manifests):
        log.warning("%s (answers that join both are left out)", said)
    return Facts(known.facts, profiles, standing.apart(manifests))


def read_profile(workspace: Workspace, table: str) -> Profile | None:
    """The profile of `table` as it may be shown, or None where there is none; a part that it lacks is empty."""
    try:
        document = _document(workspace, workspace.find(f"profiles/{table}"), "profile.json")
        if document is None:
            return None
        facts = {str(k): v for k, v in document.get("facts", {}).items() if isinstance(v, str | int | float)}
        counts = {str(k): {str(a): int(b) for a, b in v.items()} for k, v in document.get("counts", {}).items()}
        counts = {name: joined(values) if name in OF_PEOPLE else values for name, values in counts.items()}
        histograms = {
            str(k): {"edges": [float(x) for x in v["edges"]], "counts": [float(x) for x in v["counts"]]}
            for k, v in document.get("histograms", {}).items()
        }
        found = Profile(
            table, str(document.get("fingerprint", "")), int(document.get("rows", 0)), facts, histograms, counts
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        uri = workspace.uri_of(f"profiles/{table}")
        raise DataError(f"profile {uri} is damaged ({type(error).__name__})", hint="run the stage again") from None
    return found


def joined(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by value, those of fewer than `FEWEST` mails as one, `OTHERS`. What has no name is nobody."""
    few = {value: n for value, n in counts.items() if value and n < FEWEST}
    return {value: n for value, n in counts.items() if value not in few} | ({OTHERS: sum(few.values())} if few else {})


def shown(fact: Fact) -> bool:
    """Whether a fact of an earlier version may be shown: those from before few mails were counted together may not."""
    _, kind, group, value = (fact.name.split(".", 3) + [""] * 3)[:4]
    return kind != "counts" or group not in OF_PEOPLE or value in joined({value: int(fact.value)})


def _document(workspace: Workspace, manifest: Manifest | None, name: str) -> Any:
    """A published file of JSON; None where there is none."""
    if manifest is None or not any(file.path.endswith(f"/{name}") for file in manifest.files):
        return None
    return json.loads(content(workspace.storage, workspace.uri_of(manifest.table), manifest, name))


def _made_by(found: Collector, manifests: Mapping[str, Manifest]) -> None:
    """Settings that tables were made by, as their manifests recorded them: those of today may be others.

    Tables of a version that recorded none have none: answers do without, or say that it is unknown.
    """
    for name, manifest in manifests.items():
        made_by, asked = manifest.statistics.get(MADE_BY, {}), f"manifest of {name}: statistics"
        if name == "clean":
            found.add("settings.clean", made_by.get("clean"), asked, manifest)
        elif name == "labels" and (settings := made_by.get("labels")):
            source = settings["source"] or f"header {settings['header']}"
            found.add("labels.source", source.rsplit("/", 1)[-1], asked, manifest)
            if settings["source"]:
                found.add("labels.id_kind", settings["id_kind"].replace("_", " "), asked, manifest)
        elif name == "features":
            found.add("run.seed", manifest.statistics.get("splits_by", {}).get("seed"), asked, manifest)


def _input(found: Collector, manifests: Mapping[str, Manifest], workspace: Workspace) -> None:
    """What was read, and where; and, where mailmill generated it, how."""
    raw, counted = manifests["raw"], "manifest of raw: statistics"
    paths = raw.statistics.get(MADE_BY, {}).get("input", {}).get("paths", [])
    if "labels" not in manifests:
        found.add("raw.unlabelled", raw.rows, "no table labels is published", raw)
    days = sorted(raw.statistics.get("days", {})) or [raw.created[:10]]
    taken = f"on {days[0]}" if len(days) == 1 else f"on {len(days)} days between {days[0]} and {days[-1]}"
    found.add("raw.taken", taken, counted, raw)
    found.add("input.unread", raw.statistics.get("unread") or None, counted, raw)
    found.add("input.objects", raw.statistics.get("objects"), counted, raw)
    found.add("input.paths", paths, counted, raw)
    found.add("input.fingerprint", raw.inputs.get("objects"), "manifest of raw: inputs", raw)
    if "clean" in manifests:
        clean = manifests["clean"]
        messages = clean.statistics.get("messages", 0)
        share = clean.statistics.get("rejects", 0) / messages if messages else 0.0
        found.add("clean.rejected_share", share, "rejects / messages", clean)
    marks = {_parent(root): join(*_parent(root), "corpus.json") for root in paths}
    if not marks or not all(map(workspace.storage.exists, marks.values())):
        return  # some of it was not generated
    specs = [_generated_by(workspace, mark) for mark in marks.values()]
    _generator(found, {key: value for key, value in specs[0].items() if all(s.get(key) == value for s in specs)}, raw)
    labels = manifests.get("labels")
    source = labels.statistics.get(MADE_BY, {}).get("labels", {}).get("source") if labels else None
    if labels and source and (beside := marks.get(_parent(source))):
        wrong = _generated_by(workspace, beside).get("wrong_labels")
        found.add("labels.wrong_on_purpose", wrong, "corpus.json beside the labels", labels)


def _generated_by(workspace: Workspace, uri: str) -> dict[str, Any]:
    try:
        return dict(json.loads(workspace.storage.read(uri))["spec"])
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{uri} is damaged", hint="generate the corpus again") from None


def _generator(found: Collector, spec: Mapping[str, Any], raw: Manifest) -> None:
    """How mail was generated: what all of several corpora have in common."""
    asked = "corpus.json beside the input"
    found.add("generator.kind", "texts in generated frames" if spec.get("texts") else "grammar", asked, raw)
    settings = {key: value for key, value in spec.items() if key not in AMOUNT and value is not None}
    found.add("generator.settings", configuration.fingerprint(settings), asked, raw)
    found.add("generator", {key: value for key, value in spec.items() if value is not None}, asked, raw)


def _parent(uri: str) -> tuple[str, ...]:
    """The folder above, as parts for `join`: `a/mail` -> `a`, `mail` -> `.`"""
    above, slash, _ = uri.rstrip("/").rpartition("/")
    return (above,) if slash else (".",)


def _specified(found: Collector, name: str, spec: Mapping[str, Any], asked: str, manifest: Manifest) -> None:
    """What not all features have, as facts that are known where they have it: answers choose their words by them."""
    sparse, pool = spec.get("sparse_columns"), "nb" if "nb" in (spec.get("pooling") or ()) else ""
    informed = [f"the pool {pool}"] if pool else []
    informed += ["the values of n-grams"] if sparse and spec.get("ngram_values") == "nb" else []
    values = {
        "sparse_columns": sparse,
        "skips": sparse and spec.get("skips"),
        "informed_pool": pool,
        "informed": " and ".join(informed),
    }
    for key, value in values.items():
        found.add(f"{name}.{key}", value or None, asked, manifest)


def _uses(found: Collector, manifests: Mapping[str, Manifest], models: Mapping[str, Manifest]) -> None:
    """What was made of each table as it is now; and whether models were, which is told of features' own version."""
    asked = "inputs of the manifests"
    for name, table in manifests.items():
        used = [other for other, of in {**manifests, **models}.items() if of.inputs.get(name) == table.fingerprint]
        found.add(f"{name}.used_by", used, asked, table)
    if not models:
        found.add("models.none", 0, "no table below models is published", manifests["raw"])
    elif features := manifests.get("features"):
        names = {name: name.removeprefix("models/") for name in models}
        of_these = [names[name] for name, of in models.items() if of.inputs.get("features") == features.fingerprint]
        found.add("models.trained", of_these, asked, features)
        found.add("models.earlier", [name for name in names.values() if name not in of_these], asked, features)


def _models(found: Collector, manifests: Mapping[str, Manifest], workspace: Workspace) -> None:
    """Models, how their fit went, and their figures on each split, if they are of these very models."""
    for name, manifest in manifests.items():
        label, asked = name.replace("/", "."), f"manifest of {name}"
        found.add(f"{label}.fingerprint", manifest.fingerprint, asked, manifest)
        found.add(f"{label}.made_from", sorted(manifest.inputs), asked, manifest)
        found.add(f"{label}.run", manifest.run_id, asked, manifest)
        found.add(f"{label}.created", manifest.created, asked, manifest)
        found.add(f"{label}.evidence", manifest.statistics, asked, manifest)
        found.add(f"{label}.code", manifest.code, asked, manifest)
        document = _document(workspace, manifest, "model.json")
        if document is not None:
            if len(classes := document.get("classes", ())) > 2:
                found.add(f"{label}.many_classes", len(classes), f"model.json of {name}", manifest)
            for key in ("kind", "classes", "columns", "hyperparameters", "feature_spec", "training"):
                found.add(f"{label}.{key}", document.get(key), f"model.json of {name}", manifest)
            fitted = document.get("calibration") or {}
            said = {"platt": ("method", "slope", "offset"), "none": ()}.get(str(fitted.get("method")), ("method",))
            found.add(f"{label}.calibration", {k: fitted.get(k) for k in said}, f"model.json of {name}", manifest)
            spec = dict(document.get("feature_spec") or {})
            if document.get("kind") != "logistic":  # a forest does not read them
                spec["sparse_columns"] = 0
            _specified(found, label, spec, f"model.json of {name}", manifest)
    metrics = workspace.find("metrics")
    document = _document(workspace, metrics, "metrics.json")
    if metrics is None or document is None:
        return
    asked = "metrics.json"
    if outdated := standing.outdated(workspace, metrics):
        log.warning("no figures of models: %s; %s", outdated, standing.WAY_OUT)
        return
    found.add("models.chosen", document["chosen"], asked, metrics)
    features = found.facts.get("features.fingerprint")
    of_these = features is not None and features.value == metrics.inputs["features"]
    for name, splits in document["models"].items():
        for split, figures in splits.items():
            unused = ("classes", "confusion", *(["threshold"] if len(figures["classes"]) > 2 else []))
            kept = {k: v for k, v in figures.items() if k not in unused}
            found.add(f"models.{name}.{split}", kept, asked, metrics)
            if of_these:
                found.add(f"models.{name}.{split}.features", metrics.inputs["features"], "inputs of metrics", metrics)
    test = document["models"][document["chosen"]]["test"] if of_these else {}
    for short, key in (("test_rows", "rows"), ("accuracy", "accuracy"), ("macro_f1", "macro_f1")):
        found.add(f"models.{short}", test.get(key), asked, metrics)
