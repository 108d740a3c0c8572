"""What programs write in place of attached files: their names, what they make of pictures, where archives have them."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from mailmill.email.banners import field_of
from mailmill.email.lines import Lines
from mailmill.email.patterns import PATTERNS
from mailmill.email.speech import announces
from mailmill.email.tails import Marks, mark, signs

_ATTACHMENT: Final = re.compile(
    r"[-<(\[ ]{1,4}[^<>]{1,90}\."
    r"(?:docx?|xlsx?|pptx?|pdf|wpd|txt|zip|gif|jpe?g|png|bmp|html?|rtf|csv|tiff?|vcf|mp3|wav|eml)[>)\] ]{0,3}$",
    re.IGNORECASE,
)
_ALT: Final = re.compile(r"\balt=\"([^\"]{1,200})\"")
_FILE: Final = re.compile(r"\.(?:gif|jpe?g|png|bmp|svg)$", re.IGNORECASE)
#: "[cid:image001.png@01DB.7C]", and what else stands between brackets; a link of the picture's may follow.
_NAMED: Final = re.compile(r"\[(?:cid|image):[^\[\]]{1,120}\]$", re.IGNORECASE)
#: Of these, what holds no words of anybody's: "[image: image.png]", "[image: Inline image 1]", no "[cid:name]".
_WORDLESS: Final = re.compile(
    r"\[(?:cid:(?=[^\[\]]{0,100}[\d@.])|image:[^\[\]]{1,100}(?:\.(?:gif|jpe?g|png|bmp|svg|heic|webp)| \d{1,3})\])",
    re.IGNORECASE,
)
#: Pictures with their links, side by side, in a signature: "[Logo]<https://firm.example/> [Facebook]<https://…>".
_ROW: Final = re.compile(
    r"(?:\[[^\[\]\d][^\[\]]{0,80}\][ \t]?<(?:https?:|mailto:)[^<>\s]{1,300}>[ \t|]{0,3}){1,8}$", re.IGNORECASE
)
#: "-------------- next part --------------" of a list's archive, in any language, and how what it says of a part ends.
_NEXT_PART: Final = re.compile(r"-{8,20} [^-]{4,40} -{8,20}$")
_SCRUBBED: Final = re.compile(r"URL ?: ?<?https?://\S{1,200}/attachments/|HTML attachment scrubbed and removed$")
_LINKED: Final = re.compile(r"\][ \t]?<(?:https?:|mailto:)[^<>\s]{1,300}>$")


def words_of(attributes: str) -> str:
    """What an image's attributes say that its author wrote of it; '' for nothing."""
    alt = _ALT.search(attributes)
    # The icon with which Notes folds a quote repeats it: "… ---03/03/2025 16:01:12---Dear Jo, …".
    if not alt or _FILE.search(alt[1].strip()) or alt[1].count("---") > 1 or _is_generated(unescape(alt[1])):
        return ""
    return alt[1]


def _is_generated(text: str) -> bool:
    """Does a text end with what programs say of a description that is their own?"""
    return PATTERNS.generated.search(" ".join(text.split()).lower().rstrip(" ].")) is not None


def strip_pictures(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """What stands for pictures at the end of the lines `solid`, or without a word amidst them; what is left."""
    amidst = [i for i in solid if lines.bares[i][0] == "[" and _is_wordless(lines.bares[i])]
    if 0 < len(amidst) < len(solid):
        mark(marks, amidst, "footer", "footer.picture")
        solid = [i for i in solid if marks[i] is None]
    k = len(solid)
    while k > 1 and (size := _picture(lines, solid, k)):
        k -= size
    mark(marks, solid[k:], "footer", "footer.picture")
    return solid[:k]


def _is_wordless(bare: str) -> bool:
    """Does a line stand for a picture, perhaps with its link, of which it says nothing?"""
    return _WORDLESS.match(bare) is not None and _NAMED.match(_LINKED.sub("]", bare)) is not None


def _picture(lines: Lines, solid: list[int], k: int) -> int:
    """How many of the lines right above place `k` stand for one picture; in brackets they may be up to three."""
    bare = lines.bares[solid[k - 1]]
    if bare[-1] == ">":
        rows = 1
        while rows < k and _ROW.match(lines.bares[solid[k - rows]]):
            rows += 1
        if rows > 1 and signs(lines[solid[k - rows]]):
            return rows - 1
        bare = _LINKED.sub("]", bare)
    if _NAMED.match(bare):
        return 1
    if bare[-1] != "]" or len(bare) > 300 or not _is_generated(bare):
        return 0  # a sentence may end so
    return next((size for size in (1, 2, 3) if size < k and lines.bares[solid[k - size]][0] == "["), 0)


def strip_scrubbed(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """Where a list's archive (Mailman) has the parts that it took off, below "next part"; what is left.

    A part that it shows stands below such a line, too, and stays with it.
    """
    bares, found = lines.bares, False
    for i in solid:
        if not bares[i].startswith("--------") or not _NEXT_PART.match(bares[i]):
            continue
        end = i + 1
        while end < len(lines) and bares[end] and end - i < 8 and not _SCRUBBED.match(bares[end]):
            end += 1
        if end < len(lines) and _SCRUBBED.match(bares[end]):
            mark(marks, range(i, end + 1), "footer", "footer.scrubbed")
            found = True
    return [i for i in solid if marks[i] is None] if found else solid


def strip_attachments(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """Names of attachments that some programs list below the text (" - budget.xls")."""
    size = k = len(solid)
    while k and (bare := lines.bares[solid[k - 1]])[:1] in "-<([" and "://" not in bare and _ATTACHMENT.match(bare):
        k -= 1
    if 0 < k < size and _lists(lines, solid, k):
        k -= 1  # with what introduces them
        mark(marks, solid[k:], "body", "body.introduced")
    else:
        mark(marks, solid[k:], "footer", "footer.attachment")
    return solid[:k]


def _lists(lines: Lines, solid: list[int], k: int) -> bool:
    """Does the author list the files from `solid[k]` on: below "Missing:", or right below words that they end ("I never
    received") in a paragraph that nobody signs? "Attachments:" is a program's, as are names between two angles each.
    """
    above = lines.bares[solid[k - 1]]
    if lines.bares[solid[k]].startswith("<<"):
        return False
    if announces(above):
        return field_of(above) is None
    if not above[-1].isalnum():
        return False
    low = k
    while low and solid[low] == solid[low - 1] + 1:
        low -= 1
    return low < k and not any([signs(lines[i]) for i in solid[low:k]])
