"""Links in plain text: broken where some program wrapped a line."""

from __future__ import annotations

import re
from typing import Final

_OPEN: Final = re.compile(r"<(?:https?://|www\.|mailto:)[^\s<>]+$")


def closes_link(above: str, text: str) -> bool:
    """Is the mark before `text` no quote's but the end of a link in the line `above` ("<https://example.com/a")?"""
    return text[0] == ">" and "<" in above and _OPEN.search(above) is not None
