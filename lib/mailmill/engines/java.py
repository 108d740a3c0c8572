"""Spark's driver in Java: spoken to over connections that an interrupt may leave out of step, and which may be gone."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator

from py4j.protocol import Py4JError as Py4JError

from mailmill.errors import InfrastructureError, is_of_the_disk


@contextlib.contextmanager
def java_lives() -> Iterator[None]:
    """Say in words that Spark's Java process is gone, or has stopped its context, instead of Py4J's."""
    try:
        yield
    except (Py4JError, ConnectionError) as error:
        raise InfrastructureError(
            f"Spark's driver in Java is gone or has stopped: {cause(error)}",
            hint="see its log; a lack of memory is the usual cause (spark.driver.memory)",
        ) from error


@contextlib.contextmanager
def written_whole() -> Iterator[None]:
    """Say that the disk refused what PySpark writes for Java; PySpark says that the value cannot be serialized."""
    try:
        yield
    except Exception as error:
        if (refused := error.__context__) is None or not is_of_the_disk(refused):
            raise
        raise InfrastructureError(
            f"Spark's local folder: {getattr(refused, 'strerror', None) or refused}",
            hint="make room there, or set spark.local.dir to another disk",
        ) from error


def apart(action: Callable[[], object]) -> None:
    """Have Java do something in a thread, and so over a connection, of its own; what it says of it matters to nobody.

    Where an interrupt struck between a command and its answer, the caller's connection is out of step from then on:
    each command gets the answer of the one before.
    """

    def quietly() -> None:
        with contextlib.suppress(Exception):
            action()

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    thread.join()


#: What Spark says where a file, not the cluster, is at fault: only then is it worth to read the whole table here.
_UNREADABLE = re.compile(r"FAILED_READ_FILE|parquet", re.I)
#: What it says of a value that it cannot use. Hadoop says so of a host, too, that is not to be found just now.
_REFUSED = re.compile(r"(IllegalArgument|NumberFormat|ClassNotFound|Analysis)Exception: (?!java\.net\.)")
#: The end of a traceback of Python's: a frame, more lines that are set in, and what was raised.
_RAISED = re.compile(r'^  File ".*", line \d+, in .*\n(?: .*\n)*([\w.]+)(?:: (.*))?$', re.M)


def cause(error: BaseException) -> str:
    """What happened, in one line: what Python raised where its traceback is among Java's lines, else Java's first.

    Of an error that is not mailmill's only the type: its words may be a mail's.
    """
    if raised := _RAISED.findall(str(error)):
        kind, words = raised[-1]
        return str(words if kind.startswith("mailmill.errors.") and words else kind)[:300]
    lines = [line.strip(": ") for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Error:" in line or "Exception:" in line]
    return [*named, *lines[-1:], type(error).__name__][0][:300]


def is_of_a_file(error: BaseException) -> bool:
    """Whether Spark could not read a file. What a task itself raises names files, too: those that it was writing."""
    said = f"{error} {error.__cause__ or error.__context__}"
    return bool(_UNREADABLE.search(said)) and "Traceback (most recent call last)" not in said


def is_of_a_setting(error: BaseException) -> bool:
    """Whether Spark refuses the value of a property: it would the next time, too."""
    return bool(_REFUSED.search(cause(error)))
