"""Which lines go, and by which rule: quotes, headers, edges, and what must stay."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from mailmill.email import clean_text
from mailmill.email.cleaner import sender_names
from mailmill.email.lines import split_lines
from mailmill.email.zones import assign_zones


def zones(text: str, evidence: list[str] | None = None) -> list[str]:
    return [zone for zone, _ in assign_zones(split_lines(text, evidence)).marks]


def rules(text: str) -> list[str]:
    return [rule for _, rule in assign_zones(split_lines(text)).marks]


OWN = "The plan is good, and we should start on Monday."


@pytest.mark.parametrize(
    "below",
    [
        "-----Original Message-----\nFrom: Bob\nSent: Monday\nTo: Ada\nSubject: x\n\nTheir words.",
        "From: Bob <bob@x.example>\nSent: Monday, March 3\nTo: Ada\nSubject: x\n\nTheir words.",
        "________________________________\nVon: Bob\nGesendet: Montag\nAn: Ada\nBetreff: x\n\nDeren Worte.",
        "On Mon, Mar 3, 2025 at 4:01 PM Bob <bob@x.example>\nwrote:\n\n> Their words.",
        "Am 03.03.2025 um 16:01 schrieb Bob:\n> Deren Worte.",
        "Bob <bob@x.example> hat am 03.03.2025 16:01 CET geschrieben:\n\nDeren Worte.",
        "envoyé : 3 mars 2025 à 16:01\nde : Bob <bob@x.example>\nà : Ada <a@x.example>\nobjet : x\n\nLeurs mots.",
        "Le lun. 3 mars 2025 à 16:01, Bob <bob@x.example> a écrit :\n> Leurs mots.",
        "El lun, 3 mar 2025 a las 16:01, Bob (<bob@x.example>) escribió:\n> Sus palabras.",
        "Em seg., 3 de mar. de 2025 às 16:01, Bob <bob@x.example> escreveu:\n> As palavras.",
        "Il giorno lun 3 mar 2025 alle ore 16:01 Bob <bob@x.example> ha scritto:\n> Le parole.",
        "Op ma 3 mrt 2025 om 16:01 schreef Bob <bob@x.example>:\n> Hun woorden.",
        "2025-03-03 16:01 GMT+01:00 Bob <bob@x.example>:\n> Their words.",
        "---------------------- Forwarded by Bob/HOU/ECT on 01/05/2000 01:16 PM \n---------------------------\n\nBob\n"
        "01/05/2000 09:26 AM\nTo: Ada/HOU/ECT@ECT\ncc: \nSubject: x\n\nTheir words.",
        "Bob <b@x.example>\n05/07/2001 09:12 AM\nPlease respond to B\n\n\tTo: Ada\n\tcc:\n\tSubject: x\n\nTheir words.",
        "===== Original Message From Bob Hall =====\nTheir words.",
        ">>> Bob <bob@x.example> 3/3/25 4:01 PM >>>\nTheir words.",
        "On Mon, 3 Mar 2025, Bob wrote:\n--]Their words\n--]go on here.",
    ],
)
def test_what_follows_a_header_is_not_the_authors(below: str) -> None:
    text = f"{OWN}\n\n{below}"
    assert clean_text(text) == OWN
    assert "header" in zones(text)


@pytest.mark.parametrize("below", ["\n\n> When do you come?", "\n\nWhen do you come?", ""])
@pytest.mark.parametrize(
    "attribution",
    [
        "On Tue, Mar 4, 2025 at 10:12 AM Bob Hill <bob@x.example> wrote:",
        "On Tue, Mar 4, 2025 at 10:12 AM\nBob Hill <bob@x.example> wrote:",
        "Am 04.03.2025 um 10:12 schrieb Bob Hill <bob@x.example>:",
        "Le mar. 4 mars 2025 à 10:12, Bob\nHill <bob@x.example> a écrit :",
        "El mar, 4 mar 2025 a las 10:12, Bob Hill (<bob@x.example>) escribió:",
        "Em ter., 4 de mar. de 2025 às 10:12, Bob Hill <bob@x.example> escreveu:",
        "Il giorno mar 4 mar 2025 alle ore 10:12 Bob Hill <bob@x.example> ha scritto:",
        "Op di 4 mrt 2025 om 10:12 schreef Bob Hill <bob@x.example>:",
    ],
)
def test_words_on_the_line_of_an_attribution_are_the_authors(attribution: str, below: str) -> None:
    for own in (OWN, "That is fine with me---", "On my side it works", "Perfect 😊"):
        assert clean_text(f"{own} {attribution}{below}") == own
        assert clean_text(f"{OWN}\n\n{own} {attribution}{below}") == f"{OWN}\n\n{own}"
    assert clean_text(f"{OWN}\n\n- {attribution}{below}") == OWN
    glued = f"{OWN}{attribution}"  # nothing to part it at
    assert clean_text(f"{glued}{below}") == glued + below.partition("\n\n>")[0]


def test_what_somebody_wrote_is_told_behind_words_of_the_authors() -> None:
    for text in (f"So far. On Tuesday, 4 March 2025 at 10:12, the shop wrote:\n\nWe pay.\n\n{OWN}",
                 f"The log of On 4 March 2025 at 10:12:\n\n{OWN}"):  # fmt: skip
        assert clean_text(text) == text


@pytest.mark.parametrize(
    "last",
    [
        "To: be honest, it smokes",
        "Cc: my lawyer, as you see",
        "Please respond to Ada",
        "Subject: my blender",
        "Date: today, please.",
        "From: London\nTo: Paris\nDate: 3 March 2025 10:00",
    ],
)
def test_a_line_that_begins_as_a_field_stays_above_a_header(last: str) -> None:
    header = "From: Bob <bob@x.example>\nSent: Monday, March 3, 2025 10:00 AM\nTo: Ada\nCc: Eve\nSubject: x\n\nTheirs."
    assert clean_text(f"{OWN}\n\n{last}\n\n{header}") == f"{OWN}\n\n{last}"
    assert clean_text(f"{OWN}\n\n{header}") == OWN


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize(
    "header",
    [
        ">>> On 3/3/2015 at 10:12 AM, Bob Hill <bob@x.example> wrote: ",
        ">>> On 3/3/2015 at 10:12 AM, in message <A1.B2@x.example>, Bob Hill <bob@x.example> wrote:",
        ">>> Am 3.3.2015 um 10:12 schrieb Bob Hill <bob@x.example>:",
    ],
)
def test_groupwise_marks_the_header_alone(header: str, gap: str) -> None:
    theirs = "When do you come?"
    assert clean_text(f"{OWN}\n\n{header}{gap}{theirs}") == OWN
    assert clean_text(f"{OWN}\n\n{header}{gap}{theirs}\n\n{header}{gap}{theirs}") == OWN
    assert clean_text(f"{header}{gap}>>> {theirs}\n\n{OWN}") == OWN
    assert clean_text(f"{header}\n\n{OWN}") == OWN
    for marked in (f"> {theirs}", f">>> {theirs}"):
        assert clean_text(f"{OWN}\n\n{header}{gap}{marked}\n\n{OWN}") == f"{OWN}\n\n{OWN}"


@pytest.mark.parametrize(
    "upper",
    [
        "Von: Hill, Bob\nGesendet: Montag, 3. März 2025 10:00\nAn: Byron, Ada",
        "From: Bob Hill\nSent: Monday, March 3, 2025 10:00 AM\nTo: Ada Byron\nCc: Eve Stone",
    ],
)
def test_a_header_may_lack_its_subject_above_another_one(upper: str) -> None:
    lower = "From: Shop\nSent: Monday, March 3, 2025 9:00 AM\nTo: Bob Hill\nSubject: x\n\nOld words."
    assert clean_text(f"{OWN}\n\n{upper}\n\n{lower}") == OWN
    assert clean_text(f"{upper}\n\n{lower}") == ""


@pytest.mark.parametrize(
    "header",
    [
        "From: Bob Hill\nSent: \u200eMonday\u200e, \u200eMarch\u200e \u200e3\u200e, "
        "\u200e2025 \u200e10\u200e:\u200e00\u200e \u200eAM\nTo: Ada",
        "Von: Bob Hill\nGesendet: Montag, 3. März 2025 10:00\nAn: Ada\nCc: Eve",
        "De : Bob Hill\nEnvoyé : lundi 3 mars 2025 10:00\nÀ : Ada",
        "De: Bob Hill\nEnviado el: lunes, 3 de marzo de 2025 10:00\nPara: Ada",
        "De: Bob Hill\nEnviada: segunda-feira, 3 de março de 2025 10:00\nPara: Ada",
        "Da: Bob Hill\nInviato: lunedì 3 marzo 2025 10:00\nA: Ada",
        "Van: Bob Hill\nVerzonden: maandag 3 maart 2025 10:00\nAan: Ada",
    ],
)
def test_windows_mail_names_neither_subject_nor_addresses(header: str) -> None:
    assert clean_text(f"{OWN}\n\nBest regards,\nAda\n\n{header}\n\nTheirs.") == OWN
    form = f"{OWN}\n\n{header.translate({0x200E: None})}\nStatus: delivered\n\nPlease look where it is."
    assert clean_text(form) == form


@pytest.mark.parametrize(
    "form",
    [
        "From: Leeds\nSent: 3 March 2025 10:05\nTo: Ada",
        "From: Leeds\nSent: Monday, 3 March, 10:05\nTo: Ada",
        "From: Leeds\nSent: March 3, 2025 10:05\nTo: Ada",
        "De: Leeds\nEnviado: el 3 de marzo de 2025 a las 10:05\nPara: Ada",
        "From: London\nDate: Monday, 3 March 2025 10:00\nTo: Paris",
        "From: London\nTo: Paris\nSent: Monday, 3 March 2025 10:00",
        "To: All staff\nSent: Monday, 3 March 2025 10:00\nFrom: Ada",
    ],
)
def test_parcels_journeys_and_memos_have_fields_like_those_of_windows_mail(form: str) -> None:
    text = f"{OWN}\n\n{form}\n\nPlease look where it is."
    assert clean_text(text) == text


@pytest.mark.parametrize("above", ["", f"{OWN}\n\n", f"From {'0a1b2' * 8} Mon Sep 17 00:00:00 2001\n"])
@pytest.mark.parametrize(
    ("subject", "last"),
    [("[RFC PATCH v2 1/3] Fix it", "Next part."), ("Fix it", "Signed-off-by: Bob"), ("Fix it", "diff --git a/x b/x")],
)
def test_fields_above_a_patch_head_no_mail(subject: str, last: str, above: str) -> None:
    fields = f"From: Bob <bob@x.example>\nDate: Mon, 3 Mar 2025 10:12:55 +0100\nSubject: {subject}"
    own = above.partition("From")[0]
    assert clean_text(f"{above}{fields}\n\nThe value was wrong.\n\n{last}") == f"{own}The value was wrong.\n\n{last}"
    mails = (fields.replace("\nSubj", "\nTo: Ada <ada@x.example>\nSubj"), fields.replace("Date", "Sent"),
             f"-----Original Message-----\n{fields}")  # fmt: skip
    for header in mails:
        assert clean_text(f"{OWN}\n\n{header}\n\nThe value was wrong.\n\n{last}") == OWN


BOB = "Bob Hill <bob@x.example>"


@pytest.mark.parametrize(
    "header",
    [
        f"Von: | {BOB}\nAn | ada@x.example\nDatum: | Mo., 03.03.2025 10:00\nBetreff | x",
        f"From: | {BOB}\nTo | ada@x.example\nCc | eve@x.example\nDate | Mon, Mar 3, 2025 10:00 AM\nSubject | x",
    ],
)
def test_names_of_fields_in_a_table_may_lack_their_colons(header: str) -> None:
    assert clean_text(f"{OWN}\n\n{header}\n\nTheirs.") == OWN


@pytest.mark.parametrize(
    "header",
    [
        f"{BOB}\n03/03/2015 10:12 AM\n\nTo\nada@x.example\ncc\n\nSubject\nRe: x",
        f"{BOB}\n03/03/2015 10:12 AM\n\nTo\nada@x.example\ncc\n\nSubject\n",
        f"{BOB}\nSent by: Eve\n03/03/2015 10:12 AM\nPlease respond to\neve@x.example\n\nTo\nAda\n\nSubject\n",
        f"{BOB}\n03.03.2015 10:12\n\nAn\nada@x.example\nKopie\n\nThema\nRe: x",
        "Bob Hill/UK/X@X\n03/03/2015 10:12\n\nPour\nAda/UK/X\ncc\n\nObjet\nRe: x",
        "-----Bob Hill/UK/X wrote: -----\nTo: ada@x.example\nFrom: Bob Hill/UK/X\nDate: 03/03/2015 10:12AM\nSubject: x",
        f"-----{BOB} schrieb: -----\nAn: ada@x.example\nVon: Bob\nDatum: 03.03.2015 10:12\nBetreff: x",
    ],
)
def test_notes_in_plain_text_writes_fields_without_colons_or_a_banner(header: str) -> None:
    assert clean_text(f"{OWN}\n\n{header}\n\n\nTheirs.") == OWN
    assert clean_text(f"{OWN}\n\nBest regards\nAda\n\n{header}\n\nTheirs.") == OWN


@pytest.mark.parametrize(
    "form",
    [
        "03/03/2015 10:12 AM\n\nTo\nAda\n\nSubject\nRe: x",
        "Delivery\n03/03/2015 10:12 AM\n\nTo\nAda\n\nSubject\nRe: x",
        f"{BOB}\n\n03/03/2015 10:12 AM\n\nTo\nAda\n\nSubject\nRe: x",
        f"{BOB}\n03/03/2015 10:12 AM\n\nTo\nAda\n\nBy\nboat",
        f"{BOB}\n03/03/2015 10:12 AM\n\nSubject\nRe: x",
        "-----Bob wrote to you: -----",
    ],
)
def test_forms_that_are_like_those_of_notes_stay(form: str) -> None:
    text = f"{OWN}\n\n{form}\n\nPlease tell me whether that is right."
    assert clean_text(text) == text


@pytest.mark.parametrize(
    "table",
    [
        "From: | London\nTo | Paris\nDate: | 3 March 2025 10:00",
        "From: | London\nTo | Paris\nSubject | My refund",
        "From: | To | Date\nLondon | Paris | 3 March 2025 10:00",
        "To: | ada@x.example\nDate | 3 March 2025\nPaid | yes",
        f"From: | {BOB}\nTo | the whole team\nWhat | shoes",
        f"From: | {BOB}\nCopy | Ada",
        f"From: | {BOB}\nCc | Ada\nSubject | Lamp",
        f"From: | {BOB}\nTo | Shop\nSubject | Lamp\nDate | 3 March 2025 10:00\nPrice | 40",
        f"Name | Bob\nFrom: | {BOB}\nSubject | Lamp\nTo | Shop",
        f"From: | {BOB}\nTo | Shop\nSubject | Lamp\nMessage | The lamp broke on the first day.",
    ],
)
def test_an_authors_table_is_no_header(table: str) -> None:
    text = f"{OWN}\n\n{table}\n\nPlease tell me whether that is right."
    assert clean_text(text) == text


@pytest.mark.parametrize("rule", ["", f"{'_' * 32}\n", f"{'_' * 32}\n\n"])
@pytest.mark.parametrize(
    "header",
    [
        "From: Bob <bob@x.example> Sent: Monday, March 3, 2025 2:35 PM To: Byron, Ada <a@x.example> Subject: Re: x",
        "*From:* Bob *Sent:* Monday, March 3, 2025 2:35 PM *To:* Byron, Ada *Cc:* Eve *Subject:* x",
        "Von: Bob <bob@x.example> Gesendet: Montag, 3. März 2025 14:35 An: Byron, Ada <a@x.example> Betreff: x",
        "De : Bob <bob@x.example> Envoyé : lundi 3 mars 2025 14:35 À : Ada <a@x.example> Objet : x",
        "De: Bob <bob@x.example> Enviado el: lunes, 3 de marzo de 2025 14:35 Para: Ada <a@x.example> Asunto: x",
        "De: Bob <bob@x.example> Enviada em: segunda-feira, 3 de março de 2025 14:35 Para: Ada Assunto: x",
        "Da: Bob <bob@x.example> Inviato: lunedì 3 marzo 2025 14:35 A: Ada <a@x.example> Oggetto: x",
        "Van: Bob <bob@x.example> Verzonden: maandag 3 maart 2025 14:35 Aan: Ada <a@x.example> Onderwerp: x",
        "From: Bob Sent: Monday, March 3, 2025 2:35 PM To: Ada Subject: x Hello, I come.",
    ],
)
def test_a_header_may_stand_in_one_line(rule: str, header: str) -> None:
    for below in ("\n\nTheirs.", "\n", ""):
        assert clean_text(f"{OWN}\n\n{rule}{header}{below}") == OWN


@pytest.mark.parametrize(
    "line",
    [
        "From: Mumbai To: Pune Date: 3 May 2025 10:30",
        "From: London To: Paris Date: 3 May 2025 Subject: trip",
        "From: a@x.example To: b@x.example Date: 3 May 2025 10:30 Size: 30",
        "From: Bob To: Sales Date: 3 May 2025 10:30 Subject: Refund Message: I want my money back.",
        "From: Leeds To: York Date: 3 May 2025 10:30 Subject: parcel",
        "Von: | Ulm | An: | Bonn | Datum: | 04.03.2025 10:05 | Betreff: | Fahrt",
        "Date : 4 mars 2025, 10:00 De : la direction À : tous Objet : budget",
        "Date: 2025-03-04 10:05 From: 10.0.0.1 To: 10.0.0.2 Subject: CN=x.example",
        "From: a@x.example | To: b@x.example | Date: 3 May 2025 10:30 | Subject: One",
        "From: is empty, To: is empty, Date: is wrong and Subject: is in Chinese",
    ],
)
def test_fields_in_one_line_that_are_no_header_stay(line: str) -> None:
    text = f"{OWN}\n\n{line}\n\n{OWN}"
    assert clean_text(text) == text


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize("row", ["=" * 40, "*" * 20, "_" * 30, "-" * 30])
@pytest.mark.parametrize(
    "below",
    [
        'Message du : 04/03/2025 13:20\nDe : "Bob" <bob@x.example>\nA : ada@x.example\nSujet : x\n\nTheirs.',
        "On Tue, 4 Mar 2025 at 10:12, Bob <bob@x.example> wrote:\n> Theirs.",
        "Le 4 mars 2025 à 10:12, Bob <bob@x.example> a écrit :\n\nTheirs.",
    ],
)
def test_a_row_of_signs_above_a_header_goes_with_it(below: str, row: str, gap: str) -> None:
    assert clean_text(f"{OWN}\n\n{row}{gap}{below}") == OWN
    assert clean_text(f"{OWN}\n\nAda\n\n{row}{gap}{below}", "Ada Byron <ada@x.example>") == OWN
    assert clean_text(f"{OWN}\n{'_' * 32}\n{below}") == OWN
    for own in (f"{OWN}\n\n{row}\n\n{OWN}", f"a    b\n{row}\n4    2\n{row}", f"{row}\n\n{OWN}\n\n{row}"):
        assert clean_text(f"{own}\n\n{below}") == own
        assert clean_text(f"{own}\n\n> Theirs.") == own


@pytest.mark.parametrize("blank", ["\n", "\n\n"])
def test_blank_lines_may_part_fields(blank: str) -> None:
    fields = ["From: Bob <bob@x.example>", "Sent: Monday, March 3, 2025 10:00 AM", "To: Ada", "Cc: Eve", "Subject: x"]
    for order in (fields, [fields[2], *fields[:2], *fields[3:]]):
        assert clean_text(f"{OWN}\n\n{blank.join(order)}\n\nTheirs.") == OWN


@pytest.mark.parametrize("above", ["", f"{OWN}\n\n"])
@pytest.mark.parametrize("header", ["On 1 May 2025, Bob <b@x.example> wrote:", "b@x.example (Bob Hill) writes:\n"])
@pytest.mark.parametrize("mark", [">", ":"])
def test_answers_between_and_below_quotes_stay(above: str, header: str, mark: str) -> None:
    own = ["Yes, that is what I meant to say.", "No, not at all."]
    text = f"{above}{header}\n{mark} first\n{mark} and more\n\n{own[0]}\n\n{mark} second\n\n{own[1]}"
    assert clean_text(text) == f"{above}{own[0]}\n\n{own[1]}"


FIELDS = "From: Bob <bob@x.example>\nSent: Monday, March 3, 2025 10:00 AM\nTo: Ada\nSubject: x"
BANNER = "-----Original Message-----"


@pytest.mark.parametrize("above", ["", "Hello Bob,", "Bob,", "Sehr geehrter Herr Hill,"])
@pytest.mark.parametrize(
    "header",
    [
        "- On 2025-03-03 10:12, Bob wrote:",
        "---- On Mon, 3 Mar 2025 14:02:50 +0100 Bob <bob@x.example> wrote ----\n",
        f"{BANNER}\n{FIELDS}\n",
        f"{FIELDS}\n",
        f"{BANNER}\n> From: Bob <bob@x.example>\n> Subject: x\n>",
        "----- Ursprüngliche Nachricht -----",
    ],
)
def test_answers_to_marked_quotes_below_a_banner_stay(above: str, header: str) -> None:
    text = f"{above}\n\n{header}\n> first?\n\nYes, today.\n\n> second?\n\nNo, not at all."
    assert clean_text(text.lstrip()) == "Yes, today.\n\nNo, not at all."
    text = f"{OWN}\n\n{header}\n> first?\n\nYes, today."
    assert clean_text(text) == (OWN if FIELDS in header else f"{OWN}\n\nYes, today.")


@pytest.mark.parametrize("own", [OWN, "Thanks,", f"Bob,\n\n{OWN}", "FYI,", "See below,", "Approved,", "Zur Info,"])
@pytest.mark.parametrize("header", [f"{BANNER}\n{FIELDS}", "---------- Forwarded message ----------"])
def test_what_somebody_quoted_himself_is_his_below_text_of_the_authors(own: str, header: str) -> None:
    assert clean_text(f"{own}\n\n{header}\n\n> Sue's words\n\nBob's words.") == own.removeprefix("Bob,").strip()


def test_a_wrapped_quote_is_quoted() -> None:
    text = f"{OWN}\n\nOn 1 May 2025, Bob wrote:\n> {'long ' * 14}words that were\nwrapped\n> and go on"
    assert clean_text(text) == OWN
    assert "quote.wrapped" in rules(text)


@pytest.mark.parametrize("link", ["(http://x.example/a\n_nonce=3dd518)", "<http://x.example/a\n_nonce=3dd518>."])
@pytest.mark.parametrize("below", [">\n> Bob", "> and pay.", ""])
def test_the_rest_of_a_quoted_link_is_quoted(link: str, below: str) -> None:
    assert clean_text(f"{OWN}\n\nOn 1 May 2025, Bob wrote:\n\n> View it {link}\n{below}") == OWN


HEAD = "On 1 May 2025, Bob wrote:\n"
ASKED = "please confirm your address and the last four digits of the card."


@pytest.mark.parametrize(
    "answer",
    [
        "Yes, please.", "No.", "i have tried that.", "Large and blue.", "- done.", "It is well-known.\nLook here!",
        "4242", "+44 20 7946 0000", "221b Baker Street, London", "kim@example.com", "£12.50", "Yes", "ok",
    ],
)  # fmt: skip
def test_an_answer_right_below_a_sentence_stays(answer: str) -> None:
    for asked in (ASKED, ASKED.replace(".", ":"), ASKED.replace(".", "!")):
        assert clean_text(f"{HEAD}> Dear Bob,\n> {asked}\n{answer}\n> Anything else?\nI do not think so.") == (
            f"{answer}\n\nI do not think so."
        )
        assert clean_text(f"{OWN}\n\n{HEAD}> {asked}\n{answer}") == f"{OWN}\n\n{answer}"


@pytest.mark.parametrize(
    "rest",
    [
        "I", "This exception", "A.", "i.e.", "...", "-spam.", "https://x.example/4711", "The",
        "4711\n> was sent. Please look at the parcel that we sent to you a week ago.\nThis one",
    ],
)  # fmt: skip
def test_a_rest_below_a_sentence_is_quoted(rest: str) -> None:
    for below in ("\n> and so on", "\n>"):
        assert clean_text(f"{OWN}\n\n{HEAD}> {ASKED}\n{rest}{below}") == OWN


@pytest.mark.parametrize(
    ("below", "own"),
    [
        ("> Can you come at 5?\nYes.\n> And bring the keys?\nno, I lost them.", "Yes.\n\nno, I lost them."),
        ("> We need the number of the order\n12345\n> and the name\nJane Miller", "12345\n\nJane Miller"),
        (f"> {'long ' * 14}words?\nAll of them.", "All of them."),
        (f"> {'long ' * 30}line that nothing wrapped\nSo I see.\n> more", "So I see."),
        (">\nget another one", "get another one"),
        ("> first\n[...]\n> second\nmine", "mine"),
        ("> View it (http://x.example/a\nYes\n> and pay.", "Yes"),
        ("> View it (http://x.example/a)\nYes:)\n> and pay.", "Yes:)"),
        ("> View it (http://x.example/a\n?b=c)\nI do.", "?b=c)\nI do."),
        ("> View it (http://x.example/a\nYes:)\n> and pay.", "Yes:)"),
        ("> View it <http://x.example/a\n->Done\n> and pay.", "->Done"),
    ],
)
def test_an_answer_right_below_a_quote_stays(below: str, own: str) -> None:
    assert clean_text(HEAD + below) == own


def test_what_may_be_an_answer_stays_where_nothing_else_is() -> None:
    text = f"{HEAD}> {'long ' * 14}words.\nSo where is it, then"
    zoned = assign_zones(split_lines(text))
    assert zoned.kept_low_confidence
    assert clean_text(text) == "So where is it, then"
    assert clean_text(f"{OWN}\n\n{text}") == OWN


@pytest.mark.parametrize("left_out", ["[snip]", "<snip>", "*** snipped ***", "[...]", "(…)"])
def test_what_stands_for_left_out_text_goes_next_to_a_quote(left_out: str) -> None:
    header = "On 1 May 2025, Bob <b@x.example> wrote:"
    for text in (
        f"{header}\n{left_out}\n> first\n\n{OWN}", f"{header}\n> first\n\n{left_out}\n\n{OWN}",
        f"{OWN}\n\n{left_out}\n\n> first", f"> first\n\n{left_out}\n\n> second\n\n{OWN}",
    ):  # fmt: skip
        assert clean_text(text) == OWN
    for own in (f"{OWN}\n\n{left_out}\n\n{OWN}", f"{left_out} and so on.\n\n{OWN}"):
        assert clean_text(f"{header}\n> first\n\n{own}") == own


@pytest.mark.parametrize("said", ["...", "???", ":-)", "--- snip ---\nint a = 1;\n--- snip ---", "Snip."])
def test_what_says_something_next_to_a_quote_stays(said: str) -> None:
    assert clean_text(f"{OWN}\n\n> first\n\n{said}\n\n{OWN}") == f"{OWN}\n\n{said}\n\n{OWN}"


def test_mbox_escaped_from_is_no_quote() -> None:
    text = ">From where can one download the new version of it?"
    assert clean_text(text) == text
    for near in (f"> Theirs.\n\n{text}", f">Theirs.\n\n{text}", f">Theirs.\n\n{text}\n> Theirs."):
        assert clean_text(f"{HEAD}\n{near}") == text
    assert clean_text(f"{HEAD}\n{text}\n>And why?\n\n{OWN}") == OWN
    assert clean_text(f"{HEAD}\n>>{text}\n>And why?\n\n{OWN}") == OWN


@pytest.mark.parametrize(
    ("line", "zone"),
    [
        ("Hi Bob,", "greeting"),
        ("Dear Ms. Miller:", "greeting"),
        ("Sehr geehrte Damen und Herren,", "greeting"),
        ("Bob -", "greeting"),
        ("John/Louise", "greeting"),
        ("Thanks Erick,", "greeting"),
    ],
)
def test_greeting(line: str, zone: str) -> None:
    assert zones(f"{line}\n\n{OWN}")[0] == zone
    assert zones(line)[0] == "body"
    assert zones(f"{OWN}\n{line}\n{OWN}")[1] == "body"


@pytest.mark.parametrize(
    "closing",
    [
        "Best regards,\nAda",
        "Thanks, ada",
        "Mit freundlichen Grüßen\nAda Byron",
        "Cordialement,\nAda",
        "-Ada",
        "Thanks!\n\nAda\nx 4711",
        "Ada Byron\nSenior Engineer, Firm Inc.\n+1 713 555 0101",
        "-- \nAda Byron\nanything at all may stand here",
        "Sent from my iPhone",
        "This e-mail is confidential and intended only for the addressee.",
        "_______________________________________________\nfoo mailing list\nhttp://x.example/mailman/listinfo/foo",
        "__\nfoo mailing list\nfoo@lists.example\nhttp://x.example/mailman/listinfo/foo",
        " - budget.xls",
    ],
)
def test_what_stands_below_goes(closing: str) -> None:
    assert clean_text(f"{OWN}\n\n{closing}") == OWN


@pytest.mark.parametrize("above", ["", "Best,\n"])
@pytest.mark.parametrize("rule", ["-- ", "--", "——"])
def test_a_postscript_below_a_signature_is_body(above: str, rule: str) -> None:
    signed = f"{OWN}\n\n{above}{rule}\nAda Byron\nFirm Ltd\n\nPS: bring the keys, please."
    assert clean_text(signed) == f"{OWN}\n\nPS: bring the keys, please."


@pytest.mark.parametrize(
    "said",
    [
        "P.P.S.: the plug is wrong.",
        "PPS the plug is wrong.",
        "PS, the plug is wrong.",
        "PS2: the plug is wrong.",
        "P/S: the plug is wrong.",
        "Post scriptum: the plug is wrong.",
        "Nota bene: the plug is wrong.",
        "(PS: the plug is wrong.)",
        "*PS: the plug is wrong.*",
        f"PS: {' '.join(['the plug is wrong'] * 20)}.",
        "Addendum: the plug is wrong.",
        "BTW the plug is wrong.",
        "Sorry, forgot: the plug is wrong.",
        "Nachtrag: der Stecker passt nicht.",
        "Postskriptum: der Stecker passt nicht.",
        "Post-scriptum : la prise ne convient pas.",
        "J’ai oublié de dire : la prise ne convient pas.",
        "Posdata: el enchufe no sirve.",
        "P.P.D.: el enchufe no sirve.",
        "Poscritto: la spina è sbagliata.",
        "Dimenticavo: la spina è sbagliata.",
        "Pós-escrito: a tomada está errada.",
        "Obs.: a tomada está errada.",
        "Naschrift: de stekker past niet.",
    ],
)
@pytest.mark.parametrize("above", ["-- \n", "Best regards,\n"])
def test_postscripts_have_many_spellings(said: str, above: str) -> None:
    card = "Ada Byron\nByron Engines Ltd\n+44 113 496 0000"
    assert clean_text(f"{OWN}\n\n{above}{card}\n\n{said}", "Ada Byron") == f"{OWN}\n\n{said}"


@pytest.mark.parametrize("row", ["PS5 console", "Psalm 23", "Update the PS4"])
def test_what_only_begins_as_a_postscript_parts_no_list(row: str) -> None:
    text = f"{OWN} We want:\n\n- Red Lamp\n- {row}\n- Blue Lamp"
    assert clean_text(text, "Ada Byron") == text


@pytest.mark.parametrize(
    "text",
    [
        "Two problems.\n--\nFirst it smokes a lot.\n--\nSecond it stinks a lot.",
        f"{OWN}\n\n--\n\nI want my money back now because it is broken.",
        f"{OWN}\n\n--\n\nI want my money back now.\n\n--\n\nOr tell me why it is broken again.",
    ],
)
def test_two_dashes_may_part_passages(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(
    "signature", ["-- \n{}", "-- \n\n{}", "--\nAda\n\n{}", "--\n\nAda\n{}", "Best,\nAda\n\n--\n\n{}"]
)
def test_a_signature_below_two_dashes_may_hold_a_sentence(signature: str) -> None:
    saying = "The engine weaves patterns just as the loom weaves flowers and leaves."
    assert clean_text(f"{OWN}\n\n{signature.format(saying)}") == OWN


def test_a_postscript_within_a_signature_is_its_own() -> None:
    assert clean_text(f"{OWN}\n\n-- \nAda Byron\nPS: think before you print\nwww.firm.example") == OWN


@pytest.mark.parametrize("sender", ["", "Support Team <s@firm.example>"])
@pytest.mark.parametrize(
    ("signoff", "register", "disclaimer"),
    [
        (
            "Met vriendelijke groet,",
            "KvK 12345678",
            "Dit bericht is vertrouwelijk en uitsluitend bestemd voor de geadresseerde. Als u dit bericht ten onrechte"
            " hebt ontvangen, wilt u het dan verwijderen.",
        ),
        (
            "Cordiali saluti",
            "P. IVA 01234567890",
            "Questo messaggio è confidenziale e destinato esclusivamente al destinatario. Se avete ricevuto questo"
            " messaggio per errore, siete pregati di cancellarlo.",
        ),
    ],
)
def test_a_register_right_above_a_disclaimer_goes(sender: str, signoff: str, register: str, disclaimer: str) -> None:
    signed = f"{signoff}\nAda Byron\nFirma B.V.\nTel. +31 20 123 4567\nwww.firma.example"
    assert clean_text(f"{OWN}\n\n{signed}\n{register}\n{disclaimer}", sender) == OWN


def test_postscript_is_body() -> None:
    assert clean_text(f"{OWN}\n\nBest,\nAda\n\nPS: bring the keys, please.") == f"{OWN}\n\nPS: bring the keys, please."


@pytest.mark.parametrize(
    "text",
    [
        f"{OWN}\nThanks to all of you we finished in time, which is great news.\n{OWN}",
        f"{OWN}\n\n• one apple\n• two pears",
        f"{OWN}\n\nOK",
        f"{OWN}\nFrom: Houston\n{OWN}",
        f"You have received this email because you are listed as an approver.\n\n{OWN}",
        f"On Monday Bob wrote a good summary of it.\n\n{OWN}",
        f"{OWN}\n\nMein Anwalt hat am 3. März 2025 geschrieben:\n\n{OWN}",
        f"{OWN}\n\nfrom: ada@x.example\nto: bob@x.example\nsubject: x\nhost: mail.x.example\n\n{OWN}",
    ],
)
def test_what_must_stay(text: str) -> None:
    assert clean_text(text) == text


def test_bare_forward_leaves_nothing_and_is_named_so() -> None:
    text = "---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\nSubject: x\n\nTheir words."
    assert clean_text(text) == ""
    assert zones(text)[-1] == "forwarded"


def test_evidence_of_html_decides() -> None:
    text = "Mine.\nTheir header\nTheir words\nName"
    found = zones(text, ["", "html.moz_cite_prefix", "html.blockquote_cite", "html.gmail_signature"])
    assert found == ["body", "header", "quoted", "signature"]


WRITTEN = ["Dear Bob,", "The lamp broke on Monday and nobody answers.", "Call me.", "Kind regards,", "Ada Byron"]


def test_a_message_written_into_a_signature_is_one() -> None:
    assert zones("\n".join(WRITTEN), ["html.signature"] * 5) == ["greeting", "body", "body", "signoff", "signoff"]
    assert zones("\n".join(WRITTEN[1:]), ["html.signature"] * 4) == ["body", "body", "signoff", "signoff"]


TAGGED = "Get Outlook for iOS"


@pytest.mark.parametrize(
    ("text", "evidence", "own"),
    [
        (["Hi Bob,", "Refund, please!", "Ada"], ["html.signature"] * 3, ["Refund, please!"]),
        ([*WRITTEN[:2], TAGGED], ["html.outlook_mobile_signature"] * 3, WRITTEN[1:2]),
        ([*WRITTEN[1:3], "Sent from my iPhone"], ["html.signature"] * 2 + [""], WRITTEN[1:3]),
        ([*WRITTEN, TAGGED], ["html.signature"] * 5 + ["html.outlook_mobile_signature"], WRITTEN[1:3]),
        ([TAGGED, *WRITTEN[1:2]], ["html.outlook_mobile_signature", "html.signature"], WRITTEN[1:2]),
        *(
            ([*typed, "Old words."], ["html.signature"] * len(typed) + ["html.blockquote_cite"], typed[-own:])
            for typed, own in (
                ([WRITTEN[1], "You can call me, or write to a@x.example."], 2),
                ([WRITTEN[1], "https://photos.example/1"], 2),
                ([WRITTEN[1], "", "030 1234567"], 3),
                ([WRITTEN[0], WRITTEN[1], "030 1234567"], 2),
            )
        ),
    ],
)
def test_a_message_in_a_signature_stays_whole(text: list[str], evidence: list[str], own: list[str]) -> None:
    found = zones("\n".join(text), evidence)
    assert [line for line, zone in zip(text, found, strict=True) if zone == "body"] == own


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        (WRITTEN[3:] + WRITTEN[1:2], ["html.signature"] * 3),
        (["Old words.", *WRITTEN], ["html.blockquote_cite"] + ["html.signature"] * 5),
        ([*WRITTEN[1:2], "Tel. 030 123456", "It smokes."], ["html.signature"] * 2 + [""]),
        (
            [*WRITTEN[1:2], "Tel. 030 123456", "Old words.", "It smokes."],
            ["html.signature"] * 2 + ["html.blockquote_cite", ""],
        ),
        *(
            ([WRITTEN[1], *reached, "Old words."], ["html.signature"] * (1 + len(reached)) + ["html.blockquote_cite"])
            for reached in (["Tel. 030 123456"], ["ada@x.example"], ["www.x.example", "Tel. 030 123456"])
        ),
        (["It smokes.", *WRITTEN], [""] + ["html.signature"] * 5),
        (["Dear Bob,", *WRITTEN[3:], WRITTEN[1]], [""] + ["html.signature"] * 3),
        (["Ada Byron", "Byron Engines Ltd."], ["html.signature"] * 2),
        (["Kind regards,", "Byron Engines Ltd."], ["html.signature"] * 2),
        (["This e-mail is confidential and only meant for those to whom it was sent.", "Ada"], ["html.signature"] * 2),
    ],
)
def test_a_signature_is_one_though_it_holds_a_sentence(text: list[str], evidence: list[str]) -> None:
    found = zones("\n".join(text), evidence)
    assert [zone for zone, mark in zip(found, evidence, strict=True) if mark == "html.signature"] == ["signature"] * (
        evidence.count("html.signature")
    )


def test_plain_blockquote_is_an_indented_paragraph_unless_a_header_introduces_it() -> None:
    evidence = ["", "html.blockquote"]
    assert zones("Look at this poem:\nRoses are red", evidence) == ["body", "body"]
    text = "Mine is here.\nOn 1 May 2025, Bob <b@x.example> wrote:\nTheirs"
    assert zones(text, ["", "", "html.blockquote"]) == ["body", "header", "quoted"]


def test_a_header_inside_a_plain_blockquote_makes_it_a_quote_as_far_as_it_reaches() -> None:
    text = "Mine.\n----\n-----Original Message-----\nFrom: Bob <b@x.example>\nSubject: x\nTheirs\nMine below it."
    found = zones(text, ["", *["html.blockquote"] * 5, ""])
    assert found == ["body", "header", "header", "header", "header", "quoted", "body"]


@pytest.mark.parametrize("mark", ["    Guido> ", "  TP> ", "Robert> ", "AB> ", "bmn> "])
def test_names_before_each_line_quote_it(mark: str) -> None:
    assert clean_text(f"{mark}Shall we?\n{mark}Or not.\n\n{OWN}") == OWN


@pytest.mark.parametrize("name", ["TP", "f", "sql"])
def test_names_that_supercite_introduces_quote_a_single_line(name: str) -> None:
    assert clean_text(f'>>>>> "{name}" == Bob Hall <bob@x.example> writes:\n\n    {name}> Shall we?\n\n{OWN}') == OWN


@pytest.mark.parametrize(
    "header", ["On Monday 09 September 2002 09:51 pm, Bob Hall wrote", "From: Bob Hall <bob@x.example>"]
)
def test_headers_right_above_marks_need_no_colon_at_their_end(header: str) -> None:
    assert clean_text(f"{header}\n> Shall we?\n\n{OWN}") == OWN
    assert clean_text(f"{header}\n\n{OWN}").startswith(header)


@pytest.mark.parametrize(
    "header",
    [
        "On Mon, 3 Mar 2025 08:14:43 +0100 Bob Hall <bob@x.example> wrote",
        "Le lun., 3 mars 2025 08:14:43 +0100, Bob Hall <bob@x.example> a écrit",
        "El lun, 3 mar 2025 08:14, Bob Hall <bob@x.example> escribió",
        "Em seg., 3 de mar. de 2025 08:14, Bob Hall <bob@x.example> escreveu",
        "Il giorno lun 3 mar 2025 08:14 Bob Hall <bob@x.example> ha scritto",
        "Am Mo, 3. März 2025 08:14 hat Bob Hall <bob@x.example> geschrieben",
    ],
)
@pytest.mark.parametrize("mark", ["", "> "])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_headers_of_a_program_need_no_colon_at_their_end(header: str, mark: str, gap: str) -> None:
    assert clean_text(f"{OWN}\n\n{header}{gap}{mark}Shall we?") == OWN


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize("header", ["Am Mo, 3. März 2025 08:14 schrieb", "Op ma, 3 mrt 2025 08:14 schreef"])
def test_headers_above_marks_may_end_with_an_address(header: str, gap: str) -> None:
    assert clean_text(f"{OWN}\n\n{header} Bob Hall <bob@x.example>{gap}> Shall we?") == OWN


@pytest.mark.parametrize(
    "line",
    [
        "On 3 March 2025 at 10:14 I sent it to Bob <bob@x.example> and he wrote",
        "Am 3. März 2025 um 10:14 schrieb ich an Bob <bob@x.example>",
        "On 3 March 2025 at 10:14 I wrote to Bob <bob@x.example> twice",
        "On Mon, 3 Mar 2025 08:14 Bob Hall wrote",
        "The answer that came at 10:14 from Bob <bob@x.example> said",
        "Message from Acme®",
        "On Monday at 10:14 the shop <bob@x.example> wrote",
        "On 3 March 2025 at 10:14 my boss Bob <bob@x.example> wrote",
        "El 3 de marzo de 2025 a las 10:14 su colega Bob <bob@x.example> me escribió",
    ],
)
def test_a_sentence_without_its_end_is_no_header(line: str) -> None:
    text = f"{OWN}\n\n{line}\n\n{OWN}"
    assert clean_text(text) == text


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_wrapped_sentence_is_no_header(gap: str) -> None:
    text = f"{OWN}\n\nOn 3 March 2025 at 10:14 Bob Hall <bob@x.example> wrote{gap}that he comes."
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("line", "gap"),
    [
        *[(f"{line} Bob <bob@x.example>", gap) for gap in ("\n", "\n\n") for line in (
            "Am 04.03.2025 um 10:12 schrieb ich an", "Op 4 maart 2025 om 10:12 schreef ik aan")],
        ("Le 4 mars 2025 à 10:12, Bob <bob@x.example> nous a écrit", "\n\n"),
        ("Il 4 marzo 2025 alle 10:12 la collega Eve <eve@x.example> mi ha scritto", "\n\n"),
    ],
)  # fmt: skip
def test_what_the_author_tells_of_a_mail_stays_above_a_quote(line: str, gap: str) -> None:
    assert clean_text(f"{OWN}\n\n{line}{gap}> When?\n\n{OWN}") == f"{OWN}\n\n{line}\n\n{OWN}"


@pytest.mark.parametrize(
    "fields", ["Re: x 3. März 2025, 14:35 Uhr\nVon Bob\nAn Ada", "From: Bob <bob@x.example>\nTo: Ada"]
)
def test_a_banner_with_the_sign_of_its_program_needs_no_frame(fields: str) -> None:
    assert clean_text(f"{OWN}\n\nOriginal Message processed by david®\n{fields}\n\nTheirs.") == OWN


def test_footers_of_several_paragraphs_below_a_short_text() -> None:
    footer = "To unsubscribe from this group, send an email to:\nx@y.example\n\nYour use of Yahoo! Groups is free."
    text = "There is a new book about it,\nand I have read it."
    assert clean_text(f"{text}\n\n\n{footer}") == text
    posting = "The list has a request for the\nfollowing mailing list posting:\n\nA subject"
    assert clean_text(posting) == posting


@pytest.mark.parametrize(
    "header", ["Monday, March 3, 2025, 5:46:11 PM, you wrote:", "On 3 Mar 2025, Bob\n<b@x.example> wrote:"]
)
@pytest.mark.parametrize("mark", ["AB> ", "b> ", "Bob> "])
def test_a_name_below_an_attribution_quotes_a_single_line(mark: str, header: str) -> None:
    assert clean_text(f"{header}\n\n{mark}Shall we?\n\n{OWN}") == OWN


@pytest.mark.parametrize(
    "lines",
    [
        "Tools> Options shows it.\nFile> Save does not.", "SQL> SELECT 1;\nSQL> exit", "gdb> bt\ngdb> quit", "A> dir",
        "PS> Get-Process", "Router> show version\nRouter> show arp", "p> 0.05 was taken as the limit.",
        "A> the old ones\nB> the new ones", "Q> When?\nA> Now.\nQ> Why?\nA> So.", "OLD> 12\nNEW> 14",
        ">>> round(2.5)\n2\n>>> round(3.5)\n4", ">>> import math\n>>> x = 1\n>>> x\n1\n>>>\n>>> 1/0\nZeroDivisionError",
        ">>> for i in range(3):\n...     print(i)", ">>> 'abc'.upper()\n'ABC'", "    >>> rows[0]\n    {'a': 1}",
        ">>> # the rest\n>>> raise ValueError\n>>> [1, 2][3]",
    ],
)  # fmt: skip
def test_menus_and_prompts_are_no_quotes(lines: str) -> None:
    for above in (OWN, "This is what the console said:"):
        text = f"{above}\n\n{lines}\n\nWhat shall I do with it now?"
        assert clean_text(text) == text


@pytest.mark.parametrize(
    "lines",
    [
        ">> Why?\n>>> print(1)", ">>> x = 1\n>> Is that so?\n> No.", ">>> for example\n>>> from Bob",
        ">>> 3 weeks are long", ">>> (see below)", ">>> if we come at five:\n>>> is it so?", ">>> Yes",
        ">>> rows[0] is what I need,\n>>> not more.", "> >>> round(2.5)\n> 2",
    ],
)  # fmt: skip
def test_what_is_quoted_for_the_third_time_is_no_prompt(lines: str) -> None:
    assert clean_text(f"{OWN}\n\n{lines}\n\nWhat shall I do with it now?") == f"{OWN}\n\nWhat shall I do with it now?"


@pytest.mark.parametrize("greeting", ["To whom it may concern,", "Sehr geehrte Damen und Herren,"])
def test_a_greeting_alone_above_a_quote_is_one(greeting: str) -> None:
    assert clean_text(f"{greeting}\n\n> Theirs\n\n{OWN}") == OWN


@pytest.mark.parametrize(
    "appended",
    [
        "Please consider the environment before printing this e-mail.",
        "To unsubscribe from this list, send a message to leave@lists.example",
        "Virus-free. www.avg.com",
        "You received this message because you are subscribed to it\nx.\nTo leave it write to\nx@g.example\nor not.",
        "The contents of this message do not necessarily reflect the views of the company.",
    ],
)
def test_what_is_appended_below_a_quote_does_not_hide_the_end_above_it(appended: str) -> None:
    top = f"{OWN}\n\nOn 1 May 2025, Bob <b@x.example> wrote:\n> Theirs\n\n{appended}"
    assert clean_text(top) == OWN
    between = f"On 1 May 2025, Bob <b@x.example> wrote:\n> Theirs?\n\n{OWN}\n\n> Theirs\n\n{OWN}\n\nRegards,\nAda Byron"
    assert clean_text(f"{between}\n\n> Theirs\n\n{appended}") == f"{OWN}\n\n{OWN}"
    assert clean_text(appended) == appended


@pytest.mark.parametrize("corpus", ["enron", "asf"])
def test_quality_floor(shared_data: Path, corpus: str) -> None:
    """Of the annotated lines at depth 0: body before the first header kept; headers, greetings, sign-offs removed."""
    right, total = Counter[str](), Counter[str]()
    for row in (shared_data / "zones" / f"{corpus}_train.jsonl").read_text(encoding="utf-8").splitlines():
        mail = json.loads(row)
        marked = [(d["type"], d["start"], d["end"]) for d in mail["denotations"]]
        header = min((start for kind, start, _ in marked if kind == "Header"), default=len(mail["text"]))
        lines = split_lines(mail["text"])
        begin = 0
        for i, (zone, _) in enumerate(assign_zones(lines, sender_names(mail["sender"])).marks):
            at, begin = begin, begin + len(lines.texts[i]) + 1
            middle = (at + begin - 1) // 2
            kinds = [kind for kind, start, end in marked if start <= middle < end]
            if not any(map(str.isalnum, lines.bares[i])) or i in lines.depths or not kinds:
                continue
            if "Header" in kinds:
                truth = "header"
            elif at > header or any(k.startswith(("Body/Signature", "Body/Att", "Body/PS")) for k in kinds):
                continue
            else:
                truth = "edge" if any(k.startswith(("Body/Intro", "Body/Outro")) for k in kinds) else "body"
            total[truth] += 1
            right[truth] += (zone == "body") == (truth == "body")
    assert right["body"] >= 0.96 * total["body"]
    assert right["header"] >= 0.98 * total["header"]
    assert right["edge"] >= 0.85 * total["edge"]


def test_a_list_below_a_thank_you_is_no_signature() -> None:
    people = "\n".join(f"    MEMBER, NUMBER {letter}" for letter in "ABCDEFGHIJKL")
    text = f"The members of the committee were chosen yesterday.\n\nThank you for your participation.\n\n{people}"
    assert set(zones(text)) == {"body"}
    signed = f"{OWN}\n\nThank you for your participation.\n\nAda Byron\nAnalyst\nTel. +44 20 7946 0123"
    assert "body" not in zones(signed)[1:]


@pytest.mark.parametrize(
    "line", ["Newest docs:", "Thanks for replying Ada,", "Current Rates and prices:", "Tickets:", "Fantasy Update:"]
)
def test_a_heading_is_no_vocative(line: str) -> None:
    assert zones(f"{line}\n\nThe rates of the last week are in the table.")[0] == "body"


@pytest.mark.parametrize("rows", ["* When?\n* Who?", "- When?\n- Who?", "1. When?\n2. Who?", "(1) When?\n(2) Who?"])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_heading_of_a_list_is_no_vocative(rows: str, gap: str) -> None:
    assert set(zones(f"Questions:{gap}{rows}")) == {"body"}
    dated = "03.03.2025 10:15 called the hotline, nobody there\n04.03.2025 11:00 called, forty minutes of music"
    assert set(zones(f"My Calls:{gap}{dated}\n\n{OWN}")) == {"body"}
    for greeting in ("Hi Bob:", "Dear Mr Hill:", "Bob,"):
        assert zones(f"{greeting}{gap}{rows}")[0] == "greeting"


def test_a_heading_of_a_table_is_no_vocative() -> None:
    assert set(zones("PG&E Topock:\n\nThurs  600,000\nFri  612,000")) == {"body"}
    assert zones("Daren Hill:\n\nThe rates of the last 2 weeks\nare in the table.")[0] == "greeting"


@pytest.mark.parametrize(
    "line", ["Ada,", "Ada and Bob,", "Dr. van der Berg:", "Traders et al:", "TP,", "J,", "Cher client,"]
)
def test_a_vocative_is_a_greeting(line: str) -> None:
    assert zones(f"{line}\n\nThe rates of the last week are in the table.")[0] == "greeting"


def test_a_signature_below_a_postscript_goes_too() -> None:
    signature = (
        "Ada Byron\nAnalyst\n5 Wayside Rd, Burlington, MA 01803\n42° 29' 7\" N 71° 11' 32\" W\n<https://firm.example/>"
    )
    for postscript in ("", "P.S. The second table is older than the first one, so take the first.\n\n"):
        found = zones(
            f"{OWN}\n\nCheers!\n\n-Ada\n\nOne more thing that I forgot to say about it.\n\n{postscript}{signature}"
        )
        assert found[-5:] == ["signature"] * 5
        assert found[0] == "body"


def test_thanks_with_a_stop_and_without_a_name_opens_the_text() -> None:
    assert zones(f"Thanks.\n{OWN}") == ["body", "body"]
    assert zones(f"Thank you.\n{OWN}") == ["body", "body"]
    assert zones(f"Thanks Ada.\n{OWN}") == ["greeting", "body"]
    assert zones(f"Thanks,\n{OWN}") == ["greeting", "body"]


def test_thanks_with_a_stop_right_below_running_text_is_its_last_sentence() -> None:
    def ruled(thanks: str) -> list[str]:
        text = f"{OWN}\n{thanks}\n\nRegards,\nAda"
        return [zone for zone, _ in assign_zones(split_lines(text), labeller=None).marks]

    assert ruled("Thanks.") == ["body", "body", "blank", "signoff", "signoff"]
    assert ruled("\nThanks.") == ["body", *["blank", "signoff"] * 2, "signoff"]
    assert ruled("Thanks,") == ["body", "signoff", "blank", "signoff", "signoff"]


@pytest.mark.parametrize("reply", ["Danke,", "Yes,", "Hi Bob, done!", "Thanks, Bob!", "Tomorrow,\nI hope."])
@pytest.mark.parametrize(
    "header",
    ["Am 03.03.2025 um 09:14 schrieb Shop:", "On Mon, Mar 3, 2025 at 9:14 AM Shop wrote:"],
)
def test_a_short_reply_above_an_unmarked_quote_is_all_that_is_said(reply: str, header: str) -> None:
    assert clean_text(f"{reply}\n\n{header}\nIs it broken?\nPlease tell us.") == reply
