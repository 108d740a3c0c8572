"""Markup read as it stands, beside what a browser's parser makes of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mailmill.email.html import lay_out
from mailmill.email.markup import plain_tokens, repaired_tokens, serialised, tokens_of
from mailmill.email.mime import read_message
from mailmill.errors import RejectedMessage

_INLINE = ["a", "b", "i", "font", "span", "u", "o:p", "SPAN"]
_BLOCKS = ["div", "p", "blockquote", "center", "h1", "h2", "address", "DIV", "P"]
_ODD = [
    "table", "tbody", "tr", "td", "ul", "ol", "li", "pre", "form", "title", "style", "script", "select", "option",
    "svg",
    "math", "button", "html", "body", "head", "dl", "dt", "dd", "caption", "col", "textarea", "nobr", "plaintext",
    "frameset", "template", "br", "hr", "img", "image", "input", "wbr", "x-y", "marquee", "noscript",
]  # fmt: skip
_ATTRIBUTES = [
    "", " ", ' class="gmail_quote"', " class=gmail_quote", " CLASS='moz-signature' id=x", ' style="display:none"',
    ' style="margin:0;font:&quot;Arial&quot;"', ' href="?a=1&b=2&copy=3"', ' title="a > b"', " title='say \"x\"'",
    ' alt="a & b"', ' alt="caf&eacute;"', ' alt="x" alt="y"', " nowrap", " /", "/", ' start="4"',
    ' width="1"\n height=1',
    ' type="cite"', ' a"b', ' title="x', ' title="&#', " lang=de\u00a0x", " \u00e9=1", ' alt="\u00a0x\r\ny"',
]  # fmt: skip
_TEXTS = [
    "word", "two words", " ", "\n", "\r\n", "\u00a0", "&nbsp;", " &amp; ", "&lt;b&gt;", "caf&eacute;", "&eacute",
    "&#8217;",
    "&#128;", "&#0;", "&#x27;", "AT&T", "a & b", "&", "&notit;", "&unknown;", "1 < 2", "<3", "a > b", "x\ry",
    "&amp;nbsp;",
    "caf\u00e9", "<!-- c -->", "<!-->", "<!-- a -- b -->", "<![if !x]>", "<!doctype html>", "<?xml version='1'?>",
    "</ p>",
    "<!--[if gte mso 9]><xml><b></xml><![endif]-->", "<![CDATA[x]]>", "</", "<", "\x0b", "\f", "&&amp;", "&nbsp;&nbsp;",
]  # fmt: skip
_PROLOGUES = [
    "", "<html>", "<!DOCTYPE html>\n<html><head></head><body>",
    "<HTML xmlns:o='urn:x' ><HEAD><TITLE>a <b></TITLE></HEAD>\n",
    "<html><head>\n<style><!-- p > b {} --></style><meta name=x content='y'><!-- c --></head><body style='a:b' >",
    "<body>",
    "<head><meta content='><title>'></title></head>", "<head><style>a</style x></head>", " <html\u00a0x>",
    "<head>text</head>",
    "<html><body class='gmail_quote'>", "<html hidden><head><style>a</STYLE></head>text",
    "<!-- c --><html><head></head>",
]  # fmt: skip

_plain_text = st.sampled_from(["word ", "two", " ", "\r\n", "&nbsp;", "\u00a0", "&amp;"])
_text = st.lists(_plain_text | _plain_text | st.sampled_from(_TEXTS), max_size=2).map("".join)
_plain_attributes = st.sampled_from(["", ' class="x"', " type=cite", ' style="display:none"', " start=4"])
_attributes = _plain_attributes | _plain_attributes | st.sampled_from(_ATTRIBUTES)


def _element(content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def element(tag: str, attributes: str, inner: str) -> str:
        return f"<{tag}{attributes}>{inner}</{tag}>"

    tags = st.sampled_from([*_INLINE, *_BLOCKS])
    row = st.lists(content.map("<td>{}</td>".format), max_size=3).map(lambda cells: f"<tr>{''.join(cells)}</tr>")
    table = st.builds("<table{}>{}</table>".format, _attributes, row) | row.map(
        "<table>\n<tbody> {}</tbody></table>".format
    )
    items = st.lists(content.map("<li>{}</li>\n".format), max_size=3).map("".join)
    lists = st.builds(element, st.sampled_from(["ul", "ol"]), _attributes, items)
    void = st.builds("<{}{}>".format, st.sampled_from(["br", "hr", "img", "wbr"]), _attributes)
    return st.builds(element, tags, _attributes, content) | table | lists | void


#: Well nested, most of it; and tags in any order.
_nested = st.recursive(_text, lambda inner: st.lists(_element(inner) | _text, max_size=3).map("".join), max_leaves=12)
_tag = st.builds(
    "<{}{}{}>".format, st.sampled_from(["", "/"]), st.sampled_from([*_INLINE, *_BLOCKS, *_ODD]), _attributes
)
_any = st.lists(_tag | _text, max_size=12).map("".join)
_ends = st.sampled_from(["", "", "\n", "</body>", "</body></html>\r\n", "</body></html>late", "</html><b>late</b>"])


def _agrees(markup: str) -> bool:
    """Whether `markup` is read as it stands; then it shows what the repaired one shows."""
    tokens = plain_tokens(markup)
    if tokens is None:
        return False
    assert lay_out(tokens) == lay_out(repaired_tokens(markup))
    return True


@settings(max_examples=1000)
@given(st.builds("{}{}{}".format, st.sampled_from(_PROLOGUES), _nested | _any, _ends))
def test_markup_read_as_it_stands_shows_what_a_parser_shows(markup: str) -> None:
    event("as it stands" if _agrees(markup) else "repaired")


@pytest.mark.parametrize(
    "markup",
    [
        '<div dir="ltr">Hello<br></div><div class="gmail_quote"><div class="gmail_attr">On x wrote:<br></div></div>',
        "<html><head><style>p {}</style></head><body style='a:b'><table><tr><td>x</td></tr></table></body></html>\n",
        "<HTML><BODY><P ALIGN=left>x</P><IMG SRC=x ALT='y' /></BODY></HTML>",
        '<!DOCTYPE html><html><body><p>a &amp; b&nbsp;&rsquo;</p><a href="?a=1&b=2">c</a><!-- p --></body></html>',
        "no markup at all",
    ],
)
def test_what_mail_programs_write_needs_no_repair(markup: str) -> None:
    assert _agrees(markup)


@pytest.mark.parametrize(
    "markup",
    [
        "<p>a<p>b", "<p><div>a</div></p>", "<b><i>a</b></i>", "<a>x<a>y</a></a>", "<table>x</table>",
        "<tr><td>x</td></tr>", "<table><tr>&nbsp;<td>x</td></tr></table>", "<li>x</li>", "<ul><li>a<li>b</ul>",
        "<h1><h2>x</h2></h1>", "<title>x</title>", "<b", "1 < 2", '<b title=">">', "</p>", "<div>",
        "x<body>y</body>", "<body>x</body>y", "<body></body>y", "&#128;",
        "<b>" * 300 + "</b>" * 300,
    ],
)  # fmt: skip
def test_what_a_parser_might_repair_is_repaired(markup: str) -> None:
    assert plain_tokens(markup) is None
    assert tokens_of(markup) == repaired_tokens(markup)


def test_attributes_are_serialised() -> None:
    assert serialised(""" CLASS=a b='"'""") is None
    assert serialised(" CLASS=a  nowrap id='x y'/") == ' class="a" nowrap="" id="x y"'
    assert (
        serialised(' href="?a=1&b=2&amp;c" style="f:&quot;A&quot;"')
        == ' href="?a=1&amp;b=2&amp;c" style="f:&quot;A&quot;"'
    )


@pytest.mark.slow
def test_all_markup_of_real_mail(shared_data: Path) -> None:
    plain = 0
    for raw in pq.read_table(shared_data / "spamassassin.parquet")["raw"].to_pylist():
        try:
            message = read_message(raw, 2**26, 10**6)
        except RejectedMessage:
            continue
        plain += sum(_agrees(part.text) for part in message.parts if part.html)
    assert plain > 30
