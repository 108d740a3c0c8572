"""Ridge, lasso and elastic net on a vector of parameters, a strength each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Penalty:
    """Σ_j l2_j θ_j² / 2 + Σ_j l1_j |θ_j|, with l2 and l1 >= 0, both (p,)."""

    l2: Vector
    l1: Vector

    @cached_property
    def smooth(self) -> bool:
        """Whether there is no absolute value in it."""
        return not self.l1.any()

    def squares(self, theta: Vector) -> float:
        """Σ_j l2_j θ_j² / 2"""
        return 0.5 * float(self.l2 @ (theta * theta))

    def absolutes(self, theta: Vector) -> float:
        """Σ_j l1_j |θ_j|"""
        return float(self.l1 @ np.abs(theta)) if not self.smooth else 0.0

    def subgradient(self, theta: Vector, gradient: Vector) -> Vector:
        """The smallest element of the subdifferential, given the smooth part's gradient; 0 exactly at a minimum."""
        if self.smooth:
            return gradient
        beyond = np.sign(gradient) * np.maximum(np.abs(gradient) - self.l1, 0.0)
        return np.where(theta == 0, beyond, gradient + self.l1 * np.sign(theta))
