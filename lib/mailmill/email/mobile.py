"""The tags of mobile programs ("Sent from my iPhone"): sentences about parcels and repairs begin as they do."""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.names import PARTICLES
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import TELLING

_WORD: Final = re.compile(r"[^\W\d_]+")
_SPELT: Final = re.compile(r"[A-ZÀ-Þ\d]")  # as names of makes are
_BREAK: Final = re.compile(r"[,;:!?]|\.(?:\s|$)|\s[-–—]\s")


def names_device(bare: str, rule: str, *, prose: bool) -> bool:
    """Does the stripped line, a tag by `rule`, name a device or a program, or whose it is, before its first sign?

    A verb or a negation there, or `prose` without a device, is of a sentence: "Sent from Apple was a broken phone.".
    So is one behind the sign, but in an excuse for typing, or about print: "Sent from my iPhone, which is broken.".
    """
    head, *rest = _BREAK.split(bare, maxsplit=1)
    if rest and not (TELLING.isdisjoint(_WORD.findall(rest[0])) or _excuses(rest[0])):
        return False
    language = rule.split(".")[1]
    own, owned = PATTERNS.first_person[language], PATTERNS.possessives[language]
    words = PATTERNS.sentence_words.intersection(_WORD.findall(head)) - PARTICLES
    if any([not (own.search(word) or owned.search(word)) for word in words]):
        return False
    if PATTERNS.devices.search(head):
        return True
    mine = None if prose else own.search(head.lower())
    thing = head[mine.end() :].split() if mine else []
    return bool(thing) and all(map(_SPELT.search, thing))  # "my Redmi 9", not "my HSBC account"


def _excuses(rest: str) -> bool:
    """Does what a tag goes on with excuse typing, or speak of print?"""
    return PATTERNS.devices.search(rest) is not None or PATTERNS.excuses.search(rest) is not None
