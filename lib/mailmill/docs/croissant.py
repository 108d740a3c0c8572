"""The tables for machines: Croissant 1.1 (MLCommons) with its responsible-AI fields.

`croissant.json` stands at the root of the workspace, so that `mlcroissant.Dataset(".../croissant.json")` reads the
tables beside it. What it says of collection, labels and limits are answers of the datasheets: nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailmill.docs.datasheet import Answer, Sheet
from mailmill.docs.facts import Facts
from mailmill.schemas import COLUMNS
from mailmill.storage.manifests import Manifest

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
DESCRIBED = ("raw", "clean", "labels", "features")
#: So many files are named one by one.
NAMED = 200

#: The JSON-LD context that the specification recommends.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

#: Croissant's types by Arrow's, as manifests write them.
TYPES = {
    "string": "sc:Text",
    "binary": "sc:Text",
    "bool": "sc:Boolean",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "float": "cr:Float32",
    "double": "cr:Float64",
    "timestamp[us, tz=UTC]": "sc:DateTime",
}

#: Responsible-AI fields, and the questions of the datasheet of `clean` (of `labels` there is none) that answer them.
RAI = {
    "rai:dataCollection": ("collection.acquired", "collection.mechanisms"),
    "rai:dataCollectionMissingData": ("composition.missing",),
    "rai:dataCollectionRawData": ("preprocessing.raw",),
    "rai:dataPreprocessingProtocol": ("preprocessing.done",),
    "rai:dataAnnotationProtocol": ("composition.label",),
    "rai:dataUseCases": ("uses.already", "uses.other"),
    "rai:dataLimitations": ("composition.errors", "uses.not"),
    "rai:dataBiases": ("composition.sample", "uses.impact"),
    "rai:dataSocialImpact": ("uses.impact",),
    "rai:personalSensitiveInformation": ("composition.identify", "composition.sensitive"),
    "rai:dataReleaseMaintenancePlan": ("maintenance.updates", "maintenance.older"),
}


def describe(
    facts: Facts, manifests: Mapping[str, Manifest], about: Mapping[str, str], sheets: Sequence[Sheet]
) -> dict[str, Any]:
    """The JSON-LD document of the published tables: distribution, record sets, and what the datasheets say.

    Stale and unanswered questions leave their field out: a machine cannot see a warning beside it.
    """
    published = [name for name in DESCRIBED if name in manifests]
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": about.get("name", "mailmill tables"),
        "description": about.get("description", "Email as published by mailmill: raw, clean, labels and features."),
        "url": about.get("url", "https://github.com/mailmill/mailmill"),
        "version": f"1.0.0+{facts.version}",
        "datePublished": max(manifests[name].created for name in published)[:10],
        "creator": {"@type": "sc:Organization", "name": about.get("creator", "unknown")},
        "license": about.get("license", "https://choosealicense.com/no-permission/"),
        "citeAs": about.get("cite_as", about.get("name", "mailmill tables")),
        "keywords": ["email", about.get("task", "text-classification"), "mailmill"],
        "distribution": [_files(manifests[name]) for name in published],
        "recordSet": [_records(manifests[name]) for name in published],
    }
    dates = [facts.get(f"clean.date.{end}") for end in ("first", "last")]
    document["rai:dataCollectionTimeframe"] = [str(date.value) for date in dates if date] or [
        str(fact.value) for name in ("raw.created",) if (fact := facts.get(name))
    ]
    clean = next((sheet for sheet in sheets if sheet.subject == "clean"), None)
    if clean is not None:
        answers = {answer.question.id: answer for answer in clean.answers}
        for field, wanted in RAI.items():
            text = " ".join(filter(None, (_said(answers[name]) for name in wanted)))
            if text:
                document[field] = text
    return document


def _said(answer: Answer) -> str:
    """What an answer says, with its remark, where both are fresh."""
    parts = [part for part in (answer, answer.remark) if part and part.status not in ("stale", "unanswered")]
    return " ".join(part.text for part in parts)


def patterns(manifest: Manifest) -> list[str]:
    """Where the table's files lie below the workspace: their paths; of more than `NAMED`, their folders' patterns.

    A table that grows has files of several runs, and a folder may hold files that it no longer has.
    """
    paths = [f"{manifest.table}/{file.path}" for file in manifest.files]
    if len(paths) <= NAMED:
        return paths
    return sorted({path.rpartition("/")[0] + "/*.parquet" for path in paths})


def runs_named(document: Mapping[str, Any], table: str) -> set[str]:
    """The folders of runs (`run_id=ID`) among whose files a document of `describe` finds the table's rows.

    None in one that somebody else wrote, whatever its form.
    """
    items = document.get("distribution")
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    included = [item.get("includes") for item in found if item.get("@id") == f"{table}-files"]
    paths = [path for paths in included if isinstance(paths, list) for path in paths if isinstance(path, str)]
    return {path.split("/")[1] for path in paths if "/" in path}


def _files(manifest: Manifest) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{manifest.table}-files",
        "name": f"{manifest.table}-files",
        "description": f"{len(manifest.files)} files of {manifest.rows} rows; fingerprint {manifest.fingerprint}.",
        "encodingFormat": "application/x-parquet",
        "includes": patterns(manifest),
    }


def _records(manifest: Manifest) -> dict[str, Any]:
    table = manifest.table
    nested = [column["name"] for column in manifest.columns if "struct<" in column["type"]]
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": f"The table {table}{', without its nested column ' + ', '.join(nested) if nested else ''}.",
        "key": {"@id": f"{table}/key"},
        "field": [_field(table, column) for column in manifest.columns if column["name"] not in nested],
    }


def _field(table: str, column: Mapping[str, Any]) -> dict[str, Any]:
    name, kind = str(column["name"]), str(column["type"])
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table}/{name}",
        "name": name,
        "description": f"{COLUMNS[table].get(name, name)} ({kind}{'' if column['nullable'] else ', never null'})",
        "source": {"fileSet": {"@id": f"{table}-files"}, "extract": {"column": name}},
    }
    if "list<" in kind:
        width = kind.rpartition("[")[2].rstrip("]") if kind.startswith("fixed_size_list") else "-1"
        field |= {"isArray": True, "arrayShape": width}
    inner = kind.partition("element: ")[2].partition(" ")[0].partition(">")[0] if "list<" in kind else kind
    field["dataType"] = TYPES.get(inner, "sc:Text")
    return field
