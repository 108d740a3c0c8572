"""Configuration: everything in conf/ loads, and a typo never starts a run."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mailmill.config import Config, fingerprint, load, parse, parse_bytes
from mailmill.errors import ConfigError
from mailmill.models.forest import ForestSettings
from tests.conftest import ROOT

FILES = sorted((ROOT / "conf").rglob("*.toml"))


def test_conf_has_the_promised_files() -> None:
    assert {"demo.toml", "local.toml", "dask.toml", "emr.toml"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_in_conf_loads(path: Path) -> None:
    assert load(path).input.paths


def test_unknown_keys_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"input": {"paths": ["mail"]}, "forest": {"treees": 5}, "featurs": {}}, origin="x.toml")
    assert "forest.treees: unknown key; did you mean forest.trees?" in caught.value.message
    assert "featurs: unknown key; did you mean features?" in caught.value.message
    assert caught.value.exit_code == 2


def test_all_problems_come_in_one_report() -> None:
    document = {"run": {"seed": -1}, "engine": {"workers": 0, "memory": "much"}, "tables": {"fragment_byte": 1}}
    with pytest.raises(ConfigError) as caught:
        parse(document, origin="conf/x.toml")
    report = caught.value.message
    assert report.startswith("conf/x.toml: 5 problems")
    for name in ("run.seed", "engine.workers", "engine.memory", "tables.fragment_byte", "input: missing"):
        assert name in report


def test_overrides_are_typed_and_win() -> None:
    config = parse(
        {"input": {"paths": ["a"]}, "forest": {"trees": 5}},
        ["forest.trees=7", "run.work=s3://b/x", 'input.paths=["b", "c"]', "engine.spark.spark.executor.memory=4g"],
    )
    assert config.forest.trees == 7
    assert config.run.work == "s3://b/x"
    assert config.input.paths == ("b", "c")
    assert config.engine.spark == {"spark.executor.memory": "4g"}


@pytest.mark.parametrize(
    "place",
    [
        "hdfs:///data/x", "s3:/bucket/x", "S3://bucket/x", "https://host/x", "gs://bucket",
        "s3://", "s3:///x", "s3a://", "file://",
    ],
)  # fmt: skip
def test_a_place_that_nobody_speaks_is_refused(place: str) -> None:
    """It was a local folder named "hdfs:"; without a bucket, as where a variable is not set, one named "s3:"."""
    for name in ("run.work", "labels.source", "features.vectors", "docs.site", "docs.declared", "quality.suites"):
        with pytest.raises(ConfigError, match=f"{name}: must be a path or s3://"):
            parse({"input": {"paths": ["a"]}}, [f"{name}={place}"])
    with pytest.raises(ConfigError, match=r"input\.paths\.1: must be a path"):
        parse({"input": {"paths": ["a", place]}})
    for name in ("cache.directory", "engine.report"):
        with pytest.raises(ConfigError, match=f"{name}: must be a path on a local disk"):
            parse({"input": {"paths": ["a"]}}, [f"{name}={place}"])


def test_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    paths = ("s3://b", "s3://b/x", "s3a://b/x", "s3n://b/x", "file:///x", "/a:/b", "a b/c:d", "~/mail", "~")
    config = parse({"input": {"paths": paths}})
    assert config.input.paths == (*paths[:-2], "/home/ada/mail", "/home/ada")
    assert config.features.vectors.startswith("package:")


@pytest.mark.parametrize("work", ["s3://b//w", "s3://b/p//w", "s3a://b/p//"])
def test_a_workspace_with_an_empty_part_is_refused(work: str) -> None:
    """As of `s3://bucket/$TEAM/work` without a TEAM: what was written there was not found when it was listed."""
    assert "must have no empty part" in said_of({}, f"run.work={work}")
    assert parse({"input": {"paths": ["s3://b//mail"]}}).input.paths == ("s3://b//mail",)


def test_a_place_that_the_locale_cannot_say_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with PYTHONUTF8=0 and LC_ALL=C; S3 does not ask the locale."""
    monkeypatch.setattr(os, "fsencode", lambda path: path.encode("ascii", "surrogateescape"))
    for name in ("run.work", "docs.site", "cache.directory"):
        assert said_of({}, f"{name}=w\u00f6rk").startswith(f"{name}: this process's locale (")
    assert parse({"input": {"paths": ["s3://b/w\u00f6rk", "work"]}}).input.paths == ("s3://b/w\u00f6rk", "work")


@pytest.mark.parametrize("override", ["forest.trees", "trees=5", "=5", "input.paths.x=1"])
def test_malformed_overrides_are_refused(override: str) -> None:
    with pytest.raises(ConfigError):
        parse({"input": {"paths": ["a"]}}, [override])


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load(tmp_path / "no.toml")
    (tmp_path / "bad.toml").write_text("[run\n")
    with pytest.raises(ConfigError, match=r"bad\.toml cannot be read"):
        load(tmp_path / "bad.toml")


def test_labels_have_one_source() -> None:
    with pytest.raises(ConfigError, match="not both"):
        parse({"input": {"paths": ["a"]}, "labels": {"source": "x.csv", "header": "X-Label"}})


def test_config_is_frozen() -> None:
    config = parse({"input": {"paths": ["a"]}})
    with pytest.raises(ValidationError):
        config.run.seed = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"), [("64MiB", 64 * 2**20), ("2 GB", 2 * 10**9), ("1.5KiB", 1536), ("7", 7), (9, 9)]
)
def test_sizes(text: object, expected: int) -> None:
    assert parse_bytes(text) == expected


@given(st.integers(0, 2**40))
def test_sizes_in_bytes_are_themselves(size: int) -> None:
    assert parse_bytes(str(size)) == parse_bytes(f"{size}B") == size


def test_fingerprint_sees_every_setting_and_nothing_else() -> None:
    base = parse({"input": {"paths": ["a"]}})
    changed = parse({"input": {"paths": ["a"]}, "forest": {"trees": 51}})
    assert fingerprint(base.forest) != fingerprint(changed.forest)
    assert fingerprint(base.logistic) == fingerprint(changed.logistic)
    assert fingerprint(base.forest, 1) != fingerprint(base.forest, 2)


def test_every_setting_of_the_examples_is_known() -> None:
    """The examples are read by people who copy them: no section may be misspelt there."""
    for path in FILES:
        assert set(tomllib.loads(path.read_text())) <= set(Config.model_fields)


def test_all_words_can_be_asked_for() -> None:
    """TOML has no null."""
    for said, read in (('"all"', None), ("0", None), ("200", 200)):
        config = parse({"input": {"paths": ["mail"]}}, [f"features.max_words={said}"])
        assert config.features.max_words == read
    for wrong in ("-1", "1.5", '"some"'):
        with pytest.raises(ConfigError, match="max_words"):
            parse({"input": {"paths": ["mail"]}}, [f"features.max_words={wrong}"])


def test_a_pool_is_named_once() -> None:
    with pytest.raises(ConfigError, match="names a pool twice"):
        parse({"input": {"paths": ["mail"]}}, ['features.pooling=["mean", "mean"]'])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("forest.max_features=0", "forest.max_features: must be"),
        ("forest.max_features=1.5", "forest.max_features: must be"),
        ("forest.max_features=true", "forest.max_features: "),
        ("forest.max_features=log2", "forest.max_features: must be"),
        ("forest.shrinkage=inf", "forest.shrinkage: "),
        ("forest.min_leaf=3_000_000_000", "forest.min_leaf: "),
        ("logistic.l1=inf", "logistic.l1: "),
        ('train.models=["forest", "forest"]', "train.models names a model twice"),
        ("train.negative=pos", "train.negative and train.positive"),
        ("run.seed=true", "run.seed: "),
        ("engine.address=tcp://box:8786", "with engine.address, run.work is absolute or on S3, which 'work' is not"),
        ("evaluate.false_positive_cost=true", "evaluate.false_positive_cost: "),
    ],
)
def test_what_would_fail_after_hours_is_refused_at_once(override: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"input": {"paths": ["mail"]}}, [override])
    assert caught.value.message.startswith("configuration and the command line: 1 problem\n")
    assert said in caught.value.message


@pytest.mark.parametrize("kind", ["auto", "local", "dask", "spark"])
def test_only_on_a_cluster_a_relative_place_is_another(kind: str) -> None:
    """A try with `--engine local` of the configuration that names the cluster; `s3-mail` is a folder, not on S3."""
    address = ["engine.address=tcp://box:8786", f"engine.kind={kind}"]
    for work, mail in (("w", "/mail"), ("s3-work", "/mail"), ("/w", "mail"), ("s3a://b/w", "s3-mail")):
        document = {"input": {"paths": [mail]}, "run": {"work": work}}
        if kind in ("local", "spark"):
            assert parse(document, address).run.work == work
        else:
            with pytest.raises(ConfigError, match=r"with engine\.address, .* is absolute or on S3"):
                parse(document, address)
    for place in ("/w", "s3://b/w", "s3a://b/w", "s3n://b/w", "file:///w"):
        assert parse({"input": {"paths": [place]}, "run": {"work": place}}, address).run.work


@pytest.mark.parametrize(("said", "read"), [("5", "5"), ("1.0", "1.0"), ('"5"', "5"), ("-1", "-1"), ("happy", "happy")])
def test_a_class_may_be_a_number(said: str, read: str) -> None:
    found = parse({"input": {"paths": ["mail"]}}, [f"train.positive={said}", "train.negative=0"]).train
    assert (found.positive, found.negative) == (read, "0")
    with pytest.raises(ConfigError, match=r"train\.positive: must not be true or false"):
        parse({"input": {"paths": ["mail"]}}, ["train.positive=true"])


@pytest.mark.parametrize(("said", "read"), [("1", 1), ("20", 20), ("0.3", 0.3), ("1.0", 1.0), ("sqrt", "sqrt")])
def test_a_node_draws_a_share_or_a_number_of_columns(said: str, read: object) -> None:
    found = parse({"input": {"paths": ["mail"]}}, [f"forest.max_features={said}"]).forest.max_features
    assert (type(found), found) == (type(read), read)
    assert ForestSettings(max_features=found).drawn(100) >= 1


def said_of(document: dict[str, object], *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse({"input": {"paths": ["mail"]}} | document, overrides)
    origin = "configuration and the command line" if overrides else "configuration"
    return caught.value.message.removeprefix(f"{origin}: 1 problem\n  ")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("input.paths=mail", "input.paths: should be a list, in [ ] (got 'mail')"),
        ('input.paths=[""]', "input.paths.0: should not be empty (got '')"),
        ("input.paths=[]", "input.paths: should not be empty (got [])"),
        ("logistic.l2=-1", "logistic.l2: should be greater than or equal to 0, or a list, in [ ] (got -1)"),
        ("logistic.l2=[1, -1]", "logistic.l2.1: should be greater than or equal to 0 (got -1)"),
        ("evaluate.threshold=f2", "evaluate.threshold: should be a valid number, or 'f1' or 'cost' (got 'f2')"),
        ("forest.class_weights.pos=-1", "forest.class_weights.pos: should be greater than 0 (got -1)"),
        ('ingest.as_of=""', "ingest.as_of: should be a date, as 2026-11-20 (got '')"),
        ("ingest.as_of=20261120", "ingest.as_of: should be a date, as 2026-11-20 (got 20261120)"),
        (
            "run.work=w\udcf6rk",
            "run.work: is not UTF-8; where the locale is another, set PYTHONUTF8=1 (got 'w\\udcf6rk')",
        ),
        ("input.pathz=[]", "input.pathz: unknown key; did you mean input.paths?"),
        ("features.seed=3", "features.seed: unknown key; did you mean run.seed?"),
        ("inputs.paths=[]", "inputs: unknown key; did you mean input?"),
        ("RUN.work=x", "RUN: unknown key; did you mean run?"),
        ("Forest.trees=3", "Forest: unknown key; did you mean forest?"),
        ("forest.Trees=3", "forest.Trees: unknown key; did you mean forest.trees?"),
        ("search.forest.depth=[1, 0]", "search.forest.depth: should be greater than or equal to 1 (got 0)"),
        ("search.logistic.l2=[[1, -1]]", "search.logistic.l2.1: should be greater than or equal to 0 (got -1)"),
        ("search.forest.l2=[1]", "search.forest: [forest] has no setting l2 (got {'l2': [1]})"),
        ("tables.fragment_bytes=0", "tables.fragment_bytes: should be greater than 0 (got 0)"),
        ("run.lease_seconds=0", "run.lease_seconds: should be greater than 0 (got 0)"),
        ("features.validation_share=0", "features.validation_share: should be greater than 0 (got 0)"),
        (
            "engine.master=lokal[2]",
            "engine.master: should be local[N], spark://HOST:PORT, yarn or k8s://URL (got 'lokal[2]')",
        ),
        ("docs.country=de", "docs.country: should be three capital letters of ISO 3166, as DEU (got 'de')"),
        (
            "storage.endpoint=localhost",
            "storage.endpoint: should begin with http:// or https://, as https://s3.example.com (got 'localhost')",
        ),
    ],
)
def test_problems_are_said_in_words_of_toml(override: str, said: str) -> None:
    assert said_of({}, override) == said


def test_a_problem_of_no_single_setting_does_not_show_the_whole_file() -> None:
    said = said_of({}, "features.validation_share=0.45", "features.test_share=0.45")
    assert said == "configuration: features.validation_share and features.test_share must sum to less than 0.9"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"work": "w"}, "work: unknown key; did you mean run.work?"),
        ({"sample_rows": 9}, "sample_rows: unknown key; did you mean quality.sample_rows or docs.sample_rows?"),
        ({"featurs": {}}, "featurs: unknown key; did you mean features?"),
        ({"forest": [1]}, "forest: should be a section (got [1])"),
    ],
)
def test_a_setting_outside_its_section_is_told_where_it_belongs(document: dict[str, object], said: str) -> None:
    assert said_of(document) == said


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("clean", "sender_domain", "hash"),
        ("docs", "examples", 0),
        ("docs", "words", "package"),
        ("docs", "fail_on", ("unanswered", "stale")),
    ],
)
def test_what_is_shown_of_people_has_to_be_asked_for(section: str, key: str, value: object) -> None:
    assert getattr(getattr(parse({"input": {"paths": ["mail"]}}), section), key) == value


def test_the_order_in_which_settings_are_written_is_none_of_them() -> None:
    one, other = ({"pos": 2.0, "neg": 1.0}, {"neg": 1.0, "pos": 2.0})
    weights = [parse({"input": {"paths": ["a"]}, "forest": {"class_weights": given}}).forest for given in (one, other)]
    assert fingerprint(weights[0]) == fingerprint(weights[1])


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "notepad.toml").write_text('[input]\npaths = ["mail"]\n', encoding="utf-8-sig")
    assert load(tmp_path / "notepad.toml").input.paths == ("mail",)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:8333", "localhost", "s3://x", "http://", "http:///x", " "])
def test_an_endpoint_without_a_scheme_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError, match=r"storage\.endpoint"):
        parse({"storage": {"endpoint": endpoint}, "input": {"paths": ["m"]}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("storage.endpoint", "http://user:Tell-no-1@h:9"),
        ("storage.endpoint", "user:Tell-no-1@h"),
        ("storage.endpoint", "https://Tell-no-1@h"),
        ("run.work", "s3://AKIA:Tell-no-1@bucket/work"),
        ("run.work", "s3a://AKIA:Tell/no-1@bucket/work"),
        ("labels.source", "s3n://Tell-no-1@bucket/labels.csv"),
        ("features.vectors", "s3://:Tell-no-1@bucket/v.txt"),
        ("docs.site", "s3://AKIA:Tell-no-1@bucket"),
    ],
)
def test_credentials_in_an_address_are_refused_and_not_shown(name: str, value: str) -> None:
    said = "holds credentials, which come from the environment, a profile or the instance's role alone"
    assert said_of({}, f"{name}={value}") == f"{name}: {said}"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("storage.endpoint=['http://user:Tell-no-1@h']", "storage.endpoint: should be a valid string"),
        ("labels.source=https://user:Tell/no-1@h/x.csv", "labels.source: must be a path"),
        ("engine.spark=http://user:Tell-no-1@h", "engine.spark: should be a table"),
        ("engine.spark.spark.hadoop.fs.s3a.secret.key=471100", "engine.spark.spark.hadoop.fs.s3a.secret.key: should"),
        ("storage=http://user:Tell-no-1@h", "--set storage: not of the form section.key=value"),
        ("engine.kind.x=http://user:Tell-no-1@h", "--set engine.kind.x: kind is not a section"),
    ],
)
def test_a_refused_value_keeps_its_secrets(override: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"input": {"paths": ["m"]}, "engine": {"kind": "dask"}}, [override])
    assert said in caught.value.message
    assert not any(secret in caught.value.message for secret in ("no-1", "471100"))


def test_a_refused_section_keeps_its_secrets() -> None:
    document = {"storage": {"kms_key": "k"}, "engine": {"spark": {"spark.ssl.keyPassword": "Tell-no-1"}}}
    document |= {"input": {"paths": ["m"]}, "features": {"validation_share": 0.49, "test_share": 0.49}}
    for unsound in (document, document | {"storage": {}}):
        with pytest.raises(ConfigError) as caught:
            parse(unsound)
        assert "Tell" not in caught.value.message


@pytest.mark.parametrize(
    "place",
    ["s3://b/cur/1@h:2,S", "s3://b/a:b@c", "s3://arn:aws:s3:eu-central-1:1:accesspoint/x/m@h", "m:1@h", "/a//b@c"],
)
def test_a_sign_at_in_a_key_is_no_login(place: str) -> None:
    assert parse({"input": {"paths": [place]}}).input.paths == (place,)


@pytest.mark.parametrize(
    ("said", "read"), [("http://h:1", "http://h:1"), ("HTTPS://s3.Example/x", "https://s3.Example/x"), ("", None)]
)
def test_an_endpoint(said: str, read: str | None) -> None:
    """A variable that is not set names AWS's own."""
    config = parse({"input": {"paths": ["m"]}}, [f'storage.endpoint="{said}"'])
    assert config.storage.endpoint == read


@pytest.mark.parametrize("master", ["local[0]", "local[two]", "local[2", "Yarn", "spark:host:7077", "host:7077", " "])
def test_a_master_that_spark_does_not_know_is_refused(master: str) -> None:
    """Spark was started, and said of a typo that it was worth another try."""
    with pytest.raises(ConfigError, match=r"engine\.master"):
        parse({"engine": {"master": master}, "input": {"paths": ["m"]}})


@pytest.mark.parametrize(
    "master",
    ["local", "local[4]", "local[*]", "local[*, 3]", "local-cluster[2,1,1024]", "yarn", "spark://a:7077,b:7077",
     "k8s://https://host:443"],
)  # fmt: skip
def test_a_master(master: str) -> None:
    assert parse({"engine": {"master": master}, "input": {"paths": ["m"]}}).engine.master == master
    assert parse({"engine": {"master": ""}, "input": {"paths": ["m"]}}).engine.master is None
