"""Authors speak of what is confidential as disclaimers do, and write below a disclaimer: their letters stay whole."""

from __future__ import annotations

import pytest

from mailmill.email import clean_message, clean_text
from tests.email.samples import html_mail

LETTER = "\n\n".join(f"On day {n} your technician broke another pipe and nobody apologised." for n in range(1, 13))
LEGAL = (
    "This e-mail is confidential and intended solely for the addressee. If it is not for you, notify the sender and "
    "delete it."
)
#: Greeting, sign-off, sentences.
CONFIDED = {
    "en": ("Hello,", "Regards,", [
        "This email is intended only for the manager of the Leeds branch.",
        "This email is intended for your complaints department. Please pass it on.",
        "This message is confidential and is intended for the data protection officer only.",
        "If you are not the intended recipient, please forward this to the complaints team.",
    ]),
    "de": ("Guten Tag,", "Mit freundlichen Grüßen", [
        "Diese Nachricht ist vertraulich und nur für den Datenschutzbeauftragten bestimmt.",
    ]),
    "fr": ("Bonjour,", "Cordialement,", [
        "Ce message est confidentiel et destiné uniquement au directeur de l'agence.",
        "Si vous n'êtes pas le bon destinataire, merci de transmettre ce message au service réclamations.",
    ]),
    "es": ("Buenos días:", "Un saludo,", ["Este mensaje es confidencial y solo para el director."]),
    "it": ("Buongiorno,", "Cordiali saluti", [
        "Se non siete il destinatario corretto, inoltrate questo messaggio all'ufficio reclami.",
    ]),
    "pt": ("Bom dia,", "Atenciosamente,", [
        "Se você não é o destinatário correto, encaminhe esta mensagem ao setor de reclamações.",
    ]),
    "nl": ("Goedendag,", "Met vriendelijke groet,", ["Deze e-mail is uitsluitend bestemd voor uw klachtenafdeling."]),
}  # fmt: skip
SENTENCES = [(greeting, signoff, said) for greeting, signoff, sentences in CONFIDED.values() for said in sentences]


@pytest.mark.parametrize(("greeting", "signoff", "said"), SENTENCES)
def test_a_letter_that_is_confidential_stays(greeting: str, signoff: str, said: str) -> None:
    own = f"{said}\n\n{LETTER}"
    assert clean_text(f"{greeting}\n\n{own}\n\n{signoff}\nMary Holt", "Mary Holt") == own
    own = f"The lamp flickers.\n\n{said}\n\n{LETTER}"
    assert clean_text(f"{greeting}\n\n{own}\n\nMary Holt", "Mary Holt") == own
    own = f"The lamp flickers.\n\n{said}"
    assert clean_text(f"{greeting}\n\n{own}\n\n{signoff}\nMary Holt", "Mary Holt") == own
    paragraphs = "".join(f"<p>{each}</p>" for each in [greeting, said, *LETTER.split("\n\n")])
    assert clean_message(html_mail(paragraphs)).text == f"{said}\n\n{LETTER}"


@pytest.mark.parametrize(
    "own",
    [
        "This email is intended only for the manager of the branch.\nYour technician broke the pipe.\nHe was rude.",
        "This email is confidential.\n\nLamp broken\nBox open",
        "The lamp flickers.\n\nThis email is confidential.\n\nRefund please.",
    ],
)
def test_a_brief_letter_that_is_confidential_stays(own: str) -> None:
    assert clean_text(f"Hello,\n\n{own}\n\nMary", "Mary Holt") == own


@pytest.mark.parametrize("above", ["Hi Support,", "Mary Holt\n12 Mill Lane\n07700 900123\nmary@x.example"])
def test_a_letter_below_a_disclaimer_stays(above: str) -> None:
    assert LETTER in clean_text(f"{above}\n\n{LEGAL}\n\n{LETTER}")
    assert LEGAL not in clean_text(f"{above}\n\n{LEGAL}\n\n{LETTER}")


def test_below_a_signature_a_disclaimer_reaches_to_the_author() -> None:
    below = f"{LEGAL}\n\nOur shop is in Leeds. It opens at nine."
    assert clean_text(f"{LETTER}\n\nMary\n\n{below}", "Mary Holt") == LETTER
    signed = f"{LETTER}\n\nKind regards\nMary Holt\n07700 900123\n\n{LEGAL}"
    assert clean_text(f"{signed}\n\nOur shop is in Leeds. It opens at nine.", "Mary Holt") == LETTER
    assert clean_text(f"{signed}\n\nI also sent a letter.", "Mary Holt") == f"{LETTER}\n\nI also sent a letter."


@pytest.mark.parametrize("said", [said for _, _, said in SENTENCES])
def test_below_the_text_a_sentence_without_more_is_a_disclaimer(said: str) -> None:
    assert clean_text(f"{LETTER}\n\nMary Holt\n\n{said}", "Mary Holt") == LETTER


@pytest.mark.parametrize(
    ("legal", "notice"),
    [
        (LEGAL, "We may monitor emails. We take privacy seriously. Please see our policy."),
        (LEGAL, "Acme Bank plc. Authorised and regulated by the FCA."),
        (
            "Diese E-Mail ist vertraulich. Wenn Sie nicht der richtige Adressat sind, löschen Sie bitte diese Mail.",
            "Wir verarbeiten Ihre Daten nach der DSGVO. Unsere Hinweise finden Sie auf unserer Seite.",
        ),
        (
            "Ce message est confidentiel et destiné exclusivement à son destinataire. En cas d'erreur, détruisez-le.",
            "Notre société décline toute responsabilité. Nous traitons vos données avec soin.",
        ),
        (
            "Este mensaje es confidencial y va dirigido a su destinatario. Si lo ha recibido por error, bórrelo.",
            "Le informamos que tratamos sus datos conforme al RGPD. Puede ejercer sus derechos en nuestra oficina.",
        ),
        (
            "Esta mensagem é confidencial e destinada ao seu destinatário. Se a recebeu por engano, apague-a.",
            "Tratamos os seus dados conforme o RGPD. Pode exercer os seus direitos na nossa sede.",
        ),
        (
            "Questo messaggio è confidenziale e destinato al destinatario. Se ricevuto per errore, va cancellato.",
            "Informiamo che trattiamo i vostri dati secondo il GDPR. Potete esercitare i vostri diritti da noi.",
        ),
        (
            "Dit bericht is vertrouwelijk en bestemd voor de geadresseerde. Bent u dat niet, verwijder het dan.",
            "Wij verwerken uw gegevens volgens de AVG. Meer daarover leest u op de site.",
        ),
    ],
)
def test_what_a_firm_says_of_data_below_its_disclaimer_is_foreign(legal: str, notice: str) -> None:
    for signed in ("", "Mary Holt\n\n", "Kind regards,\nMary Holt\nAcme Ltd\n07700 900123\n\n"):
        assert clean_text(f"{LETTER}\n\n{signed}{legal}\n\n{notice}", "Mary Holt") == LETTER
    for said in ("The privacy policy is missing. The data are still there.", "We want money. The box is wet."):
        assert said in clean_text(f"The lamp flickers.\n\n{legal}\n\n{said}")
