"""The disk cache: bounded, whole or not at all, and never a reason to fail."""

from __future__ import annotations

import multiprocessing
import os
import stat
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mailmill.mixed import Mixed, MixedMerge
from mailmill.models import cache as module
from mailmill.models.cache import Cache
from mailmill.models.data import Fragment, MemoryFragment, in_process
from mailmill.models.reading import READING, Meter
from tests.work import calls

from .problems import problem

ARRAYS = {"X": np.arange(30, dtype=np.float32).reshape(10, 3), "y": np.arange(10), "none": np.empty((0, 3), np.float32)}


@pytest.fixture(autouse=True)
def fresh() -> None:
    """As in a process that has just begun."""
    module._SINCE.clear()
    module._VERIFIED.clear()


class Maker:
    """Arrays, and how often they were made."""

    def __init__(self, size: int = 0) -> None:
        self.made: list[str] = []
        self.size = size

    def __call__(self, name: str) -> Any:
        def make() -> dict[str, np.ndarray]:
            self.made.append(name)
            return {"codes": np.full(self.size, ord(name[0]), np.uint8)} if self.size else ARRAYS

        return make


def files(cache: Cache) -> list[Path]:
    return sorted(path for path in cache.root.rglob("*") if path.is_file())


def test_each_user_has_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another's folder cannot be written to, and what lies in it is another's."""
    roots = []
    for user in (1001, 1002):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        roots += [Cache().root, Cache(str(tmp_path)).root]
    assert len(set(roots)) == 4


def test_arrays_come_back_as_they_were_and_are_made_once(tmp_path: Path) -> None:
    cache, maker = Cache(str(tmp_path / "deep" / "cache")), Maker()
    before = READING.cache_bytes
    for _ in range(3):
        found = cache.get("table", "arrays-train", "f0", maker("a"))
        assert found.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
    assert maker.made == ["a"]
    assert READING.cache_bytes - before == 2 * sum(array.nbytes for array in ARRAYS.values())
    found["X"][0, 0] = 7  # a private copy: nobody else sees it
    assert cache.get("table", "arrays-train", "f0", maker("a"))["X"][0, 0] == 0
    cache.get("table", "arrays-test", "f0", maker("b"))
    cache.get("other", "arrays-train", "f0", maker("c"))
    assert maker.made == ["a", "b", "c"]
    cache.forget("table")
    cache.get("table", "arrays-train", "f0", maker("a"))
    cache.get("other", "arrays-train", "f0", maker("c"))
    assert maker.made == ["a", "b", "c", "a"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (cache.root, *cache.root.rglob("*"))}
    assert modes == {0o700, 0o600}, "features are made of mail"


@pytest.mark.parametrize("at", [0, 20, 200, 4097, -1])
def test_damage_is_noticed_and_mended(tmp_path: Path, at: int) -> None:
    cache, maker = Cache(str(tmp_path)), Maker()
    cache.get("t", "g", "f", maker("a"))
    (path,) = files(cache)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    module._VERIFIED.clear()
    found = cache.get("t", "g", "f", maker("again"))
    np.testing.assert_array_equal(found["X"], ARRAYS["X"])
    assert maker.made == ["a", "again"]
    cache.get("t", "g", "f", maker("never"))
    assert maker.made == ["a", "again"]


@pytest.mark.parametrize("size", [0, 10, 4096, 4150])
def test_a_file_cut_short_is_made_again(tmp_path: Path, size: int) -> None:
    cache, maker = Cache(str(tmp_path)), Maker()
    cache.get("t", "g", "f", maker("a"))
    (path,) = files(cache)
    os.truncate(path, size)
    np.testing.assert_array_equal(cache.get("t", "g", "f", maker("b"))["X"], ARRAYS["X"])
    assert maker.made == ["a", "b"]


def test_what_is_full_stays_while_it_is_in_use(tmp_path: Path) -> None:
    cache, maker = Cache(str(tmp_path), limit=3 * 5096), Maker(1000)
    for _ in range(3):
        for name in "abcd":
            assert cache.get("t", "g", name, maker(name))["codes"][0] == ord(name)
    assert maker.made == ["a", "b", "c", "d", "d", "d"], "a circle of four with room for three reads three from disk"
    assert sum(path.stat().st_size for path in files(cache)) <= 3 * 5096


def test_what_nobody_reads_any_more_goes_first(tmp_path: Path) -> None:
    cache, maker = Cache(str(tmp_path), limit=3 * 5096), Maker(1000)
    for name in "abc":
        cache.get("old", "g", name, maker(name))
    module._SINCE.clear()
    time.sleep(0.01)
    cache.get("old", "g", "a", maker("a"))  # read again: now b is the least recently used
    for name in "xy":
        cache.get("new", "g", name, maker(name))
    assert sorted(path.name for path in files(cache)) == ["g-a", "g-x", "g-y"]
    cache.get("new", "g", "huge", Maker(100_000)("huge"))
    assert not any("huge" in path.name for path in files(cache))


def test_keeping_a_file_does_not_look_at_all_others(tmp_path: Path) -> None:
    """A fit keeps thousands, one after the other."""
    cache, work = Cache(str(tmp_path), limit=10**9), []
    for group in range(6):
        made = [(f"{group}-{n}", Maker(10)("x")) for n in range(50)]
        work.append(calls(lambda: [cache.get("t", "g", name, make) for name, make in made]))  # noqa: B023
    assert work[-1] < 1.5 * work[1]


def test_what_other_processes_keep_and_forget_counts_near_the_limit(tmp_path: Path) -> None:
    first, second, maker = (
        Cache(str(tmp_path), limit=3 * 5096),
        Cache(str(tmp_path) + "/.", limit=3 * 5096),
        Maker(1000),
    )
    first.get("t", "g", "a", maker("a"))
    for name in "bcd":
        second.get("t", "g", name, maker(name))
    first.get("t", "g", "e", maker("e"))
    assert len(files(first)) == 3
    second.forget("t")
    first.get("t", "g", "f", maker("f"))
    assert len(files(first)) == 1


def test_a_disk_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache, maker = Cache(str(tmp_path / "file" / "below")), Maker()
    for _ in range(2):
        np.testing.assert_array_equal(cache.get("t", "g", "f", maker("a"))["X"], ARRAYS["X"])
    assert maker.made == ["a", "a"]


def another(root: Path) -> None:
    root.mkdir(0o700)


def writable(root: Path) -> None:
    root.mkdir()
    root.chmod(0o777)


def linked(root: Path) -> None:
    root.with_name("elsewhere").mkdir(0o700)
    root.symlink_to(root.with_name("elsewhere"))


@pytest.mark.parametrize("made", [another, writable, linked])
def test_a_folder_that_is_not_this_users_alone_is_not_used(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name can be guessed: who made it before read features and labels, and had a model trained on his own."""
    cache, maker = Cache(str(tmp_path)), Maker()
    cache.get("t", "g", "forged", maker("forged"))
    forged = cache.root.rename(tmp_path / "forged")
    made(cache.root)
    (forged / "t").rename(cache.root / "t")
    if made is another:
        lstat = os.lstat
        monkeypatch.setattr(os, "lstat", lambda path: as_of_another(lstat(path)))
    assert cache.refused
    for name in ("forged", "f"):
        cache.get("t", "g", name, maker(name))
    cache.forget("t")
    assert maker.made == ["forged", "forged", "f"]
    assert [path.name for path in (cache.root / "t").iterdir()] == ["g-forged"]


def as_of_another(found: os.stat_result) -> os.stat_result:
    return os.stat_result([*found[:4], os.geteuid() + 1, *found[5:10]])


def test_room_is_made_of_the_caches_own_files(tmp_path: Path) -> None:
    """Links to folders were followed, and what lay there went: a mailbox, say."""
    precious, cache, maker = tmp_path / "precious", Cache(str(tmp_path), limit=5096), Maker(1000)
    for place in (precious, tmp_path / "mail"):
        place.mkdir(0o700)
        (place / "letter").write_bytes(b"the only copy")
        os.utime(place / "letter", (0, 0))
    cache.get("t", "g", "a", maker("a"))
    (cache.root / "link").symlink_to(precious)
    (cache.root / "other").symlink_to(precious)
    module._SINCE.clear()
    cache.get("u", "g", "b", maker("b"))
    assert [path.name for path in files(cache)] == ["g-b"]
    cache.get("other", "g", "c", maker("c"))
    cache.forget("other")
    assert sorted(tmp_path.glob("*/letter")) == [tmp_path / "mail" / "letter", precious / "letter"]
    assert os.listdir(precious) == ["letter"]


def _race(folder: str, start: Any, results: Any) -> None:
    cache, rng = Cache(folder), np.random.default_rng(os.getpid())
    start.wait()
    good = True
    for n in rng.integers(0, 5, 60).tolist():
        found = cache.get("t", "g", str(n), lambda n=n: {"X": np.full((500, 7), n, np.float32)})
        good &= bool((found["X"] == n).all())
        if n == 0:
            cache.forget("t")
    results.put(good)


def test_processes_may_race(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(3), context.Queue()
    workers = [context.Process(target=_race, args=(str(tmp_path), start, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == [True] * 3
    for worker in workers:
        worker.join()
    assert not [path for path in files(Cache(str(tmp_path))) if path.name.startswith(".")]


def test_a_meter_adds_up_what_workers_read(tmp_path: Path) -> None:
    cache, data = Cache(str(tmp_path)), problem(10, 2)

    class Reading(MemoryFragment):
        def arrays(self, split: str) -> Any:
            cache.get("t", split, str(id(self)), lambda: ARRAYS)
            READING.source_bytes += 5
            return super().arrays(split)

    meter = Meter(in_process([Reading({"train": data}) for _ in range(3)]))
    size = sum(array.nbytes for array in ARRAYS.values())
    assert meter(_rows, int.__add__, "train") == 30
    assert (meter.source_bytes, meter.cache_bytes) == (15, 0)
    assert meter(_rows, int.__add__, "train") == 30
    assert (meter.source_bytes, meter.cache_bytes) == (30, 3 * size)


def test_a_metered_merge_keeps_its_exact_part_apart() -> None:
    merges: list[Any] = []
    inner = in_process([MemoryFragment({"train": problem(10, 3)}) for _ in range(3)])

    def noting(partial: Any, merge: Any, broadcast: Any, *, exact: bool = False) -> Any:
        merges.append(merge)
        return inner(partial, merge, broadcast, exact=exact)

    meter = Meter(noting)
    found = meter(_both, MixedMerge(str.__add__, int.__add__), "train")
    assert (found.ordered, found.exact) == ("xxx", 30)
    assert isinstance(merges[0], MixedMerge)  # what engines look for, see `merging`
    assert merges[0].exact(1, 2) == 3


def _both(fragment: Fragment, split: str) -> Mixed[str, int]:
    return Mixed("x", _rows(fragment, split))


def _rows(fragment: Fragment, split: str) -> int:
    return len(fragment.arrays(split).y)
