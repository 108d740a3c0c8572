"""Ctrl-C, SIGTERM and SIGHUP end the process, whatever it waits for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mailmill.commands import interrupt

#: A process that says when it is ready, drops the interrupt, and waits for what never comes.
STUCK = """
import contextlib, threading
from mailmill.commands import interrupt
interrupt.PATIENCE_SECONDS = {patience}
interrupt.install()
for word in ("ready", "again"):
    with contextlib.suppress(KeyboardInterrupt):
        print(word, flush=True)
        threading.Event().wait()
threading.Event().wait()
"""


CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Under nohup a suite ignores SIGHUP, and so would the processes that it starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def stuck(patience: float, number: int = signal.SIGINT) -> subprocess.Popen[str]:
    code = STUCK.format(patience=patience)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.stdout.readline() == "again\n"
    return process


def assert_ended(process: subprocess.Popen[str], code: int = interrupt.EXIT_INTERRUPTED) -> None:
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.splitlines() == [f"mailmill: {interrupt.MESSAGE}", f"          {interrupt.HINT}"]


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_process_that_cannot_stop_is_ended_when_the_patience_is_over(number: int, code: int) -> None:
    assert_ended(stuck(0.5, number), code)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_second_interrupt_ends_it_at_once(number: int, code: int, second: int) -> None:
    process = stuck(1000, number)
    process.send_signal(second)
    assert_ended(process, code)


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_process_that_is_deep_in_machine_code_is_ended(number: int, code: int) -> None:
    """Its main thread never comes to run a handler: here, because it has blocked the signal for itself."""
    program = f"""
import signal, threading
from mailmill.commands import interrupt
interrupt.PATIENCE_SECONDS = 0.5
interrupt.install()
signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}])
threading.Timer(0.5, print, ["ready"], {{"flush": True}}).start()  # once the main thread waits, not just before
signal.sigwait([signal.SIGUSR1])
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert_ended(process, code)


def test_a_process_that_nobody_hears_is_ended() -> None:
    """Whoever read its messages has gone before it, as with `2>&1 | head` or a terminal that was closed."""
    process = stuck(0.5, signal.SIGTERM)
    assert process.stderr is not None
    process.stderr.close()
    assert process.wait(timeout=60) == 143


def test_nohup_is_heeded() -> None:
    code = "import os, signal\nfrom mailmill.commands import interrupt\ninterrupt.install()\n"
    code += "os.kill(os.getpid(), signal.SIGHUP)\nprint('still here')"
    done = subprocess.run(["nohup", sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "still here\n")


def test_no_thread_that_waits_keeps_a_process_that_leaves() -> None:
    """Python waits at its end for each thread that is no daemon: after an interrupt, it may wait for ever."""
    code = """
import atexit, threading
from mailmill.commands import interrupt
threading.Thread(target=threading.Event().wait).start()
atexit.register(print, "tidied", flush=True)
interrupt.leave()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (interrupt.EXIT_INTERRUPTED, "tidied\n")


def test_people_are_told_once_though_exit_handlers_hang() -> None:
    """The command line has said it; the watch, which then ends the process, need not."""
    code = """
import atexit, os, signal, threading
from mailmill.commands import interrupt, outcome
interrupt.PATIENCE_SECONDS = 0.5
interrupt.install()
atexit.register(threading.Event().wait)
interrupt.leave(outcome.guarded(lambda: os.kill(os.getpid(), signal.SIGINT)))
"""
    assert_ended(subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True))


def test_a_command_that_publishes_nothing_says_what_it_leaves() -> None:
    """Of half a corpus it was said that nothing half-done was published, and that it would go on from there."""
    code = """
import os, signal
from mailmill.commands import interrupt, outcome
interrupt.install()
interrupt.means("interrupted; mail is incomplete", "again")
interrupt.leave(outcome.guarded(lambda: os.kill(os.getpid(), signal.SIGINT)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines() == ["mailmill: interrupted; mail is incomplete", "          again"]


@pytest.mark.parametrize("end", ["guarded", "command", "abandon"])
def test_where_nobody_watches_it_is_an_event(end: str) -> None:
    code = """
import os, signal, sys
from mailmill import cli
from mailmill.commands import interrupt, outcome
from mailmill.runs import logs
logs.configure("night-7")
interrupt.install()
if sys.argv[1] == "abandon":
    interrupt.abandon()
def strike():
    os.kill(os.getpid(), signal.SIGTERM)
if sys.argv[1] == "command":
    cli.cli.command("strike")(strike)
    cli.main(["strike"])
interrupt.leave(outcome.guarded(strike))
"""
    environment = os.environ | {"MAILMILL_LOG_FORMAT": "json", "MAILMILL_RUN_ID": "night-7"}
    done = subprocess.run(
        [sys.executable, "-c", code, end], env=environment, capture_output=True, text=True, timeout=60
    )
    (said,) = map(json.loads, done.stderr.splitlines())
    found = {name: said[name] for name in ("run", "level", "event", "exit_code", "message", "hint")}
    assert found == {
        "run": "night-7", "level": "ERROR", "event": "interrupted", "exit_code": done.returncode,
        "message": interrupt.MESSAGE, "hint": interrupt.HINT,
    }  # fmt: skip


@pytest.mark.parametrize("reader", ["open", "gone"])
def test_a_process_that_leaves_says_all_it_had_to(reader: str) -> None:
    """What is printed stands in Python's buffers until somebody flushes them; a reader who has gone is no error."""
    code = "from mailmill.commands import interrupt\nprint('the last line')\ninterrupt.leave(3)"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered)
    assert process.stdout is not None
    if reader == "gone":
        process.stdout.close()
        process.stdout = None
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (3, "")
    assert reader == "gone" or said == "the last line\n"
