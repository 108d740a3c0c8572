"""How this room compiles its loops: cached on disk where there is a place for it, in memory where there is none.

Only `compiled` and functions import this module, and only functions import `compiled`: a command that computes
nothing starts without Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile at the first call, without the interpreter's lock or threads; IEEE arithmetic in the order written."""
    try:
        compiled: F = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder that can be written to
        compiled = numba.njit(nogil=True)(function)
    return compiled
