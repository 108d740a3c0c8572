"""What is counted of raw and clean mail: sizes, zones, languages, dates, domains. Never a body, never an address.

A measure is a pure function from an Arrow batch to a tally, and a function from the whole table's tally
to named figures. `sender_domain` is counted as the clean stage left it: hashed, unless the configuration
keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mailmill import schemas
from mailmill.quality.facts import Facts, keys_into, quantiles_into, share
from mailmill.quality.sketches import Distinct, Names, hash_texts
from mailmill.quality.tally import Tally, binned, first_rows, key_hashes, value_counts

RAW_COLUMNS = ("key", "source", "raw")
CLEAN_COLUMNS = ("key", "thread", "date", "sender_domain", "text", "spans", "language", "rendered_chars", "words",
                 "confidence", "flags")  # fmt: skip
FIXED = 10**6
#: The first extension that ends a source, or that a member ("!") or a row ("#") of the object follows.
_CONTAINER = r"(?is)(?P<extension>\.(?:mbox|zip|tar|gz|tgz|bz2|xz|zst|parquet|jsonl|eml|msg))(?:[!#].*)?$"


def tally_raw(batch: pa.RecordBatch, sample_rows: int) -> Tally:
    """Sizes in bytes, containers by extension (never a file's name), repeated keys."""
    sizes = pc.binary_length(batch.column("raw"))
    rows = pa.table({"key": batch.column("key"), "bytes": pc.cast(sizes, pa.int64())})
    return Tally(
        {"rows": batch.num_rows, "bytes": pc.sum(sizes).as_py() or 0},
        {"bytes": binned("whole", sizes.to_numpy(zero_copy_only=False))},
        {"containers": Names.of(_containers(batch.column("source")))},
        {"keys": Distinct.of(key_hashes(batch.column("key")))},
        first_rows(rows, sample_rows),
        sample_rows,
    )


def _containers(sources: pa.Array) -> list[tuple[str, int]]:
    """The extension of the object that holds each message, "other" where it is none of a container's or a mail's."""
    found = pc.utf8_lower(pc.struct_field(pc.extract_regex(sources, _CONTAINER), "extension"))
    return value_counts(pc.fill_null(found, "other"))


def facts_raw(tally: Tally) -> Facts:
    """Figures of the raw table."""
    found = Facts(tally.sums["rows"])
    found.values["bytes.total"] = tally.sums["bytes"]
    quantiles_into(found, tally, "bytes")
    keys_into(found, tally)
    found.counts["containers"] = tally.names["containers"].counts
    return found


def tally_clean(batch: pa.RecordBatch, sample_rows: int) -> Tally:
    """Lengths, retention, zones and rules by characters, languages, days, domains, flags, repeated texts."""
    text, rendered = batch.column("text"), batch.column("rendered_chars").to_numpy().astype(np.int64)
    chars = pc.utf8_length(text).to_numpy().astype(np.int64)
    damaged = pc.count_substring(text, "\ufffd").to_numpy().astype(np.int64)
    words = batch.column("words").to_numpy().astype(np.int64)
    confidence = batch.column("confidence").to_numpy().astype(np.float64)
    retention = chars / np.maximum(rendered, 1)
    zones, rules, covered = _spans(batch.column("spans"))
    dates = batch.column("date")
    days = (
        value_counts(pc.strftime(dates.cast(pa.timestamp("us")), "%Y-%m-%d")) if dates.null_count < len(dates) else []
    )
    rows = pa.table({
        "key": batch.column("key"), "chars": chars, "words": words, "rendered_chars": rendered,
        "covered_chars": covered, "retention": retention, "replacement_share": damaged / np.maximum(chars, 1),
        "confidence": confidence, "language": batch.column("language"), "dated": dates.is_valid(),
    })  # fmt: skip
    sums = {
        "rows": batch.num_rows, "chars": chars.sum(), "words": words.sum(), "rendered": rendered.sum(),
        "damaged": damaged.sum(), "damaged_mails": (damaged > 0).sum(), "empty": (words == 0).sum(),
        "dated": len(dates) - dates.null_count, "confidence": np.rint(confidence * FIXED).astype(np.int64).sum(),
        "uncovered": (covered != rendered).sum(),
    }  # fmt: skip
    return Tally(
        {name: int(value) for name, value in sums.items()} | {f"zone.{zone}": n for zone, n in zones},
        {
            "text.chars": binned("whole", chars),
            "text.words": binned("whole", words),
            "retention": binned("share", retention),
            "confidence": binned("share", confidence),
        },
        {
            "rules": Names.of(rules),
            "languages": Names.of(value_counts(batch.column("language"))),
            "days": Names.of(days, bound=1500, order="latest"),
            "months": Names.of(((day[:7], n) for day, n in days), bound=600, order="latest"),
            "domains": Names.of(value_counts(batch.column("sender_domain"))),
            "flags": Names.of(value_counts(batch.column("flags").flatten())),
        },
        {
            "keys": Distinct.of(key_hashes(batch.column("key"))),
            "texts": Distinct.of(hash_texts(text.to_pylist())),
            "threads": Distinct.of(key_hashes(batch.column("thread"))),
        },
        first_rows(rows, sample_rows),
        sample_rows,
    )


def _spans(spans: pa.ListArray) -> tuple[list[tuple[str, int]], list[tuple[str, int]], np.ndarray]:
    """Characters by zone and by "zone/rule", and the characters that each row's spans cover."""
    flat = spans.flatten()
    zone, start, end, rule = (flat.field(name) for name in ("zone", "start", "end", "rule"))
    if flat.offset or len(zone) != len(flat):  # a struct's fields ignore its own slice
        zone, start, end, rule = flat.flatten()
    lengths = pc.cast(pc.subtract(end, start), pa.int64())
    table = pa.table({"zone": zone, "rule": rule, "chars": lengths})
    grouped = table.group_by(["zone", "rule"], use_threads=False).aggregate([("chars", "sum")])
    triples = list(zip(*(grouped[c].to_pylist() for c in ("zone", "rule", "chars_sum")), strict=True))
    zones: dict[str, int] = {}
    for name, _, chars in triples:
        zones[name] = zones.get(name, 0) + chars
    sums = np.concatenate([[0], np.cumsum(lengths.to_numpy())])
    offsets = spans.offsets.to_numpy() - spans.offsets[0].as_py()
    return list(zones.items()), [(f"{z}/{r}", n) for z, r, n in triples], sums[offsets[1:]] - sums[offsets[:-1]]


def facts_clean(tally: Tally) -> Facts:
    """Figures of the clean table.

    text.duplicate_share: the share of mails whose text an earlier one has, 1 - texts / mails; threads.distinct: how
    many conversations there are. Both are exact up to 4096 texts or conversations; beyond, they are estimates, and
    text.duplicate_share_error and threads.distinct_error their standard errors (`sketches.Distinct`).
    """
    s, found = tally.sums, Facts(tally.sums["rows"])
    put = found.values
    put["text.chars.total"], put["text.words.total"], put["rendered.chars.total"] = (
        s["chars"],
        s["words"],
        s["rendered"],
    )
    put["text.empty"], put["text.empty_share"] = s["empty"], share(s["empty"], s["rows"])
    put["text.replacement_chars"] = s["damaged"]
    put["text.replacement_share"] = share(s["damaged"], s["chars"])
    put["text.replacement_mails_share"] = share(s["damaged_mails"], s["rows"])
    texts, threads = tally.distinct["texts"], tally.distinct["threads"]
    put["text.duplicate_share"], put["text.duplicate_share_of"] = texts.repeated_share, "rows"  # once: of some texts
    put["text.duplicate_share_error"] = None if texts.error is None else texts.error / texts.total
    put["retention.share"] = share(s["chars"], s["rendered"])
    put["spans.uncovered"] = s["uncovered"]
    put["confidence.mean"] = share(s["confidence"], s["rows"] * FIXED)
    put["dated.share"] = share(s["dated"], s["rows"])
    for name in ("text.chars", "text.words", "retention", "confidence"):
        quantiles_into(found, tally, name)
    for zone in schemas.ZONES:
        chars = s.get(f"zone.{zone}", 0)
        put[f"zones.{zone}.chars"], put[f"zones.{zone}.share"] = chars, share(chars, s["rendered"])
    put["zones.removed.share"] = 1 - share(s.get("zone.body", 0), s["rendered"]) if s["rendered"] else 0.0
    keys_into(found, tally)
    put["threads.distinct"] = threads.distinct
    put["threads.distinct_error"] = None if threads.error is None else math.ceil(threads.error)
    _dates_into(found, tally.names)
    for name in ("rules", "languages", "months", "days", "flags"):
        found.counts[name] = dict(sorted(tally.names[name].counts.items()))
    found.counts["zones"] = {zone: s.get(f"zone.{zone}", 0) for zone in schemas.ZONES}
    _domains_into(found, tally.names["domains"])
    return found


def _dates_into(found: Facts, names: Mapping[str, Names]) -> None:
    days = sorted(names["days"].counts)
    months = sorted(names["months"].counts)
    known = days if names["days"].complete else months
    found.values["date.first"], found.values["date.last"] = (known[0], known[-1]) if known else (None, None)


def _domains_into(found: Facts, domains: Names) -> None:
    """The largest hundred, and figures of all. None where there are more than are kept: the largest may be left out."""
    found.values["domains.distinct"] = found.values["domains.largest_share"] = None
    if domains.complete:
        named = {domain: n for domain, n in domains.counts.items() if domain}
        found.values["domains.distinct"] = len(named)
        found.values["domains.largest_share"] = share(max(named.values(), default=0), found.rows)
        largest = sorted(domains.counts.items(), key=lambda item: (-item[1], item[0]))[:100]
        found.counts["domains"] = dict(largest)
