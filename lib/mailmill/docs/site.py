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
from mailmill.docs import answers, datasheet, figures, lineage
from mailmill.docs.datasheet import Sheet
from mailmill.docs.facts import Facts, plain
from mailmill.docs.figures import Figure
from mailmill.docs.modelcard import FIGURES, ModelCard
from mailmill.docs.versions import Difference, Version
from mailmill.visible import one_line

#: What must be installed to draw the site: the extra `docs`.
NEEDED = ("jinja2", "matplotlib")


@dataclass(frozen=True)
class Content:
    """Everything that the pages show. asked: all sheets, those of models whose cards cannot be made now among them.

    declared: the folder of the answers by people.
    """

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
    declared: str = ""


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
        "count": answers.count,
        "named": answers.named,
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
    for table in content.facts.tables():
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
    tables = [(f"table-{name}.html", name) for name in content.facts.tables()]
    rest = [("versions.html", "Versions")] + ([(content.validation, "Validation")] if content.validation else [])
    groups = [("", [("index.html", "Overview")]), ("Datasheets", sheets), ("Models", models), ("Tables", tables)]
    return [group for group in [*groups, ("", rest)] if group[1]]


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
        for name in facts.tables()
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
        "declared": content.declared,
        "linked": {sheet.subject: f"datasheet-{sheet.subject}.html" for sheet in content.sheets}
        | {card.sheet.subject: f"model-{card.name}.html" for card in content.cards},
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
        "reasons": _reasons(facts) if table == "rejects" else [],
        "has_sheet": any(sheet.subject == table for sheet in content.sheets),
    }


def _reasons(facts: Facts) -> list[tuple[str, str, Any]]:
    """(reason, meaning, how many messages) of all that there are."""
    counts = facts.below("clean.reasons")
    return [
        (reason, meaning, counts[reason].value if reason in counts else 0)
        for reason, meaning in schemas.REJECT_REASONS.items()
    ]


def _model(card: ModelCard, others: Sequence[ModelCard]) -> dict[str, Any]:
    return {
        "page": f"model-{card.name}.html",
        "card": card,
        "others": others,
        "sections": list(card.sheet.sections()),
        "better": FIGURES,
        "figures": figures.of_model(card, others),
        "words": figures.of_words(card),
    }
