"""57 questions word for word, 24 and more answered by measurement alone, and answers that go stale."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailmill import schemas
from mailmill.config import Config, parse
from mailmill.docs import answers, build, datasheet, declared, gathering, huggingface
from mailmill.docs.collector import Collector
from mailmill.docs.datasheet import questions
from mailmill.docs.facts import Fact, Facts
from mailmill.errors import ConfigError, DataError
from mailmill.features.spec import FeatureSpec
from mailmill.job import Job
from mailmill.storage.tables import Workspace
from tests.conftest import ROOT
from tests.docs.conftest import Documented

SECTIONS = {
    "Motivation": 4, "Composition": 16, "Collection Process": 12, "Preprocessing/cleaning/labeling": 4, "Uses": 6,
    "Distribution": 7, "Maintenance": 8,
}  # fmt: skip
NINE = [
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data", "Quantitative analyses",
    "Ethical considerations", "Caveats and recommendations",
]  # fmt: skip


def known(**values: object) -> Facts:
    named = {name.replace("__", "."): value for name, value in values.items()}
    return Facts({name: Fact(name, value, "asked", "t", "f") for name, value in named.items()}, {})  # type: ignore[arg-type]


def test_there_are_57_questions_in_seven_sections() -> None:
    assert len(questions()) == len({question.id for question in questions()}) == 57
    assert Counter(question.section for question in questions()) == SECTIONS
    assert list(dict.fromkeys(question.section for question in questions())) == list(SECTIONS)
    assert sum(question.text == "Any other comments?" for question in questions()) == 7


def test_a_model_card_has_nine_sections() -> None:
    assert list(dict.fromkeys(question.section for question in questions("model_card"))) == NINE


@pytest.mark.parametrize("kind", ["datasheet", "model_card"])
def test_every_way_to_measure_names_a_fact(kind: datasheet.Kind) -> None:
    for question in questions(kind):
        for ways in question.measured.values():
            for template in ways:
                always = answers.OPTIONAL.sub("", template)
                assert answers.PLACE.search(always), f"{question.id}: {template!r} is measured from nothing"
                assert all(map(answers.PLACE.search, answers.OPTIONAL.findall(template))), (
                    f"{question.id}: {template!r}"
                )
                assert not set("[]") & set(always), f"{question.id}: {template!r}"
                assert "{" not in answers.PLACE.sub("", template), f"{question.id}: {template!r}"
                filters = {place[2] for place in answers.PLACE.finditer(template)} - {None}
                assert filters <= {"plain", "figure", "percent", "bytes", "date", "list", "names"}


def test_24_questions_need_no_person(documented: Documented, tmp_path: Path) -> None:
    alone = documented.documents(declared=str(tmp_path))
    assert [sheet.subject for sheet in alone.datasheets] == ["raw", "clean", "features"]
    for sheet in alone.datasheets:
        counts = sheet.counts()
        assert counts["measured"] >= 24
        assert counts["measured"] + counts["unanswered"] == 57
        for answer in sheet.having("measured"):
            assert answer.facts
            assert "{" not in answer.text
            for fact in answer.facts:
                assert fact.query
                assert re.fullmatch(r"[0-9a-f]{32}", fact.fingerprint)


def test_measured_answers_say_what_the_tables_hold(documented: Documented) -> None:
    job = Job(documented.config)
    clean, labels = job.workspace.manifest("clean"), job.workspace.manifest("labels")
    sheet = next(s for s in documented.documents().datasheets if s.subject == "clean")
    told = {answer.question.id: answer.text for answer in sheet.answers}
    assert told["composition.count"] == f"{clean.rows:,} messages."
    assert f"{labels.statistics['labelled']:,} of" in told["composition.label"]
    assert f"{clean.statistics['duplicates']:,} exact duplicates" in told["composition.errors"]


def test_mails_without_a_label_are_those_of_the_table(documented: Documented) -> None:
    """Of the raw table's mails without a label some were rejected, and stand in no later table."""
    job = Job(documented.config)
    features = job.workspace.open("features", schemas.features(25, 131_072))
    missing = sum(batch.column("label").null_count for scan in features.scans() for batch in scan.batches(["label"]))
    raw, labels = job.workspace.manifest("raw").rows, job.workspace.manifest("labels")
    assert missing < labels.statistics["unlabelled"]
    told = {
        sheet.subject: next(a.text for a in sheet.answers if a.question.id == "composition.missing")
        for sheet in documented.documents().datasheets
    }
    assert told["features"].startswith(f"{missing} messages have no label")
    assert {
        a.text
        for s in documented.documents().datasheets
        if s.subject == "features"
        for a in s.answers
        if a.question.id == "composition.label" and a.text.startswith(f"{missing} of the {features.rows} messages")
    }
    assert f"Of the {raw} messages of the table raw {labels.statistics['unlabelled']} have no label" in told["clean"]


#: What the first words of an answer deny, by question, and how it is known: the fact that there is where it is so
#: alone, or what every table has. Where anything else is unknown, an answer says less.
DENIED = {
    "composition.label": {".unlabelled", "raw.unlabelled"},
    "composition.relationships": {".columns"},
    "composition.subpopulations": {".columns"},
    "composition.identify": {".columns"},
    "collection.sampling": {"input.objects"},
    "uses.already": {"models.none"},
    "metrics.thresholds": {".many_classes"},
}


@pytest.mark.parametrize("kind", ["datasheet", "model_card"])
def test_what_is_unknown_is_not_denied(kind: datasheet.Kind) -> None:
    """No model and no label were measured of workspaces that had them, before another stage had run."""
    for question in questions(kind):
        for template in (way for ways in question.measured.values() for way in ways):
            if re.match(r"(No|Not|None|Nothing|Nobody)\b", template):
                named = {place[1] for place in answers.PLACE.finditer(answers.OPTIONAL.sub("", template))}
                assert named & DENIED.get(question.id, set()), f"{question.id}: {template!r}"


def test_errors_of_labels_are_told_of_where_no_mail_was_rejected() -> None:
    facts: dict[str, object] = {"clean.duplicates": 3, "clean.rejects": 0}
    told = measured("datasheet", "composition.errors", "clean", facts)
    assert told == "3 exact duplicates were left out once counted. 0 messages were rejected."
    facts |= {"labels.contradictory": 9, "labels.unmatched": 1, "labels.incomplete": 7, "labels.labelled": 280}
    told = measured("datasheet", "composition.errors", "clean", facts | {"labels.wrong_on_purpose": 0.03})
    assert "rejected. Of the labels, 9 contradicted one another and 1 named no message. 7 rows of labels had" in told
    assert told.endswith(" The generator gave a wrong label on purpose to a share of 3.0 %.")
    told = measured("datasheet", "composition.errors", "clean", facts | {"clean.rejects": 2, "clean.reasons.empty": 2})
    assert "2 messages were rejected (empty 2). Of the labels" in told


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (["2026-11-10", "2026-11-25"], "taken in on 2 days between 2026-11-10 and 2026-11-25."),
        (["2026-11-10"], "taken in on 2026-11-10."),
        ([], "taken in on 2030-01-01."),
    ],
)
def test_mail_is_taken_in_on_its_days(days: list[str], told: str, documented: Documented, tmp_path: Path) -> None:
    """The last publication was said to have read all mail."""
    workspace = Job(copied(documented, tmp_path)).workspace
    restated(workspace, "raw", days={day: {"messages": 9} for day in days} or None)
    path = Path(workspace.uri_of("raw")) / "_manifest.json"
    path.write_bytes(replace(workspace.manifest("raw"), created="2030-01-01T00:00:00+00:00").to_bytes())
    assert told in answers_of(workspace)["raw", "collection.timeframe"]


def test_objects_that_could_not_be_read_are_left_out_of_all(documented: Documented, tmp_path: Path) -> None:
    workspace = Job(copied(documented, tmp_path)).workspace
    assert "could not be read" not in answers_of(workspace)["clean", "collection.sampling"]
    restated(workspace, "raw", unread=4)
    told = answers_of(workspace)
    for table in datasheet.WITH_SHEET:
        assert "counted. 4 more could not be read" in told[table, "collection.sampling"]
        assert "of the input but those of 4 objects that could not be read, none" in told[table, "composition.sample"]


def test_labels_of_a_header_are_joined_by_nothing(documented: Documented, tmp_path: Path) -> None:
    workspace = Job(copied(documented, tmp_path)).workspace
    settings = workspace.manifest("labels").statistics["made_by"]["labels"] | {"source": None, "header": "X-Label"}
    restated(workspace, "labels", made_by={"labels": settings})
    told = answers_of(workspace)
    assert told["features", "composition.label"].endswith(". The labels come from header X-Label.")
    assert not [text for text in told.values() if "joined by" in text]


def answers_of(workspace: Workspace) -> dict[tuple[str, str], str]:
    """What the datasheets measure, by table and question."""
    sheets = datasheet.build(gathering.gather(workspace), declared.Declarations())
    return {(sheet.subject, answer.question.id): answer.text for sheet in sheets for answer in sheet.answers}


def measured(kind: datasheet.Kind, name: str, subject: str, facts: dict[str, object]) -> str:
    """The measured answer to one question from these facts."""
    (question,) = (question for question in questions(kind) if question.id == name)
    found = answers.fill(question.templates(subject), known(**facts), subject)
    assert found is not None
    return found.text


@pytest.mark.parametrize(
    ("copies", "told"),
    [
        ({}, None),
        ({"clean.text.duplicate_share": 0.25}, "But 25.0 % of all clean mails repeat the text of another"),
        (
            {"clean.text.duplicate_share": 0.25, "clean.text.duplicate_share_error": 0.012},
            "But about 25.0 % of all clean mails (an estimate with a standard error of 1.2 %) repeat the text of",
        ),
    ],
)
def test_a_model_was_chosen_by_labelled_mails_alone(copies: dict[str, object], told: str | None) -> None:
    rows = {"features.splits.validation": 97, "models.m.validation.rows": 47, "models.m.test.rows": 94}
    text = measured("model_card", "evaluation.motivation", "models.m", rows | copies)
    assert "by the 47 labelled mails of the split validation; no label of the split test (94) decided anything" in text
    assert told in text if told else "repeat" not in text


def test_an_estimate_is_not_told_as_a_count() -> None:
    exact = {"clean.threads.distinct": 4000}
    assert "there are 4,000 conversations." in measured("datasheet", "composition.relationships", "clean", exact)
    text = measured(
        "datasheet", "composition.relationships", "clean",
        {"clean.threads.distinct": 20_493, "clean.threads.distinct_error": 291},
    )  # fmt: skip
    assert "about 20,493 conversations (an estimate with a standard error of 291)" in text


def specified(subject: str, **settings: object) -> dict[str, object]:
    """The facts of features that are made so."""
    found, spec = Collector(), FeatureSpec("v", "f", 50, classes=("neg", "pos"), **settings)  # type: ignore[arg-type]
    manifest: Any = SimpleNamespace(table="t", fingerprint="f")
    found.add(f"{subject}.specification", spec.to_dict(), "asked", manifest)
    found.add(f"{subject}.feature_spec", spec.to_dict(), "asked", manifest)
    gathering._specified(found, subject, spec.to_dict(), "asked", manifest)
    return {name: fact.value for name, fact in found.facts.items()}


@pytest.mark.parametrize(
    ("settings", "card", "sheet"),
    [
        ({}, "The same as for training: the author's own words (9 clean mails), pooled word vectors v (mean).", "."),
        (
            {"pooling": ("mean", "nb"), "ngrams": 3, "skips": 2, "ngram_values": "nb"},
            "As for training, but for the pool nb: it weighs a labelled mail of the split train without its own fold "
            "of the conversations, and every other mail by that whole split. The author's own words (9 clean mails), "
            "pooled word vectors v (mean, nb) and 2,097,152 hashed n-grams.",
            "; 2,097,152 more columns hold nb values of hashed runs of up to 3 words and pairs of words that skip up "
            "to 2. Labels of the split train inform the pool nb and the values of n-grams; the pool nb weighs a "
            "message that has one of them without its own fold of the conversations.",
        ),
        (
            {"ngrams": 2},
            "The same as for training: the author's own words (9 clean mails), pooled word vectors v (mean) and "
            "1,048,576 hashed n-grams.",
            "; 1,048,576 more columns hold tfidf values of hashed runs of up to 2 words.",
        ),
        (
            {"ngrams": 1, "ngram_values": "nb"},
            "The same as for training: ",
            "; 1,048,576 more columns hold nb values of hashed runs of up to 1 words. Labels of the split train inform "
            "the values of n-grams.",
        ),
        (
            {"pooling": ("nb",), "ngram_values": "nb"},
            "pooled word vectors v (nb). Conversations",
            ". Labels of the split train inform the pool nb; the pool nb weighs",
        ),
    ],
    ids=["mean", "default", "tfidf", "n-grams", "pool"],
)  # fmt: skip
def test_what_features_are_made_of_is_told(settings: dict[str, object], card: str, sheet: str) -> None:
    """Cards said that test mail is made like training mail where the pool nb is not; sheets were silent on n-grams."""
    facts = {"clean.rows": 9, **specified("models.m", **settings)}
    assert card in measured("model_card", "evaluation.preprocessing", "models.m", facts)
    facts = specified("features", **settings)
    text = measured("datasheet", "preprocessing.done", "features", facts)
    assert f"numbers a message{sheet}" in text
    instances = measured("datasheet", "composition.instances", "features", {"features.rows": 9, **facts})
    assert ("hashed columns, the label" in instances) == ("hashed" in text)
    labelled = measured("datasheet", "preprocessing.done", "features", facts | {"labels.id_kind": "message id"})
    assert labelled == f"{text[:-1]}. Labels are joined by message id."


@pytest.mark.parametrize("own", [True, False])
def test_vectors_that_are_trained_on_test_mails_are_told_of(own: bool) -> None:
    """The card said that test mails decided nothing, though their words had trained the vectors."""
    facts: dict[str, object] = {"clean.rows": 9, "run.seed": 1, "features.splits.test": 3}
    facts |= {"models.m.feature_spec.vectors": "trained.txt", "models.m.feature_spec.pooling": "mean"}
    facts |= {"vectors.words": 1028} if own else {}
    card = measured("model_card", "evaluation.preprocessing", "models.m", facts)
    assert ("vectors of 1,028 words are trained on clean mail, that of the split test among it" in card) == own
    sheet = measured("datasheet", "composition.splits", "features", facts)
    assert ("vectors of 1,028 words, however, are trained on the table clean" in sheet) == own
    assert ("no conversation is both learned from and tested on" in sheet) != own


@pytest.mark.parametrize("used", [True, False])
def test_own_vectors_are_a_fact_where_features_use_them(used: bool, documented: Documented, tmp_path: Path) -> None:
    """Whatever vectors the configuration names now."""
    config = copied(documented, tmp_path)
    workspace = Job(config).workspace
    stage = workspace.stage({}, "", {"vectors/trained": schemas.FILES})
    stage.publish(stage.write_files("vectors/trained", {"trained.txt": b"a 1\n"}), {"words": 7})
    if used:
        specification = workspace.manifest("features").statistics["specification"] | {"vectors": "trained.txt"}
        restated(workspace, "features", specification=specification)
    found = gathering.gather(workspace).get("vectors.words")
    assert (found.value if found else None) == (7 if used else None)


def copied(documented: Documented, folder: Path, *overrides: str) -> Config:
    """The documented run's configuration, with others' settings, for a copy of its workspace."""
    shutil.copytree(documented.config.run.work, folder / "work")
    return parse(documented.config.model_dump(mode="json"), [f"run.work={folder / 'work'}", *overrides])


def restated(workspace: Workspace, name: str, **statistics: Any) -> None:
    """Publish a table's manifest again with other statistics; those that are None are left out."""
    manifest = workspace.manifest(name)
    changed = {key: value for key, value in {**manifest.statistics, **statistics}.items() if value is not None}
    (Path(workspace.uri_of(name)) / "_manifest.json").write_bytes(replace(manifest, statistics=changed).to_bytes())


OTHERWISE = (
    "run.seed=99", "clean.sender_domain=keep", "labels.source=/flipped.csv", "labels.id_kind=key",
    'input.paths=["/elsewhere"]', "features.vectors=trained", "features.test_share=0.4",
)  # fmt: skip


def test_what_tables_were_made_by_is_measured_of_them(documented: Documented) -> None:
    """Not of the configuration that the documents are built with: a card said "hashed" of a table of plain domains."""
    other = parse(documented.config.model_dump(mode="json"), OTHERWISE)
    found = build.gather(Job(other).workspace, other)
    assert found == documented.documents()
    told = {a.question.id: a.text for sheet in found.datasheets for a in sheet.answers if sheet.subject == "clean"}
    assert "(setting: hash)" in told["composition.subpopulations"]
    assert "labels.csv and are joined by message id." in told["composition.label"]
    assert "and the seed 5, so" in told["composition.splits"]
    assert f"objects were read below {documented.corpus / 'mail'}, and all" in told["collection.sampling"]


def test_what_an_earlier_version_did_not_record_is_not_measured(documented: Documented, tmp_path: Path) -> None:
    config = copied(documented, tmp_path, *OTHERWISE)
    workspace = Job(config).workspace
    for name in ("raw", "clean", "labels", "features"):
        restated(workspace, name, made_by=None, splits_by=None)
    found = build.gather(workspace, config)
    asked = {"input.paths", "labels.source", "labels.id_kind", "run.seed", "settings.clean.sender_domain"}
    assert not asked & set(found.facts.by_name)
    told = {a.question.id: a for sheet in found.datasheets for a in sheet.answers if sheet.subject == "clean"}
    for name in ("subpopulations", "identify", "label", "splits"):
        assert told[f"composition.{name}"].status == "measured"
    assert told["collection.sampling"].text.startswith("No sampling by mailmill: 500 objects were read,")
    assert "hashed or left out is unknown of these" in told["composition.identify"].text
    shown = " ".join(answer.text for sheet in found.sheets for answer in sheet.answers)
    assert not [word for word in ("flipped", "/elsewhere", "seed 99", ": keep)", "kept as: ") if word in shown]


def test_coverage_is_of_tokens() -> None:
    facts: dict[str, object] = {"models.m.feature_spec.vectors": "v", "settings.clean.sender_domain": "hash"}
    text = measured("model_card", "factors.evaluation", "models.m", facts | {"models.m.test.rows": 9})
    assert "coverage (the share of tokens, punctuation marks included, that the vectors v hold)" in text


def test_what_clean_mail_holds_of_people_is_told_of(documented: Documented) -> None:
    """That no column held an address was said of subjects and texts, which keep what their authors wrote."""
    sheet = next(s for s in documented.documents().datasheets if s.subject == "clean")
    told = next(answer.text for answer in sheet.answers if answer.question.id == "composition.identify")
    assert "`subject` and `text` hold what people wrote, with the names, addresses and numbers in it" in told
    assert "is kept as: hash (a hash has no key, so whoever tries domains can undo it)" in told
    croissant = json.loads((Path(documented.config.run.work) / "croissant.json").read_text())
    assert told in croissant["rai:personalSensitiveInformation"]
    assert told.replace("`", "'") in (Path(documented.config.run.work) / "README.md").read_text()


@pytest.mark.parametrize("sparse", [False, True])
def test_what_vectors_hold_of_people_is_told_of(sparse: bool) -> None:
    """They were said to hold no names; the mean of one word's vector is that vector."""
    facts: dict[str, object] = {"features.columns.vector": "list"}
    facts |= {"features.sparse_columns": 1024} if sparse else {}
    told = measured("datasheet", "composition.identify", "features", facts)
    assert "of a mail of few words, whoever has those can find which they are, names among them" in told
    assert ("can hash it" in told) == sparse


def test_hashed_words_are_told_of(documented: Documented) -> None:
    """Whoever knows a name can look for its column, so a row is not said to hold none."""
    documents = documented.documents()
    sheet = next(s for s in documents.datasheets if s.subject == "features")
    told = {answer.question.id: answer.text for answer in sheet.answers}
    hashed = (
        "131,072 more columns (`ngram_indices`) are for hashed runs of up to 3 words and pairs of words that skip up"
    )
    assert hashed in told["composition.data"]
    assert "131,072 more columns hold nb values of hashed runs of up to 3 words and" in told["preprocessing.done"]
    assert not [answer.text for answer in sheet.answers if "list<" in answer.text], "a type of Arrow's is for no reader"
    assert "can hash it and see whether a row has its column" in told["composition.identify"]
    assert "columns that fewer than 4 training mails hold are left out" in told["composition.identify"]
    assert "the words of a single mail can be looked up too" in told["composition.identify"]
    cards = {card.subject: {a.question.id: a.text for a in card.answers} for card in documents.cards}
    assert "25 dense and 131,072 hashed features" in cards["models.logistic"]["details.type"]
    assert "25 features" in cards["models.forest"]["details.type"]
    assert "and 131,072 hashed n-grams." in cards["models.logistic"]["evaluation.preprocessing"]
    assert "hashed" not in cards["models.forest"]["evaluation.preprocessing"]
    used = next(fact for fact in documents.facts if fact.name == "models.logistic.hyperparameters.l2_sparse")
    assert f"l2_sparse {answers.show(used.value)}," in cards["models.logistic"]["details.algorithm"]
    fitted = next(fact for fact in documents.facts if fact.name == "models.forest.calibration.slope")
    said = f"fitted to the validation split: method platt, slope {answers.show(fitted.value)}, offset "
    assert said in cards["models.forest"]["details.algorithm"]
    assert "of neg, pos (evaluate.threshold: 0.5)." in cards["models.forest"]["metrics.thresholds"]


def test_check_passes_on_the_demo(documented: Documented) -> None:
    job = Job(documented.config)
    documents = build.check(job.workspace, job.config)
    assert {sheet.subject for sheet in documents.sheets} == {
        "raw", "clean", "features", "models.logistic", "models.forest",
    }  # fmt: skip
    assert not any(sheet.having("stale", "unanswered") for sheet in documents.sheets)


@pytest.mark.parametrize(("setting", "value"), [("wrong_labels", 0.2), ("languages", ["de"]), ("seed", 2)])
def test_check_fails_when_the_generators_settings_change(
    setting: str, value: object, documented: Documented, tmp_path: Path
) -> None:
    shutil.copytree(documented.corpus, tmp_path / "corpus")
    mark = tmp_path / "corpus" / "corpus.json"
    document = json.loads(mark.read_text())
    document["spec"][setting] = value
    mark.write_text(json.dumps(document))
    config = copied(documented, tmp_path)
    restated(Job(config).workspace, "raw", made_by={"input": {"paths": [str(tmp_path / "corpus" / "mail")]}})
    with pytest.raises(DataError) as caught:
        build.check(Job(config).workspace, config)
    assert caught.value.exit_code == 3
    assert "clean motivation.purpose: stale (generator.settings was" in caught.value.message
    lenient = config.model_copy(update={"docs": config.docs.model_copy(update={"fail_on": ("unanswered",)})})
    build.check(Job(lenient).workspace, lenient)


def test_what_is_not_of_the_generator_is_none_of_its_mail(documented: Documented, tmp_path: Path) -> None:
    """Of real mail beside it, and of its labels, the generator was said to have given wrong ones on purpose."""
    workspace = Job(copied(documented, tmp_path)).workspace
    ours = str(documented.corpus / "mail")
    assert "gave a wrong label on purpose" in answers_of(workspace)["raw", "composition.errors"]
    restated(workspace, "raw", made_by={"input": {"paths": [ours, str(tmp_path / "mail")]}})
    assert not gathering.gather(workspace).below("generator")
    assert "on purpose" not in answers_of(workspace)["raw", "composition.errors"]
    other = tmp_path / "other"
    other.mkdir()
    mark = json.loads((documented.corpus / "corpus.json").read_text())
    mark["spec"]["seed"] = 99
    (other / "corpus.json").write_text(json.dumps(mark))
    restated(workspace, "raw", made_by={"input": {"paths": [ours, str(other / "mail")]}})
    found = gathering.gather(workspace)
    assert found.get("generator.kind") is not None
    assert found.get("generator.seed") is None
    restated(workspace, "raw", made_by={"input": {"paths": [ours]}})
    settings = workspace.manifest("labels").statistics["made_by"]["labels"] | {"source": str(tmp_path / "own.csv")}
    restated(workspace, "labels", made_by={"labels": settings})
    assert "on purpose" not in answers_of(workspace)["raw", "composition.errors"]


def test_more_of_the_same_mail_needs_no_new_declaration(documented: Documented, tmp_path: Path) -> None:
    mark = documented.corpus / "corpus.json"
    before = mark.read_text()
    document = json.loads(before)
    document["spec"]["count"] = 10**6
    try:
        mark.write_text(json.dumps(document))
        build.check(Job(documented.config).workspace, documented.config)
    finally:
        mark.write_text(before)


def test_what_is_declared_of_other_data_names_none_of_ours(
    documented: Documented, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In a checkout, real mail was published under the demo's name and licence: that no message was ever sent."""
    assert documented.documents().about["license_name"] == "Apache-2.0"
    assert not caplog.text
    config = copied(documented, tmp_path)
    restated(Job(config).workspace, "raw", made_by={"input": {"paths": [str(tmp_path / "mail")]}})
    documents = build.gather(Job(config).workspace, config)
    assert documents.about == {}
    assert "datasheet.toml is about other data (generator.kind was grammar, is unknown; " in caplog.text
    manifests = {"raw": Job(config).workspace.manifest("raw")}
    card = huggingface.card(documents.facts, manifests, documents.about, documents.datasheets)
    assert 'license: "unknown"' in card
    assert "demo" not in card


def test_a_declaration_for_one_table_outranks_one_for_all() -> None:
    text = """
    [signed]
    who = "Ada"
    date = 2026-01-02
    [[answer]]
    question = "uses.not"
    text = "all"
    [[answer]]
    question = "uses.not"
    only = ["raw"]
    not_applicable = "raw"
    depends_on = { "run.seed" = 1 }
    """
    found = declared.parse(tomllib.loads(text), "x", {"uses.not"}, datasheet.WITH_SHEET)
    facts = known(raw__fingerprint="a", clean__fingerprint="b", run__seed=1)
    sheets = {sheet.subject: sheet for sheet in datasheet.build(facts, found)}
    answer = {name: next(a for a in s.answers if a.question.id == "uses.not") for name, s in sheets.items()}
    assert (answer["raw"].status, answer["raw"].text) == ("not applicable", "raw")
    assert (answer["clean"].status, answer["clean"].who, answer["clean"].date) == ("declared", "Ada", "2026-01-02")
    changed = known(raw__fingerprint="a", run__seed=2)
    (sheet,) = datasheet.build(changed, found)
    (stale,) = sheet.having("stale")
    assert [str(change) for change in stale.changes] == ["run.seed was 1, is 2"]
    (sheet,) = datasheet.build(known(raw__fingerprint="a"), found)
    assert "unknown" in str(sheet.having("stale")[0].changes[0])


def test_what_an_answer_says_itself_outranks_what_all_say() -> None:
    shared = (
        'signed = {who = "Ada", date = 2026-01-02}\n[depends_on]\n"raw.rows" = 1\n[[answer]]\nquestion = "uses.not"\n'
    )
    text = shared + 'text = "x"\nwho = "Bob"\ndepends_on = {"raw.rows" = 2}\n'
    found = declared.parse(tomllib.loads(text), "x", {"uses.not"}, datasheet.WITH_SHEET).answer("raw", "uses.not")
    assert found is not None
    assert (found.who, found.date, found.depends_on) == ("Bob", "2026-01-02", {"raw.rows": "2"})


def test_nobody_declares_nothing() -> None:
    text = 'signed = {date = 2026-01-02}\n[[answer]]\nquestion = "uses.not"\ntext = "x"\n'
    with pytest.raises(ConfigError, match="who declares it"):
        declared.parse(tomllib.loads(text), "x", {"uses.not"}, datasheet.WITH_SHEET)


def test_mail_without_a_language_is_listed_by_a_name() -> None:
    facts = known(**{"clean.counts.languages.en": 9, "clean.counts.languages.": 4, "clean.counts.languages.pt": 1})
    told = answers.fill(["{clean.counts.languages|list}; {clean.counts.languages|names}"], facts, "clean")
    assert told is not None
    assert told.text == "en 9, (none) 4, pt 1; en, (none), pt"


def test_a_group_of_facts_is_bound_by_its_names() -> None:
    facts = known(clean__counts__languages__en=9, clean__counts__languages__de=1)
    assert facts.state("clean.counts.languages") == "de, en"
    assert facts.state("nothing") is None


def test_every_problem_of_a_file_is_reported_together() -> None:
    text = """
    surprise = 1
    [[answer]]
    question = "uses.no"
    [[answer]]
    question = "uses.not"
    text = "x"
    who = "Ada"
    date = 2026-01-02
    colour = "red"
    """
    with pytest.raises(ConfigError) as caught:
        declared.parse(tomllib.loads(text), "file.toml", {"uses.not"}, datasheet.WITH_SHEET)
    for part in (
        "file.toml: 5 problem",
        "surprise",
        "no such question",
        "text or not_applicable",
        "who declares",
        "colour",
    ):
        assert part in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[answer]\nquestion = 'uses.not'", "answer must be a list, not "),
        ("answer = ['uses.not']", "answer 1: must be a table, [[answer]], not 'uses.not'"),
        ("about = 'x'", "about must be a table, not 'x'"),
        ("signed = 'Ada'", "signed must be a table, not 'Ada'"),
        ("[signed]\ndate = '2026-01-02'", "signed: date must be a date, not '2026-01-02'"),
        ("depends_on = ['raw.rows']", "depends_on must be a table, not ['raw.rows']"),
        ("[[answer]]\nquestion = ['uses.not']", "answer 1 (['uses.not']): question must be a text, not ['uses.not']"),
        ("[[answer]]\nquestion = 'uses.not'\nonly = 'clean'", "answer 1 (uses.not): only must be a list, not 'clean'"),
        ("[[answer]]\nquestion = 'uses.not'\nonly = [1]", "only must name one of raw, clean, features, not 1"),
        ("[[answer]]\nquestion = 'uses.not'\nonly = ['x']", "only must name one of raw, clean, features, not 'x'"),
        ("[[answer]]\nquestion = 'uses.not'\nonly = []", "only must name one of raw, clean, features, not ''"),
        ("[[answer]]\nquestion = 'uses.not'\ntext = ' '", "answer 1 (uses.not): text is blank: fill it in, or leave"),
        ("[[answer]]\nquestion = 'uses.not'\nnot_applicable = ''", "answer 1 (uses.not): not_applicable is blank"),
        ("[about]\nname = ''", "about: name is blank"),
        ("[about]\nlicence = 'MIT'", "about: unknown key 'licence'; known: name, description, license, license_name,"),
        ("[about]\nlicense = ['a']", "about: license must be a text, not ['a']"),
        ("[depends_on]\nclean.rows = '9'", "depends_on: clean must be a fact's name in quotes and its value, not {"),
        (
            "[[answer]]\nquestion = 'uses.not'\ndepends_on = {clean.rows = 9}",
            "answer 1 (uses.not): depends_on: clean must be a fact's name in quotes and its value, not {'rows': 9}",
        ),
        ("[[answer]]\nquestion = 'uses.not'\ndepends_on = 'x'", "(uses.not): depends_on must be a table, not 'x'"),
    ],
)  # fmt: skip
def test_what_is_no_declaration_is_named_by_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^file\.toml: \d+ problem") as caught:
        declared.parse(tomllib.loads(text), "file.toml", {"uses.not"}, datasheet.WITH_SHEET)
    assert said in caught.value.message


def test_the_declarations_of_the_project_are_whole() -> None:
    for kind in datasheet.SOURCES:
        document = tomllib.loads((ROOT / "data_docs" / f"{kind}.toml").read_text(encoding="utf-8"))
        found = declared.parse(document, kind, {each.id for each in questions(kind)}, datasheet.SUBJECTS[kind])
        assert found.answers
        assert all(declaration.depends_on for declaration in found.answers.values())


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{t.n} rows", "1,234 rows"),
        ("{.n|plain}", "1234"),
        ("{.share|percent}", "12.5 %"),
        ("{.few|percent}", "0.05 %"),
        ("{.one#row/rows} of {.rows#row/rows}", "1 row of 12,345 rows"),
        ("{.long}", "11,250"),
        ("{.size|bytes}", "3.0 MiB"),
        ("{.day|date}", "2026-11-21"),
        ("{.group|list}", "b 20, a 3"),
        ("{.group|names}", "a, b"),
        ("{.missing}", None),
        ("{.n} and {.nothing|list}", None),
    ],
)
def test_templates(template: str, text: str | None) -> None:
    facts = known(
        t__n=1234, t__share=0.125, t__size=3 * 2**20, t__day="2026-11-21T10:00", t__group__a=3, t__group__b=20,
        t__few=0.0005, t__one=1, t__rows=12345, t__long=11250.0,
    )  # fmt: skip
    found = answers.fill([template], facts, "t")
    assert (found.text if found else None) == text
    assert answers.fill([template, "{.n}"], facts, "t") is not None


def test_a_value_from_mail_is_no_template() -> None:
    facts = known(t__label="{.secret}", t__secret="x")
    found = answers.fill(["{.label}"], facts, "t")
    assert found is not None
    assert found.text == "{.secret}"
