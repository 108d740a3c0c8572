"""In how many mails a word occurs: what the tokenizer and a set say, on part of the mail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mailmill.features import vectors
from mailmill.features.occurrence import Occurrence, count_mails
from mailmill.features.tokens import tokenize
from mailmill.storage.tables import Workspace
from tests.features.test_engines import WORDS, publish_clean


@pytest.mark.parametrize(("limit", "max_words"), [(2**32, None), (2**32, 5), (0, None)])
def test_mails_are_counted_once_a_word(workspace: Workspace, tmp_path: Path, limit: int, max_words: int | None) -> None:
    table = publish_clean(workspace, 200)
    (tmp_path / "v.txt").write_text("".join(f"{word.lower()} 1 2\n" for word in WORDS), encoding="utf-8")
    store = vectors.prepare(workspace.storage, str(tmp_path), str(tmp_path / "v.txt"))
    task = Occurrence(store, len(WORDS) - 2, limit, max_words)
    parts = [count_mails(scan, task) for scan in table.scans(2**10)]
    found = np.zeros(task.rows, np.int64)
    for part in parts:
        found = found + part
    expected = np.zeros(task.rows, np.int64)
    for text in table.read()["text"].to_pylist() if limit else []:
        for row in {int(row) for row in store.open().lookup(tokenize(text, max_words))}:
            if 0 <= row < task.rows:
                expected[row] += 1
    assert found.tolist() == expected.tolist()
