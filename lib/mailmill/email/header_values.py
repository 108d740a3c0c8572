"""Values of single header fields: found in a message's bytes without parsing it, and decoded.

Labelling needs one or two fields of millions of messages. Scanning the header block alone takes about a
microsecond, a full parse twenty.
"""

from __future__ import annotations

import binascii
import re
from functools import cache
from typing import Final

from mailmill.email.charsets import decode_text

#: A header block longer than this is not read to its end.
MAX_HEADER_BYTES: Final = 1 << 18
#: A field with encoded words is cut here: decoding them takes time quadratic in their number.
MAX_ENCODED: Final = 20_000

# Patterns that begin with one certain byte are looked for at the speed of memory.
_EMPTY: Final = re.compile(rb"\n[ \t]*\r?\n")
_EMPTY_MAC: Final = re.compile(rb"\r[ \t]*\r(?!\n)")
_FOLD: Final = re.compile(r"[\r\n]+[ \t]*|\t")
_IDENTIFIER: Final = re.compile(r"<([^<>]{1,2000})>")
# An encoded word, its charset perhaps with a language behind '*' (RFC 2231, section 5).
_WORD: Final = re.compile(r"=\?([^?*\s]{1,80})(?:\*[^?\s]{0,40})?\?([bBqQ])\?(.{0,2000}?)\?=")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


@cache
def _finder(name: str) -> re.Pattern[bytes]:
    return re.compile(
        rb"(?im)^" + re.escape(name.encode("ascii", "replace")) + rb"[ \t]*:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)"
    )


def header_block(raw: bytes) -> bytes:
    """The bytes before the first empty line (all bytes when there is none), at most `MAX_HEADER_BYTES`."""
    head = raw[:MAX_HEADER_BYTES].lstrip(b"\r\n \t")
    empty = _EMPTY.search(head)
    end = empty.start() - (head[empty.start() - 1 : empty.start()] == b"\r") if empty else len(head)
    mac = _EMPTY_MAC.search(head, 0, empty.end() if empty else end)
    return head[: min(mac.start(), end) if mac else end]


def header_value(raw: bytes, name: str) -> str | None:
    """The first header field called `name` (any case), unfolded and decoded (RFC 5322, RFC 2047).

    Returns None when there is no such field. Never raises: bytes that cannot be decoded are replaced.
    """
    found = _finder(name).search(header_block(raw))
    return decode_value(found[1]) if found else None


def message_id(raw: bytes) -> str:
    """The Message-ID without its angle brackets, '' when there is none (RFC 5322, section 3.6.4)."""
    return first_identifier(header_value(raw, "Message-ID") or "")


def first_identifier(value: str) -> str:
    """The first `<...>` of an identifier field, or its first word when it has no brackets.

    A phrase ('Your message of "Tue, 4 Mar"') is no identifier: of several words, each one has a '@'.
    """
    start = value.find("<") + 1
    first = value[start : value.find(">", start)] if start else ""
    if 0 < len(first) <= 2000 and value.startswith(">", start + len(first)) and "<" not in first:
        if first.isprintable() and " " not in first:
            return first
    elif not value:
        return ""
    for found in _IDENTIFIER.finditer(value):
        identifier = "".join(found[1].split())
        if identifier:
            return identifier
    words = value.split()
    return words[0].strip("<>") if len(words) == 1 or (words and all("@" in word for word in words)) else ""


def decode_value(value: bytes) -> str:
    """A field's bytes as one line of text: unfolded, encoded words decoded, controls removed."""
    return decode_words(decode_text(value)[0])


def decode_words(text: str) -> str:
    """`text` with its encoded words (RFC 2047) decoded, on one line; of those, at most `MAX_ENCODED` characters."""
    if text.isprintable():
        if "=?" not in text:
            return text.strip()
    else:
        text = _FOLD.sub(" ", text)
    text = text.strip()
    if "=?" in text:
        text = _decoded(text[:MAX_ENCODED])
    return clean_line(text)


def clean_line(text: str) -> str:
    """One line without control characters and lone surrogates."""
    if not text.isprintable():
        text = _CONTROLS.sub(" ", text)
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text.strip()


def _decoded(text: str) -> str:
    """`text` with the bytes of its encoded words as text; where a charset goes on in the next word, a character may."""
    out: list[str] = []
    data, charset, end = b"", "", 0
    for word in _WORD.finditer(text):
        gap = text[end : word.start()]
        follows = end > 0 and not gap.strip()
        if not follows or word[1].lower() != charset:
            out.append(decode_text(data, charset)[0])
            out.append("" if follows else gap)
            data, charset = b"", word[1].lower()
        data += _bytes(word[2], word[3])
        end = word.end()
    out.append(decode_text(data, charset)[0])
    out.append(text[end:])
    return "".join(out)


def _bytes(encoding: str, content: str) -> bytes:
    data = content.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data + b"3D" if data.endswith(b"=") else data, header=True)  # no line goes on here
    try:
        return binascii.a2b_base64(data + b"===")
    except binascii.Error:
        return data
