"""Small mail for tests of the pipeline: a generated corpus, word vectors, and a configuration for both."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mailmill import schemas
from mailmill.config import Config, parse
from mailmill.corpus import CorpusSpec, write
from mailmill.email import clean_message
from mailmill.errors import RejectedMessage
from mailmill.features.tokens import tokenize

DIMENSION = 12
#: The dense features by default: the mean, and the pool of class-informed weights with its score.
FEATURES = schemas.features(2 * DIMENSION + 1)


def make_corpus(folder: Path, count: int = 300, **options: Any) -> Path:
    """`count` messages with 4 % malformed and 4 % duplicates, labels and truth, in `folder`."""
    write(CorpusSpec(count=count, seed=3, malformed=0.04, duplicates=0.04, **options), folder, "eml")
    return folder


def make_vectors(corpus: Path, path: Path) -> Path:
    """A GloVe text file: a vector for each word of the corpus, drawn from a hash of the word."""
    words: set[str] = set()
    for mail in sorted((corpus / "mail").rglob("*.eml")):
        try:
            words |= set(tokenize(clean_message(mail.read_bytes()).text, 200))
        except RejectedMessage:
            continue
    with path.open("w", encoding="utf-8") as file:
        for word in sorted(words):
            if word.strip() and " " not in word:
                seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
                numbers = np.random.default_rng(seed).normal(size=DIMENSION)
                file.write(f"{word} {' '.join(f'{x:.5f}' for x in numbers)}\n")
    return path


def make_config(
    work: str, corpus: Path, vectors: Path, *overrides: str, labels: dict[str, str] | None = None
) -> Config:
    """A configuration whose little data is many tasks. `labels`: that section, instead of the corpus's own file."""
    document = {
        "run": {"work": work, "seed": 5},
        "input": {"paths": [str(corpus / "mail")]},
        "engine": {"kind": "local", "workers": 2},
        "tables": {"fragment_bytes": 200_000, "row_group_bytes": 50_000},
        "ingest": {"batch_objects": 60},
        "labels": {"source": str(corpus / "labels.csv")} if labels is None else labels,
        "features": {"vectors": str(vectors), "ngrams": 0},  # tests that are about n-grams ask for them
        "forest": {"trees": 8, "depth": 5, "max_bins": 32},
        "quality": {"expectations": "off"},  # seconds to import; tests/quality turns them on
        "docs": {"build": False},
    }
    return parse(document, overrides)


def write_config(path: Path, config: Config) -> Path:
    """The configuration as a TOML file, for processes of their own."""
    import json

    lines = []
    for name, section in config.model_dump(mode="json", exclude_none=True).items():
        lines.append(f"[{name}]")
        plain = {key: value for key, value in section.items() if not isinstance(value, dict)}
        lines += [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    path.write_text("\n".join(lines) + "\n")
    return path
