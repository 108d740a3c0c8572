"""No regular expression of the room is super-linear: each is timed on strings made to trap it, and on their doubles.

The strings are built from the expression itself. Its parse tree gives examples of what each of its atoms matches;
a trap is the beginning of a match with one atom, or two neighbours, repeated thousands of times, and an end that
does not fit. That is where backtracking costs most.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from mailmill import email as room
from mailmill.email.html import render
from mailmill.email.patterns import PATTERNS
from tests.email.linear import QUICK, assert_doubles

SIZE = 10_000

_CATEGORIES = {
    sre.CATEGORY_SPACE: " ", sre.CATEGORY_DIGIT: "1", sre.CATEGORY_WORD: "a",
    sre.CATEGORY_NOT_SPACE: "a", sre.CATEGORY_NOT_DIGIT: "a", sre.CATEGORY_NOT_WORD: "-",
}  # fmt: skip


def atoms(tree: Any, branch: int) -> list[str]:
    """One example for each atom of a parsed expression, in order; `branch` chooses among alternatives."""
    found: list[str] = []
    for code, value in tree:
        if code is sre.LITERAL:
            found.append(chr(value))
        elif code in (sre.ANY, sre.NOT_LITERAL):
            found.append("a")
        elif code is sre.IN:
            found.append(member(value, branch))
        elif code in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, _, inner = value
            found.extend(atoms(inner, branch) * max(1, min(least, 8)))
        elif code is sre.SUBPATTERN:
            found.extend(atoms(value[-1], branch))
        elif code is sre.BRANCH:
            found.extend(atoms(value[1][branch % len(value[1])], branch))
    return found


def member(items: Any, branch: int) -> str:
    """A character of a class (of a negated one, a character outside it)."""
    options = []
    for code, value in items:
        if code is sre.LITERAL:
            options.append(chr(value))
        elif code is sre.RANGE:
            options.append(chr(value[0]))
        elif code is sre.CATEGORY:
            options.append(_CATEGORIES[value])
    if items[0][0] is sre.NEGATE:
        return next(c for c in "a b1\n" if c not in options)
    return options[branch % len(options)]


def traps(pattern: str, size: int) -> Iterator[str]:
    """Strings of about `size` characters that begin as matches and then repeat a part of one."""
    seen = set()
    for branch in range(4):
        parts = atoms(_parser.parse(pattern), branch)[:40]
        for i in range(len(parts)):
            head = "".join(parts[:i])
            for pump in {parts[i], "".join(parts[i : i + 2]), "".join(parts[: i + 1]), f"{parts[i]} "} - {""}:
                if (head, pump) not in seen:
                    seen.add((head, pump))
                    yield head + pump * (size // len(pump)) + "\0"


def assert_linear(
    run: Callable[[Any], object], pattern: str, binary: bool = False, size: int = SIZE, quick: float = QUICK
) -> None:
    """Time `run` on every trap; where that is not quick, on the doubled trap, as often as noise demands."""
    for text, double in zip(traps(pattern, size), traps(pattern, 2 * size), strict=True):
        short, long = (t.encode("latin-1", "replace") if binary else t for t in (text, double))
        assert_doubles(run, short, long, quick, pattern)


def compiled() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """(name, expression, method) of every module-level expression and every way the source uses it."""
    for info in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{info.name}")
        source = Path(room.__path__[0], f"{info.name}.py").read_text(encoding="utf-8")  # of a compiled module, too
        for name, value in vars(module).items():
            owner = getattr(value, "__self__", None)  # a bound method, as `_NAMED_SEARCH`
            if isinstance(owner, re.Pattern):
                yield f"{info.name}.{name}", owner, value.__name__
            if not isinstance(value, re.Pattern):
                continue
            for method in set(re.findall(rf"\b{name}\.(match|search|fullmatch|findall|finditer|sub|split)\b", source)):
                yield f"{info.name}.{name}", value, method


EXPRESSIONS = sorted(compiled(), key=lambda found: (found[0], found[2]))
#: Serialised by lexbor, what this reads has no unclosed comment or quote; `render` is timed on its traps instead.
SERIALISED = "markup._TOKEN"


def test_every_expression_is_found() -> None:
    names = {name for name, _, _ in EXPRESSIONS}
    assert {"evidence._NAMED_SEARCH", "header_values._IDENTIFIER", "shape._PHONE", "mime._CHARSET", SERIALISED} <= names
    assert len(names) >= 45


@pytest.mark.parametrize(("name", "pattern", "method"), EXPRESSIONS, ids=lambda v: v if isinstance(v, str) else "")
def test_expressions(name: str, pattern: re.Pattern[Any], method: str) -> None:
    text = pattern.pattern
    binary = isinstance(text, bytes)
    source = text.decode("latin-1") if binary else text
    if name == SERIALISED:
        assert_linear(render, source)
        return
    bound = getattr(pattern, method)
    run = {
        "sub": lambda value: bound(b" " if binary else " ", value),
        "finditer": lambda value: sum(1 for _ in bound(value)),
    }.get(method, bound)
    assert_linear(run, source, binary)


FRAGMENTS = [(kind, fragment) for kind, m in PATTERNS.matchers.items() for fragment in m.fragments]


@pytest.mark.parametrize("kind", sorted(PATTERNS.matchers))
def test_fragments_of_the_tables(kind: str) -> None:
    """Every entry of every table, closed as its kind is, far beyond the longest line that it is tried on."""
    for other, fragment in FRAGMENTS:
        if other == kind:
            assert_linear(re.compile(fragment.closed).match, fragment.closed)


@pytest.mark.parametrize("pattern", [r"<\s*([^<>]+?)>", r"\s+$", r"(?:a|b)*c", r"[^@]*@"])
def test_the_traps_catch(pattern: str) -> None:
    """What is known to be quadratic or worse is found out, on smaller strings so that it ends, in one of a few goes."""
    for size in (500, 600, 700, 800):
        try:
            assert_linear(re.compile(pattern).search, pattern, size=size, quick=0.00001)
        except AssertionError:
            return
    pytest.fail("not found out")
