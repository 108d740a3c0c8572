import tomllib

import pytest

from mailmill.errors import ConfigError, DataError
from mailmill.models.search import Candidate, Result, candidates, ranked, report

GRIDS = {"logistic": {"l2": [1e-4, 1e-3]}, "forest": {"depth": [4, 8, 12], "criterion": ["gini", "entropy"]}}


def result(model: str, f1: float, loss: float, **settings: object) -> Result:
    return Result(model, settings, f1, None, loss, True if model == "logistic" else None, 9, 1.5)


def test_a_grid_is_every_combination_once() -> None:
    found = candidates(GRIDS, "grid", draws=1, seed=0)
    assert found[:2] == [Candidate("logistic", {"l2": 1e-4}), Candidate("logistic", {"l2": 1e-3})]
    assert len(found) == 8
    assert len({str(candidate) for candidate in found}) == 8


def test_random_draws_are_distinct_repeatable_and_nested() -> None:
    few, more = (candidates(GRIDS, "random", draws, seed=5) for draws in (2, 4))
    assert [c.model for c in few] == ["logistic"] * 2 + ["forest"] * 2
    assert few == candidates(GRIDS, "random", 2, seed=5)
    assert all(candidate in more for candidate in few)
    assert len({str(c) for c in more}) == 6
    drawn = {str(candidates(GRIDS, "random", 2, seed=s)[2:]) for s in range(20)}
    assert len(drawn) > 3
    assert candidates(GRIDS, "random", 100, seed=5) == candidates(GRIDS, "grid", 1, seed=0)


def test_a_result_is_filed_under_what_it_depends_on() -> None:
    one = Candidate("forest", {"depth": 4, "criterion": "gini"})
    same = Candidate("forest", {"criterion": "gini", "depth": 4})
    assert one.name("t", "c", "j") == same.name("t", "c", "j")
    others = {one.name("u", "c", "j"), one.name("t", "d", "j"), one.name("t", "c", "k"), one.name("t", "c", "j")}
    assert len(others | {Candidate("forest", {"depth": 5}).name("t", "c", "j")}) == 5


def test_impossible_grids_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"forest\.depth names no value"):
        candidates({"forest": {"depth": []}}, "grid", 1, 0)
    with pytest.raises(ConfigError, match="combinations"):
        candidates({"forest": {"depth": range(1000), "min_leaf": range(1000)}}, "grid", 1, 0)


def test_best_first_and_its_settings_can_be_copied() -> None:
    results = [
        result("logistic", 0.8, 0.5, l2=1e-3),
        result("forest", 0.9, 0.6, depth=8, criterion="gini"),
        result("logistic", 0.8, 0.4, l2=1e-4),
        result("forest", 0.7, 0.3, depth=4, criterion="entropy"),
    ]
    assert [r.macro_f1 for r in ranked(results, "macro_f1")] == [0.9, 0.8, 0.8, 0.7]
    assert ranked(results, "macro_f1")[1].settings == {"l2": 1e-4}
    assert ranked(results, "log_loss")[0].settings == {"depth": 4, "criterion": "entropy"}
    files = report(results, "macro_f1")
    best = tomllib.loads(files["best.toml"].decode())
    assert best == {"forest": {"depth": 8, "criterion": "gini"}, "logistic": {"l2": 1e-4}}
    table = files["search.md"].decode().splitlines()
    assert table[6].startswith("| 1 | forest | depth=8, criterion=gini | 0.9000 | - | 0.6000 | - | 9 |")


def test_settings_of_every_kind_are_toml() -> None:
    settings = {
        "class_weights": {"neg": 2.0, "so \U0001f600.so": 1.0},
        "l2": [1e-5, 0.1],
        "max_features": "sqrt",
        "balanced": True,
    }
    files = report([result("forest", 0.9, 0.6, **settings)], "macro_f1")
    assert tomllib.loads(files["best.toml"].decode()) == {"forest": settings}


def test_results_survive_a_file() -> None:
    one = result("forest", 0.9, 0.6, depth=8)
    assert Result.from_json(one.to_json()) == one
    for damaged in (b"", b"{", b"[]", b'{"model": "forest"}'):
        with pytest.raises(DataError, match="damaged"):
            Result.from_json(damaged)
