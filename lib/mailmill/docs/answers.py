"""From a template and facts to a sentence: the small language in which measured answers are written.

"{.rows} messages: {.splits|list}." names facts of the data; the sentence carries those facts with it, so that
a reader sees beside each answer which figures it rests on. A template whose facts are not all known gives
nothing, and the next one is tried; a passage in brackets whose facts are not known is left out alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailmill.docs.facts import Fact, Facts, Value, plain

PLACE = re.compile(r"\{([a-z_.0-9]+)(?:\|([a-z]+)|#([A-Za-z ]+)/([A-Za-z ]+))?\}")
#: A passage in brackets; splitting by it leaves such passages at the odd places.
OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
#: Facts below one name that are written out; the rest is counted.
LISTED = 12
#: What stands for an empty name, as where mails are counted by language and some have none.
UNNAMED = "(none)"


@dataclass(frozen=True)
class Sentence:
    """A text, and the facts that it names."""

    text: str
    facts: tuple[Fact, ...]


def fill(templates: Sequence[str], facts: Facts, table: str) -> Sentence | None:
    """The first template all of whose facts are known, with their values written in; None where there is none.

    {name}: the value, numbers grouped; {.name}: of `table`. Filters: plain, figure (three digits), percent, bytes,
    date (the day), list ("a 1, b 2" of the facts below a name, largest first), names (those names alone).
    {name#row/rows}: the number with the first noun where it is one, else the second.
    [A passage with {names}] is left out where it has a fact that is not known.
    """
    for template in templates:
        passages = [_filled(passage, facts, table) for passage in OPTIONAL.split(template)]
        if None not in passages[::2]:
            kept = [passage for passage in passages if passage]
            used = [fact for passage in kept for fact in passage.facts]
            return Sentence("".join(passage.text for passage in kept), tuple(dict.fromkeys(used)))
    return None


def _filled(passage: str, facts: Facts, table: str) -> Sentence | None:
    """A passage with its values; None where one is not known."""
    used: list[Fact] = []
    pieces: list[str] = []
    at = 0
    for place in PLACE.finditer(passage):
        name = table + place[1] if place[1].startswith(".") else place[1]
        written = _write(facts, name, place[2] or "", used)
        if written is None:
            return None
        if place[3]:
            written += f" {place[3] if used[-1].value == 1 else place[4]}"
        pieces += [passage[at : place.start()], written]
        at = place.end()
    return Sentence("".join([*pieces, passage[at:]]), tuple(used))


def _write(facts: Facts, name: str, how: str, used: list[Fact]) -> str | None:
    if how in ("list", "names"):
        found = facts.below(name)
        used += found.values()
        return _listed(found, values=how == "list") or None
    fact = facts.get(name)
    if fact is None:
        return None
    used.append(fact)
    return show(fact.value, how)


def _listed(found: dict[str, Fact], *, values: bool) -> str:
    rows = [(name or UNNAMED, fact) for name, fact in found.items()]
    if values and all(isinstance(fact.value, int) for _, fact in rows):
        rows.sort(key=lambda row: (-float(row[1].value), row[0]))
    rest = len(rows) - LISTED
    rows = rows if rest <= 1 else rows[:LISTED]
    shown = [f"{name} {show(fact.value)}" if values else name for name, fact in rows]
    return ", ".join(shown) + (f" and {rest} more" if rest > 1 else "")


def show(value: Value, how: str = "") -> str:
    """A value for people: 12,345; 3.46; 84.5 %, 0.05 %; 14.3 MiB; 2026-11-21."""
    if how == "percent" and isinstance(value, int | float):
        return f"{100 * value:.{2 if 0 < abs(value) < 0.01 else 1}f} %"
    if how == "bytes" and isinstance(value, int | float):
        return size(value)
    if how == "date":
        return str(value)[:10]
    if how == "figure" and isinstance(value, int | float):
        return f"{value:.3f}"
    if isinstance(value, bool) or how == "plain":
        return plain(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
    return value


def named(name: str) -> str:
    """A name of what is counted, also where it, or its last part, is empty: (none), train/(none)."""
    return name + UNNAMED if name.endswith(("/", ".")) or not name else name


def count(n: int, noun: str) -> str:
    """So many of them: 1 message, 12,345 messages."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def size(n: float) -> str:
    """Bytes in the largest unit that leaves a number of at least one."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    step = 0
    while n >= 1024 and step < len(units) - 1:
        n, step = n / 1024, step + 1
    return f"{n:.0f} {units[step]}" if step == 0 else f"{n:.1f} {units[step]}"
