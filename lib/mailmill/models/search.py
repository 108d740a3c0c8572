"""Which settings: a grid or a random part of it, judged on the validation split, and a table of what was found.

The draws are hashes, so a search is resumed, or widened by more draws, without a candidate being fitted
twice; each result is filed under what it depends on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from mailmill.config import ModelName, fingerprint
from mailmill.draws import Stream, mix
from mailmill.errors import ConfigError, DataError

_LARGEST_GRID = 100_000

Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Candidate:
    """One model with some of its settings, e.g. Candidate("logistic", {"l2": 0.001})."""

    model: ModelName
    settings: dict[str, Any]

    def name(self, table: str, code: str, judged: str) -> str:
        """Under which its result is filed: a hash of the settings, the table, the code, and what it is judged by."""
        return fingerprint(self.model, dict(sorted(self.settings.items())), table, code, judged)


@dataclass(frozen=True)
class Result:
    """How a candidate did on the validation split. seconds: of the fit; passes: over the data."""

    model: ModelName
    settings: dict[str, Any]
    macro_f1: float
    roc_auc: float | None
    log_loss: float
    converged: bool | None
    passes: int
    seconds: float

    def to_json(self) -> bytes:
        """The result as one JSON object."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Result:
        """Read what `to_json` wrote. Raises DataError for anything else."""
        try:
            return cls(**json.loads(content))
        except (TypeError, ValueError):
            raise DataError("a result of the search is damaged") from None


def candidates(
    grids: Mapping[ModelName, Grid], method: Literal["grid", "random"], draws: int, seed: int
) -> list[Candidate]:
    """The candidates in the order of their models: every combination, or `draws` of each model's at random.

    A random draw takes the combinations whose numbers have the smallest hashes with the seed, without
    replacement: more draws keep those of fewer.

    Raises:
        ConfigError: an empty list of values, or more combinations than a search can list.
    """
    found = []
    for model, grid in grids.items():
        if empty := [name for name, values in grid.items() if not values]:
            raise ConfigError(f"search.{model}.{empty[0]} names no value")
        size = int(np.prod([len(values) for values in grid.values()], dtype=np.float64)) if grid else 1
        if size > _LARGEST_GRID:
            raise ConfigError(f"search.{model} has {size:,} combinations", hint=f"at most {_LARGEST_GRID:,} are listed")
        points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        chosen: Sequence[int] = range(size)
        if method == "random" and draws < size:
            order = np.argsort(mix(seed, Stream.SEARCH, np.arange(size, dtype=np.uint64)), kind="stable")
            chosen = sorted(order[:draws].tolist())
        found += [Candidate(model, points[number]) for number in chosen]
    return found


def ranked(results: Sequence[Result], by: Literal["macro_f1", "roc_auc", "log_loss"]) -> list[Result]:
    """Best first: by macro F1 or AUC (higher), or log loss (lower); ties to the lower log loss, then as listed."""
    if by == "log_loss":
        return sorted(results, key=lambda result: result.log_loss)
    return sorted(results, key=lambda result: (-(getattr(result, by) or 0.0), result.log_loss))


def report(results: Sequence[Result], by: Literal["macro_f1", "roc_auc", "log_loss"]) -> dict[str, bytes]:
    """search.json, search.md (a table, best first) and best.toml (each model's best settings, to be copied)."""
    best_first = ranked(results, by)
    rows = [asdict(result) for result in best_first]
    lines = [
        "# Search",
        "",
        f"{len(rows)} candidates by {by} on the validation split; the test split was not looked at.",
    ]
    lines += ["", "| | model | settings | macro F1 | ROC AUC | log loss | converged | passes | seconds |"]
    lines += ["|---:|---|---|---:|---:|---:|---|---:|---:|"]
    for place, result in enumerate(best_first, 1):
        auc = "-" if result.roc_auc is None else f"{result.roc_auc:.4f}"
        settled = {None: "-", True: "yes", False: "**no**"}[result.converged]
        lines.append(
            f"| {place} | {result.model} | {_settings(result)} | {result.macro_f1:.4f} | {auc} | {result.log_loss:.4f} "
            f"| {settled} | {result.passes} | {result.seconds:.1f} |"
        )
    best: dict[str, Result] = {}
    for result in best_first:
        best.setdefault(result.model, result)
    toml = []
    for name, result in best.items():
        toml += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in result.settings.items()), ""]
    text = json.dumps({"format": "mailmill.search", "version": 1, "by": by, "results": rows}, indent=1) + "\n"
    return {
        "search.json": text.encode(),
        "search.md": ("\n".join(lines) + "\n").encode(),
        "best.toml": "\n".join(toml).encode(),
    }


def _toml(value: Any) -> str:
    """A setting as TOML reads it: as JSON, but for tables, which are inline ones."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)} = {_toml(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _settings(result: Result) -> str:
    return ", ".join(f"{name}={value}" for name, value in result.settings.items()) or "defaults"
