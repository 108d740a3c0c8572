"""HTML to lines: what is shown, what is dropped, which evidence each line carries, and time."""

from __future__ import annotations

import tracemalloc

import pytest

from mailmill.email.evidence import EVIDENCE_ZONES, FRAME, WEAK, evidence_of, has_structure
from mailmill.email.html import render
from tests.email.linear import assert_doubles


def lines(markup: str) -> list[str]:
    return render(markup)[0]


def test_paragraphs_lists_tables_links_and_pre() -> None:
    markup = (
        "<p>One <b>bold</b>\n word.</p><p>See <a href='http://x'>this&nbsp;link</a>.</p><ul><li>a<li>b</ul>"
        "<ol start=3><li>c</ol><table><tr><td>k</td><td>v</td></tr></table><pre>x\n  y</pre>a<br>b<hr>"
    )
    assert lines(markup) == [
        "One bold word.", "", "See this link.", "", "• a", "• b", "", "3. c", "", "k | v", "", "x", "  y", "", "a", "b",
        "_" * 32,
    ]  # fmt: skip


def test_cells_share_a_line_whatever_they_are_made_of() -> None:
    row = "<tr><td><p class=MsoNormal>{}</p></td><td><div>{}</div></td><td>{}</td></tr>"
    table = f"<table>{row.format('Item', 'EUR', 'kg')}{row.format('Bolt', '0.12', '')}</table>"
    assert lines(f"Prices:{table}End") == ["Prices:", "", "Item | EUR | kg", "Bolt | 0.12", "", "End"]
    columns = "<table><tr><td><p>{}</p></td><td><p>one</p><p>two</p></td></tr></table>"
    assert lines(columns.format("a</p><p>b")) == ["a", "", "b", "", "one", "", "two"]
    assert lines(columns.format("word " * 20)) == [("word " * 20).strip(), "", "one", "", "two"]
    inner = "<table><tr><td><p>a</p></td><td><table><tr><td>in</td><td>ner</td></tr></table></td></tr></table>"
    assert lines(inner) == ["a", "in | ner"]


def test_preformatted_words_stand_apart_from_others() -> None:
    kept = '<span style="white-space:pre-wrap">{}</span>'
    assert lines(f"Please check {kept.format('invoice  12')} today") == ["Please check invoice  12 today"]
    want, money = kept.format("want"), kept.format("the money")
    assert lines(f"We <b>really </b>{want} {money} back, t{kept.format('o')}o.") == [
        "We really want the money back, too."
    ]
    assert lines(f"a{kept.format(' b ')}c{kept.format(' ')}d") == ["a b c d"]
    row = '<tr><td>{}</td><td style="white-space:pre-wrap">Ada</td><td>x</td></tr>'
    assert lines(f"<table>{row.format('Name')}{row.format('<p>Name</p>')}</table>") == [
        "Name | Ada | x",
        "",
        "Name | Ada | x",
    ]
    assert lines(f"<pre>a\n {kept.format(' b')}\n</pre>c") == ["a", "  b", "", "c"]


def test_bullets_stand_before_the_words_of_their_item() -> None:
    assert lines("<ul><li><p>a</p></li><li><div>b</div></li><li> c</li></ul>") == ["• a", "", "• b", "• c"]
    assert lines("<ol start=9><li>\n<p>a</p><p>b</p><li><li>c</ol>") == ["9. a", "", "b", "", "10.", "11. c"]
    assert lines("<ul><li><ul><li>a</li></ul></li></ul><ul><li></li></ul>") == ["•", "• a", "", "•"]
    assert lines("<li><hr>a<li><pre>b</pre><li><br>c<li><img alt=d>") == [
        "•",
        "_" * 32,
        "a",
        "• b",
        "",
        "•",
        "c",
        "• d",
    ]
    assert lines("<table><tr><td><p>k</p></td><td><ul><li>a</li></ul></td></tr></table>") == ["k", "• a"]


@pytest.mark.parametrize(
    "filler", ["&#8203;", "\ufeff", "&zwnj;&nbsp;&#8199;&#65279;&#847;", "\u200b\n", "&nbsp;\u2060"]
)
def test_zero_width_fillers_are_empty(filler: str) -> None:
    assert lines(f"<div>a</div><div>{filler}</div><div>b</div><div>{filler}</div>") == ["a", "", "b"]
    assert lines(f"<p>a</p><p><span>{filler}</span></p><p>b{filler}</p>")[:2] == ["a", ""]
    assert lines("wo<b>&#8203;</b>rd a<b>&#8203;&nbsp;</b>b") == ["word a b"]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>alert('x')</script>",
        "<style>p {color: red}</style>",
        '<div style="display:none">preheader</div>',
        '<span style="font-size:0px; color:#fff">preheader</span>',
        '<div style="max-height:0;overflow:hidden">preheader<p>more</p></div>',
        '<img src="http://t.example/p.gif" width="1" height="1" alt="track">',
        "<!-- comment -->",
        "<title>title</title>",
    ],
)
def test_what_nobody_sees_is_dropped(hidden: str) -> None:
    assert lines(f"<p>shown</p>{hidden}<p>too</p>") == ["shown", "", "too"]


def test_what_was_typed_into_a_form_is_shown_as_it_stands() -> None:
    form = "<form><p>Message:</p><textarea>It broke.\n\n  a &lt; b</textarea><select><option>no</select></form>"
    assert lines(form) == ["Message:", "", "It broke.", "", "  a < b"]
    assert lines("<textarea>It broke.</textarea>") == ["It broke."]


def test_visible_styles_are_not_hidden() -> None:
    assert lines('<p style="max-height:0.5em;font-size:10px;opacity:0.9">shown</p>') == ["shown"]
    assert lines('<p style="backface-visibility:hidden;--tw-bg-opacity:0;line-max-height:0">shown</p>') == ["shown"]


def test_what_is_too_small_to_be_read_may_hold_what_is_not() -> None:
    column = '<td style="direction:ltr;font-size:0px;padding:9px;"> tiny {} tiny <b style="font-size:1em">tiny</b></td>'
    block = '<div style="font-family:Arial;{};line-height:1">{}</div>'
    for size in ("font-size:13px", "font-size:.9rem", "font-size: medium", "font:bold 1.5pt/0 Arial"):
        shown = block.format(size, "shown<ul><li>too</li></ul>")
        assert lines(f"<table><tr>{column.format(shown)}</tr></table>after") == ["shown", "", "• too", "", "after"]
        assert lines(f"<div style='font-size:0;display:none'>{shown}</div>after") == ["after"]
    for shown in (
        *(f"<font {size}>shown</font>" for size in ('size="3"', "size=+1", "color=red size='2'")),
        *(block.format(f"font-size:{size}", "shown") for size in ("var(--text,14px)", "calc(1rem + 2px)")),
    ):
        assert "\n".join(lines(f"<div style='font-size:0'>tiny{shown}</div>after")).split() == ["shown", "after"]
    for size in ("0", "1px"):  # a preheader
        table = "<table><tr><td>tiny</td></tr></table>"
        assert lines(f"<div style='font-size:{size}'>{table}</div>after") == ["after"]
    for size in ("font-size:80%", "font-size:2em", "font-size:larger", "font-size:1px", "font:0px/12px a", "color:red"):
        assert lines(f"<table><tr>{column.format(block.format(size, 'tiny<li>'))}</tr></table>after") == ["after"]
    columns = block.format("font-size:0", '<div><b style="font-size:9px">{}</b><br></div>' * 2)
    assert lines(columns.format("one", "two")) == ["one", "two"]
    assert lines('<body style="font-size:0">shown</body>') == ["shown"]


def test_what_is_too_small_is_shown_where_nothing_else_is() -> None:
    small = '<div style="font-size:0"><p>{}</p></div>'
    assert lines(small.format("shown")) == ["shown"]
    assert lines(small.format("shown") + '<p style="display:none">hidden</p>') == ["shown"]
    assert lines(small.format("tiny") + "after") == ["after"]
    assert lines(small.format(" ")) == []


WINDOWS_MAIL = "padding-top: 5px; border-top-color: rgb(229, 229, 229); border-top-width: 1px; border-top-style: solid;"


@pytest.mark.parametrize(
    ("attributes", "evidence"),
    [
        ('class="gmail_quote"', "html.gmail_quote"),
        ('dir="ltr" class="gmail_attr"', "html.gmail_attr"),
        ('class="moz-cite-prefix"', "html.moz_cite_prefix"),
        ('type="cite"', "html.blockquote_cite"),
        ('id="divRplyFwdMsg"', "html.outlook_reply"),
        ('class="OutlookMessageHeader"', "html.outlook_reply"),
        ('id="OLK_SRC_BODY_SECTION"', "html.outlook_reply"),
        ('id="mail-editor-reference-message-container"', "html.outlook_reference"),
        ('class="ms-outlook-mobile-reference-message skipProofing"', "html.outlook_reference"),
        ('class="yahoo_quoted"', "html.yahoo_quoted"),
        ('class="protonmail_quote"', "html.protonmail_quote"),
        ('class="gmail_signature"', "html.gmail_signature"),
        ('class="moz-signature"', "html.moz_signature"),
        ('id="ms-outlook-mobile-signature"', "html.outlook_mobile_signature"),
        ('style="border:none;border-top:solid #B5C4DF 1.0pt"', "html.outlook_border"),
        (f'style="{WINDOWS_MAIL}"', "html.outlook_border"),
        ('style="border-top-width: 1px; border-top-color: rgb(229, 229, 229)"', ""),
        ('style="border:none;border-left:solid blue 1.5pt;padding:0cm"', "html.outlook_indent"),
        ('style="padding-left:5px;margin-left:5px;border-left:2px solid #ff6600;"', "html.orange_quote"),
        ('style="padding-left: 5px; margin-left: 5px; border-left: #FF6600 2px solid"', "html.orange_quote"),
        ('style="border-left:2px solid #ff6600;"', ""),
        ('class="sh-quoted-content"', "html.gmail_quote"),
        ('class="freshdesk_quote"', "html.gmail_quote"),
        ('data-marker="__QUOTED_TEXT__"', "html.zimbra_quote"),
        ('data-marker="__HEADERS__"', "html.zimbra_headers"),
        ('name="quote" style="margin:10px"', "html.gmx_quote"),
        ('name="quoted-content"', "html.gmx_quote"),
        ('name="signature"', ""),
        ('name="messageSignatureSection" class=""', "html.spark_signature"),
        ('name="messageReplySection"', ""),
        ('name="quotes-of-the-day"', ""),
        ('data-marker="__SIG_PRE__"', "html.zimbra_signature"),
        ('class="domino-section-head"', "html.notes_title"),
        ('class="domino-section"', ""),
        ('class="MsoNormal"', ""),
    ],
)
def test_evidence(attributes: str, evidence: str) -> None:
    assert evidence_of(attributes) == evidence
    assert not evidence or evidence in EVIDENCE_ZONES
    text, marks = render(f"<div>mine</div><div {attributes}><p>theirs</p></div>")
    seen = FRAME if evidence == "html.gmail_quote" else evidence
    assert dict(zip(text, marks, strict=True))["theirs"] == seen
    assert dict(zip(text, marks, strict=True))["mine"] == ""


@pytest.mark.parametrize(
    "attributes",
    [
        'class="l" href="https://app.example/signature/123"',
        'id="x" title="signature"',
        'name="signature"',
        'name="gmail_quote"',
        'class="l" href="https://app.example/?ref=yahoo_quoted&type=cite"',
        'id="q" href="https://app.example/stopspelling"',
        'id="q" title="style=display:none"',
        'class="l" title="say id=x_signature"',
    ],
)
def test_addresses_and_titles_are_no_evidence(attributes: str) -> None:
    assert evidence_of(attributes) == evidence_of(" " + attributes.replace('"', "'")) == ""
    assert evidence_of(f'{attributes} CLASS=gmail_quote nowrap="" ') == "html.gmail_quote"


def test_attributes_that_hold_pictures_are_not_kept_in_memory() -> None:
    picture = "A" * 700_000
    tracemalloc.start()
    try:
        for i in range(10):
            assert lines(f'<p>a<img src="data:image/png;base64,{i}{picture}"> b</p>') == ["a b"]
        assert tracemalloc.get_traced_memory()[0] < len(picture)
    finally:
        tracemalloc.stop()


def test_structure_is_seen_without_parsing() -> None:
    assert has_structure('<blockquote type="cite">')
    assert has_structure('<BLOCKQUOTE style="PADDING-LEFT: 5px; BORDER-LEFT: #1010ff 2px solid">')
    assert has_structure(f'<div style="{WINDOWS_MAIL}">')
    assert has_structure('<div class="freshdesk_quote">')
    assert has_structure('<div id="mail-editor-reference-message-container">')
    assert not has_structure("<blockquote>")


def test_all_below_an_outlook_divider_is_theirs() -> None:
    _, marks = render('<p>mine</p><div id="appendonsend"></div><hr><div>From: x</div><p>theirs</p>')
    assert marks[0] == ""
    assert marks[-1] == "html.outlook_reply"


@pytest.mark.parametrize(
    "divider",
    [
        '<div id="divRplyFwdMsg">From: x</div>',
        '<hr id="stopSpelling">',
        '<div style="border:none;border-top:solid #B5C4DF 1.0pt">From: x</div>',
    ],
)
@pytest.mark.parametrize(
    "quote",
    [
        '<blockquote type="cite">{}</blockquote>',
        '<div class="gmail_quote"><blockquote class="gmail_quote">{}</blockquote></div>',
        '<blockquote><blockquote type="cite">{}</blockquote></blockquote>',
        '<div id="mail-editor-reference-message-container">{}</div>',
        '<div class="ms-outlook-mobile-reference-message skipProofing">{}</div>',
    ],
)
def test_an_outlook_divider_within_a_quote_reaches_no_further(divider: str, quote: str) -> None:
    markup = quote.format(f"<p>first</p>{divider}<p>theirs</p>")
    text, marks = render(f'<div class="moz-cite-prefix">Ada wrote:</div>{markup}<p>mine</p>')
    seen = dict(zip(text, marks, strict=True))
    assert seen["mine"] == ""
    assert EVIDENCE_ZONES[seen["theirs"]] == "quoted"


def test_a_named_quote_counts_within_a_plain_one() -> None:
    text, marks = render('<p>mine</p><blockquote>either<blockquote type="cite">theirs</blockquote>or</blockquote>')
    seen = dict(zip(text, marks, strict=True))
    assert (seen["either"], seen["theirs"], seen["or"]) == (WEAK, "html.blockquote_cite", WEAK)


@pytest.mark.parametrize(
    "markup",
    ["<div>", "<blockquote>", "<b>", "<ul><li>", "<table><tr><td>", "<p>", "<b><p>", "<span>", "</div>", "<!--",
     '<a "', '<a "<div>', "<", "<style>", "&#", "<x y='", "<plaintext>", "<svg><style>"],
)  # fmt: skip
def test_deep_and_broken_markup_takes_linear_time(markup: str) -> None:
    text, marks = render(markup * 100_000 + "x")
    assert len(text) == len(marks)
    assert_doubles(render, markup * 20_000 + "x", markup * 40_000 + "x")


@pytest.mark.parametrize(
    "markup",
    [
        '<p>first <b "x>second</b> third</p>',
        '<p>first</p><a "><="" href="x"c="></b>">second</a><p>third</p>',
        '<p>first</p><p a"b>second</p>third',
    ],
)
def test_a_stray_quote_in_a_tag_costs_no_text(markup: str) -> None:
    text = " ".join(lines(markup))
    assert [word for word in ("first", "second", "third") if word not in text] == []


def test_deep_nesting_keeps_the_words() -> None:
    assert "end" in lines("<div>" * 100_000 + "end")


@pytest.mark.parametrize("nothing", ["&#1;", "&#x1;&#2;", "&nbsp;", "&amp;"])
def test_a_reference_to_no_character_is_no_text(nothing: str) -> None:
    deep = "<div>" * 2000
    assert "end" in lines(f"<p>{nothing}</p>end")
    assert "end" in lines(f"{deep}<p>{nothing}</p>end")


def test_the_icon_of_a_folded_notes_quote_is_not_read() -> None:
    folded = '<img src="cid:1" alt="Inactive hide details for Ada ---03/03/2025 16:01:12---Dear Jo, your contract">'
    assert lines(f"<p>mine</p>{folded}<p>theirs</p>") == ["mine", "", "theirs"]
    assert lines('<img src="cid:1" alt="A blue lamp">') == ["A blue lamp"]
    assert lines('<img alt="Late" style="border-width:0; line-height:1;width:100%">') == ["Late"]


def test_words_paragraphs_stand_together_and_an_empty_one_is_a_blank_line() -> None:
    empty = '<p class="MsoNormal"><o:p>&nbsp;</o:p></p>'
    word = (
        f'<p class="MsoNormal">Mine.</p>{empty}{empty}<p class=MsoNormal>Ada<o:p></o:p></p><p class="MsoNormal">CTO</p>'
    )
    assert lines(word) == ["Mine.", "", "Ada", "CTO"]
    for style in ("margin-top:0; margin-bottom: 0", "margin:0in", "margin:0in 0in .0001pt;color:red", "margin: 0;"):
        assert lines(f'<p style="{style}">a</p>' * 2) == ["a", "a"]
    for style in ("margin:01em", "margin:0 0 10px", "margin: 0 0 1em;"):
        assert lines(f'<p style="{style}">a</p>' * 2) == ["a", "", "a"]
    assert lines("<div>Mine.</div><div>&nbsp;</div><div>Ada</div>") == ["Mine.", "", "Ada"]
