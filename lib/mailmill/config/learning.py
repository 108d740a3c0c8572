"""The sections of a configuration about models: how they are trained, judged and used."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from mailmill.config.values import Bytes, ClassName, LocalPath, NonNegative, Section, parse_columns


class CacheSection(Section):
    """Where training keeps the features it has read, on each worker's own disk.

    A forest's bins, a byte a value, lie in the machine's folder for temporary files (TMPDIR) while it grows.
    """

    directory: LocalPath | None = Field(
        None, description="each user has a folder below it; default: the executor's or the machine's temporary folder"
    )
    bytes: Bytes | None = Field(None, description="a machine's limit; default: half of what is free on that disk")
    keep: bool = Field(False, description="leave it; else it is cleared with the job, on the driver's machine")


class LogisticSection(Section):
    """Logistic regression: penalised log loss, minimised over all rows to `tolerance`."""

    l2: NonNegative | tuple[NonNegative, ...] | None = Field(
        None,
        description="lambda of (1/n) sum loss + lambda/2 ||w||^2, w those of standardised columns; several: the one "
        "whose log loss on the validation split, once calibrated, is lowest; default: 1e-4, beside hashed n-grams 3e-2",
    )
    l1: float = Field(0.0, ge=0, description="of l1 ||w||_1; with l2 an elastic net")
    l2_sparse: float | None = Field(None, ge=0, description="lambda of hashed n-grams; default: 1 / (10 rows)")
    class_weight: Literal["balanced"] | None = None
    tolerance: float | None = Field(
        None, gt=0, lt=1, description="on the gradient; default: 1e-9, rounding level, with hashed n-grams 1e-3"
    )
    max_iterations: int = Field(200, ge=1)

    @model_validator(mode="after")
    def _some_strength(self) -> LogisticSection:
        if self.l2 == ():
            raise ValueError("logistic.l2 names no value")
        return self


class ForestSection(Section):
    """Breiman's random forest on binned features."""

    trees: int = Field(50, ge=1, le=10_000)
    depth: int = Field(10, ge=1, le=60)
    min_leaf: int = Field(5, ge=1, le=2**31, description="bootstrap rows")
    max_leaves: int | None = Field(
        None, ge=2, le=2**31, description="leaves a tree, grown best first; default: no limit"
    )
    max_features: Annotated[int | float | Literal["sqrt"], BeforeValidator(parse_columns)] = Field(
        "sqrt", description="columns drawn a node: sqrt of all that vary, a share of them, as 0.3, or a number"
    )
    criterion: Literal["gini", "entropy"] = "gini"
    bootstrap: Literal["poisson", "subsample"] = "poisson"
    shrinkage: float = Field(
        0.0, ge=0, description="rows that a parent's class frequencies weigh in its children's; try 10"
    )
    class_weights: Literal["equal", "balanced"] | dict[str, Annotated[float, Field(gt=0)]] = "equal"
    max_bins: int = Field(128, ge=2, le=256)


ModelName = Literal["logistic", "forest"]


class TrainSection(Section):
    """Which models are trained, and the classes of sentiment = P(positive) - P(negative), which is 2p - 1 for two."""

    models: tuple[ModelName, ...] = Field(("logistic", "forest"), min_length=1)
    positive: ClassName = "pos"
    negative: ClassName | None = Field(None, description="needed with three classes or more")
    calibration: Literal["platt", "isotonic", "none"] = Field(
        "platt",
        description="fitted on the validation split, so that sentiment is a degree; two classes. "
        "isotonic needs thousands of validation mails",
    )
    onnx: Literal["auto", "required", "off"] = Field("auto", description="also write model.onnx; auto: where onnx is")

    @model_validator(mode="after")
    def _different(self) -> TrainSection:
        if len(set(self.models)) < len(self.models):
            raise ValueError("train.models names a model twice")
        if self.negative == self.positive:
            raise ValueError("train.negative and train.positive are one class")
        return self


class EvaluateSection(Section):
    """How models are judged, on the validation split, never on the test split: `train` settles the threshold of each,
    `evaluate` chooses the one that scores."""

    choose_by: Literal["macro_f1", "roc_auc", "log_loss"] = "macro_f1"
    threshold: Annotated[float, Field(gt=0, lt=1)] | Literal["f1", "cost"] = Field(
        0.5, description="of P(positive); f1 or cost: the best on the validation split; two classes"
    )
    false_positive_cost: float = Field(1.0, gt=0, description='with threshold = "cost"')
    false_negative_cost: float = Field(1.0, gt=0, description='with threshold = "cost"')


class ScoreSection(Section):
    """Which model scores: the chosen one, or one by name."""

    model: Literal["chosen", "logistic", "forest"] = "chosen"


class SearchSection(Section):
    """What `mailmill search` tries of each of train.models: lists of values of its settings; {}: it as it is."""

    method: Literal["grid", "random"] = "grid"
    draws: int = Field(20, ge=1, description="of each model, with method = random")
    by: Literal["macro_f1", "roc_auc", "log_loss"] = "macro_f1"
    logistic: dict[str, tuple[Any, ...]] = Field(default={"l2": (1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1)})
    forest: dict[str, tuple[Any, ...]] = Field(default={"depth": (8, 12, 16), "min_leaf": (1, 5, 20)})

    @field_validator("logistic", "forest")
    @classmethod
    def _known(cls, tried: dict[str, tuple[Any, ...]], field: ValidationInfo) -> dict[str, tuple[Any, ...]]:
        section: type[Section] = LogisticSection if field.field_name == "logistic" else ForestSection
        for name, values in tried.items():
            if name not in section.model_fields:
                raise ValueError(f"[{field.field_name}] has no setting {name}")
            for value in values:
                section.model_validate({name: value})  # its problems are told as those of this field
        return tried
