"""The word lists and markup tables under `data/`, each read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """The parsed TOML file `data/<name>.toml`; do not change what is returned, it is shared."""
    return tomllib.loads(files("mailmill.corpus").joinpath("data", f"{name}.toml").read_text(encoding="utf-8"))
