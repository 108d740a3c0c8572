"""The words that word vectors are trained for: counted by the engine's shuffle, ranked the same everywhere.

Rank is by count, then by the word itself, so a vocabulary does not depend on which worker counted what.
Words that name a person or a place on the web (addresses, URLs) are left out: vectors are published, and
a vocabulary must not be a list of who wrote to whom.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mailmill.features.tokens import is_address, tokenize
from mailmill.storage.filesystems import Storage
from mailmill.storage.fragments import Scan

COUNTS = pa.schema([pa.field("word", pa.string(), nullable=False), pa.field("count", pa.int64(), nullable=False)])


def emit_words(scan: Scan) -> pa.Table:
    """(word, count) of every distinct word in a scan of the clean table: the input of the shuffle."""
    counts: Counter[str] = Counter()
    for batch in scan.batches(["text"]):
        counts.update(chain.from_iterable(map(known_tokens, batch.column("text").to_pylist())))
    return pa.table([list(counts), list(counts.values())], schema=COUNTS)


def known_tokens(text: str) -> list[str]:
    """All tokens of a text as the features stage reads them, without addresses and URLs."""
    return [token for token in tokenize(text, None) if not is_address(token)]


def rank(tables: Iterable[pa.Table], min_count: int, max_size: int | None) -> list[tuple[str, int]]:
    """The words with count >= `min_count`, by count descending, then by word (code points); `max_size` at most.

    tables: disjoint parts of (word, count), as `combine_by_key` gives them. Holds the frequent words alone.
    """
    kept: list[tuple[str, int]] = []
    for table in tables:
        mask = np.asarray(table.column("count")) >= min_count
        frequent = table.filter(pa.array(mask))
        kept += zip(frequent.column("word").to_pylist(), frequent.column("count").to_pylist(), strict=True)
    kept.sort(key=lambda item: (-item[1], item[0]))
    return kept[:max_size]


@dataclass(frozen=True)
class Vocabulary:
    """A written vocabulary by name. Picklable: each process reads it once."""

    storage: Storage
    uri: str

    @classmethod
    def write(cls, storage: Storage, uri: str, words: Sequence[str]) -> Vocabulary:
        """Write the words in the order of their ranks."""
        storage.write(uri, json.dumps(list(words)).encode())
        return cls(storage, uri)

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ranks of the known words of each text, one text after the other, int32; offsets int64 (n + 1,)."""
        ranks = _ranks(self)
        offsets = np.zeros(len(texts) + 1, np.int64)
        found: list[int] = []
        for number, text in enumerate(texts):
            found += [at for token in tokenize(text, None) if (at := ranks.get(token, -1)) >= 0]
            offsets[number + 1] = len(found)
        return np.array(found, np.int32), offsets

    def __len__(self) -> int:
        return len(_ranks(self))


@lru_cache(maxsize=2)
def _ranks(vocabulary: Vocabulary) -> dict[str, int]:
    words = json.loads(vocabulary.storage.read(vocabulary.uri))
    return {word: number for number, word in enumerate(words)}
