"""The small parts: draws, schedule, MIME encodings, attachments, word lists."""

from __future__ import annotations

import zlib
from collections import Counter
from datetime import UTC, datetime
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmill.corpus import attachments, envelope, grammar, mime
from mailmill.corpus.clients import clients, wrap
from mailmill.corpus.data import table
from mailmill.corpus.draw import Draw
from mailmill.corpus.people import agent, person, signature
from mailmill.corpus.schedule import Schedule
from mailmill.corpus.spec import LANGUAGES


def test_a_draw_is_named_and_uniform() -> None:
    assert [Draw(1, "a", 2).bits() for _ in range(2)] == [Draw(1, "a", 2).bits()] * 2
    assert Draw(1, "a", 2).hex(64) != Draw(1, "a", 3).hex(64)
    draw = Draw(5, "uniform")
    counts = Counter(draw.below(10) for _ in range(20_000))
    # chi-squared with 9 degrees of freedom: 27.9 is the 0.1 % quantile
    assert sum((counts[n] - 2000) ** 2 / 2000 for n in range(10)) < 27.9
    assert sum(draw.chance(0.25) for _ in range(20_000)) / 20_000 == pytest.approx(0.25, abs=0.015)


@given(population=st.integers(1, 200), data=st.data())
def test_a_sample_is_distinct(population: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, population))
    sample = Draw(population, size).sample(population, size)
    assert len(set(sample)) == size
    assert all(0 <= item < population for item in sample)


def test_the_first_draws_are_what_they_always_were() -> None:
    """Corpora are named by their spec: a change here changes every corpus that anyone has cited."""
    draw = Draw(1, "mail", 0)
    assert [draw.below(1000) for _ in range(4)] == [222, 477, 654, 182]


@given(seed=st.integers(0, 99), malformed=st.floats(0, 0.5), duplicates=st.floats(0, 0.4), block=st.integers(0, 5))
def test_ordinals_of_whole_mails_have_no_gaps(seed: int, malformed: float, duplicates: float, block: int) -> None:
    schedule = Schedule(seed, malformed, duplicates)
    ordinal = schedule.whole_before(block * 1000)
    for index in range(block * 1000, block * 1000 + 1100):
        place = schedule.place(index)
        assert schedule.whole_before(index) == ordinal
        if place.kind == "ok":
            assert place.ordinal == ordinal
            ordinal += 1
        elif place.kind == "duplicate":
            assert 0 <= place.ordinal < ordinal


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1),
    seed=st.integers(0, 9),
)
def test_encoded_words_decode_to_the_text(text: str, seed: int) -> None:
    encoded = mime.encoded_words(Draw(seed), text)
    assert all(len(line.strip()) <= 75 for line in encoded.split("\n"))
    assert str(make_header(decode_header(encoded))) == text


@given(text=st.text("ab \u00e9", max_size=300), width=st.integers(1, 80))
def test_wrapped_lines_hold_every_word_and_keep_the_width(text: str, width: int) -> None:
    text = " ".join(text.split())
    lines = wrap(text, width)
    assert " ".join(lines) == text
    assert all(len(line) <= width or " " not in line for line in lines)


def test_attachments_are_whole_files() -> None:
    image = attachments.png(Draw(1), 9)
    start = image.index(b"IDAT") + 4
    length = int.from_bytes(image[start - 8 : start - 4], "big")
    assert len(zlib.decompress(image[start : start + length])) == 9 * 10
    file = attachments.pdf("No. 5")
    table_at = int(file.split(b"startxref\n")[1].split(b"\n")[0])
    assert file[table_at:].startswith(b"xref")
    assert {attachments.attachment(Draw(n)).media_type for n in range(20)} == {"image/png", "application/pdf"}


def test_every_slot_of_the_grammar_is_known() -> None:
    source = table("grammar")
    made = {"order", "customer", "serial", "price", "year", "date"}
    lists = [*source["sentences"].values(), *source["agent"].values(), *source["subjects"].values()]
    slots = {name for texts in lists for text in texts for name in grammar._compile(text)[1::2]}
    assert slots <= set(source["slots"]) | made


def test_mails_of_the_grammar_have_one_to_fifteen_sentences_and_no_open_slot() -> None:
    for number in range(300):
        draw = Draw(number)
        text = " ".join(grammar.customer_paragraphs("neg", draw, grammar.facts(draw)))
        assert text
        assert "{" not in text
        assert "}" not in text


def test_languages_have_the_same_tables_and_their_templates_fill() -> None:
    styles = {client.wrote for client in clients()}
    english = set(envelope.words("en"))
    for language in LANGUAGES:
        assert set(envelope.words(language)) == english
        draw = Draw(language)
        who, to = person(draw, language), agent(draw, language)
        for style in styles:
            line = envelope.wrote(style, language, who, datetime(2024, 3, 4, 15, 12, tzinfo=UTC))
            assert who.name in line
            assert line.endswith(":")
        fields = envelope.field_lines(language, who, to, datetime(2024, 3, 4, tzinfo=UTC), "Re: x")
        assert len(fields) == 4
        for _ in range(20):
            assert "{" not in "".join([envelope.greeting(draw, language, to), *signature(who, draw, language)])
