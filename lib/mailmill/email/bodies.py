"""Which parts of a message are its body, by types that programs name carelessly and texts that say nothing."""

from __future__ import annotations

import re
from html import unescape
from itertools import pairwise
from typing import Final

#: What authors write in. Any other type of text is the body only where nothing else is.
BODY: Final = frozenset(
    {"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown", "text/x-markdown"}
)
#: Text that is no body.
NO_BODY: Final = frozenset({
    "text/calendar", "text/x-vcalendar", "text/ics", "text/x-vcard", "text/vcard", "text/directory", "text/css",
    "text/javascript", "text/rtf", "text/rfc822-headers", "text/csv", "text/x-amp-html", "text/watch-html",
    "text/x-moz-deleted",
})  # fmt: skip

_TYPE: Final = re.compile(r"(?:text/?)?(plain|html)?(?:[\s,]|$)")
_PAGE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
# Characters that take no room: a text of nothing else is empty.
_VISIBLE: Final = re.compile(r"[^\s\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\u2800\ufeff]")
_NO_HTML: Final = re.compile(r"\bhtml\b|view (?:it|this)|browser", re.IGNORECASE)
# A program that cannot show the message.
_READER: Final = re.compile(
    r"\bhtml\b|viewer|browser|mail[ -]?(?:program|client|reader|software)|navigateur|navegador|messagerie",
    re.IGNORECASE,
)
_UNABLE: Final = re.compile(
    r"\b(?:not|cannot|unable|requires?|needs?|must|nicht|kein\w*|benötigt?|erforder\w*|pas|no (?:puede|admite))\b|"
    r"n['’]t\b",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"<[^<>]{0,5000}>")
_WORD: Final = re.compile(r"\w+")
#: So much of a page is looked at for the words of its plain alternative, which has less than `STUB`.
PAGE, STUB = 100_000, 400


def type_of(declared: str) -> str:
    """The type that is meant by one in small letters: "html", "text/html charset=utf-8", "text/plain,text/html", ""."""
    if declared in BODY:
        return declared
    found = _TYPE.match(declared)
    return "text/" + (found[1] or "plain") if found else declared


def type_of_text(declared: str, content: bytes) -> str:
    """The same of a part with its content: a page says from its first word on that it is HTML."""
    kind = type_of(declared)
    if kind != "text/plain":
        return kind
    marked = _PAGE.match(content) or ("html" in declared and content.lstrip().startswith(b"<"))
    return "text/html" if marked else kind


def has_words(text: str) -> bool:
    """Whether there is anything to see in `text`."""
    return _VISIBLE.search(text) is not None


def is_stub(plain: str, markup: str) -> bool:
    """Whether `plain` only says that the message is the page `markup`.

    It speaks of HTML or a browser beside a page of many times its length, or of a program that cannot show the message
    and, unlike an author's own words, does not stand in the page.
    """
    if len(plain) >= STUB:
        return False
    if len(markup) > 20 * len(plain) and _NO_HTML.search(plain):
        return True
    if not _READER.search(plain) or not _UNABLE.search(plain):
        return False
    told = _pairs(plain)
    return 2 * len(told & _pairs(unescape(_TAG.sub(" ", markup[:PAGE])))) < len(told)


def _pairs(text: str) -> set[tuple[str, str]]:
    """The words of `text`, two and two: alone, most words are in any page."""
    return set(pairwise(_WORD.findall(text.lower())))
