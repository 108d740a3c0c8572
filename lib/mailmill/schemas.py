"""The tables: one Arrow schema each, and the closed vocabularies their columns draw from.

Every stage reads a published table and publishes one, so these schemas are the contract between
stages, engines and other tools (the files are plain Parquet). Nested values are never null; a
column is nullable only where the schema says so.
"""

from __future__ import annotations

import pyarrow as pa

#: Zones of a line of mail. Only `body` is the author's own new text; all else is removed.
ZONES = (
    "body",  # what the author wrote in this message
    "greeting",  # "Dear Ms Miller,"
    "signoff",  # "Kind regards," and the name below it
    "signature",  # the block with name, title, telephone
    "disclaimer",  # "This e-mail is confidential ..."
    "quoted",  # earlier messages, at any depth
    "header",  # "On ... wrote:", "-----Original Message-----", From:/To:/Subject: lines
    "forwarded",  # a message passed on without words of the author's own
    "footer",  # mailing-list, unsubscribe and advertisement lines
    "mobile",  # "Sent from my iPhone"
    "blank",  # white space between zones
)

#: Why a message or an object was rejected. The closed list: dashboards and alerts key on it.
REJECT_REASONS = {
    "unreadable_object": "an archive's member is encrypted, sparse, or compressed in a way that is not known",
    "unreadable_archive": "the archive is damaged or truncated",
    "unsafe_path": "an archive member's name leaves the archive",
    "too_large": "larger than ingest.max_message_bytes",
    "empty": "no bytes, or nothing but white space",
    "not_mail": "no header line at all, or Outlook's .msg: not an RFC 5322 message",
    "no_text": "no text part: only attachments, or an empty body",
    "bad_row": "a JSONL line or table row without a usable raw column",
    "kernel_error": "an unexpected error on this row; the detail names its type",
}

KEY = pa.field("key", pa.string(), nullable=False)

RAW = pa.schema(
    [
        KEY,
        pa.field("source", pa.string(), nullable=False),
        pa.field("raw", pa.binary(), nullable=False),
    ]
)

SPAN = pa.struct(
    [
        pa.field("zone", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
    ]
)

CLEAN = pa.schema(
    [
        KEY,
        pa.field("thread", pa.string(), nullable=False),
        pa.field("date", pa.timestamp("us", tz="UTC"), nullable=True),
        pa.field("sender_domain", pa.string(), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("spans", pa.list_(pa.field("element", SPAN, nullable=False)), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("rendered_chars", pa.int32(), nullable=False),
        pa.field("words", pa.int32(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("flags", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
    ]
)

REJECTS = pa.schema(
    [
        KEY,
        pa.field("source", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)

VOTE = pa.struct(
    [
        pa.field("tagger", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
    ]
)

LABELS = pa.schema(
    [
        KEY,
        pa.field("votes", pa.list_(pa.field("element", VOTE, nullable=False)), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("agreement", pa.float32(), nullable=False),
    ]
)

SPLITS = ("train", "validation", "test")


def features(dimension: int, sparse_columns: int = 0) -> pa.Schema:
    """The features table for vectors of `dimension` float32 values; unlabelled rows have a null label.

    With `sparse_columns` > 0 each row also has hashed n-grams: `ngram_indices` (ascending, below
    `sparse_columns`) and `ngram_values`, lists of equal length.
    """
    vector = pa.list_(pa.field("element", pa.float32(), nullable=False), dimension)
    fields = [
        KEY,
        pa.field("label", pa.string(), nullable=True),
        pa.field("split", pa.string(), nullable=False),
        pa.field("vector", vector, nullable=False),
        pa.field("words", pa.int32(), nullable=False),
        pa.field("coverage", pa.float32(), nullable=False),
    ]
    if sparse_columns:
        for name, kind in (("ngram_indices", pa.int32()), ("ngram_values", pa.float32())):
            fields.append(pa.field(name, pa.list_(pa.field("element", kind, nullable=False)), nullable=False))
    return pa.schema(fields)


#: A labelled training mail's row is scored by the features that it was trained with, whose naive Bayes columns are out
#: of fold; scored as new mail (`mailmill score FILE.eml`) it may differ.
SCORES = pa.schema(
    [
        KEY,
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("sentiment", pa.float64(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("priority", pa.int64(), nullable=False),
    ]
)

#: An output that is files rather than rows: a model, metrics, a profile.
FILES = pa.schema([])

_KEY = "of a message: a hash of its bytes, by which tables join"
_LABEL = "the class: that of most votes"
#: What the columns mean, by table, for people. Two tables may have a column of one name: join them by `key` alone.
COLUMNS = {
    "raw": {
        "key": _KEY,
        "source": "where it was read: a path; FILE#NUMBER in a mailbox or a table, ARCHIVE!MEMBER in an archive",
        "raw": "the message's bytes as they were",
    },
    "clean": {
        "key": _KEY,
        "thread": "of a conversation: a hash of the identifier of its first message, by References or In-Reply-To",
        "date": "of the header Date, in UTC; null where that cannot be read",
        "sender_domain": "of the header From: hashed, kept or left out, as clean.sender_domain had it",
        "subject": "decoded",
        "text": "the author's own words",
        "spans": "zone and rule of all characters, from start to before end, of the message as it is shown",
        "language": "two letters, by the text's most frequent words; empty where unsure",
        "rendered_chars": "characters of the message as it is shown, which the spans cover",
        "words": "pieces of text between white space; features.words counts otherwise",
        "confidence": "0 to 1: how sure the rules are of the zones",
        "flags": "what was out of the ordinary, such as kept_low_confidence: nothing would have been left; "
        "answers_unseen: the text announces answers in what is quoted, and none could be told from it",
    },
    "rejects": {
        "key": "of a message: a hash of its bytes; of an object that is none: of its source",
        "source": "as in the table raw",
        "stage": "ingest or clean: which could not use it",
        "reason": "one of a closed list",
        "detail": "of the reason, without a word of the mail's text",
    },
    "labels": {
        "key": _KEY,
        "votes": "who (tagger: the file or header) said which label",
        "label": _LABEL,
        "agreement": "share of the votes that say so",
    },
    "features": {
        "key": _KEY,
        "label": f"{_LABEL}; null where there is none",
        "split": "train, validation or test: by a hash of the conversation",
        "vector": "word vectors, pooled: the dense features",
        "words": "tokens with a letter or a digit among those read; clean.words counts otherwise",
        "coverage": "share of all tokens read, punctuation included, that have a word vector",
        "ngram_indices": "hashed columns of the n-grams, ascending",
        "ngram_values": "their values, in the same order",
    },
    "scores": {
        "key": _KEY,
        "probability": "of the positive class, calibrated",
        "sentiment": "-1 to 1: probability of the positive class less that of the negative one",
        "label": "the class that the model calls: of two by its threshold, of more the likeliest",
        "priority": "place in the queue: 1 is the most negative mail, to be read first",
    },
}
