"""The choice of a model is made on the validation split alone, and its page escapes labels."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mailmill.docs import choice
from mailmill.models.metrics import Metrics, summarise
from mailmill.models.tally import tally


def metrics(p: list[float], classes: tuple[str, ...] = ("neg", "pos")) -> Metrics:
    """Of rows whose true class alternates neg, pos and whose P(pos) is `p`."""
    chances = np.column_stack([1 - np.array(p), p])
    return summarise(tally(chances, np.arange(len(p)) % 2, threshold=0.5), classes, 0.5)


GOOD, WORSE = metrics([0.1, 0.9, 0.2, 0.8]), metrics([0.1, 0.9, 0.6, 0.8])
SURE = metrics([0.01, 0.99, 0.02, 0.98])
NEG = {"a": 0.8, "b": 0.9}
MANY = {"validation": [0, 0, 0, 1], "test": [0, 1, 1, 1]}


@pytest.mark.parametrize("by", ["macro_f1", "roc_auc", "log_loss"])
def test_the_better_model_wins(by: str) -> None:
    assert choice.choose({"a": WORSE, "b": SURE}, by) == "b"
    assert choice.choose({"b": SURE, "a": WORSE}, by) == "b"


def test_ties_go_to_the_lower_log_loss_then_the_name() -> None:
    assert choice.choose({"a": GOOD, "b": SURE}, "macro_f1") == "b"
    assert choice.choose({"b": GOOD, "a": GOOD}, "macro_f1") == "a"


@pytest.mark.parametrize(
    ("models", "by", "told"),
    [
        ({"a": SURE, "b": WORSE}, "macro_f1", "the highest macro F1"),
        ({"a": SURE, "b": GOOD}, "macro_f1", "the highest macro F1, as b has, and of these the lowest log loss"),
        ({"a": SURE, "b": GOOD, "c": GOOD}, "roc_auc",
         "the highest area under the ROC curve, as b and c have, and of these the lowest log loss"),
        ({"a": SURE, "b": GOOD}, "log_loss", "the lowest log loss"),
        ({"a": SURE, "b": SURE}, "log_loss",
         "the lowest log loss, as b has, and of these it is the first by log loss, then by name"),
        ({"a": SURE, "b": SURE}, "macro_f1",
         "the highest macro F1, as b has, and of these it is the first by log loss, then by name"),
    ],
)  # fmt: skip
def test_a_tie_is_told(models: dict[str, Metrics], by: str, told: str) -> None:
    """Of rare classes all models call everything by the other: both have the highest macro F1."""
    figures = {name: {"validation": found, "test": found} for name, found in models.items()}
    assert choice.choose(models, by) == "a"
    page = choice.report(figures, "a", by)["choice.md"].decode()
    assert f"on the validation split it has {told}. The test split" in page


def test_the_test_split_does_not_decide() -> None:
    figures = {"a": {"validation": SURE, "test": WORSE}, "b": {"validation": WORSE, "test": SURE}}
    chosen = choice.choose({name: splits["validation"] for name, splits in figures.items()}, "macro_f1")
    files = choice.report(figures, chosen, "macro_f1")
    document = json.loads(files["metrics.json"])
    assert document["chosen"] == "a"
    assert document["models"]["a"]["test"]["macro_f1"] == WORSE.macro_f1
    page = files["choice.md"].decode()
    assert "**a** was chosen" in page
    assert f"| a | neg | {WORSE.per_class['neg'].precision:.4f} | {WORSE.per_class['neg'].recall:.4f} |" in page
    hits, missed = WORSE.confusion[0]
    assert f"| neg | {hits} | {missed} |" in page


def test_the_most_frequent_class_is_that_of_the_test_mails() -> None:
    found = {n: summarise(tally(np.array([[0.9, 0.1]] * 4), np.array(y)), ("neg", "pos")) for n, y in MANY.items()}
    page = choice.report({"m": found}, "m", "macro_f1")["choice.md"].decode()
    assert "To call all test mails pos, the most frequent class, would have an accuracy of 0.7500\n" in page


def test_labels_from_outside_cannot_break_the_page() -> None:
    hostile = ("<script>alert(1)</script>", "a|b\n# heading\r# and\x1b[2J")
    figures = {"m": dict.fromkeys(("validation", "test"), metrics([0.1, 0.9, 0.2, 0.8], hostile))}
    page = choice.report(figures, "m", "macro_f1")["choice.md"].decode()
    assert "<" not in page, "an element needs no end of its own: the page's next one closes it"
    assert "\n# heading" not in page
    assert not {"\r", "\x1b"} & set(page)
    assert "a\\|b" in page


def test_a_label_shows_as_it_is_written() -> None:
    """Else `&lt;` of a label would be another label's `<`, and one backtick would make code of what follows."""
    figures = {"m": dict.fromkeys(("validation", "test"), metrics([0.1, 0.9, 0.2, 0.8], ("a&lt;b", "`")))}
    page = choice.report(figures, "m", "macro_f1")["choice.md"].decode()
    assert "a&amp;lt;b" in page
    assert "`" not in page


def test_the_most_frequent_class_is_what_a_model_must_exceed() -> None:
    found = summarise(tally(np.array([[0.9, 0.1]] * 4), np.array([0, 0, 0, 1])), ("neg", "p|s"))
    page = choice.report({"m": {"validation": found, "test": found}}, "m", "macro_f1")["choice.md"].decode()
    assert "To call all test mails neg, the most frequent class, would have an accuracy of 0.7500\n" in page
    assert "and a macro F1 of 0.4286." in page


def test_without_a_roc_curve_log_loss_is_said_to_decide() -> None:
    one = {name: summarise(tally(np.array([[p, 1 - p]]), np.array([0])), ("neg", "pos")) for name, p in NEG.items()}
    chosen = choice.choose(one, "roc_auc")
    page = choice.report({n: {"validation": m, "test": m} for n, m in one.items()}, chosen, "roc_auc")["choice.md"]
    assert chosen == "b"
    assert "it has the lowest log loss, as a class has no mail there" in page.decode()


def test_of_three_classes_the_likeliest_is_called() -> None:
    found = summarise(tally(np.eye(3), np.arange(3)), ("neg", "neutral", "pos"))
    page = choice.report({"m": {"validation": found, "test": found}}, "m", "macro_f1")["choice.md"].decode()
    assert "columns: predicted, the likeliest)" in page
    assert "threshold" not in page
