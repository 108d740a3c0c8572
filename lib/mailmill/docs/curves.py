"""Plots of a model: its curves, the other models' beside, and the words that move it most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailmill.docs.modelcard import ModelCard
from mailmill.docs.plots import ACCENT, MUTED, SECOND, Canvas, drawn, room, short
from mailmill.docs.slices import FEWEST, Curves


def precision_recall(card: ModelCard, others: Sequence[ModelCard]) -> str:
    """Precision over recall, the other models beside."""
    known = [(c.name, c.curves.average_precision) for c in (card, *others) if c.curves]
    text = "; of ".join(f"{name} {precision:.3f}" for name, precision in known)
    with drawn(4.2, 3.4) as canvas:
        _curves(canvas, card, others, lambda curves: curves.pr)
        _square(canvas, "recall", "precision")
        return canvas.svg(f"pr-{card.name}", "Precision and recall", f"Average precision of {text}.")


def roc(card: ModelCard, others: Sequence[ModelCard]) -> str:
    """True over false positive rate, the other models beside."""
    areas = [f"{c.name} {c.figures['roc_auc'].value:.3f}" for c in (card, *others) if "roc_auc" in c.figures]
    with drawn(4.2, 3.4) as canvas:
        _diagonal(canvas)
        _curves(canvas, card, others, lambda curves: curves.roc)
        _square(canvas, "false positive rate", "true positive rate")
        return canvas.svg(f"roc-{card.name}", "ROC curve", f"Area under the curve: {', '.join(areas)}.")


def calibration(card: ModelCard, others: Sequence[ModelCard]) -> str:
    """Share of the second class over mean probability, a point for each tenth: hollow, and not joined to the others,
    where fewer mails than `FEWEST` are behind it."""
    assert card.curves is not None
    text = f"Expected calibration error of {card.name}: {card.curves.error:.3f}."
    with drawn(4.2, 3.4) as canvas:
        _diagonal(canvas)
        for model, colour, mark in [*((other, SECOND, "s") for other in others), (card, ACCENT, "o")]:
            points = model.curves.calibration if model.curves else []
            for joined in (True, False):
                x, y = [[point[at] for point in points if (point[2] >= FEWEST) is joined] for at in (0, 1)]
                fill = {"linewidth": 2 if model is card else 1.2, "label": model.name} if joined else {
                    "linestyle": "none", "markerfacecolor": "none"}  # fmt: skip
                canvas.axes.plot(x, y, color=colour, marker=mark, markersize=4, **fill)
        _square(canvas, f"mean P({short(card.classes[1])})", f"share of {short(card.classes[1])}", "upper left")
        return canvas.svg(f"calibration-{card.name}", "Calibration", text)


def _curves(
    canvas: Canvas,
    card: ModelCard,
    others: Sequence[ModelCard],
    points: Callable[[Curves], Sequence[tuple[float, float]]],
) -> None:
    """One line a model, the card's own last and on top."""
    assert card.curves is not None
    for other in others:
        if other.curves:
            x, y = zip(*points(other.curves), strict=True)
            canvas.axes.plot(x, y, color=SECOND, linewidth=1.2, label=other.name)
    x, y = zip(*points(card.curves), strict=True)
    canvas.axes.plot(x, y, color=ACCENT, linewidth=2, label=card.name)


def _diagonal(canvas: Canvas) -> None:
    canvas.axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")


def words(card: ModelCard) -> str:
    """Telling words, to the left those that lower P, to the right those that raise it."""
    with drawn(5.4, 0.7 + 0.24 * len(card.words), left=room([word.word for word in card.words])) as canvas:
        places = list(range(len(card.words)))
        effects = [word.effect for word in card.words]
        canvas.axes.barh(places, effects, color=[SECOND if e < 0 else ACCENT for e in effects], height=0.7)
        canvas.axes.set_yticks(places, [short(word.word) for word in card.words])
        canvas.axes.axvline(0, color=MUTED, linewidth=0.8)
        canvas.axes.margins(y=0.01)
        canvas.axes.set_xlabel(f"change of mean P({short(card.classes[-1])}) where every tenth word is it")
        canvas.axes.grid(axis="y", visible=False)
        low, high = card.words[0], card.words[-1]
        return canvas.svg(
            f"words-{card.name}",
            "Telling words",
            f"From “{low.word}” ({low.effect:+.3f}) to “{high.word}” ({high.effect:+.3f}).",
        )


def _square(canvas: Canvas, x: str, y: str, legend: str = "lower center") -> None:
    canvas.axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y)
    if len(canvas.axes.get_legend_handles_labels()[0]) > 1:
        canvas.axes.legend(loc=legend)
