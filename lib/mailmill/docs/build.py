"""Building the documentation: from what runs have published to files for machines and pages for people."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailmill.config import Config
from mailmill.docs import croissant, datasheet, gathering, huggingface, site, versions
from mailmill.docs.datasheet import Sheet
from mailmill.docs.facts import Facts
from mailmill.docs.figures import Figure
from mailmill.docs.modelcard import Material, make_cards
from mailmill.errors import ConfigError, DataError
from mailmill.storage.documents import document
from mailmill.storage.filesystems import Storage, is_s3, join
from mailmill.storage.tables import Workspace

log = logging.getLogger("mailmill")
VALIDATION = "validation/index.html"
INDEX = "index.html"
#: Beside the tables, whose files they name.
ROOTED = ("croissant.json", "README.md")
_SUBJECTS = {
    "datasheet": datasheet.WITH_SHEET,
    "table": gathering.IN_ORDER,
    "model": datasheet.SUBJECTS["model_card"],
}
#: What a site may hold a page or a file of, by name.
OF_SUBJECTS = {
    f"{kind}-{name}.{form}" for kind, names in _SUBJECTS.items() for name in names for form in ("html", "json")
}


@dataclass(frozen=True)
class Documents:
    """What can be documented without computing anything: facts, declarations, and the sheets of answers.

    about: what somebody declared of this very data; {} where it was of other data.
    """

    facts: Facts
    about: Mapping[str, str]
    datasheets: list[Sheet]
    cards: list[Sheet]

    @property
    def sheets(self) -> list[Sheet]:
        """All of them."""
        return [*self.datasheets, *self.cards]


def require(storage: Storage, config: Config) -> None:
    """Raise ConfigError where `docs.declared` is set to a folder that is not there.

    The default need not be: where nobody has declared anything, the answers by people are missing, and said to be.
    """
    folder = config.docs.declared
    if "declared" in config.docs.model_fields_set and not (storage.children(folder) or Path(folder).is_dir()):
        hint = "it is the folder of datasheet.toml and model_card.toml"
        raise ConfigError(f"docs.declared: {folder} does not exist", hint=hint)


def require_site(storage: Storage, config: Config) -> None:
    """Raise ConfigError where `docs.site` can be no folder of pages, or holds an index that mailmill did not write."""
    site = config.docs.site
    if site is None:
        return
    if not is_s3(site):
        try:
            Path(site.removeprefix("file://")).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = "is a file" if isinstance(error, FileExistsError) else f"cannot be made: {error.strerror}"
            raise ConfigError(f"docs.site: {site} {why}", hint="name a folder of its own for the site") from None
    if storage.exists(join(site, INDEX)) and not storage.exists(join(site, "facts.json")):
        raise ConfigError(
            f"docs.site: {site} holds an {INDEX} that is not mailmill's", hint="name a folder of its own for the site"
        )


def gather(workspace: Workspace, config: Config) -> Documents:
    """Facts of what is published, and the answers to all questions. Raises what `gathering.gather` and files raise."""
    require(workspace.storage, config)
    found = gathering.gather(workspace)
    declarations = datasheet.read_declarations(workspace.storage, config.docs.declared)
    models = datasheet.read_declarations(workspace.storage, config.docs.declared, "model_card")
    sheets, about = datasheet.build(found, declarations), declarations.about
    if about and (changes := declarations.changes(found)):
        about, file = {}, join(config.docs.declared, "datasheet.toml")
        said = "%s is about other data (%s), so its [about] is left out: name your own folder as docs.declared"
        log.warning(said, file, "; ".join(map(str, changes)))
    return Documents(found, about, sheets, datasheet.build_cards(found, models))


def check(workspace: Workspace, config: Config) -> Documents:
    """The documents, where no answer has a status of `docs.fail_on`.

    Raises:
        DataError: some have; each is named with the reason.
    """
    documents = gather(workspace, config)
    failures = datasheet.failures(documents.sheets, config.docs.fail_on)
    if failures:
        raise DataError(
            f"{len(failures)} answers of the documentation are not as docs.fail_on demands\n"
            + "\n".join(f"  {line}" for line in failures),
            hint=f"answer in datasheet.toml or model_card.toml of {config.docs.declared}, and bind each answer to "
            "today's facts under depends_on; `mailmill docs facts` lists them",
        )
    return documents


def state(documents: Documents, config: Config, workspace: Workspace) -> str:
    """A hash of everything that the site shows: where it is the same, there is nothing to build."""
    plain = [
        [[fact.name, fact.value] for fact in documents.facts],
        [sheet.to_dict() for sheet in documents.sheets],
        dict(documents.about),
        workspace.storage.exists(join(place(config), VALIDATION)),
    ]
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=16).hexdigest()


def place(config: Config) -> str:
    """Where the site is built."""
    return config.docs.site or join(config.run.work, "site")


def index(config: Config) -> str:
    """The page to open."""
    return join(place(config), INDEX)


def build(
    workspace: Workspace,
    config: Config,
    documents: Documents,
    material: Material | None,
    figures: Mapping[str, Sequence[Figure]],
) -> dict[str, bytes]:
    """Build the site and the files for machines; write the site, keep the version, and give the latter files.

    Pages of an earlier build that this one has not go, as of a model that is no longer trained, with what they showed.

    `material` is what model cards are made from, None where there is no model; `figures`: of `figures.of_tables`.
    """
    storage = workspace.storage
    now = datetime.now(UTC).isoformat(timespec="seconds")
    document = versions.document(documents.facts, documents.sheets, now)
    known = versions.keep(workspace, document, config.docs.versions)
    changes = list(versions.compare(known[-2], known[-1])) if len(known) > 1 else []
    cards = make_cards(documents.cards, material) if material else []
    validation = VALIDATION if storage.exists(join(place(config), VALIDATION)) else None
    content = site.Content(
        title=documents.about.get("name", "mailmill data docs"),
        built=now[:16].replace("T", " ") + " UTC",
        facts=documents.facts,
        sheets=documents.datasheets,
        asked=documents.sheets,
        cards=cards,
        versions=known,
        changes=changes,
        validation=validation,
        figures=figures,
        declared=config.docs.declared,
    )
    manifests = {name: found for name in gathering.IN_ORDER if (found := workspace.find(name))}
    described = croissant.describe(documents.facts, manifests, documents.about, documents.datasheets)
    twins = site.twins(content) | {
        "facts.json": _json(document),
        "croissant.json": _json(described),
        "README.md": huggingface.card(documents.facts, manifests, documents.about, documents.datasheets),
    }
    pages = site.render(content)
    if place(config) != workspace.root and storage.exists(join(place(config), "croissant.json")):
        for name in ROOTED:  # copies by an earlier version, which found no table from there
            storage.delete(join(place(config), name))
    shown = {name: text for name, text in twins.items() if name not in ROOTED}
    for name, text in {**shown, **dict(reversed(pages.items()))}.items():  # the index last: it links to the others
        storage.write(join(place(config), name), text.encode())
    trained = {sheet.subject.replace("models.", "model-") for sheet in documents.cards}
    for name in sorted(OF_SUBJECTS.difference(twins, pages).intersection(storage.children(place(config)))):
        if name.partition(".")[0] not in trained:  # whose card stands, though it is of the features before these
            storage.delete(join(place(config), name))
    for name in ROOTED:
        storage.write(join(workspace.root, name), twins[name].encode())
    return {name: text.encode() for name, text in twins.items()}


def tell_of_outlived(workspace: Workspace) -> None:
    """Warn where the documents beside the tables name files that are gone: each publication of a table sweeps those of
    the one before the last, and documents stay as they are until they are built again."""
    if workspace.find("docs") is None:
        return
    described = document(workspace.storage, join(workspace.root, ROOTED[0]))
    gone = []
    for name in croissant.DESCRIBED:
        manifest = workspace.find(name)
        here = {file.path.partition("/")[0] for file in manifest.files} if manifest else set()
        runs = croissant.runs_named(described, name) - here
        if not all(workspace.storage.children(join(workspace.root, name, run)) for run in runs):
            gone.append(name)
    if gone:
        said = "%s in %s name files of %s that are gone: run `mailmill docs build`, or delete both"
        log.warning(said, " and ".join(ROOTED), workspace.root, ", ".join(gone))


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
