"""The audit of one message: nothing left out, nothing from the mail obeyed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from selectolax.lexbor import LexborHTMLParser

from mailmill.cli import cli
from mailmill.docs import explain
from tests.conftest import ROOT

GOLDEN = sorted((ROOT / "tests" / "email" / "golden").glob("*.eml"))
HOSTILE = (
    b"Message-ID: <a@b>\r\nSubject: <script>alert(1)</script>\r\nContent-Type: text/plain\r\n\r\n"
    b"Hello,\r\n<script>alert(2)</script> & \x1b[31mred\x1b[0m\r\n"
)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_line_is_shown_with_its_zone(path: Path) -> None:
    mail = explain.cleaned(path.read_bytes())
    shown = explain.terminal(mail, colour=False)
    for zone, rule, text in explain.lines(mail):
        assert any(
            line.startswith(zone) and rule[:26] in line and text.strip()[:40] in line for line in shown.splitlines()
        )
    assert "confidence" in shown.splitlines()[-1]


def test_the_page_escapes_everything() -> None:
    page = explain.page(explain.cleaned(HOSTILE))
    tree = LexborHTMLParser(page)
    assert tree.css("script") == []
    assert "<script>alert(2)</script>" in tree.body.text()
    assert "<script>alert(1)</script>" in tree.body.text()
    assert "default-src 'none'" in page


def test_the_terminal_does_not_obey_the_mail() -> None:
    assert "\x1b" not in explain.terminal(explain.cleaned(HOSTILE), colour=False)
    assert "\x1b[31mred" not in explain.terminal(explain.cleaned(HOSTILE), colour=True)


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_bytes(HOSTILE)
    done = CliRunner().invoke(cli, ["clean", "--explain", str(tmp_path / "m.eml")])
    assert done.exit_code == 0
    assert "greeting" in done.output
    done = CliRunner().invoke(cli, ["clean", "--explain", str(tmp_path / "m.eml"), "--html", str(tmp_path / "m.html")])
    assert done.exit_code == 0
    assert "&lt;script&gt;" in (tmp_path / "m.html").read_text()
