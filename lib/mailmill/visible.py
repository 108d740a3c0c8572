"""Text from outside as a line may show it: names of files and of classes, like mail, can hold anything."""

from __future__ import annotations


def visible(text: str) -> str:
    """Control characters made visible: a terminal must not obey what a name or mail says, nor a line break at it."""
    return "".join(
        c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" if ord(c) < 256 else "\ufffd" for c in text
    )


def visible_lines(text: str) -> str:
    """`visible` of each line. Those after the first are indented: none is taken for a message of its own."""
    first, *others = map(visible, text.split("\n"))
    return "\n".join([first, *(line if line.startswith("  ") else f"  {line}" for line in others)])
