"""A model's card: the nine sections of Mitchell et al. (2019), and the figures that they speak of.

Headline figures are those that `evaluate` published, on all test mails; slices, curves and intervals come from the
sample beside them. A part that cannot be given says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mailmill.docs import mistakes as wrong
from mailmill.docs.datasheet import Sheet
from mailmill.docs.facts import Facts
from mailmill.docs.intervals import Interval, bootstrap, design_effect, intraclass, wilson
from mailmill.docs.mistakes import Mistake
from mailmill.docs.sample import Reduce, Sample
from mailmill.docs.slices import Curves, Slice, curves, slices
from mailmill.docs.telling import Word, column_shares
from mailmill.models.calibration import SCORE_BINS
from mailmill.models.metrics import majority
from mailmill.models.scoring import Model

#: Figures of a card in their order, and whether more is better.
FIGURES = {"accuracy": True, "macro_f1": True, "roc_auc": True, "log_loss": False, "brier": False}

#: Those whose bootstrap says nothing where the mails hold no mistake.
PERFECT = ("macro_f1", "roc_auc")

#: An error that a figure of three digits shows.
SHOWN_ERROR = 0.0005

#: Why there are no telling words where none were asked for, by `docs.words`.
WITHHELD = {
    "never": 'No telling words: docs.words is "never".',
    "package": "No telling words: the vectors are no published package's, so their words may be from mail "
    '(docs.words = "package").',
}


@dataclass(frozen=True)
class ClassFigures:
    """Precision and recall of one class with Wilson's intervals, for as many mails as those of the class, or called so,
    are worth (`intervals.design_effect`, known from the sample); F1, and its test mails."""

    name: str
    precision: Interval
    recall: Interval
    f1: float
    support: int


@dataclass(frozen=True)
class Majority:
    """The figures of calling every mail by the class that most test mails have: what a model must exceed."""

    name: str
    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class ModelCard:
    """Everything on one card. notes: what is missing, and why.

    threshold, curves: None with three classes or more; curves too where the sample lacks a class. mistakes: None
    where none may be shown. majority: what calling all test mails by the most frequent class is worth.
    """

    name: str
    chosen: bool
    sheet: Sheet
    classes: tuple[str, ...]
    threshold: float | None
    rows: int
    sampled: int
    figures: dict[str, Interval]
    per_class: list[ClassFigures]
    confusion: list[list[int]]
    majority: Majority
    slices: list[Slice]
    curves: Curves | None
    words: list[Word]
    columns: list[tuple[int, float]]
    mistakes: list[Mistake] | None
    cost: dict[str, Any]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; without mistakes, which stand on the page alone."""
        plain = asdict(self)
        del plain["mistakes"]
        return {"format": "mailmill.model_card", **plain, "sheet": self.sheet.to_dict()}


@dataclass(frozen=True)
class Material:
    """What cards are made from: facts, metrics.json, the models, the sample, and what may be shown.

    words: None where `shown`, the setting docs.words, withholds them. examples: mistakes of each model, or 0.
    """

    facts: Facts
    metrics: Mapping[str, Any]
    models: Mapping[str, Model]
    sample: Sample
    words: Mapping[str, list[Word]] | None
    shown: Literal["package", "always", "never"]
    clean: Reduce
    examples: int
    seed: int


def make_cards(sheets: Sequence[Sheet], material: Material) -> list[ModelCard]:
    """A card for each model, the chosen one first."""
    cards = [_card(sheet, material) for sheet in sheets if sheet.subject.removeprefix("models.") in material.models]
    return sorted(cards, key=lambda card: (not card.chosen, card.name))


def _card(sheet: Sheet, m: Material) -> ModelCard:
    name = sheet.subject.removeprefix("models.")
    test = m.metrics["models"][name]["test"]
    model, sample, threshold = m.models[name], m.sample, float(test["threshold"])
    notes = []
    if sample.share < 1:
        notes.append(
            f"Curves, parts and intervals, but for those of precision and recall, are of a sample of {len(sample):,} "
            f"of the {test['rows']:,} test mails, drawn by a hash of their keys (docs.sample_rows)."
        )
    two, both = len(model.classes) == 2, len(set(sample.y.tolist())) > 1
    if not two:
        notes.append(
            f"The likeliest of {len(model.classes)} classes is called. A threshold, the ROC curve and the area under "
            "it, precision against recall and calibration are of two classes, so they are left out."
        )
    elif not both:
        notes.append("The test mails have one class alone, so there are no curves.")
    if test["roc_auc_error"] >= SHOWN_ERROR:
        most = math.ceil(1000 * test["roc_auc_error"]) / 1000
        notes.append(
            f"Of so many mails the area under the ROC curve comes from scores in {SCORE_BINS:,} bins: "
            f"it is off by at most {most:.3f}."
        )
    figures = _figures(test, sample, name, threshold, m.seed)
    points = [figure.replace("_", " ") for figure in PERFECT if figure in figures and figures[figure].low == 1]
    if points:
        notes.append(
            f"No draw of these mails holds a mistake, so the interval of {' and that of '.join(points)} is a point "
            "and says nothing of other mails; those of accuracy, precision and recall do."
        )
    words = m.words.get(name, []) if m.words else []
    if m.words is None:
        notes.append(WITHHELD[m.shown])
    elif not words:
        notes.append("No telling words: no word is common enough, or the model reads more than word vectors.")
    cost = {key: fact.value for key, fact in m.facts.below(f"{sheet.subject}.evidence.cost").items()}
    return ModelCard(
        name=name,
        chosen=m.metrics["chosen"] == name,
        sheet=sheet,
        classes=tuple(test["classes"]),
        threshold=threshold if two else None,
        rows=test["rows"],
        sampled=len(sample),
        figures=figures,
        per_class=_per_class(test, sample, sample.predicted(name, threshold)),
        confusion=test["confusion"],
        majority=_majority(test),
        slices=slices(sample, name, threshold),
        curves=curves(sample.p[name][:, 1], sample.y) if two and both else None,
        words=words,
        columns=column_shares(model),
        mistakes=_mistakes(sample, name, threshold, m),
        cost=cost,
        notes=notes,
    )


def _figures(test: Mapping[str, Any], sample: Sample, name: str, threshold: float, seed: int) -> dict[str, Interval]:
    """The published figures, each with the sample's interval, which reaches as far as the figure of all test mails; a
    figure that the sample lacks has none."""
    found = bootstrap(sample.p[name], sample.y, sample.thread, threshold, seed) if len(sample) else {}
    values = {figure: float(test[figure]) for figure in FIGURES if test.get(figure) is not None and figure in found}
    return {
        figure: Interval(value, min(value, found[figure].low), max(value, found[figure].high))
        for figure, value in values.items()
    }


def _per_class(test: Mapping[str, Any], sample: Sample, predicted: NDArray[np.int64]) -> list[ClassFigures]:
    confusion, right = np.asarray(test["confusion"], np.int64), predicted == sample.y

    def share(hits: int, rows: int, among: NDArray[np.bool_]) -> Interval:
        thread = sample.thread[among]
        return wilson(hits, rows, design_effect(thread, intraclass(right[among], thread), sample.share))

    found = []
    for c, name in enumerate(test["classes"]):
        hits, marked, actual = int(confusion[c, c]), int(confusion[:, c].sum()), int(confusion[c].sum())
        precision, recall = share(hits, marked, predicted == c), share(hits, actual, sample.y == c)
        found.append(ClassFigures(name, precision, recall, float(test["per_class"][name]["f1"]), actual))
    return found


def _majority(test: Mapping[str, Any]) -> Majority:
    index, accuracy, macro_f1 = majority([sum(row) for row in test["confusion"]])
    return Majority(test["classes"][index], accuracy, macro_f1)


def _mistakes(sample: Sample, name: str, threshold: float, m: Material) -> list[Mistake] | None:
    if not m.examples:
        return None
    chosen = wrong.worst(sample, name, threshold, m.examples)
    if not chosen:
        return []
    texts = m.clean(wrong.read_texts, wrong.join_texts, wrong.Keys(tuple(key for key, *_ in chosen)))
    return [Mistake(actual, predicted, p, texts.get(key, "")) for key, actual, predicted, p in chosen]
