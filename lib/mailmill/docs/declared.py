"""What people declare: `data_docs/datasheet.toml` and `data_docs/model_card.toml`, read and checked.

Measurement cannot know why data was collected or who may use it; people can, for the data that they know. So
each declaration says who made it, when, and on which facts it rests. When one of these facts has another value
than it had then, the declaration is stale: it may still be true, but nobody has said so of this data.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailmill.docs.facts import Facts, plain
from mailmill.errors import ConfigError
from mailmill.storage.filesystems import Storage, join

EVERY = "all"
_WORDS = {str: "a text", list: "a list", dict: "a table", datetime.date: "a date"}
_FILE = {"about": dict, "signed": dict, "depends_on": dict, "answer": list}
_ABOUT = dict.fromkeys(("name", "description", "license", "license_name", "creator", "url", "cite_as", "task"), str)
_SIGNED = {"who": str, "date": datetime.date}
_ANSWER = {**_SIGNED, "question": str, "text": str, "not_applicable": str, "only": list, "depends_on": dict}


@dataclass(frozen=True)
class Change:
    """A fact that is not what it was when a declaration was made; `now` is None where it is unknown today."""

    fact: str
    then: str
    now: str | None

    def __str__(self) -> str:
        return f"{self.fact} was {self.then}, is {self.now if self.now is not None else 'unknown'}"


@dataclass(frozen=True)
class Declaration:
    """One answer by a person. `applies` is False for "not applicable", `text` then being the reason."""

    text: str
    who: str
    date: str
    depends_on: Mapping[str, str]
    applies: bool = True

    def changes(self, facts: Facts) -> tuple[Change, ...]:
        """Facts it depends on that have changed since; none while it is fresh."""
        return _changed(self.depends_on, facts)


@dataclass(frozen=True)
class Declarations:
    """A file of declarations: what holds for the whole (`about`), and answers by (table or model, question).

    depends_on: what `about` rests on, as all answers do.
    """

    about: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Declaration] = field(default_factory=dict)
    depends_on: Mapping[str, str] = field(default_factory=dict)

    def changes(self, facts: Facts) -> tuple[Change, ...]:
        """Facts that the whole depends on that have changed since: it is about other data then."""
        return _changed(self.depends_on, facts)

    def answer(self, subject: str, question: str) -> Declaration | None:
        """The answer for that table or model, else the one for all."""
        return self.answers.get((subject, question)) or self.answers.get((EVERY, question))


def read(storage: Storage, folder: str, name: str) -> tuple[dict[str, Any], str]:
    """The parsed TOML file `name` in `folder` and its address; empty where there is none.

    Raises ConfigError where it is not TOML.
    """
    uri = join(folder, name)
    if not storage.exists(uri):
        return {}, uri
    try:
        return tomllib.loads(storage.read(uri).decode()), uri
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{uri} cannot be read: {error}") from None


def parse(document: Mapping[str, Any], origin: str, known: set[str], subjects: Sequence[str]) -> Declarations:
    """Check a parsed file: `about`, `signed` and `depends_on` (for `about` and all answers), and [[answer]].

    An answer has question, text or not_applicable, and may have who, date and depends_on of its own, and `only`: the
    tables or models it is for, among `subjects`.

    Raises:
        ConfigError: every problem of the file in one report, each with its key.
    """
    problems: list[str] = []
    document = _checked(document, _FILE, "", problems)
    about = _checked(document.get("about", {}), _ABOUT, "about: ", problems)
    signed = _checked(document.get("signed", {}), _SIGNED, "signed: ", problems)
    shared = _rests_on(document, "", problems)
    answers: dict[tuple[str, str], Declaration] = {}
    for number, given in enumerate(document.get("answer", []), 1):
        if not isinstance(given, dict):
            problems.append(f"answer {number}: must be a table, [[answer]], not {given!r:.60}")
            continue
        where = f"answer {number} ({given.get('question', 'without a question')!s:.60})"
        entry = _checked(given, _ANSWER, f"{where}: ", problems)
        if entry.get("question") not in known:
            problems.append(f"{where}: there is no such question")
        if ("text" in given) == ("not_applicable" in given):
            problems.append(f"{where}: give text or not_applicable")
        who, date = entry.get("who", signed.get("who")), entry.get("date", signed.get("date"))
        if not who or not isinstance(date, datetime.date):
            problems.append(f"{where}: who declares it, and on which date? Set both here or under [signed]")
        depends = {**shared, **_rests_on(entry, f"{where}: ", problems)}
        declaration = Declaration(
            text=str(entry.get("text", entry.get("not_applicable", ""))).strip(),
            who=str(who),
            date=str(date),
            depends_on=depends,
            applies="text" in entry,
        )
        for subject in entry.get("only", [EVERY]) or [""]:
            if subject not in (EVERY, *subjects):
                problems.append(f"{where}: only must name one of {', '.join(subjects)}, not {subject!r:.60}")
            elif (subject, entry.get("question")) in answers:
                problems.append(f"{where}: answered twice for {subject}")
            else:
                answers[subject, str(entry.get("question"))] = declaration
    if problems:
        raise ConfigError(f"{origin}: {len(problems)} problem(s)\n" + "\n".join(f"  {p}" for p in problems))
    return Declarations(about, answers, shared)


def _rests_on(given: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, str]:
    """The facts under depends_on, with their values as text."""
    kept = {}
    for name, value in given.get("depends_on", {}).items():
        if isinstance(value, dict | list):
            problems.append(
                f"{where}depends_on: {name} must be a fact's name in quotes and its value, not {value!r:.60}"
            )
        else:
            kept[name] = plain(value)
    return kept


def _changed(depends_on: Mapping[str, str], facts: Facts) -> tuple[Change, ...]:
    now = {name: facts.state(name) for name in depends_on}
    return tuple(Change(name, then, now[name]) for name, then in depends_on.items() if now[name] != then)


def _checked(given: Mapping[str, Any], kinds: Mapping[str, type], where: str, problems: list[str]) -> dict[str, Any]:
    """What is of its key's type, and no blank; the rest is named among the problems."""
    kept = {}
    for key, value in given.items():
        if key not in kinds:
            problems.append(f"{where}unknown key {key!r}; known: {', '.join(kinds)}")
        elif not isinstance(value, kinds[key]):
            problems.append(f"{where}{key} must be {_WORDS[kinds[key]]}, not {value!r:.60}")
        elif isinstance(value, str) and not value.strip():
            problems.append(f"{where}{key} is blank: fill it in, or leave it out")
        else:
            kept[key] = value
    return kept
