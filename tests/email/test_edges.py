"""The edges of the author's own text, in mail that nobody annotated: what went wrong once, and must not again."""

from __future__ import annotations

import pytest

from mailmill.email import clean_text
from mailmill.email.lines import split_lines
from mailmill.email.zones import assign_zones

OWN = "The plan is good, and we should start on Monday."
NOTES = "[1] https://example.org/plan.html\n[2] https://example.org/a/rather/long/path/\nthat-was-wrapped.html"


@pytest.mark.parametrize("above", ["", "\n\nAda", "\n\nCheers,\nAda"])
def test_footnotes_are_the_authors_words(above: str) -> None:
    assert clean_text(f"{OWN} See [1] and [2].{above}\n\n{NOTES}", "Ada") == f"{OWN} See [1] and [2].\n\n{NOTES}"


@pytest.mark.parametrize("above", ["", "\n\n-Ada", "\n\nCheers,\nAda"])
@pytest.mark.parametrize(
    ("signs", "notes"),
    [
        ("[*]", "[*] The old one, for those who\nknow it."),
        ("[a] and [b]", "[a] https://x.example/a\n\n[b] https://x.example/b"),
        ("(1)", "(1) https://x.example/a"),
        ("*", "* https://x.example/a"),
        ("¹ and ²", "¹ https://x.example/a\n² https://x.example/b"),
    ],
)
def test_footnotes_may_bear_a_sign_of_the_text(above: str, signs: str, notes: str) -> None:
    assert clean_text(f"{OWN} See {signs}.{above}\n\n{notes}", "Ada") == f"{OWN} See {signs}.\n\n{notes}"


@pytest.mark.parametrize("last", ["(1) +49 30 123456", "(2) https://x.example/a", "[a] https://x.example/a"])
def test_a_number_to_call_or_a_sign_that_nobody_refers_to_is_no_note(last: str) -> None:
    assert clean_text(f"{OWN} (1) First.\n\nCheers,\nAda\n\n{last}", "Ada") == f"{OWN} (1) First."


def test_a_list_in_brackets_that_does_not_begin_is_no_note() -> None:
    text = f"{OWN}\n\n[7] budget.xls"
    zone, rule = assign_zones(split_lines(text)).marks[-1]
    assert (zone, rule) == ("footer", "footer.attachment")


def test_a_link_in_angles_is_no_attachment() -> None:
    text = f"{OWN}\n\n<https://example.org/plan.html>"
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("signed", "sender"),
    [
        ("\n\n--j.", "Jo Smith <jo@firm.example>"),
        ("\nR", "Ruth Miller"),
        ("\n\n- Ruth", "ruth@firm.example (Ruth Miller)"),
        ("\n\n-miller", ""),
        ("\n\n- Ada L. \"Countess\" Byron\n  https://ada.example/\n  ada@firm.example", "Ada L. Byron <a@b.example>"),
        ("\n\nRuth Miller\nLondon, England", "ruth@firm.example (Ruth Miller)"),
        ("\n\nRuth Miller\nx3-6343", "Ruth Miller"),
        ("\n- Ruth Miller, Royal Library of Denmark", ""),
        ("\n\nPeace and joy,\nRuth", ""),
        ("\n\nRock on,\nruth", ""),
    ],
)  # fmt: skip
def test_names_and_initials_sign(signed: str, sender: str) -> None:
    assert clean_text(f"{OWN}{signed}", sender) == OWN


@pytest.mark.parametrize(
    "last", ["\n\nQ", "\n\n-e", "\n\nYuck", "\n\nRuth Miller\nwas right about it, by the way."], ids=repr
)
def test_what_signs_nothing_stays(last: str) -> None:
    assert clean_text(f"{OWN}{last}", "Ruth Eve Miller") == f"{OWN}{last}"


@pytest.mark.parametrize("word", ["Amen!", "Unacceptable!", "Brilliant!"])
def test_an_exclamation_is_no_greeting(word: str) -> None:
    assert clean_text(f"{word}\n\n{OWN}") == f"{word}\n\n{OWN}"


@pytest.mark.parametrize("header", ["Monday, March 3, 2025, 5:46:11 PM, you wrote:\n\n", ""])
def test_a_greeting_may_stand_right_above_a_quote(header: str) -> None:
    assert clean_text(f"Hello Bob,\n\n{header}> Shall we?\n\n{OWN}") == OWN


@pytest.mark.parametrize(
    "header",
    [
        "Bob O'Hara asked:",
        "Bob spake thusly:",
        "Bob Hall:",
        "Bob Hall (bob@x.example) wrote*:",
        "Bob replied thus:",
        '"Hall, Bob, /rd" said:',
    ],
)
def test_attributions_of_few_words(header: str) -> None:
    assert clean_text(f"{header}\n> Shall we?\n\n{OWN}") == OWN


@pytest.mark.parametrize(
    "header",
    [
        "Ann Lee Berg skrev:",
        "Jan Nowak pisze:",
        "Ana Ruiz dijo:",
        "2012/3/12 Bob Hall <bob@x.example>\n",
        "Luc Petit a \N{REPLACEMENT CHARACTER}crit:",
        '"Bob Hall" <bob@x.example> wrote in message news:2002.1@x.example...',
        '"Bob Hall" <bob@x.example> wrote in message\nnews:2002.1@x.example...',
        '"Bob Hall" <bob@x.example> schrieb im Newsbeitrag\nnews:2002.1@x.example...\n',
    ],
)
def test_attributions_of_more_programs(header: str) -> None:
    assert clean_text(f"{header}\n> Shall we?\n\n{OWN}") == OWN


STAMPED = [
    "2014-03-20 8:48 GMT+01:00 Bob Hall <bob@x.example>:",
    '04.03.2025, 16:32, "Bob Hall" <bob@x.example>:',
    '11:00 AM, March 4, 2025, "Bob Hall" <bob@x.example>:',
    "Tuesday, 4 March 2025, 3:32 PM +0300 from Bob Hall <bob@x.example>:",
    "mar., 4 mars 2025 à 16:32, Bob van der Hall <bob@x.example>:",
    "ter., 4 de mar. de 2025 às 16:32, Bob Hall <bob@x.example>:",
    "2014-03-20 8:48 GMT+01:00 Bob Hall\n<bob47@x.example>:",
]
WRAPPED = [
    "Bob Hall <bob@x.example> schrieb am Di., 4.\nMärz 2025, 21:08:",
    "Bob Hall <bob@x.example>\nschrieb am Di., 4. März 2025 um 21:08:",
    "Bob Hall <bob@x.example> a écrit le mar. 4 mars 2025 à\n21:08 :",
    "Bob Hall <bob@x.example> ha scritto il giorno mar 4 mar\n2025 alle 21:08:",
    "Bob Hall (<bob@x.example>) escribió el mar, 4 mar 2025 a las\n21:08:",
    "Bob Hall <bob@x.example> escreveu em ter., 4 de mar. de 2025 às\n21:08:",
    "Bob Hall <bob@x.example> schreef op di 4 mrt 2025 om\n21:08:",
    "Tuesday, March 4, 2025, 5:46:11 PM, Bob Hall\n<bob@x.example> wrote:",
]
BROKEN = [
    "On Mon, Mar 3, 2025 at 5:03 PM Bob Hall <bob@x.example\n> wrote:",
    "On Mon, Mar 3, 2025 at 5:03 PM Bob Hall\n<bob@x.example\n> wrote:",
    "On Mon, Mar 3, 2025 at 5:03 PM Bob Hall <mailto:bob@x.example\n>> wrote:",
    "Le lun. 3 mars 2025 à 17:03, Bob Hall <bob@x.example\n> a écrit :",
    "El lun, 3 mar 2025 a las 17:03, Bob Hall (<bob@x.example\n>) escribió:",
    "Am Mo., 3. März 2025 um 17:03 Uhr schrieb Bob Hall <bob@x.example\n>:",
    "Bob Hall <bob@x.example\n> schrieb am Mo., 3. März 2025 um 17:03:",
    "2025-03-03 17:03 GMT+01:00 Bob Hall <bob@x.example\n>:",
]


@pytest.mark.parametrize("header", [*STAMPED, *WRAPPED, *BROKEN])
def test_attributions_without_a_verb_and_wrapped_ones_go_whole(header: str) -> None:
    assert clean_text(f"{header}\n> Shall we?\n\n{OWN}") == OWN
    assert clean_text(f"{OWN}\n\n{header}\n\n> Shall we?") == OWN
    assert clean_text(f"{OWN}\n\n{header}\n\nShall we?") == OWN
    assert clean_text(f"{OWN}\n\n{header}") == OWN
    assert clean_text(header) == header


@pytest.mark.parametrize(
    "last",
    [
        "On 4 March at 10:12 Bob wrote:",
        "On 4 March 2025 Bob Hall wrote:",
        "On 4 March 2025 at 10:12 your agent wrote:",
        "Am 4. März 2025 um 10:12 schrieb Ihr Mitarbeiter:",
        "Please ask bob@x.example what he wrote:",
        "I wrote to Bob <bob@x.example",
        "Am 04.03.2025 um 10:12 schrieb ich an Bob Hall <bob@x.example>:",
        "El 4 de marzo de 2025 a las 10:12 su colega Bob <bob@x.example> me escribió:",
    ],
)
def test_the_authors_last_line_is_no_attribution(last: str) -> None:
    assert clean_text(f"{OWN}\n\n{last}") == f"{OWN}\n\n{last}"


@pytest.mark.parametrize(
    "told",
    [
        "On 4 March 2025 at 10:12 my boss Bob Hall <bob@x.example> wrote:",
        "Am 04.03.2025 um 10:12 schrieb mir Bob Hall <bob@x.example>:",
        "Op 4 maart 2025 om 10:12 schreef ik aan bob@x.example:",
        "El 4 de marzo de 2025 a las 10:12 Bob <bob@x.example> me escribió:",
    ],
)
@pytest.mark.parametrize("said", ["He comes.", '"He comes."'])
def test_what_the_author_tells_of_a_mail_stays_with_what_is_below(told: str, said: str) -> None:
    assert clean_text(f"{OWN}\n\n{told}\n\n{said}\n\n{OWN}") == f"{OWN}\n\n{told}\n\n{said}\n\n{OWN}"
    named = "On 4 March 2025 at 10:12 My Shop <my@x.example> wrote:"
    assert clean_text(f"{OWN}\n\n{named}\n\n{said}\n\n{OWN}") == OWN


@pytest.mark.parametrize(
    "header",
    [
        "Am Mo., 3. März 2025 um 10:12 Uhr schrieb mein-shop.de <info@mein-shop.de>:",
        "On Mon, Mar 3, 2025 at 10:12 AM book-my-flight.example <a@b.example> wrote:",
        "On Mon, Mar 3, 2025 at 10:12 AM contact-me <a@b.example> wrote:",
        "On Mon, Mar 3, 2025 at 10:12 AM our-shop wrote:",
        "El lun, 3 mar 2025 a las 10:12, about.me <a@b.example> escribió:",
        "Le mar. 4 mars 2025 à 10:12, mon-compte <a@b.example> a écrit :",
    ],
)
def test_a_header_may_name_a_firm_whose_name_joins_an_own_word(header: str) -> None:
    assert clean_text(f"{OWN}\n\n{header}\n\nWhich lamp is it? We will send it.\nBob") == OWN


@pytest.mark.parametrize("header", ["On 3 March 2025 at 10:14, Bob <bob@x.example> wrote:", STAMPED[0]])
@pytest.mark.parametrize("mark", [": ", ":", "::  "])
def test_an_attribution_may_stand_behind_a_colon(header: str, mark: str) -> None:
    assert clean_text(f"{OWN}\n{mark}{header}\n> Which?\n\n{OWN}") == f"{OWN}\n\n{OWN}"


@pytest.mark.parametrize("said", ["Blue", "Neither", "Leeds", "PayPal", "Rosso", "Blue Kettle", "Keine Antwort"])
def test_an_answer_that_looks_like_a_name_is_all_there_is(said: str) -> None:
    quote = "On Mon, 3 Mar 2025 at 10:12, Bob Hill <bob@y.example> wrote:\n\n> Which one is it?"
    for mail in (f"Hi Bob,\n\n{said}\n\n{quote}", f"{said}\nKim\n\n{quote}", f"{quote}\n\n{said}\n\nKim"):
        assert clean_text(mail, "Kim Noll <kim@x.example>") == said


@pytest.mark.parametrize("own", ["Bob\n\nKim", "Bob\nKim", "Hi Bob,\n\nKim", "Bob Hill,\n\nKim Noll", "Sue\n\nKim"])
def test_names_alone_say_nothing(own: str) -> None:
    """Neither whoever is answered, nor whom a mail is passed on to."""
    answered = "On Mon, 3 Mar 2025 at 10:12, Bob Hill <bob@y.example> wrote:\n\n> Which one is it?"
    passed = "---------- Forwarded message ----------\nFrom: Bob Hill <bob@y.example>\nSubject: Lamp\n\nIt is here."
    for below in (passed, *([answered] if "Bob" in own else [])):
        assert clean_text(f"{own}\n\n{below}", "Kim Noll <kim@x.example>") == ""
    assert clean_text(f"Bob\n\nThanks\nKim\n\n{answered}", "Kim Noll <kim@x.example>") == "Thanks"


@pytest.mark.parametrize("title", ["Mrs", "MRS", "mrs", "Miss", "Dr.", "Frau", "Fam.", "Mme", "Sra.", "Mevr."])
def test_the_authors_name_goes_behind_a_title(title: str) -> None:
    for name in ("Watts", "E Watts", "edna watts"):
        assert clean_text(f"My boiler is off and I am cold\n{title} {name}", "Edna Watts <e@x.example>") == (
            "My boiler is off and I am cold"
        )
    for other in ("Frau Berg", "Mr", "Miss you"):
        text = f"My boiler is off and I spoke to\n{other}"
        assert clean_text(text, "Edna Watts <e@x.example>") == text


@pytest.mark.parametrize("said", ["Order 88120", "Order number: 88120", "never again", "Refund please", "Nie wieder"])
def test_what_opens_as_a_remark_below_the_authors_name_stays(said: str) -> None:
    assert clean_text(f"{OWN}\n\nAda Byron\n{said}", "Ada Byron <ada@x.example>") == f"{OWN}\n\n{said}"


@pytest.mark.parametrize(
    "said", ["Order 88120", "Sort code 20-20-15\nAccount 55555555", "Refund please", "never again"]
)
@pytest.mark.parametrize("signoff", ["", "Thanks,\n", "Kind regards\n\n", "Mit freundlichen Grüßen\n"])
@pytest.mark.parametrize("reached", ["", "\n07700 900123", "\nada@x.example", "\n12 High Street\nLeeds LS1 4AB"])
def test_what_the_author_adds_below_sign_off_and_name_stays(said: str, signoff: str, reached: str) -> None:
    postscript = "PS: the lid is missing as well."
    signed = f"{OWN}\n\n{signoff}Ada Byron\n{said}{reached}\n\n{postscript}"
    assert clean_text(signed, "Ada Byron <ada@x.example>").startswith(f"{OWN}\n\n{said}")
    for sender in ("Ada Byron <ada@x.example>", *([""] if signoff and not reached else [])):
        assert clean_text(f"{OWN}\n\n{signoff}Ada Byron\n{said}{reached}", sender) == f"{OWN}\n\n{said}"


def test_what_stands_between_the_authors_name_and_an_order_stays() -> None:
    for signed in ("Ada", "Ada Byron", "Thanks,\nAda", "Kind regards\nAda Byron\nLeeds"):
        text = clean_text(f"{OWN}\n\n{signed}\nGreen lamp\nOrder 4711", "Ada Byron <ada@x.example>")
        assert text == f"{OWN}\n\nGreen lamp\nOrder 4711"


@pytest.mark.parametrize(
    "card",
    [
        "EB 3892\n713-853-1234",
        "12 Mill Lane\nLeeds LS1 4AB",
        "Hauptstr. 5\n10115 Berlin",
        "Room 214\nx4711",
        "Firm Ltd\nOrder Processing 4711\nwww.firm.example",
        "Great homes since 1990\nwww.firm.example",
        "Office Manager\nCustomer Number: 4711\nT: 0113 496 0000",
        "Firm GmbH\nIBAN DE02120300000000202051\nTel. 030 1234567",
        "Geschäftsführerin\nUSt-IdNr. DE123456789",
    ],
)
def test_numbers_of_a_card_go_with_it(card: str) -> None:
    for signoff in ("Thanks,\n", "Kind regards\n\n"):
        assert clean_text(f"{OWN}\n\n{signoff}Ada Byron\n{card}", "Ada Byron <ada@x.example>") == OWN


@pytest.mark.parametrize(
    "below",
    [
        "Returns Department",
        "Order Processing",
        "Good Books Ltd",
        "IT Department",
        "Bad Homburg",
        "Test Engineer",
        "Adresse: Hauptstr. 5, 10115 Berlin\nTel.: 030 1234567",
    ],
)
def test_where_the_author_works_goes_below_the_name(below: str) -> None:
    assert clean_text(f"{OWN}\n\nAda Byron\n{below}", "Ada Byron <ada@x.example>") == OWN


@pytest.mark.parametrize(
    "head", ["Hello,\n\n", "Problems:\n\n", "Complaint\n\n", "Your hotel was a disappointment.\n\n"]
)
@pytest.mark.parametrize("end", ["", "\n\nMary"])
@pytest.mark.parametrize(
    "items",
    [
        "Late\nOpen box\nFlickers",
        "Slow\nPoor services\nExpensive",
        "Dirty\nWet floor\nLoud",
        "Schmutzig\nLauter Weg\nKalt",
        "No heating\nNo water\nMould",
        "Late delivery\nWrong colour\nScratches",
    ],
)
def test_titles_and_single_words_in_a_list_sign_nothing(head: str, end: str, items: str) -> None:
    above = "" if head.startswith("Hello") else head
    assert clean_text(f"{head}{items}{end}", "Mary Holt <mary@x.example>") == above + items


@pytest.mark.parametrize("first", ["Verspätung\nNasser Karton\nKratzer", "Vertraging\nNatte doos\nKrassen"])
def test_the_first_word_of_a_list_greets_nobody(first: str) -> None:
    assert clean_text(f"{first}\n\nMary Holt", "Mary Holt <mary@x.example>") == first
    assert clean_text(f"Bob\n{OWN}\n\nMary Holt", "Mary Holt <mary@x.example>") == OWN


@pytest.mark.parametrize("card", ["Ada\nSales Manager", "Ada Byron\nDirector of sales", "Ada Byron\nFirm Ltd"])
def test_a_title_in_a_card_needs_no_number(card: str) -> None:
    for sender in ("Ada Byron <ada@x.example>", ""):
        assert clean_text(f"{OWN}\n\n{card}", sender) == OWN


@pytest.mark.parametrize("line", ["I wrote to Bob <bob@x.example", "If a < b, then stop"])
def test_a_bracket_that_nothing_closes_hides_no_quote(line: str) -> None:
    assert clean_text(f"{OWN}\n\n{line}\n> when?") == f"{OWN}\n\n{line}"


@pytest.mark.parametrize(
    "line",
    [
        "4 March 2025, 10:30: please ask Bob <bob@x.example>:",
        "4 March 2025, 10:30 meeting with Bob Hall <bob@x.example>:",
        "04.03.2025 16:32 Termin mit Bob Hall <bob@x.example>:",
        "10:30 Bob Hall <bob@x.example>:",
        "My mail of 4 March 2025, 10:30, Bob Hall <bob@x.example>:",
        "04.03.2025, 16:32, Bob Hall:",
        "04.03.2025 14:00 Besichtigung Familie Hall <bob@x.example>:",
        "4 March 2025 10:30 Interview Bob Hall <bob@x.example>:",
        "2025-03-04 16:32 Bob Hall (bob@x.example):",
    ],
)
def test_a_dated_line_that_says_more_or_less_is_no_attribution(line: str) -> None:
    text = f"{OWN}\n\n{line}\n\nIt was of no use."
    assert clean_text(text) == text


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_dated_lines_that_are_announced_or_several_are_a_list(gap: str) -> None:
    entry = f"Tue, 4 March 2025, 10:30, Bob Hall <bob@x.example>:{gap}2 rooms, 3 nights"
    other = entry.replace("Tue, 4", "Wed, 5").replace("Bob", "Eve")
    for text in (f"{OWN}\n\nBookings:\n\n{entry}", f"{OWN}\n\n{entry}\n\n{other}", f"{OWN}\n\n{entry}\n{other}"):
        assert clean_text(f"{text}\n\nAre the keys there?") == f"{text}\n\nAre the keys there?"


@pytest.mark.parametrize(
    ("last", "header"),
    [
        ("Bob <bob@x.example> schrieb am Montag.", "Termin um 10:00:"),
        ("The plan is of March 4, 2025", "<bob@x.example> wrote:"),
        ("Monday 3 March 2025 at 10:30 is fine for me, I come", "<bob@x.example> wrote:"),
        ("12.5 kg is what it weighs, since 2019", "<bob@x.example> wrote:"),
    ],
)
def test_a_sentence_right_above_an_attribution_stays(last: str, header: str) -> None:
    assert clean_text(f"{OWN}\n\n{last}\n{header}\n> Shall we?") == f"{OWN}\n\n{last}"


def test_yahoos_attribution_shares_its_line_with_the_quote() -> None:
    tag = "Sent from Yahoo Mail on Android"
    theirs = "On Tue, Mar 4, 2025 at 9:14, Bob Hall<bob@x.example> wrote:   Hello Ruth,\n\nshall we?"
    assert clean_text(f"{OWN}\n\n{tag}\n\n  {theirs}") == OWN
    assert clean_text("On Monday I said: no.\n\n" + OWN) == "On Monday I said: no.\n\n" + OWN


def test_a_sentence_above_a_quote_is_none() -> None:
    text = "I asked him twice.\n\nTo which he already replied:\n\n> Not yet.\n\n" + OWN
    assert "To which he already replied:" in clean_text(text)


@pytest.mark.parametrize("banner", ["This is a forwarded message", "--- begin forwarded text"])
def test_banners_without_a_word_of_their_program(banner: str) -> None:
    assert clean_text(f"{OWN}\n\n{banner}\nFrom: Bob <b@x.example>\nTo: Ada\nSubject: x\n\nTheir words.") == OWN


def test_a_table_is_no_quote() -> None:
    text = f"{OWN}\n\n+-------+------+\n| tests | pass |\n| bench | 1.33 |\n+-------+------+"
    assert clean_text(text) == text


@pytest.mark.parametrize(
    "opening",
    [
        "This e-mail message and any attachments may contain information, which is\nconfidential or secret.",
        "E-mail Disclaimer:\n\nWhat you have read was meant for you.",
        "The contents of this mail, its headers and what was attached to it are for\nthe intended recipient alone.",
    ],
)
def test_disclaimers_that_are_wrapped_or_have_a_title(opening: str) -> None:
    assert clean_text(f"{OWN}\n\n{opening}\n\nIt may not be passed on.") == OWN


def test_a_name_with_title_and_firm_needs_no_number() -> None:
    signature = "Ada Byron\nHead of Purchasing\nQuarto Design"
    assert clean_text(f"{OWN}\n\n{signature}", sender="Ada Byron <ada@x.example>") == OWN
    assert clean_text(f"{OWN}\n\n{signature}", sender="Bob <bob@x.example>") == f"{OWN}\n\n{signature}"


@pytest.mark.parametrize("name", ["-ruth", "Ruth"])
def test_a_name_below_a_postscript_goes(name: str) -> None:
    postscript = "p.s. It rains here."
    assert clean_text(f"{OWN}\n\nRegards,\nRuth\n\n{postscript}\n\n{name}") == f"{OWN}\n\n{postscript}"


@pytest.mark.parametrize(
    "signature",
    [
        "James\n-------\nhttp://james.example/\n\nOpen Source Integration\nhttp://firm.example/",
        "Regards,\nAda Byron\n-----------------\nFirm, Inc.\nAuthor of Engines and what they can do: http://ada.example/book",
        "Ada\n\n--------------------\nAda Byron    ada@firm.example | /* tea |\nFirm Programming     |  */    |\n----",
    ],
)
def test_a_row_of_dashes_may_part_name_and_signature(signature: str) -> None:
    assert clean_text(f"{OWN}\n\n{signature}", signature.split()[0]) == OWN


@pytest.mark.parametrize("below", ["*Head of Sales*", "*Byron Ltd*", "*Byron Ltd*\n*12 Mill Lane*\n*Leeds LS1 4AB*"])
def test_a_signature_in_bold_goes(below: str) -> None:
    """As plain text, programs put such lines between two asterisks; a list has one before each of its items."""
    for sender in ("Ada Byron <ada@x.example>", ""):
        assert clean_text(f"{OWN}\n\n*Ada Byron*\n{below}", sender) == OWN
        for bold in ("*Kettle\n*Toaster\n*Ada Byron", "*Model:* X200\n*Order:* 5512", "*Kettle* x2\n*Toaster* x1"):
            assert clean_text(f"{OWN}\n\n{bold}\n\n*Ada Byron*", sender) == f"{OWN}\n\n{bold}"


def test_an_underlined_heading_is_no_name_of_a_signature() -> None:
    text = f"{OWN}\n\nDownloads\n---------\nhttp://firm.example/a\nhttp://firm.example/b"
    assert clean_text(text) == text


def test_edges_go_where_all_between_them_was_announced() -> None:
    assert (
        clean_text("Mike:\n\nReal Time Position: -25 @ MidC.\n\nPhil", "phil@x.example")
        == "Real Time Position: -25 @ MidC."
    )


@pytest.mark.parametrize("above", ["", "\n\nAda", "\n\nCheers,\nAda Byron\nFirm Ltd"])
@pytest.mark.parametrize(
    "picture",
    [
        "[cid:image001.png@01DB.7C]\n[cid:image002.png@01DB.7C]",
        "[image: Firm Ltd]",
        "[A logo  Description automatically generated]<https://firm.example/>",
        "[A logo\n\nDescription automatically generated]",
    ],
)
def test_what_stands_for_pictures_goes(above: str, picture: str) -> None:
    assert clean_text(f"{OWN}{above}\n{picture}", "Ada Byron") == OWN


@pytest.mark.parametrize(
    "picture",
    [
        "[image: image.png]",
        "[image: Inline-Bild 1]",
        "[cid:5f3c-4a]",
        "[cid:logo.png]",
        "[cid:a@b]<https://firm.example/>",
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_pictures_of_which_nothing_is_said_go_amidst_the_text(picture: str, gap: str) -> None:
    above, below = "Hi Bob,", f"Cheers,{gap}{picture}{gap}Ada Byron{gap}{picture}{gap}Firm Ltd\nTel. +44 20 7946 0000"
    text = gap.join([picture, above, picture, "We come at five.", picture, "See the crack there:", picture, OWN, below])
    assert clean_text(text, "Ada Byron") == f"We come at five.\n\nSee the crack there:\n\n{OWN}"
    assert clean_text(f"Before\n\n{picture}\n\nAfter") == "Before\n\nAfter"
    assert clean_text(f"{picture}{gap}{picture}").startswith(picture)


@pytest.mark.parametrize(
    "picture",
    [
        "See [image: image.png] there.",
        "[image: the crack]",
        "[image.png]",
        "[the page]<https://x.example>",
        "[cid:foo]",
    ],
)
def test_what_is_said_of_pictures_stays_amidst_the_text(picture: str) -> None:
    assert clean_text(f"{OWN}\n\n{picture}\n\n{OWN}") == f"{OWN}\n\n{picture}\n\n{OWN}"


@pytest.mark.parametrize("above", ["Ada", "Cheers,\nAda Byron\nFirm Ltd", "Ada Byron\nTel. +44 20 7946 0000"])
@pytest.mark.parametrize(
    "below",
    [
        "[Firm Ltd]<https://firm.example/>\n[Twitter]<https://t.example> [Facebook]<https://f.example>",
        " - budget.xls\n - ada.vcf",
    ],
)
def test_linked_pictures_and_files_below_a_signature_go(above: str, below: str) -> None:
    assert clean_text(f"{OWN}\n\n{above}\n{below}", "Ada Byron") == OWN


@pytest.mark.parametrize(
    ("last", "own"),
    [
        ("See there.\n - budget.xls\n - ada.doc", "See there."),
        ("Please see the attached\n <<budget.xls>>", "Please see the attached"),
        ("It is attached:\n <<budget.xls>>", "It is attached:"),
        ("Ada Byron\nThe best engines in the world\n<budget.xls>", "Ada Byron\nThe best engines in the world"),
        ("<<budget.xls>>  <<plan.doc>>\n - budget.xls\n - plan.doc", "<<budget.xls>>  <<plan.doc>>"),
    ],
)
def test_files_that_nobody_introduces_go(last: str, own: str) -> None:
    assert clean_text(f"{OWN}\n\n{last}") == f"{OWN}\n\n{own}"


@pytest.mark.parametrize(
    "last",
    [
        "[cid 4711]",
        "[1] the image: it is blurred",
        "The image: [see there]",
        "See there:\n[photo]<https://x.example>",
        "See the links.\n\n[Broken lid]<https://img.example/1> [Broken jar]<https://img.example/2>",
        "[the page]<https://x.example>",
        "They all end with: AI-generated content may be incorrect",
        "What the tool says is wrong.\nAI-generated content may be incorrect.",
        "[1]<https://x.example>",
    ],
)
def test_what_speaks_of_pictures_stays(last: str) -> None:
    assert clean_text(f"{OWN}\n\n{last}") == f"{OWN}\n\n{last}"
    assert clean_text("[cid:image001.png@01DB.7C]") == "[cid:image001.png@01DB.7C]"


SCRUBBED = [
    "-------------- next part --------------\nAn HTML attachment was scrubbed...\n"
    "URL: <http://lists.example/pipermail/dev/attachments/20250304/35d7c818/attachment.htm>",
    "-------------- next part --------------\nA non-text attachment was scrubbed...\nName: signature.asc\n"
    "Type: application/pgp-signature\nSize: 190 bytes\nDesc: OpenPGP digital signature\n"
    "URL: http://lists.example/pipermail/dev/attachments/20250304/35d7c818/attachment.sig",
    "-------------- nächster Teil --------------\nEin Dateianhang mit HTML-Daten wurde abgetrennt...\n"
    "URL: <http://lists.example/pipermail/dev/attachments/20250304/35d7c818/attachment.html>",
    "-------------- next part --------------\nHTML attachment scrubbed and removed",
]


@pytest.mark.parametrize("parts", [*SCRUBBED, "\n".join(SCRUBBED)])
def test_what_an_archive_says_of_parts_that_it_took_off_goes(parts: str) -> None:
    quote = "On 3 Mar 2025, Bob <bob@x.example> wrote:\n> When?"
    footer = "_______________________\nfoo mailing list\nhttp://x.example/mailman/listinfo/foo"
    for above in (OWN, f"{OWN}\n\nAda", f"{OWN}\n\n-- \nAda\nFirm Ltd", f"{OWN}\n\n{quote}"):
        for below in ("", f"\n{footer}", f"\n-------------- next part --------------\n{footer}"):
            assert clean_text(f"{above}\n{parts}{below}", "Ada") == OWN
    shown = "-------------- next part --------------\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-int a;\n+int b;"
    assert clean_text(f"{OWN}\n{parts}\n{shown}", "Ada") == f"{OWN}\n\n{shown}"


@pytest.mark.parametrize("sender", ["Jane Doe <jane@firm.example>", "Firm Support <service@firm.example>"])
@pytest.mark.parametrize(
    "owner", ["", "\nCustomer Care Team\nTel. +49 89 123456", "\nFirm Ltd\nwww.firm.example\nLondon"]
)
@pytest.mark.parametrize("below", ["What do you make of it? https://firm.example/rate", OWN, f"{OWN}\n\n{OWN}"])
def test_who_signed_goes_above_lines_that_nobody_knows(sender: str, owner: str, below: str) -> None:
    assert clean_text(f"{OWN}\n\nKind regards,\nJane Doe{owner}\n\n{below}", sender) == f"{OWN}\n\n{below}"


@pytest.mark.parametrize("signoff", ["Regards", "Gruß", "Best regards\n"])
def test_who_signs_for_a_desk_goes_with_a_way_to_reach_it(signoff: str) -> None:
    signature = f"{signoff}\nErika Smith\nCustomer Service\nTel. 030 1234567"
    text = f"{OWN}\n\n{signature}\n\nOur office is closed on Monday."
    assert clean_text(text, "Shop Help <help@shop.example>") == f"{OWN}\n\nOur office is closed on Monday."


@pytest.mark.parametrize(
    "note", ["NB: Any views are those of the author and not of the firm.", "P.S. Save paper, do not print."]
)
def test_a_disclaimers_own_postscript_goes(note: str) -> None:
    legal = (
        "This e-mail is confidential and intended solely for the addressee. If it is not for you, notify the sender."
    )
    assert clean_text(f"{OWN}\n\nKind regards,\nJane Doe\n\n{legal}\n\n{note}", "Jane Doe") == OWN
    own = "P.S. The lid is cracked."
    assert clean_text(f"{OWN}\n\nKind regards,\nJane Doe\n\n{legal}\n\n{own}", "Jane Doe") == f"{OWN}\n\n{own}"


@pytest.mark.parametrize(
    "last",
    [
        "Jane Doe\nwas rude to me.",
        "Regards are due to\nJane Doe",
        "Jane Doe:\nno answer",
        "Best\nWestern Hotel\nthree nights",
    ],
)
def test_names_among_sentences_stay(last: str) -> None:
    text = f"{OWN}\n\n{last}\n\n{OWN}"
    assert clean_text(text) == text


@pytest.mark.parametrize(
    "below", ["Ada Byron\nExample Ltd", "Ada\nExample Ltd\nLondon", "Ada Byron\nHead of the school"]
)
def test_name_and_firm_below_a_quote_sign_where_the_author_says_more(below: str) -> None:
    quote = "On Mon, 3 Mar 2025, Bob <bob@x.example> wrote:\n> Who comes?"
    assert clean_text(f"{OWN}\n\n{quote}\n\n{below}", "Ada Byron <ada@x.example>") == OWN
    assert clean_text(f"{quote}\n\n{below}", "Ada Byron <ada@x.example>") == below
    for answer in ("\nAda Byron\nTim Tommy", "\nAda Byron\n0171 555 1234", "\nAda Byron\nLeeds LS1 4AB", below):
        said = f"{OWN}\n\n{answer.strip()}"
        assert clean_text(f"{OWN}\n\n{quote}\n{answer}", "Ada Byron <ada@x.example>") == said


@pytest.mark.parametrize("sender", ["Ada Byron <ada@x.example>", ""])
def test_a_signature_between_rows_goes_above_what_nobody_knows(sender: str) -> None:
    row, notice = "_" * 30, "To report an issue, please send mail to the list. Nobody reads other boxes, we fear."
    signature = f"{row}\nAda Byron\nProduction Services\nDirect: +44 20 7946 0958\n{row}"
    assert clean_text(f"{OWN}\n\nThanks,\n{signature}\n\n{notice}", sender) == f"{OWN}\n\n{notice}"
    heading = f"Thanks,\n{row}\nNew Results\n{row}\n\n{OWN}"
    assert clean_text(f"{OWN}\n\n{heading}", sender) == f"{OWN}\n\n{heading}"


CARD = "Olivia Grant\nOffice Manager\nT: 0113 496 0000"
GRANT = "Olivia Grant <olivia.grant@x.example>"


@pytest.mark.parametrize("above", ["Thanks,\nOlivia\n\n", "Olivia\n\n", "Kind regards,\n\n", "Kind regards,\n", ""])
@pytest.mark.parametrize(
    "card",
    [
        *(f"{CARD}\n{slogan}" for slogan in (
            "Making work better.", "Winner of the 2024 Customer Service Award!",
            "Proud sponsor of Leeds United Women.", "Turning data into decisions.")),
        *(f"Olivia Grant BSc (Hons) MCIPD\nOffice Manager\n{line}\nT: 0113 496 0000" for line in (
            "Pronouns: she/her", "Find us on Facebook", "Customer Number: 4711", "A member of the Acme Group",
            "Book time to meet with me", "P Please consider the environment before printing this e-mail")),
    ],
)  # fmt: skip
def test_a_signature_of_the_senders_own_may_hold_a_sentence(above: str, card: str) -> None:
    if above == "Kind regards,\n" and card.startswith(CARD):
        above = "Kind regards,\n\n"
    assert clean_text(f"Hello,\n\n{OWN}\n\n{above}{card}", GRANT) == OWN


@pytest.mark.parametrize(
    "said",
    [
        "I also miss the lid of the box.", "Please send a new lid to us.", "When will the new one come?",
        "It smokes since last Monday.", "The lid is missing as well.", "Der Deckel fehlt auch noch.",
        "Bitte senden Sie einen neuen Deckel.", "Nobody answers when I call.",
    ],
)  # fmt: skip
def test_what_the_author_says_below_a_signature_of_their_own_stays(said: str) -> None:
    for gap in ("\n", "\n\n"):
        assert clean_text(f"{OWN}\n\n{CARD}{gap}{said}", GRANT) == f"{OWN}\n\n{said}"
    assert said in clean_text(f"Hello,\n\n{CARD}\n{said}", GRANT)
    assert said in clean_text(f"{CARD}\n{said}", GRANT)


@pytest.mark.parametrize("announced", ["Please write to:\n\n", "I live at\n\n", "My new card reads:\n"])
def test_a_card_of_the_authors_that_was_announced_stays(announced: str) -> None:
    text = f"{OWN}\n\n{announced}{CARD}\nMaking work better."
    assert clean_text(text, GRANT) == text


@pytest.mark.parametrize(
    "rows",
    [
        "Olivia Grant 12 days\nManager of the shop 13 days\nThe others were away all of the year.",
        "Olivia Grant was the manager\nManager at that time\nand nobody else was there to help.",
        "Olivia Grant:\nManager of the shop\nshe told me to call the driver of the van.",
        "Mary Grant\nOffice Manager\nshe told me to call the driver of the van.",
    ],
)  # fmt: skip
def test_who_is_spoken_of_signs_nothing(rows: str) -> None:
    assert clean_text(f"{OWN}\n\n{rows}", GRANT) == f"{OWN}\n\n{rows}"


def test_a_firms_form_ends_no_sentence() -> None:
    firm = "Noll Haustechnik e.K.\nInh. Klaus Noll\nIndustriestr. 12 · 70565 Stuttgart\nTel. 0711 / 123 45-0"
    assert clean_text(f"{OWN}\n\nMfG\nK. Noll\n{firm}") == OWN
    assert clean_text(f"{OWN}\n\nThe vans were e.g. blue.\n\nKim Noll") == f"{OWN}\n\nThe vans were e.g. blue."
