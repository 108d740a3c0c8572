"""Bytes to text when the declared charset is missing, unknown or a lie.

Mail names charsets carelessly: "latin1" usually means Windows-1252, "gb2312" the larger GB18030,
"us-ascii" whatever the sender's editor produced. The superset is decoded instead (the WHATWG Encoding
Standard does the same), valid UTF-8 is believed where its label names a charset of single bytes, a page's
own `<meta>` where there is no label, and codecs that are no
charsets (Python's own escapes) are refused.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final

# Declared name (lower case, without punctuation) -> the superset that is meant.
_SUPERSETS: Final = {
    "usascii": "cp1252", "ascii": "cp1252", "iso88591": "cp1252", "latin1": "cp1252", "l1": "cp1252",
    "iso8859": "cp1252", "88591": "cp1252", "windows1252": "cp1252", "ansix341968": "cp1252", "ansi": "cp1252",
    "iso88599": "cp1254", "latin5": "cp1254", "iso885911": "cp874", "tis620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "cngb": "gb18030", "cp936": "gb18030", "xgbk": "gb18030", "hzgb2312": "hz",
    "ksc56011987": "cp949", "ksc5601": "cp949", "euckr": "cp949", "ksc56011989": "cp949", "windows949": "cp949",
    "shiftjis": "cp932", "sjis": "cp932", "xsjis": "cp932", "windows31j": "cp932", "mskanji": "cp932",
    "big5": "big5hkscs", "xxbig5": "big5hkscs", "cnbig5": "big5hkscs",
    "iso88598i": "iso8859_8", "iso88598e": "iso8859_8",
    "unicode11utf7": "utf_7", "unicode11utf8": "utf_8", "utf8mb4": "utf_8",
    "xmacroman": "mac_roman", "macintosh": "mac_roman", "xmaccyrillic": "mac_cyrillic", "xmacce": "mac_latin2",
    "xuserdefined": "cp1252", "iso2022jp": "iso2022_jp_2", "csiso2022jp": "iso2022_jp_2", "iso2022jpms": "iso2022_jp_2",
    "xeucjp": "euc_jp", "ucs2": "utf_16",
}  # fmt: skip

# Microsoft's code pages by the names that programs make up for them ("x-cp1251", "win-1251", "cp-1251").
_CODE_PAGE: Final = re.compile(r"x?(?:cp|win|windows)(\d{3,5})")

# Labels that say nothing.
_EMPTY: Final = frozenset({
    "", "unknown", "xunknown", "unknown8bit", "8bit", "7bit", "default", "none", "binary", "utf",
})  # fmt: skip

# Text codecs of Python that no mail means, or that can be made to work very long.
_REFUSED: Final = frozenset({
    "unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs", "oem", "unicode-escape",
    "raw-unicode-escape",
})  # fmt: skip

# Charsets in which ASCII bytes may mean something else.
_ESCAPING: Final = ("utf7", "utf16", "utf32", "iso2022", "hz", "unicode")

# Shifts of ISO-2022-JP, and what follows them: pairs of JIS X 0208, half-width kana, what is nearly ASCII.
_SHIFTED: Final = re.compile(rb"\x1b(\$[@B]|\([IBJ])([^\x1b]*)")
_KANJI: Final = re.compile(rb"\x1b\$[@B][\x21-\x7e]{2}")
_PAIR: Final = re.compile(rb"[\x21-\x7e]{2}")
_TO_HIGH: Final = bytes(byte | 0x80 if 0x21 <= byte < 0x60 else byte for byte in range(256))
# What a page says of itself, near its beginning.
_META: Final = re.compile(rb"<meta\s[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)

_NOISE: Final = re.compile(r"[^a-z0-9]+")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")


def decode_text(payload: bytes, charset: str = "", newlines: bool = True) -> tuple[str, bool]:
    """(`payload` as text, was the declared charset not usable).

    Newlines become LF, where `newlines` says so; NUL characters and a byte-order mark are dropped. Never raises:
    what no charset explains is read as Windows-1252 with U+FFFD for the rest.
    """
    text, guessed = _decode(payload, charset)
    return normalise(text, newlines), guessed


def holds(data: bytes, part: bytes) -> bool:
    """`part in data`; CPython asks first whether `part` is a number, and raising that it is none takes longer."""
    return data.find(part) >= 0


def normalise(text: str, newlines: bool = True) -> str:
    """LF newlines, no NUL, no lone surrogate, no leading byte-order mark."""
    if newlines and "\r" in text:
        text = "\n".join(text.split("\r\n"))  # in two thirds of the time of `replace`
        if "\r" in text:
            text = text.replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "")
    if not text.isascii():
        try:
            text.encode()  # twenty times as fast as looking for what it refuses
        except UnicodeEncodeError:
            text = _SURROGATES.sub("\ufffd", text)
        text = text.removeprefix("\ufeff")
    return text


def _decode(payload: bytes, charset: str) -> tuple[str, bool]:
    name = _label(charset)
    ascii_only = payload.isascii()
    if ascii_only and not name.startswith(_ESCAPING) and not holds(payload, b"\0"):
        if holds(payload, b"\x1b") and _KANJI.search(payload):
            return _iso2022_jp(payload), _codec(name, charset) != "iso2022_jp_2"
        return payload.decode("ascii"), False
    for mark, encoding in _BOMS:
        if payload.startswith(mark):
            try:
                return payload.decode(encoding), False
            except UnicodeDecodeError:
                break
    wide = _without_bom(payload)
    if wide:
        return payload.decode(wide, "replace"), not name.startswith("utf16")
    if name == "utf8":
        try:
            return payload.decode("utf-8"), False
        except UnicodeDecodeError:
            return _fallback(payload)
    codec = _codec(name, charset)
    if not codec or _of_single_bytes(codec):
        try:
            return payload.decode("utf-8"), True
        except UnicodeDecodeError:
            text = payload.decode(codec or _of_page(payload), "replace")
            return text, not codec or (codec != "cp1252" and "\ufffd" in text)
    try:
        return payload.decode(codec), False
    except (UnicodeError, ValueError):
        if not ascii_only or name.startswith(("utf16", "utf32")):  # else the escapes themselves would be the text
            try:
                return payload.decode("utf-8"), True
            except UnicodeDecodeError:
                pass
        if codec.startswith("iso2022_jp"):
            return _iso2022_jp(payload), False
        return payload.decode(codec, "replace"), True


@lru_cache(maxsize=64)
def _of_single_bytes(codec: str) -> bool:
    """Whether each byte is a character: chance makes no valid UTF-8 of such text, so valid UTF-8 is what it says."""
    return not codec.startswith(_ESCAPING) and len(bytes(range(256)).decode(codec, "replace")) == 256


def _of_page(payload: bytes) -> str:
    """The codec that a page names in its markup, Windows-1252 if none."""
    found = _META.search(payload, 0, 2048)
    if found is None:
        return "cp1252"
    charset = found[1].decode("ascii", "replace")
    codec = _codec(_label(charset), charset)
    return "cp1252" if codec.startswith("utf") else codec or "cp1252"


def _iso2022_jp(payload: bytes) -> str:
    """ISO-2022-JP with the characters of Windows that its standard lacks (circled digits, half-width kana).

    Windows-932 holds them, and the pairs of JIS X 0208 turn into its pairs by arithmetic.
    """
    try:
        return payload.decode("iso2022_jp_2")
    except (UnicodeError, ValueError):
        return _SHIFTED.sub(_as_cp932, payload).decode("cp932", "replace")


def _as_cp932(shifted: re.Match[bytes]) -> bytes:
    if shifted[1] == b"(I":
        return shifted[2].translate(_TO_HIGH)
    return shifted[2] if shifted[1][:1] == b"(" else _PAIR.sub(_pair_as_cp932, shifted[2])


def _pair_as_cp932(pair: re.Match[bytes]) -> bytes:
    row, cell = pair[0]
    lead = (row + 1) // 2 + (0x70 if row < 0x5F else 0xB0)
    return bytes((lead, cell + (0x7E if row % 2 == 0 else 0x1F if cell < 0x60 else 0x20)))


@lru_cache(maxsize=256)
def _label(charset: str) -> str:
    return _NOISE.sub("", charset.lower())


def _fallback(payload: bytes) -> tuple[str, bool]:
    """Declared UTF-8 and not quite: mostly UTF-8 with a few broken bytes, or Windows-1252 altogether."""
    text = payload.decode("utf-8", "replace")
    high = len(payload) - len(payload.translate(None, bytes(range(128, 256))))
    return (text if text.count("\ufffd") * 4 < high else payload.decode("cp1252", "replace")), True


def _without_bom(payload: bytes) -> str:
    """The UTF-16 flavour that the NULs of `payload` betray, or ''."""
    if b"\0" not in payload[:400] or len(payload) < 8:
        return ""
    sample = payload[: 400 - len(payload[:400]) % 2]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd * 10 > half * 4 and even * 10 < half:
        return "utf-16-le"
    return "utf-16-be" if even * 10 > half * 4 and odd * 10 < half else ""


def _codec(name: str, charset: str) -> str:
    """Python's name of the charset that is meant, '' when unknown."""
    if name in _EMPTY:
        return ""
    page = _CODE_PAGE.fullmatch(name)
    known = _SUPERSETS.get("cp" + page[1] if page else name) or _SUPERSETS.get(name)
    if known:
        return known
    try:
        info = codecs.lookup("cp" + page[1] if page else charset.strip(" \"'<>"))
    except (LookupError, ValueError):
        return ""
    return info.name if getattr(info, "_is_text_encoding", True) and info.name not in _REFUSED else ""
