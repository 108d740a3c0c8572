"""Whether a line that begins as a greeting or a sign-off does goes on to say something: "Hi, it is still broken!"."""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.names import GIVEN, PARTICLES
from mailmill.email.patterns import MAX_LINE, PATTERNS

_KINDS: Final = frozenset({"greeting", "thanks", "signoff"})
#: So many words that are no names say something.
_SAYING: Final = 3
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_USER: Final = re.compile(r"[@_.\d](?:(?<=\w[@_])|(?<=[^\W\d_]\.)(?=[^\W\d_])|(?<=[^\W\d_]\d))").search
_NUMBER: Final = re.compile(r"\d{3}")
_SIGNS: Final = " \t,;:.!?*_~>–—-"
_BREAK: Final = re.compile(r"[,;:.!?]+|[–—]|\s-{1,2}\s?")
#: What parts the languages of a sign-off, and how long it is.
_PARTED: Final = re.compile(r"\s?[/|]{1,3}\s?|\s[-–—·•]\s")
_PARTING: Final = ("/", "|", " - ", " – ", " — ", " · ", " • ")
_LONGEST: Final = 110
_ANNOUNCES: Final = re.compile(r"[\w)\"”»’' ]:$")
#: Words that stand in greetings themselves, or name whom they greet: "to whom it may concern", "dear all".
_GREETED: Final = PARTICLES | frozenset(
    _WORD.findall(" ".join([*PATTERNS.groups, *(entry.text for entry in PATTERNS.matchers["greeting"].fragments)]))
).difference(PATTERNS.sentence_words)
#: Words of sentences, none of them a first name. With one of these, two words say something: "Hi not happy".
TELLING: Final = PATTERNS.sentence_words - GIVEN
#: What opens the words behind a sign-off that say for whom it is, or whose: "to you all", "from London".
_SIGNING: Final = PARTICLES | PATTERNS.groups | PATTERNS.places


def strangers(text: str) -> list[str]:
    """The words in small letters that do not stand in greetings, nor in an address or a user's name ("jane_doe.7")."""
    if _USER(text):
        text = " ".join([piece for piece in text.split() if not _USER(piece)])
    return [word for word in _WORD.findall(text) if word[0].islower() and word not in _GREETED]


def goes_on(bare: str, kind: str) -> bool:
    """Does the stripped line, if it is of the kind "greeting", "thanks" or "signoff", say more than its kind?

    What counts stands behind the first sign ("Thanks, still not working!"), and in greetings before it, too. Whoever
    begins the line with a capital would give names one; elsewhere one of the words must be of the language.
    """
    if kind not in _KINDS:
        return False
    bare = bare.lstrip("¡¿")
    if kind == "greeting":
        return _says_more(bare[:MAX_LINE])
    if kind == "signoff" and "," not in bare.rstrip(_SIGNS):
        return _adds(bare)
    tail = _tail(bare[:MAX_LINE])
    words = strangers(tail)
    if not (_retorts(tail) or (len(words) >= _SAYING and _spoken(bare, words))):
        return False
    if kind == "signoff" and PATTERNS.matchers["signoff_alone"].rule(bare[:MAX_LINE].lower()):
        return False  # formal letters end with a sentence: "Je vous prie d'agréer, Madame, …"
    return not _is_one_of(tail, ("signoff", "thanks", "closing"))


def of_oneself(text: str) -> bool:
    """Does a text speak of its author, in any language?"""
    said = text.lower()
    return any([own.search(said) is not None for own in PATTERNS.first_person.values()])


def _is_one_of(tail: str, kinds: tuple[str, ...]) -> bool:
    """Is what stands behind the first sign of one of the `kinds` by itself, or with a comma ("Thanks, as always")?"""
    rest = tail.strip(" ,;:.!?-–—").lower()
    first, _, more = rest.partition(" ")
    texts = (rest, f"{rest},", more) if first in PARTICLES else (rest, f"{rest},")  # "and have a nice day"
    return any(PATTERNS.matchers[kind].rule(text) for kind in kinds for text in texts)


def _retorts(tail: str) -> bool:
    """Does one of two words or more behind the first sign say something: "but no", "wrong colour", "I am furious"?

    In small letters, that is: capitals are names'. Whoever signs for a team names it last.
    """
    words = _WORD.findall(tail)
    if len(words) < 2 or words[-1] in PATTERNS.groups:
        return False
    said = [word for word in words if word[0].islower()]
    return " I " in tail or not (TELLING.isdisjoint(said) and PATTERNS.interjections.isdisjoint(said))


def _tail(text: str) -> str:
    """What stands behind the first sign."""
    found = _BREAK.search(text)
    return text[found.end() :] if found else ""


def _spoken(bare: str, words: list[str]) -> bool:
    """Are these words in small letters no names?"""
    return bare[0].isupper() or any(word in PATTERNS.stop_words or word in PATTERNS.sentence_words for word in words)


def _says_more(bare: str) -> bool:
    """Does a greeting say something, behind its sign ("Hi, call me!") or without one ("Hi the printer is broken,")?

    Where a comma or colon ends it, the words may all name whom it greets: "Dear customer service team at the shop,".
    """
    tail = _tail(bare)
    if _NUMBER.search(tail) and not _USER(bare):
        return True  # "Hello, order 4711:"
    words = strangers(tail)
    cries = _is_interjection(bare)
    told = cries or len(words) > 1 or any(map(str.isdigit, tail)) or not PATTERNS.sentence_words.isdisjoint(words)
    brief = bare[-1].isalnum() and PATTERNS.groups.isdisjoint(_WORD.findall(bare.lower())[-1:])  # no "Hi, my friend"
    if told and (brief or bare[-1] in ".!?") and (cries or _spoken(bare, words)):
        return not _is_one_of(tail, ("greeting", "thanks"))  # "Hi Bob, thank you!"
    words = strangers(bare)
    least = _SAYING - 1 if brief and not TELLING.isdisjoint(words) else _SAYING
    if len(words) < least or not _spoken(bare, words):
        return False
    return bare[-1] not in ",:" or not PATTERNS.sentence_words.isdisjoint(_WORD.findall(bare.lower()))


def _is_interjection(bare: str) -> bool:
    """Is what stands behind the comma of a greeting one word that names nobody ("Hello, refund!", "Hi Bob, OK.")?"""
    words = _WORD.findall(bare.partition(",")[2].lower())
    return len(words) == 1 and words[0] in PATTERNS.interjections


def _adds(bare: str) -> bool:
    """Does a sentence go on behind a sign-off ("Enjoy my money!"), and not whose it is ("Greetings from my family")?"""
    words = bare[:MAX_LINE].replace("’", "'").strip(_SIGNS).split()
    last = ""  # word of the sign-off
    while words and (known := _closing_words(words)):
        last = words[known - 1]
        words = words[known:]
    if not (last and words):
        return False
    if bare[-1] == "?" or ": " in " ".join(words):
        return True
    if words[0] in _SIGNING or words[-1] in PATTERNS.groups:
        return False
    said = _WORD.findall(" ".join(words))
    opens = last[-1] in _SIGNS and words[1:] and words[1][0].islower() and words[1] not in _SIGNING  # "Best. It broke."
    if not (opens or bare.isupper()):  # else a capital is a name's: "Kind regards Ben" ("ik ben"), "Cheers Will!"
        said = [word for word in said if word[0].islower() or "'" in word]
    return any(len(word) > 1 and word.lower() in PATTERNS.sentence_words for word in said)


def _closing_words(words: list[str]) -> int:
    """How many words, from the first on, sign off, or part what does ("/")."""
    if not any(map(str.isalnum, words[0])):
        return 1
    for known in range(len(words), 0, -1):
        if PATTERNS.matchers["signoff_alone"].rule(" ".join(words[:known]).lower().replace("’", "'")):
            return known
    return 0


def bilingual(bare: str) -> str:
    """The rule by which a line signs off in more than one language ("Mit freundlichen Grüßen / Kind regards"), or ''.

    Each of its parts signs off by itself: "Good luck - worst shop ever" says something.
    """
    if len(bare) > _LONGEST or "://" in bare or not any([sign in bare for sign in _PARTING]):
        return ""
    parts = [part.strip(_SIGNS) for part in _PARTED.split(bare)]
    rules = [PATTERNS.matchers["signoff_alone"].rule(part.lower()) for part in parts]
    return rules[0] if all(rules) else ""


def announces(bare: str) -> bool:
    """Does a line end with a colon that is no smiley's?"""
    return bare.endswith(":") and _ANNOUNCES.search(bare) is not None


def is_sentence(text: str) -> bool:
    """Is a dated line a sentence, or a part of one: "Can you come on 03/05/2025 at 10:00?"."""
    return text.endswith((".", "?", "!")) or sum([word[0].islower() for word in text.split()]) > 2
