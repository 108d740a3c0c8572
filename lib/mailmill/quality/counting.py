"""Counts of a table's values: one mergeable pass on any engine, never a body, never an address."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mailmill.storage.fragments import Scan


@dataclass(frozen=True)
class Columns:
    """The columns whose combinations of values are counted: few distinct values, such as split and label."""

    names: tuple[str, ...]


def count_values(scan: Scan, columns: Columns) -> Counter[tuple[object, ...]]:
    """How many rows of one fragment have each combination of the columns' values."""
    table = scan.read(list(columns.names))
    counted = table.group_by(list(columns.names), use_threads=False).aggregate([([], "count_all")])
    values = zip(*(counted[name].to_pylist() for name in columns.names), strict=True)
    return Counter(dict(zip(values, counted["count_all"].to_pylist(), strict=True)))
