"""Every measured fact of one version of the data, each with the query it came from and a fingerprint.

Facts come from what runs have published, see `gathering`. Documentation is made of facts alone: an answer that
names one is *measured*, and a version of the data is the hash of them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

Value = str | int | float | bool

#: Last parts of names whose value may differ between runs that make the same data.
VOLATILE = frozenset(
    {"created", "run", "previous", "seconds", "files", "bytes", "location", "code", "count", "paths", "settings"}
    | {"taken", "unread", "kwh", "co2_kg", "gradient_norm", "slope", "offset"}
)
#: Parts of names under which figures depend on when, after what or how the data was made: days, drift, how a fit went.
PASSING = frozenset({"days", "companions", "companions_before", "untaken", "drift", "volume", "kept_share", "evidence"})
#: Numbers of logistic regression agree between engines to many digits, and not to the last bit.
ROUNDED = ("models.", "scores.")
#: Below these the parts of names are the data's own: a class may be called "run", or a domain end in ".code".
DATA = frozenset({"classes", "counts", "reasons", "per_class"})


@dataclass(frozen=True)
class Fact:
    """One measured value. `query` says how it was asked, `fingerprint` of which content of `table`."""

    name: str
    value: Value
    query: str
    table: str
    fingerprint: str


@dataclass(frozen=True)
class Profile:
    """What a profile says of one table: facts by dotted name, histograms (edges, counts), counts of values."""

    table: str
    fingerprint: str
    rows: int
    facts: Mapping[str, Value]
    histograms: Mapping[str, Mapping[str, list[float]]]
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Facts:
    """All facts by name, and the profiles they partly come from. `apart`: see `standing.apart`."""

    by_name: Mapping[str, Fact]
    profiles: Mapping[str, Profile]
    apart: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.by_name.values())

    def get(self, name: str) -> Fact | None:
        """The fact of that name, if it is known."""
        return self.by_name.get(name)

    def below(self, prefix: str) -> dict[str, Fact]:
        """Facts whose name is `prefix` and one or more parts, by the rest of the name."""
        start = prefix + "."
        return {name.removeprefix(start): fact for name, fact in self.by_name.items() if name.startswith(start)}

    def beside(self, subject: str) -> Facts:
        """The facts that can be told together of a table, or of a model ("models.forest") with the features."""
        apart = self.apart.get("features" if subject.startswith("models.") else subject)
        if not apart:
            return self
        return replace(self, by_name={name: fact for name, fact in self.by_name.items() if fact.table not in apart})

    def tables(self) -> list[str]:
        """What the facts are of: every published output, but for rejects of raw, which are among those of clean."""
        # TABLE.run; further down "run" may be the name of a class or of a domain.
        names = [fact.name.removesuffix(".run") for fact in self if fact.name.endswith(".run")]
        return [name for name in names if "." not in name and name != "raw_rejects"]

    def state(self, name: str) -> str | None:
        """The value that a declaration is bound to: the fact's, or the names below a prefix; None if unknown."""
        if (fact := self.get(name)) is not None:
            return plain(fact.value)
        return ", ".join(sorted(self.below(name))) or None

    @cached_property
    def version(self) -> str:
        """12 hex digits that name this version of the data: the same on every engine, and at another time."""
        values = {fact.name: plain(fact.value) for fact in self if stable(fact.name)}
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def stable(name: str) -> bool:
    """Whether the fact is the same in every run that makes the same data."""
    parts = name.split(".")
    parts = parts[: next((at + 1 for at, part in enumerate(parts) if part in DATA), len(parts))]
    last = parts[-1]
    if name == "generator.settings":
        return True
    return (
        last not in VOLATILE
        and PASSING.isdisjoint(parts)
        and not (last == "fingerprint" and name.startswith(ROUNDED) and name.count(".") < 3)
    )


def plain(value: Value) -> str:
    """A value as text: floating-point numbers to six digits, so that engines and machines agree."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
