"""A mailbox whose every property a test knows: so many mails a day, threads of two, words of known sentiment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mailmill.config import Config, parse
from mailmill.quality import polarity

DAYS, A_DAY = 21, 24
CANARY = "zanzibarkanarienvogel"
ADDRESS = "canary.person@canary-domain.example"
_FILLER = ("the", "order", "arrived", "on", "monday", "and", "my", "invoice", "shows", "another", "amount", "than",
           "your", "letter", "said", "so", "please", "check", "it", "again")  # fmt: skip


def message(n: int, canary: bool = False) -> bytes:
    """Mail n: positive where n is even; mails 2k and 2k + 1 are one conversation."""
    words = polarity.GOOD if n % 4 < 2 else polarity.BAD
    said = [words[(n * 7 + i) % len(words)] for i in range(6)]
    body = [_FILLER[(n * 3 + i * (n % 5 + 1)) % len(_FILLER)] for i in range(30)]
    text = " ".join(body[:15] + said + body[15:]) + f" number {n}."
    day, hour = n // A_DAY, n % A_DAY
    lines = [
        f"From: {ADDRESS if canary else f'someone{n % 9}@company{n % 7}.example'}",
        "To: support@shop.example",
        f"Subject: question {n}{' ' + CANARY if canary else ''}",
        f"Date: {day % 28 + 1:02d} Mar 2024 {hour:02d}:10:00 +0000",
        f"Message-ID: <m{n}@shop.example>",
        *([f"References: <m{n - 1}@shop.example>"] if n % 2 else []),
        "Content-Type: text/plain; charset=utf-8",
        "",
        "Hello,",
        "",
        f"{text}{' ' + CANARY if canary else ''}",
        "",
        "Kind regards",
        "Anna",
        "",
        "-- ",
        f"Anna Smith, Shop Ltd, {ADDRESS if canary else 'Main Street 5'}",
    ]
    return "\r\n".join(lines).encode()


def label(n: int) -> str:
    """The label of mail n."""
    return "pos" if n % 4 < 2 else "neg"


NUMBERS = range(DAYS * A_DAY)


def write(folder: Path, messages: Iterable[bytes], name: str = "mail.jsonl") -> None:
    """Messages as rows of JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps({"raw": raw.decode()}) + "\n" for raw in messages))


def write_labels(path: Path, flipped: bool = False) -> None:
    """message_id,label of every mail."""
    other = {"pos": "neg", "neg": "pos"}
    rows = [f"m{n}@shop.example,{other[label(n)] if flipped else label(n)}" for n in NUMBERS]
    path.write_text("\n".join(["message_id,label", *rows]) + "\n")


def write_vectors(path: Path) -> None:
    """Good words lie to the one side, bad ones to the other, all others in between."""
    lines = [f"{w} 1.0 0.2 0.0 0.1" for w in polarity.GOOD] + [f"{w} -1.0 0.2 0.0 0.1" for w in polarity.BAD]
    lines += [f"{w} 0.0 {i % 5 / 10} {i % 3 / 10} 0.3" for i, w in enumerate(_FILLER)]
    path.write_text("\n".join(lines) + "\n")


def config(root: Path, **quality: Any) -> Config:
    """A configuration for the mailbox in `root`: in/, labels.csv, vectors.txt, work/."""
    return parse({
        "run": {"work": str(root / "work")}, "input": {"paths": [str(root / "in")]}, "engine": {"kind": "local"},
        "labels": {"source": str(root / "labels.csv")}, "features": {"vectors": str(root / "vectors.txt"), "ngrams": 0},
        "forest": {"trees": 3, "depth": 3}, "quality": quality,
    })  # fmt: skip


def make(root: Path) -> Path:
    """A whole mailbox on disk."""
    write(root / "in", [message(n) for n in NUMBERS])
    write_labels(root / "labels.csv")
    write_vectors(root / "vectors.txt")
    return root
