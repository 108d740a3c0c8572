"""Data Docs in the site: pages that open from disk without network or script, and hold nothing from a mail."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mailmill import pipeline, schemas
from mailmill.config import Config
from mailmill.job import Job
from mailmill.quality import expectations, site
from tests.quality import box

pytest.importorskip("great_expectations", reason="the extra `docs` is not installed")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Mail whose every body, subject, address and label has a word that must not come out again."""
    root = box.make(tmp_path_factory.mktemp("canary"))
    box.write(root / "in", [box.message(n, canary=True) for n in range(200)])
    rows = [f"m{n}@shop.example,{'pos' if n % 2 else box.ADDRESS}" for n in range(200)]
    (root / "labels.csv").write_text("\n".join(["message_id,label", *rows]) + "\n")
    config = box.config(root, accept=["clean.texts_not_newly_repeated"])
    with Job(config) as job:
        pipeline.ingest(job)
        pipeline.clean(job)
        pipeline.label(job)
        pipeline.features(job)
    return config


@pytest.fixture(scope="module")
def pages(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with Job(config) as job:
        assert site.build(job.workspace, job.storage, str(folder)) == f"{folder}/validation/index.html"
    return folder / "validation"


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids |= {value or "" for name, value in attributes if name == "id"}
        self.targets += [value or "" for name, value in attributes if name in ("href", "src")]
        assert not any(name.startswith("on") for name, _ in attributes)


def test_every_link_leads_to_a_page(pages: Path) -> None:
    seen = set()
    for path in pages.glob("*.html"):
        links = Links(path.read_text())
        assert not links.tags & {"script", "iframe", "link", "img"}, path.name
        for target in links.targets:
            if target.startswith("#"):
                assert target == "#" or target[1:] in links.ids, (path.name, target)
            elif target == "../index.html":
                assert path.name == "index.html", "the site's, which is built later"
            else:
                assert (pages / target).is_file(), (path.name, target)
                seen.add(target)
    tables = ("raw", "clean", "labels", "features")
    assert "../index.html" in Links((pages / "index.html").read_text()).targets
    assert {f"{table}-{data}.html" for table in tables for data in ("metrics", "sample")} <= seen


def test_no_page_asks_the_network(pages: Path) -> None:
    for path in pages.glob("*.html"):
        assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", path.read_text()), path.name


def test_a_result_says_what_was_found(pages: Path) -> None:
    text = (pages / "clean-metrics.html").read_text()
    assert "text.replacement_share" in text
    assert '<b class="yes">passed</b>' in text
    index = (pages / "index.html").read_text()
    assert "clean metrics" in index
    assert "passed" in index


def test_nothing_from_a_mail_comes_out(config: Config, pages: Path) -> None:
    files = [*pages.rglob("*"), *(Path(config.run.work) / "profiles").rglob("*")]
    files = [path for path in files if path.is_file() and path.name != "_manifest.json"]  # it names classes as given
    contents = {path: path.read_bytes() for path in files}
    assert len(contents) > 20
    domain = box.ADDRESS.split("@")[1]
    for path, content in contents.items():
        for secret in (box.CANARY, box.ADDRESS, domain, "shop.example", "question 7", "Anna Smith"):
            assert secret.encode() not in content, (path, secret)
    assert any(b"hash:" in content for content in contents.values())  # the label that was an address


def test_a_domain_is_shown_only_where_it_may_be(config: Config, tmp_path: Path) -> None:
    sections = {"clean": config.clean.model_copy(update={"sender_domain": "keep"})}
    shutil.copytree(config.run.work, tmp_path / "work")
    kept = config.model_copy(update={**sections, "run": config.run.model_copy(update={"work": str(tmp_path / "work")})})
    with Job(kept) as job:
        pipeline.clean(job)
        profile = job.workspace.open("profiles/clean", schemas.FILES).file("profile.json").decode()
    assert "canary-domain.example" in profile
    assert "canary.person" not in profile


def test_what_is_shown_already_is_not_built_again(config: Config, pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectations, "render", lambda *_: pytest.fail("built again"))
    with Job(config) as job:
        assert site.build(job.workspace, job.storage, str(pages.parent)) == f"{pages}/index.html"


def test_without_a_verdict_there_is_no_page(tmp_path: Path) -> None:
    box.write(tmp_path / "in", [box.message(0)])
    with Job(box.config(tmp_path, expectations="off")) as job:
        pipeline.ingest(job)
        assert site.build(job.workspace, job.storage, str(tmp_path / "site")) is None
    assert not (tmp_path / "site").exists()


def test_offline_keeps_words_and_drops_machinery() -> None:
    page = (
        '<html><head><script src="https://x/y.js"></script><link href="https://x/z.css"></head><body onclick="a()">'
        '<i class="fas fa-times text-danger" ></i> text <img src="https://x/p.png"><a href="https://x">there</a></body>'
    )
    found = site.offline(page)
    assert "https://" not in found
    assert '<b class="no">failed</b> text' in found
    assert 'lang="en"' in found
    assert ">there</a>" in found


def test_pages_open_in_a_browser(pages: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
    done = subprocess.run([chromium, *arguments, (pages / "clean-metrics.html").as_uri()],
                          capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
    assert "retention.share" in done.stdout
    assert "CONSOLE" not in done.stderr
