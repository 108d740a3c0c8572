"""Tokens: GloVe's conventions case by case, and what must hold for any text."""

import doctest
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmill.features import tokens
from mailmill.features.tokens import is_word, tokenize


def test_the_examples_of_the_docstring_hold() -> None:
    results = doctest.testmod(tokens)
    assert results.attempted >= 5
    assert results.failed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("can't won't ain't cannot", "ca n't wo n't ai n't cannot"),
        ("she'd've Y'all's dogs'", "she 'd 've y' all 's dogs '"),
        ("c'mon o'clock O'Neill rock'n'roll", "c'mon o'clock o'neill rock'n'roll"),
        ("'quoted' ’tis the '90s", "' quoted ' 'tis the '90s"),
        ("don´t don\x92t don\u2019t", "do n't do n't do n't"),
        ("U.S. e.g. 9 a.m. Ph.D. Mr. Inc.", "u.s. e.g. 9 a.m. ph.d. mr. inc."),
        ("Who am I. No. J. Smith", "who am i . no . j. smith"),
        ("end.The next", "end . the next"),
        ("-5 +1 .5 1.5m 2.5-mile 7:30pm 1st", "-5 +1 .5 1.5m 2.5-mile 7:30pm 1st"),
        ("$5 US$5 5% 1/2 24/12/2004 (800) 555-1212", "$ 5 us$ 5 5 % 1/2 24/12/2004 ( 800 ) 555-1212"),
        ("yes/no and/or s/he 24/7", "yes / no and/or s/he 24/7"),
        ("http://a.b/c?d=1. (www.x.org) google.com/foo.", "http://a.b/c?d=1 . ( www.x.org ) google.com/foo ."),
        ("<a.b+c@d-e.co.uk>, mailto:x@y.org", "< a.b+c@d-e.co.uk > , mailto : x@y.org"),
        (":-) :) ;-( :D <3 =)", ":) :) ;( :d <3 =)"),
        ("😀😀 👍🏽 👨‍👩‍👧 🇩🇪", "😀 👍🏽 👨‍👩‍👧 🇩🇪"),
        ("!!!!! ??? ?!?! ..... … ---- ==== ____", "!!! ??? ?! ... ... -- = _"),
        ("wait--what e-mail mother-in-law's", "wait -- what e-mail mother-in-law 's"),
        ("cafe\u0301 soft\u00adhy zero\u200bwidth a\u00a0b", "café softhy zerowidth a b"),
        ("AT&T C++ foo_bar", "at&t c++ foo_bar"),
    ],
)
def test_conventions(text: str, expected: str) -> None:
    assert tokenize(text) == expected.split(" ")


def test_words_are_counted_not_punctuation() -> None:
    assert tokenize("a, b! so. d", max_words=3) == ["a", ",", "b", "!", "so"]
    assert tokenize("isn't", max_words=1) == ["is"]
    assert tokenize("?! " * 50 + "end", max_words=1)[-1] == "end"
    assert tokenize("") == tokenize(" \n\t") == []


_TABLE = str.maketrans(tokens._REPLACEMENTS)


@given(st.text(max_size=200), st.integers(1, 20))
def test_a_limit_gives_a_prefix(text: str, limit: int) -> None:
    everything, some = tokenize(text, None), tokenize(text, limit)
    assert everything[: len(some)] == some
    assert sum(map(is_word, some)) == min(sum(map(is_word, everything)), limit)


@given(st.text(st.characters(exclude_characters=":;="), max_size=120))
def test_no_letter_or_digit_is_lost(text: str) -> None:
    plain = unicodedata.normalize("NFC", text.translate(_TABLE)).lower()
    assert [c for c in "".join(tokenize(text, None)) if c.isalnum()] == [c for c in plain if c.isalnum()]


_ODD = st.sampled_from([*tokens._REPLACEMENTS, *map(chr, [0x85, 0xA0, 0x2003, 0x2028, 0x3000, 0x301, 0x130, 0x1E9E])])


@given(st.text(_ODD | st.sampled_from("aeÉ \n\x1c"), max_size=20))
def test_normalised_text_has_the_pieces_of_a_translated_one(text: str) -> None:
    """By the definition, a character at a time; between the pieces is ASCII's white space."""
    found = tokens.normalised(text)
    assert found.split() == unicodedata.normalize("NFC", text.translate(_TABLE)).lower().split()
    assert all(c.isascii() for c in found if c.isspace())


@given(st.lists(st.text(max_size=30), max_size=6))
def test_pieces_between_white_space_are_independent(parts: list[str]) -> None:
    together = tokenize(" \n".join(parts), None)
    assert together == [token for part in parts for token in tokenize(part, None)]


@given(st.from_regex(r"[a-zé1'. ]{1,8}[.,!?:;]?", fullmatch=True) | st.text(max_size=8))
@example("mr.")
@example("i.")
@example("x" * 600 + ",")
def test_short_cuts_agree_with_the_regular_expression(text: str) -> None:
    for piece in text.lower().split():
        assert tokens.tokenize_piece(piece) == tokens._scan(piece)


@pytest.mark.parametrize("part", ["a.a.", "a@", "www.", "n't", "a-", "1,", ":-", "!?", "a'", "_", "😀\u200d", "a"])
def test_time_is_linear_in_hostile_text(part: str) -> None:
    text = part * (200_000 // len(part))
    start = time.process_time()
    tokenize(text, None)
    assert time.process_time() - start < 3
