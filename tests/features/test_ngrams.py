"""Hashed n-grams: the definition, scikit-learn's own values where no columns collide, and independence of batches."""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from mailmill.features import ngrams
from mailmill.features.pieces import PieceTable, TokenArrays, token_hash
from mailmill.features.tokens import is_word
from mailmill.features.weights import idf

#: The columns of "not", "not good" and "good not": a change would make every trained model worthless.
KNOWN = [516242, 613156, 2241]
TABLE = PieceTable(lambda tokens: np.full(len(tokens), -1, np.int32))
WORDS = st.lists(st.sampled_from(["not", "good", "bad", "film", "the", "a", ",", "!"]), max_size=12).map(" ".join)
BITS = 22
SEEDS = st.integers(0, 2**32 - 1)
#: Of every column; some are of no use.
WEIGHTS = np.random.default_rng(1).normal(size=2 << BITS).astype(np.float32)
WEIGHTS[::7] = 0


def read(texts: list[str]) -> TokenArrays:
    return TABLE.read(texts)


def expected(text: str, longest: int, skips: int = 0, bits: int = BITS, field: int = 0) -> dict[int, int]:
    """Column -> count by the definition, over strings."""
    tokens, found = text.split(), Counter[int]()
    hashes = [token_hash(token) for token in tokens]
    for first, last in combinations_with_replacement(range(len(tokens)), 2):
        if last - first < longest:
            found[ngrams.column(hashes[first : last + 1], bits, field)] += 1
        if 1 < last - first <= skips + 1 and is_word(tokens[first]) and is_word(tokens[last]):
            found[ngrams.skipping(hashes[first], hashes[last], bits, field)] += 1
    return dict(sorted(found.items()))


def rows(found: ngrams.Ragged) -> list[dict[int, int]]:
    bounds = found.bounds.tolist()
    return [
        dict(zip(found.columns[a:b].tolist(), found.counts[a:b].tolist(), strict=True)) for a, b in pairwise(bounds)
    ]


@given(st.lists(WORDS, max_size=5), st.integers(1, 3), st.integers(0, 4), st.sampled_from([8, 22]))
def test_columns_are_the_definition(texts: list[str], longest: int, skips: int, bits: int) -> None:
    ours = ngrams.ngrams([read(texts)], longest, skips, bits)
    assert rows(ours) == [expected(text, longest, skips, bits) for text in texts]
    plain = ngrams.reference_ngrams([read(texts)], longest, skips, bits)
    for one, other in zip(vars(ours).values(), vars(plain).values(), strict=True):
        assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes())


def test_columns_are_fixed_for_ever() -> None:
    not_good = [token_hash("not"), token_hash("good")]
    assert [ngrams.column(not_good[:1], 20), ngrams.column(not_good, 20), ngrams.column(not_good[::-1], 20)] == KNOWN
    assert ngrams.column(not_good, 8) == KNOWN[1] >> 12
    assert ngrams.column(not_good, 20, field=1) != KNOWN[1]
    assert ngrams.skipping(*not_good, 20) == 2**20 + KNOWN[1]


def test_a_pair_skips_tokens_but_is_of_words() -> None:
    (found,) = rows(ngrams.ngrams([read(["not a , good"])], 1, 2, BITS))
    pairs = {at for at in found if at >= 2**BITS}
    not_, a, good = (token_hash(word) for word in ("not", "a", "good"))
    assert pairs == {ngrams.skipping(not_, good, BITS), ngrams.skipping(a, good, BITS)}


def test_nothing_reaches_from_the_text_into_the_subject() -> None:
    texts, subjects = ["a b", "", "film"], ["the film", "good", ""]
    found = rows(ngrams.ngrams([read(texts), read(subjects)], 3, 2, BITS))
    for mail, text, subject in zip(found, texts, subjects, strict=True):
        assert mail == dict(sorted((expected(text, 3, 2) | expected(subject, 3, 2, field=1)).items()))
    assert rows(ngrams.reference_ngrams([read(texts), read(subjects)], 3, 2, BITS)) == found


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_a_row_does_not_depend_on_its_batch(texts: list[str]) -> None:
    for weigh, length in ((ngrams.presence, ngrams.LENGTH), (ngrams.tfidf, 1)):
        indices, values, bounds = weigh(ngrams.ngrams([read(texts)], 2, 2, BITS), WEIGHTS)
        alone = [weigh(ngrams.ngrams([read([text])], 2, 2, BITS), WEIGHTS) for text in texts]
        assert np.concatenate([one[0] for one in alone]).tobytes() == indices.tobytes()
        assert np.concatenate([one[1] for one in alone]).tobytes() == values.tobytes()
        assert np.diff(bounds).tolist() == [len(one[0]) for one in alone]
        assert (values != 0).all()
        for a, b in pairwise(bounds.tolist()):
            assert (np.diff(indices[a:b]) > 0).all()
            if b > a:
                assert np.linalg.norm(values[a:b].astype(np.float64)) == pytest.approx(length, abs=1e-6)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=4), st.sampled_from([1, 255, 256, 1 << 24, 2**31 - 1]), SEEDS)
def test_distinct_values_are_those_of_numpy(sizes: list[int], largest: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    values = random.integers(-3, largest, bounds[-1], dtype=np.int32, endpoint=True)
    found = ngrams.distinct(values, bounds)
    for part, (a, b) in zip(rows(found), pairwise(bounds.tolist()), strict=True):
        distinct, counts = np.unique(values[a:b][values[a:b] >= 0], return_counts=True)
        assert (list(part), list(part.values())) == (distinct.tolist(), counts.tolist())


def test_order_of_words_changes_n_grams_and_not_their_single_words() -> None:
    one, other = (rows(ngrams.ngrams([read([text])], 1, 0, BITS)) for text in ("not good film", "film good not"))
    assert one == other
    assert rows(ngrams.ngrams([read(["not good"])], 2, 0, BITS)) != rows(
        ngrams.ngrams([read(["good not"])], 2, 0, BITS)
    )


def test_tfidf_is_scikit_learns(shared_texts: list[str]) -> None:
    train, test = shared_texts[:200], shared_texts[200:]
    vectorizer = TfidfVectorizer(
        tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, 2), sublinear_tf=True
    )
    theirs = vectorizer.fit(train).transform(test)
    found = ngrams.ngrams([read(train)], 2, 0, 22)
    mails = np.bincount(found.columns, minlength=1 << 22)
    weights = np.where(mails > 0, idf(mails, len(train)), 0).astype(np.float32)
    indices, values, bounds = ngrams.tfidf(ngrams.ngrams([read(test)], 2, 0, 22), weights)
    place = {
        ngrams.column([token_hash(word) for word in name.split(" ")], 22): at
        for name, at in vectorizer.vocabulary_.items()
    }
    assert len(place) == len(vectorizer.vocabulary_), "columns collide: choose other words"
    for mail in range(len(test)):
        own = slice(bounds[mail], bounds[mail + 1])
        ours = dict(zip((place[column] for column in indices[own].tolist()), values[own].tolist(), strict=True))
        row = theirs[[mail]].tocoo()
        assert ours.keys() == set(row.col.tolist())
        np.testing.assert_allclose([ours[at] for at in row.col.tolist()], row.data, rtol=2e-6)


@pytest.fixture
def shared_texts() -> list[str]:
    """250 texts of words whose frequencies fall as in a language."""
    random = np.random.default_rng(3)
    words = [f"word{number}" for number in range(25)]
    shares = 1 / np.arange(1, 26)
    return [" ".join(random.choice(words, size=random.integers(0, 30), p=shares / shares.sum())) for _ in range(250)]
