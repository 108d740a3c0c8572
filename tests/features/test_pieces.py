"""Texts as arrays: the tokenizer's own tokens, whatever was read before and beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmill.features import pieces
from mailmill.features.pieces import PieceTable, TokenArrays, token_hash
from mailmill.features.tokens import is_word, tokenize

TEXTS = st.lists(
    st.text(max_size=60) | st.from_regex(r"([A-Za-z']{1,7}[ .,!\t\n]{1,2}){0,12}", fullmatch=True), max_size=6
)


def find(tokens: Sequence[str]) -> np.ndarray:
    """Rows that tell tokens apart; some are unknown."""
    return np.array([-1 if len(token) % 3 == 2 else token_hash(token) % 1000 for token in tokens], np.int32)


def expected(text: str, limit: int | None) -> tuple[list[int], list[int], list[bool], int]:
    tokens = tokenize(text, limit)
    worded = [is_word(token) for token in tokens]
    return find(tokens).tolist(), [token_hash(token) for token in tokens], worded, sum(worded)


def found(arrays: TokenArrays, at: int) -> tuple[list[int], list[int], list[bool], int]:
    own = slice(int(arrays.offsets[at]), int(arrays.offsets[at + 1]))
    return arrays.rows[own].tolist(), arrays.hashes[own].tolist(), arrays.worded[own].tolist(), int(arrays.words[at])


SHARED = PieceTable(find)


@given(TEXTS, st.none() | st.integers(1, 6))
@example(["\x1ca\x1db", "\u2003c\xa0d \x85e", "\x00f \x0bg\x0c", "İ \ud800 x"], None)
def test_arrays_are_the_tokens(texts: list[str], limit: int | None) -> None:
    for table in (SHARED, PieceTable(find)):
        arrays = table.read(texts, limit)
        assert len(arrays.offsets) == len(texts) + 1
        assert [found(arrays, at) for at in range(len(texts))] == [expected(text, limit) for text in texts]
        plain = pieces.reference_read(texts, find, limit)
        for field in ("rows", "hashes", "worded", "offsets", "words"):
            one, other = getattr(arrays, field), getattr(plain, field)
            assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes())


def test_a_hash_is_fixed_for_ever() -> None:
    assert token_hash("good") == int.from_bytes(hashlib.blake2b(b"good", digest_size=8).digest(), "little")
    assert token_hash("café") == 0xE3D79231BDA27757


def test_large_batches_and_a_table_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(f"w{number * step}" for number in range(400)) for step in range(1, 40)]
    whole = PieceTable(find).read(texts)
    monkeypatch.setattr(pieces, "_CHUNK_BYTES", 1000)
    monkeypatch.setattr(pieces, "_REMEMBERED_PIECES", 500)
    table = PieceTable(find)
    for _ in range(2):
        again = table.read(texts)
        for field in ("rows", "hashes", "worded", "offsets", "words"):
            assert getattr(again, field).tobytes() == getattr(whole, field).tobytes()


def test_pieces_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every slot taken by chance neighbours, the bytes decide."""
    table = PieceTable(find)
    table._known.slots = table._known.slots[:64].copy()
    texts = ["aa bb cc dd ee ff gg", "gg ff hh ii jj kk", "bb"]
    arrays = table.read(texts)
    assert [found(arrays, at) for at in range(3)] == [expected(text, None) for text in texts]


def test_nobody_can_write_pieces_that_meet_in_few_slots() -> None:
    """By FNV's published basis these 2,000 begin in 1,024 slots: each was looked for past hundreds of others."""
    letters = np.random.default_rng(1).integers(97, 123, (1 << 17, 7), np.uint8)
    value = np.full(len(letters), 0xCBF29CE484222325, np.uint64)
    for column in letters.T:
        value = (value ^ column) * np.uint64(0x100000001B3)
    chosen = letters[((value ^ (value >> np.uint64(32))) & np.uint64(0xFC00)) == 0]
    table = PieceTable(find)
    table.read([" ".join(bytes(row).decode() for row in chosen)] * 9)
    free = np.flatnonzero(table._known.slots < 0)
    assert len(table._known.slots) - len(free) == len(np.unique(chosen, axis=0)) > 1900
    assert np.diff(free, prepend=-1).max() < 100
