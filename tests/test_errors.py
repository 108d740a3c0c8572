"""Errors keep their type, message, hint and code when they cross a process boundary."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import pytest

from mailmill import errors
from mailmill.commands.outcome import guarded
from mailmill.runs import logs
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("key x", hint="do y"), 2),
        (errors.DataError("file z"), 3),
        (errors.InfrastructureError("endpoint", hint="h"), 4),
        (errors.RejectedMessage("empty", "no bytes"), 3),
    ],
)
def test_errors_survive_pickling(error: errors.MailmillError, code: int) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__
    assert copy.exit_code == code


def test_every_error_has_a_kind() -> None:
    """The base alone ends as a bug in mailmill does, with 1."""
    for path in (ROOT / "lib").rglob("*.py"):
        assert "raise MailmillError" not in path.read_text(encoding="utf-8"), path


def test_what_pip_is_asked_for_is_quoted() -> None:
    """zsh takes the brackets of an extra for a pattern of files, and finds none."""
    for path in (ROOT / "lib").rglob("*.py"):
        assert "pip install mailmill[" not in path.read_text(encoding="utf-8"), path


def test_the_hint_stands_on_its_own_line() -> None:
    assert str(errors.ConfigError("what", hint="way out")) == "what\nway out"


def test_a_name_in_an_error_gives_the_terminal_no_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing() -> None:
        raise errors.DataError("x\n2026-11-30 INFO all is well\x1b[2J\r\n  as it is", hint="see \x1b]0;owned\a")

    monkeypatch.setattr(logs, "event", lambda *_: "")
    assert guarded(failing) == 3
    said = "mailmill: x\n  2026-11-30 INFO all is well\\x1b[2J\\x0d\n  as it is\n          see \\x1b]0;owned\\x07\n"
    assert capsys.readouterr().err == said


def test_no_byte_for_temporary_files_is_the_disks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no temporary folder takes a byte `tempfile` finds none, which ended as "a bug in mailmill"."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "full")])
    assert guarded(tempfile.mkdtemp) == 4
    assert "No usable temporary directory" in capsys.readouterr().err
