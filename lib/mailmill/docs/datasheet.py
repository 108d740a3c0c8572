"""Sheets of answers: a table's datasheet and a model's card, each question measured, declared, not applicable,
stale or unanswered.

The 57 questions of a datasheet are Gebru et al.'s, "Datasheets for Datasets" (arXiv:1803.09010v8, CACM 64(12), 2021),
word for word in `data/questions.toml`; the prompts of a model card are those of Mitchell et al., "Model Cards for Model
Reporting" (FAT* 2019), in its nine sections. What can be measured is measured, anew for every version of the data;
what a person declared stands for as long as the facts it rests on. A measured answer may carry a person's remark.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, Literal, get_args

from mailmill.config import ModelName
from mailmill.docs import answers, declared
from mailmill.docs.declared import Change, Declaration, Declarations
from mailmill.docs.facts import Fact, Facts
from mailmill.storage.filesystems import Storage

#: Tables that a person would reuse: each has a datasheet.
WITH_SHEET = ("raw", "clean", "features")
Kind = Literal["datasheet", "model_card"]
#: The file of questions, and the paper they are from.
SOURCES: dict[Kind, tuple[str, str]] = {
    "datasheet": ("questions.toml", "arXiv:1803.09010v8"),
    "model_card": ("model_card.toml", "arXiv:1810.03993v2"),
}
#: What each sheet may be of.
SUBJECTS: dict[Kind, tuple[str, ...]] = {"datasheet": WITH_SHEET, "model_card": get_args(ModelName)}
Status = Literal["measured", "declared", "not applicable", "stale", "unanswered"]
STATUSES: tuple[Status, ...] = ("measured", "declared", "not applicable", "stale", "unanswered")


@dataclass(frozen=True)
class Question:
    """One question. `measured`: templates by table, or for "any"; `people`: only if the data relates to people."""

    id: str
    section: str
    text: str
    more: str
    people: bool
    measured: dict[str, tuple[str, ...]]

    def templates(self, table: str) -> tuple[str, ...]:
        """Ways to answer it from facts, the best first."""
        return self.measured.get(table) or self.measured.get("any", ())


@dataclass(frozen=True)
class Answer:
    """A question's answer for one table. `facts`: what a measured one rests on; `changes`: why one is stale."""

    question: Question
    status: Status
    text: str
    facts: tuple[Fact, ...] = ()
    who: str = ""
    date: str = ""
    changes: tuple[Change, ...] = ()
    remark: Answer | None = None


@dataclass(frozen=True)
class Sheet:
    """All answers for one table or model, in the paper's order. `subject`: "raw", or "models.forest"."""

    subject: str
    standard: str
    version: str
    fingerprint: str
    answers: tuple[Answer, ...]

    def sections(self) -> Iterator[tuple[str, list[Answer]]]:
        """The seven sections with their answers."""
        for name, group in groupby(self.answers, key=lambda answer: answer.question.section):
            yield name, list(group)

    def counts(self) -> dict[Status, int]:
        """How many answers have each status."""
        found = Counter(answer.status for answer in self.answers)
        return {status: found[status] for status in STATUSES}

    def having(self, *statuses: str) -> list[Answer]:
        """The answers of these statuses; a stale remark on a measured answer counts as stale."""
        flat = [part for answer in self.answers for part in (answer, answer.remark) if part]
        return [answer for answer in flat if answer.status in statuses]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; facts by name, see facts.json."""
        return {
            "format": "mailmill.sheet",
            "standard": self.standard,
            "subject": self.subject,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "counts": self.counts(),
            "answers": [_plain(answer) for answer in self.answers],
        }


@cache
def questions(kind: Kind = "datasheet") -> tuple[Question, ...]:
    """The questions in the paper's order."""
    content = files("mailmill.docs").joinpath("data", SOURCES[kind][0]).read_text(encoding="utf-8")
    return tuple(
        Question(
            id=entry["id"],
            section=entry["section"],
            text=entry["text"],
            more=entry.get("more", ""),
            people=entry.get("people", False),
            measured={table: tuple(ways) for table, ways in entry.get("measured", {}).items()},
        )
        for entry in tomllib.loads(content)["question"]
    )


def read_declarations(storage: Storage, folder: str, kind: Kind = "datasheet") -> Declarations:
    """`datasheet.toml` or `model_card.toml` in `folder`, checked; nothing where there is none.

    Raises ConfigError for what is wrong in it.
    """
    document, origin = declared.read(storage, folder, f"{kind}.toml")
    return declared.parse(document, origin, {question.id for question in questions(kind)}, SUBJECTS[kind])


def build(facts: Facts, declarations: Declarations) -> list[Sheet]:
    """The datasheet of each table that is published and that a person would reuse."""
    return [sheet for table in WITH_SHEET if (sheet := _sheet("datasheet", table, facts, declarations))]


def build_cards(facts: Facts, declarations: Declarations) -> list[Sheet]:
    """The card of each model that is published."""
    subjects = sorted({".".join(fact.name.split(".")[:2]) for fact in facts if fact.table.startswith("models/")})
    return [sheet for subject in subjects if (sheet := _sheet("model_card", subject, facts, declarations))]


def failures(sheets: Sequence[Sheet], fail_on: Sequence[str]) -> list[str]:
    """A line for each answer whose status must not be, with the reason."""
    lines = []
    for sheet in sheets:
        for answer in sheet.having(*fail_on):
            why = "; ".join(map(str, answer.changes)) or answer.question.text
            lines.append(f"{sheet.subject} {answer.question.id}: {answer.status} ({why})")
    return lines


def _sheet(kind: Kind, subject: str, facts: Facts, declarations: Declarations) -> Sheet | None:
    fingerprint = facts.get(f"{subject}.fingerprint")
    if fingerprint is None:
        return None
    beside = facts.beside(subject)
    found = tuple(_answer(question, subject, facts, beside, declarations) for question in questions(kind))
    return Sheet(subject, SOURCES[kind][1], facts.version, str(fingerprint.value), found)


def _answer(question: Question, subject: str, facts: Facts, beside: Facts, declarations: Declarations) -> Answer:
    declaration = declarations.answer(subject.removeprefix("models."), question.id)
    said = _declared(question, declaration, facts) if declaration else None
    measured = answers.fill(question.templates(subject), beside, subject)
    if measured is not None:
        return Answer(question, "measured", measured.text, measured.facts, remark=said)
    return said or Answer(question, "unanswered", "Nobody has answered this question, and it cannot be measured.")


def _declared(question: Question, declaration: Declaration, facts: Facts) -> Answer:
    changes = declaration.changes(facts)
    status: Status = "stale" if changes else "declared" if declaration.applies else "not applicable"
    return Answer(question, status, declaration.text, (), declaration.who, declaration.date, changes)


def _plain(answer: Answer) -> dict[str, Any]:
    plain: dict[str, Any] = {"question": answer.question.id, "status": answer.status, "text": answer.text}
    if answer.facts:
        plain["facts"] = [fact.name for fact in answer.facts]
    if answer.who:
        plain |= {"who": answer.who, "date": answer.date}
    if answer.changes:
        plain["changes"] = [asdict(change) for change in answer.changes]
    if answer.remark:
        plain["remark"] = _plain(answer.remark)
    return plain
