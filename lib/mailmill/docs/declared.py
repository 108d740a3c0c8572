"""What people declare: `data_docs/datasheet.toml` and `data_docs/model_card.toml`, read and checked.

Measurement cannot know why data was collected or who may use it; people can, for the data that they know. So
each declaration says who made it, when, and on which facts it rests. When one of these facts has another value
than it had then, the declaration is stale: it may still be true, but nobody has said so of this data.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mailmill.docs.facts import Facts, plain
from mailmill.errors import ConfigError
from mailmill.storage.filesystems import Storage, join

EVERY = "all"


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
        now = {name: facts.state(name) for name in self.depends_on}
        return tuple(Change(name, then, now[name]) for name, then in self.depends_on.items() if now[name] != then)


@dataclass(frozen=True)
class Declarations:
    """A file of declarations: what holds for the whole (`about`), and answers by (table or model, question)."""

    about: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Declaration] = field(default_factory=dict)

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


def parse(document: Mapping[str, Any], origin: str, known: set[str]) -> Declarations:
    """Check a parsed file: `about`, `signed` and `depends_on` (for all answers), and [[answer]] tables.

    An answer has question, text or not_applicable, and may have who, date and depends_on of its own, and `only`: the
    tables or models it is for.

    Raises:
        ConfigError: every problem of the file in one report.
    """
    problems = [
        f"unknown section {name!r}" for name in document if name not in ("about", "signed", "depends_on", "answer")
    ]
    about = {str(k): str(v) for k, v in dict(document.get("about", {})).items()}
    signed, shared = dict(document.get("signed", {})), dict(document.get("depends_on", {}))
    answers: dict[tuple[str, str], Declaration] = {}
    for number, entry in enumerate(document.get("answer", []), 1):
        where = f"answer {number} ({entry.get('question', 'without a question')})"
        unknown = set(entry) - {"question", "text", "not_applicable", "only", "who", "date", "depends_on"}
        problems += [f"{where}: unknown key {key!r}" for key in sorted(unknown)]
        if entry.get("question") not in known:
            problems.append(f"{where}: there is no such question")
        if ("text" in entry) == ("not_applicable" in entry):
            problems.append(f"{where}: give text or not_applicable")
        who, date = entry.get("who", signed.get("who")), entry.get("date", signed.get("date"))
        if not who or not isinstance(date, datetime.date):
            problems.append(f"{where}: who declares it, and on which date? Set both here or under [signed]")
        depends = {**shared, **entry.get("depends_on", {})}
        declaration = Declaration(
            text=str(entry.get("text", entry.get("not_applicable", ""))).strip(),
            who=str(who),
            date=str(date),
            depends_on={str(name): plain(value) for name, value in depends.items()},
            applies="text" in entry,
        )
        for subject in entry.get("only", [EVERY]):
            if (subject, entry.get("question")) in answers:
                problems.append(f"{where}: answered twice for {subject}")
            answers[subject, str(entry.get("question"))] = declaration
    if problems:
        raise ConfigError(f"{origin}: {len(problems)} problem(s)\n" + "\n".join(f"  {p}" for p in problems))
    return Declarations(about, answers)
