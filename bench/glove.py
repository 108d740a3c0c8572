"""Training GloVe: pairs a second and loss, beside the published C program, on the same pairs in one run.

    python bench/glove.py --data ../shared/data/imdb_unsup.parquet [--pairs 5000000] [--c-binary PATH]

`--data` is a Parquet file with the column `text`; its words and pairs are counted by mailmill's own code.
`--c-binary` is the program `glove` of stanfordnlp/GloVe, built with its Makefile (gcc -O3 -march=native
-funroll-loops -pthread); give it twice to compare two builds. It gets the same pairs, shuffled at random as
its own `shuffle` would, the same hyperparameters and as many threads.

Each program trains for --epochs epochs; the rounds take turns. Rates are pairs a second of an epoch, medians
over epochs and repeats, by the clock and by processor time (on a shared machine the second is the steadier
one; C's comes from the operating system, with the reading of its file and its start). `loss` is f diff^2 / 2
a pair, of the parameters at the end over all pairs, computed alike for both programs.

Without --c-binary mailmill is measured alone. `--threads 1,2` shows how it scales, `--orders` also trains in a fully
random order, which shows what the order by blocks costs or gains. Needs no extra.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mailmill import resources
from mailmill.config import GloveSection, StorageSection
from mailmill.features import glove_training, vocabulary
from mailmill.features.cooccurrence import Counts, count_pairs, unit
from mailmill.features.glove_training import Training, mean_loss, run_epoch
from mailmill.features.pairs import PairFile, Weighting, write_pairs
from mailmill.features.parameters import Layout
from mailmill.stages import own_vectors
from mailmill.storage.filesystems import Storage

RECORD = np.dtype([("word1", "<i4"), ("word2", "<i4"), ("val", "<f8")])


def texts_of(data: Path) -> list[str]:
    """The column `text` of a Parquet file, with spaces for its line breaks of HTML."""
    column = pq.read_table(data, columns=["text"]).column("text").to_pylist()
    return [re.sub(r"<br\s*/?>", " ", text) for text in column]


def count(texts: list[str], window: int, min_count: int, folder: Path) -> tuple[list[str], Counts]:
    """Words by rank, and every pair i <= j once."""
    began = time.perf_counter()
    counts = Counter(chain.from_iterable(map(vocabulary.known_tokens, texts)))
    table = pa.table([list(counts), list(counts.values())], schema=vocabulary.COUNTS)
    words = [word for word, _ in vocabulary.rank([table], min_count, None)]
    written = vocabulary.Vocabulary.write(Storage(StorageSection()), str(folder / "words.json"), words)
    tokens, offsets = written.encode(texts)
    counted = time.perf_counter()
    parts = list(count_pairs(tokens, offsets, window, len(words)))
    keys = np.concatenate([i.astype(np.int64) * len(words) + j for i, j, _ in parts])
    order = np.argsort(keys)
    keys, sums = keys[order], np.concatenate([x for _, _, x in parts])[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    i, j = np.divmod(keys[starts], len(words))
    print(
        f"{len(tokens):,} tokens, {len(words):,} words in {counted - began:.1f} s; "
        f"window {window}: {len(starts):,} pairs i <= j in {time.perf_counter() - counted:.1f} s"
    )
    return words, (i.astype(np.int32), j.astype(np.int32), np.add.reduceat(sums, starts))


def trained(texts: list[str], folder: Path) -> Path:
    """Vectors of the texts' words as `mailmill glove` trains them by default, in GloVe's text format."""
    settings = GloveSection()
    words, counts = count(texts, settings.window, settings.min_count, folder)
    layout = Layout(len(words), settings.dimension)
    weighting = Weighting(unit(settings.window), settings.x_max, settings.alpha)
    file = write_pairs(folder, iter([counts]), len(counts[0]), layout, weighting)
    training = Training(settings.epochs, settings.eta, seed=1)
    found = glove_training.train(file, layout, training, folder, resources.cores())
    path = folder / own_vectors.FILE
    path.write_bytes(b"".join(own_vectors.lines(words, found)))
    return path


def write_records(path: Path, counts: Counts, window: int) -> None:
    """The same pairs, both directions, as the C program reads them, in random order."""
    i, j, x = counts
    other = i != j
    records = np.empty(len(i) + int(other.sum()), RECORD)
    records["word1"], records["word2"] = np.concatenate([i, j[other]]) + 1, np.concatenate([j, i[other]]) + 1
    records["val"] = np.concatenate([np.where(other, x, 2 * x), x[other]]) / unit(window)
    np.random.default_rng(1).shuffle(records)
    records.tofile(path)


class Mailmill:
    """mailmill's training, in this process."""

    def __init__(self, name: str, file: PairFile, layout: Layout, options: argparse.Namespace, threads: int) -> None:
        self.name, self.file, self.layout, self.threads = name, file, layout, threads
        self.settings = Training(options.epochs, options.eta, 1)

    def run(self) -> tuple[list[float], list[float], float]:
        """Seconds and processor seconds of each epoch, and the loss at the end."""
        parameters = self.layout.initial(1)
        seconds, processor = [], []
        with ThreadPoolExecutor(self.threads) as pool:
            for epoch in range(self.settings.epochs):
                began, used = time.perf_counter(), time.process_time()
                run_epoch(self.file, parameters, self.layout, self.settings, epoch, pool, self.threads)
                seconds.append(time.perf_counter() - began)
                processor.append(time.process_time() - used)
        return seconds, processor, mean_loss(self.file, parameters, self.layout)


class Published:
    """The C program, in a process of its own; its parameters are read back for the loss."""

    def __init__(self, binary: Path, file: PairFile, layout: Layout, options: argparse.Namespace, folder: Path) -> None:
        self.name, self.binary, self.file, self.layout = f"C ({binary.name})", binary, file, layout
        self.options, self.folder = options, folder

    def run(self) -> tuple[list[float], list[float], float]:
        """As `Mailmill.run`; without a line of its own about time, an epoch is the program's whole time / epochs."""
        options, save = self.options, self.folder / "vectors"
        arguments = {
            "input-file": self.folder / "pairs.shuf.bin", "vocab-file": self.folder / "vocab.txt", "save-file": save,
            "vector-size": options.dimension, "threads": max(options.threads), "iter": options.epochs, "seed": 1,
            "eta": options.eta, "alpha": 0.75, "x-max": options.x_max, "binary": 1, "write-header": 0,
        }  # fmt: skip
        command = [str(self.binary.resolve()), *chain.from_iterable((f"-{k}", str(v)) for k, v in arguments.items())]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        output = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        whole, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = [float(found) for found in re.findall(r"seconds ([\d.]+)", output)]
        processor = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / options.epochs
        return seconds or [whole / options.epochs], [processor], self._loss(Path(f"{save}.bin"))

    def _loss(self, path: Path) -> float:
        width, layout = self.layout.dimension + 1, self.layout
        found = np.memmap(path, np.float64, mode="r", shape=(2, layout.vocabulary, width))
        parameters, places = layout.initial(1), layout.places()
        for role in (0, 1):
            parameters[places + role * layout.rows, : layout.dimension] = found[role, :, :-1]
            parameters[places + role * layout.rows, 2 * layout.padded] = found[role, :, -1]
        return mean_loss(self.file, parameters, layout)


class Shuffled(PairFile):
    """The same pairs in one random order: a single round of a single block, for one thread."""

    def __init__(self, file: PairFile) -> None:
        order = np.random.default_rng(2).permutation(len(file))
        self.pairs, self.bounds = file.pairs[order], np.array([0, len(file)], np.int64)
        self.pairs.flags.writeable = False  # as the file's: of another type, the loop would be compiled anew


class OneBlock(Layout):
    """A layout whose only round is the whole file; rows lie where the file's layout put them."""

    @property
    def strata(self) -> int:
        return 1

    @property
    def rows(self) -> int:
        return Layout(self.vocabulary, self.dimension).rows

    def places(self) -> Any:
        return Layout(self.vocabulary, self.dimension).places()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--pairs", type=int, help="train on about so many pairs, drawn at random")
    parser.add_argument("--dimension", type=int, default=300)
    parser.add_argument("--window", type=int, default=15)
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--x-max", type=float, default=100.0)
    parser.add_argument("--eta", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[2])
    parser.add_argument("--c-binary", type=Path, action="append", default=[])
    parser.add_argument("--orders", action="store_true", help="also train in a fully random order, on one thread")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words, counts = count(texts_of(options.data), options.window, options.min_count, folder)
        if options.pairs and options.pairs < 2 * len(counts[0]):
            kept = np.random.default_rng(0).random(len(counts[0])) < options.pairs / (2 * len(counts[0]))
            counts = counts[0][kept], counts[1][kept], counts[2][kept]
        layout = Layout(len(words), options.dimension)
        began = time.perf_counter()
        weighting = Weighting(unit(options.window), options.x_max)
        file = write_pairs(folder, iter([counts]), len(counts[0]), layout, weighting)
        print(f"{len(file):,} pairs on disk, {layout.strata} strata, in {time.perf_counter() - began:.1f} s")
        runs: list[Any] = [Mailmill(f"mailmill, {n} threads", file, layout, options, n) for n in options.threads]
        if options.orders:
            runs.append(
                Mailmill("random order, 1", Shuffled(file), OneBlock(layout.vocabulary, layout.dimension), options, 1)
            )
        if options.c_binary:
            write_records(folder / "pairs.shuf.bin", counts, options.window)
            (folder / "vocab.txt").write_text("".join(f"{word} 1\n" for word in words), encoding="utf-8")
            runs += [Published(binary, file, layout, options, folder) for binary in options.c_binary]
        for run in runs:
            if isinstance(run, Mailmill):  # compile before the clock runs
                run_epoch(file, layout.initial(1), layout, run.settings, 0, ThreadPoolExecutor(1), 1)
                break
        taken: dict[str, list[tuple[list[float], list[float], float]]] = {run.name: [] for run in runs}
        for _ in range(options.repeats):
            for run in runs:
                taken[run.name].append(run.run())
        report(taken, len(file), runs[0].name)


def report(taken: dict[str, list[tuple[list[float], list[float], float]]], pairs: int, ours: str) -> None:
    """Print medians, and each program's rate over mailmill's."""
    clock = {n: pairs / statistics.median(s for run in runs for s in run[0]) for n, runs in taken.items()}
    processor = {n: pairs / statistics.median(s for run in runs for s in run[1]) for n, runs in taken.items()}
    print(f"\n{'':24}{'pairs/s':>12}{'/cpu-second':>13}{'x':>7}{'x cpu':>7}{'loss':>10}")
    for name, runs in taken.items():
        loss = statistics.median(run[2] for run in runs)
        ratios = f"{clock[ours] / clock[name]:7.2f}{processor[ours] / processor[name]:7.2f}"
        print(f"{name:24}{clock[name]:12,.0f}{processor[name]:13,.0f}{ratios}{loss:10.5f}")
    print(json.dumps({name: [[round(v, 3) for v in run[0]] for run in runs] for name, runs in taken.items()}))


if __name__ == "__main__":
    main()
