"""The learned line labeller: a referee over the rules at the edges of the author's own text.

A linear-chain conditional random field (Lafferty, McCallum & Pereira, ICML 2001) over the states body,
greeting, sign-off and signature. The rules' decisions are among its features, so it learns where to trust
them. It overrules them only when its best path beats theirs by a margin; it never touches quotes,
headers, footers or disclaimers. Weights are integers, so that scores are the same bits on every machine,
whatever the order of summation. `bench/train_labeller.py` fits them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from importlib import resources
from itertools import pairwise, repeat
from typing import Any, Final, Protocol

from mailmill.email.greetings import cries
from mailmill.email.linefeatures import PROOF, SEEN, features, window
from mailmill.email.lines import LISTED, Lines
from mailmill.email.names import is_sender
from mailmill.email.signing import opens_sentence
from mailmill.email.speech import announces
from mailmill.email.tails import Marks, is_item
from mailmill.errors import DataError

STATES: Final = ("body", "greeting", "signoff", "signature")
FORMAT: Final = 1

#: Features that prove more than capitals do; titles are words of lists, too ("Wet floor").
_SURE: Final = PROOF - {"name", "title"}
#: Kinds of lines that greet or end a mail.
_CLOSING: Final = ("signoff", "thanks", "closing", "greeting")
_SMILES: Final = re.compile(r"[:;]['-]?[()DPp]$")
#: Rules' zones that may be overruled, except below "-- "; lines of other zones are not the labeller's.
OPEN: Final = frozenset(STATES[1:])
_INDEX: Final = {state: k for k, state in enumerate(STATES)}

# A feature's three weights (body is the reference, 0) lie in one integer, 24 bits each.
_BITS: Final = 24
_HALF: Final = 1 << (_BITS - 1)
_MASK: Final = (1 << _BITS) - 1
_AGAIN: Final = "install mailmill again; in a checkout: git checkout lib/mailmill/email/weights"
_BIAS: Final = _HALF | _HALF << _BITS | _HALF << (2 * _BITS)


#: A number for each of `STATES`.
Scores = tuple[int, int, int, int]


class Referee(Protocol):
    """What `zones.assign_zones` asks after the rules have marked the edges of a segment."""

    def referee(self, lines: Lines, marks: Marks, start: int, end: int, names: frozenset[str], *, first: bool) -> None:
        """Overrule the rules' marks of the own lines `start` to `end` in place, where that is sure enough."""


@dataclass(frozen=True)
class Labeller:
    """Integer weights of the chain, in units of 1 / `scale` nats.

    `features` maps a name to packed weights; `start`, `end` (4) and `moves` (4 x 4, from row to column) are
    of `STATES`; `remove_margin` and `keep_margin` say by how much a path must beat the rules' one for each
    line without `linefeatures.PROOF` that it removes against them, and for each that it keeps or names otherwise.
    """

    features: dict[str, int]
    start: Scores
    end: Scores
    moves: tuple[Scores, Scores, Scores, Scores]
    remove_margin: int
    keep_margin: int
    scale: int
    #: `moves`, a row for the moves into a state.
    into: tuple[Scores, Scores, Scores, Scores] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        a, b, c, d = self.moves
        object.__setattr__(self, "into", tuple(zip(a, b, c, d, strict=True)))

    def scores(self, found: list[str]) -> Scores:
        """The sum of the weights of the features `found`, a state; unknown names weigh nothing."""
        total = sum(map(self.features.get, found, repeat(0))) + _BIAS
        return 0, (total & _MASK) - _HALF, (total >> _BITS & _MASK) - _HALF, (total >> (2 * _BITS)) - _HALF

    def best(self, chain: list[Scores]) -> tuple[list[int], int]:
        """The best path of states for the lines' scores and its score (Viterbi); the lower state wins a tie."""
        into_body, into_greeting, into_signoff, into_signature = self.into
        now = _plus(self.start, chain[0])
        back: list[tuple[int, ...]] = []
        for emission in chain[1:]:
            a, from_a = _highest(_plus(now, into_body))
            b, from_b = _highest(_plus(now, into_greeting))
            c, from_c = _highest(_plus(now, into_signoff))
            d, from_d = _highest(_plus(now, into_signature))
            back.append((from_a, from_b, from_c, from_d))
            now = _plus((a, b, c, d), emission)
        top, last = _highest(_plus(now, self.end))
        path = [last]
        for pointers in reversed(back):
            path.append(pointers[path[-1]])
        return path[::-1], top

    def score(self, chain: Sequence[Scores], path: Sequence[int]) -> int:
        """The score of a given path."""
        total = self.start[path[0]] + self.end[path[-1]] + sum(row[k] for row, k in zip(chain, path, strict=True))
        return total + sum(self.moves[a][b] for a, b in pairwise(path))

    def referee(self, lines: Lines, marks: Marks, start: int, end: int, names: frozenset[str], *, first: bool) -> None:
        """Overrule the rules' marks of the own lines `start` to `end` in place, where that is sure enough."""
        found = edge_lines(lines, marks, start, end, names, first=first)
        if found is None:
            return
        indices, described = found
        chain = [self.scores(each) for each in described]
        path, top = self.best(chain)
        ruled = [0 if (mark := marks[i]) is None else _INDEX[mark[0]] for i in indices]
        if path == ruled:
            return
        needed = 0
        for new, old, names_of in zip(path, ruled, described, strict=True):
            if new != old:
                needed += self.keep_margin if old else self.remove_margin if PROOF.isdisjoint(names_of) else 0
        if top - self.score(chain, ruled) < needed:
            return
        taken = [names_of for new, old, names_of in zip(path, ruled, described, strict=True) if new and not old]
        if len(taken) > 2 and all(_SURE.isdisjoint(names_of) for names_of in taken):
            return  # capitals alone make a list, not three lines of a signature
        for i, new, old in zip(indices, path, ruled, strict=True):
            if new and not old:
                if _stays(lines, i, STATES[new], names):
                    continue
                if _remarks(lines, marks, i, start, STATES[new], names):
                    marks[i] = ("body", "body.says")
                    continue
            if STATES[new] == "greeting" and lines[i].shape.words == 1 and lines[i].rule("thanks"):
                continue  # a thank-you alone greets nobody
            if new != old and not (new and lines[i].rule("postscript")):
                marks[i] = (STATES[new], f"model.{STATES[new]}") if new else None


def _plus(a: Scores, b: Scores) -> Scores:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def _highest(scores: Scores) -> tuple[int, int]:
    """The highest score and its state: the lowest of equals."""
    top, state = scores[0], 0
    if scores[1] > top:
        top, state = scores[1], 1
    if scores[2] > top:
        top, state = scores[2], 2
    if scores[3] > top:
        top, state = scores[3], 3
    return top, state


def _stays(lines: Lines, i: int, state: str, names: frozenset[str]) -> bool:
    """Is line `i`, which no rule takes, one of a list, or a cry; or does it ask or smile, or name the sender, where a
    greeting stands?"""
    line = lines[i]
    if is_item(lines, i) and not line.shape.contact:
        return True
    if state == "greeting":
        return (
            line.bare[-1] == "?"
            or cries(line.bare)
            or _SMILES.search(line.bare) is not None
            or is_sender(line.bare, names)
        )
    return state == "signoff" and _no_name(line.bare) and not is_sender(line.bare, names)


def _remarks(lines: Lines, marks: Marks, i: int, start: int, state: str, names: frozenset[str]) -> bool:
    """Is line `i`, which no rule takes, a remark of a few words, or what somebody announced?

    What signs off, in whatever language, is one word without a full stop ("Ruined." has one) and no list's last one, or
    ends with a comma, or stands right above a name.
    """
    line = lines[i]
    if is_sender(line.bare, names) or any([line.rule(kind) for kind in _CLOSING]):
        return False
    if not line.shape.contact and _is_announced(lines, marks, i, start):
        return True
    if state != "signoff" or line.bare[-1] == ",":
        return False
    if line.shape.words == 1:
        return line.bare[-1] in ".…" or (_is_listed(lines, i) and _is_set_off(lines, marks, i))
    return opens_sentence(line.bare) or _is_set_off(lines, marks, i)


def _is_listed(lines: Lines, i: int) -> bool:
    """Does line `i` stand right below one of few words that no sign ends ("No water / Mould")?"""
    if not i or not lines.bares[i - 1]:
        return False
    above = lines[i - 1]
    return above.shape.words <= LISTED and above.bare[-1].isalnum() and not any([above.rule(k) for k in _CLOSING])


def _is_set_off(lines: Lines, marks: Marks, i: int) -> bool:
    """Is line `i` in a paragraph above a rule's name and a blank line ("Still waiting")? What signs off, in whatever
    language, stands right above the name."""
    end = i + 1
    while end < len(marks) and lines.bares[end] and marks[end] is None:
        end += 1
    below = lines.next_solid(end)
    mark = marks[below] if end < below < len(marks) else None
    return mark is not None and mark[1].startswith("name.")


def _is_announced(lines: Lines, marks: Marks, i: int, start: int) -> bool:
    """Does the paragraph of line `i` open below a line of the author's with a colon ("Please cancel:")?"""
    k = i - 1
    while k > start and lines.bares[k] and not announces(lines.bares[k]):
        k -= 1
    if k > start and not lines.bares[k]:
        k -= 1
    if k < start or not announces(lines.bares[k]) or lines[k].rule("greeting"):
        return False
    mark = marks[k]
    return mark is None or mark[0] == "body"


def _no_name(bare: str) -> bool:
    """Does a line end as a cry does, or hold a name and a value ("Grade: F")? No name and no place does."""
    return bare[-1] in "!?" or ": " in bare


def edge_lines(
    lines: Lines, marks: Marks, start: int, end: int, names: frozenset[str], *, first: bool
) -> tuple[list[int], list[list[str]]] | None:
    """The lines at the edges of the segment `start` to `end` with their features; None when nothing is open."""
    solid = _ends(lines, marks, start, end)
    if not solid or (len(solid) == 1 and (marks[solid[0]] or ("", ""))[1].startswith("greeting.")):
        return None  # words that greet, alone above a quote, are no sentence
    chosen = window(lines, marks, solid, first)
    if not chosen:
        return None
    after = "end"
    for i in range(solid[-1] + 1, len(marks)):
        mark = marks[i]
        if mark is not None:
            after = mark[0]
            break
    return [solid[k] for k in chosen], features(lines, marks, solid, chosen, names, first, after)


def _ends(lines: Lines, marks: Marks, start: int, end: int) -> list[int]:
    """The open lines of the segment that are not blank: the first and the last `SEEN` of them."""
    bares = lines.bares
    solid = [i for i in range(start, end) if bares[i] and _is_undecided(marks[i])]
    return solid if len(solid) <= SEEN else [solid[0], *solid[-SEEN:]]


def _is_undecided(mark: tuple[str, str] | None) -> bool:
    """Has a line no mark yet, or one that may be overruled?"""
    return mark is None or (mark[0] in OPEN and mark[1] != "delimiter")


def checksum(content: Mapping[str, Any]) -> str:
    """BLAKE2b-16 over the weights as canonical JSON, without the checksum itself."""
    plain = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def parse_weights(text: str) -> Labeller:
    """The labeller of a weights file (JSON). Raises DataError where it is damaged or of another format."""
    try:
        content = json.loads(text)
        found = content["format"], content["checksum"], tuple(content["states"])
    except (ValueError, KeyError, TypeError):
        raise DataError("the labeller's weights are not readable", hint=_AGAIN) from None
    if found != (FORMAT, checksum(content), STATES):
        raise DataError("the labeller's weights are damaged or of another format", hint=_AGAIN)
    body, greeting, signoff, signature = map(tuple, content["moves"])
    return Labeller(
        features={name: g + (s << _BITS) + (t << 2 * _BITS) for name, (g, s, t) in content["features"].items()},
        start=tuple(content["start"]),
        end=tuple(content["end"]),
        moves=(body, greeting, signoff, signature),
        remove_margin=content["remove_margin"],
        keep_margin=content["keep_margin"],
        scale=content["scale"],
    )


@cache
def shipped() -> Labeller:
    """The labeller whose weights come with the package."""
    return parse_weights(resources.files(__package__).joinpath("weights", "edges.json").read_text(encoding="utf-8"))
