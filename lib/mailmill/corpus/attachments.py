"""Small attachments that are whole files of their kind: PNG images and one-page PDFs."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from mailmill.corpus.draw import Draw

_NAMES = ("receipt", "photo", "invoice 2031", "scan0001", "Rechnung März", "reçu", "IMG_2214", "Screenshot")


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a mail; `content_id` is "" unless the HTML shows it."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""


def attachment(draw: Draw) -> Attachment:
    """A PNG of 8-24 pixels a side, or a PDF of one page."""
    name = draw.pick(_NAMES)
    if draw.chance(0.5):
        return Attachment(f"{name}.png", "image/png", png(draw, draw.between(8, 24)))
    return Attachment(f"{name}.pdf", "application/pdf", pdf(f"No. {draw.between(1000, 999999)}"))


def png(draw: Draw, side: int) -> bytes:
    """A PNG image (ISO/IEC 15948) of `side` x `side` grey pixels; stored, so no compressor's version shows."""
    row = b"\0" + draw.octets(side)
    pixels = row * side
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(pixels), len(pixels) ^ 0xFFFF) + pixels
    stored += struct.pack(">I", zlib.adler32(pixels))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", stored) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def pdf(text: str) -> bytes:
    """A PDF 1.4 file of one page that shows `text` (ASCII, without brackets)."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    file = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(file)
    file += b"xref\n0 6\n0000000000 65535 f \n" + table
    return file + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start
