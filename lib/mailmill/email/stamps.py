"""When and who: how programs that write no usual verb introduce a quote ("04.03.2025, 16:32, "Bob" <bob@…>:").

Yandex, Mail.ru and old Gmail do. A plan, a log and a chat have such lines, too, without marks below them.
"""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.lines import Lines
from mailmill.email.names import PARTICLES
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import announces

ADDRESS: Final = r"[\w.+-]{1,64}@[\w.-]{2,80}"
#: A date or a time of day: "Solr 6.6" and "Order 637" are none.
CLOCK: Final = re.compile(r"\d[:h]\d\d")
# From its first digit or capital on: what a pattern begins with, it is looked for by.
_DAY: Final = (
    r"[\dA-Z](?<!\w.)(?:(?<=[A-Z])\w{2,8} \d{1,2},|(?<=\d)(?:(?:(?<=1)9|(?<=2)0)\d\d\b|\d{0,3}[/.-]\d{1,2}[/.-]\d|"
    r"\d?\.? [^\W\d_]{3,9},"
)
DAY: Final = re.compile(rf"{_DAY}))")
#: A day, or a time.
DATED: Final = re.compile(rf"{_DAY}|\d?[:h]\d\d))")
#: What begins with a day, perhaps that of a week, or a time; and when and who, and nothing else.
_STAMPED: Final = re.compile(
    r"(?:[^\W\d_]{2,12}\.?,? )?(?=\d{1,4}[-./:]\d\d?\b|\d\d?\.? (?:de )?[^\W\d_]{3}|[^\W\d_]{3,12}\.? \d)"
    rf"([^<>]{{0,80}}\d)(?: ?[APap]\.?[Mm]\b\.?)?([^<>\d]{{0,80}})[<(]{ADDRESS} ?[>)] ?:[*_]?$"
)
#: What programs begin with, a day of the week in short, or a time, and a comma or a clock above a name and a verb.
_SPOKEN: Final = {"On": "en", "Am": "de", "Le": "fr", "El": "es", "Em": "pt", "Il": "it", "Op": "nl"}
_SAID: Final = re.compile(
    rf"(?:{'|'.join(_SPOKEN)}) (?=[^\W\d_]{{2,3}}[.,]|[^:]{{0,40}}\d[:h]\d\d)[^<>@]{{0,60}}"
    r"(?:\d,|\d[:h]\d\d(?: ?[AP]M)?(?: [+-]\d{4})?(?: \([A-Z]{1,5}\))?,?) "
    r"(?:[A-ZÀ-Þ][\w.'’-]{0,20} ){0,3}[A-ZÀ-Þ][\w.'’-]{1,20}[\"')]{0,2} [^\W\d_]{2,14} ?:$"
)
#: "Ada Byron <ada@…>:".
_ADDRESSED: Final = re.compile(rf"[\"'A-ZÀ-Þ][^<>@:]{{1,60}}<{ADDRESS}> ?:$")
_ZONE: Final = re.compile(r"(?<!\d)[+-]\d\d?:?\d\d$")
_WORD: Final = re.compile(r"[^\W\d_]+")
#: So many lines around an entry of a list hold another.
_NEAR: Final = 4


def is_stamped(text: str) -> bool:
    """Does a line say when, by day and time, behind a comma or a zone who, by name and address, and no word more?"""
    found = _STAMPED.match(text)
    if found is None or not (CLOCK.search(found[1]) and DAY.search(found[1])):
        return False
    if found[2][:1] != "," and not _ZONE.search(found[1]):
        return False
    words = _WORD.findall(found[2])
    if words and (PATTERNS.fields.get(words[0]) or ("",))[0] == "from":  # Mail.ru: "3:32 PM +0300 from Ada Byron"
        del words[0]
    return not any([word[0].islower() and word not in PARTICLES for word in words])


def introduces(text: str) -> bool:
    """Does a line above marks say who, by name and address alone, or behind a day by a verb that no table has?

    "On Fri, 13 Sep 2002, Ada Byron mused:", and nothing that its author tells of himself.
    """
    if len(text) > 160 or text[-1] != ":":
        return False
    if "@" in text:
        words = _WORD.findall(text.partition("<")[0])
        return _ADDRESSED.match(text) is not None and all([word[0].isupper() or word in PARTICLES for word in words])
    if _SAID.match(text) is None or DAY.search(text) is None or text.rstrip(": ").rpartition(" ")[2][0].isupper():
        return False
    language, said = _SPOKEN[text[:2]], text.lower()
    return not (PATTERNS.first_person[language].search(said) or PATTERNS.possessives[language].search(said))


def is_listed(lines: Lines, start: int, end: int) -> bool:
    """Are the lines `start` to `end` (exclusive), which are stamped, announced ("Bookings:"), or one of several?"""
    above = [bare for bare in lines.bares[max(0, start - _NEAR) : start] if bare]
    if above and announces(above[-1]):
        return True
    below = [lines.bares[i] for i in range(end, min(len(lines), end + _NEAR)) if i not in lines.depths]
    return any([bare[-1:] == ":" and is_stamped(bare) for bare in (*above, *below)])
