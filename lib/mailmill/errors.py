"""Every error that mailmill raises on purpose, in one small tree.

    MailmillError                  exit code 1   never raised itself
    ├── ConfigError                exit code 2   a setting is wrong; nothing was started
    ├── DataError                  exit code 3   the input is missing, damaged or not what was promised
    │   └── RejectedMessage        (no exit)     one message cannot be used: it becomes a row of `rejects`
    └── InfrastructureError        exit code 4   a disk, a network, a cluster: the same run may pass later

A message names the thing (the file, the key, the endpoint) and the way out, in one or two plain lines.
Errors cross process boundaries on every engine, so each survives pickling unchanged; none ever
carries text from a mail's body.
"""

from __future__ import annotations

import errno

EXIT_OK = 0
EXIT_UNEXPECTED = 1
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_NO_FOLDER = "No usable temporary directory"


class MailmillError(Exception):
    """Base of the tree. `exit_code` is what the command line ends with.

    `hint` says the way out and is shown on a line of its own.
    """

    exit_code = EXIT_UNEXPECTED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigError(MailmillError):
    """A configuration, a command-line option or an installed package is not as needed."""

    exit_code = 2


class DataError(MailmillError):
    """An input is missing, damaged, or contradicts what the configuration says of it."""

    exit_code = 3


class InfrastructureError(MailmillError):
    """Storage, network or a cluster failed; the data and the configuration may be fine."""

    exit_code = 4


class RejectedMessage(DataError):
    """One message that cannot be used. The stage turns it into a counted row of `rejects`.

    `reason` is one of `schemas.REJECT_REASONS`; `detail` never quotes the body.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def exit_code_of(error: BaseException) -> int:
    """What a process ends with that such an error stops."""
    if isinstance(error, KeyboardInterrupt):
        return int(getattr(error, "exit_code", 130))
    if isinstance(error, MemoryError) or is_of_the_disk(error):
        return InfrastructureError.exit_code
    return int(getattr(error, "exit_code", EXIT_UNEXPECTED))


def is_of_the_disk(error: BaseException) -> bool:
    """Whether a disk refused: it is full, broken, or not to be written to.

    Where none of the temporary folders takes a byte, `tempfile` says that it finds none.
    """
    return isinstance(error, OSError) and (error.errno in _OF_THE_DISK or _NO_FOLDER in str(error))


def _rebuild(kind: type[MailmillError], message: str, state: dict[str, object]) -> MailmillError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error
