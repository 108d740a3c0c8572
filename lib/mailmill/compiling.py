"""Whether a compiled loop is worth its price: loading Numba takes longer than one mail takes in NumPy.

Every compiled loop has a NumPy twin that computes the same bits, so who asks here changes no result. A service
that scores mail one by one imports `mailmill.jit` at its start, and is then served by the compiled loops.
"""

from __future__ import annotations

import sys


def worthwhile(rows: int) -> bool:
    """False for a single row, unless Numba is loaded already."""
    return rows != 1 or "numba" in sys.modules
