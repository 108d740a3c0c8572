"""Tables of millions of columns of which few hold anything: between processes, those few travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Smaller arrays travel as they are.
_SMALL = 1 << 16


@dataclass(frozen=True)
class Thin:
    """An array (..., columns) of zeros but for `held` (..., columns held), which stands in the ascending `columns`."""

    width: int
    columns: NDArray[np.int32]
    held: NDArray[Any]

    def full(self) -> NDArray[Any]:
        """The array itself."""
        array = np.zeros((*self.held.shape[:-1], self.width), self.held.dtype)
        array[..., self.columns] = self.held
        return array


def thin(array: NDArray[Any]) -> NDArray[Any] | Thin:
    """`array` in the form that takes fewer bytes; `full` gives it back."""
    if array.nbytes < _SMALL:
        return array
    columns = np.flatnonzero(array if array.ndim == 1 else array.any(axis=0)).astype(np.int32)
    if len(columns) * 2 > array.shape[-1]:
        return array
    return Thin(array.shape[-1], columns, np.ascontiguousarray(array[..., columns]))


def full(array: NDArray[Any] | Thin) -> NDArray[Any]:
    """What was given to `thin`."""
    return array.full() if isinstance(array, Thin) else array
