"""Fit the weights of the line labeller from annotated mail, reproducibly.

    python bench/train_labeller.py --data ../shared/data/zones

A linear-chain conditional random field (Lafferty, McCallum & Pereira, ICML 2001) by L-BFGS on the penalised
log-likelihood  sum log p(labels | features) - l2/2 |w|^2  of the chains that `labeller.edge_lines` gives: the lines at
the edges of the author's own text. Lines without a gold label are summed over. Weights are rounded to integers
(units of 1/256 nat), so two runs write the same bytes. Needs mailmill[bench], for scipy.

`--data` holds enron_train.jsonl and asf_train.jsonl, an annotated mail of the Quagga corpora
(https://github.com/TimRepke/Quagga) a line. What a line's annotation means, its gold label, is said by the scorer that
comes with them, `zones_eval.py`: it is no part of mailmill, and is looked for at DATA/../../bench/zones_eval.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from mailmill.corpus import CorpusSpec, generate
from mailmill.corpus.spec import LANGUAGES
from mailmill.email import labeller as runtime
from mailmill.email import zones
from mailmill.email.charsets import normalise
from mailmill.email.cleaner import clean_message, sender_names
from mailmill.email.lines import Lines, split_lines
from mailmill.email.tails import Marks

STATES = runtime.STATES
K = len(STATES)
SCALE = 256
CORPORA = ("enron", "asf")
DATA = "folder with enron_train.jsonl and asf_train.jsonl; the scorer is DATA/../../bench/zones_eval.py"
WEIGHTS = Path(__file__).resolve().parents[1] / "lib/mailmill/email/weights/edges.json"
FloatArray = NDArray[np.float64]
Mail = tuple[str, str, list[dict[str, Any]], str]  # name, text, denotations, sender


@dataclass(frozen=True)
class Chain:
    """Features and gold states of the lines at the edges of one segment; -1: not annotated."""

    features: list[list[str]]
    gold: list[int]
    weight: float = 1.0


@dataclass(frozen=True)
class Settings:
    """What cross-validation chose (`bench/zones_cv.py`): margins in nats.

    `blind` is the weight of a second copy of every chain that does not see the rules' decisions. The rules
    were written with the training mails in view, so on other mail they are right less often than here.
    """

    l2: float = 3.0
    least: int = 3
    remove_margin: float = 1.5
    keep_margin: float = 3.0
    blind: float = 0.3
    generated: int = 0
    generated_weight: float = 0.1


@dataclass(frozen=True)
class Fit:
    """The fitted chain with its evidence: iterations, loss, gradient norm."""

    features: list[str]
    emissions: FloatArray
    moves: FloatArray
    start: FloatArray
    end: FloatArray
    iterations: int
    loss: float
    gradient: float


def load_evaluator(data: Path) -> ModuleType:
    """`zones_eval.py`, imported by its path. Ends the script where a file that it needs is missing."""
    scorer = data.resolve().parents[1] / "bench" / "zones_eval.py"
    for path in (*(data / f"{corpus}_train.jsonl" for corpus in CORPORA), scorer):
        if not path.is_file():
            raise SystemExit(f"{path} is missing: see what bench/train_labeller.py says of --data")
    spec = importlib.util.spec_from_file_location("zones_eval", scorer)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_mails(data: Path, corpus: str) -> list[Mail]:
    """The annotated mails of one corpus, in the file's order."""
    rows = map(json.loads, (data / f"{corpus}_train.jsonl").read_text(encoding="utf-8").splitlines())
    return [(row["name"], row["text"], row["denotations"], row["sender"]) for row in rows]


class _Recorder:
    """Stands where the labeller does, leaves every mark as it is, and keeps (lines' texts, indices, features)."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], list[int], list[list[str]]]] = []

    def referee(self, lines: Lines, marks: Marks, start: int, end: int, names: frozenset[str], *, first: bool) -> None:
        found = runtime.edge_lines(lines, marks, start, end, names, first=first)
        if found is not None:
            self.asked.append(([" ".join(lines.bares[i].split()) for i in found[0]], *found))


def annotated_chains(mail: Mail, evaluator: ModuleType) -> list[Chain]:
    """The chains of one annotated mail."""
    _, text, denotations, sender = mail
    gold = [label for _, label in evaluator.gold_labels(text, denotations)]
    lines = split_lines(normalise(text))
    if len(lines) != len(gold):
        return []
    state = {name: k for k, name in enumerate(STATES)}
    recorder = _Recorder()
    zones.assign_zones(lines, sender_names(sender), recorder)
    if len(lines) != len(gold):  # one that its author shares with an attribution became two
        return []
    return [Chain(found, [state.get(gold[i], -1) for i in indices]) for _, indices, found in recorder.asked]


def generated_chains(count: int, weight: float, seed: int = 5) -> list[Chain]:
    """Chains of generated mails in all languages, plain and HTML, with the generator's truth."""
    chains: list[Chain] = []
    if not count:
        return chains
    state = {name: k for k, name in enumerate(STATES)}
    spec = CorpusSpec(count=count, seed=seed, malformed=0.0, duplicates=0.0, languages=LANGUAGES)
    for mail in generate(spec):
        truth: dict[str, set[str]] = {}
        for line, zone in mail.zones:
            truth.setdefault(" ".join(line.split()), set()).add(zone)
        recorder = _Recorder()
        clean_message(mail.raw, labeller=recorder)
        for texts, _, found in recorder.asked:
            gold = []
            for text in texts:
                zone = truth.get(text, set())
                gold.append(state.get(next(iter(zone)), -1) if len(zone) == 1 else -1)
            chains.append(Chain(found, gold, weight))
    return chains


def _blind(chain: Chain, weight: float) -> Chain:
    hidden = [[name for name in found if not name.startswith("rule=")] for found in chain.features]
    return Chain(hidden, chain.gold, chain.weight * weight)


def fit(chains: Sequence[Chain], settings: Settings) -> Fit:
    """Fit the chain by L-BFGS; deterministic. Features seen in fewer than `settings.least` chains are dropped."""
    chains = [*chains, *(_blind(chain, settings.blind) for chain in chains if settings.blind)]
    counts: Counter[str] = Counter()
    for chain in chains:
        counts.update({name for found in chain.features for name in found})
    names = sorted(name for name, n in counts.items() if n >= settings.least)
    index = {name: k for k, name in enumerate(names)}
    count, longest, width = len(chains), max(len(chain.gold) for chain in chains), len(names)
    rows, columns = [], []
    mask = np.zeros((count, longest), bool)
    gold = np.full((count, longest), -1)
    weight = np.array([chain.weight for chain in chains])
    for n, chain in enumerate(chains):
        for t, (found, label) in enumerate(zip(chain.features, chain.gold, strict=True)):
            mask[n, t], gold[n, t] = True, label
            known = [index[name] for name in found if name in index]
            columns += known
            rows += [n * longest + t] * len(known)
    design = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(count * longest, width))
    turned = design.T.tocsr()
    clamp = np.where((gold[..., None] >= 0) & (gold[..., None] != np.arange(K)), -1e4, 0.0)
    sizes = np.cumsum([width * K, K * K, K])

    def parts(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        w, a, b, e = np.split(theta, sizes)
        return w.reshape(width, K), a.reshape(K, K), b, e

    def objective(theta: FloatArray) -> tuple[float, FloatArray]:
        w, a, b, e = parts(theta)
        emissions = (design @ w).reshape(count, longest, K)
        free = _expectations(emissions, mask, a, b, e, weight)
        held = _expectations(emissions + clamp, mask, a, b, e, weight)
        slight = settings.l2 / 30  # few transitions, each seen often
        loss = free[0] - held[0] + 0.5 * settings.l2 * (w**2).sum() + 0.5 * slight * (theta[sizes[0] :] ** 2).sum()
        unary = turned @ (free[1] - held[1]).reshape(-1, K) + settings.l2 * w
        rest = np.concatenate([(f - h).ravel() for f, h in zip(free[2:], held[2:], strict=True)])
        return loss, np.concatenate([unary.ravel(), rest + slight * theta[sizes[0] :]])

    start = np.zeros(width * K + K * K + 2 * K)
    found = minimize(objective, start, jac=True, method="L-BFGS-B",
                     options={"maxiter": 400, "maxcor": 20, "ftol": 1e-10, "gtol": 1e-4})  # fmt: skip
    w, a, b, e = parts(found.x)
    return Fit(names, w, a, b, e, int(found.nit), float(found.fun), float(np.abs(found.jac).max()))


def _expectations(
    emissions: FloatArray, mask: NDArray[np.bool_], a: FloatArray, b: FloatArray, e: FloatArray, weight: FloatArray
) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Weighted sums over chains: log Z, expected states a line, moves, first states, last states (forward-backward)."""
    count, longest, _ = emissions.shape
    forward = np.full((count, longest, K), -1e30)
    backward = np.full((count, longest, K), -1e30)
    forward[:, 0] = b + emissions[:, 0]
    for t in range(1, longest):
        step = _logsum(forward[:, t - 1, :, None] + a, 1) + emissions[:, t]
        forward[:, t] = np.where(mask[:, t, None], step, -1e30)
    each, last = np.arange(count), mask.sum(1) - 1
    backward[each, last] = e
    for t in range(longest - 2, -1, -1):
        step = _logsum(a + (emissions[:, t + 1] + backward[:, t + 1])[:, None, :], 2)
        backward[:, t] = np.where((t < last)[:, None], step, backward[:, t])
    total = _logsum(forward[each, last] + e, 1)
    states = np.exp(np.minimum(forward + backward - total[:, None, None], 0)) * mask[:, :, None]
    states *= weight[:, None, None]
    moves = np.zeros((K, K))
    for t in range(1, longest):
        here = mask[:, t]
        into = (emissions[here, t] + backward[here, t])[:, None, :] - total[here, None, None]
        pair = np.exp(np.minimum(forward[here, t - 1][:, :, None] + a + into, 0))
        moves += (pair * weight[here, None, None]).sum(0)
    return float((total * weight).sum()), states, moves, states[:, 0].sum(0), states[each, last].sum(0)


def _logsum(values: FloatArray, axis: int) -> FloatArray:
    top = values.max(axis=axis, keepdims=True)
    return (top + np.log(np.exp(values - top).sum(axis=axis, keepdims=True))).squeeze(axis)


def content(fitted: Fit, settings: Settings) -> dict[str, Any]:
    """The weights file's content: integers, body's weights moved into the other states', checksum added."""

    def whole(values: FloatArray) -> Any:
        return np.rint(values * SCALE).astype(int).tolist()

    relative = whole(fitted.emissions[:, 1:] - fitted.emissions[:, :1])
    kept = {name: row for name, row in zip(fitted.features, relative, strict=True) if any(row)}
    found: dict[str, Any] = {
        "format": runtime.FORMAT,
        "states": list(STATES),
        "scale": SCALE,
        "remove_margin": round(settings.remove_margin * SCALE),
        "keep_margin": round(settings.keep_margin * SCALE),
        "start": whole(fitted.start),
        "end": whole(fitted.end),
        "moves": whole(fitted.moves),
        "features": kept,
    }
    found["checksum"] = runtime.checksum(found)
    return found


def as_labeller(fitted: Fit, settings: Settings) -> runtime.Labeller:
    """The labeller that `fitted` makes, without writing a file."""
    return runtime.parse_weights(json.dumps(content(fitted, settings)))


def all_chains(data: Path, settings: Settings, corpora: Iterable[str] = CORPORA) -> list[Chain]:
    """The chains of every annotated mail, and of generated ones where the settings ask for them."""
    evaluator = load_evaluator(data)
    chains = [
        chain for name in corpora for mail in read_mails(data, name) for chain in annotated_chains(mail, evaluator)
    ]
    return chains + generated_chains(settings.generated, settings.generated_weight)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help=DATA)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    settings = Settings()
    chains = all_chains(args.data, settings)
    fitted = fit(chains, settings)
    text = json.dumps(content(fitted, settings), sort_keys=True, indent=0, separators=(",", ":"))
    text = text.replace(",\n", ", ").replace("[\n", "[").replace("\n]", "]").replace('], "', '],\n"') + "\n"
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(text, encoding="utf-8", newline="\n")
    lines = sum(len(chain.gold) for chain in chains)
    print(f"{len(chains)} chains, {lines} lines, {len(fitted.features)} features")
    print(f"{fitted.iterations} iterations, loss {fitted.loss:.3f}, largest gradient {fitted.gradient:.1e}")
    print(f"{args.out.name}: {len(text)} bytes")


if __name__ == "__main__":
    main()
