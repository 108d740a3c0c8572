"""Raw mail far larger than memory, through every stage, and the memory of each process on the way.

    python bench/large.py --texts ../shared/data/imdb_train.parquet --group movie [--bytes 20GB] [--memory 1GiB]

The texts are wrapped as mail by `mailmill corpus`; that mail is then written again and again, each copy under its own
Message-IDs, addresses and labels, until `--bytes` of raw mail lie there. `mailmill run` takes it from the files to a
documented model with two Dask workers of `--memory` each. Copies say nothing new, so the penalty of n-grams, which by
default weakens with each row, is set to what it is for the texts alone. Every second the resident memory of the driver
and of each worker is noted: `--curve` gets the samples (CSV) and, with matplotlib, their plot (SVG).
Printed: seconds a stage, the highest memory of the driver and of a worker in it, and the whole. With `--work`, an
interrupted run is taken up where it stopped. Needs mailmill[dask,docs,bench].
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from processes import command_of, family, resident

from mailmill.config import parse_bytes
from mailmill.models.logistic import SPARSE_C

MIB = 2**20
BETWEEN = "between"


def make_mail(given: argparse.Namespace, place: Path) -> None:
    """Write the mail and its labels below `place`, and at last made.json: what was asked for, mails, bytes."""
    once = place / "once"
    command = [sys.executable, "-m", "mailmill", "corpus", "--out", str(once), "--format", "parquet"]
    command += ["--texts", str(given.texts), *(["--group-column", given.group] if given.group else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    raws = [raw for file in sorted((once / "mail").glob("*.parquet")) for raw in pq.read_table(file)["raw"].to_pylist()]
    with (once / "labels.csv").open(newline="") as stream:
        labels = list(csv.DictReader(stream))
    size, copies, rows = 0, 0, 0
    wanted = parse_bytes(given.bytes)
    shutil.rmtree(place / "mail", ignore_errors=True)  # of a run that was interrupted
    (place / "mail").mkdir()
    with (place / "labels.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["message_id", "label"])
        while size < int(wanted):
            mails = [renamed(raw, copies) for raw in raws]
            table = pa.table({"raw": pa.array(mails, pa.binary())})
            pq.write_table(table, place / "mail" / f"part-{copies:05}.parquet", 2000, compression="zstd")
            writer.writerows((f"{copies}.{row['message_id']}", row["label"]) for row in labels)
            size, copies, rows = size + sum(map(len, mails)), copies + 1, rows + len(mails)
    (place / "made.json").write_text(json.dumps([given.bytes, rows, size]))


def own_penalty(texts: Path) -> float:
    """`logistic.l2_sparse` as it is by default for the texts' training split alone, four fifths of them."""
    return 1 / (SPARSE_C * 0.8 * pq.read_metadata(texts).num_rows)


def renamed(raw: bytes, number: int) -> bytes:
    """The message with every `<id@host>` and `<name@host>` of its header under a name of this copy's own."""
    end = blank.start() if (blank := re.search(rb"\r?\n\r?\n", raw)) else len(raw)
    return raw[:end].replace(b"<", b"<%d." % number) + raw[end:]


@dataclass
class Curve:
    """Samples of a running process's family: (seconds, who, process, RSS, anonymous bytes); and when stages ran."""

    process: subprocess.Popen[str]
    samples: list[tuple[float, str, int, int, int]] = field(default_factory=list)
    spans: list[tuple[float, float, str]] = field(default_factory=list)

    def watch(self) -> None:
        """Sample until the process ends; its log says when a stage began and was done."""
        self._began = time.monotonic()
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        while self.process.poll() is None:
            for process in family(self.process.pid):
                who = "driver" if process == self.process.pid else "worker"
                if who == "driver" or "spawn_main" in command_of(process):
                    rss, anonymous, _ = resident(process)
                    self.samples.append((time.monotonic() - self._began, who, process, rss, anonymous))
            time.sleep(1)
        listener.join()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                said = json.loads(line)
            except ValueError:
                sys.stderr.write(line)
                continue
            if said.get("event") == "done":
                now = time.monotonic() - self._began
                self.spans.append((now - said["seconds"], now, said["stage"]))
                sys.stderr.write(f"{now:7.0f} s  {said['message']}\n")
            elif said["level"] not in ("DEBUG", "INFO"):
                told = (said[name] for name in ("message", "hint", "exception") if said.get(name))
                sys.stderr.writelines(f"{line}\n" for line in told)

    def stage(self, at: float) -> str:
        """What ran at a time: a stage, or what lies between them (start-up, counting, profiling, publishing)."""
        return next((stage for start, end, stage in self.spans if start <= at <= end), BETWEEN)

    def peaks(self, stage: str | None, who: str) -> tuple[int, int]:
        """The highest RSS and the highest anonymous memory of any such process in a stage, or in all."""
        of = [sample for sample in self.samples if sample[1] == who and stage in (None, self.stage(sample[0]))]
        return max((sample[3] for sample in of), default=0), max((sample[4] for sample in of), default=0)

    def seconds(self) -> dict[str, float]:
        """Seconds a stage, in their order; what lies between them last."""
        taken = {stage: end - start for start, end, stage in self.spans}
        return taken | {BETWEEN: self.samples[-1][0] - sum(taken.values())}


def write(curve: Curve, target: Path, memory: int) -> None:
    """The samples as CSV, and their plot beside it where matplotlib is installed."""
    with target.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["seconds", "stage", "who", "process", "rss", "anonymous"])
        writer.writerows((round(at, 1), curve.stage(at), *rest) for at, *rest in curve.samples)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    for process in sorted({sample[2] for sample in curve.samples}):
        of = [sample for sample in curve.samples if sample[2] == process]
        axes.plot([s[0] / 60 for s in of], [s[3] / MIB for s in of], label=f"{of[0][1]} {process}", linewidth=1)
    axes.axhline(memory / MIB, linestyle="--", color="black", linewidth=1, label="a worker's budget")
    for start, _, stage in curve.spans:
        axes.axvline(start / 60, color="0.8", linewidth=0.5)
        axes.annotate(stage, (start / 60, 1), xycoords=("data", "axes fraction"), rotation=90, va="top", fontsize=7)
    axes.set(xlabel="minutes", ylabel="resident memory, MiB", ylim=(0, None))
    axes.legend(loc="lower right", fontsize=7)
    figure.savefig(target.with_suffix(".svg"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True, help="Parquet with text and label")
    parser.add_argument("--group", default="", help="column of --texts that makes conversations")
    parser.add_argument("--bytes", default="20GB", help="of raw mail [20GB]")
    parser.add_argument("--memory", default="1GiB", help="of each worker [1GiB]")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help="a folder to keep; default: one that is removed")
    parser.add_argument("--curve", type=Path, default=Path("large.csv"), help="the samples [large.csv]")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="section.key=value")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="mailmill-bench-") as folder:
        place = given.work or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        given.curve.parent.mkdir(parents=True, exist_ok=True)
        made = place / "made.json"
        if not made.exists():
            make_mail(given, place)
        wanted, rows, size = json.loads(made.read_text())
        if wanted != given.bytes:
            parser.error(f"{place} holds mail of --bytes {wanted}")
        print(f"{rows:,} mails, {size / 1e9:.1f} GB of raw mail", flush=True)
        conf = place / "large.toml"
        conf.write_text(
            f'[run]\nwork = "{place / "work"}"\n[input]\npaths = ["{place / "mail"}"]\n'
            f'[engine]\nkind = "dask"\nworkers = {given.workers}\nmemory = "{given.memory}"\n'
            f'[labels]\nsource = "{place / "labels.csv"}"\n[docs]\nsite = "{place / "site"}"\n'
        )
        settings = [f"logistic.l2_sparse={own_penalty(given.texts):.3g}", *given.settings]
        options = [part for setting in settings for part in ("--set", setting)]
        command = [sys.executable, "-m", "mailmill", "run", "--config", str(conf), *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        curve = Curve(process)
        curve.watch()
        memory = int(parse_bytes(given.memory))
        print(
            f"{'stage':15} {'seconds':>8}  highest MiB (own): {'driver':>14} {'a worker':>14}   budget {memory // MIB}"
        )
        for stage, seconds in [*curve.seconds().items(), (None, curve.samples[-1][0])]:
            driver, worker = (
                "{:.0f} ({:.0f})".format(*(peak / MIB for peak in curve.peaks(stage, who)))
                for who in ("driver", "worker")
            )
            print(f"{stage or 'all':15} {seconds:8.0f}  {'':18} {driver:>14} {worker:>14}", flush=True)
        write(curve, given.curve, memory)
        if process.returncode:
            raise SystemExit(f"mailmill run ended with {process.returncode}")


if __name__ == "__main__":
    main()
