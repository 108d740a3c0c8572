"""The sample: a function of the rows alone, whatever the fragments."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill.models.sample import draw_sample

from .problems import sparse_problem, take

DATA = sparse_problem(600, 3, 8)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 600), max_size=5), st.integers(1, 700))
def test_the_cut_does_not_matter(at: list[int], size: int) -> None:
    whole = draw_sample(DATA, size, None)
    merged = draw_sample(take(DATA, slice(0, 0)), size, None)
    for low, high in pairwise([0, *sorted(at), 600]):
        merged = merged.merge(draw_sample(take(DATA, slice(low, high)), size, None))
    assert whole.rows is not None
    assert merged.rows is not None
    assert len(whole.rows.X) == min(size, 600)
    assert merged.rows.ids.tolist() == whole.rows.ids.tolist()
    np.testing.assert_array_equal(merged.rows.X, whole.rows.X)
    assert merged.rows.sparse is not None
    assert whole.rows.sparse is not None
    np.testing.assert_array_equal(merged.rows.sparse.dense(), whole.rows.sparse.dense())


def test_rows_that_cannot_belong_to_the_sample_stay_where_they_are() -> None:
    part = draw_sample(take(DATA, slice(0, 300)), 100, 600)
    assert part.rows is not None
    assert 20 < len(part.rows.X) < 90
    known = part.merge(draw_sample(take(DATA, slice(300, 600)), 100, 600)).rows
    best = draw_sample(DATA, 100, None).rows
    assert known is not None
    assert best is not None
    assert set(known.ids.tolist()) <= set(best.ids.tolist())
    assert abs(len(known.ids) - 100) < 30
