"""Text from outside as a line may show it: names of files and of classes, like mail, can hold anything."""

from __future__ import annotations


def visible(text: str) -> str:
    """Control characters as their escapes: a terminal must not obey what a name says, nor a line break at it."""
    return "".join(c if c.isprintable() or c in "\t\u200c\u200d" else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def one_line(text: str) -> str:
    """`visible` as a page shows it: white space of every kind is a space."""
    return visible("".join(" " if c.isspace() else c for c in text))


def in_markdown(text: str) -> str:
    """`one_line` of Markdown in which nothing is markup: no link, heading, emphasis, HTML, code, or cell of a table."""
    safe = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")
    return "".join(f"\\{c}" if c in "\\[]*_#|~" else c for c in safe)


def visible_lines(text: str) -> str:
    """`visible` of each line. Those after the first are indented: none is taken for a message of its own."""
    first, *others = map(visible, text.split("\n"))
    return "\n".join([first, *(line if line.startswith("  ") else f"  {line}" for line in others)])
