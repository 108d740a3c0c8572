"""Plots as inline SVG: drawn by matplotlib, coloured by the page.

Every colour is a variable of the page's style, so that a plot follows dark mode and print; text stays text, so that it
can be read aloud, searched and copied. A plot is never the only place of a figure: the page has the same as a table.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mailmill.docs.answers import UNNAMED
from mailmill.docs.modelcard import ModelCard
from mailmill.docs.slices import Curves

#: Stand-ins that matplotlib draws with, and the variables of the style that replace them.
INK, MUTED, LINE, ACCENT, SECOND = "#010203", "#010204", "#010205", "#010206", "#010207"
_VARIABLES = {
    INK: "var(--ink)", MUTED: "var(--muted)", LINE: "var(--line)", ACCENT: "var(--accent)", SECOND: "var(--second)",
}  # fmt: skip
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mailmill",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.parse_math": False,
}
#: Bars of a plot; rarer values stand in the table beside it.
BARS = 24


@contextmanager
def drawn(width: float = 5.4, height: float = 3.2, left: float = 0.75, bottom: float = 0.5) -> Iterator[Canvas]:
    """A canvas of so many inches; within the block, matplotlib's settings are those of the page.

    Margins are reckoned from the labels: to have matplotlib measure what it has drawn takes as long as all the rest.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        box = (left / width, bottom / height, 1 - (left + 0.2) / width, 1 - (bottom + 0.12) / height)
        yield Canvas(figure, figure.add_axes(box))


@dataclass(frozen=True)
class Canvas:
    """One plot while it is drawn: `figure` and `axes` are matplotlib's."""

    figure: Any
    axes: Any

    def counted(self, axis: str) -> None:
        """Numbers of an axis ("x" or "y") that counts: whole ones, as 2, 5k, 1.2M."""
        from matplotlib.ticker import EngFormatter, MaxNLocator

        counting = getattr(self.axes, f"{axis}axis")
        counting.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        counting.set_major_formatter(EngFormatter(sep=""))

    def logarithmic(self) -> None:
        """The x axis by powers of ten, written out."""
        from matplotlib.ticker import FuncFormatter, NullFormatter

        self.axes.set_xscale("log")
        self.axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        self.axes.xaxis.set_minor_formatter(NullFormatter())

    def svg(self, name: str, title: str, description: str) -> str:
        """The plot as an SVG element with a title and a description, ids made unique by `name`."""
        stream = io.StringIO()
        with warnings.catch_warnings():  # of characters that the measuring font lacks: the browser has others
            warnings.simplefilter("ignore")
            self.figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        return _inline(stream.getvalue(), name, title, description)


def bars(name: str, title: str, counts: Mapping[str, int], what: str) -> str:
    """Horizontal bars, the largest first; at most `BARS` of them."""
    largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:BARS]
    rows = [(label or UNNAMED, n) for label, n in largest]
    with drawn(height=0.7 + 0.26 * len(rows), left=_room([label for label, _ in rows])) as canvas:
        places = range(len(rows))[::-1]
        canvas.axes.barh(list(places), [n for _, n in rows], color=ACCENT, height=0.7)
        canvas.axes.set_yticks(list(places), [_short(label) for label, _ in rows])
        canvas.axes.set_xlabel(what)
        canvas.counted("x")
        canvas.axes.grid(axis="y", visible=False)
        top = ", ".join(f"{label} {n:,}" for label, n in rows[:5])
        return canvas.svg(name, title, f"Bars of {what}: {top}.")


def timeline(name: str, title: str, counts: Mapping[str, int], what: str) -> str:
    """Upright bars in the order of their names: months."""
    rows = sorted(counts.items())
    with drawn(bottom=0.75) as canvas:
        if len(rows) > 2 * BARS:  # one outline instead of thousands of bars
            canvas.axes.stairs([n for _, n in rows], [i - 0.5 for i in range(len(rows) + 1)], fill=True, color=ACCENT)
        else:
            canvas.axes.bar(range(len(rows)), [n for _, n in rows], color=ACCENT, width=0.8)
        step = max(1, len(rows) // 8)
        canvas.axes.set_xticks(range(0, len(rows), step), [rows[i][0] for i in range(0, len(rows), step)], rotation=30)
        canvas.axes.set_ylabel(what)
        canvas.counted("y")
        canvas.axes.grid(axis="x", visible=False)
        most = max(rows, key=lambda row: row[1])
        return canvas.svg(name, title, f"From {rows[0][0]} to {rows[-1][0]}; most in {most[0]}: {most[1]:,} {what}.")


def histogram(name: str, title: str, edges: Sequence[float], counts: Sequence[float], what: str) -> str:
    """A histogram; the axis is logarithmic where the edges span more than three decades from above zero."""
    with drawn() as canvas:
        canvas.axes.stairs(counts, edges, fill=True, color=ACCENT)
        if edges[0] > 0 and edges[-1] / edges[0] > 1000:
            canvas.logarithmic()
        canvas.axes.set_xlabel(what)
        canvas.axes.set_ylabel("messages")
        canvas.counted("y")
        total = sum(counts)
        peak = max(range(len(counts)), key=lambda i: counts[i])
        text = f"{total:,.0f} messages; most between {edges[peak]:.4g} and {edges[peak + 1]:.4g}."
        return canvas.svg(name, title, text)


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
    """Share of the second class over mean probability, a point for each tenth."""
    assert card.curves is not None
    text = f"Expected calibration error of {card.name}: {card.curves.error:.3f}."
    with drawn(4.2, 3.4) as canvas:
        _diagonal(canvas)
        _curves(canvas, card, others, lambda curves: [point[:2] for point in curves.calibration], marked=True)
        _square(canvas, f"mean P({_short(card.classes[1])})", f"share of {_short(card.classes[1])}")
        return canvas.svg(f"calibration-{card.name}", "Calibration", text)


def _curves(
    canvas: Canvas,
    card: ModelCard,
    others: Sequence[ModelCard],
    points: Callable[[Curves], Sequence[tuple[float, float]]],
    marked: bool = False,
) -> None:
    """One line a model, the card's own last and on top; marked: with its points."""
    assert card.curves is not None
    beside = {"marker": "s", "markersize": 3} if marked else {}
    own = {"marker": "o", "markersize": 4} if marked else {}
    for other in others:
        if other.curves:
            x, y = zip(*points(other.curves), strict=True)
            canvas.axes.plot(x, y, color=SECOND, linewidth=1.2, label=other.name, **beside)
    x, y = zip(*points(card.curves), strict=True)
    canvas.axes.plot(x, y, color=ACCENT, linewidth=2, label=card.name, **own)


def _diagonal(canvas: Canvas) -> None:
    canvas.axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")


def words(card: ModelCard) -> str:
    """Telling words, to the left those that lower P, to the right those that raise it."""
    with drawn(5.4, 0.7 + 0.24 * len(card.words), left=_room([word.word for word in card.words])) as canvas:
        places = list(range(len(card.words)))
        effects = [word.effect for word in card.words]
        canvas.axes.barh(places, effects, color=[SECOND if e < 0 else ACCENT for e in effects], height=0.7)
        canvas.axes.set_yticks(places, [_short(word.word) for word in card.words])
        canvas.axes.axvline(0, color=MUTED, linewidth=0.8)
        canvas.axes.margins(y=0.01)
        canvas.axes.set_xlabel(f"change of mean P({_short(card.classes[-1])}) where every tenth word is it")
        canvas.axes.grid(axis="y", visible=False)
        low, high = card.words[0], card.words[-1]
        return canvas.svg(
            f"words-{card.name}",
            "Telling words",
            f"From “{low.word}” ({low.effect:+.3f}) to “{high.word}” ({high.effect:+.3f}).",
        )


def _square(canvas: Canvas, x: str, y: str) -> None:
    canvas.axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y)
    if len(canvas.axes.get_legend_handles_labels()[0]) > 1:
        canvas.axes.legend(loc="lower center")


def _room(labels: Sequence[str]) -> float:
    """Inches for labels at the left of a plot."""
    widths = [sum(0.09 if c.isascii() else 0.14 for c in _short(label)) for label in labels]
    return 0.15 + max(widths, default=0.0)


def _short(label: str) -> str:
    """A label in a plot: one line, without what is not printable."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in label)
    return line if len(line) <= 28 else line[:27] + "…"


def _inline(svg: str, name: str, title: str, description: str) -> str:
    """matplotlib's file as an element of a page: no prologue, no metadata, no fixed size, own ids, variable colours."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    head, _, rest = body.partition(">")
    box = re.search(r'viewBox="([^"]+)"', head)
    assert box is not None
    own = "plot-" + re.sub(r"\W", "-", name)
    rest = re.sub(r'\bid="([^"]+)"', rf'id="{own}-\1"', rest)
    rest = re.sub(r"url\(#([^)]+)\)", rf"url(#{own}-\1)", rest)
    rest = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{own}-\1"', rest)
    rest = re.sub(r"; font-family: [^;\"]*", "", rest)
    for colour, variable in _VARIABLES.items():
        rest = rest.replace(colour, variable)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box[1]}" '
        f'class="plot" role="img" aria-labelledby="{own}-title {own}-desc">'
        f'<title id="{own}-title">{html.escape(title)}</title>'
        f'<desc id="{own}-desc">{html.escape(description)}</desc>{rest}'
    )
