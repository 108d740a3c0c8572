"""The dataset card that Hugging Face's hub reads: a README.md whose head is YAML, from the same facts and answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from mailmill import schemas
from mailmill.docs.croissant import patterns
from mailmill.docs.datasheet import Sheet
from mailmill.docs.facts import Facts
from mailmill.docs.gathering import OTHERS
from mailmill.storage.manifests import Manifest
from mailmill.visible import in_markdown

#: Size categories of the hub, by their upper bounds.
SIZES = {
    1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M",
    100_000_000: "10M<n<100M", 1_000_000_000: "100M<n<1B",
    10_000_000_000: "1B<n<10B", 100_000_000_000: "10B<n<100B", 1_000_000_000_000: "100B<n<1T",
}  # fmt: skip


def languages(facts: Facts) -> list[str]:
    """Codes of the languages that at least one in a hundred of the mails with a language have, and as many as may be
    shown (`gathering.joined`): of very many mails the detector takes some for each that it knows. Where there is none,
    those that were generated."""
    found = {code: fact.value for code, fact in facts.below("clean.counts.languages").items()}
    counts = {code: int(n) for code, n in found.items() if isinstance(n, int) and len(code) == 2 and code.isalpha()}
    if not found or (OTHERS in found and not counts):
        counts = {part.strip(): 1 for part in (facts.state("generator.languages") or "").split(",") if part}
    return sorted(code for code, n in counts.items() if 100 * n >= sum(counts.values()))


def card(facts: Facts, manifests: Mapping[str, Manifest], about: Mapping[str, str], sheets: Sequence[Sheet]) -> str:
    """README.md: YAML metadata between `---` lines, then the datasheet of the table clean in Markdown."""
    tables = [name for name in ("clean", "labels", "features", "raw") if name in manifests]
    rows = max(manifests[name].rows for name in tables)
    head: dict[str, Any] = {
        "pretty_name": about.get("name", "mailmill tables"),
        "license": about.get("license_name", "unknown").lower(),
        "language": languages(facts),
        "task_categories": [about.get("task", "text-classification")],
        "size_categories": [size_category(rows)],
        "tags": ["email", "mailmill", "croissant"],
        "configs": [
            {
                "config_name": name,
                "data_files": patterns(manifests[name]),
                **({"default": True} if name == "clean" else {}),
            }
            for name in tables
        ],
        "dataset_info": [
            {
                "config_name": name,
                "features": [_feature(field) for field in _schema(manifests[name])],
                "splits": [
                    {
                        "name": "train",
                        "num_bytes": sum(file.bytes for file in manifests[name].files),
                        "num_examples": manifests[name].rows,
                    }
                ],
            }
            for name in tables
        ],
    }
    lines = ["---", *(f"{key}: {_yaml(value)}" for key, value in head.items()), "---", ""]
    lines += [f"# {in_markdown(about.get('name', 'mailmill tables'))}", ""]
    lines += [in_markdown(about["description"]), ""] if "description" in about else []
    lines += [f"Version `{facts.version}` of the data; what is marked measured below was measured from it.", ""]
    for sheet in sheets:
        if sheet.subject == "clean":
            lines += _markdown(sheet)
    return "\n".join(lines) + "\n"


def _schema(manifest: Manifest) -> pa.Schema:
    if manifest.table == "features":
        specification = manifest.statistics["specification"]
        return schemas.features(specification["dimension"], specification["sparse_columns"])
    return {"raw": schemas.RAW, "clean": schemas.CLEAN, "labels": schemas.LABELS}[manifest.table]


def _feature(field: pa.Field) -> dict[str, Any]:
    """A column as `datasets.Features` reads it from YAML: every one, or the library refuses the files."""
    kind = field.type
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        element = kind.value_type
        inner = [_feature(part) for part in element] if pa.types.is_struct(element) else _dtype(element)
        return {"name": field.name, "list": inner}
    return {"name": field.name, "dtype": _dtype(kind)}


def _dtype(kind: pa.DataType) -> str:
    return {"float": "float32", "double": "float64"}.get(str(kind), str(kind))


def size_category(rows: int) -> str:
    """The hub's name for so many rows."""
    return next((name for bound, name in SIZES.items() if rows < bound), "n>1T")


def _markdown(sheet: Sheet) -> list[str]:
    lines = []
    for section, answers in sheet.sections():
        lines += [f"## {section}", ""]
        for answer in answers:
            lines += [f"**{answer.question.text}**", "", f"{in_markdown(answer.text)} *({answer.status})*", ""]
            if answer.remark:
                lines += [f"{in_markdown(answer.remark.text)} *({answer.remark.status})*", ""]
    return lines


def _yaml(value: Any) -> str:
    """A value as JSON, which is YAML where what does not print is escaped; without a character that would be markup to
    whoever shows the file as it is. (JSON's own escapes of pairs of surrogates are two characters in YAML.)"""
    text = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
