"""What stands around the words, by language: greeting, closing, reply headers, dates, disclaimers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from mailmill.corpus.data import table
from mailmill.corpus.draw import Draw
from mailmill.corpus.people import Person, desk_name

ZONES = tuple(timezone(timedelta(hours=hours)) for hours in (-8, -5, 0, 1, 1, 2, 5.5))


def words(language: str) -> dict[str, Any]:
    """The envelope table of a language."""
    found: dict[str, Any] = table("envelopes")[language]
    return found


def greeting(draw: Draw, language: str, to: Person) -> str:
    """A line that addresses `to`."""
    template: str = draw.pick(words(language)["greetings"])
    return template.format(first=to.first, last=to.last, formal=to.formal, desk=desk_name(to.address))


def closing(draw: Draw, language: str, who: Person, signed: bool) -> list[str]:
    """One or two lines: a closing, mostly with a name (less often where a signature follows)."""
    phrase = draw.pick(words(language)["signoffs"])
    name = draw.pick((who.first, who.first, who.name))
    if draw.chance(0.5 if signed else 0.12):
        return [phrase]
    if draw.chance(0.12):
        return [name]
    if phrase.endswith(",") and draw.chance(0.1):
        return [f"{phrase} {name}"]
    return [phrase, name]


def when(seconds: int, draw: Draw) -> datetime:
    """The time `seconds` after the epoch as a clock on some wall shows it."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(draw.pick(ZONES))


def date_parts(date: datetime, language: str) -> dict[str, str]:
    """Every spelling of a date's parts that a reply header may use, in `language`."""
    names = words(language)
    day, month, hour = date.day, date.month - 1, date.hour
    hour12 = hour % 12 or 12
    return {
        "d": str(day),
        "dd": f"{day:02d}",
        "m": str(month + 1),
        "mo": f"{month + 1:02d}",
        "month": names["months"][month],
        "mon": names["months_short"][month],
        "weekday": names["weekdays"][date.weekday()],
        "wd": names["weekdays_short"][date.weekday()],
        "year": str(date.year),
        "yy": f"{date.year % 100:02d}",
        "hh": f"{hour:02d}",
        "hour12": str(hour12),
        "hh12": f"{hour12:02d}",
        "mm": f"{date.minute:02d}",
        "ss": f"{date.second:02d}",
        "ampm": "AM" if hour < 12 else "PM",
    }


def wrote(style: str, language: str, who: Person, date: datetime) -> str:
    """The attribution line above a quote, "On ... wrote:", as the program `style` writes it."""
    template: str = words(language)["wrote"][style]
    return template.format(name=who.name, address=who.address, **date_parts(date, language))


def field_lines(language: str, who: Person, to: Person, date: datetime, subject: str) -> list[tuple[str, str]]:
    """(label, value) of the From/Sent/To/Subject block above a quote."""
    names = words(language)
    sent = names["sent"].format(**date_parts(date, language))
    values = (f"{who.name} <{who.address}>", sent, f"{to.name} <{to.address}>", subject)
    return list(zip(names["fields"], values, strict=True))
