"""The learned labeller: its weights, its arithmetic, and when it may overrule the rules."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.email import clean_text
from mailmill.email.cleaner import CleanText
from mailmill.email.labeller import STATES, Labeller, checksum, edge_lines, parse_weights, shipped
from mailmill.email.lines import split_lines
from mailmill.email.tails import Marks
from mailmill.email.zones import assign_zones
from mailmill.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = resources.files("mailmill.email").joinpath("weights", "edges.json").read_text(encoding="utf-8")
OWN = "The plan is good, and we should start on Monday."


def weights(**changes: Any) -> str:
    """A small weights file, with a right checksum."""
    content: dict[str, Any] = {
        "format": 1,
        "states": list(STATES),
        "scale": 256,
        "remove_margin": 256,
        "keep_margin": 256,
        "start": [0, 0, 0, 0],
        "end": [0, 0, 0, 0],
        "moves": [[0] * 4 for _ in range(4)],
        "features": {"first=zzz": [0, 0, 2000]},
    }
    content |= changes
    content["checksum"] = checksum(content)
    return json.dumps(content)


def test_shipped_weights_are_small_and_whole() -> None:
    assert len(WEIGHTS) < 500_000
    labeller = parse_weights(WEIGHTS)
    assert labeller.features == shipped().features
    assert len(labeller.features) > 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        WEIGHTS[:-40],
        WEIGHTS.replace('"scale":256', '"scale":257'),
        weights(format=2),
        weights(states=["body"]),
    ],
    ids=["nothing", "list", "empty", "null", "cut", "changed", "other format", "other states"],
)
def test_damaged_weights_are_refused(text: str) -> None:
    assert text != WEIGHTS
    with pytest.raises(DataError, match="weights"):
        parse_weights(text)


scores = st.integers(-5000, 5000)
emissions = st.lists(st.tuples(st.just(0), scores, scores, scores), min_size=1, max_size=5)


@given(emissions, st.lists(scores, min_size=24, max_size=24))
def test_best_path_is_the_best_of_all_paths(chain: list[tuple[int, int, int, int]], values: list[int]) -> None:
    moves = tuple(tuple(values[4 * k : 4 * k + 4]) for k in range(4))
    labeller = Labeller({}, tuple(values[16:20]), tuple(values[20:24]), moves, 0, 0, 256)
    path, top = labeller.best(chain)
    assert top == labeller.score(chain, path)
    assert top == max(labeller.score(chain, other) for other in itertools.product(range(4), repeat=len(chain)))


@given(st.lists(st.tuples(scores, scores, scores), max_size=40))
def test_packed_weights_add_up(rows: list[tuple[int, int, int]]) -> None:
    labeller = parse_weights(weights(features={str(i): list(row) for i, row in enumerate(rows)}))
    names = [str(i) for i in range(len(rows))] + ["unknown"]
    assert labeller.scores(names) == (0, *(sum(column) for column in zip(*rows, (0, 0, 0), strict=True)))
    random.Random(0).shuffle(names)
    assert labeller.scores(names) == labeller.scores(sorted(names))


def test_it_overrules_the_rules_only_with_a_margin() -> None:
    text = f"{OWN}\n\nzzz qqq"
    lines = split_lines(text)
    assert [m[0] for m in assign_zones(lines, labeller=None).marks] == ["body", "body", "body"]
    bold = assign_zones(lines, labeller=parse_weights(weights())).marks
    assert bold[-1] == ("signature", "model.signature")
    shy = assign_zones(lines, labeller=parse_weights(weights(remove_margin=2001))).marks
    assert shy[-1][0] == "body"


def test_it_gives_back_what_the_rules_removed() -> None:
    text = f"{OWN}\n\nThanks!"
    assert CleanText(None)(text) == OWN
    keep = weights(features={"rule=signoff.thanks": [-3000, -3000, -3000]})
    assert CleanText(parse_weights(keep))(text) == text
    assert CleanText(parse_weights(weights(features={}, keep_margin=1)))(text) == OWN


def test_quotes_footers_and_long_lines_are_not_its_business() -> None:
    everything = parse_weights(weights(features={"bias": [0, 0, 9000]}))
    text = f"{OWN} {OWN}\n\nOn 1 May 2025, Bob <bob@x.example> wrote:\n> Their words."
    assert CleanText(everything)(text) == f"{OWN} {OWN}"
    nothing = parse_weights(weights(features={"bias": [-9000, -9000, -9000]}))
    footer = f"{OWN}\n\n_______________________\nfoo mailing list\nhttp://x.example/mailman/listinfo/foo"
    assert CleanText(nothing)(footer) == OWN
    marks: Marks = [None]
    assert edge_lines(split_lines(OWN), marks, 0, 1, frozenset(), first=True) is None


def test_a_name_that_no_rule_knows() -> None:
    text = f"{OWN}\n\n{OWN} Call me if there is anything that you need.\n\nmfg\nkarl-heinz"
    assert clean_text(text, "karl.heinz@firm.example") == clean_text(text, "karl.heinz@firm.example")
    assert "karl-heinz" not in clean_text(text, "Karl-Heinz <karl.heinz@firm.example>")


@given(st.text(st.sampled_from("ab \n,.:-1>A@"), max_size=120))
def test_cleaning_twice_changes_nothing_that_the_labeller_kept_whole(text: str) -> None:
    once = clean_text(text)
    assert once == clean_text(text)
    assert len(once) <= len(text)


@pytest.mark.slow
def test_training_reproduces_the_shipped_weights(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    out = tmp_path / "edges.json"
    command = [sys.executable, str(ROOT / "bench" / "train_labeller.py"), "--data", str(shared_data / "zones")]
    subprocess.run([*command, "--out", str(out)], check=True, capture_output=True)
    assert out.read_text(encoding="utf-8") == WEIGHTS
