"""The choice of a model, and the page that documents it.

Models are compared on the validation split; the test split is looked at once, for the figures that
are reported, and never decides. The page is Markdown, for a diff, a ticket or a browser alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mailmill.models.metrics import Metrics, majority
from mailmill.visible import in_markdown

Figures = Mapping[str, Mapping[str, Metrics]]

WORDS = {
    "macro_f1": "the highest macro F1",
    "roc_auc": "the highest area under the ROC curve",
    "log_loss": "the lowest log loss",
}


def choose(validation: Mapping[str, Metrics], by: str) -> str:
    """The best model's name by macro_f1, roc_auc or log_loss; ties go to the lower log loss, then the name.

    Without a ROC curve, where a class has no mail on the validation split, all tie by roc_auc.
    """

    def rank(name: str) -> tuple[float, float, str]:
        found = validation[name]
        return (-_value(found, by), found.log_loss, name)

    return min(validation, key=rank)


def _value(found: Metrics, by: str) -> float:
    """What models are compared by: more is better."""
    return -found.log_loss if by == "log_loss" else (getattr(found, by) or 0.0)


def _why(figures: Figures, chosen: str, by: str) -> str:
    """What the chosen model has on the validation split, in words; see `choose`."""
    validation = {name: splits["validation"] for name, splits in figures.items()}
    best = validation.pop(chosen)
    if by == "roc_auc" and best.roc_auc is None:
        return f"{WORDS['log_loss']}, as a class has no mail there and so no model a ROC curve"
    tied = [name for name, found in validation.items() if _value(found, by) == _value(best, by)]
    if not tied:
        return WORDS[by]
    alike = any(validation[name].log_loss == best.log_loss for name in tied)
    decided = "of these it is the first by log loss, then by name" if alike else "of these the lowest log loss"
    return f"{WORDS[by]}, as {' and '.join(tied)} {'has' if len(tied) == 1 else 'have'}, and {decided}"


def report(figures: Figures, chosen: str, by: str) -> dict[str, bytes]:
    """metrics.json and choice.md: {model: {split: Metrics}}, which was chosen and why."""
    document = {
        "format": "mailmill.metrics",
        "version": 1,
        "chosen": chosen,
        "chosen_by": by,
        "chosen_on": "validation",
        "models": {name: {split: m.to_dict() for split, m in splits.items()} for name, splits in figures.items()},
    }
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    return {"metrics.json": text.encode(), "choice.md": _page(figures, chosen, by).encode()}


def _page(figures: Figures, chosen: str, by: str) -> str:
    lines = [
        "# Choice of model",
        "",
        f"**{chosen}** was chosen: on the validation split it has {_why(figures, chosen, by)}. "
        "The test split did not decide.",
        "",
        "| model | split | mails | accuracy | macro F1 | ROC AUC | log loss | Brier |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, splits in figures.items():
        for split, m in splits.items():
            auc = "-" if m.roc_auc is None else f"{m.roc_auc:.4f}"
            lines.append(
                f"| {name} | {split} | {m.rows} | {m.accuracy:.4f} | {m.macro_f1:.4f} | {auc} "
                f"| {m.log_loss:.4f} | {m.brier:.4f} |"
            )
    lines += ["", "## On the test split, a class at a time", ""]
    lines += ["| model | class | precision | recall | F1 | mails |", "|---|---|---:|---:|---:|---:|"]
    for name, splits in figures.items():
        for label, of in splits["test"].per_class.items():
            row = f"{of.precision:.4f} | {of.recall:.4f} | {of.f1:.4f} | {of.support}"
            lines.append(f"| {name} | {in_markdown(label)} | {row} |")
    best = figures[chosen]["test"]
    most, accuracy, macro_f1 = majority([of.support for of in best.per_class.values()])
    name = in_markdown(best.classes[most])
    lines += ["", f"To call all test mails {name}, the most frequent class, would have an accuracy of {accuracy:.4f}"]
    lines += [f"and a macro F1 of {macro_f1:.4f}."]
    names = [in_markdown(label) for label in best.classes]
    called = f"threshold {best.threshold}" if len(names) == 2 else "the likeliest"
    lines += ["", f"Confusion of {chosen} (rows: true, columns: predicted, {called}):", ""]
    lines += [f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    lines += [f"| {name} | {' | '.join(map(str, row))} |" for name, row in zip(names, best.confusion, strict=True)]
    return "\n".join(lines) + "\n"
