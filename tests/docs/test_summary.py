"""What a run prints at its end: figures of classes that can be told apart."""

from __future__ import annotations

import numpy as np

from mailmill.docs import summary
from mailmill.models.metrics import summarise
from mailmill.models.tally import tally


def test_classes_that_begin_alike_can_be_told_apart() -> None:
    classes = ("delivery: late", "delivery: lost", "x" * 99)
    found = summarise(tally(np.eye(3), np.arange(3)), classes).to_dict()
    lines = summary._figures({"models": {"m": {"test": found}}, "chosen": "m", "chosen_by": "macro_f1"})
    assert "delivery: late " in lines[1]
    assert "delivery: lost " in lines[2]
    assert {line.index("precision") + 9 for line in lines[:1]} == {line.index(" 1.000") + 6 for line in lines[1:4]}
    assert len(lines[3]) < 100


def test_without_a_roc_curve_models_are_not_chosen_by_it() -> None:
    both, one = (summarise(tally(np.eye(2)[y], np.array(y)), ("neg", "pos")).to_dict() for y in ([0, 1], [0, 0]))
    for validation, by in ((both, "roc_auc"), (one, "log_loss, as a class has no mail")):
        models = {"m": {"test": both, "validation": validation}}
        last = summary._figures({"models": models, "chosen": "m", "chosen_by": "roc_auc"})[-1]
        assert last.startswith(f"* chosen by {by}")


def test_a_class_cannot_break_the_lines_or_reach_the_terminal() -> None:
    found = summarise(tally(np.eye(2), np.arange(2)), ("x\n2", "neg\x1b[2J\x1b[31m\u202eX")).to_dict()
    lines = summary._figures({"models": {"m": {"test": found}}, "chosen": "m", "chosen_by": "macro_f1"})
    assert all(line.isprintable() for line in lines)
    assert "x\\x0a2 " in lines[1]
    assert {line.index(" 1.000") for line in lines[1:3]} == {lines[0].index("precision") + 3}
