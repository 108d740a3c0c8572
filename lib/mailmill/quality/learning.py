"""What is counted of labels, features and scores: balance, agreement, coverage, splits, sentiment.

The polarity of a mail is the projection of its vector on a direction from bad words to good ones (see
`polarity`). It needs no label, so labels that point the other way, as a flipped column does, show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mailmill import schemas
from mailmill.quality.facts import Facts, keys_into, quantiles_into, safe, share
from mailmill.quality.polarity import auc_from_bins, sentiment_classes
from mailmill.quality.sketches import Distinct, Ints, Names
from mailmill.quality.tally import Tally, binned, first_rows, key_hashes, value_counts
from mailmill.quality.threads import Membership, split_digests

LABELS_COLUMNS = ("key", "votes", "label", "agreement")
FEATURES_COLUMNS = ("key", "label", "split", "vector", "words", "coverage")
SCORES_COLUMNS = ("key", "probability", "sentiment", "label")
FIXED = 10**6


def tally_labels(batch: pa.RecordBatch, sample_rows: int) -> Tally:
    """Classes, votes a row, agreement of the votes, and how often each tagger votes as the label says."""
    votes, labels = batch.column("votes"), batch.column("label")
    agreement = batch.column("agreement").to_numpy().astype(np.float64)
    tagger, vote = votes.flatten().flatten()
    parents = pc.list_parent_indices(votes)
    agrees = pc.equal(vote, labels.take(parents))
    table = pa.table({"tagger": tagger, "agrees": pc.cast(agrees, pa.int64())})
    grouped = table.group_by("tagger", use_threads=False).aggregate([("agrees", "sum"), ("agrees", "count")])
    names = [safe(name) for name in grouped["tagger"].to_pylist()]
    number = pc.fill_null(pc.list_value_length(votes), 0).to_numpy().astype(np.int64)
    safe_labels = _safe(labels)
    rows = pa.table({"key": batch.column("key"), "label": safe_labels, "agreement": agreement, "votes": number})
    return Tally(
        {
            "rows": batch.num_rows,
            "votes": int(number.sum()),
            "several": int((number > 1).sum()),
            "agreement": int(np.rint(agreement * FIXED).astype(np.int64).sum()),
        },
        {"agreement": binned("share", agreement), "votes": binned("whole", number)},
        {
            "classes": Names.of(value_counts(safe_labels)),
            "taggers": Names.of(zip(names, grouped["agrees_count"].to_pylist(), strict=True)),
            "taggers_agree": Names.of(zip(names, grouped["agrees_sum"].to_pylist(), strict=True)),
        },
        {"keys": Distinct.of(key_hashes(batch.column("key")))},
        first_rows(rows, sample_rows),
        sample_rows,
    )


def facts_labels(tally: Tally) -> Facts:
    """Figures of the labels table."""
    s, found = tally.sums, Facts(tally.sums["rows"])
    _balance_into(found, "label", tally.names["classes"].counts)
    found.values["votes.total"] = s["votes"]
    found.values["votes.several_share"] = share(s["several"], s["rows"])
    found.values["agreement.mean"] = share(s["agreement"], s["rows"] * FIXED)
    found.values["taggers"] = len(tally.names["taggers"].counts)
    quantiles_into(found, tally, "agreement")
    keys_into(found, tally)
    for name in ("classes", "taggers", "taggers_agree"):
        found.counts[name] = dict(sorted(tally.names[name].counts.items()))
    return found


@dataclass(frozen=True, eq=False)
class FeaturesMeasure:
    """What the features' tally needs besides the rows: the polarity's direction, and sampled threads.

    direction: in the space of all dense columns, zero outside the mean of word vectors; None: not measured.
    """

    direction: NDArray[np.float64] | None = None
    membership: Membership | None = None

    def __call__(self, batch: pa.RecordBatch, sample_rows: int) -> Tally:
        """Splits, labels by split, coverage, norms and polarity by label; splits of the sampled threads' mails."""
        keys, split, words = batch.column("key"), batch.column("split"), batch.column("words").to_numpy()
        labels = _safe(pc.fill_null(batch.column("label"), ""))
        coverage = batch.column("coverage").to_numpy().astype(np.float64)
        vector = batch.column("vector")
        matrix = vector.flatten().to_numpy(zero_copy_only=False).reshape(-1, vector.type.list_size).astype(np.float64)
        norms = np.sqrt(np.square(matrix).sum(axis=1))
        finite = np.isfinite(norms)
        by_split = pa.table({"split": split, "label": labels}).group_by(["split", "label"], use_threads=False)
        counted = by_split.aggregate([([], "count_all")])
        cells = zip(*(counted[c].to_pylist() for c in ("split", "label", "count_all")), strict=True)
        rows = pa.table({
            "key": keys, "split": split, "labelled": batch.column("label").is_valid(), "words": words.astype(np.int64),
            "coverage": coverage, "norm": norms,
        })  # fmt: skip
        hashes = key_hashes(keys)
        sums = {
            "rows": batch.num_rows, "zero": int((norms == 0).sum()), "not_finite": int((~finite).sum()),
            "coverage": int(np.rint(coverage * FIXED).astype(np.int64).sum()),
        }  # fmt: skip
        return Tally(
            sums | split_digests(hashes, split),
            {
                "words": binned("whole", words),
                "coverage": binned("share", coverage),
                "vector.norm": binned("norm", norms[finite]),
                **self._polarity(matrix, labels),
            },
            {
                "label_by_split": Names.of((f"{s}/{n}", count) for s, n, count in cells),
                **({"members": self.membership.splits(hashes, split)} if self.membership else {}),
            },
            {"keys": Distinct.of(hashes)},
            first_rows(rows, sample_rows),
            sample_rows,
        )

    def _polarity(self, matrix: NDArray[np.float64], labels: pa.Array) -> dict[str, tuple[str, Ints]]:
        if self.direction is None:
            return {}
        used = np.flatnonzero(self.direction)
        means = np.ascontiguousarray(matrix[:, used])
        norms = np.sqrt(np.square(means).sum(axis=1))
        known = (norms > 0) & np.isfinite(norms)
        projected = (means[known] * self.direction[used]).sum(axis=1) / norms[known]
        of = np.array(labels.to_pylist(), dtype=object)[known]
        return {f"polarity.{name}": binned("signed", projected[of == name]) for name in sorted(set(of)) if name}


def facts_features(tally: Tally, positive: str = "", polarity_of: str = "") -> Facts:
    """Figures of the features table; `positive` names the class that good words should go with."""
    s, found = tally.sums, Facts(tally.sums["rows"])
    put, cells = found.values, tally.names["label_by_split"].counts
    put["vector.zero"], put["vector.zero_share"] = s["zero"], share(s["zero"], s["rows"])
    put["vector.not_finite"] = s["not_finite"]
    put["coverage.mean"] = share(s["coverage"], s["rows"] * FIXED)
    for name in ("words", "coverage", "vector.norm"):
        quantiles_into(found, tally, name)
    classes: dict[str, int] = {}
    splits = dict.fromkeys(schemas.SPLITS, 0)
    for cell, count in cells.items():
        split, label = cell.split("/", 1)
        splits[split] = splits.get(split, 0) + count
        if label:
            classes[label] = classes.get(label, 0) + count
    for split, count in splits.items():
        put[f"split.{split}.rows"], put[f"split.{split}.share"] = count, share(count, s["rows"])
    put["split.unknown"] = sum(n for name, n in splits.items() if name not in schemas.SPLITS)
    put["label.unlabelled"] = s["rows"] - sum(classes.values())
    put["label.labelled_share"] = share(sum(classes.values()), s["rows"])
    _balance_into(found, "label", classes)
    put["label.split_gap"] = _split_gap(cells, classes)
    auc, error = auc_from_bins({n[9:]: c for n, (_, c) in tally.bins.items() if n.startswith("polarity.")}, positive)
    put["label.polarity_auc"], put["label.polarity_auc_of"] = auc, polarity_of
    speaks = auc is not None and sentiment_classes(classes)
    put["label.polarity_upper"] = auc + 3 * error if speaks and auc is not None else None
    keys_into(found, tally)
    found.counts["label_by_split"] = dict(sorted(cells.items()))
    found.counts["splits"], found.counts["classes"] = splits, dict(sorted(classes.items()))
    return found


def _split_gap(cells: Mapping[str, int], classes: Mapping[str, int]) -> float | None:
    """The largest difference, over classes and splits, between a class's share in a split and its share in all."""
    total, gap = sum(classes.values()), None
    for split in schemas.SPLITS:
        rows = sum(cells.get(f"{split}/{name}", 0) for name in classes)
        for name, count in classes.items():
            if rows >= 100:
                gap = max(gap or 0.0, abs(cells.get(f"{split}/{name}", 0) / rows - count / total))
    return gap


def tally_scores(batch: pa.RecordBatch, sample_rows: int) -> Tally:
    """Sentiments, labels, and probabilities out of range."""
    p, sentiment = (batch.column(c).to_numpy() for c in ("probability", "sentiment"))
    labels = _safe(batch.column("label"))
    bad = ~((p >= 0) & (p <= 1) & (np.abs(sentiment) <= 1))
    rows = pa.table({"key": batch.column("key"), "probability": p, "sentiment": sentiment, "label": labels})
    return Tally(
        {"rows": batch.num_rows, "bad": int(bad.sum()), "sentiment": _fixed(sentiment[~bad])},
        {"sentiment": binned("signed", sentiment[~bad])},
        {"classes": Names.of(value_counts(labels))},
        {"keys": Distinct.of(key_hashes(batch.column("key")))},
        first_rows(rows, sample_rows),
        sample_rows,
    )


def facts_scores(tally: Tally) -> Facts:
    """Figures of the scores table."""
    s, found = tally.sums, Facts(tally.sums["rows"])
    found.values["scores.out_of_range"] = s["bad"]
    found.values["sentiment.mean"] = share(s["sentiment"], (s["rows"] - s["bad"]) * FIXED)
    quantiles_into(found, tally, "sentiment")
    _balance_into(found, "label", tally.names["classes"].counts)
    keys_into(found, tally)
    found.counts["classes"] = dict(sorted(tally.names["classes"].counts.items()))
    return found


def _fixed(values: NDArray[np.float64]) -> int:
    return int(np.rint(values * FIXED).astype(np.int64).sum())


def _safe(labels: pa.Array) -> pa.Array:
    """Labels as they may be shown: see `facts.safe`."""
    encoded = labels.dictionary_encode()
    return pa.array([safe(name) for name in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _balance_into(found: Facts, prefix: str, classes: Mapping[str, int]) -> None:
    total = sum(classes.values())
    for name, count in sorted(classes.items()):
        found.values[f"{prefix}.{name}.share"] = share(count, total)
    found.values[f"{prefix}.classes"] = len(classes)
    found.values[f"{prefix}.smallest_share"] = share(min(classes.values(), default=0), total)
