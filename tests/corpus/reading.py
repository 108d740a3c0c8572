"""How the tests read a mail: the standard library's parser and a few lines of HTML rendering."""

from __future__ import annotations

import email
import html
import re
from email.message import Message

_HIDDEN = re.compile(r"(?is)<!--.*?-->|<head\b.*?</head>|<style\b.*?</style>|<!doctype[^>]*>")
_BREAK = re.compile(r"(?i)</?(?:div|p|br|hr|blockquote|table|tbody|tr|td|body|html)\b[^>]*>")
_TAG = re.compile(r"<[a-zA-Z/][^<>]*>")


def parse(raw: bytes) -> Message:
    return email.message_from_bytes(raw)


def texts(message: Message) -> dict[str, str]:
    """Decoded text parts by subtype ("plain", "html"), lines ending in "\\n"."""
    found = {}
    for part in message.walk():
        if part.get_content_maintype() == "text":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            text = content.decode(part.get_content_charset() or "ascii")
            found[part.get_content_subtype()] = text.replace("\r\n", "\n")
    return found


def squeeze(line: str) -> str:
    """White space of any kind as single spaces."""
    return " ".join(line.split())


def rendered(document: str) -> list[str]:
    """The lines of an HTML document that a reader sees, without the empty ones."""
    visible = re.sub(r"[ \t\r\n]+", " ", _HIDDEN.sub("", document))
    lines = _TAG.sub("", _BREAK.sub("\n", visible)).split("\n")
    return [squeeze(html.unescape(line)) for line in lines if squeeze(html.unescape(line))]
