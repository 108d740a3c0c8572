"""The quality floor: on annotated mail the cleaner never gets worse than `floors.toml` says, unnoticed.

The scorer is `zones_eval.py`, which comes with the data. A floor is lowered by changing the file, in a
commit that says why.
"""

from __future__ import annotations

import importlib.util
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailmill.corpus import CorpusSpec, generate
from mailmill.corpus.spec import LANGUAGES
from mailmill.email import CleanMessage, clean_message, clean_text

FLOORS: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "floors.toml").read_text(encoding="utf-8"))
GENERATED: dict[str, float] = FLOORS.pop("generated")


def below_floor(result: dict[str, Any], floor: dict[str, Any]) -> list[str]:
    """What of an evaluation lies under the floor (over it, for the share of body lines lost); '' entries never."""
    found = [name for name in ("f1", "exact") if result[name] < floor[name]]
    if result["body_lost"] > floor["body_lost"]:
        found.append("body_lost")
    found += [zone for zone, least in floor["removed"].items() if result["removed"][zone] < least]
    return found


def evaluate(shared_data: Path, corpus: str, cleaner: Callable[..., str]) -> dict[str, Any]:
    """The scorer's result for the training mails of one corpus."""
    path = shared_data.parent / "bench" / "zones_eval.py"
    if not path.is_file():
        pytest.skip("the scorer is not beside the data sets")
    spec = importlib.util.spec_from_file_location("zones_eval", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    result: dict[str, Any] = module.evaluate(cleaner, module.load(shared_data / "zones" / f"{corpus}_train.jsonl"))
    return result


@pytest.mark.parametrize("corpus", FLOORS)
def test_quality_is_not_below_the_floor(shared_data: Path, corpus: str) -> None:
    result = evaluate(shared_data, corpus, clean_text)
    assert result["errors"] == 0
    assert below_floor(result, FLOORS[corpus]) == []


def no_cleaner(text: str) -> str:
    """Keeps everything."""
    return text


def eager_cleaner(text: str) -> str:
    """Loses the last line of what the real one keeps."""
    return clean_text(text).rpartition("\n")[0]


def timid_cleaner(text: str) -> str:
    """Keeps the last two lines of the mail whatever they are."""
    return clean_text(text) + "\n" + "\n".join(text.rstrip().split("\n")[-2:])


@pytest.mark.parametrize("corpus", FLOORS)
@pytest.mark.parametrize("worse", [no_cleaner, eager_cleaner, timid_cleaner])
def test_a_worse_cleaner_falls_through(shared_data: Path, corpus: str, worse: Callable[[str], str]) -> None:
    found = below_floor(evaluate(shared_data, corpus, worse), FLOORS[corpus])
    assert {"exact", "f1"} <= set(found)
    assert worse is not eager_cleaner or "body_lost" in found


def test_each_figure_has_its_floor() -> None:
    assert set(FLOORS) == {"enron", "asf"}
    for floor in FLOORS.values():
        result = {**{k: floor[k] for k in ("f1", "exact", "body_lost")}, "removed": dict(floor["removed"])}
        assert below_floor(result, floor) == []
        assert below_floor({**result, "f1": floor["f1"] - 0.001}, floor) == ["f1"]
        assert below_floor({**result, "exact": floor["exact"] - 0.001}, floor) == ["exact"]
        assert below_floor({**result, "body_lost": floor["body_lost"] + 0.001}, floor) == ["body_lost"]
        for zone, least in floor["removed"].items():
            removed = {**result["removed"], zone: least - 0.001}
            assert below_floor({**result, "removed": removed}, floor) == [zone]


@pytest.fixture(scope="module")
def generated() -> list[tuple[Counter[str], CleanMessage]]:
    """Generated mail whose zones are known: the words of each author's own, and what was made of the mail."""
    mails = generate(CorpusSpec(count=2000, seed=3, malformed=0, languages=LANGUAGES))
    return [
        (Counter(word for line, zone in mail.zones if zone == "body" for word in line.split()), clean_message(mail.raw))
        for mail in mails
    ]


def errors(generated: list[tuple[Counter[str], CleanMessage]], read: Callable[[CleanMessage], str]) -> dict[str, float]:
    """Words left over and words lost, per word of the authors' own."""
    own = left = lost = 0
    for truth, message in generated:
        found = Counter(read(message).split())
        own += truth.total()
        left += (found - truth).total()
        lost += (truth - found).total()
    return {"left": left / own, "lost": lost / own}


def test_generated_mail_of_all_programs_is_read_as_it_was_made(
    generated: list[tuple[Counter[str], CleanMessage]],
) -> None:
    found = errors(generated, lambda message: message.text)
    assert {name for name, share in found.items() if share > GENERATED[name]} == set(), found


def test_a_worse_reader_of_generated_mail_falls_through(generated: list[tuple[Counter[str], CleanMessage]]) -> None:
    assert errors(generated, lambda message: message.rendering)["left"] > 100 * GENERATED["left"]
    assert errors(generated, lambda message: message.text.rpartition("\n")[0])["lost"] > GENERATED["lost"]
