"""Cross-validate the cleaner on annotated mail, a zone at a time, for the rules alone and with the learned labeller.

    python bench/zones_cv.py --data ../shared/data/zones [--l2 3] [--remove-margin 1] [--keep-margin 1] [--generated 0]

Enron is folded by mailbox, ASF by author (mails that share a sign-off, a signature or a last line). From what
trains for a fold, mails are dropped that share an author with it (across mailboxes too) or a third of their
own longer lines, so no text is seen on both sides. "across" trains on the other corpus alone. The rules
were written with these mails in view and so are not held out; their pattern tables are audited by `--audit`, which
lists the rules that decide in one or two mails only.
--data is as `train_labeller.py` says. Needs mailmill[bench], for scipy.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

import train_labeller as training
from train_labeller import CORPORA, Chain, Mail, Settings

from mailmill.email.charsets import normalise
from mailmill.email.cleaner import CleanText, sender_names
from mailmill.email.labeller import OPEN, Labeller, Referee
from mailmill.email.lines import Line, Lines, split_lines
from mailmill.email.tails import Marks
from mailmill.email.zones import assign_zones

FOLDS = 10
_REST = re.compile(r"^[>\s|]+")


def traces(mail: Mail, evaluator: ModuleType) -> tuple[set[str], set[str]]:
    """(what names the author, the author's own longer lines) of one mail."""
    _, text, denotations, sender = mail
    author = {f"from {sender.lower()}"} if sender else set()
    own: list[str] = []
    for line, zone in evaluator.line_zones(text, denotations):
        if zone == "header":
            break
        plain = _REST.sub("", line).strip().lower()
        if zone in ("signoff", "signature") and len(plain) >= 4:
            author |= _naming(plain)
        if any(map(str.isalnum, plain)):
            own.append(plain)
    if not sender:
        for plain in own[-3:]:
            if 4 <= len(plain) <= 80:
                author |= _naming(plain)
    return author, {plain for plain in own if len(plain) >= 30}


def _naming(plain: str) -> set[str]:
    line = Line(plain)
    if any(line.rule(kind) for kind in ("signoff", "thanks", "closing", "greeting")):
        return set()
    return {"line " + re.sub(r"\W+", " ", plain).strip()}


def folds(mails: Sequence[Mail], known: Sequence[tuple[set[str], set[str]]]) -> list[int]:
    """A fold for each mail; mails of one mailbox (or, without senders, of one author) share it."""
    parent = list(range(len(mails)))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    groups: dict[str, list[int]] = defaultdict(list)
    for i, (name, _, _, sender) in enumerate(mails):
        for key in [name.split("_")[0]] if sender else known[i][0]:
            groups[key].append(i)
    for members in groups.values():
        for i in members[1:]:
            parent[find(i)] = find(members[0])
    together: dict[int, list[int]] = defaultdict(list)
    for i in range(len(mails)):
        together[find(i)].append(i)
    sizes, found = [0] * FOLDS, [0] * len(mails)
    for members in sorted(together.values(), key=lambda members: (-len(members), members)):
        fold = sizes.index(min(sizes))
        sizes[fold] += len(members)
        for i in members:
            found[i] = fold
    return found


def training_mails(fold: int, folded: Sequence[int], known: Sequence[tuple[set[str], set[str]]]) -> list[int]:
    """Mails of the other folds that share neither author nor text with those of `fold`."""
    tested = [i for i, f in enumerate(folded) if f == fold]
    authors: set[str] = set().union(*(known[i][0] for i in tested))
    texts: set[str] = set().union(*(known[i][1] for i in tested))
    return [
        i
        for i, f in enumerate(folded)
        if f != fold
        and not known[i][0] & authors
        and (not known[i][1] or 3 * len(known[i][1] & texts) < len(known[i][1]))
    ]


class WithoutRules:
    """A referee that forgets what the rules say of greetings, sign-offs and signatures before it decides."""

    def __init__(self, labeller: Labeller | None) -> None:
        self.labeller = labeller

    def referee(self, lines: Lines, marks: Marks, start: int, end: int, names: frozenset[str], *, first: bool) -> None:
        for i in range(start, end):
            mark = marks[i]
            if mark is not None and mark[0] in OPEN:
                marks[i] = None
        if self.labeller is not None:
            self.labeller.referee(lines, marks, start, end, names, first=first)


def of_fold(labellers: Sequence[Labeller], fold_of: dict[tuple[str, str], int], text: str, sender: str) -> Labeller:
    """The labeller that was trained without the fold of this mail."""
    return labellers[fold_of[text, sender]]


class ByMail:
    """A cleaner that takes each mail's labeller from `choose(text, sender)`.

    With `lame`, the rules of the edges fail on every fifth mail, as they may on mail that nobody has seen.
    """

    wants_sender = True

    def __init__(self, choose: Callable[[str, str], Labeller | None], lame: bool = False) -> None:
        self.choose, self.lame = choose, lame

    def __call__(self, text: str, sender: str = "") -> str:
        labeller: Referee | None = self.choose(text, sender)
        if self.lame and blake2b(text.encode(), digest_size=1).digest()[0] % 5 == 0:
            labeller = WithoutRules(self.choose(text, sender))
        return CleanText(labeller)(text, sender)


def row(result: dict[str, Any]) -> str:
    """One line of the table, in per cent."""
    removed = result["removed"]
    values = [result["precision"], result["recall"], result["f1"], result["exact"], result["body_lost"]]
    values += [removed[zone] for zone in ("greeting", "signoff", "signature", "header", "quoted", "forward")]
    return " ".join("     -" if value is None else f"{100 * value:6.2f}" for value in values)


def audit(mails: dict[str, list[Mail]], evaluator: ModuleType) -> None:
    """Print the rules that decide in one or two mails of both corpora, with how their lines are annotated."""
    where: dict[str, set[str]] = defaultdict(set)
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for corpus, found in mails.items():
        for name, text, denotations, sender in found:
            gold = [label for _, label in evaluator.gold_labels(text, denotations)]
            lines = split_lines(normalise(text))
            for (zone, rule), label in zip(assign_zones(lines, sender_names(sender), None).marks, gold, strict=False):
                if zone not in ("body", "blank"):
                    where[rule].add(corpus + name)
                    labels[rule][label] += 1
    for rule in sorted(where, key=lambda rule: (len(where[rule]), rule)):
        if len(where[rule]) <= 2:
            print(f"{rule:32} {len(where[rule])} mails  {dict(labels[rule].most_common())}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help=training.DATA)
    parser.add_argument("--audit", action="store_true", help="list rules that decide in one or two mails, and stop")
    defaults = Settings()
    parser.add_argument("--l2", type=float, default=defaults.l2)
    parser.add_argument("--least", type=int, default=defaults.least)
    parser.add_argument("--remove-margin", type=float, nargs="+", default=[defaults.remove_margin])
    parser.add_argument("--keep-margin", type=float, nargs="+", default=[defaults.keep_margin])
    parser.add_argument("--generated", type=int, default=defaults.generated)
    parser.add_argument("--blind", type=float, default=defaults.blind)
    parser.add_argument("--without", default="", help="comma-separated beginnings of features to leave out")
    args = parser.parse_args()
    evaluator = training.load_evaluator(args.data)
    mails = {corpus: training.read_mails(args.data, corpus) for corpus in CORPORA}
    if args.audit:
        audit(mails, evaluator)
        return
    print(f"{'':34} prec.  recall   F1  exact  lost   greet. signoff sign. header quoted forward")
    for corpus in CORPORA:
        print(f"{corpus + ', rules alone':32} {row(evaluator.evaluate(CleanText(None), mails[corpus]))}", flush=True)
        lame = ByMail(lambda text, sender: None, lame=True)
        print(f"{corpus + ', lame rules alone':32} {row(evaluator.evaluate(lame, mails[corpus]))}", flush=True)
    settings = Settings(l2=args.l2, least=args.least, generated=args.generated, blind=args.blind)
    out = tuple(args.without.split(",")) if args.without else ()

    def trimmed(chain: Chain) -> Chain:
        return replace(chain, features=[[f for f in found if not f.startswith(out)] for found in chain.features])

    chains = {c: [[trimmed(x) for x in training.annotated_chains(m, evaluator)] for m in mails[c]] for c in CORPORA}
    generated = training.generated_chains(settings.generated, settings.generated_weight)
    for corpus in CORPORA:
        other = [chain for c in CORPORA if c != corpus for found in chains[c] for chain in found] + generated
        known = [traces(mail, evaluator) for mail in mails[corpus]]
        folded = folds(mails[corpus], known)
        fold_of = {(text, sender): fold for (_, text, _, sender), fold in zip(mails[corpus], folded, strict=True)}
        fits = []
        for fold in range(FOLDS):
            own = [chain for i in training_mails(fold, folded, known) for chain in chains[corpus][i]]
            fits.append(training.fit(own + other, settings))
        across = training.fit(other, settings)
        for remove in args.remove_margin:
            for keep in args.keep_margin:
                now = replace(settings, remove_margin=remove, keep_margin=keep)
                held_out = [training.as_labeller(each, now) for each in fits]
                foreign = training.as_labeller(across, now)
                cleaner = ByMail(partial(of_fold, held_out, fold_of))
                name = f"{corpus}, labeller {remove:g}/{keep:g}"
                print(f"{name:32} {row(evaluator.evaluate(cleaner, mails[corpus]))}", flush=True)
                cleaner.lame = True
                name = f"{corpus}, lame, labeller {remove:g}/{keep:g}"
                print(f"{name:32} {row(evaluator.evaluate(cleaner, mails[corpus]))}", flush=True)
                name = f"{corpus}, across {remove:g}/{keep:g}"
                print(f"{name:32} {row(evaluator.evaluate(CleanText(foreign), mails[corpus]))}", flush=True)


if __name__ == "__main__":
    main()
