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
