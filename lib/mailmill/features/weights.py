"""Weights of words and n-grams, fitted on the training split: formulas, files, and where workers map them.

Where labels inform the weight of a word (naive Bayes), a rare word that one mail of a class holds would vouch for that
mail. So words have FOLDS + 1 tables. Table 0 is fitted to the whole training split and weighs every row outside the
labelled training rows, new mail included; table f + 1 is fitted without fold f and weighs the labelled training rows of
fold f. n-grams have one table, fitted to the whole training split and used on its rows as well: there folds gain
nothing. What both gained where it was measured stands in CONTRIBUTING.md.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import DataError
from mailmill.features.counts import Counts
from mailmill.features.mapped import mapped
from mailmill.features.rows import FOLDS
from mailmill.features.spec import FeatureSpec
from mailmill.storage.filesystems import Storage
from mailmill.storage.lookup import localized

FORMAT = 1
META, WORDS, NGRAMS, COMPONENT = "weights.json", "words.npy", "ngrams.npy", "component.npy"

Arrays = dict[str, NDArray[Any]]

#: a of SIF's a / (a + p(w)): Arora, Liang & Ma, "A simple but tough-to-beat baseline for sentence embeddings", 2017.
SIF_A = 1e-3
#: Pseudo-mails a word and class, on average over a class and all others: see `log_ratios`.
ALPHA = 1.0
#: The same of an n-gram: most are rare, and a rare one's ratio is mostly chance.
NGRAM_ALPHA = 3.0
#: What a pair that skips words counts for beside a run: there are many, and they say again what runs say.
SKIP_WEIGHT = 0.7
#: Columns that fewer training mails hold have no weight; an n-gram of fewer has one where it shares its column.
MIN_MAILS = 4
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Weights:
    """words float32 (tables, v, p): a column a weighted pool, see `word_columns`; ngrams float32 (columns,);
    component float64 (d,): the direction that SIF removes. Sizes are 0 where the specification needs none.
    fingerprint: 32 hex digits over the numbers."""

    words: NDArray[np.float32]
    ngrams: NDArray[np.float32]
    component: NDArray[np.float64]
    fingerprint: str

    @classmethod
    def of(cls, words: NDArray[np.float32], ngrams: NDArray[np.float32], component: NDArray[np.float64]) -> Weights:
        """Weights of these numbers."""
        state = hashlib.blake2b(digest_size=16)
        for array in (words, ngrams, component):
            state.update(repr((array.dtype.str, array.shape)).encode())
            state.update(np.ascontiguousarray(array).tobytes())
        return cls(words, ngrams, component, state.hexdigest())

    def to_files(self) -> dict[str, bytes]:
        """The files of a published table `weights`."""
        meta = {"format": FORMAT, "fingerprint": self.fingerprint}
        arrays: Arrays = {WORDS: self.words, NGRAMS: self.ngrams, COMPONENT: self.component}
        return {META: (json.dumps(meta) + "\n").encode()} | {name: _npy(array) for name, array in arrays.items()}

    @classmethod
    def open(cls, folder: str | Path, expected: str) -> Weights:
        """Map the files in `folder`. Raises DataError unless they are those of the fingerprint `expected`."""
        try:
            meta = json.loads((Path(folder) / META).read_text(encoding="utf-8"))
            words = mapped(Path(folder) / WORDS, "<f4", None, None, None)
            ngrams = mapped(Path(folder) / NGRAMS, "<f4", None)
            component = mapped(Path(folder) / COMPONENT, "<f8", None)
            format_, found = meta["format"], meta["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(
                f"{folder} does not hold the features' weights ({type(error).__name__})",
                hint="run the features stage again",
            ) from None
        if (format_, found) != (FORMAT, expected):
            raise DataError(
                f"the weights in {folder} are not those of the features", hint=f"needed are those of {expected}"
            )
        return cls(words, ngrams, component, found)

    def check(self, spec: FeatureSpec, vocabulary: int) -> None:
        """Raise DataError unless there are weights for all that the specification reads, of so many word vectors.

        That they have the fingerprint's very numbers is not asked: hashing them takes longer than a mail.
        """
        columns = _weighted_columns(spec)
        fits = self.ngrams.shape == (spec.sparse_columns,)
        fits &= self.words.shape == (_tables(spec), vocabulary, len(columns)) if columns else not self.words.size
        fits &= "sif" not in spec.pooling or self.component.shape == (spec.word_dimension,)
        if not fits:
            raise DataError(
                f"the weights {self.fingerprint} are damaged: they are not of the features' columns",
                hint="run the features stage again, or copy the table weights anew",
            )


@dataclass(frozen=True)
class SharedWeights:
    """Published weights by name. Picklable: `open` maps them where they are used, once a process."""

    storage: Storage
    uri: str
    fingerprint: str

    def open(self) -> Weights:
        """The weights, mapped; fetched once a process from S3."""
        return _opened(self)


@lru_cache(maxsize=2)
def _opened(shared: SharedWeights) -> Weights:
    with localized(shared.storage, shared.uri, (META, WORDS, NGRAMS, COMPONENT)) as folder:
        return Weights.open(folder, shared.fingerprint)


def word_columns(spec: FeatureSpec) -> list[str]:
    """The columns of `Weights.words`: each weighted pool in its order, "nb" once a class of `class_pools`."""
    return [
        column
        for pool in spec.pooling
        if pool != "max"
        for column in ([f"nb {name}" for name in spec.class_pools] if pool == "nb" else [pool])
    ]


def _weighted_columns(spec: FeatureSpec) -> list[str]:
    """`word_columns`; none where no pool has weights of its own."""
    return word_columns(spec) if any(pool in spec.pooling for pool in ("idf", "sif", "nb")) else []


def _tables(spec: FeatureSpec) -> int:
    return FOLDS + 1 if "nb" in spec.pooling else 1


def from_counts(counts: Counts, spec: FeatureSpec) -> Weights:
    """The weights that follow from the counts, but for SIF's component, which is zero."""
    columns = _weighted_columns(spec)
    size = counts.words.shape[1] or len(counts.tokens)
    words = np.ones((_tables(spec), size, len(columns)), np.float32)
    for at, column in enumerate(columns):
        if column == "idf":
            words[:, :, at] = idf(counts.words.sum(axis=0, dtype=np.int64), counts.mails)
        elif column == "sif":
            words[:, :, at] = SIF_A / (SIF_A + counts.tokens / max(1, int(counts.tokens.sum())))
    if "nb" in spec.pooling:
        own = [at for at, column in enumerate(columns) if column.startswith("nb ")]
        pools = [spec.classes.index(name) for name in spec.class_pools]
        for table in range(FOLDS + 1):
            words[table][:, own] = log_ratios(_without_fold(counts.words, table - 1, len(spec.classes)))[pools].T
    return Weights.of(words, _ngram_weights(counts, spec), np.zeros(spec.word_dimension))


def _ngram_weights(counts: Counts, spec: FeatureSpec) -> NDArray[np.float32]:
    """A block of columns at a time: float64 tables of all of them would be the largest thing that a driver holds."""
    weights = np.empty(counts.ngrams.shape[1], np.float32)
    mass = counts.ngrams[:-1].sum(axis=1, dtype=np.int64)
    for start in range(0, len(weights), _BLOCK):
        own = slice(start, start + _BLOCK)
        by_class = counts.ngrams[:, own].astype(np.int64)
        mails = by_class.sum(axis=0)
        if spec.ngram_values == "tfidf":
            found = idf(mails, counts.mails)
        else:
            found = strongest(log_ratios(by_class[:-1], NGRAM_ALPHA, mass))
        weights[own] = np.where(mails >= MIN_MAILS, found, 0)
    weights[spec.run_columns :] *= np.float32(SKIP_WEIGHT)
    return weights


def _without_fold(words: NDArray[np.int32], fold: int, classes: int) -> NDArray[np.int64]:
    """Labelled mails that hold each word, by class, without those of a fold (-1: with all); int64 (classes, v)."""
    folds = [other for other in range(FOLDS) if other != fold]
    by_class = words[: classes * FOLDS].reshape(classes, FOLDS, -1)
    summed: NDArray[np.int64] = by_class[:, folds].sum(axis=1, dtype=np.int64)
    return summed


def idf(mails: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """ln((1 + n) / (1 + n_w)) + 1 for n mails of which n_w hold w: scikit-learn's smoothed form."""
    weights: NDArray[np.float64] = np.log((1.0 + total) / (1.0 + mails)) + 1.0
    return weights


def log_ratios(
    mails: NDArray[np.int64], alpha: float = ALPHA, mass: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """r_cw = ln((n_cw + a s_c) / m_c) - ln((n_w - n_cw + a s_c') / m_c'), with c' all other classes together.

    mails (k, columns): n_cw, mails of class c that hold w; m_c = sum_w n_cw, s_c = 2 m_c / m. For two classes of equal
    mass that is Wang & Manning's ln(p / ||p||) - ln(q / ||q||), p = a + n_c. Smoothing by mass makes r of a column
    that was never seen exactly 0, and a rare one no witness for the smaller class. A class without mails: r = 0.
    mass int64 (k,): m_c, where `mails` are some of the columns alone. Returns float64 (k, columns). "Baselines and
    bigrams", ACL 2012.
    """
    ratios = np.zeros(mails.shape)
    total = mails.sum(axis=0)
    mass = mails.sum(axis=1) if mass is None else mass
    everything = int(mass.sum())
    for number, own in enumerate(mails):
        inside, outside = int(mass[number]), everything - int(mass[number])
        if inside and outside:
            p = (own + alpha * 2 * inside / everything) / inside
            q = (total - own + alpha * 2 * outside / everything) / outside
            ratios[number] = np.where(total > 0, np.log(p / q), 0.0)
    return ratios


def strongest(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each column the ratio of largest magnitude; of two classes always the second's. float64 (columns,)."""
    if len(ratios) == 2:
        return np.asarray(ratios[1])
    return np.asarray(np.take_along_axis(ratios, np.abs(ratios).argmax(axis=0)[None], axis=0)[0])


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
