"""A corpus on disk: mail/, labels.csv, truth.parquet and corpus.json, written in one pass.

`corpus.json` is written first as incomplete and last as complete, so a folder that a broken run
left behind is known for what it is and may be written again; nor has it `labels.csv`.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any, get_args

from mailmill.corpus.formats import Format, open_sink
from mailmill.corpus.generator import generate
from mailmill.corpus.spec import CorpusSpec, CorpusSummary, GeneratedMail
from mailmill.corpus.truth import TruthWriter
from mailmill.errors import ConfigError, DataError, InfrastructureError

_MARK = "corpus.json"
#: The labels of a corpus that is not whole: a run that names them takes no part for the whole.
_PART = "labels.csv.part"
_CONTENT = ("mail", "labels.csv", "truth.parquet", _PART)
_STEP = 500
_VERSION = 1


def write(
    spec: CorpusSpec, out: str | Path, format: Format = "eml", progress: Callable[[int], None] | None = None
) -> CorpusSummary:
    """Write the corpus `spec` under the folder `out` and count it; same spec and format, same bytes.

    `progress` is called with the number of mails written since its last call, every 500 and at the end. The bytes of
    tar.gz and Parquet also depend on the versions of zlib and pyarrow. `labels.csv` has one row
    (message_id, label) for each whole labelled mail, with the label a labeller gave.

    Raises:
        ConfigError: the format is unknown, or `out` is no local folder.
        DataError: `out` holds something other than a former corpus, or the texts cannot be read.
        InfrastructureError: the disk refused.
    """
    if format not in get_args(Format):
        raise ConfigError(f"corpus format {format!r} is unknown", hint=f"choose from {', '.join(get_args(Format))}")
    folder = Path(out)
    if folder.parts[:1] and folder.parts[0].endswith(":"):
        raise ConfigError("a corpus is written to a local folder, not to a URI", hint="copy it there afterwards")
    _check(folder)
    # Texts that cannot be read must not cost a former corpus its files: the first mail is made before.
    mails = generate(spec)
    first = list(islice(mails, 1))
    try:
        _clear(folder)
        _mark(folder, spec, format, None)
        summary = _stream(chain(first, mails), folder, format, progress)
        _mark(folder, spec, format, summary)
    except OSError as error:
        raise InfrastructureError(f"corpus {folder} cannot be written: {error.strerror or error}") from error
    return summary


def _stream(
    mails: Iterable[GeneratedMail], folder: Path, format: Format, progress: Callable[[int], None] | None
) -> CorpusSummary:
    counts = {"ok": 0, "malformed": 0, "duplicate": 0}
    size = labels = done = 0
    sink = open_sink(folder / "mail", format)
    truth = TruthWriter(folder / "truth.parquet")
    with open(folder / _PART, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("message_id", "label"))
        try:
            for mail in mails:
                sink.add(mail.index, mail.name, mail.raw)
                truth.add(mail)
                counts[mail.kind] += 1
                size += len(mail.raw)
                if mail.kind == "ok" and mail.given_label is not None:
                    rows.writerow((mail.message_id, mail.given_label))
                    labels += 1
                done += 1
                if progress is not None and done % _STEP == 0:
                    progress(_STEP)
        finally:
            sink.close()
            truth.close()
    (folder / _PART).rename(folder / "labels.csv")
    if progress is not None and done % _STEP:
        progress(done % _STEP)
    return CorpusSummary(done, counts["malformed"], counts["duplicate"], size, labels)


def _check(folder: Path) -> None:
    """Refuse a file, or a folder that holds something other than a former corpus."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file", hint="name a folder for the corpus")
    if folder.exists() and any(folder.iterdir()) and not _is_corpus(folder / _MARK):
        raise DataError(
            f"{folder} is not empty and is not a former corpus", hint="name another folder, or empty this one"
        )


def _clear(folder: Path) -> None:
    """Make `folder` an empty corpus folder: of a former corpus only its own files are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _CONTENT:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (folder / "mail").mkdir()


def _is_corpus(mark: Path) -> bool:
    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "mailmill_corpus" in content


def _mark(folder: Path, spec: CorpusSpec, format: Format, summary: CorpusSummary | None) -> None:
    content: dict[str, Any] = {
        "mailmill_corpus": _VERSION,
        "complete": summary is not None,
        "format": format,
        "spec": asdict(spec),
        "counts": None if summary is None else asdict(summary),
    }
    (folder / _MARK).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
