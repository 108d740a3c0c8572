"""What does a profile cost beside cleaning? One core, one run, the same mail, taking turns.

    python bench/profiling.py --data ../shared/data/spamassassin.parquet [--mails 20000] [--repeats 5]

`--data` is a Parquet file with the column `raw`; its mails are repeated under other keys up to `--mails`. Measured:

    clean      the clean stage's work: CleanKernel from the raw table to a written clean table
    profile    the profile of that table, as the gate takes it
    memory     how much a fresh process grows while it profiles tables of one, two and four times the size, after
               one of a few mails: what libraries allocate at their first use is not the table's

Prints medians, mails a second and the profile's share of the cleaning time. Great Expectations costs the same for any
table: its import and two checkpoints are timed once. Needs mailmill[docs].
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mailmill import schemas
from mailmill.config import StorageSection, TablesSection
from mailmill.email import CleanKernel
from mailmill.engines.local import LocalEngine
from mailmill.quality import expectations, suites
from mailmill.quality.profile import Profile, profile
from mailmill.storage.filesystems import Storage
from mailmill.storage.tables import Stage, Table, Workspace

STORAGE = Storage(StorageSection())


def workspace(root: str) -> Workspace:
    return Workspace(STORAGE, root, TablesSection())


def write_raw(root: str, raws: list[bytes], mails: int) -> Table:
    """A published raw table of `mails` rows; a repeated mail has a key of its own."""
    stage = workspace(root).stage({}, "bench", {"raw": schemas.RAW})
    with stage.sink.open(0) as writer:
        for start in range(0, mails, 500):
            rows = [
                {
                    "key": hashlib.blake2b(str(n).encode(), digest_size=16).hexdigest(),
                    "source": f"bench/{n}.eml",
                    "raw": raws[n % len(raws)],
                }
                for n in range(start, min(start + 500, mails))
            ]
            writer.write("raw", pa.RecordBatch.from_pylist(rows, schemas.RAW))
    return stage.publish(writer.written, {})["raw"]


def clean(root: str, raw: Table) -> tuple[Stage, Table]:
    """The clean stage's work, without manifests."""
    kernel = CleanKernel()
    stage = workspace(root).stage({}, "bench", kernel.outputs)
    return stage, stage.draft("clean", LocalEngine().map_table(raw, kernel, stage.sink), schemas.CLEAN)


def repeated(root: str, once: pa.Table, mails: int) -> Table:
    """A clean table of `mails` rows: those of `once` again and again, under other keys."""
    stage = workspace(root).stage({}, "bench", {"clean": schemas.CLEAN})
    with stage.sink.open(0) as writer:
        for start in range(0, mails, once.num_rows):
            rows = once.slice(0, min(once.num_rows, mails - start))
            keys = [hashlib.blake2b(str(start + n).encode(), digest_size=16).hexdigest() for n in range(len(rows))]
            for batch in rows.set_column(0, schemas.CLEAN.field(0), pa.array(keys)).to_batches(max_chunksize=2000):
                writer.write("clean", batch)
    return stage.draft("clean", writer.written, schemas.CLEAN)


def measured(table: Table) -> Profile:
    engine = LocalEngine()
    counts = {"messages": table.rows, "duplicates": 0, "rejects": 0}
    return profile(table, engine.map_reduce, engine.task_bytes, statistics=counts)


def growth(few: Table, table: Table) -> float:
    """How much this process's resident memory grows, at its highest, while it profiles `table` after `few`: MiB."""
    measured(few)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident("VmRSS")
    measured(table)
    return (resident("VmHWM") - before) / 2**10


def resident(name: str) -> int:
    """VmRSS (now) or VmHWM (the peak) of this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    raws = pq.read_table(options.data, columns=["raw"]).column("raw").to_pylist()
    with tempfile.TemporaryDirectory(prefix="mailmill-") as root:
        sizes = [options.mails // 4, options.mails // 2, options.mails]
        once = clean(f"{root}/once", write_raw(f"{root}/once", raws, len(raws)))[1].read()
        few = repeated(f"{root}/few", once, 20)
        made = [repeated(f"{root}/{n}", once, n) for n in sizes]
        raw = write_raw(f"{root}/timed", raws, options.mails)
        cleaning, profiling = [], []
        for _ in range(options.repeats):
            start = time.process_time()
            _, table = clean(f"{root}/timed", raw)
            middle = time.process_time()
            found = measured(table)
            end = time.process_time()
            cleaning.append(middle - start)
            profiling.append(end - middle)
        rows = table.rows
        for name, taken in (("clean", cleaning), ("profile", profiling)):
            seconds = statistics.median(taken)
            spread = (max(taken) - min(taken)) / seconds
            print(f"{name:9}{seconds:8.2f} s {rows / seconds:10,.0f} mails/s   spread {spread:.0%}")
        ratios = [p / c for p, c in zip(profiling, cleaning, strict=True)]
        print(f"profile / clean: median {statistics.median(ratios):.1%}, worst {max(ratios):.1%} of {rows:,} mails")
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as processes:
            for table, more in zip(made, processes.map(partial(growth, few), made), strict=True):
                print(f"memory to profile {table.rows:>9,} mails: {more:6.1f} MiB beyond the libraries'")
    if expectations.available():
        start = time.perf_counter()
        expectations._library()
        middle = time.perf_counter()
        expectations.check(suites.load(STORAGE, "clean"), found)
        print(f"Great Expectations: import {middle - start:.1f} s once a run, "
              f"clean's checkpoints {time.perf_counter() - middle:.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
