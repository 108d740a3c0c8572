"""The marks that programs put before each line of a quote: ">", "|", or the name of who is quoted ("AB> ")."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from mailmill.email.patterns import MAX_LINE, PATTERNS

_QUOTE: Final = re.compile(r"[ \t]{0,3}(?:>[ \t]?|[|](?=[ \t>|])[ \t]?){1,60}")
# A branch of a drawn tree ("|    |-- city: string", "|  +- org.apache…"): its bars are no quote marks.
_BRANCH: Final = re.compile(r"(?:\|\s{1,8}){0,20}(?:[|+`\\]-|\|$)")
# mbox files escape a line that begins with "From ".
_ESCAPED: Final = re.compile(r">{1,3}From [A-Za-z]")
#: A statement of Python behind its prompt, and what it may only repeat there: a name.
_STATEMENT: Final = re.compile(
    r">>> (?:import \w|from [\w.]{1,60} import |(?:def|class|for|while|with|if|try)\b.*:$|(?:assert|del|raise) [\w.(]"
    r"|print\b ?[(\"'\w]|[A-Za-z_][\w.]{0,60}(?:[(\[]| ?[-+*/|&]?= ?\S)|\d[\d.]{0,20} ?[-+*/%<>=]|[#@]\s?\w"
    r"|[\[({][\d\"'\[({]|[\"'][^\"']{0,60}[\"'](?:\.\w| ?[-+*%\[]))"
)
_NAME: Final = re.compile(r">>>(?: [A-Za-z_][\w.]{0,60})?$")
_TIGHT: Final = re.compile(r">{1,9}[^\s>]")
# "AB> ", and Emacs's "  Ada> ": the name of who is quoted before each line.
_NAMED: Final = re.compile(r"[ \t]{0,8}([A-Za-z][A-Za-z.]{0,4}|[A-Z][A-Za-z]{5,14})>(?=[\s>]|$)")
# Emacs's Supercite: ">>>>> "TP" == Tim Peters <tim@…> writes:".
_CITED: Final = re.compile(r">{1,9} ?\"([^\">]{1,15})\" == ")
#: What waits for commands names itself so ("SQL> exit"), as do drives ("C>"), questions and answers.
_PROMPTS: Final = frozenset({
    "a", "c", "cli", "cmd", "dos", "ftp", "gdb", "idl", "irb", "ldap", "mysql", "php", "ps", "q", "rman", "router",
    "sas", "sftp", "shell", "sql", "sqlplus", "switch", "telnet",
})  # fmt: skip


def prompting(bares: list[str], odd: list[int]) -> frozenset[int]:
    """The lines that stand behind Python's prompt (">>> round(2.5)"), of lines `odd` in ascending order.

    What is quoted for the third time looks like it, so the lines right above and below must be such, too, or bear no
    mark.
    """
    prompts: list[int] = []
    marked = [i for i in odd if bares[i][:1] == ">"]
    for _, passage in groupby(enumerate(marked), lambda place: place[1] - place[0]):
        run = [i for _, i in passage]
        if all([_STATEMENT.match(bares[i]) or _NAME.match(bares[i]) for i in run]):
            prompts += run
    return frozenset(prompts if any([_STATEMENT.match(bares[i]) for i in prompts]) else [])


def quoting_names(texts: list[str], bares: list[str], odd: list[int]) -> frozenset[str]:
    """The names that quote the lines before which they stand, of lines `odd` in ascending order.

    `bares`: the `texts` stripped. A name stands before two lines, or an attribution says whose words they are: "File>
    Save" names a menu. In small letters longer ones are programs' ("hive> show").
    """
    found: dict[str, list[int]] = {}
    cited = set()
    for i in odd:
        if bares[i].find(">", 1, 17) > 0:
            if named := _NAMED.match(texts[i]):
                found.setdefault(named[1], []).append(i)
            elif introduced := _CITED.match(bares[i]):
                cited.add(introduced[1])
    return frozenset(
        [
            name
            for name, places in found.items()
            if name in cited
            or (len(places) > 1 and name.lower() not in _PROMPTS and (len(name) <= 3 or not name.islower()))
            or _attributed(bares, places[0])
        ]
    )


def _attributed(bares: list[str], i: int) -> bool:
    """Does an attribution with a date or an address end above line `i`, which blank lines may part from it?"""
    i -= 1
    while i > 0 and not bares[i]:
        i -= 1
    if i < 0 or bares[i][-1:] != ":":
        return False
    for text in (bares[i], " ".join(bares[max(0, i - 1) : i + 1])):
        dated = "@" in text or any(map(str.isdigit, text))
        if dated and PATTERNS.matchers["attribution"].rule(text[:MAX_LINE].lower()):
            return True
    return False


def unquote(text: str, bare: str, names: frozenset[str]) -> tuple[str, int]:
    """What stands in a line behind the quote marks, if it has any, and their number.

    `bare` is `text` stripped; `names`: what may stand before a mark.
    """
    if text.startswith("> ") and text[2:3] not in "|>":  # the usual mark needs no pattern
        return text[2:].strip(), 1
    if not bare or (bare[0] == "|" and bare[-1] == "|" and len(bare) > 2):  # a row of a table
        return bare, 0
    if bare[0] in ">|":
        marks = None if "From " in bare and _ESCAPED.match(bare) else _QUOTE.match(text)
        if marks is None or (bare[0] == "|" and _BRANCH.match(text[marks.end() :].lstrip())):
            return bare, 0
        return text[marks.end() :].strip(), marks[0].count(">") + marks[0].count("|")
    marks = _NAMED.match(text) if names and bare.find(">", 1, 17) > 0 else None
    return (text[marks.end() :].strip(), 1) if marks and marks[1] in names else (bare, 0)


def marks_of_from(bare: str, below: str) -> int:
    """The quote marks before ">From …", which mbox files write for "From …": none, unless the line right `below` bears
    marks without a blank behind them, too (">And why?")."""
    escaped = _ESCAPED.match(bare)
    tight = escaped is not None and _TIGHT.match(below) is not None and _ESCAPED.match(below) is None
    return bare.index("F") if tight else 0
