"""How a text becomes a row of features, written down so that one message is featurised alike years later.

A model is worthless without the exact features it was trained on. The specification travels with it as a few
lines of JSON, and names the word vectors and the fitted weights by hashes of their content: others under the
same name are refused rather than scored with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol

from mailmill.config import FeaturesSection
from mailmill.errors import ConfigError, DataError

#: Raised by every change to tokens, pooling or hashing that could change a feature.
VERSION = 3

POOLS = ("mean", "idf", "sif", "nb", "max")
SUBJECTS = ("ignored", "joined", "apart")
NGRAM_VALUES = ("nb", "tfidf")
_FITTED = ("idf", "sif", "nb")


class Vectors(Protocol):
    """Word vectors by name: those of a `GloveStore`, or a description of them."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def dimension(self) -> int: ...


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Everything but the numbers themselves: rules' version, words read of a mail, pools, n-grams, which numbers.

    `vectors`, `fingerprint` and `word_dimension` say which word vectors; `weights` is the fingerprint of the fitted
    weights, "" before they are fitted and where none are needed; `classes` are those the weights tell apart.
    """

    vectors: str
    fingerprint: str
    word_dimension: int
    max_words: int | None = None
    pooling: tuple[str, ...] = ("mean",)
    subject: str = "ignored"
    ngrams: int = 0
    skips: int = 0
    ngram_bits: int = 20
    ngram_values: str = "tfidf"
    classes: tuple[str, ...] = ()
    weights: str = ""
    version: int = VERSION

    def __post_init__(self) -> None:
        unknown = [pool for pool in self.pooling if pool not in POOLS]
        if unknown or not self.pooling or len(set(self.pooling)) < len(self.pooling):
            raise ConfigError(
                f"features.pooling {list(self.pooling)} is not a list of different pools",
                hint=f"known: {', '.join(POOLS)}",
            )
        for name, value, known in (
            ("subject", self.subject, SUBJECTS),
            ("ngram_values", self.ngram_values, NGRAM_VALUES),
        ):
            if value not in known:
                raise ConfigError(f"features.{name} {value!r} is unknown", hint=f"known: {', '.join(known)}")
        if self.word_dimension < 1 or (self.max_words is not None and self.max_words < 1):
            raise ConfigError("features: the dimension of word vectors and max_words are at least 1")
        if not 0 <= self.ngrams <= 3 or not 0 <= self.skips <= 4 or not 1 <= self.ngram_bits <= 24:
            raise ConfigError(
                "features: ngrams lies between 0 and 3, skips between 0 and 4, ngram_bits between 1 and 24"
            )
        if self.skips and not self.ngrams:
            raise ConfigError("features: skips without n-grams")
        if self.informed and len(self.classes) < 2:
            raise ConfigError("features informed by classes need at least two classes")

    @classmethod
    def of(cls, store: Vectors, settings: FeaturesSection, classes: Sequence[str] = ()) -> FeatureSpec:
        """The specification that a configuration asks for; its weights are not fitted yet. See `asked`."""
        return cls(store.name, store.fingerprint, store.dimension).asked(settings, classes)

    def asked(self, settings: FeaturesSection, classes: Sequence[str]) -> FeatureSpec:
        """What a configuration asks for of these word vectors.

        With fewer than two classes there is nothing to be informed by: the pool "nb" is left out (the mean stands in
        where it was the only one) and n-grams have their TF-IDF.
        """
        pooling, values = tuple(settings.pooling), settings.ngram_values
        if len(classes) < 2:
            pooling = tuple(pool for pool in pooling if pool != "nb") or ("mean",)
            values, classes = "tfidf", ()
        return replace(
            self, max_words=settings.max_words, pooling=pooling, subject=settings.subject, ngrams=settings.ngrams,
            skips=settings.skips if settings.ngrams else 0, ngram_bits=settings.ngram_bits, ngram_values=values,
            classes=tuple(classes),
        )  # fmt: skip

    def bound(self, weights: str) -> FeatureSpec:
        """This specification with the fitted weights of that fingerprint."""
        return replace(self, weights=weights)

    @property
    def informed(self) -> bool:
        """Whether labels enter the weights."""
        return "nb" in self.pooling or (self.ngrams > 0 and self.ngram_values == "nb")

    @property
    def fitted(self) -> bool:
        """Whether there are weights that a first pass over the training split fits."""
        return self.ngrams > 0 or any(pool in _FITTED for pool in self.pooling)

    @property
    def class_pools(self) -> tuple[str, ...]:
        """The classes that have a pool "nb": each, but of two the second alone, for the first one's is its negative."""
        return self.classes[1:] if len(self.classes) == 2 else self.classes

    @property
    def dimension(self) -> int:
        """Dense columns of a mail: for its text, then its subject if apart, the pools in the order of `pooling`."""
        return sum(map(self._width, self.pooling)) * (2 if self.subject == "apart" else 1)

    def columns_of(self, pool: str) -> slice | None:
        """Where a pool of the text lies among the dense columns; None where it is not computed."""
        if pool not in self.pooling:
            return None
        start = sum(map(self._width, self.pooling[: self.pooling.index(pool)]))
        return slice(start, start + self._width(pool))

    def _width(self, pool: str) -> int:
        return len(self.class_pools) * (self.word_dimension + 1) if pool == "nb" else self.word_dimension

    @property
    def sparse_columns(self) -> int:
        """Hashed columns of a mail's n-grams, 0: none; those of pairs that skip words lie behind those of runs."""
        return self.run_columns * (2 if self.skips else 1)

    @property
    def run_columns(self) -> int:
        """Hashed columns of runs of words; 0: none."""
        return 1 << self.ngram_bits if self.ngrams else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the columns they amount to; `from_dict` gives the same specification back."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return plain | {"dimension": self.dimension, "sparse_columns": self.sparse_columns}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSpec:
        """Read what `to_dict` wrote. Raises DataError for missing, unknown, ill-typed or contradictory values."""
        if (version := values.get("version")) != VERSION:
            raise DataError(
                f"features of version {version}; this mailmill computes version {VERSION}",
                hint="use the mailmill that trained the model, or train it again",
            )
        own = {name: value for name, value in values.items() if name not in ("dimension", "sparse_columns")}
        wrong = sorted({field.name for field in fields(cls)} ^ own.keys())
        wrong += [field.name for field in fields(cls) if field.name in own and not _fits(field.type, own[field.name])]
        if wrong:
            raise DataError(f"the specification of the features is damaged: {', '.join(wrong)}")
        typed: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in own.items()}
        try:
            spec = cls(**typed)
        except ConfigError as error:
            raise DataError(f"the specification of the features is damaged: {error.message}") from None
        if any(values.get(name) != getattr(spec, name) for name in ("dimension", "sparse_columns")):
            raise DataError("the specification of the features is damaged: its columns do not add up")
        return spec

    def check(self, store: Vectors) -> None:
        """Raise DataError unless the store holds the very vectors that are named here."""
        if store.fingerprint != self.fingerprint or store.dimension != self.word_dimension:
            raise DataError(
                f"the word vectors {store.name} are not those of the features ({self.vectors})",
                hint=f"build the store from vectors with fingerprint {self.fingerprint}",
            )


def _fits(declared: Any, value: Any) -> bool:
    """Whether a value from JSON is of the type that a field declares."""
    if declared == "tuple[str, ...]":
        return isinstance(value, list) and all(type(item) is str for item in value)
    if declared == "int | None":
        return value is None or type(value) is int
    return type(value) is (str if declared == "str" else int)
