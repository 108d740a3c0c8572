"""The margins of a text: what is signed, quoted, pasted and noted around it, who signs; and what only looks so."""

from __future__ import annotations

import pytest

from mailmill.email import clean_text

OWN = "The plan is good, and we should start on Monday."


def _signed(text: str) -> str:
    """As GnuPG signs it in clear."""
    escaped = "\n".join(f"- {line}" if line.startswith(("-", "From ")) else line for line in text.split("\n"))
    opening = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\n"
    return f"{opening}{escaped}\n\n-----BEGIN PGP SIGNATURE-----\n\niD8DBQE9\n-----END PGP SIGNATURE-----"


@pytest.mark.parametrize(
    "below",
    [
        "-- \nAda Byron   https://ada.example",
        "--\nhttps://ada.example",
        "-- \n----------------------------------------\nAda Byron---Director---Byron Ltd\nhttps://ada.example",
        "- Ada",
        "-----Original Message-----\nFrom: Bob\nTo: Ada\nSubject: Plan\n\nShall we?",
    ],
)
def test_what_opens_with_dashes_is_known_within_a_signed_text(below: str) -> None:
    assert clean_text(_signed(f"{OWN}\n\n{below}"), "Ada Byron") == OWN


@pytest.mark.parametrize(
    "text",
    [
        f"{OWN}\n\n- the roof\n- the cellar",
        f"{OWN}\n\n-- or, more properly, on Tuesday. Nobody\nknows yet.",
        f"{OWN}\n\n-------\n\n{OWN}",
    ],
)
def test_what_only_opens_with_dashes_stays_within_a_signed_text(text: str) -> None:
    assert clean_text(_signed(text), "Ada Byron").replace("- -", "-") == text


@pytest.mark.parametrize("item", ["- -- ", "- - Bob Hall", "- --"])
def test_dashes_are_no_marks_of_armour_outside_a_signed_text(item: str) -> None:
    text = f"{OWN}\n\n{item}\n- - - -\n\n{OWN}"
    assert clean_text(text, "Ada Byron") == text
    quoted = "> -----BEGIN PGP SIGNED MESSAGE-----\n> Hash: SHA1\n>\n> Shall we?"
    assert clean_text(f"{quoted}\n\n{text}", "Ada Byron") == text


@pytest.mark.parametrize(
    "header",
    [
        "On Fri, 13 Sep 2002, Tony L. Svanstrom mused:",
        "Op ma. 4 maart 2025 heeft Bob Hall gebromd:",
        "Chuck Murcko <chuck@x.example>:",
        '"Hunt, Bryan" stated the following:',
        "Ciaran Mac Lochlainn stated the following:",
        "Gordon Mohr quoted:",
        "R. A. Hettinga quoted:",
        "Mark Twomey joked:",
        "Waider elucidated:",
        "Terry W. Colvin fwded:",
    ],
)
def test_who_says_it_above_marks_needs_no_usual_verb(header: str) -> None:
    assert clean_text(f"{header}\n> Shall we?\n\n{OWN}") == OWN
    assert clean_text(f"{OWN}\n\n{header}\n\n> Shall we?") == OWN


@pytest.mark.parametrize(
    "told",
    [
        "On Fri, 13 Sep 2002, I promised:",
        "On Fri, 13 Sep 2002, my neighbour Bob promised:",
        "On 4 March 2025 DHL lied:",
        "On Tuesday, 4 March 2025, DHL lied:",
        "On page 12 the manual says of Solr this:",
        "On Mon, 4 Mar 2025 the console showed:",
        "Please ask Bob Hall <bob@x.example>:",
        "I have it from Bob Hall <bob@x.example>:",
        "Royal Mail lied:",
        "Windows Update failed:",
        "The Price quoted:",
        "Original price quoted:",
        "Prices quoted:",
        "Packages needed:",
        "Nobody cares:",
        "We stated the following:",
        "I quoted:",
    ],
)
def test_what_the_author_tells_above_marks_stays(told: str) -> None:
    assert clean_text(f"{OWN}\n\n{told}\n> Shall we?\n\n{OWN}") == f"{OWN}\n\n{told}\n\n{OWN}"


@pytest.mark.parametrize(
    "header", ["On Fri, 13 Sep 2002, Tony L. Svanstrom mused:", "Chuck Murcko <chuck@x.example>:", "Bob Hall joked:"]
)
@pytest.mark.parametrize("below", ["Shall we?", "Shall we?\n> No."])
def test_who_says_it_by_no_usual_verb_heads_nothing_without_marks(header: str, below: str) -> None:
    assert clean_text(f"{OWN}\n\n{header}\n\n{below}").startswith(f"{OWN}\n\n{header}\n\nShall we?")


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize("name", ["Ada Byron", "Ada"])
def test_who_signs_below_a_question_with_a_quote_below_answers(gap: str, name: str) -> None:
    asked, answers = f"> What is your name?{gap}{name}{gap}> Your number?{gap}", f"{name}\n\n07700 900123"
    assert clean_text(f"{asked}07700 900123", "Ada Byron").split() == answers.split()
    assert clean_text(f"{OWN}\n\n> Who comes?{gap}{name}{gap}> See you.", "Ada Byron").endswith(name)


@pytest.mark.parametrize(
    "text",
    [
        f"> See you.\n{OWN}\n> Who comes?\n\nAda Byron",
        f"> See you.\n\n{OWN}\n\n> Your name was on it.\n\nAda Byron\n\n> The rest.",
        f"> Who comes?\n\n{OWN}\n\nAda Byron\n\n> See you.",
    ],
)
def test_who_signs_below_no_question_or_ends_the_mail_answers_nothing(text: str) -> None:
    assert clean_text(text, "Ada Byron") == OWN


SCISSORS = "------------------8<------------------"
PASTED = "From: Bob <bob@x.example>\nTo: ada@x.example\nSubject: Plan"


@pytest.mark.parametrize("row", [SCISSORS, "- - - >8 - - -", "=====8<====="])
def test_a_mail_pasted_between_scissors_ends_at_the_second_row(row: str) -> None:
    cut = clean_text(f"{OWN}\n\n{row}\n{PASTED}\n\nShall we?\n{row}\n\n{OWN}\n\nCheers,\nAda")
    assert cut == f"{OWN}\n\n{row}\n\n{OWN}"
    twice = f"{row}\n{PASTED}\n\nShall we?\n{row}"
    assert clean_text(f"{OWN}\n\n{twice}\n\nIt was:\n\n{twice}\n\n{OWN}").endswith(OWN)


@pytest.mark.parametrize("row", ["_" * 32, "-" * 32, SCISSORS])
def test_rows_above_each_of_several_mails_end_nothing(row: str) -> None:
    below = "" if row == SCISSORS else f"\n\n{row}\n{PASTED}\n\nShall we?"
    assert clean_text(f"{OWN}\n\n{row}\n{PASTED}\n\nWe shall.{below}").removesuffix(row).rstrip() == OWN


@pytest.mark.parametrize("bullet", ["*", "•", "+"])
def test_an_entry_below_one_with_another_bullet_is_no_name(bullet: str) -> None:
    entry = f"{OWN}\n\n{bullet} Sun Apr 28 2002\n- Initial Release"
    assert clean_text(entry, "Ada Byron") == entry
    assert clean_text(f"{OWN}\n\n{bullet} Sun Apr 28 2002\n- Ada", "Ada Byron") == f"{OWN}\n\n{bullet} Sun Apr 28 2002"
    assert clean_text(f"{OWN}\n\n{bullet} Sun Apr 28 2002\n\n- Bob", "") == f"{OWN}\n\n{bullet} Sun Apr 28 2002"


@pytest.mark.parametrize("last", ['Bob Deal."', "Bob Deal.”", "Bob Deal.»"])
def test_what_ends_with_the_mark_of_a_speech_is_no_name(last: str) -> None:
    text = f'{OWN}\n\n"I want that. We shall have it on Monday.\n{last}'
    assert clean_text(text, "Ada Byron") == text
    assert clean_text(f'{OWN}\n\nAda "Countess" Byron', "Ada Byron") == OWN


@pytest.mark.parametrize("name", ["Ada", "A", "Cheers,\nAda"])
def test_a_note_of_the_text_may_stand_right_below_the_name(name: str) -> None:
    note = "[0] Bricks 'n' Mortar"
    text = f"{OWN} They have b&m[0] stores, too."
    assert clean_text(f"{text}\n\n{name}\n{note}", "Ada") == f"{text}\n\n{note}"
    assert clean_text(f"{OWN}\n\n{name}\n[7] Mortar Street", "Ada") == OWN


@pytest.mark.parametrize("smiley", ["(:", "(;", ":D", ";-P", "LOL", "lol", ":-)", "(-:"])
@pytest.mark.parametrize(
    ("name", "sender"),
    [("C", "CDale <cdale@x.example>"), ("Lance", ""), ("Ada Byron", "Ada Byron")],
)
def test_a_name_below_a_smiley_signs(smiley: str, name: str, sender: str) -> None:
    said = f"Why should I be the one who asks for it? {smiley}"
    for gap in ("\n", "\n\n"):
        assert clean_text(f"{OWN}\n\n{said}{gap}{name}", sender) == f"{OWN}\n\n{said}"


@pytest.mark.parametrize(
    "text",
    [
        f"{OWN} (:\nGreat work!",
        f"{OWN} (:\n\n--j. (frustrated)",
        f"{OWN}\nMine is the following one, which I like :\nC",
        f"{OWN} LOL\nGrats, Daddy-o!",
        f"{OWN} (:\nQ",
        f"{OWN} The grades are listed in WIKILOL\nC",
        f"{OWN} This is what we got for our work:D\nC",
        f"{OWN}\n\nMy grades, which you have asked for, are:\n\nC",
    ],
)
def test_what_stands_below_a_smiley_and_is_no_name_stays(text: str) -> None:
    assert clean_text(text, "CDale <cdale@x.example>") == text


@pytest.mark.parametrize(
    "line",
    [
        "On Fri, 13 Sep 2024 The Kettle exploded:",
        "On Fri, 13 Sep 2024 Tom lied:",
        "On Fri, 13 Sep 2024 DHL told:",
        "Op vr. 13-09-2024 is de Waterkoker ontploft:",
        "El vie, 13/09/2024 la Tetera explotó:",
    ],
)
def test_an_event_of_a_day_above_marks_stays(line: str) -> None:
    """Programs set a comma or a clock before the name."""
    text = f"{line}\n> You get the whole refund within two days.\n\nThat was a lie and I am angry.\n"
    assert clean_text(text, "Ada Byron <ada@x.org>").startswith(line)


@pytest.mark.parametrize(
    ("block", "kept"),
    [
        ("07700 900123\nCancel the second shirt, size L.", "Cancel the second shirt, size L."),
        ("07700 900123\nStornieren Sie die zweite Bestellung.", "Stornieren Sie die zweite Bestellung."),
        ("Cancel the second shirt, size L.\n07700 900123", "Cancel the second shirt, size L."),
        ("Order 4711\n07700 900123\nKettle: leaks\nLid: missing", "Kettle: leaks\nLid: missing"),
        ("5 Mill Lane\nYork YO1 7AA\n07700 900123\n\nThe old address is wrong.", "5 Mill Lane\nYork YO1 7AA"),
    ],
)
def test_what_the_author_writes_beside_name_and_number_stays(block: str, kept: str) -> None:
    """Only a title's signature has slogans."""
    text = f"Please deliver the parcel to my new address.\n\nAda Byron\n{block}\n"
    assert kept in clean_text(text, "Ada Byron <ada@x.org>")


def test_many_signatures_of_the_senders_own_cost_no_more_than_text() -> None:
    """A mail of 51 kB ended all mails beside it with a RecursionError."""
    block = "\nAda Byron\nTel. 07700 900123\n" + "x\n" * 11
    text = "The toaster burned my kitchen and I want my money back now.\n" + block * 1500
    assert clean_text(text, "Ada Byron <ada@x.org>").startswith("The toaster burned my kitchen")


@pytest.mark.parametrize("item", ["Morning coffee mug,", "Guten Morgen Tee,", "Hola Kitty taza,"])
def test_an_item_of_a_list_is_no_greeting_below_a_letters_head(item: str) -> None:
    text = "Order change\n\n" + "".join(f"Blue shirt {n}\n\n" for n in range(4))
    text += f"{item}\n\nTwo socks\n\nSend all of it soon because I need it for a birthday.\n"
    assert item in clean_text(text, "Ada Byron <ada@x.org>")
