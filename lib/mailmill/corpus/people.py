"""Who writes and who is written to: names with accents, addresses under reserved domains, signatures."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from mailmill.corpus.data import table
from mailmill.corpus.draw import Draw


@dataclass(frozen=True)
class Person:
    """A correspondent; `formal` is the form of address ("Ms"), "" for a desk."""

    first: str
    last: str
    address: str
    domain: str
    formal: str = ""

    @property
    def name(self) -> str:
        """The display name."""
        return f"{self.first} {self.last}" if self.last else self.first


def person(draw: Draw, language: str) -> Person:
    """A private or business correspondent of `language`."""
    people = table("people")
    names = people[language]
    first, last = draw.pick(names["first"]), draw.pick(names["last"])
    domain = draw.pick(people["domains"])
    user, family = _plain(first), _plain(last)
    local = draw.pick((f"{user}.{family}", f"{user[0]}{family}", f"{user}{draw.between(1, 99)}", f"{family}_{user}"))
    return Person(first, last, f"{local}@{domain}", domain, draw.pick(names["formal"]))


def agent(draw: Draw, language: str) -> Person:
    """A member of a support desk, who writes under the desk's address and own name."""
    people = table("people")
    desk = draw.pick(people["desks"])
    names = people[language]
    address = desk["address"]
    domain = address.partition("@")[2]
    return Person(draw.pick(names["first"]), draw.pick(names["last"]), address, domain, draw.pick(names["formal"]))


def desk_name(address: str) -> str:
    """The name of the desk that owns `address`."""
    return next((str(d["name"]) for d in table("people")["desks"] if d["address"] == address), "Customer Care")


def signature(who: Person, draw: Draw, language: str) -> list[str]:
    """Lines of a signature block: name, title, company, telephone, address, some left out."""
    people = table("people")
    names = people[language]
    phone = draw.pick(names["phone"])
    while "{" in phone:
        start = phone.index("{")
        digits = int(phone[start + 2])
        phone = f"{phone[:start]}{draw.below(10**digits):0{digits}d}{phone[start + 4 :]}"
    lines = [who.name]
    if draw.chance(0.75):
        lines.append(draw.pick(names["titles"]))
    if draw.chance(0.75):
        lines.append(draw.pick(people["companies"]))
    if draw.chance(0.4):
        lines.append(draw.pick(people["streets"]))
    if draw.chance(0.8) or len(lines) == 1:
        lines.append(phone)
    if draw.chance(0.4):
        lines.append(f"www.{who.domain}" if draw.chance(0.6) else who.address)
    return lines


def _plain(name: str) -> str:
    """ASCII letters of a name, for a mailbox."""
    flat = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return "".join(letter for letter in flat.lower() if letter.isalpha())
