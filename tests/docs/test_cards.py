"""Intervals, slices, curves, telling words and redaction behind a model card."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill.docs import datasheet, intervals, mistakes, modelcard, site, slices, telling
from mailmill.docs.datasheet import Answer, Sheet
from mailmill.docs.energy import metered
from mailmill.docs.facts import Fact, Facts
from mailmill.docs.intervals import wilson
from mailmill.docs.modelcard import Material, ModelCard, make_cards
from mailmill.docs.sample import Sample
from mailmill.docs.telling import Questions
from mailmill.models.data import SparseRows
from mailmill.models.forest import ForestSettings, fit_forest
from mailmill.models.logistic_model import LogisticModel, LogisticSettings
from mailmill.models.metrics import summarise
from mailmill.models.tally import roc_auc, tally
from tests.models.problems import CLASSES, cut, problem


def make_sample(rows: int = 600, seed: int = 0) -> Sample:
    """Mails whose model is right about those of domain "good", and no better than a coin about "bad"."""
    draw = np.random.default_rng(seed)
    y = draw.integers(0, 2, rows)
    domain = np.where(draw.random(rows) < 0.5, "good", "bad")
    p = np.where(domain == "good", np.where(y == 1, 0.9, 0.1), draw.random(rows))
    return Sample(
        classes=("neg", "pos"),
        key=np.array([f"{i:032x}" for i in range(rows)]),
        ids=np.arange(rows, dtype=np.uint64),
        y=y.astype(np.int64),
        words=draw.integers(0, 300, rows).astype(np.int32),
        coverage=np.full(rows, 0.97, np.float32),
        month=np.where(draw.random(rows) < 0.5, "2026-01", "2026-02"),
        language=np.full(rows, "en"),
        domain=domain,
        thread=(np.arange(rows) // 3).astype(np.uint64),
        p={"m": np.column_stack([1 - p, p])},
        share=1.0,
    )


@pytest.mark.parametrize(
    ("hits", "rows", "low", "high"), [(0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662), (10, 10, 0.7225, 1.0)]
)
def test_wilsons_interval(hits: int, rows: int, low: float, high: float) -> None:
    """81 of 263: Newcombe, Statistics in Medicine 17 (1998), table I."""
    found = wilson(hits, rows)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilsons_interval_holds_its_share(hits: int, rows: int) -> None:
    hits = min(hits, rows)
    found = wilson(hits, rows)
    assert 0 <= found.low <= found.value <= found.high <= 1
    wider = wilson(hits, rows), wilson(4 * hits, 4 * rows)
    assert wider[1].high - wider[1].low < wider[0].high - wider[0].low


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_bootstrap_figures_are_those_of_the_tally(seed: int) -> None:
    draw = np.random.default_rng(seed)
    y = np.append([0, 1], draw.integers(0, 2, 60)).astype(np.int64)
    p = draw.integers(0, 11, 62) / 10  # with ties
    chances = np.column_stack([1 - p, p])
    found = intervals.bootstrap(chances, y, np.arange(62, dtype=np.uint64), 0.5, seed=1)
    counted = tally(chances, y, threshold=0.5)
    assert found["roc_auc"].value == pytest.approx(roc_auc(counted)[0])
    assert found["accuracy"].value == pytest.approx(np.trace(counted.confusion) / 62)
    order = draw.permutation(62)
    shuffled = intervals.bootstrap(chances[order], y[order], np.arange(62, dtype=np.uint64)[order], 0.5, seed=1)
    for name, interval in found.items():
        assert interval.low <= interval.high
        assert shuffled[name].low == pytest.approx(interval.low, abs=1e-12)
        assert shuffled[name].high == pytest.approx(interval.high, abs=1e-12)


def test_whole_conversations_make_wider_intervals() -> None:
    """Twenty copies of each mail in one conversation are no more evidence than one."""
    sample = make_sample(200)
    p, y = sample.p["m"], sample.y
    groups = np.arange(200, dtype=np.uint64)
    once = intervals.bootstrap(p, y, groups, 0.5, 1)["accuracy"]
    copies = intervals.bootstrap(np.repeat(p, 20, axis=0), np.repeat(y, 20), np.repeat(groups, 20), 0.5, 1)["accuracy"]
    assert (copies.low, copies.high) == pytest.approx((once.low, once.high))


def test_copies_in_a_conversation_are_no_evidence() -> None:
    """Of a part, of a class's precision and of its recall: twenty copies of each mail say what one says."""
    alone = replace(make_sample(200), thread=np.arange(200, dtype=np.uint64))
    columns = ("key", "ids", "y", "words", "coverage", "month", "language", "domain", "thread")
    copies = replace(
        alone, p={"m": np.repeat(alone.p["m"], 20, axis=0)}, **{n: np.repeat(getattr(alone, n), 20) for n in columns}
    )
    bounds = []
    for sample in (alone, copies):
        found = card(sample, "never", 0)
        shares = [s for c in found.per_class for s in (c.precision, c.recall)]
        for part in slices.slices(sample, "m", 0.5):
            if part.by == "domain":
                shares += [part.accuracy, *(recall for recall in part.recall if recall)]
        bounds.append([bound for share in shares for bound in (share.low, share.value, share.high)])
    assert len(bounds[0]) == 3 * (4 + 6)
    assert bounds[1] == pytest.approx(bounds[0])


@pytest.mark.parametrize(("per", "share"), [(1, 1.0), (3, 0.5), (10, 0.5), (10, 1.0)])
def test_a_part_is_called_worse_by_chance_one_time_in_twenty(per: int, share: float) -> None:
    """Eight senders of 25 conversations each, who have nothing to do with the mistakes; a share of a conversation's
    mails are right or wrong together."""
    draw = np.random.default_rng(1)
    flagged = held = parts = 0
    for _ in range(60):
        thread = np.repeat(np.arange(200, dtype=np.uint64), per)
        rows = len(thread)
        together = (draw.random(200) < 0.15)[thread]
        wrong = np.where(draw.random(rows) < share, together, draw.random(rows) < 0.15)
        y = draw.integers(0, 2, rows)
        p = np.where((y == 1) ^ wrong, 0.9, 0.1)
        sample = replace(
            make_sample(rows), y=y, thread=thread, domain=(thread % 8).astype(str), p={"m": np.column_stack([1 - p, p])}
        )
        found = [part for part in slices.slices(sample, "m", 0.5) if part.by == "domain"]
        parts += len(found)
        flagged += sum(bool(part.verdict) for part in found)
        test = summarise(tally(sample.p["m"], y), CLASSES).to_dict()
        recall = modelcard._per_class(test, sample, sample.predicted("m", 0.5))[1].recall
        held += recall.low <= 0.85 <= recall.high
    assert flagged <= 0.06 * parts
    assert held >= 0.9 * 60


def test_how_much_mails_go_together() -> None:
    """By hand: of conversations of 3, 2 and 1 mails 2, 0 and 1 are right; ρ = 1 - (2 x 1 / 3) / ((6 - 3) x 1/4)."""
    thread = np.array([5, 5, 5, 9, 9, 2], np.uint64)
    right = np.array([True, True, False, False, False, True])
    assert intervals.intraclass(right, thread) == pytest.approx(1 / 9)
    assert intervals.design_effect(thread, 0.5) == pytest.approx(1 + 0.5 * ((9 + 4 + 1) / 6 - 1))
    assert intervals.intraclass(np.tile([True, False], 3), np.repeat(np.arange(3, dtype=np.uint64), 2)) == 0
    assert intervals.intraclass(right, np.arange(6, dtype=np.uint64)) == 1  # nothing tells of it, and nothing follows:
    assert intervals.design_effect(np.arange(6, dtype=np.uint64), 1) == 1
    assert intervals.intraclass(np.full(6, True), thread) == 1
    assert intervals.design_effect(thread[:0], 1) == 1


def test_a_sample_of_the_mails_knows_the_conversations_of_all() -> None:
    """The sample breaks conversations up, but precision and recall are of all mails."""
    thread = np.repeat(np.arange(20_000, dtype=np.uint64), 10)
    drawn = np.random.default_rng(4).random(len(thread)) < 0.1
    assert intervals.design_effect(thread[drawn], 0.5, 0.1) == pytest.approx(intervals.design_effect(thread, 0.5), 0.05)


def test_an_interval_holds_95_of_100() -> None:
    """Of mails that stand alone the mean's is 2 x 1.96 standard errors wide; 90 of 100 would take 2 x 1.64."""
    draw = np.random.default_rng(3)
    y, p = draw.integers(0, 2, 300), draw.uniform(0.05, 0.95, 300)
    chances, loss = np.column_stack([1 - p, p]), -np.log(np.where(y == 1, p, 1 - p))
    alone = np.arange(300, dtype=np.uint64)
    found = [intervals.bootstrap(chances, y, alone, 0.5, seed)["log_loss"] for seed in range(12)]
    width = np.mean([interval.high - interval.low for interval in found])
    assert width == pytest.approx(2 * intervals.Z * loss.std() / np.sqrt(300), rel=0.08)


def test_a_part_that_fares_worse_is_marked() -> None:
    sample = make_sample()
    found = {(s.by, s.name): s for s in slices.slices(sample, "m", 0.5)}
    assert found["domain", "bad"].verdict == "worse"
    assert found["domain", "good"].verdict == "better"
    assert found["domain", "good"].accuracy.value == 1.0
    assert {by for by, _ in found} == {"length", "coverage", "month", "language", "domain"}
    assert sum(s.rows for (by, _), s in found.items() if by == "month") == len(sample)
    assert all(s.rows >= slices.FEWEST for s in found.values())


def test_parts_hold_every_mail_once_and_in_one_order() -> None:
    sample, late = make_sample(6000), [f"d{n:02}" for n in range(14)][::-1]
    domains = np.array([late[n % 14] for n in range(6000)])
    months = np.array([f"{2025 + n % 13 // 12}-{n % 13 % 12 + 1:02}" for n in range(6000)])
    found = slices.slices(replace(sample, domain=domains, month=months), "m", 0.5)
    for by in ("length", "coverage", "year", "domain"):
        assert sum(part.rows for part in found if part.by == by) == 6000, by
    assert not [part for part in found if part.by == "month"], "of 13 months the years are shown"
    names = [part.name for part in found if part.by == "domain"]
    assert names[-1] == "the other 2"
    common = sorted(late, key=lambda name: (-(domains == name).sum(), name))[:12]
    assert names[:-1] == common


def test_a_part_is_worse_where_chance_does_not_explain_it() -> None:
    found = slices.slices(make_sample(), "m", 0.5)
    assert {part.verdict for part in found if part.by == "month"} == {""}


def test_a_hashed_domain_is_cut() -> None:
    found = slices.slices(replace(make_sample(), domain=np.full(600, "0123456789abcdef" * 2)), "m", 0.5)
    assert [part.name for part in found if part.by == "domain"] == ["0123456789ab"]


def test_curves_agree_with_scikit_learn() -> None:
    sklearn: Any = pytest.importorskip("sklearn.metrics")
    sample = make_sample(seed=4)
    p, y = np.round(sample.p["m"][:, 1], 2), sample.y
    found = slices.curves(p, y)
    assert found.average_precision == pytest.approx(sklearn.average_precision_score(y, p))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in zip(found.roc, found.roc[1:], strict=False))
    assert area == pytest.approx(sklearn.roc_auc_score(y, p), abs=2e-3)
    assert sum(n for _, _, n in found.calibration) == len(y)
    assert 0 < found.error < 0.5


def test_a_forest_rests_on_the_columns_that_it_splits_and_a_coefficient_says_nothing() -> None:
    forest, _ = fit_forest(cut(problem(200, 2)), CLASSES, ForestSettings(trees=4, depth=2, min_leaf=1))
    found = telling.column_shares(forest)
    assert {column for column, _ in found} == {0, 1}
    assert sum(share for _, share in found) == pytest.approx(1.0)
    assert telling.column_shares(LogisticModel(("neg", "pos"), np.ones((1, 2)), np.zeros(1), LogisticSettings())) == []


def test_telling_words_are_those_of_the_direction() -> None:
    names = [f"word{i:02}" for i in range(40)]
    value = dict(zip(names, np.linspace(-1, 1, 40), strict=True))

    def featurize(texts: Sequence[str]) -> tuple[Any, SparseRows]:
        means = [np.mean([value.get(word, 0.0) for word in text.split()]) for text in texts]
        first = [int(value.get(text.split()[0], -1.0) > 0) for text in texts]
        bounds = np.arange(len(texts) + 1, dtype=np.int64)
        ngrams = SparseRows(bounds, np.array(first, np.int32), np.ones(len(texts), np.float32), 2)
        return np.column_stack([means, np.zeros(len(texts))]).astype(np.float32), ngrams

    def logistic(*coef: float, sparse: Any = None) -> LogisticModel:
        return LogisticModel(("neg", "pos"), np.array([coef]), np.zeros(1), LogisticSettings(), sparse)

    model, wide = logistic(2.0, 0.0), logistic(2.0, 0.0, 1.0)
    ngrams = logistic(0.0, 0.0, sparse=np.array([[-1.0, 1.0]]))
    asked = Questions(tuple(names), ("a b c d e f g h i", "some more words here"), featurize)
    found = telling.telling_words({"m": model, "wide": wide, "ngrams": ngrams}, asked)
    assert [word.word for word in found["m"]] == [*names[:15], *names[-15:]]
    assert found["m"][0].effect < 0 < found["m"][-1].effect
    assert found["m"][0].effect == pytest.approx((1 / (1 + np.exp(0.2)) + 1 / (1 + np.exp(0.4))) / 2 - 0.5, abs=1e-6)
    assert found["wide"] == []
    assert [word.effect for word in found["ngrams"]][-1] == pytest.approx(2 / (1 + np.exp(-1)) - 1)
    assert telling.telling_words({"m": model}, Questions((), ("a",), featurize)) == {"m": []}


def test_a_figure_lies_within_its_interval_where_the_sample_is_not_all() -> None:
    published = {"accuracy": 0.5, "macro_f1": 0.99, "log_loss": 0.2, "brier": 0.1, "roc_auc": None}
    found = modelcard._figures(published, make_sample(), "m", 0.5, 0)
    assert found.keys() == {"accuracy", "macro_f1", "log_loss", "brier"}
    for interval in found.values():
        assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("Write to ada@x.org or see https://x.org/a?b", "Write to [address] or see [link]", ("ada", "x.org")),
        ("Order 12-345 of 3 May cost 40.50", "Order [number] of", ("12", "345", "40")),
        ("I met Ada Byron there. She was kind.", "I met [name] [name] there. She was kind.", ("Ada", "Byron")),
        ("Then I said no, and I’m sure.", "Then I said no, and I’m sure.", ()),
        (
            "He saw Mr. Smith, Dr. J. Jones. She too.",
            "saw [name]. [name], [name]. [name]. [name]. She",
            ("Smith", "Jones"),
        ),
        ("To Łukasz Żak, Иван Петров (Frau\u00a0Schulz).", "To [name] [name], [name] [name] ([name] [name])", ()),
        ("I am John\nSmith.  The end.\nYours\n\nBob", "I am [name] [name]. The end. Yours Bob", ("Smith",)),
        ("Ask @ada, ada.b@x.org", "Ask [address] [address]", ("ada",)),
        ("A 5 @ 3", "A [number] @ [number]", ()),
    ],
)
def test_redaction(text: str, kept: str, gone: tuple[str, ...]) -> None:
    found = mistakes.redact(text)
    assert kept in found
    assert not any(word in found for word in gone)
    assert len(mistakes.redact("word " * 500)) <= mistakes.LONGEST


@pytest.mark.parametrize("run", ["x", "=", "5", "@", " ", "\n", "a.", "A ", "x-", "Mr. ", "www."])
def test_redaction_walks_a_long_run_once(run: str) -> None:
    """A pasted log has no blank; each of its characters was walked to its end."""
    assert len(mistakes.redact("It came so: " + run * 200_000)) <= mistakes.LONGEST


def test_the_surest_mistakes_come_first() -> None:
    sample = make_sample()
    found = mistakes.worst(sample, "m", 0.5, 5)
    assert len(found) == 5
    sure = [p for *_, p in found]
    assert sure == sorted(sure, reverse=True)
    assert all(actual != predicted for _, actual, predicted, _ in found)


def test_of_mistakes_that_are_equally_sure_the_first_keys_come() -> None:
    sample = replace(make_sample(), key=make_sample().key[::-1])
    sample.p["m"][:] = 0.5
    wrong = sorted(sample.key[sample.y == 0].tolist())
    assert [key for key, *_ in mistakes.worst(sample, "m", 0.5, 5)] == wrong[:5]


def test_nothing_but_redacted_texts_leaves_a_worker() -> None:
    rows = pa.RecordBatch.from_pydict({"key": ["a", "b"], "text": ["Ask ada@x.org", "Ask bob@x.org"]})
    scan: Any = SimpleNamespace(batches=lambda columns: iter([rows.select(columns)]))
    assert mistakes.read_texts(scan, mistakes.Keys(("a",))) == {"a": "Ask [address]"}


@pytest.mark.parametrize(
    ("shown", "said"), [("never", 'docs.words is "never"'), ("package", "the vectors are no published package's")]
)
def test_a_card_says_why_there_are_no_words(shown: Any, said: str) -> None:
    found = card(make_sample(), shown, examples=0)
    assert [said in note for note in found.notes if "telling words" in note] == [True]
    assert found.mistakes is None


def test_a_model_without_mistakes_does_not_hide_them() -> None:
    sample = make_sample()
    sample.p["m"][:] = np.eye(2)[sample.y]
    assert card(sample, "always", examples=3).mistakes == []


def card(sample: Sample, shown: Any, examples: int, **published: float) -> ModelCard:
    """The card of a model that says `sample.p`, with no word to show; `published`: figures of other values."""
    model = LogisticModel(sample.classes, np.ones((1, 2)), np.zeros(1), LogisticSettings())
    test = summarise(tally(sample.p["m"], sample.y), sample.classes).to_dict() | published
    metrics = {"chosen": "m", "models": {"m": {"test": test}}}
    words = {} if shown == "always" else None
    material = Material(Facts({}, {}), metrics, {"m": model}, sample, words, shown, lambda *_: {}, examples, 1)
    return make_cards([Sheet("models.m", "", "", "", ())], material)[0]


def test_a_model_without_mistakes_is_not_sure_of_other_mails() -> None:
    sample = make_sample(60)
    assert not [note for note in card(sample, "never", 0).notes if "is a point" in note]
    sample.p["m"][:] = np.eye(2)[sample.y]
    found = card(sample, "never", 0)
    assert found.figures["accuracy"].low == pytest.approx(wilson(20, 20).low)  # three mails a conversation
    (note,) = (note for note in found.notes if "is a point" in note)
    assert "the interval of macro f1 and that of roc auc is a point" in note


@pytest.mark.parametrize("support", [(1, 599), (3, 597), (1,) * 20 + (580,)])
def test_a_rare_class_that_a_draw_misses_is_no_mistake(support: tuple[int, ...]) -> None:
    """Of three positive mails one draw in twenty holds none, and its macro F1 fell to one half."""
    y = np.repeat(np.arange(len(support)), support)
    p = np.eye(len(support))[y]
    found = intervals.bootstrap(p, y, np.arange(len(y), dtype=np.uint64), 0.5, 1)["macro_f1"]
    assert (found.value, found.low, found.high) == (1, 1, 1)
    wrong = p[[*range(1, len(y)), 0]]  # the first mail of each class but one is called by the class before
    missed = intervals.bootstrap(wrong, y, np.arange(len(y), dtype=np.uint64), 0.5, 1)["macro_f1"]
    assert missed.low <= missed.value <= missed.high
    assert missed.low < 1


def test_a_class_without_a_mail_counts_nothing_in_every_draw() -> None:
    y = np.repeat([0, 1], 300)
    found = intervals.bootstrap(np.eye(3)[y], y, np.arange(600, dtype=np.uint64), 0.5, 1)["macro_f1"]
    assert (found.value, found.low, found.high) == pytest.approx((2 / 3,) * 3)


def test_a_card_names_what_the_most_frequent_class_is_worth() -> None:
    sample = make_sample(60)
    sample.y[:] = np.arange(60) >= 6
    found = card(sample, "never", 0).majority
    assert (found.name, found.accuracy, found.macro_f1) == ("pos", 0.9, pytest.approx(0.9 / 1.9))


def test_a_card_of_a_sample_says_what_is_of_all_test_mails() -> None:
    found = card(replace(make_sample(), share=0.5), "never", 0)
    assert "Curves, parts and intervals, but for those of precision and recall, are of a sample of" in found.notes[0]


def test_a_card_tells_of_an_area_that_is_not_exact() -> None:
    """Of rare classes among millions of test mails it may be off by some hundredths."""
    exact, off = (card(make_sample(), "never", 0, roc_auc_error=error).notes for error in (0.0004, 0.0281))
    assert not [note for note in exact if "area under" in note]
    (note,) = (note for note in off if "area under" in note)
    assert note.endswith("comes from scores in 65,536 bins: it is off by at most 0.029.")


def test_time_is_measured_and_what_is_not_says_so() -> None:
    with metered(None) as cost:
        pass
    assert cost.seconds >= 0
    assert "not measured" in cost.to_dict()["note"]
    assert "kwh" not in cost.to_dict()


def test_energy_is_measured_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("codecarbon", reason="the extra `energy` is not installed")
    import socket

    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was opened"))
    with metered("DEU") as cost:
        sum(i * i for i in range(10**5))
    assert cost.kwh is not None
    assert cost.co2_kg is not None
    assert cost.kwh >= 0


def page_of(card: ModelCard, name: str = "model-m.html", **facts: Any) -> str:
    """A page of a site about one model alone, which knows these facts."""
    pytest.importorskip("jinja2", reason="the extra `docs` is not installed")
    pytest.importorskip("matplotlib", reason="the extra `docs` is not installed")
    named = {key.replace("__", "."): value for key, value in ({"t__made_from": "mail"} | facts).items()}
    known = Facts({name: fact(name, value) for name, value in named.items()}, {})
    return site.render(site.Content("t", "today", known, [], [], [card], [], [], None, {}))[name]


def fact(name: str, value: Any) -> Fact:
    return Fact(name, value, "asked", "t", "f" * 32)


@pytest.mark.parametrize(
    ("chosen", "model", "said"),
    [
        (True, "m", "on the validation mails, and scores the queue."),
        (True, "other", "This model was chosen on the validation mails."),
        (False, "m", "this one scores the queue all the same, as <code>score.model</code> names it."),
        (False, "other", "this one is kept for comparison."),
    ],
)
def test_a_card_says_which_model_scores(chosen: bool, model: str, said: str) -> None:
    found = replace(card(make_sample(60), "never", 0), chosen=chosen)
    assert said in page_of(found, scores__model=model)


def test_a_card_shows_remarks_and_counts_all_facts() -> None:
    prompt = datasheet.questions("model_card")[1]
    remark = Answer(prompt, "stale", "Trained after the move.", who="Ada", date="2026-01-02")
    answer = Answer(prompt, "measured", "x", tuple(fact(f"f{i}", i) for i in range(9)), remark=remark)
    text = page_of(replace(card(make_sample(60), "never", 0), sheet=Sheet("models.m", "", "", "", (answer,))))
    assert "Trained after the move." in text
    assert "9 measured facts behind it; the first 6 of them" in text
    assert ("<code>f5</code>" in text, "<code>f6</code>" in text) == (True, False)


def test_intervals_below_a_half_are_drawn_inside_their_box() -> None:
    sample = make_sample(60)
    sample.p["m"][:] = np.eye(2)[1 - sample.y]
    text = page_of(card(sample, "never", 0), "index.html")
    assert re.findall(r'<circle cx="([0-9.-]+)"', text) == ["0.0"] * 3
