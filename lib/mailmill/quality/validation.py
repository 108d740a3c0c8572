"""The verdict on a table that is not yet published: each expectation passed, failed, or had nothing to judge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mailmill.errors import ConfigError, DataError
from mailmill.quality.facts import Value
from mailmill.quality.suites import Expected, Suite

VALIDATION, RESULTS = "validation.json", "results.json"
Verdict = Literal["passed", "failed", "accepted", "not applicable"]
#: Figures that some versions of the data cannot have: a first version has no drift.
_OPTIONAL = ("drift.", "label.")


@dataclass(frozen=True)
class Outcome:
    """What became of one expectation; `observed` is the figure, or the share of unexpected rows in %."""

    name: str
    severity: Literal["stop", "warn"]
    verdict: Verdict
    data: str
    expectation: str
    about: str
    expected: str
    observed: Value
    do: str


@dataclass(frozen=True)
class Validation:
    """All outcomes of one table. `tool` names who judged; empty: nobody (Great Expectations is not installed).

    `results` are Great Expectations' own documents by data, for its Data Docs.
    """

    table: str
    fingerprint: str
    suite: str
    tool: str
    outcomes: tuple[Outcome, ...] = ()
    results: Mapping[str, Any] | None = None

    @property
    def stopping(self) -> list[Outcome]:
        """What ends the run."""
        return [o for o in self.outcomes if o.verdict == "failed" and o.severity == "stop"]

    @property
    def warnings(self) -> list[Outcome]:
        """What is recorded and said: warnings, and stops that the configuration accepts."""
        return [o for o in self.outcomes if o.verdict == "accepted" or (o.verdict == "failed" and o.severity == "warn")]

    def document(self) -> dict[str, Any]:
        """What is published as `validation.json`."""
        return {
            "format": "mailmill.validation",
            "version": 1,
            "table": self.table,
            "fingerprint": self.fingerprint,
            "suite": self.suite,
            "validated": bool(self.tool),
            "tool": self.tool,
            "success": not self.stopping if self.tool else None,
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
        }

    def files(self) -> dict[str, bytes]:
        """What is published of it."""
        found = {VALIDATION: _json(self.document())}
        return found | ({RESULTS: _json(self.results)} if self.results else {})

    def require(self) -> None:
        """Raise DataError where an expectation that stops the run failed: exit code 3."""
        failed = self.stopping
        if not failed:
            return
        said = [f"{o.about} is {_shown(o.observed)}, expected {o.expected} ({self.table}.{o.name})" for o in failed]
        accept = ", ".join(f'"{self.table}.{o.name}"' for o in failed)
        raise DataError(
            f"{self.table} does not meet {_count(failed)} and was not published: {'; '.join(said)}",
            hint=f"{failed[0].do or 'look at the data'}; where the data is right, set quality.accept=[{accept}]",
        )


def applicable(suite: Suite, facts: Mapping[str, Value]) -> tuple[list[Expected], list[Expected]]:
    """The suite's expectations that the data can be held to, and those that it has no figure for.

    Raises ConfigError for a figure that no profile of the table has: a misspelt expectation would never fail.
    """
    ready: list[Expected] = []
    without: list[Expected] = []
    for expected in suite.expected:
        figure = expected.kwargs.get("column")
        if expected.data == "sample":
            ready.append(expected)
        elif figure not in facts and not str(figure).startswith(_OPTIONAL):
            raise ConfigError(f"expectation {suite.table}.{expected.name}: the profile has no figure {figure!r}")
        else:
            (ready if facts.get(str(figure)) is not None else without).append(expected)
    return ready, without


def outcome(table: str, expected: Expected, success: bool | None, observed: Value, accept: Sequence[str]) -> Outcome:
    """The outcome of one expectation; `success` None: it had nothing to judge."""
    verdict: Verdict = "not applicable" if success is None else "passed" if success else "failed"
    if verdict == "failed" and expected.stop and f"{table}.{expected.name}" in accept:
        verdict = "accepted"
    columns = [str(v) for k, v in sorted(expected.kwargs.items()) if k.startswith("column")]
    about = " and ".join(columns) if expected.data == "metrics" else f"the sample's {' and '.join(columns)}"
    severity: Literal["stop", "warn"] = "stop" if expected.stop else "warn"
    return Outcome(
        expected.name, severity, verdict, expected.data, expected.type, about, expected.words(), observed, expected.do
    )


def _shown(observed: Value) -> str:
    return f"{observed:.4g}" if isinstance(observed, float) else str(observed)


def _count(failed: Sequence[Outcome]) -> str:
    return "an expectation" if len(failed) == 1 else f"{len(failed)} expectations"


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
