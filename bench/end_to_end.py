"""Raw mail to a trained, documented model: mailmill beside the script that a competent user would write.

    python bench/end_to_end.py --texts ../shared/data/imdb_train.parquet --group movie [--engine dask spark]

The texts are wrapped as mail (quotes, greetings, signatures, disclaimers, HTML) by `mailmill corpus`; without
`--texts`, a grammar of support mail is the source and `--count` says how much. Both pipelines run as processes of
their own on the same cores, start-up included, turn by turn; both are judged on the same test mails (mailmill's split
by conversation). Their word vectors differ: the script trains Word2Vec on the training mails alone, in `--iterations`
iterations, mailmill reads those of `features.vectors`, by default GloVe's of six billion words of other text. mailmill
also counts rejects and duplicates, profiles and documents its tables in that time. Printed: seconds, F1 a class, peak
memory of all processes together, and the ratios of medians. Needs mailmill[bench,spark,dask,docs].
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from processes import Peaks

#: Where modules are not kept compiled (PYTHONDONTWRITEBYTECODE, as in many containers), every process of a run spends
#: seconds on them: for mailmill a quarter of the time of 25,000 mails. Neither pipeline is judged by that.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
IDIOM = Path(__file__).parent / "idiom" / "pipeline.py"


def timed(command: list[str]) -> tuple[float, int]:
    """Seconds of a process, and the peak memory of it and its descendants. Raises where it fails."""
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=ENVIRONMENT)
        with Peaks(process.pid) as peaks:
            process.wait()
        seconds = time.monotonic() - began
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{command} ended with {process.returncode}:\n{errors.read().decode()[-3000:]}")
    return seconds, peaks.together


def mailmill(mail: Path, work: Path, engine: str, cores: int, settings: list[str]) -> list[str]:
    conf = work.with_suffix(".toml")
    conf.write_text(
        f'[run]\nwork = "{work}"\n[input]\npaths = ["{mail / "mail"}"]\n'
        f'[engine]\nkind = "{engine}"\nworkers = {cores}\n[labels]\nsource = "{mail / "labels.csv"}"\n'
    )
    options = [part for setting in settings for part in ("--set", setting)]
    return [sys.executable, "-m", "mailmill", "run", "--config", str(conf), *options]


def write_split(mail: Path, work: Path, target: Path) -> None:
    """message_id,split of every labelled mail, once, as mailmill split them."""
    from mailmill.email.header_values import message_id
    from mailmill.storage.loading import message_key

    manifest = json.loads((work / "features" / "_manifest.json").read_text())
    split = {}
    for file in manifest["files"]:
        table = pq.read_table(work / "features" / file["path"], columns=["key", "split"])
        split.update(zip(table["key"].to_pylist(), table["split"].to_pylist(), strict=True))
    names = {}
    for file in sorted((mail / "mail").rglob("*.parquet")):
        for raw in pq.read_table(file, columns=["raw"])["raw"].to_pylist():
            if (name := message_id(raw)) and (found := split.get(message_key(raw))):
                names[name] = found
    with target.open("w", newline="") as stream:
        csv.writer(stream).writerows([("message_id", "split"), *names.items()])


def figures(work: Path) -> dict[str, dict[str, float]]:
    metrics = json.loads(next((work / "metrics").rglob("metrics.json")).read_text())
    return {
        name: {label: of["f1"] for label, of in splits["test"]["per_class"].items()}
        for name, splits in metrics["models"].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, help="Parquet with text and label")
    parser.add_argument("--group", default="", help="column of --texts that makes conversations")
    parser.add_argument("--count", type=int, help="mails; default, and at most: all texts; without texts 50,000")
    parser.add_argument("--copies", type=int, default=1, help="of each text [1]")
    parser.add_argument("--engine", nargs="+", default=["dask"], choices=["local", "dask", "spark"])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=1, help="of the script's Word2Vec [1, MLlib's default]")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="section.key=value")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="mailmill-bench-") as folder:
        root = Path(folder)
        mail = root / "mail"
        corpus = [sys.executable, "-m", "mailmill", "corpus", "--out", str(mail), "--format", "parquet"]
        if given.texts:
            texts = root / "texts.parquet"
            pq.write_table(pa.concat_tables([pq.read_table(given.texts)] * given.copies), texts)
            corpus += ["--texts", str(texts), *(["--group-column", given.group] if given.group else [])]
        corpus += ["--count", str(given.count)] if given.count else [] if given.texts else ["--count", "50000"]
        subprocess.run(corpus, check=True, stdout=subprocess.DEVNULL)
        taken: dict[str, list[float]] = {}
        peaks: dict[str, int] = {}
        f1: dict[str, dict[str, dict[str, float]]] = {}
        idiom: dict[str, Any] = {}
        for repeat in range(given.repeats):
            for engine in given.engine:
                name, work = f"mailmill {engine}", root / f"{engine}-{repeat}"
                seconds, peak = timed(mailmill(mail, work, engine, given.cores, given.settings))
                taken.setdefault(name, []).append(seconds)
                peaks[name] = max(peak, peaks.get(name, 0))
                f1[name] = figures(work)
            split, out = root / "split.csv", root / "idiom.json"
            if not split.exists():
                write_split(mail, work, split)
            command = [sys.executable, str(IDIOM), "--mail", str(mail / "mail"), "--labels", str(mail / "labels.csv")]
            command += ["--split", str(split), "--out", str(out), "--cores", str(given.cores)]
            command += ["--iterations", str(given.iterations)]
            seconds, peak = timed(command)
            idiom = json.loads(out.read_text())
            taken.setdefault("idiom", []).append(seconds)
            peaks["idiom"] = max(peak, peaks.get("idiom", 0))
            f1["idiom"] = idiom["f1"]
        peer = statistics.median(taken["idiom"])
        for name, seconds in taken.items():
            middle = statistics.median(seconds)
            print(f"{name:16} {middle:8.1f} s  idiom/{name}: {peer / middle:5.1f}  peak {peaks[name] / 2**20:6.0f} MiB")
            for model, classes in f1[name].items():
                print(f"    {model:10} " + "  ".join(f"F1 {label} {value:.4f}" for label, value in classes.items()))
        print(f"idiom's seconds by step: { {k: round(v, 1) for k, v in idiom['seconds'].items()} }")
        print(f"idiom kept {idiom['rows']} labelled mails, {idiom['test_rows']} in the test split")


if __name__ == "__main__":
    main()
