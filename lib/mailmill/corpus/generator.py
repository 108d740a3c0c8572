"""Mail number i as a function of the spec and i alone; `generate` walks over a range of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.utils import format_datetime

from mailmill.corpus import conversation as conversations
from mailmill.corpus import damage, envelope, grammar, mime, thread
from mailmill.corpus.attachments import Attachment, attachment, png
from mailmill.corpus.clients import Client, fill_ids, render_html
from mailmill.corpus.conversation import Conversation
from mailmill.corpus.draw import Draw
from mailmill.corpus.mime import Headers
from mailmill.corpus.plain import render_plain
from mailmill.corpus.schedule import Schedule
from mailmill.corpus.spec import CorpusSpec, GeneratedMail
from mailmill.corpus.texts import TextFile, TextWindow, paragraphs
from mailmill.corpus.thread import Body, Letter

_OPPOSITE = {"pos": "neg", "neg": "pos"}
_DEPTHS = (15, 45, 28, 12)
_LOGO_SIDE = 16


def generate(spec: CorpusSpec, start: int = 0) -> Iterator[GeneratedMail]:
    """The mails start, start + 1, ... of the corpus `spec`, one at a time, in constant memory.

    Mail i is the same whatever `start` is, so ranges can be made in parallel or resumed. With
    `spec.bytes` the end depends on the sizes before it, so the mails before `start` are made too
    and dropped.

    Raises:
        DataError: the texts are missing, damaged, or lack a column.
    """
    maker = _Maker(spec, 0 if spec.bytes is not None else start)
    index, size = (0 if spec.bytes is not None else start), 0
    while (spec.count is None or index < spec.count) and (spec.bytes is None or size < spec.bytes):
        mail = maker.mail(index)
        if mail is None:
            return
        size += len(mail.raw)
        if index >= start:
            yield mail
        index += 1


@dataclass(frozen=True)
class _Words:
    """What the author says: paragraphs, the true label, the tone of earlier mails, and whether they were given."""

    paragraphs: list[str]
    label: str | None
    tone: str
    given: bool


class _Maker:
    """Makes mails by index; with texts it reads the file forward."""

    def __init__(self, spec: CorpusSpec, start: int) -> None:
        self.spec = spec
        self.schedule = Schedule(spec.seed, spec.malformed, spec.duplicates)
        self.labels: tuple[str, ...] = grammar.LABELS
        self.texts: TextWindow | None = None
        if spec.texts is not None:
            file = TextFile(spec.texts, spec.text_column, spec.label_column, spec.group_column)
            self.labels = file.labels()
            self.texts = TextWindow(file, self.schedule.whole_before(start))

    def mail(self, index: int) -> GeneratedMail | None:
        """Mail `index`; None once the texts are used up."""
        place = self.schedule.place(index)
        # Extras after the last text belong to nothing: the corpus ends with its last row.
        if self.texts is not None and self.texts.row(self.schedule.whole_before(index)) is None:
            return None
        if place.kind == "malformed":
            return self._malformed(index)
        whole = self._whole(place.ordinal)
        return replace(whole, index=index, name=_name(index), kind=place.kind)

    def _whole(self, ordinal: int) -> GeneratedMail:
        spec, seed = self.spec, self.spec.seed
        draw = Draw(seed, "mail", ordinal)
        if self.texts is not None:
            row = self.texts.row(ordinal)
            assert row is not None
            talk = conversations.of_text(seed, ordinal, row.group, spec.languages)
            tone = _OPPOSITE.get(row.label or "") or draw.pick(grammar.LABELS)
            words = _Words(paragraphs(row.text), row.label, tone, True)
        else:
            talk = conversations.of_grammar(seed, ordinal, spec.languages)
            label = draw.pick(grammar.LABELS)
            words = _Words(grammar.customer_paragraphs(label, draw, talk.facts), label, _OPPOSITE[label], False)
        given = self._given_label(words.label, ordinal)
        raw, message_id, zones = _message(talk, words, draw, self._label_header(given, draw))
        return GeneratedMail(
            -1, "", raw, message_id, words.label, given, talk.thread, "ok", zones, talk.client.name, talk.language
        )

    def _given_label(self, label: str | None, ordinal: int) -> str | None:
        """The true label, or with probability `wrong_labels` one of the others."""
        others = [other for other in self.labels if other != label]
        draw = Draw(self.spec.seed, "given", ordinal)
        if label is None or not others or not draw.chance(self.spec.wrong_labels):
            return label
        return draw.pick(others)

    def _label_header(self, given: str | None, draw: Draw) -> Headers:
        if self.spec.label_header is None or given is None:
            return []
        return [(self.spec.label_header, mime.unstructured(draw, " ".join(given.split())))]

    def _malformed(self, index: int) -> GeneratedMail:
        draw = Draw(self.spec.seed, "malformed", index)
        talk = conversations.of_malformed(self.spec.seed, index, self.spec.languages)
        label = draw.pick(grammar.LABELS)
        words = _Words(grammar.customer_paragraphs(label, draw, talk.facts), label, _OPPOSITE[label], False)
        raw, _, _ = _message(talk, words, draw, [])
        name = draw.pick(tuple(damage.DAMAGES))
        raw = damage.DAMAGES[name](raw, draw)
        message_id = damage.message_id(raw)
        return GeneratedMail(
            index,
            _name(index),
            raw,
            message_id,
            None,
            None,
            message_id,
            "malformed",
            (),
            talk.client.name,
            talk.language,
            name,
        )


def _name(index: int) -> str:
    return f"{index:010d}.eml"


def _message(
    talk: Conversation, words: _Words, draw: Draw, extra: Headers
) -> tuple[bytes, str, tuple[tuple[str, str], ...]]:
    """Raw bytes, Message-ID and zones of one mail of a conversation."""
    client = talk.client
    subject = talk.subject if talk.starts else conversations.reply_subject(talk)
    date = envelope.when(talk.seconds, draw)
    body = _body(talk, words, draw, subject)
    logo = f"logo{draw.hex(8)}@{talk.customer.domain}" if body.letter.signature and draw.chance(0.1) else ""
    html: str | None = None
    plain: str | None = None
    if client.html:
        html, zones = render_html(client, body, draw, talk.language, logo)
    if html is None or draw.chance(client.alternative):
        plain, plain_zones = render_plain(client, body, talk.language)
        zones = zones if html is not None else plain_zones
    content_headers, content = _content(client, plain, html, logo, draw)
    headers: Headers = _transport(talk, draw, date_text := format_datetime(date))
    message_id = talk.thread if talk.starts else fill_ids(client.message_id, draw, talk.customer.domain)
    headers += [
        ("Date", date_text),
        ("From", mime.mailbox(draw, talk.customer.name, talk.customer.address)),
        ("To", mime.mailbox(draw, talk.agent.name, talk.agent.address)),
    ]
    if draw.chance(0.08):
        headers.append(("Cc", f"archive@{talk.customer.domain}"))
    headers += [("Subject", mime.unstructured(draw, subject)), ("Message-ID", f"<{message_id}>")]
    if not talk.starts:
        known = conversations.references(talk, draw)
        headers.append(("In-Reply-To", f"<{known[-1]}>"))
        headers.append(("References", "\n ".join(f"<{known_id}>" for known_id in known)))
    if client.agent:
        name, _, value = client.agent.partition(": ")
        headers.append((name, value))
    headers += [*extra, ("MIME-Version", "1.0"), *content_headers]
    return mime.message(headers, content, draw.chance(0.6)), message_id, tuple(zones)


def _body(talk: Conversation, words: _Words, draw: Draw, subject: str) -> Body:
    """The writer's letter in its frame, with the letters it quotes."""
    client, language = talk.client, talk.language
    text = words.paragraphs
    if client.smart_quotes and not words.given:
        text = [_smart(paragraph) for paragraph in text]
    mobile = ""
    if client.mobile and draw.chance(client.mobile_share):
        mobile = envelope.words(language)["mobile_words"][draw.pick(client.mobile)]
    date = envelope.when(talk.seconds, draw)
    newest = thread.frame(talk.customer, talk.agent, date, subject, text, draw, language, mobile)
    quoted: list[Letter] = []
    if not talk.starts:
        depth = draw.weighted(_DEPTHS)
        quoted = thread.history(newest, words.tone, depth, draw, language, talk.facts, talk.seconds)
    posting = thread.POSTING[draw.weighted(client.posting)]
    return thread.compose(newest, quoted, posting, draw, language)


def _smart(text: str) -> str:
    """Typographic apostrophes and quotation marks, as Word sets them."""
    pieces = text.replace("'", "’").split('"')
    return "".join(piece + ("“" if place % 2 == 0 else "”") for place, piece in enumerate(pieces[:-1])) + pieces[-1]


def _content(client: Client, plain: str | None, html: str | None, logo: str, draw: Draw) -> tuple[Headers, bytes]:
    """Text parts, alternative, inline image and attachments, nested as mail programs do."""
    charset = mime.choose_charset(draw, plain, html)
    boundary = fill_ids(client.boundary, draw, "example")
    texts = []
    if plain is not None:
        texts.append(mime.text_part(draw, plain, "plain", charset, flowed=client.flowed))
    if html is not None:
        texts.append(mime.text_part(draw, html, "html", charset, named="{charset}" in client.head))
    part = texts[0] if len(texts) == 1 else mime.multipart("alternative", f"{boundary}a", texts)
    if logo and html is not None:
        image = Attachment("image001.png", "image/png", png(draw, _LOGO_SIDE), logo)
        part = mime.multipart("related", f"{boundary}r", [part, mime.file_part(image)])
    files = [mime.file_part(attachment(draw)) for _ in range(draw.weighted((93, 5, 2)))]
    if files:
        preamble = b"This is a multi-part message in MIME format.\n\n" if draw.chance(0.4) else b""
        part = mime.multipart("mixed", f"{boundary}m", [part, *files], preamble)
    return part


def _transport(talk: Conversation, draw: Draw, date: str) -> Headers:
    """Return-Path and one to three Received lines."""
    headers: Headers = [("Return-Path", f"<{talk.customer.address}>")] if draw.chance(0.6) else []
    source, target = talk.customer.domain, talk.agent.domain
    for hop in range(draw.between(1, 3), 0, -1):
        address = f"192.0.2.{draw.between(1, 254)}"
        headers.append(
            (
                "Received",
                f"from mx{hop}.{source} (mx{hop}.{source} [{address}])\n\tby mail{hop}.{target} (Postfix) with ESMTPS"
                f" id {draw.hex(10).upper()}\n\tfor <{talk.agent.address}>; {date}",
            )
        )
    return headers
