"""Cleaning: raw bytes to the author's words, side by side with the usual pipelines, in one run on one core.

    python bench/cleaning.py --data ../shared/data/spamassassin.parquet [--repeats 5] [--jsoup-jar jsoup.jar]

`--data` is a Parquet file with the column `raw`. Measured, all over the same messages in memory:

    clean_message   mailmill, one message after the other
    CleanKernel     mailmill, a batch of the raw table to batches of the clean and rejects tables
    rules alone     clean_message without the learned labeller
    standard        the usual pipeline at its best: email (policy compat32), BeautifulSoup's get_text with the faster
                    of its parsers where there is no plain text, mail-parser-reply for English alone
    standard, equal the same asked for what mailmill gives: the modern policy with decoded Subject, From and Date,
                    HTML before plain text, mail-parser-reply for the six of mailmill's languages that it knows
    jsoup           jsoup's bare parse of the HTML parts in Java, warmed up; nothing else of the pipeline
    floor           fast-mail-parser with its decoded text parts, lexbor's bare parse of the HTML ones

Times are processor time (of jsoup's, the time inside Java), medians over the repeats, which take turns; over all
messages, over those with HTML, and, since few of an old corpus have any, over as many generated messages of which each
has HTML (`mailmill.corpus`: programs that write multipart/alternative or HTML alone). jsoup is looked for
in Maven's local repository unless --jsoup-jar names it. Needs mailmill[bench].

Measured is the mailmill of the Python that runs this: interpreted in .venv, compiled in .venv-compiled
(`make compiled EXTRAS="--extra bench"`).
"""

from __future__ import annotations

import argparse
import email
import email.policy
import statistics
import struct
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import fast_mail_parser
import pyarrow as pa
import pyarrow.parquet as pq
from bs4 import BeautifulSoup
from mailparser_reply import EmailReplyParser
from selectolax.lexbor import LexborHTMLParser

from mailmill import schemas
from mailmill.corpus import CorpusSpec, generate
from mailmill.corpus.spec import LANGUAGES
from mailmill.email import CleanKernel, clean_message, cleaner
from mailmill.errors import RejectedMessage

JAVA = """
import java.io.*; import java.nio.charset.StandardCharsets; import java.util.*; import org.jsoup.Jsoup;
public class Parse {
  public static void main(String[] args) throws IOException {
    List<String> pages = new ArrayList<>();
    try (DataInputStream in = new DataInputStream(new BufferedInputStream(new FileInputStream(args[0])))) {
      while (in.available() > 0) {
        byte[] page = new byte[in.readInt()]; in.readFully(page);
        pages.add(new String(page, StandardCharsets.UTF_8));
      }
    }
    long seen = 0;
    for (int round = -5; round < Integer.parseInt(args[1]); round++) {
      long began = System.nanoTime();
      for (String page : pages) seen += Jsoup.parse(page).childNodeSize();
      if (round >= 0) System.out.println((System.nanoTime() - began) / 1e9);
    }
    if (seen == 0) System.err.println("nothing parsed");
  }
}
"""


def mailmill_messages(raws: Iterable[bytes], **options: Any) -> None:
    for raw in raws:
        try:
            clean_message(raw, **options)
        except RejectedMessage:
            continue


def floor(raws: Iterable[bytes]) -> None:
    for raw in raws:
        try:
            mail = fast_mail_parser.parse_email(raw)
        except fast_mail_parser.ParseError:
            continue
        for page in mail.text_html:
            LexborHTMLParser(page)


def text_parts(raw: bytes) -> tuple[str, str]:
    """(plain text, HTML) of a message by the standard library."""
    plain, pages = [], []
    for part in email.message_from_bytes(raw).walk():
        kind = part.get_content_type()
        if kind not in ("text/plain", "text/html") or part.get_content_disposition() == "attachment":
            continue
        payload = part.get_payload(decode=True)
        try:
            text = payload.decode(part.get_content_charset() or "utf-8", "replace")
        except LookupError:
            text = payload.decode("latin-1")
        (plain if kind == "text/plain" else pages).append(text)
    return "\n".join(plain), "\n".join(pages)


def standard(raws: Iterable[bytes], parser: str) -> None:
    replies = EmailReplyParser(languages=["en"])
    for raw in raws:
        plain, page = text_parts(raw)
        text = plain if plain.strip() or not page else BeautifulSoup(page, parser).get_text("\n")
        replies.parse_reply(text=text)


def standard_equal(raws: Iterable[bytes], parser: str) -> None:
    replies = EmailReplyParser(languages=["en", "de", "fr", "es", "it", "nl"])
    for raw in raws:
        try:
            mail = email.message_from_bytes(raw, policy=email.policy.default)
            _ = (str(mail["subject"]), str(mail["from"]), mail["date"].datetime if mail["date"] else None)
            body = mail.get_body(("html", "plain"))
            text = body.get_content() if body else ""
        except (LookupError, ValueError, AttributeError, KeyError, TypeError):
            continue  # the modern policy fails on some damaged headers and unknown charsets
        if body and body.get_content_subtype() == "html":
            text = BeautifulSoup(text, parser).get_text("\n")
        replies.parse_reply(text=text)


def fastest_parser(pages: Sequence[str]) -> str:
    """Which of BeautifulSoup's parsers gets the text out of `pages` faster."""
    seconds = {}
    for parser in ("lxml", "html.parser"):
        began = time.process_time()
        for page in pages:
            BeautifulSoup(page, parser).get_text("\n")
        seconds[parser] = time.process_time() - began
    return min(seconds, key=seconds.__getitem__)


def parse_lexbor(pages: Iterable[str]) -> None:
    for page in pages:
        LexborHTMLParser(page)


def jsoup_seconds(pages: Sequence[str], jar: Path, repeats: int) -> list[float]:
    """Seconds of each round of parsing all `pages`, after five rounds of warming up."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "pages.bin")
        data.write_bytes(
            b"".join(struct.pack(">i", len(p)) + p for p in (page.encode("utf-8", "replace") for page in pages))
        )
        Path(folder, "Parse.java").write_text(JAVA, encoding="utf-8")
        subprocess.run(["javac", "-cp", str(jar), "-d", folder, str(Path(folder, "Parse.java"))], check=True)
        command = ["java", "-XX:ActiveProcessorCount=1", "-cp", f"{jar}:{folder}", "Parse", str(data), str(repeats)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(line) for line in out.split()]


def generated_with_html(count: int, seed: int = 1) -> list[bytes]:
    """The first `count` generated messages, in all languages, that have an HTML part."""
    spec = CorpusSpec(count=100 * count, seed=seed, malformed=0.0, duplicates=0.0, languages=LANGUAGES)
    return list(islice((mail.raw for mail in generate(spec) if text_parts(mail.raw)[1]), count))


def local_jsoup() -> Path | None:
    """jsoup's newest jar in Maven's local repository, if there is one."""
    return max(Path.home().glob(".m2/repository/org/jsoup/jsoup/*/jsoup-*[0-9].jar"), default=None)


def seconds(run: Callable[..., object], *arguments: Any, **options: Any) -> float:
    began = time.process_time()
    run(*arguments, **options)
    return time.process_time() - began


def compare(title: str, raws: Sequence[bytes], soup: str, repeats: int) -> None:
    """Measure every pipeline on `raws`, in turns, and print a table."""
    if not raws:
        print(f"\n{title}: none")
        return
    keys = pa.array([f"{i:08d}" for i in range(len(raws))])
    batch = pa.RecordBatch.from_arrays([keys, keys, pa.array(raws, pa.binary())], schema=schemas.RAW)
    kernel = CleanKernel()
    runs: dict[str, Callable[[], float]] = {
        "clean_message": lambda: seconds(mailmill_messages, raws) / len(raws),
        "rules alone": lambda: seconds(mailmill_messages, raws, labeller=None) / len(raws),
        "CleanKernel": lambda: seconds(kernel, batch) / len(raws),
        "floor": lambda: seconds(floor, raws) / len(raws),
        "standard": lambda: seconds(standard, raws, soup) / len(raws),
        "standard, equal": lambda: seconds(standard_equal, raws, soup) / len(raws),
    }
    mailmill_messages(raws)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            taken[name].append(run())
    micros = {name: statistics.median(values) * 1e6 for name, values in taken.items()}
    ours, bare = micros["clean_message"], micros["floor"]
    print(f"\n{title}: {len(raws):,} messages, {sum(map(len, raws)) / 2**20:.1f} MiB")
    print(f"{'':18}{'us/mail':>9}{'mails/s':>10}{'x floor':>9}{'x clean_message':>17}{'spread':>8}")
    for name, value in micros.items():
        spread = (max(taken[name]) - min(taken[name])) / statistics.median(taken[name])
        print(f"{name:18}{value:9.1f}{1e6 / value:10,.0f}{value / bare:9.1f}{value / ours:17.2f}{spread:8.0%}")


def compare_jsoup(pages: Sequence[str], jar: Path | None, repeats: int) -> None:
    """jsoup's bare parse against lexbor's, on the HTML parts alone."""
    if not pages:
        return
    print(f"\nbare parse of {len(pages)} HTML parts")
    lexbor = statistics.median(seconds(parse_lexbor, pages) for _ in range(repeats))
    print(f"{'lexbor':18}{lexbor / len(pages) * 1e6:9.1f} us a page")
    if jar is None:
        print(f"{'jsoup':18}skipped: no jar in ~/.m2; give its path with --jsoup-jar")
        return
    try:
        median = statistics.median(jsoup_seconds(pages, jar, repeats))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{'jsoup':18}skipped: {error}")
        return
    print(f"{'jsoup':18}{median / len(pages) * 1e6:9.1f} us a page")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jsoup-jar", type=Path, help="path of jsoup's jar (org.jsoup:jsoup)")
    parser.add_argument("--generated", type=int, default=1000, help="generated messages with HTML (0: none)")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # BeautifulSoup's, about text that looks like a file's name

    raws = pq.read_table(options.data, columns=["raw"]).column("raw").to_pylist()
    parts = [text_parts(raw) for raw in raws]
    pages = [page for _, page in parts if page]
    soup = fastest_parser(pages)
    how = "interpreted" if Path(cleaner.__file__).suffix == ".py" else "compiled"
    print(f"one core; mailmill's cleaning {how}; BeautifulSoup with {soup}")
    compare("all mail", raws, soup, options.repeats)
    compare("mail with HTML", [raw for raw, (_, page) in zip(raws, parts, strict=True) if page], soup, options.repeats)
    jar = options.jsoup_jar or local_jsoup()
    compare_jsoup(pages, jar, options.repeats)
    if options.generated:
        generated = generated_with_html(options.generated)
        modern = [text_parts(raw)[1] for raw in generated]
        compare("generated mail, HTML in each", generated, fastest_parser(modern), options.repeats)
        compare_jsoup(modern, jar, options.repeats)


if __name__ == "__main__":
    main()
