"""The vocabulary: ranks that no engine changes, the features stage's tokens, and no addresses."""

import json

import numpy as np
import pyarrow as pa
import pytest

from mailmill.engines import Engine, Grouping
from mailmill.features import vocabulary
from mailmill.features.tokens import is_address, tokenize
from mailmill.features.vocabulary import Vocabulary
from mailmill.stages.own_vectors import PAIRS, EmitPairs
from mailmill.storage.tables import Stage, Table, Workspace
from tests.features.test_cooccurrence import count_pairs_plainly

TEXTS = [
    "The mill grinds, the mill grinds slowly.",
    "",
    "Write to ann@example.org or see https://example.org/x, the mill!",
    "Größe 東京 the the",
    *(f"word{n % 7} word{n % 3} and the mill" for n in range(400)),
]
SCHEMA = pa.schema([pa.field("key", pa.string()), pa.field("text", pa.string())])


def stage_of(workspace: Workspace) -> tuple[Stage, Table]:
    """A stage to count in, and a table of TEXTS in many row groups."""
    stage = workspace.stage({}, "settings", {"texts": SCHEMA})
    with stage.sink.open(0) as writer:
        for start in range(0, len(TEXTS), 50):
            texts = TEXTS[start : start + 50]
            keys = [f"{start + n:06d}" for n in range(len(texts))]
            writer.write("texts", pa.record_batch([keys, texts], schema=SCHEMA))
    return stage, stage.draft("texts", writer.written, SCHEMA)


def counted(engine: Engine, workspace: Workspace) -> tuple[list[tuple[str, int]], pa.Table, Vocabulary]:
    """The vocabulary, and the pairs of a window of 4, by the engine."""
    stage, table = stage_of(workspace)
    sink = stage.sink_for({"words": vocabulary.COUNTS})
    grouping = Grouping(vocabulary.emit_words, ("word",), {"count": "sum"}, sink, "words")
    groups = stage.draft("words", engine.combine_by_key(table.scans(500), grouping), vocabulary.COUNTS)
    ranked = vocabulary.rank((scan.read() for scan in groups.scans()), 2, None)
    shared = Vocabulary.write(workspace.storage, stage.scratch_uri("v.json"), [word for word, _ in ranked])
    emit = Grouping(EmitPairs(shared, 4), ("i", "j"), {"x": "sum"}, stage.sink_for({"pairs": PAIRS}), "pairs")
    pairs = stage.draft("pairs", engine.combine_by_key(table.scans(500), emit), PAIRS)
    return ranked, pa.concat_tables(scan.read() for scan in pairs.scans()), shared


def test_every_engine_counts_the_same(engine: Engine, workspace: Workspace) -> None:
    ranked, pairs, shared = counted(engine, workspace)
    tokens = [token for text in TEXTS for token in vocabulary.known_tokens(text)]
    plain = sorted(((w, tokens.count(w)) for w in set(tokens) if tokens.count(w) >= 2), key=lambda x: (-x[1], x[0]))
    assert ranked == plain
    words, offsets = shared.encode(TEXTS)
    expected = count_pairs_plainly(words, offsets, 4)
    found = {(row["i"], row["j"]): row["x"] for row in pairs.to_pylist()}
    assert pairs.num_rows == len(found)
    assert found == expected


def test_ranks_are_by_count_then_by_word() -> None:
    tables = [
        pa.table([["b", "é"], [3, 3]], schema=vocabulary.COUNTS),
        pa.table([["a", "z", "c"], [3, 9, 1]], schema=vocabulary.COUNTS),
    ]
    assert vocabulary.rank(tables, 2, None) == [("z", 9), ("a", 3), ("b", 3), ("é", 3)]
    assert vocabulary.rank(tables, 2, 2) == [("z", 9), ("a", 3)]
    assert vocabulary.rank([], 1, None) == []


ADDRESSES = ["ann@example.org", "http://x.org/a", "https://x", "www.example.org"]


@pytest.mark.parametrize("token", [*ADDRESSES, "example.com/~jane", "jane-doe.co.uk", "x.io/a.b?c"])
def test_addresses_are_no_words(token: str) -> None:
    assert is_address(token)
    assert vocabulary.known_tokens(f"See {token} now") == ["see", "now"]


def test_other_tokens_are_those_of_the_features() -> None:
    text = "Don't @ me: 24/7, e-mail, U.S.A. p.m. 1.50 node.js and/or ... :-)"
    assert vocabulary.known_tokens(text) == tokenize(text, None)


def test_texts_are_encoded_by_rank(workspace: Workspace) -> None:
    shared = Vocabulary.write(workspace.storage, f"{workspace.root}/v.json", ["the", "mill", "ü"])
    words, offsets = shared.encode(["The mill ü the", "", "unknown mill"])
    assert words.tolist() == [0, 1, 2, 0, 1]
    assert offsets.tolist() == [0, 4, 4, 5]
    assert words.dtype == np.int32
    assert len(shared) == 3
    assert json.loads(workspace.storage.read(shared.uri)) == ["the", "mill", "ü"]
