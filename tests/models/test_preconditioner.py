"""The sample's Hessian as a metric: what it guesses of rare sparse columns, and how steps mend that."""

from __future__ import annotations

import numpy as np
import pytest

from mailmill.models.data import MemoryFragment, SparseRows, TrainingArrays, in_process
from mailmill.models.logistic import LogisticSettings, fit_logistic
from mailmill.models.objective import Layout
from mailmill.models.penalty import Penalty
from mailmill.models.preconditioner import FREQUENT, SampleHessian

ROWS, COLUMNS, TOGETHER = 3000, 2400, 40


def phrases(seed: int) -> TrainingArrays:
    """Rows whose sparse columns come in groups of `TOGETHER` that always occur together, as the n-grams of a phrase."""
    rng = np.random.default_rng(seed)
    groups = COLUMNS // TOGETHER
    chosen = np.array([np.sort(rng.choice(groups, 3, replace=False)) for _ in range(ROWS)])
    indices = (chosen[:, :, None] * TOGETHER + np.arange(TOGETHER)).reshape(ROWS, -1).astype(np.int32)
    indptr = np.arange(ROWS + 1, dtype=np.int64) * indices.shape[1]
    weight = rng.normal(size=groups)
    y = (weight[chosen].sum(axis=1) + rng.logistic(size=ROWS) > 0).astype(np.int64)
    sparse = SparseRows(indptr, indices.ravel(), np.ones(indices.size, np.float32), COLUMNS)
    return TrainingArrays(rng.normal(size=(ROWS, 2)).astype(np.float32), y, np.arange(ROWS, dtype=np.uint64), sparse)


def metric(rows: TrainingArrays) -> tuple[SampleHessian, Layout]:
    layout = Layout(1, np.zeros(2), np.ones(2), np.arange(COLUMNS), COLUMNS)
    penalty = Penalty(np.full(layout.width, 1e-3), np.zeros(layout.width))
    assert rows.sparse is not None
    squares = np.bincount(rows.sparse.indices, rows.sparse.values.astype(np.float64) ** 2, COLUMNS) / len(rows.X)
    found = SampleHessian(rows, layout, penalty, (1.0, 1.0), squares, np.zeros(1, np.bool_))
    found.refresh(np.zeros(layout.width))
    return found, layout


def test_a_step_tells_what_columns_that_occur_together_add() -> None:
    """With 40 columns as one, the curvature along their sum is 40 times what each has alone."""
    found, layout = metric(phrases(1))
    guessed = np.ones(layout.width, bool)
    guessed[np.ravel(found.parts()[1])] = False
    assert guessed.sum() == COLUMNS - FREQUENT
    before = found.product(np.ones(layout.width))
    step = np.where(guessed, 1e-2, 0.0)
    found.correct(step, TOGETHER * before * step)
    after = found.product(np.ones(layout.width))
    assert after[guessed] == pytest.approx(TOGETHER * before[guessed])
    assert after[~guessed] == pytest.approx(before[~guessed]), "what was factorised is known, not guessed"
    assert found.solve(found.product(step)) == pytest.approx(step)
    found.refresh(np.zeros(layout.width))
    assert found.product(np.ones(layout.width)) == pytest.approx(after), "the factor outlives another point"


@pytest.mark.parametrize("change", [0.0, -1.0, 1e-3])
def test_less_curvature_than_guessed_changes_nothing(change: float) -> None:
    found, layout = metric(phrases(2))
    before = found.product(np.ones(layout.width))
    found.correct(np.ones(layout.width), change * before)
    assert found.product(np.ones(layout.width)) == pytest.approx(before)


def test_full_steps_are_taken_where_columns_occur_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """An iteration is a pass then; uncorrected, most full steps were too long and cost a second one."""
    rows = phrases(3)
    task = in_process([MemoryFragment({"train": rows})])
    settings = LogisticSettings(l2=1e-3, l2_sparse=1e-4, tolerance=1e-6, max_iterations=400)
    monkeypatch.setattr("mailmill.models.logistic.SAMPLE_ROWS", (500, 500))
    model, mended = fit_logistic(task, ("neg", "pos"), settings)
    monkeypatch.setattr(SampleHessian, "correct", lambda *_: None)
    other, plain = fit_logistic(task, ("neg", "pos"), settings)
    assert mended.converged
    assert plain.converged
    assert model.coef == pytest.approx(other.coef, abs=1e-3)
    assert mended.objective == pytest.approx(plain.objective, abs=1e-8)
    assert mended.passes <= 1.5 * mended.iterations + 3
    assert mended.passes < plain.passes
