"""The site: static pages that open from a disk or a bucket, without scripts, fonts or anything else from elsewhere.

Templates lie in `templates/`, autoescaped: whatever came from mail (a domain, a label, a language, an address of a
file) shows as text, and its control and direction characters as their escapes. Plots are inline SVG made here; they
are the only markup that is passed through.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from mailmill import schemas
from mailmill.docs import answers, datasheet, lineage
from mailmill.docs.datasheet import Sheet
from mailmill.docs.facts import Facts, Profile, plain
from mailmill.docs.modelcard import FIGURES, ModelCard
from mailmill.docs.versions import Difference, Version
from mailmill.visible import one_line

#: What must be installed to draw the site: the extra `docs`.
NEEDED = ("jinja2", "matplotlib")
#: Histograms and groups of a profile that the page of a table draws; the other figures stand in its table of facts.
DRAWN = {"zones": "characters", "rules": "characters"}
LONGEST_TABLE = 40


@dataclass(frozen=True)
class Content:
    """Everything that the pages show. asked: all sheets, those of models whose cards cannot be made now among them."""

    title: str
    built: str
    facts: Facts
    sheets: Sequence[Sheet]
    asked: Sequence[Sheet]
    cards: Sequence[ModelCard]
    versions: Sequence[Version]
    changes: Sequence[Difference]
    validation: str | None
    figures: Mapping[str, Sequence[Figure]]


@dataclass(frozen=True)
class Figure:
    """A plot, and the same as rows of a table."""

    svg: Any
    caption: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def draw_tables(facts: Facts) -> dict[str, list[Figure]]:
    """The figures of every table's page. They need no model and can be drawn while one is asked. Needs matplotlib."""
    profiles = facts.profiles
    return {
        name: _profile_figures(profiles[name]) if name in profiles else _count_figures(facts, name)
        for name in _tables(facts)
    }


def missing() -> list[str]:
    """The packages that are not installed here and without which no site can be drawn."""
    return [name for name in NEEDED if find_spec(name) is None]


def render(content: Content) -> dict[str, str]:
    """The pages by file name, index.html first. Needs Jinja2 and matplotlib."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str:
        return files("mailmill.docs").joinpath("templates", name).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: one_line(value) if type(value) is str else value,
    )  # fmt: skip
    environment.filters |= {
        "show": answers.show,
        "percent": lambda value: answers.show(float(value), "percent"),
        "figure": lambda value: answers.show(float(value), "figure"),
        "plain": plain,
        "short": lambda value: str(value)[:12],
    }
    environment.globals |= {
        "title": content.title,
        "built": content.built,
        "version": content.facts.version,
        "workspace": (content.facts.state("raw.location") or "").removesuffix("/raw"),
        "pages": _navigation(content),
        "statuses": datasheet.STATUSES,
        "style": load("style.css"),
    }
    pages = {"index.html": ("index.html", _index(content))}
    for sheet in content.sheets:
        shown = {"sheet": sheet, "name": sheet.subject, "page": f"datasheet-{sheet.subject}.html"}
        pages[f"datasheet-{sheet.subject}.html"] = ("datasheet.html", shown)
    for table in _tables(content.facts):
        pages[f"table-{table}.html"] = ("table.html", _table(content, table))
    for card in content.cards:
        others = [other for other in content.cards if other is not card]
        scores = content.facts.state("scores.model") == card.name
        pages[f"model-{card.name}.html"] = ("model.html", _model(card, others) | {"scores": scores})
    pages["versions.html"] = (
        "versions.html",
        {"page": "versions.html", "versions": list(reversed(content.versions)), "changes": content.changes},
    )
    return {name: environment.get_template(template).render(**shown) for name, (template, shown) in pages.items()}


def twins(content: Content) -> dict[str, str]:
    """The same for machines: a JSON file for each datasheet and model card."""
    found = {f"datasheet-{sheet.subject}.json": sheet.to_dict() for sheet in content.sheets}
    found |= {f"model-{card.name}.json": card.to_dict() for card in content.cards}
    return {name: json.dumps(document, indent=1, sort_keys=True) + "\n" for name, document in found.items()}


def _navigation(content: Content) -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, [(file, name)]) of the menu."""
    sheets = [(f"datasheet-{sheet.subject}.html", sheet.subject) for sheet in content.sheets]
    models = [(f"model-{card.name}.html", card.name) for card in content.cards]
    tables = [(f"table-{name}.html", name) for name in _tables(content.facts)]
    rest = [("versions.html", "Versions")] + ([(content.validation, "Validation")] if content.validation else [])
    groups = [("", [("index.html", "Overview")]), ("Datasheets", sheets), ("Models", models), ("Tables", tables)]
    return [group for group in [*groups, ("", rest)] if group[1]]


def _tables(facts: Facts) -> list[str]:
    # TABLE.run; further down "run" may be the name of a class or of a domain.
    names = [fact.name.removesuffix(".run") for fact in facts if fact.name.endswith(".run")]
    return [name for name in names if "." not in name and name != "raw_rejects"]


def _index(content: Content) -> dict[str, Any]:
    facts = content.facts

    def value(name: str) -> Any:
        fact = facts.get(name)
        return fact.value if fact else 0

    parts = [
        ("clean", value("clean.rows")),
        ("rejects", value("clean.rejects")),
        ("duplicates", value("clean.duplicates")),
    ]
    tables = [
        {key: value(f"{name}.{key}") for key in ("rows", "bytes", "files", "fingerprint", "created", "run")}
        | {"name": name}
        for name in _tables(facts)
    ]
    attention = [
        (sheet, answer) for sheet in content.asked for answer in sheet.having("stale", "unanswered")
    ]  # fmt: skip
    shares = [name for name, more_is_better in FIGURES.items() if more_is_better]
    lows = [card.figures[name].low for card in content.cards for name in shares if name in card.figures]
    return {
        "page": "index.html",
        "shares": shares,
        "floor": 0.5 if all(low >= 0.5 for low in lows) else 0.0,
        "messages": facts.state("clean.messages") and value("clean.messages"),
        "parts": parts,
        "reasons": facts.below("clean.reasons"),
        "classes": facts.below("labels.classes"),
        "tables": tables,
        "sheets": content.sheets,
        "cards": content.cards,
        "figures": list(FIGURES),
        "lineage": lineage.draw(facts),
        "box": (lineage.BOX, lineage.HIGH),
        "attention": attention,
        "validation": content.validation,
        "versions": content.versions,
        "changes": content.changes,
    }


def _table(content: Content, table: str) -> dict[str, Any]:
    facts = content.facts
    meanings = schemas.COLUMNS[table]
    columns = [(name, fact.value, meanings.get(name, "")) for name, fact in facts.below(f"{table}.columns").items()]
    known = [fact for fact in facts if fact.name.startswith(f"{table}.") and ".columns." not in fact.name]
    return {
        "page": f"table-{table}.html",
        "name": table,
        "columns": columns,
        "known": known,
        "figures": content.figures[table],
        "profiled": table in facts.profiles,
        "has_sheet": any(sheet.subject == table for sheet in content.sheets),
    }


def _profile_figures(profile: Profile) -> list[Figure]:
    from mailmill.docs import plots

    found = []
    for name, counts in profile.counts.items():
        if not counts or not sum(counts.values()):
            continue
        caption, unit = name.replace("_", " ").replace(".", " "), DRAWN.get(name, "messages")
        rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        cells = [(label or answers.UNNAMED, answers.show(n)) for label, n in rows[:LONGEST_TABLE]]
        if len(rows) > LONGEST_TABLE:
            cells.append((f"{len(rows) - LONGEST_TABLE} more", answers.show(sum(n for _, n in rows[LONGEST_TABLE:]))))
        draw = plots.timeline if name in ("months", "days") else plots.bars
        found.append(_figure(draw(f"{profile.table}-{name}", caption, counts, unit), caption, (caption, unit), cells))
    for name, histogram in profile.histograms.items():
        edges, heights = histogram["edges"], histogram["counts"]
        if len(edges) < 2 or not sum(heights):
            continue
        caption = name.replace("_", " ").replace(".", " ")
        quantiles = [
            (key.rsplit(".", 1)[1].replace("p", "quantile 0."), answers.show(value))
            for key, value in profile.facts.items()
            if key.startswith(f"{name}.p") and key.rsplit(".p", 1)[1].isdigit() and isinstance(value, int | float)
        ]
        svg = plots.histogram(f"{profile.table}-{name}", caption, edges, heights, caption)
        found.append(_figure(svg, caption, (caption, "value"), quantiles))
    return found


def _count_figures(facts: Facts, table: str) -> list[Figure]:
    """What a manifest counted, where a table has no profile."""
    from mailmill.docs import plots

    found = []
    for name, unit in (("reasons", "messages"), ("classes", "messages"), ("splits", "messages")):
        counts = {key: int(f.value) for key, f in facts.below(f"{table}.{name}").items() if isinstance(f.value, int)}
        if counts:
            svg = plots.bars(f"{table}-{name}", name, counts, unit)
            rows = [
                (key or answers.UNNAMED, answers.show(n))
                for key, n in sorted(counts.items(), key=lambda item: -item[1])
            ]
            found.append(_figure(svg, name, (name, unit), rows))
    return found


def _model(card: ModelCard, others: Sequence[ModelCard]) -> dict[str, Any]:
    from mailmill.docs import plots

    figures = []
    if card.curves:
        calibration = [
            (answers.show(mean, "figure"), answers.show(share, "figure"), answers.show(n))
            for mean, share, n in card.curves.calibration
        ]
        thinned = card.curves.pr[:: max(1, len(card.curves.pr) // 8)]
        figures = [
            _figure(
                plots.precision_recall(card, others), "Precision and recall", ("recall", "precision"), _points(thinned)
            ),
            _figure(
                plots.roc(card, others),
                "ROC curve",
                ("false positive rate", "true positive rate"),
                _points(card.curves.roc[:: max(1, len(card.curves.roc) // 8)]),
            ),
            _figure(
                plots.calibration(card, others),
                "Calibration",
                (f"mean P({card.classes[1]})", "share", "mails"),
                calibration,
            ),
        ]
    words = None
    if card.words:
        rows = [(word.word, f"{word.effect:+.4f}") for word in card.words]
        words = _figure(plots.words(card), "Telling words", ("word", "change of P"), rows)
    return {
        "page": f"model-{card.name}.html",
        "card": card,
        "others": others,
        "sections": list(card.sheet.sections()),
        "better": FIGURES,
        "figures": figures,
        "words": words,
    }


def _points(points: Sequence[tuple[float, float]]) -> list[tuple[str, ...]]:
    return [(answers.show(x, "figure"), answers.show(y, "figure")) for x, y in points]


def _figure(svg: str, caption: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Figure:
    from markupsafe import Markup

    return Figure(Markup(svg), caption, head, list(rows))  # noqa: S704 - made by `plots`, which escapes
