"""The site in a real browser: nothing fetched, nothing complained of, everything reachable by keyboard.

It needs a Chromium (Debian's `chromium`) and skips with the reason where there is none. Screenshots stay in pytest's
temporary folder, or in MAILMILL_SCREENSHOTS.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.conftest import Documented
from tests.docs.test_site import hostile

__all__ = ["hostile"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 812}, "has_touch": True},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("MAILMILL_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Visit:
    """Pages of one screen, and all that they said, asked for or tried."""

    def __init__(self, browser: Any, screen: str = "desktop") -> None:
        self.context = browser.new_context(**SCREENS[screen], reduced_motion="reduce")
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: Path) -> Any:
        self.page.goto(path.as_uri())
        return self.page

    def close(self) -> None:
        self.context.close()
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(("file:", "data:"))] == []


def names(site: Path) -> list[str]:
    return sorted(path.name for path in site.glob("*.html"))


@pytest.mark.parametrize("screen", list(SCREENS))
def test_every_page_opens_offline_and_fits(screen: str, documented: Documented, browser: Any, pictures: Path) -> None:
    visit = Visit(browser, screen)
    for name in names(documented.site):
        page = visit.open(documented.site / name)
        assert page.title()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{name} scrolls sideways on {screen}"
        )
        if name == "index.html" or "MAILMILL_SCREENSHOTS" in os.environ:
            page.screenshot(path=pictures / f"{screen}-{name.removesuffix('.html')}.png", full_page=True)
    visit.close()
    assert (pictures / f"{screen}-index.png").stat().st_size > 20_000


def test_plots_are_seen(documented: Documented, browser: Any) -> None:
    visit = Visit(browser)
    page = visit.open(documented.site / "model-logistic.html")
    plots = page.locator("svg.plot")
    assert plots.count() >= 4
    for plot in plots.all():
        box = plot.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 150
    colours = "[...document.querySelectorAll('svg.plot path')].map(p => getComputedStyle(p).stroke)"
    drawn = set(page.evaluate(colours))
    accent = page.evaluate("getComputedStyle(document.querySelector('main a')).color")
    assert accent in drawn
    visit.close()


def test_pages_pass_axe(documented: Documented, browser: Any) -> None:
    axe: Any = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    for screen in ("desktop", "dark"):
        visit = Visit(browser, screen)
        for name in names(documented.site):
            found = axe.Axe().run(visit.open(documented.site / name)).response["violations"]
            problems = [f"{rule['id']}: {rule['nodes'][0]['html'][:120]}" for rule in found]
            assert problems == [], f"{name} ({screen})"
        visit.close()


def test_the_keyboard_reaches_everything(documented: Documented, browser: Any) -> None:
    visit = Visit(browser)
    page = visit.open(documented.site / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    wanted = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
    visit.open(documented.site / "index.html")
    reached: list[str] = []
    for _ in range(200):
        page.keyboard.press("Tab")
        target = page.evaluate("document.activeElement.getAttribute('href')")
        outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        if page.evaluate("document.activeElement === document.body"):
            break
        assert outlined != "none"
        reached += [target] if target else []
    assert set(reached) == set(wanted)
    visit.close()


def test_a_link_leads_to_its_page_and_details_open_by_key(documented: Documented, browser: Any) -> None:
    visit = Visit(browser)
    page = visit.open(documented.site / "index.html")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="clean").first.click()
    assert page.url.endswith("datasheet-clean.html")
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.evaluate("d => d.open")
    visit.close()


def test_markup_from_mail_does_nothing(hostile: Path, browser: Any) -> None:
    visit = Visit(browser)
    for name in names(hostile):
        page = visit.open(hostile / name)
        assert page.locator("main script, main img").count() == 0
    page = visit.open(hostile / "table-clean.html")
    assert "<script>alert(1)</script>" in page.locator("main").inner_text()
    visit.close()
