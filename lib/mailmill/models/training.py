"""Training by name: a configuration's section in, a model and the evidence of its fit out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mailmill.config import Config, ModelName
from mailmill.errors import ConfigError, DataError
from mailmill.models.calibration import calibrate
from mailmill.models.data import VALIDATION, MapReduce
from mailmill.models.evidence import Evidence
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.logistic import LogisticModel, LogisticSettings, fit_logistic
from mailmill.models.metrics import count
from mailmill.models.path import fit_path
from mailmill.models.reading import Meter
from mailmill.models.scoring import Model
from mailmill.models.threshold import choose_threshold
from mailmill.models.workers import Workers

log = logging.getLogger("mailmill")
#: So many classes are named in a message.
_NAMED = 10

#: logistic.l2 where none is given. n-grams say most of what word vectors say: unheld, these would say it twice.
L2, BESIDE_SPARSE_L2 = 1e-4, 3e-2
#: logistic.tolerance where none is given. With hashed n-grams the last digits take most of the passes and change no
#: figure (of film reviews within 5e-5 of the minimum, relatively, at 1e-3, of 1,500 generated mails 2e-4; F1 and log
#: loss as at 1e-5); without them they cost a few, and make engines agree to 1e-8.
TOLERANCE, SPARSE_TOLERANCE = 1e-9, 1e-3


def fit(
    name: ModelName,
    config: Config,
    map_reduce: MapReduce,
    classes: tuple[str, ...],
    workers: Workers = Workers(),  # noqa: B008 - frozen
    memory_budget: int = 256 << 20,
) -> tuple[Model, Evidence]:
    """Train one model on the training split, counting what is read.

    config: as `decided` for the table. Several values of logistic.l2 are tried together and chosen among on the
    validation split. A fit that did not converge says so in the log and in its evidence. workers: what the forest may
    use besides `map_reduce`; memory_budget: bytes a worker.
    """
    meter = Meter(map_reduce)
    model: Model
    if name == "forest":
        forest = forest_settings(config, classes)
        model, evidence = fit_forest(meter, classes, forest, workers=workers, memory_budget=memory_budget)
    else:
        model, evidence = _fit_logistic(config, meter, classes)
        steps = evidence.iterations or 0
        if not evidence.converged and steps >= config.logistic.max_iterations:
            log.warning("logistic did not converge in %s steps; raise logistic.max_iterations", steps)
        elif not evidence.converged:
            log.warning("logistic stopped after %s steps: none lowers the objective any further", steps)
    return model, replace(evidence, source_bytes=meter.source_bytes, cache_bytes=meter.cache_bytes)


def decided(config: Config, sparse_columns: int) -> Config:
    """The configuration with the numbers that logistic.l2 and logistic.tolerance have where none is given.

    sparse_columns: hashed columns of the features that are trained on; they decide, whatever `config.features` says.
    """
    section = config.logistic
    l2, tolerance = (BESIDE_SPARSE_L2, SPARSE_TOLERANCE) if sparse_columns else (L2, TOLERANCE)
    given = {"l2": l2 if section.l2 is None else section.l2, "tolerance": section.tolerance or tolerance}
    return config.model_copy(update={"logistic": section.model_copy(update=given)})


def settings_of(name: str, config: Config) -> dict[str, Any]:
    """What `fit` and `settled` heed of a `decided` configuration, by the settings' names, as JSON has it."""
    sections = {name: getattr(config, name), "evaluate": config.evaluate, "train": config.train}
    others = {"choose_by", "models", "onnx"}
    dumped = {section: found.model_dump(mode="json", exclude=others) for section, found in sections.items()}
    settings = {f"{section}.{key}": value for section, values in dumped.items() for key, value in values.items()}
    return settings | {"run.seed": config.run.seed}


def settled(model: Model, config: Config, map_reduce: MapReduce) -> Model:
    """The model with its calibration and its threshold, both from one pass over the validation split.

    Only of two classes: with more, probabilities stay as they are and the likeliest class is the label. The log says
    what cannot be fitted to that split, and what holds instead.
    """
    wanted = config.evaluate.threshold
    fixed = wanted if isinstance(wanted, float) else 0.5
    if len(model.classes) != 2:
        return replace(model, threshold=fixed)
    binned = count(map_reduce, model, VALIDATION).binned
    calibration = calibrate(binned, config.train.calibration)
    if calibration.method != config.train.calibration:
        log.warning("no %s calibration can be fitted to the validation split: there is none", config.train.calibration)
    if isinstance(wanted, float):
        return replace(model, calibration=calibration, threshold=fixed)
    costs = {name: getattr(config.evaluate, f"{name}_cost") for name in ("false_positive", "false_negative")}
    if not binned.sum(axis=1).all():
        log.warning("a class has no mail on the validation split: evaluate.threshold is 0.5, not chosen by %s", wanted)
    threshold = choose_threshold(binned, wanted, calibration, **costs)
    return replace(model, calibration=calibration, threshold=threshold)


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


def _fit_logistic(config: Config, map_reduce: MapReduce, classes: tuple[str, ...]) -> tuple[LogisticModel, Evidence]:
    values = config.logistic.model_dump()
    l2 = values.pop("l2")
    wanted = [LogisticSettings(l2=strength, **values) for strength in (l2 if isinstance(l2, tuple) else (l2,))]
    if len(wanted) == 1:
        return fit_logistic(map_reduce, classes, wanted[0])
    return fit_path(map_reduce, classes, wanted, method=config.train.calibration)


def classes_of(found: Sequence[str], config: Config) -> tuple[str, ...]:
    """The classes in order, see `ordered`, of which models can be judged as configured.

    Raises:
        DataError: what `ordered` raises.
        ConfigError: models shall be compared by roc_auc, or a threshold is set, and there are more than two classes;
            or what `forest_settings` raises.
    """
    classes = ordered(found, config.train.positive, config.train.negative)
    for name, by in (("evaluate.choose_by", config.evaluate.choose_by), ("search.by", config.search.by)):
        if by == "roc_auc" and len(classes) > 2:
            raise ConfigError(
                f'{name} = "roc_auc" compares models of two classes; the labels have {", ".join(classes)}',
                hint=f"set {name} to macro_f1 or log_loss",
            )
    if len(classes) > 2 and config.evaluate.threshold != 0.5:
        raise ConfigError(
            f"evaluate.threshold is one between two classes; the labels have {', '.join(classes)}",
            hint="leave it out: of more than two classes the likeliest is called",
        )
    if "forest" in config.train.models:
        forest_settings(config, classes)
    return classes


def ordered(found: Sequence[str], positive: str, negative: str | None = None) -> tuple[str, ...]:
    """The classes in the order that `scoring.sentiment` needs: the negative one first, the positive one last.

    Of two classes the other one is the negative one. Those between stay in the given order.
    Raises DataError where there are none or fewer than two, or a named one is not among them, or of more than two the
    negative one is not named.
    """
    if not found:
        raise DataError(
            "no mail of the features has a label",
            hint="run `mailmill label` and `mailmill features` with labels.source or labels.header, or `mailmill run`",
        )
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    names = f"labels have the classes {', '.join(found[:_NAMED])}{more}"
    if len(found) < 2 or positive not in found:
        raise DataError(
            f"{names}; needed are two or more, one of them {positive!r}",
            hint="set train.positive to the class that means a positive sentiment",
        )
    if negative is None and len(found) == 2:
        (negative,) = (name for name in found if name != positive)
    if negative is None or negative not in found or negative == positive:
        raise DataError(
            f"{names}; it is not said which one is negative",
            hint="set train.negative to the class that means a negative sentiment",
        )
    return (negative, *(name for name in found if name not in (negative, positive)), positive)
