"""The figures of a page: each a plot, and the same as rows of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailmill.docs import answers
from mailmill.docs.facts import Facts, Profile
from mailmill.docs.modelcard import ModelCard
from mailmill.docs.slices import FEWEST

#: What is counted by these names of a profile; else it is messages.
UNITS = {"zones": "characters", "rules": "characters"}
#: What counts by day or month is drawn over time.
_DATE = re.compile(r"\d{4}-\d\d(-\d\d)?")
LONGEST_TABLE = 40


@dataclass(frozen=True)
class Figure:
    """A plot, the same as rows of a table, and what it leaves out, where it does."""

    svg: Any
    caption: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


def of_tables(facts: Facts) -> dict[str, list[Figure]]:
    """The figures of every table's page. They need no model and can be drawn while one is asked. Needs matplotlib."""
    profiles = facts.profiles
    return {
        name: of_profile(profiles[name]) if name in profiles else _of_manifest(facts, name) for name in facts.tables()
    }


def of_profile(profile: Profile) -> list[Figure]:
    """Counts by name, then histograms."""
    from mailmill.docs import plots

    found = []
    for name, counts in profile.counts.items():
        if not counts or not sum(counts.values()):
            continue
        caption, unit = _words(name), UNITS.get(name, "messages")
        if all(map(_DATE.fullmatch, counts)):
            found.append(_over_time(profile, name, caption))
        else:
            svg = plots.bars(f"{profile.table}-{name}", caption, counts, unit)
            found.append(_figure(svg, caption, (caption, unit), _largest(counts)))
    for name, histogram in profile.histograms.items():
        edges, heights = histogram["edges"], histogram["counts"]
        if len(edges) < 2 or not sum(heights):
            continue
        caption = _words(name)
        quantiles = [
            (key.rsplit(".", 1)[1].replace("p", "quantile 0."), answers.show(value))
            for key, value in profile.facts.items()
            if key.startswith(f"{name}.p") and key.rsplit(".p", 1)[1].isdigit() and isinstance(value, int | float)
        ]
        svg = plots.histogram(f"{profile.table}-{name}", caption, edges, heights, caption)
        found.append(_figure(svg, caption, (caption, "value"), quantiles))
    return found


def of_model(card: ModelCard, others: Sequence[ModelCard]) -> list[Figure]:
    """The curves of a model of two classes, the others' beside."""
    from mailmill.docs import curves

    if card.curves is None:
        return []
    reliability = [
        (answers.show(mean, "figure"), answers.show(share, "figure"), answers.show(n))
        for mean, share, n in card.curves.calibration
    ]
    rates = ("false positive rate", "true positive rate")
    head = (f"mean P({card.classes[1]})", "share", "mails")
    few = any(n < FEWEST for _, _, n in card.curves.calibration)
    note = f"A hollow point rests on fewer than {FEWEST} mails." if few else ""
    return [
        _figure(curves.precision_recall(card, others), "Precision and recall", ("recall", "precision"),
                _points(card.curves.pr)),
        _figure(curves.roc(card, others), "ROC curve", rates, _points(card.curves.roc)),
        _figure(curves.calibration(card, others), "Calibration", head, reliability, note),
    ]  # fmt: skip


def of_words(card: ModelCard) -> Figure | None:
    """The words that move a model most, where they may be shown."""
    from mailmill.docs import curves

    if not card.words:
        return None
    rows = [(word.word, f"{word.effect:+.4f}") for word in card.words]
    return _figure(curves.words(card), "Telling words", ("word", "change of P"), rows)


def _of_manifest(facts: Facts, table: str) -> list[Figure]:
    """What a manifest counted, where a table has no profile."""
    from mailmill.docs import plots

    found = []
    for name in ("reasons", "classes", "splits"):
        counts = {key: int(f.value) for key, f in facts.below(f"{table}.{name}").items() if isinstance(f.value, int)}
        if counts:
            svg = plots.bars(f"{table}-{name}", name, counts, "messages")
            found.append(_figure(svg, name, (name, "messages"), _largest(counts)))
    return found


def _over_time(profile: Profile, name: str, caption: str) -> Figure:
    """Messages by day or month: the latest first in the table, and a word of those before the profile's bound."""
    from mailmill.docs import plots

    counts = profile.counts[name]
    dated = round(float(profile.facts.get("dated.share", 0.0)) * profile.rows)
    earlier = max(0, dated - sum(counts.values()))
    rows = sorted(counts.items(), reverse=True)
    cells = [(when, answers.show(n)) for when, n in rows[:LONGEST_TABLE]]
    if before := sum(n for _, n in rows[LONGEST_TABLE:]) + earlier:
        cells.append(("earlier", answers.show(before)))
    note = f"From {rows[-1][0]} on; {answers.count(earlier, 'earlier message')} not drawn." if earlier else ""
    svg = plots.timeline(f"{profile.table}-{name}", caption, counts, "messages", note)
    return _figure(svg, caption, (caption, "messages"), cells, note)


def _largest(counts: Mapping[str, int]) -> list[tuple[str, ...]]:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    cells = [(answers.named(label), answers.show(n)) for label, n in rows[:LONGEST_TABLE]]
    if len(rows) > LONGEST_TABLE:
        rest = rows[LONGEST_TABLE:]
        cells.append((f"{len(rest)} more", answers.show(sum(n for _, n in rest))))
    return list(cells)


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", " ")


def _points(points: Sequence[tuple[float, float]]) -> list[tuple[str, ...]]:
    thinned = points[:: max(1, len(points) // 8)]
    return [(answers.show(x, "figure"), answers.show(y, "figure")) for x, y in thinned]


def _figure(svg: str, caption: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], note: str = "") -> Figure:
    from markupsafe import Markup

    return Figure(Markup(svg), caption, head, list(rows), note)  # noqa: S704 - made by `plots`, which escapes
