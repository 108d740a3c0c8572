"""Records of runs as people read them: a list, one, or the differences of two."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mailmill.errors import DataError
from mailmill.runs.record import FOLDER, FORMAT, VERSION
from mailmill.storage.clients import CONNECTIONS
from mailmill.storage.filesystems import Storage, join

log = logging.getLogger("mailmill")
#: Figures of a table that are others in each run.
PASSING = frozenset({"cache_bytes", "source_bytes", "gradient_norm"})


def load(storage: Storage, work: str, run: str) -> list[dict[str, Any]]:
    """The records of one run, oldest first: one a command that had its id. `run` may be an id's beginning, or "last".

    Raises DataError where there is no such run, or several.
    """
    known = _readable(storage, work, "" if run == "last" else run)
    if run == "last":
        found = known[-1:]
    else:
        exact = [record for record in known if record["run"] == run]
        found = exact or [record for record in known if record["run"].startswith(run)]
    if len(runs := {record["run"] for record in found}) != 1:
        why = f"{len(runs)} runs begin with {run}" if found else f"no run {run}"
        raise DataError(f"{why} in {join(work, FOLDER)}", hint="see `mailmill runs list`")
    return [record for record in known if record["run"] in runs]


def _read(storage: Storage, uri: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(storage.read(uri))
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            raise DataError(f"{uri} was written by another version of mailmill")
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{uri} is damaged", hint="delete it: no run reads it") from None
    return document


def _order(record: Mapping[str, Any]) -> tuple[str, str]:
    """Not the id, which a scheduler may have given."""
    return str(record["started"]), str(record["run"])


def _readable(storage: Storage, work: str, beginning: str = "") -> list[dict[str, Any]]:
    """The records of ids that begin so, oldest first; one that is damaged is warned of and left out."""

    def read(name: str) -> dict[str, Any] | None:
        try:
            return _read(storage, join(work, FOLDER, name))
        except DataError as error:
            log.warning("record left out: %s", error.message)
            return None

    names = storage.children(join(work, FOLDER))
    wanted = [name for name in names if name.endswith(".json") and name.startswith(beginning)]
    with ThreadPoolExecutor(CONNECTIONS) as readers:  # a request each on S3, and years of nights
        return sorted((record for record in readers.map(read, wanted) if record is not None), key=_order)


def listing(storage: Storage, work: str) -> str:
    """A line a record, oldest first: id, command, outcome, seconds, tables published, cost."""
    lines = [f"{'run':<26} {'command':<10} {'outcome':<11} {'seconds':>9} {'tables':>7} {'cost':>10}"]
    for record in _readable(storage, work):
        made = sum(table["event"] == "published" for table in record["tables"])
        cost = record["cost"]["estimate"]
        lines.append(
            f"{record['run']:<26} {record['command']:<10} {record['outcome']:<11} {record['seconds']:>9.1f} {made:>7} "
            f"{'-' if cost is None else f'{cost:.4f}':>10}"
        )
    return "\n".join(lines) if len(lines) > 1 else f"no run is recorded in {join(work, FOLDER)}"


def shown(record: Mapping[str, Any]) -> str:
    """One record for people; `--json` gives all of it."""
    peak = record["peak_bytes"]
    lines = [
        f"run       {record['run']}: {record['command']}, {record['outcome']}",
        f"started   {record['started']}, took {record['seconds']:.1f} s",
        f"engine    {record['engine'] or ('none was started' if 'error' in record else 'none was needed')}",
        f"code      {record['versions']['mailmill']}, Python {record['versions']['python']}",
        f"memory    driver {peak['driver'] / 2**20:.0f} MiB, largest child {peak['largest_child'] / 2**20:.0f} MiB",
    ]
    if record["cost"]["estimate"] is not None:
        lines.append(f"cost      {record['cost']['estimate']:.4f} at {record['cost']['price_per_hour']:g} an hour")
    if error := record.get("error"):
        lines.append(f"error     {error['type']}, exit code {error['exit_code']}: {error['message']}")
        lines += [f"          {error['hint']}"] if error.get("hint") else []  # older records have none
    lines += ["", f"{'table':<20} {'event':<10} {'rows':>10} {'MiB':>9} {'seconds':>9}  fingerprint"]
    lines += [
        f"{t['table']:<20} {t['event']:<10} {t['rows']:>10} {t['bytes'] / 2**20:>9.2f} {t['seconds']:>9.2f}  "
        f"{t['fingerprint'][:16]}"
        for t in record["tables"]
    ]
    return "\n".join(lines)


def compared(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> str:
    """What differs between two runs: configuration, versions, and each table's rows, content, time and figures.

    Of several commands under one id, the last one's configuration and versions count.
    """
    a, b = one[-1], other[-1]
    lines = [f"{'':<34} {a['run']:<26} {b['run']}"]
    for section in ("configuration", "versions"):
        for name, x, y in _differences(a[section], b[section]):
            lines.append(f"{name:<34.34} {x!s:<26.26} {y!s:.40}")
    seconds = [sum(record["seconds"] for record in records) for records in (one, other)]
    lines.append(f"{'seconds':<34} {seconds[0]:<26.1f} {seconds[1]:.1f}")
    memory = [max(record["peak_bytes"]["driver"] for record in records) / 2**20 for records in (one, other)]
    lines.append(f"{'driver, MiB':<34} {memory[0]:<26.0f} {memory[1]:.0f}")
    left, right = ({t["table"]: t for record in records for t in record["tables"]} for records in (one, other))
    for name in dict.fromkeys([*left, *right]):
        x, y = left.get(name), right.get(name)
        if x is None or y is None:
            lines.append(f"{name:<34} {'-' if x is None else x['rows']!s:<26} {'-' if y is None else y['rows']}")
            continue
        same = "same content" if x["fingerprint"] == y["fingerprint"] else "other content"
        texts = [f"{t['rows']} rows, {t['seconds']:.1f} s" for t in (x, y)]
        lines.append(f"{name:<34} {texts[0]:<26} {texts[1]}, {same}")
        for figure, p, q in _differences(x["statistics"], y["statistics"]):
            if figure not in PASSING and not isinstance(p or q, dict | list) and "." not in figure:
                lines.append(f"  {figure:<32} {_figure(p):<26} {_figure(q)}")
    return "\n".join(lines)


def _figure(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _differences(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted({*a, *b}):
            yield from _differences(a.get(name), b.get(name), f"{path}.{name}" if path else name)
    elif a != b:
        yield path, a, b
