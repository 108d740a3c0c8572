"""What its author typed into the element that HTML calls a signature: the whole message, or paragraphs of it."""

from __future__ import annotations

from mailmill.email.lines import LONG_KINDS, Lines
from mailmill.email.signatures import LINK, reaches, tells
from mailmill.email.tails import QUOTATION, Marks, is_legal


def typed_in(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """The author's lines among those of signatures, which are the message, or go on with it."""
    return _written(lines, marks, solid) or _added(lines, marks, solid)


def _written(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """The lines of what HTML calls a signature, where the message was typed into it.

    Nothing but a greeting or a mobile program's tag stands above that, and it opens with a sentence, or with a greeting
    above one, which may have few words ("Refund, please!"). Where the author's text stands below it, it holds no way to
    reach anybody, and above a quote none right below its first sentence: signatures open with a saying, too.
    """
    typed: list[int] = []
    greeted = quoted = False
    for i in solid:
        line, mark = lines[i], marks[i]
        if line.rule("mobile"):
            continue
        if mark is not None:
            quoted = quoted or not mark[1].startswith("html.") or mark[0] not in ("signature", "mobile")
            if not quoted:
                typed.append(i)
            elif not typed:
                return []
        elif typed:
            if reaches(lines, typed) and not any([line.rule(kind) for kind in LONG_KINDS]):
                return []
            break
        else:
            if greeted or not line.rule("greeting"):
                return []
            greeted = True
    for k, line in enumerate([lines[i] for i in typed[:3]]):
        if line.rule("signoff"):
            break
        says = line.shape.ends in ("!", "?") or (line.shape.ends == "." and line.shape.lower > 0)
        if line.shape.prose or (greeted and says):
            standard = any([line.rule(kind) for kind in LONG_KINDS])
            saying = quoted and not k and reaches(lines, _right_below(lines, typed))
            return [] if standard or saying else typed
        greets = line.rule("greeting") != ""
        if not greets and line.shape.ends != ",":
            break
        greeted = greeted or greets
    return []


def _right_below(lines: Lines, typed: list[int]) -> list[int]:
    """What stands below the first of the lines `typed`, to a sentence, a name, a sign-off or a blank line; no links."""
    end = 1
    while end < len(typed) and typed[end] == typed[end - 1] + 1:
        line = lines[typed[end]]
        shape = line.shape
        named = shape.name and not (shape.phone or shape.address or line.rule("contact"))  # "Tel. 030 123456" is none
        if shape.prose or named or line.rule("signoff"):
            break
        end += 1
    return [i for i in typed[1:end] if not LINK.match(lines.bares[i])]


def _added(lines: Lines, marks: Marks, solid: list[int]) -> list[int]:
    """The lines of the paragraphs of a signature, or below a mobile program's tag, that go on with a text above.

    A blank line, a tag or a sign-off parts them from who signs. They say something, hold no way to reach anybody, and
    are no quotation. Standard texts end a signature; so does the card of a firm, which puts its slogans below
    ("We are hiring!"), unless a mobile program's tag stands between.
    """
    paragraphs: list[list[int]] = []
    told = carded = False
    for i in solid:
        line, mark = lines[i], marks[i]
        if mark is None:
            told = told or not line.rule("greeting")
            continue
        if not told or not _is_signature(mark):
            break
        parts = any([line.rule(kind) for kind in ("mobile", "signoff", "thanks")])
        if not paragraphs or parts or (paragraphs[-1] and i > paragraphs[-1][-1] + 1):
            carded = (carded or (paragraphs != [] and _is_card(lines, paragraphs[-1]))) and not line.rule("mobile")
            paragraphs.append([])
        if not (parts or carded):
            paragraphs[-1].append(i)
    found: list[int] = []
    looked = 0
    for k, paragraph in enumerate(paragraphs):
        if not _says(lines, paragraph):
            continue
        if any([_is_standard(lines, each) for each in paragraphs[looked : k + 1]]):
            break
        looked = k + 1
        found += paragraph
    return found


def _is_signature(mark: tuple[str, str]) -> bool:
    return mark[0] in ("signature", "mobile") and mark[1].startswith("html.")


def _is_card(lines: Lines, paragraph: list[int]) -> bool:
    """Does a line that is no sentence hold a title or an address, or more below a name than telephone numbers?"""
    shapes = [lines[i].shape for i in paragraph]
    if any([(shape.title or shape.address) and not shape.prose for shape in shapes]):
        return True
    named = shapes != [] and shapes[0].name and not any([shape.prose for shape in shapes])
    return named and any([not shape.phone for shape in shapes[1:]])


def _is_standard(lines: Lines, paragraph: list[int]) -> bool:
    """Does every mail of a firm end with such a paragraph?"""
    if any([lines[i].rule(kind) for i in paragraph for kind in LONG_KINDS]):
        return True
    return is_legal(" ".join([lines.bares[i] for i in paragraph]))


def _says(lines: Lines, paragraph: list[int]) -> bool:
    """Does the paragraph say something?"""
    told = [lines[i] for i in paragraph]
    if not any([tells(line) for line in told]) or told[0].shape.name or told[0].bare[0] in QUOTATION:
        return False
    return not any([line.shape.contact or line.rule("contact") for line in told])
