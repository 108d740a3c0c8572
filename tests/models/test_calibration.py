import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from mailmill.errors import ConfigError, DataError
from mailmill.models.calibration import Calibration, calibrate, centres
from mailmill.models.tally import SCORE_BINS
from mailmill.models.threshold import choose_threshold

SEEDS = st.integers(0, 2**32).map(np.random.default_rng)


def counted(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    places = np.minimum((p * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
    return np.stack([np.bincount(places[y == c], minlength=SCORE_BINS) for c in (0, 1)])


def timid(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose log-odds are a third of what they should be."""
    truth = rng.normal(0, 2, rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-truth))).astype(int)
    return 1 / (1 + np.exp(-truth / 3 + 0.2)), y


def test_platt_recovers_the_degree() -> None:
    p, y = timid(np.random.default_rng(1), 200_000)
    found = calibrate(counted(p, y), "platt")
    assert found.slope == pytest.approx(3, rel=0.03)
    assert found.offset == pytest.approx(0.6, abs=0.05)
    said = found.apply(p)
    for low in (0.1, 0.4, 0.8):
        chosen = (said >= low) & (said < low + 0.1)
        assert y[chosen].mean() == pytest.approx(said[chosen].mean(), abs=0.01)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(50, 2000))
def test_platt_is_a_logistic_regression_on_the_log_odds(rng: np.random.Generator, rows: int) -> None:
    p, y = timid(rng, rows)
    binned = counted(p, y)
    used = np.flatnonzero(binned.sum(axis=0))
    z = np.log(centres()[used] / (1 - centres()[used]))[:, None]
    n0, n1 = binned[:, used]
    if not n0.sum() or not n1.sum():
        return
    high, low = (n1.sum() + 1) / (n1.sum() + 2), 1 / (n0.sum() + 2)
    weights = np.concatenate([n1 * high + n0 * low, n1 * (1 - high) + n0 * (1 - low)])
    peer = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    peer.fit(np.concatenate([z, z]), np.repeat([1, 0], len(z)), sample_weight=weights)
    found = calibrate(binned, "platt")
    if peer.coef_[0, 0] > 1e-6:
        assert found.slope == pytest.approx(peer.coef_[0, 0], rel=1e-3, abs=1e-4)
        assert found.offset == pytest.approx(peer.intercept_[0], rel=1e-3, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(2, 500))
def test_isotonic_is_scikit_learns(rng: np.random.Generator, rows: int) -> None:
    p, y = timid(rng, rows)
    binned = counted(p, y)
    found = calibrate(binned, "isotonic")
    at = centres()[np.minimum((p * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)]
    _, block = np.unique(IsotonicRegression().fit_transform(at, y), return_inverse=True)
    count, hits = np.bincount(block), np.bincount(block, weights=y)
    smooth = IsotonicRegression().fit_transform(
        np.arange(len(count)), (hits + 1) / (count + 2), sample_weight=count + 2
    )[block]
    if found.method == "isotonic":
        assert np.allclose(found.apply(at), smooth)
    else:
        assert len(np.unique(y)) == 1 or np.ptp(smooth) < 1e-12


def test_isotonic_is_never_certain() -> None:
    """Forty mails that scores divide cleanly do not make the next one certain."""
    p = np.linspace(0.1, 0.9, 40)
    found = calibrate(counted(p, (p > 0.5).astype(int)), "isotonic")
    assert found.apply(np.array([0.0, 1.0])) == pytest.approx([1 / 22, 21 / 22])
    binned = np.zeros((2, SCORE_BINS), np.int64)
    binned[:, 100] = 9, 1
    binned[:, 200] = 1, 99
    binned[1, 300] = 1  # alone it would say 2/3, less than the hundred below it
    said = calibrate(binned, "isotonic").apply(centres()[[100, 200, 300]])
    assert said == pytest.approx([2 / 12, 102 / 105, 102 / 105])


@given(SEEDS, st.sampled_from(["none", "platt", "isotonic"]), st.integers(2, 300))
@settings(deadline=None)
def test_a_calibration_never_turns_the_order_around(rng: np.random.Generator, method: str, rows: int) -> None:
    p, y = timid(rng, rows)
    found = calibrate(counted(p, y), method)
    said = found.apply(np.sort(p))
    assert (np.diff(said) >= 0).all()
    assert ((said >= 0) & (said <= 1)).all()
    if method == "platt":
        assert len(np.unique(said)) == len(np.unique(p))
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found


def test_platt_keeps_the_order_at_both_ends() -> None:
    ends = np.sort(np.concatenate([[0.0], np.logspace(-12, -4, 300)]))
    p = np.concatenate([ends, 1 - ends[::-1]])
    for slope in (0.3, 1.2):
        said = Calibration("platt", slope, 0.1).apply(p)
        assert (np.diff(said) > 0).all()
        assert 1e-8 < said[0] < said[-1] < 1 - 1e-8  # what all trees agree on stays a degree


@given(SEEDS, st.sampled_from([2, 10, 40]), st.sampled_from([0.02, 0.1, 0.5]), st.sampled_from([60, 500]))
@settings(max_examples=60)
def test_platt_finds_the_minimum_where_scores_are_all_but_certain(
    rng: np.random.Generator, spread: float, share: float, rows: int
) -> None:
    """From slope 1 Newton's steps went astray, and a worse point was taken."""
    y = (rng.random(rows) < share).astype(int)
    y[:4] = 0, 1, 0, 1
    p = 1 / (1 + np.exp(-spread * (rng.normal(size=rows) + rng.uniform(0, 2.5) * (y - 0.5))))
    binned = counted(p, y)
    high, low = (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2)
    scores, targets = np.tile(centres(), 2), np.repeat([low, high], len(centres()))
    weights = binned.ravel().astype(float)

    def loss(slope: float, offset: float) -> float:
        q = Calibration("platt", slope, offset).apply(scores)
        kept = weights > 0
        q, t, w = np.clip(q[kept], 1e-300, 1 - 1e-16), targets[kept], weights[kept]
        return float(-(w * (t * np.log(q) + (1 - t) * np.log1p(-q))).sum())

    found = calibrate(binned, "platt")
    if found == Calibration():  # the slope would not be positive
        return
    best = loss(found.slope, found.offset)
    assert best <= loss(1e-9, float(np.log((y.sum() + 1) / ((1 - y).sum() + 1)))) * (1 + 1e-9)
    for slope, offset in ((1.01, 0.0), (0.99, 0.0), (1.0, 0.01), (1.0, -0.01)):
        assert best <= loss(found.slope * slope, found.offset + offset) * (1 + 1e-9)


@pytest.mark.parametrize("rows", [(72_852, 633), (24, 72_776), (100_000, 300), (1_000_000, 3_000), (1, 10**8), (1, 1)])
@pytest.mark.parametrize("bins", [(0, 65_535), (65, 65_470), (32_767, 32_768), (60_000, 60_001)])
def test_platt_finds_the_minimum_where_scores_part_the_classes(rows: tuple[int, int], bins: tuple[int, int]) -> None:
    """Two scores can say both targets. Newton's first step ended where p is all but 0 and 1, and there it stayed."""
    binned = np.zeros((2, SCORE_BINS), np.int64)
    binned[(0, 1), bins] = rows
    low, high = calibrate(binned, "platt").apply(centres()[list(bins)])
    assert low == pytest.approx(1 / (rows[0] + 2), rel=1e-5)
    assert 1 - high == pytest.approx(1 / (rows[1] + 2), rel=1e-5)


def test_scores_that_say_nothing_are_left_alone() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(1000)
    upside_down = (rng.random(1000) > p).astype(int)
    assert calibrate(counted(p, upside_down), "platt") == Calibration()
    assert calibrate(counted(p, np.ones(1000, int)), "isotonic") == Calibration()
    assert calibrate(counted(p, np.zeros(1000, int)), "platt") == Calibration()
    one = counted(np.full(1000, 0.9), (p > 0.99).astype(int))
    assert calibrate(one, "platt") == calibrate(one, "isotonic") == Calibration()


@pytest.mark.parametrize(
    "values",
    [
        {},
        None,
        {"method": "magic", "slope": 1.0, "offset": 0.0, "knots": []},
        {"method": "platt", "slope": -1.0, "offset": 0.0, "knots": []},
        {"method": "platt", "slope": 10**400, "offset": 0.0, "knots": []},
        {"method": "isotonic", "slope": 1.0, "offset": 0.0, "knots": [[0.5, 10**400]]},
        {"method": "platt", "slope": float("nan"), "offset": 0.0, "knots": []},
        {"method": "isotonic", "slope": 1.0, "offset": 0.0, "knots": []},
        {"method": "isotonic", "slope": 1.0, "offset": 0.0, "knots": [[0.5, 0.4], [0.4, 0.6]]},
        {"method": "isotonic", "slope": 1.0, "offset": 0.0, "knots": [[0.1, 0.9], [0.4, 0.6]]},
        {"method": "isotonic", "slope": 1.0, "offset": 0.0, "knots": [[0.1, 0.9, 3.0]]},
    ],
)
def test_a_damaged_calibration_is_refused(values: object) -> None:
    with pytest.raises(DataError, match="calibration"):
        Calibration.from_dict(values)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(4, 200))
def test_the_threshold_is_the_best_of_all(rng: np.random.Generator, rows: int) -> None:
    p, y = timid(rng, rows)
    y[:2] = 0, 1
    binned = counted(p, y)
    chosen = choose_threshold(binned, "f1")
    cuts = np.floor(np.sort(p) * SCORE_BINS) / SCORE_BINS
    said = p >= cuts[(cuts > 0) & (cuts < 1), None]
    each = [2 * ((said == k) & (y == k)).sum(axis=1) / ((said == k).sum(axis=1) + (y == k).sum()) for k in (0, 1)]
    assert f1_score(y, p >= chosen, average="macro", zero_division=0) >= np.mean(each, axis=0).max() - 1e-12
    costly = choose_threshold(binned, "cost", false_negative=5)
    costs = [((p >= t) & (y == 0)).sum() + 5 * ((p < t) & (y == 1)).sum() for t in [*cuts, costly]]
    assert costs[-1] == min(costs)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.sampled_from(["none", "platt", "isotonic"]), st.sampled_from([1, 50, 3000]))
def test_the_threshold_cuts_calibrated_scores_where_it_was_counted(
    rng: np.random.Generator, method: str, dear: int
) -> None:
    """A forest's votes take few values, some of them edges of bins; whole leaves changed their class."""
    levels = rng.choice([*rng.random(5), *rng.uniform(1e-4, 1e-3, 3), 0.25, 0.5, 0.500007, 1.0, 0.0], 6)
    if method == "none":  # scores of 0 and 1 are certain then
        levels = np.clip(levels, 1e-4, 1 - 1e-4)
    p = levels[rng.integers(0, len(levels), 500)]
    y = (rng.random(500) < 0.05 + rng.uniform(0.1, 0.9) * p).astype(int)
    y[:2] = 0, 1
    binned = counted(p, y)
    found = calibrate(binned, method)

    def value(by: str, said: np.ndarray, t: float) -> float:
        called = (said >= t).astype(int)
        if by == "f1":
            return float(f1_score(y, called, average="macro", zero_division=0))
        return -float((called > y).sum() + dear * (called < y).sum())

    known = found.apply(centres()[np.minimum((p * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)])
    for by in ("f1", "cost"):
        chosen = choose_threshold(binned, by, found, false_negative=dear)
        best = max(value(by, known, t) for t in (*np.unique(known), 1.0))
        assert value(by, found.apply(p), chosen) == pytest.approx(best, abs=1e-12)


def test_costs_move_the_threshold() -> None:
    p, y = timid(np.random.default_rng(4), 50_000)
    binned = counted(p, y)
    found = calibrate(binned, "platt")
    assert choose_threshold(binned, "cost", found) == pytest.approx(0.5, abs=0.05)
    assert choose_threshold(binned, "cost", found, false_negative=4) == pytest.approx(0.2, abs=0.04)
    assert choose_threshold(np.zeros((2, SCORE_BINS), np.int64), "f1") == 0.5
    with pytest.raises(ConfigError, match="costs"):
        choose_threshold(binned, "cost", false_positive=0)
