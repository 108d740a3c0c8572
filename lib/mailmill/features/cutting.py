"""The loops over every byte of a batch of texts, compiled: pieces between white space, looked up and made tokens.

The plain form of `pieces.reference_read`, which computes the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native

_EMPTY = -1
#: FNV-1a of 64 bits: h = basis, then h = (h xor byte) * prime modulo 2^64 for each byte. Fowler, Noll & Vo, "The FNV
#: non-cryptographic hash algorithm" (RFC 9923). The basis is a table's own and drawn, so that nobody can write mail
#: whose pieces all meet in few slots.
_PRIME = np.uint64(0x100000001B3)


@native
def _white(c: int) -> bool:
    return c == 32 or 9 <= c <= 13 or 28 <= c <= 31


@native
def scan(
    text: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    slots: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    starts: NDArray[np.int64],
    arena: NDArray[np.uint8],
    basis: np.uint64,
    pieces: NDArray[np.int32],
    ends: NDArray[np.int64],
    unknown: NDArray[np.int64],
) -> int:
    """Cut text i = text[bounds[i]:bounds[i + 1]] at ASCII white space and look each piece up.

    The known pieces lie in `arena[starts[k]:starts[k + 1]]`; `slots` is their open-addressing table, a power of
    two long, probed from a piece's FNV-1a hash on. Writes the piece's number, or -1, to `pieces`, the number of
    pieces up to text i to ends[i + 1], and (place, start, end) of each unknown piece to a row of `unknown`. Returns
    the number of unknown pieces.
    """
    mask = np.uint64(len(slots) - 1)
    found, missed = 0, 0
    ends[0] = 0
    for mail in range(len(bounds) - 1):
        at, end = bounds[mail], bounds[mail + 1]
        while at < end:
            if _white(text[at]):
                at += 1
                continue
            first = at
            value = basis
            while at < end and not _white(text[at]):
                value = (value ^ np.uint64(text[at])) * _PRIME
                at += 1
            number = _EMPTY
            slot = (value ^ (value >> np.uint64(32))) & mask
            while slots[slot] != _EMPTY:
                candidate = slots[slot]
                if hashes[candidate] == value and starts[candidate + 1] - starts[candidate] == at - first:
                    same, known = True, starts[candidate]
                    for step in range(at - first):
                        if arena[known + step] != text[first + step]:
                            same = False
                            break
                    if same:
                        number = candidate
                        break
                slot = (slot + np.uint64(1)) & mask
            pieces[found] = number
            if number == _EMPTY:
                unknown[missed, 0], unknown[missed, 1], unknown[missed, 2] = found, first, at
                missed += 1
            found += 1
        ends[mail + 1] = found
    return missed


@native
def insert(
    slots: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    starts: NDArray[np.int64],
    arena: NDArray[np.uint8],
    basis: np.uint64,
    first: int,
    count: int,
) -> None:
    """Hash the pieces `first` .. `count` - 1 of the arena and enter them into `slots`."""
    mask = np.uint64(len(slots) - 1)
    for number in range(first, count):
        value = basis
        for at in range(starts[number], starts[number + 1]):
            value = (value ^ np.uint64(arena[at])) * _PRIME
        hashes[number] = value
        slot = (value ^ (value >> np.uint64(32))) & mask
        while slots[slot] != _EMPTY:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = number


@native
def count_tokens(pieces: NDArray[np.int32], token_starts: NDArray[np.int64]) -> int:
    """How many tokens all pieces have."""
    total = 0
    for piece in pieces:
        total += token_starts[piece + 1] - token_starts[piece]
    return total


@native
def expand(
    pieces: NDArray[np.int32],
    ends: NDArray[np.int64],
    token_starts: NDArray[np.int64],
    token_rows: NDArray[np.int32],
    token_hashes: NDArray[np.uint64],
    token_words: NDArray[np.bool_],
    limit: int,
    rows: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    worded: NDArray[np.bool_],
    offsets: NDArray[np.int64],
) -> None:
    """Pieces to tokens, each text's up to and with its `limit`-th word."""
    written = 0
    offsets[0] = 0
    for mail in range(len(ends) - 1):
        read = 0
        for at in range(ends[mail], ends[mail + 1]):
            if read >= limit:
                break
            piece = pieces[at]
            for token in range(token_starts[piece], token_starts[piece + 1]):
                if read >= limit:
                    break
                rows[written] = token_rows[token]
                hashes[written] = token_hashes[token]
                worded[written] = token_words[token]
                read += token_words[token]
                written += 1
        offsets[mail + 1] = written
