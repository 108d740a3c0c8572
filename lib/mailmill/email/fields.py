"""The header fields that cleaning reads, cut out of a message's bytes: before a parser sees them, or instead of it.

A mail has twenty to fifty header fields, six of them are read, and decoding the others takes a parser longer than all
the rest. Many messages are one text, not encoded: there the fields and what follows them are all there is to find.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple

from mailmill.email.header_values import decode_value

#: The fields that cleaning reads, beside those of MIME.
FIELDS: Final = frozenset({"from", "date", "subject", "message-id", "in-reply-to", "references"})
#: With more encoded words than this (RFC 2047) a message is not given to `fast_mail_parser`, whose decoding of a
#: field takes time quadratic in their number.
MAX_ENCODED_WORDS: Final = 2000

_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
#: The fields that are read here, in small letters: those of `FIELDS` and those that tell what a part is.
_NEEDED: Final = frozenset(
    [name.encode() for name in FIELDS] + [b"content-type", b"content-transfer-encoding", b"content-disposition"]
)
#: The second and the third letter of those that begin with a byte, of any case; 0 where none does.
_SECOND: Final = bytes(max([name[1] for name in _NEEDED if name[0] == code | 32], default=0) for code in range(256))
_THIRD: Final = bytes(max([name[2] for name in _NEEDED if name[0] == code | 32], default=0) for code in range(256))
_COLON: Final = 58
_BOUNDARY: Final = re.compile(rb"[ \t]*=[ \t]*\"?([^\"\s;]{1,100})")
# The first line of a body in base64, all of its lines, the shorter ones right below the last full one (no word alone),
# one of whole groups below blank lines, and any other line: rows of signs, too.
_BASE64: Final = re.compile(rb"\s*+([A-Za-z0-9+/]{4,}+=*+)[ \t]*+\r?\n")
_LINES: Final = re.compile(rb"^[ \t]*+(?![+/]{4})([A-Za-z0-9+/]++=*+)[ \t]*+\r?$", re.MULTILINE)
_TAIL: Final = re.compile(
    rb"(?<!=)(?:[ \t]*+\r?\n[ \t]*+(?![+/]{4}|(?:[A-Z]?[a-z]{3,}+|[A-Z]{4,}+)[ \t]*+\r?(?:\n|\Z))"
    rb"[A-Za-z0-9+/]++(?=[ \t]*+\r?(?:\n|\Z)|={1,2}(?!\w)))++={0,2}"
)
_REST: Final = re.compile(
    rb"(?<!=)\s*+(?![+/]{4})((?:[A-Za-z0-9+/]{4})*+)(?:[A-Za-z0-9+/]{2,3}={1,2}(?!\w)|[ \t]*+\r?(?:\n|\Z))"
)
_OTHER: Final = re.compile(rb"\n[ \t]*+(?!\s|(?![+/]{4})[A-Za-z0-9+/]++=*+[ \t]*+\r?(?:\n|\Z)|\Z)")
_FULL: Final = 60  # characters
_FOLDED: Final = re.compile(r"\r?\n[ \t]+")
_TEXT: Final = re.compile(r"(text/(?:plain|html))(?:;|$)", re.IGNORECASE)
_ENCODING: Final = b"content-transfer-encoding"
#: Where the next part begins, in small letters.
_NEXT_PART: Final = re.compile(rb"\n--[^\r\n]{1,200}\r?\ncontent-")
_IDENTITY: Final = frozenset({b"7bit", b"8bit", b"binary"})
_TYPE: Final = "content-type"
_NAMES: Final = {name.encode(): name for name in (*FIELDS, _TYPE)}


class Cut(NamedTuple):
    """`fields`: (name, value) of those that may be read, as they stand; the empty line at `end` to `start`."""

    fields: list[tuple[bytes, bytes]]
    end: int
    start: int


class OneText(NamedTuple):
    """A message of one part that is not encoded: the type of its text, Content-Type as declared (or ''), and the first
    of each of `FIELDS` by lower-cased name, unfolded."""

    kind: str
    declared: str
    headers: dict[str, str]


def cut_fields(message: bytes) -> Cut | None:
    """Where the header of `message` ends and what is read of it; None where it has lines that are no fields.

    Those may be the text.
    """
    empty = _EMPTY_LINE.search(message)
    if empty is None:
        return None
    fields: list[tuple[bytes, bytes]] = []
    lines = message[: empty.start()].split(b"\n")
    for i, line in enumerate(lines):
        first = line[0] if line else 32
        if first in (32, 9):  # a space or a tab: what stands above goes on
            continue
        if _COLON not in line:
            return None
        if len(line) > 2 and line[1] | 32 == _SECOND[first] and line[2] | 32 == _THIRD[first]:
            name, _, value = line.partition(b":")
            if name.lower().rstrip(b" \t") in _NEEDED:
                end = i + 1
                while end < len(lines) and lines[end][:1] in (b" ", b"\t"):
                    end += 1
                fields.append((name, b"\n".join([value, *lines[i + 1 : end]]) if end > i + 1 else value))
    return Cut(fields, empty.start(), empty.end())


def header_below(message: bytes, cut: Cut) -> bytes:
    """`message` from its second block on, where a blank line parts a mail's header from what its way added above it.

    Nothing is read of such a first block, and the second one says whose mail it is, and which, or of what type.
    """
    if cut.fields:
        return message
    rest = message[cut.start :].lstrip(b"\r\n")
    below = cut_fields(rest)
    names = {name.rstrip().lower() for name, _ in below.fields} if below else set()
    whole = len(names) > 2 and b"from" in names and not names.isdisjoint((b"message-id", b"content-type"))
    return rest if whole else message


def without_unread(message: bytes, cut: Cut) -> bytes:
    """`message` without the fields that nothing reads, and without what a mailing list wrote below text in base64."""
    if not cut.fields:
        return message
    kept = b"\n".join([name + b":" + value for name, value in cut.fields])
    text = message[cut.end :]
    encoded = any(name.lower() == _ENCODING and value.strip().lower() == b"base64" for name, value in cut.fields)
    return kept + (text[: _base64_end(text)] if encoded else text)


def _base64_end(text: bytes) -> int:
    """Where base64 ends: with its last full line and the shorter ones below, if what follows is something else.

    Decoders skip what is no base64 (RFC 2045, section 6.8): above that an indent or a stray sign does no harm, but they
    would read the letters of an address below it, or of "DISCLAIMER:".
    """
    first = _BASE64.match(text)
    if first is None or _OTHER.search(text, first.end() - 1) is None:
        return len(text)
    width = len(first[1])
    lines = [(line.end(1), len(line[1])) for line in _LINES.finditer(text, first.end(1))]
    last = max([first.end(1), *[end for end, size in lines if size == width or size >= _FULL]])
    if tail := _TAIL.match(text, last):
        return tail.end()
    rest = _REST.match(text, last)
    return rest.end() if rest and len(rest[1]) <= width else last


def decoded(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The first of each of `FIELDS` by lower-cased name, unfolded and its encoded words decoded."""
    headers: dict[str, str] = {}
    for field, value in fields:
        name = _NAMES.get(field.rstrip().lower())
        if name and name != _TYPE and name not in headers:
            headers[name] = decode_value(value.strip())
    return headers


def overencoded(message: bytes) -> bool:
    """Whether `message` has more than `MAX_ENCODED_WORDS`."""
    return len(message) >= 8 * MAX_ENCODED_WORDS and message.count(b"=?") > MAX_ENCODED_WORDS


def harmful(message: bytes) -> bool:
    """Whether `fast_mail_parser` would take long for `message`, or read it wrongly."""
    return overencoded(message) or _ambiguous_boundaries(message) or _bare_in_quoted(message)


def _ambiguous_boundaries(message: bytes) -> bool:
    """Whether one boundary of `message` begins with another one, as which `fast_mail_parser` takes it."""
    pieces = message.split(b"oundary")[1:] + message.split(b"OUNDARY")[1:]  # at the speed of memory
    found = sorted({value[1] for piece in pieces if (value := _BOUNDARY.match(piece))}) if len(pieces) > 1 else []
    return any(longer.startswith(shorter) for shorter, longer in pairwise(found))


def _bare_in_quoted(message: bytes) -> bool:
    """Whether a part in quoted-printable holds bytes that are no ASCII, which `fast_mail_parser` leaves out.

    They stand for themselves there: whoever passed the mail on copied the field, not the encoding.
    """
    if message.isascii():
        return False
    for piece in message.lower().split(_ENCODING)[1:]:
        if piece.isascii() or not piece.lstrip(b" \t:").startswith(b"quoted-printable"):
            continue
        empty = _EMPTY_LINE.search(piece)
        if empty and not _NEXT_PART.split(piece[empty.end() :], 1)[0].isascii():
            return True
    return False


def as_one_text(fields: list[tuple[bytes, bytes]]) -> OneText | None:
    """The header of a message of one text that stands in it as it is; None where a parser has to look.

    That is for what has several parts, a transfer encoding, a disposition, encoded words (RFC 2047) or fields that
    are not ASCII.
    """
    kind = declared = ""
    headers: dict[str, str] = {}
    for field, value in fields:
        low = field.lower()
        name = _NAMES.get(low)
        if name is None:
            if low == _ENCODING and value.strip().lower() in _IDENTITY:
                continue
            return None
        try:
            text = value.decode("ascii")
        except UnicodeDecodeError:
            return None
        if "=?" in text:
            return None
        text = (_FOLDED.sub(" ", text) if "\n" in text else text).strip()
        if name != _TYPE:
            headers.setdefault(name, text)
            continue
        found = _TEXT.match(text)
        if kind or found is None:
            return None
        kind, declared = found[1].lower(), text
    return OneText(kind or "text/plain", declared, headers)
