"""Text from outside as a line may show it: names of classes, like mail, can hold anything."""

from __future__ import annotations


def visible(text: str) -> str:
    """Control characters made visible: a terminal must not obey what mail or a label says, nor a table break at it."""
    return "".join(
        c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" if ord(c) < 256 else "\ufffd" for c in text
    )
