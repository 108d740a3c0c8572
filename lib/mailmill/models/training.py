"""Training by name: a configuration's section in, a model and the evidence of its fit out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mailmill.config import Config, ModelName
from mailmill.errors import DataError
from mailmill.models.data import MapReduce
from mailmill.models.evidence import Evidence
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.logistic import LogisticSettings, fit_logistic
from mailmill.models.scoring import Model

log = logging.getLogger("mailmill")


def fit(name: ModelName, config: Config, map_reduce: MapReduce, classes: tuple[str, ...]) -> tuple[Model, Evidence]:
    """Train one model on the training split; a fit that did not converge says so in the log and in its evidence."""
    if name == "forest":
        return fit_forest(map_reduce, classes, ForestSettings(**config.forest.model_dump(), seed=config.run.seed))
    wanted = config.logistic
    settings = LogisticSettings(l2=wanted.l2, tolerance=wanted.tolerance, max_iterations=wanted.max_iterations)
    model, evidence = fit_logistic(map_reduce, classes, settings)
    if not evidence.converged:
        log.warning("logistic did not converge in %s iterations; raise logistic.max_iterations", evidence.iterations)
    return model, evidence


def ordered(found: Sequence[str], positive: str) -> tuple[str, ...]:
    """The two classes, the positive one last: its probability p gives sentiment = 2p - 1.

    Raises DataError where there are not two, or the positive one is not among them.
    """
    if len(found) != 2 or positive not in found:
        raise DataError(
            f"labels have the classes {', '.join(found) or 'none'}; needed are two, one of them {positive!r}",
            hint="set train.positive to the class that means a positive sentiment",
        )
    return (*(name for name in found if name != positive), positive)
