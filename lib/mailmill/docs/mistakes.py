"""A model's worst mistakes, shown only where the configuration allows it, and redacted all the same.

Reading what a model got wrong teaches more than any figure, and a mail's words are personal data. So examples
are off by default (`docs.examples = 0`), and what is shown has addresses, links, numbers and names blacked out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mailmill.docs.sample import Sample
from mailmill.storage.fragments import Scan

LONGEST = 280
_ADDRESS = re.compile(r"\S+@\S+")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_NUMBER = re.compile(r"\w*\d[\w.,:/-]*")
#: A capital inside a sentence: most often a name. A word that opens one, after a greeting's comma too, may be any.
_NAME = re.compile(r"(?<![.!?:\n])([ \t]+[\"'(“]?)([A-Z\u00C0-\u00DE][\w'’-]*)")
_KEPT = frozenset({"I", "I'm", "I’m", "I'll", "I’ll", "I've", "I’ve", "I'd", "I’d"})


@dataclass(frozen=True)
class Mistake:
    """One test mail that the model got wrong: the classes, P(predicted), and its text, redacted and cut."""

    actual: str
    predicted: str
    p: float
    text: str


@dataclass(frozen=True)
class Keys:
    """The mails whose text is read."""

    keys: tuple[str, ...]


def worst(sample: Sample, model: str, threshold: float, count: int) -> list[tuple[str, str, str, float]]:
    """(key, actual, predicted, p) of the mails that the model got wrong and was most sure of; ties by key."""
    predicted = sample.predicted(model, threshold)
    p = sample.p[model][np.arange(len(sample)), predicted]
    wrong = np.flatnonzero(predicted != sample.y)
    order = sorted(wrong.tolist(), key=lambda i: (-p[i], str(sample.key[i])))[:count]
    names = sample.classes
    return [(str(sample.key[i]), names[sample.y[i]], names[predicted[i]], float(p[i])) for i in order]


def read_texts(scan: Scan, wanted: Keys) -> dict[str, str]:
    """The redacted texts of the wanted mails in one part of `clean`: nothing else leaves the worker."""
    found: dict[str, str] = {}
    for batch in scan.batches(["key", "text"]):
        hits = batch.filter(pc.is_in(batch["key"], value_set=pa.array(wanted.keys, pa.string())))
        found |= {key: redact(text) for key, text in zip(*(c.to_pylist() for c in hits.columns), strict=True)}
    return found


def join_texts(a: dict[str, str], b: dict[str, str]) -> dict[str, str]:
    """The texts of two parts."""
    return a | b


def redact(text: str) -> str:
    """`text` with addresses, links, words with digits and capitalised words inside sentences replaced, and cut."""
    text = _ADDRESS.sub("[address]", _LINK.sub("[link]", text))
    text = _NUMBER.sub("[number]", text)
    text = _NAME.sub(lambda m: m[0] if m[2] in _KEPT else f"{m[1]}[name]", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
