"""The lineage of tables as a drawing: what was made from what, laid out in columns from the mail to the scores."""

from __future__ import annotations

from dataclasses import dataclass

from mailmill.docs.answers import count
from mailmill.docs.facts import Facts

#: Names of inputs that are no tables, for people.
OUTSIDE = {"objects": "mail", "source": "label file", "vectors": "word vectors"}
#: Outputs beside a table proper that have no box of their own.
UNDRAWN = ("raw_rejects",)
BOX, GAP, ROW, HIGH = 118, 45, 64, 46


@dataclass(frozen=True)
class Box:
    """A table or an input, drawn at (x, y), its upper left corner."""

    name: str
    note: str
    x: int
    y: int
    inside: bool


@dataclass(frozen=True)
class Lineage:
    """The drawing: boxes, curves as SVG paths, its size; and the same as (made, from) in words."""

    boxes: list[Box]
    paths: list[str]
    width: int
    height: int
    words: list[tuple[str, str]]


def draw(facts: Facts) -> Lineage:
    """Each table stands one column to the right of the last of what it was made from, an input one to the left of the
    first that is made of it; curves join them."""
    parents: dict[str, list[str]] = {}
    for fact in facts:
        if fact.name == f"{fact.table.replace('/', '.')}.made_from" and fact.table not in UNDRAWN:
            names = [name for name in str(fact.value).split(", ") if name not in UNDRAWN]
            parents[fact.table] = [OUTSIDE.get(name, name) for name in names]
    depths: dict[str, int] = {}
    for name in parents:
        _depth(name, parents, depths)
    for name in depths.keys() - parents.keys():  # right before what is made of it: its curves cross no other box
        depths[name] = min(depths[made] for made, of in parents.items() if name in of) - 1
    columns: dict[int, list[str]] = {}
    for name, depth in depths.items():
        columns.setdefault(depth, []).append(name)
    tallest = max(map(len, columns.values()))
    places: dict[str, tuple[int, int]] = {}
    for depth, names in sorted(columns.items()):
        top = (tallest - len(names)) * ROW // 2
        names.sort(key=lambda name: (_height(name, parents, places), name))
        for row, name in enumerate(names):
            places[name] = (4 + depth * (BOX + GAP), 4 + top + row * ROW)
    boxes = [Box(_title(name), _note(name, facts), *place, name in parents) for name, place in places.items()]
    paths = [_curve(places[parent], places[name]) for name, made_from in parents.items() for parent in made_from]
    words = [(_title(name), ", ".join(map(_title, made_from))) for name, made_from in parents.items()]
    return Lineage(boxes, paths, max(columns) * (BOX + GAP) + BOX + 8, tallest * ROW, words)


def _title(name: str) -> str:
    return name.removeprefix("models/")


def _depth(name: str, parents: dict[str, list[str]], depths: dict[str, int]) -> int:
    if name not in depths:
        depths[name] = 1 + max((_depth(p, parents, depths) for p in parents.get(name, [])), default=-1)
    return depths[name]


def _height(name: str, parents: dict[str, list[str]], places: dict[str, tuple[int, int]]) -> float:
    """Where its parents stand on the average, so that curves cross less."""
    found = [places[p][1] for p in parents.get(name, []) if p in places]
    return sum(found) / len(found) if found else 0.0


def _note(name: str, facts: Facts) -> str:
    rows = facts.get(f"{name}.rows")
    if rows is not None:
        return count(int(rows.value), "row")
    if name == "mail" and (objects := facts.get("input.objects")):
        return count(int(objects.value), "object")
    return "model" if name.startswith("models/") else "input"


def _curve(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1, x2, y2 = start[0] + BOX, start[1] + HIGH // 2, end[0], end[1] + HIGH // 2
    bend = GAP * 0.6
    return f"M{x1} {y1} C{x1 + bend:.0f} {y1} {x2 - bend:.0f} {y2} {x2} {y2}"
