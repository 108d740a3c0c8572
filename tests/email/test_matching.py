"""Choosing patterns by a line's beginning never loses a match, nor the order of preference."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.email.lines import KINDS
from mailmill.email.matching import Fragment, Index, heads, needed
from mailmill.email.patterns import PATTERNS

FRAGMENTS = [fragment for matcher in PATTERNS.matchers.values() for fragment in matcher.fragments]
INDEX = Index({kind: PATTERNS.matchers[kind].fragments for kind in KINDS})


def test_heads() -> None:
    assert heads("(?:ab|cd)?efgh") == {"abef", "cdef", "efgh"}
    assert heads("s[ao]lve") == {"salv", "solv"}
    assert heads("b\\. ?r") == {"b. r", "b.r"}
    assert heads("ab+c") == {"ab"}
    assert heads("abc*") == {"abc"} or heads("abc*") == {"ab"}
    assert heads("hi") == {"hi"}
    assert heads("(?:a|b){1,2}c") == {"a", "b"}
    assert "" in heads("(?:a|b){0,2}c")
    for anything in (r"\w+", "a*b", ".x", "(?:ab)?.{2,3}", "[^a]", "[a-z]b", r"(?=a)b", "a?.b"):
        assert "" in heads(anything) or heads(anything) == {"a", ""}, anything


def plain(fragments: tuple[Fragment, ...], line: str) -> str:
    """The name of the first fragment that matches, each tried for itself."""
    return next((f.name for f in fragments if re.match(f.closed, line)), "")


def texts() -> st.SearchStrategy[str]:
    """Texts near the tables: what matches a fragment, its own source, cut, lengthened or joined to another."""
    near = st.sampled_from(FRAGMENTS).flatmap(lambda f: st.just(f.text) | st.from_regex(f.text, fullmatch=True))
    return st.builds(
        lambda a, b, n: (a + b)[:n].lower(), near, st.just("") | st.text(max_size=8) | near, st.integers(1, 90)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_finds_what_trying_every_fragment_finds(kind: str) -> None:
    fragments = PATTERNS.matchers[kind].fragments

    @given(texts())
    def check(line: str) -> None:
        way = INDEX.ways(line).get(kind)
        found = way.rule(line) if way is not None else ""
        assert found == plain(fragments, line)
        assert found == PATTERNS.matchers[kind].rule(line)

    check()


#: Compiled, because Python's own store of patterns holds fewer than there are.
COMPILED = [(re.compile(f.text), needed(f.text), tuple(heads(f.text))) for f in FRAGMENTS]


@given(texts())
def test_needed_text_is_in_every_match(line: str) -> None:
    for pattern, some, beginnings in COMPILED:
        found = pattern.match(line)
        if found:
            assert any(text in found[0] for text in some)
            assert found[0].startswith(beginnings)


@pytest.mark.parametrize(
    ("fragment", "texts"),
    [
        (r"[\w.\-+]{2,40}@[\w.\-]{4,60}\s+(?:mailing )?list", {"list"}),
        (".{2,120} a [eé]crit(?: le .{4,60})? ?:", {"crit"}),
        (r"[\w\[\], ]{2,60} wrote", {" wrote"}),  # a class ends where its bracket is not escaped
        (r"(?:a|b) c[.]? de+f", {" de"}),
        ("one|two", {"one", "two"}),
        (r"\w+(?:one|fifteen|two)(?:four)? x", {"one", "fifteen", "two"}),
        (r"\w+(?:one|two)? x", {" x"}),
        (r"(?!no|never)\w+ (?:says|(?:has|had) told) ?:", {"says", " told"}),
        (r"[(?:x]y\(?:(?:ab|cd)", {"ab", "cd"}),
        (r"\w+", {""}),
        (r"\w+(?:a|\w)", {""}),
    ],
)
def test_what_a_fragment_needs(fragment: str, texts: set[str]) -> None:
    assert needed(fragment) == texts


@pytest.mark.parametrize("kind", PATTERNS.matchers)
def test_few_lines_are_asked_for_what_may_begin_with_anything(kind: str) -> None:
    """Where such a fragment needs no text that is plain, each line of each mail pays for all of them."""
    for fragment in PATTERNS.matchers[kind].fragments:
        assert "" not in heads(fragment.text) or "" not in needed(fragment.text), fragment.name
