"""Drift against references: NumPy's formula for the stability index, SciPy's for Kolmogorov and Smirnov."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mailmill.quality import drift
from mailmill.quality.facts import histogram
from mailmill.quality.sketches import SHARE, WHOLE

COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=12)


@given(COUNTS, st.randoms(use_true_random=False))
def test_psi_is_its_formula(before: list[int], random: object) -> None:
    now = [random.randint(0, 1000) for _ in before]  # type: ignore[attr-defined]
    p, q = np.array(before) + 0.5, np.array(now) + 0.5
    p, q = p / p.sum(), q / q.sum()
    expected = stats.entropy(q, p) + stats.entropy(p, q)  # the index is Jeffreys' divergence
    assert drift.psi(before, now) == pytest.approx(expected, abs=1e-12)
    assert drift.psi(now, before) == pytest.approx(expected, abs=1e-12)
    assert drift.psi(before, before) == 0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=80), st.lists(st.integers(0, 50), min_size=1, max_size=80))
def test_ks_is_scipys(before: list[int], now: list[int]) -> None:
    a, b = (histogram(WHOLE.edges, WHOLE.count(np.array(values))) for values in (before, now))
    x, y = drift.aligned(a, b)
    expected = stats.ks_2samp(before, now, method="asymp").statistic  # up to 50 each number has a bin of its own
    assert drift.ks(x.tolist(), y.tolist()) == pytest.approx(expected)


def test_alignment_keeps_every_count() -> None:
    a = histogram(SHARE.edges, SHARE.count(np.array([0.1, 0.2, 0.2])))
    b = histogram(SHARE.edges, SHARE.count(np.array([0.2, 0.9])))
    x, y = drift.aligned(a, b)
    assert (x.sum(), y.sum()) == (3, 2)
    assert drift.ks(x.tolist(), y.tolist()) == pytest.approx(0.5)
    assert drift.aligned(a, {"edges": [], "counts": []})[1].sum() == 0


def test_the_index_sees_a_shift_and_not_noise() -> None:
    rng = np.random.default_rng(1)
    before, again, shifted = (WHOLE.count(rng.poisson(mean, 5000)) for mean in (100, 100, 115))
    assert drift.psi(*drift.grouped(before, again)) < 0.02
    assert drift.psi(*drift.grouped(before, shifted)) > 0.25


@pytest.mark.parametrize(("rows", "judged"), [(50, False), (400, True)])
def test_an_index_of_few_mails_is_not_judged(rows: int, judged: bool) -> None:
    """Ten groups of 50 mails have an index of 0.4 by chance, and expectations warn at 0.25."""
    rng = np.random.default_rng(2)
    profiles = []
    for _ in range(2):
        lengths = histogram(WHOLE.edges, WHOLE.count(rng.poisson(100, rows)))
        balance = {"neg": rows // 2, "pos": rows - rows // 2}
        profiles.append({**document(rows), "histograms": {"text.chars": lengths}, "counts": {"classes": balance}})
    found = drift.facts(*profiles)
    assert ("drift.text.chars.psi" in found) == judged
    assert found["drift.classes.psi"] == 0, "two groups need fewer"
    assert found["drift.largest_psi"] < 0.25
    assert "drift.text.chars.ks" in found


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({f"c{n}": 15 for n in range(10)}, {"c0": 150}),
        ({"neg": 1000, "pos": 1000}, {f"n\x00{n}": 7 for n in range(300)}),
        ({"neg": 28, "pos": 2}, {"neg": 2, "pos": 28}),
    ],
)
def test_an_index_beyond_chance_is_judged_however_few_the_mails(before: dict[str, int], now: dict[str, int]) -> None:
    """The stop for labels whose balance is another was off where class names were garbled."""
    documents = [
        {"rows": sum(n.values()), "facts": {}, "histograms": {}, "counts": {"classes": n}} for n in (before, now)
    ]
    assert drift.facts(*documents)["drift.classes.psi"] > 0.5


@pytest.mark.parametrize("labels", [8, 15, 20, 30])
def test_chance_alone_is_not_judged(labels: int) -> None:
    """A night in fifty was stopped by the balance of its twenty labels."""
    draws = np.random.default_rng(labels).binomial(labels, 0.5, (2000, 2)).tolist()
    for before, now in draws:
        counts = [{"classes": {"neg": n, "pos": labels - n}} for n in (before, now)]
        documents = [{"rows": labels, "facts": {}, "histograms": {}, "counts": each} for each in counts]
        assert "drift.classes.psi" not in drift.facts(*documents)


def test_a_day_that_lost_mail_is_named() -> None:
    days = {f"2024-03-{d:02d}": 40 for d in range(1, 29)}
    cut = days | {"2024-03-15": 6}
    assert drift.day_facts(days, days)["volume.day_kept"] == 1
    found = drift.day_facts(cut, days)
    assert (found["volume.day_kept"], found["volume.day_kept_worst"]) == (0.15, "2024-03-15")
    assert (found["volume.day_ratio"], found["volume.day_ratio_worst"]) == (0.15, "2024-03-15")
    missing = {day: n for day, n in days.items() if day != "2024-03-15"}
    assert drift.day_facts(missing, None)["volume.day_ratio"] == 0


def test_a_window_that_moves_on_loses_no_mail() -> None:
    before = {f"2024-03-{d:02d}": 40 for d in range(1, 29)}
    now = {day: n for day, n in before.items() if day >= "2024-03-10"} | {"2024-03-10": 3, "2024-03-29": 40}
    assert drift.day_facts(now, before)["volume.day_kept"] == 1
    assert drift.day_facts({}, before)["volume.day_kept"] is None


def test_a_mail_that_is_dated_wrongly_does_not_hold_the_window_open() -> None:
    before = {f"2024-03-{d:02d}": 40 for d in range(1, 29)} | {"2024-02-20": 1, "2024-05-01": 1}
    moved = {day: n for day, n in before.items() if not "2024-03-01" <= day < "2024-03-10"}
    assert drift.day_facts(moved, before)["volume.day_kept"] == 1
    again = {day: n for day, n in before.items() if day <= "2024-03-20"} | {"2024-05-01": 1}
    assert drift.day_facts(again, before)["volume.day_kept"] == 1, "a day taken again, without those after it"
    assert drift.day_facts(moved | {"2024-03-15": 1}, before)["volume.day_kept_worst"] == "2024-03-15"


@pytest.mark.parametrize(
    "strays", [{}, {"1970-01-01": 1}, {"2024-02-20": 1}, {"1970-01-01": 30}, {"1999-12-31": 30, "2031-05-01": 50}]
)
def test_wherever_mail_is_dated_the_window_may_begin_within_its_first_day(strays: dict[str, int]) -> None:
    """One mail of a clock that stood still stopped runs whose landing place keeps hours, until the day was over."""
    before = {f"2024-03-{d:02d}": 40 for d in range(1, 29)} | strays
    assert drift.day_facts(before | {"2024-03-01": 12}, before)["volume.day_kept"] == 1
    moved = {day: n for day, n in before.items() if not "2024-03-01" <= day < "2024-03-10"} | {"2024-03-10": 3}
    assert drift.day_facts(moved, before)["volume.day_kept"] == 1
    for day in ("2024-03-02", "2024-03-15", "2024-03-28"):
        assert drift.day_facts(before | {day: 12}, before)["volume.day_kept_worst"] == day
    assert drift.day_facts({}, strays)["volume.day_kept"] is None


def test_days_that_lost_most_of_their_mail_are_not_gone() -> None:
    """Of 504 mails 84 were left, four a day, and published: each day was taken for one outside the window."""
    before = {f"2024-03-{d:02d}": 40 for d in range(1, 29)}
    assert drift.day_facts(dict.fromkeys(before, 4), before)["volume.day_kept"] == 0.1
    newest = {day: 4 if day > "2024-03-18" else n for day, n in before.items()}
    assert drift.day_facts(newest, before)["volume.day_kept"] == 0.1
    oldest = {day: 4 if day < "2024-03-10" else n for day, n in before.items()}
    assert drift.day_facts(oldest, before)["volume.day_kept"] == 0.1
    begins = {day: n for day, n in before.items() if day > "2024-03-10"} | {"2024-03-02": 1, "2024-03-10": 4}
    assert drift.day_facts(begins, before)["volume.day_kept"] == 1, "a window may begin within a day"
    sunday = before | {"2024-03-01": 9, "1970-01-01": 1}
    begins = {day: n for day, n in sunday.items() if day != "2024-03-01"} | {"2024-03-02": 10}
    assert drift.day_facts(begins, sunday)["volume.day_kept"] == 1, "the day before it may have few mails"
    again = {day: n for day, n in before.items() if day < "2024-03-20"} | {"2024-03-20": 13}
    assert drift.day_facts(again, before)["volume.day_kept"] == 1, "of a day's mail some comes the day after"


def test_the_days_of_a_small_mailbox_are_judged_too() -> None:
    """Batches a quarter apart, and days of many mails among those of few, were all taken for wrong dates."""
    quarters = {f"{year}-{month}-03": 900 for year in (2022, 2023) for month in ("01", "04", "07", "10")}
    quarters["2022-02-01"] = 3
    found = drift.day_facts(quarters | {"2023-07-03": 100}, quarters)
    assert (found["volume.day_kept"], found["volume.day_kept_worst"]) == (100 / 900, "2023-07-03")
    first = np.datetime64("2023-01-01")
    few = {str(first + day): 15 if day % 40 else 25 for day in range(400)}
    for strays in ({}, {"1970-01-01": 30}, {"1970-01-01": 30, "1970-01-02": 3}):
        assert drift.day_facts(few | strays, few | strays)["volume.day_kept"] == 1
        found = drift.day_facts(few | strays | {str(first + 200): 5}, few | strays)
        assert (found["volume.day_kept"], found["volume.day_kept_worst"]) == (0.2, str(first + 200))
        begins = {day: n for day, n in few.items() if day > str(first + 80)} | strays | {str(first + 80): 5}
        assert drift.day_facts(begins, few | strays)["volume.day_kept"] == 1


def test_days_far_apart_cost_nothing() -> None:
    assert drift.day_facts({"1970-01-01": 30, "2262-01-01": 30}, None)["volume.day_ratio"] is None


def test_anchors_need_enough_in_common() -> None:
    before = {f"k{n}": "pos" for n in range(40)}
    assert drift.anchor_facts(before, before)["labels.kept_share"] == 1
    assert drift.anchor_facts(before, dict.fromkeys(before, "neg"))["labels.kept_share"] == 0
    assert drift.anchor_facts(before, {"other": "neg"}) == {"labels.compared": 0, "labels.kept_share": None}


def document(rows: int, **facts: float | str) -> dict[str, Any]:
    return {"rows": rows, "facts": facts, "histograms": {}, "counts": {}}


@pytest.mark.parametrize(("before", "now", "compared"), [(12, 400, False), (400, 12, False), (100, 400, True)])
def test_shares_are_compared_between_versions_of_enough_mails(before: int, now: int, compared: bool) -> None:
    names = {"drift.retention.ratio", "drift.text.duplicate_share.change", "drift.label.polarity_auc.change"}
    shares = {"retention.share": 0.5, "text.duplicate_share": 0.1, "label.polarity_auc": 0.7}
    found = drift.facts(document(before, **shares), document(now, **shares))
    assert names & set(found) == (names if compared else set())
    assert found["drift.rows.ratio"] == now / before


def test_figures_of_different_things_are_not_compared() -> None:
    older = document(400, **{"text.duplicate_share": 0.0})  # of some texts, before it was of all rows
    newer = document(400, **{"text.duplicate_share": 0.4, "text.duplicate_share_of": "rows"})
    assert "drift.text.duplicate_share.change" not in drift.facts(older, newer)
    assert drift.facts(newer, newer)["drift.text.duplicate_share.change"] == 0
    before, now = ({"label.polarity_auc": auc, "label.polarity_auc_of": of} for auc, of in ((0.8, "a"), (0.5, "b")))
    assert "drift.label.polarity_auc.change" not in drift.facts(document(400, **before), document(400, **now))
    again = drift.facts(document(400, **before), document(400, **now | {"label.polarity_auc_of": "a"}))
    assert again["drift.label.polarity_auc.change"] == pytest.approx(-0.3)


@pytest.mark.parametrize(
    ("now", "before", "risen"),
    [(0.5, None, 0.5), (0.5, 0.1, 0.5), (0.5, 0.5, None), (0.49, 0.5, None), (None, None, None)],
)
def test_copies_that_were_published_once_do_not_rise(
    now: float | None, before: float | None, risen: float | None
) -> None:
    shares = ({"duplicates.share": share} if share is not None else {} for share in (now, before))
    assert drift.copies_facts(*shares).get("drift.duplicates.share.risen_to") == risen
