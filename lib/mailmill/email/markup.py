"""HTML markup as tags and text, read as a browser reads it.

Most mail programs write markup that means what it says: every element is closed where it should be, and nothing stands
where it may not. Such markup is cut into tags and text as it stands. All other is repaired by lexbor and serialised
first, which takes twice as long; documents whose nesting would make the repair quadratic are read without it.

Source: the WHATWG HTML standard, 13.2 (parsing) and 13.3 (serialising).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from selectolax.lexbor import LexborHTMLParser

T = TypeVar("T")

#: A tag and the text behind it: "/" of an end tag, name, attributes, text. Text that follows no tag has no name.
Token = tuple[str, str, str, str]

#: More open elements than this at once, and the markup is read as it stands instead of repaired.
MAX_DEPTH: Final = 1500
#: Attributes of more characters hold a picture, which is not worth the memory.
MAX_REMEMBERED: Final = 1000

VOID: Final = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr", "basefont", "frame", "keygen",
})  # fmt: skip
# Elements whose siblings close them.
_SELF_CLOSING: Final = frozenset({
    "p", "li", "td", "th", "tr", "dt", "dd", "option", "thead", "tbody", "tfoot",
})  # fmt: skip
_UNPARSED: Final = ["script", "style", "noscript", "noframes", "noembed", "iframe", "xmp", "plaintext", "template"]

# Of serialised markup. What begins like a tag and is none is text.
_TOKEN: Final = re.compile(
    r"<(?:(/?)([a-zA-Z][^\s/>]*+)([^\">]*+(?:\"[^\"]*+\"[^\">]*+)*+)>|!--.*?-->|![^>]*+>)?+([^<]*+)", re.DOTALL
)
_RAW_TOKEN: Final = re.compile(r"(?:<(/?)([a-zA-Z][^\s/<>]{0,40})([^<>]{0,4000})>)?([^<]*)")
_RAW_DROP: Final = re.compile(r"(?is)<(?:!--.*?(?:-->|\Z)|(script|style|title|head)\b.*?(?:</\1[^>]{0,50}>|\Z))")
_OPEN_OR_CLOSE: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})")

# Markup that means what it says.
_WHITE: Final = " \t\r\n\f"
_VALUE: Final = r"(?:\"[^\"<>]*+\"|'[^'\"<>]*+'|[^ \t\r\n\f\"'<>=`&]++)"
_ATTRIBUTES: Final = (
    rf"(?:[{_WHITE}]++[a-zA-Z][a-zA-Z0-9_:.-]*+(?:={_VALUE})?+)*+[{_WHITE}]*+/?[{_WHITE}]*+"  # <img alt="x" width=1 />
)
_ATTRIBUTE: Final = re.compile(rf"([a-zA-Z][a-zA-Z0-9_:.-]*+)(?:=({_VALUE}))?+")
_ALL_ATTRIBUTES: Final = re.compile(_ATTRIBUTES)
# <!-- --> without "--" in it, and Word's <![if …]>, which is read as one.
_A_COMMENT: Final = r"<!(?:--(?!-?>)[^-]*+(?:-[^-]++)*+-->|\[[^<>]*+>)"
_COMMENT: Final = re.compile(_A_COMMENT)
_PLAIN_TOKEN: Final = re.compile(rf"(?:<(/?)([a-zA-Z][a-zA-Z0-9:]*+)([^<>]*+)>|{_A_COMMENT})?+([^<]*+)")
# What stands before the body: nothing of it is shown.
_PROLOGUE: Final = re.compile(
    rf"[{_WHITE}]*+(?:<!doctype[^<>]*+>[{_WHITE}]*+)?+(?:<html((?![^ \t\r\n\f/>]){_ATTRIBUTES})>[{_WHITE}]*+)?+"
    rf"(?:<head>(?:[{_WHITE}]++|<(?:meta|link|base){_ATTRIBUTES}>|{_A_COMMENT}|"
    rf"<(style|title){_ATTRIBUTES}>[^<]*+(?:<(?!/\2)[^<]*+)*+</\2>)*+</head>[{_WHITE}]*+)?+",
    re.IGNORECASE | re.ASCII,
)
# Character references that Python and HTML read alike, in text and in attributes; ampersands that stand for themselves.
_REFERENCE: Final = re.compile(
    r"&(?:(?:[a-zA-Z]{2,8}|#(?:3[2-9]|[4-9]\d|1(?:[01]\d|2[0-6]|[6-9]\d)|[2-9]\d\d|[1-9]\d{3}|[1-4]\d{4}));"
    r"|(?![a-zA-Z0-9#]))"
)
_KEPT: Final = re.compile(r"&(?:nbsp|amp|quot|lt|gt);")
_LITERAL: Final = re.compile(r"&(?=[a-zA-Z0-9]++=|[^a-zA-Z0-9#]|$)")

_INLINE: Final = frozenset({
    "a", "abbr", "b", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "o:p", "q", "s",
    "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "br", "img", "wbr",
})  # fmt: skip
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
# They close a paragraph that is open.
_BLOCKS: Final = _HEADINGS | {
    "address", "article", "aside", "blockquote", "center", "div", "footer", "header", "hr", "main", "ol", "p",
    "section", "table", "ul",
}  # fmt: skip
_LISTS: Final = frozenset({"ol", "ul"})
_GROUPS: Final = frozenset({"tbody", "thead", "tfoot"})
_TABULAR: Final = _GROUPS | {"table", "tr"}  # they hold nothing but the next three
#: What stands nowhere but in certain elements.
_WITHIN: Final[dict[str, frozenset[str]]] = {
    "li": _LISTS,
    "td": frozenset({"tr"}),
    "th": frozenset({"tr"}),
    "tr": _GROUPS | {"table"},
    "tbody": frozenset({"table"}),
    "thead": frozenset({"table"}),
    "tfoot": frozenset({"table"}),
}
_NOWHERE: Final[frozenset[str]] = frozenset()
_KNOWN: Final = _INLINE | _BLOCKS | frozenset(_WITHIN)
_OUTER: Final = frozenset({"html", "body"})
_DEEP: Final = 200


def remembered(of: Callable[[str], T]) -> Callable[[str], T]:
    """`of`, a function of a start tag's attributes, that keeps what it found of the last thousands of short ones."""
    kept = lru_cache(maxsize=4096)(of)

    def remembering(attributes: str) -> T:
        return kept(attributes) if len(attributes) <= MAX_REMEMBERED else of(attributes)

    return remembering


def tokens_of(markup: str) -> list[Token]:
    """The tags and texts of `markup` in order, as `Token` says; attributes serialised: ` name="value"`.

    Linear in time, whatever the nesting; never raises. `markup` has no NUL character and no lone surrogate.
    """
    if _too_deep(markup):
        markup = _RAW_DROP.sub(" ", markup)
        return [(slash, tag.lower(), attributes, text) for slash, tag, attributes, text in _RAW_TOKEN.findall(markup)]
    tokens = plain_tokens(markup)
    return repaired_tokens(markup) if tokens is None else tokens


def repaired_tokens(markup: str) -> list[Token]:
    """The tokens of what lexbor makes of `markup`."""
    parser = LexborHTMLParser(markup)
    parser.strip_tags(_UNPARSED)
    tokens: list[Token] = _TOKEN.findall(parser.html or "")
    return tokens


def plain_tokens(markup: str) -> list[Token] | None:
    """The tokens of markup that means what it says; None where a parser might have to repair it.

    They show the same as `repaired_tokens`, which also has what the standard adds: a head, and html, body and tbody
    where they are left out.
    """
    ends = markup.count("</p") + markup.count("</P")
    if markup.count("<p") + markup.count("<P") != ends:  # paragraphs that something else ends: soon told, and common
        return None
    prologue = _PROLOGUE.match(markup)
    if prologue is None:
        return None
    tokens: list[Token] = _PLAIN_TOKEN.findall(markup, prologue.end())
    tags = markup.count("<", prologue.end())
    if "<!" in markup:
        tags -= sum([comment.count("<") for comment in _COMMENT.findall(markup, prologue.end())])
    if prologue[1] is not None:
        tokens.insert(0, ("", "html", prologue[1], ""))
        tags += 1
    nesting = _Nesting()
    for n, (slash, tag, attributes, text) in enumerate(tokens):
        if tag:
            tags -= 1
            name = tag if tag in _KNOWN else tag.lower()
            if slash:
                if not nesting.close(name) or attributes.strip(_WHITE):
                    return None
            else:
                plain = serialised(attributes) if attributes else ""
                if plain is None or not nesting.open(name):
                    return None
                attributes = plain
            tokens[n] = (slash, name, attributes, text)
        if text and not nesting.holds(text):
            return None
    return tokens if tags == 0 and nesting.complete() else None


class _Nesting:
    """The open elements, as long as each stands and ends where the standard has it."""

    __slots__ = ("_begun", "_ended", "_links", "_paragraphs", "_stack")

    def __init__(self) -> None:
        self._stack: list[str] = []
        self._begun = False  # something of the body was seen
        self._ended = False  # the end of the body was seen
        self._paragraphs = 0
        self._links = 0

    @property
    def _top(self) -> str:
        return self._stack[-1] if self._stack else ""

    def open(self, tag: str) -> bool:
        """May `tag` begin here, closing and moving nothing?"""
        stack = self._stack
        if tag not in _KNOWN:
            if tag not in _OUTER or self._begun or tag in stack or "body" in stack:
                return False
            stack.append(tag)
            return True
        self._begun = True
        top = self._top
        if self._ended or ((tag in _WITHIN or top in _TABULAR) and top not in _WITHIN.get(tag, _NOWHERE)):
            return False
        if tag in _BLOCKS and (self._paragraphs or (tag in _HEADINGS and top in _HEADINGS)):
            return False
        if tag in VOID:
            return True
        if tag == "p":
            self._paragraphs += 1
        elif tag == "a":
            self._links += 1
        stack.append(tag)
        return self._links < 2 and len(stack) < _DEEP

    def close(self, tag: str) -> bool:
        """Is `tag` what ends here?"""
        if not self._stack or self._stack.pop() != tag:
            return False
        if tag == "p":
            self._paragraphs -= 1
        elif tag == "a":
            self._links -= 1
        elif tag in _OUTER:
            self._ended = True
        return True

    def holds(self, text: str) -> bool:
        """May `text` stand here, and do its character references mean to Python what they mean to HTML?"""
        if (not self._begun or self._ended or self._top in _TABULAR) and text.strip(_WHITE):
            if self._begun or self._ended:
                return False
            self._begun = True
        return "&" not in text or len(_REFERENCE.findall(text)) == text.count("&")

    def complete(self) -> bool:
        """Is nothing open that shows?"""
        return not self._stack or self._stack[-1] in _OUTER


@remembered
def serialised(attributes: str) -> str | None:
    """A start tag's attributes as the standard serialises them; None for what it might read otherwise."""
    if _ALL_ATTRIBUTES.fullmatch(attributes) is None:
        return None
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(attributes):
        name = name.lower()
        if name in found:
            return None
        if value[:1] in ("'", '"'):
            value = value[1:-1]
        if "&" in value:
            value = _LITERAL.sub("&amp;", value)
            if len(_KEPT.findall(value)) != value.count("&"):
                return None
        if "\r" in value:
            value = value.replace("\r\n", "\n").replace("\r", "\n")
        found[name] = value.replace("\xa0", "&nbsp;")
    return "".join([f' {name}="{value}"' for name, value in found.items()])


def _too_deep(markup: str) -> bool:
    """Would more than `MAX_DEPTH` elements be open at once? Counted without repair, siblings aside."""
    if markup.count("<") <= MAX_DEPTH:
        return False
    depth = 0
    for slash, tag in _OPEN_OR_CLOSE.findall(markup):
        tag = tag.lower()
        if tag in VOID or tag in _SELF_CLOSING:
            continue
        if slash:
            depth -= depth > 0
        else:
            depth += 1
            if depth > MAX_DEPTH:
                return True
    return False
