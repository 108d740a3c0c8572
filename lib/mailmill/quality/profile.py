"""A table's profile: one pass over what a stage wrote, on any engine, before it is published.

    tally a fragment ──merge──▶ one tally ──▶ figures, histograms, counts (+ drift against the version before)

It holds no body, no address, no file name: only numbers, and names from closed lists, classes and domains
as the configuration lets them be seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from mailmill.quality import drift, learning, mail, threads
from mailmill.quality.facts import Facts, Value, share
from mailmill.quality.learning import FeaturesMeasure
from mailmill.quality.tally import SAMPLE_ROWS, Tally, add
from mailmill.quality.threads import Threads
from mailmill.storage.fragments import Scan
from mailmill.storage.tables import Table

PROFILE, ANCHORS = "profile.json", "anchors.json"
#: The tables that have a profile.
PROFILED = ("raw", "clean", "labels", "features", "scores")

Measure = Callable[[pa.RecordBatch, int], Tally]


class OverFragments(Protocol):
    """`Engine.map_reduce`: the fragments come first, where those of `models.data.MapReduce` are bound already."""

    def __call__(
        self, fragments: Sequence[Any], partial: Callable[..., Any], merge: Callable[..., Any], broadcast: Any
    ) -> Any:
        """merge over all fragments of partial(fragment, broadcast)."""


@dataclass(frozen=True, eq=False)
class Pass:
    """What a task needs to tally a fragment. Picklable."""

    measure: Measure
    columns: tuple[str, ...]
    sample_rows: int = SAMPLE_ROWS


@dataclass(frozen=True, eq=False)
class Known:
    """What a stage knows besides its rows: the class of good words, their direction, what threads demand.

    polarity_of: of which words the polarity is; that of others is not compared with it.
    """

    positive: str = ""
    direction: Any = None
    threads: Threads | None = None
    polarity_of: str = ""


@dataclass(frozen=True)
class Profile:
    """The document that is published, the sample (derived figures of the smallest keys' rows), and the anchors.

    `anchors` are labels by key of the sampled rows, against which the next version's labels are held.
    """

    document: dict[str, Any]
    sample: pa.Table | None = None
    anchors: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Value]:
        """The figures by name."""
        found: dict[str, Value] = self.document["facts"]
        return found

    def files(self) -> dict[str, bytes]:
        """What is published of it."""
        found = {PROFILE: _json(self.document)}
        return found | {ANCHORS: _json(dict(self.anchors))} if self.anchors else found


def tally_scan(scan: Scan, todo: Pass) -> Tally:
    """The tally of one fragment, a few megabytes at a time."""
    found = Tally(sample_rows=todo.sample_rows)
    for batch in scan.batches(list(todo.columns)):
        found = add(found, todo.measure(batch, todo.sample_rows))
    return found


def plan(table: str, known: Known, sample_rows: int = SAMPLE_ROWS) -> Pass:
    """The pass over a table of `PROFILED`."""
    if table == "features":
        membership = threads.Membership.of(known.threads) if known.threads else None
        return Pass(FeaturesMeasure(known.direction, membership), learning.FEATURES_COLUMNS, sample_rows)
    measures: dict[str, tuple[Measure, tuple[str, ...]]] = {
        "raw": (mail.tally_raw, mail.RAW_COLUMNS),
        "clean": (mail.tally_clean, mail.CLEAN_COLUMNS),
        "labels": (learning.tally_labels, learning.LABELS_COLUMNS),
        "scores": (learning.tally_scores, learning.SCORES_COLUMNS),
    }
    measure, wanted = measures[table]
    return Pass(measure, wanted, sample_rows)


def profile(
    table: Table,
    map_reduce: OverFragments,
    task_bytes: int,
    *,
    known: Known = Known(),
    statistics: Mapping[str, Any] | None = None,
    before: Profile | None = None,
    sample_rows: int = SAMPLE_ROWS,
) -> Profile:
    """The profile of a table of `PROFILED`, `before` being that of its version before.

    `statistics` are the stage's counts: messages, duplicates, rejects and their reasons are taken from there.
    """
    todo = plan(table.name, known, sample_rows)
    scans = table.scans(task_bytes)
    if scans:
        tally = map_reduce(scans, tally_scan, add, todo)
    else:
        tally = todo.measure(pa.RecordBatch.from_pylist([], table.schema), sample_rows)
    found = _facts(table.name, tally, known)
    _stage_into(found, statistics or {})
    if table.name == "features" and known.threads is not None:
        _threads_into(found, tally, known.threads)
    days = found.counts.get("days")
    if days is not None:
        found.values |= drift.day_facts(days, before.document["counts"].get("days") if before else None)
    anchors = _anchors(tally.sample) if table.name == "labels" else {}
    if table.name == "labels":
        found.values |= drift.anchor_facts(before.anchors if before else {}, anchors)
    document = found.document(table.name, table.fingerprint)
    found.values |= drift.copies_facts(document["facts"], before.facts if before else {})
    found.values |= drift.facts(before.document, document) if before else {}
    document = found.document(table.name, table.fingerprint)
    document |= {"before": before.document["fingerprint"]} if before else {}
    return Profile(document, tally.sample, anchors)


def read(table: Table) -> Profile:
    """A published profile, without its sample."""
    names = {file.path.rsplit("/", 1)[-1] for file in table.manifest.files}
    anchors = json.loads(table.file(ANCHORS)) if ANCHORS in names else {}
    return Profile(json.loads(table.file(PROFILE)), None, anchors)


def _facts(name: str, tally: Tally, known: Known) -> Facts:
    if name == "features":
        return learning.facts_features(tally, known.positive, known.polarity_of)
    return {
        "raw": mail.facts_raw,
        "clean": mail.facts_clean,
        "labels": learning.facts_labels,
        "scores": learning.facts_scores,
    }[name](tally)


def _stage_into(found: Facts, statistics: Mapping[str, Any]) -> None:
    """The stage's own counts: how many came in, and what became of those that are not in the table."""
    messages = statistics.get("messages")
    for name in ("objects", "messages", "labelled", "unlabelled", "unmatched", "contradictory", "incomplete"):
        if name in statistics:
            found.values[name] = statistics[name]
    for name in ("duplicates", "rejects"):
        if name in statistics and messages is not None:
            found.values[f"{name}.count"] = statistics[name]
            found.values[f"{name}.share"] = share(statistics[name], messages)
    if "unread" in statistics:
        found.values["unread.count"] = statistics["unread"]
    if "reasons" in statistics:
        found.counts["reasons"] = dict(sorted(statistics["reasons"].items()))


def _threads_into(found: Facts, tally: Tally, demanded: Threads) -> None:
    wrong = [name for name, digest in demanded.digests.items() if tally.sums.get(name, 0) != digest]
    found.values["split.not_as_threads_demand"] = len(wrong)
    checked, leaking = threads.leaking(tally.names["members"]) if "members" in tally.names else (0, 0)
    found.values["split.threads_checked"], found.values["split.threads_leaking"] = checked, leaking


def _anchors(sample: pa.Table | None) -> dict[str, str]:
    if sample is None:
        return {}
    return dict(zip(sample["key"].to_pylist(), sample["label"].to_pylist(), strict=True))


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()
