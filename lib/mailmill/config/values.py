"""What a setting may be: sizes in bytes, numbers of words, numbers in range; and the base of every section."""

from __future__ import annotations

import os
import re
import sys
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from mailmill.config.secrets import misplaced, refuse_login

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def parse_bytes(value: object) -> object:
    """Turn "64MiB", "2 GB" or a whole number into bytes (int). Anything else is left to be refused."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", value.strip())
        if not match or match[2].upper() not in _UNITS:
            raise ValueError(f"{value!r} is not a size such as '64MiB' or '2GB'")
        return int(float(match[1]) * _UNITS[match[2].upper()])
    return value


Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(gt=0)]


def parse_words(value: object) -> object:
    """Turn "all" or 0, which TOML can say, into None, which it cannot."""
    return None if value == "all" or (value == 0 and type(value) is int) else value


def parse_columns(value: object) -> object:
    """Refuse what is not "sqrt", a share of the columns in (0, 1], or a number of columns >= 1."""
    if value == "sqrt" or (type(value) is float and 0 < value <= 1) or (type(value) is int and value >= 1):
        return value
    raise ValueError('must be "sqrt", a share in (0, 1] or a whole number from 1 up')


def parse_class(value: object) -> object:
    """Write a number as labels do, which are text: 5 as "5", 1.0 as "1.0"."""
    return str(value) if isinstance(value, int | float) else value


#: The name of a class of labels.
ClassName = Annotated[str, BeforeValidator(parse_class)]
NonNegative = Annotated[float, Field(ge=0)]


_SCHEME = re.compile(r"[A-Za-z][\w+.-]*:/")
_ON_S3 = re.compile(r"s3[an]?://[^/]")


def parse_place(value: str) -> str:
    """A path, `~` expanded, or a URI of a storage that mailmill speaks. Any other would be taken for a local folder."""
    if _ON_S3.match(value):
        return refuse_login(value)
    if _SCHEME.match(value) and not re.match("file://.", value):
        raise ValueError("must be a path or s3://BUCKET/...; a local folder of this name is ./NAME")
    return _expanded(value)


def parse_workspace(value: str) -> str:
    """Where tables are written: on S3 without an empty part, as an empty variable gives it; libraries differ there."""
    if _ON_S3.match(value) and "//" in value.partition("://")[2]:
        raise ValueError("must have no empty part between its slashes")
    return value


def parse_local(value: str) -> str:
    """A path, `~` expanded, and no URI."""
    if _SCHEME.match(value):
        raise ValueError("must be a path on a local disk")
    return _expanded(value)


def _expanded(path: str) -> str:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # where UTF-8 mode was turned off, or the locale is another
        charset = sys.getfilesystemencoding()
        raise ValueError(f"this process's locale ({charset}) has no such characters: set PYTHONUTF8=1") from None
    return os.path.expanduser(path)


def parse_endpoint(value: str) -> str | None:
    """A server's address; of none, as an empty variable gives it, AWS's own: None."""
    if "@" in value:
        raise misplaced()
    scheme, _, host = value.partition("://")
    if value and not (scheme.lower() in ("http", "https") and re.match(r"[^\s/]", host)):
        raise ValueError("should begin with http:// or https://, as https://s3.example.com")
    return f"{scheme.lower()}://{host}" if value else None


_MASTER = re.compile(r"local(\[(0*[1-9]\d*|\*)(\s*,\s*\d+)?\])?|local-cluster\[[\d,\s]+\]|yarn|(spark|mesos|k8s)://.+")


def parse_master(value: str) -> str | None:
    """Where a Spark application runs, as spark-submit takes it; nowhere, as an empty variable gives it: None."""
    if value and not _MASTER.fullmatch(value):
        raise ValueError("should be local[N], spark://HOST:PORT, yarn or k8s://URL")
    return value or None


def parse_country(value: str) -> str:
    """Three capital letters of ISO 3166."""
    if not re.fullmatch("[A-Z]{3}", value):
        raise ValueError("should be three capital letters of ISO 3166, as DEU")
    return value


#: A file or folder on a local disk, or on S3; one that is written to as a workspace; one on a local disk. Addresses.
Place = Annotated[str, AfterValidator(parse_place)]
Workspace = Annotated[Place, AfterValidator(parse_workspace)]
LocalPath = Annotated[str, AfterValidator(parse_local)]
Endpoint = Annotated[str, AfterValidator(parse_endpoint)]
Master = Annotated[str, AfterValidator(parse_master)]
Country = Annotated[str, AfterValidator(parse_country)]


class Section(BaseModel):
    """Base of every section: frozen, and strict about its keys. No number is infinite, or true or false."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True  # a command uses few sections
    )  # fmt: skip

    @field_validator("*", mode="before")
    @classmethod
    def _switches_apart(cls, value: object, field: ValidationInfo) -> object:
        if type(value) is bool and cls.model_fields[str(field.field_name)].annotation is not bool:
            raise ValueError("must not be true or false")
        return value
