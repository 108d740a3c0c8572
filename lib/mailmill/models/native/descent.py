"""Coordinate descent on a quadratic model with absolute values, see `models.proximal`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import summing

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@summing
def descend(
    gradient: Vector,
    blocks: Matrix,
    places: NDArray[np.int64],
    diagonal: Vector,
    U: Matrix,
    W: Matrix,
    tail: NDArray[np.int64],
    theta: Vector,
    l1: Vector,
    x: Vector,
    sweeps: int,
    precise: float,
) -> int:
    """Coordinate descent on x in place; returns the sweeps made. Keeps H x of the blocks and Wᵀ x up to date."""
    count, height = places.shape
    learned = U.shape[1]
    product = np.zeros((count, height))
    seen = np.zeros(learned)
    largest = 0.0
    for sweep in range(sweeps):
        change = 0.0
        for at in range(count * height + len(tail)):
            inside = at < count * height
            block, row = at // height if inside else 0, at % height if inside else 0
            j = places[block, row] if inside else tail[at - count * height]
            second = blocks[block, row, row] if inside else diagonal[j]
            slope = gradient[j] + (product[block, row] if inside else diagonal[j] * x[j])
            for k in range(learned):
                second -= U[j, k] * W[j, k]
                slope -= U[j, k] * seen[k]
            if second <= 0.0:
                continue
            old = theta[j] + x[j]
            wanted = old - slope / second
            reach = l1[j] / second
            new = wanted - reach if wanted > reach else (wanted + reach if wanted < -reach else 0.0)
            delta = new - old
            if delta == 0.0:
                continue
            x[j] += delta
            if new == 0.0:
                x[j] = -theta[j]
            if inside:
                for other in range(height):
                    product[block, other] += delta * blocks[block, row, other]
            for k in range(learned):
                seen[k] += delta * W[j, k]
            change = max(change, delta * delta * second)
        largest = max(largest, change)
        if change <= precise * precise * largest:
            return sweep + 1
    return sweeps
