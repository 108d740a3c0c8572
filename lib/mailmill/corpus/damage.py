"""Mail that arrives broken: every way in which real archives are damaged, made on purpose.

Each function takes a whole message (LF or CRLF) and returns its ruin. None of them is a mail with a
known truth any more; a cleaner must survive them and account for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailmill.corpus.draw import Draw

Damage = Callable[[bytes, Draw], bytes]

_BOUNDARY = re.compile(rb'boundary="([^"]+)"')
_CHARSET = re.compile(rb'charset="?([\w-]+)"?', re.IGNORECASE)


def _split(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Headers, the empty line between, and the body."""
    for gap in (b"\r\n\r\n", b"\n\n"):
        head, found, body = raw.partition(gap)
        if found:
            return head, gap, body
    return raw, b"", b""


def truncated(raw: bytes, draw: Draw) -> bytes:
    """The connection broke somewhere in the body."""
    head, gap, body = _split(raw)
    return head + gap + body[: draw.between(len(body) // 5, max(1, len(body) * 4 // 5))]


def truncated_head(raw: bytes, draw: Draw) -> bytes:
    """The connection broke inside the headers."""
    head, _, _ = _split(raw)
    return head[: draw.between(10, max(11, len(head) - 1))]


def broken_base64(raw: bytes, draw: Draw) -> bytes:
    """A base64 body with foreign characters and a length that is no multiple of four."""
    head, gap, body = _split(raw)
    letters = draw.hex(400).encode()
    head = re.sub(rb"(?im)^Content-(Type|Transfer-Encoding):.*(?:\r?\n[ \t].*)*\r?\n?", b"", head).rstrip()
    head += b"\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64"
    return head + gap + letters[:199] + b"\n*!?" + letters[203:] + b"=\nA" + body[:10]


def wrong_boundary(raw: bytes, draw: Draw) -> bytes:
    """The header names a boundary that the body never uses."""
    head, gap, body = _split(raw)
    if not _BOUNDARY.search(head):
        head += b'\nContent-Type: multipart/mixed; boundary="x"'
    head = _BOUNDARY.sub(b'boundary="=_' + draw.hex(16).encode() + b'"', head)
    return head + gap + body


def missing_headers(raw: bytes, draw: Draw) -> bytes:
    """Nothing but From and Subject is left: no date, no Message-ID, no content type."""
    head, gap, body = _split(raw)
    kept = [line for line in re.split(rb"\r?\n(?![ \t])", head) if line.lower().startswith((b"from:", b"subject:"))]
    return b"\n".join(kept[: draw.between(1, 2)]) + gap + body


def no_headers(raw: bytes, draw: Draw) -> bytes:
    """A body that lost its headers."""
    return _split(raw)[2]


def lying_charset(raw: bytes, draw: Draw) -> bytes:
    """ISO-8859-1 bytes declared as something else, or as a charset that does not exist."""
    claimed = draw.pick((b"utf-8", b"x-unknown", b"utf-7", b"iso-2022-jp", b"us-ascii"))
    head, gap, body = _split(raw)
    body = _CHARSET.sub(b"charset=" + claimed, body)
    if b"multipart/" not in head:
        head = _CHARSET.sub(b"charset=" + claimed, head)
    return head + gap + body + b"Gr\xfc\xdfe, \xe0 bient\xf4t \x93quoted\x94\n"


def nul_bytes(raw: bytes, draw: Draw) -> bytes:
    """NUL bytes strewn over the body."""
    head, gap, body = _split(raw)
    place = draw.below(len(body) + 1)
    return head + gap + body[:place] + b"\0" * draw.between(1, 40) + body[place:].replace(b" ", b"\0", 3)


def empty_body(raw: bytes, draw: Draw) -> bytes:
    """Headers and an empty body."""
    head, gap, _ = _split(raw)
    return head + gap


def no_bytes(raw: bytes, draw: Draw) -> bytes:
    """An object of length zero, or of white space."""
    return b"" if draw.chance(0.7) else b"\n \r\n"


def garbage(raw: bytes, draw: Draw) -> bytes:
    """Uniform random bytes."""
    return draw.octets(draw.between(50, 1500))


DAMAGES: dict[str, Damage] = {
    "truncated": truncated,
    "truncated_head": truncated_head,
    "broken_base64": broken_base64,
    "wrong_boundary": wrong_boundary,
    "missing_headers": missing_headers,
    "no_headers": no_headers,
    "lying_charset": lying_charset,
    "nul_bytes": nul_bytes,
    "empty_body": empty_body,
    "no_bytes": no_bytes,
    "garbage": garbage,
}


def message_id(raw: bytes) -> str:
    """The Message-ID that a ruin still shows in its headers, without angle brackets; "" where it is gone."""
    found = re.search(rb"(?im)^Message-ID: <([!-~]+)>[ \t]*\r?$", _split(raw)[0])
    return found[1].decode("ascii") if found else ""
