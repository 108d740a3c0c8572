"""The expectations of each table: JSON in Great Expectations' own form, kept in `data_docs/expectations/`.

Each expectation has a severity: "critical" stops the run before anything is published, "warning" is
recorded. Its `meta` gives its name, the data it looks at (the profile's metrics, a table of one row, or
the sample) and what to do where it fails. Reading them needs no Great Expectations.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from mailmill.errors import ConfigError
from mailmill.storage.filesystems import Storage, join

Data = Literal["metrics", "sample"]
_TYPES = {"critical": "stop", "warning": "warn"}


@dataclass(frozen=True)
class Expected:
    """One expectation. `stop`: whether its failure ends the run."""

    name: str
    data: Data
    type: str
    kwargs: dict[str, Any]
    stop: bool
    do: str

    def words(self) -> str:
        """What is expected, in words."""
        low, high = self.kwargs.get("min_value"), self.kwargs.get("max_value")
        bounds = [f"at least {low}"] if low is not None else []
        bounds += [f"at most {high}"] if high is not None else []
        return " and ".join(bounds) or self.type.removeprefix("expect_").replace("_", " ")


@dataclass(frozen=True)
class Suite:
    """The expectations of one table, and a hash of them: 16 hex digits."""

    table: str
    expected: tuple[Expected, ...] = ()
    digest: str = field(default="")


def load_all(
    storage: Storage, tables: Sequence[str], folder: str | None = None, accept: Sequence[str] = ()
) -> dict[str, Suite]:
    """The suites of these tables, by table; see `load`.

    Raises ConfigError where `folder` has none of them, or `accept` names an expectation that none of them has: a typo
    would turn the gate off, or leave it on, without a word.
    """
    found = {table: load(storage, table, folder) for table in tables}
    if folder is not None and not any(suite.digest for suite in found.values()):
        files = ", ".join(f"{table}.json" for table in tables)
        raise ConfigError(f"quality.suites: {folder} has no suite", hint=f"it is a folder with one or more of {files}")
    known = [f"{table}.{one.name}" for table, suite in found.items() for one in suite.expected]
    for name in accept:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                f"quality.accept: there is no expectation {name}",
                hint=f"did you mean {close[0]}?" if close else "it is TABLE.NAME, as a run's message says it",
            )
    return found


def load(storage: Storage, table: str, folder: str | None = None) -> Suite:
    """The suite of a table from `folder` (default: mailmill's own); an empty one where there is no file.

    Raises ConfigError naming the file and the expectation that is not as it should be.
    """
    if folder is not None:
        uri = join(folder, f"{table}.json")
        content = storage.read_if_there(uri)
    else:
        place = shipped() / f"{table}.json"
        uri, content = str(place), place.read_bytes() if place.is_file() else None
    return parse(table, content, uri) if content is not None else Suite(table)


def shipped() -> Any:
    """The folder of mailmill's own suites: `data_docs/expectations` of a checkout, else inside the package."""
    checkout = Path(__file__).parents[3] / "data_docs" / "expectations"
    return checkout if checkout.is_dir() else resources.files("mailmill") / "quality" / "suites"


def parse(table: str, content: bytes, uri: str) -> Suite:
    """A suite from its JSON; see `load`."""
    try:
        document = json.loads(content)
        entries = document["expectations"]
        expected = tuple(_expected(entry, uri) for entry in entries)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{uri} is no suite of expectations ({type(error).__name__}: {error})") from None
    names = [one.name for one in expected]
    if len(set(names)) < len(names):
        raise ConfigError(f"{uri}: two expectations have the name {max(names, key=names.count)}")
    canonical = json.dumps(document, sort_keys=True).encode()
    return Suite(table, expected, hashlib.blake2b(canonical, digest_size=8).hexdigest())


def _expected(entry: dict[str, Any], uri: str) -> Expected:
    meta = entry.get("meta", {})
    name = meta.get("name") or entry["type"]
    if entry.get("severity", "critical") not in _TYPES:
        raise ConfigError(f"{uri}: {name}: severity {entry['severity']!r} is neither critical (stop) nor warning")
    if meta.get("data") not in ("metrics", "sample"):
        raise ConfigError(f"{uri}: {name}: meta.data is neither metrics nor sample")
    stop = entry.get("severity", "critical") == "critical"
    return Expected(name, meta["data"], entry["type"], dict(entry["kwargs"]), stop, meta.get("do", ""))
