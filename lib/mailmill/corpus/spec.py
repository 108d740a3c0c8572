"""What a corpus is asked to be, and what is handed back: the values that the room's functions exchange."""

from __future__ import annotations

from dataclasses import dataclass

from mailmill.errors import ConfigError

#: Languages that have an envelope: greetings, sign-offs, reply headers, dates, disclaimers.
LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl")

#: What a mail of the corpus is.
KINDS = ("ok", "malformed", "duplicate")


@dataclass(frozen=True)
class CorpusSpec:
    """The whole request. Two equal specs give the same bytes.

    `count` and `bytes` limit the corpus (messages; bytes of raw mail), whichever is reached first;
    with `texts` both may be None: then every row becomes one mail. `malformed` and `duplicates` are
    shares of all messages and come on top of the texts; `wrong_labels` is the share of given labels
    that differ from the true one. `group_column` makes the rows of one group one thread.

    Raises:
        ConfigError: a value is out of range, or nothing limits the corpus.
    """

    count: int | None = None
    bytes: int | None = None
    seed: int = 1
    texts: str | None = None
    text_column: str = "text"
    label_column: str | None = "label"
    group_column: str | None = None
    malformed: float = 0.01
    duplicates: float = 0.01
    wrong_labels: float = 0.03
    languages: tuple[str, ...] = ("en",)
    label_header: str | None = None

    def __post_init__(self) -> None:
        if self.texts is None and self.count is None and self.bytes is None:
            raise ConfigError("a corpus needs a count, a size in bytes, or texts")
        for name, limit in (("count", self.count), ("bytes", self.bytes)):
            if limit is not None and limit < 0:
                raise ConfigError(f"corpus {name} is {limit}; it must not be negative")
        for name in ("malformed", "duplicates", "wrong_labels"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise ConfigError(f"corpus {name} is {getattr(self, name)}; it must lie in [0, 0.5]")
        if self.malformed + self.duplicates > 0.9:
            raise ConfigError("corpus malformed + duplicates leave too few whole mails; their sum must be at most 0.9")
        unknown = [language for language in self.languages if language not in LANGUAGES]
        if unknown or not self.languages:
            raise ConfigError(f"corpus languages {list(self.languages)}: choose from {', '.join(LANGUAGES)}")
        header = self.label_header
        if header is not None and not (header.isascii() and header.replace("-", "a").isalnum()):
            raise ConfigError(f"corpus label_header {header!r} is not a header name", hint="for example X-Sentiment")


@dataclass(frozen=True)
class GeneratedMail:
    """One raw mail and the truth about it.

    `message_id` and `thread` are without angle brackets; a malformed mail that has lost its
    Message-ID has "". `label` is the true label (None: unlabelled text, or malformed), `given_label`
    what a labeller said. `zones` holds (line, zone) for every line of the rendering a reader sees:
    of the HTML part where there is one (a block or <br> ends a line), else of the plain part as it
    is wrapped. Zones are those of `schemas.ZONES`; malformed mails have none.
    """

    index: int
    name: str
    raw: bytes
    message_id: str
    label: str | None
    given_label: str | None
    thread: str
    kind: str
    zones: tuple[tuple[str, str], ...]
    client: str
    language: str
    damage: str = ""


@dataclass(frozen=True)
class CorpusSummary:
    """Counts of a written corpus; `messages` includes the malformed and the duplicates, `bytes` is of raw mail."""

    messages: int
    malformed: int
    duplicates: int
    bytes: int
    labels: int
