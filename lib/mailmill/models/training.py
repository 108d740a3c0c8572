"""Training by name: a configuration's section in, a model and the evidence of its fit out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mailmill.config import Config, ModelName
from mailmill.errors import ConfigError, DataError
from mailmill.models.data import MapReduce
from mailmill.models.evidence import Evidence
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.logistic import LogisticSettings, fit_logistic
from mailmill.models.scoring import Model
from mailmill.models.workers import Workers

log = logging.getLogger("mailmill")


def fit(
    name: ModelName,
    config: Config,
    map_reduce: MapReduce,
    classes: tuple[str, ...],
    workers: Workers = Workers(),  # noqa: B008 - frozen
    memory_budget: int = 256 << 20,
) -> tuple[Model, Evidence]:
    """Train one model on the training split; a fit that did not converge says so in the log and in its evidence.

    workers: what the forest may use besides `map_reduce`; memory_budget: bytes a worker.
    """
    if name == "forest":
        chosen = forest_settings(config, classes)
        return fit_forest(map_reduce, classes, chosen, workers=workers, memory_budget=memory_budget)
    wanted = config.logistic
    settings = LogisticSettings(l2=wanted.l2, tolerance=wanted.tolerance, max_iterations=wanted.max_iterations)
    model, evidence = fit_logistic(map_reduce, classes, settings)
    if not evidence.converged:
        log.warning("logistic did not converge in %s iterations; raise logistic.max_iterations", evidence.iterations)
    return model, evidence


def forest_settings(config: Config, classes: tuple[str, ...]) -> ForestSettings:
    """The forest's section with the run's seed. Raises ConfigError where the weights are not one a class."""
    values = config.forest.model_dump()
    given = values["class_weights"]
    if isinstance(given, dict):
        if set(given) != set(classes):
            raise ConfigError(
                f"forest.class_weights names {', '.join(sorted(given))}; the classes are {', '.join(classes)}"
            )
        values["class_weights"] = tuple(given[name] for name in classes)
    return ForestSettings(**values, seed=config.run.seed)


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
