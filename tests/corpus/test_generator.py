"""Mails: determinism, truth, shares, and that every shape occurs."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmill.corpus import CorpusSpec, GeneratedMail, generate
from mailmill.corpus.clients import clients
from mailmill.corpus.damage import DAMAGES
from mailmill.corpus.spec import LANGUAGES
from mailmill.errors import ConfigError
from mailmill.schemas import ZONES
from tests.corpus.reading import parse, rendered, squeeze, texts

SPEC = CorpusSpec(count=2500, seed=7, malformed=0.03, duplicates=0.02, languages=LANGUAGES)


@pytest.fixture(scope="module")
def mails() -> list[GeneratedMail]:
    return list(generate(SPEC))


@given(start=st.integers(0, 2600), seed=st.integers(0, 2**40))
@settings(max_examples=25, deadline=None)
def test_a_mail_depends_on_spec_and_index_alone(start: int, seed: int) -> None:
    spec = CorpusSpec(count=start + 20, seed=seed, malformed=0.2, duplicates=0.2)
    tail = list(generate(spec, start))
    assert [mail.index for mail in tail] == list(range(start, start + 20))
    assert list(generate(spec, start + 13)) == tail[13:]


def test_same_spec_gives_the_same_mails_and_another_seed_others(mails: list[GeneratedMail]) -> None:
    assert list(islice(generate(SPEC), 200)) == mails[:200]
    other = CorpusSpec(count=50, seed=8)
    assert not {mail.raw for mail in generate(other)} & {mail.raw for mail in mails}


def test_a_limit_in_bytes_ends_the_corpus_and_keeps_its_tail(mails: list[GeneratedMail]) -> None:
    limit = sum(len(mail.raw) for mail in mails[:40])
    spec = CorpusSpec(bytes=limit, seed=7, malformed=0.03, duplicates=0.02, languages=LANGUAGES)
    assert list(generate(spec)) == mails[:40]
    assert list(generate(spec, 31)) == mails[31:40]


def test_truth_has_every_line_of_what_a_reader_sees(mails: list[GeneratedMail]) -> None:
    stuffed = {client.name for client in clients() if client.flowed}
    for mail in mails:
        if mail.kind != "ok":
            continue
        assert {zone for _, zone in mail.zones} <= set(ZONES)
        assert all(zone in ("blank", "quoted") or squeeze(line) for line, zone in mail.zones)
        decoded = texts(parse(mail.raw))
        if "html" in decoded:
            seen = rendered(decoded["html"])
        else:
            lines = decoded["plain"].split("\n")
            seen = [squeeze(line[1:] if mail.client in stuffed and line[:1] == " " else line) for line in lines]
        assert [line for line in seen if line] == [squeeze(line) for line, _ in mail.zones if squeeze(line)]


def test_the_plain_alternative_says_the_authors_words_too(mails: list[GeneratedMail]) -> None:
    checked = 0
    for mail in mails:
        decoded = texts(parse(mail.raw)) if mail.kind == "ok" else {}
        if len(decoded) == 2:
            plain = squeeze(decoded["plain"])
            assert all(squeeze(line) in plain for line, zone in mail.zones if zone == "body")
            checked += 1
    assert checked > 1000


def test_headers_are_complete_and_agree_with_the_truth(mails: list[GeneratedMail]) -> None:
    ids = set()
    for mail in mails:
        if mail.kind != "ok":
            continue
        message = parse(mail.raw)
        for name in ("Received", "Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"):
            assert message[name], name
        assert message["Message-ID"] == f"<{mail.message_id}>"
        assert (message["References"] or message["Message-ID"]).split()[0] == f"<{mail.thread}>"
        assert (message["References"] is None) == (message["In-Reply-To"] is None)
        assert not message.defects
        ids.add(mail.message_id)
    assert len(ids) == sum(mail.kind == "ok" for mail in mails)
    threads = Counter(mail.thread for mail in mails if mail.kind == "ok")
    assert max(threads.values()) > 1


def test_duplicates_are_copies_of_an_earlier_whole_mail_under_another_name(mails: list[GeneratedMail]) -> None:
    first: dict[bytes, GeneratedMail] = {}
    for mail in mails:
        if mail.kind == "ok":
            first.setdefault(mail.raw, mail)
        elif mail.kind == "duplicate":
            source = first[mail.raw]
            assert (mail.message_id, mail.label, mail.zones) == (source.message_id, source.label, source.zones)
            assert mail.name != source.name


@pytest.mark.parametrize(("malformed", "duplicates"), [(0.0, 0.0), (0.01, 0.01), (0.5, 0.4), (0.0004, 0.5)])
def test_shares_are_as_asked(malformed: float, duplicates: float) -> None:
    kinds = Counter(mail.kind for mail in generate(CorpusSpec(count=2500, malformed=malformed, duplicates=duplicates)))
    # Whole blocks of 1,000 are exact; the last half block may be off by chance.
    assert kinds["malformed"] == pytest.approx(2500 * malformed, abs=60 if malformed else 0)
    assert kinds["duplicate"] == pytest.approx(2500 * duplicates, abs=60 if duplicates else 0)


def test_given_labels_are_wrong_as_often_as_asked() -> None:
    spec = CorpusSpec(count=4000, wrong_labels=0.1, malformed=0.05)
    whole = [mail for mail in generate(spec) if mail.kind == "ok"]
    wrong = sum(mail.label != mail.given_label for mail in whole) / len(whole)
    assert wrong == pytest.approx(0.1, abs=0.02)
    assert {mail.given_label for mail in whole} == {"neg", "pos"}
    share = sum(mail.label == "pos" for mail in whole) / len(whole)
    assert share == pytest.approx(0.5, abs=0.04)


def test_every_client_language_charset_encoding_damage_and_zone_occurs(mails: list[GeneratedMail]) -> None:
    assert {mail.client for mail in mails} == {client.name for client in clients()}
    assert {mail.language for mail in mails} == set(LANGUAGES)
    assert {mail.damage for mail in mails} == {"", *DAMAGES}
    assert {zone for mail in mails for _, zone in mail.zones} == set(ZONES) - {"forwarded"}
    charsets, encodings, kinds = set(), set(), set()
    for mail in mails:
        if mail.kind == "ok":
            for part in parse(mail.raw).walk():
                kinds.add(part.get_content_type())
                if part.get_content_maintype() == "text":
                    charsets.add(part.get_content_charset())
                    encodings.add(part["Content-Transfer-Encoding"] or "7bit")
    assert charsets == {"utf-8", "windows-1252", "iso-8859-1", "us-ascii", "utf-16"}
    assert encodings == {"7bit", "8bit", "quoted-printable", "base64"}
    assert kinds >= {"multipart/mixed", "multipart/related", "multipart/alternative", "image/png", "application/pdf"}


def test_replies_stand_above_below_and_between_quotes(mails: list[GeneratedMail]) -> None:
    shapes = set()
    for mail in mails:
        zones = [zone for _, zone in mail.zones if zone in ("body", "quoted")]
        runs = [zone for place, zone in enumerate(zones) if place == 0 or zones[place - 1] != zone]
        shapes.add(tuple(runs))
    assert shapes >= {("body",), ("body", "quoted"), ("quoted", "body"), ("quoted", "body", "quoted", "body")}


def test_malformed_mails_have_no_label_and_no_zones(mails: list[GeneratedMail]) -> None:
    broken = [mail for mail in mails if mail.kind == "malformed"]
    assert broken
    for mail in broken:
        assert mail.label is None
        assert mail.given_label is None
        assert mail.zones == ()
        if mail.message_id:
            assert f"<{mail.message_id}>".encode() in mail.raw
    assert any(not mail.raw.strip() for mail in broken)


def test_the_given_label_can_stand_in_a_header() -> None:
    for mail in generate(CorpusSpec(count=60, label_header="X-Sentiment", wrong_labels=0.3, malformed=0.2)):
        assert parse(mail.raw)["X-Sentiment"] == mail.given_label


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"count": -1},
        {"count": 1, "malformed": 0.6},
        {"count": 1, "malformed": 0.5, "duplicates": 0.5},
        {"count": 1, "languages": ("xx",)},
        {"count": 1, "languages": ()},
        {"count": 1, "label_header": "X Bad:"},
    ],
)
def test_an_impossible_spec_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        CorpusSpec(**settings)  # type: ignore[arg-type]  # impossible ones, on purpose
