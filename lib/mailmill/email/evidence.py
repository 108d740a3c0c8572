"""What mail programs write around quotes, signatures and hidden text, and what it means.

Classes, ids and styles are the same in every language, which makes them better evidence than words.
The names here are matched against an element's attributes in lower case; the first that matches wins.
"""

from __future__ import annotations

import re
from typing import Final

from mailmill.email.markup import remembered

_NAMING: Final = frozenset({"class", "id", "type", "data-marker"})
#: Evidence of these attributes: name -> pattern. Superhuman and Freshdesk build their quotes as Gmail does.
_NAMED: Final = {
    "html.answer": r"data-marker=\"answer\"",
    "html.gmail_attr": r"gmail_attr|gmail_quote_attribution",
    "html.moz_cite_prefix": r"moz-cite-prefix|moz-email-headers-table",
    "html.gmail_signature": r"gmail_signature",
    "html.moz_signature": r"moz-signature",
    "html.outlook_mobile_signature": r"ms-outlook-mobile-signature|applemailsignature|mobile_signature",
    "html.protonmail_signature": r"protonmail_signature",
    "html.spark_signature": r" name=\"messagesignaturesection\"",
    "html.signature": r"(?<![\w-])signature(?![\w-])|mail_signature|x_signature",
    "html.outlook_signature": r"id=\"[^\"]{0,20}_signature\"",
    "html.gmail_quote": r"gmail_quote|sh-quoted-content|freshdesk_quote",
    "html.outlook_reply": r"divrplyfwdmsg|outlookmessageheader|appendonsend|olk_src_body_section|stopspelling",
    "html.outlook_reference": r"reference-message",
    "html.yahoo_quoted": r"yahoo_quoted|yahoo-quoted",
    "html.protonmail_quote": r"protonmail_quote",
    "html.zimbra_headers": r"data-marker=\"__(?:headers|divider)__",
    "html.zimbra_signature": r"data-marker=\"__sig_p",
    "html.zimbra_quote": r"zmail_extra|zmquoted|originalemail|data-marker=\"__quoted_text__",
    "html.notes_title": r"class=\"domino-section-head\"",
    "html.gmx_quote": r" name=\"quote(?:d-content)?\"",
    "html.blockquote_cite": r"type=\"?cite|class=\"[^\"]{0,40}(?:moz-quote|quote-content)|tutanota_quote",
}

#: Evidence of style attributes. Word draws a line of this kind above the header of what it quotes, or at its left;
#: Windows Mail another, and Orange's webmail at the left of what it quotes.
_STYLED: Final = {
    "html.orange_quote": r"padding-left:\s?5px;\s?margin-left:\s?5px;\s?border-left:\s?"
    r"(?:2px solid #ff6600|#ff6600 2px solid)",
    "html.outlook_indent": r"border:\s?none;\s?border-left:\s?solid (?:blue|#[0-9a-f]{6}) 1\.5pt",
    "html.outlook_border": r"border:\s?none;\s?border-top:\s?solid #[0-9a-f]{6} 1\.0pt|"
    r"padding-top:\s?5px;\s?border-top-color:\s?rgb\(229, ?229, ?229\);\s?border-top-width:\s?1px",
    "hidden": r"(?<![\w-])(?:display:\s?none|visibility:\s?hidden|mso-hide:\s?all|"
    r"max-height:\s?0(?![.\d])|opacity:\s?0(?![.\d]))",
}

#: What hides an element that shows nothing else.
UNSEEN: Final = frozenset({"hidden", "tiny"})

#: From these on, all that follows in the document belongs to the earlier message.
LASTING: Final = frozenset({"html.outlook_reply", "html.outlook_border"})

#: Around what new Outlook and its telephones quote, where an answer may stand below; or around its header alone.
REFERENCE: Final = "html.outlook_reference"

#: What its author wrote inside a quote and announced above it; the mark is `answers.coloured`'s.
ANSWER: Final = "html.answer"

#: Headers of a quote count wherever they stand, even inside the quote's own element; so do answers.
HEADERS: Final = frozenset({"html.gmail_attr", "html.moz_cite_prefix", "html.zimbra_headers", ANSWER})

#: The <div class="gmail_quote"> around attribution and quote; an answer below the quote stands in it too.
FRAME: Final = "html.gmail_frame"

#: A plain <blockquote> may be an indented paragraph; what stands in it and beside it decides.
WEAK: Final = "html.blockquote"
UNDECIDED: Final = frozenset({"", WEAK})

#: What a mark of the HTML renderer or the MIME reader means: the zone of the lines that carry it.
EVIDENCE_ZONES: Final = {
    ANSWER: "body",
    "html.gmail_attr": "header",
    "html.moz_cite_prefix": "header",
    "html.gmail_signature": "signature",
    "html.moz_signature": "signature",
    "html.outlook_mobile_signature": "mobile",
    "html.protonmail_signature": "signature",
    "html.spark_signature": "signature",
    "html.signature": "signature",
    "html.outlook_signature": "signature",
    "html.gmail_quote": "quoted",
    "html.gmail_frame": "quoted",
    "html.outlook_reply": "quoted",
    REFERENCE: "quoted",
    "html.outlook_border": "quoted",
    "html.yahoo_quoted": "quoted",
    "html.protonmail_quote": "quoted",
    "html.zimbra_headers": "header",
    "html.zimbra_signature": "signature",
    "html.zimbra_quote": "quoted",
    "html.notes_title": "header",
    "html.gmx_quote": "quoted",
    "html.blockquote_cite": "quoted",
    WEAK: "quoted",
    "html.outlook_indent": "quoted",
    "html.orange_quote": "quoted",
    "mime.rfc822": "forwarded",
}

# Too small to be read, and large again within it, as in the columns of MJML.
_TINY: Final = re.compile(r"(?<![\w-])font-size:\s?[01](?:px|pt)?\s?[;\"!]").search
_SIZED: Final = re.compile(
    r"(?<![\w-])size=[\"']?[+-]?[1-7]|(?<![\w-])font(?:-size:\s?|:[^;\"]{0,60}?(?<![\w./-]))"
    r"(?:(?!0+(?:\.0+)?[a-z])\d{0,4}\.?\d{1,4}(?:px|pt|rem|[cm]m|in)|(?:xx?-)?(?:small|large)(?!r)|medium|"
    r"(?:var|calc|clamp|max)\()",
    re.IGNORECASE,
).search

_NAMES: Final = (tuple(_NAMED), tuple(_STYLED))
_NAMED_SEARCH: Final = re.compile("|".join(f"({pattern})" for pattern in _NAMED.values())).search
_STYLED_SEARCH: Final = re.compile("|".join(f"({pattern})" for pattern in _STYLED.values())).search
# Whatever its quotes; one that has no value, too, so that each character is looked at once.
_ATTRIBUTES: Final = re.compile(r"([^\s=]++)(?:=(\"[^\"]*+\"|'[^']*+'|\S*+))?+").findall
_STRUCTURE: Final = (
    "gmail_quote", "moz-cite-prefix", "yahoo_quoted", "protonmail_quote", "divRplyFwdMsg", "OLK_SRC_BODY_SECTION",
    "reference-message", "zmail_extra", "__QUOTED_TEXT__", "tutanota_quote", 'name="quote', "domino-section-head",
    "messageSignatureSection", "sh-quoted-content", "freshdesk_quote",
)  # fmt: skip
_MARKS: Final = "\"'"
_CALLED: Final = ("quote", "messagesignature")
_CITED: Final = re.compile("type=[\"']?cite").search
_BORDERED: Final = re.compile(
    "border-top:solid #[0-9a-fA-F]{6} 1|border-left:solid blue 1.5pt|"
    "padding-top: ?5px; ?border-top-color: ?rgb\\(229, ?229, ?229\\); ?border-top-width: ?1px|"
    "<(?:blockquote|BLOCKQUOTE)[^>]{0,300}(?:border-left|BORDER-LEFT):"
).search


def has_structure(markup: str) -> bool:
    """Does the markup name what is quoted in it?"""
    for name in _STRUCTURE:  # looking for one text after the other takes half of the time of a pattern
        if name in markup:
            return True
    if "cite" in markup and _CITED(markup):
        return True
    return ("border-" in markup or "BORDER-" in markup) and _BORDERED(markup) is not None


@remembered
def evidence_of(attributes: str) -> str:
    """The evidence that an element's attributes carry, "hidden", "tiny", or ''.

    Only names and styles are evidence: an address or a title may say "signature", too.
    """
    named, styled = [], []
    for name, value in _ATTRIBUTES(attributes.lower()):
        if name in _NAMING:
            named.append(f'{name}="{value.strip(_MARKS)}"')
        elif name == "name" and value.strip(_MARKS).startswith(_CALLED):  # other names are those of places to jump to
            named.append(f' name="{value.strip(_MARKS)}"')
        elif name == "style":
            styled.append(f'"{value.strip(_MARKS)}"')
    if named:
        found = _NAMED_SEARCH(" ".join(named))
        if found and found.lastindex:
            return _NAMES[0][found.lastindex - 1]
    if styled:
        style = " ".join(styled)
        found = _STYLED_SEARCH(style)
        if found and found.lastindex:
            return _NAMES[1][found.lastindex - 1]
        if _TINY(style):
            return "tiny"
    return ""


def is_sized(attributes: str) -> bool:
    """Have an element's letters a size of their own, whatever it is around it?"""
    return _SIZED(attributes) is not None
