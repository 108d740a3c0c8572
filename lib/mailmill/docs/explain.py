"""Why a message was cleaned as it was: each line with its zone and rule, in colour or as a page.

The spans of a cleaned message tile its plain rendering, so nothing is left out: what is body was
kept, everything else was removed, and the rule says why. The page escapes all that comes from mail.
"""

from __future__ import annotations

import html
import io
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from mailmill.email import CleanMessage, clean_message
from mailmill.visible import visible

#: A colour a zone: for the terminal, and (background) for the page.
COLOURS = {
    "body": ("bold", "#ffffff"),
    "greeting": ("green", "#e3f6e3"),
    "signoff": ("cyan", "#ddf4f7"),
    "signature": ("blue", "#e2e9fb"),
    "disclaimer": ("magenta", "#f6e3f6"),
    "quoted": ("bright_black", "#ececec"),
    "header": ("yellow", "#fbf3d4"),
    "forwarded": ("bright_black", "#e4e4e4"),
    "footer": ("red", "#fbe3e0"),
    "mobile": ("red", "#fbe9e0"),
    "blank": ("bright_black", "#ffffff"),
}

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; width: 100% }
th { text-align: left; border-bottom: 2px solid #1a1a1a }
td, th { padding: 0 .6rem; vertical-align: top }
td.line { white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, monospace; width: 100% }
td.rule { color: #555; font-size: 13px }
tr.removed td.line { text-decoration: line-through; text-decoration-color: #8888 }
"""


def cleaned(raw: bytes) -> CleanMessage:
    """The message cleaned with default options. Raises RejectedMessage where it cannot be used."""
    return clean_message(raw)


def lines(mail: CleanMessage) -> Iterator[tuple[str, str, str]]:
    """(zone, rule, text) of each line of the rendering; a line that two spans share comes in two pieces."""
    for span in mail.spans:
        for text in mail.rendering[span.start : span.end].removesuffix("\n").split("\n"):
            yield span.zone, span.rule, text


def terminal(mail: CleanMessage, width: int = 100, colour: bool = True) -> str:
    """The message for a terminal: zone, rule, line; then a summary. ANSI colours if `colour`."""
    console = Console(file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False)
    for zone, rule, text in lines(mail):
        row = Text(f"{zone:<10} {rule:<26.26} ", style="bright_black")
        row.append(visible(text), style=COLOURS[zone][0])
        console.print(row, soft_wrap=True)
    console.print(Text(f"\n{_summary(mail)}"), soft_wrap=True)
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


def page(mail: CleanMessage) -> str:
    """The message as one HTML page without scripts, styles from elsewhere, or any markup of the mail's own."""
    rows = []
    for zone, rule, text in lines(mail):
        state = "kept" if zone == "body" else "removed"
        shown = html.escape(visible(text)) or "&nbsp;"
        rows.append(
            f'<tr class="{state}" style="background:{COLOURS[zone][1]}"><td>{html.escape(zone)}</td>'
            f'<td class="rule">{html.escape(rule)}</td><td class="line">{shown}</td></tr>'
        )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>How this message was cleaned</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>\n'
        f"<h1>How this message was cleaned</h1>\n<p>Subject: {html.escape(visible(mail.subject))}</p>\n"
        f"<p>{html.escape(_summary(mail))}</p>\n"
        '<table><thead><tr><th scope="col">zone</th><th scope="col">rule</th><th scope="col">line</th></tr></thead>\n'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table>\n</body></html>\n"
    )


def _summary(mail: CleanMessage) -> str:
    sizes: Counter[str] = Counter()
    for span in mail.spans:
        sizes[span.zone] += span.end - span.start
    shares = ", ".join(f"{zone} {n}" for zone, n in sizes.most_common())
    flags = ", ".join(mail.flags) or "none"
    return f"confidence {mail.confidence:.2f}; flags: {flags}; characters: {shares}"
