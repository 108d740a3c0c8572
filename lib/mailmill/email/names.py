"""Whose name it is: what the From field says of its sender, and which lines of a text say the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from unicodedata import combining, normalize

from mailmill.email.patterns import PATTERNS

#: A line that is a name behind dashes ("- Ada B."), or a nick behind them ("-ada").
DASHED_NICK: Final = re.compile(r"[-–—~]{1,2}\s?[a-z]{2,12}\.?$")
DASHED_NAME: Final = re.compile(r"[-–—~/]{1,3}>?\s{0,2}[A-ZÀ-Þ][a-zà-ÿ]{1,15}(?: [A-ZÀ-Þ][a-zà-ÿ]{0,15}\.?){0,2}\.?$")

#: A name behind dashes with what its owner works for, on the last line: "- Ada Byron, Royal Library".
DASHED_FIRM: Final = re.compile(
    r"[-–—~]{1,2}\s?[A-ZÀ-Þ][a-zà-ÿ]{1,15} [A-ZÀ-Þ][a-zà-ÿ]{1,15}, [A-ZÀ-Þ][\w&'’-]{1,20}(?:,? [\w&'’-]{1,20}){0,6}$"
)

#: Short words that stand in names, though they are words of a language.
PARTICLES: Final = frozenset({
    "van", "von", "der", "den", "de", "da", "di", "do", "du", "la", "le", "el", "al", "of", "y", "e", "et", "en", "und",
    "and",
})  # fmt: skip

#: Names that are words of sentences in some language.
GIVEN: Final = frozenset({
    "will", "wil", "can", "mia", "mai", "mi", "ai", "ha", "han", "he", "ho", "ma", "mon", "son", "yo", "bin", "mine",
    "nada", "mir", "are", "kan", "rien", "era",
})  # fmt: skip

_WORD: Final = re.compile(r"[^\W\d_]+")
_NICK: Final = re.compile(r"[\"“(][^\"”()]{1,20}[\"”)]")  # within a name: Adam "Duncan" Smith
_COMMENT: Final = re.compile(r"@[^\s()]{1,255}\s{0,3}\(([^()@]{1,120})\)")
_NAME_PART: Final = re.compile(r"[^\W\d_]{2,}")
#: Letters that Unicode does not take apart.
_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "ß": "ss"})


def plain(text: str) -> str:
    """`text` in small letters without diacritics, as addresses write names: "padraig" for "Pádraig"."""
    text = text.lower()
    if text.isascii():
        return text
    return "".join([char for char in normalize("NFD", text.translate(_LETTERS)) if not combining(char)])


@lru_cache(maxsize=4096)
def sender_names(sender: str) -> frozenset[str]:
    """Parts of the display name and of the local part of a From field, and the initials, as `plain` writes them."""
    display, _, rest = plain(sender[:400]).partition("<")
    local = (rest or display).partition("@")[0]
    if not rest and (comment := _COMMENT.search(display)):  # "ada@firm.example (Ada Byron)"
        display = comment[1]
    words = _NAME_PART.findall(display.partition("@")[0])
    names = {*words, *_NAME_PART.findall(local)}
    if len(words) > 1:
        names.add("".join(w[0] for w in words))
    return frozenset(names)


def are_names(words: Sequence[str], names: frozenset[str]) -> bool:
    """Are all the words, as `plain` writes them, parts of the sender's name, their beginnings ("ben"), or initials?"""
    if not names:
        return False
    known = [w for w in words if w in names or (len(w) > 2 and any([name.startswith(w) for name in names]))]
    return bool(known) and all(w in known or len(w) <= 2 for w in words)


def is_sender(bare: str, names: frozenset[str]) -> bool:
    """Does the stripped line hold only parts of the sender's name (or initials), at most four words behind a title?"""
    if not names or len(bare) > 40:
        return False
    if "(" in bare or '"' in bare or "“" in bare:
        bare = _NICK.sub(" ", bare)
    words = _WORD.findall(plain(bare))
    if len(words) > 1 and words[0] in PATTERNS.honorifics:
        words = words[1:]
    if len(words) > 1 and all(len(w) == 1 for w in words):
        return "".join(words) in names  # "J.H."
    return 0 < len(words) <= 4 and are_names(words, names)


def is_initial(bare: str, names: frozenset[str]) -> bool:
    """One letter with which a part of the sender's name begins, a capital ("- R.") or behind two dashes ("--j.")."""
    letter = bare.strip("-–—~. ")
    signed = len(letter) == 1 and len(bare) <= 5 and (letter.isupper() or bare.startswith("--"))
    return signed and any(name[0] == plain(letter) for name in names)


def is_like_sender(bare: str, names: frozenset[str]) -> bool:
    """May the line hold the sender's name in another form ("Mike" for Michael): is one of its words a part of it, or is
    it one word with two letters of a part at its beginning, or with the first where only an address is known?"""
    words = _WORD.findall(plain(bare))
    size = 1 if len(names) == 1 else 2
    alike = len(words) == 1 and any([name[:size] == words[0][:size] for name in names])
    return alike or not names.isdisjoint(words)
