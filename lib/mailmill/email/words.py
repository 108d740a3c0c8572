"""How many words a text has, and in which language they are: asked of every mail, so without a list of all of them."""

from __future__ import annotations

from typing import Final

from mailmill.email.patterns import LANGUAGES, PATTERNS

# A language shows in the first words, which stand in the first characters.
_MOST_WORDS: Final = 100
_OPENING: Final = 800

# A stop word's votes as one machine word with a byte a language, so that counting the votes is one sum.
_BALLOTS: Final = {
    word: sum(1 << 8 * LANGUAGES.index(code) for code in codes) for word, codes in PATTERNS.stop_words.items()
}
# White space becomes a space, everything else an x: words are counted where one follows the other.
_OUTLINE: Final = bytes(32 if chr(code).isspace() else 120 for code in range(256))
_WIDE_SPACES: Final = [chr(code) for code in range(256, 0x3001) if chr(code).isspace()]  # beyond Latin-1


def guess_language(text: str) -> str:
    """The language whose stop words are most frequent at the beginning of `text`, or ''.

    Looked at are the first 100 words in the first 800 characters. A stop word of several languages is a vote for
    each of them. Unsure, and so '', under three hits, under 4 % of the words, or when the second best language has
    more than four fifths of the best one's hits.
    """
    words = text[:_OPENING].lower().split(None, _MOST_WORDS)[:_MOST_WORDS]
    votes = sum([_BALLOTS[word] for word in words if word in _BALLOTS]).to_bytes(len(LANGUAGES), "little")
    second, first = sorted(votes)[-2:]
    if first < 3 or first * 25 < len(words) or second * 5 > first * 4:
        return ""
    return LANGUAGES[votes.index(first)]


def count_words(text: str) -> int:
    """How many words `text` has: its pieces between white space, `len(text.split())`."""
    if not text.isascii() and any([space in text for space in _WIDE_SPACES]):
        return len(text.split())
    outline = text.encode("latin-1", "replace").translate(_OUTLINE)
    return outline.count(b" x") + outline.startswith(b"x")
