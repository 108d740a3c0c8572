"""Progress: lines in a log, a bar on a terminal."""

from __future__ import annotations

import logging
import os
import pty
import subprocess
import sys

import pytest

from mailmill import progress


def test_lines_say_how_much_and_how_long(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    with caplog.at_level(logging.INFO, logger="mailmill"), progress.watch("clean", 30) as watched:
        for _ in range(3):
            watched.advance(10)
    assert "clean progress=10/30 left=" in caplog.text
    assert "clean done=30 unit=mails" in caplog.text


def test_a_bar_on_a_terminal() -> None:
    program = (
        "from mailmill.progress import watch\nwith watch('features', 40) as p:\n    for _ in range(4): p.advance(10)\n"
    )
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", program], stderr=theirs, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # the other end closed
        pass
    assert child.wait(30) == 0
    assert b"features" in shown
    assert b"40/40" in shown
