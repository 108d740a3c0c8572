"""The site says what the tables hold, needs nothing from elsewhere, and shows mail as text."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mailmill import pipeline, schemas
from mailmill.config import Config
from mailmill.corpus import CorpusSpec, write
from mailmill.docs import build, datasheet, figures, lineage, site
from mailmill.docs.facts import Fact, Facts
from mailmill.errors import ConfigError
from mailmill.features.tokens import tokenize
from mailmill.job import Job
from tests import mail
from tests.docs.conftest import Documented

SCRIPT = "<script>alert(1)</script>"
MARKUP = "<img src=x onerror=alert(2)>"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Tags with their attributes, text by cell, and whether every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[tuple[dict[str, str], list[str]]] = []
        self.text = ""
        self._open: list[str] = []
        self._cell = False
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.tags.append((tag, named))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append((named, []))
        if tag in ("td", "th"):
            self.rows[-1][1].append("")
            self._cell = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.rows[-1][1][-1] += data

    def row(self, name: str, value: str) -> list[str]:
        """The cells of the row whose attribute data-NAME is `value`."""
        return next([c.strip() for c in cells] for attrs, cells in self.rows if attrs.get(f"data-{name}") == value)


def pages(site: Path) -> dict[str, Page]:
    return {path.name: Page(path.read_text(encoding="utf-8")) for path in sorted(site.glob("*.html"))}


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_counts_are_those_of_the_tables(documented: Documented) -> None:
    found, workspace = pages(documented.site), Job(documented.config).workspace
    index = found["index.html"]
    clean = workspace.manifest("clean")
    assert number(index.row("part", "clean")[1]) == clean.rows
    assert number(index.row("part", "rejects")[1]) == workspace.manifest("rejects").rows
    assert number(index.row("part", "duplicates")[1]) == clean.statistics["duplicates"]
    for reason, n in clean.statistics["reasons"].items():
        assert number(index.row("reason", reason)[1]) == n
    for table in ("raw", "clean", "rejects", "labels", "features", "scores"):
        manifest = workspace.manifest(table)
        cells = index.row("table", table)
        assert number(cells[1]) == manifest.rows
        assert cells[3] == manifest.run_id
        assert cells[5] == manifest.fingerprint[:12]
        assert number(found[f"table-{table}.html"].row("fact", f"{table}.rows")[1]) == manifest.rows


def test_the_models_figures_are_those_published(documented: Documented) -> None:
    job = Job(documented.config)
    metrics = json.loads(job.workspace.open("metrics", schemas.FILES).file("metrics.json"))
    for name, splits in metrics["models"].items():
        card = json.loads((documented.site / f"model-{name}.json").read_text())
        for figure in ("accuracy", "macro_f1", "roc_auc", "log_loss", "brier"):
            assert card["figures"][figure]["value"] == splits["test"][figure]
            assert card["figures"][figure]["low"] <= splits["test"][figure] <= card["figures"][figure]["high"]
        assert card["confusion"] == splits["test"]["confusion"]
        assert card["sampled"] == splits["test"]["rows"]
        page = (documented.site / f"model-{name}.html").read_text()
        assert f"{splits['test']['accuracy']:.3f}" in page
        assert "Most telling words" in page
        assert ("training rows that pass its splits" in page) == (name == "forest")
        assert ("a coefficient of logistic regression says nothing" in page) == (name == "logistic")
    assert json.loads((documented.site / f"model-{metrics['chosen']}.json").read_text())["chosen"]


def test_a_card_that_is_not_built_again_goes(documented: Documented, tmp_path: Path) -> None:
    """Of a model that is no longer trained it stayed at its address: chosen, and with mails that docs.examples hid."""
    shutil.copytree(documented.config.run.work, tmp_path / "work")
    shutil.copytree(documented.site, tmp_path / "site")
    (tmp_path / "site" / "model-of-ours.html").touch()
    run = documented.config.run.model_copy(update={"work": str(tmp_path / "work")})
    docs = documented.config.docs.model_copy(update={"site": str(tmp_path / "site")})
    config = documented.config.model_copy(update={"run": run, "docs": docs})
    documents, workspace = build.gather(Job(config).workspace, config), Job(config).workspace
    before = {path.name for path in (tmp_path / "site").iterdir()}
    build.build(workspace, config, documents, None, figures.of_tables(documents.facts))
    assert {path.name for path in (tmp_path / "site").iterdir()} == before, "evaluated on other features, they stand"
    cards = [sheet for sheet in documents.cards if sheet.subject == "models.logistic"]
    build.build(workspace, config, replace(documents, cards=cards), None, figures.of_tables(documents.facts))
    after = {path.name for path in (tmp_path / "site").iterdir()}
    assert before - after == {"model-forest.html", "model-forest.json"}
    assert not after - before


def test_what_finds_tables_beside_it_is_no_page_of_the_site(documented: Documented, tmp_path: Path) -> None:
    """From the site's copy mlcroissant read no row of any table, without an error."""
    work, folder = Path(documented.config.run.work), tmp_path / "site"
    shutil.copytree(work, tmp_path / "work")
    folder.mkdir()
    (folder / "croissant.json").touch()
    (folder / "README.md").touch()
    run = documented.config.run.model_copy(update={"work": str(tmp_path / "work")})
    docs = documented.config.docs.model_copy(update={"site": str(folder)})
    config = documented.config.model_copy(update={"run": run, "docs": docs})
    workspace = Job(config).workspace
    documents = build.gather(workspace, config)
    build.build(workspace, config, documents, None, figures.of_tables(documents.facts))
    assert not {"croissant.json", "README.md"} & {path.name for path in folder.iterdir()}
    assert f"in <code>{workspace.root}</code>: croissant.json" in (folder / "index.html").read_text()
    assert {"croissant.json", "README.md"} <= {path.name for path in (tmp_path / "work").iterdir()}


def test_nothing_is_counted_before_mail_is_clean(documented: Documented, tmp_path: Path) -> None:
    """After `ingest` alone the index said that no messages had come in."""
    documents = documented.documents()
    raw = {fact.name: fact for fact in documents.facts if fact.table == "raw"}
    content = site.Content("t", "today", Facts(raw, {}), documents.datasheets[:1], [], [], [], [], None, {"raw": []})
    text = Page(site.render(content)["index.html"]).text
    assert "came in" not in text
    assert "What was made from what" in text


def test_cards_that_cannot_be_made_now_are_asked_for(documented: Documented, tmp_path: Path) -> None:
    """The index said that all was answered, while `docs check` named the questions of models of earlier features."""
    documents = documented.documents(declared=str(tmp_path))
    sheets, drawn = documents.datasheets, figures.of_tables(documents.facts)
    content = site.Content("t", "today", documents.facts, sheets, documents.sheets, [], [], [], None, drawn)
    failures = datasheet.failures(documents.sheets, ("stale", "unanswered"))
    assert any(line.startswith("models.logistic details.developer: ") for line in failures)
    assert f"{len(failures)} answers need a person" in site.render(content)["index.html"]


def test_a_page_shows_no_control_characters(documented: Documented) -> None:
    """A mark of direction in a label's name turned the figures after it around."""
    documents = documented.documents()
    (sheet, *_), name = documents.datasheets, "a\u202eb\x07\x85c\xa0d<i>"
    answers = tuple(replace(answer, text=name) for answer in sheet.answers)
    known = Facts({"raw.made_from": Fact("raw.made_from", "objects", "asked", "raw", "f")}, {})
    content = site.Content(name, "today", known, [replace(sheet, answers=answers)], [], [], [], [], None, {})
    for page in site.render(content).values():
        assert "a\\u202eb\\x07 c d&lt;i&gt;" in page
        assert all(c.isprintable() or c == "\n" for c in page)


def test_a_domain_is_no_lineage(documented: Documented) -> None:
    """25 mails of a sender at a domain that ends so took the arrow from raw to clean away."""
    documents = documented.documents()
    said = lineage.draw(documents.facts).words
    name = "clean.counts.domains.a.made_from"
    more = {**documents.facts.by_name, name: Fact(name, 25, "asked", "clean", "f")}
    assert lineage.draw(Facts(more, {})).words == said


def test_what_is_made_from_inputs_is_drawn_from_them() -> None:
    """The curve from the word vectors ran behind clean and seemed to lead there."""
    made = {"raw": "objects", "clean": "raw", "rejects": "raw", "features": "clean, vectors"}
    facts = {f"{name}.made_from": Fact(f"{name}.made_from", of, "", name, "f") for name, of in made.items()}
    drawing = lineage.draw(Facts(facts, {}))
    places = {box.name: box.x for box in drawing.boxes}
    assert places["mail"] < places["raw"] < places["clean"] == places["word vectors"] < places["features"]


def test_open_questions_say_how_to_answer_them(documented: Documented, tmp_path: Path) -> None:
    documents = documented.documents(declared=str(tmp_path))
    content = site.Content("t", "today", documents.facts, documents.datasheets, documents.sheets, [], [], [], None,
                           figures.of_tables(documents.facts), declared="answers-of-ours")  # fmt: skip
    page = Page(site.render(content)["index.html"])
    assert "datasheet.toml and model_card.toml of answers-of-ours" in " ".join(page.text.split())
    first = documents.datasheets[0].having("unanswered")[0].question.id
    assert f"datasheet-raw.html#{first}" in [attrs.get("href") for _, attrs in page.tags]


def test_reasons_are_explained_beside_the_rejects(documented: Documented) -> None:
    page = Page((documented.site / "table-rejects.html").read_text())
    told = Job(documented.config).workspace.manifest("clean").statistics["reasons"]
    for reason, meaning in schemas.REJECT_REASONS.items():
        assert page.row("reason", reason) == [reason, str(told.get(reason, 0)), meaning]


def test_parts_that_are_empty_have_no_piece_of_the_bar(documented: Documented) -> None:
    documents = documented.documents()
    none = {"clean.rejects": 0, "clean.duplicates": 0}
    facts = {name: replace(f, value=none.get(name, f.value)) for name, f in documents.facts.by_name.items()}
    content = site.Content(
        "t", "today", Facts(facts, {}), [], [], [], [], [], None, figures.of_tables(Facts(facts, {}))
    )
    page = Page(site.render(content)["index.html"])
    assert [attrs["class"] for tag, attrs in page.tags if tag == "i" and "flex" in attrs.get("style", "")] == ["clean"]


def test_a_datasheet_shows_57_answers(documented: Documented) -> None:
    for table in datasheet.WITH_SHEET:
        page = Page((documented.site / f"datasheet-{table}.html").read_text())
        shown = [attrs for _, attrs in page.tags if "question" in attrs.get("class", "").split()]
        assert len(shown) == 57
        for question in datasheet.questions():
            assert question.text in page.text


def test_nothing_comes_from_elsewhere_and_every_link_leads_somewhere(documented: Documented) -> None:
    for name, page in pages(documented.site).items():
        ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
        assert len(ids) == sum("id" in attrs for _, attrs in page.tags), f"{name}: an id occurs twice"
        for tag, attrs in page.tags:
            assert tag not in ("script", "iframe", "img", "object", "base", "form"), f"{name}: {tag}"
            assert not [key for key in attrs if key.startswith("on")]
            for key in ("href", "src", "xlink:href"):
                target = attrs.get(key, "")
                if target.startswith("#"):
                    assert target[1:] in ids, f"{name}: {target}"
                elif target and not target.startswith("data:"):
                    assert (documented.site / target.partition("#")[0]).is_file(), f"{name}: {target}"
        style = (documented.site / name).read_text()
        assert not re.search(r"url\(\s*['\"]?https?:|@import|@font-face", style)


def test_every_page_can_be_read_by_a_screen_reader(documented: Documented) -> None:
    for name, page in pages(documented.site).items():
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == tags.count("main") == 1, name
        assert "nav" in tags
        assert dict(page.tags[0][1]).get("lang") == "en"
        assert any(attrs.get("class") == "skip" for tag, attrs in page.tags if tag == "a")
        assert tags.count("caption") + tags.count("summary") >= tags.count("table")
        for tag, attrs in page.tags:
            if tag == "svg":
                assert attrs.get("aria-hidden") == "true" or (attrs["role"] == "img" and attrs["aria-labelledby"])


def test_a_class_named_run_is_no_table(documented: Documented) -> None:
    known = documented.documents().facts
    named = {**known.by_name, "labels.classes.run": known.by_name["labels.rows"]}
    assert Facts(named, known.profiles).tables() == known.tables()


@pytest.mark.parametrize("model", ["logistic", "forest"])
def test_words_that_are_shown_are_nobodys_own(model: str, documented: Documented) -> None:
    """A word of a mail or two would tell what they say."""
    texts = Job(documented.config).workspace.open("clean", schemas.CLEAN).read(["text"])["text"].to_pylist()
    held = [set(tokenize(text)) for text in texts]
    words = [found["word"] for found in json.loads((documented.site / f"model-{model}.json").read_text())["words"]]
    assert words
    assert {word for word in words if sum(word in one for one in held) < 20} == set()


def test_a_second_build_changes_nothing(documented: Documented) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in documented.site.rglob("*") if path.is_file()}

    before = content()
    with Job(documented.config) as job:
        pipeline.docs(job)
        assert "engine" not in job.__dict__
    assert content() == before


def test_mails_without_a_label_make_the_sample_no_smaller(documented: Documented, tmp_path: Path) -> None:
    shutil.copytree(documented.config.run.work, tmp_path / "work")
    manifest = tmp_path / "work" / "features" / "_manifest.json"
    document = json.loads(manifest.read_text())
    document["statistics"]["splits"]["test"] *= 3  # as if two of three had no label
    manifest.write_text(json.dumps(document))
    rows = json.loads((documented.site / "model-logistic.json").read_text())["rows"]
    changed = {"sample_rows": rows, "site": str(tmp_path / "site")}
    run = documented.config.run.model_copy(update={"work": str(tmp_path / "work")})
    docs = documented.config.docs.model_copy(update=changed)
    with Job(documented.config.model_copy(update={"run": run, "docs": docs})) as job:
        pipeline.docs(job)
    assert json.loads((tmp_path / "site" / "model-logistic.json").read_text())["sampled"] == rows


def test_models_of_other_features_have_no_card(
    documented: Documented, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As where labels were taken away, and features made without them."""
    shutil.copytree(documented.config.run.work, tmp_path / "work")
    run = documented.config.run.model_copy(update={"work": str(tmp_path / "work")})
    docs = documented.config.docs.model_copy(update={"site": str(tmp_path / "site")})
    labels = documented.config.labels.model_copy(update={"source": None})
    with Job(documented.config.model_copy(update={"run": run, "docs": docs, "labels": labels})) as job:
        pipeline.run(job)
    assert "no model cards" in caplog.text
    assert (tmp_path / "site" / "index.html").exists()
    assert not list((tmp_path / "site").glob("model-*"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site about mail whose labels, languages, domains and dates are markup; its validation pages are there too."""
    folder = tmp_path_factory.mktemp("hostile")
    write(CorpusSpec(count=200, seed=1), folder / "corpus", "eml")
    labels = folder / "corpus" / "labels.csv"
    labels.write_text(labels.read_text().replace(",neg", f",{SCRIPT}"))
    vectors = mail.make_vectors(folder / "corpus", folder / "glove.txt")
    config: Config = mail.make_config(
        str(folder / "work"), folder / "corpus", vectors, f"docs.site={folder / 'site'}", "docs.words=always",
        "docs.examples=2", f"docs.declared={folder}",
    )  # fmt: skip
    (folder / "datasheet.toml").write_text(f'[about]\nname = "{MARKUP}"\n')
    with Job(config) as job:
        pipeline.run(job)
        publish_profile(job, "clean")
        (folder / "site" / "validation").mkdir(parents=True)
        (folder / "site" / build.VALIDATION).write_text("<!DOCTYPE html><html lang=en><title>Validation</title></html>")
        pipeline.docs(job)
    return folder / "site"


def publish_profile(job: Job, table: str) -> None:
    """A profile whose names are markup, as the stage would publish it."""
    manifest = job.workspace.manifest(table)
    document = {
        "table": table,
        "fingerprint": manifest.fingerprint,
        "rows": manifest.rows,
        "facts": {"date.first": MARKUP, "date.last": "2026-01-02", "text.words.p50": 31.5, "nothing": None},
        "histograms": {
            "text.words": {"edges": [0, 10, 100], "counts": [3, 4]},
            "empty": {"edges": [], "counts": []},
        },
        "counts": {
            "languages": {SCRIPT: 50, "en": 30},
            "domains": {MARKUP: 40, "": 1},
            "months": {"2025-12": 20, MARKUP: 60},
        },
    }
    output = f"profiles/{table}"
    stage = job.stage({table: manifest.fingerprint}, [], {output: schemas.FILES})
    stage.publish(stage.write_files(output, {"profile.json": json.dumps(document).encode()}), {})


def test_what_comes_from_mail_shows_as_text(hostile: Path) -> None:
    found = pages(hostile)
    for name, page in found.items():
        assert not [tag for tag, _ in page.tags if tag in ("script", "img")], name
    assert MARKUP in found["index.html"].text
    assert SCRIPT in found["index.html"].text
    assert SCRIPT in found["model-logistic.html"].text
    assert {SCRIPT, MARKUP} <= {cell for _, cells in found["table-clean.html"].rows for cell in cells}
    assert SCRIPT in found["datasheet-clean.html"].text
    for name in ("README.md",):
        assert "<script" not in (hostile.parent / "work" / name).read_text()
        assert "<img" not in (hostile.parent / "work" / name).read_text()


def test_a_profile_is_drawn_and_validation_is_linked(hostile: Path) -> None:
    page = Page((hostile / "table-clean.html").read_text())
    assert sum(attrs.get("class") == "plot" for _, attrs in page.tags) == 4
    assert ("quantile 0.50", "31.5") in {tuple(cells) for _, cells in page.rows}
    index = Page((hostile / "index.html").read_text())
    assert any(attrs.get("href") == build.VALIDATION for _, attrs in index.tags)


@pytest.mark.parametrize(
    ("site", "said"),
    [
        ("file", "docs.site: .*file is a file"),
        ("file/below", "docs.site: .*below cannot be made: Not a directory"),
        ("own", "docs.site: .*own holds an index.html that is not mailmill's"),
    ],
)
def test_a_place_that_is_none_for_a_site_stops_before_the_work(
    site: str, said: str, documented: Documented, tmp_path: Path
) -> None:
    """It was found after hours of work, called infrastructure, and people's own pages were overwritten."""
    (tmp_path / "file").touch()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "index.html").write_text("mine")
    docs = documented.config.docs.model_copy(update={"site": str(tmp_path / site)})
    config = documented.config.model_copy(update={"docs": docs})
    for stage in (pipeline.require, pipeline.docs):
        with pytest.raises(ConfigError, match=said), Job(config) as job:
            stage(job)
    assert (tmp_path / "own" / "index.html").read_text() == "mine"
