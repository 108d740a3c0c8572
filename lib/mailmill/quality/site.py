"""Great Expectations' Data Docs of all published tables, in the site's folder, opening without a network.

The library's pages take their styles, symbols and scripts from other people's servers. Here those
references are cut out, as is what works by script; symbols become words, and the index, which the library draws by
script, is a plain table of links. They are built from the published results, so a run that skips its
stages has them too.
"""

from __future__ import annotations

import html
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mailmill import schemas
from mailmill.quality import expectations, gate, profile
from mailmill.quality.validation import RESULTS, VALIDATION
from mailmill.storage.filesystems import Storage, join
from mailmill.storage.tables import Table, Workspace

FOLDER, STATE = "validation", "state.json"
_CUT = re.compile(
    r"<script\b.*?</script>|<iframe\b.*?</iframe>|<footer\b.*?</footer>|<link\b[^>]*>|<base\b[^>]*>|<img\b[^>]*>"
    r"|<a\b[^>]*data-toggle=\"collapse\"[^>]*>.*?</a>|<strong>Actions</strong>|<p\b[^>]*>\s*Validation Filter:\s*</p>"
    r"|\son\w+=(\"[^\"]*\"|'[^']*')",
    re.DOTALL | re.IGNORECASE,
)
_STYLES = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
_REMOTE = re.compile(r"(href|src)=(\"https?://[^\"]*\"|'https?://[^']*')", re.IGNORECASE)
_SYMBOL = re.compile(r"<i\b[^>]*class=\"[^\"]*\bfa-([a-z-]+)[^\"]*\"[^>]*>\s*</i>", re.IGNORECASE)
_CONTROLS = re.compile(r"<(label|button|input)\b[^>]*>(.*?</\1>)?", re.DOTALL | re.IGNORECASE)
_WORDS = {
    "check-circle": '<b class="yes">passed</b>',
    "times": '<b class="no">failed</b>',
    "exclamation-triangle": '<b class="no">not evaluated</b>',
}
STYLE = """<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:.5rem 0;width:100%}
td,th{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top}
a{color:#0b57a4}.yes{color:#1b5e20}.no{color:#a31515}.badge{background:#e4e4e4;color:#1a1a1a;padding:0 .3rem}
:root{color-scheme:light dark}@media(prefers-color-scheme:dark){body{color:#e8e6e1;background:#14171a}
td,th{border-color:#4a5158}a{color:#79b8e3}.yes{color:#7ecba3}.no{color:#f09a9c}.badge{background:#343a40;color:#e8e6e1}}
nav ul{list-style:none;padding:0}.table-responsive{overflow-x:auto}@media print{nav{display:none}}
</style>"""


def build(workspace: Workspace, storage: Storage, site: str) -> str | None:
    """Write `SITE/validation/` (a folder or s3:// prefix) and return its index's URI; None where nothing was validated.

    Where it already shows the published results nothing is done, and Great Expectations is not imported.
    """
    published = {name: found for name in profile.PROFILED if (found := _published(workspace, name))}
    judged = {name: found for name, found in published.items() if RESULTS in _names(found)}
    if not judged or not expectations.available():
        return None
    folder = join(site, FOLDER)
    index, state = join(folder, "index.html"), join(folder, STATE)
    shown = {name: [found.fingerprint, found.manifest.code] for name, found in judged.items()}
    wanted = (json.dumps(shown, sort_keys=True) + "\n").encode()
    if storage.read_if_there(state) == wanted:
        return index
    with tempfile.TemporaryDirectory(prefix="mailmill-") as temporary:
        root = Path(temporary)
        documents = [
            (name, found.manifest.run_id, datetime.fromisoformat(found.manifest.created), _json(found, RESULTS))
            for name, found in judged.items()
        ]
        pages = expectations.render(documents, root)
        _write(storage, folder, root, pages, {name: _json(found, VALIDATION) for name, found in judged.items()})
    storage.write(state, wanted)
    return index


def offline(page: str) -> str:
    """A page of Data Docs that needs neither network nor script: the same words, symbols as words, one small style."""
    page = _STYLES.sub("", _CUT.sub("", page))
    page = _CONTROLS.sub("", _REMOTE.sub(r'\1="#"', page))
    page = _SYMBOL.sub(lambda found: _WORDS.get(found[1].lower(), ""), page)
    page = re.sub(r"<a\b[^>]*>\s*</a>", "", page)  # around a picture that was cut
    page = re.sub(r"<html\b[^>]*>", '<html lang="en">', page, count=1)
    return re.sub(r"</head>", lambda _: STYLE + "</head>", page, count=1)


def _write(
    storage: Storage,
    folder: str,
    root: Path,
    pages: Sequence[tuple[str, Path]],
    verdicts: Mapping[str, Mapping[str, Any]],
) -> None:
    """The library's pages made to work offline, then the index, under names that stay the same from run to run."""
    suites = {f"expectations/{title}.html": f"{title.replace(' ', '-')}-suite.html" for title, _ in pages}
    for title, path in pages:
        for source, target in ((path, _page(title, "")), (root / f"expectations/{title}.html", _page(title, "-suite"))):
            text = offline(source.read_text(encoding="utf-8"))
            for old in suites:
                text = re.sub(rf'href="[^"]*{re.escape(old)}[^"]*"', f'href="{suites[old]}"', text)
                text = re.sub(rf'href="[^"]*{re.escape(quote(old))}[^"]*"', f'href="{suites[old]}"', text)
            text = re.sub(r'href="[^"]*index\.html[^"]*"', 'href="index.html"', text)
            storage.write(join(folder, target), text.encode())
    storage.write(join(folder, "index.html"), _index([title for title, _ in pages], verdicts).encode())


def _page(title: str, kind: str) -> str:
    return f"{title.replace(' ', '-')}{kind}.html"


def _index(titles: Sequence[str], verdicts: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for title in titles:
        table, data = title.split(" ")
        outcomes = [o for o in verdicts[table]["outcomes"] if o["data"] == data]
        count = {
            v: sum(o["verdict"] == v for o in outcomes) for v in ("passed", "failed", "accepted", "not applicable")
        }
        said = ", ".join(f"{n} {verdict}" for verdict, n in count.items() if n)
        mark = '<b class="no">failed</b>' if count["failed"] + count["accepted"] else '<b class="yes">passed</b>'
        links = f'<a href="{_page(title, "")}">{html.escape(title)}</a>'
        suite = f'<a href="{_page(title, "-suite")}">expectations</a>'
        rows.append(f"<tr><td>{mark}</td><td>{links}</td><td>{said}</td><td>{suite}</td></tr>")
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Validation</title>{STYLE}</head>'
        '<body><nav><a href="../index.html">Overview of the documentation</a></nav><main><h1>Validation</h1>'
        "<p>Each table is held to its expectations before it is published, on the figures of its "
        "profile (metrics) and on a sample of derived figures. Great Expectations judged and drew these pages. "
        "Not applicable is what the data has no figure for: a first version has no drift.</p>"
        '<table><thead><tr><th scope="col">Result</th><th scope="col">Checkpoint</th><th scope="col">Expectations</th>'
        '<th scope="col">Suite</th></tr></thead><tbody>' + "".join(rows) + "</tbody></table></main></body></html>\n"
    )


def _published(workspace: Workspace, name: str) -> Table | None:
    output = gate.output_of(name)
    manifest = workspace.find(output)
    return Table(workspace.storage, workspace.uri_of(output), manifest, schemas.FILES) if manifest else None


def _names(table: Table) -> set[str]:
    return {file.path.rsplit("/", 1)[-1] for file in table.manifest.files}


def _json(table: Table, name: str) -> Any:
    return json.loads(table.file(name))
