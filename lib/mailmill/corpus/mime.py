"""A small MIME writer: headers, charsets, transfer encodings and parts, straight to bytes.

The standard library's generator is exact but ten times slower than a corpus of millions allows.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import quote

from mailmill.corpus.attachments import Attachment
from mailmill.corpus.draw import Draw

Headers = list[tuple[str, str]]

_CHARSETS = ("utf-8", "windows-1252", "iso-8859-1", "us-ascii", "utf-16")
_CHARSET_WEIGHTS = (56, 15, 12, 14, 3)
_CODECS = {"utf-16": "utf-16-le"}
_C1 = re.compile("[\x80-\x9f]")
_LONGEST_LINE = 900
_WORD_OCTETS = 19  # three characters each in Q, and 17 around them: within the 75 of RFC 2047
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


def choose_charset(draw: Draw, plain: str | None, html: str | None) -> str:
    """A charset that can hold the parts as they are, drawn with its usual frequency (else utf-8)."""
    charset = _CHARSETS[draw.weighted(_CHARSET_WEIGHTS)]
    text = (plain or "") + (html or "")
    if text.isascii():
        return charset
    # Readers take C1 bytes in ISO-8859-1 for windows-1252 (WHATWG Encoding): only UTF-8 keeps them.
    if charset in ("utf-8", "utf-16") or _C1.search(text):
        return "utf-16" if charset == "utf-16" else "utf-8"
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        # Word writes what the charset lacks as character references; plain text has none.
        return charset if plain is None and charset != "iso-8859-1" else "utf-8"
    return charset


def text_part(
    draw: Draw, text: str, subtype: str, charset: str, *, flowed: bool = False, named: bool = False
) -> tuple[Headers, bytes]:
    """Content headers and encoded content of a text part; the transfer encoding is drawn among those that fit.

    named: the first {charset} in the text stands for the charset's name.
    """
    charset_shown = charset.upper() if draw.chance(0.4) else charset
    if named:
        text = text.replace("{charset}", charset_shown, 1)
    if charset == "utf-16":
        content = b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")
        encoding = "base64"
    else:
        errors = "xmlcharrefreplace" if subtype == "html" else "strict"
        content = text.encode(_CODECS.get(charset, charset), errors)
        encoding = _transfer_encoding(draw, content)
        if encoding == "base64":
            content = content.replace(b"\n", b"\r\n")
    if encoding == "base64":
        content = base64.encodebytes(content)
    elif encoding == "quoted-printable":
        content = binascii.b2a_qp(content, istext=True)
    shown = f'"{charset_shown}"' if draw.chance(0.6) else charset_shown
    kind = f"text/{subtype}; charset={shown}"
    if flowed:
        kind += "; format=flowed"
    headers = [("Content-Type", kind)]
    if encoding != "7bit" or draw.chance(0.7):
        headers.append(("Content-Transfer-Encoding", encoding))
    return headers, content


def _transfer_encoding(draw: Draw, content: bytes) -> str:
    ascii_only = content.isascii()
    short = max(map(len, content.split(b"\n"))) <= _LONGEST_LINE
    kind = draw.below(100)
    if short and kind < (55 if ascii_only else 18):
        return "7bit" if ascii_only else "8bit"
    return "quoted-printable" if kind < 85 else "base64"


def file_part(file: Attachment) -> tuple[Headers, bytes]:
    """Content headers and base64 content of an attachment, or of an inline image if it has a Content-ID."""
    headers = [("Content-Type", f"{file.media_type}; {_parameter('name', file.name)}")]
    headers.append(("Content-Transfer-Encoding", "base64"))
    if file.content_id:
        headers += [("Content-ID", f"<{file.content_id}>"), ("Content-Disposition", "inline")]
    else:
        headers.append(("Content-Disposition", f"attachment; {_parameter('filename', file.name)}"))
    return headers, base64.encodebytes(file.content)


def multipart(
    subtype: str, boundary: str, parts: list[tuple[Headers, bytes]], preamble: bytes = b""
) -> tuple[Headers, bytes]:
    """Join parts into a multipart (RFC 2046): its Content-Type header and its content."""
    pieces = [preamble]
    for headers, content in parts:
        end = b"" if content.endswith(b"\n") else b"\n"
        pieces.append(b"--%s\n%s\n%s%s\n" % (boundary.encode(), _header_block(headers), content, end))
    pieces.append(b"--%s--\n" % boundary.encode())
    return [("Content-Type", f'multipart/{subtype};\n boundary="{boundary}"')], b"".join(pieces)


def message(headers: Headers, content: bytes, crlf: bool) -> bytes:
    """A whole message; lines end in CRLF as on the wire, or in LF as in a mail folder."""
    raw = _header_block(headers) + b"\n" + content
    return raw.replace(b"\n", b"\r\n") if crlf else raw


def _header_block(headers: Headers) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in headers).encode("ascii")


def mailbox(draw: Draw, name: str, address: str) -> str:
    """`Name <address>` with the name as an atom phrase, quoted string or encoded words (RFC 2047)."""
    if not name.isascii():
        return f"{encoded_words(draw, name)} <{address}>"
    if not _PLAIN_PHRASE.fullmatch(name) or draw.chance(0.3):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def unstructured(draw: Draw, text: str) -> str:
    """A subject: as it is when ASCII (folded when long), else as encoded words."""
    if not text.isascii():
        return encoded_words(draw, text)
    if len(text) <= 66:
        return text
    cut = text.rfind(" ", 1, 66)
    return f"{text[:cut]}\n{text[cut:]}" if cut > 0 else text


def encoded_words(draw: Draw, text: str) -> str:
    """RFC 2047 encoded words, each at most 75 characters, in B or Q, in UTF-8 or ISO-8859-1 where that fits."""
    charset = "utf-8"
    if draw.chance(0.25) and not _C1.search(text):
        try:
            text.encode("iso-8859-1")
            charset = "iso-8859-1"
        except UnicodeEncodeError:
            pass
    in_base64 = draw.chance(0.5)
    words = []
    for data in _chunks(text, charset):
        if in_base64:
            words.append(f"=?{charset}?B?{base64.b64encode(data).decode()}?=")
        else:
            shown = "".join(
                chr(octet) if chr(octet).isalnum() and octet < 128 else "_" if octet == 32 else f"={octet:02X}"
                for octet in data
            )
            words.append(f"=?{charset}?Q?{shown}?=")
    return "\n ".join(words)


def _chunks(text: str, charset: str) -> list[bytes]:
    """`text` encoded and cut between characters into runs of at most `_WORD_OCTETS`."""
    chunks = [b""]
    for letter in text:
        octets = letter.encode(charset)
        if len(chunks[-1]) + len(octets) > _WORD_OCTETS:
            chunks.append(b"")
        chunks[-1] += octets
    return chunks


def _parameter(name: str, value: str) -> str:
    """A parameter of a header: quoted, or in the extended form of RFC 2231."""
    return f'{name}="{value}"' if value.isascii() else f"{name}*=utf-8''{quote(value, safe='')}"
