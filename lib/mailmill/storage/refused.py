"""What cannot be read alone: an object that is somebody's, or has gone, beside others that are ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mailmill.errors import MailmillError


def of_one_object(error: MailmillError) -> OSError | None:
    """Why reading ended, where that is of the object alone: it is gone, or is not ours to read."""
    cause = error.__cause__
    if isinstance(cause, FileNotFoundError | PermissionError | NotADirectoryError):
        return cause
    return PermissionError("ACCESS_DENIED") if isinstance(cause, OSError) and "ACCESS_DENIED" in str(cause) else None


@contextlib.contextmanager
def passed_over() -> Iterator[None]:
    """A block that ends early, and no more, where its one object is gone or not ours to read: a disk's "lost+found"."""
    try:
        yield
    except MailmillError as error:
        if of_one_object(error) is None:
            raise
