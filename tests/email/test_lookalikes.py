"""Content that looks like an edge of a mail must stay; edges that look like content must go. In seven languages."""

from __future__ import annotations

import pytest

from mailmill.email import clean_message, clean_text
from mailmill.email.banners import banner_of
from mailmill.email.html import render
from tests.email.samples import html_mail

BODY = "Parcel 4411 is missing two cables. Item 12 and item 15 were not in the box."


def cleaned(text: str, sender: str = "Kim Noll <kim@x.example>") -> str:
    head = f"From: {sender}\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\n\n"
    return clean_message((head + text).encode()).text


@pytest.mark.parametrize(
    "text",
    [
        # headings and cries are no greetings
        *(f"{first}\n\n{BODY}" for first in ("Kündigung", "Résiliation", "Reclamo", "Refund!", "Falsche Größe!")),
        *(f"{first}\n\n{BODY}" for first in ("Neue Adresse:", "Love it!", "Fixed!", "Summary:", "Introduction")),
        f"Address:\nHafenstr. 3\n20457 Hamburg\n\n{BODY}",
        *(f"{heading}\n\n{BODY}" for heading in (
            "Questions:\n\n* When?\n* How much?", "Mein Ablauf:\n\n03.03.2025 Anruf, niemand da\n04.03.2025 Rückruf",
            "Historie:\n\n03.03.2025 Niemand da.\n04.03.2025 Rückruf.", "Mängel:\n\n- Rauch\n- Geruch",
            "Symptoms:\n1. It smokes.\n2. It smells.", "Defects:\n\n1. It smokes.\n2. It smells.",
            "Forderungen:\n\n- Geld zurück!\n- Bis Freitag.")),
        *(f"{BODY}\n\n{last}" for last in (
            "In Erwartung einer Antwort sitze ich hier.", "En espera de mi dinero desde mayo.", "Es grüßt niemand.")),
        # requests and complaints are no thanks
        "Le colis est perdu.\n\nMerci de me rembourser.",
        "Le colis est perdu.\n\nMerci de bien vouloir annuler ma commande.",
        "Es ist weg.\n\nDanke für nichts!",
        "El paquete se ha perdido.\n\nGracias por nada",
        "O pacote se perdeu.\n\nObrigado por nada.",
        "Het pakket is weg.\n\nBedankt voor niets.",
        "Ich war da.\n\nIch freue mich auf den Termin am Montag.",
        # what a line announces is no signature
        "Please send the replacement to:\n\nNorthern Dental Group\n44 Park Street\nLeeds LS1 4AB\n0113 555 0199",
        "Hier meine neue Bankverbindung:\n\nUte Kolb\nIBAN DE12 3456 7890 1234 5678 90\nSparkasse Musterstadt",
        "Please write to my new address:\n\nkim.noll@firm.example",
        *(f"{BODY}\n\n{announced}" for announced in (
            "The agent who insulted me was\n\nJane Doe", "I compared you with\n\nAcme Ltd\nShop GmbH\nFirm Inc",
            "You delivered to\n\nKim Noll\n1 High Street\n\nbut I live at\n\nKim Noll\n2 Low Street\nLondon SW1A 2BB",
            "Richtig ist\n\nKim Noll\nHauptstr. 2\n80331 München", "Mon adresse est\n\n1 rue de la Paix\n75002 Paris",
            "Mi dirección es\n\nCalle Mayor 1\n28001 Madrid", "O meu endereço é\n\nRua Nova 1\n1000-001 Lisboa",
            "Il mio indirizzo è\n\nVia Roma 12\n00100 Roma", "Mijn adres is\n\nKerkstraat 1\n1017 GA Amsterdam")),
        # nor is a list of files a program's
        *(f"{BODY}\n\n{files}" for files in (
            "Missing:\n- invoice.pdf\n- report.pdf", "Fehlend:\n\n- rechnung.pdf", "I never received\n- invoice.pdf",
            "I cannot open\n(budget.xls)", "Es fehlen noch\n- rechnung.pdf\n- foto.jpg",
            "Es fehlen noch\n- rechnung.pdf", "I attach two photos:\n<photo1.jpg>\n<photo2.jpg>")),
        # fields of forms and journeys are no header of a mail
        "Von: Karl <k@x.example>\nBetreff: Anfrage\n\nNachrichtentext:\nLiefern Sie auch nach Graz?",
        "From: Mumbai\nTo: Pune\nDate: 12 March\n\nThe bus was two hours late.",
        "De: Aeropuerto\nPara: Hotel Sol\nFecha: 12/03/2025 18:30\n\nEl taxi no vino.",
        # a rule that parts passages is no signature's
        "First, the roof is leaking again.\n\n---\n\nSecond, the heating makes a noise at night.",
        *(f"{BODY}\n{rule}\n{below}" for rule in ("---", "———") for below in (
            "I forgot to say that it was dented.", "It was dented. Nobody saw it.\n\nThe lid is missing as well.",
            "Order 4712\nThe chair came without its legs, and nobody calls.",
            "Heating\nIt makes a noise at night.\n---\nWindows\nThey do not close any more.",
            "- the lamp is dark and broken\n- the chair has but three legs\n- the table is too small for us",
            "Der Deckel fehlt auch. Niemand hat ihn\ngesehen. Bitte schicken Sie ihn nach.",
            "Nobody saw it.\n---\nThe lid is gone.", "Nobody saw it.\n---\nlid gone\n---\nbox open")),
        *(f"{above}\n{rule}\n{below}" for rule in ("--", "---") for above, below in (
            ("Complaint about order 4711", "lamp flickers\nbox open"), ("Order 1: it smokes", "Order 2: it leaks"),
            ("What I ordered: brass lamp", "What I got: tin lamp"), ("Bestellt: Messing", "Bekommen: Plastiklampe"),
            ("I want a refund for these reasons:", f"late by days\n{rule}\nbox open\n{rule}\nlamp flickers"),
            ("Complaint", f"lamp flickers\n{rule}\nbox open"))),
        f"{BODY}\n\n--\n\nAlso, the courier was rude and I want a refund.",
        *(f"{BODY}\n---\nThe lid is gone. Nobody saw it.\n---\n{last}" for last in (
            "You can call me at 020 7946 0018 any evening. I want my money back.",
            "Sie erreichen mich unter kim@x.example. Bitte holen Sie alles wieder ab.",
            "Vous pouvez appeler le 01 23 45 67 89 le soir. Remboursez la lampe.")),
        # nor are what a team did, or who it was, and greetings that are asked for
        *(f"{BODY}\n\n{last}" for last in (
            "Your Acme Team is here to help", "The whole support team", "Your Blue Sky Helpdesk Team.",
            "Das Team vom Radladen antwortet nicht", "El equipo de Acme no responde", "Il team di Acme non ha Cavi",
            "Your whole team at Hill ruined Christmas", "The team from DHL lost Parcel B",
            "Das ganze Team bei Hill schweigt seit Montag", "Su equipo de Madrid miente sobre Correos",
            "Votre équipe de Lyon raccroche chaque Lundi", "Il team di Milano ignora Roma",
            "A equipe de Lisboa ignora Clientes", "El equipo de sonido Sony",
            "L'équipe a oublié Marie", "A equipa perdeu a Maria", "Bestell ihm sportliche Grüße")),
        f"{BODY} Who did that?\n\nYour Blue Sky Helpdesk Team",
        f"{BODY}\n\nPlease forward it to\nYour Blue Sky Helpdesk Team",
        # nor one above a patch, or amidst comments
        *(f"{BODY}\n\nSigned-off-by: Kim Noll <kim@x.example>\n---\n{patch}" for patch in (
            " a.c | 2 +-\n 1 file changed, 1 insertion(+)\n\ndiff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c",
            "v2: The name is right now.\n\nindex 9123cdc..918dcf8 100644\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-1\n+2")),
        *(f"{BODY}\n\n{code}\n\nWhat is wrong?" for code in (
            "--\n-- Name: orders; Type: TABLE; Schema: public\n--\n\nCREATE TABLE orders (id integer NOT NULL);",
            "--\n-- Orders\n--\n\nCREATE TABLE orders (id integer NOT NULL);",
            "-- remove old rows\nDELETE FROM a;\n--\n-- and the log\nDELETE FROM log;")),
        # an item of a list is no signature, though it names the sender
        *(f"{BODY}{above}{a}Bob Hill\n{b}Kim Noll" for above in (" We were\n\n", " We were\n", "\n\nGuests:\n")
            for a, b in (("- ", "- "), ("* ", "* "), ("•", "•"), ("1. ", "2. "), ("1) ", "2) "))),
        f"{BODY}\n\n- Kim Noll\n- Bob Hill\n- Ada Lee",
        # a sign-off and what it is said of are no two languages
        *(f"{BODY}\n\n{last}" for last in (
            "Good luck - worst shop ever", "Good luck / bad luck", "Bonne continuation - client perdu",
            "Alles Gute - Geld zurück", "Take care - sharp edges\nLamp blue\nOrder 4711")),
        # what a web form says of itself may stand above what was written, and authors speak of forms, too
        *(f"{BODY}\n\n{form}\n\n{BODY}" for form in (
            "This message was sent from our contact form at https://shop.example",
            "Diese Nachricht wurde über das Kontaktformular auf www.shop.example gesendet:",
            "Ce message a été envoyé depuis le formulaire de contact car shop.example ne répond pas.")),
        # sentences are no tags of mobile programs
        "Enviado desde Madrid el lunes y aún no ha llegado.",
        "Gesendet von Hermes am Montag, bis heute nicht da.\n\nWo ist mein Paket?",
        *(f"{BODY}\n\n{last}" for last in (
            "Sent from Leeds on Monday", "Gesendet von Hamburg am Montag", "Envoyé de Lyon lundi dernier",
            "Enviado desde Madrid el lunes", "Enviada de Lisboa na segunda-feira", "Inviato da Milano lunedì scorso",
            "Verzonden vanuit Rotterdam op maandag", "Sent from my old address.", "Sent from my bank account",
            "Sent from my HSBC account", "Sent with my Visa card", "Sent from my wife Kim", "Envoyé de façon ordinaire",
            "Verzonden met PostNL laptop", "Envoyé de mon compte PayPal", "Gesendet von meinem",
            "Sent from my desk, is much easier than yours.", "Sent from Front Desk on Monday", "Enviado desde mi banco",
            "Get Outlook for Mac working again", "Outlook für Mac startet nicht", "Envoyé de mon compte bancaire")),
        *(f"{BODY}\n\n{last}" for last in (
            "Sent from [Leeds](https://x.example) on Monday", "Sent from [the shop](https://x.example) without a box.",
            "See [Outlook for iOS](https://aka.ms/o0ukef)", "Sent from hey and back")),
        "Sent from my phone the pictures look fine, but not on the laptop.\n\nWhich program do you use?",
        # letters that are told of are not quoted
        "Am 3. März 2025 um 10 Uhr schrieb Ihr Mitarbeiter im Chat:\n\nWir zahlen.\n\nBis heute ist kein Geld da.",
        "Le 3 mars 2025 votre collègue a écrit :\n\nNous remboursons tout.\n\nÀ ce jour, rien.",
        "Forwarded message:\n\nI forwarded the message to Bob already.",
        # warnings and secrets of the author's own
        "Caution: this ladder wobbles on any floor.\n\nPlease take it back.",
        "Warning: this email is my third one about the same ladder.\n\nPlease take it back.",
        "We met.\n\nThis message contains my complaint about your driver. It is confidential, do not forward it.",
        # links to lists are no mailing list's, and sentences that open like a footer go on
        *(f"{BODY}\n\n{link}{below}" for below in ("", "\n\nThe old list will be closed next week.") for link in (
            "https://firm.example/sites/team/Lists/Hours/AllItems.aspx", "https://lists.firm.example/thread/abc",
            "<https://firm.example/lists/4711>")),
        "Our page is gone:\n\nIt was\n\nhttps://x.example/mailman/listinfo/dev\n\nCan you find out what happened?",
        *(f"The form is new.\n\n{opening}\n\nThen the numbers go below it." for opening in (
            "Sign up for the trip at https://x.example/trip by Friday.", "For more options, see the manual page.",
            "For additional help on this, ask Carl. He knows the form.", "dev@lists.example mailing list",
            "List owner: Carl Meyer", "To unsubscribe, they must click twice.\nThat is odd.")),
        # lines with a colon and a number are no attributions, maps of fields no headers
        "According to FERC Order 637:\n\nWe cannot release capacity.\n\nPlease advise.",
        "On node 2 the console said:\n\njava.lang.OutOfMemoryError\n\nWhat can I do about it?",
        "Here is my copyField:\n\nfrom: title\nto: title_txt\nsubject: none\n\nIs it right?",
        "Here is my copyField:\n\nfrom: title\ndate: created\nto: title_txt\nsubject: none\n\nIs it right?",
        # prompts, drawn trees and documents of settings are no quotes and no signatures
        "I run this:\n\nscala> val x = 1\nscala> x + 1\n\nand nothing happens.",
        "The schema:\n\nroot\n |-- name: string\n |    |-- city: string\n\nWhich one is it?",
        # nor is the end of a link that was wrapped
        *(f"See the page <{link}\n>{rest}\n\n{BODY}" for rest in (" for more.", ", which says it.", "")
          for link in ("https://x.example/a", "www.x.example", "mailto:a@x.example")),
        "Two problems.\n--\nFirst it smokes a lot.\n--\nSecond it stinks a lot.",
        f"It is broken.\n\n--\n\n{BODY}",
        *(f"{BODY}\n\n{parts}" for parts in (
            "—\nHouston\nPortland", "Part One\n—\nPart Two", "—\nRoses are red\nLike jam",
            "—\nNew Address\n12 Mill Lane\nLeeds LS1 4AB", "—\nKim Noll\n\nAlso the lid is missing as well.",
            "—\nKim Noll\nOrder 4711\nLid missing",
            "—\nBob Hill\n0171 555 1234\n\nPlease call him, he is my neighbour.")),
        "My configuration:\n\n---\nname: solr\nport: 8983\n\nDoes it look right?",
        "Two places are open.\n\n1. Cove Point\n2. Lake Charles",
        "Environment:\n\nSolr 6.6 on Java 8.",
        # the last word of a mail
        "When will it come?\n\nTomorrow.",
        # a memo is the author's
        f"MEMORANDUM\n\nTo: All staff\nFrom: Kim Noll\nDate: 12 October 2001\nRe: Cables\n\n{BODY}",
        "Mid-C\n  Peak      120 / 125\n\nPalo\n  Peak      140 / 150",  # prices are no telephone numbers
        # lists of places and people are no signatures
        f"{BODY}\n\n- Houston\n- Portland\n- London",
        f"{BODY}\n\nHouston\nPortland\nLondon",
        "Attendees:\n- Ada Byron\n- Bob Hill\n- Sue Berg",
        f"{BODY}\n\nContacts are\n\nAda Byron 713-853-1111\nBob Hill 713-853-2222",
        f"{BODY}\n\nAda Byron    x1111\nBob Hill     x2222\nSue Berg     x3333",
        # numbers of orders, and rows of days, are no telephone numbers
        *(f"{BODY}\n\n{numbers}" for numbers in (
            "Order 302-1234567-1234567\nTracking 1Z999AA10123456784", "Invoice 2025-0001 of 03-03-2025\nParcel 2025-02",
            "Sendungsnummer 00340434161234567890\nBestellnummer 302-1234567-1234567", "Kundennummer 2025-0001234",
            "Commande 302-1234567\nColis 6A 1234567890123", "Pedido 302-1234567\nFactura 2025-000123",
            "Encomenda 302-1234567\nFatura 2025-0001234", "Ordine 302-1234567\nFattura 2025-0001234",
            "Bestelling 302-1234567\nFactuur 2025-0001234", "03/03/2025 10:15\n04/03/2025 11:15",
            "Order    Date        Sum\n4711     03/03/2025  12.00\n4712     04/03/2025  13.00")),
        "Thanks to all who came.\n\nWe raised $500.",
        # a question, a remark, an announcement
        *(f"{BODY}\n\n{last}" for last in (
            "Thoughts?", "All times CET.", "Explain.", "Best price is 2.50.", "My wishes:\n- red, as the chair",
            "With regards to the invoice")),
        "Meine Adresse:\n\nUte Kolb\nHafenstr. 3\n20457 Hamburg",
        f"{BODY}\n\nMeine Adresse:\nUte Kolb\nHafenstr. 3\n20457 Hamburg",
        f"{BODY}\n\nCredit: approved up to 3 months.\nLegal: no ISDA",
        f"[VOTE] Results:\n\n+1: Bob, Ann\n-1: none\n\n{BODY}",
    ],
)  # fmt: skip
def test_content_stays(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Hi Sue,\n\nThanks!\n\nKim", "Thanks!"),
        *((f"{above}Enjoy!\n\n{name}", "Enjoy!") for above in ("", "Hi Sue,\n\n") for name in ("Kim", "-Kim")),
        *((f"{said}\n\n> Enjoy!", said) for said in ("Best regards,\nKim", "Hi Sue,\n\nLove,\nKim")),
        (f"Peter\n{BODY}\n\nOn 2 May 2025, Peter Kirk <p@x.example> wrote:\n> Is it complete?", BODY),
        (f"{BODY}\n\nVielen Dank im Voraus und viele Grüße\nKim", BODY),
        (f"{BODY}\n\nDanke und LG, Kim", BODY),
        (f"{BODY}\n\nMerci beaucoup et bonne journée\nKim", BODY),
        (f"{BODY}\n\nThanks in advance for your help,\nKim", BODY),
        (f"{BODY}\n\nVr. gr.\nKim", BODY),
        (f"Muy buenas:\n\n{BODY}", BODY),
        (f"Morgen zusammen,\n\n{BODY}", BODY),
        (f"{BODY}\n\nVon Yahoo Mail auf Android gesendet", BODY),
        (f"{BODY}\n\nEnvoyé à partir de Courrier pour Windows", BODY),
        (f"{BODY}\n\nSent from my iPad\n\nThis message is confidential and intended for the addressee only.", BODY),
        *((f"{name}:{rows}", rows.strip()) for name, rows in (
            ("Anna", "\n\n1. When does it come?\n2. Who pays?"), ("Anna and Bob", "\n\n- Who pays?\n- When?"),
            ("Mr Hill", "\n- When does it come?\n- Who pays?"), ("Ladies", "\n\n1 lamp broke.\n2 more smell."),
            ("Team", "\n\n- It smokes.\n- Who pays?"))),
        (f"{BODY}\n\nGet your FREE download of MSN Explorer at http://explorer.msn.com", BODY),
        *((f"{BODY}\n\n{footer}", BODY) for footer in (
            "http://x.example/mailman/listinfo/dev", "http://x.example/lists/dev\nTo unsubscribe, write to a@x.example",
            "dev mailing list\nhttp://x.example/lists/dev", "dev@x.example mailing list\nhttp://x.example/lists/dev",
            "List owner: a@x.example", "Sign up now for Quotes at http://finance.x.example", "For more options, click",
            "For more options, visit https://x.example/optout", "For additional help, e-mail: dev-help@x.example")),
        (f"{BODY}\n\nCheers,\nKim\n\nTo unsubscribe, click https://x.example/u\n\nWe never sell what you tell us.",
         BODY),
        (f"FYI.\n\nCarl,\n\n{BODY}", f"FYI.\n\n{BODY}"),
        (f"susan:\n\n{BODY}\n\nThanks,\nKim", BODY),
        (f"Jean, Brad and Nelson\n\n{BODY}\n\nKim", BODY),
        (f"{BODY}\n\nK.N.", BODY),
        *((f"{BODY}\n\n{end}\nKim", BODY) for end in (
            "Many thanks for your help", "Viele liebe Grüße", "Desde ya muchas gracias.", "Thanking you,",
            "Mit freundlichen Gruessen", "Viele Gruesse", "Just my two cents,", "With kindest regards,",
            "With lots of love", "With very best wishes,", "With all good wishes", "With every good wish,",
            "With warmest personal regards,", "With best holiday wishes,", "Season's greetings,",
            "Frohe Weihnachten und einen guten Rutsch,")),
        *((f"{BODY}\n{end}", BODY) for end in (
            "--------------------------\nSent from my BlackBerry Wireless Handheld (www.BlackBerry.net)",
            "\nKim\n\n__________\n\nSent from my iPhone", "\n__\nVon meinem iPhone gesendet")),
        (f"*****\n{BODY}\n*****\nSent from my iPhone", f"*****\n{BODY}\n*****"),
        *((f"{BODY}\n\n{end}", BODY) for end in (
            "Von meinem/meiner Galaxy gesendet", "Verzonden vanaf mijn OnePlus", "Sent from Canary",
            "Yahoo Mail: Search, Organize, Conquer", "Get BlueMail for Android", "Typed with thumbs on my iPad",
            "Diese Nachricht wurde mit der WEB.DE Mail App gesendet", "Sent from my Wiko RIDGE 4G",
            "Sent from my laptop", "Gesendet von meinem Laptop", "Enviado do meu notebook", "Envoyé de mon ordinateur",
            "Sent from my moto g(7) play", "Sent from my Xperia™", "Sent from Surface", "Sent from Front", "Sent from Spike<https://x.example>",
            "Sent from eM Client",
            "Sent with Tuta; enjoy secure & ad-free emails", "Download Outlook for Android<https://x.example>",
            "Get Outlook for Mac <https://x.example>", "Outlook für Mac beziehen", "Obtenir Outlook pour Mac",
            "Obtener Outlook para Windows", "Obter Outlook para Mac", "Ottenere Outlook per iOS",
            "Outlook ophalen voor iOS")),
        *((f"{BODY}\n\n{end}", BODY) for end in (
            "Sent from [Proton Mail](https://proton.me/mail/home) for Android.",
            "Sent with [Proton Mail](https://proton.me/mail/home) secure email.",
            "Get [Outlook for iOS](https://aka.ms/o0ukef)", "Sent with [Spark](https://x.example/s?a=b)",
            "Sent from [Mail](https://go.microsoft.com/fwlink/?LinkId=5) for Windows", "[Sent from HEY](https://hey.com)",
            "Sent via [Superhuman](https://sprh.mn/?vip=a@b.c)", "Sent via Superhuman iOS ( https://sprh.mn/?v=a@b )",
            "Envoyé avec la messagerie sécurisée [Proton Mail](https://proton.me/mail/home).",
            "Obtenir [Outlook pour Android](https://aka.ms/x)", "Gesendet mit [Spark](https://x.example/s)")),
        *((f"{BODY}\n\n{end}", BODY) for end in (
            "Sportliche Grüße,\nAnna Lee vom Radteam\n\nAnna Lee\nVertrieb\nTelefon: 030 1234567",
            "Mit musikalischen Grüßen\nKim", "Frühlingshafte Grüße aus Köln\nKim Noll", "Mit sportlichem Gruß\nKim",
            "Ganz liebe sonnige Grüße\nKim", "Weihnachtliche Grüße aus Bonn,\nKim")),
        *((f"{BODY}\n\n{team}", BODY) for team in (
            "Your Blue Sky Helpdesk Team", "The Blue Sky Helpdesk Team", "Your friends at Acme", "The team at Acme",
            "Euer Team vom Radladen", "Ihr Team von der Radstation Nord", "Votre équipe Acme", "A equipa Acme",
            "L'équipe du support technique de chez Acme", "El equipo de Acme", "Il team di Acme",
            "Tu equipo de soporte de Acme Ibérica", "Het team van Acme")),
        *((f"{opening}\n\n{BODY}", BODY) for opening in ("To the manager,", "Señor director:", "Olá, tudo bem?")),
        (f"Fantasy Update:\n\nTeam  W\nBats  5\n\n{BODY}\n\nKim", f"Fantasy Update:\n\nTeam  W\nBats  5\n\n{BODY}"),
        ("Hours of today:\n\nHE 1  25 MW\n\nAll times CET.\n\nKim", "Hours of today:\n\nHE 1  25 MW\n\nAll times CET."),
        ("I miei dati:\n\nNoll Srl\nVia Roma 12\nP. IVA 01234567890\n\nGrazie\nKim",
         "I miei dati:\n\nNoll Srl\nVia Roma 12\nP. IVA 01234567890"),
        (f"{BODY}\n\nDorian Hoxha wrote\n> Which parcel?", BODY),
        (f"{BODY}\n\n---- On Thu, 02 Feb 2017 10:11:12 -0800 Bob wrote ----\nWhich parcel?", BODY),
        (f"{BODY}\n\nRegards,\nKim\nx8321\n\n=====\nThe log of the night follows here, as you asked me to send it.",
         f"{BODY}\n\n=====\nThe log of the night follows here, as you asked me to send it."),
        *((f"{BODY}\n\n{files}", BODY) for files in ("Kim\n - budget.xls", " - budget.xls", "<photo1.jpg>")),
        (f"{BODY}\n\nAttachments:\n- invoice.pdf", f"{BODY}\n\nAttachments:"),
        *((f"{above}\n> Which parcel is it?\n\n{BODY}", f"{above}\n\n{BODY}") for above in (
            "See https://x.example/a", "See <https://x.example/a>", "Look at this: a <b")),
        (f"> See the page <https://x.example/a\n> for more about it.\n\n{BODY}", BODY),
        (f"See <https://x.example/a\n> Which parcel is it?\n> Bob\n\n{BODY}", f"See <https://x.example/a\n\n{BODY}"),
        (f"I asked Bob <b@x.example\n> I come at five:\n> - one\n\n{BODY}", f"I asked Bob <b@x.example\n\n{BODY}"),
        # a signature below dashes, and what follows it
        *((f"{BODY}\n\n{end}", BODY) for end in (
            "-- \nTo be or not to be, that is the question.", "--\nKim Noll\nTo be or not to be, that is it.",
            "--\n-- Kim Noll", "-- \n-- Coding is art.\n--", "-- \nKim Noll\n-- Life is what happens to you.",
            "—\nKim Noll\nHead of Cables\n\n@hillpumps", "—\nBob Hill\nManager\nHillpumps")),
        *((f"{BODY}\n---\n{told}\n{name}", f"{BODY}\n---\n{told}") for name in ("Jo Hill", "- Jo") for told in (
            "The lid is missing, too. Please send it.", "Order 4712\nDer Deckel fehlt auch. Bitte schicken Sie ihn.",
            "\"You will get it\" is what I heard.\nIt has not come. Nobody calls.")),
        *((f"Hello,\n{rule}\n{BODY}", f"{rule}\n{BODY}") for rule in ("--", "---")),
        *((f"{BODY}\n\n--\n\n{BODY}\n\nRegards\n{name}", f"{BODY}\n\n--\n\n{BODY}") for name in ("Kim", "Jo Hill")),
        *((f"{above}\n--\n{end}", above) for end in ("Kim Noll\nkim@firm.example", "Kim Noll") for above in (
            "Complaint about order 4711", "What I ordered: brass lamp", "Yes", "I want a refund:")),
        *((f"{above}\n--\nLife is what happens to you.", above) for above in ("Yes", "See there.", "Deadline: Monday")),
        *((f"{BODY}\n---\n{end}", BODY) for end in (
            "Kim Noll\nI am at home after six. Please call me.",
            '"I did not fail. I found a thousand ways that\nwill not work."\nEdison',
            '"I did not fail. I found a thousand ways that\nwill not work."\n- T. Edison',
            '"We are what we do. Excellence\nis not an act, but a habit".\nAristotle',
            "Kim Noll\nNoll Ltd\nkim@firm.example", "Life is what happens to you.", "Kim Noll",
            "My new permanent address is kim@firm.example",
            "Life is what happens to you while\nyou are busy making other plans.", "Liebe Grüße,\nKim",
            "Kim Noll\nI think that I shall never see a poem lovely as a tree.",
            "Outgoing mail is certified Virus Free.\nChecked by AVG (http://www.grisoft.com).\nVersion: 6.0.525",
            "Ce message et ses pièces jointes peuvent contenir\ndes informations confidentielles. Ne le copiez pas.",
            "*Previous Replies*\n\nWhich parcel is it?\n\nPosted by Bob on 03/03/2025\n\n---\n[Visit](https://x.example)")),
        *((f"{BODY}\n---\nIt was dented. Nobody saw it.\nThe lid is gone.\n{end}",
           f"{BODY}\n---\nIt was dented. Nobody saw it.\nThe lid is gone.") for end in (
            "---\nKim Noll\nNoll Ltd\nkim@firm.example", "---\nKim Noll", "---\nVisit us at the fair\nwww.x.example",
            "\nThanks,\nKim", "\nBest regards\nKim Noll\nk@x.example")),
        (f"It is broken.\n\n-- \nKim Noll\nNoll Ltd\n\nP.S. {BODY}", f"It is broken.\n\nP.S. {BODY}"),
        *((f"{BODY}\n\n{end}\n\nKim Noll", BODY) for end in (
            "Dans l'attente de votre réponse, je vous prie d'agréer, Madame, Monsieur, l'expression de mes salutations "
            "distinguées.",
            "Ich verbleibe mit freundlichen Grüßen", "In Erwartung Ihrer Antwort verbleibe ich mit freundlichen Grüßen",
            "Es grüßt Sie herzlich", "In afwachting van uw reactie verblijf ik, hoogachtend,",
            "Nell'attesa di un riscontro, porgo distinti saluti.", "En espera de su respuesta, le saluda atentamente,",
            "Sem outro assunto de momento, subscrevo-me com os melhores cumprimentos,", "En espera de su respuesta",
            "In Erwartung Ihrer Antwort verbleibe ich", "Ich verbleibe hochachtungsvoll", "Subscrevo-me, atentamente",
            "A la espera de su respuesta,", "Quedo a la espera de sus noticias.", "Sin más, un saludo",
            "Sin otro particular, le saluda atentamente", "Dans l'attente de vous lire,", "Resto in attesa",
            "Dans l'attente d'un retour rapide de votre part,", "In attesa di un Vostro cortese riscontro.",
            "Fico no aguardo de um retorno.", "Aguardando retorno,", "In afwachting van uw antwoord,",
            "Quedo a la espera de su confirmación.", "A la espera de tu respuesta, gracias", "Aguardando, obrigado",
            "Dans l'attente de ton retour", "Dans l'attente de votre accord,", "In attesa di Vostre notizie",
            "Resto in attesa di conferma.", "In attesa di un cenno di riscontro", "Speak soon,",
            "Med venlig hilsen", "Sin más, un cordial saludo")),
        # a sentence below a signature
        (f"{BODY}\n\nKind regards,\nKim Noll\nPayroll Officer\nMy working days are Monday to Wednesday, 9 to 3.", BODY),
        (f"{BODY}\n\nYours sincerely\nKim Noll\nfor and on behalf of Celtic Foods Ltd", BODY),
        (f"{BODY}\n\nKim Noll\nTél. 03 20 55 50 00 - Port. 06 12 34 56 78", BODY),
        *((f"{BODY}\n\n{contacts}", BODY) for contacts in (
            "089 1234567\n089 1234568", "713-853-1111\n713-853-1112 (fax)", "Ann Hill 0171 1234567",
            "Order Desk\n+49 89 1234567\nwww.firm.example")),
        (f"{BODY}\n\nKim Noll\ntel +353 21 555 0100 | mob +353 87 555 0100", BODY),
        ("Hi,\n\nInline.", "Inline."),
        ("My code:\n\nfind . | sort\n\nKim", "My code:\n\nfind . | sort"),
        # what a help desk or a telephone writes above the earlier message
        (f"{BODY}\n\n##- Please type your reply above this line -##\n\nYour request has been updated.", BODY),
        (f'This is a follow-up to your previous request #12345 "Parcel"\n\nHello team,\n\n{BODY}', BODY),
        (f"{BODY}\n-------- Original message --------From: Shop <i@x.example> Date: 03/03/2025\nHi", BODY),
        (f"{BODY}\n\nOn Mon, 3 Mar 2025, Bob wrote:\n\nWhich parcel do you mean?", BODY),
        # a gateway's warning, as long as a paragraph
        ("CAUTION: This email originated from outside of the organization. Do not click links or open attachments "
         f"unless you recognize the sender and know the content is safe.\n\nHello Sue,\n\n{BODY}", BODY),
        (f"This Message Is From an External Sender\nThis message came from outside your organization.\n\n{BODY}", BODY),
    ],
)  # fmt: skip
def test_edges_go(text: str, own: str) -> None:
    assert cleaned(text) == own


@pytest.mark.parametrize(
    "footer",
    [
        "You received this email because you are subscribed to our newsletter.",
        "You are receiving this because you commented.",
        "You are currently subscribed to our list of offers.",
        "Please do not reply to this email, we cannot answer it.",
        "This email was sent to you because you have an account with us.",
        "To unsubscribe, reply to this message with the word STOP in the subject.",
        "Reply to this email directly or view it on our site.",
        "Sie erhalten diese E-Mail, weil Sie sich für unseren Newsletter angemeldet haben.",
        "Um sich abzumelden, klicken Sie hier.",
        "Geschäftsführer: Karl Noll.\nAmtsgericht Köln HRB 123.",
        "Vous recevez cet e-mail car vous êtes inscrit à notre newsletter.",
        "Pour vous désabonner, cliquez ici.",
        "Usted recibe este correo porque se suscribió a nuestro boletín.",
        "Para darse de baja, haga clic aquí.",
        "Você recebeu este e-mail porque se inscreveu em nossa lista.",
        "Para cancelar a inscrição, clique aqui.",
        "Hai ricevuto questa email perché sei iscritto alla nostra newsletter.",
        "Per cancellarti, clicca qui.",
        "U ontvangt deze e-mail omdat u zich hebt ingeschreven voor onze nieuwsbrief.",
        "Om u uit te schrijven, klik hier.",
    ],
)
def test_what_a_newsletter_says_at_its_end_needs_no_link_to_be_seen(footer: str) -> None:
    assert cleaned(f"{BODY}\n\nThe rest is fine.\n\n{footer}") == f"{BODY}\n\nThe rest is fine."
    markup = f"<p>{BODY}</p><p>{footer} <a href='https://x.example/u'>Unsubscribe</a></p>"
    assert clean_message(html_mail(markup)).text == BODY


@pytest.mark.parametrize(
    "theirs",
    [
        '<div id="divRplyFwdMsg"><b>From:</b> S<br><b>Subject:</b> x</div><div>Where should we deliver?</div>',
        '<div class="yahoo_quoted"><div>On Monday, S wrote:</div><p>Where should we deliver?</p></div>',
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> S<br><b>Sent:</b> Monday'
        "<br><b>Subject:</b> x</p></div><p>Where should we deliver?</p>",
    ],
)  # fmt: skip
def test_a_reply_without_words_is_empty(theirs: str) -> None:
    raw = f"From: Ed <e@x.example>\nContent-Type: text/html\n\n<html><body>{theirs}</body></html>".encode()
    assert clean_message(raw).text == ""


def test_a_help_desks_own_mail_is_kept() -> None:
    text = "##- Please type your reply above this line -##\n\nThe refund was sent on 1 March."
    assert "The refund was sent on 1 March." in clean_text(text)


def test_a_banner_may_share_its_line_with_fields() -> None:
    assert banner_of("-------- Original message --------From: Shop Date: 03/03/2025") is not None
    assert banner_of("-------- Original message -------- and so on") is None


def test_preformatted_by_style() -> None:
    assert render('<div style="white-space:pre-wrap">one\r\n  two</div><div>three\nfour</div>')[0] == [
        "one", "  two", "three four",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "passage",
    [
        "these people are missing:\n\nBest\nJane Doe\nBob Smith\nCarol White",
        "My favourite bands:\n\nLove\nArthur Lee\nForever Changes",
        "sizes I ordered:\n\nBest\nLarge\nMedium\nSmall",
        "The parcel came wet.\n\nThanks,\nKim\nOrder 302-1234567-1234567\nTracking 1Z999AA10123456784",
        'they wrote:\n\n"We will refund you.\n\nKind regards\nJane Doe\nCustomer Care\nTel. 0800 1234567"',
    ],
)
def test_lists_and_letters_in_the_middle_are_no_signatures(passage: str) -> None:
    assert cleaned(f"{BODY}\n\n{passage}\n\n{BODY}\n\nKim") == f"{BODY}\n\n{passage}\n\n{BODY}"
