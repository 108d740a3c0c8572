"""What a mail says, before any markup: the writer's own parts and the earlier letters they quote."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mailmill.corpus import envelope, grammar, people
from mailmill.corpus.draw import Draw
from mailmill.corpus.people import Person

POSTING = ("top", "bottom", "interleaved")


@dataclass(frozen=True)
class Letter:
    """One person's words with their frame; every list may be empty but `paragraphs` of a whole mail."""

    who: Person
    to: Person
    date: datetime
    subject: str
    greeting: str
    paragraphs: list[str]
    signoff: list[str]
    signature: list[str]
    disclaimer: str = ""
    mobile: str = ""


@dataclass(frozen=True)
class Body:
    """A mail's whole body: the newest letter, those it quotes (newest first), how, and a gateway's last line."""

    letter: Letter
    quoted: list[Letter] = field(default_factory=list)
    posting: str = "top"
    last_line: str = ""
    last_zone: str = ""


def frame(
    who: Person, to: Person, date: datetime, subject: str, text: list[str], draw: Draw, language: str, mobile: str
) -> Letter:
    """Put greeting, closing, signature, mobile line and disclaimer around `text`, each with its usual frequency."""
    signed = not mobile and draw.chance(0.4)
    return Letter(
        who,
        to,
        date,
        subject,
        envelope.greeting(draw, language, to) if draw.chance(0.78) else "",
        text,
        envelope.closing(draw, language, who, signed) if draw.chance(0.78) else [],
        people.signature(who, draw, language) if signed else [],
        draw.pick(envelope.words(language)["disclaimers"]) if draw.chance(0.16 if signed else 0.03) else "",
        mobile,
    )


def history(
    newest: Letter, tone: str, depth: int, draw: Draw, language: str, facts: dict[str, str], seconds: int
) -> list[Letter]:
    """`depth` earlier letters, newest first: agent, customer, agent ... The customer's have the outcome `tone`."""
    letters, who, to = [], newest.to, newest.who
    for level in range(depth):
        seconds -= draw.between(1800, 400_000)
        by_agent = level % 2 == 0
        text = (
            grammar.agent_paragraphs(tone == "pos", draw, facts)
            if by_agent
            else grammar.customer_paragraphs(tone, draw, facts, longest=6)
        )
        letters.append(frame(who, to, envelope.when(seconds, draw), newest.subject, text, draw, language, ""))
        who, to = to, who
    return letters


def compose(newest: Letter, quoted: list[Letter], posting: str, draw: Draw, language: str) -> Body:
    """Join the newest letter with what it quotes; some mail passes a gateway that adds a last line."""
    last_line = last_zone = ""
    if not newest.disclaimer and draw.chance(0.05):
        last_zone = draw.pick(("disclaimer", "footer"))
        last_line = draw.pick(envelope.words(language)[f"{last_zone}s"])
    if not quoted:
        posting = "top"
    elif posting == "interleaved" and (len(newest.paragraphs) < 2 or len(quoted[0].paragraphs) < 2):
        posting = "bottom"
    return Body(newest, quoted, posting, last_line, last_zone)


def own_parts(letter: Letter, paragraphs: list[str], opening: bool, ending: bool) -> list[tuple[str, list[str]]]:
    """(zone, lines) of a letter's parts in order; `signature` and `mobile` come as parts of their own."""
    parts: list[tuple[str, list[str]]] = []
    if opening and letter.greeting:
        parts.append(("greeting", [letter.greeting]))
    parts += [("body", [paragraph]) for paragraph in paragraphs]
    if ending:
        parts += [("signoff", letter.signoff)] if letter.signoff else []
        parts += [("signature", letter.signature)] if letter.signature else []
        parts += [("mobile", [letter.mobile])] if letter.mobile else []
        parts += [("disclaimer", [letter.disclaimer])] if letter.disclaimer else []
    return parts
