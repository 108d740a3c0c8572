"""What machines read: Croissant, the hub's card, versions and their differences; and the commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mailmill import cli, pipeline, schemas
from mailmill.commands.docs import docs
from mailmill.commands.outcome import guarded
from mailmill.docs import build, croissant, datasheet, facts, gathering, huggingface, sample, slices, versions
from mailmill.docs.datasheet import Answer
from mailmill.docs.sample import join_columns
from mailmill.docs.versions import Difference
from mailmill.errors import ConfigError, DataError
from mailmill.job import Job
from mailmill.models.dataset import fragments
from mailmill.storage.filesystems import join
from mailmill.storage.manifests import File, content
from mailmill.visible import in_markdown
from tests import mail
from tests.docs.conftest import NGRAMS, Documented


def test_croissant_validates_and_reads_the_tables(documented: Documented) -> None:
    mlcroissant: Any = pytest.importorskip("mlcroissant")
    path = Path(documented.config.run.work) / "croissant.json"
    dataset = mlcroissant.Dataset(jsonld=path)
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert not issues.warnings
    document = json.loads(path.read_text())
    assert document["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    assert len([key for key in document if key.startswith("rai:")]) >= 10
    workspace = Job(documented.config).workspace
    for table in ("clean", "labels", "features"):
        records = list(dataset.records(table))
        assert len(records) == workspace.manifest(table).rows
    assert len(records[0]["features/vector"]) == workspace.manifest("features").statistics["specification"]["dimension"]
    described = {record["@id"]: record["description"] for record in document["recordSet"]}
    assert described["clean"] == "The table clean, without its nested column spans."
    assert described["raw"] == "The table raw."


@pytest.mark.parametrize(
    ("rows", "name"),
    [(0, "n<1K"), (1_000, "1K<n<10K"), (2 * 10**9, "1B<n<10B"), (10**11, "100B<n<1T"), (10**12, "n>1T")],
)
def test_sizes_are_named_as_the_hub_does(rows: int, name: str) -> None:
    assert huggingface.size_category(rows) == name


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"en": 865, "pt": 1, "": 21, "unknown": 900}, ["en"]),
        ({"en": 90, "de": 9, "fr": 1}, ["de", "en", "fr"]),
        ({"": 3}, []),
        ({gathering.OTHERS: 15}, ["de", "en"]),
        ({}, ["de", "en"]),
    ],
)
def test_the_hubs_languages_are_no_slips_of_the_detector(counts: dict[str, int], expected: list[str]) -> None:
    named = {f"clean.counts.languages.{code}": count for code, count in counts.items()}
    known: dict[str, facts.Value] = {"generator.languages": "en, de", **named}
    found = facts.Facts({name: facts.Fact(name, value, "asked", "t", "f") for name, value in known.items()}, {})
    assert huggingface.languages(found) == expected


def test_the_hubs_card_is_yaml_and_markdown(documented: Documented) -> None:
    yaml: Any = pytest.importorskip("yaml")
    _, head, body = (Path(documented.config.run.work) / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["license"] == "apache-2.0"
    assert found["language"] == ["en"]
    assert found["size_categories"] == ["n<1K"]
    for config in found["configs"]:
        assert config["data_files"]
        assert all((Path(documented.config.run.work) / name).is_file() for name in config["data_files"]), config
    workspace = Job(documented.config).workspace
    columns = {
        info["config_name"]: {column["name"]: column for column in info["features"]} for info in found["dataset_info"]
    }
    for name, described in columns.items():  # `datasets` refuses files of which a column is not described
        assert list(described) == [column["name"] for column in workspace.manifest(name).columns]
    assert columns["features"]["ngram_indices"]["list"] == "int32"
    assert columns["features"]["vector"]["list"] == "float32"
    assert [part["dtype"] for part in columns["clean"]["spans"]["list"]] == ["string", "int32", "int32", "string"]
    examples = {info["config_name"]: info["splits"][0]["num_examples"] for info in found["dataset_info"]}
    assert examples["clean"] == Job(documented.config).workspace.manifest("clean").rows
    for info in found["dataset_info"]:
        size = sum(file.bytes for file in workspace.manifest(info["config_name"]).files)
        assert info["splits"][0]["num_bytes"] == size
    assert body.count("\n## ") == 7


def test_what_is_stale_is_not_told_to_machines() -> None:
    """They cannot see the warning beside it."""
    question = datasheet.questions()[0]
    remark = Answer(question, "stale", "Sent by volunteers.")
    assert croissant._said(Answer(question, "measured", "93 mails.", remark=remark)) == "93 mails."
    assert croissant._said(Answer(question, "declared", "For research.", remark=None)) == "For research."
    assert croissant._said(remark) == ""


def test_many_files_are_named_by_their_folders(tmp_path: Path) -> None:
    workspace = Job(mail.make_config(str(tmp_path), tmp_path, tmp_path)).workspace
    written = [("raw", File(f"run_id=a/part-{n:06d}.parquet", 1, 1, f"{n:032x}")) for n in range(croissant.NAMED + 1)]
    manifest = workspace.stage({}, "", {"raw": schemas.RAW}).draft("raw", written, schemas.RAW).manifest
    assert croissant.patterns(manifest) == ["raw/run_id=a/*.parquet"]
    assert len(croissant.patterns(replace(manifest, files=manifest.files[1:]))) == croissant.NAMED


def test_every_column_is_described(documented: Documented) -> None:
    """Two counts of one name were both "words: int32, never null"."""
    found = {table: Job(documented.config).workspace.manifest(table).columns for table in schemas.COLUMNS}
    assert {t: [c["name"] for c in columns] for t, columns in found.items()} == {
        table: list(meanings) for table, meanings in schemas.COLUMNS.items()
    }
    records = json.loads((Path(documented.config.run.work) / "croissant.json").read_text())["recordSet"]
    said = {field["@id"]: field["description"] for record in records for field in record["field"]}
    assert said["clean/words"] == f"{schemas.COLUMNS['clean']['words']} (int32, never null)"
    page = (documented.site / "table-scores.html").read_text()
    assert all(meaning in page for meaning in schemas.COLUMNS["scores"].values())


@pytest.mark.parametrize(("kind", "said"), [("float", "cr:Float32"), ("double", "cr:Float64"), ("string", "sc:Text")])
def test_columns_have_croissants_types(kind: str, said: str) -> None:
    assert croissant._field("raw", {"name": "c", "type": kind, "nullable": True})["dataType"] == said


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("[pay](http://x.example) <b> a|b `c`", "\\[pay\\](http://x.example) &lt;b&gt; a\\|b 'c'"),
        ("\\[z](http://x.example)", "\\\\\\[z\\](http://x.example)"),
        ("a\r# b\n\n- *c* __d__", "a \\# b  - \\*c\\* \\_\\_d\\_\\_"),
        ("neg\u202e\x07\x85\xa0.", "neg\\\\u202e\\\\x07  ."),
    ],
)
def test_markup_in_values_from_mail_is_text(text: str, safe: str) -> None:
    """An escape before a bracket escaped the bracket's own, and a carriage return began a heading."""
    assert in_markdown(text) == safe


@pytest.mark.parametrize("name", ["Del \x7f", "C1 \x85 and \u202e", "smile \U0001f600 \U000e0001", "<b>"])
def test_a_card_is_yaml_whatever_it_is_called(name: str) -> None:
    yaml = pytest.importorskip("yaml")
    written = huggingface._yaml(name)
    assert yaml.safe_load(written) == name
    assert written.isprintable()
    assert "<" not in written


def test_every_fact_has_its_query_and_fingerprint(documented: Documented) -> None:
    document = json.loads((documented.site / "facts.json").read_text())
    assert document["format"] == versions.FORMAT
    names = [entry["name"] for entry in document["facts"]]
    assert len(names) == len(set(names)) > 150
    assert all(entry["query"] and entry["table"] and entry["fingerprint"] for entry in document["facts"])
    assert {"raw.rows", "clean.rejects", "generator.settings", "models.logistic.test.roc_auc"} <= set(names)


def test_the_version_is_one_of_the_content(documented: Documented, tmp_path: Path) -> None:
    """The same mail elsewhere, later, in other batches is the same version; other mail is another."""
    first = documented.documents().facts
    vectors = mail.make_vectors(documented.corpus, tmp_path / "glove.txt")
    again = mail.make_config(str(tmp_path / "work"), documented.corpus, vectors, "ingest.batch_objects=37", *NGRAMS)
    with Job(again) as job:
        pipeline.run(job)
        second = build.gather(job.workspace, again).facts
    assert not list(differences(first, second))
    assert first.get("clean.fingerprint") == second.get("clean.fingerprint")
    with Job(again.model_copy(update={"run": again.run.model_copy(update={"seed": 9})})) as job:
        pipeline.features(job)
        assert gathering.gather(job.workspace).version != second.version


def differences(a: facts.Facts, b: facts.Facts) -> list[Difference]:
    kept = [versions.Version(f.version, "", "", dict(f.by_name), {}) for f in (a, b)]
    return list(versions.compare(*kept))


def test_differences_in_words_and_figures() -> None:
    def version(answers: dict[str, tuple[str, str]], **values: Any) -> versions.Version:
        named = {name.replace("__", "."): value for name, value in values.items()}
        return versions.Version("v", "", "", {n: facts.Fact(n, v, "q", "t", "f") for n, v in named.items()}, answers)

    before = version(
        {"raw q": ("declared", "yes"), "raw m": ("measured", "10 rows")}, a__rows=10, a__gone=1, a__run="x"
    )
    answers = {"raw q": ("stale", "yes"), "raw m": ("measured", "25 rows")}
    after = version(answers, a__rows=25, a__new="<b>", a__none=0, a__run="y")
    assert [d.words for d in versions.compare(before, after)] == [
        "a.gone is gone (was 1)",
        "a.new is new: <b>",
        "a.none is new: 0",
        "a.rows: 10 → 25 (+15, +150.0 %)",
        "answer raw q: declared → stale",
    ]
    assert list(versions.compare(before, before)) == []


def test_versions_are_found_by_their_first_digits() -> None:
    known = [versions.Version(name, "", f"2026-01-0{i}", {}, {}) for i, name in enumerate(("ab12", "ac34"))]
    assert versions.find(known, "latest").id == "ac34"
    assert versions.find(known, "previous").id == "ab12"
    assert versions.find(known, "ab").id == "ab12"
    for wrong in ("a", "zz"):
        with pytest.raises(DataError, match="versions start with"):
            versions.find(known, wrong)
    with pytest.raises(DataError, match="no previous"):
        versions.find(known[:1], "previous")


def test_what_few_mails_have_is_counted_together(documented: Documented) -> None:
    """A domain with one mail is somebody: the site, and each file beside it, told who had written."""
    job = Job(documented.config)
    manifest = job.workspace.find("profiles/clean")
    assert manifest is not None
    whole = json.loads(content(job.storage, job.workspace.uri_of("profiles/clean"), manifest, "profile.json"))["counts"]
    known = documented.documents().facts
    for group in gathering.OF_PEOPLE:
        few = {value: n for value, n in whole[group].items() if value and n < slices.FEWEST}
        named = {value: fact.value for value, fact in known.below(f"clean.counts.{group}").items()}
        assert few.keys().isdisjoint(known.profiles["clean"].counts[group])
        assert few.keys().isdisjoint(named)
        assert sum(known.profiles["clean"].counts[group].values()) == sum(whole[group].values())
        assert named.get(gathering.OTHERS, 0) == sum(few.values())


def test_few_mails_are_counted_together_exactly_below_the_bound() -> None:
    assert gathering.joined({"a": 20, "b": 19, "c": 1, "": 3}) == {"a": 20, "": 3, gathering.OTHERS: 20}
    assert gathering.joined({"a": 20}) == {"a": 20}


def named(**values: int) -> facts.Facts:
    """Facts of the clean table, by the rest of their names."""
    full = {f"clean.{name}": value for name, value in values.items()}
    return facts.Facts({name: facts.Fact(name, value, "q", "clean", "f") for name, value in full.items()}, {})


def test_an_earlier_version_tells_of_few_mails_no_more(tmp_path: Path) -> None:
    """It was kept when each value had its count, and domains their names."""
    workspace = Job(mail.make_config(str(tmp_path), tmp_path, tmp_path)).workspace
    counts = {"domains.b.example": 30, "languages.xx": 1, "languages.": 2, "zones.quote": 3}
    before = versions.document(named(**{f"counts.{name}": n for name, n in counts.items()}), [], "2026-01-01")
    workspace.storage.write(join(workspace.root, versions.FOLDER, "before.json"), json.dumps(before).encode())
    versions.keep(workspace, versions.document(named(rows=1), [], "2026-01-02"), 9)
    assert [change.words for change in versions.compare(*versions.listed(workspace))] == [
        "clean.counts.languages. is gone (was 2)",
        "clean.counts.zones.quote is gone (was 3)",
        "clean.rows is new: 1",
    ]


def test_versions_that_are_kept_outlive_no_domain_of_a_sender(tmp_path: Path) -> None:
    """One that had left every table stood in them for ever."""
    workspace = Job(mail.make_config(str(tmp_path), tmp_path, tmp_path)).workspace
    found = named(**{"rows": 25, "counts.domains.quartz.example": 25})
    document = versions.document(found, [], "2026-01-01")
    versions.keep(workspace, document, 9)
    (kept,) = (tmp_path / versions.FOLDER).iterdir()
    assert "clean.rows" in kept.read_text()
    assert "quartz" not in kept.read_text()
    assert "quartz" in json.dumps(document), "the site's own facts have it, and go with it"


def test_the_last_versions_are_kept(tmp_path: Path) -> None:
    workspace = Job(mail.make_config(str(tmp_path), tmp_path, tmp_path)).workspace
    for day in range(1, 6):
        known = versions.keep(workspace, versions.document(named(rows=day), [], f"2026-01-0{day}"), 3)
    assert [version.rows["clean"] for version in known] == [3, 4, 5]
    assert versions.listed(workspace) == known


def test_the_latest_version_is_the_one_built_last(tmp_path: Path) -> None:
    """Data that is rolled back is the latest again, and was first documented when it was."""
    workspace = Job(mail.make_config(str(tmp_path), tmp_path, tmp_path)).workspace
    for day, rows in enumerate((10, 25, 10), 1):
        found = facts.Facts({"raw.rows": facts.Fact("raw.rows", rows, "q", "raw", "f")}, {})
        versions.keep(workspace, versions.document(found, [], f"2026-01-0{day}"), 9)
    known = versions.listed(workspace)
    assert [(v.rows["raw"], v.created, v.built) for v in known] == [
        (25, "2026-01-02", "2026-01-02"), (10, "2026-01-01", "2026-01-03")
    ]  # fmt: skip
    assert [change.words for change in versions.compare(known[0], known[1])] == ["raw.rows: 25 → 10 (-15, -60.0 %)"]


def test_a_version_of_an_older_mailmill_is_read(tmp_path: Path) -> None:
    """It has the date of its first build alone: each night of a workspace of that time ended, "damaged (KeyError)"."""
    workspace = Job(mail.make_config(str(tmp_path), tmp_path, tmp_path)).workspace
    for day, rows in enumerate((10, 25), 1):
        found = facts.Facts({"raw.rows": facts.Fact("raw.rows", rows, "q", "raw", "f")}, {})
        document = versions.document(found, [], f"2026-01-0{day}")
        if day == 1:
            del document["built"]
        versions.keep(workspace, document, 9)
    assert [(v.rows["raw"], v.built) for v in versions.listed(workspace)] == [(10, "2026-01-01"), (25, "2026-01-02")]


def test_a_version_that_cannot_be_read_ends_no_night(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    workspace = Job(mail.make_config(str(tmp_path), tmp_path, tmp_path)).workspace
    found = facts.Facts({"raw.rows": facts.Fact("raw.rows", 10, "q", "raw", "f")}, {})
    document = versions.document(found, [], "2026-01-01")
    folder = tmp_path / versions.FOLDER
    for name in (found.version, "0123456789ab"):
        workspace.storage.write(str(folder / f"{name}.json"), json.dumps(document).encode()[:40])
    versions.keep(workspace, document, 9)  # of today's data: made anew
    assert [version.id for version in versions.listed(workspace)] == [found.version]
    assert f"{folder / '0123456789ab.json'} is damaged (JSONDecodeError)" in caplog.text


def test_documents_that_outlive_the_files_they_name_are_told_of(
    documented: Documented, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where documents are not built every night: no file that croissant.json named was there, without a word."""
    shutil.copytree(documented.config.run.work, tmp_path / "work")
    run = documented.config.run.model_copy(update={"work": str(tmp_path / "work")})
    file = mail.write_config(tmp_path / "c.toml", documented.config.model_copy(update={"run": run}))
    said = "croissant.json and README.md in .* name files of clean that are gone: run `mailmill docs build`"
    for domain, told in (("hash", False), ("keep", False), ("drop", True)):
        cli.run_stage("clean", str(file), None, [f"clean.sender_domain={domain}"])
        assert bool(re.search(said, caplog.text)) == told


def test_the_sample_is_the_same_whatever_the_parts(documented: Documented) -> None:
    with Job(documented.config) as job:
        model = pipeline.load_model(job, "logistic").model
        table, clean = pipeline.open_features(job), job.workspace.open("clean", pipeline.schemas.CLEAN)

        def over(parts: list[Any]) -> sample.Reduce:
            def reduce(compute: Any, merge: Any, broadcast: Any) -> Any:
                found = [compute(part, broadcast) for part in parts]
                while len(found) > 1:
                    found = [merge(found[0], found[1]), *found[2:]]
                return found[0]

            return reduce

        def drawn(size: int, limit: int, seed: int = 5) -> sample.Sample:
            parts = fragments(table, model.classes, size, 1)
            return sample.draw(over(parts), over(clean.scans(size)), [("m", model)], 100, limit, seed)

        small, large = drawn(1, 10**6), drawn(2**30, 10**6)
        fewer, others = drawn(1, 40), drawn(1, 40, seed=6)
    for name in ("key", "y", "words", "month", "domain", "thread"):
        np.testing.assert_array_equal(getattr(small, name), getattr(large, name))
    np.testing.assert_array_equal(small.p["m"], large.p["m"])
    rows = clean.read(["key", "words"])
    words = dict(zip(rows["key"].to_pylist(), rows["words"].to_pylist(), strict=True))
    assert small.words.tolist() == [words[key] for key in small.key], "all of the mail's, not those that were read"
    assert small.share == 1.0
    assert 0 < len(fewer) < len(small)
    assert set(fewer.key.tolist()) < set(small.key.tolist())
    assert set(fewer.key.tolist()) != set(others.key.tolist()), "run.seed draws the sample"
    assert join_columns({"a": np.arange(2)}, {"a": np.arange(1)})["a"].tolist() == [0, 1, 0]


def test_a_damaged_profile_is_named(documented: Documented, tmp_path: Path) -> None:
    elsewhere = documented.config.run.model_copy(update={"work": str(tmp_path)})
    with Job(documented.config.model_copy(update={"run": elsewhere})) as job:
        assert gathering.read_profile(job.workspace, "scores") is None
        stage = job.stage({}, [], {"profiles/scores": schemas.FILES})
        stage.publish(stage.write_files("profiles/scores", {"profile.json": b'{"facts": 3}'}), {})
        with pytest.raises(DataError, match=r"profiles/scores.* is damaged"):
            gathering.read_profile(job.workspace, "scores")


@pytest.fixture
def configured(documented: Documented, tmp_path: Path) -> Path:
    return mail.write_config(tmp_path / "conf.toml", documented.config)


def run(*arguments: str) -> int:
    return guarded(lambda: docs.main([*arguments], standalone_mode=False))


def test_check_says_what_is_answered(configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "-c", str(configured)) == 0
    said = capsys.readouterr().out
    assert "clean            25 measured" in said
    (tmp_path / "nothing").mkdir()
    assert run("check", "-c", str(configured), "-s", f"docs.declared={tmp_path / 'nothing'}") == 3
    assert "raw motivation.purpose: unanswered" in capsys.readouterr().err
    assert run("check") == 2


def test_a_folder_of_declarations_that_is_not_there_is_named(
    configured: Path, documented: Documented, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "-c", str(configured), "-s", "docs.declared=nowhere") == 2
    assert "docs.declared: nowhere does not exist" in capsys.readouterr().err
    docs = documented.config.docs.model_copy(update={"declared": "nowhere"})
    config = documented.config.model_copy(update={"docs": docs})
    with Job(config) as job, pytest.raises(ConfigError, match=r"docs\.declared: nowhere"):
        pipeline.run(job)


def test_build_facts_versions_and_diff(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build", "-c", str(configured), "--engine", "local") == 0
    assert capsys.readouterr().out.endswith("index.html\n")
    assert run("facts", "-c", str(configured), "generator.") == 0
    assert '"generator.kind" = "grammar"' in capsys.readouterr().out
    assert run("facts", "-c", str(configured), "nosuch.") == 3
    assert "starts with nosuch." in capsys.readouterr().err
    assert run("versions", "-c", str(configured)) == 0
    first = capsys.readouterr().out.split()[0]
    assert run("diff", "-c", str(configured), first, "latest") == 0
    assert "0 differences" in capsys.readouterr().out
    assert run("diff", "-c", str(configured), "nothing") == 3


def test_nothing_to_document(tmp_path: Path, documented: Documented) -> None:
    config = documented.config.model_copy(
        update={"run": documented.config.run.model_copy(update={"work": str(tmp_path)})}
    )
    with pytest.raises(DataError, match="no data"):
        build.gather(Job(config).workspace, config)


def test_importing_the_commands_loads_no_plots() -> None:
    program = (
        "import sys, mailmill.pipeline, mailmill.cli, mailmill.docs.site;"
        "print([m for m in ('matplotlib', 'jinja2', 'codecarbon', 'mlcroissant') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["labels.classes.run", "clean.counts.domains.a.code", "clean.reasons.count"])
def test_names_of_the_data_are_no_parts_of_names(name: str) -> None:
    """Mails of a class called "run" count for the version as others do."""
    assert facts.stable(name)
    assert not facts.stable("labels.run")
    assert not facts.stable("raw.days.2026-11-20.count")


@pytest.mark.parametrize(
    "distribution",
    [None, "x", ["x"], [{"@id": "raw-files"}], [{"@id": "raw-files", "includes": "raw/run_id=a/x"}],
     [{"@id": "raw-files", "includes": ["*.parquet", 1]}]],
)  # fmt: skip
def test_a_croissant_file_of_somebody_elses_names_no_run(distribution: Any) -> None:
    """Each night ended with a traceback because of one that was edited beside the tables."""
    assert croissant.runs_named({"distribution": distribution}, "raw") == set()
