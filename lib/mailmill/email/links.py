"""Links in plain text: broken where some program wrapped a line, or written as Markdown writes them."""

from __future__ import annotations

import re
from typing import Final

_OPEN: Final = re.compile(r"[<(](?:https?://|www\.|mailto:)[^\s<>()]+$")
#: The rest of one, with the sign that closes it: "?b=c).", not "Yes:)".
_STOPS: Final = ".,;:"
_REST: Final = re.compile(r"[^\s<>()]*[\w/=&%#~+-][>)][.,;:]*")
_CLOSING: Final = {"<": ">", "(": ")"}
# "[Proton Mail](https://proton.me/mail/home)".
_MARKED: Final = re.compile(r"\[([^\[\]]{1,100})\]\((?:https?|mailto):[^\s()]{1,500}\)")


def unlinked(bare: str) -> str:
    """The line with the words of its Markdown links alone: "Sent from [Proton Mail](https://…) for Android."."""
    return _MARKED.sub(r"\1", bare)


def closes_link(above: str, text: str, below: str) -> bool:
    """Is the mark before `text`, not `below`, no quote's but the end of a link in the line `above`
    ("<https://example.com/a")?"""
    return text[0] == ">" and below[:1] != ">" and _closing(above) == ">"


def ends_link(above: str, text: str) -> bool:
    """Is the line `text` no word but the rest of a link that the line `above` opens ("(http://example.com/a?b")?"""
    return " " not in text and _REST.fullmatch(text) is not None and _closing(above) == text.rstrip(_STOPS)[-1]


def _closing(above: str) -> str:
    """The sign that closes a link which the line leaves open; '' for none."""
    found = _OPEN.search(above) if "<" in above or "(" in above else None
    return _CLOSING[found[0][0]] if found else ""
