"""What greetings, sign-offs, reply headers and footers look like, as data: one TOML table a language.

The logic of the cleaner never mentions a language. It asks this module "is this line a greeting?" and
gets the name of the rule that says so ("greeting.de.2": the third entry of the German list) or ''.
All languages are tried on every mail, because people mix them. A table's entries are regular-expression
fragments over one stripped, lower-cased line with straight apostrophes; the anchors and what may follow
a fragment are supplied here, bounded, so that every match takes time linear in the line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from mailmill.email.matching import Fragment, Matcher

#: One table a language; the order decides which rule's name is reported when several agree.
LANGUAGES: Final = ("en", "de", "fr", "es", "pt", "it", "nl")

#: The longest line that a pattern is tried on; what people type as a greeting or a banner is shorter.
MAX_LINE: Final = 400

# Names after a greeting or a sign-off: words parted by blanks or commas, each bounded.
_MANY_NAMES: Final = r"(?:[ ,/]{1,3}[^\s,!?:;/]{1,24}){0,7}"
_FEW_NAMES: Final = r"(?:[ ,/]{1,3}[^\s,!?:;/]{1,24}){0,3}"
_ENDS: Final = r"[\s.!,;:~*)(=–—-]{0,8}"

# What a number is called in any language, and the number with its letters: "no. 4711", "reference: QX7T2L".
_NUMBER: Final = (
    r"[ .:#°º(-]{0,4}(?:(?:(?:number|no|nr|num|id|code|ref|reference|account|card|nummer|num[ée]ro|número|nro)\b|"
    r"n[°º]?(?![a-z]))[ .:#°º(-]{0,4}){0,2}(?:[a-z]{1,4}[ /-]?)?\d"
)

# How a kind's fragments are closed; § stands for the fragment.
_SHAPES: Final = {
    "greeting": rf"(?:§)(?:{_MANY_NAMES}[\s.]{{0,3}}(?:[,!:;–—-]|\.\.){_ENDS}|{_FEW_NAMES}[\s.!)(]{{0,4}})$",
    "thanks": rf"(?:§)(?:{_ENDS}|\s?[.!,;:–—-]{{1,4}}[\s–—-]{{0,3}}\S{{1,24}}(?: \S{{1,24}}){{0,4}}|\s\S{{1,24}})$",
    "signoff": rf"(?:§)(?:{_ENDS}|[\s.!,;:–—-]{{1,6}}\S{{1,24}}(?: \S{{1,24}}){{0,3}})$",
    "signoff_alone": rf"(?:§){_ENDS}$",
    "closing": r"(?:§)$",
    "attribution": r"(?:§)\s{0,3}[*_]?$",
    "banner": r"(?:§)\W{0,3}$",
    "forward": r"(?:§)\W{0,3}$",
    "disclaimer": r"(?:§)",
    "caution": r"(?:§)",
    "tag": r"(?:§)[^\w:]{0,8}$",
    "mobile": r"(?:§)\W{0,3}$",
    "footer": r"(?:§)",
    "topic": r"(?:§)",
    "register": r"(?:§)",
    "contact": r"(?:§)(?:\s?[#.:/(|-]|\s(?:no|nr|n°)?\.?:?\s{0,3}[+(\d])",
    "desk": r"(?:§)",
    "postscript": r"(?:§)(?:[\s:.,–—-]|$)",
    "reference": rf"(?:§)\b{_NUMBER}",
    "team": r"(?:§)$",
}

_KINDS: Final = {
    "greeting": "greetings",
    "thanks": "thanks",
    "signoff": "signoffs",
    "signoff_alone": "signoffs",
    "closing": "closings",
    "attribution": "attributions",
    "banner": "banners",
    "forward": "forward_banners",
    "disclaimer": "disclaimers",
    "caution": "cautions",
    "tag": "tags",
    "mobile": "mobile",
    "footer": "footers",
    "topic": "footer_topics",
    "register": "registers",
    "contact": "contacts",
    "desk": "desk_lines",
    "postscript": "postscripts",
    "reference": "references",
    "team": "teams",
}


@dataclass(frozen=True, slots=True)
class Patterns:
    """All tables, compiled. `matchers` by kind; `fields` maps a header's local name to (role, rule)."""

    matchers: Mapping[str, Matcher]
    fields: Mapping[str, tuple[str, str]]
    form_fields: frozenset[str]
    sent_fields: frozenset[str]
    groups: frozenset[str]
    interjections: frozenset[str]
    places: frozenset[str]
    breaking: frozenset[str]
    titles: frozenset[str]
    honorifics: frozenset[str]
    legal: re.Pattern[str]
    legal_weak: re.Pattern[str]
    notices: re.Pattern[str]
    gateway: re.Pattern[str]
    outside: re.Pattern[str]
    causes: re.Pattern[str]
    answers: Mapping[str, Sequence[str]]
    answered: tuple[str, ...]
    answering: frozenset[str]
    answers_inside: re.Pattern[str]
    hues: Mapping[str, re.Pattern[str]]
    replying: re.Pattern[str]
    devices: re.Pattern[str]
    excuses: re.Pattern[str]
    generated: re.Pattern[str]
    instructions: re.Pattern[str]
    first_person: Mapping[str, re.Pattern[str]]
    possessives: Mapping[str, re.Pattern[str]]
    stop_words: Mapping[str, tuple[str, ...]]
    sentence_words: frozenset[str]
    languages: tuple[str, ...]


def read_table(language: str) -> dict[str, Any]:
    """The TOML table of one language, as plain data."""
    text = resources.files(__package__).joinpath("patterns", f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def compile_tables(tables: Iterable[Mapping[str, Any]]) -> Patterns:
    """Compile language tables (as `read_table` gives them) into one `Patterns`."""
    tables = list(tables)
    matchers = {}
    for kind, key in _KINDS.items():
        shape = _SHAPES[kind]
        matchers[kind] = Matcher(
            kind,
            [
                Fragment(f"{kind}.{t['code']}.{i}", text, shape.replace("§", text))
                for t in tables
                for i, text in enumerate(t[key])
            ],
        )
    fields: dict[str, tuple[str, str]] = {}
    stop_words: dict[str, tuple[str, ...]] = {}
    for table in tables:
        code = table["code"]
        for role, names in table["fields"].items():
            for name in names:
                fields.setdefault(name, (role, f"field.{code}.{role}"))
        for word in table["stop_words"].split():
            stop_words[word] = (*stop_words.get(word, ()), code)
    return Patterns(
        matchers=matchers,
        fields=fields,
        form_fields=frozenset(name for t in tables for name in t["form_fields"]),
        sent_fields=frozenset(name for t in tables for name in t["sent_fields"]),
        groups=frozenset(word for t in tables for group in t["groups"] for word in group.split()),
        interjections=frozenset(word for t in tables for word in t["interjections"]),
        places=frozenset(word for t in tables for word in t["places"]),
        breaking=frozenset(word for t in tables for word in t["breaking"]),
        titles=frozenset(title for t in tables for title in t["titles"]),
        honorifics=frozenset(word for t in tables for word in t["honorifics"]),
        legal=_any_word([word for t in tables for word in t["legal"]]),
        legal_weak=_any_word([word for t in tables for word in t["legal_weak"]]),
        notices=_any_word([text for t in tables for text in t["notices"]]),
        gateway=_any_word([word for t in tables for word in t["gateway"]]),
        outside=_any_word([word for t in tables for word in t["outside"]]),
        causes=_any_word([rf"{word}\b" for t in tables for word in t["causes"]]),
        instructions=_any_word([word for t in tables for word in t["instructions"]]),
        answers=_by_stem([word for t in tables for word in t["answers"]]),
        answered=tuple(f" {word}" for t in tables for word in t["answered"]),
        answering=frozenset(word for t in tables for word in t["answering"]),
        answers_inside=_answers_inside(tables),
        hues={hue: _any_word([rf"{t['hues'][hue]}\b" for t in tables]) for hue in ("red", "green", "blue")},
        replying=_any_word([word for t in tables for word in t["replying"]]),
        devices=_any_word([word for t in tables for word in t["devices"]], re.IGNORECASE),
        excuses=_any_word([word for t in tables for word in t["excuses"]], re.IGNORECASE),
        generated=re.compile("|".join(f"(?:{text})$" for t in tables for text in t["generated"])),
        first_person={t["code"]: _any_word([rf"{word}\b" for word in t["first_person"]]) for t in tables},
        possessives={t["code"]: _any_word([rf"{word}\b" for word in t["possessives"]]) for t in tables},
        stop_words=stop_words,
        sentence_words=frozenset(word for t in tables for word in t["sentence_words"].split()),
        languages=tuple(t["code"] for t in tables),
    )


def _by_stem(words: Iterable[str], size: int = 5) -> dict[str, tuple[str, ...]]:
    """The words by their first characters, which languages share: one search for many."""
    found: dict[str, tuple[str, ...]] = {}
    for word in sorted({*words}):
        found[word[:size]] = (*found.get(word[:size], ()), word)
    return found


def _answers_inside(tables: Iterable[Mapping[str, Any]]) -> re.Pattern[str]:
    """Finds answers and, within the same sentence, where they stand."""
    answers = "|".join(word for t in tables for word in t["answers"])
    inside = "|".join(word for t in tables for word in [*t["inside"], *t["hues"].values()])
    return re.compile(rf"\b(?:{answers})\b[^.!?]{{0,40}}\b(?:{inside})\b")


def _any_word(beginnings: Sequence[str], flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Finds words that begin so."""
    return re.compile(rf"\b(?:{'|'.join(beginnings)})", flags)


PATTERNS: Final = compile_tables(read_table(language) for language in LANGUAGES)
