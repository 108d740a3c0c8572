"""The whole configuration, and how it is read: problems together, overrides, hashes of what a stage depends on."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError, model_validator

from mailmill.config import data, documents, learning
from mailmill.config.secrets import CREDENTIALS, redacted
from mailmill.config.values import Section
from mailmill.errors import ConfigError

#: What pydantic puts into a problem's place for one of the types that a setting may have.
_ALTERNATIVE = re.compile(r"(?:constrained-|function-|literal\[|tuple\[|dict\[|list\[).*|int|float|str|bool")
#: How a place begins that is the same one from every working folder.
_EVERYWHERE = ("/", "file:///", "s3://", "s3a://", "s3n://")
#: Problems whose input is not shown.
_UNSHOWN = ("extra_forbidden", "missing", CREDENTIALS)
_WORDS = {
    "missing": "missing and has no default",
    "tuple_type": "should be a list, in [ ]",
    "dict_type": "should be a table of names and values",
    "model_type": "should be a section",
    "too_short": "should not be empty",
    "string_too_short": "should not be empty",
    "string_unicode": "is not UTF-8; where the locale is another, set PYTHONUTF8=1",
    "date_from_datetime_inexact": "should be a date, as 2026-11-20",
    "date_from_datetime_parsing": "should be a date, as 2026-11-20",
    "date_parsing": "should be a date, as 2026-11-20",
}


class Config(Section):
    """The whole configuration, frozen. Build it with `load`."""

    run: data.RunSection = data.RunSection()
    input: data.InputSection
    storage: data.StorageSection = data.StorageSection()
    engine: data.EngineSection = data.EngineSection()
    tables: data.TablesSection = data.TablesSection()
    ingest: data.IngestSection = data.IngestSection()
    clean: data.CleanSection = data.CleanSection()
    labels: data.LabelsSection = data.LabelsSection()
    glove: data.GloveSection = data.GloveSection()
    features: data.FeaturesSection = data.FeaturesSection()
    cache: learning.CacheSection = learning.CacheSection()
    logistic: learning.LogisticSection = learning.LogisticSection()
    forest: learning.ForestSection = learning.ForestSection()
    train: learning.TrainSection = learning.TrainSection()
    evaluate: learning.EvaluateSection = learning.EvaluateSection()
    score: learning.ScoreSection = learning.ScoreSection()
    search: learning.SearchSection = learning.SearchSection()
    quality: documents.QualitySection = documents.QualitySection()
    docs: documents.DocsSection = documents.DocsSection()

    @model_validator(mode="after")
    def _shares(self) -> Config:
        if self.features.validation_share + self.features.test_share >= 0.9:
            raise ValueError("features.validation_share and features.test_share must sum to less than 0.9")
        return self

    @model_validator(mode="after")
    def _places_of_a_cluster(self) -> Config:
        """Workers that somebody else started have working folders of their own."""
        cluster = self.engine.address and self.engine.kind in ("auto", "dask")
        places = {"run.work": [self.run.work], "input.paths": self.input.paths} if cluster else {}
        for name, given in places.items():
            if found := [place for place in given if not place.startswith(_EVERYWHERE)]:
                raise ValueError(f"with engine.address, {name} is absolute or on S3, which {found[0]!r} is not")
        return self


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML file, apply `section.key=value` overrides, validate. Paths are relative to the working folder.

    Raises:
        ConfigError: the file is missing or not TOML, or with every unknown key and bad value in one report.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"configuration {path} does not exist", hint="see conf/ in the source for examples") from None
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"configuration {path} cannot be read: {error}") from None
    return parse(document, overrides, origin=str(path))


def parse(document: dict[str, Any], overrides: Sequence[str] = (), origin: str = "configuration") -> Config:
    """Validate a parsed TOML document with overrides; see `load`."""
    for override in overrides:
        _apply(document, override)
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        problems = _explain([dict(problem) for problem in error.errors()])
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        given = [override.partition("=")[0].strip() for override in overrides]
        if any(_concerns(problem, key) for key in given for problem in problems):
            origin += " and the command line"
        raise ConfigError(f"{origin}: {count}\n" + "\n".join(f"  {p}" for p in problems)) from None


def fingerprint(*parts: Any) -> str:
    """Hash of settings: 32 hex digits of BLAKE2b over their canonical JSON."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def _concerns(problem: str, key: str) -> bool:
    """Whether a line of the report speaks of the setting, or of the whole section that it is in."""
    return key in problem or key.startswith(problem.partition(":")[0] + ".")


def _apply(document: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or len(keys) < 2 or not all(keys):
        raise ConfigError(f"--set {redacted(name)}: not of the form section.key=value")
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
            raise ConfigError(f"--set {name}: {key} is not a section")
        section = inner
    section[keys[-1]] = value


def _explain(problems: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each setting that is wrong. What a setting may be instead, each a problem to pydantic, is one line."""
    said: dict[str, list[str]] = {}
    got: dict[str, str] = {}
    for problem in problems:
        parts = [str(part) for part in problem["loc"] if not _ALTERNATIVE.fullmatch(str(part))]
        name = ".".join(parts) or "configuration"
        said.setdefault(name, []).append(_words(problem))
        shown = parts and problem["type"] not in _UNSHOWN
        got[name] = f" (got {redacted(problem['input'], name)!r:.60})" if shown else ""
    inner = [name for name in said if not any(other.startswith(f"{name}.") for other in said)]
    joined = {name: ", or ".join(said[name]).replace(", or should be ", ", or ") for name in inner}
    return sorted(f"{name}: {words}{got[name]}" for name, words in joined.items())


def _words(problem: dict[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key; {_known([str(part) for part in problem['loc']])}"
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]]
    message = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be", "should be")
    return message.partition(", unable to")[0]


def _known(location: list[str]) -> str:
    """The name that an unknown one may stand for: in its own section, or of that name in another."""
    model: Any = Config
    for part in location[:-1]:
        model = model.model_fields[part].annotation
    *above, last = location
    last = last.lower()
    close = [".".join([*above, name]) for name in difflib.get_close_matches(last, model.model_fields, n=1, cutoff=0.5)]
    sections = Config.model_fields.items()
    elsewhere = [f"{name}.{last}" for name, field in sections if last in getattr(field.annotation, "model_fields", ())]
    likely = (close or elsewhere) if above or last in model.model_fields else (elsewhere or close)
    return f"did you mean {' or '.join(likely)}?" if likely else f"known: {', '.join(model.model_fields)}"
