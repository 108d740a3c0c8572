"""How raw mail lies on a disk: single files, one mbox, one archive, or Parquet parts. All are streamed."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

Format = Literal["eml", "mbox", "tar.gz", "parquet"]

#: Files of one folder, or of one archive folder.
SHARD = 1000
_PART_BYTES = 64 * 2**20
_BATCH_BYTES = 4 * 2**20
_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)


class Sink(Protocol):
    """Takes mails one after the other; `close` finishes the files."""

    def add(self, index: int, name: str, raw: bytes) -> None:
        """Store one mail."""
        ...

    def close(self) -> None:
        """Finish and close every file."""
        ...


def open_sink(folder: Path, kind: Format) -> Sink:
    """A sink of format `kind` that writes under `folder`, which must exist."""
    sinks: dict[str, type[EmlSink] | type[MboxSink] | type[TarSink] | type[ParquetSink]] = {
        "eml": EmlSink,
        "mbox": MboxSink,
        "tar.gz": TarSink,
        "parquet": ParquetSink,
    }
    return sinks[kind](folder)


class EmlSink:
    """mail/000000/0000000000.eml: one file a mail, 1,000 to a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shard = -1
        self._base = ""

    def add(self, index: int, name: str, raw: bytes) -> None:
        """Write one file."""
        if index // SHARD != self._shard:
            self._shard = index // SHARD
            shard = self._folder / f"{self._shard:06d}"
            shard.mkdir(exist_ok=True)
            self._base = f"{shard}/"
        with open(self._base + name, "wb", buffering=0) as file:
            file.write(raw)

    def close(self) -> None:
        """Nothing is left open."""


class MboxSink:
    """mail/corpus.mbox in the mboxrd form: every line ">*From " of a mail gets one more ">" (RFC 4155, qmail)."""

    def __init__(self, folder: Path) -> None:
        self._file = open(folder / "corpus.mbox", "wb", buffering=2**20)  # noqa: SIM115

    def add(self, index: int, name: str, raw: bytes) -> None:
        """Append one mail, a final line end where it lacks one, and the empty line that closes it."""
        self._file.write(b"From corpus@mail.example Thu Jan  1 00:00:00 2015\n")
        self._file.write(_FROM_LINE.sub(rb">\1", raw))
        self._file.write(b"\n" if raw.endswith(b"\n") else b"\n\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TarSink:
    """mail/corpus.tar.gz with the folders of `EmlSink`; no times, owners or compressor's names in it."""

    def __init__(self, folder: Path) -> None:
        self._file = open(folder / "corpus.tar.gz", "wb", buffering=2**20)  # noqa: SIM115
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=self._file, mtime=0)
        self._tar = tarfile.open(fileobj=cast(BinaryIO, self._gzip), mode="w|", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def add(self, index: int, name: str, raw: bytes) -> None:
        """Append one member."""
        member = tarfile.TarInfo(f"{index // SHARD:06d}/{name}")
        member.size = len(raw)
        self._tar.addfile(member, io.BytesIO(raw))
        # tarfile remembers every member; a corpus of millions must not.
        self._tar.members.clear()  # type: ignore[attr-defined]  # not in typeshed

    def close(self) -> None:
        """Write the archive's end."""
        self._tar.close()
        self._gzip.close()
        self._file.close()


class ParquetSink:
    """mail/part-00000.parquet, ...: columns name and raw, a new part after 64 MB of raw mail."""

    _SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False), pa.field("raw", pa.binary(), nullable=False)])

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = 0
        self._part_bytes = 0
        self._batch_bytes = 0
        self._names: list[str] = []
        self._raws: list[bytes] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, index: int, name: str, raw: bytes) -> None:
        """Collect one row; write a row group every 4 MB."""
        self._names.append(name)
        self._raws.append(raw)
        self._batch_bytes += len(raw)
        if self._batch_bytes >= _BATCH_BYTES:
            self._flush()
        if self._part_bytes >= _PART_BYTES:
            self._end_part()

    def close(self) -> None:
        """Write what is left; an empty corpus still has one part, with no rows."""
        if self._names or self._parts == 0:
            self._flush()
        self._end_part()

    def _flush(self) -> None:
        if self._writer is None:
            path = self._folder / f"part-{self._parts:05d}.parquet"
            self._writer = pq.ParquetWriter(path, self._SCHEMA, compression="zstd")
            self._parts += 1
        self._writer.write_batch(pa.record_batch([self._names, self._raws], schema=self._SCHEMA))
        self._part_bytes += self._batch_bytes
        self._batch_bytes = 0
        self._names, self._raws = [], []

    def _end_part(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._part_bytes = 0
