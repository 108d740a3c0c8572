"""Plots are readable: what stands at their axes is written out, and says what was counted."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from mailmill.docs import figures, plots
from mailmill.docs.facts import Profile
from mailmill.quality import facts
from mailmill.quality.sketches import SHARE, WHOLE

pytest.importorskip("matplotlib")


def test_powers_of_ten_are_written_out() -> None:
    svg = plots.histogram("h", "sizes", [1, 10, 100, 1000, 10_000], [4, 3, 2, 1], "characters")
    assert "mathdefault" not in svg
    assert ">1,000<" in svg


def test_counts_are_short() -> None:
    svg = plots.bars("b", "domains", {"one": 2_500_000, "two": 1_000_000}, "messages")
    assert ">2M<" in svg
    assert "1e6" not in svg


@pytest.mark.parametrize("draw", [plots.bars, plots.timeline])
def test_counts_of_few_mails_are_whole(draw: Callable[..., str]) -> None:
    """Half a mail was written as 500m, for milli."""
    assert not re.search(r">[0-9.]+m<", draw("b", "months", {"2026-01": 1, "2026-02": 1}, "messages"))
    assert not re.search(r">[0-9.]+m<", plots.histogram("h", "words", [0, 1, 2], [1, 1], "words"))


def test_a_label_that_is_empty_is_named() -> None:
    svg = plots.bars("b", "languages", {"en": 9, "": 4, "pt": 1}, "messages")
    assert "Bars of messages: en 9, (none) 4, pt 1." in svg
    assert ">(none)<" in svg


def test_labels_have_room_at_the_left() -> None:
    with plots.drawn(left=plots.room(["a"])) as short, plots.drawn(left=plots.room(["a" * 28])) as long:
        assert short.axes.get_position().x0 < 0.1 < 0.4 < long.axes.get_position().x0


def test_a_plot_that_fails_leaves_no_settings_behind() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with pytest.raises(TypeError) as caught:  # held, as by whoever looks at it: its frames hold what was drawn
        plots.histogram("h", "sizes", [1, 10, 100], ["many", "few"], "characters")  # type: ignore[list-item]
    assert dict(matplotlib.rcParams) == before, caught


def test_rules_count_characters_as_zones_do() -> None:
    counts = {"rules": {"body/body": 900}, "zones": {"body": 900}, "flags": {"html_only": 3}}
    profile = Profile("clean", "f", 3, {}, {}, counts)
    drawn = {figure.caption: figure.svg for figure in figures.of_profile(profile)}
    assert ["characters" in drawn[name] for name in ("rules", "zones", "flags")] == [True, True, False]


def test_what_comes_from_mail_shows_as_text_in_a_plot() -> None:
    """The page passes plots through as they are: no template escapes them once more."""
    svg = plots.bars("n", "<b>title</b>", {"<i>label</i>": 2, "$x_1$": 1}, "mails")
    assert not re.findall(r"</?[bi]>", svg)
    assert "&lt;b&gt;title&lt;/b&gt;" in svg
    assert svg.count("&lt;i&gt;label&lt;/i&gt;") == 2, "on the axis, and in the description"
    assert ">$x_1$<" in svg, "no formula of TeX"


def shown(svg: str) -> str:
    """What a plot says of itself."""
    found = re.search(r"<desc[^>]*>(.*?)</desc>", svg)
    assert found
    return found[1]


def steps(svg: str) -> list[float]:
    """The heights of a plot's outline, in points, without those next to one that is alike."""
    found = re.search(rf'd="([^"]+)" clip-path="[^"]+" style="fill: {re.escape("var(--accent)")}', svg)
    assert found, svg
    return [float(y) for _, y in re.findall(r"[ML] (\S+) (\S+)", found[1])]


def test_bins_that_grow_with_their_values_do_not_show() -> None:
    """Bins of whole numbers are 1 wide to 100 and 2 beyond, where a flat distribution rose to the double."""
    values = np.repeat(np.arange(60, 140), 50)
    drawn = facts.histogram(WHOLE.edges, WHOLE.count(values))
    svg = plots.histogram("h", "words", drawn["edges"], drawn["counts"], "words")
    heights = steps(svg)
    tops = [y for y in heights if y < max(heights)]
    assert max(tops) - min(tops) < 0.01 * (max(heights) - min(tops))
    assert shown(svg).startswith("4,000 messages; most between 60 and 62")


def test_the_sentence_says_where_most_messages_are() -> None:
    """More and more wide bins made the long end look like the most frequent."""
    values = np.concatenate([np.repeat(np.arange(2000, 2250), 3), np.repeat(np.arange(3000, 4100), 2)])
    drawn = facts.histogram(WHOLE.edges, WHOLE.count(values))
    said = shown(plots.histogram("h", "bytes", drawn["edges"], drawn["counts"], "bytes"))
    low, high = (int(n.replace(",", "")) for n in re.findall(r"between (\S+) and (\S+)\.", said)[0])
    assert 1950 <= low < high <= 2300, said


def test_shares_are_shown_on_the_whole_of_their_scale() -> None:
    drawn = facts.histogram(SHARE.edges, SHARE.count(np.ones(9)))
    svg = plots.histogram("h", "agreement", drawn["edges"], drawn["counts"], "agreement")
    assert re.findall(r">(\d\.\d+)<", svg) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert shown(svg) == "9 messages; most between 0.98 and 1."


def test_time_without_mail_shows_as_a_gap() -> None:
    svg = plots.timeline("t", "days", {"2026-01-01": 5, "2026-01-02": 5, "2026-06-01": 5}, "messages")
    heights = steps(svg)
    assert len(set(heights)) == 2
    assert heights.count(max(heights)) > 3, "the axis again between January and June"
    assert [plots._of_ordinal(plots._ordinal(when), when) for when in ("2026-12", "0999-01-31")] == [
        "2026-12", "0999-01-31",
    ]  # fmt: skip


def test_days_that_are_left_out_are_counted() -> None:
    """A profile keeps the latest days alone; the table under the plot goes by date, as the plot does."""
    days = {"2026-01-03": 1, "2026-01-01": 2, "2026-01-02": 7}
    profile = Profile("clean", "f", 20, {"dated.share": 0.9}, {}, {"days": days})
    (figure,) = figures.of_profile(profile)
    assert figure.rows == [("2026-01-03", "1"), ("2026-01-02", "7"), ("2026-01-01", "2"), ("earlier", "8")]
    assert figure.note == "From 2026-01-01 on; 8 earlier messages not drawn."
    assert shown(figure.svg).endswith(figure.note)
