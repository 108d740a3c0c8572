"""One way to compile a kernel: machine code kept on disk where a folder can be written, no lock, no surprises.

Importing this module loads Numba, so only modules of kernels do, and those are imported inside functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])
#: Where kernels stand, below this package.
_KERNELS = ("jit.py", "features/*.py", "models/native/*.py")


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of every file below `folder` that may hold a kernel: what kept machine code is made of."""
    files = sorted(file for pattern in _KERNELS for file in folder.glob(pattern))
    found = [(file, file.stat()) for file in files]
    return tuple((str(file.relative_to(folder)), state.st_size, state.st_mtime_ns) for file, state in found)


_STAMP = stamp(Path(__file__).parent)


def native(function: F) -> F:
    """`function` compiled at its first call for the types it is called with.

    IEEE 754 arithmetic in the order written (no fast-math: every bit counts), division by zero as in NumPy.
    Code is cached beside the source or in the user's cache folder; where neither takes it, it is compiled anew.
    """
    return compiled(function)


def summing(function: F) -> F:
    """`native`, but sums may be taken in another order, so that they use vector registers.

    For loops whose results need agree to rounding only. NaN and infinity keep their meaning.
    """
    return compiled(function, fastmath={"reassoc", "contract"})


def compiled(function: F, **options: Any) -> F:
    """`native` with further options of `numba.njit`."""
    try:
        made = numba.njit(nogil=True, cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # "no locator available": no folder for the cache
        return cast(F, numba.njit(nogil=True, error_model="numpy", **options)(function))
    # Numba compiles a kernel anew when its own file has changed, but kernels of other files are compiled into it.
    kept: Any = getattr(made._cache, "_cache_file", None)  # Numba's own; a test watches it
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = (kept._source_stamp, _STAMP)
        made._cache.save_overload = _where_there_is_room(made._cache.save_overload, Path(kept._index_path))
    return cast(F, made)


def _where_there_is_room(save: Callable[..., None], index: Path) -> Callable[..., None]:
    """`save`, which keeps machine code, but a disk that refuses it ends no run: the code is in memory.

    `index` is written before the code: it may now name an older file's, which nobody shall take for this one's.
    """

    def attempt(*arguments: Any) -> None:
        try:
            save(*arguments)
        except OSError:
            with contextlib.suppress(OSError):
                index.unlink()

    return attempt


@native
def splitmix64(x: np.uint64) -> np.uint64:
    """`draws.splitmix64` of one word, for kernels."""
    z = x + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
