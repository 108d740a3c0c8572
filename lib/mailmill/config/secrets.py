"""What a configuration says that nobody is shown: neither in a record of a run nor in a message."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import PydanticCustomError

HIDDEN = "(hidden)"
#: The type of a problem whose input is not shown.
CREDENTIALS = "credentials"
_SECRET = re.compile(r"secret|password|passwd|token|credential|(access|account|private|api)[._-]?key", re.IGNORECASE)
#: What stands before the host of an address. A password's own "/" and "@" belong to it.
_LOGIN = re.compile(r"(?<=:)//(?!arn:)(?:[^/\s:]*:\S*|[^/\s]*)@")
#: The same of a place on S3, as Hadoop once took it. An access point's name has colons, too.
_LOGIN_ON_S3 = re.compile(r"s3[an]?://(?!arn:)(?:[^/:]*:.*|[^/]*)@")


def redacted(values: Any, name: str = "") -> Any:
    """Settings with every value hidden whose name speaks of a secret, and every login in an address (`//user:pw@`)."""
    if values is not None and _SECRET.search(name):
        return HIDDEN
    if isinstance(values, dict):
        return {key: redacted(value, str(key)) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [redacted(value) for value in values]
    return _LOGIN.sub(f"//{HIDDEN}@", values) if isinstance(values, str) else values


def refuse_login(place: str) -> str:
    """The path or URI itself. Raises ValueError, without its words, where it is on S3 and holds credentials."""
    if _LOGIN_ON_S3.match(place):
        raise misplaced()
    return place


def misplaced() -> ValueError:
    """Credentials stand where they do not belong."""
    return PydanticCustomError(
        CREDENTIALS, "holds credentials, which come from the environment, a profile or the instance's role alone"
    )
