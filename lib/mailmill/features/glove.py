"""Word vectors in a memory-mapped store: built once, opened in a blink, shared by all processes.

Half a gigabyte of text takes half a minute to parse and gigabytes as Python objects; on a machine
with a worker a core that is paid once a worker. The store is the same numbers in files that the
operating system maps and shares: the vectors, and an index of sorted 64-bit hashes of the words,
with the words themselves beside it so that two words of one hash are told apart.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from mailmill.errors import ConfigError, DataError, InfrastructureError
from mailmill.features.mapped import mapped
from mailmill.features.vector_files import Block, VectorFile, size_of
from mailmill.storage.disk import flush_to_disk, part_of

FORMAT = 1
META, VECTORS, HASHES, ROWS, WORDS, OFFSETS = (
    "meta.json", "vectors.npy", "hashes.npy", "rows.npy", "words.bin", "offsets.npy",
)  # fmt: skip
STORED = frozenset({META, VECTORS, HASHES, ROWS, WORDS, OFFSETS})

#: What files raise that are not those of a store.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_REMEMBERED_TOKENS = 1 << 18
_REMEMBERED_LENGTH = 32


class GloveStore:
    """An opened store. Picklable: it is only a folder's name; files are mapped where it is used.

    `vectors` float32 (n, d), read-only; `name` is the source's; `fingerprint`, 32 hex digits, is a hash of
    all words and vectors in their order, so the same vectors have the same one from .txt, .gz or .zip.
    """

    def __init__(self, directory: Path, meta: dict[str, Any]) -> None:
        self.directory = directory
        self.name: str = meta["name"]
        self.dimension: int = meta["dimension"]
        self.count: int = meta["count"]
        self.fingerprint: str = meta["fingerprint"]
        self.vectors: NDArray[np.float32] = mapped(directory / VECTORS, "<f4", self.count, self.dimension)
        self._hashes = mapped(directory / HASHES, "<u8", self.count)
        self._rows = mapped(directory / ROWS, "<i4", self.count)
        self._words = memoryview(cast(Any, np.memmap(directory / WORDS, np.uint8, mode="r")))
        self._offsets = mapped(directory / OFFSETS, "<i8", self.count + 1)
        self._seen: dict[str, int] = {}
        if self._rows.min() < 0 or self._rows.max() >= self.count:
            raise ValueError(f"{ROWS} leads out of the vectors")
        ends = self._offsets
        if ends[0] != 0 or ends[-1] != len(self._words) or (ends[1:] < ends[:-1]).any():
            raise ValueError(f"{OFFSETS} does not divide {WORDS}")

    @classmethod
    def open(cls, directory: str | Path) -> GloveStore:
        """Map a store that `build_store` wrote. Raises DataError where it is missing, damaged or of another format.

        Whoever made it, `lookup` gives rows of `vectors` and no others.
        """
        directory = Path(directory)
        try:
            return cls(directory, _read_meta(directory))
        except _DAMAGE as error:
            raise DataError(
                f"{directory} is not a complete store of word vectors ({type(error).__name__})",
                hint="delete the folder and run the stage again: it is built anew",
            ) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return GloveStore.open, (str(self.directory),)

    def __len__(self) -> int:
        return self.count

    def word(self, row: int) -> str:
        """The word of a row of `vectors`."""
        return bytes(self._words[self._offsets[row] : self._offsets[row + 1]]).decode()

    def lookup(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """The row of `vectors` for each token, -1 for one that the vocabulary does not hold; int32 (m,).

        Tokens met before in this process come from a bounded cache, others from a binary search, O(log n).
        """
        seen = self._seen
        if len(seen) > _REMEMBERED_TOKENS:
            seen.clear()
        unseen = sorted(set(tokens).difference(seen))
        if unseen:
            seen.update(zip(unseen, self._search(unseen), strict=True))
        rows = np.fromiter(map(seen.__getitem__, tokens), dtype=np.int32, count=len(tokens))
        for token in unseen:
            if len(token) > _REMEMBERED_LENGTH:
                del seen[token]
        return rows

    def _search(self, tokens: list[str]) -> list[int]:
        encoded = [token.encode("utf-8", "surrogatepass") for token in tokens]
        hashes = _hashed(encoded)
        at = np.searchsorted(self._hashes, hashes, side="left")
        hits = self._hashes[np.minimum(at, self.count - 1)] == hashes
        rows = [-1] * len(tokens)
        for index in np.flatnonzero(hits).tolist():
            rows[index] = self._confirm(encoded[index], hashes[index], int(at[index]))
        return rows

    def _confirm(self, word: bytes, value: np.uint64, at: int) -> int:
        """The row of `word` among the words of its hash, which begin at `at` in the index; -1 for none."""
        while at < self.count and self._hashes[at] == value:
            row = int(self._rows[at])
            if self._words[self._offsets[row] : self._offsets[row + 1]] == word:
                return row
            at += 1
        return -1


def build_store(source: str | VectorFile, directory: str | Path) -> GloveStore:
    """Read word vectors once and write them to `directory` as a store; keep the one there if it is current.

    `source` is a path to .txt, .txt.gz or .zip (`x.zip!member.txt` chooses one), or `package:NAME`, or found already.
    A store is current while its source has the same signature: name, size, and time of change or ETag. It
    appears whole, by a rename, or not at all. Two processes may build it at once: one of the two equal stores stays.

    Raises:
        DataError: the source is missing, cut, damaged, or holds a word twice; names the file and the line.
        ConfigError: a package is not installed, or `directory` holds something else.
        InfrastructureError: the disk failed.
    """
    found = VectorFile.find(source) if isinstance(source, str) else source
    directory = Path(directory)
    if stands(directory, "signature", found.signature):
        return GloveStore.open(directory)
    if directory.is_dir() and any(directory.iterdir()) and not (directory / META).is_file():
        raise _other(directory)
    with building(found, directory) as built:
        _publish(built.directory, directory, "signature", found.signature)
    return GloveStore.open(directory)


@contextlib.contextmanager
def building(found: VectorFile, directory: Path) -> Iterator[GloveStore]:
    """A store of `found` in a folder beside `directory`, on the disk; it goes with the block where it is not moved."""
    temporary = part_of(directory)
    try:
        temporary.mkdir(parents=True)
        _write(found, temporary)
        for file in temporary.iterdir():
            flush_to_disk(file)
        yield GloveStore.open(temporary)
    except OSError as error:
        place = error.filename2 or error.filename or directory.parent
        raise InfrastructureError(f"{place}: word vectors cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def keep(built: GloveStore, folder: Path) -> None:
    """Move a store that is `building` to its fingerprint's name in `folder`; the same vectors' stays where it is there.

    It is from then on the store of this source: of a file that was touched. Raises ConfigError as `build_store` does.
    """
    directory = folder / built.fingerprint
    _publish(built.directory, directory, "fingerprint", built.fingerprint)
    with contextlib.suppress(OSError):  # it was moved; or the one there is not ours to write, and is still as good
        os.replace(built.directory / META, directory / META)


def _read_meta(directory: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((directory / META).read_text(encoding="utf-8"))
    if meta["format"] != FORMAT:
        raise ValueError(f"format {meta['format']}")
    if any(size_of(directory / name) != size for name, size in meta["files"].items()):
        raise ValueError("a file has the wrong size")
    return meta


def stands(directory: Path, key: str, value: str) -> bool:
    """Whether a complete store is there whose META says `value` of `key`: "signature" or "fingerprint"."""
    try:
        return bool(_read_meta(directory)[key] == value)
    except _DAMAGE:
        return False


def _other(directory: Path) -> ConfigError:
    return ConfigError(f"{directory} is no store of word vectors and will not be replaced", hint="move it away")


def _publish(temporary: Path, directory: Path, key: str, value: str) -> None:
    """Rename the finished store into place; an older or damaged one steps aside and goes (of a link, the link)."""
    while not stands(directory, key, value):  # else another process was faster, with the same content
        try:
            os.rename(temporary, directory)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        with contextlib.suppress(FileNotFoundError):
            if not directory.is_dir() or not STORED.issuperset(os.listdir(directory)):
                raise _other(directory)
            aside = part_of(directory)
            os.rename(directory, aside)
            aside.unlink() if aside.is_symlink() else shutil.rmtree(aside, ignore_errors=True)


def _write(found: VectorFile, folder: Path) -> None:
    digest = hashlib.blake2b(digest_size=16)
    hashes: list[NDArray[np.uint64]] = []
    lengths: list[int] = []
    dimension, first_line = 0, 1
    with open(folder / VECTORS, "wb") as vectors, open(folder / WORDS, "wb") as words:
        for block in found.blocks():
            if not lengths:
                dimension, first_line = block.vectors.shape[1], block.line
                _npy_header(vectors, 0, dimension)
            _add(block, vectors, words, digest)
            hashes.append(_hashed(block.words))
            lengths += map(len, block.words)
        _npy_header(vectors, len(lengths), dimension)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    unsorted = np.concatenate(hashes)
    rows = np.argsort(unsorted, kind="stable").astype(np.int32)
    _refuse_duplicates(unsorted[rows], rows, offsets, folder / WORDS, found.name, first_line)
    np.save(folder / HASHES, unsorted[rows])
    np.save(folder / ROWS, rows)
    np.save(folder / OFFSETS, offsets)
    meta = {
        "format": FORMAT,
        "name": found.name,
        "dimension": dimension,
        "count": len(lengths),
        "fingerprint": digest.hexdigest(),
        "signature": found.signature,
        "files": {name: size_of(folder / name) for name in sorted(STORED - {META})},
    }
    (folder / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def _add(block: Block, vectors: BinaryIO, words: BinaryIO, digest: Any) -> None:
    """Append a block; the digest takes, word by word, the word, a zero byte and the vector's bytes."""
    values = block.vectors.astype("<f4", copy=False)
    vectors.write(values.tobytes())
    words.write(b"".join(block.words))
    for word, value in zip(block.words, values, strict=True):
        digest.update(word + b"\0" + value.tobytes())


def _hashed(words: Sequence[bytes]) -> NDArray[np.uint64]:
    """The first 64 bits of BLAKE2b of each word."""
    joined = b"".join([hashlib.blake2b(word, digest_size=8).digest() for word in words])
    return np.frombuffer(joined, dtype="<u8")


def _refuse_duplicates(
    hashes: NDArray[np.uint64], rows: NDArray[np.int32], offsets: NDArray[np.int64], path: Path, name: str, line: int
) -> None:
    repeated = np.flatnonzero(hashes[1:] == hashes[:-1])
    if not len(repeated):
        return
    words = path.read_bytes()
    for at in repeated.tolist():
        one, two = int(rows[at]), int(rows[at + 1])
        if words[offsets[one] : offsets[one + 1]] == words[offsets[two] : offsets[two + 1]]:
            raise DataError(
                f"word vectors {name}: line {two + line} repeats the word of line {one + line}",
                hint="keep one of the two lines",
            )


def _npy_header(stream: BinaryIO, count: int, dimension: int) -> None:
    """Write, or write over, a header of 128 bytes at the beginning of an .npy file (format version 1.0)."""
    text = repr({"descr": "<f4", "fortran_order": False, "shape": (count, dimension)})
    stream.seek(0)
    stream.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n")
