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
# Each begins where a run of its characters does, so that a long one is walked once.
_ADDRESS = re.compile(r"(?<!\S)\S*@\S+")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_NUMBER = re.compile(r"(?<!\w)\w*\d[\w.,:/-]*")
_WORD = re.compile(r"(?<!\s)(\s+[\"'(“]?)([^\W\d_][\w'’-]*)")
#: Titles and initials, whose full stop ends no sentence.
_TITLE = re.compile(r"(?<!\w)(?:[^\W\d_]|Mrs?|Ms|Dr|Prof|St|Sra?|Hr|Fr|Mme|Mlle|Sig|Dott|Dhr|Mevr|Ing)\.$")
_LONGEST_TITLE = 6
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
    text = " ".join(_without_names(text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _without_names(text: str) -> str:
    """`text` without the capitals inside its sentences, which most often are names. A word that opens a sentence or a
    line may be any, but not where the line before ends in a name."""
    last = -1

    def hidden(word: re.Match[str]) -> str:
        nonlocal last
        before = text[max(0, word.start() - _LONGEST_TITLE) : word.start()]
        opens = before[-1:] in ".!?:" and not _TITLE.search(before)
        opens |= "\n" in word[1] and (word.start() != last or word[1].count("\n") > 1)
        if opens or word[2] in _KEPT or word[2][0] == word[2][0].lower():
            return word[0]
        last = word.end()
        return f"{word[1]}[name]"

    return _WORD.sub(hidden, text)
