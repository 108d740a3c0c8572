"""Great Expectations, fenced into this file: checkpoints over two small tables, and its Data Docs.

It never sees a large table: the profile's figures are a table of one row, the sample has a bounded number
of rows of derived figures. It holds nothing from a body, so its pages cannot either. The library takes
seconds to import, so that happens at the first checkpoint of a run, or ahead of it in a thread while
workers are busy. Nothing is sent to anyone.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mailmill.errors import ConfigError
from mailmill.quality.profile import Profile
from mailmill.quality.suites import Expected, Suite
from mailmill.quality.validation import Outcome, Validation, applicable, outcome

DATA = ("metrics", "sample")
_IMPORTING = threading.Lock()
_HINT = "see its type and kwargs in the suite (data_docs/expectations, or the folder quality.suites)"


def available() -> bool:
    """Whether Great Expectations is installed (the extra `docs`). Imports nothing."""
    return find_spec("great_expectations") is not None


def warm() -> None:
    """Begin to import the library in a thread: its seconds pass while the engine's workers compute."""
    threading.Thread(target=_library, name="great-expectations", daemon=True).start()


def _library() -> Any:
    """The library. It sends nothing: the variable stands before the import, which reads it.

    Two threads that import one package may each wait for what the other began; Python then hands out half a package.
    """
    with _IMPORTING:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        import great_expectations

        return great_expectations


def _context() -> Any:
    """An ephemeral context: all in memory, no telemetry, no progress bars, no pages but those asked for."""
    gx = _library()
    types = gx.data_context.types.base
    settings = types.DataContextConfig(
        store_backend_defaults=types.InMemoryStoreBackendDefaults(),
        progress_bars=types.ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=settings)


@lru_cache(maxsize=1)
def _shared() -> Any:
    return _context()


def check(suite: Suite, profile: Profile, accept: Sequence[str] = ()) -> Validation:
    """Run the suite's checkpoints on the profile's figures and on its sample.

    `accept` names expectations (TABLE.NAME) whose failure does not stop the run. Raises ConfigError for an
    expectation that the library does not know or cannot evaluate.
    """
    gx = _library()
    facts = profile.facts | {"rows": profile.document["rows"]}
    ready, without = applicable(suite, facts)
    found: dict[str, Outcome] = {e.name: outcome(suite.table, e, None, None, accept) for e in without}
    results: dict[str, Any] = {}
    for data in DATA:
        chosen = [expected for expected in ready if expected.data == data]
        if not chosen or (data == "sample" and (profile.sample is None or not profile.sample.num_rows)):
            found |= {e.name: outcome(suite.table, e, None, None, accept) for e in chosen}
            continue
        sample = profile.sample if data == "sample" else None
        frame = _frame(facts, chosen) if sample is None else sample.to_pandas()
        result = _checkpoint(f"{suite.table} {data}", frame, chosen)
        results[data] = _plain(result)
        for expected, one in zip(chosen, _in_order(result, chosen), strict=True):
            if reason := _raised(one.exception_info):
                raise ConfigError(
                    f"expectation {suite.table}.{expected.name} cannot be evaluated: {reason}", hint=_HINT
                )
            observed = facts[expected.kwargs["column"]] if data == "metrics" else one.result.get("unexpected_percent")
            found[expected.name] = outcome(suite.table, expected, bool(one.success), observed, accept)
    ordered = tuple(found[expected.name] for expected in suite.expected)
    tool = f"great_expectations {gx.__version__}"
    return Validation(suite.table, profile.document["fingerprint"], suite.digest, tool, ordered, results)


def _frame(facts: Mapping[str, Any], chosen: Sequence[Expected]) -> Any:
    import pandas as pd

    return pd.DataFrame({expected.kwargs["column"]: [facts[expected.kwargs["column"]]] for expected in chosen})


def _checkpoint(name: str, frame: Any, chosen: Sequence[Expected]) -> Any:
    """Run one checkpoint of a fresh name in the shared context."""
    gx, context = _library(), _shared()
    suite = gx.ExpectationSuite(name=name, expectations=_configurations(chosen))
    known = {expectation.meta["name"] for expectation in suite.expectations}  # the library leaves out what it refuses
    for expected in chosen:
        if expected.name not in known:
            what = f"expectation {name.split()[0]}.{expected.name} cannot be evaluated"
            raise ConfigError(f"{what}: {expected.type} is unknown, or does not take these kwargs", hint=_HINT)
    if name in context.data_sources.all():  # an earlier run of this process
        context = _context()
    source = context.data_sources.add_pandas(name)
    definition = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    suite = context.suites.add(suite)
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=definition, suite=suite))
    form = {"result_format": "BASIC", "partial_unexpected_count": 0}
    checkpoint = gx.Checkpoint(name=name, validation_definitions=[validation], actions=[], result_format=form)
    (result,) = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame}).run_results.values()
    return result


def _configurations(chosen: Sequence[Expected]) -> list[dict[str, Any]]:
    severity = {True: "critical", False: "warning"}
    return [
        {
            "type": e.type,
            "kwargs": e.kwargs,
            "severity": severity[e.stop],
            "meta": {"name": e.name, "notes": f"{e.name}: {e.do}"},
        }
        for e in chosen
    ]


def _in_order(result: Any, chosen: Sequence[Expected]) -> list[Any]:
    """The library sorts results by column; ours are asked for by name."""
    by_name = {one.expectation_config.meta["name"]: one for one in result.results}
    return [by_name[expected.name] for expected in chosen]


def _raised(info: Mapping[str, Any]) -> str:
    """What an expectation raised, in one line; the library gives one report, or one for each of its metrics."""
    reports = [info, *(report for report in info.values() if isinstance(report, Mapping))]
    found = [str(report.get("exception_message")) for report in reports if report.get("raised_exception")]
    return found[0].splitlines()[0][:200] if found else ""


def _plain(result: Any) -> dict[str, Any]:
    """The library's own document without what differs from run to run: times, random identifiers."""
    document: dict[str, Any] = result.to_json_dict()
    document["meta"] = {"great_expectations_version": document["meta"]["great_expectations_version"]}
    document["id"] = None
    for one in document["results"]:
        one["expectation_config"]["id"] = None
        one["expectation_config"]["kwargs"].pop("batch_id", None)
        one["exception_info"] = {}
    return document


def render(published: Sequence[tuple[str, str, datetime, Mapping[str, Any]]], folder: Path) -> list[tuple[str, Path]]:
    """Build Data Docs of (table, run, time, results) into an empty local folder; (title, page) of each result."""
    gx = _library()
    from great_expectations.core import expectation_validation_result as results_form
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    context, form = _context(), results_form.expectationSuiteValidationResultSchema
    pages = []
    for table, run, time, results in published:
        for data, document in results.items():
            name = f"{table} {data}"
            configurations = [one["expectation_config"] for one in document["results"]]
            context.suites.add(gx.ExpectationSuite(name=name, expectations=[dict(c) for c in configurations]))
            meta = {**document["meta"], "run_id": {"run_name": run, "run_time": time.isoformat()}}
            meta |= {"validation_time": time.isoformat(), "batch_markers": {}, "active_batch_definition": {}}
            key = ValidationResultIdentifier(ExpectationSuiteIdentifier(name), RunIdentifier(run, time), table)
            context.validation_results_store.set(key, form.load({**document, "meta": meta}))
            pages.append((name, f"validations/{name}/{run}"))
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    context.add_data_docs_site(
        "mailmill", {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": store}
    )
    context.build_data_docs(site_names=["mailmill"])
    return [(name, next((folder / prefix).rglob("*.html"))) for name, prefix in pages]
