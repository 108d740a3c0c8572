"""Which pattern of hundreds matches a line, at the price of a look into a dictionary for most lines.

A line is asked for many kinds of patterns in seven languages, and nearly always the answer is no. What a pattern
can begin with is plain from its text, so the first few characters of a line tell which patterns are worth trying;
only those are joined into one regular expression, compiled when a line first needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

#: So many characters at the beginning of a line choose the patterns.
HEAD: Final = 4

#: So many beginnings of two characters are remembered; a language's are some hundred.
_SETTLED: Final = 4096

_QUANTIFIERS: Final = "*+{"
_GAP: Final = "\0"  # for whatever is no plain text
_REPEATED: Final = re.compile(r"\{[1-9]")
_LITERAL_ESCAPES: Final = r".?*+()[]{}|\/-$^"


class Fragment(NamedTuple):
    """One entry of a table: the rule's `name` and its regular expression, closed with what may follow it."""

    name: str
    text: str
    closed: str


class Way:
    """Fragments of one kind, in order of preference, as one regular expression."""

    __slots__ = ("_fragments", "_match")

    def __init__(self, fragments: Sequence[Fragment]) -> None:
        self._fragments = fragments
        self._match: re.Pattern[str] | None = None

    def rule(self, line: str) -> str:
        """The name of the first fragment that matches `line` from its beginning, or ''."""
        pattern = self._match
        if pattern is None:
            pattern = self._match = re.compile("|".join(f"({fragment.closed})" for fragment in self._fragments))
        found = pattern.match(line)
        return self._fragments[found.lastindex - 1].name if found and found.lastindex else ""


#: The ways worth trying on a line, by kind.
Ways = dict[str, Way]


class Index:
    """From a line's beginning to the ways worth trying, for several kinds at once."""

    __slots__ = ("_needles", "_settled", "_tables", "_upheld")

    def __init__(self, kinds: Mapping[str, Sequence[Fragment]]) -> None:
        every = [(kind, fragment) for kind, fragments in kinds.items() for fragment in fragments]
        found = [heads(fragment.text) for _, fragment in every]
        wild = frozenset(number for number, each in enumerate(found) if "" in each)
        needles = set().union(*(needed(every[number][1].text) for number in wild))
        self._needles = tuple(sorted(n for n in needles if not any(other in n for other in needles - {n})))
        ways: dict[tuple[int, ...], Way] = {}

        def table(without: frozenset[int]) -> dict[str, Ways]:
            """Head -> ways, without some fragments; those of "" are for heads that are not listed."""
            by_head: dict[str, set[int]] = {"": set()}
            for number, each in enumerate(found):
                if number not in without:
                    for head in each:
                        by_head.setdefault(head, set()).add(number)
            out: dict[str, Ways] = {}
            for head in {*by_head, *(head[:2] for head in by_head)}:
                members = set().union(*(by_head.get(head[:size], ()) for size in range(len(head) + 1)))
                chosen: dict[str, list[int]] = {}
                for number in sorted(members):  # numbers follow the order of preference
                    chosen.setdefault(every[number][0], []).append(number)
                out[head] = {
                    kind: ways.setdefault(tuple(kept), Way([every[number][1] for number in kept]))
                    for kind, kept in chosen.items()
                }
            return out

        self._tables = table(wild), table(frozenset())
        self._upheld = frozenset(head[:2] for table in self._tables for head in table if len(head) > 2)
        self._settled: tuple[dict[str, Ways], dict[str, Ways]] = {}, {}

    def ways(self, line: str) -> Ways:
        """The ways worth trying on the lower-cased, stripped `line`; kinds that cannot match are not in it."""
        which = 0
        for needle in self._needles:
            if needle in line:
                which = 1
                break
        # What two characters settle is looked up once for all lines that begin with them.
        settled, start = self._settled[which], line[:2]
        known = settled.get(start)
        if known is not None:
            return known
        table = self._tables[which]
        near = table.get(start) or table.get(line[:1]) or table[""]
        if start in self._upheld:
            return table.get(line[:4]) or table.get(line[:3]) or near
        if len(settled) < _SETTLED:
            settled[start] = near
        return near


def heads(fragment: str, size: int = HEAD) -> frozenset[str]:
    """The beginnings, of up to `size` characters, of all texts that match `fragment`.

    After one shorter than `size` anything may follow; "" says that nothing is known. Understood are literals,
    small character classes, `(?:a|b)` groups and `?` after any of them; from other syntax on the answer is "anything
    may follow", which is always safe: it costs time, never a match.
    """
    done, going = _heads(fragment, size)
    return frozenset(done | going)


def _heads(fragment: str, size: int) -> tuple[set[str], set[str]]:
    """(beginnings after which anything may follow, beginnings that are the whole of a match) of `fragment`."""
    done: set[str] = set()
    going = {""}
    i = 0
    while i < len(fragment) and going:
        step = _atom(fragment, i, size)
        if step is None:
            return done | going, set()
        (some, whole), i = step
        optional = fragment.startswith("?", i)
        if i < len(fragment) and fragment[i] in _QUANTIFIERS:
            if fragment[i] != "+" and not _REPEATED.match(fragment, i):
                return done | going, set()
            some, whole = some | whole, set()
        done |= {(start + more)[:size] for start in going for more in some}
        longer = {(start + more)[:size] for start in going for more in whole}
        full = {start for start in longer if len(start) == size}
        done |= full
        going = (longer - full) | (going if optional else set())
        i += optional
    return done, going


def _atom(fragment: str, i: int, size: int) -> tuple[tuple[set[str], set[str]], int] | None:
    """The heads of what stands at `i`, and the index behind it; None where it is not understood."""
    char = fragment[i]
    if char == "(":
        end = _closing(fragment, i)
        if not fragment.startswith("(?:", i):
            return None
        branches = [_heads(branch, size) for branch in _branches(fragment[i + 3 : end])]
        return (set().union(*(b[0] for b in branches)), set().union(*(b[1] for b in branches))), end + 1
    if char == "[":
        end = fragment.find("]", i + 2)
        inner = fragment[i + 1 : end]
        if "^" in inner or "\\" in inner or "-" in inner[1:-1]:
            return None
        return (set(), set(inner)), end + 1
    if char == "\\":
        return ((set(), {fragment[i + 1]}), i + 2) if fragment[i + 1] in _LITERAL_ESCAPES else None
    return None if char in ".^$)" else ((set(), {char}), i + 1)


def needed(fragment: str) -> frozenset[str]:
    """Texts of which at least one stands in every match of `fragment`, as far as is plain; "" if none is.

    Its longest literal, or those of a group's alternatives: what has the longest text at the least.
    """
    plain = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", _GAP, fragment)
    branches = _branches(plain)
    if len(branches) > 1:
        return frozenset().union(*map(needed, branches))
    choices = [frozenset({_literal(plain)})]
    i = 0
    while (i := plain.find("(", i)) >= 0:
        end = _closing(plain, i)
        if plain.startswith("(?:", i) and plain[end + 1 : end + 2] not in {"?", *_QUANTIFIERS}:
            choices.append(needed(plain[i + 3 : end]))
        i = end
    return max(choices, key=lambda texts: min(map(len, texts)))


def _literal(plain: str) -> str:
    """The longest text that stands in every match of `plain` outside its groups; '' if none."""
    inner, rest = "", plain
    while inner != rest:
        inner, rest = rest, re.sub(r"\(\?(?:[:=!]|<[=!])[^()]*\)", _GAP, rest)
    return "" if "(" in rest else max(re.sub(r".[?*]|.\{[^}]*\}|[.^$+]", _GAP, rest).split(_GAP), key=len)


def _closing(fragment: str, start: int) -> int:
    """Index of the bracket that closes the one at `start`."""
    level, i = 0, start
    while i < len(fragment):
        if fragment[i] == "\\":
            i += 1
        else:
            level += (fragment[i] == "(") - (fragment[i] == ")")
            if not level:
                break
        i += 1
    return i


def _branches(inner: str) -> list[str]:
    """The alternatives of a group's inside."""
    parts, level, last, i = [], 0, 0, 0
    while i < len(inner):
        if inner[i] == "\\":
            i += 1
        elif inner[i] == "|" and not level:
            parts.append(inner[last:i])
            last = i + 1
        else:
            level += (inner[i] == "(") - (inner[i] == ")")
        i += 1
    return [*parts, inner[last:]]


class Matcher:
    """The fragments of one kind, asked alone."""

    def __init__(self, kind: str, fragments: Iterable[Fragment]) -> None:
        """`fragments` in order of preference."""
        self._kind = kind
        self.fragments = tuple(fragments)
        self._index: Index | None = None

    def rule(self, line: str) -> str:
        """The name of the first rule that matches the lower-cased, stripped `line`, or ''."""
        if self._index is None:
            self._index = Index({self._kind: self.fragments})
        way = self._index.ways(line).get(self._kind)
        return way.rule(line) if way is not None else ""
