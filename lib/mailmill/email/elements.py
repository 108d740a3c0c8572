"""What elements do to the layout of a page: by their names, and by their attributes."""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.markup import VOID

_DROPPED: Final = frozenset({
    "script", "style", "head", "title", "template", "noscript", "noframes", "noembed", "iframe", "object",
    "applet", "svg", "math", "select", "audio", "video", "canvas", "map", "button", "datalist",
    "xmp",
})  # fmt: skip
_BLOCKS: Final = frozenset({
    "address", "article", "aside", "body", "center", "dd", "details", "dir", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "header", "html", "legend", "li", "main", "menu", "nav", "p",
    "section", "summary", "tbody", "textarea", "tfoot", "thead", "tr",
})  # fmt: skip
_PARAGRAPHS: Final = frozenset({
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "pre", "listing",
})  # fmt: skip

#: What an element does to the layout; those without a role only carry text and evidence.
ROLES: Final = (
    dict.fromkeys(_BLOCKS, "block")
    | dict.fromkeys(_PARAGRAPHS, "paragraph")
    | dict.fromkeys(("td", "th"), "cell")
    | dict.fromkeys(_DROPPED, "dropped")
    | dict.fromkeys(VOID, "void")
)

#: Word's paragraphs, and others without space between them: an empty one is the blank line.
TIGHT: Final = re.compile(
    r"mso(?:normal|plaintext)|margin(?:-bottom)?:\s?0(?:px|pt|in|cm)?\s?[;\"]|"
    r"margin:\s?0(?:px|pt|in|cm)? 0(?:px|pt|in|cm)? (?:0(?:px|pt|in|cm)?\s?[;\"]|0?\.0{1,6}1pt)",
    re.IGNORECASE,
).search
#: Images that are not to be seen.
PIXEL: Final = re.compile(r"(?<![\w-])(?:width|height)[=:]\s?\"?[0-3](?:px)?[\s\";]").search
#: Text that stays as it is.
PREFORMATTED: Final = re.compile(r"white-space:\s?(?:pre|break-spaces)").search
