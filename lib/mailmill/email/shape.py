"""What a line looks like, without any table of patterns but titles: words, capitals, numbers, addresses, prose."""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.names import PARTICLES
from mailmill.email.patterns import PATTERNS

_PHONE: Final = re.compile(
    r"(?:^|[^\w.])((?:\+\d|\(\d{2,5}\)|\d{2,5}[-./ ])[\d\s()./-]{5,20})(?!\w)|\b[xX][ -]?\d{4,5}\b|^\d-\d{4}$"
)
_DAY: Final = re.compile(
    r"\b\d\d?([/.-])\d\d?\1(?:19|20)\d\d(?![/.-]?\d)|\b(?:19|20)\d\d([/.-])\d\d?\2\d\d?(?![/.-]?\d)"
)
_EMAIL: Final = re.compile(r"@(?<=[\w.+-]@)[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")  # from its "@" on
_DIGIT: Final = re.compile(r"\d")
_NUMBERS: Final = re.compile(r"\d\D?\d\D?\d\D?\d\D?\d\D?\d")
_URL: Final = re.compile(r"(?:https?://|www\.|ftp://)\S{3}", re.IGNORECASE)
_POSTCODE: Final = re.compile(
    r"[A-Z\d](?<!\w.)(?:(?<=[A-Z])(?:[A-Z]\.?,? {1,3}\d{5}(?:-\d{4})?\b|[A-Z]?\d{1,2}[A-Z]? \d[A-Z]{2}\b)|"
    r"(?<=^.)(?:(?<=[A-Z])[A-Z]?-\d{4,5}|(?<=\d)\d{3,4}) [A-ZÄÖÜ]\w+$)"
)
_DATE: Final = re.compile(
    r"\b\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}\b.{0,12}?\d{1,2}[:.]\d{2}|\b\d{1,2}[:.]\d{2}(?::\d{2})?\s?(?:[ap]m)?\b",
    re.IGNORECASE,
)
_TITLES: Final = PATTERNS.titles


class Shape:
    """What a stripped line looks like: words, capitals, telephone numbers, addresses, dates."""

    __slots__ = ("_address", "_bare", "_lower", "_name", "_phone", "_prose", "_split", "chars", "ends", "words")

    def __init__(self, bare: str) -> None:
        self._bare = bare
        self._split = bare.split(None, 60)
        self.words = len(self._split)
        self.chars = len(bare)
        self.ends = bare[-1:]
        self._lower = -1
        # What several rules ask of a line is found once.
        self._phone: bool | None = None
        self._address: bool | None = None
        self._prose: bool | None = None
        self._name: bool | None = None

    @property
    def lettered(self) -> int:
        """Words, without numbers where there are many digits: "Tel. 03 20 55 50 00" has one."""
        if _NUMBERS.search(self._bare) is None:
            return self.words
        return sum([w[0].isalpha() or any(map(str.isalpha, w)) for w in self._split])

    @property
    def capitals(self) -> int:
        """Words with a capital as their first or second character."""
        return sum([w[0].isupper() or w[1:2].isupper() for w in self._split])

    @property
    def lower(self) -> int:
        """Words that begin with a small letter."""
        if self._lower < 0:
            self._lower = sum([w[0].islower() for w in self._split])
        return self._lower

    @property
    def mixed(self) -> bool:
        """Not in capitals throughout."""
        return not self._bare.isupper()

    @property
    def phone(self) -> bool:
        """Carries a telephone number: an extension, or seven digits ("120 / 125" are prices) that are no day."""
        if self._phone is None:
            self._phone = self._has_phone()
        return self._phone

    def _has_phone(self) -> bool:
        if _DIGIT.search(self._bare) is None:
            return False
        found = _PHONE.findall(self._bare)
        return any([not n or (sum(map(str.isdigit, n)) >= 7 and not _DAY.search(n)) for n in found])

    @property
    def address(self) -> bool:
        """Carries an address of e-mail, web or post."""
        if self._address is None:
            self._address = self._has_address()
        return self._address

    def _has_address(self) -> bool:
        bare = self._bare
        if "@" in bare:
            return _EMAIL.search(bare) is not None
        if ("://" in bare or ("." in bare and "www." in bare.lower())) and _URL.search(bare):
            return True
        return _DIGIT.search(bare) is not None and _POSTCODE.search(bare) is not None

    @property
    def title(self) -> bool:
        """One of few words is a title or the like ("Manager", "Inc.")."""
        return self.words <= 9 and any(w.strip(".,;:()|&-").lower() in _TITLES for w in self._split)

    @property
    def date(self) -> bool:
        """Carries a date with a time, or a time."""
        return self.chars < 120 and _DATE.search(self._bare) is not None

    @property
    def prose(self) -> bool:
        """A sentence, or a full line of running text."""
        if self._prose is None:
            self._prose = self._is_prose()
        return self._prose

    def _is_prose(self) -> bool:
        stops = self.ends in ".?!…"
        if self.chars > 90:
            return self.words > 3  # an address of the web may be as long
        if self.words < 3 or (self.words < 6 and not stops):
            return False
        lower = self.lower
        if lower >= 6:
            return True
        words = self.lettered
        if words >= 12:
            return True
        if words < 3 or (words < 6 and not stops):
            return False
        if words >= 6 and lower * 2 >= words:
            return True
        return stops and ((words >= 5 and lower >= 2) or lower * 3 >= words * 2)

    @property
    def remark(self) -> bool:
        """A sentence of a few words ("We raised $500."), too short for `prose`; "Noll Haustechnik e.K." is none."""
        if self.words < 3 or self.ends not in ".?!":
            return False
        last = self._split[-1].rstrip(".").lower()
        if "." in last and last in _TITLES:
            return False
        return any(w[0].islower() and w not in PARTICLES for w in self._split)

    @property
    def contact(self) -> bool:
        """Carries a telephone number, an address, or a title, and is no sentence."""
        return (self.phone or self.address or self.title) and not self.prose

    @property
    def name(self) -> bool:
        """Up to four words, each with a capital (particles aside), no sentence."""
        if self._name is None:
            self._name = self._is_name()
        return self._name

    def _is_name(self) -> bool:
        return (
            0 < self.words <= 4
            and self.chars <= 40
            and self.capitals >= 1
            and self.lower <= self.words // 3
            and self.mixed
            and all(not w[0].islower() or w in PARTICLES for w in self._split)
        )
