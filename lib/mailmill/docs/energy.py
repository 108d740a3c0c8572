"""What a training run costs: its time always; energy and emissions where codecarbon is installed and a country named.

The electricity behind a figure on a model card is part of its documentation. CodeCarbon works offline here: the
carbon intensity of a country's grid comes with the package, and nothing is sent anywhere. It measures this machine,
so on a cluster the workers' share is not in it, and the card says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any


@dataclass
class Cost:
    """Filled when the block has ended. kwh and co2_kg are None where they were not measured; `note` says why."""

    seconds: float = 0.0
    kwh: float | None = None
    co2_kg: float | None = None
    country: str | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """What was measured, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


@contextmanager
def metered(country: str | None) -> Iterator[Cost]:
    """Measure the block: seconds, and with a `country` (ISO 3166, three letters) kWh and kg of CO2 equivalent."""
    cost = Cost(country=country)
    tracker = _tracker(country, cost)
    started = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = round(time.perf_counter() - started, 3)
        if tracker is not None:
            emissions = tracker.stop()
            data = tracker.final_emissions_data
            cost.co2_kg = float(emissions) if emissions is not None else None
            cost.kwh = float(data.energy_consumed)


def _tracker(country: str | None, cost: Cost) -> Any:
    if country is None:
        cost.note = "energy not measured: docs.country is not set"
        return None
    if find_spec("codecarbon") is None:
        cost.note = "energy not measured: pip install 'mailmill[energy]'"
        return None
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").disabled = True
    tracker = OfflineEmissionsTracker(
        country_iso_code=country,
        output_methods=[],
        log_level="critical",
        allow_multiple_runs=True,
        measure_power_secs=5,
    )
    tracker.start()
    return tracker
