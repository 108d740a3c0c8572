"""What comes back in a mail of which nothing would be left: what rules removed that are not sure enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mailmill.email.banners import field_of
from mailmill.email.fieldblocks import Header
from mailmill.email.lines import Line, Lines
from mailmill.email.signing import ALONE
from mailmill.email.tails import Marks
from mailmill.email.wrapped import UNSURE

#: Rules that prove somebody else wrote it; other removals may be undone when nothing would be left.
_CLEAR: Final = ("quote.", "field.", "banner.", "forward.", "attribution.", "mime.")
_EDGES: Final = frozenset({"greeting", "signoff", "signature", "footer", "disclaimer"})
_WORDS: Final = ("thanks.", "closing.")  # a sign-off that says something: kept even above a quoted message
_CLEAR_EVIDENCE: Final = frozenset({
    "html.blockquote_cite", "html.gmail_attr", "html.moz_cite_prefix", "html.outlook_reply", "html.outlook_reference",
    "html.yahoo_quoted", "html.protonmail_quote", "html.zimbra_headers", "html.gmx_quote",
})  # fmt: skip
#: Rules of what only looks like a name.
_LIKE_NAMES: Final = ("name.shape", "vocative.word")


def keep_something(
    lines: Lines,
    marks: Marks,
    headers: Sequence[Header],
    own: Sequence[tuple[str, str] | None],
    names: frozenset[str],
) -> bool:
    """Undo removals of lines in place where all of the author's were decided (`own`); True for any.

    The labeller may not take all that the rules left, nor may a message be emptied by what may be an answer or a
    wrapped line.
    """
    kept = _undo(marks, "model.")
    if any([mark is not None and mark[0] == "body" for mark in own]):
        return kept
    kept = _undo(marks, ALONE) or kept or (len(names) > 0 and _answers(lines, marks, headers))
    kept = kept or _undo(marks, UNSURE[1]) or _bring_back(lines, marks, headers)
    if not kept and headers:
        _rename_forward(marks, headers)
    return kept


def _answers(lines: Lines, marks: Marks, headers: Sequence[Header]) -> bool:
    """Bring back what looks like a name, the sender's being another, in an answer that neither thanks nor names whom it
    answers: "Hi Bob, / Blue"."""
    if not headers or headers[0].kind != "attribution":
        return False
    if any([mark is not None and mark[1].startswith(_WORDS) for mark in marks]):
        return False
    quoted = " ".join(lines.bares[headers[0].start : headers[0].end])
    found = [i for i, mark in enumerate(marks) if mark is not None and mark[1] in _LIKE_NAMES]
    found = [i for i in found if lines.bares[i] not in quoted]
    for i in found:
        marks[i] = None
    return bool(found)


def _undo(marks: Marks, rules: str) -> bool:
    """Forget what rules decided whose names begin so; True when they had decided anything."""
    found = [i for i, mark in enumerate(marks) if mark is not None and mark[1].startswith(rules)]
    for i in found:
        marks[i] = None
    return bool(found)


def _bring_back(lines: Lines, marks: Marks, headers: Sequence[Header]) -> bool:
    """Undo removals of lines that may be the author's, in a mail of which nothing would be left; True for any.

    Where a line thanks or closes, that line alone comes back: "Hi Sue, / Thanks! / Kim" says "Thanks!". Else, without a
    header above somebody else's text, a sign-off that cries does ("Enjoy! / Kim"), or greeting and sign-off: "Hi Sue, /
    Kim" is all there is; and where there are none, signature, disclaimer and footer.
    """
    clear = _has_clear(lines, marks)
    # Signatures, disclaimers and footers come back only where there is nothing else to bring back.
    edges = _EDGES
    if any(m is not None and m[0] in ("greeting", "signoff") and not m[1].startswith("html.") for m in marks):
        edges = frozenset({"greeting", "signoff"})
    words = any(m is not None and m[1].startswith(_WORDS) for m in marks)  # "Hi Sue, / Thanks! / Kim" says "Thanks!"
    signoffs = [i for i, m in enumerate(marks) if m is not None and m[0] == "signoff"]
    cries = not (headers or words) and any([_cries(lines[i]) for i in signoffs])
    kept = False
    for i, mark in enumerate(marks):
        if mark is None or not lines.bares[i]:
            continue
        zone, rule = mark
        if zone in edges and not rule.startswith("html."):
            keep = _cries(lines[i]) if cries else not (headers or words)
            keep = keep or (rule.startswith(_WORDS) and _is_thanks(lines[i]))
        else:
            keep = zone in ("quoted", "header") and rule.startswith("html.") and rule not in _CLEAR_EVIDENCE
            keep = keep and not headers and not clear
        if keep:
            marks[i] = ("body", "body.kept")
            kept = True
    return kept


def _is_thanks(line: Line) -> bool:
    """Is it a thank-you itself, not the name below one?"""
    return line.rule("thanks") != "" or line.rule("closing") != ""


def _cries(line: Line) -> bool:
    """Is it a sign-off that says something: "Enjoy!"?"""
    return line.bare[-1:] == "!" and line.rule("signoff") != ""


def _has_clear(lines: Lines, marks: Marks) -> bool:
    """Was anything removed that somebody else wrote for certain? Below Word's line, that is what fields head."""
    return any(
        m is not None
        and (
            m[1].startswith(_CLEAR)
            or m[1] in _CLEAR_EVIDENCE
            or (m[1] == "html.outlook_border" and field_of(lines.bares[i]) is not None)
        )
        for i, m in enumerate(marks)
    )


def _rename_forward(marks: Marks, headers: Sequence[Header]) -> None:
    """Without words of the author's own, what follows the first header was passed on: forwarded."""
    for i in range(headers[0].end, len(marks)):
        mark = marks[i]
        if mark is not None and mark[0] == "quoted":
            marks[i] = ("forwarded", mark[1])
