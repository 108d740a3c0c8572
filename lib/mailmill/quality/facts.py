"""Figures with names: what a profile says of a table, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mailmill.quality.sketches import SCALES, Ints, by_hash, quantile
from mailmill.quality.tally import Tally

Value = int | float | str | bool | None
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass
class Facts:
    """Named figures, histograms (edges and counts) and counts by value, while they are being gathered.

    A figure that this data cannot give (drift without an earlier version) is None.
    """

    rows: int
    values: dict[str, Value] = field(default_factory=dict)
    histograms: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    counts: dict[str, Mapping[str, int]] = field(default_factory=dict)

    def document(self, table: str, fingerprint: str) -> dict[str, Any]:
        """The profile as JSON: figures are rounded to ten significant digits, names are sorted."""
        return {
            "format": "mailmill.profile",
            "version": 1,
            "table": table,
            "fingerprint": fingerprint,
            "rows": self.rows,
            "facts": {name: _plain(self.values[name]) for name in sorted(self.values)},
            "histograms": {name: self.histograms[name] for name in sorted(self.histograms)},
            "counts": {name: {str(k): int(n) for k, n in of.items()} for name, of in sorted(self.counts.items())},
        }


def share(part: int, whole: int) -> float:
    """part / whole, 0 where there is nothing."""
    return part / whole if whole else 0.0


def quantiles_into(found: Facts, tally: Tally, name: str) -> None:
    """Put the histogram `name` and its quantiles, NAME.p01 to NAME.p99, among the facts."""
    scale, counts = tally.bins[name]
    edges = SCALES[scale].edges
    for q in QUANTILES:
        found.values[f"{name}.p{round(q * 100):02d}"] = quantile(edges, counts, q)
    found.histograms[name] = histogram(edges, counts)


def histogram(edges: np.ndarray, counts: Ints) -> dict[str, list[Any]]:
    """The bins that hold anything, and what lies between them: {"edges": bins + 1, "counts": bins}."""
    held = np.flatnonzero(counts)
    if not len(held):
        return {"edges": [], "counts": []}
    low, high = int(held[0]), int(held[-1]) + 1
    return {"edges": [float(f"{e:.10g}") for e in edges[low : high + 1].tolist()], "counts": counts[low:high].tolist()}


def keys_into(found: Facts, tally: Tally) -> None:
    """Keys that came twice, among the keys checked: all where the table has few, else a fair sample."""
    keys = tally.distinct["keys"]
    found.values["keys.checked"] = keys.checked
    found.values["keys.repeated"] = keys.repeated
    found.values["keys.repeated_share"] = share(keys.repeated, keys.checked + keys.repeated)


def safe(name: str) -> str:
    """A value that came from outside, as the profile may show it: an address or a long text is shown as its hash."""
    return name if "@" not in name and len(name) <= 64 else f"hash:{by_hash(name)[0].hex()}"


def _plain(value: Value) -> Value:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.10g}") if np.isfinite(value) else None
    return value
