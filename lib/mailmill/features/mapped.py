"""Arrays mapped from files that anybody may have written: compiled loops index them without asking again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mapped(path: Path, dtype: str, *shape: int | None) -> NDArray[Any]:
    """The array in an .npy file, read-only; as a plain array, for indexing a `memmap` is several times slower.

    Raises ValueError unless it has this type and shape (None: any length), row after row; OSError where it is missing.
    """
    found: NDArray[Any] = np.asarray(np.lib.format.open_memmap(path, mode="r"))
    fits = len(found.shape) == len(shape) and all(
        wanted is None or length == wanted for length, wanted in zip(found.shape, shape, strict=True)
    )
    if not fits or found.dtype != np.dtype(dtype) or not found.flags.c_contiguous:
        raise ValueError(f"{path.name} is not of type {dtype} and shape {shape}")
    return found
