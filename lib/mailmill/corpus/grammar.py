"""Customer mail out of sentence lists: the text source that needs no data.

A mail is a plan (how many sentences, of which sort) filled from `data/grammar.toml`. What decides
the label is the outcome told, not single words: complaints thank, praise complains first, and
negation, contrast, competitors and dry politeness share their words with the other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mailmill.corpus.data import table
from mailmill.corpus.draw import Draw

LABELS = ("neg", "pos")

#: Words that the whole conversation shares, and values that are made rather than picked.
Facts = Mapping[str, str]
Template = tuple[Any, ...]  # literals (str) alternating with the names (str) of slots

# How a mail argues: the weight of each sort of sentence that carries the outcome, by label.
_CARRIERS = {
    "pos": (
        ("praise", 40),
        ("resolved", 22),
        ("thanks", 16),
        ("negated_bad", 9),
        ("contrast_pos", 9),
        ("sorry_in_praise", 4),
        ("competitor_blame", 4),
        ("irony_pos", 3),
    ),
    "neg": (
        ("blame", 40),
        ("unresolved", 22),
        ("demands", 16),
        ("negated_good", 9),
        ("contrast_neg", 9),
        ("thanks_in_complaint", 4),
        ("competitor_praise", 4),
        ("sarcasm", 3),
    ),
}
# The rest of the mail. Whoever is content tells less about what broke.
_FILLERS = {
    "pos": (("facts", 32), ("problems", 18), ("mixed", 22), ("questions", 14)),
    "neg": (("facts", 30), ("problems", 32), ("mixed", 20), ("questions", 14)),
}
# Sentence counts 1..15, most mails short.
_LENGTHS = (3, 4, 7, 10, 12, 13, 12, 11, 8, 6, 5, 4, 3, 1, 1)


@dataclass(frozen=True)
class _Sentences:
    slots: dict[str, tuple[Template, ...]]
    sorts: dict[str, tuple[Template, ...]]


@cache
def _sentences() -> _Sentences:
    source = table("grammar")
    slots = {name: tuple(_compile(text) for text in texts) for name, texts in source["slots"].items()}
    sorts = {name: tuple(_compile(text) for text in texts) for name, texts in source["sentences"].items()}
    sorts |= {f"agent/{name}": tuple(map(_compile, texts)) for name, texts in source["agent"].items()}
    sorts |= {f"subject/{name}": tuple(map(_compile, texts)) for name, texts in source["subjects"].items()}
    return _Sentences(slots, sorts)


def _compile(text: str) -> Template:
    """Cut "The {part} broke." into ("The ", "part", " broke."): even places are literal, odd ones slots."""
    return tuple(piece for chunk in text.split("{") for piece in chunk.split("}"))


def facts(draw: Draw) -> dict[str, str]:
    """The fixed points of one conversation: product, part, shop, competitor, agent, numbers and dates."""
    slots = _sentences().slots
    fixed = {name: draw.pick(slots[name])[0] for name in ("product", "part", "shop", "competitor", "agent", "colour")}
    fixed["order"] = f"{draw.pick('ABKMX')}{draw.between(10000, 9999999)}"
    fixed["customer"] = str(draw.between(100000, 999999))
    fixed["serial"] = f"{draw.hex(4).upper()}-{draw.between(1000, 9999)}"
    fixed["price"] = f"{draw.pick('€$£')}{draw.between(9, 899)}.{draw.pick(('00', '50', '90', '99'))}"
    fixed["year"] = str(draw.between(2005, 2022))
    return fixed


def _fill(template: Template, draw: Draw, fixed: Facts) -> str:
    if len(template) == 1:
        return str(template[0])
    slots = _sentences().slots
    pieces = list(template)
    for place in range(1, len(pieces), 2):
        name = pieces[place]
        value = fixed.get(name)
        if value is None:
            value = _date(draw) if name == "date" else _fill(draw.pick(slots[name]), draw, fixed)
        pieces[place] = value
    return "".join(pieces)


def _date(draw: Draw) -> str:
    day, month = draw.between(1, 28), draw.below(12)
    names = table("envelopes")["en"]["months"]
    style = draw.below(3)
    if style == 0:
        return f"{day} {names[month]}"
    return f"{names[month]} {day}" if style == 1 else f"{day:02d}/{month + 1:02d}"


def _sentence(sort: str, draw: Draw, fixed: Facts, used: set[Template] | None = None) -> str:
    """A sentence of `sort`; a template in `used` is drawn again, a few times at most."""
    template = draw.pick(_sentences().sorts[sort])
    if used is not None:
        for _ in range(4):
            if template not in used:
                break
            template = draw.pick(_sentences().sorts[sort])
        used.add(template)
    text = _fill(template, draw, fixed)
    return text[0].upper() + text[1:]


def _sort(sorts: tuple[tuple[str, int], ...], draw: Draw) -> str:
    return sorts[draw.weighted([weight for _, weight in sorts])][0]


def _plan(label: str, length: int, draw: Draw) -> list[str]:
    """The sorts of a mail's sentences, in order. At least one carries the outcome."""
    carriers = max(1, (length * draw.between(40, 80) + 50) // 100)
    chosen = [_sort(_CARRIERS[label], draw) for _ in range(carriers)]
    fillers = [_sort(_FILLERS[label], draw) for _ in range(length - carriers)]
    if fillers and draw.chance(0.35):
        fillers[-1] = f"closings_{label}"
    # Facts and problems tend to come first; the outcome is told in the middle or at the end.
    opening = [sort for sort in fillers if sort in ("facts", "problems")]
    rest = [sort for sort in fillers if sort not in ("facts", "problems")]
    order = opening + chosen
    for sort in rest:
        place = len(order) if sort.startswith("closings") else draw.below(len(order) + 1)
        order.insert(place, sort)
    return order


def customer_paragraphs(label: str, draw: Draw, fixed: Facts, longest: int = 15) -> list[str]:
    """Paragraphs of one customer's mail whose outcome is `label` ("neg" or "pos"), 1 to `longest` sentences."""
    length = min(longest, 1 + draw.weighted(_LENGTHS))
    used: set[Template] = set()
    sentences = [_sentence(sort, draw, fixed, used) for sort in _plan(label, length, draw)]
    paragraphs = _paragraphs(sentences, draw)
    if draw.chance(0.15):
        paragraphs = [_mistype(text, draw) for text in paragraphs]
    return paragraphs


def agent_paragraphs(good_news: bool, draw: Draw, fixed: Facts) -> list[str]:
    """Paragraphs of a support agent's reply, 2 to 5 sentences."""
    news = "agent/good_news" if good_news else "agent/bad_news"
    sorts = ["agent/opening"] + [news] * draw.between(1, 3)
    if draw.chance(0.6):
        sorts.append("agent/closing")
    used: set[Template] = set()
    return _paragraphs([_sentence(sort, draw, fixed, used) for sort in sorts], draw)


def subject(draw: Draw, fixed: Facts, kind: str = "customer") -> str:
    """A subject line that does not tell the label; `kind` "neutral" fits any text."""
    return _sentence(f"subject/{kind}", draw, fixed)


def _paragraphs(sentences: list[str], draw: Draw) -> list[str]:
    """Join sentences into paragraphs of one to five."""
    paragraphs, start = [], 0
    while start < len(sentences):
        size = draw.between(1, 5)
        paragraphs.append(" ".join(sentences[start : start + size]))
        start += size
    return paragraphs


def _mistype(text: str, draw: Draw) -> str:
    """A hurried typist: two letters swapped or one lost in some long words, a small "i", no apostrophes."""
    words = text.split(" ")
    for place, word in enumerate(words):
        if word == "I" and draw.chance(0.4):
            words[place] = "i"
        elif len(word) > 5 and word.isalpha() and draw.chance(0.06):
            cut = draw.between(1, len(word) - 3)
            words[place] = (
                word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
                if draw.chance(0.5)
                else word[:cut] + word[cut + 1 :]
            )
    return " ".join(words).replace("'", "")
