"""Over-deletion: what complaints hold in their middle or at their end, and what a rule may take for an edge."""

from __future__ import annotations

import pytest

from mailmill.email import clean_text

OPENING = "I bought a fridge at your store in May and it broke."
CLOSING = "It has been a bad experience all in all with order 4711, and I want my money back."
#: At the very end it is a polite close.
ENDS = {
    "Thank you all again for your quick reply.",
    "Vielen Dank für Ihre Mühe!",
    "Merci pour votre compréhension.",
    "Gracias por su ayuda.",
    "Obrigado pela atenção!",
    "Grazie per la collaborazione.",
    "Bedankt voor uw reactie.",
    "Thank you for your letter of 3 May.",
}
#: Above a name they sign off: names and good wishes may be of any words.
MISSED = {
    "Sincerely disappointed.",
    "Enjoy your profits.",
    "See you in court.",
    "Love the colour though.",
    "Take care of it!",
    "Salutations à votre chef !",
    "Hasta mañana en el juzgado.",
    "Saluti al vostro capo!",
    "Groeten aan uw baas!",
}
SENTENCES = [
    "Important: it must be fixed by Monday or I cancel my contract with you.",
    "Security. The lock on the door is broken and nobody came to repair it.",
    "Legal: my lawyer will write to you next week about the refund.",
    "Privacy... I do not want to be called at home any more.",
    "Important! Please call me back.",
    "Caution: this message is hot",
    "The information in this message from your shop was wrong. I was told to wait.",
    "If you have received this message before, I am sorry for sending it twice.",
    "This email is to complain about the service I had last week at your store.",
    "This message is for the manager. I want to complain about the service.",
    "This e-mail was sent twice, sorry. The fridge is broken.",
    "External email addresses are not accepted by your form, please fix.",
    "Please consider the environment and stop wrapping everything in plastic!",
    "The company does not accept responsibility for my broken fridge, which is a shame.",
    "Any use of this company again is out of the question for me.",
    "To be removed from your list I called three times.",
    "Mailing list problems again: I get ten letters a week.",
    "From: the shop in Leeds\nTo: my home\nit took three weeks.",
    "Subject: refund\nThis is what I put in my first letter.",
    "Original message was never answered, by the way.",
    "Best regards to Jamal, who was very kind.",
    "Thanks for nothing.",
    "Cheers to the driver who brought it.",
    "Sent from your warehouse on 3 May, it arrived on 9 June.",
    "Tel: nobody answers. Mobile: the same.",
    "Sincerely disappointed.",
    "Enjoy your profits.",
    "Peace of mind is what you sell, you say.",
    "Later I was told that it was my fault.",
    "Yours is the worst support that I know.",
    "Love the product, hate the service.",
    "Best fridge ever, when it works.",
    "| item | price |\n| fridge | 300 |",
    "- no answer\n- no refund\n- no apology",
    "1. the door is broken\n2. the light is off",
    "----------\nPart two\n----------",
    "P.S. I am not done yet.",
    "Manager, please read this.",
    "Mr Smith told me: wait.",
    "I paid 300.\n\nSmith & Sons\n12 High Street\n\nis where I bought it.",
    "Dear oh dear, what a mess.",
    "Hello? Anybody there?",
    "Hi from a very unhappy customer.",
    "Good morning is not what I got from your staff.",
    "Forwarded by your team to nobody, my complaint rests.",
    "See below what your technician wrote:\n\nThe unit is beyond repair.\n\nI disagree with that.",
    "Sent from hell, your technician broke the door.",
    "Posted with love, it came in pieces.",
    "Greetings from the queue at your shop.",
    "Have a nice day was all he said.",
    *sorted(ENDS),
    "Office hours are a joke.",
    "Original price: 300. You charged: 400.",
    "The information transmitted by your technician was wrong.",
    "Disclaimer: I am no expert.",
    "Any opinions of your technician about my kitchen are not welcome.",
    "This message is private.",
    "View this message as my last warning.",
    "For more information call me at 0123 456789.",
    "Update your records please.",
    "List owner: me.",
    "Spend less time on adverts and more on support.",
    "Sign up for better support? No thanks.",
    "Many thanks for ruining my holiday.",
    "Many thanks for your awful service",
    "To the support team, shame on you!",
    "On 3 March I wrote to support <help@firm.example>:   no answer.",
    "rubbish",
    "pathetic",
    "Orders\n---------\nhttp://x.example/a",
    "Thanks, but it is broken.",
    "Thanks, still not working!",
    "Later, nothing worked anymore.",
    "Best, you refund me.",
    "Danke, aber kaputt ist kaputt.",
    "Thanks for fixing nothing at all since Monday",
    "Unsubscribe us immediately, or we will complain.",
    "To unsubscribe is impossible on your site, whatever we try.",
    "Mailing list mails still reach us every single day.",
    "__\nMailing list mails still reach us every single day.",
    "Datenschutz ist Ihnen wohl egal, so geht es nicht.",
    "Geschäftsführer Müller hat uns die Erstattung am 3.3. zugesagt.",
    "To unsubscribe is impossible on your site.\nMy account number is 0815.",
    "Unsubscribe us immediately, or we complain to 3 authorities.",
    "Unsubscribe link is broken since March 2025.",
    "Please do not reply to this email with another template.",
    "Reply to this message by Friday.",
    "You received this lamp back because it is broken, and your mail says nothing.",
    "You received this email three times by now.",
    "Sie erhalten diese E-Mail nun zum dritten Mal.",
    "Abmelden funktioniert nicht.",
    "Der Vorstand soll das lesen, und zwar heute noch.",
    "Vorstand und Aufsichtsrat lesen mit, das verspreche ich Ihnen.",
    "Se désabonner est impossible chez vous, même par le 0800.",
    "Politique de confidentialité introuvable sur le site.",
    "Vous recevez ce message pour la troisième fois.",
    "Darse de baja es imposible en su web, van 3 intentos.",
    "Haga clic aquí no funciona en su página web.",
    "Cancelar a assinatura é impossível no seu site desde 2024.",
    "Cancellarsi è impossibile.",
    "Clicca qui non funziona.",
    "Uitschrijven lukt niet bij jullie, ook niet na 3 keer.",
    "Klik hier werkt niet.",
    *(
        f"{thanks}."
        for thanks in (
            "Thanks for ignoring me",
            "Thanks for the broken lamp",
            "Thank you for the terrible service",
            "Thanks for your lousy delivery",
            "Thanks for destroying my holiday",
            "Danke für die kaputte Lampe",
            "Danke für rein gar nichts",
            "Danke für den miesen Service",
            "Merci pour ce service lamentable",
            "Gracias por arruinar mis vacaciones",
            "Obrigada pelo péssimo serviço",
            "Grazie per il pessimo servizio",
            "Bedankt voor de slechte service",
        )
    ),
    "Good luck / no luck!",
    "Best price / kind of good",
    "See you in court.",
    "Enjoy my money!",
    "Love the colour though.",
    "Take care of it!",
    "Have a nice day with my money!",
    "Ihr hört von meinem Anwalt.",
    "Ihr seid Betrüger!",
    "Ihre Firma ist Mist!",
    "Ihr Service ist eine Katastrophe!",
    "Dein Ernst?",
    "Hochachtungsvoll ist anders.",
    "Salutations à votre chef !",
    "Hasta mañana en el juzgado.",
    "Até amanhã no tribunal!",
    "Saluti al vostro capo!",
    "Groeten aan uw baas!",
    "Cheers. It broke again.",
    "Get your free lamp at the shop, the flyer said.",
    "Thanks for never answering.",
    "Gracias por no contestar.",
    "Best I’ve had so far.",
    "In Erwartung einer Begründung Ihrer Ablehnung bis Freitag.",
    "In Erwartung Ihrer Antwort verbleibe ich ohne Lampe.",
    "Wir verbleiben mit offenen Fragen zur Bestellung 4711.",
    "Ich verbleibe mit großer Enttäuschung.",
    "En espera de su respuesta llevo tres meses.",
    "A la espera de mi dinero.",
    "Quedo a la espera de mi reembolso.",
    "Sin otro particular, exijo la devolución del importe.",
    "Dans l'attente de votre remboursement depuis mai.",
    "Dans l'attente de votre réponse depuis trois semaines.",
    "In attesa di un rimborso da mesi.",
    "Resto in attesa del rimborso.",
    "Fico no aguardo do meu dinheiro.",
    "Aguardando a troca",
    "Aguardando nota fiscal",
    "Quedo a la espera de confirmación del reembolso.",
    "In attesa di conferma del rimborso.",
    "Dans l'attente de votre accord pour un échange.",
    "Sin más, un desastre",
    "Aguardo resposta há três semanas!",
    "In afwachting van uw antwoord sinds mei.",
    "Subscrevo-me como cliente lesado e exijo o dinheiro.",
    "Sem mais demoras, cancelem sem cumprimentos.",
    "Certo che senza rimborso niente saluti.",
    "In afwachting van een terugbetaling groet ik niemand.",
    "Conformément au RGPD, vous disposez d'un délai d'un mois pour me répondre.",
    "Pursuant to the GDPR we inform you that we object to any advertising.",
    "Under the GDPR your data are to be deleted within a month.",
    "Gemäß Art. 21 DSGVO informieren wir Sie, dass wir Werbung widersprechen.",
    "Ai sensi del regolamento vi informiamo che vogliamo i nostri soldi.",
    "De acordo com o regulamento, informamos que queremos o dinheiro.",
    "Valuti questa richiesta e risponda presto.",
    "Avalie este caso e envie o dinheiro.",
    "Beoordeel deze zaak en stuur het geld.",
    "Évaluez ce dossier et répondez vite.",
    "¿Cómo valora esta situación? Responda pronto.",
    "Como avalia a situação? Responda por favor.",
    "How was our service? Visit the shop and see for yourself.",
    "Siège social : personne ne répond.",
    "Rate us 5 stars at www.shop.example, you say.",
    "These files are missing from the download:\n\n- report.pdf\n- invoice.pdf",
]
#: Sentences that begin as greetings do.
OPENINGS = [
    "Hi I want my money back!",
    "Hi Bob, I want my money back!",
    "Hello my order 1234 has not arrived,",
    "Hi the printer is still broken,",
    "Hallo mein Drucker ist schon wieder kaputt!",
    "Good morning nobody called me back!",
    "Hi, still broken!",
    "Hi Anna, it works!",
    "hi, i am angry!",
    "hi, it broke again",
    "Hi, call me!",
    "Hi Bob, refund please!",
    "Hello, order 4711:",
    "Guten Tag, Bestellung 4711,",
    "Bonjour, commande n° 4711 :",
    "Hola, pedido 4711:",
    "Good morning - order 4711",
    "Hi, order 4711.",
    "Hi all, server down!",
    "Good morning, still waiting.",
    "Hallo, ich warte!",
    "hallo, mein paket fehlt!",
    "Guten Tag, keine Antwort!",
    "Bonjour, toujours rien.",
    "Bonjour, colis perdu !",
    "Hola, sigue roto.",
    "Olá, quero reembolso.",
    "Buongiorno, pacco perso!",
    "Hallo, pakket kwijt!",
    "Hello, refund!",
    "Hallo, Kündigung!",
    "Bonjour, remboursement !",
    "Dear Sirs, FRAUD!",
    "Hi Bob, approved.",
    "Hi, still waiting",
    "Hallo, immer noch nichts",
    "Bonjour, toujours rien",
    "Hallo, Lampe ist da",
    "hi, refund please",
    "Hi, refund",
    "Hi not happy",
    "hi please help",
]
GREETINGS = [
    "hello to everyone in the team,", "Good morning my dear friends,", "To whom it may concern:", "Hi all,",
    "Dear Mr. and Mrs. van der Berg,", "hi john mary tom and bill,", "Hi, john!", "Hello, good morning!",
    "Dear ada.byron@firm.example,", "Hello ada@firm.example!", "Hi jane.doe, bob.smith", "Hello user jane_doe_1999,",
    "Hallo ada.byron@firm.example,", "Hi ada77!", "Dear shop-online.example support,",
    "Dear Dr. van der Berg!", "Hi Bob, Tom and Mary!", "Hallo Frau Müller, guten Morgen!", "Dear whoever reads this,",
    "Dear customer service team at the shop,", "Dear sir or madam at the complaints office,",
    "Cher service après-vente,", "Bonjour au service après-vente,", "Bonjour à toute l'équipe du service client,",
    "Gentile servizio di assistenza clienti,", "Buongiorno a tutto il team di assistenza clienti,",
    "Hi Bob, thank you!", "Bonjour, chère équipe !", "Ravi,", "Hello Mr. Love!", "Good morning Bob, happy Friday!",
    "Caro servizio clienti della ditta,", "Hallo liebes Team vom Kundenservice aus Köln,",
    "Hello jane_doe.777,", "Hi Bob2000, hello team 42,", "Hello, my dear friends", "Hi sue and will", "Dear help desk",
    "Dear returns department", "Buongiorno, gentile servizio clienti", "Hi, bob", "Hi will smith",
    "To whom it may concern", "Hallo liebe Leute", "Bonjour cher service", "Hola, muy buenas", "Bom dia, tudo bem",
    "Hola, qué tal", "Ciao, come stai", "Hallo, wie geht's", "Hallo meine Lieben", "Oi, minha querida",
    "Hello, me again", "Bonjour, c'est moi", "Hallo, ich nochmal", "Hola, otra vez", "Hoi, ik weer",
]  # fmt: skip
SIGNOFFS = [
    "Best regards from London", "Kind regards to you all", "Cheers Bob!", "Love, mom", "See you Monday",
    "Viele Grüße aus München", "Ihr Kundenservice", "Ihr Team vom Kundenservice", "Dein Bob", "Liebe Grüße an alle",
    "Amitiés de Paris", "Saludos desde Madrid", "Atenciosamente Ada da Silva", "Saluti dalla Toscana",
    "Met vriendelijke groet namens Ada", "Kind regards / Mit freundlichen Grüßen", "Kind regards Ben", "Cheers! Will",
    "Viele Grüße Mia Maier", "Un abrazo Can", "Met vriendelijke groet Wil", "kind regards ben",
    "Mit freundlichen Grüßen / Kind regards", "Viele Grüße | With best regards", "Cordialement/kind regards",
    "Mit freundlichen Grüßen - Kind regards", "Viele Grüße / Best regards / Meilleures salutations",
    "Med venlig hilsen / Kind regards", "Med venlig hilsen // Kind regards", "Best regards / S pozdravem",
]  # fmt: skip
#: What stands above a name in ordinary mail.
ABOVE_NAMES = (
    """
See you next week!|See you at the meeting|See you on Monday,|All the best from all of us|Best wishes to your family
Best wishes for 2025|Kind regards and best wishes|Have a great day ahead|Have a nice day and a great weekend
Take care and stay safe|With kind regards from the whole team|Greetings from sunny Spain|Hope this helps a bit
Love from all of us|Until then stay well|Talk soon my friend|Love you|All the best from our team
Viele Grüße und schönes Wochenende|Viele Grüße von uns|Viele Grüße auch an Deine Familie|Bis nächste Woche dann
Schönes Wochenende euch allen|Schöne Grüße in die Runde|Mit freundlichen Grüßen i. A.|Alles Gute zum neuen Jahr
Mit freundlichen Grüßen und besten Wünschen|LG und schönes WE|Bonne journée à vous|Bien cordialement à vous
Bonne soirée et à demain|Salutations de toute l'équipe|Un abrazo para todos|Saludos a la familia
Un cordial saludo y gracias|Um abraço para todos|Um bom dia para você|Cordiali saluti e grazie|Saluti a tutti voi
Saluti e buona giornata|A presto e grazie|Met vriendelijke groet en dank|Groetjes aan de familie
Met vriendelijke groet van ons team|Tot volgende week maandag
Thanks for your email|Thank you for choosing us|Thank you for shopping with us|Thanks for the quick turnaround
Thanks for the heads up|Thanks for fixing this|Thanks for noticing this!|Thanks for letting me know|Thank you|See you
Thank you for all you do|Looking forward to hearing from you|Danke für Ihre E-Mail|Danke für die schnelle Lieferung
Vielen Dank für Ihren Einkauf|Dank u|Merci à vous|Merci pour votre travail|Gracias|Muchas gracias|Gracias por su compra
Obrigada pela mensagem|Grazie per il messaggio|Bedankt voor uw bestelling
Thanks for not giving up|Thanks for never letting me down|Thank you for your late-night support
Gracias por no olvidarme|Obrigado por não desistir|Grazie per non aver mollato|Bedankt voor het niet opgeven
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_nothing_of_a_complaint_is_lost(sentence: str) -> None:
    text = f"{OPENING}\n\n{sentence}\n\n{CLOSING}"
    assert clean_text(text) == text
    text = f"{OPENING}\n\n{sentence}"
    assert clean_text(text) == (OPENING if sentence in ENDS else text)
    if sentence not in {*ENDS, *MISSED}:
        assert clean_text(f"{text}\n\nAda Byron", "Ada Byron") == text


@pytest.mark.parametrize(
    "first",
    [
        "Votre demande (4711) a été transmise à notre service technique.",
        "Su solicitud (4711) ha sido aprobada.",
        "Sua solicitação (4711) foi aprovada.",
        "La sua richiesta (4711) è stata accolta.",
        "Your request #4711 has been received, you wrote, but nothing happened.",
        "Ihre Anfrage (4711) wurde gelöst, schreiben Sie. Das stimmt nicht.",
        "Uw aanvraag (4711) is ontvangen, schreef u, maar ik hoor niets.",
        "Beantwoord deze e-mail alstublieft snel.",
        "Pour ajouter des commentaires, je n'ai pas de bouton.",
        "Um weitere Kommentare hinzuzufügen, fehlt der Knopf.",
        "To add more comments, reply was the only way.",
        'This is a follow-up to your previous request #4711, which you called "closed"',
        'Your request #4711 has been updated, and I read "closed"',
        "Please write the price above this line",
        "Bitte schreiben Sie den Betrag über dieser Zeile.",
    ],
)
def test_a_first_line_like_a_help_desks_stays(first: str) -> None:
    assert clean_text(f"{first}\n\n{OPENING}\n\nAda\n", "Ada Byron") == f"{first}\n\n{OPENING}"


@pytest.mark.parametrize("closing", SIGNOFFS)
def test_a_sign_off_may_name_people_and_places(closing: str) -> None:
    assert clean_text(f"{OPENING}\n\n{closing}") == OPENING
    assert clean_text(f"{OPENING}\n\n{closing}\n\nAda Byron", "Ada Byron") == OPENING


@pytest.mark.parametrize("closing", ABOVE_NAMES)
def test_usual_sign_offs_and_thanks_go_above_a_name(closing: str) -> None:
    for name in ("Ada", "Ada Byron"):
        assert clean_text(f"Hi Bob,\n\n{OPENING}\n\n{closing}\n{name}", "Ada Byron") == OPENING


@pytest.mark.parametrize(
    "last",
    ["Let me know what works for you", "Just call me", "Let us know if we can help with this", "Bitte helfen Sie mir",
     "Nous comptons sur vous", "It is up to you", "Sagen Sie mir bitte, was los ist", "Tell me where it is",
     "Gracias a ti", "Obrigada a você", "Grazie a te", "Hope you all like it"],
)  # fmt: skip
def test_a_last_sentence_announces_no_signature(last: str) -> None:
    for line in ("Thank you", "Muchas gracias", "Hope to hear from you", "Thank you for all you do"):
        assert clean_text(f"{OPENING}\n\n{line}\n\nAda Byron\nSales\nTel. +44 20 7946 0000", "Ada Byron") == OPENING
    for contact in (
        "Sales Manager",
        "Head of Sales\nFirm Ltd\nTel. +44 20 7946 0000",
        "+44 20 7946 0000",
        "ada@x.example",
    ):
        text = f"{OPENING}\n\n{last}\n\nAda Byron\n{contact}"
        assert clean_text(text, "Ada Byron <ada@x.example>") == f"{OPENING}\n\n{last}"


@pytest.mark.parametrize(
    "word",
    [
        "Scam", "Fraud!", "ASAP", "Furious.", "Enttäuscht", "Betrug!", "Déçue", "Arnaque !", "Decepcionada", "Estafa",
        "Recommended.", "Excellent Movie", "Hollow!!!", "My Grade: A-", "Rating: F", "Furchtbar.", "Horrível!",
        "Desiludida.", "Burla", "Deluso", "Truffa!", "Teleurgesteld.", "Oplichters", "Enttäuschend", "Dissatisfied",
        "Appalled", "Inacceptable", "Mécontente", "Frustrado", "Scontento", "Rampzalig", "Frustrante", "Cancelled",
    ],
)  # fmt: skip
def test_a_last_word_of_feeling_is_no_name(word: str) -> None:
    assert clean_text(f"{OPENING}\n\n{word}\n\nAda", "Ada Byron") == f"{OPENING}\n\n{word}"
    assert clean_text(f"{OPENING}\n\n{word}", "Ada Byron") == f"{OPENING}\n\n{word}"


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_sentence_that_begins_as_a_greeting_stays(opening: str) -> None:
    assert clean_text(f"{opening}\n\n{OPENING}") == f"{opening}\n\n{OPENING}"


@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_long_greeting_is_one(greeting: str) -> None:
    assert clean_text(f"{greeting}\n\n{OPENING}") == OPENING


@pytest.mark.parametrize(
    "greetings",
    [
        "Prezados,\n\nBom dia!", "Estimados:\nBuenos días,", "Buongiorno,\n\nGentile Anna,", "Dear Team,\n\nHello",
        "Bonjour,\n\nMadame, Monsieur,", "Guten Tag,\n\nsehr geehrte Frau Lee,", "Beste Anna,\nGoedemorgen!",
        "Good morning,\nDear Anna:", "Anna,\n\ngood morning!",
    ],
)  # fmt: skip
def test_a_second_greeting_goes_too(greetings: str) -> None:
    assert clean_text(f"{greetings}\n\n{OPENING}") == OPENING


@pytest.mark.parametrize(
    "opening",
    [
        "Hello world is what it prints.", "Good morning is not what I got.", "Dear me!", "Hi, my new address is:",
        "Dear Customer\nthis is what your letter begins with.", "Greetings from a very unhappy customer.",
        "Evening works.", "Evening preferred", "Hallo, Lampe defekt!", "Monsieur Hill refuse.", "Caro demais!",
        "Beste service ooit!", "Cara spedizione!", "Buenas noticias!", "Gentlemen, enough!",
    ],
)  # fmt: skip
def test_what_begins_as_a_second_greeting_stays(opening: str) -> None:
    assert clean_text(f"Hello,\n\n{opening}\n\n{OPENING}") == f"{opening}\n\n{OPENING}"


@pytest.mark.parametrize(
    "last",
    [
        "Can your technician come on 03/05/2025 at 10:00?\n",
        "We need it\nback on 5 March 2025, before 10:00",
        "New appointment: 03/05/2025 10:00\n",
        "\nPlease call me back\nTuesday 5 March 2025, 10:00\n",
        "\nNeuer Termin\n05.03.2025 10:00",
        "\nCall at\n10:00",
        "\nPlease respond to Ada\n",
    ],
)
def test_what_is_dated_above_a_header_stays(last: str) -> None:
    header = "From: Bob <bob@x.example>\nSent: Monday, March 3, 2025 10:00 AM\nTo: Ada\nSubject: scanner\n\nOld text."
    assert clean_text(f"{OPENING}\n{last}\n{header}") == f"{OPENING}\n{last}".strip()
    assert clean_text(f"{last}\n{header}") == last.strip()


@pytest.mark.parametrize("last", ["Yes, I will be there tomorrow", "Ja, das passt mir gut"])
@pytest.mark.parametrize(
    "header",
    [
        "Date: Mon, 3 Mar 2025 10:00:48 +0000\nFrom: Bob <bob@x.example>\nTo: Ada\nSubject: scanner",
        "Date: Mon, 3 Mar 2025 10:00:48 +0000\nSubject: scanner\nFrom: bob@x.example\nTo: ada@x.example",
        "Datum: 03.03.2025 10:00\nVon: bob@x.example",
        "From: Bob Hill 03/03/2025 10:00 AM\nTo: Ada Byron/LON/FIRM@FIRM\nSubject: scanner",
    ],
)
def test_what_stands_right_above_a_header_that_opens_with_its_date_stays(header: str, last: str) -> None:
    assert clean_text(f"{last}\n{header}\n\nOld text.") == last
    assert clean_text(f"{OPENING}\n{last}\n{header}\n\nOld text.") == f"{OPENING}\n{last}"
    for rule in ("----------\n", "\n__________\n\n"):
        assert clean_text(f"{OPENING}\n{rule}{header}\n\nOld text.") == OPENING


def test_a_header_without_a_date_has_it_above_its_fields() -> None:
    header = "Bob Hill\n03/03/2025 04:01 PM\nTo: Ada Byron/LON/FIRM@FIRM\ncc:\nSubject: scanner\n\nOld text."
    assert clean_text(f"{OPENING}\n\n{header}") == OPENING


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("On March 3, 2025 Jane from support wrote:", '"We will refund you."'),
        ("Am 3. März 2025 schrieb Frau Müller:", "„Wir erstatten das.“"),
        ("Le 3 mars 2025 à 10:15, le technicien Durand a écrit :", "« Nous remboursons. »"),
        ("El 3 de marzo de 2025 el agente Pérez escribió:", '"Devolvemos."'),
        ("Em 3 de março de 2025 o técnico Pereira escreveu:", '"Vamos devolver."'),
        ("Il 3 marzo 2025 il tecnico Rossi ha scritto:", "«Rimborsiamo.»"),
        ("Op 3 maart 2025 schreef mevrouw Jansen:", "‘Wij betalen terug.’"),
    ],
)
def test_what_somebody_is_told_to_have_written_is_the_authors(told: str, said: str) -> None:
    text = f"{told}\n{said}\n\n{CLOSING}"
    assert clean_text(f"{OPENING}\n\n{text}") == f"{OPENING}\n\n{text}"
    assert clean_text(f"Hello,\n\n{text}") == text
    text = f"{told}\n\nYes.\n\n{CLOSING}"
    assert clean_text(f"Hi Bob!\n\n{text}") == text


@pytest.mark.parametrize(
    "told",
    [
        "On 3 March 2025 Kim from support wrote:", "Am 3. März 2025 schrieb Frau Müller:",
        "Le 3 mars 2025 le technicien Durand a écrit :", "El 3 de marzo de 2025 el agente Pérez escribió:",
        "Em 3 de março de 2025 o técnico Pereira escreveu:", "Il 3 marzo 2025 il tecnico Rossi ha scritto:",
        "Op 3 maart 2025 schreef mevrouw Jansen:",
    ],
)  # fmt: skip
def test_what_somebody_is_told_to_have_written_may_open_a_mail(told: str) -> None:
    text = f"{told}\n\nWe will refund you.\n\n{CLOSING}"
    assert clean_text(f"{text}\n\nAda", "Ada Byron") == text


@pytest.mark.parametrize(
    ("header", "theirs"),
    [
        ("On Mon, 3 Mar 2025 09:12:44 +0100 Kim Noll wrote:", "We will refund you."),
        ("On 3 Mar 2025, at 09:12, Kim Noll wrote:", "We will refund you."),
        ("On 3 March 2025 Kim Noll <kim@x.example> wrote:", "We will refund you."),
        ("On Mon, 3 Mar 2025, Kim Noll wrote:", "> We will refund you."),
        ("On Mon, 3 Mar 2025, Kim Noll wrote:", "--]We will refund you.\n--]All of it."),
        ("On Mon, 3 Mar 2025, Kim Noll wrote:", "Ada,\n> We will refund you."),
    ],
)  # fmt: skip
def test_what_a_program_writes_above_a_quote_may_open_a_mail(header: str, theirs: str) -> None:
    text = clean_text(f"{header}\n{theirs}\n\n> Soon.\n\n{CLOSING}" if ">" in theirs else f"{header}\n{theirs}")
    assert "Noll" not in text
    assert "refund" not in text


@pytest.mark.parametrize(
    "said", ['"We will refund you" - and nothing happened.', "“We will”, but you did not.", "«Oui» (mardi)."]
)
@pytest.mark.parametrize("told", ["On 3 March 2025 Bob Hill wrote:", "Am 03.03.2025 um 10:00 schrieb Bob Hill:"])
def test_who_goes_on_behind_what_was_said_tells_it(told: str, said: str) -> None:
    text = f"{OPENING}\n\n{told}\n{said}\n\n{CLOSING}"
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("above", "quote"),
    [
        ("Danke", "On Mar 3, 2025, at 10:00 AM, Shop wrote:\n\n“old words”"),
        (OPENING, 'On 3 Mar 2025, at 10:00, Bob Hill wrote:\n\n"Dear Ada" is how I began.'),
        (OPENING, "Le lun. 3 mars 2025 à 10:00, Shop a écrit :\n\n« vieux mots »"),
    ],
)
def test_a_quote_may_open_with_quotation_marks(above: str, quote: str) -> None:
    assert clean_text(f"{above}\n\n{quote}") == above


@pytest.mark.parametrize(
    "answer",
    [
        "NIF: 12345678Z", "VAT number GB123456789", "USt-IdNr. DE123456789", "SIRET 12345678900012",
        "P. IVA 01234567890", "CNPJ 12.345.678/0001-90", "KvK 12345678", "Registered office: 5 High Street, London",
        "Meeting ID: 123 456 789", "The car is registered in Germany: plate B-AD 123.",
    ],
)  # fmt: skip
def test_an_answer_is_no_register_of_a_footer(answer: str) -> None:
    for text in (answer, f"{OPENING}\n\n{answer}\n\nIs that right?"):
        for below in ("", "\n\nRegards,\nAda Byron"):
            assert clean_text(f"Hello,\n\n{text}{below}", "Ada Byron <ada@x.example>") == text


@pytest.mark.parametrize(
    "sentence",
    [
        "Bestellung 4711\n\nGeschäftsführer Müller hat die Rückgabe zugesagt.", "Danke!\n\nVAT number GB123456789",
        "Order 4711\nShop Ltd is not even registered in England.", "Danke!\n\nAmtsgericht Köln hat so entschieden.",
        "Mixer Modell X\n\nGeschäftsführer Müller hat die Rückgabe zugesagt.",
        "Your clerk help@shop.example answered:\nThis message is confidential and intended for the addressee only.",
        "I got this from no-reply@shop.example today\nThis message is confidential and for the addressee only.",
    ],
)  # fmt: skip
def test_sentences_of_footers_above_a_demand_are_the_authors(sentence: str) -> None:
    text = f"{OPENING}\n\n{sentence}\n\nI want my money back by Friday."
    assert clean_text(text, "Ada Byron <ada@x.example>") == text


@pytest.mark.parametrize(
    "form",
    [
        "Name: Ada Byron\n\nVAT number: GB123456789\n\nOrder: 4711\n\nMessage: the blender is broken",
        "Nombre: Ada Byron\n\nNIF: 12345678Z\n\nPedido: 4711\n\nMensaje: la batidora no funciona",
        "Message: It smokes.\nCompany: Byron Ltd\nVAT number: GB123456789\nCountry: UK",
        "Nachricht: Der Mixer raucht.\n\nDatenschutz akzeptiert\n\nBestellnummer: 4711",
    ],
)
def test_a_forms_register_is_one_of_its_fields(form: str) -> None:
    assert clean_text(form, "Ada Byron <ada@x.example>") == form


@pytest.mark.parametrize("below", ["Best regards\nShop Ltd", "Cheers", "Mit freundlichen Grüßen\nIhr Team"])
@pytest.mark.parametrize(
    "footer", ["Unsubscribe: https://x.example/u", "You are receiving this email because you asked."]
)
def test_a_footer_with_a_sign_off_below_goes_with_the_signature_above(footer: str, below: str) -> None:
    text = f"{OPENING}\n\nRegards,\nAda Byron\n\n{footer}\n\n{below}"
    assert clean_text(text, "Ada Byron <ada@x.example>") == OPENING


@pytest.mark.parametrize(
    "missing",
    [
        "Impressum fehlt auf Ihrer Seite.", "Mailingliste bitte löschen.", "Se désabonner impossible.",
        "Política de privacidad inexistente en su web.", "Privacyverklaring ontbreekt op uw site.",
    ],
)  # fmt: skip
def test_what_is_missing_on_a_site_is_no_link(missing: str) -> None:
    text = f"{OPENING}\n\n{missing}\nhttps://photos.example/leak"
    assert clean_text(text) == text


@pytest.mark.parametrize("announced", ["Please refund it to", "My mother is", "Der neue Empfänger ist"])
def test_a_strangers_address_that_was_announced_stays(announced: str) -> None:
    for address in ("Erika Smith\n3 High Street\nLondon\n020 7946 0000", "Erika Smith\n+44 20 7946 0000"):
        text = f"{OPENING}\n\n{announced}\n\n{address}"
        assert clean_text(text, "Ada Byron <ada@x.example>") == text


@pytest.mark.parametrize(
    "only",
    [
        "For additional help we called the shop twice.", "You received our email as the shop opened.",
        "Sie erhalten diese Nachricht, da der Drucker kaputt ist.", "U ontvangt deze mail omdat de lamp kapot is.",
    ],
)  # fmt: skip
def test_a_sentence_that_begins_like_a_footer_stays_where_it_is_all(only: str) -> None:
    for below in ("", "\n\nRegards,\nAda Byron"):
        assert clean_text(f"Hello,\n\n{only}{below}", "Ada Byron <ada@x.example>") == only


@pytest.mark.parametrize(
    "line",
    [
        "Bitte bewerten Sie den Schaden anhand der Fotos: {}", "Évaluez ce dommage vous-même : {}",
        "Valore este daño: {}", "Avalie este dano: {}", "Valuti questo danno: {}", "Beoordeel deze schade zelf: {}",
        "Rate this for yourself: {}",
    ],
)  # fmt: skip
def test_a_link_to_be_judged_is_no_survey(line: str) -> None:
    text = f"{OPENING}\n\n{line.format('https://photos.example/abc')}"
    assert clean_text(f"Hello,\n\n{text}\n\nRegards,\nAda Byron", "Ada Byron <ada@x.example>") == text


@pytest.mark.parametrize(
    "address", ["Thank you\n\nErika Smith\n3 High Street\nLondon\n030 1234567", "Best\nShop One\n+49 30 1234567"]
)
def test_somebody_elses_address_in_the_middle_stays(address: str) -> None:
    text = f"{OPENING}\n\n{address}\n\nThe old address is no longer right."
    assert clean_text(f"Hello,\n\n{text}", "Ada Byron <ada@x.example>") == text


@pytest.mark.parametrize(
    "form",
    [
        "From: ada@firm.example\nTo: service@shop.example\nSubject: Blender\nMessage: ",
        "From: Ada <ada@x.example>\nSubject: Blender\nDate: 4 March 2025 10:15\n\nMessage:\n",
        "From: Ada <ada@x.example>\nTo: s@x.example\nSubject: Blender\nDate: 4 March 2025 10:15\nYour message: ",
        "Von: ada@firm.example\nAn: service@shop.example\nBetreff: Mixer\nNachricht: ",
        "De : ada@firm.example\nÀ : service@shop.example\nObjet : Mixeur\nVotre message : ",
        "De: ada@firm.example\nPara: service@shop.example\nAsunto: Batidora\nMensaje: ",
        "De: ada@firm.example\nPara: service@shop.example\nAssunto: Batedeira\nMensagem: ",
        "Da: ada@firm.example\nA: service@shop.example\nOggetto: Frullatore\nMessaggio: ",
        "Van: ada@firm.example\nAan: service@shop.example\nOnderwerp: Blender\nBericht: ",
        "Von: Shop <s@x.example>\nAn: ada@x.example\nBetreff: Mixer\n\nNachricht: Alter Text. ",
        "Name: Ada\nTelefon: 089 123456\n\nDatenschutzerklärung: gelesen und akzeptiert\n\nNachricht: ",
    ],
)
def test_the_fields_of_a_form_are_no_header_and_its_consent_is_no_footer(form: str) -> None:
    assert clean_text(f"{form}{OPENING}") == f"{form}{OPENING}"
    text = f"You have a new message.\n\n{form}{OPENING}"
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("form", "below"),
    [
        ("Nachricht: Mixer kaputt.\n\nDatenschutz: akzeptiert", "Impressum: https://shop.example/impressum\nHRB 12345"),
        ("Name: Ada\nMessage: Blender broken.\nPrivacy policy: accepted", "Unsubscribe: https://shop.example/u"),
        ("Kommentar: der Mixer ist kaputt.", "Mit freundlichen Grüßen\nAda Byron\n\nImpressum | Datenschutz"),
    ],
)
def test_a_field_of_a_form_keeps_no_footer_below_it(form: str, below: str) -> None:
    assert clean_text(f"{form}\n\n{below}", "Ada Byron") == form


def test_the_fields_of_a_journey_are_no_header() -> None:
    text = f"{OPENING}\n\nfrom: London\nto: Paris\ndate: 3 March 2025 10:00\nsubject: seat\n\n{CLOSING}"
    assert clean_text(text) == text
    text = text.replace("London", "Bob <bob@x.example>")
    assert clean_text(text) == OPENING


@pytest.mark.parametrize(
    "header",
    [
        "from: Shop\nsent: Monday, March 3, 2025 10:00 AM\nto: Ada\nsubject: scanner",
        "de : Shop\nenvoyé : lundi 3 mars 2025 10:00\nà : Ada\nobjet : scanner",
        "von: Shop\n\ngesendet: Montag, 3. März 2025 10:00\nan: Ada\nbetreff: Scanner",
    ],
)
def test_a_header_in_small_letters_has_its_date_below_its_sender(header: str) -> None:
    for below in ("Old words.", "From: A <a@x.example>\nSent: Monday\nTo: B\nSubject: x\n\nOlder words."):
        assert clean_text(f"{OPENING}\n\n{header}\n\n{below}") == OPENING


def test_a_whole_header_above_a_form_is_one() -> None:
    header = "From: Shop <s@x.example>\nSent: Monday, March 3, 2025 10:00 AM\nTo: Ada\nSubject: scanner"
    assert clean_text(f"{OPENING}\n\n{header}\n\nMessage: {CLOSING}") == OPENING


@pytest.mark.parametrize(
    ("last", "sender"),
    [
        ("Never buying again,\nAda", "Ada Byron"),
        ("Very dissatisfied,\n\nAda", "Ada Byron"), ("why?", "Will Young"), ("Yes.", "Yvonne Stone"),
    ],
)  # fmt: skip
def test_the_last_words_above_a_name_or_like_one_stay(last: str, sender: str) -> None:
    assert clean_text(f"{OPENING}\n\n{last}", sender) == f"{OPENING}\n\n{last}".removesuffix("Ada").strip()


@pytest.mark.parametrize(
    "said",
    [
        "Vielen Dank!\n\nBitte stornieren.", "Merci.\n\nJe confirme.", "Gracias.\n\nYa funciona.", "Danke\n\nGeht klar",
        "Grazie!\n\nOra funziona.", "Obrigado!\n\nJá funciona.", "Bedankt!\n\nHet werkt.", "Thanks!\n\nOrder 4711",
        "Thanks!\n\nPlease hurry", "Merci!\n\nTaille 42",
        "Thanks Bob\n\nplease send it", "Thank you.\nhere is the code:", "Thanks!\n\nDone.", "Thanks a lot!\nNot yet.",
    ],
)  # fmt: skip
def test_a_few_words_below_a_thank_you_are_no_name(said: str) -> None:
    for opening in ("", "Hi Bob,\n\n"):
        assert clean_text(f"{opening}{said}", "Ada Byron") == said
    _, _, last = said.partition("\n")
    for name in ("", "\n\nAda"):
        assert clean_text(f"{OPENING}\n\n{said}{name}", "Ada Byron") == f"{OPENING}\n\n{last.strip()}"
    assert clean_text(f"{said}\n\n> Well?\n\n{CLOSING}") == f"{said}\n\n{CLOSING}"


@pytest.mark.parametrize(
    "said",
    [
        "Black lamp", "Size 42", "Customer 12345", "Bitte um Antwort", "Bitte Rückruf", "Kein Gutschein", "Taille 42",
        "Niente buono", "Graag antwoord", "Sin vale", "Foto em anexo", "See attached",
        "Geen Tegoedbon", "Please Hurry",
    ],
)  # fmt: skip
def test_a_few_words_that_a_blank_line_parts_from_the_name_are_none(said: str) -> None:
    assert clean_text(f"{OPENING}\n\nThanks!\n{said}\n\nAda", "Ada Byron") == f"{OPENING}\n\n{said}"
    assert clean_text(f"{OPENING}\n\nThanks!\n\n{said}", "Ada Byron") == f"{OPENING}\n\n{said}"
    assert clean_text(f"Hi Bob,\n\nThanks!\n\n{said}", "Ada Byron") == f"Thanks!\n\n{said}"
    assert clean_text(f"{OPENING}\n\n{said}\n\nAda", "Ada Byron") == f"{OPENING}\n\n{said}"


@pytest.mark.parametrize(
    "remark",
    [
        "Still waiting", "Call me back", "Not good enough", "Absolute joke", "Zero stars", "Size 8", "Bitte dringend",
        "Sehr enttäuscht", "Toujours rien", "Vraiment déçue", "Cliente perdue", "Sigo esperando", "Una vergüenza",
        "Fotos em anexo", "Molto delusa", "Voglio i soldi", "Geld terug", "Bel mij terug", "Black Kettle\nRed Toaster",
    ],
)  # fmt: skip
def test_a_remark_that_blank_lines_set_off_above_a_name_stays(remark: str) -> None:
    for sender in ("Kim Noll <kim@x.example>", ""):
        for name in ("Kim Noll", "Kim"):
            assert clean_text(f"{OPENING}\n\n{remark}\n\n{name}", sender) == f"{OPENING}\n\n{remark}"


@pytest.mark.parametrize(
    "parting",
    [
        "Take it easy", "In haste", "Be well", "Have fun", "Catch you later", "Ta very much",
        "Yours in sport", "Best fishes", "Pozdrawiam serdecznie", "Stay safe everyone", "Med vänlig hälsning",
        "In fede", "In attesa", "Dans l'attente", "Mit Dank", "In afwachting", "All best",
    ],
)  # fmt: skip
def test_words_that_part_go_above_a_name_and_a_blank_line(parting: str) -> None:
    for sender in ("Kim Noll <kim@x.example>", ""):
        for gap in ("\n", "\n\n", ",\n\n"):
            assert clean_text(f"{OPENING}\n\n{parting}{gap}Kim Noll", sender) == OPENING


@pytest.mark.parametrize(
    "last",
    [
        "Keine Antwort", "Keine Reaktion", "Kein Gutschein", "Eine Frechheit", "Siehe Anhang", "Letzte Mahnung",
        "Volle Erstattung", "Remboursez-moi", "Llámenme", "Richiamatemi", "No Refund",
        "Have fun with that", "Have fun losing customers", "In haste I picked blue, sorry", "Catch you later in court",
        "Take it easy on the packing tape",
    ],
)  # fmt: skip
def test_a_last_line_that_opens_as_a_sentence_is_no_name(last: str) -> None:
    for sender in ("Kim Noll <kim@x.example>", ""):
        assert clean_text(f"{OPENING}\n\n{last}", sender) == f"{OPENING}\n\n{last}"
        assert clean_text(f"{OPENING}\n\n{last}\n\nKim Noll", sender) == f"{OPENING}\n\n{last}"


@pytest.mark.parametrize("greeting", ["¡Hola!", "¡Buenos días!", "¡Hola, Juan!", "¡Hola Juan!", "¡Buenas tardes!"])
@pytest.mark.parametrize("closing", ["¡Gracias!", "¡Muchas gracias!", "¡Un saludo!", "¡Saludos!", "¡Un abrazo!"])
def test_spanish_greetings_and_sign_offs_may_open_with_their_sign(greeting: str, closing: str) -> None:
    for name in ("\n\nAda", "\nAda", ""):
        assert clean_text(f"{greeting}\n\n{OPENING}\n\n{closing}{name}", "Ada Byron") == OPENING


@pytest.mark.parametrize(
    "said",
    [
        "¡Hola, sigue roto!", "¡Gracias por nada!", "¡Estafa!", "¿Cuándo llega?", "¡No!", "¡Hola no funciona nada!",
        "¡Saludos al jefe que me estafó!", "¡Gracias, pero sigue sin funcionar!",
    ],
)  # fmt: skip
def test_what_opens_with_a_spanish_sign_and_says_something_stays(said: str) -> None:
    assert clean_text(f"{said}\n\n{OPENING}\n\nAda", "Ada Byron") == f"{said}\n\n{OPENING}"
    assert clean_text(f"{OPENING}\n\n{said}\n\nAda", "Ada Byron") == f"{OPENING}\n\n{said}"


@pytest.mark.parametrize(
    "verdict",
    [
        "Ruined.", "Heartbroken.", "Gutted.", "Flawless.", "Misleading.", "Robbery.", "Leaking.", "Woohoo.", "Boggle.",
        "Ekelhaft.", "Undicht.", "Zerkratzt.", "Superbe.", "Minable.", "Desastre.", "Impresionante.", "Disastro.",
        "Stupendo.", "Maravilhoso.", "Prachtig.", "Walgelijk.", "Écœurée.", "Niete…",
    ],
)  # fmt: skip
def test_a_verdict_of_one_word_with_a_full_stop_is_neither_a_sign_off_nor_a_strangers_name(verdict: str) -> None:
    sender = "Kim Noll <kim@x.example>"
    for below in ("\n\nKim", "\nKim", "\n\n- Kim", "\n\nKim Noll", ""):
        assert clean_text(f"{OPENING}\n\n{verdict}{below}", sender) == f"{OPENING}\n\n{verdict}"
    assert clean_text(f"{OPENING}\n\n{verdict}\n\nKim Noll") == f"{OPENING}\n\n{verdict}"


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("Kim.", "Kim Noll <kim@x.example>"), ("Mike.", "Michael Noll <m.noll@x.example>"), ("Duane.", ""),
        ("Vasco.", "vcferraz@x.example"), ("Kim Berg.", "Kim Noll <kim@x.example>"), ("Cheers.", "Kim Noll"),
        ("Pádraig.", "Padraig Noll <p@x.example>"), ("Jérôme.", "jerome.noll@x.example"), ("Soren.", "Søren Noll"),
        ("Łukasz.", "lukasz@x.example"), ("Žaneta", "Zaneta Noll"), ("- Á.", "Agnes Noll"), ("É.N.", "Eve Noll"),
    ],
)  # fmt: skip
def test_a_name_with_a_full_stop_that_may_be_the_senders_goes(name: str, sender: str) -> None:
    assert clean_text(f"{OPENING}\n\n{name}", sender) == OPENING


@pytest.mark.parametrize(
    "name", ["Mia Schneider", "Will Jones", "He Ping", "Ma Li", "I. Noll", "IT Support", "Ho Nguyen", "Bin Li",
             "Han de Vries", "Mia von Holt", "Mine Yilmaz", "Nada Petrovic"],
)  # fmt: skip
def test_a_last_line_that_may_be_a_name_goes(name: str) -> None:
    for sender in ("Contact Form <form@x.example>", ""):
        assert clean_text(f"{OPENING}\n\n{name}", sender) == OPENING


LISTS = ["Kettle\nToaster", "Black Kettle\nRed Toaster", "Kettle", "2 Kettles\n1 Toaster", "Kettle, black\nToaster"]


@pytest.mark.parametrize("items", LISTS)
def test_a_list_at_the_end_that_a_line_announces_stays(items: str) -> None:
    """Whoever cancels two things names them, one a line, as short as a signature."""
    for heading in ("Please cancel:", "My order:", "Es fehlen:", "Articles cassés :", "Er ontbreken:"):
        for gap in ("\n", "\n\n"):
            announced = f"{heading}{gap}{items}"
            for name in ("", "\n\nPia", "\n\nThanks\nPia Holm", "\n\nPia Holm"):
                assert clean_text(f"Hello,\n\n{announced}{name}", "Pia Holm") == announced
            assert clean_text(f"{OPENING}\n\n{announced}\n\nKind regards,\nPia Holm\nHill Ltd", "Pia Holm") == (
                f"{OPENING}\n\n{announced}"
            )


@pytest.mark.parametrize(
    "heading",
    [
        "Missing:", "Ordered:", "Returned:", "Fehlt:", "Fehlend:", "Bestellt:", "Manquant :", "Faltan:", "Devuelto:",
        "Faltam:", "Mancano:", "Ordinato:", "Ontbreekt:", "missing:",
    ],
)  # fmt: skip
def test_a_heading_of_one_word_is_no_name(heading: str) -> None:
    for items in ("Kettle\nToaster\nMug", "Kettle, black\nToaster, red"):
        for gap in ("\n", "\n\n"):
            for name in ("", "\n\nPia Holm", "\n\nThanks\nPia"):
                assert clean_text(f"{heading}{gap}{items}{name}", "Pia Holm") == f"{heading}{gap}{items}"


@pytest.mark.parametrize(
    "greeting",
    ["Hello Bob:", "Dear all:", "Bob:", "Mr and Mrs Hill:", "Mia:", "Will:", "Will Smith:", "Mum:", "Meine Herren:"],
)
def test_what_signs_below_a_greeting_with_a_colon_goes(greeting: str) -> None:
    for signed in ("Cheers\nPia", "Best fishes\nPia", "Pia Holm\nHill Ltd"):
        assert clean_text(f"{greeting}\n\n{OPENING}\n\n{signed}", "Pia Holm") == OPENING


@pytest.mark.parametrize(
    "signed",
    [
        "Ada Byron\n\nHill Ltd", "Ada\n\nHead of sales", "Ada\n\nmobile: 0171 555 1234", "Ada\n\nBob Hill",
        "Help Desk\n\nAda", "Your loyal customer\nAda Byron", "Ada\nFlat 4", "Will Smith\nAda Byron",
        "maria del mar", "Your friends at Hill", "the team at Hill", "Ihr Team", "john", "-j", "Customer care",
        "Ada Byron.", "l'équipe Hill", "el equipo de Hill", "from all of us", "i.A. Ada Byron", "on behalf of Ada",
        "Ada in London", "ada :)", "Mum and dad", "LG ada", "yours, ada", "\nAda\nLondon", "ada byron\nhill ltd",
        "Help Desk", "Domingo Pérez", "Happy Lamps\nTel 0171 555 1234", "Ada Byron\nStay curious!", "\nbob hill",
        "Bob Hill\nOrder Processing", "Ada Byron\nDo not reply", "\nyour loyal customer", "i. A. Noll", "\nthe kids",
    ],
)  # fmt: skip
def test_who_signs_below_a_thank_you_goes(signed: str) -> None:
    for thanks in ("Thanks!", "Vielen Dank,"):
        assert clean_text(f"{OPENING}\n\n{thanks}\n{signed}", "Ada Byron") == OPENING
    quote = "On Mon, 3 Mar 2025, Bob <bob@x.example> wrote:\n> Which fridge?"
    for owner in ("Sue from Accounts\nHill Ltd\nTel 0171 555 1234", "Bob Hill, sales", "the Noll family"):
        assert clean_text(f"{OPENING}\n\n{quote}\n\nThanks,\n{owner}") == OPENING


@pytest.mark.parametrize(
    "name", ["Mia Schneider", "Mia", "Mia S.", "Can Yilmaz", "Will Jones", "Son", "Ho Nguyen", "Mai Tran"]
)
def test_a_first_name_that_is_a_word_of_sentences_goes(name: str) -> None:
    for sender in ("Contact Form <form@x.example>", ""):
        for below in (f"Danke\n\n{name}", f"Thanks,\n{name}"):
            assert clean_text(f"{OPENING}\n\n{below}", sender) == OPENING
            assert clean_text(f"Hi,\n\n{below}", sender) == below.partition("\n")[0]


@pytest.mark.parametrize(
    "said", ["Will do", "Can wait", "Ha pagato", "Bob will call", "Kein Gutschein", "Please Hurry"]
)
def test_a_sentence_that_opens_as_a_first_name_does_stays(said: str) -> None:
    assert clean_text(f"{OPENING}\n\nThanks\n\n{said}", "Contact Form <form@x.example>") == f"{OPENING}\n\n{said}"


@pytest.mark.parametrize("below", ["Thanks\nRefund please", "Danke\nAntwort bitte", "Thank you!\nReply soon!"])
def test_a_few_words_above_a_thank_you_stay_where_a_few_stand_below(below: str) -> None:
    assert clean_text(f"Hi,\n\nLamp broken\n\n{below}") == f"Lamp broken\n\n{below.partition(chr(10))[2]}"


@pytest.mark.parametrize("said", ["Order 4711", "it works now"])
def test_what_is_said_below_a_thank_you_and_a_name_stays(said: str) -> None:
    assert clean_text(f"{OPENING}\n\nThanks,\nBob\n{said}") == f"{OPENING}\n\n{said}"


@pytest.mark.parametrize(
    "cry",
    [
        "Scammers!",
        "Woohoo!",
        "Spitze!",
        "Oooops!",
        "Oooops:",
        "Voleurs!",
        "Voleurs !",
        "Ladrones!",
        "Regarding:",
        'Why "Eek"?',
    ],
)
def test_a_cry_above_the_text_is_no_greeting(cry: str) -> None:
    for name in ("\n\nAda", ""):
        assert clean_text(f"{cry}\n\n{OPENING}{name}", "Ada Byron") == f"{cry}\n\n{OPENING}"


def test_a_name_with_an_exclamation_mark_is_a_greeting_where_the_quote_is_theirs() -> None:
    quote = "On Mon, 3 Mar 2025 at 09:12, Bob Hill <bob@x.example> wrote:\n> Well?"
    assert clean_text(f"Bob!\n\n{OPENING}\n\n{quote}") == OPENING
    assert clean_text(f"Frau Hill!\n\n{OPENING}") == clean_text(f"Hallöchen!\n\n{OPENING}") == OPENING


HEAD = "Ada Byron\n12 Mill Lane\nLeeds LS1 4AB\n\nAcme Ltd\nCustomer Care\n1 Park Row\nLeeds LS1 5AB\n\n3 March 2025"


@pytest.mark.parametrize("subject", ["", "\n\nOrder 4711"])
@pytest.mark.parametrize(
    "greeting",
    ["Dear Sirs,", "Dear Mr Hill,", "Sehr geehrte Damen und Herren,", "Madame, Monsieur,", "Estimados señores,"],
)
def test_the_greeting_of_a_letter_goes_below_its_head(greeting: str, subject: str) -> None:
    text = f"{HEAD}{subject}\n\n{greeting}\n\n{OPENING}\n\nYours faithfully,\nAda Byron"
    assert clean_text(text, "Ada Byron <ada@x.example>") == f"{HEAD}{subject}\n\n{OPENING}"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}\n\nYou wrote to me:\n\nDear Ada,\n\n{OPENING}",
        f"{HEAD}\n\n{OPENING}\n\nDear Sirs,\n\n{CLOSING}",
        f"{HEAD}\nDear Sirs,\n{OPENING}",
    ],
)
def test_what_greets_in_the_middle_of_a_text_stays(text: str) -> None:
    assert clean_text(text, "Ada Byron <ada@x.example>") == text


@pytest.mark.parametrize(
    "card", ["Mary Day\n07700 900123", "Mary Hill\nmary@x.example", "Mary Ann Day\n+44 113 496 0000"]
)
def test_somebody_elses_name_and_number_stay_above_the_senders_name(card: str) -> None:
    text = f"{OPENING} Please call my wife instead.\n\n{card}"
    assert clean_text(f"{text}\n\nJo", "Jo Day <jo.day@x.example>") == text
    assert clean_text(f"{text}\n\nJo Day", "Jo Day <jo.day@x.example>") == text


@pytest.mark.parametrize("card", ["Jo Day\n07700 900123", "Joseph Day\n07700 900123", "Sales Manager\n07700 900123"])
def test_the_senders_name_and_number_go_above_the_name_alone(card: str) -> None:
    assert clean_text(f"{OPENING}\n\n{card}\n\nJo", "Jo Day <jo.day@x.example>") == OPENING
