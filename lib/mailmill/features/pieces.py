"""Texts to arrays of tokens: a word that was met before costs a hash of its bytes, no Python object.

A token never crosses white space, so what a piece between white space becomes (rows of word vectors, token
hashes) is worked out once and kept in a table of the process. A compiled loop cuts the UTF-8 bytes into
pieces and finds each in that table, comparing the bytes themselves; only pieces that it does not hold go
through the tokenizer. The table is forgotten when it has grown large, so a worker's memory is bounded.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mailmill.compiling import worthwhile
from mailmill.features.tokens import is_word, normalised, tokenize, tokenize_piece

_CHUNK_BYTES = 1 << 18
_REMEMBERED_PIECES = 1 << 19
_REMEMBERED_BYTES = 1 << 24
_SLOTS = 1 << 16

#: Rows of the word vectors for tokens: -1 for one that they do not hold.
Find = Callable[[Sequence[str]], NDArray[np.int32]]


@dataclass(frozen=True)
class TokenArrays:
    """The tokens of n texts: those of text i are offsets[i] .. offsets[i + 1] - 1.

    rows int32 (m,): row of the word vectors, -1 for none; hashes uint64 (m,): `token_hash`; worded bool (m,): whether
    it has a letter or a digit, see `tokens.is_word`; offsets int64 (n + 1,).
    """

    rows: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    worded: NDArray[np.bool_]
    offsets: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Tokens of each text, int64 (n,)."""
        return np.diff(self.offsets)

    @property
    def words(self) -> NDArray[np.int32]:
        """How many of each text's tokens have a letter or a digit, int32 (n,)."""
        before = _offsets(self.worded)
        return np.diff(before[self.offsets]).astype(np.int32)


def token_hash(token: str) -> int:
    """The first 64 bits, little-endian, of the BLAKE2b digest (8 bytes) of the token's UTF-8."""
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class PieceTable:
    """Reads texts for one set of word vectors, remembering pieces. Threads take turns."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._known = _Known()
        self._turn = Lock()

    def read(self, texts: Sequence[str], max_words: int | None = None) -> TokenArrays:
        """The tokens of each text as `tokens.tokenize` gives them; None: all. A text's depend on it alone."""
        if not worthwhile(len(texts)):
            return reference_read(texts, self._find, max_words)
        encoded = [normalised(text).encode("utf-8", "surrogatepass") for text in texts]
        parts, first, size = [], 0, 0
        for number, content in enumerate(encoded):
            size += len(content)
            if size >= _CHUNK_BYTES or number == len(encoded) - 1:
                with self._turn:
                    parts.append(self._read(encoded[first : number + 1], max_words))
                first, size = number + 1, 0
        return _joined(parts)

    def _read(self, encoded: list[bytes], max_words: int | None) -> TokenArrays:
        from mailmill.features import cutting

        if len(self._known.hashes) > _REMEMBERED_PIECES or len(self._known.content) > _REMEMBERED_BYTES:
            self._known = _Known()
        known = self._known
        text = np.frombuffer(b"".join(encoded) or b" ", np.uint8)
        bounds = _offsets([len(content) for content in encoded])
        pieces = np.empty(len(text) // 2 + len(encoded), np.int32)
        unknown = np.empty((len(pieces), 3), np.int64)
        ends = np.empty(len(bounds), np.int64)
        missed = cutting.scan(text, bounds, *known.table, pieces, ends, unknown)
        if missed:
            numbers: dict[bytes, int] = {}
            first, content = len(known.hashes), text.tobytes()
            for place, start, end in unknown[:missed].tolist():
                pieces[place] = numbers.setdefault(content[start:end], first + len(numbers))
            self._learn(list(numbers))
        pieces = pieces[: ends[-1]]
        count = cutting.count_tokens(pieces, known.tokens.array)
        rows, hashes, worded = np.empty(count, np.int32), np.empty(count, np.uint64), np.empty(count, np.bool_)
        offsets = np.empty(len(bounds), np.int64)
        tokens = (known.tokens.array, known.rows.array, known.token_hashes.array, known.words.array)
        limit = np.iinfo(np.int64).max if max_words is None else max_words
        cutting.expand(pieces, ends, *tokens, limit, rows, hashes, worded, offsets)
        return TokenArrays(rows[: offsets[-1]], hashes[: offsets[-1]], worded[: offsets[-1]], offsets)

    def _learn(self, pieces: list[bytes]) -> None:
        """Enter pieces that are not known yet."""
        from mailmill.features import cutting

        known, first = self._known, len(self._known.hashes)
        tokens: list[str] = []
        ends = []
        for piece in pieces:
            tokens += tokenize_piece(piece.decode("utf-8", "surrogatepass"))
            ends.append(len(tokens))
        known.tokens.extend(np.array(ends) + len(known.rows))
        numbers: dict[str, int] = {}
        at = [numbers.setdefault(token, len(numbers)) for token in tokens]  # a comma comes thousands of times
        known.rows.extend(self._find(list(numbers))[at])
        known.token_hashes.extend(np.array([token_hash(token) for token in numbers], np.uint64)[at])
        known.words.extend(np.array([is_word(token) for token in numbers], np.bool_)[at])
        known.starts.extend(len(known.content) + np.cumsum([len(piece) for piece in pieces]))
        known.content.extend(np.frombuffer(b"".join(pieces), np.uint8))
        known.hashes.extend(np.zeros(len(pieces), np.uint64))
        count = len(known.hashes)
        if 2 * count > len(known.slots):
            known.slots = np.full(1 << (4 * count).bit_length(), -1, np.int32)
            first = 0
        cutting.insert(*known.table, first, count)


def reference_read(texts: Sequence[str], find: Find, max_words: int | None = None) -> TokenArrays:
    """`PieceTable.read` without a table: the definition that it is tested against, and the way for a single text."""
    read = [tokenize(text, max_words) for text in texts]
    tokens = [token for found in read for token in found]
    return TokenArrays(
        find(tokens),
        np.array([token_hash(token) for token in tokens], np.uint64),
        np.array([is_word(token) for token in tokens], np.bool_),
        _offsets([len(found) for found in read]),
    )


class _Known:
    """Pieces and what became of them. Piece k is content[starts[k]:starts[k + 1]], entered in `slots` by its hash;
    its tokens are tokens[k] .. tokens[k + 1] - 1 of `rows`, `token_hashes` and `words`."""

    def __init__(self) -> None:
        self.slots = np.full(_SLOTS, -1, np.int32)
        self.basis = np.uint64(secrets.randbits(64))
        self.hashes, self.content, self.starts = _Growing(np.uint64), _Growing(np.uint8), _Growing(np.int64, 0)
        self.tokens, self.rows = _Growing(np.int64, 0), _Growing(np.int32)
        self.token_hashes, self.words = _Growing(np.uint64), _Growing(np.bool_)

    @property
    def table(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], np.uint64]:
        """What the compiled loops find pieces in."""
        return self.slots, self.hashes.array, self.starts.array, self.content.array, self.basis


class _Growing:
    """An array that grows at its end; `array` has room beyond `len`."""

    def __init__(self, dtype: Any, *first: int) -> None:
        self.array: NDArray[Any] = np.zeros(1024, dtype)
        self.array[: len(first)] = first
        self._size = len(first)

    def __len__(self) -> int:
        return self._size

    def extend(self, values: NDArray[Any]) -> None:
        size = self._size + len(values)
        if size > len(self.array):
            grown = np.zeros(max(size, 2 * len(self.array)), self.array.dtype)
            grown[: self._size] = self.array[: self._size]
            self.array = grown
        self.array[self._size : size] = values
        self._size = size


def _offsets(lengths: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _joined(parts: Sequence[TokenArrays]) -> TokenArrays:
    if len(parts) == 1:
        return parts[0]
    empty = TokenArrays(np.empty(0, np.int32), np.empty(0, np.uint64), np.empty(0, np.bool_), np.zeros(1, np.int64))
    parts = [empty, *parts]
    return TokenArrays(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.worded for part in parts]),
        _offsets(np.concatenate([part.counts for part in parts])),
    )
