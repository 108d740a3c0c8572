"""Accuracy of the zones over lines, in the five zones of Quagga, on annotated mail that the labeller was not fitted on.

    python bench/zones_accuracy.py --data ../shared/data/zones

The five zones are those of Repke & Krestel (ECIR 2018): Header, Body, Body/Intro (greeting), Body/Outro (sign-off),
Body/Signature. The gold zone of a line is `line_zones` of `zones_eval.py`, at any depth. Two figures for each corpus:

  direct   the newest message and the first header (not another header right below it), where mailmill says one of
           the zones itself; a line that it calls quoted is wrong. Lines of the newest message that begin with '>'
           are left out: its author did not write them.
  all      every line. mailmill does not look inside quoted messages, so this script does: what is quoted between
           two headers is one part, loses one level of its quote marks, and is labelled like a mail of its own (its
           sender unknown), down to the last level.

Not scored: blank lines (also those of quote marks alone), lines that no annotator covered, attachment markers.
mailmill's disclaimers and mobile tags count as Signature (Enron's annotators have Body/Signature/Disclaimer) and list
footers as Body. ASF's annotators left disclaimers in the Body, so accuracy with disclaimers as Body stands beside it.

The weights are those of `zones_cv.py`'s folds, fitted without the mail's mailbox or author; here mails are
dropped from training, too, when their text or author's name occurs in a quoted part of the held-out fold. The
rules were written with these mails in view and so are not held out, and these are Quagga's training mails:
published figures are for its test mails. "rules" is mailmill without the labeller.
Cost: text to zones on one core, all lines (also those not scored), the best of three rounds.
--data is as `train_labeller.py` says. Needs mailmill[bench], for scipy.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Sequence
from itertools import chain, groupby
from pathlib import Path
from types import ModuleType

import train_labeller as training
import zones_cv
from train_labeller import CORPORA, Mail, Settings

from mailmill.email.charsets import normalise
from mailmill.email.cleaner import sender_names
from mailmill.email.labeller import Labeller
from mailmill.email.lines import Lines, split_lines
from mailmill.email.zones import assign_zones

ZONES = ("Header", "Body", "Intro", "Outro", "Signature")
EARLIER = ("quoted", "forwarded")
GOLD = {"header": "Header", "body": "Body", "greeting": "Intro", "signoff": "Outro", "signature": "Signature"}
FIVE = {**GOLD, "disclaimer": "Signature", "mobile": "Signature", "footer": "Body", "blank": "Body"}
MAX_LEVEL = 60
_MARK = re.compile(r"[ \t]{0,3}(?:[A-Za-z][A-Za-z.]{0,4})?[>|][ \t]?")
_EMPTY = re.compile(r"[>|\s]*")

Pairs = Counter[tuple[str, str]]  # (one of ZONES by the annotation, mailmill's zone) -> lines


def label(
    texts: Sequence[str], names: frozenset[str], labeller: Labeller | None, *, deep: bool, level: int = 0
) -> list[str]:
    """mailmill's zone of each line; with `deep`, lines of earlier messages get the zone they have there."""
    lines = split_lines("\n".join(texts))
    marks = assign_zones(lines, names, labeller).marks
    if len(lines) != len(texts):  # one that its author shares with an attribution became two
        return ["body"] * len(texts)
    found = [zone for zone, _ in marks]
    if not deep or level == MAX_LEVEL:
        return found
    for is_header, run in groupby(range(len(lines)), lambda i: found[i] == "header"):
        part = list(run)
        quoted = {i for i in part if found[i] in EARLIER}
        if is_header or not quoted:
            continue
        marked = not any(marks[i][1].startswith("quote.after.") for i in quoted)
        inner = [_unquote(lines, i, marks[i][1], marked) if i in quoted else "" for i in part]
        for i, zone in zip(part, label(inner, frozenset(), labeller, deep=True, level=level + 1), strict=True):
            if i in quoted:
                found[i] = zone
    return found


def _unquote(lines: Lines, i: int, rule: str, marked: bool) -> str:
    """The line's text with one quote mark less; without marks (below a banner) the text as it is."""
    if marked and rule in ("quote.prefix", "quote.colon"):
        return lines.bares[i].removeprefix(":").lstrip() if rule == "quote.colon" else lines.bares[i]
    text = lines.texts[i]
    return _MARK.sub("", text, count=1) if marked and i in lines.depths else text


def gold(mail: Mail, evaluator: ModuleType) -> list[tuple[str, bool]]:
    """(gold zone or '', is it scored as direct) of every line."""
    _, text, denotations, _ = mail
    zoned = evaluator.line_zones(text, denotations)
    own = [zone in evaluator.OWN for _, zone in evaluator.gold_labels(text, denotations, strict=True)]
    first = next((i for i, (_, zone) in enumerate(zoned) if zone == "header"), len(zoned))
    header_end = min(((d["start"], d["end"]) for d in denotations if d["type"] == "Header"), default=(0, 0))[1]
    found, start = [], 0
    for i, (line, zone) in enumerate(zoned):
        named = "" if _EMPTY.fullmatch(line) else GOLD.get(zone or "", "")
        top = i < first and not line.lstrip().startswith(">")
        found.append((named, top or (i >= first and (own[i] or (zone == "header" and start < header_end)))))
        start += len(line) + 1
    return found


def held_out(data: Path, evaluator: ModuleType, settings: Settings) -> dict[str, list[Labeller]]:
    """A labeller for every mail of every corpus, fitted on mails that share neither author nor text with its fold."""
    mails = {corpus: training.read_mails(data, corpus) for corpus in CORPORA}
    chains = {c: [training.annotated_chains(mail, evaluator) for mail in mails[c]] for c in CORPORA}
    found = {}
    for corpus in CORPORA:
        other = [one for c in CORPORA if c != corpus for each in chains[c] for one in each]
        known = [zones_cv.traces(mail, evaluator) for mail in mails[corpus]]
        everything = [_all_traces(mail, evaluator) for mail in mails[corpus]]
        folded = zones_cv.folds(mails[corpus], known)
        fits, used = [], []
        for fold in range(zones_cv.FOLDS):
            seen = [everything[i] if f == fold else known[i] for i, f in enumerate(folded)]
            chosen = zones_cv.training_mails(fold, folded, seen)
            used.append(len(chosen))
            own = [one for i in chosen for one in chains[corpus][i]]
            fits.append(training.as_labeller(training.fit(own + other, settings), settings))
        print(f"{corpus}: {len(folded)} mails, {zones_cv.FOLDS} folds, each fitted on {min(used)} to {max(used)} of "
              f"them and the other corpus", flush=True)  # fmt: skip
        found[corpus] = [fits[fold] for fold in folded]
    return found


def _all_traces(mail: Mail, evaluator: ModuleType) -> tuple[set[str], set[str]]:
    """What `zones_cv.traces` gives, and the same of every message that the mail quotes."""
    authors, texts = zones_cv.traces(mail, evaluator)
    for line, zone in evaluator.line_zones(mail[1], mail[2]):
        plain = re.sub(r"^[>\s|]+", "", line).strip().lower()
        if zone in ("signoff", "signature") and len(plain) >= 4:
            authors |= zones_cv._naming(plain)
        if zone != "header" and len(plain) >= 30:
            texts.add(plain)
    return authors, texts


def timed(mails: Sequence[Mail], labellers: Sequence[Labeller | None], deep: bool) -> tuple[list[list[str]], float]:
    """The zones of every mail's lines and the seconds of the fastest of three rounds."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        found = [
            label(normalise(text).split("\n"), sender_names(sender), labeller, deep=deep)
            for (_, text, _, sender), labeller in zip(mails, labellers, strict=True)
        ]
        seconds.append(time.perf_counter() - began)
    return found, min(seconds)


def row(name: str, pairs: Pairs, rate: float) -> str:
    """One line of the table: lines, accuracy, precision and recall of each zone, cost."""
    five: Pairs = Counter()
    for (want, zone), n in pairs.items():
        five[want, FIVE.get(zone, zone)] += n
    total = sum(five.values())
    cells = [f"{name:23} {total:6} {sum(five[z, z] for z in ZONES) / total:6.3f}"]
    for zone in ZONES:
        hit = five[zone, zone]
        said = sum(n for (_, f), n in five.items() if f == zone)
        there = sum(n for (g, _), n in five.items() if g == zone)
        cells.append(f"{100 * hit / max(said, 1):5.1f}/{100 * hit / max(there, 1):5.1f}")
    return "  ".join([*cells, f"{rate:8.0f}"])


def notes(pairs: Pairs) -> str:
    """What is behind a row: disclaimers filed otherwise, the accuracy of Body throughout, the commonest errors."""
    total = sum(pairs.values())
    wrong = [(pair, n) for pair, n in pairs.most_common() if FIVE.get(pair[1]) != pair[0]]
    other = {**FIVE, "disclaimer": "Body"}
    refiled = sum(n for (want, zone), n in pairs.items() if other.get(zone) == want) / total
    body = sum(n for (want, _), n in pairs.items() if want == "Body") / total
    errors = ", ".join(f"{n} {want} as {zone}" for (want, zone), n in wrong[:5])
    return f"    disclaimers as Body {refiled:.3f}; every line Body {body:.3f}; errors: {errors}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help=training.DATA)
    data = parser.parse_args().data
    labellers = held_out(data, evaluator := training.load_evaluator(data), Settings())
    heads = "  ".join(f"{zone:^11}" for zone in ZONES)
    print(f"{'precision/recall in %':23} {'lines':>6} {'accur.':>6}  {heads}   lines/s")
    for corpus in CORPORA:
        mails = training.read_mails(data, corpus)
        truth = [gold(mail, evaluator) for mail in mails]
        for name, chosen in (("labeller", labellers[corpus]), ("rules", [None] * len(mails))):
            for deep in (False, True):
                found, seconds = timed(mails, chosen, deep)
                each = zip(chain.from_iterable(truth), chain.from_iterable(found), strict=True)
                pairs = Counter((want, zone) for (want, direct), zone in each if want and (deep or direct))
                scope, rate = "all" if deep else "direct", sum(map(len, truth)) / seconds
                print(row(f"{corpus}, {scope}, {name}", pairs, rate), flush=True)
                if name == "labeller":
                    print(notes(pairs), flush=True)


if __name__ == "__main__":
    main()
