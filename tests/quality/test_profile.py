"""Profiles: the same figures on every engine and in any fragments, true figures, and a size that rows do not change."""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mailmill import schemas
from mailmill.engines import Engine
from mailmill.engines.local import LocalEngine
from mailmill.features.split import split_of
from mailmill.quality import threads
from mailmill.quality.mail import tally_raw
from mailmill.quality.profile import PROFILED, Known, Profile, profile, tally_scan
from mailmill.quality.profile import plan as plan_of
from mailmill.quality.tally import Tally, add, key_hashes
from mailmill.storage.tables import Table
from tests.quality import tables

N = 900
SPLIT = functools.partial(split_of, seed=1, shares=(0.7, 0.1, 0.2))


def made(root: Path, name: str, part_rows: int = 200, rows: list[int] | None = None) -> Table:
    return tables.publish(str(root), name, [tables.ROWS[name](n) for n in rows or range(N)], part_rows)


def known(root: Path, engine: Engine) -> Known:
    clean = made(root / "known", "clean")
    found = engine.map_reduce(clean.scans(2**13), threads.tally_threads, threads.merge_threads, SPLIT)
    return Known("pos", np.array([1.0, 0, 0, 0]), found)


def measured(table: Table, engine: Engine, known: Known = Known(), **options: Any) -> Profile:  # noqa: B008
    return profile(table, engine.map_reduce, 2**13, known=known, **options)


@pytest.mark.parametrize("name", PROFILED)
def test_the_same_on_every_engine(name: str, engine: Engine, tmp_path: Path) -> None:
    local = LocalEngine()
    ours = measured(made(tmp_path, name), engine, known(tmp_path, engine))
    theirs = measured(made(tmp_path / "other", name, 900), local, known(tmp_path / "local", local))
    assert ours.files() == theirs.files()
    assert ours.sample.equals(theirs.sample)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", PROFILED)
@pytest.mark.parametrize("order", ["back to front", "small parts"])
def test_the_same_in_any_order_and_fragments(name: str, order: str, tmp_path: Path) -> None:
    rows, parts = (list(range(N))[::-1], 200) if order == "back to front" else (list(range(N)), 37)
    ours = measured(made(tmp_path / "a", name), LocalEngine())
    theirs = measured(made(tmp_path / "b", name, parts, rows), LocalEngine())
    assert ours.files() == theirs.files()
    assert ours.sample.equals(theirs.sample)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", PROFILED)
def test_tallies_merge_in_any_shape(name: str, tmp_path: Path) -> None:
    todo = plan_of(name, Known(), sample_rows=20)
    parts = [tally_scan(scan, todo) for scan in made(tmp_path, name, 300).scans(2**62)]
    a, b, c = parts
    shapes = [add(add(a, b), c), add(a, add(b, c)), add(add(c, a), b), add(add(Tally(sample_rows=20), b), add(c, a))]
    for shape in shapes[1:]:
        assert shape.sums == shapes[0].sums
        assert shape.names == shapes[0].names
        assert shape.sample.equals(shapes[0].sample)  # type: ignore[union-attr]
        assert all(np.array_equal(shape.bins[n][1], counts) for n, (_, counts) in shapes[0].bins.items())
        assert all(np.array_equal(shape.distinct[n].counts, d.counts) for n, d in shapes[0].distinct.items())


def test_figures_of_clean_mail_are_true(tmp_path: Path) -> None:
    found = measured(made(tmp_path, "clean"), LocalEngine()).document
    facts, rows = found["facts"], [tables.clean(n) for n in range(N)]
    chars = [len(row["text"]) for row in rows]
    zones: Counter[str] = Counter()
    for row in rows:
        for span in row["spans"]:
            zones[span["zone"]] += span["end"] - span["start"]
    assert facts["text.chars.total"] == sum(chars)
    assert facts["text.replacement_chars"] == sum(row["text"].count("\ufffd") for row in rows)
    assert facts["text.empty"] == sum(row["words"] == 0 for row in rows)
    assert facts["retention.share"] == pytest.approx(sum(chars) / sum(row["rendered_chars"] for row in rows))
    assert facts["dated.share"] == pytest.approx(sum(row["date"] is not None for row in rows) / N)
    assert facts["confidence.mean"] == pytest.approx(np.mean([row["confidence"] for row in rows]), abs=1e-6)
    assert facts["spans.uncovered"] == 0
    assert (facts["threads.distinct"], facts["threads.distinct_error"]) == (N // 3, None)
    assert facts["domains.distinct"] == 17
    assert facts["text.duplicate_share"] == pytest.approx(1 - len({row["text"] for row in rows}) / N)
    assert facts["text.duplicate_share_error"] is None
    assert found["counts"]["zones"] == {zone: zones.get(zone, 0) for zone in schemas.ZONES}
    assert (
        found["counts"]["rules"]["quoted/quote_mark"] + found["counts"]["rules"]["quoted/reply_header"]
        == zones["quoted"]
    )
    days = Counter(row["date"].date().isoformat() for row in rows if row["date"])
    assert found["counts"]["days"] == dict(days)
    assert (facts["date.first"], facts["date.last"]) == (min(days), max(days))
    assert sum(found["histograms"]["text.chars"]["counts"]) == found["rows"] == N


def mailing(root: Path, rows: int, common: range, names: int) -> Profile:
    """Clean mail of as many domains and conversations as `names`; the mails of `common` are of one domain and text."""
    found = []
    for n in range(rows):
        own = {"sender_domain": "the largest" if n in common else f"firm {n % names}", "thread": tables.key(n % names)}
        found.append(tables.clean(n) | own | {"text": "out of office" if n in common else f"text {n}"})
    return measured(tables.publish(str(root), "clean", found, rows, 2**20), LocalEngine())


def test_mail_without_a_domain_is_of_none(tmp_path: Path) -> None:
    """It was counted as one domain more, and could be the largest."""
    found = [tables.clean(n) | {"sender_domain": "" if n < 60 else f"firm {n % 2}"} for n in range(100)]
    facts = measured(tables.publish(str(tmp_path), "clean", found, 100, 2**20), LocalEngine()).facts
    assert (facts["domains.distinct"], facts["domains.largest_share"]) == (2, 0.2)


def test_beyond_what_is_kept_figures_are_estimates_or_left_out(tmp_path: Path) -> None:
    """Of 6,000 domains the one with half of the mail was mostly not among those that were kept, and 3 the largest."""
    common = range(6000, 12_000)
    many, few = (mailing(tmp_path / str(names), 12_000, common, names) for names in (6000, 60))
    for found in (many, few):
        error = found.facts["text.duplicate_share_error"]
        assert isinstance(error, float)
        assert 0 < error < 0.01
        assert found.facts["text.duplicate_share"] == pytest.approx(5999 / 12_000, abs=3 * error)
    error = many.facts["threads.distinct_error"]
    assert isinstance(error, int)
    assert many.facts["threads.distinct"] == pytest.approx(6000, abs=3 * error)
    assert (few.facts["threads.distinct"], few.facts["threads.distinct_error"]) == (60, None)
    assert (many.facts["domains.distinct"], many.facts["domains.largest_share"]) == (None, None)
    assert "domains" not in many.document["counts"]
    assert (few.facts["domains.distinct"], few.facts["domains.largest_share"]) == (61, 0.5)
    assert few.document["counts"]["domains"]["the largest"] == 6000


@pytest.mark.parametrize(
    ("source", "extension"),
    [
        ("s3://b/C#/x.mbox#000001", ".mbox"), ("/mail/Wow!/7/one.EML", ".eml"), ("day.zip!in/a#1.eml", ".zip"),
        ("day.tar.gz!in/a.eml", ".gz"), ("/mail/cur/1234.host:2,S", "other"), ("/mail/a.mboxes/1", "other"),
    ],
)  # fmt: skip
def test_a_container_is_known_by_the_end_of_its_name(source: str, extension: str) -> None:
    batch = pa.RecordBatch.from_pydict({"key": ["0" * 32], "source": [source], "raw": [b"x"]}, schema=schemas.RAW)
    assert tally_raw(batch, 10).names["containers"].counts == {extension: 1}


def test_figures_of_labels_are_true(tmp_path: Path) -> None:
    found = measured(made(tmp_path, "labels"), LocalEngine()).document
    rows = [tables.labels(n) for n in range(N)]
    votes = Counter(vote["tagger"] for row in rows for vote in row["votes"])
    agree = Counter(v["tagger"] for row in rows for v in row["votes"] if v["label"] == row["label"])
    assert found["counts"]["taggers"] == dict(votes)
    assert found["counts"]["taggers_agree"] == dict(agree)
    assert agree != votes
    assert found["facts"]["agreement.mean"] == pytest.approx(np.mean([row["agreement"] for row in rows]), abs=1e-6)
    assert found["facts"]["label.pos.share"] == pytest.approx(np.mean([row["label"] == "pos" for row in rows]))


def test_figures_of_features_are_true(tmp_path: Path) -> None:
    found = measured(made(tmp_path, "features"), LocalEngine(), known(tmp_path, LocalEngine())).document
    rows = [tables.features(n) for n in range(N)]
    norms = [np.linalg.norm(row["vector"]) for row in rows]
    assert found["facts"]["vector.zero"] == sum(norm == 0 for norm in norms) == 45
    assert found["facts"]["vector.norm.p50"] == pytest.approx(np.quantile(norms, 0.5, method="inverted_cdf"), rel=0.011)
    assert found["facts"]["coverage.mean"] == pytest.approx(np.mean([row["coverage"] for row in rows]), abs=1e-6)
    cells = Counter(f"{row['split']}/{row['label'] or ''}" for row in rows)
    assert found["counts"]["label_by_split"] == dict(cells)
    assert found["facts"]["split.threads_checked"] == N // 3  # the splits here are whole threads, but not the hash's
    assert found["facts"]["split.threads_leaking"] == 0
    assert found["facts"]["split.not_as_threads_demand"] == 3


def test_one_mail_in_the_wrong_split_shows(tmp_path: Path) -> None:
    demanded = known(tmp_path, LocalEngine())
    splits = SPLIT([tables.clean(n)["thread"] for n in range(N)])
    rows = [tables.features(n) | {"split": splits[n]} for n in range(N)]
    right = measured(tables.publish(str(tmp_path / "right"), "features", rows, 200), LocalEngine(), demanded).facts
    assert (right["split.not_as_threads_demand"], right["split.threads_leaking"]) == (0, 0)
    rows[417]["split"] = "test" if rows[417]["split"] != "test" else "train"
    wrong = measured(tables.publish(str(tmp_path / "wrong"), "features", rows, 200), LocalEngine(), demanded).facts
    assert (wrong["split.not_as_threads_demand"], wrong["split.threads_leaking"]) == (2, 1)


def test_sampled_threads_are_bounded_and_merge_in_any_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "THREADS", 10)
    monkeypatch.setattr(threads, "MEMBERS", 2)
    a, b, c = [threads.tally_threads(scan, SPLIT) for scan in made(tmp_path, "clean", 300).scans(2**62)]
    found = threads.merge_threads(threads.merge_threads(a, b), c)
    assert found == threads.merge_threads(c, threads.merge_threads(b, a))
    assert len(found.members) == 10
    assert all(len(members) <= 2 for members in found.members.values())


def test_a_tally_is_of_a_size_that_rows_do_not_change(tmp_path: Path) -> None:
    todo = plan_of("clean", Known(), sample_rows=50)
    (scan,) = made(tmp_path, "clean", N).scans(2**62)
    one = tally_scan(scan, todo)
    many = one
    for _ in range(5):
        many = add(many, many)
    assert many.sums["rows"] == 32 * N
    assert many.sample.num_rows == one.sample.num_rows == 50  # type: ignore[union-attr]
    for name, names in many.names.items():
        assert len(names.counts) == len(one.names[name].counts) <= names.bound
    for name, distinct in many.distinct.items():
        assert len(distinct.hashes) == len(one.distinct[name].hashes) <= distinct.bound
    assert all(len(counts) == len(one.bins[name][1]) for name, (_, counts) in many.bins.items())


@pytest.mark.parametrize("name", PROFILED)
def test_an_empty_table_has_a_profile(name: str, tmp_path: Path) -> None:
    table = tables.publish(str(tmp_path), name, [], 10)
    found = measured(table, LocalEngine())
    assert found.document["rows"] == 0
    assert json.loads(found.files()["profile.json"])["facts"]["keys.repeated"] == 0


def test_a_key_twice_shows(tmp_path: Path) -> None:
    found = measured(made(tmp_path, "raw", 200, [*range(300), 7, 8]), LocalEngine()).facts
    assert (found["keys.checked"], found["keys.repeated"]) == (300, 2)


def test_drift_against_itself_is_none(tmp_path: Path) -> None:
    before = measured(made(tmp_path, "clean"), LocalEngine())
    found = measured(made(tmp_path, "clean"), LocalEngine(), before=before).facts
    assert found["drift.rows.ratio"] == found["drift.retention.ratio"] == 1
    assert found["drift.largest_psi"] == found["drift.text.chars.ks"] == 0


def test_keys_are_hashed_alike_whether_hex_or_not() -> None:
    import pyarrow as pa

    keys = pa.array([tables.key(n) for n in range(20)])
    assert key_hashes(keys.slice(5, 10)).tolist() == [int(tables.key(n)[:16], 16) for n in range(5, 15)]
    assert len(set(key_hashes(pa.array(["short", "Z" * 32])).tolist())) == 2
