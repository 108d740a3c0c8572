r"""Words as GloVe 6B counted them, so that a mail's tokens are the keys of its vocabulary.

GloVe 6B was counted on text tokenized by Stanford's tokenizer (Penn Treebank conventions) and
lower-cased. Those conventions are kept where the published vocabulary shows them, and where Stanford
and the vocabulary differ the vocabulary wins (`cannot`, `gonna` and `"` are words of it):

    contractions  don't -> do n't    can't -> ca n't    Ann's -> ann 's    we'll -> we 'll
    punctuation   its own token; `...` for two dots or more and for U+2026; `--` for two hyphens or more
    repetitions   !!!!! -> !!!    ?!?! -> ?!    ===== -> =
    numbers       1,000.50   10:30   24/12/2004   -5   1st   10-year; signs of currency and % apart
    hyphens       kept inside a word: e-mail, mother-in-law
    slashes       split, except in and/or, he/she, n/a, 24/7 and the like
    full stops    kept in u.s., e.g., p.m., mr., inc.; split elsewhere
    URLs, addresses, emoji sequences  one token each; :-) and :) are both :)

A token never crosses white space, so each piece between white space is tokenized alone, by one regular
expression; `pieces` remembers what became of it.

Penn Treebank: https://www.cis.upenn.edu/~treebank/tokenization.html; Stanford: `PTBTokenizer` of
CoreNLP; Pennington, Socher & Manning, "GloVe: global vectors for word representation", EMNLP 2014.
"""

from __future__ import annotations

import re
import unicodedata

_ABBREVIATIONS = (
    "mr mrs ms dr prof rev hon gen col capt lt sgt maj gov sen rep pres inc corp co ltd bros dept est "
    "jr sr st vs etc al approx jan feb apr aug sept oct nov dec ave blvd ext ph.d"
)
_SLASHED = "and/or he/she she/he his/her him/her s/he w/o n/a b/c tcp/ip hiv/aids km/h m/s i/o"
_DOMAINS = "com org net edu gov mil info biz io eu uk ca fr de nl ch jp cn au nz br ru"  # without it, no, at, be ...

_LETTER = r"[^\W\d_]"
_ALNUM = r"(?:[^\W_][\u0300-\u036f]*+)"
_CLITIC = r"(?:s|m|d|re|ve|ll)"
_END = r"(?![^\W_])"


def _any(words: str) -> str:
    return "(?:" + "|".join(re.escape(word) for word in sorted(words.split(), key=len, reverse=True)) + ")"


# A web address without a scheme.
_HOST = rf"(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,8}}{_any(_DOMAINS)}(?![\w@-])(?!\.\w)"
_SITE = _HOST + r"(?:/[^\s<>\"]*[^\s<>\"'.,;:!?)\]}])?"
_SITE_ALONE = re.compile(_SITE)

# Alternatives go from the special to the general. Those that can fail late have bounded repetitions,
# so the time is linear in the text whatever it holds.
_TOKEN = re.compile(
    "|".join(
        [
            r"(?:(?:https?|ftp)://|www\.)[^\s<>\"]*[^\s<>\"'.,;:!?)\]}*_|]",
            r"[a-z0-9][\w.+-]{0,63}@[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){1,8}",
            _SITE,
            rf"(?P<smile>[:;=][-o]?[)(\]\[|]+|[:;]-?[dp]{_END}|<3(?!\d))",
            rf"{_any(_ABBREVIATIONS)}\.(?!\w)",
            rf"(?<![^\W_])(?:{_LETTER}\.){{2,8}}(?!\w)|(?<![\w'])(?![ai]\.){_LETTER}\.(?=$)",
            rf"{_any(_SLASHED)}(?![\w/])",
            r"(?:(?<!\S)[+-])?(?:\d+(?:[.,:/]\d+)+|\.\d+)(?:-?[^\W_]+)*",
            r"(?<!\S)[+-]\d+(?![-\w])",
            rf"c\+\+{_END}",
            r"(?:us|a|c|hk|nz|s|r)\$(?=\d)",
            rf"'(?:\d0s|\d\d){_END}|'(?:em|til|tis|twas|cause){_END}|'n'{_END}",
            rf"'{_CLITIC}{_END}|n't{_END}|y'(?=all{_END})",
            rf"{_ALNUM}{{1,20}}?(?=n't{_END})",
            rf"{_ALNUM}+(?:[-_&]{_ALNUM}+|'(?!{_CLITIC}{_END}|t{_END}){_ALNUM}+)*",
            r"(?P<shout>[!?]{2,})",
            r"\.{2,}",
            r"-{2,}",
            "(?:[\U0001f1e6-\U0001f1ff]{2}"
            "|[\u203c-\u3299\U0001f000-\U0001faff](?=[\ufe0f\u200d\U0001f3fb-\U0001f3ff])"
            "(?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[\u203c-\u3299\U0001f000-\U0001faff])+)",
            r"(?P<run>(?P<one>\S)(?P=one)*)",
        ]
    )
)

_REPLACEMENTS = (
    dict.fromkeys("\u2018\u2019\u02bc\uff07\u00b4\x91\x92", "'")  # \x80-\x9f: Windows-1252 read as Latin-1
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\x93\x94", '"')
    | {"\u2026": "...", "\x85": "...", "\x96": "\u2013", "\x97": "\u2014"}
    | dict.fromkeys("\u00ad\u200b\u200c\u2060\ufeff", "")
)
_REPLACED = re.compile(f"[{''.join(_REPLACEMENTS)}]")
_WIDE_SPACE = re.compile(r"[^\S\x00-\x7f]")  # white space that is not ASCII's

_ENDING_IN_STOP = frozenset(_ABBREVIATIONS.split())
_LONGEST = 512  # a piece without white space beyond this is cut: base64, not words


def tokenize(text: str, max_words: int | None = None) -> list[str]:
    """The tokens of `text`, lower-cased, up to and with the `max_words`-th word; None: all.

    A word is a token with a letter or a digit, so punctuation does not use up the allowance; what
    follows the last word is dropped, its punctuation too. Text is brought to Unicode's NFC form, curly
    quotes become straight, invisible characters (soft hyphens, zero-width spaces) are dropped.

    >>> tokenize("Don't worry, it's fine -- isn't it?")
    ['do', "n't", 'worry', ',', 'it', "'s", 'fine', '--', 'is', "n't", 'it', '?']
    >>> tokenize("we'll pay $1,000.50 by 10:30 p.m.!!!!")
    ['we', "'ll", 'pay', '$', '1,000.50', 'by', '10:30', 'p.m.', '!!!']
    >>> tokenize('He said: "I can\u2019t stop\u2026" (see http://example.com/a?b=1).')
    ['he', 'said', ':', '"', 'i', 'ca', "n't", 'stop', '...', '"', '(', 'see', 'http://example.com/a?b=1', ')', '.']
    >>> tokenize("Write to ann@example.org, Mr. O'Neill's e-mail; 24/7 and/or 5% :-)")
    ['write', 'to', 'ann@example.org', ',', 'mr.', "o'neill", "'s", 'e-mail', ';', '24/7', 'and/or', '5', '%', ':)']
    >>> tokenize("One, two! Three.", max_words=2)
    ['one', ',', 'two']
    """
    tokens: list[str] = []
    words = 0
    for piece in normalised(text).split():
        for token in tokenize_piece(piece):
            if max_words is not None and words >= max_words:
                return tokens
            tokens.append(token)
            words += is_word(token)
    return tokens


def normalised(text: str) -> str:
    """`text` in lower case and form NFC, odd quotes and invisible characters replaced.

    The white space of what is returned is ASCII's: space, \\t to \\r, and \\x1c to \\x1f.
    """
    if text.isascii():
        return text.lower()
    text = _REPLACED.sub(_replacement, text)  # a third of the time of `str.translate`, which looks every character up
    return _WIDE_SPACE.sub(" ", unicodedata.normalize("NFC", text).lower())


def _replacement(found: re.Match[str]) -> str:
    return _REPLACEMENTS[found[0]]


def tokenize_piece(piece: str) -> tuple[str, ...]:
    """The tokens of a normalised piece without white space."""
    stem, last = piece[:-1], piece[-1]
    if piece.isalnum() and len(piece) <= _LONGEST:  # most pieces: a word, and a word with a mark after it
        return (piece,)
    if stem.isalpha() and (last in ",?!:" or (last == "." and len(stem) > 1 and stem not in _ENDING_IN_STOP)):
        return (stem, last) if len(stem) <= _LONGEST else _scan(piece)
    return _scan(piece)


def _scan(piece: str) -> tuple[str, ...]:
    """The tokens of a piece by the regular expression."""
    parts = [piece[start : start + _LONGEST] for start in range(0, len(piece), _LONGEST)]
    return tuple(_canonical(match[0], match.lastgroup) for part in parts for match in _TOKEN.finditer(part))


def _canonical(token: str, group: str | None) -> str:
    """The spelling under which the vocabulary holds a token."""
    if group is None:
        return "..." if token.startswith("..") else "--" if token.startswith("--") else token
    if group == "smile":
        return token[0] + token[-1] if len(token) > 2 else token
    if group == "shout":
        return token[0] * min(len(token), 3) if token == token[0] * len(token) else "?!"
    return token[0]


def is_address(token: str) -> bool:
    """Whether a token is an e-mail address, or an address on the web with a scheme or without."""
    if "@" in token or "://" in token or token.startswith("www."):
        return len(token) > 1
    return "." in token and _SITE_ALONE.fullmatch(token) is not None


def is_word(token: str) -> bool:
    """Whether a token has a letter or a digit."""
    return token.isalnum() or any(map(str.isalnum, token))
