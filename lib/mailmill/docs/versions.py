"""Versions of the documentation that stay, and what changed between two of them, in words and figures.

Every build keeps the facts and answers of its version of the data as `docs/versions/<id>.json` in the workspace, some
200 KB that outlive the tables, so that a question about last month's data has an answer; `docs.versions` of them, for
each build reads all. Senders' domains are left out: what has left the tables shall not stand here. A version's id is a
hash of its facts, so building twice from the same data keeps one file. One that cannot be read is left out, with a
warning: what is kept beside a night's tables ends no night.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mailmill.docs.answers import show
from mailmill.docs.datasheet import Sheet
from mailmill.docs.facts import Fact, Facts, Value, plain, stable
from mailmill.docs.gathering import shown
from mailmill.errors import DataError, InfrastructureError
from mailmill.storage.filesystems import join
from mailmill.storage.refused import of_one_object
from mailmill.storage.tables import Workspace

log = logging.getLogger("mailmill")
FORMAT, FOLDER = "mailmill.facts", "docs/versions"
LATEST, PREVIOUS = "latest", "previous"


@dataclass(frozen=True)
class Version:
    """What builds of one version kept: when the first and the last of them was, facts by name, and status and text of
    each answer by "subject question"."""

    id: str
    created: str
    built: str
    facts: dict[str, Fact]
    answers: dict[str, tuple[str, str]]

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each table."""
        found = {name: fact.value for name, fact in self.facts.items() if name.count(".") == 1}
        return {n.split(".")[0]: int(v) for n, v in found.items() if n.endswith(".rows") and isinstance(v, int)}


@dataclass(frozen=True)
class Difference:
    """One thing that two versions do not share. `before` or `after` is None where only one has it."""

    name: str
    before: Value | None
    after: Value | None

    @property
    def words(self) -> str:
        """The difference as a sentence."""
        if self.before is None:
            return f"{self.name} is new: {show('' if self.after is None else self.after)}"
        if self.after is None:
            return f"{self.name} is gone (was {show(self.before)})"
        text = f"{self.name}: {show(self.before)} → {show(self.after)}"
        if isinstance(self.before, int | float) and isinstance(self.after, int | float):
            step = self.after - self.before
            text += f" ({'+' if step > 0 else ''}{show(step)}"
            text += f", {100 * step / abs(self.before):+.1f} %)" if self.before else ")"
        return text


def document(facts: Facts, sheets: Sequence[Sheet], built: str) -> dict[str, Any]:
    """facts.json: every measured fact, and the answers of the datasheets, ready for JSON."""
    return {
        "format": FORMAT,
        "version": facts.version,
        "created": built,
        "built": built,
        "facts": [asdict(fact) for fact in facts],
        "answers": {
            f"{sheet.subject} {answer.question.id}": [answer.status, answer.text]
            for sheet in sheets
            for answer in sheet.answers
        },
    }


def keep(workspace: Workspace, found: dict[str, Any], most: int) -> list[Version]:
    """Keep `document`'s result among the versions, `most` of them; `created`, the date of its first build, stays.

    The versions that are kept, as `listed` has them.
    """
    folder = join(workspace.root, FOLDER)
    uri = join(folder, f"{found['version']}.json")
    found = {**found, "facts": [fact for fact in found["facts"] if not _of_sender(fact["name"])]}
    if workspace.storage.exists(uri) and (before := _read(workspace, uri)):
        found["created"] = before.created
    workspace.storage.write(uri, (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())
    known = listed(workspace)
    for version in known[:-most]:
        workspace.storage.delete(join(folder, f"{version.id}.json"))
    return known[-most:]


def forget(workspace: Workspace) -> None:
    """Take out of the versions that are kept what earlier builds kept and may name a person."""
    folder = join(workspace.root, FOLDER)
    for name in workspace.storage.children(folder):
        uri = join(folder, name)
        if name.endswith(".json") and _read(workspace, uri):
            found = json.loads(workspace.storage.read(uri))
            lasting = [fact for fact in found["facts"] if not _of_sender(fact["name"])]
            if len(lasting) < len(found["facts"]):
                found["facts"] = lasting
                workspace.storage.write(uri, (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())


def listed(workspace: Workspace) -> list[Version]:
    """The versions that are kept, the one built last at the end."""
    folder = join(workspace.root, FOLDER)
    names = [name for name in workspace.storage.children(folder) if name.endswith(".json")]
    found = [version for name in names if (version := _read(workspace, join(folder, name)))]
    return sorted(found, key=lambda version: (version.built, version.id))


def find(versions: Sequence[Version], name: str) -> Version:
    """The version whose id starts with `name`; "latest" and "previous" are the last two.

    Raises DataError where there is none, or more than one.
    """
    if name in (LATEST, PREVIOUS):
        place = -1 if name == LATEST else -2
        if len(versions) < -place:
            raise DataError(f"there is no {name} version", hint="`mailmill docs versions` lists them")
        return versions[place]
    found = [version for version in versions if version.id.startswith(name)]
    if len(found) != 1:
        known = ", ".join(version.id for version in versions) or "none"
        raise DataError(f"{len(found)} versions start with {name!r}", hint=f"known: {known}")
    return found[0]


def compare(before: Version, after: Version) -> Iterator[Difference]:
    """Facts and answers that differ, by name; what differs between any two runs (dates, run ids) is left out."""
    for name in sorted(before.facts.keys() | after.facts.keys()):
        if not stable(name):
            continue
        a, b = before.facts.get(name), after.facts.get(name)
        values = (a.value if a else None, b.value if b else None)
        if a is None or b is None or plain(a.value) != plain(b.value):
            yield Difference(name, *values)
    for name in sorted(before.answers.keys() | after.answers.keys()):
        a_, b_ = before.answers.get(name, ("", "")), after.answers.get(name, ("", ""))
        if a_[0] != b_[0]:
            yield Difference(f"answer {name}", a_[0] or None, b_[0] or None)
        elif a_[1] != b_[1] and a_[0] != "measured":  # a measured answer's figures are named above
            yield Difference(f"answer {name}", a_[1], b_[1])


def _of_sender(name: str) -> bool:
    """Whether a fact counts the mails of a sender's domain."""
    return name.split(".")[1:3] == ["counts", "domains"]


def _read(workspace: Workspace, uri: str) -> Version | None:
    """The version that is kept at `uri`; None, and a warning, where it is damaged, or not ours to read."""
    try:
        return _parse(workspace.storage.read(uri), uri)
    except DataError as error:
        why = error.message
    except InfrastructureError as error:
        if of_one_object(error) is None:
            raise
        why = error.message
    log.warning("%s: versions are told of without it; restore it from a backup, or delete it", why)
    return None


def _parse(content: bytes, uri: str) -> Version:
    """`built` is younger than the format: versions of before have the date of their first build alone."""
    try:
        found = json.loads(content)
        if found["format"] != FORMAT:
            raise DataError(f"{uri} is not a version of the documentation")
        known = [fact for entry in found["facts"] if shown(fact := Fact(**entry)) and not _of_sender(fact.name)]
        facts = {fact.name: fact for fact in known}
        answers = {name: (status, text) for name, (status, text) in found["answers"].items()}
        return Version(found["version"], found["created"], found.get("built", found["created"]), facts, answers)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{uri} is damaged ({type(error).__name__})") from None
