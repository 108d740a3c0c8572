"""What changed since the version before: computed from two profiles, so it costs no pass over any data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUPS = 10
LEAST_MAILS = 100
LEAST_DAY = 20
LEAST_COMMON = 30
#: A day of which no more than this share is left is gone: a mail or two that are dated wrongly.
_GONE = 0.05
#: Days further apart than this are not of one window.
_APART = 31
#: The largest index that chance alone may be expected to give; see `psi`. Expectations ask for less than 0.25.
MOST_CHANCE = 0.1
#: An index that chance gives once in a million times is none of chance's, however few the mails: in deviations.
CERTAIN = 4.75
_HALF = 0.5
Histogram = Mapping[str, Sequence[float]]


def psi(before: Sequence[int], now: Sequence[int]) -> float:
    """The population stability index sum_i (q_i - p_i) ln(q_i / p_i), p before and q now.

    Counts of the same groups, each at least 0. Half a count is added to every group, so that an empty one
    weighs by how sure its emptiness is. Under no change it is about groups x (1/n + 1/m) (Yurdakul & Naranjo,
    "Statistical properties of the population stability index", 2020); rules of thumb call
    0.1 a shift and 0.25 a large one (Siddiqi, "Credit Risk Scorecards", 2006).
    """
    p = (np.asarray(before, np.float64) + _HALF) / (sum(before) + _HALF * len(before))
    q = (np.asarray(now, np.float64) + _HALF) / (sum(now) + _HALF * len(now))
    return float(((q - p) * np.log(q / p)).sum())


def ks(before: Sequence[int], now: Sequence[int]) -> float:
    """The Kolmogorov-Smirnov distance max_x |F(x) - G(x)| of two histograms over the same bins, in [0, 1].

    0 where either is empty. It is that of the binned values: at most that of the values themselves.
    """
    if not sum(before) or not sum(now):
        return 0.0
    return float(np.abs(np.cumsum(before) / sum(before) - np.cumsum(now) / sum(now)).max())


def aligned(before: Histogram, now: Histogram) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The counts of two histograms, each a stretch of the same scale, over the bins of both."""
    lows = sorted({*before["edges"][:-1], *now["edges"][:-1]})
    place = {edge: index for index, edge in enumerate(lows)}
    found = []
    for histogram in (before, now):
        counts = np.zeros(len(lows), np.int64)
        counts[[place[edge] for edge in histogram["edges"][:-1]]] = histogram["counts"]
        found.append(counts)
    return found[0], found[1]


def grouped(before: NDArray[np.int64], now: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Bins joined into at most `GROUPS` groups of about equal size in `before`, for the index."""
    total = int(before.sum())
    if not total:
        return [0], [int(now.sum())]
    group = np.minimum((np.cumsum(before) - before) * GROUPS // total, GROUPS - 1)
    used = np.unique(group)
    return [int(before[group == g].sum()) for g in used], [int(now[group == g].sum()) for g in used]


def facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """drift.NAME.psi and drift.NAME.ks of every histogram and count that two profiles share, and changes by name.

    drift.rows.ratio is rows now / rows before; drift.NAME.change is a figure's difference, drift.retention.ratio that
    share now / before, both where both versions have `LEAST_MAILS` rows: in a dozen mails one long quote moves them.
    An index that chance may explain where it lifts one above `MOST_CHANCE` is left out: of 50 mails and 50 others, ten
    groups of the same lengths have about 0.4. Figures whose NAME_of differs are of different things and not compared.
    drift.largest_psi is the largest index, drift.largest_psi_of its name.
    """
    found: dict[str, float | None] = {"drift.rows.ratio": now["rows"] / before["rows"] if before["rows"] else None}
    groups: dict[str, tuple[Sequence[int], Sequence[int]]] = {}
    for name, histogram in now["histograms"].items():
        if name in before["histograms"]:
            a, b = aligned(before["histograms"][name], histogram)
            groups[name], found[f"drift.{name}.ks"] = grouped(a, b), ks(a.tolist(), b.tolist())
    for name in ("languages", "classes", "domains", "reasons", "containers", "label_by_split"):
        if name in now["counts"] and name in before["counts"]:
            a, b = before["counts"][name], now["counts"][name]
            names = sorted({*a, *b})
            groups[name] = [a.get(n, 0) for n in names], [b.get(n, 0) for n in names]
    for name, counts in groups.items():
        index = psi(*counts)
        if _chance(*counts) <= MOST_CHANCE or index > _certain(*counts):
            found[f"drift.{name}.psi"] = index
    return found | _changes(before, now) | _largest(found)


def _chance(before: Sequence[int], now: Sequence[int]) -> float:
    """About the index that two draws from one distribution have; without rows on a side, infinite."""
    smaller = min(sum(before), sum(now))
    return len(before) * (1 / sum(before) + 1 / sum(now)) if smaller else np.inf


def _certain(before: Sequence[int], now: Sequence[int]) -> float:
    """What an index of two draws from one distribution exceeds once in a million times.

    Over (1/n + 1/m) it is about chi-square; its quantile is that of Wilson & Hilferty, PNAS 17, 1931.
    """
    freedom = 2 / (9 * max(len(before) - 1, 1))
    quantile = (1 - freedom + CERTAIN * math.sqrt(freedom)) ** 3 * 2 / (9 * freedom)
    return quantile * _chance(before, now) / max(len(before), 1)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, float | None]:
    """Differences and ratios of shares; none where a version is small."""
    found: dict[str, float | None] = {}
    if min(before["rows"], now["rows"]) < LEAST_MAILS:
        return found
    old, new = before["facts"], now["facts"]
    for name in ("duplicates.share", "text.replacement_share", "text.duplicate_share", "label.polarity_auc"):
        a, b = old.get(name), new.get(name)
        if a is not None and b is not None and old.get(f"{name}_of") == new.get(f"{name}_of"):
            found[f"drift.{name}.change"] = b - a
    a, b = old.get("retention.share"), new.get("retention.share")
    if a and b is not None:
        found["drift.retention.ratio"] = b / a
    return found


def _largest(found: Mapping[str, float | None]) -> dict[str, Any]:
    """The largest index of all, and what it is of."""
    indices = {name: value for name, value in found.items() if name.endswith(".psi") and value is not None}
    worst = max(indices, key=indices.__getitem__, default=None)
    return {"drift.largest_psi": indices[worst], "drift.largest_psi_of": worst} if worst else {}


def copies_facts(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """drift.duplicates.share.risen_to: the share of exact copies, where it is above that of the version before.

    A first version's is above none. As many as were published once, and so accepted, do not rise.
    """
    share, known = now.get("duplicates.share"), before.get("duplicates.share")
    risen = share is not None and (known is None or share > known)
    return {"drift.duplicates.share.risen_to": share} if risen else {}


def day_facts(days: Mapping[str, int], before: Mapping[str, int] | None) -> dict[str, float | str | None]:
    """Has a day lost mail? volume.day_kept: least (mails now / mails before) over days that had `LEAST_DAY` before.

    Days at both ends that are gone are left out: a window that moves on loses the first, and a day that is taken again
    all after it, but for mail that is dated wrongly. So is the day next to them: the window may begin or end within it,
    and may always have begun within the first. A day with few mails within a month of it is no part of it, but a wrong
    date, unless all days are so.
    volume.day_ratio: the same against the median of the same weekday in the two weeks around, for the first
    version. Each with its day; None where no day has enough to compare.
    """
    shares = [(day, days.get(day, 0) / n) for day, n in _in_company(before or {})]
    left = [at for at, (_, share) in enumerate(shares) if share > _GONE]
    kept = dict(shares[left[0] : left[-1] + 1]) if left else {}
    gone = [day for day, n in (before or {}).items() if days.get(day, 0) <= _GONE * n]
    if kept:
        first, last = min(kept), max(kept)
        cut = {first, last} if max(gone, default=last) > last else {first}
        kept = {day: share for day, share in kept.items() if day not in cut}
    around = {}
    numbers = {int(np.datetime64(day, "D").astype(int)): n for day, n in days.items() if len(day) == 10}
    candidates = {number + step for number in numbers for step in (-7, 0, 7)}  # a day without any mail too
    for number in sorted(c for c in candidates if min(numbers) < c <= max(numbers)):
        near = [numbers[number + step] for step in (-14, -7, 7, 14) if number + step in numbers]
        if len(near) >= 2 and median(near) >= LEAST_DAY:
            around[str(np.datetime64(number, "D"))] = numbers.get(number, 0) / median(near)
    worst, lowest = min(kept, key=kept.__getitem__, default=None), min(around, key=around.__getitem__, default=None)
    return {
        "volume.day_kept": kept[worst] if worst else None,
        "volume.day_kept_worst": worst,
        "volume.day_ratio": around[lowest] if lowest else None,
        "volume.day_ratio_worst": lowest,
    }


def _in_company(days: Mapping[str, int]) -> list[tuple[str, int]]:
    """The days of `LEAST_DAY` mails, in order: those with as many more within `_APART` days; all where none has."""
    dated = sorted(day for day in days if len(day) == 10)
    numbers = np.array(dated, "datetime64[D]").astype(int)
    sums = np.cumsum([0, *(days[day] for day in dated)])
    low, high = np.searchsorted(numbers, numbers - _APART), np.searchsorted(numbers, numbers + _APART, "right")
    around = zip(dated, (sums[high] - sums[low]).tolist(), strict=True)
    besides = {day: n - days[day] for day, n in around if days[day] >= LEAST_DAY}
    found = [(day, days[day]) for day, n in besides.items() if n >= LEAST_DAY]
    return found or [(day, days[day]) for day in besides]


def anchor_facts(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, float | None]:
    """labels.kept_share: of the sampled keys in both versions, how many kept their label; None below `LEAST_COMMON`."""
    common = sorted(set(before) & set(now))
    kept = sum(before[key] == now[key] for key in common)
    enough = len(common) >= LEAST_COMMON
    return {"labels.compared": len(common), "labels.kept_share": kept / len(common) if enough else None}
