"""One way to compile a kernel: machine code kept on disk where a folder can be written, no lock, no surprises.

Importing this module loads Numba, so only modules of kernels do, and those are imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def native(function: F) -> F:
    """`function` compiled at its first call for the types it is called with.

    IEEE 754 arithmetic in the order written (no fast-math: every bit counts), division by zero as in NumPy.
    Code is cached beside the source or in the user's cache folder; where neither can be written it is compiled anew.
    """
    return _compiled(function, {})


def summing(function: F) -> F:
    """`native`, but sums may be taken in another order, so that they use vector registers.

    For loops whose results need agree to rounding only. NaN and infinity keep their meaning.
    """
    return _compiled(function, {"fastmath": {"reassoc", "contract"}})


def _compiled(function: F, options: dict[str, Any]) -> F:
    try:
        compiled = numba.njit(nogil=True, cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # "no locator available": no folder for the cache
        compiled = numba.njit(nogil=True, error_model="numpy", **options)(function)
    return cast(F, compiled)
