"""From a message's bytes to its header fields and the text parts that make up its body.

A text that is neither encoded nor one of several parts stands in the message as it is; nearly every other
message is read by `fast_mail_parser` in some twenty microseconds. What it refuses, would take apart at wrong
boundaries or reads as a message without text goes to the standard library's lenient parser; what that cannot
take apart is read as a header block and a body. Of alternatives one is chosen: HTML when it names what is
quoted in it, because that is evidence which holds in every language, otherwise plain text, because its author
or program marked quotes with '>' and wrote no navigation, tracking or layout into it.
"""

from __future__ import annotations

import email
import email.message
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

import fast_mail_parser

from mailmill.email.bodies import BODY, NO_BODY, has_words, is_stub, type_of, type_of_text
from mailmill.email.certified import unwrapped
from mailmill.email.charsets import decode_text
from mailmill.email.evidence import has_structure
from mailmill.email.fields import FIELDS, as_one_text, cut_fields, decoded, harmful, header_below, without_unread
from mailmill.email.flowed import unflow
from mailmill.email.header_values import decode_words, header_block
from mailmill.errors import RejectedMessage

#: Multiparts and forwarded messages inside each other beyond this are not followed.
MAX_NESTING: Final = 24
MAX_PARTS: Final = 200

#: What an Outlook item begins with ([MS-CFB] 2.2); further in it may hold a mail's header as one of many properties.
_OUTLOOK: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FIELD: Final = re.compile(rb"[\x21-\x39\x3b-\x7e]{1,200}[ \t]*:")
_MBOX: Final = re.compile(rb"\s{0,20}(?:>?From [^\r\n]{0,400}\r?\n|\s)*")
_CHARSET: Final = re.compile(r"""charset\*?\s*=\s*(?:[\w-]*'[\w-]*')?["']?([^\s;"']{1,60})""", re.IGNORECASE)
_FLOWED: Final = re.compile(r"format\s*=\s*\"?flowed", re.IGNORECASE)
_DELSP: Final = re.compile(r"delsp\s*=\s*\"?yes", re.IGNORECASE)
# An address that is the picture itself, in most cases larger than all that is to be read.
_PICTURE: Final = re.compile(
    rb"data:(?<=[\"'(=\s]data:)[\w/+.;=-]{1,100}+,(?:[\w/+=%-]{60,}+(?:\r?\n[ \t]*+)?+)++[\w/+=%-]*+"
)

# What the standard library's parser raises on damaged input, found by fuzzing and by reading it.
_LENIENT_ERRORS: Final = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RecursionError,
    email.errors.MessageError,
)


class Part(NamedTuple):
    """One text part: decoded `text`, HTML or plain, inside a forwarded message or not."""

    text: str
    html: bool = False
    forwarded: bool = False


class Message(NamedTuple):
    """`headers`: those of `FIELDS`, by lower-cased name (the first of each, decoded); `parts` in order; `flags`."""

    headers: Mapping[str, str]
    parts: tuple[Part, ...]
    flags: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    """What the parts of all parsers have in common."""

    content_type: str
    headers: dict[str, list[str]]
    disposition: str | None = None
    filename: str = ""
    is_message: bool = False
    content: bytes | None = None
    children: list[Any] = field(default_factory=list)


def read_message(raw: bytes, max_bytes: int, max_chars: int) -> Message:
    """The header fields and body parts of `raw`; those of the mail inside, where it is Italian certified mail.

    Raises RejectedMessage: `empty`, `too_large` (more than `max_bytes`), `not_mail` (no header field
    before the first empty line, or Outlook's .msg), `no_text` (no text part with anything in it). A part
    is cut, with the flag `truncated`, where its text would exceed `max_chars`.
    """
    if len(raw) > max_bytes:
        raise RejectedMessage("too_large", f"{len(raw)} bytes")
    raw = unwrapped(raw)
    start = _MBOX.match(raw)
    body = raw[start.end() :] if start and start.end() else raw
    if not body:
        raise RejectedMessage("empty")
    if raw.startswith(_OUTLOOK):
        raise RejectedMessage("not_mail", "Outlook's own format (.msg): save the mail as .eml")
    if not _FIELD.match(body) and not any(_FIELD.match(line) for line in header_block(body).splitlines()[:400]):
        raise RejectedMessage("not_mail", "no header field")
    flags: set[str] = set()
    collector = _Collector(max_chars, flags)
    parts: list[Part] = []
    headers: Mapping[str, str] = {}
    cut = cut_fields(body)
    if cut and (below := header_below(body, cut)) is not body:
        body, cut = below, cut_fields(below)
    text = as_one_text(cut.fields) if cut else None
    if cut and not text:
        headers = decoded(cut.fields)
    read = without_unread(body, cut) if cut and not text else body
    if text and cut:
        headers = text.headers
        content = body[cut.start :]
        parts = [collector.leaf(content, type_of_text(text.kind, content), text.declared)]
    elif not harmful(body):
        try:
            root = fast_mail_parser.parse_email_tree(read, mode="lazy")
            parts = collector.parts(root)
            headers = headers or _read(root.headers)
        except (fast_mail_parser.ParseError, UnicodeError):
            parts = []
    if not _any_text(parts):
        flags.add("lenient_mime")
        node = _lenient(read)
        parts = _Collector(max_chars, flags).parts(node)
        headers = headers or _read(node.headers)
        if not _any_text(parts):
            raise RejectedMessage("no_text", "no text part" if not parts else "empty text")
    if all(part.html for part in parts):
        flags.add("html_only")
    return Message(headers, tuple(parts), tuple(sorted(flags)))


def _read(headers: dict[str, list[str]]) -> dict[str, str]:
    """The first of each field that is read, by lower-cased name."""
    # Backwards, so that of names that differ in case alone the first one stays.
    fields = {low: headers[name] for name in reversed(headers) if (low := name.lower()) in FIELDS}
    return {name: found[0] for name, found in fields.items() if found}


def _any_text(parts: Sequence[Part]) -> bool:
    return any(has_words(part.text) for part in parts)


class _Collector:
    """Walks a MIME tree and gathers the text parts that are the body."""

    def __init__(self, max_chars: int, flags: set[str]) -> None:
        self._max = max_chars
        self._flags = flags
        self._seen = 0
        self._spare: list[Any] = []

    def parts(self, root: Any) -> list[Part]:
        """The parts that are the body of `root`; where it has no text, the first that else is an attachment."""
        found = self.body(root)
        return [self.text(self._spare[0], False)] if self._spare and not _any_text(found) else found

    def body(self, node: Any, depth: int = 0, forwarded: bool = False, rendering: bool = False) -> list[Part]:
        """The parts below `node` in order; of alternatives the chosen one.

        `rendering`: `node` is an alternative, which may have a file's name and yet is no attachment.
        """
        self._seen += 1
        if depth > MAX_NESTING or self._seen > MAX_PARTS:
            self._flags.add("truncated")
            return []
        kind = type_of(node.content_type.lower())
        children = node.children
        if node.is_message or kind == "message/rfc822":
            return [p for child in children for p in self.body(child, depth + 1, True)]
        if children:
            one = kind == "multipart/alternative"
            root = children[0] if rendering and kind == "multipart/related" else None
            inner = [self.body(child, depth + 1, forwarded, one or child is root) for child in children]
            return _choose(inner) if one else [part for parts in inner for part in parts]
        if not kind.startswith("text/") or kind in NO_BODY or (node.disposition or "").lower() == "attachment":
            return []
        if kind not in BODY or (node.filename and self._seen > 2 and not rendering):
            if not forwarded:
                self._spare.append(node)
            return []
        return [self.text(node, forwarded)]

    def text(self, node: Any, forwarded: bool) -> Part:
        """The text of one part that has no parts."""
        headers = node.headers
        values: list[str] | None = headers.get("Content-Type")
        if not values:
            values = next((v for k, v in headers.items() if len(k) == 12 and k.lower() == "content-type"), None)
        content = node.content or b""
        kind = type_of_text(node.content_type.lower(), content)
        return self.leaf(content, kind, values[0] if values else "", forwarded)

    def leaf(self, payload: bytes, kind: str, declared: str, forwarded: bool = False) -> Part:
        """The text of one part of the type `kind`, with its Content-Type as `declared`."""
        charset, flowed, delete_space = _declared(declared)
        html = kind in ("text/html", "text/enriched", "text/richtext")
        if html and len(payload) > self._max:
            payload = _PICTURE.sub(b"data:", payload)
        if len(payload) > 4 * self._max:
            payload = payload[: 4 * self._max]
            self._flags.add("truncated")
        text, guessed = decode_text(payload, charset, newlines=not html)  # to HTML they are white space
        if guessed:
            self._flags.add("charset_guessed")
        if len(text) > self._max:
            text = text[: self._max]
            self._flags.add("truncated")
        if flowed and not html:
            text = unflow(text, delete_space)
        return Part(text, html, forwarded)


@lru_cache(maxsize=512)
def _declared(content_type: str) -> tuple[str, bool, bool]:
    """(charset or '', format=flowed, delsp=yes) of a Content-Type field."""
    charset = _CHARSET.search(content_type)
    flowed = _FLOWED.search(content_type) is not None
    return charset[1] if charset else "", flowed, flowed and _DELSP.search(content_type) is not None


def _choose(alternatives: list[list[Part]]) -> list[Part]:
    """One of the renderings of a multipart/alternative (see the module docstring)."""
    filled = [parts for parts in alternatives if _any_text(parts)]
    plain = next((parts for parts in filled if not any(p.html for p in parts)), None)
    html = next((parts for parts in reversed(filled) if any(p.html for p in parts)), None)
    if plain is None or html is None:
        return html or plain or []
    markup = "".join(p.text for p in html if p.html)
    words = "".join(p.text for p in plain)
    return html if is_stub(words, markup) or has_structure(markup) else plain


def _lenient(raw: bytes) -> _Node:
    """`raw` by the standard library's parser; if that fails, a header block and a text body."""
    try:
        return _node(email.message_from_bytes(raw), 0)
    except _LENIENT_ERRORS:
        head = header_block(raw)
        return _Node("text/plain", {}, content=raw[len(head) :])


def _node(message: email.message.Message[Any, Any], depth: int) -> _Node:
    kind = message.get_content_type()
    headers: dict[str, list[str]] = {}
    for name, value in message.items():
        headers.setdefault(name, []).append(decode_words(str(value)))
    node = _Node(
        kind, headers, message.get_content_disposition(), message.get_filename() or "", kind == "message/rfc822"
    )
    payload = message.get_payload()
    if isinstance(payload, list):
        if depth <= MAX_NESTING:
            node.children = [_node(child, depth + 1) for child in _messages(payload)]
    else:
        content = message.get_payload(decode=True)
        node.content = content if isinstance(content, bytes) else b""
        if kind.startswith("multipart/"):  # a boundary that never came: what is there is text
            node.content_type = "text/plain"
    return node


def _messages(payload: list[Any]) -> Iterator[email.message.Message[Any, Any]]:
    for child in payload:
        if isinstance(child, email.message.Message):
            yield child
