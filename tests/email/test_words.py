"""The language of a text, and its number of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.email.patterns import LANGUAGES
from mailmill.email.words import count_words, guess_language
from tests.email.test_patterns import SENTENCES


@pytest.mark.parametrize("language", LANGUAGES)
def test_language(language: str) -> None:
    """One sentence of it is enough."""
    assert guess_language(SENTENCES[language]) == language


def test_language_unsure() -> None:
    """Of nothing, and of no language."""
    assert guess_language("") == ""
    assert guess_language("1 2 3 xyzzy plugh") == ""


def test_language_shows_at_the_beginning() -> None:
    """What follows 800 characters does not count, however long its words are."""
    german = "Wir haben das Paket noch nicht gefunden. " * 40
    assert guess_language(german + SENTENCES["en"] * 100) == "de"
    assert guess_language("x" * 800 + " " + SENTENCES["en"]) == ""


@given(st.text("ab \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2003\u3000ä’\ud800", max_size=40))
def test_words_are_the_pieces_between_white_space(text: str) -> None:
    """Whatever white space there is, ASCII or not."""
    assert count_words(text) == len(text.split())
