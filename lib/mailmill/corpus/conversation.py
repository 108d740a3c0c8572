"""Who talks to whom about what: the points that the mails of one thread share.

Without texts, the mails of 16 neighbouring ordinals fall into hashed slots; a slot is a thread of
one customer. With texts, a thread is a group of rows (or a single row), and each row has an author
of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mailmill.corpus import envelope, grammar, people
from mailmill.corpus.clients import Client, clients, fill_ids, weights
from mailmill.corpus.draw import Draw
from mailmill.corpus.people import Person

_SPAN = 16
_EPOCH = 1_262_304_000  # 2010-01-01
_YEARS = 15 * 365 * 86_400


@dataclass(frozen=True)
class Conversation:
    """What a mail inherits from its thread. `starts`: this mail is the thread's first, its root."""

    thread: str
    starts: bool
    customer: Person
    agent: Person
    client: Client
    language: str
    facts: dict[str, str]
    subject: str
    seconds: int


def of_grammar(seed: int, ordinal: int, languages: tuple[str, ...]) -> Conversation:
    """The conversation of grammar mail `ordinal`."""
    block, position = divmod(ordinal, _SPAN)
    slots = _slots(seed, block)
    draw = Draw(seed, "conversation", block * _SPAN + slots[position])
    # In half of the threads the first mail lies outside the corpus.
    starts = slots.index(slots[position]) == position and draw.chance(0.5)
    return _make(
        draw, draw, starts, languages, position * 86_400 + Draw(seed, "time", ordinal).below(80_000), "customer"
    )


def of_text(seed: int, ordinal: int, group: str | None, languages: tuple[str, ...]) -> Conversation:
    """The conversation of text row `ordinal`: its group's thread, or one of its own."""
    own = Draw(seed, "author", ordinal)
    shared = Draw(seed, "conversation", ordinal) if group is None else Draw(seed, "group", group)
    starts = group is None and own.chance(0.5)
    return _make(shared, own, starts, languages, ordinal % 100_000 * 977, "neutral")


def of_malformed(seed: int, index: int, languages: tuple[str, ...]) -> Conversation:
    """The conversation of malformed mail `index`, always one of its own."""
    draw = Draw(seed, "malformed conversation", index)
    return _make(draw, draw, True, languages, 0, "customer")


def _make(shared: Draw, own: Draw, starts: bool, languages: tuple[str, ...], offset: int, subject: str) -> Conversation:
    facts = grammar.facts(shared)
    title = grammar.subject(shared, facts, subject)
    seconds = _EPOCH + shared.below(_YEARS) + offset
    root = f"{shared.hex(24)}@{shared.pick(('mail.example', 'post.example', 'example.net'))}"
    language = languages[own.below(len(languages))]
    client = clients()[own.weighted(weights())]
    customer = people.person(own, language)
    agent = people.agent(own, language)
    if starts:
        root = fill_ids(client.message_id, own, customer.domain)
    return Conversation(root, starts, customer, agent, client, language, facts, title, seconds)


@lru_cache(maxsize=64)
def _slots(seed: int, block: int) -> tuple[int, ...]:
    draw = Draw(seed, "slots", block)
    return tuple(draw.below(_SPAN) for _ in range(_SPAN))


def references(conversation: Conversation, draw: Draw) -> list[str]:
    """Message-IDs that a reply refers to: the thread's root, now and then more, last the desk's mail it answers."""
    known = [conversation.thread]
    if not conversation.starts:
        while len(known) < 4 and draw.chance(0.55):
            known.append(f"{draw.hex(20)}.ticket@{conversation.agent.domain}")
    return known


def reply_subject(conversation: Conversation) -> str:
    """The thread's subject with the language's reply mark."""
    return f"{envelope.words(conversation.language)['reply']}{conversation.subject}"
