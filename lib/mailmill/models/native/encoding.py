"""Values to bin numbers, compiled: a table gives the first bin that is possible, a comparison or two the right one.

Reference: `binning.Bins.encode_reference`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mailmill.jit import native

_BLOCK = 64
#: Cells of a column's table, and how many edges one may hold before halving is quicker than walking.
CELLS, CROWDED = 512, 8


@native
def encode(
    X: NDArray[np.float32],
    edges: NDArray[np.float32],
    low: NDArray[np.float32],
    scale: NDArray[np.float32],
    table: NDArray[np.uint8],
    crowded: NDArray[np.bool_],
    start: int,
    stop: int,
    out: NDArray[np.uint8],
) -> None:
    """out[f, i] = #{j : edges[f, j] < X[i, f]} for the rows i in start .. stop.

    X float32 (n, d) finite; edges float32 (d, 256) ascending, padded with +inf; out uint8 (d, n). The cell of x is
    (x - low) scale, cut to 0 .. CELLS - 1: rounding keeps it monotone in x, so edges of lower cells are below x, and
    `table` (d, CELLS) counts those. A column that is `crowded` is searched by halving instead. Blocks of rows stay in
    the cache while all columns are taken from them.
    """
    values = np.empty(_BLOCK, np.float32)
    none, one, top = np.float32(0), np.uint64(1), np.float32(CELLS - 1)
    for block in range(start, stop, _BLOCK):
        rows = min(_BLOCK, stop - block)
        for f in range(X.shape[1]):
            bounds, first, codes, lowest, factor = edges[f], table[f], out[f], low[f], scale[f]
            for i in range(rows):
                values[i] = X[block + i, f]
            if crowded[f]:
                for i in range(rows):
                    x, place = values[i], np.uint64(0)
                    for halving in range(8):
                        step = np.uint64(128 >> halving)
                        place += np.uint64(bounds[place + step - one] < x) * step
                    codes[block + i] = place
                continue
            for i in range(rows):
                x = values[i]
                cell = min(max((x - lowest) * factor, none), top)
                place = np.uint64(first[np.uint64(cell)])
                place += np.uint64(bounds[place] < x)
                while bounds[place] < x:
                    place += one
                codes[block + i] = place
