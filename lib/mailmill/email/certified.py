"""Italian certified mail (PEC, RFC 6109): providers deliver a mail inside one of their own, below a notice.

The field X-Trasporto of the provider's mail tells that the other one is certified ("posta-certificata"), or ordinary
mail to a certified mailbox ("errore"). Receipts (X-Ricevuta) hold a mail, too, but that is their reader's own.
"""

from __future__ import annotations

from typing import Final

import fast_mail_parser

from mailmill.email.charsets import holds
from mailmill.email.fields import overencoded
from mailmill.email.header_values import header_value

_CARRIED: Final = b"postacert.eml"
_ENVELOPES: Final = frozenset({"posta-certificata", "errore"})


def unwrapped(raw: bytes) -> bytes:
    """The mail that the provider's mail `raw` carries; `raw` itself where it carries none, or is `overencoded`."""
    if not holds(raw, _CARRIED) or (header_value(raw, "X-Trasporto") or "").lower() not in _ENVELOPES:
        return raw
    if header_value(raw, "X-Ricevuta") or overencoded(raw):
        return raw
    try:
        parts = [fast_mail_parser.parse_email_tree(raw, mode="lazy")]
    except (fast_mail_parser.ParseError, UnicodeError):
        return raw
    while parts:
        part = parts.pop()
        if not part.is_message:
            parts.extend(part.children)
        elif part.filename.lower() == _CARRIED.decode():
            return part.content or raw
    return raw
