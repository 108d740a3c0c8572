"""The pattern tables: complete, compiled, linear, and each language recognised."""

from __future__ import annotations

import re

import pytest

from mailmill.email import clean_text
from mailmill.email.banners import banner_of, field_of
from mailmill.email.lines import Line
from mailmill.email.patterns import LANGUAGES, PATTERNS, read_table
from tests.conftest import ROOT
from tests.email.linear import assert_doubles

# language -> greeting, sign-off, thanks, mobile tag, disclaimer, topic of footers, banner, field
EXAMPLES = {
    "en": ("Dear Mr Hill,", "Kind regards,", "Many thanks", "Sent from my iPhone",
           "This message is confidential and privileged.", "To unsubscribe, reply",
           "-----Original Message-----", "From: x"),
    "de": ("Sehr geehrter Herr Hügel,", "Mit freundlichen Grüßen", "Vielen Dank", "Von meinem iPhone gesendet",
           "Diese E-Mail ist nur für den Empfänger bestimmt.", "Um sich abzumelden, klicken Sie",
           "-----Ursprüngliche Nachricht-----", "Gesendet: x"),
    "fr": ("Bonjour à tous,", "Bien cordialement,", "Merci d'avance", "Envoyé de mon iPhone",
           "Ce message est confidentiel.", "Pour vous désabonner, cliquez", "-----Message d'origine-----", "Objet : x"),
    "es": ("Estimado señor Cerro:", "Un cordial saludo,", "Muchas gracias", "Enviado desde mi iPhone",
           "Este mensaje es confidencial.", "Para darse de baja, pulse", "-----Mensaje original-----", "Asunto: x"),
    "pt": ("Prezados senhores,", "Atenciosamente,", "Muito obrigado", "Enviado do meu iPhone",
           "Esta mensagem é confidencial.", "Para cancelar a inscrição, clique",
           "-----Mensagem original-----", "Assunto: x"),
    "it": ("Gentile signora Colle,", "Cordiali saluti,", "Grazie mille", "Inviato da iPhone",
           "Questo messaggio è riservato.", "Per cancellarti, clicca", "-----Messaggio originale-----", "Oggetto: x"),
    "nl": ("Geachte heer Heuvel,", "Met vriendelijke groet,", "Hartelijk dank", "Verstuurd vanaf mijn iPhone",
           "Dit bericht is vertrouwelijk.", "Om u uit te schrijven, klik",
           "-----Oorspronkelijk bericht-----", "Onderwerp: x"),
}  # fmt: skip

# What virus scanners append.
SCANNED = {
    "en": ["This email has been checked for viruses by Avast antivirus software.", "Virus-free.www.avast.com"],
    "de": ["Diese E-Mail wurde von Avast-Antivirussoftware auf Viren geprüft.", "Virenfrei. www.avast.com"],
    "fr": ["L'absence de virus dans ce courrier électronique a été vérifiée par Avast.", "Sans virus.www.avast.com"],
    "es": ["El software de antivirus Avast ha analizado este correo.", "Libre de virus. www.avast.com"],
    "pt": ["Este e-mail foi verificado quanto à existência de vírus pelo Avast.", "Livre de vírus. www.avast.com"],
    "it": ["Questa e-mail è stata controllata per individuare virus con Avast.", "Mail priva di virus. www.avast.com"],
    "nl": ["Deze e-mail is gecontroleerd op virussen door Avast.", "Virusvrij.www.avast.com"],
}

# How programs end what they wrote of a picture.
GENERATED = {
    "en": ["Description automatically generated", "Description automatically generated with medium confidence",
           "AI-generated content may be incorrect."],
    "de": ["Automatisch generierte Beschreibung", "Automatisch generierte Beschreibung mit mittlerer Zuverlässigkeit",
           "KI-generierte Inhalte können fehlerhaft sein."],
    "fr": ["Description générée automatiquement",
           "Description générée automatiquement avec un niveau de confiance moyen",
           "Le contenu généré par l’IA peut être incorrect."],
    "es": ["Descripción generada automáticamente", "Descripción generada automáticamente con confianza media",
           "El contenido generado por IA puede ser incorrecto."],
    "pt": ["Descrição gerada automaticamente", "Descrição gerada automaticamente com confiança média",
           "O conteúdo gerado por IA pode estar incorreto."],
    "it": ["Descrizione generata automaticamente", "Descrizione generata automaticamente con attendibilità media",
           "Il contenuto generato dall'IA potrebbe non essere corretto."],
    "nl": ["Automatisch gegenereerde beschrijving",
           "Automatisch gegenereerde beschrijving met gemiddelde betrouwbaarheid",
           "Door AI gegenereerde inhoud is mogelijk onjuist."],
}  # fmt: skip

# language -> mobile tags, and sentences that begin as they do.
SENT = {
    "en": (["Sent from my iPhone", "Sent from Outlook", "Typed with thumbs on my iPad", "Sent from Canary",
            "Sent with AquaMail for Android", "Get BlueMail for Android", "Yahoo Mail: Search, Organize, Conquer",
            "Sent from my iPhone, sorry for typos", "Sent from my iPhone, please excuse my typos", "Sent with Spark",
            "Sent from Fastmail", "On the go, so please excuse typos", "Apologies for brevity, sent on the move.",
            "Sent from BlueMail", "Sent from Nine", "Sent from Edge Email", "Sent from Zimbra Mail",
            "Sent from Twobird", "Sent on the go", "Dictated with Siri, excuse typos",
            "Sent from my BlackBerry. Please do not print.", "Sent from my mobile device, so it will be brief",
            "Sent from my iPhone. Autocorrect is not my friend."],
           ["On the go, please excuse the noise", "Apologies for the typos in my last mail",
            "Apologies for brevity, written on paper it was longer.",
            "Sent from Leeds on Monday", "Sent via mail on Monday", "Sent from Apple was a broken phone.",
            "Sent from Leeds, the phone is missing", "Sent from nine", "Sent from Nine Elms on Monday",
            "Sent from my iPhone 15, which you sold me broken.", "Sent from my iPhone, please do not call again.",
            "Sent from my mobile, please print the bill for me."]),
    "de": (["Gesendet mit Tutanota", "Gesendet mit Spark", "Gesendet von meinem Wiko", "Gesendet von Mail für Windows"],
           ["Gesendet von Hamburg am Montag", "Gesendet mit DHL, das Gerät ist unterwegs.",
            "Gesendet von Hamburg, mein Handy fehlt."]),
    "fr": (["Envoyé de mon Wiko", "Envoyé depuis l'application Mail Orange", "Envoyé depuis notre iPad",
            "Envoyé de l'iPhone de Ben", "Envoyé avec Spark", "Télécharger Yahoo Mail : restez organisé"],
           ["Envoyé de Lyon lundi dernier", "Envoyé via courrier recommandé lundi",
            "Envoyé de Lyon, mon téléphone est cassé."]),
    "es": (["Enviado desde mi Xiaomi", "Enviado desde Outlook", "Enviado con Spark"],
           ["Enviado desde Madrid el lunes", "Enviado por SEUR, el dispositivo no funciona."]),
    "pt": (["Enviado do meu Samsung Galaxy", "Enviado pelo Tutanota"],
           ["Enviada de Lisboa na segunda-feira", "Enviado por e-mail na segunda-feira",
            "Enviado pelo correio, o telefone está partido."]),
    "it": (["Inviato dal mio Wiko", "Inviato da Libero Mail", "Inviato con Spark", "Inviato dall'app Libero Mail",
            "Inviata da Libero Mail"],
           ["Inviato da Milano lunedì scorso", "Inviata da Milano lunedì scorso",
            "Inviato con corriere, il telefono è rotto."]),
    "nl": (["Verstuurd vanaf mijn Fairphone", "Verzonden vanuit Outlook", "Verstuurd met Spark"],
           ["Verzonden vanuit Rotterdam op maandag", "Verzonden met PostNL, het toestel is kapot.",
            "Verstuurd via mail op maandag"]),
}  # fmt: skip

# language -> how mail ends, and sentences that begin so.
CLOSINGS = {
    "en": (["All the very best,", "Awaiting your reply", "Awaiting your prompt response.",
            "Hoping to hear from you soon,", "Have a great rest of your day!", "Have a good rest of the week",
            "Good night", "Your loyal customer,", "A loyal customer", "Thanks ever so much,",
            "Thanks, and have a nice weekend!", "Thanks, everyone", "Thanks, jane", "Take care of yourself",
            "See you in a week", "As always,", "Thanks, as always"],
           ["All the very best lamps are gone", "Awaiting your reply since March", "Hoping to hear from you why",
            "Have a great rest of the soup", "Good night lamps flicker", "Good night.", "Your loyal customer Kim left",
            "A loyal customer no more", "Thanks ever so much, it still leaks over the floor",
            "Thanks, I am furious.", "Thank you, but no.", "Thank you, wrong size again.", "Cheers, it broke again.",
            "Bye bye, worst shop.", "Regards the lamp: broken.", "See you in court!", "Take care of it today",
            "Enjoy your stolen money", "Enjoy the bad review.", "Peace of mind, you promised", "Good luck with that.",
            "Thanks to you I missed my flight", "Thank you in advance for the £49",
            "As always.", "As always!", "As ever."]),
    "de": (["Mit vorzüglicher Hochachtung", "Danke im Vorfeld", "Vielen Dank im Vorfeld!",
            "Tausend Dank und einen schönen Tag noch", "Danke und schönes Wochenende!",
            "und verbleibe mit freundlichen Grüßen", "gez.", "Mit der größten Hochachtung,"],
           ["Mit vorzüglicher Technik wirbt die Firma", "Danke im Vorfeld verlangt niemand",
            "Danke und schönen Tag ohne Internet", "und verbleibe ohne Internet", "Gez. wurden 40 Euro",
            "Mit größter Mühe geöffnet", "Danke, aber nein.", "Danke, falsche Größe", "Bis bald vor Gericht",
            "Danke für die 49 €"]),
    "fr": (["Restant à votre disposition,", "Restant à votre entière disposition pour tout renseignement,",
            "Très bonne journée à vous", "Excellente journée,", "Excellente soirée à tous", "En vous remerciant",
            "En vous remerciant par avance,", "Recevez mes salutations", "En vous remerciant de votre aide,",
            "Recevez, Madame, l'expression de mes sentiments distingués.",
            "Avec mes remerciements anticipés, recevez, Madame, mes meilleures salutations."],
           ["Restant à votre charge", "Très bonne journée à la mer", "Excellente soirée.", "Excellente journée à vélo",
            "En vous remerciant pour rien", "Recevez mes reproches", "Recevez mes salutations au tribunal demain.",
            "Merci, mais non.", "À bientôt au tribunal", "Merci pour les 49 €"]),
    "es": (["Muchísimas gracias por todo!", "Muchísimas gracias de antemano,"],
           ["Muchísimas gracias por todo lo roto", "Muchísimas gracias por nada",
            "Gracias, pero no.", "Hasta pronto en los tribunales"]),
    "pt": (["Atenciosamente,", "Obrigada, e um abraço"],
           ["Fico sem a tampa", "Obrigada, mas não.", "Até breve no tribunal"]),
    "it": (["Colgo l'occasione per porgere cordiali saluti",
            "Colgo l'occasione per porgerLe i miei più cordiali saluti."],
           ["Colgo l'occasione per porgere una domanda", "Colgo l'occasione per chiedere i soldi",
            "Grazie, ma no.", "Ci vediamo in tribunale"]),
    "nl": (["Met de meeste hoogachting", "Met de meeste hoogachting,"],
           ["Met de meeste moeite geopend", "Bedankt, maar nee.", "Tot ziens bij de rechter"]),
}  # fmt: skip

# language -> how mail begins, and sentences that begin so.
OPENINGS = {
    "en": (["Respected Madam", "Respected Sir/Madam,", "@Sam,", "@Sam Hill,", "Assalamu alaikum,", "As-salamu alaykum",
            "FAO Complaints", "FAO: Sam Hill", "Attn: Customer Service"],
           ["Respected brands do not leak.", "@Override", "@home is slow, says Kim",
            "Respected Sir Kim never answers the phone.",
            "Attn: the lamp is broken", "FAO: nobody ever answers the phone here"]),
    "de": (["Einen schönen guten Morgen,", "Einen wunderschönen guten Tag,", "S.g. Damen und Herren,",
            "S.g. Frau Klein,",
            "Wunderschönen guten Morgen!"],
           ["Einen schönen guten Fernseher kaputt geliefert.", "Einen schönen guten Tag hatte ich nicht."]),
    "fr": (["A l'attention du service client", "À l'attention de M. Petit,"],
           ["À l'attention de qui dois-je écrire ?", "À l'attention du service client, le colis n'est pas là."]),
    "es": (["A quien pueda interesar", "A quien pueda interesar:", "Hola, qué tal?", "Hola Ana, ¿qué tal?",
            "Buen día Sofía, cómo estás?", "Hola, ¿cómo están?"],
           ["A quien pueda interesar la lámpara, no funciona.", "Hola, qué tal funciona?", "Hola, qué tal? Todo roto",
            "Buen día Sofía, cómo estás de dinero?"]),
    "pt": (["Olá, tudo bem?"], ["Olá, tudo o que chegou está partido."]),
    "it": (["Alla cortese attenzione del servizio clienti", "Alla c.a. del Sig. Monti", "Alla c.a. Ufficio Reclami,"],
           ["Alla cortese attenzione non risponde nessuno.", "Alla cassa nessuno"]),
    "nl": (["Aan wie het aangaat,", "Aan wie dit aangaat", "T.a.v. klantenservice", "Ter attentie van de heer Jansen"],
           ["Aan wie het aangaat de lamp te maken, hij is kapot.", "T.a.v. de lamp is niets gebeurd."]),
}  # fmt: skip

# What gateways and firms append to a mail, and what their customers may write at that place.
APPENDED = {
    "en": (
        [
            "This email was checked by Barracuda Email Security Gateway.",
            "This email has been scanned by the Symantec Email Security.cloud service.",
            "Scanned by Trend Micro",
            "Protected by Proofpoint Essentials",
            "This message was scanned with Bitdefender for Mail Servers 3.1",
            "Email secured by Check Point",
            "No virus found in this message.\nChecked by AVG - www.avg.com",
            "Information from ESET Mail Security, version 25123",
            "This message was secured by Zix(R).",
            "Click here to report this email as spam.",
            "To report this message as spam, please visit https://x.example/spam",
            "Phish/Fraud\nForget previous vote",
            "P Please consider the environment before printing this e-mail",
            "🌳 Please think before you print",
            "🌱 Save a tree. Don't print this e-mail unless it's necessary",
            "NOTICE: This e-mail is intended only for the named recipient and may be privileged.",
            "Firm Ltd. Registered in England and Wales No. 01234567. Registered office: 1 High Street, Leeds",
            "In accordance with the GDPR your personal data is processed by Firm Ltd.",
        ],
        [
            "Protected by Norton, the laptop still got a virus.",
            "Scanned with Kaspersky, nothing found.",
            "Cleaned with Avast but still slow.",
            "Checked by Norton Motors in Leeds.",
            "Scanned by Kaspersky",
            "Information from ESET says the licence is valid.",
            "Save paper. Don't print three receipts.",
            "Checked by Kaspersky your installer is clean, so something else is wrong here.",
            "No virus found in this message of yours, you say.",
            "Please think before you print the name wrong again.",
            "Please save a tree and stop sending catalogues.",
            "Under the GDPR your data are to be deleted within a month.",
            "Notice: this message is the last one.",
            "Firm Ltd registered in England owes the money.",
            "Not spam",
            "Report this message as spam",
        ],
    ),
    "de": (
        [
            "Geprüft von Avast Antivirus",
            "Es wurden keine Viren in dieser Nachricht gefunden.",
            "Hinweis: Informationen zum Datenschutz finden Sie unter https://x.example/datenschutz",
            "Hinweis: Diese E-Mail ist vertraulich und nur für den Empfänger bestimmt.",
            "🌳 Bitte denken Sie an die Umwelt, bevor Sie diese E-Mail drucken.",
            "Gemäß DSGVO werden Sie informiert, dass Ihre Daten von der Firma gespeichert werden.",
        ],
        [
            "Nach der DSGVO sind Ihre Daten zu löschen.",
            "Hinweis: Informationen zum Datenschutz fehlen.",
            "Hinweis: diese Nachricht ist die dritte.",
            "Geprüft von wem, bitte?",
            "Geprüft mit Norton.",
        ],
    ),
    "fr": (
        [
            "Analysé par Avast",
            "Aucun virus trouvé dans ce message.",
            "Conformément au RGPD, vos données personnelles sont traitées par Firme SA.",
            "P Pensez à l'environnement avant d'imprimer ce message.",
            "Avis : ce message est confidentiel et réservé à son destinataire.",
        ],
        [
            "Conformément au RGPD, vos données sont bien gardées, dites-vous.",
            "Avis : ce message est le troisième.",
            "Analysé par le réparateur, le mixeur est mort.",
            "Vérifié par Norton Dupont.",
            "Analysé par Kaspersky",
        ],
    ),
    "es": (
        [
            "Analizado por Avast",
            "No se encontraron virus en este mensaje.",
            "De conformidad con el Reglamento (UE) 2016/679, sus datos personales serán tratados por Firma S.L.",
            "P Antes de imprimir este mensaje, piense en el medio ambiente.",
            "Nota: este mensaje es confidencial.",
        ],
        [
            "De conformidad con el RGPD solicito una copia de los datos.",
            "Nota: este correo es el tercero.",
            "Analizado por el técnico, sigue roto.",
            "Verificado por Norton Silva.",
            "Analizado por Kaspersky",
        ],
    ),
    "pt": (
        [
            "Verificado por Avast",
            "Nenhum vírus encontrado nesta mensagem.",
            "Nos termos do RGPD, os seus dados pessoais são tratados pela Firma Lda.",
            "🌳 Antes de imprimir este e-mail, pense no meio ambiente.",
            "Aviso: esta mensagem é confidencial.",
        ],
        [
            "De acordo com a LGPD seus dados foram vazados por culpa da loja.",
            "Aviso: esta mensagem é a terceira.",
            "Verificado pelo técnico, continua avariado.",
            "Verificado por Norton Silva.",
            "Analisado por Kaspersky",
        ],
    ),
    "it": (
        [
            "Controllato da Avast",
            "Nessun virus trovato nel messaggio.",
            "Informativa privacy: ai sensi dell'art. 13 del GDPR i Suoi dati saranno trattati da Firma S.r.l.",
            "P Prima di stampare questa mail, pensa all'ambiente.",
            "Nota: questo messaggio è riservato al destinatario.",
        ],
        [
            "Ai sensi del GDPR chiedo la cancellazione dei dati personali.",
            "Avviso: questo messaggio è il terzo.",
            "Controllato dal tecnico, è ancora rotto.",
            "Verificato da Norton Rossi.",
        ],
    ),
    "nl": (
        [
            "Gescand door Avast",
            "Geen virussen gevonden in dit bericht.",
            "Conform de AVG informeren wij u dat uw persoonsgegevens worden verwerkt door Firma BV.",
            "P Denk aan het milieu voordat u deze e-mail print.",
            "Let op: dit bericht is vertrouwelijk.",
        ],
        [
            "Conform de AVG moeten de gegevens weg.",
            "Let op: dit bericht is het derde.",
            "Gescand door de monteur, nog steeds kapot.",
            "Gecontroleerd door Norton Jansen.",
            "Gescand door Kaspersky",
        ],
    ),
}

# What firms write below their mail, and what their customers may write at that place.
FOOTERS = {
    "en": (["How did we do? Rate this reply: https://x.example/rate", "No rights can be derived from this e-mail.",
            "Please think of the environment before you print this e-mail.",
            "Please consider the environment - do you really need to print this email?",
            "Information about how we process personal data: https://x.example/privacy",
            "Firm Ltd is registered in England and Wales No. 1234567. Registered office: 1 High Street, London.",
            "This email is a service from Shop. Delivered by Zendesk", "Powered by Jira Service Management",
            "View request · Turn off this request's notifications", "ref:_00D30abc._50030xyz:ref",
            "[ ref:!00D1t0x8m0GbN.!5001t09ABCd:ref ]", "[ticket:48211]", "CRM:0001234", "[commMgrHmdTok:A1B2C3D4]",
            "<#ticket-48211#>", "Email reference id: [#a05-x1y2z3#]_[#b1234#]",
            "Does this submission look like spam? Report it here.",
            "Only purchases on eBay are covered by the eBay purchase protection programs.",
            "thread::abcDEF123-_xyz::", "Ref:MSG0012345_abcdefg", "{#HS:1234567-4711#}",
            "____________\nMicrosoft Teams Need help?\nJoin the meeting now\nMeeting ID: 123 456 789\nPasscode: abc"],
           ["How did we do? We did badly, I tell you.", "Under the GDPR you must delete all the data now.",
            "Microsoft Teams crashes since Monday", "Ticket: 48211", "CRM: 12 days late", "End message: refund me",
            "Rate this reply as useless.", "Powered by a battery, it failed.",
            "The registered office is where it was sent.", "Meeting ID: wrong one, as always",
            "This lists all the faults", "VAT number missing on the invoice", "This list shows what is missing",
            "Information about data protection at the shop is missing there.", "Powered by Zendesk the shop is slow",
            "This message was sent to you on Monday already.",
            "Registered address is still the old one", "No rights can be derived from this warranty, says the sender.",
            "Please think of the environment and stop sending printed bills.",
            "Please consider the environment before printing the next bill for me."]),
    "de": (["Wie zufrieden waren Sie? Jetzt bewerten: https://x.example/rate",
            "Denken Sie an die Umwelt, bevor Sie diese E-Mail ausdrucken.",
            "Dieses Schreiben wurde maschinell erstellt und ist ohne Unterschrift gültig.",
            "Informationen zum Datenschutz finden Sie unter https://x.example/datenschutz",
            "Diese E-Mail ist ein Service von Shop.",
            "Microsoft Teams-Besprechung\nKlicken Sie hier, um an der Besprechung teilzunehmen"],
           ["Wie zufrieden waren Sie mit dem Service, den ich bekam?", "Gemäß DSGVO verlange ich eine Kopie der Daten.",
            "Denken Sie an die Umwelt und nehmen Sie Papier.", "Informationen zum Datenschutz fehlen auf der Seite.",
            "Informationen zum Datenschutz sind unter Niveau", "Der Umwelt zuliebe bitte keine Ausdrucke mehr senden.",
            "Denken Sie an die Umwelt und drucken Sie keine Rechnungen mehr.",
            "Dieses Schreiben wurde maschinell erstellt und ist voller Fehler.",
            "Aus dieser E-Mail können keine Rechte abgeleitet werden, schreibt die Firma."]),
    "fr": (["Êtes-vous satisfait de notre réponse ? https://x.example/avis",
            "Afin de respecter l'environnement, merci de n'imprimer ce courriel que si nécessaire.",
            "Cet e-mail est un service de Boutique.",
            "Réunion Microsoft Teams\nRejoindre la réunion maintenant<https://x.example>\nID de réunion : 123 456 789"],
           ["Conformément à la loi, remboursez le mixeur.", "RCS file: mass-check,v", "Siège social fermé",
            "Les informations sur la protection des données manquent.",
            "Pour respecter l'environnement, prenez du papier.", "Aucun droit ne peut être tiré de la garantie.",
            "Pour préserver l'environnement, n'imprimez plus les factures, envoyez-les par courriel."]),
    "es": (["Valore nuestra respuesta: https://x.example/valorar",
            "Por favor, considere el medio ambiente antes de imprimir este correo.",
            "Este correo electrónico es un servicio de Tienda.",
            "Reunión de Microsoft Teams\nUnirse a la reunión ahora"],
           ["De acuerdo con el RGPD exijo una copia de los datos.", "Piense en el medio ambiente y use papel.",
            "Información sobre el tratamiento no hay ninguna",
            "Por favor, considere el medio ambiente y no imprima más facturas."]),
    "pt": (["Avalie o nosso atendimento: https://x.example/avaliar", "Pense no ambiente antes de imprimir este e-mail.",
            "Este e-mail é um serviço da Loja.",
            "Reunião do Microsoft Teams\nParticipe da reunião agora"],
           ["De acordo com a LGPD exijo uma cópia dos dados.", "Pense no ambiente e use papel.",
            "Informações sobre privacidade faltam no site",
            "Considere o meio ambiente e não imprima mais faturas."]),
    "it": (["Quanto è soddisfatto? https://x.example/voto", "Rispetta l'ambiente: non stampare questa mail.",
            "Con Tiscali Mobile Smart 70 hai 70 GB a soli 7,99€ al mese. https://casa.tiscali.it/mobile/",
            "Questa e-mail è un servizio di Negozio.", "Riunione di Microsoft Teams\nPartecipa alla riunione adesso"],
           ["Ai sensi del GDPR chiedo una copia dei dati.", "Rispetta l'ambiente e usa la carta.",
            "Capitale sociale o no, rimborsate", "Rispetta l'ambiente e non stampare più le fatture cartacee."]),
    "nl": (["Beoordeel ons antwoord: https://x.example/score", "Denk aan het milieu voordat u deze e-mail print.",
            "Aan deze e-mail kunnen geen rechten worden ontleend.",
            "Informatie over hoe wij met persoonsgegevens omgaan vindt u op https://x.example/privacy",
            "Deze e-mail is een service van Winkel.", "Microsoft Teams-vergadering\nNu deelnemen aan de vergadering"],
           ["Denk aan het milieu en gebruik papier.", "Conform de AVG eis ik een kopie van de gegevens.",
            "Informatie over privacy ontbreekt op de site", "BTW-nummer ontbreekt op de factuur",
            "Denk aan het milieu en stop met printen van facturen."]),
}  # fmt: skip

# A link's text.
UNSUBSCRIBE = {
    "en": "Unsubscribe from this list.",
    "de": "Newsletter abbestellen oder Einstellungen ändern.",
    "fr": "Se désabonner de cette liste.",
    "es": "Darse de baja de esta lista.",
    "pt": "Cancelar a inscrição nesta lista.",
    "it": "Cancellarsi da questa lista.",
    "nl": "Uitschrijven voor deze nieuwsbrief.",
}

# What authors call their orders and accounts, and lines of few words with a number that do not.
REFERENCES = {
    "en": (["Order 88120", "My order: 4711", "Our order 4711", "Re: order 4711", "Amazon order no. 4711",
            "My account: 12345", "Order no. 4711", "My ref: AB/12", "IBAN: GB33BUKB20201555555555",
            "Booking reference QX7T2L", "Account number: 55555555", "Tracking JD0001882", "Policy number P-881-22",
            "Claim 2025/1182", "Customer account no. 88123", "Flight BA1492, 3 March", "Membership #99182",
            "My order: 4711", "Our order 4711", "Re: order 4711", "eBay order number 4711"],
           ["Account manager 2", "Orders 9 to 5", "Room 214", "Casebook 12", "Customer Service 24/7", "P.O. Box 12",
            "Date of birth 3/4/1980"]),
    "de": (["Bestellung 4711", "Kundennummer 88123", "Kunden-Nr.: 88123", "Rechnungsnr. 2025-12", "Zählerstand 45213",
            "Aktenzeichen 12/25", "Kunde 88123", "Vertrag Nr. 4711"],
           ["Postfach 12", "Fallstr. 5", "Haus 3, Zimmer 12"]),
    "fr": (["Commande 4711", "Client n° 88123", "N° de commande : 4711", "Ma réf. 12", "Dossier 2025/12",
            "Numéro client 88123"], ["Bâtiment 3", "Porte 12", "Clientèle 24/7"]),
    "es": (["Pedido 4711", "Cliente 88123", "Nº de pedido: 4711", "Mi número de cliente 88123",
            "Localizador QX7T2L"], ["Planta 3", "DNI 12345678Z", "Puerta 12"]),
    "pt": (["Pedido 4711", "Chave pix 11912345678", "Nº do pedido: 4711", "Protocolo 2025/12"],
           ["Bloco 3", "CPF 123.456.789-00", "Loja 12"]),
    "it": (["Ordine 4711", "Cliente 88123", "Numero d'ordine: 4711", "Codice cliente 88123", "Rif. AB/12"],
           ["Interno 3", "Scala 12"]),
    "nl": (["Bestelling 4711", "Klantnummer 88123", "Klant-nr. 88123", "Uw kenmerk: AB/12", "Meterstand 45213"],
           ["Kamer 3", "Postbus 12"]),
}  # fmt: skip

# What help desks write above their mail.
DESKS = {
    "en": ["##- Please type your reply above this line -##", "Your request (123) has been updated. To add comments, …"],
    "de": ["##- Bitte geben Sie Ihre Antwort über dieser Zeile ein. -##", "Ihre Anfrage (123) wurde aktualisiert."],
    "fr": ["##- Veuillez saisir votre réponse au-dessus de cette ligne -##", "Votre demande (123) a été mise à jour."],
    "es": ["##- Por favor, escriba su respuesta encima de esta línea -##", "Su solicitud (123) ha sido actualizada."],
    "pt": ["##- Digite sua resposta acima desta linha -##", "Sua solicitação (123) foi atualizada."],
    "it": ["##- Si prega di digitare la risposta sopra questa riga -##", "La tua richiesta (123) è stata aggiornata."],
    "nl": ["##- Typ uw antwoord boven deze regel -##", "Uw verzoek (123) is bijgewerkt."],
}

SENTENCES = {
    "en": "We have not been able to find the parcel that you sent to them, and they would like to know where it is.",
    "de": "Wir haben das Paket noch nicht gefunden und wissen auch nicht, wo es ist, aber wir suchen für Sie weiter.",
    "fr": "Nous avons bien reçu votre colis mais il est vide, et je ne sais pas ce que vous voulez faire.",
    "es": "No hemos recibido el paquete que usted nos envió y no sabemos qué hacer con los muebles de casa.",
    "pt": "Não recebemos a encomenda que você enviou e não sabemos o que fazer com as caixas que estão em casa.",
    "it": "Non abbiamo ricevuto il pacco che ci ha mandato e non sappiamo cosa fare con le scatole del magazzino.",
    "nl": "Wij hebben het pakket nog niet ontvangen en weten ook niet waar het is, maar we zoeken voor u verder.",
}


def test_every_table_is_read() -> None:
    assert {path.stem for path in (ROOT / "lib/mailmill/email/patterns").glob("*.toml")} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_table_recognises_its_language(language: str) -> None:
    greeting, signoff, thanks, mobile, disclaimer, footer, banner, header = EXAMPLES[language]
    kinds = {"greeting": greeting, "signoff": signoff, "thanks": thanks, "mobile": mobile,
             "disclaimer": disclaimer, "topic": footer}  # fmt: skip
    for kind, text in kinds.items():
        assert Line(text).rule(kind).startswith(f"{kind}."), (kind, text)
    assert banner_of(banner) is not None
    assert field_of(header) is not None


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_virus_scanners_append_is_no_text(language: str) -> None:
    for text in SCANNED[language]:
        assert any(Line(text).rule(kind) for kind in ("footer", "disclaimer")), text
    assert not Line(SENTENCES[language]).rule("footer")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_programs_make_of_a_picture_is_no_text(language: str) -> None:
    own = SENTENCES[language]
    for text in GENERATED[language]:
        assert clean_text(f"{own}\n\nAda\n[x-ray of a lamp. {text}]", "Ada Byron") == own
        assert clean_text(f"{own}\n\n{text} {own}") == f"{own}\n\n{text} {own}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_firms_write_below_their_mail_is_no_text(language: str) -> None:
    own, (footers, sentences) = SENTENCES[language], FOOTERS[language]
    for footer in footers:
        assert clean_text(f"{own}\n\nAda\n\n{footer}", "Ada Byron") == own
    for sentence in sentences:
        for text in (f"{own}\n\n{sentence}", f"{own}\n\n{sentence}\n\n{own}"):
            assert clean_text(text) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_gateways_append_to_a_mail_is_no_text(language: str) -> None:
    own, (appended, sentences) = SENTENCES[language], APPENDED[language]
    for foreign in appended:
        for signed in ("Ada", "Kind regards\nAda Byron\nByron Ltd\n+44 113 496 0000"):
            assert clean_text(f"{own}\n\n{signed}\n\n{foreign}", "Ada Byron") == own
    for sentence in sentences:
        for text in (f"{own}\n\n{sentence}", f"{own}\n\n{sentence}\n\n{own}"):
            assert clean_text(text) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_link_of_a_footer_may_stand_below_its_sentence(language: str) -> None:
    own, sentence, link = SENTENCES[language], UNSUBSCRIBE[language], "https://x.example/u"
    for signed in ("Kind regards\nAda Byron", "Ada Byron\nSales Manager\n+44 20 7946 0000"):
        for footer in (sentence, f"{sentence}\n{link}", f"{sentence}\n\n<{link}>\n\nShop Ltd, 1 High Street"):
            assert clean_text(f"{own}\n\n{signed}\n\n{footer}") == own
    assert clean_text(f"{own}\n\n{sentence}\n{link}") == own
    for text in (f"{own}\n\n{sentence}", f"{own}\n\nTel. 4711\n\n{sentence}\n{link}\n\n{own}"):
        assert clean_text(text) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_help_desks_write_above_their_mail_is_no_text(language: str) -> None:
    own, (line, updated) = SENTENCES[language], DESKS[language]
    said = line.strip("#- ")
    dresses = (f"--- {said} ---", f"-- {said} --", f"{'=' * 12} {said} {'=' * 12}", f"***{said}***")
    for above in (line, f"{line}\n\n{updated}", f"—-—-—-—\n{said}", *dresses):
        assert clean_text(f"{above}\n\nHello Bob,\n\n{own}") == own
        assert clean_text(f"{own}\n\n{updated} {own}") == f"{own}\n\n{updated} {own}"
    for first in (updated, said):
        assert clean_text(f"{first}\n\n{own}") == f"{first}\n\n{own}"
    assert clean_text(f"{line} {own}\n\n{own}") == f"{line} {own}\n\n{own}"
    for below in (line, *dresses, f"[{said}]", f"—-—-—-—\n{said}", f"--------\n{said}"):
        assert clean_text(f"{own}\n\n{below}\n\nHello Bob,\n\nTheir words.") == own
    assert clean_text(f"{own}\n\n[{own}]\n\n{own}") == f"{own}\n\n[{own}]\n\n{own}"


@pytest.mark.parametrize(
    "line",
    [
        "--- To reply to this ticket, write above this line ---",
        "--kustomer reply above--",
        "##- Ihre Antwort oberhalb dieser Zeile -##",
        "##- Veuillez répondre au-dessus de cette ligne -##",
        "--- Répondre au-dessus de cette ligne ---",
        "--- Introduzca su respuesta por encima de esta línea ---",
        "##- Digita la risposta sopra questa riga -##",
        "--- Rispondi sopra questa riga ---",
        "##- Insira sua resposta acima desta linha -##",
        "--- Antwoord boven deze regel ---",
    ],
)
def test_help_desks_have_many_lines(line: str) -> None:
    for below in (line, f"[{line.strip('#- ')}]"):
        assert clean_text(f"It broke again.\n\nAda\n\n{below}\n\nHello Ada,\n\nWhen?\n", "Ada") == "It broke again."


@pytest.mark.parametrize(
    "pasted",
    [
        "[Your request (4711) has been received]",
        "-----\nIhre Anfrage (4711) wurde aktualisiert\n-----",
        "[Votre demande (4711) a été mise à jour]",
        "_______________\nPlease write your name above this line",
        "------\nBitte unterschreiben Sie über dieser Zeile",
        "------\nScrivere il nome sopra questa riga",
        "[Typ uw naam boven deze regel]",
    ],
)
def test_what_is_pasted_of_a_form_or_a_receipt_opens_no_quote(pasted: str) -> None:
    own = f"It was broken, and I got this\n\n{pasted}\n\nI want my money back.\n\nReason: the lamp is broken."
    assert clean_text(own) == own
    announced = "It broke. Your page says:\n\n[Please reply above this line]\n\nSo I do, and I want my money back."
    assert clean_text(announced) == announced


@pytest.mark.parametrize("language", LANGUAGES)
def test_orders_and_accounts_below_the_authors_name_are_text(language: str) -> None:
    own, (references, others) = SENTENCES[language], REFERENCES[language]
    signed = f"{own}\n\n{EXAMPLES[language][1]}\nAda Byron"
    for reference in references:
        for gap in ("\n", "\n\n"):
            assert clean_text(f"{signed}{gap}{reference}", "Ada Byron") == f"{own}\n\n{reference}"
    for other in others:
        assert clean_text(f"{signed}\n{other}", "Ada Byron") == own, other


@pytest.mark.parametrize(
    "added",
    ["Order 4711\nStill waiting", "Order: 4711\nDate: 3 May\nItem: lamp", "Order 4711\nand 4712", "Order 4711\nred one",
     "Bestellung 4711\nund 4712", "IBAN: DE12 3456 7890 1234 5678 90\nBIC: ABCDEF12XXX", "Order 4711\n\nSiehe Foto."],
)  # fmt: skip
def test_what_stands_below_an_order_stays_with_it(added: str) -> None:
    for name in ("Ada", "Ada Byron"):
        assert clean_text(f"The lamp came broken.\n\nThanks,\n{name}\n{added}", "Ada Byron").endswith(f"\n\n{added}")
    assert clean_text(f"It broke.\n\nThanks,\nAda Byron\nTel. 020 7946 0018\n{added}").endswith(added)


@pytest.mark.parametrize(
    "added",
    ["Btw, the colour is nice", "Also: the cable is missing", "Addendum: wrong bill", "Übrigens ist die Farbe schön",
     "Además: la factura está mal", "Trouwens, de kleur is mooi", "Obs: a cor é bonita",
     "Dimenticavo: la fattura è errata"],
)  # fmt: skip
def test_postscripts_begin_with_any_letter(added: str) -> None:
    assert clean_text(f"It broke.\n\nThanks,\nAda Byron\n\n{added}", "Ada Byron") == f"It broke.\n\n{added}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_mobile_tags_name_a_device_or_a_program(language: str) -> None:
    own, (tags, sentences) = SENTENCES[language], SENT[language]
    for tag in tags:
        assert clean_text(f"{own}\n\n{tag}") == own
    for sentence in sentences:
        assert clean_text(f"{own}\n\n{sentence}") == f"{own}\n\n{sentence}"
        assert clean_text(f"Hello,\n\n{sentence}\n\nRegards,\nAda Byron") == sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_mail_ends_and_begins_with_more_than_one_phrase(language: str) -> None:
    own, sender = SENTENCES[language], "Kim Noll <kim@x.example>"
    closings, sentences = CLOSINGS[language]
    for closing in closings:
        assert clean_text(f"{own}\n\n{closing}\nKim Noll", sender) == own
        assert clean_text(f"{own}\n\n{closing}", sender) == own, closing
    for sentence in sentences:
        assert clean_text(f"{own}\n\n{sentence}\n\nKim Noll", sender) == f"{own}\n\n{sentence}"
        assert clean_text(f"{own}\n{sentence}\nKim", sender) == f"{own}\n{sentence}"
        assert clean_text(f"{own}\n\n{sentence}\n\n{own}", sender) == f"{own}\n\n{sentence}\n\n{own}"
    openings, sentences = OPENINGS[language]
    for opening in openings:
        assert clean_text(f"{opening}\n\n{own}\n\nKim Noll", sender) == own, opening
        assert clean_text(f"{opening}\n{own}\n{own}", sender) == f"{own}\n{own}", opening
    for sentence in sentences:
        assert clean_text(f"{sentence}\n\n{own}\n\nKim", sender) == f"{sentence}\n\n{own}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_are_complete(language: str) -> None:
    table, english = read_table(language), read_table("en")
    assert table["code"] == language
    assert table.keys() == english.keys()
    assert table["fields"].keys() == english["fields"].keys()
    assert len(set(table["stop_words"].split())) >= 20


def test_rule_names_point_into_the_tables() -> None:
    assert Line("Hallo Eva,").rule("greeting") == "greeting.de.2"
    assert read_table("de")["greetings"][2] == "hallo"


NASTY = ["a" * 400, "thanks " * 57, "- " * 200, ", " * 200, "on " * 130 + ":", "x@" * 200, "best regards" + "," * 380,
         "dear " + "a.b," * 99, "this e-mail " * 33, "wrote " * 66, "1/1/" * 100, " " * 400, "merci," * 66]  # fmt: skip


@pytest.mark.parametrize("kind", sorted(PATTERNS.matchers))
def test_patterns_take_linear_time(kind: str) -> None:
    for text in NASTY:
        assert_doubles(PATTERNS.matchers[kind].rule, text * 25, text * 50)


def test_no_nested_quantifiers() -> None:
    nested = re.compile(r"[*+]\)[*+{]|\+\)\+|\*\)\*")
    for matcher in PATTERNS.matchers.values():
        for name, fragment, _ in matcher.fragments:
            assert not nested.search(fragment), name
            assert ".*" not in fragment, name
            assert ".+" not in fragment, name
