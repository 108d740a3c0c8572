"""Text of format=flowed (RFC 3676): its soft line breaks joined."""

from __future__ import annotations

import re
from typing import Final

_QUOTE_MARKS: Final = re.compile(r">[> ]*")


def unflow(text: str, delete_space: bool = False) -> str:
    """`text` of format=flowed with its soft line breaks joined (RFC 3676).

    A line that ends with a space goes on in the next line of the same quote depth; the signature
    delimiter "-- " is never joined; space-stuffing is undone.
    """
    out: list[str] = []
    pieces: list[str] = []
    depth = 0
    flowing = False

    def end() -> None:
        if pieces:
            out.append(("> " if depth == 1 else ">" * depth + " " if depth else "") + "".join(pieces))
            pieces.clear()

    for line in text.split("\n"):
        if not flowing and (not line or (line[0] not in "> " and line[-1] != " ")):
            end()
            out.append(line)
            depth = 0
            continue
        marks = _QUOTE_MARKS.match(line) if line[:1] == ">" else None
        level = marks[0].count(">") if marks else 0
        rest = line[line.rfind(">", 0, marks.end()) + 1 :] if marks else line
        rest = rest.removeprefix(" ")
        if not flowing or level != depth or rest == "-- ":
            end()
            depth = level
        flowing = rest.endswith(" ") and rest != "-- "
        pieces.append(rest[:-1] if flowing and delete_space else rest)
    end()
    return "\n".join(out)
