"""A message as one page of plain text: its parts one below the other, the HTML ones rendered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailmill.email import html
from mailmill.email.answers import announced_above, coloured
from mailmill.email.markup import tokens_of
from mailmill.email.mime import Message, Part
from mailmill.errors import RejectedMessage


class Page(NamedTuple):
    """A message as plain text, the evidence of each of its lines where there is any, and whether it was cut."""

    rendering: str
    evidence: list[str] | None
    cut: bool = False


def lay_out(message: Message, max_chars: int) -> Page:
    """The message's parts one below the other as plain text, `max_chars` of it at most.

    Raises RejectedMessage where nothing is visible.
    """
    page = _page(message.parts)
    if len(page.rendering) > max_chars:  # each part is shorter, see `mime`, but not all of them together
        rendering = page.rendering[:max_chars]
        evidence = page.evidence[: rendering.count("\n") + 1] if page.evidence else None
        page = Page(rendering, evidence, True)
    if not page.rendering or page.rendering.isspace():
        raise RejectedMessage("no_text", "nothing visible")
    return page


def _page(parts: Sequence[Part]) -> Page:
    if len(parts) == 1 and not parts[0].html and not parts[0].forwarded:
        return Page(parts[0].text, None)
    lines: list[str] = []
    evidence: list[str] = []
    for part in parts:
        if part.html:
            page, marks = _render(part.text)
        else:
            page = part.text.split("\n")
            marks = [""] * len(page)
        if part.forwarded:
            marks = ["mime.rfc822"] * len(page)
        if lines and page:
            lines.append("")
            evidence.append("")
        lines.extend(page)
        evidence.extend(marks)
    rendering = "\n".join(lines)
    if rendering.count("\n") >= len(lines) > 0:  # a stray newline inside a line would part lines from their evidence
        rendering = "\n".join([line.replace("\n", " ") for line in lines])
    return Page(rendering, evidence if lines else None)


def _render(markup: str) -> tuple[list[str], list[str]]:
    """The page as `html.render` gives it, with answers that are announced and coloured as lines of their own."""
    lines, evidence = html.render(markup)
    if hue := announced_above(lines, evidence):
        return html.lay_out(coloured(tokens_of(markup), hue))
    return lines, evidence
