"""Plots as inline SVG: drawn by matplotlib, coloured by the page.

Every colour is a variable of the page's style, so that a plot follows dark mode and print; text stays text, so that it
can be read aloud, searched and copied. A plot is never the only place of a figure: the page has the same as a table.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from mailmill.docs.answers import count, named

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
#: Bins of a histogram.
BINS = 60


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
    rows = [(named(label), n) for label, n in largest]
    with drawn(height=0.7 + 0.26 * len(rows), left=room([label for label, _ in rows])) as canvas:
        places = range(len(rows))[::-1]
        canvas.axes.barh(list(places), [n for _, n in rows], color=ACCENT, height=0.7)
        canvas.axes.set_yticks(list(places), [short(label) for label, _ in rows])
        canvas.axes.set_xlabel(what)
        canvas.counted("x")
        canvas.axes.grid(axis="y", visible=False)
        top = ", ".join(f"{label} {n:,}" for label, n in rows[:5])
        return canvas.svg(name, title, f"Bars of {what}: {top}.")


def timeline(name: str, title: str, counts: Mapping[str, int], what: str, note: str = "") -> str:
    """Upright bars over time, at months ("2026-01") or days ("2026-01-31"): where there are none, it shows a gap."""
    rows = sorted(counts.items())
    places = [_ordinal(when) for when, _ in rows]
    with drawn(bottom=0.75) as canvas:
        if places[-1] - places[0] > 2 * BARS:  # one outline instead of thousands of bars
            heights, edges = [], [places[0] - 0.5]
            for place, (_, n) in zip(places, rows, strict=True):
                if edges[-1] < place - 0.5:
                    heights.append(0)
                    edges.append(place - 0.5)
                heights.append(n)
                edges.append(place + 0.5)
            canvas.axes.stairs(heights, edges, fill=True, color=ACCENT)
        else:
            canvas.axes.bar(places, [n for _, n in rows], color=ACCENT, width=0.8)
        ticks = range(places[0], places[-1] + 1, 1 + (places[-1] - places[0]) // 8)
        canvas.axes.set_xticks(ticks, [_of_ordinal(tick, rows[0][0]) for tick in ticks], rotation=30)
        canvas.axes.set_ylabel(what)
        canvas.counted("y")
        canvas.axes.grid(axis="x", visible=False)
        most = max(rows, key=lambda row: row[1])
        text = f"From {rows[0][0]} to {rows[-1][0]}; most in {most[0]}: {most[1]:,} {what}."
        return canvas.svg(name, title, f"{text} {note}".rstrip())


def _ordinal(when: str) -> int:
    """The place of a month or a day among all."""
    return date.fromisoformat(when).toordinal() if when.count("-") > 1 else int(when[:-3]) * 12 + int(when[-2:]) - 1


def _of_ordinal(place: int, like: str) -> str:
    """The month or the day at a place: what `like` is."""
    return date.fromordinal(place).isoformat() if like.count("-") > 1 else f"{place // 12:04d}-{place % 12 + 1:02d}"


def histogram(name: str, title: str, edges: Sequence[float], counts: Sequence[float], what: str) -> str:
    """A histogram of even bins, into which those of the scale are poured: these grow with their values.

    The axis is logarithmic, and its bins are even there, where the edges span more than three decades from above zero.
    Where all lies within [0, 1] or [-1, 1] the axis shows the whole of it.
    """
    with drawn() as canvas:
        fine, (low, high) = np.asarray(edges, np.float64), _range(edges[0], edges[-1])
        if logarithmic := low > 0 and high / low > 1000:
            canvas.logarithmic()
            even = np.geomspace(low, high, BINS + 1)
        else:
            step = max(_round(high - low), float(np.diff(fine).min()))
            even = np.arange(np.floor(low / step), np.ceil(high / step) + 1) * step
        scale = np.log if logarithmic else np.asarray
        summed = np.concatenate([[0], np.cumsum(counts)])
        heights = np.diff(np.interp(scale(even), scale(np.clip(fine, low, high)), summed))
        canvas.axes.stairs(heights, even, fill=True, color=ACCENT)
        canvas.axes.set_xlabel(what)
        canvas.axes.set_ylabel("messages")
        canvas.counted("y")
        peak = int(heights.argmax())
        text = (
            f"{count(int(summed[-1]), 'message')}; most between {_written(even[peak])} and {_written(even[peak + 1])}."
        )
        return canvas.svg(name, title, text)


def _range(low: float, high: float) -> tuple[float, float]:
    """What the axis shows: shares and cosines, whose outer bins reach beyond by half of one, all of their scale."""
    if low > -1.01 and high < 1.01:
        return (-1.0 if low < -0.01 else 0.0), 1.0
    return low, high


def _round(span: float) -> float:
    """The least of 1, 2, 5, 10, 20, ... and their tenths that cuts `span` into `BINS` or fewer."""
    power = 10.0 ** np.floor(np.log10(span / BINS))
    return float(next(power * digit for digit in (1, 2, 5, 10) if power * digit * BINS >= span * (1 - 1e-9)))


def _written(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def room(labels: Sequence[str]) -> float:
    """Inches for labels at the left of a plot."""
    widths = [sum(0.09 if c.isascii() else 0.14 for c in short(label)) for label in labels]
    return 0.15 + max(widths, default=0.0)


def short(label: str) -> str:
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
