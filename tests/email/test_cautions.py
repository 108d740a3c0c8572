"""What gateways and programs put above a text goes, however much of it; the text below, and its own warnings, stay."""

from __future__ import annotations

import pytest

from mailmill.email import clean_message, clean_text
from tests.email.samples import html_mail

OWN = "The lamp flickers.\n\nThe courier was rude, too.\n\nNobody answers the phone."
CAUTION = (
    "CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless "
    "you recognize the sender and know the content is safe."
)
SELDOM = "You don't often get email from mary@x.example. Learn why this is important<https://aka.ms/LearnAboutSenderIdentification>"
#: What stands above in a line or paragraph of its own.
PUT = [
    "[EXTERNAL]", "EXTERNAL", "[EXT]", "*** EXTERN ***", "** External mail **", "[CAUTION: Non-UBC Email]",
    CAUTION, SELDOM, f"⚠️ {CAUTION}", "⚠ EXTERNAL EMAIL: do not click any links unless you trust the sender.",
    f"==========\n{CAUTION}\n==========",
    "|------------|\n| This message originated outside the organisation. |\n|------------|",
    "ZjQcmQRYFpfptBannerStart\nThis Message Is From an External Sender\nThis message came from outside your firm."
    "\nReport Suspicious\nZjQcmQRYFpfptBannerEnd",
    "This message was sent with High importance.", "Translated from German by Google",
    "Translated from German\nShow original",
    "If there are problems with how this message is displayed, click here to view it in a web browser.",
    "Click here to download pictures. To help protect your privacy, Outlook prevented automatic download of some "
    "pictures in this message.",
    "ATTENTION: EXTERNAL EMAIL", "External Email - Use Caution", "External email: please exercise caution",
    "This email has originated from outside the organization.",
    "*** This is an EXTERNAL email. DO NOT open attachments or click links from unknown senders. ***",
    "ACHTUNG: Externe E-Mail", "ACHTUNG: Diese E-Mail kommt von extern!", "ATTENTION : courriel externe",
    "ATENCIÓN: Correo externo", "ATTENZIONE: mail esterna", "ATENÇÃO: e-mail externo", "LET OP: externe e-mail",
    "[EXTERN]", "*** EXTERN *** Diese E-Mail stammt von einem externen Absender. Keine Links oder Anhänge öffnen.",
    "Diese Nachricht wurde mit hoher Priorität gesendet.", "Aus dem Englischen übersetzt",
    "Einige Personen, die diese Nachricht erhalten haben, erhalten häufig keine E-Mails von mary@x.example.",
    "[EXTERNE]", "Ce message a été envoyé avec une importance haute.", "Traduit de l'anglais par Google",
    "Certaines personnes qui ont reçu ce message ne reçoivent pas souvent de courriers de mary@x.example.",
    "[EXTERNO]", "Este mensaje se ha enviado con importancia alta.", "Traducido del inglés",
    "Algunas personas que recibieron este mensaje no suelen recibir correo electrónico de mary@x.example.",
    "[ESTERNO]", "Questo messaggio è stato inviato con priorità alta.", "Tradotto dal tedesco",
    "Alcune persone che hanno ricevuto questo messaggio non ricevono spesso messaggi di posta da mary@x.example.",
    "Mensagem externa", "Esta mensagem foi enviada com alta prioridade.", "Traduzido do inglês pelo Google",
    "Algumas pessoas que receberam esta mensagem não costumam receber emails de mary@x.example.",
    "[EXTERNE MAIL]", "Dit bericht is verzonden met hoge urgentie.", "Vertaald uit het Engels",
    "Sommige mensen die dit bericht hebben ontvangen, ontvangen niet vaak e-mail van mary@x.example.",
]  # fmt: skip


@pytest.mark.parametrize("put", PUT)
def test_what_is_put_above_goes(put: str) -> None:
    for above in (put, f"{put}\n\n{CAUTION}", f"[EXTERNAL]\n\n{put}", f"{CAUTION}\n\n{put}"):
        for text in (f"{above}\n\n{OWN}", f"{above}\n\nHello,\n\n{OWN}\n\nMary"):
            assert clean_text(text, "Mary Holt") == OWN
    assert clean_text(f"[image: logo]\n\n{put}\n\n{OWN}") == f"[image: logo]\n\n{OWN}"


def test_what_is_put_above_goes_in_html() -> None:
    paragraphs = "".join(f"<p>{said}</p>" for said in ("[EXTERNAL]", CAUTION, *OWN.split("\n\n")))
    assert clean_message(html_mail(paragraphs)).text == OWN


def test_a_warning_ends_where_the_author_begins() -> None:
    assert clean_text(f"{CAUTION}\nHello,\n{OWN}") == OWN
    assert clean_text(f"External email: be careful with links.\n{OWN}") == OWN


def test_a_help_desks_line_may_stand_below_a_warning() -> None:
    assert clean_text(f"{CAUTION}\n\n##- Please type your reply above this line -##\n\n{OWN}") == OWN


@pytest.mark.parametrize(
    "own",
    [
        "This email comes from outside the company because the VPN is down.",
        "Diese E-Mail kommt von außerhalb des Unternehmens, weil das VPN nicht geht.",
        "Ce message a été envoyé de l'extérieur de l'entreprise, le VPN est en panne.",
        "Este correo se envió desde fuera de la empresa porque la VPN no funciona.",
        "Este e-mail foi enviado de fora da empresa porque a VPN caiu.",
        "Questa mail è stata inviata dall'esterno dell'azienda perché la VPN non va.",
        "Deze mail komt van buiten de organisatie, omdat de VPN niet werkt.",
        "Attention: external sender\n\ngets through to the whole staff.",
        "EXTERNAL\n\nHARD DISK NOT WORKING SINCE MONDAY. PLEASE HELP.",
        "CAUTION: This email from your organization contains links and attachments with a virus. Do not click!",
        "Achtung: Diese E-Mail Ihrer Organisation hat Anhänge mit einem Virus.",
        "Attention : ce courriel de votre organisation contient des liens et des pièces jointes avec un virus.",
        "Atención: este correo de su organización tiene enlaces y adjuntos con un virus.",
        "Attenzione: questa email della vostra organizzazione contiene allegati con un virus.",
        "Atenção: este e-mail da sua organização tem anexos e links com um vírus.",
        "Let op: deze e-mail van uw organisatie heeft bijlagen en links met een virus.",
        "Caution: this email is about my external drive.",
        "Caution: this message is about outside lights.",
        "External email addresses are not accepted by your form.",
        "This message was sent from an external address because the form is broken.",
        "This email is from outside the UK.",
        "Externe E-Mail wird von Ihrem Formular abgewiesen.",
        "Message externe refusé par votre formulaire.",
        "Correo externo rechazado por su formulario, mensaje devuelto.",
        "Messaggio esterno respinto dal vostro server di posta.",
        "E-mail externo recusado pelo seu formulário, mensagem devolvida.",
        "Externe e-mail wordt geweigerd door uw formulier, bericht retour.",
        "External wall",
        "External",
        "[EXTERNAL] Re: lamp",
        "Translated from German it says nothing.",
        "------\nPart one\n------",
    ],
)
def test_the_authors_own_warnings_and_headings_stay(own: str) -> None:
    assert clean_text(f"{own}\n\n{OWN}") == f"{own}\n\n{OWN}"


def test_where_nothing_stands_below_it_stays() -> None:
    assert clean_text("[EXTERNAL]") == "[EXTERNAL]"
