"""Plots are readable: what stands at their axes is written out, and says what was counted."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mailmill.docs import plots, site
from mailmill.docs.facts import Profile

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
    assert not re.search(r">[0-9.]+m<", draw("b", "domains", {"one": 1, "two": 1}, "messages"))
    assert not re.search(r">[0-9.]+m<", plots.histogram("h", "words", [0, 1, 2], [1, 1], "words"))


def test_a_label_that_is_empty_is_named() -> None:
    svg = plots.bars("b", "languages", {"en": 9, "": 4, "pt": 1}, "messages")
    assert "Bars of messages: en 9, (none) 4, pt 1." in svg
    assert ">(none)<" in svg


def test_labels_have_room_at_the_left() -> None:
    with plots.drawn(left=plots._room(["a"])) as short, plots.drawn(left=plots._room(["a" * 28])) as long:
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
    figures = {figure.caption: figure.svg for figure in site._profile_figures(profile)}
    assert ["characters" in figures[name] for name in ("rules", "zones", "flags")] == [True, True, False]


def test_what_comes_from_mail_shows_as_text_in_a_plot() -> None:
    """The page passes plots through as they are: no template escapes them once more."""
    svg = plots.bars("n", "<b>title</b>", {"<i>label</i>": 2, "$x_1$": 1}, "mails")
    assert not re.findall(r"</?[bi]>", svg)
    assert "&lt;b&gt;title&lt;/b&gt;" in svg
    assert svg.count("&lt;i&gt;label&lt;/i&gt;") == 2, "on the axis, and in the description"
    assert ">$x_1$<" in svg, "no formula of TeX"
